/* test_deadline.c - time-outs end who is due, never early, and late by no more
 * than the length of their class. */
#include "world.h"

#include <stdlib.h>

#include "net/deadline.h"

enum { LENGTH = 1000, COUNT = 50 };

static struct thing {
    struct pl_source source;
    struct pl_deadline deadline;
    uint8_t class;
    uint64_t last; /* when it was touched last, ms */
    uint32_t ms;
    uint64_t expired; /* when it was ended; 0: not yet */
    bool close;       /* ... and is out of the loop then */
} things[COUNT];

static struct pl_deadlines lists;

static struct thing *thing_of(struct pl_source *source)
{
    return PL_CONTAINER_OF(source, struct thing, source);
}

static struct pl_deadline *deadline_of(struct pl_source *source)
{
    return &thing_of(source)->deadline;
}

static void set(struct thing *thing, enum pl_deadline_class class, uint32_t ms)
{
    pl_deadline_set(&lists, &thing->source, &thing->class, class, ms);
    thing->last = pl_now_ms(loop);
    thing->ms = ms;
}

static void on_expired(struct pl_source *source, enum pl_deadline_class class)
{
    struct thing *thing = thing_of(source);

    CHECK_INT(thing->class, class, "class");
    thing->expired = pl_now_ms(loop);
    CHECK(thing->expired - thing->last >= thing->ms, "early");
    set(thing, PL_DEADLINE_NONE, 0);
    if (thing->close)
        pl_loop_remove(loop, source, false);
}

static void on_ready(struct pl_source *source, unsigned events)
{
    (void)source, (void)events;
}

static int make(void **state)
{
    int far;

    make_world(state);
    pl_deadlines_init(&lists, loop);
    lists.of = deadline_of;
    lists.expired = on_expired;
    for (int i = 0; i < COUNT; i++) {
        things[i] = (struct thing){
            .source = {.ready = on_ready,
                       .fd = pl_script_pair(pl_script_of(loop), &far)}};
        CHECK_INT(0, pl_loop_add(loop, &things[i].source, 0, PL_EDGE), "add");
    }
    return 0;
}

static int end(void **state)
{
    for (int i = 0; i < COUNT; i++) {
        if (things[i].source.slot != 0)
            set(&things[i], PL_DEADLINE_NONE, 0);
        pl_loop_remove(loop, &things[i].source, false);
    }
    pl_deadlines_fini(&lists);
    return end_world(state);
}

static void test_deadline__ends_one_when_it_is_due(void **state)
{
    (void)state;
    set(&things[0], PL_DEADLINE_IDLE, LENGTH);
    pass(LENGTH - 1);
    CHECK_INT(0, things[0].expired, "not early");
    pass(1);
    CHECK(things[0].expired != 0, "due");
}

static void test_deadline__the_last_one_may_be_closed(void **state)
{
    (void)state;
    things[0].close = true;
    set(&things[0], PL_DEADLINE_IDLE, LENGTH);
    pass(LENGTH);
    CHECK(things[0].expired != 0, "due");
    set(&things[1], PL_DEADLINE_IDLE, LENGTH); /* the list is still good */
    pass(LENGTH);
    CHECK(things[1].expired != 0, "due");
}

static void test_deadline__touching_moves_it(void **state)
{
    (void)state;
    set(&things[0], PL_DEADLINE_IDLE, LENGTH);
    set(&things[1], PL_DEADLINE_IDLE, LENGTH);
    pass(LENGTH / 2);
    set(&things[0], PL_DEADLINE_IDLE, LENGTH);
    pass(LENGTH / 2);
    CHECK_INT(0, things[0].expired, "touched");
    CHECK(things[1].expired != 0, "behind it in the list");
    pass(LENGTH / 2);
    CHECK(things[0].expired != 0, "due");
}

static void test_deadline__changes_class(void **state)
{
    (void)state;
    set(&things[0], PL_DEADLINE_IDLE, LENGTH);
    set(&things[1], PL_DEADLINE_IDLE, LENGTH);
    set(&things[2], PL_DEADLINE_IDLE, LENGTH);
    set(&things[1], PL_DEADLINE_WRITE, 10);
    set(&things[0], PL_DEADLINE_NONE, 0);
    pass(10);
    CHECK(things[1].expired != 0, "the short class");
    pass(LENGTH);
    CHECK_INT(0, things[0].expired, "taken out");
    CHECK(things[2].expired != 0, "the long class");
}

/* Many, set and touched and taken out at random. */
static void test_deadline__never_early_and_not_too_late(void **state)
{
    (void)state;
    srand(7);
    for (int i = 0; i < COUNT; i++)
        set(&things[i], PL_DEADLINE_IDLE, LENGTH);
    for (int ms = 0; ms < 20 * LENGTH; ms += 10) {
        struct thing *thing = &things[rand() % COUNT];

        if (rand() % 8 == 0)
            set(thing, PL_DEADLINE_NONE, 0);
        else if (thing->class != PL_DEADLINE_NONE || rand() % 4 == 0)
            set(thing, PL_DEADLINE_IDLE, LENGTH);
        pass(10);
        for (int i = 0; i < COUNT; i++) {
            if (things[i].class != PL_DEADLINE_NONE)
                CHECK(pl_now_ms(loop) - things[i].last < 2 * LENGTH, "late");
        }
    }
}

#define DEADLINE_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(DEADLINE_TEST(test_deadline__ends_one_when_it_is_due),
          DEADLINE_TEST(test_deadline__the_last_one_may_be_closed),
          DEADLINE_TEST(test_deadline__touching_moves_it),
          DEADLINE_TEST(test_deadline__changes_class),
          DEADLINE_TEST(test_deadline__never_early_and_not_too_late))
