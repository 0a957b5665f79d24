/* loop.c - the turn of a worker: wait, mail, events, again list, timers, hooks.
 *
 * Each phase is bounded, so that none starves another: mail by a budget, events
 * by the backend's batch, the again list by its length at the start, hooks by
 * one call each. What is left over makes the next wait return at once.
 *
 * Time: the clock is read after each wait. Reading it after every callback
 * would cost more than most callbacks, so the cycle counter says when a
 * millisecond may have passed (see MS_CYCLES). It is also read before a wait
 * that may sleep, which is where a turn ends; one that is followed by another
 * at once ends with that one's reading. */
#include "loop/loop.h"

#include <limits.h>
#include <string.h>

#include "base/check.h"
#include "base/sys.h"
#include "loop/slots_priv.h"

enum { MAIL_BUDGET = 256, LATE_MS = 30 };

struct pl_loop {
    struct pl_loop_head head; /* first: loop.h */
    const struct pl_backend *backend;
    void *state;
    bool stop;
    bool turning;   /* a callback may not turn the loop itself */
    uint64_t began; /* the turn; ns */
    _Atomic uint64_t busy_since;
    struct pl_turns turns;
    struct pl_slots slots;
    struct pl_mailbox mailbox;
    struct pl_list hooks;
    uint64_t (*clock)(void *arg);
    uint64_t (*wall_clock)(void *arg);
    void *clock_arg;
    int64_t wall;        /* s */
    uint64_t wall_until; /* now at which the next second begins */
    struct pl_pool pool;
    struct pl_wheel wheel;
};

_Static_assert(offsetof(struct pl_loop, head) == 0, "loop.h reads it");

/* ---- time ---- */

/* Not more cycles than a millisecond has. The counter of x86 runs at 1 GHz and
 * more: on fast machines the clock is merely read a little earlier than
 * needed. A counter that jumps (another CPU) does no harm either. */
#if defined(__x86_64__) || defined(__i386__)
#define MS_CYCLES UINT64_C(1000000)
static uint64_t read_cycles(void)
{
    return __builtin_ia32_rdtsc();
}
#elif defined(__aarch64__)
#define MS_CYCLES (counter_hz() / 1000)
static uint64_t counter_hz(void)
{
    uint64_t hz;

    __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
    return hz;
}
static uint64_t read_cycles(void)
{
    uint64_t cycles;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(cycles));
    return cycles;
}
#else
#define MS_CYCLES UINT64_C(1000000)
static uint64_t read_cycles(void)
{
    return pl_clock_monotonic();
}
#endif

static uint64_t system_clock(void *arg)
{
    return pl_clock_monotonic();
}

static uint64_t system_wall(void *arg)
{
    return pl_clock_wall();
}

uint64_t pl_now_ms(const struct pl_loop *loop)
{
    return loop->head.now / 1000000;
}

void pl_loop_update_now(struct pl_loop *loop)
{
    loop->head.now = loop->clock(loop->clock_arg);
    loop->head.cycles = read_cycles();
}

/* What comes next begins now. */
static void set_busy(struct pl_loop *loop, uint64_t since)
{
    atomic_store_explicit(&loop->busy_since, since, memory_order_relaxed);
}

void pl_loop_refresh_now(struct pl_loop *loop)
{
    if (PL_UNLIKELY(read_cycles() - loop->head.cycles >= MS_CYCLES)) {
        pl_loop_update_now(loop);
        if (loop->turning)
            set_busy(loop, loop->head.now);
    }
}

bool pl_loop_is_late(const struct pl_loop *loop)
{
    return read_cycles() - loop->head.cycles >= LATE_MS * MS_CYCLES;
}

uint64_t pl_loop_busy_since(const struct pl_loop *loop)
{
    return atomic_load_explicit(&loop->busy_since, memory_order_relaxed);
}

/* ---- how long turns are ---- */

/* One thread writes, so this need not be one step. */
static inline void raise_by(_Atomic uint64_t *counter, uint64_t by)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, value + by, memory_order_relaxed);
}

static void count_turn(struct pl_loop *loop)
{
    struct pl_turns *turns = &loop->turns;
    uint64_t ns = loop->head.now - loop->began;
    unsigned bits = 64 - (unsigned)__builtin_clzll(ns | 1);
    unsigned bucket = bits <= PL_TURN_FIRST ? 0 : bits - PL_TURN_FIRST;

    raise_by(&turns->count, 1);
    raise_by(&turns->total, ns);
    raise_by(&turns->buckets[PL_MIN(bucket, PL_TURN_BUCKETS - 1u)], 1);
    if (ns > atomic_load_explicit(&turns->longest, memory_order_relaxed))
        atomic_store_explicit(&turns->longest, ns, memory_order_relaxed);
}

const struct pl_turns *pl_loop_turns(const struct pl_loop *loop)
{
    return &loop->turns;
}

void pl_loop_count_held(struct pl_loop *loop, bool aborted)
{
    atomic_fetch_add(aborted ? &loop->turns.aborted : &loop->turns.held, 1);
}

int64_t pl_loop_wall(struct pl_loop *loop)
{
    if (loop->head.now >= loop->wall_until) {
        uint64_t second = 1000000000, wall = loop->wall_clock(loop->clock_arg);

        loop->wall = (int64_t)(wall / second);
        loop->wall_until = loop->head.now + second - wall % second;
    }
    return loop->wall;
}

/* ---- life ---- */

PL_COLD int pl_loop_new(const struct pl_loop_options *options,
                        struct pl_loop **out)
{
    struct pl_loop *loop = pl_calloc(1, sizeof(*loop));
    int err;

    if (loop == NULL)
        return PL_ERR_NOMEM;
    loop->backend = options->backend != NULL ? options->backend : &pl_epoll;
    loop->clock = options->clock != NULL ? options->clock : system_clock;
    loop->wall_clock = options->wall != NULL ? options->wall : system_wall;
    loop->clock_arg = options->clock_arg;
    pl_loop_update_now(loop);
    loop->began = loop->head.now;
    pl_pool_init(&loop->pool, NULL, options->memory_limit);
    pl_slots_init(&loop->slots, &loop->pool);
    pl_wheel_init(&loop->wheel, loop->head.now);
    pl_mailbox_init(&loop->mailbox, loop);
    pl_list_init(&loop->hooks);
    err = loop->backend->open(loop, &loop->state);
    if (err < 0) {
        pl_free(loop);
        return err;
    }
    *out = loop;
    return 0;
}

PL_COLD void pl_loop_free(struct pl_loop *loop)
{
    if (loop == NULL)
        return;
    PL_ASSERT(!loop->turning);
    pl_mailbox_fini(&loop->mailbox);
    pl_slots_fini(&loop->slots);
    loop->backend->close(loop->state);
    pl_pool_fini(&loop->pool);
    pl_free(loop);
}

struct pl_pool *pl_loop_pool(struct pl_loop *loop)
{
    return &loop->pool;
}

struct pl_wheel *pl_loop_wheel(struct pl_loop *loop)
{
    return &loop->wheel;
}

struct pl_mailbox *pl_loop_mailbox(struct pl_loop *loop)
{
    return &loop->mailbox;
}

void *pl_loop_backend(struct pl_loop *loop, const struct pl_backend *backend)
{
    PL_ASSERT(loop->backend == backend);
    return loop->state;
}

/* ---- sources ---- */

int pl_loop_enter(struct pl_loop *loop, struct pl_source *source)
{
    PL_ASSERT(source->slot == 0);
    source->slot = pl_slots_take(&loop->slots, source);
    return source->slot == 0 ? PL_ERR_NOMEM : 0;
}

int pl_loop_watch(struct pl_loop *loop, struct pl_source *source,
                  unsigned events, enum pl_watch_mode mode)
{
    struct pl_slot *slot = pl_slots_at(&loop->slots, source->slot);
    int err;

    PL_ASSERT(slot->source == source && !slot->watched);
    err = loop->backend->add(loop->state, source->fd, events, mode,
                             pl_slots_token(&loop->slots, source->slot));
    slot->watched = err == 0;
    return err;
}

int pl_loop_add(struct pl_loop *loop, struct pl_source *source, unsigned events,
                enum pl_watch_mode mode)
{
    int err = pl_loop_enter(loop, source);

    if (err == 0)
        err = pl_loop_watch(loop, source, events, mode);
    if (err < 0)
        pl_loop_remove(loop, source, true);
    return err;
}

int pl_loop_modify(struct pl_loop *loop, struct pl_source *source,
                   unsigned events, enum pl_watch_mode mode)
{
    PL_ASSERT(pl_loop_slot(loop, source->slot) == source);
    return loop->backend->modify(loop->state, source->fd, events, mode,
                                 pl_slots_token(&loop->slots, source->slot));
}

uint32_t pl_loop_slots(const struct pl_loop *loop)
{
    return loop->slots.next - 1;
}

void pl_loop_remove(struct pl_loop *loop, struct pl_source *source,
                    bool keep_fd)
{
    if (source->slot == 0)
        return;
    PL_ASSERT(pl_loop_slot(loop, source->slot) == source);
    if (pl_slots_at(&loop->slots, source->slot)->watched)
        loop->backend->remove(loop->state, source->fd,
                              pl_slots_token(&loop->slots, source->slot),
                              keep_fd);
    pl_slots_drop(&loop->slots, source->slot);
    source->slot = 0;
}

void pl_loop_again(struct pl_loop *loop, struct pl_source *source,
                   unsigned events)
{
    PL_ASSERT(pl_loop_slot(loop, source->slot) == source);
    pl_slots_again(&loop->slots, source->slot, events);
}

struct pl_source *pl_loop_slot(struct pl_loop *loop, uint32_t slot)
{
    if (slot == 0 || slot >= loop->slots.next)
        return NULL;
    return pl_slots_at(&loop->slots, slot)->source;
}

void pl_loop_event(struct pl_loop *loop, uint64_t token, unsigned events)
{
    struct pl_slot *slot = pl_slots_find(&loop->slots, token);
    struct pl_source *source;

    if (slot == NULL)
        return; /* removed by an earlier event of this batch */
    source = slot->source;
    source->ready(source, events);
    pl_loop_refresh_now(loop);
}

/* ---- hooks ---- */

void pl_loop_add_hook(struct pl_loop *loop, struct pl_hook *hook)
{
    pl_list_push(&loop->hooks, &hook->node);
}

void pl_loop_remove_hook(struct pl_hook *hook)
{
    pl_list_remove(&hook->node);
}

/* A bookmark in the list itself: a hook may add and remove any hook. */
static void run_hooks(struct pl_loop *loop)
{
    struct pl_list mark;

    loop->head.busy = false;
    pl_list_push_front(&loop->hooks, &mark);
    while (mark.next != &loop->hooks) {
        struct pl_list *node = mark.next;
        struct pl_hook *hook = PL_LIST_ENTRY(node, struct pl_hook, node);

        pl_list_remove(&mark);
        pl_list_push_front(node, &mark);
        if (hook->run(hook))
            loop->head.busy = true;
        pl_loop_refresh_now(loop);
    }
    pl_list_remove(&mark);
}

/* ---- the turn ---- */

/* How long the wait may be: not past the next timer, and not at all when
 * something was left over. */
static int wait_limit(struct pl_loop *loop, int limit)
{
    int64_t next;

    if (loop->head.busy || loop->stop || loop->slots.queued > 0)
        return 0;
    /* now may be 1 ms old, and the timer would be that late */
    pl_loop_update_now(loop);
    next = pl_wheel_next_ms(&loop->wheel, loop->head.now);
    if (next < 0 || (limit >= 0 && limit < next))
        return limit < 0 ? -1 : limit;
    return (int)PL_MIN(next, INT_MAX);
}

/* Ends a turn and begins the next. A wait that does not sleep is part of the
 * turn before it. */
static int wait_for_events(struct pl_loop *loop, int limit)
{
    bool sleeps;
    int n;

    limit = wait_limit(loop, limit);
    sleeps = limit != 0 && pl_mailbox_sleep(&loop->mailbox);
    if (sleeps) {
        count_turn(loop);
        set_busy(loop, 0);
    }
    n = loop->backend->wait(loop->state, sleeps ? limit : 0);
    if (sleeps)
        pl_mailbox_awake(&loop->mailbox);
    pl_loop_update_now(loop);
    if (!sleeps)
        count_turn(loop);
    loop->began = loop->head.now;
    set_busy(loop, loop->head.now);
    return n;
}

static int run_again(struct pl_loop *loop)
{
    struct pl_source *source;
    unsigned events;
    int n = 0;

    while (pl_slots_next(&loop->slots, &source, &events)) {
        source->ready(source, events);
        pl_loop_refresh_now(loop);
        n++;
    }
    return n;
}

int pl_loop_step(struct pl_loop *loop, int timeout_ms)
{
    int done;

    PL_ASSERT(!loop->turning);
    done = wait_for_events(loop, timeout_ms);
    if (done < 0)
        return done;
    loop->turning = true;
    pl_slots_turn(&loop->slots);
    done += pl_mailbox_drain(&loop->mailbox, MAIL_BUDGET);
    pl_loop_refresh_now(loop);
    loop->backend->dispatch(loop->state, loop);
    done += run_again(loop);
    done += pl_wheel_expire(&loop->wheel, loop->head.now);
    pl_loop_refresh_now(loop);
    run_hooks(loop);
    loop->turning = false;
    return done;
}

int pl_loop_run(struct pl_loop *loop)
{
    int err = 0;

    while (!loop->stop && err >= 0)
        err = pl_loop_step(loop, -1);
    loop->stop = false;
    return PL_MIN(err, 0);
}

void pl_loop_stop(struct pl_loop *loop)
{
    loop->stop = true;
}

void pl_loop_wake(struct pl_loop *loop)
{
    loop->backend->wake(loop->state);
}

/* ---- transfers ---- */

ssize_t pl_loop_recv(struct pl_loop *loop, int fd, void *to, size_t len)
{
    return loop->backend->recv(loop->state, fd, to, len);
}

ssize_t pl_loop_send(struct pl_loop *loop, int fd, const struct iovec *iov,
                     int n)
{
    return loop->backend->send(loop->state, fd, iov, n);
}

ssize_t pl_loop_sendfile(struct pl_loop *loop, int fd, int file, off_t *off,
                         size_t len)
{
    return loop->backend->sendfile(loop->state, fd, file, off, len);
}

int pl_loop_accept(struct pl_loop *loop, int fd)
{
    return loop->backend->accept(loop->state, fd);
}

int pl_loop_shutdown(struct pl_loop *loop, int fd)
{
    return loop->backend->shutdown(loop->state, fd);
}

ssize_t pl_loop_unsent(struct pl_loop *loop, int fd)
{
    return loop->backend->unsent(loop->state, fd);
}

int pl_loop_close_fd(struct pl_loop *loop, int fd)
{
    return loop->backend->close_fd(loop->state, fd);
}
