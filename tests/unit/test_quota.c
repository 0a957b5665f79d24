/* test_quota.c - how much each of many clients has used: rates, counts, what
 * happens when there are more clients than places; and all that with several
 * threads (run under TSan). */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/faults.h"
#include "share/member.h"
#include "share/quota.h"

#define MS ((uint64_t)1000000)
#define SECOND (1000 * MS)

static struct pl_quota *quota;
static uint64_t now;

/* Ten in a second, three at once. */
static const struct pl_quota_rate ten = {100 * MS, 300 * MS, 0};

static int make(void **state)
{
    now = 3600 * SECOND;
    CHECK_INT(0, pl_quota_new(1024, &quota), "new");
    return 0;
}

static int end(void **state)
{
    pl_quota_drop(quota);
    return 0;
}

#define QUOTA_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

static uint64_t key_of(unsigned client)
{
    return pl_quota_key(quota, 0,
                        pl_str((const char *)&client, sizeof(client)));
}

/* 0, or PL_ERR_LIMIT; wait: in ms, rounded. */
static int take(unsigned client, const struct pl_quota_rate *rate,
                uint64_t *wait)
{
    int err = pl_quota_take(quota, key_of(client), rate, now, wait);

    *wait = (*wait + MS / 2) / MS;
    return err;
}

static void expect(unsigned client, const struct pl_quota_rate *rate, int err,
                   uint64_t wait, const char *what)
{
    uint64_t got;

    CHECK_INT(err, take(client, rate, &got), what);
    CHECK_INT(wait, got, what);
}

/* ---- rates ---- */

static void test_quota__gives_a_burst_and_then_the_rate(void **state)
{
    for (int i = 0; i < 3; i++)
        expect(1, &ten, 0, 0, "the burst");
    expect(1, &ten, PL_ERR_LIMIT, 100, "used up");
    now += 60 * MS;
    expect(1, &ten, PL_ERR_LIMIT, 40, "too early");
    now += 40 * MS;
    expect(1, &ten, 0, 0, "one is back");
    expect(1, &ten, PL_ERR_LIMIT, 100, "and no more");
    now += 3600 * SECOND;
    for (int i = 0; i < 3; i++)
        expect(1, &ten, 0, 0, "all are back");
    expect(1, &ten, PL_ERR_LIMIT, 100, "no more than all");
}

static void test_quota__of_one_is_not_of_another(void **state)
{
    for (unsigned client = 0; client < 100; client++) {
        for (int i = 0; i < 3; i++)
            expect(client, &ten, 0, 0, "the burst");
        expect(client, &ten, PL_ERR_LIMIT, 100, "used up");
    }
    CHECK_INT(100, pl_quota_stats(quota).taken, "places");
    CHECK_INT(100, pl_quota_stats(quota).refused, "refused");
    CHECK_INT(0, pl_quota_stats(quota).evicted, "evicted");
    pl_quota_forget(quota, key_of(7));
    pl_quota_forget(quota, key_of(1000)); /* who was never there */
    expect(7, &ten, 0, 0, "forgotten");
    expect(8, &ten, PL_ERR_LIMIT, 100, "not forgotten");
}

static void test_quota__lets_wait_who_has_patience(void **state)
{
    const struct pl_quota_rate patient = {100 * MS, 300 * MS, 250 * MS};

    for (int i = 0; i < 3; i++)
        expect(1, &patient, 0, 0, "the burst");
    expect(1, &patient, 0, 100, "waits");
    expect(1, &patient, 0, 200, "waits behind it");
    expect(1, &patient, PL_ERR_LIMIT, 50, "would have to wait 300 ms");
    now += 50 * MS;
    expect(1, &patient, 0, 250, "just as long as it may");
    CHECK_INT(3, pl_quota_stats(quota).delayed, "delayed");
}

static void test_quota__knows_slow_and_quick_rates(void **state)
{
    const struct pl_quota_rate daily = {86400 * SECOND, 86400 * SECOND, 0};
    const struct pl_quota_rate quick = {10000, 10 * MS, 0};
    uint64_t wait;
    unsigned n = 0;

    expect(1, &daily, 0, 0, "once a day");
    expect(1, &daily, PL_ERR_LIMIT, 86400000, "come tomorrow");
    now += 86399 * SECOND;
    expect(1, &daily, PL_ERR_LIMIT, 1000, "nearly tomorrow");
    now += SECOND;
    expect(1, &daily, 0, 0, "tomorrow");
    while (take(2, &quick, &wait) == 0)
        n++;
    CHECK(n >= 990 && n <= 1010, "a thousand at once"); /* a tick is 64 ns */
    now += 10 * MS;
    for (n = 0; take(2, &quick, &wait) == 0;)
        n++;
    CHECK(n >= 990 && n <= 1010, "a thousand in 10 ms");
}

static void test_quota__of_a_reload_may_have_another_rate(void **state)
{
    const struct pl_quota_rate slow = {1000 * MS, 3000 * MS, 0};

    for (int i = 0; i < 3; i++)
        expect(1, &ten, 0, 0, "the burst");
    /* 300 ms until all is back, of 3 s */
    for (int i = 0; i < 2; i++)
        expect(1, &slow, 0, 0, "what was used is a time");
    expect(1, &slow, PL_ERR_LIMIT, 300, "used up");
    expect(1, &ten, PL_ERR_LIMIT, 2100, "and back");
}

/* ---- more clients than places ---- */

enum { PLACES = 1024, MANY = 40 * PLACES };

/* Clients that come once do not push out who has used much. */
static void test_quota__keeps_who_has_used_most(void **state)
{
    unsigned passed = 0;

    for (unsigned victim = 0; victim < 64; victim++)
        for (int i = 0; i < 3; i++)
            expect(victim, &ten, 0, 0, "the burst");
    for (unsigned client = 1000; client < 1000 + PLACES / 2; client++)
        expect(client, &ten, 0, 0, "once");
    for (unsigned victim = 0; victim < 64; victim++) {
        uint64_t wait;

        passed += take(victim, &ten, &wait) == 0;
    }
    CHECK_INT(0, passed, "who had used all of it");
}

/* In a flood of more clients than there are places each newcomer is answered,
 * and who comes again gains one request, not a burst. */
static void test_quota__of_newcomers_in_a_flood(void **state)
{
    unsigned passed = 0;
    uint64_t wait;

    for (unsigned client = 0; client < MANY; client++)
        CHECK_INT(0, take(client, &ten, &wait), "a newcomer");
    CHECK(pl_quota_stats(quota).evicted > MANY / 2, "evicted");
    CHECK_INT(PLACES, pl_quota_stats(quota).taken, "all places");
    for (unsigned client = MANY; client < MANY + 100; client++) {
        CHECK_INT(0, take(client, &ten, &wait), "a newcomer");
        for (int i = 0; i < 3; i++)
            passed += take(client, &ten, &wait) == 0;
    }
    CHECK_INT(0, passed, "a burst of newcomers");
    now += SECOND;
    for (unsigned client = MANY; client < MANY + 100; client++)
        for (int i = 0; i < 3; i++)
            CHECK_INT(0, take(client, &ten, &wait), "after the flood");
}

/* ---- counts ---- */

static void test_quota__counts_what_is_in_use(void **state)
{
    struct pl_quota_place places[4];

    for (int i = 0; i < 3; i++)
        CHECK_INT(0, pl_quota_enter(quota, key_of(1), 3, &places[i]), "enter");
    CHECK_INT(PL_ERR_LIMIT, pl_quota_enter(quota, key_of(1), 3, &places[3]),
              "full");
    CHECK(places[3].quota == NULL, "nothing to leave");
    CHECK_INT(0, pl_quota_enter(quota, key_of(2), 3, &places[3]), "another");
    pl_quota_leave(&places[3]);
    pl_quota_leave(&places[0]);
    pl_quota_leave(&places[0]); /* twice is once */
    CHECK_INT(0, pl_quota_enter(quota, key_of(1), 3, &places[0]), "again");
    CHECK_INT(PL_ERR_LIMIT, pl_quota_enter(quota, key_of(1), 3, &places[3]),
              "full again");
    for (int i = 0; i < 3; i++)
        pl_quota_leave(&places[i]);
}

static void test_quota__never_takes_a_place_in_use(void **state)
{
    static struct pl_quota_place places[2 * PLACES];
    struct pl_quota_place more;
    unsigned uncounted = 0;

    for (unsigned i = 0; i < 2 * PLACES; i++) {
        CHECK_INT(0, pl_quota_enter(quota, key_of(i), 1, &places[i]), "enter");
        uncounted += places[i].quota == NULL;
    }
    CHECK(uncounted >= PLACES, "more than there are places");
    CHECK_INT(uncounted, pl_quota_stats(quota).evicted, "told");
    for (unsigned i = 0; i < 2 * PLACES; i++)
        if (places[i].quota != NULL)
            CHECK_INT(PL_ERR_LIMIT, pl_quota_enter(quota, key_of(i), 1, &more),
                      "kept");
    for (unsigned i = 0; i < 2 * PLACES; i++)
        pl_quota_leave(&places[i]);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_INT(0, pl_quota_enter(quota, key_of(i), 1, &more), "all free");
        pl_quota_leave(&more);
    }
}

/* ---- several threads ---- */

enum { THREADS = 4, ROUNDS = 20000, CLIENTS = 5, BURST = 1000 };

static struct thread {
    pthread_t thread;
    unsigned passed[CLIENTS];
} threads[THREADS];

static void run_threads(void *(*fn)(void *arg))
{
    memset(threads, 0, sizeof(threads));
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(0, pthread_create(&threads[i].thread, NULL, fn, &threads[i]),
                  "thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i].thread, NULL);
}

static unsigned sum(unsigned client)
{
    unsigned n = 0;

    for (int i = 0; i < THREADS; i++)
        n += threads[i].passed[client];
    return n;
}

static void *take_many(void *arg)
{
    const struct pl_quota_rate rate = {SECOND, BURST * SECOND, 0};
    struct thread *self = arg;
    uint64_t wait;

    for (unsigned i = 0; i < ROUNDS; i++)
        self->passed[i % CLIENTS] +=
            pl_quota_take(quota, key_of(i % CLIENTS), &rate, now, &wait) == 0;
    return NULL;
}

/* Not one more than there is. */
static void test_quota__is_one_for_all_threads(void **state)
{
    for (unsigned client = 0; client < CLIENTS; client++) {
        uint64_t wait;

        take(client, &ten, &wait); /* is there before the threads */
        pl_quota_forget(quota, key_of(client));
    }
    run_threads(take_many);
    for (unsigned client = 0; client < CLIENTS; client++)
        CHECK_INT(BURST, sum(client), "tokens");
}

static atomic_int inside[CLIENTS], worst;

static void *enter_many(void *arg)
{
    struct pl_quota_place place;

    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned client = i % CLIENTS;
        int n;

        if (pl_quota_enter(quota, key_of(client), 2, &place) < 0)
            continue;
        n = atomic_fetch_add(&inside[client], 1) + 1;
        if (n > atomic_load(&worst))
            atomic_store(&worst, n);
        atomic_fetch_sub(&inside[client], 1);
        pl_quota_leave(&place);
    }
    return NULL;
}

static void test_quota__counts_for_all_threads(void **state)
{
    struct pl_quota_place place;

    for (unsigned client = 0; client < CLIENTS; client++) {
        CHECK_INT(0, pl_quota_enter(quota, key_of(client), 2, &place), "there");
        pl_quota_leave(&place);
    }
    atomic_store(&worst, 0);
    run_threads(enter_many);
    CHECK(atomic_load(&worst) <= 2, "at a time");
}

static void *evict_many(void *arg)
{
    struct thread *self = arg;
    uint64_t wait;
    unsigned seed = (unsigned)(self - threads);

    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 1103515245 + 12345;
        self->passed[0] +=
            pl_quota_take(quota, key_of(seed >> 12), &ten, now, &wait) == 0;
    }
    return NULL;
}

/* Places change hands all the time: and are all usable afterwards. */
static void test_quota__survives_a_fight_for_places(void **state)
{
    uint64_t wait;

    run_threads(evict_many);
    CHECK(sum(0) > THREADS * ROUNDS / 2, "newcomers pass");
    now += SECOND;
    for (unsigned client = 0; client < PLACES / 32; client++)
        for (int i = 0; i < 3; i++)
            CHECK_INT(0, take(client, &ten, &wait), "afterwards");
}

/* ---- by name ---- */

static struct pl_share *share;

static struct pl_quota *get(enum pl_quota_kind kind, const char *name,
                            size_t places)
{
    struct pl_quota *got = NULL;

    CHECK_INT(0, pl_share_quota(share, kind, pl_str_c(name), places, &got),
              name);
    return got;
}

static void count_one(void *arg, const struct pl_quota *each)
{
    (void)each;
    ++*(int *)arg;
}

static int count_all(void)
{
    int n = 0;

    pl_share_each_quota(share, count_one, &n);
    return n;
}

static void test_quotas__are_there_as_long_as_they_are_held(void **state)
{
    struct pl_quota *a, *again, *other, *use, *b;
    uint64_t wait;

    CHECK_INT(0, pl_share_new(&share), "share");
    a = get(PL_QUOTA_RATE, "a", 64);
    again = get(PL_QUOTA_RATE, "a", 64);
    other = get(PL_QUOTA_RATE, "a", 1024);
    use = get(PL_QUOTA_USE, "a", 64);
    CHECK(a == again && a != other && a != use, "name, kind and size");
    CHECK_INT(3, count_all(), "tables");
    CHECK_STR("a", pl_quota_name(a), "name");
    pl_quota_drop(a);
    pl_quota_drop(again);
    CHECK_INT(2, count_all(), "nobody holds it");
    CHECK_INT(0, pl_quota_take(a, 1, &ten, now, &wait), "it is still there");
    again = get(PL_QUOTA_RATE, "a", 64);
    CHECK(a == again, "and found again");
    pl_quota_drop(again);
    b = get(PL_QUOTA_RATE, "b", 64);
    CHECK_INT(3, count_all(), "one came, one went");
    pl_quota_drop(b);
    pl_quota_drop(other);
    pl_quota_drop(use);
    pl_share_free(share);
}

static void test_quotas__are_not_endless(void **state)
{
    static struct pl_quota *held[PL_QUOTA_MOST];
    struct pl_quota *more = NULL;
    char name[16];

    CHECK_INT(0, pl_share_new(&share), "share");
    for (int i = 0; i < PL_QUOTA_MOST; i++) {
        snprintf(name, sizeof(name), "%d", i);
        held[i] = get(PL_QUOTA_RATE, name, 8);
    }
    CHECK_INT(PL_ERR_LIMIT,
              pl_share_quota(share, PL_QUOTA_RATE, PL_STR("x"), 8, &more),
              "too many");
    pl_quota_drop(held[0]);
    held[0] = get(PL_QUOTA_RATE, "x", 8);
    for (int i = 0; i < PL_QUOTA_MOST; i++)
        pl_quota_drop(held[i]);
    pl_share_free(share);
}

static void test_quotas__without_memory(void **state)
{
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_quota *a = NULL, *b = NULL;
        int err = pl_share_new(&share);

        CHECK(err == 0 || pl_faults_hit(), "share");
        if (err < 0)
            continue;
        err = pl_share_quota(share, PL_QUOTA_RATE, PL_STR("a"), 64, &a);
        CHECK(err == 0 ? a != NULL : pl_faults_hit(), "a");
        pl_quota_drop(err == 0 ? a : NULL);
        err = pl_share_quota(share, PL_QUOTA_RATE, PL_STR("b"), 64, &b);
        CHECK(err == 0 ? b != NULL : pl_faults_hit(), "b");
        pl_quota_drop(err == 0 ? b : NULL);
        pl_share_free(share);
    }
}

static void *come_and_go(void *arg)
{
    const struct thread *self = arg;
    char name[2] = "a";

    for (unsigned i = 0; i < 300; i++) {
        struct pl_quota *got = NULL;
        uint64_t wait;

        name[0] = (char)('a' + (i + (unsigned)(self - threads)) % 5);
        if (pl_share_quota(share, PL_QUOTA_RATE, pl_str_c(name), 64, &got) < 0)
            continue;
        pl_quota_take(got, i, &ten, now, &wait);
        pl_quota_drop(got);
    }
    return NULL;
}

static void test_quotas__come_and_go_under_many_hands(void **state)
{
    CHECK_INT(0, pl_share_new(&share), "share");
    run_threads(come_and_go);
    CHECK_INT(0, count_all(), "nobody holds any");
    pl_share_free(share);
}

RUN_TESTS(QUOTA_TEST(test_quota__gives_a_burst_and_then_the_rate),
          QUOTA_TEST(test_quota__of_one_is_not_of_another),
          QUOTA_TEST(test_quota__lets_wait_who_has_patience),
          QUOTA_TEST(test_quota__knows_slow_and_quick_rates),
          QUOTA_TEST(test_quota__of_a_reload_may_have_another_rate),
          QUOTA_TEST(test_quota__keeps_who_has_used_most),
          QUOTA_TEST(test_quota__of_newcomers_in_a_flood),
          QUOTA_TEST(test_quota__counts_what_is_in_use),
          QUOTA_TEST(test_quota__never_takes_a_place_in_use),
          QUOTA_TEST(test_quota__is_one_for_all_threads),
          QUOTA_TEST(test_quota__counts_for_all_threads),
          QUOTA_TEST(test_quota__survives_a_fight_for_places),
          QUOTA_TEST(test_quotas__are_there_as_long_as_they_are_held),
          QUOTA_TEST(test_quotas__are_not_endless),
          QUOTA_TEST(test_quotas__without_memory),
          QUOTA_TEST(test_quotas__come_and_go_under_many_hands))
