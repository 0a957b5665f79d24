/* epoll.c - the backend of Linux.
 *
 * Edge mode asks for everything once, at the add; no epoll_ctl follows in the
 * life of a connection (close is the removal). The wake-up is an eventfd, also
 * edge-triggered: each write reports it anew, so it is never read. Its token is
 * 0, which names no source. */
#include "loop/loop.h"

#include "base/check.h"
#include "base/error.h"
#include "base/sys.h"

/* Events of one wait. A larger batch saves waits only when more connections
 * than this are busy at once, and delays mail and timers. */
enum { BATCH = 256 };

struct epoll {
    int fd, wake;
    int count; /* collected by wait, not dispatched yet */
    struct epoll_event events[BATCH];
};

/* Repeats a call that a signal has interrupted. */
#define RETRY(expr)                                                            \
    ({                                                                         \
        typeof(expr) result_;                                                  \
        do                                                                     \
            result_ = (expr);                                                  \
        while (result_ < 0 && errno == EINTR);                                 \
        result_;                                                               \
    })

static ssize_t result_of(ssize_t result)
{
    return result < 0 ? pl_err_from_errno(errno) : result;
}

static uint32_t to_epoll(unsigned events, enum pl_watch_mode mode)
{
    uint32_t bits = 0;

    if (mode == PL_EDGE)
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (events & PL_READABLE)
        bits |= EPOLLIN;
    if (events & PL_WRITABLE)
        bits |= EPOLLOUT;
    if (mode == PL_EXCLUSIVE) /* the kernel refuses EPOLLRDHUP with it */
        return bits | EPOLLEXCLUSIVE;
    if (events & PL_PEER_CLOSED)
        bits |= EPOLLRDHUP;
    return bits;
}

static unsigned from_epoll(uint32_t bits)
{
    unsigned events = 0;

    if (bits & EPOLLIN)
        events |= PL_READABLE;
    if (bits & EPOLLOUT)
        events |= PL_WRITABLE;
    if (bits & EPOLLRDHUP)
        events |= PL_PEER_CLOSED;
    if (bits & (EPOLLHUP | EPOLLERR))
        events |= PL_HANGUP;
    return events;
}

static int ctl(struct epoll *epoll, int op, int fd, uint32_t bits,
               uint64_t token)
{
    struct epoll_event event = {.events = bits, .data.u64 = token};

    if (pl_sys_epoll_ctl(epoll->fd, op, fd, &event) == 0)
        return 0;
    switch (errno) {
    case EPERM: /* a regular file or a folder: never blocks, cannot be polled */
        return PL_ERR_UNSUPPORTED;
    case ENOSPC: /* /proc/sys/fs/epoll/max_user_watches */
        return PL_ERR_LIMIT;
    default:
        return pl_err_from_errno(errno);
    }
}

PL_COLD static void epoll_close(void *state)
{
    struct epoll *epoll = state;

    if (epoll->wake >= 0)
        pl_sys_close(epoll->wake);
    if (epoll->fd >= 0)
        pl_sys_close(epoll->fd);
    pl_free(epoll);
}

PL_COLD static int epoll_open(struct pl_loop *loop, void **state)
{
    struct epoll *epoll = pl_malloc(sizeof(*epoll));
    int err;

    if (epoll == NULL)
        return PL_ERR_NOMEM;
    epoll->count = 0;
    epoll->wake = -1;
    epoll->fd = pl_sys_epoll_create1(EPOLL_CLOEXEC);
    if (epoll->fd < 0)
        goto fail;
    epoll->wake = pl_sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll->wake < 0)
        goto fail;
    err = ctl(epoll, EPOLL_CTL_ADD, epoll->wake, EPOLLIN | EPOLLET, 0);
    if (err < 0) {
        epoll_close(epoll);
        return err;
    }
    *state = epoll;
    return 0;
fail:
    err = pl_err_from_errno(errno);
    epoll_close(epoll);
    return err;
}

static int epoll_add(void *state, int fd, unsigned events,
                     enum pl_watch_mode mode, uint64_t token)
{
    return ctl(state, EPOLL_CTL_ADD, fd, to_epoll(events, mode), token);
}

static int epoll_modify(void *state, int fd, unsigned events,
                        enum pl_watch_mode mode, uint64_t token)
{
    if (mode == PL_EXCLUSIVE) { /* may be added only, not modified */
        int err = ctl(state, EPOLL_CTL_DEL, fd, 0, 0);

        return err < 0 ? err : epoll_add(state, fd, events, mode, token);
    }
    return ctl(state, EPOLL_CTL_MOD, fd, to_epoll(events, mode), token);
}

/* A failure means that the descriptor is closed, and so removed, already. */
static void epoll_remove(void *state, int fd, uint64_t token, bool keep_fd)
{
    if (keep_fd)
        (void)ctl(state, EPOLL_CTL_DEL, fd, 0, 0);
}

static int epoll_collect(void *state, int timeout_ms)
{
    struct epoll *epoll = state;
    int n = pl_sys_epoll_wait(epoll->fd, epoll->events, BATCH, timeout_ms);

    epoll->count = PL_MAX(n, 0);
    if (n < 0 && errno != EINTR)
        return pl_err_from_errno(errno);
    return epoll->count;
}

static void epoll_dispatch(void *state, struct pl_loop *loop)
{
    struct epoll *epoll = state;

    for (int i = 0; i < epoll->count; i++) {
        const struct epoll_event *event = &epoll->events[i];

        pl_loop_event(loop, event->data.u64, from_epoll(event->events));
    }
    epoll->count = 0;
}

static void epoll_wake(void *state)
{
    struct epoll *epoll = state;

    pl_sys_wake(epoll->wake);
}

static ssize_t epoll_recv(void *state, int fd, void *to, size_t len)
{
    return result_of(RETRY(pl_sys_recv(fd, to, len, 0)));
}

/* send() copies less than sendmsg(): 0.1 us of a small response. */
static ssize_t epoll_send(void *state, int fd, const struct iovec *iov, int n)
{
    struct msghdr msg;

    if (n == 1)
        return result_of(RETRY(
            pl_sys_send(fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL)));
    msg = (struct msghdr){.msg_iov = (struct iovec *)iov,
                          .msg_iovlen = (size_t)n};
    return result_of(RETRY(pl_sys_sendmsg(fd, &msg, MSG_NOSIGNAL)));
}

static ssize_t epoll_sendfile(void *state, int fd, int file, off_t *off,
                              size_t len)
{
    return result_of(RETRY(pl_sys_sendfile(fd, file, off, len)));
}

/* Linux reports errors of the new connection here (accept(2)): they concern
 * that one peer, not the listener. */
static int accept_error(int error_number)
{
    switch (error_number) {
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM: /* the firewall */
        return PL_ERR_CLOSED;
    default:
        return pl_err_from_errno(error_number);
    }
}

static int epoll_accept(void *state, int fd)
{
    int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    int peer = RETRY(pl_sys_accept4(fd, NULL, NULL, flags));

    return peer < 0 ? accept_error(errno) : peer;
}

static int epoll_shutdown(void *state, int fd)
{
    return (int)result_of(pl_sys_shutdown(fd, SHUT_WR));
}

static ssize_t epoll_unsent(void *state, int fd)
{
    int bytes = 0;
    ssize_t err = result_of(pl_sys_outq(fd, &bytes));

    return err < 0 ? err : bytes;
}

/* Never repeated: on Linux the descriptor is gone even if a signal came. */
static int epoll_close_fd(void *state, int fd)
{
    return pl_sys_close(fd) == 0 || errno == EINTR ? 0
                                                   : pl_err_from_errno(errno);
}

const struct pl_backend pl_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .add = epoll_add,
    .modify = epoll_modify,
    .remove = epoll_remove,
    .wait = epoll_collect,
    .dispatch = epoll_dispatch,
    .wake = epoll_wake,
    .recv = epoll_recv,
    .send = epoll_send,
    .sendfile = epoll_sendfile,
    .accept = epoll_accept,
    .shutdown = epoll_shutdown,
    .unsent = epoll_unsent,
    .close_fd = epoll_close_fd,
};
