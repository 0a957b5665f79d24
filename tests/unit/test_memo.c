/* test_memo.c - made once, kept while it may be, freed when the last user
 * goes. */
#include "check.h"

#include "base/memo.h"
#include "base/faults.h"

/* A memo whose values are small integers; freed[v] counts. */
static struct {
    struct pl_pool pool;
    struct pl_account account;
    struct pl_memo memo;
} t;
static int freed[100], values[100];

static void free_value(void *value, void *arg)
{
    CHECK(arg == &t, "the argument");
    freed[(int *)value - values]++;
}

static int set_up_with(uint64_t ttl, size_t limit)
{
    struct pl_memo_options options = {
        .ttl = ttl, .limit = limit, .free = free_value, .arg = &t};

    memset(freed, 0, sizeof(freed));
    pl_pool_init(&t.pool, NULL, 0);
    pl_account_init(&t.account, NULL, 0);
    pl_memo_init(&t.memo, &options, &t.pool, &t.account);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(100, 1000);
}

/* Each value that was ever put is freed exactly once. */
static int tear_down(void **state)
{
    (void)state;
    pl_memo_fini(&t.memo);
    CHECK_INT(0, t.account.used, "nothing charged");
    pl_pool_fini(&t.pool);
    for (size_t i = 0; i < PL_COUNT(freed); i++)
        CHECK(freed[i] <= 1, "freed once");
    return 0;
}

/* The value of key at a time, or -1. */
static int peek(const char *key, uint64_t now)
{
    struct pl_memo_entry *entry = pl_memo_peek(&t.memo, pl_str_c(key), now);
    int value;

    if (entry == NULL)
        return -1;
    value = (int)((int *)entry->value - values);
    pl_memo_release(&t.memo, entry);
    return value;
}

static void put(const char *key, int value, size_t size, uint64_t now)
{
    CHECK_INT(0, pl_memo_put(&t.memo, pl_str_c(key), &values[value], size, now),
              key);
}

struct asker {
    struct pl_memo_waiter waiter;
    struct pl_memo_entry *entry;
    int told, err;
};

static void on_done(struct pl_memo_waiter *waiter, int err)
{
    struct asker *asker = PL_CONTAINER_OF(waiter, struct asker, waiter);

    asker->told++;
    asker->err = err;
}

static void ask_and_wait(struct asker *asker, const char *key)
{
    *asker = (struct asker){.waiter.done = on_done};
    CHECK_INT(PL_MEMO_WAIT,
              pl_memo_get(&t.memo, pl_str_c(key), 0, &asker->entry), key);
    pl_memo_wait(asker->entry, &asker->waiter);
}

static void test_memo__a_value_is_made_once(void **state)
{
    struct pl_memo_entry *entry;
    struct asker one, two, three;

    (void)state;
    CHECK_INT(PL_MEMO_MISS, pl_memo_get(&t.memo, PL_STR("a"), 0, &entry),
              "first");
    ask_and_wait(&one, "a");
    ask_and_wait(&two, "a");
    ask_and_wait(&three, "a");
    CHECK(pl_memo_peek(&t.memo, PL_STR("a"), 0) == NULL, "not yet there");
    pl_memo_unwait(&two.waiter);
    pl_memo_release(&t.memo, two.entry);
    pl_memo_fill(&t.memo, entry, &values[1], 10, 0);
    pl_memo_release(&t.memo, entry);
    CHECK_INT(1, one.told, "told");
    CHECK_INT(0, one.err, "there");
    CHECK_INT(0, two.told, "no more interest");
    CHECK_INT(1, three.told, "told, too");
    CHECK(one.entry->value == &values[1], "the value");
    pl_memo_unwait(&one.waiter);
    pl_memo_release(&t.memo, one.entry);
    pl_memo_release(&t.memo, three.entry);
    CHECK_INT(1, peek("a", 0), "kept");
    CHECK_INT(1, t.memo.misses, "one miss");
}

static void test_memo__a_failure_is_told_and_not_kept(void **state)
{
    struct pl_memo_entry *entry;
    struct asker one;

    (void)state;
    pl_memo_get(&t.memo, PL_STR("a"), 0, &entry);
    ask_and_wait(&one, "a");
    pl_memo_fail(&t.memo, entry, PL_ERR_TIMEOUT);
    CHECK_INT(PL_ERR_TIMEOUT, one.err, "why");
    CHECK_INT(PL_ERR_TIMEOUT, one.entry->err, "why");
    pl_memo_release(&t.memo, one.entry);
    pl_memo_release(&t.memo, entry);
    CHECK_INT(PL_MEMO_MISS, pl_memo_get(&t.memo, PL_STR("a"), 0, &entry),
              "tried again");
    pl_memo_fill(&t.memo, entry, &values[1], 1, 0);
    pl_memo_release(&t.memo, entry);
}

static void test_memo__invalidated_while_it_is_made(void **state)
{
    struct pl_memo_entry *old, *new;
    struct asker one;

    (void)state;
    pl_memo_get(&t.memo, PL_STR("a"), 0, &old);
    ask_and_wait(&one, "a");
    pl_memo_invalidate(&t.memo, PL_STR("a"));
    CHECK_INT(PL_MEMO_MISS, pl_memo_get(&t.memo, PL_STR("a"), 0, &new),
              "made anew");
    pl_memo_fill(&t.memo, new, &values[2], 1, 0);
    pl_memo_fill(&t.memo, old, &values[1], 1, 0);
    CHECK_INT(1, one.told, "who asked before gets it");
    CHECK(one.entry->value == &values[1], "the old one");
    CHECK_INT(2, peek("a", 0), "the new one is kept");
    pl_memo_release(&t.memo, one.entry);
    pl_memo_release(&t.memo, old);
    CHECK_INT(1, freed[1], "freed with its last user");
    pl_memo_release(&t.memo, new);
}

static void test_memo__too_old_is_gone(void **state)
{
    struct pl_memo_entry *entry;

    (void)state;
    put("a", 1, 1, 50);
    CHECK_INT(1, peek("a", 149), "still young");
    entry = pl_memo_peek(&t.memo, PL_STR("a"), 149);
    CHECK_INT(-1, peek("a", 150), "too old");
    CHECK_INT(0, freed[1], "but in use");
    CHECK(entry->value == &values[1], "and valid");
    pl_memo_release(&t.memo, entry);
    CHECK_INT(1, freed[1], "freed");
    put("b", 2, 1, UINT64_MAX - 1);
    CHECK_INT(2, peek("b", UINT64_MAX - 1), "time does not go round");
}

static void test_memo__the_least_used_go_first(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        put((char[]){(char)('a' + i), '\0'}, i, 100, 0);
    CHECK_INT(0, t.memo.evictions, "just fits");
    CHECK_INT(0, peek("a", 0), "used");
    CHECK_INT(2, peek("c", 0), "used");
    put("x", 50, 150, 0);
    CHECK_INT(-1, peek("b", 0), "the oldest not used");
    CHECK_INT(-1, peek("d", 0), "and the next");
    CHECK_INT(0, peek("a", 0), "kept");
    CHECK_INT(2, t.memo.evictions, "no more than needed");
    CHECK_INT(50, peek("x", 0), "the new one");
    CHECK(t.memo.used <= 1000, "limit");
    put("huge", 60, 1001, 0);
    CHECK_INT(-1, peek("huge", 0), "never fits");
    CHECK_INT(1, freed[60], "not kept");
    CHECK_INT(50, peek("x", 0), "nobody had to go for it");
}

static void test_memo__what_is_in_use_goes_last(void **state)
{
    struct pl_memo_entry *entry;

    (void)state;
    put("a", 1, 500, 0);
    entry = pl_memo_peek(&t.memo, PL_STR("a"), 0);
    put("b", 2, 500, 0);
    CHECK_INT(2, peek("b", 0), "used, but not in use");
    put("c", 3, 500, 0);
    CHECK_INT(1, peek("a", 0), "kept");
    CHECK_INT(-1, peek("b", 0), "gone");
    put("d", 4, 1000, 0);
    CHECK_INT(-1, peek("a", 0), "there was no other way");
    CHECK_INT(0, freed[1], "still in use");
    pl_memo_release(&t.memo, entry);
}

static void test_memo__put_replaces(void **state)
{
    (void)state;
    put("a", 1, 400, 0);
    put("a", 2, 700, 0);
    CHECK_INT(1, freed[1], "the old value");
    CHECK_INT(2, peek("a", 0), "the new one");
    CHECK_INT(700, t.memo.used, "counted once");
    pl_memo_clear(&t.memo);
    CHECK_INT(-1, peek("a", 0), "cleared");
    CHECK_INT(0, t.memo.used, "nothing left");
}

static void test_memo__survives_any_failed_allocation(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        int err = 0, n = 0;

        set_up_with(0, 0);
        for (; n < 20 && err == 0; n += err == 0)
            err = pl_memo_put(&t.memo, pl_str((char *)&values[n], 4),
                              &values[n], 1, 0);
        CHECK_INT(pl_faults_hit() ? PL_ERR_NOMEM : 0, err, "only when hit");
        if (err < 0)
            CHECK_INT(1, freed[n], "taken in any case");
        tear_down(NULL);
    }
}

#define IN_CACHE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CACHE(test_memo__a_value_is_made_once),
        IN_CACHE(test_memo__a_failure_is_told_and_not_kept),
        IN_CACHE(test_memo__invalidated_while_it_is_made),
        IN_CACHE(test_memo__too_old_is_gone),
        IN_CACHE(test_memo__the_least_used_go_first),
        IN_CACHE(test_memo__what_is_in_use_goes_last),
        IN_CACHE(test_memo__put_replaces),
        cmocka_unit_test(test_memo__survives_any_failed_allocation),
    };

    for (size_t i = 0; i < PL_COUNT(values); i++)
        values[i] = (int)i; /* keys of the last test */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
