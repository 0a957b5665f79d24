/* scripted.c - TCP sockets in memory, with the readiness of Linux.
 *
 * As in the kernel, readiness is not stored. What happens to a socket puts it
 * on the ready list (wake); a wait takes sockets off it and asks each for its
 * state (poll): an empty answer is dropped, level-triggered ones stay listed.
 *
 * A send that did not fit, or a poll that found no space, sets nospace; space
 * that is freed later wakes the socket only then. The socket is writable while
 * at least a third of its window is free (sk_stream_is_writeable). */
#include "loop/scripted.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"

/* Far from real descriptors: mixing them up gives EBADF, not a surprise. */
enum { FD_BASE = 1 << 20, BATCH = 256 };
enum { WINDOW = 1 << 20 };

#define CALLS(X)                                                               \
    X(recv)                                                                    \
    X(send)                                                                    \
    X(sendfile)                                                                \
    X(accept) X(shutdown) X(close) X(add) X(modify) X(remove) X(wait)

enum call {
#define CALL_ENUM(name) CALL_##name,
    CALLS(CALL_ENUM)
#undef CALL_ENUM
        CALL_COUNT
};

static const char *const call_names[] = {
#define CALL_NAME(name) #name,
    CALLS(CALL_NAME)
#undef CALL_NAME
};

struct sock {
    int far; /* index in the script; never re-used */
    int fd;  /* -1: closed, or not accepted yet */
    bool listener;
    struct pl_list backlog; /* listener: who waits to be accepted */
    struct pl_list waiting; /* in a backlog */
    struct pl_list ready;   /* on the ready list */
    struct pl_list open;    /* in the list of connections */

    struct pl_buf in; /* sent by the far end, not read yet */
    size_t arrived;   /* so much of it can be read */
    bool fin_sent, fin_arrived;
    bool gone;         /* the far end has closed */
    bool reset, error; /* error: the reset was not reported yet */

    struct pl_buf out;   /* not taken by the far end yet */
    size_t window, sent; /* sent: in this turn (see chop) */
    bool nospace, finished, was_reset;

    bool watched;
    unsigned events;
    enum pl_watch_mode mode;
    uint64_t token;
};

struct pl_script {
    struct sock **socks; /* by far number */
    int count, cap;
    struct sock **fds; /* by fd - FD_BASE; NULL: free */
    int fd_cap;
    struct pl_list open, ready;
    struct {
        uint64_t token;
        unsigned events;
    } batch[BATCH];
    int collected;
    size_t chop;
    unsigned calls[CALL_COUNT], failures[CALL_COUNT];
    int errors[CALL_COUNT];
    struct pl_pool pool;
};

/* ---- sockets ---- */

static struct sock *far_sock(struct pl_script *script, int far)
{
    PL_ASSERT(far >= 0 && far < script->count);
    return script->socks[far];
}

static struct sock *near_sock(struct pl_script *script, int fd)
{
    int i = fd - FD_BASE;

    return i >= 0 && i < script->fd_cap ? script->fds[i] : NULL;
}

static void *grow(void *array, int *cap, size_t size)
{
    int before = *cap;

    *cap = before == 0 ? 16 : before * 2;
    array = pl_realloc(array, (size_t)*cap * size);
    PL_ASSERT(array != NULL); /* a test's own memory */
    memset((char *)array + (size_t)before * size, 0,
           (size_t)(*cap - before) * size);
    return array;
}

/* As in the kernel, the lowest free number: stale ones are soon wrong. */
static int take_fd(struct pl_script *script, struct sock *sock)
{
    int i = 0;

    while (i < script->fd_cap && script->fds[i] != NULL)
        i++;
    if (i == script->fd_cap)
        script->fds =
            grow(script->fds, &script->fd_cap, sizeof(script->fds[0]));
    script->fds[i] = sock;
    sock->fd = FD_BASE + i;
    return sock->fd;
}

static struct sock *new_sock(struct pl_script *script)
{
    struct sock *sock = pl_pool_get_zeroed(&script->pool, sizeof(*sock));

    PL_ASSERT(sock != NULL);
    if (script->count == script->cap)
        script->socks =
            grow(script->socks, &script->cap, sizeof(script->socks[0]));
    sock->far = script->count;
    script->socks[script->count++] = sock;
    sock->fd = -1;
    sock->window = WINDOW;
    pl_list_init(&sock->backlog);
    pl_list_init(&sock->waiting);
    pl_list_init(&sock->ready);
    pl_list_init(&sock->open);
    pl_buf_init(&sock->in, &script->pool, NULL, 0);
    pl_buf_init(&sock->out, &script->pool, NULL, 0);
    return sock;
}

static struct sock *new_connection(struct pl_script *script)
{
    struct sock *sock = new_sock(script);

    pl_list_push(&script->open, &sock->open);
    return sock;
}

/* Counts a call; 0, or the error that the test ordered for it. */
static int begin_call(struct pl_script *script, enum call call)
{
    script->calls[call]++;
    if (script->failures[call] == 0)
        return 0;
    script->failures[call]--;
    return script->errors[call];
}

/* ---- readiness ---- */

static void wake(struct pl_script *script, struct sock *sock)
{
    if (sock->watched && pl_list_empty(&sock->ready))
        pl_list_push(&script->ready, &sock->ready);
}

static size_t space(const struct pl_script *script, const struct sock *sock)
{
    size_t free =
        sock->window > sock->out.len ? sock->window - sock->out.len : 0;

    if (script->chop == 0)
        return free;
    return sock->sent >= script->chop ? 0
                                      : PL_MIN(free, script->chop - sock->sent);
}

static bool writable(const struct pl_script *script, const struct sock *sock)
{
    if (sock->finished || sock->reset)
        return true; /* a send fails at once */
    if (script->chop != 0)
        return space(script, sock) > 0;
    return space(script, sock) > 0 &&
           sock->window - sock->out.len >= sock->out.len / 2;
}

static unsigned poll_sock(const struct pl_script *script, struct sock *sock)
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

/* Space has been freed. */
static void write_space(struct pl_script *script, struct sock *sock)
{
    if (!sock->nospace || !writable(script, sock))
        return;
    sock->nospace = false;
    wake(script, sock);
}

/* What was sent becomes readable: all of it, or the next piece. */
static void arrive(struct pl_script *script, struct sock *sock)
{
    size_t whole = sock->in.len;
    size_t more = script->chop == 0    ? whole
                  : sock->arrived == 0 ? PL_MIN(whole, script->chop)
                                       : sock->arrived;
    bool fin = sock->fin_sent && more == whole;

    if (more == sock->arrived && fin == sock->fin_arrived)
        return;
    sock->arrived = more;
    sock->fin_arrived = fin;
    wake(script, sock);
}

static void reset(struct pl_script *script, struct sock *sock)
{
    if (sock->reset)
        return;
    sock->reset = sock->error = true;
    wake(script, sock);
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
        pl_pool_put(&script->pool, script->socks[i], sizeof(struct sock));
    }
    pl_pool_fini(&script->pool);
    pl_free(script->socks);
    pl_free(script->fds);
    pl_free(script);
}

/* Adding and modifying look at the state at once. */
static int script_watch(struct pl_script *script, struct sock *sock,
                        unsigned events, enum pl_watch_mode mode,
                        uint64_t token)
{
    sock->watched = true;
    sock->events = PL_HANGUP | (mode == PL_EDGE ? 15u : events);
    sock->mode = mode;
    sock->token = token;
    if (poll_sock(script, sock) & sock->events)
        wake(script, sock);
    return 0;
}

static int script_add(void *state, int fd, unsigned events,
                      enum pl_watch_mode mode, uint64_t token)
{
    struct sock *sock = near_sock(state, fd);
    int err = begin_call(state, CALL_add);

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
    struct sock *sock = near_sock(state, fd);
    int err = begin_call(state, CALL_modify);

    if (err < 0)
        return err;
    if (sock == NULL || !sock->watched)
        return PL_ERR_NOT_FOUND;
    return script_watch(state, sock, events, mode, token);
}

static void unwatch(struct sock *sock)
{
    sock->watched = false;
    pl_list_remove(&sock->ready);
}

static void script_remove(void *state, int fd, uint64_t token, bool keep_fd)
{
    struct sock *sock = near_sock(state, fd);

    if (!keep_fd)
        return; /* close_fd does it, as in the kernel */
    begin_call(state, CALL_remove);
    if (sock != NULL)
        unwatch(sock);
}

/* A turn's worth of pieces and of space, when they are rationed. */
static void ration(struct pl_script *script)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &script->open) {
        struct sock *sock = PL_LIST_ENTRY(node, struct sock, open);

        sock->sent = 0;
        arrive(script, sock);
        write_space(script, sock);
    }
}

static int script_wait(void *state, int timeout_ms)
{
    struct pl_script *script = state;
    struct pl_list again = PL_LIST_INIT(again), *node;
    int n = 0, err = begin_call(script, CALL_wait);

    if (err < 0)
        return err;
    if (script->chop != 0)
        ration(script);
    while (n < BATCH && (node = pl_list_pop(&script->ready)) != NULL) {
        struct sock *sock = PL_LIST_ENTRY(node, struct sock, ready);
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

static ssize_t script_recv(void *state, int fd, void *to, size_t len)
{
    struct sock *sock = near_sock(state, fd);
    int err = begin_call(state, CALL_recv);

    if (err < 0)
        return err;
    if (sock == NULL || sock->listener)
        return PL_ERR_INVALID;
    if (sock->arrived > 0) { /* Linux gives them out even after a reset */
        len = PL_MIN(len, sock->arrived);
        memcpy(to, sock->in.data, len);
        pl_buf_consume(&sock->in, len);
        sock->arrived -= len;
        return (ssize_t)len;
    }
    if (sock->error) {
        sock->error = false;
        return PL_ERR_CLOSED;
    }
    return sock->fin_arrived || sock->reset ? 0 : PL_ERR_AGAIN;
}

/* How much of want fits: a count, or the error. */
static ssize_t admit(struct pl_script *script, struct sock *sock, size_t want)
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
static void deliver(struct pl_script *script, struct sock *sock,
                    const char *bytes, size_t len)
{
    if (sock->gone)
        reset(script, sock);
    else
        PL_ASSERT(pl_buf_add(&sock->out, pl_str(bytes, len)) == 0);
}

static ssize_t script_send(void *state, int fd, const struct iovec *iov, int n)
{
    struct sock *sock = near_sock(state, fd);
    int err = begin_call(state, CALL_send);
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
    struct sock *sock = near_sock(state, fd);
    char bytes[16384];
    int err = begin_call(state, CALL_sendfile);
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
    struct sock *listener = near_sock(state, fd);
    int err = begin_call(state, CALL_accept);
    struct pl_list *node;

    if (err < 0)
        return err;
    if (listener == NULL || !listener->listener)
        return PL_ERR_INVALID;
    node = pl_list_pop(&listener->backlog);
    if (node == NULL)
        return PL_ERR_AGAIN;
    return take_fd(state, PL_LIST_ENTRY(node, struct sock, waiting));
}

/* Wakes, as inet_shutdown() does. */
static int script_shutdown(void *state, int fd)
{
    struct sock *sock = near_sock(state, fd);
    int err = begin_call(state, CALL_shutdown);

    if (err < 0)
        return err;
    if (sock == NULL || sock->listener)
        return PL_ERR_INVALID;
    if (sock->reset)
        return PL_ERR_CLOSED;
    sock->finished = true;
    wake(state, sock);
    return 0;
}

static int script_close_fd(void *state, int fd)
{
    struct pl_script *script = state;
    struct sock *sock = near_sock(script, fd);
    int err = begin_call(script, CALL_close);

    if (err < 0)
        return err;
    if (sock == NULL)
        return PL_ERR_INVALID;
    unwatch(sock);
    pl_list_remove(&sock->open);
    script->fds[fd - FD_BASE] = NULL;
    sock->fd = -1;
    sock->finished = true;
    if (sock->in.len > 0)
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
    .close_fd = script_close_fd,
};

/* ---- the far end ---- */

struct pl_script *pl_script_of(struct pl_loop *loop)
{
    return pl_loop_backend(loop, &pl_scripted);
}

int pl_script_listen(struct pl_script *script)
{
    struct sock *sock = new_sock(script);

    sock->listener = true;
    return take_fd(script, sock);
}

int pl_script_connect(struct pl_script *script, int listener)
{
    struct sock *at = near_sock(script, listener), *sock;

    PL_ASSERT(at != NULL && at->listener);
    sock = new_connection(script);
    pl_list_push(&at->backlog, &sock->waiting);
    wake(script, at);
    return sock->far;
}

int pl_script_pair(struct pl_script *script, int *far)
{
    struct sock *sock = new_connection(script);

    *far = sock->far;
    return take_fd(script, sock);
}

/* Was accepted, and closed since. */
static bool is_closed(const struct sock *sock)
{
    return sock->fd < 0 && pl_list_empty(&sock->open);
}

void pl_script_send(struct pl_script *script, int far, struct pl_str bytes)
{
    struct sock *sock = far_sock(script, far);

    PL_ASSERT(!sock->fin_sent);
    if (is_closed(sock)) {
        sock->was_reset = true;
        return;
    }
    if (sock->reset)
        return;
    PL_ASSERT(pl_buf_add(&sock->in, bytes) == 0);
    if (script->chop == 0)
        arrive(script, sock);
}

void pl_script_finish(struct pl_script *script, int far)
{
    struct sock *sock = far_sock(script, far);

    sock->fin_sent = true;
    if (script->chop == 0 && !sock->reset)
        arrive(script, sock);
}

void pl_script_reset(struct pl_script *script, int far)
{
    reset(script, far_sock(script, far));
}

void pl_script_close(struct pl_script *script, int far)
{
    struct sock *sock = far_sock(script, far);

    sock->gone = true;
    if (sock->out.len > 0)
        reset(script, sock);
    else
        pl_script_finish(script, far);
}

struct pl_str pl_script_received(struct pl_script *script, int far)
{
    return pl_buf_str(&far_sock(script, far)->out);
}

void pl_script_take(struct pl_script *script, int far, size_t n)
{
    struct sock *sock = far_sock(script, far);

    PL_ASSERT(n <= sock->out.len);
    pl_buf_consume(&sock->out, n);
    write_space(script, sock);
}

void pl_script_window(struct pl_script *script, int far, size_t bytes)
{
    struct sock *sock = far_sock(script, far);

    sock->window = bytes;
    write_space(script, sock);
}

void pl_script_chop(struct pl_script *script, size_t n)
{
    script->chop = n;
    ration(script);
}

bool pl_script_closed(struct pl_script *script, int far)
{
    return is_closed(far_sock(script, far));
}

bool pl_script_finished(struct pl_script *script, int far)
{
    return far_sock(script, far)->finished;
}

bool pl_script_was_reset(struct pl_script *script, int far)
{
    return far_sock(script, far)->was_reset;
}

static enum call call_of(const char *name)
{
    for (int i = 0; i < CALL_COUNT; i++) {
        if (strcmp(call_names[i], name) == 0)
            return (enum call)i;
    }
    PL_ASSERT(!"a call of the backend");
    return CALL_COUNT;
}

unsigned pl_script_calls(struct pl_script *script, const char *name)
{
    return script->calls[call_of(name)];
}

void pl_script_fail(struct pl_script *script, const char *name, int err,
                    unsigned times)
{
    enum call call = call_of(name);

    script->errors[call] = err;
    script->failures[call] = times;
}

uint64_t pl_fake_clock(void *ns)
{
    return *(const uint64_t *)ns;
}
