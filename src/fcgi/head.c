#include "fcgi/head.h"

#include "base/str.h"
#include "http/h1_write.h"
#include "http/status.h"

/* Upper bounds of "Status: " with the longest reason, Content-Length,
 * Cache-Control's name, Expires, and the empty line. */
enum { FIXED = 256 };

static char *put(char *out, struct pl_str s)
{
    if (s.len > 0)
        memcpy(out, s.data, s.len);
    return out + s.len;
}

static char *put_line(char *out, struct pl_str name, struct pl_str value)
{
    out = put(put(out, name), PL_STR(": "));
    return put(put(out, value), PL_STR("\r\n"));
}

/* Said always: where it is not, a Location makes web servers look for another
 * answer by themselves (6.2.2). */
static char *put_status(char *out, unsigned status)
{
    out = put(out, PL_STR("Status: "));
    out += pl_u64_format(out, status);
    *out++ = ' ';
    out = put(out, pl_status_reason((int)status));
    return put(out, PL_STR("\r\n"));
}

/* The lines of the content, made for all wires that have lines; or made now. */
static char *put_content(char *out, const struct pl_response *res)
{
    char number[20];

    if (res->ready != NULL && res->status == 200)
        return put(out, res->ready->h1);
    if (res->ready != NULL && res->status == 304)
        return put(out, res->ready->h1_bare);
    if (res->type.len > 0)
        out = put_line(out, PL_STR("Content-Type"), res->type);
    if (res->length >= 0 && pl_status_has_body(res->status))
        out = put_line(
            out, PL_STR("Content-Length"),
            pl_str(number, pl_u64_format(number, (uint64_t)res->length)));
    return out + pl_h1_ready_write(out, res, true);
}

static char *put_caching(char *out, const struct pl_request *req)
{
    const struct pl_response *res = &req->response;
    char date[PL_HTTP_DATE_LEN];

    if (res->cache_control.data != NULL)
        out = put_line(out, PL_STR("Cache-Control"), res->cache_control);
    if (res->expires < 0)
        return out;
    pl_http_date_format(date,
                        pl_loop_wall(req->http->net->loop) + res->expires);
    return put_line(out, PL_STR("Expires"), pl_str(date, sizeof(date)));
}

static char *put_defaults(char *out, const struct pl_request *req)
{
    const struct pl_http_settings *settings = req->settings;

    for (unsigned i = 0; i < settings->nheaders; i++) {
        const struct pl_header *header = &settings->headers[i];

        if (!pl_response_says_name(&req->response, pl_header_name(header)))
            out =
                put_line(out, pl_header_name(header), pl_header_value(header));
    }
    return out;
}

size_t pl_fcgi_head_bound(const struct pl_request *req)
{
    return FIXED + req->settings->headers_size +
           req->response.cache_control.len + pl_h1_ready_bound(&req->response);
}

char *pl_fcgi_head_write(char *out, const struct pl_request *req)
{
    out = put_content(put_status(out, req->response.status), &req->response);
    out = put_defaults(put_caching(out, req), req);
    return put(out, PL_STR("\r\n"));
}
