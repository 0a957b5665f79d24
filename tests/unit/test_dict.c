/* test_dict.c - the shared dictionary: what each call does, and what it may
 * hold. What many threads see of it is in test_dict_threads.c. */
#include "dict_world.h"

#include "base/faults.h"

/* ---- one thread ---- */

static void test_dict__keeps_values_of_all_types(void **state)
{
    const struct pl_datum values[] = {
        integer(0),         integer(-1),           integer((1LL << 47) - 1),
        integer(1LL << 47), integer(-(1LL << 47)), integer(INT64_MIN),
        number(1.5),        number(-0.0),          number(-__builtin_inf()),
        text(""),           text("abc"),
    };

    (void)state;
    check_is("k", none(), "nothing there");
    for (size_t i = 0; i < PL_COUNT(values); i++) {
        CHECK_INT(0, put("k", values[i], PL_DICT_SET), "set");
        check_is("k", values[i], "get");
    }
    CHECK_INT(0, put("", text("empty key"), PL_DICT_SET), "set");
    check_is("", text("empty key"), "a key may be empty");
    check_is("k", text("abc"), "others stay");
    CHECK_INT(0, delete ("k"), "delete");
    CHECK_INT(PL_ERR_NOT_FOUND, delete ("k"), "once");
    check_is("k", none(), "gone");
    CHECK_INT(1, pl_dict_stats(dict).keys, "one is left");
}

static void test_dict__modes(void **state)
{
    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND, put("k", integer(1), PL_DICT_REPLACE), "none");
    CHECK_INT(0, put("k", integer(1), PL_DICT_ADD), "add");
    CHECK_INT(PL_ERR_EXISTS, put("k", text("x"), PL_DICT_ADD), "again");
    check_is("k", integer(1), "unchanged");
    CHECK_INT(0, put("k", text("x"), PL_DICT_REPLACE), "replace");
    check_is("k", text("x"), "changed");
    CHECK_INT(0, delete ("k"), "delete");
    CHECK_INT(0, put("k", text("y"), PL_DICT_ADD), "new again");
}

static void test_dict__swaps_what_is_expected(void **state)
{
    struct pl_datum found;

    (void)state;
    CHECK_INT(0, swap("k", none(), integer(1)), "none, as expected");
    CHECK_INT(PL_ERR_STATE, swap("k", none(), integer(2)), "one is there");
    CHECK_INT(PL_ERR_STATE, swap("k", integer(2), integer(3)), "another");
    CHECK_INT(0, swap("k", number(1), text("x")), "1 is 1.0");
    CHECK_INT(PL_ERR_STATE, swap("k", text("y"), integer(3)), "another text");
    CHECK_INT(0, swap("k", text("x"), none()), "away with it");
    check_is("k", none(), "gone");
    CHECK_INT(0, swap("k", none(), none()), "nothing for nothing");
    CHECK_INT(0, put("k", text("x"), PL_DICT_SET), "set");
    pl_dict_get(dict, &user, PL_STR("k"), &found);
    pl_epoch_leave(user.reader);
    CHECK_INT(0, put("k", text("x"), PL_DICT_SET), "the same text anew");
    CHECK_INT(PL_ERR_STATE, swap("k", found, integer(1)), "another version");
}

static void test_dict__counts(void **state)
{
    struct pl_datum by = integer(5), init = integer(100);
    struct pl_datum wide = integer(INT64_MAX);

    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND,
              pl_dict_incr(dict, &user, PL_STR("n"), &by, NULL, 0), "none");
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("n"), &by, &init, 0), "init");
    CHECK_INT(105, by.integer, "init + by");
    by = number(0.5);
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("n"), &by, &init, 0), "more");
    CHECK(by.type == PL_DATUM_DOUBLE && by.number == 105.5, "a fraction");
    CHECK_INT(0, put("n", integer((1LL << 47) - 1), PL_DICT_SET), "set");
    by = integer(1);
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("n"), &by, NULL, 0), "wide");
    check_is("n", integer(1LL << 47), "beyond 48 bits");
    by = integer(-1);
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("n"), &by, NULL, 0), "back");
    check_is("n", integer((1LL << 47) - 1), "and within");
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("n"), &wide, NULL, 0), "sum");
    CHECK_INT(PL_DATUM_DOUBLE, wide.type, "an overflow is a double");
    CHECK_INT(0, put("s", text("1"), PL_DICT_SET), "set");
    CHECK_INT(PL_ERR_INVALID,
              pl_dict_incr(dict, &user, PL_STR("s"), &by, NULL, 0), "a string");
}

static void test_dict__values_expire(void **state)
{
    struct pl_datum by = integer(1), init = integer(0);
    uint64_t left = 1;

    (void)state;
    CHECK_INT(0, put_for("k", text("a"), 10), "set");
    CHECK_INT(0, pl_dict_ttl(dict, &user, PL_STR("k"), &left), "ttl");
    CHECK_INT(10, left, "ten");
    user.now += 9;
    check_is("k", text("a"), "just there");
    user.now += 1;
    check_is("k", none(), "gone");
    CHECK_INT(PL_ERR_NOT_FOUND, delete ("k"), "not there");
    CHECK_INT(0, put_for("k", text("b"), 10), "a new one");
    CHECK_INT(0, pl_dict_expire(dict, &user, PL_STR("k"), 100), "later");
    user.now += 50;
    check_is("k", text("b"), "still there");
    CHECK_INT(0, put_for("k", integer(7), PL_DICT_FOREVER), "for ever");
    CHECK_INT(0, pl_dict_ttl(dict, &user, PL_STR("k"), &left), "ttl");
    CHECK_INT(PL_DICT_FOREVER, left, "for ever");
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("r"), &by, &init, 20), "new");
    user.now += 15;
    CHECK_INT(0, pl_dict_incr(dict, &user, PL_STR("r"), &by, &init, 20), "2");
    CHECK_INT(2, by.integer, "counts on");
    user.now += 5;
    check_is("r", none(), "the first one's time is over");
    CHECK_INT(0, put_for("k", text("x"), 10), "set");
    CHECK_INT(0, swap("k", text("x"), text("y")), "swap");
    user.now += 10;
    check_is("k", none(), "a swapped value keeps the time");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_dict_expire(dict, &user, PL_STR("k"), 1),
              "nothing to expire");
}

static void count_key(void *arg, struct pl_str key)
{
    (void)key;
    ++*(unsigned *)arg;
}

static void test_dict__walks_and_flushes(void **state)
{
    unsigned seen = 0;
    size_t at = 0;
    char key[16];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        CHECK_INT(0, put_for(key, text("value"), i % 2 ? 10 : 0), key);
    }
    while (pl_dict_walk(dict, &user, &at, count_key, &seen)) {
    }
    CHECK_INT(2000, seen, "all");
    user.now += 10;
    at = seen = 0;
    while (pl_dict_walk(dict, &user, &at, count_key, &seen)) {
    }
    CHECK_INT(1000, seen, "not the expired");
    pl_dict_flush(dict, &user);
    CHECK_INT(0, pl_dict_stats(dict).keys, "none");
    pl_epoch_collect(user.reader);
    at = seen = 0;
    while (pl_dict_walk(dict, &user, &at, count_key, &seen)) {
    }
    CHECK_INT(0, seen, "none");
}

static void test_dict__refuses_what_is_too_large(void **state)
{
    static char large[2 << 20];
    struct pl_datum value = {.type = PL_DATUM_STRING,
                             {.bytes = {large, 600 << 10}}};
    struct pl_str key = {large, PL_DICT_KEY_MAX + 1};
    const struct pl_dict_put how = {PL_DICT_SET, 0};

    (void)state;
    CHECK_INT(PL_ERR_LIMIT, put("k", value, PL_DICT_SET), "more than half");
    CHECK_INT(PL_ERR_TOO_LONG, pl_dict_put(dict, &user, key, &value, &how),
              "the key");
    check_is("k", none(), "not there");
    CHECK(pl_dict_stats(dict).refused > 0, "counted");
}

/* ---- a long walk beside a model ---- */

enum { MODEL_KEYS = 40, MODEL_STEPS = 60000 };

struct model {
    struct pl_datum value;
    uint64_t expires;
};

static unsigned seed;

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

static struct pl_datum random_value(void)
{
    static const char *const texts[] = {"", "a", "hello", "a longer text"};
    unsigned kind = rnd(3);

    return kind == 0   ? integer((int64_t)rnd(100) << rnd(50))
           : kind == 1 ? number(rnd(100) / 4.0)
                       : text(texts[rnd(4)]);
}

static bool is_there(const struct model *model)
{
    return model->value.type != PL_DATUM_NONE &&
           (model->expires == 0 || model->expires > user.now);
}

static void step_put(struct model *model, const char *key,
                     struct pl_datum value, uint64_t ttl)
{
    const struct pl_dict_put how = {(enum pl_dict_mode)rnd(3), ttl};
    int want = 0;

    if (how.mode == PL_DICT_ADD && is_there(model))
        want = PL_ERR_EXISTS;
    if (how.mode == PL_DICT_REPLACE && !is_there(model))
        want = PL_ERR_NOT_FOUND;
    CHECK_INT(want, pl_dict_put(dict, &user, pl_str_c(key), &value, &how),
              "put");
    if (want < 0)
        return;
    model->value = value;
    model->expires = ttl == 0 ? 0 : user.now + ttl;
}

static void step(struct model *model, const char *key)
{
    struct pl_datum value = random_value();
    uint64_t ttl = rnd(3) == 0 ? 1 + rnd(200) : 0;
    int want;

    if (!is_there(model))
        *model = (struct model){.value = none()};
    want = is_there(model) ? 0 : PL_ERR_NOT_FOUND;
    switch (rnd(6)) {
    case 0:
        CHECK_INT(want, delete (key), "delete");
        model->value = none();
        break;
    case 1:
        CHECK_INT(0, swap(key, model->value, value), "swap");
        model->value = value;
        break;
    case 2:
        CHECK_INT(want, pl_dict_expire(dict, &user, pl_str_c(key), ttl),
                  "expire");
        model->expires = ttl == 0 ? 0 : user.now + ttl;
        break;
    default:
        step_put(model, key, value, ttl);
    }
}

static void test_dict__agrees_with_a_model(void **state)
{
    static struct model models[MODEL_KEYS];
    char key[16];

    (void)state;
    seed = 1;
    memset(models, 0, sizeof(models));
    for (int i = 0; i < MODEL_STEPS; i++) {
        unsigned n = rnd(MODEL_KEYS);
        struct model *model = &models[n];

        snprintf(key, sizeof(key), "%u", n);
        step(model, key);
        user.now += rnd(4);
        if (model->value.type != PL_DATUM_NONE && model->expires != 0 &&
            model->expires <= user.now)
            model->value = none();
        check_is(key, model->value, key);
    }
}

/* ---- the limit ---- */

/* Puts more keys until there is no room for another. */
static void fill_up(uint64_t ttl)
{
    char key[16];
    int err = 0;

    for (int i = 0; err == 0; i++) {
        snprintf(key, sizeof(key), "more %d", i);
        err = put_for(key, integer(i), ttl);
    }
    CHECK_INT(PL_ERR_LIMIT, err, "full");
}

static void test_dict__a_full_one_refuses(void **state)
{
    (void)state;
    open_dict(PL_DICT_SMALLEST, false);
    fill(0, 5000, "value");
    CHECK(pl_dict_stats(dict).refused > 0, "refused");
    check_is("fill 0", text("value"), "the first stay");
    fill_up(0);
    CHECK_INT(0, put("fill 0", integer(1), PL_DICT_SET), "a number for a text");
    for (int i = 1; i < 20; i++) {
        char key[16];

        snprintf(key, sizeof(key), "fill %d", i);
        CHECK_INT(0, delete (key), key);
    }
    CHECK_INT(0, put("one more", integer(1), PL_DICT_SET), "there is room");
    close_dict();
}

static void test_dict__a_full_one_sweeps_the_expired(void **state)
{
    (void)state;
    open_dict(PL_DICT_SMALLEST, false);
    fill_up(SECOND);
    user.now += 2 * SECOND;
    CHECK_INT(0, put("k", text("x"), PL_DICT_SET), "room was made");
    CHECK_INT(1, pl_dict_stats(dict).keys, "all others were swept");
    close_dict();
}

static void test_dict__evicts_what_was_not_used(void **state)
{
    (void)state;
    open_dict(PL_DICT_SMALLEST, true);
    CHECK_INT(0, put("hot", text("stays"), PL_DICT_SET), "set");
    for (unsigned i = 0; i < 300; i++) {
        fill(i * 100, 100, "value");
        check_is("hot", text("stays"), "what is used stays");
    }
    CHECK(pl_dict_stats(dict).evicted > 25000, "others went");
    CHECK_INT(0, pl_dict_stats(dict).refused, "nothing was refused");
    CHECK(pl_dict_stats(dict).used > PL_DICT_SMALLEST / 2, "and it is full");
    close_dict();
}

/* ---- without memory ---- */

static void test_dict__without_memory(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_dict *made = NULL;

        if (pl_dict_new(&options, &made) == 0)
            pl_dict_free(made);
        CHECK(made != NULL || pl_faults_hit(), "made");
    }
    fill(0, 300, "so that buckets are arrays");
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_datum by = integer(INT64_C(1) << 46), init = by;
        bool failed = false;

        failed |= put("a", text("x"), PL_DICT_SET) != 0;
        failed |= put_for("a", text("y"), SECOND) != 0;
        failed |= put_for("fill 7", text("y"), SECOND) != 0;
        failed |= pl_dict_incr(dict, &user, PL_STR("n"), &by, &init, 0) != 0;
        pl_dict_expire(dict, &user, PL_STR("fill 8"), SECOND);
        delete ("a");
        delete ("n");
        CHECK(!failed || pl_faults_hit(), "done");
        pl_epoch_collect(user.reader);
    }
    check_is("fill 9", text("so that buckets are arrays"), "the rest stays");
}

/* A full dictionary works among the garbage that it makes. Once a put was lost
 * with its memory when there was none for its bucket. */
static void test_dict__evicts_without_memory(void **state)
{
    char data[500] = "";

    (void)state;
    memset(data, 'x', sizeof(data) - 1);
    open_dict(PL_DICT_SMALLEST, true);
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        for (unsigned i = 0; i < 300; i++) {
            char key[16];

            snprintf(key, sizeof(key), "key%u", i);
            if (put(key, text(data), PL_DICT_SET) == 0)
                check_is(key, text(data), "what was put is there");
        }
        pl_dict_flush(dict, &user);
    }
    close_dict();
}

RUN_TESTS(DICT_TEST(test_dict__keeps_values_of_all_types),
          DICT_TEST(test_dict__modes),
          DICT_TEST(test_dict__swaps_what_is_expected),
          DICT_TEST(test_dict__counts), DICT_TEST(test_dict__values_expire),
          DICT_TEST(test_dict__walks_and_flushes),
          DICT_TEST(test_dict__refuses_what_is_too_large),
          DICT_TEST(test_dict__agrees_with_a_model),
          cmocka_unit_test(test_dict__a_full_one_refuses),
          cmocka_unit_test(test_dict__a_full_one_sweeps_the_expired),
          cmocka_unit_test(test_dict__evicts_what_was_not_used),
          DICT_TEST(test_dict__without_memory),
          cmocka_unit_test(test_dict__evicts_without_memory))
