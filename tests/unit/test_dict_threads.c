/* test_dict_threads.c - the shared dictionary under many hands: no increment is
 * lost, swaps stand in one line, one adds, the limit holds. Run under ASan and
 * TSan. */
#include "dict_world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4 };

struct worker {
    pthread_t thread;
    unsigned id;
    struct pl_dict_user user;
    uint64_t done, wrong;
    unsigned seed;
};

static struct worker workers[THREADS];

static void run_threads(void *(*fn)(void *arg))
{
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.id = i, .seed = i + 1};
        workers[i].user = (struct pl_dict_user){pl_epoch_join(epoch), user.now};
        CHECK_INT(0, pthread_create(&workers[i].thread, NULL, fn, &workers[i]),
                  "thread");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        pl_epoch_part(workers[i].user.reader);
        CHECK_INT(0, workers[i].wrong, "what a thread has seen");
    }
}

static unsigned worker_rnd(struct worker *worker, unsigned n)
{
    worker->seed = worker->seed * 1103515245 + 12345;
    return (worker->seed >> 16) % n;
}

enum { COUNTS = 20000 };

/* Each sum that a counter gives is given once: kept in a table per key. */
static atomic_uchar given[2][THREADS * COUNTS + 1];

static void *count_up(void *arg)
{
    struct worker *worker = arg;
    const struct pl_datum init = integer(0);

    for (int i = 0; i < COUNTS; i++) {
        struct pl_datum by = integer(1);
        const char *key = i % 2 ? "odd" : "even";
        int err = pl_dict_incr(dict, &worker->user, pl_str_c(key), &by, &init,
                               SECOND);

        worker->wrong +=
            err != 0 || atomic_fetch_add(&given[i % 2][by.integer], 1) != 0;
        /* moves the counter to another entry, under the others' hands */
        if (worker_rnd(worker, 8) == 0)
            pl_dict_expire(dict, &worker->user, pl_str_c(key),
                           SECOND + worker_rnd(worker, 100));
    }
    return NULL;
}

static void test_dict__loses_no_increment(void **state)
{
    (void)state;
    memset(given, 0, sizeof(given));
    run_threads(count_up);
    check_is("odd", integer(THREADS * COUNTS / 2), "the sum");
    check_is("even", integer(THREADS * COUNTS / 2), "the sum");
}

/* A chain of compare-and-set: each value, a text or a number, is made from the
 * one before, so that all successes stand in one line. */
static struct pl_datum link_of(uint64_t n, char buf[24])
{
    snprintf(buf, 24, "%llu", (unsigned long long)n);
    return n % 3 ? integer((int64_t)n) : text(buf);
}

static uint64_t number_of(const struct pl_datum *value)
{
    uint64_t n = 0;

    if (value->type == PL_DATUM_INTEGER)
        return (uint64_t)value->integer;
    pl_str_to_u64(value->bytes, &n);
    return n;
}

enum { LINKS = 20000 };

static void *swap_links(void *arg)
{
    struct worker *worker = arg;
    uint64_t last = 0;

    while (last < LINKS) {
        struct pl_datum there, from, to;
        char a[24], b[24];

        pl_dict_get(dict, &worker->user, PL_STR("chain"), &there);
        worker->wrong += number_of(&there) < last; /* never backwards */
        last = number_of(&there);
        pl_epoch_leave(worker->user.reader);
        from = link_of(last, a);
        to = link_of(last + 1, b);
        if (worker_rnd(worker, 16) == 0)
            pl_dict_expire(dict, &worker->user, PL_STR("chain"),
                           SECOND * (1 + worker_rnd(worker, 9)));
        if (pl_dict_swap(dict, &worker->user, PL_STR("chain"), &from, &to) == 0)
            worker->done++;
    }
    return NULL;
}

static void test_dict__swaps_stand_in_one_line(void **state)
{
    struct pl_datum last;
    uint64_t done = 0;

    (void)state;
    CHECK_INT(0, put("chain", text("0"), PL_DICT_SET), "begin");
    run_threads(swap_links);
    for (unsigned i = 0; i < THREADS; i++)
        done += workers[i].done;
    pl_dict_get(dict, &user, PL_STR("chain"), &last);
    CHECK_INT(done, number_of(&last), "as long as there were successes");
    pl_epoch_leave(user.reader);
}

/* A lock of one key, by add and delete, around a plain variable: TSan and the
 * sum see two holders. */
enum { HOLDS = 3000 };
static unsigned held, holds;

static void *take_lock(void *arg)
{
    const struct pl_dict_put add = {PL_DICT_ADD, 0};
    struct worker *worker = arg;
    const struct pl_datum me = integer(worker->id);

    while (worker->done < HOLDS) {
        if (pl_dict_put(dict, &worker->user, PL_STR("lock"), &me, &add) != 0)
            continue;
        worker->wrong += held++ != 0;
        holds++;
        held--;
        worker->wrong +=
            pl_dict_delete(dict, &worker->user, PL_STR("lock")) != 0;
        worker->done++;
    }
    return NULL;
}

static void test_dict__one_adds(void **state)
{
    (void)state;
    held = holds = 0;
    run_threads(take_lock);
    CHECK_INT(THREADS * HOLDS, holds, "each in turn");
}

/* All calls on few keys, in few buckets; every value tells its key. */
enum { STORMS = 20000, STORM_KEYS = 24 };

static bool is_own(const struct pl_datum *value, const char *key)
{
    size_t len = strlen(key);

    return value->type != PL_DATUM_STRING ||
           (value->bytes.len > len && memcmp(value->bytes.data, key, len) == 0);
}

static void storm_once(struct worker *worker, const char *key)
{
    struct pl_datum value, by = integer(1);
    struct pl_dict_put how = {(enum pl_dict_mode)worker_rnd(worker, 3),
                              worker_rnd(worker, 2) ? 0 : 50};
    char bytes[64];

    switch (worker_rnd(worker, 8)) {
    case 0:
        pl_dict_delete(dict, &worker->user, pl_str_c(key));
        break;
    case 1:
        pl_dict_incr(dict, &worker->user, pl_str_c(key), &by, &by, 20);
        break;
    case 2:
        pl_dict_expire(dict, &worker->user, pl_str_c(key),
                       worker_rnd(worker, 100));
        break;
    case 3:
    case 4:
        snprintf(bytes, sizeof(bytes), "%s: %u", key,
                 worker_rnd(worker, 1000000));
        value = worker_rnd(worker, 3) ? text(bytes) : integer(3);
        pl_dict_put(dict, &worker->user, pl_str_c(key), &value, &how);
        break;
    default:
        pl_dict_get(dict, &worker->user, pl_str_c(key), &value);
        worker->wrong += !is_own(&value, key);
        pl_epoch_leave(worker->user.reader);
    }
}

static void *storm(void *arg)
{
    struct worker *worker = arg;
    char key[16];

    for (int i = 0; i < STORMS; i++) {
        snprintf(key, sizeof(key), "%u", worker_rnd(worker, STORM_KEYS));
        storm_once(worker, key);
        worker->user.now += worker_rnd(worker, 3);
        worker->wrong += pl_dict_stats(dict).used > options.max;
        if (i % 4000 == 3999 && worker->id == 0)
            pl_dict_flush(dict, &worker->user);
    }
    return NULL;
}

static void test_dict__survives_a_storm(void **state)
{
    (void)state;
    for (int evict = 0; evict < 2; evict++) {
        open_dict(PL_DICT_SMALLEST, evict != 0);
        fill(0, evict ? 1000 : 200, "value"); /* not much room */
        run_threads(storm);
        pl_dict_flush(dict, &user);
        CHECK_INT(0, pl_dict_stats(dict).keys, "none is left");
        close_dict();
    }
}

/* Each thread keeps the dictionary full, with values of many sizes. */
static void *overfill(void *arg)
{
    struct worker *worker = arg;
    static const char bytes[4096];
    const struct pl_dict_put how = {PL_DICT_SET, 0};
    char key[24];

    for (int i = 0; i < 5000; i++) {
        struct pl_datum value = {.type = PL_DATUM_STRING,
                                 {.bytes = {bytes, worker_rnd(worker, 4096)}}};

        snprintf(key, sizeof(key), "%u %d", worker->id, i);
        worker->done +=
            pl_dict_put(dict, &worker->user, pl_str_c(key), &value, &how) == 0;
        worker->wrong += pl_dict_stats(dict).used > options.max;
    }
    return NULL;
}

static void test_dict__never_passes_its_limit(void **state)
{
    (void)state;
    open_dict(256 << 10, true);
    run_threads(overfill);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(workers[i].done > 0, "there was room for some of all");
    close_dict();
}

RUN_TESTS(DICT_TEST(test_dict__loses_no_increment),
          DICT_TEST(test_dict__swaps_stand_in_one_line),
          DICT_TEST(test_dict__one_adds),
          cmocka_unit_test(test_dict__survives_a_storm),
          cmocka_unit_test(test_dict__never_passes_its_limit))
