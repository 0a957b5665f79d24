#include "server/admin.h"

#include <stdio.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/http.h"
#include "net/conn.h"
#include "route/dispatch.h"
#include "server/admin_priv.h"

/* Of a tool, or of a monitor that asks now and then; not of the public. */
enum { MAX_CONNS = 64, IDLE_MS = 30000 };

/* ---- the door ---- */

/* The file's mode keeps others out; this keeps them out where it does not (an
 * open folder and a chmod), and the user that the workers have become. */
static bool may_enter(const struct pl_admin *admin, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return pl_sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == admin->uid);
}

static void on_opened(struct pl_conn *conn)
{
    struct pl_http *http = conn->listener->arg;

    if (may_enter(http->arg, conn->source.fd)) {
        pl_conn_proceed(conn);
        return;
    }
    pl_log(PL_LOG_WARN, "admin", "a stranger was turned away");
    pl_conn_close(conn, PL_ERR_DENIED);
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    (void)conn;
    return bytes.len;
}

static void on_eof(struct pl_conn *conn)
{
    pl_conn_close(conn, 0);
}

static void on_drained(struct pl_conn *conn)
{
    (void)conn;
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

static void on_closed(struct pl_conn *conn, int why)
{
    (void)conn;
    (void)why;
}

static const struct pl_protocol door = {
    .name = "admin",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_eof,
    .closed = on_closed,
};

/* ---- serving: made when somebody comes ---- */

static void on_request(void *arg, struct pl_request *req)
{
    struct pl_admin *admin = arg;

    pl_dispatch(admin->router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    (void)arg;
    (void)req;
}

static const struct pl_http_ops ops = {.request = on_request,
                                       .finished = on_finished};

static int start_listener(struct pl_admin *admin)
{
    struct pl_listener *listener;
    int err;

    pl_loop_remove(admin->server->loop, &admin->waiting, true);
    err = pl_listener_start(&admin->net, admin->group->fds[0], false, false,
                            &pl_h1_protocol, &admin->http, &listener);
    if (err == 0)
        listener->door = &door;
    return err;
}

static int make(struct pl_admin *admin)
{
    struct pl_net_limits limits = pl_net_default_limits;
    int err;

    limits.max_conns = MAX_CONNS;
    admin->settings = pl_http_default_settings;
    admin->settings.idle_ms = IDLE_MS;
    admin->settings.h2.on = false;
    err = pl_admin_routes_new(admin, &admin->router);
    if (err < 0)
        return err;
    err = pl_sched_init(&admin->sched, admin->server->loop, NULL);
    if (err < 0)
        goto fail_router;
    err = pl_net_init(&admin->net, admin->server->loop, &limits);
    if (err < 0)
        goto fail_sched;
    pl_http_init(&admin->http, &admin->net, &admin->sched, &admin->settings,
                 &ops, admin);
    pl_errands_init(&admin->errands, &admin->sched);
    err = start_listener(admin);
    if (err < 0)
        goto fail_net;
    admin->made = true;
    return 0;
fail_net:
    pl_net_fini(&admin->net);
fail_sched:
    pl_sched_fini(&admin->sched);
fail_router:
    pl_router_free(admin->router);
    return err;
}

/* Without memory: who is there finds it closed, and may come again. */
static void turn_away(struct pl_admin *admin)
{
    int fd = pl_loop_accept(admin->server->loop, admin->group->fds[0]);

    if (fd >= 0)
        pl_sys_close(fd);
    if (admin->waiting.slot == 0 &&
        pl_loop_add(admin->server->loop, &admin->waiting, PL_READABLE,
                    PL_LEVEL) < 0)
        pl_log(PL_LOG_ERROR, "admin", "the admin socket is deaf from now on");
}

static void on_first(struct pl_source *source, unsigned events)
{
    struct pl_admin *admin = PL_CONTAINER_OF(source, struct pl_admin, waiting);
    int err = make(admin);

    (void)events;
    if (err == 0)
        return;
    pl_log(PL_LOG_ERROR, "admin", "cannot answer: %s", pl_err_text(err));
    turn_away(admin);
}

/* ---- one server process of several ---- */

static void stop_listening(struct pl_admin *admin)
{
    struct pl_list *node, *tmp;

    pl_loop_remove(admin->server->loop, &admin->waiting, true);
    if (!admin->made)
        return;
    PL_LIST_FOREACH_SAFE (node, tmp, &admin->net.listeners)
        pl_listener_stop(PL_LIST_ENTRY(node, struct pl_listener, node));
}

/* The supervisor may have started another one, which answers from now on. If it
 * is the end of all, nobody does. */
static bool give_way(struct pl_hook *hook)
{
    struct pl_admin *admin = PL_CONTAINER_OF(hook, struct pl_admin, hook);
    struct pl_server *server = admin->server;

    if (!pl_link_is(server->link) || admin->ending ||
        !pl_server_stopping(server))
        return false;
    admin->ending = true;
    stop_listening(admin);
    return false;
}

/* ---- the socket ---- */

static int listen_at(struct pl_admin *admin, struct pl_error *error)
{
    struct pl_listen_options options = pl_listen_defaults;
    char text[PL_ADMIN_PATH + 8];
    struct pl_addr addr;
    int err;

    options.mode = 0600;
    snprintf(text, sizeof(text), "unix:%s", admin->path);
    err = pl_addr_parse(pl_str_c(text), false, &addr, error);
    if (err == 0)
        err = pl_link_listen(admin->server->link, &addr, &options, true,
                             &admin->group, error);
    return err;
}

/* Fills admin->path with the default place, which is made where it can be. */
static bool find_place(struct pl_admin *admin, const char *pid_file)
{
    char folder[PL_ADMIN_PATH];
    int n;

    if (pid_file != NULL)
        return pl_admin_beside(pid_file, admin->path, sizeof(admin->path));
    if (!pl_admin_folder(folder, sizeof(folder)))
        return false;
    pl_sys_mkdirat(AT_FDCWD, folder, 0700);
    n = snprintf(admin->path, sizeof(admin->path), "%s/%ld.sock", folder,
                 (long)pl_server_pid(admin->server));
    return n > 0 && (size_t)n < sizeof(admin->path) &&
           pl_admin_folder_safe(folder);
}

static int open_at(struct pl_admin *admin, const char *said,
                   const char *pid_file, struct pl_error *error)
{
    size_t len = strlen(said);

    if (len >= sizeof(admin->path))
        return pl_error_set(error, PL_ERR_TOO_LONG, "",
                            "the admin socket's path is too long: %s", said);
    memcpy(admin->path, said, len + 1);
    if (len == 0 && !find_place(admin, pid_file))
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "there is no folder for it");
    return listen_at(admin, error);
}

static int watch(struct pl_admin *admin)
{
    admin->waiting =
        (struct pl_source){.ready = on_first, .fd = admin->group->fds[0]};
    return pl_loop_add(admin->server->loop, &admin->waiting, PL_READABLE,
                       PL_LEVEL);
}

int pl_admin_open(struct pl_server *server, const char *said,
                  const char *pid_file, struct pl_error *error)
{
    struct pl_admin *admin;
    int err;

    if (said == NULL)
        return 0;
    admin = pl_calloc(1, sizeof(*admin));
    if (admin == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    admin->server = server;
    admin->uid = geteuid();
    admin->since = pl_clock_monotonic();
    err = open_at(admin, said, pid_file, error);
    if (err == 0 && (err = watch(admin)) < 0)
        pl_error_set(error, err, "", "admin socket: %s", pl_err_text(err));
    if (err == 0) {
        server->admin = admin;
        admin->hook.run = give_way;
        pl_loop_add_hook(server->loop, &admin->hook);
        return 0;
    }
    if (admin->group != NULL)
        pl_listen_close(admin->group);
    pl_free(admin);
    if (said[0] != '\0')
        return err;
    pl_log(PL_LOG_INFO, "admin", "no admin socket: %s", error->text);
    return 0;
}

/* ---- the end ---- */

static void close_conn(struct pl_conn *conn, void *arg)
{
    (void)arg;
    pl_conn_close(conn, PL_ERR_CANCELED);
}

static bool quiet(const struct pl_admin *admin)
{
    return admin->net.stats.open == 0 && admin->http.stats.open == 0 &&
           pl_sched_idle(&admin->sched);
}

/* What has been answered still leaves: the last turn sends it. */
static void end_serving(struct pl_admin *admin)
{
    pl_sched_cancel_all(&admin->sched);
    pl_loop_step(admin->server->loop, 0);
    pl_net_each(&admin->net, close_conn, NULL);
    while (!quiet(admin)) {
        pl_loop_soon(admin->server->loop);
        pl_loop_step(admin->server->loop, 0);
    }
}

void pl_admin_close(struct pl_server *server)
{
    struct pl_admin *admin = server->admin;

    if (admin == NULL || admin->closed)
        return;
    admin->closed = true;
    pl_loop_remove_hook(&admin->hook);
    stop_listening(admin);
    if (admin->made)
        end_serving(admin);
    pl_listen_shut(admin->group);
}

void pl_admin_free(struct pl_server *server)
{
    struct pl_admin *admin = server->admin;

    if (admin == NULL)
        return;
    pl_admin_close(server); /* of one that never served */
    if (admin->made) {
        pl_errands_fini(&admin->errands);
        pl_net_fini(&admin->net);
        pl_sched_fini(&admin->sched);
        pl_router_free(admin->router);
    }
    pl_listen_close(admin->group);
    pl_free(admin);
    server->admin = NULL;
}

void pl_admin_unlink(struct pl_server *server)
{
    if (server->admin != NULL)
        pl_listen_shut(server->admin->group);
}
