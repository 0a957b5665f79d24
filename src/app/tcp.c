/* tcp.c - raw connections to a C program (perilune.h). */
#include "app/app.h"
#include "base/log.h"
#include "base/options.h"
#include "base/sys.h"
#include "socket/serve.h"
#include "task/fiber.h"

/* In the site's memory. */
struct tcp {
    struct pl_service service;
    struct pl_app *app;
    void (*fn)(struct pl_app *app, struct pl_socket *socket, void *arg);
    void *arg;
};

/* What a fiber is begun with: in the worker's pool until it runs. */
struct visit {
    const struct tcp *tcp;
    struct pl_socket *socket; /* its home: NULL if it has been closed */
};

static int serve(void *arg)
{
    struct visit *at = arg;
    struct pl_pool *pool = pl_loop_pool(pl_sched_current()->loop);
    const struct tcp *tcp = at->tcp;
    struct pl_socket *socket = at->socket;

    if (socket != NULL)
        socket->home = NULL;
    pl_pool_put(pool, at, sizeof(*at));
    if (socket == NULL)
        return PL_ERR_CLOSED;
    pl_task_current()->serves = true;
    pl_socket_set_owner(socket, pl_task_current());
    tcp->fn(tcp->app, socket, tcp->arg);
    return 0;
}

static void accepted(void *arg, struct pl_socket *socket)
{
    struct pl_sched *sched = pl_sched_current();
    struct visit *visit =
        pl_pool_get(pl_loop_pool(sched->loop), sizeof(*visit));

    if (visit != NULL) {
        visit->tcp = arg;
        pl_socket_set_home(socket, &visit->socket);
        if (pl_fiber_spawn(sched, NULL, serve, visit, NULL) == 0)
            return;
        socket->home = NULL;
        pl_pool_put(pl_loop_pool(sched->loop), visit, sizeof(*visit));
    }
    pl_log(PL_LOG_ERROR, "app", "no memory for a connection");
    pl_socket_close(socket);
}

int pl_app_tcp_with(struct pl_app *app, const char *address,
                    const struct pl_app_listen_options *options,
                    void (*fn)(struct pl_app *app, struct pl_socket *socket,
                               void *arg),
                    void *arg)
{
    static const char call[] = "pl_app_tcp";
    struct pl_app_listen_options given;
    struct tcp *tcp;

    if (app->running)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, options);
    if (given.protocol != NULL || given.redirect_port != 0)
        return pl_app_note(app, PL_ERR_INVALID, call, address,
                           "protocol and redirect_port are for HTTP");
    tcp = pl_arena_alloc(&app->site->arena, sizeof(*tcp));
    if (tcp == NULL)
        return pl_app_note(app, PL_ERR_NOMEM, call, address, "out of memory");
    *tcp = (struct tcp){{accepted, tcp}, app, fn, arg};
    return pl_app_open(app, call, address, options, &tcp->service);
}

int pl_app_tcp(struct pl_app *app, const char *address,
               void (*fn)(struct pl_app *app, struct pl_socket *socket,
                          void *arg),
               void *arg)
{
    return pl_app_tcp_with(app, address, NULL, fn, arg);
}
