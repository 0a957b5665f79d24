/* test_table.c - the table against a plain array, over many random steps. */
#include "check.h"

#include <stdlib.h>

#include "base/faults.h"
#include "base/table.h"

enum { KEYS = 200, KEY_MAX = 12 };

static char keys[KEYS][KEY_MAX];
static int owners[KEYS]; /* what entries point at */

static struct pl_str key_of(size_t i)
{
    snprintf(keys[i], KEY_MAX, "k%zu", i * i);
    return pl_str_c(keys[i]);
}

static void check_walk(struct pl_table *table, const bool *there, size_t count)
{
    bool seen[KEYS] = {false};
    size_t n = 0;

    for (struct pl_table_walk at = {0}; pl_table_next(table, &at); n++) {
        size_t i = (size_t)((int *)at.value - owners);

        CHECK(there[i] && !seen[i], "shown once");
        CHECK_STR(keys[i], at.key, "its key");
        seen[i] = true;
    }
    CHECK_INT(count, n, "all shown");
    CHECK_INT(count, table->count, "count");
}

static void test_table__is_a_map(void **state)
{
    bool there[KEYS] = {false};
    struct pl_account account;
    struct pl_table table;
    struct pl_pool pool;
    size_t count = 0;

    (void)state;
    srand(1);
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&account, NULL, 0);
    pl_table_init(&table, &pool, &account);
    for (int step = 0; step < 20000; step++) {
        /* Long phases of growing and of shrinking. */
        bool add = rand() % 10 < (step / 2000 % 2 == 0 ? 7 : 3);
        size_t i = (size_t)rand() % KEYS;
        struct pl_str key = key_of(i);
        void *was;

        CHECK(pl_table_get(&table, key) == (there[i] ? &owners[i] : NULL), "");
        if (add)
            CHECK_INT(0, pl_table_put(&table, key, &owners[i], &was), "put");
        else
            was = pl_table_remove(&table, key);
        CHECK(was == (there[i] ? &owners[i] : NULL), "what was there");
        count = count + (add && !there[i]) - (!add && there[i]);
        there[i] = add;
        if (step % 100 == 0)
            check_walk(&table, there, count);
    }
    pl_table_fini(&table);
    CHECK_INT(0, account.used, "given back");
    pl_pool_fini(&pool);
}

static void test_table__entries_may_be_removed_on_a_walk(void **state)
{
    struct pl_table table;
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (int round = 0; round < 50; round++) { /* each with another key */
        size_t kept = 0, shown = 0;

        pl_table_init(&table, &pool, NULL);
        for (size_t i = 0; i < KEYS; i++)
            CHECK_INT(0, pl_table_put(&table, key_of(i), &owners[i], NULL), "");
        for (struct pl_table_walk at = {0}; pl_table_next(&table, &at);) {
            shown++;
            if (shown % 3 != 0)
                CHECK(pl_table_remove(&table, at.key) == at.value, "removed");
            else
                kept++;
        }
        CHECK_INT(KEYS, shown, "each once");
        CHECK_INT(kept, table.count, "the rest");
        pl_table_fini(&table);
    }
    pl_pool_fini(&pool);
}

static void test_table__odd_keys(void **state)
{
    static const struct pl_str odd[] = {
        {NULL, 0}, {"\0", 1}, {"\0\0", 2}, {"a", 1}, {"A", 1}, {"a\0b", 3},
    };
    struct pl_table table;
    struct pl_pool pool;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_table_init(&table, &pool, NULL);
    CHECK(pl_table_get(&table, PL_STR("")) == NULL, "empty table");
    CHECK(pl_table_remove(&table, PL_STR("")) == NULL, "empty table");
    for (size_t i = 0; i < PL_COUNT(odd); i++)
        CHECK_INT(0, pl_table_put(&table, odd[i], &owners[i], NULL), "put");
    for (size_t i = 0; i < PL_COUNT(odd); i++)
        CHECK(pl_table_get(&table, odd[i]) == &owners[i], "get");
    CHECK(pl_table_get(&table, PL_STR("")) == &owners[0], "absent is empty");
    pl_table_fini(&table);
    pl_pool_fini(&pool);
}

static void test_table__a_refused_put_changes_nothing(void **state)
{
    struct pl_account account;
    struct pl_table table;
    struct pl_pool pool;
    size_t n = 0;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&account, NULL, 2400); /* growing needs both */
    pl_table_init(&table, &pool, &account);
    while (pl_table_put(&table, key_of(n), &owners[n], NULL) == 0)
        n++;
    CHECK_INT(48, n, "three quarters of 64 slots");
    CHECK_INT(PL_ERR_LIMIT, pl_table_put(&table, key_of(n), owners, NULL), "");
    for (size_t i = 0; i < n; i++)
        CHECK(pl_table_get(&table, key_of(i)) == &owners[i], "still there");
    CHECK_INT(0, pl_table_put(&table, key_of(0), &owners[1], NULL), "replaced");
    pl_table_fini(&table);
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        int err = 0;

        pl_pool_trim(&pool);
        pl_table_init(&table, &pool, NULL);
        for (n = 0; n < KEYS && err == 0; n += err == 0)
            err = pl_table_put(&table, key_of(n), &owners[n], NULL);
        CHECK_INT(pl_faults_hit() ? PL_ERR_NOMEM : 0, err, "only when hit");
        for (size_t i = 0; i < n; i++)
            CHECK(pl_table_get(&table, key_of(i)) == &owners[i], "there");
        pl_table_fini(&table);
    }
    pl_pool_fini(&pool);
}

static const struct {
    size_t len;
    uint64_t want;
} hashes[] = {
    {1, 0x68a914128e01e473},  {2, 0x010bac45c41e3669},
    {7, 0x2f098ab0c751325a},  {8, 0xead411e67ebe2eea},
    {9, 0x75927f9d95124362},  {15, 0xf30eb725bb91c9ea},
    {16, 0x8972188433a5c5b7}, {63, 0x385d3e39e5f37359},
};

/* The values are CPython's, whose key is 0 with PYTHONHASHSEED=0:
 * hash(bytes(range(n))). */
static void test_hash__is_siphash_1_3(void **state)
{
    char bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < PL_COUNT(hashes); i++) {
        uint64_t got =
            pl_hash(pl_str(bytes, hashes[i].len), (struct pl_hash_key){0, 0});

        CHECK(got == hashes[i].want, "value");
    }
}

static void test_hash__keys_differ(void **state)
{
    struct pl_hash_key a = pl_hash_key_new(), b = pl_hash_key_new();

    (void)state;
    CHECK(a.k0 != b.k0 && a.k1 != b.k1, "two tables");
    CHECK(pl_hash(PL_STR("x"), a) != pl_hash(PL_STR("x"), b), "two hashes");
}

RUN_TESTS(cmocka_unit_test(test_table__is_a_map),
          cmocka_unit_test(test_table__entries_may_be_removed_on_a_walk),
          cmocka_unit_test(test_table__odd_keys),
          cmocka_unit_test(test_table__a_refused_put_changes_nothing),
          cmocka_unit_test(test_hash__is_siphash_1_3),
          cmocka_unit_test(test_hash__keys_differ))
