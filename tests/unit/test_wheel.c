/* test_wheel.c - the timer wheel against a model, and at its borders. */
#include "check.h"

#include <stdlib.h>

#include "loop/wheel.h"

#define MS UINT64_C(1000000)

/* A timer that notes when it fires; the notes are in the order of firing. */
struct probe {
    struct pl_timer timer;
    uint64_t started; /* running number of its last start */
    unsigned fired;
    void (*then)(struct probe *probe);
};

static struct pl_wheel wheel;
static uint64_t now; /* of the running pl_wheel_expire() */
static uint64_t starts;
static struct probe *fired[4096];
static unsigned nfired;

static void note(struct pl_timer *timer)
{
    struct probe *probe = PL_CONTAINER_OF(timer, struct probe, timer);

    CHECK(!timer->armed, "not armed while it fires");
    CHECK(timer->due <= now, "never early");
    probe->fired++;
    if (nfired < PL_COUNT(fired))
        fired[nfired++] = probe;
    if (probe->then != NULL)
        probe->then(probe);
}

static void start(struct probe *probe, uint64_t due)
{
    probe->started = ++starts;
    pl_timer_start(&wheel, &probe->timer, due);
}

static int expire(uint64_t at)
{
    now = at;
    nfired = 0;
    return pl_wheel_expire(&wheel, at);
}

static uint64_t random_bits(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static uint64_t ceil_ms(uint64_t ns)
{
    return (ns + MS - 1) / MS;
}

/* Follows the wheel from wait to wait, as the loop does, until probe fires. */
static unsigned wait_for(const struct probe *probe, uint64_t at)
{
    unsigned waits = 0, before = probe->fired;

    while (probe->fired == before) {
        int64_t ms = pl_wheel_next_ms(&wheel, at);

        CHECK(ms >= 0, "something is armed");
        at += (uint64_t)ms * MS;
        expire(at);
        CHECK(++waits <= PL_WHEEL_LEVELS + 1, "no more waits than levels");
    }
    return waits;
}

static const uint64_t spans_ms[] = {
    1,
    2,
    62,
    63,
    64,
    65,
    127,
    128,
    129,
    4094,
    4095,
    4096,
    4097,
    262143,
    262144,
    262145,
    16777215,
    16777216,
    86400000,
    1073741823,
    1073741824,
    68719476736,
    UINT64_C(1) << 41,
};

static void test_wheel__fires_once_at_each_border(void **state)
{
    static const uint64_t origins_ms[] = {0, 1, 63, 64, 4095, 123456789};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(origins_ms); i++) {
        for (size_t j = 0; j < PL_COUNT(spans_ms); j++) {
            uint64_t from = origins_ms[i] * MS;
            uint64_t due = from + spans_ms[j] * MS;
            struct probe probe = {0};

            pl_wheel_init(&wheel, from);
            pl_timer_init(&probe.timer, note);
            start(&probe, due);
            CHECK_INT(0, expire(due - 1), "one nanosecond early");
            CHECK_INT(1, expire(due), "on time");
            CHECK_INT(0, expire(due + 100 * MS), "once");
            CHECK_INT(-1, pl_wheel_next_ms(&wheel, due), "empty");

            pl_wheel_init(&wheel, from);
            start(&probe, due);
            wait_for(&probe, from);
            CHECK_INT(due / MS, now / MS, "reached by waiting");
        }
    }
}

static void test_wheel__rounds_up_within_a_tick(void **state)
{
    struct probe probe = {0};

    (void)state;
    pl_wheel_init(&wheel, 5 * MS + 1);
    pl_timer_init(&probe.timer, note);
    start(&probe, 6 * MS + 1);
    CHECK_INT(2, pl_wheel_next_ms(&wheel, 5 * MS + 1), "rounded up");
    CHECK_INT(0, expire(7 * MS - 1), "its tick has not begun");
    CHECK_INT(1, pl_wheel_next_ms(&wheel, 7 * MS - 1), "one nanosecond");
    CHECK_INT(1, expire(7 * MS), "fires");
}

static void test_wheel__the_past_fires_at_the_next_expiry(void **state)
{
    struct probe probe = {0};

    (void)state;
    pl_wheel_init(&wheel, 1000 * MS);
    pl_timer_init(&probe.timer, note);
    for (uint64_t due = 0; due <= 1000 * MS; due += 250 * MS) {
        start(&probe, due);
        CHECK_INT(0, pl_wheel_next_ms(&wheel, 1000 * MS), "at once");
        CHECK_INT(1, expire(1000 * MS), "in the same tick");
    }
    start(&probe, 0);
    pl_timer_stop(&wheel, &probe.timer);
    pl_timer_stop(&wheel, &probe.timer);
    CHECK_INT(-1, pl_wheel_next_ms(&wheel, 1000 * MS), "stopped, twice");
    CHECK_INT(0, expire(1001 * MS), "nothing");
}

static void test_wheel__the_farthest_future_is_held(void **state)
{
    struct probe probe = {0};

    (void)state;
    pl_wheel_init(&wheel, 7 * MS);
    pl_timer_init(&probe.timer, note);
    start(&probe, UINT64_MAX);
    CHECK(pl_wheel_next_ms(&wheel, 7 * MS) > 0, "waits");
    CHECK_INT(0, expire(UINT64_C(1) << 61), "73 years later");
    pl_timer_stop(&wheel, &probe.timer);
    CHECK_INT(-1, pl_wheel_next_ms(&wheel, UINT64_C(1) << 61), "stopped");
}

/* The order of a sorted list: by tick, then by start. */
static int by_due(const void *a, const void *b)
{
    const struct probe *p = *(struct probe *const *)a;
    const struct probe *q = *(struct probe *const *)b;
    uint64_t s = ceil_ms(p->timer.due), t = ceil_ms(q->timer.due);

    if (s != t)
        return s < t ? -1 : 1;
    return p->started < q->started ? -1 : 1;
}

static uint64_t random_span(void)
{
    return random_bits() >> (random_bits() % 40 + 24);
}

/* What the model says is due at the given moment, in order. */
static unsigned due_at(struct probe *probes, unsigned n, uint64_t at,
                       struct probe **out)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        if (probes[i].timer.armed && ceil_ms(probes[i].timer.due) <= at / MS)
            out[count++] = &probes[i];
    }
    qsort(out, count, sizeof(out[0]), by_due);
    return count;
}

static void check_next(struct probe *probes, unsigned n, uint64_t at)
{
    int64_t next = pl_wheel_next_ms(&wheel, at);
    bool armed = false;

    for (unsigned i = 0; i < n; i++) {
        armed |= probes[i].timer.armed;
        if (probes[i].timer.armed)
            CHECK(next >= 0 && at + (uint64_t)next * MS <
                                   PL_MAX(probes[i].timer.due, at) + 2 * MS,
                  "the wait is never too long");
    }
    CHECK_INT(armed, next >= 0, "empty or not");
}

static void test_wheel__agrees_with_a_sorted_list(void **state)
{
    enum { N = 300, ROUNDS = 4000 };
    static struct probe probes[N], *want[N];
    uint64_t at = random_span();

    (void)state;
    pl_wheel_init(&wheel, at);
    for (int i = 0; i < N; i++)
        pl_timer_init(&probes[i].timer, note);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned count;

        for (int i = 0; i < 20; i++) {
            struct probe *probe = &probes[random_bits() % N];

            if (random_bits() % 4 == 0)
                pl_timer_stop(&wheel, &probe->timer);
            else /* now and then a cluster in one tick */
                start(probe, at + (random_bits() % 3 ? random_span()
                                                     : random_bits() % MS + 1));
        }
        check_next(probes, N, at);
        at += random_bits() % 2
                  ? random_span()
                  : (uint64_t)PL_MAX(pl_wheel_next_ms(&wheel, at), 0) * MS;
        count = due_at(probes, N, at, want);
        CHECK_INT(count, expire(at), "as many as in the model");
        for (unsigned i = 0; i < count; i++)
            CHECK(fired[i] == want[i], "in the order of the model");
    }
}

static void restart_5_ms_on(struct probe *probe)
{
    start(probe, probe->timer.due + 5 * MS);
}

static void test_wheel__a_period_does_not_drift(void **state)
{
    struct probe probe = {.then = restart_5_ms_on};
    uint64_t from = 17 * MS + 123;

    (void)state;
    pl_wheel_init(&wheel, from);
    pl_timer_init(&probe.timer, note);
    start(&probe, from + 5 * MS);
    for (uint64_t at = from; at < from + 100000 * MS;
         at += MS + random_bits() % MS)
        expire(at);
    expire(from + 100001 * MS); /* the end of the last tick */
    CHECK_INT(100000 / 5, probe.fired, "no period is lost or added");
    pl_timer_stop(&wheel, &probe.timer);
}

static struct probe others[3];

static void restart_for_the_past(struct probe *probe)
{
    start(probe, 0);
}

static void stop_and_restart_others(struct probe *probe)
{
    pl_timer_stop(&wheel, &others[0].timer); /* due now */
    start(&others[1], now + 3 * MS);         /* due now, moved */
    start(&others[2], now);                  /* due later, moved here */
}

static void test_wheel__fire_may_start_and_stop_anything(void **state)
{
    struct probe first = {.then = stop_and_restart_others};
    struct probe eager = {.then = restart_for_the_past};

    (void)state;
    pl_wheel_init(&wheel, 0);
    memset(others, 0, sizeof(others));
    pl_timer_init(&first.timer, note);
    pl_timer_init(&eager.timer, note);
    for (size_t i = 0; i < PL_COUNT(others); i++)
        pl_timer_init(&others[i].timer, note);
    start(&first, 10 * MS);
    start(&others[0], 10 * MS);
    start(&others[1], 10 * MS);
    start(&others[2], 900 * MS);
    CHECK_INT(1, expire(10 * MS), "the first alone");
    CHECK_INT(1, expire(10 * MS), "the one moved to now");
    CHECK(fired[0] == &others[2], "that one");
    CHECK_INT(3, pl_wheel_next_ms(&wheel, 10 * MS), "the one moved on");
    CHECK_INT(1, expire(13 * MS), "fires");
    CHECK_INT(-1, pl_wheel_next_ms(&wheel, 13 * MS), "the stopped one never");
    start(&eager, 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(1, expire(13 * MS), "once in each call");
    pl_timer_stop(&wheel, &eager.timer);
}

static void free_itself(struct pl_timer *timer)
{
    free(timer);
}

static void test_wheel__fire_may_free_the_timer(void **state)
{
    (void)state;
    pl_wheel_init(&wheel, 0);
    for (uint64_t i = 0; i < 200; i++) {
        struct pl_timer *timer = malloc(sizeof(*timer));

        pl_timer_init(timer, free_itself);
        pl_timer_start(&wheel, timer, i * i * MS);
    }
    CHECK_INT(200, expire(200 * 200 * MS), "all");
}

RUN_TESTS(cmocka_unit_test(test_wheel__fires_once_at_each_border),
          cmocka_unit_test(test_wheel__rounds_up_within_a_tick),
          cmocka_unit_test(test_wheel__the_past_fires_at_the_next_expiry),
          cmocka_unit_test(test_wheel__the_farthest_future_is_held),
          cmocka_unit_test(test_wheel__agrees_with_a_sorted_list),
          cmocka_unit_test(test_wheel__a_period_does_not_drift),
          cmocka_unit_test(test_wheel__fire_may_start_and_stop_anything),
          cmocka_unit_test(test_wheel__fire_may_free_the_timer))
