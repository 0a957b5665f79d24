/* arena_world.h - an arena for a test, which must give all of it back. */
#ifndef PL_TESTS_ARENA_WORLD_H
#define PL_TESTS_ARENA_WORLD_H

#include "check.h"

#include "base/arena.h"

static struct pl_pool pool;
static struct pl_arena arena;

PL_UNUSED static int make_arena(void **state)
{
    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    return 0;
}

PL_UNUSED static int end_arena(void **state)
{
    (void)state;
    pl_arena_fini(&arena);
    CHECK_INT(0, pool.account.used, "all memory was given back");
    pl_pool_fini(&pool);
    return 0;
}

#define ARENA_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, make_arena, end_arena)

#endif
