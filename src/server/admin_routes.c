/* admin_routes.c - what the admin socket can be asked (docs/admin.md). Handlers
 * are fibers of the main thread. */
#include <stdlib.h>
#include <unistd.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "http/response.h"
#include "route/chain.h"
#include "server/admin_priv.h"

enum { LIMIT = 100, LIMIT_MOST = 1000 }; /* items of a list, of each worker */

/* ---- arguments ---- */

/* A field of the query as seconds, at most `most`; absent: otherwise. Returns
 * false if it is no such number. */
static bool seconds_arg(struct pl_request *req, struct pl_str name,
                        double otherwise, double most, double *out)
{
    struct pl_str text = pl_request_arg(req, name);
    char copy[32];
    char *end;

    *out = otherwise;
    if (text.data == NULL)
        return true;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && *out >= 0 && *out <= most;
}

static bool limit_arg(struct pl_request *req, unsigned *out)
{
    struct pl_str text = pl_request_arg(req, PL_STR("limit"));
    uint64_t number;

    *out = LIMIT;
    if (text.data == NULL)
        return true;
    if (!pl_str_to_u64(text, &number) || number > LIMIT_MOST)
        return false;
    *out = (unsigned)number;
    return true;
}

bool pl_admin_flag(struct pl_request *req, struct pl_str name, bool *out)
{
    struct pl_str text = pl_request_arg(req, name);

    if (text.data == NULL)
        return true;
    *out = pl_str_eq(text, PL_STR("true"));
    return *out || pl_str_eq(text, PL_STR("false"));
}

int pl_admin_refuse(struct pl_request *req, struct pl_response *res, int status,
                    const char *what)
{
    struct pl_json_builder *json = pl_json_builder_new(req, PL_JSON_PRETTY);

    pl_json_begin_object(json);
    pl_admin_str(json, "error", what);
    pl_json_end(json);
    return pl_respond_json_built(res, status, json);
}

/* ---- looking ---- */

static int get_status(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    const struct pl_admin_query query = {.limit = 0};
    struct pl_json_builder *json = pl_json_builder_new(req, PL_JSON_PRETTY);

    pl_json_begin_object(json);
    pl_admin_tell_process(arg, json);
    pl_json_key(json, PL_STR("workers"));
    pl_admin_ask_workers(arg, req, pl_admin_tell_worker, &query, json);
    pl_json_end(json);
    return pl_respond_json_built(res, 200, json);
}

/* of_c: also where handlers in C wait. */
static int list(struct pl_request *req, struct pl_response *res,
                struct pl_admin *admin, pl_admin_tell *tell, bool of_c)
{
    struct pl_json_builder *json;
    struct pl_admin_stacks *stacks = NULL;
    struct pl_admin_query query = {.all = of_c ? &stacks : NULL};
    double older;

    if (!limit_arg(req, &query.limit))
        return pl_admin_refuse(req, res, 400, "limit: a number from 0 to 1000");
    if (!seconds_arg(req, PL_STR("older"), 0, 1e9, &older))
        return pl_admin_refuse(req, res, 400, "older: a number of seconds");
    query.older_ns = (uint64_t)(older * 1e9);
    json = pl_json_builder_new(req, PL_JSON_PRETTY);
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("workers"));
    pl_admin_ask_workers(admin, req, tell, &query, json);
    if (of_c)
        pl_admin_tell_stacks(admin, stacks, json);
    pl_json_end(json);
    return pl_respond_json_built(res, 200, json);
}

static int get_connections(struct pl_request *req, struct pl_response *res,
                           void *arg)
{
    return list(req, res, arg, pl_admin_tell_conns, false);
}

static int get_requests(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    return list(req, res, arg, pl_admin_tell_requests, true);
}

static int get_routes(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    return list(req, res, arg, pl_admin_tell_routes, false);
}

/* ---- doing ---- */

/* The end of all: no other server process is started. */
static int accepted(struct pl_request *req, struct pl_response *res,
                    struct pl_admin *admin, const char *state)
{
    struct pl_json_builder *json = pl_json_builder_new(req, PL_JSON_PRETTY);

    admin->ending = true;
    pl_link_say(admin->server->link, PL_LINK_ENDING);
    pl_json_begin_object(json);
    pl_admin_u64(json, "pid", (uint64_t)pl_server_pid(admin->server));
    pl_admin_str(json, "state", state);
    pl_json_end(json);
    return pl_respond_json_built(res, 202, json);
}

static int post_stop(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_admin *admin = arg;
    bool at_once = false;

    if (!pl_admin_flag(req, PL_STR("now"), &at_once))
        return pl_admin_refuse(req, res, 400, "now: true or false");
    pl_log(PL_LOG_NOTICE, "admin", "asked to stop%s",
           at_once ? ": the end, at once"
                   : ": running requests are finished, then the end");
    pl_server_stop(admin->server, at_once, PL_EXIT_OK);
    return accepted(req, res, admin, "stopping");
}

static int post_drain(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    struct pl_admin *admin = arg;

    pl_log(PL_LOG_NOTICE, "admin",
           "asked to drain: running requests are finished, however long they "
           "take, then the end");
    pl_server_drain(admin->server);
    return accepted(req, res, admin, "draining");
}

/* What becomes of it: another "process" in the status, or one more of its
 * "reports". */
static int post_upgrade(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    const struct pl_admin *admin = arg;
    struct pl_server_link *link = admin->server->link;
    struct pl_json_builder *json;

    if (link == NULL)
        return pl_admin_refuse(req, res, 409,
                               "there is no supervisor, who would do it");
    pl_log(PL_LOG_NOTICE, "admin", "asked to upgrade");
    json = pl_json_builder_new(req, PL_JSON_PRETTY);
    pl_json_begin_object(json);
    pl_admin_u64(json, "process", (uint64_t)getpid());
    pl_admin_u64(json, "reports", link->reports);
    pl_json_end(json);
    pl_link_say(link, PL_LINK_UPGRADE);
    return pl_respond_json_built(res, 202, json);
}

static int answer_level(struct pl_request *req, struct pl_response *res)
{
    struct pl_json_builder *json = pl_json_builder_new(req, PL_JSON_PRETTY);

    pl_json_begin_object(json);
    pl_admin_str(json, "level", pl_log_level_name(pl_log_level));
    pl_json_end(json);
    return pl_respond_json_built(res, 200, json);
}

static int get_log(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)arg;
    return answer_level(req, res);
}

static int post_log(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str name = pl_request_arg(req, PL_STR("level"));
    enum pl_level level;

    (void)arg;
    if (name.data == NULL || !pl_log_level_parse(name, &level))
        return pl_admin_refuse(req, res, 400,
                               "level: debug, info, notice, warn or error");
    pl_log(PL_LOG_NOTICE, "admin", "the log level is %s from now on",
           pl_log_level_name(level));
    pl_log_level = level;
    return answer_level(req, res);
}

/* ---- the table ---- */

static const struct {
    const char *path;
    enum pl_method method;
    pl_handler_fn *fn;
} routes[] = {
    {"/status", PL_METHOD_GET, get_status},
    {"/connections", PL_METHOD_GET, get_connections},
    {"/requests", PL_METHOD_GET, get_requests},
    {"/routes", PL_METHOD_GET, get_routes},
    {"/stop", PL_METHOD_POST, post_stop},
    {"/drain", PL_METHOD_POST, post_drain},
    {"/reload", PL_METHOD_POST, pl_admin_post_reload},
    {"/upgrade", PL_METHOD_POST, post_upgrade},
    {"/log", PL_METHOD_GET, get_log},
    {"/log", PL_METHOD_POST, post_log},
};

static int add_route(struct pl_router *router, struct pl_admin *admin, size_t i)
{
    struct pl_handler *handler =
        pl_fiber_handler_new(routes[i].fn, admin, NULL);
    struct pl_route route = {
        .pattern = routes[i].path,
        .host = "",
        .where = "",
        .methods = PL_METHOD_BIT(routes[i].method),
        .expires = -1,
        .chain = handler == NULL ? NULL : pl_chain_new(NULL, 0, handler),
    };

    return route.chain == NULL ? PL_ERR_NOMEM
                               : pl_router_add(router, &route, NULL);
}

int pl_admin_routes_new(struct pl_admin *admin, struct pl_router **out)
{
    struct pl_router *router = pl_router_new();
    int err = router == NULL ? PL_ERR_NOMEM : 0;

    for (size_t i = 0; i < PL_COUNT(routes) && err == 0; i++)
        err = add_route(router, admin, i);
    if (err == 0)
        *out = router;
    else
        pl_router_free(router);
    return err;
}
