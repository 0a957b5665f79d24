/* response.c - building a response and sending it through its wire.
 * What the status and the request's conditions make of it is semantics.c. */
#include "http/again.h"
#include "http/response.h"

#include "base/check.h"
#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "http/coder.h"
#include "http/date.h"
#include "http/negotiate.h"
#include "http/request.h"
#include "http/semantics.h"
#include "http/status.h"

enum { UNHEARD_MAX = 64 * 1024, ERROR_PAGE_MAX = 1 << 20 };

static struct pl_request *request_of(const struct pl_response *res)
{
    return PL_CONTAINER_OF(res, struct pl_request, response);
}

/* ---- status and fields ---- */

/* What filters say of a response that goes on (again.h) was said before. */
static int too_late(const struct pl_response *res)
{
    return pl_request_is_resumed(request_of(res)) ? 0 : PL_ERR_STATE;
}

int pl_response_status(struct pl_response *res, int status)
{
    if (res->started)
        return too_late(res);
    if (status < 200 || status > 999)
        return PL_ERR_INVALID;
    res->status = (uint16_t)status;
    return 0;
}

static int check_field(const struct pl_response *res, struct pl_str name,
                       struct pl_str value, enum pl_header_id *id)
{
    if (res->started && too_late(res) < 0)
        return PL_ERR_STATE;
    if (name.len > UINT16_MAX || value.len > UINT32_MAX ||
        !pl_header_name_valid(name) ||
        (value.data != NULL && !pl_header_value_valid(value)))
        return PL_ERR_INVALID;
    *id = pl_header_lookup(name);
    return pl_header_is_framing(*id) ? PL_ERR_DENIED : 0;
}

void pl_response_lend(struct pl_response *res, const struct pl_header *headers,
                      unsigned n, const struct pl_ready *ready)
{
    PL_ASSERT(res->nheaders == 0 && !res->started);
    res->headers = (struct pl_header *)headers;
    res->nheaders = res->room = (uint16_t)n;
    res->lent = true;
    res->ready = ready;
}

/* Before any change of a field: what was lent becomes the response's own. */
static int own_fields(struct pl_response *res)
{
    struct pl_header *own;

    res->ready = NULL;
    if (!res->lent)
        return 0;
    own = pl_arena_alloc(&request_of(res)->arena, res->room * sizeof(*own));
    if (own == NULL)
        return PL_ERR_NOMEM;
    res->headers = memcpy(own, res->headers, res->nheaders * sizeof(*own));
    res->lent = false;
    return 0;
}

static int copy_to(struct pl_response *res, struct pl_str *place,
                   struct pl_str value)
{
    *place = pl_arena_str(&request_of(res)->arena, value);
    return value.data != NULL && place->data == NULL ? PL_ERR_NOMEM : 0;
}

int pl_response_type(struct pl_response *res, struct pl_str type)
{
    if (res->started)
        return too_late(res);
    if (type.data != NULL && !pl_header_value_valid(type))
        return PL_ERR_INVALID;
    return copy_to(res, &res->type, type);
}

/* Fields with a place of their own. Returns 1 if name is none of them. */
static int set_special(struct pl_response *res, enum pl_header_id id,
                       struct pl_str value)
{
    uint64_t length = 0;

    switch (id) {
    case PL_HEADER_CONTENT_TYPE:
        return copy_to(res, &res->type, value);
    case PL_HEADER_ETAG:
        return copy_to(res, &res->etag, value);
    case PL_HEADER_LAST_MODIFIED:
        res->last_modified = -1;
        if (value.data != NULL &&
            !pl_http_date_parse(value, &res->last_modified))
            return PL_ERR_INVALID;
        return 0;
    case PL_HEADER_CONTENT_LENGTH:
        if (value.data != NULL &&
            (!pl_str_to_u64(value, &length) || length > INT64_MAX))
            return PL_ERR_INVALID;
        if (res->content == PL_CONTENT_NONE ||
            res->content == PL_CONTENT_STREAM)
            res->length = value.data == NULL ? -1 : (int64_t)length;
        return 0;
    default:
        return 1;
    }
}

static void remove_field(struct pl_response *res, struct pl_str name)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < res->nheaders; i++)
        if (!pl_str_ieq(pl_header_name(&res->headers[i]), name))
            res->headers[kept++] = res->headers[i];
    res->nheaders = (uint16_t)kept;
}

static int append_field(struct pl_response *res, enum pl_header_id id,
                        struct pl_str name, struct pl_str value)
{
    struct pl_arena *arena = &request_of(res)->arena;

    if (res->nheaders == res->room) {
        unsigned room = res->room == 0 ? 8 : res->room * 2u;
        struct pl_header *grown =
            room > UINT16_MAX ? NULL
                              : pl_arena_alloc(arena, room * sizeof(*grown));

        if (grown == NULL)
            return PL_ERR_NOMEM;
        if (res->nheaders > 0)
            memcpy(grown, res->headers, res->nheaders * sizeof(*grown));
        res->headers = grown;
        res->room = (uint16_t)room;
    }
    name = pl_arena_str(arena, name);
    value = pl_arena_str(arena, value);
    if (name.data == NULL || value.data == NULL)
        return PL_ERR_NOMEM;
    res->headers[res->nheaders++] =
        (struct pl_header){.name = name.data,
                           .value = value.data,
                           .value_len = (uint32_t)value.len,
                           .name_len = (uint16_t)name.len,
                           .id = (uint8_t)id};
    return 0;
}

/* Before a field is changed: it is a good one, and the list is ours. */
static int begin_change(struct pl_response *res, struct pl_str name,
                        struct pl_str value, enum pl_header_id *id)
{
    int err = check_field(res, name, value, id);

    return err == 0 ? own_fields(res) : err;
}

int pl_response_append(struct pl_response *res, struct pl_str name,
                       struct pl_str value)
{
    int err = own_fields(res);

    return err < 0 ? err
                   : append_field(res, pl_header_lookup(name), name, value);
}

int pl_response_add(struct pl_response *res, struct pl_str name,
                    struct pl_str value)
{
    enum pl_header_id id;
    int err = begin_change(res, name, value, &id);

    if (err < 0)
        return err;
    err = set_special(res, id, value);
    if (err <= 0)
        return err;
    return value.data == NULL ? 0 : append_field(res, id, name, value);
}

int pl_response_set(struct pl_response *res, struct pl_str name,
                    struct pl_str value)
{
    enum pl_header_id id;
    int err = begin_change(res, name, value, &id);

    if (err < 0)
        return err;
    remove_field(res, name);
    return pl_response_add(res, name, value);
}

struct pl_str pl_response_get(const struct pl_response *res, struct pl_str name)
{
    switch (pl_header_lookup(name)) {
    case PL_HEADER_CONTENT_TYPE:
        return res->type;
    case PL_HEADER_ETAG:
        return res->etag;
    default:
        break;
    }
    for (unsigned i = 0; i < res->nheaders; i++)
        if (pl_str_ieq(pl_header_name(&res->headers[i]), name))
            return pl_header_value(&res->headers[i]);
    return (struct pl_str){NULL, 0};
}

bool pl_response_says_name(const struct pl_response *res, struct pl_str name)
{
    for (unsigned i = 0; i < res->nheaders; i++)
        if (pl_str_ieq(pl_header_name(&res->headers[i]), name))
            return true;
    return false;
}

/* ---- content ---- */

void pl_response_release(struct pl_response *res)
{
    void (*release)(void *arg) = res->release;

    res->release = NULL;
    if (release != NULL)
        release(res->release_arg);
}

static int set_content(struct pl_response *res, enum pl_content content,
                       int64_t length, void (*release)(void *arg), void *arg)
{
    if (res->started) {
        if (release != NULL)
            release(arg);
        return PL_ERR_STATE;
    }
    pl_response_release(res);
    res->content = (uint8_t)content;
    res->ready = NULL;
    res->length = length;
    res->release = release;
    res->release_arg = arg;
    res->error_page = false;
    return 0;
}

int pl_response_bytes(struct pl_response *res, struct pl_str bytes,
                      void (*release)(void *arg), void *arg)
{
    int err =
        set_content(res, PL_CONTENT_BYTES, (int64_t)bytes.len, release, arg);

    if (err == 0)
        res->bytes = bytes;
    return err;
}

int pl_response_file(struct pl_response *res, int file, uint64_t off,
                     uint64_t len, void (*release)(void *arg), void *arg)
{
    int err = set_content(res, PL_CONTENT_FILE, (int64_t)len, release, arg);

    if (err == 0) {
        res->file = file;
        res->file_off = off;
    }
    return err;
}

PL_COLD void pl_response_reset(struct pl_response *res)
{
    pl_response_release(res);
    res->status = 0;
    res->content = PL_CONTENT_NONE;
    res->ready = NULL;
    if (res->lent)
        res->room = 0; /* what is added next goes elsewhere */
    res->lent = false;
    res->nheaders = 0;
    res->type = res->etag = (struct pl_str){NULL, 0};
    res->last_modified = res->length = -1;
    res->parts = NULL;
    res->trailers = NULL;
}

/* ---- ready-made answers ---- */

static bool prefers_html(struct pl_request *req)
{
    struct pl_str accept = pl_request_header_id(req, PL_HEADER_ACCEPT);

    return pl_str_find(accept, PL_STR("text/html")) >= 0 &&
           pl_accept_quality(accept, PL_STR("text/html")) > 0;
}

/* detail may hold what the peer sent: escaped in HTML. */
static struct pl_str escape(struct pl_arena *arena, struct pl_str text)
{
    char *out = pl_arena_bytes(arena, text.len * 6);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < text.len; i++) {
        const char *entity = text.data[i] == '<'    ? "&lt;"
                             : text.data[i] == '>'  ? "&gt;"
                             : text.data[i] == '&'  ? "&amp;"
                             : text.data[i] == '"'  ? "&quot;"
                             : text.data[i] == '\'' ? "&#39;"
                                                    : NULL;

        if (entity == NULL)
            out[n++] = text.data[i];
        else
            n = (size_t)(stpcpy(out + n, entity) - out);
    }
    return pl_str(out, n);
}

PL_COLD static struct pl_str plain_page(struct pl_arena *arena, int status,
                                        struct pl_str reason,
                                        struct pl_str detail)
{
    detail = escape(arena, detail);
    return pl_arena_printf(
        arena,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<title>%d %.*s</title>\n<h1>%d %.*s</h1>\n%s%.*s%s</html>\n",
        status, PL_STR_ARG(reason), status, PL_STR_ARG(reason),
        detail.len > 0 ? "<style>p{white-space:pre-wrap}</style>\n<p>" : "",
        PL_STR_ARG(detail), detail.len > 0 ? "</p>\n" : "");
}

/* The site's own page for an error, or a plain one. */
static struct pl_str html_page(struct pl_request *req, int status,
                               struct pl_str reason, struct pl_str detail)
{
    const struct pl_http_settings *settings = req->settings;
    struct pl_str page = {NULL, 0};
    struct pl_buf out;

    if (settings->error_page == NULL || status < 400)
        return plain_page(&req->arena, status, reason, detail);
    pl_buf_init(&out, req->arena.pool, &req->account, ERROR_PAGE_MAX);
    if (settings->error_page(settings->error_page_arg, req, status, detail,
                             &out) == 0)
        page = pl_arena_str(&req->arena, pl_buf_str(&out));
    pl_buf_fini(&out);
    return page.data != NULL ? page
                             : plain_page(&req->arena, status, reason, detail);
}

PL_COLD int pl_response_error(struct pl_response *res, int status,
                              struct pl_str detail)
{
    struct pl_request *req = request_of(res);
    struct pl_str reason = pl_status_reason(status), text;
    int err;

    if (res->started)
        return PL_ERR_STATE;
    if (prefers_html(req)) {
        text = html_page(req, status, reason, detail);
        res->type = PL_STR("text/html; charset=utf-8");
    } else {
        text = pl_arena_printf(&req->arena, "%d %.*s%s%.*s\n", status,
                               PL_STR_ARG(reason), detail.len > 0 ? ": " : "",
                               PL_STR_ARG(detail));
        res->type = PL_STR("text/plain; charset=utf-8");
    }
    res->etag = pl_str(NULL, 0); /* of the content that this replaces */
    res->last_modified = -1;
    res->ready = NULL;
    err = pl_response_status(res, status);
    if (err == 0 && status == 426) /* RFC 6455, 4.4 */
        err =
            pl_response_set(res, PL_STR("Sec-WebSocket-Version"), PL_STR("13"));
    if (err == 0)
        err = pl_response_bytes(res, text, NULL, NULL);
    res->error_page = err == 0;
    return err;
}

PL_COLD int pl_response_redirect(struct pl_response *res,
                                 struct pl_str location, int status)
{
    int err;

    if (status < 300 || status > 399)
        return PL_ERR_INVALID;
    err = pl_response_set(res, PL_STR("Location"), location);
    return err < 0 ? err : pl_response_error(res, status, location);
}

/* ---- sending ---- */

int pl_response_send(struct pl_response *res)
{
    struct pl_request *req = request_of(res);

    if (res->started)
        return PL_ERR_STATE;
    if (PL_WITH_COMPRESS && PL_UNLIKELY(res->coder != NULL))
        res->coder->choose(res->coder, req);
    pl_semantics_apply(req);
    res->started = true;
    return req->wire == NULL ? PL_ERR_CLOSED : req->wire->send(req);
}

/* A stream with a declared length may not say more than that. */
static bool too_much(const struct pl_response *res, size_t len)
{
    return res->length >= 0 && res->sent + len > (uint64_t)res->length;
}

/* Does nobody listen? What is written behind the head of a HEAD never has to
 * wait, so a stream without end would not find out by itself; a short one need
 * not know. */
static bool is_unheard(const struct pl_response *res)
{
    return request_of(res)->wire == NULL || res->ended ||
           res->unheard >= UNHEARD_MAX;
}

/* The first push after that is told, the others should not have come. */
static int tell(struct pl_response *res)
{
    bool again = res->told;

    res->told = true;
    return again ? PL_ERR_CANCELED : PL_ERR_CLOSED;
}

int pl_response_push(struct pl_response *res, struct pl_str bytes)
{
    struct pl_request *req = request_of(res);
    int err = 0;

    if (!res->started) {
        if (res->content != PL_CONTENT_NONE)
            return PL_ERR_STATE; /* a whole body was given already */
        res->content = PL_CONTENT_STREAM;
        err = pl_response_send(res);
    } else if (res->content != PL_CONTENT_STREAM && !res->bodyless) {
        return PL_ERR_STATE; /* bodyless: it was a stream, and got a 304 */
    }
    if (err < 0)
        return err;
    if (is_unheard(res))
        return tell(res);
    if (res->bodyless) {
        res->unheard += (uint32_t)PL_MIN(bytes.len, UNHEARD_MAX);
        return 0;
    }
    if (bytes.len == 0)
        return 0;
    if (too_much(res, bytes.len))
        return PL_ERR_LIMIT;
    err = req->wire->write(req, bytes);
    if (err < 0)
        return err;
    res->sent += bytes.len;
    return req->wire != NULL && req->wire->congested(req) ? PL_ERR_AGAIN : 0;
}

static void on_cancel(struct pl_op *op)
{
    struct pl_drain_op *wait = PL_CONTAINER_OF(op, struct pl_drain_op, op);

    wait->res->waiter = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_response_drain_begin(struct pl_drain_op *wait, struct pl_response *res)
{
    struct pl_request *req = request_of(res);

    wait->res = res;
    pl_op_init(&wait->op, req->http->sched, on_cancel);
    pl_op_begin(&wait->op);
    if (res->waiter != NULL)
        pl_op_complete(&wait->op, PL_ERR_STATE);
    else if (req->wire == NULL)
        pl_op_complete(&wait->op, PL_ERR_CLOSED);
    else if (!req->wire->congested(req))
        pl_op_complete(&wait->op, 0);
    else
        res->waiter = wait;
}

void pl_response_drained(struct pl_response *res, int err)
{
    struct pl_drain_op *waiter = res->waiter;

    if (PL_WITH_COMPRESS && PL_UNLIKELY(res->coder != NULL) &&
        res->coder->drained(res->coder, request_of(res), err))
        return;
    if (waiter == NULL)
        return;
    res->waiter = NULL;
    pl_op_complete(&waiter->op, err);
}
