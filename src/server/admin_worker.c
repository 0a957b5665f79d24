/* admin_worker.c - what a worker says of itself, on its own thread: a few
 * microseconds, or some hundred for long lists. */
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "client/pool.h"
#include "http/request.h"
#include "http/wire.h"
#include "http/ws.h"
#include "lua/vm.h"
#include "lua/watch.h"
#include "net/conn.h"
#include "net/tls.h"
#include "route/router.h"
#include "server/admin_priv.h"
#include "task/fiber.h"

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* ---- status ---- */

struct wires {
    uint32_t http1, http2, websocket, other, secure;
};

static void count_wire(struct pl_conn *conn, void *arg)
{
    struct wires *wires = arg;
    const char *name = conn->protocol->name;

    wires->secure += pl_conn_secure(conn);
    if (strcmp(name, "http/1.1") == 0)
        wires->http1++;
    else if (strcmp(name, "HTTP/2") == 0)
        wires->http2++;
    else if (strcmp(name, "websocket") == 0)
        wires->websocket++;
    else
        wires->other++;
}

static void tell_conns(struct pl_worker *worker, struct pl_json_builder *json)
{
    const struct pl_net_stats *stats = &worker->net.stats;
    struct wires wires = {.http1 = 0};

    pl_net_each(&worker->net, count_wire, &wires);
    pl_admin_object(json, "connections");
    pl_admin_u64(json, "open", stats->open);
    pl_admin_u64(json, "limit", worker->net.limits.max_conns);
    pl_admin_u64(json, "accepted", stats->accepted);
    pl_admin_u64(json, "closed", stats->closed);
    pl_admin_u64(json, "timed_out", stats->timed_out);
    pl_admin_u64(json, "refused", stats->refused);
    pl_admin_u64(json, "crowded", stats->crowded);
    pl_admin_u64(json, "limited", stats->limited);
    pl_admin_u64(json, "outgoing", stats->outgoing);
    pl_admin_u64(json, "http1", wires.http1);
    pl_admin_u64(json, "http2", wires.http2);
    pl_admin_u64(json, "websocket", wires.websocket);
    pl_admin_u64(json, "other", wires.other);
    pl_admin_u64(json, "tls", wires.secure);
    pl_json_end(json);
}

static void tell_tls(struct pl_worker *worker, struct pl_json_builder *json)
{
    struct pl_tls_stats stats;

    if (!PL_WITH_TLS || worker->net.tls == NULL)
        return;
    stats = pl_net_tls_stats(&worker->net);
    pl_admin_object(json, "tls");
    pl_admin_u64(json, "handshakes", stats.handshakes);
    pl_admin_u64(json, "resumed", stats.resumed);
    pl_admin_u64(json, "failed", stats.failed);
    pl_admin_u64(json, "clear", stats.clear);
    pl_json_end(json);
}

static void tell_http(const struct pl_http *http, struct pl_json_builder *json)
{
    static const char *const classes[] = {NULL,  "1xx", "2xx",
                                          "3xx", "4xx", "5xx"};

    pl_admin_object(json, "requests");
    pl_admin_u64(json, "total", http->stats.requests);
    pl_admin_u64(json, "open", http->stats.open);
    pl_admin_u64(json, "refused", http->stats.refused);
    if (PL_WITH_AUTH) {
        pl_admin_u64(json, "denied", http->stats.denied);
        pl_admin_u64(json, "forged", http->stats.forged);
    }
    if (PL_WITH_LIMITS) {
        pl_admin_u64(json, "limited", http->stats.limited);
        pl_admin_u64(json, "delayed", http->stats.delayed);
    }
    for (unsigned i = 1; i < PL_COUNT(classes); i++)
        pl_admin_u64(json, classes[i], http->stats.by_class[i]);
    pl_json_end(json);
}

/* [[less than so many ms, so many], ...]; those with none are left out. */
static void tell_latency(const struct pl_latency *latency,
                         struct pl_json_builder *json)
{
    pl_admin_array(json, "latency_ms");
    for (unsigned i = 0; i < PL_LATENCY_BUCKETS; i++) {
        if (latency->buckets[i] == 0)
            continue;
        pl_json_begin_array(json);
        pl_json_add_double(json, (double)pl_latency_limit(i) / 1e6);
        pl_json_add_u64(json, latency->buckets[i]);
        pl_json_end(json);
    }
    pl_json_end(json);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void tell_turns(const struct pl_worker *worker,
                       struct pl_json_builder *json)
{
    const struct pl_turns *turns = pl_loop_turns(worker->loop);

    pl_admin_object(json, "turns");
    pl_admin_u64(json, "count", get(&turns->count));
    pl_admin_double(json, "total_s", seconds(get(&turns->total)));
    pl_admin_double(json, "longest_s", seconds(get(&turns->longest)));
    pl_admin_u64(json, "held", get(&turns->held));
    pl_admin_u64(json, "aborted", get(&turns->aborted));
    pl_admin_array(json, "lengths_ms");
    for (unsigned i = 0; i < PL_TURN_BUCKETS; i++) {
        if (get(&turns->buckets[i]) == 0)
            continue;
        pl_json_begin_array(json);
        pl_json_add_double(json,
                           (double)(UINT64_C(1) << (PL_TURN_FIRST + i)) / 1e6);
        pl_json_add_u64(json, get(&turns->buckets[i]));
        pl_json_end(json);
    }
    pl_json_end(json);
    pl_json_end(json);
}

static void tell_lua(const struct pl_vm *vm, struct pl_json_builder *json)
{
    struct pl_vm_stats stats = pl_vm_stats(vm);

    pl_admin_object(json, "lua");
    pl_admin_u64(json, "bytes", stats.bytes);
    pl_admin_u64(json, "tasks", stats.tasks);
    pl_admin_u64(json, "spare", stats.spare);
    pl_admin_u64(json, "threads", stats.threads);
    pl_json_end(json);
}

static void tell_tasks(struct pl_worker *worker, struct pl_json_builder *json)
{
    unsigned stacks, used;

    pl_fiber_stats(&worker->sched, &stacks, &used);
    pl_admin_object(json, "tasks");
    pl_admin_u64(json, "live", worker->sched.live);
    pl_admin_u64(json, "fibers", used);
    pl_admin_u64(json, "stacks", stacks);
    pl_json_end(json);
}

static void tell_stock(const struct pl_stock *stock, uint64_t now_ms,
                       struct pl_json_builder *json)
{
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("server"));
    pl_json_add_str(json, stock->origin->url);
    pl_admin_str(json, "state", pl_origin_state(stock->origin, now_ms));
    pl_admin_u64(json, "active", stock->active);
    pl_admin_u64(json, "idle", stock->nidle);
    pl_admin_u64(json, "requests", stock->stats.requests);
    pl_admin_u64(json, "failed", stock->stats.failed);
    pl_admin_u64(json, "connects", stock->stats.connects);
    pl_json_end(json);
}

static void tell_upstreams(struct pl_worker *worker,
                           struct pl_json_builder *json)
{
    const struct pl_clients *clients =
        PL_WITH_UPSTREAM ? worker->sockets.clients : NULL;

    if (clients == NULL)
        return;
    pl_admin_u64(json, "upstream_waiting", clients->nwaiting);
    pl_admin_array(json, "upstreams");
    for (unsigned i = 0; i < clients->nstocks; i++)
        if (clients->stocks[i] != NULL)
            tell_stock(clients->stocks[i], pl_now_ms(worker->loop), json);
    pl_json_end(json);
}

void pl_admin_tell_worker(struct pl_worker *worker,
                          struct pl_json_builder *json,
                          const struct pl_admin_query *query)
{
    const struct pl_generation *gen = worker->generation;

    (void)query;
    pl_json_begin_object(json);
    pl_admin_tell_seen(worker, json);
    pl_admin_bool(json, "answers", true);
    tell_conns(worker, json);
    tell_tls(worker, json);
    tell_upstreams(worker, json);
    tell_http(&worker->http, json);
    tell_latency(&worker->metrics.latency, json);
    tell_turns(worker, json);
    tell_tasks(worker, json);
    if (gen != NULL && gen->vm != NULL)
        tell_lua(gen->vm, json);
    pl_admin_tell_generations(worker, json);
    pl_json_end(json);
}

/* ---- connections ---- */

struct conn_list {
    struct pl_json_builder *json;
    unsigned left;
    uint64_t more;
};

static void tell_conn(struct pl_conn *conn, void *arg)
{
    struct conn_list *list = arg;
    char text[PL_ADDR_TEXT] = "";
    struct pl_addr peer;

    if (list->left == 0) {
        list->more++;
        return;
    }
    list->left--;
    pl_json_begin_object(list->json);
    pl_admin_u64(list->json, "id", conn->source.slot);
    if (pl_conn_peer(conn, &peer))
        pl_addr_format(&peer, text);
    pl_admin_str(list->json, "peer", text);
    pl_admin_str(list->json, "protocol", conn->protocol->name);
    pl_admin_bool(list->json, "tls", pl_conn_secure(conn));
    pl_admin_bool(list->json, "outgoing",
                  conn->listener == pl_conn_net(conn)->dialer);
    pl_admin_u64(list->json, "kept", pl_conn_kept(conn));
    pl_admin_u64(list->json, "queued", pl_conn_queued(conn));
    pl_json_end(list->json);
}

void pl_admin_tell_conns(struct pl_worker *worker, struct pl_json_builder *json,
                         const struct pl_admin_query *query)
{
    struct conn_list list = {.json = json, .left = query->limit};

    pl_json_begin_object(json);
    pl_admin_tell_seen(worker, json);
    pl_admin_bool(json, "answers", true);
    pl_admin_array(json, "connections");
    pl_net_each(&worker->net, tell_conn, &list);
    pl_json_end(json);
    pl_admin_u64(json, "more", list.more);
    pl_json_end(json);
}

/* ---- requests in progress ---- */

static void tell_where(const struct pl_request *req,
                       struct pl_json_builder *json)
{
    char where[1000];

    if (req->task != NULL && pl_lua_waits(req->task, where, sizeof(where)))
        pl_admin_str(json, "where", where);
}

/* 0: a client that has gone, or HTTP left. */
static uint64_t conn_of(struct pl_request *req)
{
    struct pl_conn *conn = req->wire == NULL || req->wire->conn == NULL
                               ? NULL
                               : req->wire->conn(req);

    return conn == NULL ? 0 : conn->source.slot;
}

void pl_admin_tell_request(struct pl_request *req, uint64_t now,
                           struct pl_json_builder *json)
{
    const struct pl_generation *gen = req->generation;
    char id[PL_REQUEST_ID_LEN];

    pl_request_id(req, id);
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("id"));
    pl_json_add_str(json, pl_str(id, sizeof(id)));
    pl_json_key(json, PL_STR("method"));
    pl_json_add_str(json, req->method_name);
    pl_json_key(json, PL_STR("path"));
    pl_json_add_str(json, req->path);
    pl_admin_double(json, "age_s", seconds(now - req->started));
    pl_admin_u64(json, "connection", conn_of(req));
    pl_admin_u64(json, "generation", gen == NULL ? 0 : gen->id);
    pl_admin_bool(json, "answered", req->response.started);
    if (req->websocket != NULL || req->ws_stream != NULL)
        pl_admin_bool(json, "websocket", true);
    if (req->route != NULL)
        pl_admin_str(json, "route", req->route->pattern);
    tell_where(req, json);
    pl_json_end(json);
}

/* Oldest first, as they stand in the list of the worker. */
void pl_admin_tell_requests(struct pl_worker *worker,
                            struct pl_json_builder *json,
                            const struct pl_admin_query *query)
{
    uint64_t now = pl_now(worker->loop), more = 0;
    unsigned left = query->limit;
    struct pl_list *node;

    pl_json_begin_object(json);
    pl_admin_tell_seen(worker, json);
    pl_admin_bool(json, "answers", true);
    pl_admin_array(json, "requests");
    PL_LIST_FOREACH (node, &worker->http.requests) {
        struct pl_request *req = PL_LIST_ENTRY(node, struct pl_request, node);

        if (now - req->started < query->older_ns)
            continue;
        if (left == 0) {
            more++;
            continue;
        }
        left--;
        pl_admin_tell_request(req, now, json);
        pl_admin_keep_stack(query->stacks, req);
    }
    pl_json_end(json);
    pl_admin_u64(json, "more", more);
    pl_json_end(json);
}

/* ---- routes ---- */

static void tell_route(const struct pl_route *route,
                       const struct pl_route_metrics *metrics,
                       struct pl_json_builder *json)
{
    pl_json_begin_object(json);
    pl_admin_u64(json, "index", route == NULL ? UINT32_MAX : route->index);
    pl_admin_str(json, "route", route == NULL ? "(none)" : route->pattern);
    pl_admin_str(json, "host", route == NULL ? "" : route->host);
    pl_admin_str(json, "where", route == NULL ? "" : route->where);
    pl_admin_u64(json, "requests", metrics->requests);
    pl_admin_u64(json, "failed", metrics->failed);
    tell_latency(&metrics->latency, json);
    pl_json_end(json);
}

/* Who asks makes the worker count; the first answer is all zero. */
void pl_admin_tell_routes(struct pl_worker *worker,
                          struct pl_json_builder *json,
                          const struct pl_admin_query *query)
{
    const struct pl_generation *gen = worker->generation;
    const struct pl_routes_watch *watch;

    (void)query;
    pl_json_begin_object(json);
    pl_admin_tell_seen(worker, json);
    pl_admin_bool(json, "answers", true);
    pl_admin_u64(json, "generation", gen == NULL ? 0 : gen->id);
    pl_admin_array(json, "routes");
    if (gen != NULL &&
        pl_metrics_watch(&worker->metrics, gen, pl_now(worker->loop)) == 0) {
        watch = worker->metrics.watch;
        for (unsigned i = 0; i < watch->n; i++)
            tell_route(pl_router_route(gen->site->router, i), &watch->routes[i],
                       json);
    }
    pl_json_end(json);
    pl_json_end(json);
}
