/* dict_world.h - one dictionary for a test, and short names for its calls. */
#ifndef PL_TESTS_DICT_WORLD_H
#define PL_TESTS_DICT_WORLD_H

#include "datums.h"

#define SECOND UINT64_C(1000000000)

static struct pl_epoch *epoch;
static struct pl_dict *dict;
static struct pl_dict_user user;
static struct pl_dict_options options;

PL_UNUSED static void open_dict(size_t max, bool evict)
{
    options = (struct pl_dict_options){.max = max, .evict = evict};
    CHECK_INT(0, pl_epoch_new(&epoch), "epoch");
    CHECK_INT(0, pl_dict_new(&options, &dict), "dictionary");
    user = (struct pl_dict_user){pl_epoch_join(epoch), SECOND};
}

/* All must be given back, which pl_dict_free() asserts. */
PL_UNUSED static void close_dict(void)
{
    pl_epoch_part(user.reader);
    pl_epoch_free(epoch);
    pl_dict_free(dict);
}

PL_UNUSED static int make(void **state)
{
    (void)state;
    open_dict(1 << 20, false);
    return 0;
}

PL_UNUSED static int end(void **state)
{
    (void)state;
    close_dict();
    return 0;
}

#define DICT_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

PL_UNUSED static int put(const char *key, struct pl_datum value,
                         enum pl_dict_mode mode)
{
    const struct pl_dict_put how = {mode, PL_DICT_FOREVER};

    return pl_dict_put(dict, &user, pl_str_c(key), &value, &how);
}

PL_UNUSED static int put_for(const char *key, struct pl_datum value,
                             uint64_t ttl)
{
    const struct pl_dict_put how = {PL_DICT_SET, ttl};

    return pl_dict_put(dict, &user, pl_str_c(key), &value, &how);
}

PL_UNUSED static int swap(const char *key, struct pl_datum from,
                          struct pl_datum to)
{
    return pl_dict_swap(dict, &user, pl_str_c(key), &from, &to);
}

PL_UNUSED static int delete (const char *key)
{
    return pl_dict_delete(dict, &user, pl_str_c(key));
}

PL_UNUSED static void check_is(const char *key, struct pl_datum want,
                               const char *what)
{
    struct pl_datum got;

    pl_dict_get(dict, &user, pl_str_c(key), &got);
    CHECK_INT(want.type, got.type, what);
    if (want.type == PL_DATUM_STRING)
        CHECK(pl_str_eq(want.bytes, got.bytes), what);
    else if (want.type == PL_DATUM_DOUBLE)
        CHECK(want.number == got.number, what);
    else if (want.type == PL_DATUM_INTEGER)
        CHECK_INT(want.integer, got.integer, what);
    pl_epoch_leave(user.reader);
}

PL_UNUSED static void fill(unsigned from, unsigned n, const char *value)
{
    char key[16];

    for (unsigned i = from; i < from + n; i++) {
        snprintf(key, sizeof(key), "fill %u", i);
        put(key, text(value), PL_DICT_SET);
        CHECK(pl_dict_stats(dict).used <= options.max, "within the limit");
    }
}

#endif
