/* semantics.c - see semantics.h. The order is that of RFC 9110, 13.2.2:
 * conditions first, then the range, then whether there is a body. */
#include "http/semantics.h"

#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/request.h"
#include "http/status.h"
#include "http/trailer.h"

static bool is_whole(const struct pl_response *res)
{
    return res->content == PL_CONTENT_BYTES || res->content == PL_CONTENT_FILE;
}

static bool has_validator(const struct pl_response *res)
{
    return res->etag.len > 0 || res->last_modified >= 0;
}

/* The answer has no content any more, and a stream may not add any; its fields
 * stay. */
static void drop_content(struct pl_response *res, int status)
{
    pl_response_release(res);
    res->status = (uint16_t)status;
    res->content = PL_CONTENT_NONE;
    res->length = 0;
    res->type = pl_str(NULL, 0);
    res->bodyless = true;
}

/* Returns true when the conditions have decided the answer. */
static bool apply_conditions(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    const struct pl_conditional in = {
        .method = (enum pl_method)req->method,
        .if_match = pl_request_header_id(req, PL_HEADER_IF_MATCH),
        .if_unmodified_since =
            pl_request_header_id(req, PL_HEADER_IF_UNMODIFIED_SINCE),
        .if_none_match = pl_request_header_id(req, PL_HEADER_IF_NONE_MATCH),
        .if_modified_since =
            pl_request_header_id(req, PL_HEADER_IF_MODIFIED_SINCE),
        .etag = res->etag,
        .last_modified = res->last_modified,
    };

    switch (pl_conditional_evaluate(&in)) {
    case PL_NOT_MODIFIED:
        drop_content(res, 304);
        return true;
    case PL_PRECONDITION_FAILED:
        drop_content(res, 412);
        return true;
    default:
        return false;
    }
}

PL_COLD static void add_content_range(struct pl_response *res,
                                      const struct pl_range *range,
                                      uint64_t size)
{
    char text[PL_CONTENT_RANGE_MAX];

    pl_response_set(res, PL_STR("Content-Range"),
                    pl_str(text, pl_content_range_format(text, range, size)));
}

static void narrow(struct pl_response *res, const struct pl_range *range)
{
    add_content_range(res, range, (uint64_t)res->length);
    res->status = 206;
    res->length = (int64_t)range->len;
    if (res->content == PL_CONTENT_FILE)
        res->file_off += range->first;
    else
        res->bytes = pl_str(res->bytes.data + range->first, (size_t)range->len);
}

/* Several ranges. Out of memory: the whole is an answer too. */
static void make_parts(struct pl_request *req, const struct pl_range *ranges,
                       unsigned n)
{
    struct pl_response *res = &req->response;
    struct pl_parts *parts = pl_arena_alloc(&req->arena, sizeof(*parts));
    unsigned char random[PL_MULTIPART_RANDOM];
    struct pl_multipart form;
    struct pl_str type;
    struct pl_buf buf;
    bool whole = true;

    if (parts == NULL)
        return;
    pl_random(random, sizeof(random));
    pl_multipart_init(&form, res->type, (uint64_t)res->length, random);
    pl_buf_init(&buf, req->http->net->pool, &req->account, 0);
    parts->count = n;
    for (unsigned i = 0; i < n; i++) {
        buf.len = 0;
        pl_multipart_head(&form, &ranges[i], &buf);
        parts->ranges[i] = ranges[i];
        parts->heads[i] = pl_arena_str(&req->arena, pl_buf_str(&buf));
        whole = whole && parts->heads[i].data != NULL;
    }
    buf.len = 0;
    pl_multipart_end(&form, &buf);
    parts->end = pl_arena_str(&req->arena, pl_buf_str(&buf));
    buf.len = 0;
    pl_multipart_type(&form, &buf);
    type = pl_arena_str(&req->arena, pl_buf_str(&buf));
    if (whole && buf.err == 0 && type.data != NULL && parts->end.data != NULL) {
        res->status = 206;
        res->length = (int64_t)pl_multipart_length(&form, ranges, n);
        res->type = type;
        res->parts = parts;
    }
    pl_buf_fini(&buf);
}

PL_COLD static void apply_range(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    struct pl_str field = pl_request_header_id(req, PL_HEADER_RANGE);
    struct pl_range ranges[PL_RANGE_MAX];
    unsigned n = 0;
    uint64_t size = (uint64_t)res->length;

    if (field.data == NULL ||
        !pl_if_range_matches(pl_request_header_id(req, PL_HEADER_IF_RANGE),
                             res->etag, res->last_modified,
                             pl_loop_wall(req->http->net->loop)))
        return;
    switch (pl_range_parse(field, size, ranges, PL_RANGE_MAX, &n)) {
    case PL_RANGE_UNSATISFIABLE:
        add_content_range(res, NULL, size);
        drop_content(res, 416);
        break;
    case PL_RANGE_PARTS:
        if (n == 1)
            narrow(res, &ranges[0]);
        else
            make_parts(req, ranges, n);
        break;
    default:
        break;
    }
}

/* The statuses that nginx's "expires" knows: an error page is not kept. */
static bool is_cacheable(int status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 206:
    case 301:
    case 302:
    case 303:
    case 304:
    case 307:
    case 308:
        return true;
    default:
        return false;
    }
}

static bool says(const struct pl_response *res, struct pl_str name)
{
    return pl_response_get(res, name).data != NULL;
}

/* What the route says about caching is left out where the handler has said
 * something. */
static void decide_caching(struct pl_response *res)
{
    if (is_cacheable(res->status) && !says(res, PL_STR("Cache-Control")) &&
        !says(res, PL_STR("Expires")))
        return;
    res->cache_control = pl_str(NULL, 0);
    res->expires = -1;
}

/* May the request's conditions and ranges change this answer? */
static bool is_selectable(const struct pl_request *req)
{
    const struct pl_response *res = &req->response;

    return res->status == 200 &&
           (req->method == PL_METHOD_GET || req->method == PL_METHOD_HEAD) &&
           (has_validator(res) || res->content == PL_CONTENT_FILE);
}

static void select_content(struct pl_request *req)
{
    struct pl_response *res = &req->response;

    if (has_validator(res) && apply_conditions(req))
        return;
    if (!is_whole(res) || (PL_WITH_COMPRESS && res->coded))
        return;
    if (res->ready == NULL) /* else it says so */
        pl_response_set(res, PL_STR("Accept-Ranges"), PL_STR("bytes"));
    if (req->method == PL_METHOD_GET)
        apply_range(req);
}

/* Behind a body whose length is said, HTTP/1 has none. */
static bool has_place_for_trailers(const struct pl_request *req)
{
    const struct pl_response *res = &req->response;

    return res->content == PL_CONTENT_STREAM && res->length < 0 &&
           !res->bodyless && req->version >= 11 && req->wire != NULL &&
           req->wire->trailers;
}

void pl_semantics_apply(struct pl_request *req)
{
    struct pl_response *res = &req->response;

    if (res->status == 0)
        res->status = 200;
    /* Only a HEAD may announce what is not there. */
    if (res->content == PL_CONTENT_NONE && !(req->head && res->length >= 0))
        res->length = 0;
    if (is_selectable(req))
        select_content(req);
    if (res->cache_control.data != NULL || res->expires >= 0)
        decide_caching(res);
    if (req->hsts_s != 0)
        pl_request_add_hsts(req);
    if (req->head || !pl_status_has_body(res->status))
        res->bodyless = true;
    if (res->trailers != NULL && has_place_for_trailers(req))
        pl_trailer_announce(req);
}
