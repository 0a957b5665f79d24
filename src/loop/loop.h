/* loop.h - one worker's event loop: readiness, time, mail.
 *
 * A loop belongs to one thread; only pl_mailbox_send() and pl_loop_wake() may
 * be called from others. One turn is:
 *
 *     wait -> mail -> events -> again list -> timers -> hooks
 *
 * Kernel events name a slot and its generation, never a pointer, so that an
 * event for a descriptor that was closed earlier in the same turn is dropped.
 *
 * The interface is readiness: add once, be told, try the call, remember
 * PL_ERR_AGAIN. epoll is the reference backend; kqueue and io_uring (multishot
 * poll) fit behind struct pl_backend without change to the users. */
#ifndef PL_LOOP_LOOP_H
#define PL_LOOP_LOOP_H

#include <perilune.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/pool.h"
#include "loop/mailbox.h"
#include "loop/wheel.h"

enum pl_events {
    PL_READABLE = 1,
    PL_WRITABLE = 2,
    PL_PEER_CLOSED = 4, /* the peer will send no more */
    PL_HANGUP = 8,      /* both directions are dead, or an error is queued */
};

enum pl_watch_mode {
    PL_LEVEL,     /* foreign descriptors, listeners */
    PL_EDGE,      /* connections: armed once, for everything */
    PL_EXCLUSIVE, /* level, one waiter woken: a listener that workers share */
};

/* Something with a descriptor; the first member of connections, listeners, ...
 * slot is 0 while it is in no loop. */
struct pl_source {
    void (*ready)(struct pl_source *source, unsigned events);
    int fd;
    uint32_t slot;
};

/* Called at the end of each turn, in the order of adding. busy: return true
 * when there is more to do at once (the next wait then does not sleep). */
struct pl_hook {
    struct pl_list node;
    bool (*run)(struct pl_hook *hook);
};

struct pl_loop;

/* What the kernel (or a test) does for a loop. All return 0, a count, or a
 * negative PL_ERR_*. The transfer calls are here because the scripted backend
 * has sockets of its own; PL_ERR_AGAIN means "wait for the event". */
struct pl_backend {
    const char *name;
    int (*open)(struct pl_loop *loop, void **state);
    void (*close)(void *state);
    int (*add)(void *state, int fd, unsigned events, enum pl_watch_mode mode,
               uint64_t token);
    int (*modify)(void *state, int fd, unsigned events, enum pl_watch_mode mode,
                  uint64_t token);
    int (*remove)(void *state, int fd);
    /* Waits at most timeout_ms (-1: for ever), then calls pl_loop_event() for
     * each event. */
    int (*wait)(void *state, struct pl_loop *loop, int timeout_ms);
    ssize_t (*recv)(void *state, int fd, void *to, size_t len);
    ssize_t (*send)(void *state, int fd, const struct iovec *iov, int n);
    ssize_t (*sendfile)(void *state, int fd, int file, off_t *off, size_t len);
    int (*accept)(void *state, int fd); /* a non-blocking descriptor */
    int (*shutdown)(void *state, int fd);
    int (*close_fd)(void *state, int fd);
};

extern const struct pl_backend pl_epoll;

struct pl_loop_options {
    const struct pl_backend *backend; /* NULL: pl_epoll */
    uint64_t (*clock)(void *arg);     /* NULL: the monotonic clock; ns */
    void *clock_arg;
    size_t memory_limit; /* of the pool; 0 = unlimited */
};

/* GIVES *out. Returns 0 or PL_ERR_*. */
int pl_loop_new(const struct pl_loop_options *options, struct pl_loop **out);

/* Every source must have been removed. */
void pl_loop_free(struct pl_loop *loop);

/* One turn; waits for events at most timeout_ms (-1: as long as no timer is
 * due). Returns the number of things done, or PL_ERR_*. */
int pl_loop_step(struct pl_loop *loop, int timeout_ms);

/* Turns until pl_loop_stop(). */
int pl_loop_run(struct pl_loop *loop);
void pl_loop_stop(struct pl_loop *loop);

/* Makes a sleeping loop turn. Any thread. */
void pl_loop_wake(struct pl_loop *loop);

/* Monotonic nanoseconds, as of this turn (read after the wait, and again after
 * anything that ran for more than 1 ms). */
uint64_t pl_now(const struct pl_loop *loop);
uint64_t pl_now_ms(const struct pl_loop *loop);
void pl_loop_update_now(struct pl_loop *loop);

/* Seconds since 1970, as of this turn. */
int64_t pl_loop_wall(const struct pl_loop *loop);

struct pl_pool *pl_loop_pool(struct pl_loop *loop);
struct pl_wheel *pl_loop_wheel(struct pl_loop *loop);
struct pl_mailbox *pl_loop_mailbox(struct pl_loop *loop);

/* ---- sources ---- */

/* Watches source->fd. Borrows source until pl_loop_remove(). Returns 0,
 * PL_ERR_NOMEM, PL_ERR_LIMIT or what the kernel says. */
int pl_loop_add(struct pl_loop *loop, struct pl_source *source, unsigned events,
                enum pl_watch_mode mode);
int pl_loop_modify(struct pl_loop *loop, struct pl_source *source,
                   unsigned events, enum pl_watch_mode mode);

/* Forgets source; its queued events are dropped. With keep_fd false the caller
 * closes the descriptor at once, so that the kernel need not be told. */
void pl_loop_remove(struct pl_loop *loop, struct pl_source *source,
                    bool keep_fd);

/* Calls source->ready(events) again in the next turn, which will not sleep: for
 * work that was cut short by a budget. */
void pl_loop_again(struct pl_loop *loop, struct pl_source *source,
                   unsigned events);

/* The source in a slot, or NULL. Slots start at 1 and are dense: they index the
 * links of the time-out lists. */
struct pl_source *pl_loop_slot(struct pl_loop *loop, uint32_t slot);

void pl_loop_add_hook(struct pl_loop *loop, struct pl_hook *hook);
void pl_loop_remove_hook(struct pl_hook *hook);

/* ---- for backends ---- */

void pl_loop_event(struct pl_loop *loop, uint64_t token, unsigned events);

/* ---- transfers, through the backend ---- */

ssize_t pl_loop_recv(struct pl_loop *loop, int fd, void *to, size_t len);
ssize_t pl_loop_send(struct pl_loop *loop, int fd, const struct iovec *iov,
                     int n);
ssize_t pl_loop_sendfile(struct pl_loop *loop, int fd, int file, off_t *off,
                         size_t len);
int pl_loop_accept(struct pl_loop *loop, int fd);
int pl_loop_shutdown(struct pl_loop *loop, int fd); /* writing side */
int pl_loop_close_fd(struct pl_loop *loop, int fd);

#endif
