#include "route/dispatch.h"

#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "route/chain.h"

/* "GET, HEAD, OPTIONS": what the path has, and what follows from that. */
static int add_allow(struct pl_request *req, unsigned methods)
{
    char text[128];
    size_t n = 0;

    if (methods & PL_METHOD_BIT(PL_METHOD_GET))
        methods |= PL_METHOD_BIT(PL_METHOD_HEAD);
    methods |= PL_METHOD_BIT(PL_METHOD_OPTIONS);
    for (int method = 0; method < PL_METHOD_COUNT; method++) {
        struct pl_str name = pl_method_name((enum pl_method)method);

        if (!(methods & PL_METHOD_BIT(method)))
            continue;
        if (n > 0)
            n = (size_t)(stpcpy(text + n, ", ") - text);
        memcpy(text + n, name.data, name.len);
        n += name.len;
    }
    return pl_response_set(&req->response, PL_STR("Allow"), pl_str(text, n));
}

/* Does the route that is meant answer itself? */
PL_COLD static bool preflight(const struct pl_router *router,
                              struct pl_request *req)
{
    struct pl_str name =
        pl_request_header(req, PL_STR("Access-Control-Request-Method"));
    struct pl_match match;
    uint16_t port;

    if (name.len == 0 || req->method != PL_METHOD_OPTIONS)
        return false;
    pl_router_find(router, pl_request_host(req, &port), pl_method_parse(name),
                   req->path, &match);
    return match.route != NULL && pl_chain_preflight(match.route->chain, req);
}

/* Returns the result of the request. router: NULL for the server itself. */
PL_COLD static int no_route(const struct pl_router *router,
                            const struct pl_match *match,
                            struct pl_request *req)
{
    struct pl_response *res = &req->response;
    int err = 0;

    if (PL_WITH_FILTERS && router != NULL && preflight(router, req))
        return 0;

    if (match->allow == 0) {
        err = pl_response_error(res, 404, pl_str(NULL, 0));
    } else {
        if (req->method == PL_METHOD_OPTIONS)
            err = pl_response_status(res, 204);
        else
            err = pl_response_error(res, 405, pl_str(NULL, 0));
        if (err == 0)
            err = add_allow(req, match->allow);
    }
    return err;
}

PL_INLINE int bind_params(struct pl_request *req, const struct pl_match *match)
{
    req->nparams = (uint16_t)match->nparams;
    req->rest = match->rest;
    if (match->nparams == 0)
        return 0;
    req->params =
        pl_arena_alloc(&req->arena, match->nparams * sizeof(*req->params));
    if (req->params == NULL)
        return PL_ERR_NOMEM;
    for (unsigned i = 0; i < match->nparams; i++)
        req->params[i] =
            (struct pl_param){match->route->params[i], match->values[i]};
    return 0;
}

static uint64_t choose(uint64_t own, uint64_t site, uint64_t none)
{
    return own == 0 ? site : own == none ? 0 : own;
}

static int own_limits(struct pl_request *req, const struct pl_body_limits *own)
{
    struct pl_body_limits *limits =
        pl_arena_alloc(&req->arena, sizeof(*limits));
    const struct pl_body_limits *site = req->limits;

    if (limits == NULL)
        return PL_ERR_NOMEM;
    *limits = (struct pl_body_limits){
        .max_body = choose(own->max_body, site->max_body, UINT64_MAX),
        .max_upload = choose(own->max_upload, site->max_upload, UINT64_MAX),
        .spool = choose(own->spool, site->spool, UINT64_MAX),
        .max_fields =
            (uint32_t)choose(own->max_fields, site->max_fields, UINT32_MAX),
        .max_parts =
            (uint32_t)choose(own->max_parts, site->max_parts, UINT32_MAX),
        .rate = (uint32_t)choose(own->rate, site->rate, UINT32_MAX)};
    req->limits = limits;
    return 0;
}

static bool is_measured(const struct pl_budget *a, const struct pl_budget *b)
{
    return (a->wall_ms | a->cpu_ms | a->memory | b->wall_ms | b->cpu_ms |
            b->memory) != 0;
}

PL_INLINE int bind_budget(struct pl_request *req, const struct pl_budget *own)
{
    const struct pl_budget *site = &req->settings->budget;
    struct pl_budget budget;

    if (PL_LIKELY(!req->settings->usage && !is_measured(own, site)))
        return 0;
    if (req->meter != NULL) /* rewritten: it is measured already */
        return 0;
    budget = (struct pl_budget){
        .wall_ms = choose(own->wall_ms, site->wall_ms, UINT64_MAX),
        .cpu_ms = choose(own->cpu_ms, site->cpu_ms, UINT64_MAX),
        .memory = choose(own->memory, site->memory, UINT64_MAX)};
    return pl_request_measure(req, &budget);
}

/* A body that is too long already is the reader's to find out. */
PL_INLINE int bind_limits(struct pl_request *req, const struct pl_route *route)
{
    int err = route->limited ? own_limits(req, &route->limits) : 0;

    if (err == 0 && !req->response.started) /* which may go on (http/again.h) */
        pl_body_limit(req, req->limits->max_upload);
    return err;
}

/* What its route says of the request. */
PL_INLINE int bind_route(struct pl_request *req, const struct pl_match *match)
{
    const struct pl_route *route = match->route;
    struct pl_response *res = &req->response;
    int err;

    req->route = route;
    res->cache_control = route->cache_control;
    res->expires = route->expires;
    err = bind_params(req, match);
    if (err == 0)
        err = bind_limits(req, route);
    if (err == 0)
        err = bind_budget(req, &route->budget);
    return err;
}

PL_COLD static void answer_server(struct pl_request *req)
{
    struct pl_match match = {.allow = PL_METHODS_ANY};

    pl_request_finish(req, no_route(NULL, &match, req));
}

static void finish(struct pl_then *then, struct pl_request *req, int result)
{
    (void)then;
    pl_request_finish(req, result);
}

PL_COLD static void start_front(const struct pl_router *router,
                                struct pl_request *req)
{
    static struct pl_then end = {finish};
    struct pl_handler *front = pl_router_front(router);

    front->start(front, req, &end);
}

void pl_dispatch(const struct pl_router *router, struct pl_request *req)
{
    struct pl_str host = {NULL, 0};
    struct pl_match match;
    unsigned ahead;
    uint16_t port;
    int err;

    if (pl_str_eq(req->path, PL_STR("*"))) { /* OPTIONS *: the server */
        answer_server(req);
        return;
    }
    ahead = pl_router_ahead(router);
    if (ahead != 0) {
        if (PL_WITH_REWRITE && (ahead & PL_AHEAD_FRONT)) {
            start_front(router, req);
            return;
        }
        host = pl_request_host(req, &port);
    }
    pl_router_find(router, host, (enum pl_method)req->method, req->path,
                   &match);
    if (match.route == NULL) {
        pl_request_finish(req, no_route(router, &match, req));
        return;
    }
    err = bind_route(req, &match);
    if (err < 0)
        pl_request_finish(req, err);
    else
        pl_chain_start(match.route->chain, req);
}

PL_COLD void pl_dispatch_anew(const struct pl_router *router,
                              struct pl_request *req, struct pl_then *then,
                              bool front)
{
    struct pl_handler *ahead = front ? pl_router_front(router) : NULL;
    struct pl_match match;
    uint16_t port;
    int err;

    if (ahead != NULL) {
        ahead->start(ahead, req, then);
        return;
    }
    req->limits = &req->settings->body;
    pl_router_find(router, pl_request_host(req, &port),
                   (enum pl_method)req->method, req->path, &match);
    err = match.route == NULL ? no_route(router, &match, req)
                              : bind_route(req, &match);
    if (match.route == NULL || err < 0)
        then->done(then, req, err);
    else
        pl_chain_run(match.route->chain, req, then);
}
