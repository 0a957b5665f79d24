#include "net/listener.h"

#include <netinet/tcp.h>

#include "base/check.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/conn.h"
#include "net/proxy.h"

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
                                   struct pl_listen_group *group)
{
    const struct pl_listen_options *options = &group->options;

    listener->group = group;
    atomic_fetch_add(&group->users, 1);
    listener->options = options;
    if (!PL_WITH_PROXY)
        return;
    listener->more = listener->more || options->trusted != NULL;
    if (options->proxy != PL_PROXY_OFF)
        listener->door = &pl_proxy_protocol;
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

    if (listener->stopped)
        return;
    listener->stopped = true;
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
    if (listener->group != NULL)
        atomic_fetch_sub(&listener->group->users, 1);
    pl_free(listener);
}
