#include "net/listener.h"

#include <netinet/tcp.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/conn.h"
#include "net/proxy.h"

/* ---- sockets ---- */

/* A file left behind by a server that died may be replaced; one that somebody
 * listens on, or that is no socket, may not. */
static bool stale_unix(const struct pl_addr *addr)
{
    struct stat st;
    bool dead;
    int fd;

    if (pl_sys_fstatat(AT_FDCWD, addr->un.sun_path, &st, AT_SYMLINK_NOFOLLOW) <
            0 ||
        !S_ISSOCK(st.st_mode))
        return false;
    fd = pl_sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    dead =
        pl_sys_connect(fd, &addr->sa, addr->len) < 0 && errno == ECONNREFUSED;
    pl_sys_close(fd);
    return dead && pl_sys_unlink(addr->un.sun_path) == 0;
}

/* A connection is shown to us when its first bytes are there: all our protocols
 * have the peer speak first. One that stays silent comes a second later. */
static int defer(int fd)
{
    int seconds = 1;

    return pl_sys_setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                             sizeof(seconds));
}

static int set_tcp_options(int fd, int family,
                           const struct pl_listen_options *options)
{
    int one = 1, only = options->v6only;

    if (!options->eager && defer(fd) < 0)
        return -1;
    if (pl_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) <
            0 ||
        pl_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
        return -1;
    if (family == AF_INET6)
        return pl_sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only,
                                 sizeof(only));
    return 0;
}

/* Returns the descriptor, or -1 with errno. */
static int open_socket(const struct pl_addr *addr,
                       const struct pl_listen_options *options)
{
    int family = addr->sa.sa_family;
    int fd =
        pl_sys_socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    if (family != AF_UNIX && set_tcp_options(fd, family, options) < 0)
        goto fail;
    if (pl_sys_bind(fd, &addr->sa, addr->len) < 0 &&
        !(family == AF_UNIX && errno == EADDRINUSE && stale_unix(addr) &&
          pl_sys_bind(fd, &addr->sa, addr->len) == 0))
        goto fail;
    if (family == AF_UNIX && options->mode != 0 &&
        pl_sys_chmod(addr->un.sun_path, options->mode) < 0)
        goto fail;
    if (pl_sys_listen(fd, options->backlog ? options->backlog : SOMAXCONN) < 0)
        goto fail;
    return fd;
fail:
    saved = errno;
    pl_sys_close(fd);
    errno = saved;
    return -1;
}

/* SO_REUSEPORT would let a second server of the same user share our port
 * without a word: ask for the port once without it. */
static bool port_taken(const struct pl_addr *addr,
                       const struct pl_listen_options *options)
{
    int one = 1, only = options->v6only, fd, err = 0;

    if (addr->sa.sa_family == AF_UNIX || pl_addr_port(addr) == 0)
        return false;
    fd = pl_sys_socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    pl_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (addr->sa.sa_family == AF_INET6)
        pl_sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (pl_sys_bind(fd, &addr->sa, addr->len) < 0)
        err = errno;
    pl_sys_close(fd);
    return err == EADDRINUSE;
}

PL_COLD static int explain(struct pl_error *error, const struct pl_addr *addr,
                           int error_number)
{
    char text[PL_ADDR_TEXT];

    pl_addr_format(addr, text);
    return pl_error_set(error, pl_err_from_errno(error_number), text,
                        "cannot listen on %s: %s", text,
                        strerror(error_number));
}

/* Without sockets; NULL when out of memory. */
static struct pl_listen_group *
make_group(const struct pl_addr *addr, bool shared, unsigned room,
           const struct pl_listen_options *options)
{
    struct pl_listen_group *group =
        pl_calloc(1, sizeof(*group) + room * sizeof(int));

    if (group == NULL)
        return NULL;
    group->addr = *addr;
    group->shared = shared;
    pl_pool_init(&group->pool, NULL, 0);
    pl_arena_init(&group->arena, &group->pool, NULL);
    if (pl_listen_options_copy(&group->arena, options, &group->options) == 0)
        return group;
    pl_listen_close(group);
    return NULL;
}

PL_COLD int pl_listen_open(const struct pl_addr *addr,
                           const struct pl_listen_options *options,
                           struct pl_listen_group **out, struct pl_error *error)
{
    bool shared = addr->sa.sa_family == AF_UNIX;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = shared             ? 1
                     : options->sockets ? options->sockets
                                        : (unsigned)PL_MAX(cpus, 1);
    struct pl_listen_group *group;

    if (port_taken(addr, options))
        return explain(error, addr, EADDRINUSE);
    group = make_group(addr, shared, count, options);
    if (group == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    for (; group->count < count; group->count++) {
        int fd = open_socket(&group->addr, options);

        if (fd < 0) {
            int err = explain(error, addr, errno);

            pl_listen_close(group);
            return err;
        }
        group->fds[group->count] = fd;
        /* Of port 0 the others take the same. */
        if (group->count == 0 && !shared &&
            pl_sys_getsockname(fd, &group->addr.sa, &group->addr.len) < 0) {
            int err = explain(error, addr, errno);

            pl_sys_close(fd);
            pl_listen_close(group);
            return err;
        }
    }
    *out = group;
    return 0;
}

void pl_listen_shut(struct pl_listen_group *group)
{
    if (group->shared && group->count > 0)
        pl_sys_unlink(group->addr.un.sun_path);
    for (unsigned i = 0; i < group->count; i++)
        pl_sys_close(group->fds[i]);
    group->count = 0;
}

PL_COLD void pl_listen_close(struct pl_listen_group *group)
{
    if (group == NULL)
        return;
    pl_listen_shut(group);
    pl_arena_fini(&group->arena);
    pl_pool_fini(&group->pool);
    pl_free(group);
}

/* ---- accepting ---- */

enum { RETRY_NS = 1000000000, COMPLAIN_S = 60, LAST_BATCHES = 64 };

/* Out of descriptors or over a limit: look away until a connection has gone,
 * or for a second. The running connections go on; waiting ones stay in the
 * kernel's queue. */
PL_COLD void pl_listener_pause(struct pl_listener *listener, int err)
{
    struct pl_net *net = listener->net;
    int64_t now = pl_loop_wall(net->loop);

    if (listener->paused || listener->source.slot == 0)
        return;
    listener->paused = true;
    net->paused++;
    net->stats.refused++;
    pl_loop_remove(net->loop, &listener->source, true);
    pl_timer_start(pl_loop_wheel(net->loop), &listener->retry,
                   pl_now(net->loop) + RETRY_NS);
    if (net->complained != 0 && now - net->complained < COMPLAIN_S)
        return;
    net->complained = now;
    pl_log(PL_LOG_ERROR, "net",
           "accepting is paused: %s; open connections=%u (this is said once a "
           "minute)",
           pl_err_text(err), net->stats.open);
}

static int watch(struct pl_listener *listener)
{
    return pl_loop_add(listener->net->loop, &listener->source, PL_READABLE,
                       listener->shared ? PL_EXCLUSIVE : PL_LEVEL);
}

PL_COLD static void look_again(struct pl_listener *listener)
{
    struct pl_net *net = listener->net;

    if (watch(listener) < 0) {
        pl_timer_start(pl_loop_wheel(net->loop), &listener->retry,
                       pl_now(net->loop) + RETRY_NS);
        return;
    }
    pl_timer_stop(pl_loop_wheel(net->loop), &listener->retry);
    listener->paused = false;
    net->paused--;
}

static void on_retry(struct pl_timer *timer)
{
    look_again(PL_CONTAINER_OF(timer, struct pl_listener, retry));
}

void pl_net_accept_again(struct pl_net *net)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &net->listeners) {
        struct pl_listener *listener =
            PL_LIST_ENTRY(node, struct pl_listener, node);

        if (listener->paused)
            look_again(listener);
    }
}

/* The peer gave up between its SYN and our accept, and the like. */
static bool passing(int err)
{
    return err == PL_ERR_CLOSED || err == PL_ERR_DENIED ||
           err == PL_ERR_TIMEOUT;
}

/* True if there may be more at once. */
static bool accept_some(struct pl_listener *listener)
{
    struct pl_net *net = listener->net;

    for (int i = 0; i < PL_LISTEN_BATCH; i++) {
        int fd;

        if (net->limits.max_conns != 0 &&
            net->stats.open >= net->limits.max_conns) {
            pl_listener_pause(listener, PL_ERR_LIMIT);
            return false;
        }
        fd = pl_loop_accept(net->loop, listener->source.fd);
        if (fd == PL_ERR_AGAIN)
            return false;
        if (fd < 0 && passing(fd))
            continue;
        if (fd < 0 || (fd = pl_conn_new(listener, fd)) < 0) {
            pl_listener_pause(listener, fd);
            return false;
        }
    }
    return true;
}

static void on_acceptable(struct pl_source *source, unsigned events)
{
    (void)events;
    accept_some(PL_CONTAINER_OF(source, struct pl_listener, source));
}

PL_COLD int pl_listener_start(struct pl_net *net, int fd, bool shared,
                              bool nodelay, const struct pl_protocol *protocol,
                              void *arg, struct pl_listener **out)
{
    struct pl_listener *listener = pl_calloc(1, sizeof(*listener));
    int err, one = 1;

    if (listener == NULL)
        return PL_ERR_NOMEM;
    listener->source = (struct pl_source){.ready = on_acceptable, .fd = fd};
    listener->net = net;
    listener->protocol = listener->door = protocol;
    listener->options = &pl_listen_defaults;
    listener->arg = arg;
    listener->refs = 1;
    listener->shared = shared;
    /* One gathered send per burst: Nagle would only delay it. Connections
     * inherit this from the socket that accepts them. */
    if (nodelay)
        pl_sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pl_timer_init(&listener->retry, on_retry);
    err = watch(listener);
    if (err < 0) {
        pl_free(listener);
        return err;
    }
    pl_list_push(&net->listeners, &listener->node);
    *out = listener;
    return 0;
}

PL_COLD void pl_listener_configure(struct pl_listener *listener,
                                   const struct pl_listen_options *options)
{
    listener->options = options;
    if (PL_WITH_PROXY && options->proxy != PL_PROXY_OFF) {
        listener->door = &pl_proxy_protocol;
        listener->more = true;
    }
}

struct pl_listener *pl_listener_dialer(struct pl_net *net)
{
    struct pl_listener *listener = pl_calloc(1, sizeof(*listener));

    if (listener == NULL)
        return NULL;
    listener->source.fd = -1; /* in no loop: never paused */
    pl_list_init(&listener->node);
    listener->net = net;
    listener->options = &pl_listen_defaults;
    listener->refs = 1;
    listener->more = true;
    return listener;
}

PL_COLD void pl_listener_stop(struct pl_listener *listener)
{
    struct pl_net *net = listener->net;

    /* The kernel has made connections of what it has queued: their peers have
     * been told. Who floods us does not keep us, though. */
    for (int i = 0; i < LAST_BATCHES && !listener->paused; i++)
        if (!accept_some(listener))
            break;
    pl_loop_remove(net->loop, &listener->source, true);
    pl_timer_stop(pl_loop_wheel(net->loop), &listener->retry);
    net->paused -= listener->paused;
    listener->paused = false;
    pl_listener_drop(listener);
}

void pl_listener_drop(struct pl_listener *listener)
{
    if (--listener->refs > 0)
        return;
    pl_list_remove(&listener->node);
    pl_epoch_part(listener->reader);
    pl_free(listener);
}
