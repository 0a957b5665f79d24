/* test_epoch.c - memory that is read without locks is freed late enough, and
 * soon enough. Run under ASan and TSan. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/epoch.h"
#include "base/sys.h"

struct thing {
    struct pl_retired retired;
    uint64_t value, copy; /* the same, as long as it is alive */
};

static atomic_uint freed;

static void free_thing(struct pl_retired *retired)
{
    struct thing *thing = PL_CONTAINER_OF(retired, struct thing, retired);

    thing->copy = ~thing->value;
    free(thing);
    atomic_fetch_add(&freed, 1);
}

static struct thing *new_thing(uint64_t value)
{
    struct thing *thing = malloc(sizeof(*thing));

    thing->value = thing->copy = value;
    return thing;
}

static void retire(struct pl_reader *reader, struct thing *thing)
{
    pl_epoch_retire(reader, &thing->retired, free_thing, sizeof(*thing));
}

static struct pl_epoch *new_epoch(void)
{
    struct pl_epoch *epoch = NULL;

    atomic_store(&freed, 0);
    CHECK_INT(0, pl_epoch_new(&epoch), "epoch");
    return epoch;
}

static void test_epoch__frees_when_all_sections_are_over(void **state)
{
    struct pl_epoch *epoch = new_epoch();
    struct pl_reader *a = pl_epoch_join(epoch), *b = pl_epoch_join(epoch);

    (void)state;
    retire(a, new_thing(1));
    CHECK(pl_epoch_pending(a), "not freed at once");
    CHECK(pl_epoch_collect(a), "nobody is inside");
    CHECK_INT(1, atomic_load(&freed), "freed");
    CHECK(!pl_epoch_pending(a), "nothing left");
    pl_epoch_enter(b);
    retire(a, new_thing(2));
    CHECK(!pl_epoch_collect(a), "b may look at it");
    CHECK(!pl_epoch_collect(a), "and still");
    CHECK_INT(1, atomic_load(&freed), "not freed");
    pl_epoch_enter(b); /* the old section ends, another begins */
    CHECK(pl_epoch_collect(a), "b looks at it no more");
    CHECK_INT(2, atomic_load(&freed), "freed");
    pl_epoch_leave(b);
    pl_epoch_part(a);
    pl_epoch_part(b);
    pl_epoch_free(epoch);
}

static void test_epoch__a_waiting_batch_does_not_stop_the_next(void **state)
{
    struct pl_epoch *epoch = new_epoch();
    struct pl_reader *a = pl_epoch_join(epoch), *b = pl_epoch_join(epoch);

    (void)state;
    pl_epoch_enter(b);
    for (int i = 0; i < PL_EPOCH_BATCH * 3; i++) {
        retire(a, new_thing(1));
        pl_epoch_tidy(a);
    }
    CHECK_INT(0, atomic_load(&freed), "b is inside all the time");
    pl_epoch_leave(b);
    CHECK(pl_epoch_collect(a), "both batches");
    CHECK_INT(PL_EPOCH_BATCH * 3, atomic_load(&freed), "freed");
    pl_epoch_part(a);
    pl_epoch_part(b);
    pl_epoch_free(epoch);
}

static void test_epoch__what_is_left_behind_is_adopted(void **state)
{
    struct pl_epoch *epoch = new_epoch();
    struct pl_reader *a = pl_epoch_join(epoch), *b = pl_epoch_join(epoch);

    (void)state;
    pl_epoch_enter(b);
    retire(a, new_thing(1));
    CHECK(!pl_epoch_collect(a), "waits");
    retire(a, new_thing(2));
    pl_epoch_part(a);
    CHECK(pl_epoch_join(epoch) == a, "the place is used again");
    CHECK(!pl_epoch_pending(a), "and empty");
    pl_epoch_leave(b);
    CHECK(pl_epoch_collect(b), "b takes over");
    CHECK_INT(2, atomic_load(&freed), "both");
    pl_epoch_enter(b);
    retire(a, new_thing(3));
    pl_epoch_part(a);
    pl_epoch_leave(b);
    pl_epoch_part(b);
    pl_epoch_free(epoch);
    CHECK_INT(3, atomic_load(&freed), "the end frees the rest");
}

/* ---- many threads: each section must find both words equal ---- */

enum { THREADS = 4, PLACES = 8, ROUNDS = 20000 };

static struct pl_epoch *shared;
static struct thing *_Atomic places[PLACES];
static atomic_uint torn;
static atomic_uint made;

static void look(struct pl_reader *reader, unsigned place)
{
    struct thing *thing;

    pl_epoch_enter(reader);
    thing = atomic_load(&places[place]);
    if (thing->value != thing->copy)
        atomic_fetch_add(&torn, 1);
    pl_epoch_leave(reader);
}

static void replace(struct pl_reader *reader, unsigned place, uint64_t value)
{
    struct thing *thing = new_thing(value), *old;

    atomic_fetch_add(&made, 1);
    pl_epoch_enter(reader);
    old = atomic_exchange(&places[place], thing);
    retire(reader, old);
    pl_epoch_leave(reader);
    pl_epoch_tidy(reader);
}

static void *churn(void *arg)
{
    unsigned seed = (unsigned)(size_t)arg * 7919 + 1;
    struct pl_reader *reader = pl_epoch_join(shared);

    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 1103515245 + 12345;
        if (seed >> 16 & 3)
            look(reader, (seed >> 20) % PLACES);
        else
            replace(reader, (seed >> 20) % PLACES, seed);
        if (i % 1000 == 999) { /* come and go */
            pl_epoch_part(reader);
            reader = pl_epoch_join(shared);
        }
    }
    pl_epoch_part(reader);
    return NULL;
}

static void test_epoch__holds_under_load(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    shared = new_epoch();
    atomic_store(&torn, 0);
    atomic_store(&made, PLACES);
    for (unsigned i = 0; i < PLACES; i++)
        atomic_store(&places[i], new_thing(i));
    for (size_t i = 0; i < THREADS; i++)
        CHECK_INT(0, pthread_create(&threads[i], NULL, churn, (void *)i),
                  "thread");
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(0, atomic_load(&torn), "nothing freed was seen");
    pl_epoch_wait(shared);
    pl_epoch_free(shared);
    CHECK_INT(atomic_load(&made) - PLACES, atomic_load(&freed), "all freed");
    for (unsigned i = 0; i < PLACES; i++)
        free(atomic_load(&places[i]));
}

RUN_TESTS(cmocka_unit_test(test_epoch__frees_when_all_sections_are_over),
          cmocka_unit_test(test_epoch__a_waiting_batch_does_not_stop_the_next),
          cmocka_unit_test(test_epoch__what_is_left_behind_is_adopted),
          cmocka_unit_test(test_epoch__holds_under_load))
