#include "http/request.h"

#include "base/check.h"
#include "base/error.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "http/again.h"
#include "http/cookie.h"
#include "http/form.h"
#include "http/origin.h"
#include "http/query.h"
#include "http/sink.h"
#include "http/uri.h"
#include "http/ws_handshake.h"

/* ---- life ---- */

PL_INLINE struct pl_request *make(struct pl_http *http, struct pl_arena *arena)
{
    struct pl_request *req = pl_arena_alloc(arena, sizeof(*req));

    if (req == NULL) {
        pl_arena_fini(arena);
        return NULL;
    }
    pl_zero(req, sizeof(*req));
    req->magic = PL_REQUEST_MAGIC;
    req->holders = 1;
    req->arena = *arena;
    req->http = http;
    req->settings = http->settings;
    pl_account_init(&req->account, NULL, http->settings->request_memory);
    req->arena.account = &req->account;
    pl_account_charge(&req->account, pl_arena_size(&req->arena));
    pl_buf_init(&req->body.pending, http->net->pool, &req->account, 0);
    req->body.high = PL_BODY_HIGH;
    req->body.least = 1;
    pl_buf_init(&req->response.text, http->net->pool, &req->account, 0);
    req->limits = &http->settings->body;
    req->body.length = -1;
    req->response.last_modified = req->response.length = -1;
    req->response.expires = -1;
    req->started = pl_now(http->net->loop);
    req->id = http->id_seed + ++http->id_count * 0x9e3779b97f4a7c15u;
    pl_list_push(&http->requests, &req->node);
    http->stats.requests++;
    http->stats.open++;
    return req;
}

struct pl_request *pl_request_new(struct pl_http *http)
{
    struct pl_arena arena;

    pl_arena_init(&arena, http->net->pool, NULL);
    return make(http, &arena);
}

struct pl_request *pl_request_new_in(struct pl_http *http,
                                     struct pl_arena *arena)
{
    return make(http, arena);
}

void pl_request_hold(struct pl_request *req)
{
    req->holders++;
}

/* One may register another. */
static void run_defers(struct pl_request *req)
{
    struct pl_request_defer *defer;

    while ((defer = req->defers) != NULL) {
        req->defers = defer->next;
        defer->fn(defer->arg);
    }
}

void pl_request_drop(struct pl_request *req)
{
    struct pl_http *http = req->http;

    PL_CHECK(req, PL_REQUEST_MAGIC);
    req->holders--;
    if (pl_request_is_leaving(req) && pl_request_leaves(req))
        return;
    if (req->holders > 0)
        return;
    http->stats.by_class[PL_MIN(req->response.status / 100u, 5u)]++;
    http->ops->finished(http->arg, req);
    if (req->meter != NULL)
        pl_meter_end(req->meter);
    pl_response_release(&req->response);
    if (PL_WITH_RELOAD && PL_UNLIKELY(req->again != NULL))
        pl_request_again_end(req);
    run_defers(req);
    if (req->websocket != NULL)
        pl_ws_release(req->websocket, PL_WS_NORMAL);
    pl_sinks_end(req);
    pl_form_end(req);
    if (req->drop_generation != NULL)
        req->drop_generation(req->generation);
    pl_list_remove(&req->node);
    http->stats.open--;
    pl_buf_fini(&req->body.pending);
    pl_buf_fini(&req->response.text);
    req->magic = 0;
    pl_arena_fini(&req->arena);
}

static void on_task_over(struct pl_task *task)
{
    struct pl_request *req = task->owner;

    if (req->task == task)
        req->task = NULL;
    pl_request_drop(req);
}

void pl_request_add_task(struct pl_request *req, struct pl_task *task)
{
    task->owner = req;
    task->over = on_task_over;
    req->holders++;
    if (req->meter != NULL)
        pl_meter_add(req->meter, task);
}

PL_COLD struct pl_request *pl_request_of_task(const struct pl_task *task)
{
    while (task != NULL && task->owner == NULL)
        task = task->parent;
    return task == NULL ? NULL : task->owner;
}

PL_COLD void pl_request_complain(struct pl_request *req, struct pl_str text)
{
    if (req != NULL && req->wire != NULL && req->wire->complain != NULL)
        req->wire->complain(req, text);
}

void pl_request_lost(struct pl_request *req, int why)
{
    if (req->wire == NULL)
        return;
    req->wire = NULL;
    req->stream = NULL;
    pl_body_end(req, why < 0 ? why : PL_ERR_CLOSED);
    pl_response_drained(&req->response, PL_ERR_CLOSED);
    if (PL_WITH_HTTP2 && req->ws_stream != NULL) /* its socket tells of it */
        pl_ws_stream_lost(req, why);
    else if (req->task != NULL)
        pl_task_cancel(req->task);
    if ((PL_WITH_UPSTREAM || PL_WITH_LIMITS) && req->gone != NULL)
        req->gone->fn(req);
    pl_request_drop(req);
}

/* Do others use its connection, too? */
static bool is_shared(const struct pl_request *req, const struct pl_conn *conn)
{
    return req->version >= 20 ||
           (PL_WITH_FASTCGI && conn != NULL &&
            conn->listener->options->speak == PL_SPEAK_FASTCGI);
}

PL_COLD void pl_request_cut(struct pl_request *req)
{
    struct pl_conn *conn = req->wire == NULL ? NULL : req->wire->conn(req);

    if (req->websocket != NULL)
        (void)pl_ws_close(req->websocket, PL_WS_RESTART, pl_str(NULL, 0));
    if (req->task != NULL)
        pl_task_cancel(req->task);
    else if (req->wire != NULL && is_shared(req, conn))
        req->wire->abort(req);
    else if (conn != NULL)
        pl_conn_close(conn, PL_ERR_CANCELED);
}

PL_COLD void pl_request_renew(struct pl_request *req)
{
    void *old = req->generation;

    if (req->drop_generation == NULL)
        return;
    req->settings = req->http->settings;
    req->limits = &req->settings->body;
    req->route = NULL;
    req->chain = NULL;
    req->http->ops->renew(req->http->arg, req);
    req->drop_generation(old);
}

static PL_COLD void report(struct pl_request *req, int result)
{
    char id[PL_REQUEST_ID_LEN];

    if (result == PL_ERR_CANCELED || result == PL_ERR_CLOSED)
        return;
    pl_request_id(req, id);
    pl_log(pl_err_status(result) >= 500 ? PL_LOG_ERROR : PL_LOG_INFO, "http",
           "%.*s %.*s failed: %s request=%.16s", PL_STR_ARG(req->method_name),
           PL_STR_ARG(req->path), pl_err_text(result), id);
    if (PL_WITH_FASTCGI && pl_err_status(result) >= 500)
        pl_request_complain(req, pl_str_c(pl_err_text(result)));
}

int pl_request_measure(struct pl_request *req, const struct pl_budget *budget)
{
    req->meter = pl_arena_alloc(&req->arena, sizeof(*req->meter));
    if (req->meter == NULL)
        return PL_ERR_NOMEM;
    pl_meter_init(req->meter, req->http->sched, budget, req->started);
    return 0;
}

/* The handler's tasks were cancelled for it: nobody else says why. */
static void report_over(struct pl_request *req)
{
    char id[PL_REQUEST_ID_LEN], why[80];

    if (req->meter == NULL || req->meter->over == PL_OVER_NONE ||
        req->meter->told)
        return;
    req->meter->told = true;
    pl_request_id(req, id);
    pl_meter_why(req->meter, why, sizeof(why));
    pl_log(PL_LOG_ERROR, "http", "%.*s %.*s was ended: %s request=%.16s",
           PL_STR_ARG(req->method_name), PL_STR_ARG(req->path), why, id);
}

void pl_request_answer(struct pl_request *req, int result)
{
    struct pl_response *res = &req->response;

    if (result < 0)
        report(req, result);
    if (result >= 200 && res->status == 0) {
        if (res->content == PL_CONTENT_NONE && result >= 400)
            pl_response_error(res, result, pl_str(NULL, 0));
        else
            pl_response_status(res, result);
    } else if (result < 0) {
        pl_response_reset(res);
        pl_response_error(res, pl_err_status(result), pl_str(NULL, 0));
    }
}

/* Whoever reads events comes again, and lacks nothing when they end because the
 * server does. */
static bool may_stop_anywhere(const struct pl_response *res, int result)
{
    return res->events != NULL && result == PL_ERR_CANCELED;
}

void pl_request_finish(struct pl_request *req, int result)
{
    struct pl_response *res = &req->response;

    PL_CHECK(req, PL_REQUEST_MAGIC);
    PL_ASSERT(!req->finished);
    req->finished = true;
    pl_request_hold(req); /* the wire may give up its own on the way */
    if (pl_request_is_leaving(req)) {
        pl_request_drop(req);
        return;
    }
    if (pl_request_is_resumed(req))
        result = 0; /* whatever has kept it from going on has been logged */
    report_over(req);
    if (res->started) {
        if (result < 0)
            report(req, result);
    } else {
        pl_request_answer(req, result);
        if (pl_response_send(res) < 0)
            result = PL_ERR_CLOSED;
    }
    res->ended = true;
    if (req->websocket != NULL)
        pl_ws_close(req->websocket,
                    pl_request_is_resumed(req) ? PL_WS_RESTART
                    : result < 0               ? PL_WS_ERROR
                                               : PL_WS_NORMAL,
                    pl_str(NULL, 0));
    if (req->wire != NULL && req->ws_stream == NULL) {
        if (result < 0 && res->content == PL_CONTENT_STREAM && !res->bodyless &&
            !may_stop_anywhere(res, result))
            req->wire->abort(req);
        else
            req->wire->end(req);
    }
    pl_request_drop(req);
}

/* ---- the start ---- */

void pl_request_refuse(struct pl_request *req, int status, const char *why)
{
    req->http->stats.refused++;
    pl_request_remote(req, NULL); /* for the log: the peer may be gone then */
    pl_response_error(&req->response, status, pl_str_c(why));
    pl_request_finish(req, 0);
}

/* Path and query from the target. Returns what is wrong, or NULL. */
static const char *take_target_apart(struct pl_request *req)
{
    struct pl_uri uri;

    if (pl_uri_parse_target(req->target, (enum pl_method)req->method, &uri) < 0)
        return "malformed request target";
    req->raw_path = uri.path.data != NULL ? uri.path : req->target;
    req->query = uri.query;
    if (uri.host.data != NULL) {
        req->authority = uri.host;
        req->host_port = uri.port;
    }
    if (uri.path.data == NULL || pl_str_eq(uri.path, PL_STR("*"))) {
        req->path = req->raw_path;
        return NULL;
    }
    if (pl_uri_decode_path(uri.path, &req->arena, &req->path) < 0)
        return "malformed path";
    return NULL;
}

void pl_request_begin(struct pl_request *req)
{
    const char *wrong = take_target_apart(req);

    if (PL_WITH_PROXY && PL_UNLIKELY(req->http->trusting))
        pl_request_ask_proxies(req);
    if (wrong != NULL) {
        req->last = true; /* who knows what it takes the target for */
        pl_request_refuse(req, 400, wrong);
    } else if (req->method == PL_METHOD_UNKNOWN ||
               req->method == PL_METHOD_CONNECT) {
        pl_request_refuse(req, 501, "this method is not supported");
    } else if (req->https_port != 0) {
        pl_request_send_away(req);
    } else {
        req->http->ops->request(req->http->arg, req);
    }
}

/* ---- looking ---- */

struct pl_str pl_request_method(const struct pl_request *req)
{
    return req->method_name;
}

struct pl_str pl_request_path(const struct pl_request *req)
{
    return req->path;
}

struct pl_str pl_request_raw_path(const struct pl_request *req)
{
    return req->raw_path;
}

struct pl_str pl_request_query(const struct pl_request *req)
{
    return req->query;
}

struct pl_str pl_request_scheme(const struct pl_request *req)
{
    return req->secure ? PL_STR("https") : PL_STR("http");
}

int pl_request_version(const struct pl_request *req)
{
    return req->version;
}

bool pl_request_header_at(const struct pl_request *req, unsigned index,
                          struct pl_str *name, struct pl_str *value)
{
    if (index >= req->nheaders)
        return false;
    *name = pl_header_name(&req->headers[index]);
    *value = pl_header_value(&req->headers[index]);
    return true;
}

typedef bool field_is(const struct pl_header *header, const void *what);

static bool has_id(const struct pl_header *header, const void *what)
{
    return header->id == *(const enum pl_header_id *)what;
}

static bool has_name(const struct pl_header *header, const void *what)
{
    return pl_str_ieq(pl_header_name(header), *(const struct pl_str *)what);
}

/* The value of the fields that match, joined if there are several. */
static struct pl_str find_fields(struct pl_request *req, field_is *is,
                                 const void *what)
{
    const struct pl_header *first = NULL;
    struct pl_str joined;
    size_t size = 0, n = 0, count = 0;
    char *out;

    for (unsigned i = 0; i < req->nheaders; i++) {
        if (!is(&req->headers[i], what))
            continue;
        first = first == NULL ? &req->headers[i] : first;
        size += req->headers[i].value_len + 2u;
        count++;
    }
    if (count == 0)
        return pl_str(NULL, 0);
    out = count == 1 ? NULL : pl_arena_bytes(&req->arena, size);
    if (out == NULL)
        return pl_header_value(first);
    for (unsigned i = 0; i < req->nheaders; i++) {
        const struct pl_header *header = &req->headers[i];

        if (!is(header, what))
            continue;
        if (n > 0) {
            out[n++] = header->id == PL_HEADER_COOKIE ? ';' : ',';
            out[n++] = ' ';
        }
        memcpy(out + n, header->value, header->value_len);
        n += header->value_len;
    }
    joined = pl_str(out, n);
    return joined;
}

struct pl_str pl_request_header_id(struct pl_request *req, enum pl_header_id id)
{
    return find_fields(req, has_id, &id);
}

struct pl_str pl_request_header(struct pl_request *req, struct pl_str name)
{
    enum pl_header_id id = pl_header_lookup(name);

    return id != PL_HEADER_OTHER ? pl_request_header_id(req, id)
                                 : find_fields(req, has_name, &name);
}

/* The target's host wins over the field (RFC 9112, 3.2.2). Most requests are
 * routed without it, so it is taken apart when it is first asked for. */
struct pl_str pl_request_host(struct pl_request *req, uint16_t *port)
{
    struct pl_str field;

    if (req->host_name.data == NULL && req->authority.data != NULL) {
        req->host_name = req->authority;
    } else if (req->host_name.data == NULL) {
        field = pl_request_header_id(req, PL_HEADER_HOST);
        if (field.len > 0)
            pl_uri_parse_authority(field, &req->host_name, &req->host_port);
    }
    if (port != NULL)
        *port = req->host_port;
    return req->host_name;
}

struct pl_str pl_request_arg(struct pl_request *req, struct pl_str name)
{
    return pl_query_get(req->query, name, &req->arena);
}

struct pl_str pl_request_param(const struct pl_request *req, struct pl_str name)
{
    for (unsigned i = 0; i < req->nparams; i++)
        if (pl_str_eq(req->params[i].name, name))
            return req->params[i].value;
    return pl_str(NULL, 0);
}

struct pl_str pl_request_cookie(struct pl_request *req, struct pl_str name)
{
    return pl_cookie_get(pl_request_header_id(req, PL_HEADER_COOKIE), name);
}

void pl_request_id(const struct pl_request *req, char out[PL_REQUEST_ID_LEN])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < PL_REQUEST_ID_LEN; i++)
        out[i] = digits[req->id >> (60 - 4 * i) & 15];
}

struct pl_str pl_request_remote(struct pl_request *req, uint16_t *port)
{
    struct pl_addr addr;
    char text[PL_ADDR_TEXT];

    if (req->remote.data == NULL) {
        req->remote = PL_STR("");
        if (req->wire != NULL && req->wire->peer(req, &addr) &&
            addr.sa.sa_family != AF_UNIX) {
            req->remote_port = pl_addr_port(&addr);
            req->remote = pl_arena_str(
                &req->arena, pl_str(text, pl_addr_format_host(&addr, text)));
        }
    }
    if (port != NULL)
        *port = req->remote_port;
    return req->remote;
}
