#include "http/h1_write.h"

#include <stdio.h>

#include "base/str.h"
#include "http/status.h"

static char *put(char *out, struct pl_str s)
{
    if (s.len > 0)
        memcpy(out, s.data, s.len);
    return out + s.len;
}

#define PUT(out, literal)                                                      \
    ((char *)memcpy(out, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *put_line(char *out, struct pl_str name, struct pl_str value)
{
    out = put(out, name);
    *out++ = ':';
    *out++ = ' ';
    out = put(out, value);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *put_status(char *out, int status)
{
    if (status == 200)
        return PUT(out, "HTTP/1.1 200 OK\r\n");
    out = PUT(out, "HTTP/1.1 ");
    out += pl_u64_format(out, (uint64_t)status);
    *out++ = ' ';
    out = put(out, pl_status_reason(status));
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *put_date(char *out, struct pl_http *http)
{
    out = PUT(out, "Date: ");
    out = put(out, pl_str(pl_http_date(http), PL_HTTP_DATE_LEN));
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *put_last_modified(char *out, int64_t seconds)
{
    char date[PL_HTTP_DATE_LEN];

    pl_http_date_format(date, seconds);
    return put_line(out, PL_STR("Last-Modified"),
                    pl_str(date, PL_HTTP_DATE_LEN));
}

static char *put_framing(char *out, const struct pl_h1_framing *framing)
{
    if (framing->chunked) {
        out = PUT(out, "Transfer-Encoding: chunked\r\n");
    } else if (framing->length >= 0) {
        out = PUT(out, "Content-Length: ");
        out += pl_u64_format(out, (uint64_t)framing->length);
        *out++ = '\r';
        *out++ = '\n';
    }
    if (framing->connection == PL_H1_CLOSE)
        out = PUT(out, "Connection: close\r\n");
    else if (framing->connection == PL_H1_KEEP_ALIVE)
        out = PUT(out, "Connection: keep-alive\r\n");
    else if (framing->connection == PL_H1_UPGRADE)
        out = put_line(PUT(out, "Connection: Upgrade\r\n"), PL_STR("Upgrade"),
                       pl_str_c(framing->upgrade));
    return out;
}

/* Has the handler set a field itself? */
static bool says(const struct pl_response *res, enum pl_header_id id)
{
    for (unsigned i = 0; i < res->nheaders; i++)
        if (res->headers[i].id == id)
            return true;
    return false;
}

static bool says_name(const struct pl_response *res, struct pl_str name)
{
    for (unsigned i = 0; i < res->nheaders; i++)
        if (pl_str_ieq(pl_header_name(&res->headers[i]), name))
            return true;
    return false;
}

static char *put_defaults(char *out, const struct pl_http_settings *settings,
                          const struct pl_response *res)
{
    for (unsigned i = 0; i < settings->nheaders; i++) {
        const struct pl_header *header = &settings->headers[i];

        if (res->nheaders == 0 || !says_name(res, pl_header_name(header)))
            out =
                put_line(out, pl_header_name(header), pl_header_value(header));
    }
    return out;
}

/* Everything but the variable parts below: status line with the longest
 * reason, Date, Last-Modified, Content-Length, Connection, names and CRLFs. */
enum { HEAD_FIXED = 384 };

size_t pl_h1_head_bound(const struct pl_request *req)
{
    const struct pl_response *res = &req->response;
    size_t size = HEAD_FIXED + req->settings->server.len +
                  req->settings->headers_size + res->type.len + res->etag.len;

    for (unsigned i = 0; i < res->nheaders; i++)
        size += res->headers[i].name_len + res->headers[i].value_len + 4u;
    return size;
}

char *pl_h1_head_write(char *out, struct pl_request *req,
                       const struct pl_h1_framing *framing)
{
    const struct pl_response *res = &req->response;

    out = put_status(out, res->status);
    out = put_date(out, req->http);
    if (req->settings->server.len > 0 && !says(res, PL_HEADER_SERVER))
        out = put_line(out, PL_STR("Server"), req->settings->server);
    if (res->type.len > 0)
        out = put_line(out, PL_STR("Content-Type"), res->type);
    out = put_framing(out, framing);
    if (res->etag.len > 0)
        out = put_line(out, PL_STR("ETag"), res->etag);
    if (res->last_modified >= 0)
        out = put_last_modified(out, res->last_modified);
    for (unsigned i = 0; i < res->nheaders; i++)
        out = put_line(out, pl_header_name(&res->headers[i]),
                       pl_header_value(&res->headers[i]));
    out = put_defaults(out, req->settings, res);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

size_t pl_h1_plain_write(char *out, struct pl_http *http, int status,
                         const char *why)
{
    struct pl_str reason = pl_status_reason(status);
    char body[512], *end;
    int len = snprintf(body, sizeof(body), "%d %.*s: %.400s\n", status,
                       PL_STR_ARG(reason), why);

    end = put_date(put_status(out, status), http);
    end += sprintf(end,
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                   len, body);
    return (size_t)(end - out);
}
