#include "http/h1_write.h"

#include <stdio.h>

#include "base/str.h"
#include "http/status.h"
#include "http/trailer.h"

/* Upper bounds. READY_FIXED: Last-Modified, Content-Length, and the names and
 * line ends of what is counted apart. HEAD_FIXED: the status line with the
 * longest reason, Date, Server, Cache-Control, Expires, Connection. */
enum { READY_FIXED = 160, HEAD_FIXED = 320 };

static char *put(char *out, struct pl_str s)
{
    if (s.len > 0)
        memcpy(out, s.data, s.len);
    return out + s.len;
}

#define PUT(out, literal)                                                      \
    ((char *)memcpy(out, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* The rest of a line whose name is written. */
static inline char *put_value(char *out, struct pl_str value)
{
    out = put(out, value);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *put_line(char *out, struct pl_str name, struct pl_str value)
{
    return put_value(PUT(put(out, name), ": "), value);
}

static char *put_status(char *out, int status)
{
    out = PUT(out, "HTTP/1.1 ");
    out += pl_u64_format(out, (uint64_t)status);
    *out++ = ' ';
    return put_value(out, pl_status_reason(status));
}

static PL_NOINLINE char *put_status_date(char *out, struct pl_http *http,
                                         int status)
{
    const char *date = pl_http_date(http);

    return put(put_status(out, status), pl_str(date - 6, PL_HTTP_DATE_LINE));
}

/* Status, Date and Server (which may be empty, and is left out then). */
static inline char *put_front(char *out, struct pl_http *http, int status,
                              struct pl_str server)
{
    if (PL_LIKELY(status == 200 && server.len > 0)) {
        pl_http_date(http);
        memcpy(out, http->front, PL_HTTP_FRONT_LEN);
        return put_value(out + PL_HTTP_FRONT_LEN, server);
    }
    out = put_status_date(out, http, status);
    return server.len > 0 ? put_value(PUT(out, "Server: "), server) : out;
}

static char *put_time(char *out, struct pl_str name, int64_t seconds)
{
    char date[PL_HTTP_DATE_LEN];

    pl_http_date_format(date, seconds);
    return put_line(out, name, pl_str(date, PL_HTTP_DATE_LEN));
}

static inline char *put_length(char *out, int64_t length)
{
    out = PUT(out, "Content-Length: ");
    out += pl_u64_format(out, (uint64_t)length);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *put_connection(char *out, const struct pl_h1_framing *framing)
{
    if (framing->connection == PL_H1_CLOSE)
        out = PUT(out, "Connection: close\r\n");
    else if (framing->connection == PL_H1_KEEP_ALIVE)
        out = PUT(out, "Connection: keep-alive\r\n");
    else if (framing->connection == PL_H1_UPGRADE)
        out = put_line(PUT(out, "Connection: Upgrade\r\n"), PL_STR("Upgrade"),
                       pl_str_c(framing->upgrade));
    return out;
}

static char *put_defaults(char *out, const struct pl_http_settings *settings,
                          const struct pl_response *res)
{
    for (unsigned i = 0; i < settings->nheaders; i++) {
        const struct pl_header *header = &settings->headers[i];

        if (res->nheaders == 0 ||
            !pl_response_says_name(res, pl_header_name(header)))
            out =
                put_line(out, pl_header_name(header), pl_header_value(header));
    }
    return out;
}

/* ---- what belongs to a content ---- */

static inline char *put_type(char *out, struct pl_str type)
{
    return type.len > 0 ? put_value(PUT(out, "Content-Type: "), type) : out;
}

static char *put_content(char *out, const struct pl_response *res)
{
    if (res->etag.len > 0)
        out = put_line(out, PL_STR("ETag"), res->etag);
    if (res->last_modified >= 0)
        out = put_time(out, PL_STR("Last-Modified"), res->last_modified);
    for (unsigned i = 0; i < res->nheaders; i++)
        out = put_line(out, pl_header_name(&res->headers[i]),
                       pl_header_value(&res->headers[i]));
    return out;
}

size_t pl_h1_ready_write(char *out, const struct pl_response *res, bool bare)
{
    char *end = out;

    if (!bare)
        end = put_length(put_type(end, res->type), res->length);
    return (size_t)(put_content(end, res) - out);
}

static inline size_t ready_bound(const struct pl_response *res)
{
    size_t size = READY_FIXED + res->type.len + res->etag.len;

    for (unsigned i = 0; i < res->nheaders; i++)
        size += res->headers[i].name_len + res->headers[i].value_len + 4u;
    return size;
}

size_t pl_h1_ready_bound(const struct pl_response *res)
{
    return ready_bound(res);
}

/* The ready lines for an answer with this framing, or an absent string. */
static struct pl_str ready_lines(const struct pl_response *res)
{
    if (res->ready == NULL)
        return pl_str(NULL, 0);
    return res->status == 200   ? res->ready->h1
           : res->status == 304 ? res->ready->h1_bare
                                : pl_str(NULL, 0);
}

/* ---- heads ---- */

size_t pl_h1_head_bound(const struct pl_request *req)
{
    return HEAD_FIXED + req->settings->server.len +
           req->settings->headers_size + req->response.cache_control.len +
           ready_bound(&req->response);
}

static char *put_caching(char *out, const struct pl_request *req)
{
    const struct pl_response *res = &req->response;

    if (res->cache_control.data != NULL)
        out = put_line(out, PL_STR("Cache-Control"), res->cache_control);
    if (res->expires >= 0)
        out = put_time(out, PL_STR("Expires"),
                       pl_loop_wall(req->http->net->loop) + res->expires);
    return out;
}

char *pl_h1_head_write(char *out, struct pl_request *req,
                       const struct pl_h1_framing *framing)
{
    const struct pl_response *res = &req->response;
    struct pl_str ready = ready_lines(res), server = req->settings->server;

    if (PL_UNLIKELY(pl_response_says(res, PL_HEADER_SERVER)))
        server.len = 0;
    out = put_front(out, req->http, res->status, server);
    if (ready.data != NULL) {
        out = put(out, ready);
    } else {
        out = put_type(out, res->type);
        if (framing->chunked)
            out = PUT(out, "Transfer-Encoding: chunked\r\n");
        else if (framing->length >= 0)
            out = put_length(out, framing->length);
        out = put_content(out, res);
    }
    out = put_connection(out, framing);
    if (res->cache_control.data != NULL || res->expires >= 0)
        out = put_caching(out, req);
    out = put_defaults(out, req->settings, res);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

/* ---- before and behind it ---- */

static size_t fields_bound(const struct pl_header *fields, unsigned n)
{
    size_t size = 64; /* a status line, the last chunk, the empty line */

    for (unsigned i = 0; i < n; i++)
        size += fields[i].name_len + fields[i].value_len + 4u;
    return size;
}

static char *put_fields(char *out, const struct pl_header *fields, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (fields[i].value != NULL)
            out = put_line(out, pl_header_name(&fields[i]),
                           pl_header_value(&fields[i]));
    return PUT(out, "\r\n");
}

size_t pl_h1_trailers_bound(const struct pl_trailers *list)
{
    return fields_bound(list->fields, list->n);
}

size_t pl_h1_trailers_write(char *out, const struct pl_trailers *list)
{
    return (size_t)(put_fields(PUT(out, "0\r\n"), list->fields, list->n) - out);
}

size_t pl_h1_inform_bound(const struct pl_header *fields, unsigned n)
{
    return fields_bound(fields, n);
}

size_t pl_h1_inform_write(char *out, int status, const struct pl_header *fields,
                          unsigned n)
{
    return (size_t)(put_fields(put_status(out, status), fields, n) - out);
}

size_t pl_h1_plain_write(char *out, struct pl_http *http, int status,
                         const char *why)
{
    struct pl_str reason = pl_status_reason(status);
    char body[512], *end;
    int len = snprintf(body, sizeof(body), "%d %.*s: %.400s\n", status,
                       PL_STR_ARG(reason), why);

    end = put_status_date(out, http, status);
    end += sprintf(end,
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                   len, body);
    return (size_t)(end - out);
}
