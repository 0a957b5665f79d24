/* conn.c - the life of a connection: accept, read, deadlines, close.
 * Output is in conn_out.c, who is there in conn_who.c. */
#include "net/conn.h"

#include "base/check.h"
#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/conn_priv.h"
#include "net/conn_tls.h"
#include "net/crowd.h"
#include "net/proxy.h"

enum { READ_STEP = 4096 }; /* room made for the rest of something long */

struct pl_conn_io *pl_conn_io_get(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);

    if (conn->io == NULL) {
        conn->io = pl_pool_get_zeroed(net->pool, sizeof(*conn->io));
        if (conn->io == NULL)
            return NULL;
        pl_account_init(&conn->io->account, NULL, net->limits.conn_memory);
        pl_buf_init(&conn->io->in, net->pool, &conn->io->account, 0);
    }
    return conn->io;
}

void pl_conn_io_put(struct pl_conn *conn)
{
    struct pl_conn_io *io = conn->io;

    if (io == NULL || io->in.len > 0 || io->head != NULL)
        return;
    pl_buf_fini(&io->in);
    if (io->account.used > 0) /* the protocol's */
        return;
    conn->io = NULL;
    pl_conn_net(conn)->stats.limited += io->account.refused;
    pl_pool_put(pl_conn_net(conn)->pool, io, sizeof(*io));
}

struct pl_account *pl_conn_account(struct pl_conn *conn)
{
    struct pl_conn_io *io = pl_conn_io_get(conn);

    return io == NULL ? NULL : &io->account;
}

void pl_conn_release(struct pl_conn *conn, size_t size)
{
    pl_account_release(&conn->io->account, size);
    pl_conn_io_put(conn);
}

void pl_conn_again(struct pl_conn *conn)
{
    /* A protocol that cleans up behind the end has no turns left. */
    if (conn->flags & (PL_CONN_AGAIN | PL_CONN_CLOSED))
        return;
    conn->flags |= PL_CONN_AGAIN;
    pl_loop_again(pl_conn_net(conn)->loop, &conn->source, 0);
}

/* ---- close ---- */

void pl_conn_close(struct pl_conn *conn, int why)
{
    struct pl_net *net = pl_conn_net(conn);

    if (conn->flags & PL_CONN_CLOSED)
        return;
    conn->flags |= PL_CONN_CLOSED;
    pl_conn_out_drop(conn);
    pl_deadline_set(&net->deadlines, &conn->source, &conn->class,
                    PL_DEADLINE_NONE, 0);
    if (PL_WITH_CROWD && net->crowd != NULL)
        pl_crowd_leave(conn);
    pl_loop_remove(net->loop, &conn->source, false);
    pl_loop_close_fd(net->loop, conn->source.fd);
    conn->protocol->closed(conn, why);
    net->stats.closed++;
    if (conn->listener == net->dialer)
        net->stats.outgoing--;
    else
        net->stats.open--;
    /* Buried at the end of the turn: callers up the stack still look at it. */
    conn->state = net->graves;
    net->graves = conn;
}

void pl_conn_finish_now(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    bool more = (conn->flags & (PL_CONN_LINGER | PL_CONN_READABLE)) != 0 ||
                (conn->io != NULL && conn->io->in.len > 0);

    if (pl_conn_is_secure(conn)) {
        pl_conn_tls_goodbye(conn);
        if (pl_conn_closed(conn) || pl_conn_has_queue(conn))
            return; /* once more when that has gone */
    }
    /* Closing with unread input makes the kernel send RST, which may take the
     * answer away from a peer that still sends (RFC 9112, 9.6). */
    if (!more || (conn->flags & PL_CONN_EOF)) {
        pl_conn_close(conn, 0);
        return;
    }
    if (pl_loop_shutdown(net->loop, conn->source.fd) < 0) {
        pl_conn_close(conn, PL_ERR_CLOSED);
        return;
    }
    conn->flags |= PL_CONN_SHUT;
    conn->flags &= (uint16_t)~PL_CONN_PAUSED;
    pl_deadline_set(&net->deadlines, &conn->source, &conn->class,
                    PL_DEADLINE_LINGER, net->limits.linger_ms);
    pl_conn_again(conn); /* drops what is kept */
}

void pl_conn_finish(struct pl_conn *conn, bool linger)
{
    if (conn->flags & (PL_CONN_CLOSED | PL_CONN_FINISHING))
        return;
    conn->flags |= PL_CONN_FINISHING;
    if (linger)
        conn->flags |= PL_CONN_LINGER;
    pl_conn_flush(conn);
    if (!pl_conn_closed(conn) && (conn->io == NULL || conn->io->head == NULL))
        pl_conn_finish_now(conn);
}

/* ---- input ---- */

/* Shows bytes to the protocol; returns how many it used, all of them for a
 * connection that only waits for the peer's FIN. */
static inline size_t show(struct pl_conn *conn, struct pl_str bytes)
{
    size_t used;

    if (conn->flags & PL_CONN_FINISHING)
        return bytes.len;
    used = conn->protocol->input(conn, bytes);
    PL_ASSERT(used <= bytes.len);
    return used;
}

static void show_kept(struct pl_conn *conn)
{
    size_t used = show(conn, pl_buf_str(&conn->io->in));

    if (!pl_conn_closed(conn))
        pl_buf_consume(&conn->io->in, used);
}

PL_INLINE void show_read(struct pl_conn *conn, struct pl_str bytes)
{
    size_t used = show(conn, bytes);

    if (pl_conn_closed(conn) || used == bytes.len ||
        (conn->flags & PL_CONN_SHUT))
        return;
    if (pl_conn_io_get(conn) == NULL)
        pl_conn_close(conn, PL_ERR_NOMEM);
    else if (pl_buf_add(&conn->io->in, pl_str_skip(bytes, used)) < 0)
        pl_conn_close(conn, conn->io->in.err);
}

void pl_conn_show_plain(struct pl_conn *conn, struct pl_str bytes)
{
    if (pl_conn_kept(conn) == 0)
        show_read(conn, bytes);
    else if (pl_buf_add(&conn->io->in, bytes) < 0)
        pl_conn_close(conn, conn->io->in.err);
    else
        show_kept(conn);
}

void pl_conn_at_eof(struct pl_conn *conn)
{
    conn->flags |= PL_CONN_EOF;
    conn->flags &= (uint16_t)~PL_CONN_READABLE;
    if (conn->flags & PL_CONN_SHUT)
        pl_conn_close(conn, 0);
    else if (!(conn->flags & PL_CONN_FINISHING))
        conn->protocol->eof(conn);
}

PL_INLINE ssize_t receive(struct pl_conn *conn, char *to, size_t room)
{
    ssize_t n =
        pl_loop_recv(pl_conn_net(conn)->loop, conn->source.fd, to, room);

    if (n == 0) {
        pl_conn_at_eof(conn);
        return 0;
    }
    /* A short read has emptied the socket; but after the peer's FIN no further
     * event comes, so then only recv itself may say so. */
    if (n == PL_ERR_AGAIN ||
        (n > 0 && (size_t)n < room && !(conn->flags & PL_CONN_PEER_DONE)))
        conn->flags &= (uint16_t)~PL_CONN_READABLE;
    if (n < 0 && n != PL_ERR_AGAIN)
        pl_conn_close(conn, (int)n);
    return PL_MAX(n, 0);
}

ssize_t pl_conn_receive(struct pl_conn *conn, char *to, size_t room)
{
    return receive(conn, to, room);
}

/* One recv; returns the bytes read, 0 when there is nothing (more) to read. */
static size_t read_once(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    bool keep = conn->io != NULL && conn->io->in.len > 0;
    size_t room = PL_NET_INBOX;
    char *to = net->inbox;
    ssize_t n;

    if (pl_conn_is_secure(conn) && !(conn->flags & PL_CONN_FINISHING))
        return pl_conn_tls_read(conn);
    if (keep) {
        if (pl_buf_reserve(&conn->io->in, READ_STEP) < 0) {
            pl_conn_close(conn, conn->io->in.err);
            return 0;
        }
        to = conn->io->in.data + conn->io->in.len;
        room = conn->io->in.cap - conn->io->in.len;
    }
    n = receive(conn, to, room);
    if (n == 0)
        return 0;
    if (!keep) {
        show_read(conn, pl_str(to, (size_t)n));
    } else {
        conn->io->in.len += (size_t)n;
        show_kept(conn);
    }
    return (size_t)n;
}

/* What is kept is shown again before more is read: an event that comes in
 * between would make it grow, as long as the protocol takes less than comes. */
static bool wants_input(const struct pl_conn *conn)
{
    if ((conn->flags & PL_CONN_AGAIN) && pl_conn_kept(conn) > 0)
        return false;
    return (conn->flags & (PL_CONN_READABLE | PL_CONN_PAUSED | PL_CONN_CLOSED |
                           PL_CONN_EOF)) == PL_CONN_READABLE;
}

static void read_input(struct pl_conn *conn)
{
    size_t total = 0;

    while (wants_input(conn)) {
        if (total >= PL_NET_BUDGET) {
            pl_conn_again(conn); /* the others first */
            return;
        }
        total += read_once(conn);
    }
}

/* The protocol has let others go first. */
static void go_on(struct pl_conn *conn)
{
    conn->flags &= (uint16_t)~PL_CONN_YIELDED;
    if (!pl_conn_closed(conn))
        conn->protocol->drained(conn);
}

PL_INLINE uint16_t flags_of(unsigned events)
{
    uint16_t flags = 0;

    if (events & (PL_PEER_CLOSED | PL_HANGUP))
        flags |= PL_CONN_READABLE | PL_CONN_PEER_DONE;
    if (events & PL_READABLE)
        flags |= PL_CONN_READABLE;
    if (events & PL_WRITABLE)
        flags |= PL_CONN_WRITABLE;
    return flags;
}

static void on_ready(struct pl_source *source, unsigned events)
{
    struct pl_conn *conn = PL_CONTAINER_OF(source, struct pl_conn, source);
    bool resumed = events == 0;

    if (resumed)
        conn->flags &= (uint16_t)~PL_CONN_AGAIN;
    if (events & PL_HANGUP) {
        pl_conn_output_failed(conn, PL_ERR_CLOSED);
        if (pl_conn_closed(conn))
            return;
    }
    conn->flags |= flags_of(events);
    if (conn->io != NULL && conn->io->head != NULL &&
        (conn->flags & PL_CONN_WRITABLE))
        pl_conn_push(conn);
    if (resumed && (conn->flags & PL_CONN_YIELDED))
        go_on(conn);
    if (resumed && !(conn->flags & (PL_CONN_PAUSED | PL_CONN_CLOSED)) &&
        conn->io != NULL && conn->io->in.len > 0)
        show_kept(conn);
    read_input(conn);
    pl_conn_flush(conn);
    if (!pl_conn_closed(conn))
        pl_conn_io_put(conn);
}

void pl_conn_yield(struct pl_conn *conn)
{
    conn->flags |= PL_CONN_YIELDED;
    pl_conn_again(conn);
}

void pl_conn_pause(struct pl_conn *conn)
{
    conn->flags |= PL_CONN_PAUSED;
}

void pl_conn_pass(struct pl_conn *conn)
{
    pl_conn_pause(conn);
    pl_conn_yield(conn);
}

void pl_conn_resume(struct pl_conn *conn)
{
    if (conn->flags & (PL_CONN_CLOSED | PL_CONN_FINISHING))
        return;
    conn->flags &= (uint16_t)~PL_CONN_PAUSED;
    pl_conn_again(conn);
}

size_t pl_conn_kept(const struct pl_conn *conn)
{
    return conn->io == NULL ? 0 : conn->io->in.len;
}

struct pl_str pl_conn_rest(const struct pl_conn *conn)
{
    return conn->io == NULL ? pl_str(NULL, 0) : pl_buf_str(&conn->io->in);
}

void pl_conn_consume(struct pl_conn *conn, size_t n)
{
    pl_buf_consume(&conn->io->in, n);
    pl_conn_io_put(conn);
}

PL_COLD void pl_net_each(struct pl_net *net,
                         void (*fn)(struct pl_conn *conn, void *arg), void *arg)
{
    for (uint32_t slot = pl_loop_slots(net->loop); slot > 0; slot--) {
        struct pl_source *source = pl_loop_slot(net->loop, slot);

        if (source != NULL && source->ready == on_ready)
            fn(PL_CONTAINER_OF(source, struct pl_conn, source), arg);
    }
}

/* ---- birth ---- */

static void watch(struct pl_conn *conn)
{
    int err = pl_loop_watch(pl_conn_net(conn)->loop, &conn->source,
                            PL_READABLE | PL_WRITABLE, PL_EDGE);

    conn->flags &= (uint16_t)~PL_CONN_FRESH;
    if (err == 0)
        return;
    pl_listener_pause(conn->listener, err);
    pl_conn_close(conn, err);
}

/* Some are closed by now, and others have got their slots. */
static void watch_fresh(struct pl_net *net)
{
    for (unsigned i = 0; i < net->nfresh; i++) {
        struct pl_source *source = pl_loop_slot(net->loop, net->fresh[i]);
        struct pl_conn *conn;

        if (source == NULL || source->ready != on_ready)
            continue;
        conn = PL_CONTAINER_OF(source, struct pl_conn, source);
        if (conn->flags & PL_CONN_FRESH)
            watch(conn);
    }
    net->nfresh = 0;
}

static size_t size_of(const struct pl_listener *listener)
{
    return sizeof(struct pl_conn) +
           (listener->more ? sizeof(struct pl_conn_more) : 0);
}

/* crowd: whom it is counted with; NULL: with none. */
static int make(struct pl_listener *listener, int fd,
                const struct pl_protocol *protocol, void *state,
                struct pl_crowd_entry *crowd)
{
    struct pl_net *net = listener->net;
    struct pl_conn *conn = pl_pool_get(net->pool, size_of(listener));
    int err = PL_ERR_NOMEM;

    if (conn == NULL)
        goto fail;
    *conn = (struct pl_conn){.source = {.ready = on_ready, .fd = fd},
                             .protocol = protocol,
                             .state = state,
                             .listener = listener,
                             .flags = PL_CONN_FRESH};
    if (listener->more)
        *pl_conn_more(conn) = (struct pl_conn_more){0};
    err = pl_loop_enter(net->loop, &conn->source);
    if (err < 0)
        goto fail;
    listener->refs++;
    if (listener == net->dialer) {
        net->stats.dialed++;
        net->stats.outgoing++;
    } else {
        net->stats.accepted++;
        net->stats.open++;
    }
    if (PL_WITH_CROWD && crowd != NULL && pl_crowd_join(conn, crowd))
        conn->protocol->busy(conn);
    else
        conn->protocol->opened(conn);
    if (net->nfresh == PL_NET_FRESH)
        watch_fresh(net);
    net->fresh[net->nfresh++] = conn->source.slot;
    if (!pl_conn_closed(conn))
        on_ready(&conn->source, PL_READABLE | PL_WRITABLE);
    return 0;
fail:
    if (PL_WITH_CROWD)
        pl_crowd_miss(net, crowd);
    pl_pool_put(net->pool, conn, size_of(listener));
    pl_loop_close_fd(net->loop, fd);
    return err;
}

void pl_conn_proceed(struct pl_conn *conn)
{
    conn->protocol = PL_WITH_TLS && conn->listener->tls != NULL
                         ? &pl_tls_protocol
                         : conn->listener->protocol;
    conn->protocol->opened(conn);
}

size_t pl_conn_proceed_with(struct pl_conn *conn, struct pl_str bytes)
{
    const uint16_t stop = PL_CONN_CLOSED | PL_CONN_FINISHING | PL_CONN_PAUSED;

    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    pl_conn_proceed(conn);
    return bytes.len == 0 || conn->flags & stop
               ? 0
               : conn->protocol->input(conn, bytes);
}

int pl_conn_new(struct pl_listener *listener, int fd)
{
    struct pl_net *net = listener->net;
    struct pl_crowd_entry *crowd = NULL;

    if (PL_WITH_CROWD && net->limits.max_per_address != 0 &&
        !pl_crowd_admit(listener, fd, &crowd)) {
        pl_loop_close_fd(net->loop, fd);
        return 0;
    }
    return make(listener, fd, listener->door, NULL, crowd);
}

int pl_conn_dialed(struct pl_net *net, int fd,
                   const struct pl_protocol *protocol, void *state)
{
    if (net->dialer == NULL)
        net->dialer = pl_listener_dialer(net);
    if (net->dialer != NULL)
        return make(net->dialer, fd, protocol, state, NULL);
    pl_loop_close_fd(net->loop, fd);
    return PL_ERR_NOMEM;
}

/* ---- time ---- */

void pl_conn_deadline(struct pl_conn *conn, enum pl_deadline_class class,
                      uint32_t ms)
{
    if (conn->flags & (PL_CONN_CLOSED | PL_CONN_SHUT))
        return;
    if (conn->io != NULL && conn->io->head != NULL) {
        conn->io->user_class = (uint8_t) class;
        conn->io->user_ms = ms;
        return;
    }
    pl_deadline_set(&pl_conn_net(conn)->deadlines, &conn->source, &conn->class,
                    class, ms);
}

static struct pl_deadline *deadline_of(struct pl_source *source)
{
    return &PL_CONTAINER_OF(source, struct pl_conn, source)->deadline;
}

PL_COLD static void on_expired(struct pl_source *source,
                               enum pl_deadline_class class)
{
    struct pl_conn *conn = PL_CONTAINER_OF(source, struct pl_conn, source);

    if (class == PL_DEADLINE_WRITE) {
        pl_conn_write_late(conn);
        return;
    }
    pl_conn_net(conn)->stats.timed_out++;
    if (class == PL_DEADLINE_LINGER) {
        pl_conn_close(conn, PL_ERR_TIMEOUT);
        return;
    }
    /* The protocol closes or sets a new deadline; without either it has none.
     */
    pl_deadline_set(&pl_conn_net(conn)->deadlines, source, &conn->class,
                    PL_DEADLINE_NONE, 0);
    conn->protocol->timeout(conn, class);
    pl_conn_flush(conn);
}

/* ---- the worker's share ---- */

const struct pl_net_limits pl_net_default_limits = {
    .conn_memory = 1 << 20,
    .output_high = 256 << 10,
    .output_low = 64 << 10,
    .write_ms = 30000,
    .linger_ms = 5000,
    .head_ms = 10000,
};

static void bury(struct pl_net *net, struct pl_conn *conn)
{
    size_t size = size_of(conn->listener);

    if (conn->io != NULL)
        conn->io->in.len = 0;
    if (PL_WITH_TLS)
        pl_conn_tls_free(conn);
    if (conn->io != NULL)
        pl_conn_io_put(conn);
    PL_ASSERT(conn->io == NULL);
    if (PL_WITH_PROXY)
        pl_proxy_forget(conn);
    pl_listener_drop(conn->listener);
    pl_pool_put(net->pool, conn, size);
}

static bool end_of_turn(struct pl_hook *hook)
{
    struct pl_net *net = PL_CONTAINER_OF(hook, struct pl_net, hook);

    while (net->owner != NULL)
        pl_conn_flush(net->owner);
    watch_fresh(net);
    if (PL_WITH_TLS && net->tls != NULL)
        pl_conn_tls_next_turn(net->tls);
    if (net->graves == NULL)
        return false;
    while (net->graves != NULL) {
        struct pl_conn *conn = net->graves;

        net->graves = conn->state;
        bury(net, conn);
    }
    if (net->paused > 0) /* there is room, or a descriptor, again */
        pl_net_accept_again(net);
    return false;
}

PL_COLD int pl_net_init(struct pl_net *net, struct pl_loop *loop,
                        const struct pl_net_limits *limits)
{
    *net = (struct pl_net){.loop = loop,
                           .pool = pl_loop_pool(loop),
                           .limits = limits ? *limits : pl_net_default_limits,
                           .hook = {.run = end_of_turn}};
    net->inbox = pl_malloc(PL_NET_INBOX);
    net->outbox = pl_malloc(PL_NET_OUTBOX);
    if (net->inbox == NULL || net->outbox == NULL) {
        pl_free(net->inbox);
        pl_free(net->outbox);
        return PL_ERR_NOMEM;
    }
    pl_list_init(&net->listeners);
    pl_deadlines_init(&net->deadlines, loop);
    net->deadlines.expired = on_expired;
    net->deadlines.of = deadline_of;
    pl_loop_add_hook(loop, &net->hook);
    return 0;
}

PL_COLD void pl_net_fini(struct pl_net *net)
{
    end_of_turn(&net->hook); /* buries what was closed between turns */
    PL_ASSERT(net->stats.open == 0 && net->stats.outgoing == 0 &&
              pl_list_empty(&net->listeners) && net->reads == 0);
    if (net->dialer != NULL)
        pl_listener_drop(net->dialer);
    pl_loop_remove_hook(&net->hook);
    pl_deadlines_fini(&net->deadlines);
    if (PL_WITH_TLS)
        pl_net_tls_fini(net);
    if (PL_WITH_CROWD)
        pl_crowd_free(net->crowd);
    pl_free(net->inbox);
    pl_free(net->outbox);
}
