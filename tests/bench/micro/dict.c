/* dict.c - one thread and a shared dictionary: N rounds of a get of a number, a
 * get and a set of a short string, and an increment. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/sys.h"
#include "share/dict.h"

static struct pl_dict *dict;
static struct pl_dict_user user;

static void get(struct pl_str key)
{
    struct pl_datum value;

    pl_dict_get(dict, &user, key, &value);
    PL_ASSERT(value.type != PL_DATUM_NONE);
    pl_epoch_leave(user.reader);
}

static void get_number(void)
{
    get(PL_STR("number"));
}

static void get_string(void)
{
    get(PL_STR("string"));
}

static void set_string(void)
{
    const struct pl_dict_put set = {PL_DICT_SET, PL_DICT_FOREVER};
    const struct pl_datum value = {.type = PL_DATUM_STRING,
                                   {.bytes = PL_STR("a short string")}};

    PL_ASSERT(pl_dict_put(dict, &user, PL_STR("string"), &value, &set) == 0);
}

static void increment(void)
{
    struct pl_datum by = {.type = PL_DATUM_INTEGER, {.integer = 1}};
    const struct pl_datum init = {.type = PL_DATUM_INTEGER, {.integer = 0}};

    PL_ASSERT(pl_dict_incr(dict, &user, PL_STR("number"), &by, &init, 0) == 0);
}

static void measure(const char *what, void (*fn)(void), long n)
{
    uint64_t start = pl_clock_monotonic();

    for (long i = 0; i < n; i++)
        fn();
    printf("%s %.1f ns\n", what,
           (double)(pl_clock_monotonic() - start) / (double)n);
}

int main(int argc, char **argv)
{
    const struct pl_dict_options options = {.max = 1 << 20};
    long n = argc > 1 ? atol(argv[1]) : 3000000;
    struct pl_epoch *epoch;

    PL_ASSERT(pl_epoch_new(&epoch) == 0);
    PL_ASSERT(pl_dict_new(&options, &dict) == 0);
    user.reader = pl_epoch_join(epoch);
    user.now = 1;
    set_string();
    increment();
    measure("get a number", get_number, n);
    measure("get a string", get_string, n);
    measure("set a string", set_string, n);
    measure("increment", increment, n);
    pl_epoch_part(user.reader);
    pl_epoch_free(epoch);
    pl_dict_free(dict);
    return 0;
}
