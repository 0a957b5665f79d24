/* test_json_number.c - numbers against printf, strtod and the table of cases
 * that are known to be hard. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/json_number.h"

static struct pl_str format(double value)
{
    static char text[PL_JSON_NUMBER_MAX + 1];
    size_t len;

    memset(text, '#', sizeof(text));
    len = pl_json_format_double(text, value);
    CHECK(len <= PL_JSON_NUMBER_MAX && text[PL_JSON_NUMBER_MAX] == '#', "fits");
    text[len] = '\0';
    return pl_str(text, len);
}

/* The whole text as a double; NaN if it is not a number. */
static double parse(struct pl_str text)
{
    struct pl_json_number number;
    const char *at = text.data, *what = NULL;

    if (pl_json_parse_number(&at, text.data + text.len, &number, &what) < 0 ||
        at != text.data + text.len)
        return NAN;
    return number.kind == PL_JSON_INTEGER ? (double)number.integer
                                          : number.value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* The significant digits of a number's text. */
static int digits_of(const char *text, char *digits)
{
    int n = 0;

    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
            digits[n++] = *text;
    while (n > 0 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return n;
}

/* No shorter text would do, and of those as long it is the nearest: printf
 * finds the nearest of each length, which may miss one that reads back. */
static void check_shortest(double value, const char *text)
{
    char digits[64], other[64], rounded[64];
    int n = digits_of(text, digits);

    for (int i = 1; i < n; i++) {
        snprintf(rounded, sizeof(rounded), "%.*e", i - 1, value);
        CHECK(strtod(rounded, NULL) != value, text);
    }
    snprintf(rounded, sizeof(rounded), "%.*e", n - 1, value);
    digits_of(rounded, other);
    if (n > 0 && strtod(rounded, NULL) == value)
        CHECK_STR(digits, pl_str_c(other), text);
}

static uint64_t random_bits(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u; /* splitmix64, fixed seed */
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double random_double(int i)
{
    uint64_t bits = random_bits();
    double value;

    switch (i % 4) {
    case 0: /* any */
        break;
    case 1: /* next to a power of two */
        bits &= ~(((uint64_t)1 << 52) - 2);
        break;
    case 2: /* few digits */
        return (double)(int64_t)(bits >> 40) / 1000;
    default: /* subnormal */
        bits &= ~((uint64_t)0x7fe << 52);
    }
    memcpy(&value, &bits, sizeof(value));
    return isfinite(value) ? value : 0.1;
}

static void test_json_number__random_doubles_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        double value = random_double(i);
        struct pl_str text = format(value);

        CHECK(bits_of(value) == bits_of(parse(text)), text.data);
        if (i % 16 < 4) {
            CHECK(bits_of(value) == bits_of(strtod(text.data, NULL)),
                  text.data);
            check_shortest(value, text.data);
        }
    }
}

/* Floats have the fewest digits that tell them from other floats. */
static void test_json_number__random_floats_come_back(void **state)
{
    static const float edges[] = {0,
                                  1,
                                  0.1f,
                                  16777216,
                                  33554432,
                                  8.589973e9f,
                                  FLT_MAX,
                                  FLT_MIN,
                                  1e-45f,
                                  1.1754942e-38f,
                                  9007199254740992.0f,
                                  1e21f};
    char text[PL_JSON_NUMBER_MAX + 1], digits[64], rounded[64];

    (void)state;
    for (int i = 0; i < 500000; i++) {
        uint32_t bits = (uint32_t)random_bits();
        float value;
        int n;

        if (i % 4 == 1) /* next to a power of two */
            bits &= ~(((uint32_t)1 << 23) - 2);
        memcpy(&value, &bits, sizeof(value));
        if (i < (int)PL_COUNT(edges))
            value = edges[i];
        if (!isfinite(value))
            continue;
        text[pl_json_format_float(text, value)] = '\0';
        CHECK(strtof(text, NULL) == value &&
                  signbit(strtof(text, NULL)) == signbit(value),
              text);
        n = digits_of(text, digits);
        snprintf(rounded, sizeof(rounded), "%.*e", PL_MAX(n - 2, 0),
                 (double)value);
        CHECK(n < 2 || strtof(rounded, NULL) != value, text);
    }
    CHECK_INT(3, pl_json_format_float(text, 0.1f), "0.1");
    CHECK_INT(2, pl_json_format_float(text, -0.0f), "-0");
}

/* Decimals of any length are read as strtod reads them: at random, and as the
 * exact text of the half between two doubles, a bit above it and below. */
static void test_json_number__reads_as_strtod(void **state)
{
    char text[2000];

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int len =
            snprintf(text, sizeof(text), "%s%llu.%llu%llue%d", i & 1 ? "-" : "",
                     (unsigned long long)random_bits() >> i % 64,
                     (unsigned long long)random_bits() >> i % 61,
                     (unsigned long long)random_bits() >> i % 59,
                     (int)(random_bits() % 700) - 360);
        double want = strtod(text, NULL);
        double got = parse(pl_str(text, (size_t)len));

        CHECK(isinf(want) ? isnan(got) : bits_of(want) == bits_of(got), text);
    }
}

static void test_json_number__halves_are_exact(void **state)
{
    static const char *const tails[] = {"", "1", "00000001"};
    char text[2000];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double low = fabs(random_double(i));
        long double half = ((long double)low + nextafter(low, INFINITY)) / 2;
        int len;

        if (!isfinite(half) || low < DBL_MIN) /* not exact for these */
            continue;
        len = snprintf(text, sizeof(text), "%.1100Lf", half);
        while (text[len - 1] == '0' && text[len - 2] != '.')
            len--;
        for (size_t t = 0; t < PL_COUNT(tails); t++) {
            memcpy(text + len, tails[t], strlen(tails[t]) + 1);
            CHECK(bits_of(strtod(text, NULL)) == bits_of(parse(pl_str_c(text))),
                  text);
        }
        text[len - 1]--; /* the last digit is 5, or 0 of an integer: 1 below */
        text[len] = '9';
        text[len + 1] = '\0';
        if (text[len - 1] >= '0')
            CHECK(bits_of(strtod(text, NULL)) == bits_of(parse(pl_str_c(text))),
                  text);
    }
}

static const struct {
    const char *text;
    double value;
} known[] = {
    {"0", 0},
    {"-0", -0.0},
    {"1", 1},
    {"-1", -1},
    {"0.1", 0.1},
    {"0.3", 0.3},
    {"0.30000000000000004", 0.1 + 0.2},
    {"3.141592653589793", M_PI},
    {"100", 100},
    {"123.456", 123.456},
    {"1e+21", 1e21},
    {"100000000000000000000", 1e20},
    {"123456789012345680000", 123456789012345680000.0},
    {"1.2345678901234568e+21", 1234567890123456800000.0},
    {"0.000001", 1e-6},
    {"1e-7", 1e-7},
    {"1.5e-7", 1.5e-7},
    {"5e-324", 5e-324},
    {"1e+23", 1e23},
    {"9e-265", 9e-265},
    {"2e-44", 2e-44},
    {"9007199254740992", 9007199254740992.0},
    {"9007199254740994", 9007199254740994.0},
    {"18446744073709552000", 18446744073709551616.0},
    {"2.2250738585072014e-308", DBL_MIN},
    {"2.225073858507201e-308", 0x0.fffffffffffffp-1022},
    {"1.7976931348623157e+308", DBL_MAX},
    {"4.8726570057e+288", 4.8726570057e288},
};

static void test_json_number__writes_known_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(known); i++) {
        CHECK_STR(known[i].text, format(known[i].value), known[i].text);
        CHECK(bits_of(known[i].value) ==
                  bits_of(parse(pl_str_c(known[i].text))),
              known[i].text);
    }
}

/* What is read is not the shortest text. */
static const struct {
    const char *text;
    double value;
} hard[] = {
    {"2.2250738585072012e-308", DBL_MIN},
    {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
    {"9007199254740993", 9007199254740992.0},
    {"9007199254740993.0", 9007199254740992.0},
    {"9007199254740993.000000000000000000000000000001", 9007199254740994.0},
    {"9007199254740995", 9007199254740996.0},
    {"18446744073709551615", 18446744073709551615.0},
    {"18446744073709551616", 18446744073709551616.0},
    {"2.4703282292062327e-324", 0},
    {"2.4703282292062328e-324", 5e-324},
    {"1e-400", 0},
    {"0e999999999999999999999", 0},
    {"0.0000000000000000000000000000001e31", 1},
    {"1000000000000000000000000000000e-30", 1},
    {"1E+2", 100},
    {"1e2", 100},
    {"1.7976931348623158e308", DBL_MAX},
    {"1e-99999999999999999999999", 0},
};

static void test_json_number__rounds_hard_texts(void **state)
{
    char zeros[3000];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(hard); i++)
        CHECK(bits_of(hard[i].value) == bits_of(parse(pl_str_c(hard[i].text))),
              hard[i].text);
    memset(zeros, '0', sizeof(zeros));
    memcpy(zeros, "0.", 2);
    memcpy(zeros + 2500, "7e2498", 7);
    CHECK(parse(pl_str_c(zeros)) == 0.7, "zeros made good by the exponent");
    zeros[0] = '3';
    zeros[1] = '0';
    memcpy(zeros + 2500, "e-2499", 7);
    CHECK(parse(pl_str_c(zeros)) == 3, "and the other way round");
}

static const struct {
    const char *text;
    enum pl_json_kind kind;
    int64_t integer;
} kinds[] = {
    {"0", PL_JSON_INTEGER, 0},
    {"9223372036854775807", PL_JSON_INTEGER, INT64_MAX},
    {"-9223372036854775808", PL_JSON_INTEGER, INT64_MIN},
    {"9223372036854775808", PL_JSON_BIG, 0},
    {"-9223372036854775809", PL_JSON_BIG, 0},
    {"18446744073709551616", PL_JSON_BIG, 0},
    {"100000000000000000000000", PL_JSON_BIG, 0},
    {"-0", PL_JSON_REAL, 0},
    {"1.0", PL_JSON_REAL, 0},
    {"1e0", PL_JSON_REAL, 0},
};

static void test_json_number__tells_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(kinds); i++) {
        const char *at = kinds[i].text, *what;
        struct pl_json_number number = {0};

        CHECK_INT(0, pl_json_parse_number(&at, at + strlen(at), &number, &what),
                  kinds[i].text);
        CHECK_INT(kinds[i].kind, number.kind, kinds[i].text);
        if (number.kind == PL_JSON_INTEGER)
            CHECK_INT(kinds[i].integer, number.integer, kinds[i].text);
    }
}

/* How far the text is taken before the fault is seen. */
static const struct {
    const char *text;
    int at;
} faults[] = {
    {"", 0},      {"-", 1},      {"+1", 0},
    {".5", 0},    {"01", 0},     {"-01", 1},
    {"1.", 2},    {"1.e1", 2},   {"1e", 2},
    {"1e+", 3},   {"1e-x", 3},   {"--1", 1},
    {"-a", 1},    {"1.-1", 2},   {"00", 0},
    {"1e400", 0}, {"-1e400", 0}, {"1.7976931348623159e308", 0},
};

static void test_json_number__refuses_what_is_no_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        struct pl_str text = pl_str_c(faults[i].text);
        struct pl_json_number number;
        const char *at = text.data, *what = NULL;

        CHECK_INT(PL_ERR_PROTO,
                  pl_json_parse_number(&at, at + text.len, &number, &what),
                  faults[i].text);
        CHECK_INT(faults[i].at, at - text.data, faults[i].text);
        CHECK(what != NULL, faults[i].text);
    }
}

static void test_json_number__never_reads_behind_the_end(void **state)
{
    struct pl_json_number number;
    const char *text = "12345.678e12", *what;

    (void)state;
    for (size_t len = 1; len <= strlen(text); len++) {
        char *copy = malloc(len);
        const char *at = copy;

        memcpy(copy, text, len);
        pl_json_parse_number(&at, copy + len, &number, &what);
        CHECK(at <= copy + len, text);
        free(copy);
    }
}

RUN_TESTS(cmocka_unit_test(test_json_number__random_doubles_come_back),
          cmocka_unit_test(test_json_number__random_floats_come_back),
          cmocka_unit_test(test_json_number__reads_as_strtod),
          cmocka_unit_test(test_json_number__halves_are_exact),
          cmocka_unit_test(test_json_number__writes_known_texts),
          cmocka_unit_test(test_json_number__rounds_hard_texts),
          cmocka_unit_test(test_json_number__tells_integers),
          cmocka_unit_test(test_json_number__refuses_what_is_no_number),
          cmocka_unit_test(test_json_number__never_reads_behind_the_end))
