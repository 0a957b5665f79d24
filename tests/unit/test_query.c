/* test_query.c - application/x-www-form-urlencoded. */
#include "arena_world.h"

#include "http/query.h"
#include "http/uri.h"

static const struct {
    const char *query, *want; /* name>value, each followed by a space */
} walks[] = {
    {"", ""},
    {"a=b", "a>b "},
    {"a=b&c=d", "a>b c>d "},
    {"a&b=&=c", "a> b> >c "},
    {"=", "> "},
    {"&", ""},
    {"&&a=1&&&b=2&", "a>1 b>2 "},
    {"a=b=c", "a>b=c "},
    {"a==", "a>= "},
    {"a=1;b=2", "a>1;b=2 "}, /* ";" is data */
    {"a=1&a=2", "a>1 a>2 "},
    {"a%26b=c%3Dd", "a%26b>c%3Dd "}, /* raw */
};

static void test_query__walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(walks); i++) {
        struct pl_str rest = pl_str_c(walks[i].query), name, value;
        char got[100] = "";

        while (pl_query_next(&rest, &name, &value)) {
            CHECK(name.data != NULL && value.data != NULL, walks[i].query);
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s>%.*s ",
                     PL_STR_ARG(name), PL_STR_ARG(value));
        }
        CHECK_STR(walks[i].want, pl_str_c(got), walks[i].query);
        CHECK(!pl_query_next(&rest, &name, &value), "stays at the end");
    }
}

static const struct {
    const char *query, *name, *want; /* NULL: absent */
} gets[] = {
    {"a=1&b=2", "b", "2"},
    {"a=1&a=2", "a", "1"},
    {"a", "a", ""},
    {"a=", "a", ""},
    {"=x", "", "x"},
    {"a=1", "b", NULL},
    {"a=1", "A", NULL},
    {"", "a", NULL},
    {"ab=1", "a", NULL},
    {"a=1", "ab", NULL},
    {"q=a+b%21", "q", "a b!"},
    {"q=100%", "q", "100%"},
    {"%61%20b=1", "a b", "1"},
    {"a+b=1", "a b", "1"},
    {"a%2Bb=1", "a+b", "1"},
    {"a%3D=1", "a=", "1"},
    {"x%5B%5D=1", "x[]", "1"},
};

static void test_query__gets_the_first_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(gets); i++)
        CHECK_STR(gets[i].want,
                  pl_query_get(pl_str_c(gets[i].query), pl_str_c(gets[i].name),
                               &arena),
                  gets[i].query);
    CHECK(pl_query_get(pl_str(NULL, 0), PL_STR("a"), &arena).data == NULL,
          "no query at all");
}

RUN_TESTS(cmocka_unit_test(test_query__walks),
          ARENA_TEST(test_query__gets_the_first_decoded))
