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
#include <stdatomic.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/pool.h"
#include "loop/mailbox.h"
#include "loop/wheel.h"

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

/* What stands first in a loop: so often is it looked at and set that there are
 * no calls for it. For the functions below alone. */
struct pl_loop_head {
    uint64_t now;    /* ns */
    uint64_t cycles; /* when now was read */
    bool busy;       /* hooks have more to do at once */
};

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
    /* keep_fd false: fd is closed next, which is enough for epoll and kqueue;
     * io_uring must cancel its poll in any case. */
    void (*remove)(void *state, int fd, uint64_t token, bool keep_fd);
    /* Collects events, waiting for the first at most timeout_ms (-1: for
     * ever); returns how many. A signal ends the wait with 0. */
    int (*wait)(void *state, int timeout_ms);
    /* Calls pl_loop_event() for each event that wait has collected. */
    void (*dispatch)(void *state, struct pl_loop *loop);
    /* Ends a wait, or else the next one. Any thread; async-signal-safe. */
    void (*wake)(void *state);
    ssize_t (*recv)(void *state, int fd, void *to, size_t len);
    ssize_t (*send)(void *state, int fd, const struct iovec *iov, int n);
    ssize_t (*sendfile)(void *state, int fd, int file, off_t *off, size_t len);
    int (*accept)(void *state, int fd);
    int (*shutdown)(void *state, int fd);
    ssize_t (*unsent)(void *state, int fd);
    int (*close_fd)(void *state, int fd);
};

extern const struct pl_backend pl_epoll;

struct pl_loop_options {
    const struct pl_backend *backend; /* NULL: pl_epoll */
    uint64_t (*clock)(void *arg);     /* NULL: the monotonic clock; ns */
    uint64_t (*wall)(void *arg);      /* NULL: the wall clock; ns since 1970 */
    void *clock_arg;                  /* of both */
    size_t memory_limit;              /* of the pool; 0 = unlimited */
};

/* GIVES *out. Returns 0 or PL_ERR_*. */
int pl_loop_new(const struct pl_loop_options *options, struct pl_loop **out);

/* Every source must have been removed. */
void pl_loop_free(struct pl_loop *loop);

/* One turn; waits for events at most timeout_ms (-1: as long as no timer is
 * due). Returns the number of things done, or PL_ERR_*. */
int pl_loop_step(struct pl_loop *loop, int timeout_ms);

/* Turns until pl_loop_stop(), which lets the running turn end. Returns 0, or
 * PL_ERR_* when the wait fails. */
int pl_loop_run(struct pl_loop *loop);
void pl_loop_stop(struct pl_loop *loop);

/* Makes a sleeping loop turn. Any thread, and signal handlers. */
void pl_loop_wake(struct pl_loop *loop);

/* Monotonic nanoseconds, as of this turn (read after the wait, and again after
 * anything that ran for more than 1 ms). */
PL_INLINE uint64_t pl_now(const struct pl_loop *loop)
{
    return ((const struct pl_loop_head *)(const void *)loop)->now;
}
uint64_t pl_now_ms(const struct pl_loop *loop);
void pl_loop_update_now(struct pl_loop *loop);

/* Reads the clock again if 1 ms may have passed since it was read; costs a look
 * at the cycle counter. The loop calls it after each event and hook; who runs
 * several pieces of user code in one of them (tasks) calls it after each. */
void pl_loop_refresh_now(struct pl_loop *loop);

/* Has what runs now run for long, some 10 to 30 ms? Then a loop over calls that
 * never had to wait (a stream whose peer reads as fast as it is written) makes
 * room for others. Costs a look at the cycle counter. */
bool pl_loop_is_late(const struct pl_loop *loop);

/* ---- turns, as other threads see them ----
 *
 * A turn that lasts keeps everything else on its loop waiting. Here is what a
 * watchdog needs to see that, written by plain stores. */

enum {
    PL_TURN_FIRST = 10,   /* bucket 0: less than 2^10 ns; i: than 2^(10 + i) */
    PL_TURN_BUCKETS = 28, /* the last one: all that is longer */
};

/* From the end of a wait to the beginning of the next one. Of one moment only
 * field by field: the loop goes on while they are read. */
struct pl_turns {
    _Atomic uint64_t count, total, longest; /* ns */
    _Atomic uint64_t buckets[PL_TURN_BUCKETS];
    _Atomic uint64_t held, aborted; /* what the watchdog saw, and ended */
};

/* Any thread. */
const struct pl_turns *pl_loop_turns(const struct pl_loop *loop);
void pl_loop_count_held(struct pl_loop *loop, bool aborted);

/* The time (of the loop's clock, ns) since when the loop is busy with what it
 * does now: an event, a task, a timer; 0 while it waits for events. Not earlier
 * than 1 ms before that began. Any thread, and signal handlers. */
uint64_t pl_loop_busy_since(const struct pl_loop *loop);

/* Seconds since 1970, as of this turn. A step of the wall clock is noticed
 * within a second. */
int64_t pl_loop_wall(struct pl_loop *loop);

struct pl_pool *pl_loop_pool(struct pl_loop *loop);
struct pl_wheel *pl_loop_wheel(struct pl_loop *loop);
struct pl_mailbox *pl_loop_mailbox(struct pl_loop *loop);

/* ---- sources ---- */

/* Watches source->fd. Borrows source until pl_loop_remove(). events is ignored
 * in PL_EDGE, which reports everything; a source of PL_EXCLUSIVE hears no
 * PL_PEER_CLOSED. Returns 0, PL_ERR_NOMEM, PL_ERR_LIMIT (the kernel's number of
 * watches), PL_ERR_EXISTS (fd is watched already), PL_ERR_UNSUPPORTED (a file,
 * which is always ready) or PL_ERR_INVALID (no descriptor). */
int pl_loop_add(struct pl_loop *loop, struct pl_source *source, unsigned events,
                enum pl_watch_mode mode);

/* The two halves of it: what may be over before the kernel need be told is
 * entered first (pl_loop_again() works from then on) and watched later. What is
 * ready when the watch begins comes as an event. */
int pl_loop_enter(struct pl_loop *loop, struct pl_source *source);
int pl_loop_watch(struct pl_loop *loop, struct pl_source *source,
                  unsigned events, enum pl_watch_mode mode);
int pl_loop_modify(struct pl_loop *loop, struct pl_source *source,
                   unsigned events, enum pl_watch_mode mode);

/* Forgets source (which may be in no loop); its queued events are dropped, also
 * those of this turn. With keep_fd false the caller closes the descriptor at
 * once, so that the kernel need not be told. */
void pl_loop_remove(struct pl_loop *loop, struct pl_source *source,
                    bool keep_fd);

/* Calls source->ready(events) again in the next turn, which will not sleep: for
 * work that was cut short by a budget. A call of its own, after those of kernel
 * events; events may be 0. Asking twice gives one call with both events. */
void pl_loop_again(struct pl_loop *loop, struct pl_source *source,
                   unsigned events);

/* The source in a slot, or NULL. Slots start at 1 and are dense: they index the
 * links of the time-out lists. */
struct pl_source *pl_loop_slot(struct pl_loop *loop, uint32_t slot);

/* The next wait does not sleep, so that the hooks run soon: for work that was
 * queued outside a turn, or after its hook has run. */
PL_INLINE void pl_loop_soon(struct pl_loop *loop)
{
    ((struct pl_loop_head *)(void *)loop)->busy = true;
}

/* The highest slot that was ever used: to visit all sources. */
uint32_t pl_loop_slots(const struct pl_loop *loop);

void pl_loop_add_hook(struct pl_loop *loop, struct pl_hook *hook);
void pl_loop_remove_hook(struct pl_hook *hook);

/* ---- for backends ---- */

void pl_loop_event(struct pl_loop *loop, uint64_t token, unsigned events);

/* What backend->open gave; the loop must be one of that backend. */
void *pl_loop_backend(struct pl_loop *loop, const struct pl_backend *backend);

/* ---- transfers, through the backend ----
 *
 * recv: 0 is the end of the stream. send: less than asked means that the kernel
 * is full. sendfile: 0 is the end of the file. accept gives a descriptor that
 * is non-blocking and close-on-exec; PL_ERR_CLOSED: that peer has gone again,
 * take the next one. */

ssize_t pl_loop_recv(struct pl_loop *loop, int fd, void *to, size_t len);
ssize_t pl_loop_send(struct pl_loop *loop, int fd, const struct iovec *iov,
                     int n);
ssize_t pl_loop_sendfile(struct pl_loop *loop, int fd, int file, off_t *off,
                         size_t len);
int pl_loop_accept(struct pl_loop *loop, int fd);
int pl_loop_shutdown(struct pl_loop *loop, int fd); /* writing side */
/* Bytes that the kernel took and the peer has not acknowledged. */
ssize_t pl_loop_unsent(struct pl_loop *loop, int fd);
int pl_loop_close_fd(struct pl_loop *loop, int fd);

#endif
