/* wheel.c - the hierarchical timer wheel.
 *
 * Times are ticks of 1 ms: a timer is due in the first tick that begins at or
 * after its moment (rounded up), and the wheel stands in the tick that has
 * begun (rounded down). So a timer is never early and at most 1 ms late.
 *
 * A tick is a number of 7 digits to the base 64. A timer hangs at the level of
 * the highest digit in which its tick differs from the wheel's, in the slot of
 * that digit:
 *
 *     wheel at  0 0 0 0 3 17 42
 *     due at    0 0 0 0 3 18  5    level 1, slot 18
 *
 * Invariants: what hangs at a level is due before everything at the levels
 * above, and its slot is greater than the wheel's own digit, so that the next
 * slot to look at is the lowest bit of the lowest non-empty level. When the
 * wheel enters a slot of a higher level, that slot's timers are hung anew,
 * lower, in their order; later ones join behind them. That keeps the order of
 * starting within a tick without a sequence number. */
#include "loop/wheel.h"

#include "base/check.h"

#define TICK_NS UINT64_C(1000000)
#define LAST_TICK ((UINT64_C(1) << (PL_WHEEL_BITS * PL_WHEEL_LEVELS)) - 1)

void pl_wheel_init(struct pl_wheel *wheel, uint64_t now_ns)
{
    wheel->tick = PL_MIN(now_ns / TICK_NS, LAST_TICK);
    pl_list_init(&wheel->overdue);
    for (int level = 0; level < PL_WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < PL_WHEEL_SLOTS; slot++)
            pl_list_init(&wheel->slots[level][slot]);
    }
}

void pl_timer_init(struct pl_timer *timer, void (*fire)(struct pl_timer *timer))
{
    pl_list_init(&timer->node);
    timer->due = 0;
    timer->fire = fire;
    timer->level = timer->slot = 0;
    timer->armed = false;
}

static uint64_t tick_of(uint64_t due)
{
    uint64_t tick = due / TICK_NS + (due % TICK_NS != 0);

    return PL_MIN(tick, LAST_TICK);
}

static void hang(struct pl_wheel *wheel, struct pl_timer *timer, uint64_t tick)
{
    unsigned bit = 63 - (unsigned)__builtin_clzll((tick ^ wheel->tick) | 1);
    unsigned level = bit / PL_WHEEL_BITS;
    unsigned slot = tick >> (level * PL_WHEEL_BITS) & (PL_WHEEL_SLOTS - 1);

    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)slot;
    pl_list_push(&wheel->slots[level][slot], &timer->node);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void pl_timer_start(struct pl_wheel *wheel, struct pl_timer *timer,
                    uint64_t due)
{
    uint64_t tick = tick_of(due);

    pl_timer_stop(wheel, timer);
    timer->due = due;
    timer->armed = true;
    if (tick <= wheel->tick) {
        timer->level = PL_WHEEL_LEVELS;
        pl_list_push(&wheel->overdue, &timer->node);
    } else {
        hang(wheel, timer, tick);
    }
}

void pl_timer_stop(struct pl_wheel *wheel, struct pl_timer *timer)
{
    if (!timer->armed)
        return;
    timer->armed = false;
    pl_list_remove(&timer->node);
    if (timer->level < PL_WHEEL_LEVELS &&
        pl_list_empty(&wheel->slots[timer->level][timer->slot]))
        wheel->occupied[timer->level] &= ~(UINT64_C(1) << timer->slot);
}

/* The next tick in which there is something to fire or to hang lower; false
 * when nothing hangs in the wheel. */
static inline bool next_tick(const struct pl_wheel *wheel, uint64_t *tick)
{
    for (unsigned level = 0; level < PL_WHEEL_LEVELS; level++) {
        unsigned shift = level * PL_WHEEL_BITS;
        uint64_t base;

        if (wheel->occupied[level] == 0)
            continue;
        base = wheel->tick >> shift >> PL_WHEEL_BITS << PL_WHEEL_BITS;
        *tick = (base + (unsigned)__builtin_ctzll(wheel->occupied[level]))
                << shift;
        return true;
    }
    return false;
}

static void empty_slot(struct pl_wheel *wheel, unsigned level, unsigned slot,
                       struct pl_list *to)
{
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    pl_list_splice(to, &wheel->slots[level][slot]);
}

/* Enters tick: hangs lower what waits at the levels above, then gives what is
 * due in it. Only one level above 0 can have something for a tick: the one of
 * the highest digit that changes. */
static void enter(struct pl_wheel *wheel, uint64_t tick, struct pl_list *due)
{
    uint64_t changed = tick ^ wheel->tick;
    unsigned level = (63 - (unsigned)__builtin_clzll(changed)) / PL_WHEEL_BITS;
    unsigned slot = tick >> (level * PL_WHEEL_BITS) & (PL_WHEEL_SLOTS - 1);
    struct pl_list entered = PL_LIST_INIT(entered);

    wheel->tick = tick;
    if (level == 0) {
        empty_slot(wheel, 0, slot, due);
        return;
    }
    empty_slot(wheel, level, slot, &entered);
    for (struct pl_list *node; (node = pl_list_pop(&entered)) != NULL;) {
        struct pl_timer *timer = PL_LIST_ENTRY(node, struct pl_timer, node);
        uint64_t at = tick_of(timer->due);

        if (at == tick)
            pl_list_push(due, node);
        else
            hang(wheel, timer, at);
    }
}

static inline int fire_all(struct pl_list *due)
{
    int fired = 0;

    for (struct pl_list *node; (node = pl_list_pop(due)) != NULL; fired++) {
        struct pl_timer *timer = PL_LIST_ENTRY(node, struct pl_timer, node);

        timer->armed = false;
        timer->fire(timer); /* may free it */
    }
    return fired;
}

int pl_wheel_expire(struct pl_wheel *wheel, uint64_t now_ns)
{
    uint64_t target = PL_MIN(now_ns / TICK_NS, LAST_TICK), tick;
    struct pl_list due = PL_LIST_INIT(due);
    int fired;

    pl_list_splice(&due, &wheel->overdue);
    fired = fire_all(&due);
    while (next_tick(wheel, &tick) && tick <= target) {
        enter(wheel, tick, &due);
        fired += fire_all(&due);
    }
    if (target > wheel->tick) /* nothing hangs in between */
        wheel->tick = target;
    return fired;
}

int64_t pl_wheel_next_ms(const struct pl_wheel *wheel, uint64_t now_ns)
{
    uint64_t tick, wait;

    if (!pl_list_empty(&wheel->overdue))
        return 0;
    if (!next_tick(wheel, &tick))
        return -1;
    if (tick * TICK_NS <= now_ns)
        return 0;
    wait = tick * TICK_NS - now_ns;
    return (int64_t)((wait + TICK_NS - 1) / TICK_NS);
}
