/* test_str.c - compare, search, split, convert. */
#include "check.h"

static const struct pl_str absent = {NULL, 0};

static void test_str__absent_behaves_as_empty(void **state)
{
    struct pl_str rest = absent, part;
    uint64_t n = 7;

    (void)state;
    CHECK(pl_str_skip(absent, 0).data == NULL, "skip");
    CHECK(pl_str_skip(absent, 5).data == NULL, "skip");
    CHECK(pl_str_first(absent, 5).data == NULL, "first");
    CHECK(pl_str_trim(absent).data == NULL, "trim");
    CHECK(pl_str_eq(absent, PL_STR("")), "eq");
    CHECK(pl_str_ieq(absent, PL_STR("")), "ieq");
    CHECK(pl_str_starts(absent, PL_STR("")), "starts");
    CHECK(pl_str_ends(absent, absent), "ends");
    CHECK_INT(0, pl_str_cmp(absent, PL_STR("")), "cmp");
    CHECK_INT(-1, pl_str_chr(absent, '\0'), "chr");
    CHECK_INT(-1, pl_str_rchr(absent, '\0'), "rchr");
    CHECK_INT(0, pl_str_find(absent, absent), "find nothing");
    CHECK_INT(-1, pl_str_find(absent, PL_STR("x")), "find");
    CHECK(!pl_str_split(&rest, ',', &part), "split");
    CHECK(!pl_str_to_u64(absent, &n) && n == 7, "to_u64");
    CHECK(!pl_str_to_size(absent, &n) && n == 7, "to_size");
    CHECK(pl_str_c(NULL).data == NULL, "of C");
}

static void test_str__compares(void **state)
{
    struct pl_str text = PL_STR("Content-Type");

    (void)state;
    CHECK(pl_str_ieq(text, PL_STR("cONTENT-tYPE")), "ieq");
    CHECK(!pl_str_ieq(PL_STR("@["), PL_STR("`{")), "letters only");
    CHECK(!pl_str_ieq(PL_STR("\xc4"), PL_STR("\xe4")), "ASCII only");
    CHECK(pl_str_starts(text, PL_STR("Content")), "starts");
    CHECK(!pl_str_starts(PL_STR("Con"), PL_STR("Content")), "shorter");
    CHECK(pl_str_istarts(text, PL_STR("content-")), "istarts");
    CHECK(pl_str_ends(text, PL_STR("-Type")), "ends");
    CHECK(!pl_str_ends(text, PL_STR("-type")), "ends");
    CHECK(pl_str_cmp(PL_STR("a"), PL_STR("b")) < 0, "cmp");
    CHECK(pl_str_cmp(PL_STR("a"), PL_STR("aa")) < 0, "shorter first");
    CHECK(pl_str_cmp(PL_STR("\xff"), PL_STR("a")) > 0, "bytes, not chars");
}

static void test_str__searches(void **state)
{
    struct pl_str text = PL_STR("a/b/c");

    (void)state;
    CHECK_INT(1, pl_str_chr(text, '/'), "chr");
    CHECK_INT(3, pl_str_rchr(text, '/'), "rchr");
    CHECK_INT(-1, pl_str_chr(text, '\0'), "not the end");
    CHECK_INT(2, pl_str_find(text, PL_STR("b/")), "find");
    CHECK_INT(-1, pl_str_find(text, PL_STR("b/d")), "find");
    CHECK_INT(-1, pl_str_find(PL_STR("a"), text), "longer");
    CHECK_STR("b c", pl_str_trim(PL_STR(" \t b c\t ")), "trim");
    CHECK_STR("", pl_str_trim(PL_STR(" \t ")), "nothing left");
    CHECK_STR("\n", pl_str_trim(PL_STR("\n")), "OWS is no line end");
}

static void test_str__splits(void **state)
{
    static const char *const want[] = {"a", "", "b", ""};
    struct pl_str rest = PL_STR("a,,b,"), part;
    size_t n = 0;

    (void)state;
    for (; pl_str_split(&rest, ',', &part); n++)
        CHECK_STR(want[n], part, "part");
    CHECK_INT(4, n, "parts");
    rest = PL_STR("");
    CHECK(pl_str_split(&rest, ',', &part) && part.len == 0, "one empty part");
    CHECK(!pl_str_split(&rest, ',', &part), "and no more");
}

static const struct {
    const char *text;
    bool dec, hex;
    uint64_t want_dec, want_hex;
} numbers[] = {
    {"0", true, true, 0, 0},
    {"007", true, true, 7, 7},
    {"10", true, true, 10, 16},
    {"18446744073709551615", true, false, UINT64_MAX, 0},
    {"18446744073709551616", false, false, 0, 0},
    {"99999999999999999999", false, false, 0, 0},
    {"ffffFFFFffffFFFF", false, true, 0, UINT64_MAX},
    {"10000000000000000", true, false, 10000000000000000, 0},
    {"", false, false, 0, 0},
    {"-1", false, false, 0, 0},
    {"+1", false, false, 0, 0},
    {" 1", false, false, 0, 0},
    {"1 ", false, false, 0, 0},
    {"0x1", false, false, 0, 0},
    {"g", false, false, 0, 0},
    {"/", false, false, 0, 0},
    {":", false, false, 0, 0},
    {"@", false, false, 0, 0},
    {"`", false, false, 0, 0},
    {"\xb1", false, false, 0, 0},
};

static void test_str__numbers_are_digits_only(void **state)
{
    char digits[20];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(numbers); i++) {
        struct pl_str text = pl_str_c(numbers[i].text);
        uint64_t n = 77;

        CHECK_INT(numbers[i].dec, pl_str_to_u64(text, &n), text.data);
        CHECK(n == (numbers[i].dec ? numbers[i].want_dec : 77), text.data);
        n = 77;
        CHECK_INT(numbers[i].hex, pl_str_to_u64_hex(text, &n), text.data);
        CHECK(n == (numbers[i].hex ? numbers[i].want_hex : 77), text.data);
    }
    CHECK_STR("0", pl_str(digits, pl_u64_format(digits, 0)), "format");
    CHECK_STR("18446744073709551615",
              pl_str(digits, pl_u64_format(digits, UINT64_MAX)), "format");
}

static void test_str__writes_decimals(void **state)
{
    char got[21], want[24];
    uint64_t value = 0;

    (void)state;
    for (int i = 0; i < 400; i++) { /* each length, near its ends too */
        uint64_t at = value - 1 + (uint64_t)(i % 3);

        got[pl_u64_format(got, at)] = '\0';
        snprintf(want, sizeof(want), "%llu", (unsigned long long)at);
        CHECK_STR(want, pl_str_c(got), "decimal");
        if (i % 3 == 2)
            value = i % 5 == 0 ? value * 7 + 3 : value == 0 ? 1 : value * 10;
    }
}

static const struct {
    const char *text;
    int64_t size, ms; /* -1: refused */
} quantities[] = {
    {"0", 0, 0},
    {"10", 10, 10000},
    {"1.5", 1, 1500},
    {"1.0009", 1, 1000},
    {"8k", 8192, -1},
    {"8KiB", 8192, -1},
    {"1m", 1 << 20, 60000},
    {"1.5k", 1536, -1},
    {"2G", 2LL << 30, -1},
    {"10s", -1, 10000},
    {"500ms", -1, 500},
    {"0.25s", -1, 250},
    {"5min", -1, 300000},
    {"2h", -1, 7200000},
    {"1d", -1, 86400000},
    {"", -1, -1},
    {"k", -1, -1},
    {"1x", -1, -1},
    {"-1", -1, -1},
    {"1.", -1, -1},
    {".5", -1, -1},
    {"1.2.3", -1, -1},
    {"1.234.5", -1, -1},
    {"1 k", -1, -1},
    {"99999999999g", -1, -1},
    {"99999999999999d", -1, -1},
};

static void test_str__quantities(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(quantities); i++) {
        struct pl_str text = pl_str_c(quantities[i].text);
        uint64_t n = 0;

        CHECK_INT(quantities[i].size,
                  pl_str_to_size(text, &n) ? (int64_t)n : -1, text.data);
        CHECK_INT(quantities[i].ms, pl_str_to_ms(text, &n) ? (int64_t)n : -1,
                  text.data);
    }
}

static void test_str__lower_in_place(void **state)
{
    char text[] = "AbZ[\xc4";

    (void)state;
    pl_str_lower(text, pl_str(text, 5));
    CHECK_STR("abz[\xc4", pl_str_c(text), "ASCII only");
    CHECK(pl_str_hash(PL_STR("a"), 1) != pl_str_hash(PL_STR("a"), 2), "seed");
}

static void test_equal__in_any_place(void **state)
{
    char a[] = "0123456789", b[] = "0123456789";

    (void)state;
    CHECK(pl_equal(PL_STR(""), pl_str(NULL, 0)), "empty");
    CHECK(!pl_equal(PL_STR("a"), PL_STR("ab")), "lengths");
    CHECK(pl_equal(pl_str(a, 10), pl_str(b, 10)), "same");
    for (int i = 0; i < 10; i++) {
        b[i] ^= 0x40;
        CHECK(!pl_equal(pl_str(a, 10), pl_str(b, 10)), "one bit");
        b[i] ^= 0x40;
    }
}

RUN_TESTS(cmocka_unit_test(test_equal__in_any_place),
          cmocka_unit_test(test_str__absent_behaves_as_empty),
          cmocka_unit_test(test_str__compares),
          cmocka_unit_test(test_str__searches),
          cmocka_unit_test(test_str__splits),
          cmocka_unit_test(test_str__numbers_are_digits_only),
          cmocka_unit_test(test_str__writes_decimals),
          cmocka_unit_test(test_str__quantities),
          cmocka_unit_test(test_str__lower_in_place))
