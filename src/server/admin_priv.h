/* admin_priv.h - the parts of the admin socket: its life (admin.c), its routes
 * (admin_routes.c, admin_reload.c), what it says of the process
 * (admin_status.c) and what workers say of themselves (admin_worker.c,
 * admin_generation.c). */
#ifndef PL_SERVER_ADMIN_PRIV_H
#define PL_SERVER_ADMIN_PRIV_H

#include "http/http.h"
#include "net/listener.h"
#include "route/router.h"
#include "server/admin.h"
#include "server/errand.h"
#include "server/server.h"

struct pl_admin_stacks;

struct pl_admin {
    struct pl_server *server;
    struct pl_listen_group *group;
    uid_t uid;                /* who has started the server */
    uint64_t since;           /* monotonic ns: the server began */
    struct pl_source waiting; /* the socket, until somebody connects; then: */
    struct pl_hook hook;
    bool made, closed;
    bool ending; /* asked for here, for all; or another process answers now */
    struct pl_sched sched;
    struct pl_net net;
    struct pl_http_settings settings;
    struct pl_http http;
    struct pl_router *router;
    struct pl_errands errands;
    char path[PL_ADMIN_PATH];
};

/* GIVES *out. Returns 0 or PL_ERR_NOMEM. */
int pl_admin_routes_new(struct pl_admin *admin, struct pl_router **out);

/* ---- by handlers, on their fibers ---- */

/* What is asked of workers, beside the question itself. */
struct pl_admin_query {
    unsigned limit;    /* most items of a list, from each worker */
    uint64_t older_ns; /* requests that run for so long */
    /* Where to keep the stacks of those in C, which admin_ask.c makes for each
     * worker, and adds to *all when it has answered. NULL: they are not wanted.
     */
    struct pl_admin_stacks *stacks, **all;
};

/* Says something of worker, as one JSON value; on its thread. */
typedef void pl_admin_tell(struct pl_worker *worker,
                           struct pl_json_builder *json,
                           const struct pl_admin_query *query);

/* Asks each worker, as long as "wait" says at most (half a second), and adds an
 * array of what they say to json; what is said of a worker that does not
 * answer, the main thread and the watchdog know. */
void pl_admin_ask_workers(struct pl_admin *admin, struct pl_request *req,
                          pl_admin_tell *tell,
                          const struct pl_admin_query *query,
                          struct pl_json_builder *json);

/* TAKES all the stacks: names their functions, and adds the member "stacks". */
void pl_admin_tell_stacks(struct pl_admin *admin,
                          struct pl_admin_stacks *stacks,
                          struct pl_json_builder *json);

struct pl_admin_stacks *pl_admin_stacks_new(void);
void pl_admin_stacks_free(struct pl_admin_stacks *stacks);
void pl_admin_add_stacks(struct pl_admin_stacks **all,
                         struct pl_admin_stacks *stacks);

/* Everything but the workers: members of an object. */
void pl_admin_tell_process(struct pl_admin *admin,
                           struct pl_json_builder *json);
void pl_admin_tell_reload(struct pl_admin *admin, struct pl_json_builder *json);
void pl_admin_tell_modules(struct pl_json_builder *json);

/* Answers with {"error": what}. */
int pl_admin_refuse(struct pl_request *req, struct pl_response *res, int status,
                    const char *what);

/* A field of the query that is true or false; absent: *out stays. Returns false
 * if it is anything else. */
bool pl_admin_flag(struct pl_request *req, struct pl_str name, bool *out);

/* Waits until the reload has come to its end. */
pl_handler_fn pl_admin_post_reload;

/* ---- on the worker's thread; _seen on any: members of an object ---- */

void pl_admin_tell_seen(struct pl_worker *worker, struct pl_json_builder *json);
pl_admin_tell pl_admin_tell_worker, pl_admin_tell_conns, pl_admin_tell_requests,
    pl_admin_tell_routes;
void pl_admin_keep_stack(struct pl_admin_stacks *stacks,
                         const struct pl_request *req);
void pl_admin_tell_generations(const struct pl_worker *worker,
                               struct pl_json_builder *json);
void pl_admin_tell_request(struct pl_request *req, uint64_t now,
                           struct pl_json_builder *json);

/* ---- members of an object ---- */

void pl_admin_u64(struct pl_json_builder *json, const char *name,
                  uint64_t value);
void pl_admin_str(struct pl_json_builder *json, const char *name,
                  const char *value);
void pl_admin_double(struct pl_json_builder *json, const char *name,
                     double value);
void pl_admin_bool(struct pl_json_builder *json, const char *name, bool value);
void pl_admin_object(struct pl_json_builder *json, const char *name);
void pl_admin_array(struct pl_json_builder *json, const char *name);

#endif
