/* test_etag.c - entity tags (RFC 9110, 8.8.3). */
#include "check.h"

#include "http/etag.h"

static struct pl_str make(uint64_t size, int64_t mtime, uint64_t inode,
                          bool weak)
{
    static char out[8][PL_ETAG_MAX];
    static unsigned next;
    char *text = out[next++ % PL_COUNT(out)];

    return pl_str(text, pl_etag_make(text, size, mtime, inode, weak));
}

static void test_etag__tells_states_of_a_file_apart(void **state)
{
    struct pl_str tag = make(6150, 1700000000123456789, 42, false);

    (void)state;
    CHECK(pl_str_eq(tag, make(6150, 1700000000123456789, 42, false)), "same");
    CHECK(!pl_str_eq(tag, make(6151, 1700000000123456789, 42, false)), "size");
    CHECK(!pl_str_eq(tag, make(6150, 1700000000123456790, 42, false)), "time");
    CHECK(!pl_str_eq(tag, make(6150, 1700000000123456789, 43, false)), "inode");
    CHECK(!pl_str_eq(tag, make(6150, 1700000000123456831, 0, false)), "sum");
    CHECK(pl_str_ends(tag, PL_STR("-1806\"")), "size in hex");
}

static void test_etag__is_valid_and_fits(void **state)
{
    static const uint64_t values[] = {0, 1, 15, 16, 255, 1u << 31, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(values); i++)
        for (size_t j = 0; j < PL_COUNT(values); j++) {
            struct pl_str strong = make(values[i], (int64_t)values[j], 7, 0);
            struct pl_str weak = make(values[i], (int64_t)values[j], 7, 1);

            CHECK(pl_etag_valid(strong) && pl_etag_valid(weak), "valid");
            CHECK(weak.len <= PL_ETAG_MAX, "fits");
            CHECK(!pl_etag_matches_strong(strong, weak), "strong");
            CHECK(pl_etag_matches_weak(strong, weak), "weak");
        }
}

static const struct {
    const char *text;
    bool want;
} tags[] = {
    {"\"\"", true},         {"\"xyzzy\"", true},
    {"W/\"xyzzy\"", true},  {"W/\"\"", true},
    {"\"a,b\"", true},      {"\"a\\\"", true}, /* a backslash is no escape */
    {"\"\x80\xff\"", true}, {"", false},
    {"\"", false},          {"W/", false},
    {"W/\"", false},        {"xyzzy", false},
    {"w/\"xyzzy\"", false}, /* case matters */
    {"\"a b\"", false},     {"\"a\"b\"", false},
    {"\"a\" ", false},      {" \"a\"", false},
    {"\"a\x7f\"", false},   {"\"a\tb\"", false},
    {"*", false},
};

static void test_etag__validity(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(tags); i++)
        CHECK_INT(tags[i].want, pl_etag_valid(pl_str_c(tags[i].text)),
                  tags[i].text);
    CHECK(!pl_etag_valid(pl_str(NULL, 0)), "absent");
    CHECK(!pl_etag_valid(PL_STR("\"\0\"")), "NUL");
}

/* The table of RFC 9110, 8.8.3.2. */
static void test_etag__comparison(void **state)
{
    static const struct {
        const char *a, *b;
        bool strong, weak;
    } cases[] = {
        {"W/\"1\"", "W/\"1\"", false, true},
        {"W/\"1\"", "W/\"2\"", false, false},
        {"W/\"1\"", "\"1\"", false, true},
        {"\"1\"", "\"1\"", true, true},
        {"\"1\"", "\"2\"", false, false},
        {NULL, NULL, false, false},
        {"\"1\"", NULL, false, false},
        {"\"a\"", "\"A\"", false, false},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_str a = pl_str_c(cases[i].a), b = pl_str_c(cases[i].b);

        CHECK_INT(cases[i].strong, pl_etag_matches_strong(a, b), "strong");
        CHECK_INT(cases[i].strong, pl_etag_matches_strong(b, a), "strong");
        CHECK_INT(cases[i].weak, pl_etag_matches_weak(a, b), "weak");
        CHECK_INT(cases[i].weak, pl_etag_matches_weak(b, a), "weak");
    }
}

static void test_etag__lists(void **state)
{
    static const struct {
        const char *list, *want;
    } cases[] = {
        {"\"a\"", "\"a\" "},
        {"\"a\", W/\"b\",\"c\"", "\"a\" W/\"b\" \"c\" "},
        {" ,, \"a\" ,\t, \"b\" ,", "\"a\" \"b\" "},
        {"\"a,b\", \"c\"", "\"a,b\" \"c\" "},
        {"\"a\\\", \"b\"", "\"a\\\" \"b\" "},
        {"", ""},
        {"*", ""},
        {"a, \"b\"", ""}, /* the walk stops at a fault */
        {"\"a\", b, \"c\"", "\"a\" "},
        {"\"a\"\"b\"", ""},
        {"\"a\", \"b", "\"a\" "},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_str rest = pl_str_c(cases[i].list), tag;
        char got[100] = "";

        while (pl_etag_next(&rest, &tag))
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s ",
                     PL_STR_ARG(tag));
        CHECK_STR(cases[i].want, pl_str_c(got), cases[i].list);
        CHECK(!pl_etag_next(&rest, &tag), "stays at the end");
    }
}

RUN_TESTS(cmocka_unit_test(test_etag__tells_states_of_a_file_apart),
          cmocka_unit_test(test_etag__is_valid_and_fits),
          cmocka_unit_test(test_etag__validity),
          cmocka_unit_test(test_etag__comparison),
          cmocka_unit_test(test_etag__lists))
