/* test_memory.c - accounts, pools, arenas and buffers, each on the one before.
 */
#include "check.h"

#include <stdlib.h>

#include "base/account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/pool.h"

/* ---- account ---- */

static void test_account__a_chain_refuses_as_one(void **state)
{
    struct pl_account top, middle, leaf;

    (void)state;
    pl_account_init(&top, NULL, 100);
    pl_account_init(&middle, &top, 0);
    pl_account_init(&leaf, &middle, 80);
    CHECK_INT(0, pl_account_charge(&leaf, 80), "up to the limit");
    CHECK_INT(PL_ERR_LIMIT, pl_account_charge(&leaf, 1), "over its own");
    CHECK_INT(0, pl_account_charge(&middle, 20), "the rest");
    pl_account_release(&leaf, 80);
    CHECK_INT(PL_ERR_LIMIT, pl_account_charge(&middle, 81), "over the top's");
    CHECK_INT(20, middle.used, "nothing charged");
    CHECK_INT(20, top.used, "anywhere");
    CHECK_INT(1, leaf.refused, "counted where it was refused");
    CHECK_INT(1, top.refused, "counted where it was refused");
    CHECK_INT(0, middle.refused, "and only there");
    CHECK_INT(PL_ERR_LIMIT, pl_account_charge(&leaf, SIZE_MAX), "no overflow");
    pl_account_release(&middle, 20);
    CHECK_INT(0, top.used, "all given back");
    CHECK_INT(0, pl_account_charge(NULL, 5), "nobody counts");
    pl_account_release(NULL, 5);
}

/* ---- pool ---- */

static void test_pool__classes_hold_what_they_promise(void **state)
{
    struct pl_pool pool;
    size_t last = 0;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t size = 0; size <= PL_POOL_MAX + 10; size++) {
        size_t rounded = pl_pool_round(size);

        CHECK(rounded >= size, "rounded up");
        CHECK(rounded >= last, "grows with its size");
        CHECK(size < 64 || rounded <= size + size / 2, "tight");
        CHECK_INT(rounded, pl_pool_round(rounded), "stays");
        last = rounded;
        if (size % 61 == 0) {
            char *block = pl_pool_get(&pool, size);

            memset(block, 1, rounded);
            CHECK_INT(rounded, pool.account.used, "counted");
            pl_pool_put(&pool, block, size % 2 ? size : rounded);
        }
    }
    CHECK_INT(0, pool.account.used, "all given back");
    pl_pool_put(&pool, NULL, 100);
    pl_pool_fini(&pool);
}

static void test_pool__steady_state_needs_no_malloc(void **state)
{
    struct pl_pool pool;
    char *zeroed;
    uint64_t mallocs;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_pool_put(&pool, pl_pool_get(&pool, 100), 100);
    mallocs = pool.mallocs;
    for (int i = 0; i < 100; i++) {
        char *block = pl_pool_get(&pool, 97 + (size_t)i % 32);

        memset(block, 0xff, 128);
        pl_pool_put(&pool, block, 128);
    }
    CHECK_INT(mallocs, pool.mallocs, "re-used");
    zeroed = pl_pool_get_zeroed(&pool, 128);
    for (int i = 0; i < 128; i++)
        CHECK_INT(0, zeroed[i], "cleared");
    pl_pool_put(&pool, zeroed, 128);
    pl_pool_put(&pool, pl_pool_get(&pool, 1000), 1000);
    mallocs = pool.mallocs;
    pl_pool_trim(&pool);
    pl_pool_put(&pool, pl_pool_get(&pool, 1000), 1000);
    CHECK_INT(mallocs + 1, pool.mallocs, "trimmed");
    pl_pool_fini(&pool);
}

static void test_pool__small_blocks_are_cut_from_slabs(void **state)
{
    enum { BLOCKS = 2000 };
    struct pl_pool pool;
    char *blocks[BLOCKS];

    (void)state;
    if (PL_ASAN)
        skip(); /* there every block is malloc's own */
    pl_pool_init(&pool, NULL, 0);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = pl_pool_get(&pool, 64);
        CHECK_INT(0, (uintptr_t)blocks[i] % 64, "a cache line");
        memset(blocks[i], i, 64);
    }
    CHECK(pool.mallocs <= BLOCKS / 200, "no malloc for each");
    for (int i = 0; i < BLOCKS; i++) {
        CHECK_INT((char)i, blocks[i][63], "not shared");
        pl_pool_put(&pool, blocks[i], 64);
    }
    pl_pool_fini(&pool);
}

static void test_pool__keeps_no_more_than_it_may(void **state)
{
    static void *blocks[64];
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(blocks); i++)
        blocks[i] = pl_pool_get(&pool, 64 << 10);
    for (size_t i = 0; i < PL_COUNT(blocks); i++)
        pl_pool_put(&pool, blocks[i], 64 << 10);
    CHECK_INT(PL_POOL_KEEP / (64 << 10), pool.count[20], "free blocks");
    pl_pool_fini(&pool);
}

static void test_pool__limit(void **state)
{
    struct pl_account worker;
    struct pl_pool pool;
    void *block;

    (void)state;
    pl_account_init(&worker, NULL, 1000);
    pl_pool_init(&pool, &worker, 0);
    block = pl_pool_get(&pool, 768);
    CHECK(block != NULL, "fits");
    CHECK(pl_pool_get(&pool, 256) == NULL, "refused above");
    CHECK(pl_pool_get(&pool, SIZE_MAX) == NULL, "refused");
    CHECK_INT(768, worker.used, "only what was given");
    pl_pool_put(&pool, block, 768);
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        block = pl_pool_get(&pool, 500);
        CHECK((block == NULL) == pl_faults_hit(), "only then");
        pl_pool_put(&pool, block, 500);
        pl_pool_trim(&pool);
    }
    CHECK_INT(0, worker.used, "nothing left over");
    pl_pool_fini(&pool);
}

/* ---- arena ---- */

static void test_arena__serves_small_large_and_formatted(void **state)
{
    struct pl_account account;
    struct pl_arena arena;
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&account, NULL, 1 << 20);
    pl_arena_init(&arena, &pool, &account);
    for (size_t i = 0; i < 3000; i++) {
        char *ptr = pl_arena_alloc(&arena, i % 300);

        CHECK_INT(0, (uintptr_t)ptr % _Alignof(max_align_t), "aligned");
        memset(ptr, (int)i, i % 300);
        CHECK_STR("x=12", pl_arena_printf(&arena, "x=%d", 12), "printf");
        if (i == 20)
            memset(pl_arena_bytes(&arena, 100000), 7, 100000);
    }
    CHECK(pl_arena_alloc(&arena, 2 << 20) == NULL, "over the limit");
    CHECK(pl_arena_alloc(&arena, SIZE_MAX) == NULL, "no overflow");
    CHECK(pl_arena_alloc(&arena, SIZE_MAX - 8) == NULL, "no overflow");
    CHECK(pl_arena_bytes(&arena, SIZE_MAX) == NULL, "no overflow");
    CHECK(account.refused > 0, "counted");
    pl_arena_fini(&arena);
    CHECK_INT(0, account.used, "account");
    pl_pool_fini(&pool);
}

/* Like a request, whose first block holds the arena and what it charges. A
 * large piece goes behind that block. Sanitizers see what is wrong here. */
static void test_arena__lives_in_its_own_block(void **state)
{
    struct owner {
        struct pl_arena arena;
        struct pl_account account;
    } * owner;
    struct pl_account outer;
    struct pl_arena arena;
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&outer, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    owner = pl_arena_alloc(&arena, sizeof(*owner));
    CHECK(owner != NULL, "first block");
    owner->arena = arena;
    owner->arena.account = &owner->account;
    pl_account_init(&owner->account, &outer, 0);
    CHECK_INT(0, pl_account_charge(&owner->account, pl_arena_size(&arena)),
              "charged by hand");
    CHECK(pl_arena_alloc(&owner->arena, 50000) != NULL, "a large piece");
    CHECK(outer.used > 50000, "charged through");
    pl_arena_fini(&owner->arena);
    CHECK_INT(0, outer.used, "all given back");
    pl_pool_fini(&pool);
}

static void test_arena__first_call_of_each_kind(void **state)
{
    struct pl_arena arena;
    struct pl_pool pool;
    char *large;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    pl_arena_fini(&arena);
    CHECK_STR("", pl_arena_printf(&arena, "%s", ""), "printf");
    pl_arena_fini(&arena);
    CHECK(pl_arena_bytes(&arena, 0) != NULL, "bytes");
    pl_arena_fini(&arena);
    CHECK(pl_arena_alloc(&arena, 0) != NULL, "alloc");
    pl_arena_fini(&arena);
    large = pl_arena_alloc(&arena, 50000);
    memset(large, 1, 50000);
    CHECK_STR("a", pl_arena_str(&arena, PL_STR("a")), "after a large one");
    pl_arena_fini(&arena);
    CHECK_STR(NULL, pl_arena_str(&arena, pl_str(NULL, 0)), "absent");
    CHECK_STR("", pl_arena_str(&arena, PL_STR("")), "empty is not absent");
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
}

static void test_arena__printf_at_every_fill(void **state)
{
    struct pl_arena arena;
    struct pl_pool pool;
    struct pl_str text;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    for (int i = 0; i < 3000; i++) {
        text = pl_arena_printf(&arena, "%0*d", i % 40 + 1, 7);
        CHECK_INT(i % 40 + 1, text.len, "length");
        CHECK_INT('\0', text.data[text.len], "terminated");
        CHECK_INT('7', text.data[text.len - 1], "text");
    }
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
}

static void test_arena__may_lie_in_its_own_block(void **state)
{
    struct pl_arena arena, *inside;
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    inside = pl_arena_alloc(&arena, sizeof(*inside));
    *inside = arena;
    for (int i = 0; i < 10; i++)
        CHECK(pl_arena_zeroed(inside, 3000) != NULL, "more blocks");
    CHECK(pl_arena_bytes(inside, 60000) != NULL, "and a large one");
    pl_arena_fini(inside);
    pl_pool_fini(&pool);
}

static void test_arena__shrink_gives_back_the_newest(void **state)
{
    struct pl_arena arena;
    struct pl_pool pool;
    char *one, *two;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    one = pl_arena_bytes(&arena, 1000);
    pl_arena_shrink(&arena, one, 1000, 10);
    two = pl_arena_bytes(&arena, 10);
    CHECK(two == one + 10, "used again");
    pl_arena_shrink(&arena, one, 10, 0);
    CHECK(pl_arena_bytes(&arena, 1) == two + 10, "not the newest: stays");
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
}

/* ---- buf ---- */

static void test_buf__grows_to_its_limit_and_stays_failed(void **state)
{
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&buf, &pool, NULL, 1000);
    CHECK_STR("", pl_buf_str(&buf), "empty, not absent");
    for (int i = 0; i < 99; i++)
        CHECK_INT(0, pl_buf_add(&buf, PL_STR("0123456789")), "fits");
    CHECK_INT(0, pl_buf_printf(&buf, "%010d", 5), "to the last byte");
    CHECK(buf.cap <= 1024, "no more memory than the limit needs");
    CHECK_INT(PL_ERR_LIMIT, pl_buf_addc(&buf, 'x'), "limit");
    CHECK_INT(PL_ERR_LIMIT, pl_buf_add(&buf, PL_STR("")), "stays failed");
    CHECK_INT(PL_ERR_LIMIT, pl_buf_printf(&buf, "x"), "stays failed");
    CHECK_INT(1000, buf.len, "what was added is there");
    pl_buf_fini(&buf);
    CHECK_INT(0, pl_buf_addc(&buf, 'x'), "usable again");
    CHECK_INT(PL_ERR_LIMIT, pl_buf_reserve(&buf, SIZE_MAX), "no overflow");
    pl_buf_fini(&buf);
    pl_pool_fini(&pool);
}

static void test_buf__appends_and_consumes(void **state)
{
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&buf, &pool, NULL, 0);
    pl_buf_add(&buf, PL_STR("abc"));
    pl_buf_addc(&buf, '-');
    pl_buf_add_u64(&buf, 1234567890123456789);
    pl_buf_printf(&buf, " %s%c", "x", '\0');
    CHECK_INT(0, buf.err, "fits");
    CHECK_INT(4 + 19 + 3, buf.len, "length");
    CHECK(memcmp(buf.data, "abc-1234567890123456789 x", 26) == 0, "bytes");
    pl_buf_consume(&buf, 4);
    CHECK(pl_str_starts(pl_buf_str(&buf), PL_STR("123")), "the rest");
    pl_buf_consume(&buf, buf.len);
    CHECK_STR("", pl_buf_str(&buf), "nothing left");
    pl_buf_consume(&buf, 0);
    pl_buf_fini(&buf);
    pl_pool_fini(&pool);
}

/* vsnprintf() writes a NUL behind the text: there is always room for it. */
static void test_buf__formats_at_every_fill(void **state)
{
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&buf, &pool, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(0, pl_buf_printf(&buf, "%d", i % 10), "fits");
        CHECK(buf.cap > buf.len, "room for the NUL");
        CHECK_INT('0' + i % 10, buf.data[i], "text");
    }
    pl_buf_fini(&buf);
    pl_pool_fini(&pool);
}

static void test_buf__charges_its_account(void **state)
{
    struct pl_account account;
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&account, NULL, 4000);
    pl_buf_init(&buf, &pool, &account, 0);
    while (pl_buf_addc(&buf, 'x') == 0)
        CHECK(account.used <= 4000, "limit");
    CHECK_INT(PL_ERR_LIMIT, buf.err, "refused");
    CHECK(buf.len > 1000, "but not at once");
    CHECK_INT(buf.cap, account.used, "what it holds");
    pl_buf_fini(&buf);
    CHECK_INT(0, account.used, "given back");
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_account__a_chain_refuses_as_one),
          cmocka_unit_test(test_pool__classes_hold_what_they_promise),
          cmocka_unit_test(test_pool__steady_state_needs_no_malloc),
          cmocka_unit_test(test_pool__small_blocks_are_cut_from_slabs),
          cmocka_unit_test(test_pool__keeps_no_more_than_it_may),
          cmocka_unit_test(test_pool__limit),
          cmocka_unit_test(test_arena__serves_small_large_and_formatted),
          cmocka_unit_test(test_arena__lives_in_its_own_block),
          cmocka_unit_test(test_arena__first_call_of_each_kind),
          cmocka_unit_test(test_arena__printf_at_every_fill),
          cmocka_unit_test(test_arena__may_lie_in_its_own_block),
          cmocka_unit_test(test_arena__shrink_gives_back_the_newest),
          cmocka_unit_test(test_buf__grows_to_its_limit_and_stays_failed),
          cmocka_unit_test(test_buf__appends_and_consumes),
          cmocka_unit_test(test_buf__formats_at_every_fill),
          cmocka_unit_test(test_buf__charges_its_account))
