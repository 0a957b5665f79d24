/* udp.c - sockets of datagrams, registered once and edge-triggered: an event
 * only wakes who waits, as every call is tried first. */
#include "socket/udp.h"

#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"

#define UDP_MAGIC 0x6d617264u /* "dram" */

/* ---- waiting ---- */

static void finish(struct pl_udp_op *op, int result)
{
    if (op->write)
        op->udp->writer = NULL;
    else
        op->udp->reader = NULL;
    pl_timer_stop(pl_loop_wheel(op->op.sched->loop), &op->timer);
    pl_op_complete(&op->op, result);
}

static void on_ready(struct pl_source *source, unsigned events)
{
    struct pl_udp *udp = PL_CONTAINER_OF(source, struct pl_udp, source);

    /* An error that is queued is told by the next call of either kind. */
    if (udp->reader != NULL && (events & (PL_READABLE | PL_HANGUP)))
        finish(udp->reader, 0);
    if (udp->writer != NULL && (events & (PL_WRITABLE | PL_HANGUP)))
        finish(udp->writer, 0);
}

static void on_late(struct pl_timer *timer)
{
    finish(PL_CONTAINER_OF(timer, struct pl_udp_op, timer), PL_ERR_TIMEOUT);
}

static void cancel(struct pl_op *op)
{
    finish(PL_CONTAINER_OF(op, struct pl_udp_op, op), PL_ERR_CANCELED);
}

void pl_udp_wait_begin(struct pl_udp_op *op, struct pl_udp *udp, bool write)
{
    struct pl_sched *sched = udp->sockets->sched;
    struct pl_udp_op **place = write ? &udp->writer : &udp->reader;

    op->udp = udp;
    op->write = write;
    pl_op_init(&op->op, sched, cancel);
    pl_op_begin(&op->op);
    pl_timer_init(&op->timer, on_late);
    if (*place != NULL) {
        pl_op_complete(&op->op, PL_ERR_BUSY);
        return;
    }
    if (!write && udp->served && udp->sockets->stopping) {
        pl_op_complete(&op->op, PL_ERR_STOPPING);
        return;
    }
    *place = op;
    if (udp->timeout_ms > 0)
        pl_timer_start(pl_loop_wheel(sched->loop), &op->timer,
                       pl_now(sched->loop) +
                           udp->timeout_ms * (uint64_t)1000000);
}

/* ---- datagrams ---- */

ssize_t pl_udp_take(struct pl_udp *udp, char *to, size_t size,
                    struct pl_addr *from)
{
    ssize_t n;

    do {
        *from = (struct pl_addr){.len = sizeof(from->un)};
        n = pl_sys_recvfrom(udp->source.fd, to, size, MSG_TRUNC, &from->sa,
                            &from->len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? pl_err_from_errno(errno) : n;
}

int pl_udp_put(struct pl_udp *udp, struct pl_str bytes,
               const struct pl_addr *peer)
{
    ssize_t n;

    do {
        n = pl_sys_sendto(udp->source.fd, bytes.data, bytes.len, MSG_NOSIGNAL,
                          peer == NULL ? NULL : &peer->sa,
                          peer == NULL ? 0 : peer->len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? pl_err_from_errno(errno) : 0;
}

/* ---- life ---- */

static int set(int fd, int level, int name, int value)
{
    return pl_sys_setsockopt(fd, level, name, &value, sizeof(value));
}

static int join(int fd, const struct pl_udp_spec *spec)
{
    const struct pl_addr *group = spec->group;
    struct ip_mreqn v4;
    struct ipv6_mreq v6;

    if (group->sa.sa_family == AF_INET) {
        v4 = (struct ip_mreqn){.imr_multiaddr = group->v4.sin_addr};
        return pl_sys_setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &v4,
                                 sizeof(v4));
    }
    v6 = (struct ipv6_mreq){.ipv6mr_multiaddr = group->v6.sin6_addr,
                            .ipv6mr_interface = group->v6.sin6_scope_id};
    return pl_sys_setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6,
                             sizeof(v6));
}

static int set_options(int fd, int family, const struct pl_udp_spec *spec)
{
    if (spec->reuse_port && (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
                             set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0))
        return -1;
    if (spec->broadcast && set(fd, SOL_SOCKET, SO_BROADCAST, 1) < 0)
        return -1;
    if (spec->buffer > 0 &&
        (set(fd, SOL_SOCKET, SO_RCVBUF, (int)spec->buffer) < 0 ||
         set(fd, SOL_SOCKET, SO_SNDBUF, (int)spec->buffer) < 0))
        return -1;
    if (spec->ttl == 0)
        return 0;
    return family == AF_INET
               ? set(fd, IPPROTO_IP, IP_MULTICAST_TTL, (int)spec->ttl)
               : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, (int)spec->ttl);
}

/* -1 with errno, and the address that is to blame (or NULL). */
static int open_fd(const struct pl_udp_spec *spec, const struct pl_addr **blame)
{
    const struct pl_addr *first = spec->bind != NULL   ? spec->bind
                                  : spec->peer != NULL ? spec->peer
                                                       : spec->group;
    int family = first == NULL ? AF_INET : first->sa.sa_family, saved;
    int fd =
        pl_sys_socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *blame = first;
    if (fd < 0)
        return -1;
    if (set_options(fd, family, spec) < 0)
        goto fail;
    if (spec->bind != NULL &&
        pl_sys_bind(fd, &spec->bind->sa, spec->bind->len) < 0)
        goto fail;
    *blame = spec->group;
    if (spec->group != NULL && join(fd, spec) < 0)
        goto fail;
    *blame = spec->peer;
    if (spec->peer != NULL &&
        pl_sys_connect(fd, &spec->peer->sa, spec->peer->len) < 0)
        goto fail;
    return fd;
fail:
    saved = errno;
    pl_sys_close(fd);
    errno = saved;
    return -1;
}

static int explain(struct pl_error *error, int err, const struct pl_addr *blame,
                   const char *why)
{
    char text[PL_ADDR_TEXT] = "a socket";

    if (blame != NULL)
        pl_addr_format(blame, text);
    return pl_error_set(error, err, text, "%s: %s", text, why);
}

int pl_udp_make(struct pl_sockets *sockets, const struct pl_udp_spec *spec,
                struct pl_udp **out, struct pl_error *error)
{
    struct pl_pool *pool = sockets->net->pool;
    struct pl_udp *udp = pl_pool_get_zeroed(pool, sizeof(*udp));
    const struct pl_addr *blame = NULL;
    int fd, err;

    if (udp == NULL)
        return explain(error, PL_ERR_NOMEM, NULL, "out of memory");
    fd = open_fd(spec, &blame);
    if (fd < 0) {
        err = explain(error, pl_err_from_errno(errno), blame, strerror(errno));
        pl_pool_put(pool, udp, sizeof(*udp));
        return err;
    }
    udp->magic = UDP_MAGIC;
    udp->sockets = sockets;
    udp->timeout_ms = PL_SOCKET_TIMEOUT_MS;
    udp->source = (struct pl_source){.ready = on_ready, .fd = fd};
    err = pl_loop_add(sockets->net->loop, &udp->source,
                      PL_READABLE | PL_WRITABLE, PL_EDGE);
    if (err < 0) {
        pl_sys_close(fd);
        pl_pool_put(pool, udp, sizeof(*udp));
        return explain(error, err, NULL, pl_err_text(err));
    }
    pl_list_push(&sockets->datagrams, &udp->node);
    *out = udp;
    return 0;
}

void pl_udp_set_home(struct pl_udp *udp, struct pl_udp **home)
{
    udp->home = home;
    *home = udp;
}

static void on_owner_ends(void *arg)
{
    struct pl_udp *udp = arg;

    udp->owner = NULL;
    pl_udp_close(udp);
}

void pl_udp_set_owner(struct pl_udp *udp, struct pl_task *owner)
{
    if (udp->owner != NULL)
        pl_task_undefer(udp->owner, &udp->defer);
    udp->owner = owner;
    if (owner != NULL)
        pl_task_defer(owner, &udp->defer, on_owner_ends, udp);
}

void pl_udp_close(struct pl_udp *udp)
{
    struct pl_loop *loop = udp->sockets->net->loop;

    PL_CHECK(udp, UDP_MAGIC);
    if (udp->home != NULL)
        *udp->home = NULL;
    pl_udp_set_owner(udp, NULL);
    if (udp->reader != NULL)
        finish(udp->reader, PL_ERR_CLOSED);
    if (udp->writer != NULL)
        finish(udp->writer, PL_ERR_CLOSED);
    pl_loop_remove(loop, &udp->source, false);
    pl_sys_close(udp->source.fd);
    pl_list_remove(&udp->node);
    udp->magic = 0;
    pl_pool_put(udp->sockets->net->pool, udp, sizeof(*udp));
}

void pl_udp_drain(struct pl_sockets *sockets)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &sockets->datagrams) {
        struct pl_udp *udp = PL_LIST_ENTRY(node, struct pl_udp, node);

        if (udp->served && udp->reader != NULL)
            finish(udp->reader, PL_ERR_STOPPING);
    }
}

void pl_udp_close_all(struct pl_sockets *sockets)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &sockets->datagrams)
        pl_udp_close(PL_LIST_ENTRY(node, struct pl_udp, node));
}

bool pl_udp_own_addr(const struct pl_udp *udp, struct pl_addr *addr)
{
    *addr = (struct pl_addr){.len = sizeof(addr->un)};
    return pl_sys_getsockname(udp->source.fd, &addr->sa, &addr->len) == 0;
}
