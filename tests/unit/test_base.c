/* test_base.c - the small pieces of base/ that have no file of their own. */
#include "check.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

static void test_error__every_code_has_a_name(void **state)
{
    (void)state;
    for (int err = PL_ERR_AGAIN; err >= PL_ERR_EOF; err--)
        CHECK(strcmp(pl_err_name(err), "PL_ERR_?") != 0, pl_err_text(err));
    CHECK_STR("PL_ERR_?", pl_str_c(pl_err_name(0)), "no error");
}

static const struct {
    const char *text;
    int64_t want;
} sizes[] = {
    {"0", 0},
    {"10", 10},
    {"8k", 8192},
    {"1m", 1 << 20},
    {"1.5k", 1536},
    {"2G", 2LL << 30},
    {"", -1},
    {"k", -1},
    {"1x", -1},
    {"-1", -1},
    {"99999999999g", -1},
};

static void test_str__sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(sizes); i++) {
        uint64_t got = 0;
        bool ok = pl_str_to_size(pl_str_c(sizes[i].text), &got);

        CHECK_INT(sizes[i].want, ok ? (int64_t)got : -1, sizes[i].text);
    }
}

static void test_pool__classes_hold_what_they_promise(void **state)
{
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t size = 1; size <= PL_POOL_MAX + 10; size += 7) {
        char *block = pl_pool_get(&pool, size);

        CHECK(pl_pool_round(size) >= size, "rounded up");
        CHECK(size < 64 || pl_pool_round(size) <= size + size / 2 + 64,
              "tight");
        memset(block, 1, size);
        pl_pool_put(&pool, block, size);
    }
    CHECK_INT(0, pool.account.used, "all given back");
    pl_pool_fini(&pool);
}

static void test_arena__serves_small_large_and_formatted(void **state)
{
    struct pl_pool pool;
    struct pl_arena arena;
    struct pl_account account;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&account, NULL, 1 << 20);
    pl_arena_init(&arena, &pool, &account);
    for (size_t i = 0; i < 3000; i++) {
        char *ptr = pl_arena_alloc(&arena, i % 300);

        CHECK_INT(0, (uintptr_t)ptr % 16, "aligned");
        memset(ptr, (int)i, i % 300);
        CHECK_STR("x=12", pl_arena_printf(&arena, "x=%d", 12), "printf");
        if (i == 20)
            memset(pl_arena_bytes(&arena, 100000), 7, 100000);
    }
    CHECK(pl_arena_alloc(&arena, 2 << 20) == NULL, "over the limit");
    CHECK_INT(1, account.refused, "counted");
    pl_arena_fini(&arena);
    CHECK_INT(0, account.used, "account");
    pl_pool_fini(&pool);
}

static void test_buf__grows_to_its_limit_and_stays_failed(void **state)
{
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&buf, &pool, NULL, 1000);
    for (int i = 0; i < 100; i++)
        CHECK_INT(0, pl_buf_add(&buf, PL_STR("0123456789")), "fits");
    CHECK_INT(PL_ERR_LIMIT, pl_buf_addc(&buf, 'x'), "limit");
    CHECK_INT(PL_ERR_LIMIT, pl_buf_add(&buf, PL_STR("")), "stays failed");
    pl_buf_fini(&buf);
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_error__every_code_has_a_name),
          cmocka_unit_test(test_str__sizes),
          cmocka_unit_test(test_pool__classes_hold_what_they_promise),
          cmocka_unit_test(test_arena__serves_small_large_and_formatted),
          cmocka_unit_test(test_buf__grows_to_its_limit_and_stays_failed))
