#include "http/h2_write.h"

#include "base/error.h"
#include "base/str.h"
#include "http/status.h"

/* :status, Date, Server, type, length, ETag, Last-Modified, Cache-Control,
 * Expires. */
enum { OWN_FIELDS = 9 };

unsigned pl_h2_fields_bound(const struct pl_request *req)
{
    return OWN_FIELDS + req->response.nheaders + req->settings->nheaders;
}

static struct pl_h2_field *put(struct pl_h2_field *at, struct pl_str name,
                               struct pl_str value)
{
    *at = (struct pl_h2_field){name, value};
    return at + 1;
}

static struct pl_str date_of(char *out, int64_t seconds)
{
    pl_http_date_format(out, seconds);
    return pl_str(out, PL_HTTP_DATE_LEN);
}

struct pl_str pl_h2_status(char *text, unsigned status)
{
    for (int i = 2; i >= 0; i--, status /= 10)
        text[i] = (char)('0' + status % 10);
    return pl_str(text, 3);
}

static bool has_capitals(struct pl_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] >= 'A' && name.data[i] <= 'Z')
            return true;
    return false;
}

struct pl_str pl_h2_field_name(struct pl_request *req,
                               const struct pl_header *header)
{
    struct pl_str name = pl_header_name(header);
    char *copy;

    if (header->id != PL_HEADER_OTHER)
        return pl_header_id_name((enum pl_header_id)header->id);
    if (!has_capitals(name))
        return name;
    copy = pl_arena_bytes(&req->arena, name.len);
    if (copy != NULL)
        pl_str_lower(copy, name);
    return pl_str(copy, name.len);
}

static struct pl_h2_field *put_all(struct pl_h2_field *at,
                                   struct pl_request *req,
                                   const struct pl_header *headers, unsigned n,
                                   bool defaults)
{
    for (unsigned i = 0; i < n; i++) {
        struct pl_str name;

        if (defaults &&
            pl_response_says_name(&req->response, pl_header_name(&headers[i])))
            continue;
        name = pl_h2_field_name(req, &headers[i]);
        if (name.data == NULL)
            return NULL;
        at = put(at, name, pl_header_value(&headers[i]));
    }
    return at;
}

static struct pl_h2_field *put_head(struct pl_h2_field *at,
                                    struct pl_request *req,
                                    struct pl_h2_texts *texts)
{
    const struct pl_response *res = &req->response;

    at = put(at, PL_STR(":status"), pl_h2_status(texts->status, res->status));
    at = put(at, PL_STR("date"),
             pl_str(pl_http_date(req->http), PL_HTTP_DATE_LEN));
    if (req->settings->server.len > 0 &&
        !pl_response_says(res, PL_HEADER_SERVER))
        at = put(at, PL_STR("server"), req->settings->server);
    if (res->type.len > 0)
        at = put(at, PL_STR("content-type"), res->type);
    if (res->length >= 0 && pl_status_has_body(res->status))
        at = put(at, PL_STR("content-length"),
                 pl_str(texts->length,
                        pl_u64_format(texts->length, (uint64_t)res->length)));
    if (res->etag.len > 0)
        at = put(at, PL_STR("etag"), res->etag);
    if (res->last_modified >= 0)
        at = put(at, PL_STR("last-modified"),
                 date_of(texts->modified, res->last_modified));
    return at;
}

static struct pl_h2_field *put_caching(struct pl_h2_field *at,
                                       const struct pl_request *req,
                                       struct pl_h2_texts *texts)
{
    const struct pl_response *res = &req->response;

    if (res->cache_control.data != NULL)
        at = put(at, PL_STR("cache-control"), res->cache_control);
    if (res->expires >= 0)
        at = put(at, PL_STR("expires"),
                 date_of(texts->expires,
                         pl_loop_wall(req->http->net->loop) + res->expires));
    return at;
}

int pl_h2_fields(struct pl_request *req, struct pl_h2_field *fields,
                 struct pl_h2_texts *texts)
{
    const struct pl_response *res = &req->response;
    struct pl_h2_field *at = put_head(fields, req, texts);

    at = put_all(at, req, res->headers, res->nheaders, false);
    if (at == NULL)
        return PL_ERR_NOMEM;
    at = put_caching(at, req, texts);
    at =
        put_all(at, req, req->settings->headers, req->settings->nheaders, true);
    return at == NULL ? PL_ERR_NOMEM : (int)(at - fields);
}
