/* wheel.h - timers: start and stop in O(1), expiry without drift.
 *
 * A hierarchical timer wheel of 1 ms ticks. Timers for user code (sleep, every,
 * time limits of operations); the time-outs of connections are FIFO lists of
 * their own (net/deadline.h), because they are almost never reached.
 *
 * A timer never fires early. Timers that are due in the same tick fire in the
 * order of starting. */
#ifndef PL_LOOP_WHEEL_H
#define PL_LOOP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { PL_WHEEL_BITS = 6, PL_WHEEL_SLOTS = 1 << PL_WHEEL_BITS };
enum { PL_WHEEL_LEVELS = 7 }; /* 2^42 ms: 139 years */

struct pl_timer {
    struct pl_list node;
    uint64_t due; /* monotonic ns */
    void (*fire)(struct pl_timer *timer);
    uint8_t level, slot;
    bool armed;
};

struct pl_wheel {
    uint64_t tick; /* the last tick that was expired */
    uint64_t occupied[PL_WHEEL_LEVELS];
    struct pl_list overdue; /* were due when they were started */
    struct pl_list slots[PL_WHEEL_LEVELS][PL_WHEEL_SLOTS];
};

void pl_wheel_init(struct pl_wheel *wheel, uint64_t now_ns);

void pl_timer_init(struct pl_timer *timer,
                   void (*fire)(struct pl_timer *timer));

/* (Re)starts timer for the moment due (monotonic ns; the past: next expiry).
 * Borrows timer until it fires or is stopped. */
void pl_timer_start(struct pl_wheel *wheel, struct pl_timer *timer,
                    uint64_t due);
void pl_timer_stop(struct pl_wheel *wheel, struct pl_timer *timer);

/* Fires what is due; returns how many. fire() may start, stop and free any
 * timer; one that it starts for the past waits for the next call, so that a
 * timer which restarts itself cannot hold the loop. */
int pl_wheel_expire(struct pl_wheel *wheel, uint64_t now_ns);

/* Milliseconds until something may be due, rounded up; -1: nothing at all. May
 * be earlier than the next timer (a level must cascade), never later. */
int64_t pl_wheel_next_ms(const struct pl_wheel *wheel, uint64_t now_ns);

#endif
