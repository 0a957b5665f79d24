/* scripted.c - TCP sockets in memory, with the readiness of Linux.
 *
 * As in the kernel, readiness is not stored. What happens to a socket puts it
 * on the ready list (wake); a wait takes sockets off it and asks each for its
 * state (poll): an empty answer is dropped, level-triggered ones stay listed.
 *
 * A send that did not fit, or a poll that found no space, sets nospace; space
 * that is freed later wakes the socket only then. The socket is writable while
 * at least a third of its window is free (sk_stream_is_writeable). */
#include "loop/scripted_priv.h"

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"

/* Far from real descriptors: mixing them up gives EBADF, not a surprise. */
enum { FD_BASE = 1 << 20 };

/* ---- sockets ---- */

void *pl_script_grow(void *array, int *cap, size_t size)
{
    int before = *cap;

    *cap = before == 0 ? 16 : before * 2;
    array = pl_realloc(array, (size_t)*cap * size);
    PL_ASSERT(array != NULL); /* a test's own memory */
    memset((char *)array + (size_t)before * size, 0,
           (size_t)(*cap - before) * size);
    return array;
}

struct pl_script_sock *pl_script_near(struct pl_script *script, int fd)
{
    int i = fd - FD_BASE;

    return i >= 0 && i < script->fd_cap ? script->fds[i] : NULL;
}

/* As in the kernel, the lowest free number: stale ones are soon wrong. */
int pl_script_take_fd(struct pl_script *script, struct pl_script_sock *sock)
{
    int i = 0;

    while (i < script->fd_cap && script->fds[i] != NULL)
        i++;
    if (i == script->fd_cap)
        script->fds = pl_script_grow(script->fds, &script->fd_cap,
                                     sizeof(script->fds[0]));
    script->fds[i] = sock;
    sock->fd = FD_BASE + i;
    return sock->fd;
}

/* Counts a call; 0, or the error that the test ordered for it. */
static int begin_call(struct pl_script *script, enum pl_script_call call)
{
    script->calls[call]++;
    if (script->failures[call] == 0)
        return 0;
    script->failures[call]--;
    return script->errors[call];
}

/* ---- readiness ---- */

void pl_script_wake(struct pl_script *script, struct pl_script_sock *sock)
{
    if (sock->watched && pl_list_empty(&sock->ready))
        pl_list_push(&script->ready, &sock->ready);
}

static size_t space(const struct pl_script *script,
                    const struct pl_script_sock *sock)
{
    size_t free =
        sock->window > sock->out.len ? sock->window - sock->out.len : 0;

    if (script->chop == 0)
        return free;
    return sock->sent >= script->chop ? 0
                                      : PL_MIN(free, script->chop - sock->sent);
}

static bool writable(const struct pl_script *script,
                     const struct pl_script_sock *sock)
{
    if (sock->finished || sock->reset)
        return true; /* a send fails at once */
    if (script->chop != 0)
        return space(script, sock) > 0;
    return space(script, sock) > 0 &&
           sock->window - sock->out.len >= sock->out.len / 2;
}

static unsigned poll_sock(const struct pl_script *script,
                          struct pl_script_sock *sock)
{
    unsigned events = 0;

    if (sock->listener)
        return pl_list_empty(&sock->backlog) ? 0 : PL_READABLE;
    if (sock->arrived > 0)
        events |= PL_READABLE;
    if (sock->fin_arrived || sock->reset)
        events |= PL_READABLE | PL_PEER_CLOSED;
    if ((sock->fin_arrived && sock->finished) || sock->reset)
        events |= PL_HANGUP;
    if (writable(script, sock))
        events |= PL_WRITABLE;
    else
        sock->nospace = true;
    return events;
}

void pl_script_write_space(struct pl_script *script,
                           struct pl_script_sock *sock)
{
    if (!sock->nospace || !writable(script, sock))
        return;
    sock->nospace = false;
    pl_script_wake(script, sock);
}

void pl_script_arrive(struct pl_script *script, struct pl_script_sock *sock)
{
    size_t whole = sock->in.len - sock->in_read;
    size_t more = script->chop == 0    ? whole
                  : sock->arrived == 0 ? PL_MIN(whole, script->chop)
                                       : sock->arrived;
    bool fin = sock->fin_sent && more == whole;

    if (more == sock->arrived && fin == sock->fin_arrived)
        return;
    sock->arrived = more;
    sock->fin_arrived = fin;
    pl_script_wake(script, sock);
}

void pl_script_answer_reset(struct pl_script *script,
                            struct pl_script_sock *sock)
{
    if (sock->reset)
        return;
    sock->reset = sock->error = true;
    pl_script_wake(script, sock);
}

/* ---- the backend: watching ---- */

static int script_open(struct pl_loop *loop, void **state)
{
    struct pl_script *script = pl_calloc(1, sizeof(*script));

    if (script == NULL)
        return PL_ERR_NOMEM;
    pl_pool_init(&script->pool, NULL, 0);
    pl_list_init(&script->open);
    pl_list_init(&script->ready);
    *state = script;
    return 0;
}

static void script_close(void *state)
{
    struct pl_script *script = state;

    for (int i = 0; i < script->count; i++) {
        pl_buf_fini(&script->socks[i]->in);
        pl_buf_fini(&script->socks[i]->out);
        pl_pool_put(&script->pool, script->socks[i],
                    sizeof(struct pl_script_sock));
    }
    pl_pool_fini(&script->pool);
    pl_free(script->socks);
    pl_free(script->fds);
    pl_free(script);
}

/* Adding and modifying look at the state at once. */
static int script_watch(struct pl_script *script, struct pl_script_sock *sock,
                        unsigned events, enum pl_watch_mode mode,
                        uint64_t token)
{
    sock->watched = true;
    sock->events = PL_HANGUP | (mode == PL_EDGE ? 15u : events);
    sock->mode = mode;
    sock->token = token;
    if (poll_sock(script, sock) & sock->events)
        pl_script_wake(script, sock);
    return 0;
}

static int script_add(void *state, int fd, unsigned events,
                      enum pl_watch_mode mode, uint64_t token)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_add);

    if (err < 0)
        return err;
    if (sock == NULL)
        return PL_ERR_INVALID;
    if (sock->watched)
        return PL_ERR_EXISTS;
    return script_watch(state, sock, events, mode, token);
}

static int script_modify(void *state, int fd, unsigned events,
                         enum pl_watch_mode mode, uint64_t token)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_modify);

    if (err < 0)
        return err;
    if (sock == NULL || !sock->watched)
        return PL_ERR_NOT_FOUND;
    return script_watch(state, sock, events, mode, token);
}

static void unwatch(struct pl_script_sock *sock)
{
    sock->watched = false;
    pl_list_remove(&sock->ready);
}

static void script_remove(void *state, int fd, uint64_t token, bool keep_fd)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);

    if (!keep_fd)
        return; /* close_fd does it, as in the kernel */
    begin_call(state, PL_SCRIPT_remove);
    if (sock != NULL)
        unwatch(sock);
}

void pl_script_ration(struct pl_script *script)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &script->open) {
        struct pl_script_sock *sock =
            PL_LIST_ENTRY(node, struct pl_script_sock, open);

        sock->sent = 0;
        pl_script_arrive(script, sock);
        pl_script_write_space(script, sock);
    }
}

static int script_wait(void *state, int timeout_ms)
{
    struct pl_script *script = state;
    struct pl_list again = PL_LIST_INIT(again), *node;
    int n = 0, err = begin_call(script, PL_SCRIPT_wait);

    if (err < 0)
        return err;
    if (script->chop != 0)
        pl_script_ration(script);
    while (n < PL_SCRIPT_BATCH &&
           (node = pl_list_pop(&script->ready)) != NULL) {
        struct pl_script_sock *sock =
            PL_LIST_ENTRY(node, struct pl_script_sock, ready);
        unsigned events = poll_sock(script, sock) & sock->events;

        if (events == 0)
            continue;
        script->batch[n].token = sock->token;
        script->batch[n++].events = events;
        if (sock->mode != PL_EDGE)
            pl_list_push(&again, node);
    }
    pl_list_splice(&script->ready, &again);
    script->collected = n;
    return n;
}

static void script_dispatch(void *state, struct pl_loop *loop)
{
    struct pl_script *script = state;

    for (int i = 0; i < script->collected; i++)
        pl_loop_event(loop, script->batch[i].token, script->batch[i].events);
    script->collected = 0;
}

static void script_wake(void *state)
{
    /* One thread, and a wait never sleeps. */
}

/* ---- the backend: transfers ---- */

/* Moves what is left when that is less than what was read: once a byte would
 * take the square of the length. */
static void read_in(struct pl_script_sock *sock, void *to, size_t len)
{
    memcpy(to, sock->in.data + sock->in_read, len);
    sock->arrived -= len;
    sock->in_read += len;
    if (sock->in_read >= sock->in.len / 2) {
        pl_buf_consume(&sock->in, sock->in_read);
        sock->in_read = 0;
    }
}

static ssize_t script_recv(void *state, int fd, void *to, size_t len)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_recv);

    if (err < 0)
        return err;
    if (sock == NULL || sock->listener)
        return PL_ERR_INVALID;
    if (sock->arrived > 0) { /* Linux gives them out even after a reset */
        len = PL_MIN(len, sock->arrived);
        read_in(sock, to, len);
        return (ssize_t)len;
    }
    if (sock->fin_arrived) /* first: then a later reset is not reported */
        return 0;
    if (sock->error) {
        sock->error = false;
        return PL_ERR_CLOSED;
    }
    return sock->reset ? 0 : PL_ERR_AGAIN;
}

/* How much of want fits: a count, or the error. */
static ssize_t admit(struct pl_script *script, struct pl_script_sock *sock,
                     size_t want)
{
    size_t fits;

    if (sock == NULL || sock->listener)
        return PL_ERR_INVALID;
    if (sock->finished || sock->reset) {
        sock->error = false;
        return PL_ERR_CLOSED;
    }
    fits = PL_MIN(want, space(script, sock));
    if (fits < want)
        sock->nospace = true;
    if (fits == 0 && want > 0)
        return PL_ERR_AGAIN;
    sock->sent += fits;
    return (ssize_t)fits;
}

/* Bytes for a far end that has closed are answered by a reset. */
static void deliver(struct pl_script *script, struct pl_script_sock *sock,
                    const char *bytes, size_t len)
{
    if (sock->gone)
        pl_script_answer_reset(script, sock);
    else
        PL_ASSERT(pl_buf_add(&sock->out, pl_str(bytes, len)) == 0);
}

static ssize_t script_send(void *state, int fd, const struct iovec *iov, int n)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_send);
    size_t want = 0, left;
    ssize_t fits;

    if (err < 0)
        return err;
    for (int i = 0; i < n; i++)
        want += iov[i].iov_len;
    fits = admit(state, sock, want);
    left = fits > 0 ? (size_t)fits : 0;
    for (int i = 0; left > 0; i++) {
        size_t part = PL_MIN(left, iov[i].iov_len);

        deliver(state, sock, iov[i].iov_base, part);
        left -= part;
    }
    return fits;
}

static ssize_t script_sendfile(void *state, int fd, int file, off_t *off,
                               size_t len)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    char bytes[16384];
    int err = begin_call(state, PL_SCRIPT_sendfile);
    ssize_t n;

    if (err < 0)
        return err;
    n = pl_sys_pread(file, bytes, PL_MIN(len, sizeof(bytes)), *off);
    if (n < 0)
        return PL_ERR_IO;
    n = admit(state, sock, (size_t)n);
    if (n > 0) {
        deliver(state, sock, bytes, (size_t)n);
        *off += n;
    }
    return n;
}

static int script_accept(void *state, int fd)
{
    struct pl_script_sock *listener = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_accept);
    struct pl_list *node;

    if (err < 0)
        return err;
    if (listener == NULL || !listener->listener)
        return PL_ERR_INVALID;
    node = pl_list_pop(&listener->backlog);
    if (node == NULL)
        return PL_ERR_AGAIN;
    return pl_script_take_fd(
        state, PL_LIST_ENTRY(node, struct pl_script_sock, waiting));
}

static ssize_t script_unsent(void *state, int fd)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_unsent);

    return err < 0 ? err : (ssize_t)sock->out.len;
}

/* Wakes even when it fails, as inet_shutdown() does. */
static int script_shutdown(void *state, int fd)
{
    struct pl_script_sock *sock = pl_script_near(state, fd);
    int err = begin_call(state, PL_SCRIPT_shutdown);

    if (err < 0)
        return err;
    if (sock == NULL || sock->listener)
        return PL_ERR_INVALID;
    pl_script_wake(state, sock);
    if (sock->reset)
        return PL_ERR_CLOSED;
    sock->finished = true;
    return 0;
}

static int script_close_fd(void *state, int fd)
{
    struct pl_script *script = state;
    struct pl_script_sock *sock = pl_script_near(script, fd);
    int err = begin_call(script, PL_SCRIPT_close);

    if (err < 0)
        return err;
    if (sock == NULL)
        return PL_ERR_INVALID;
    unwatch(sock);
    pl_list_remove(&sock->open);
    script->fds[fd - FD_BASE] = NULL;
    sock->fd = -1;
    sock->finished = true;
    if (sock->in.len > sock->in_read)
        sock->was_reset = true;
    return 0;
}

const struct pl_backend pl_scripted = {
    .name = "scripted",
    .open = script_open,
    .close = script_close,
    .add = script_add,
    .modify = script_modify,
    .remove = script_remove,
    .wait = script_wait,
    .dispatch = script_dispatch,
    .wake = script_wake,
    .recv = script_recv,
    .send = script_send,
    .sendfile = script_sendfile,
    .accept = script_accept,
    .shutdown = script_shutdown,
    .unsent = script_unsent,
    .close_fd = script_close_fd,
};
