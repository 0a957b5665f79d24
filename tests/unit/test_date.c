/* test_date.c - HTTP dates against the C library's calendar. */
#include "check.h"

#include <stdlib.h>
#include <time.h>

#include "http/date.h"

enum { STEP = 86400 * 3 + 7919 }; /* meets every weekday, month and hour */

static int64_t at(int year, int month, int day)
{
    struct tm tm = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};

    return timegm(&tm);
}

static struct pl_str format(int64_t seconds)
{
    static char text[PL_HTTP_DATE_LEN];

    memset(text, 'x', sizeof(text));
    pl_http_date_format(text, seconds);
    return pl_str(text, sizeof(text));
}

static void libc_format(char *out, size_t size, const char *form, int64_t when)
{
    time_t t = when;
    struct tm tm;

    assert_non_null(gmtime_r(&t, &tm));
    assert_true(strftime(out, size, form, &tm) > 0);
}

static void test_date__formats_as_the_c_library_does(void **state)
{
    char want[64];

    (void)state;
    for (int64_t t = at(1900, 1, 1); t < at(2201, 1, 1); t += STEP) {
        libc_format(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", t);
        CHECK_STR(want, format(t), want);
    }
    /* each day around the ends of months, years, centuries */
    for (int year = 1; year <= 9999; year += 33)
        for (int day = -3; day < 63; day++) {
            int64_t t = at(year, 1, day);

            libc_format(want, sizeof(want), "%a, %d %b ", t);
            CHECK(memcmp(format(t).data, want, 12) == 0, want);
        }
}

static void test_date__stays_inside_what_the_form_can_say(void **state)
{
    (void)state;
    CHECK_STR("Thu, 01 Jan 1970 00:00:00 GMT", format(0), "epoch");
    CHECK_STR("Wed, 31 Dec 1969 23:59:59 GMT", format(-1), "before");
    CHECK_STR("Sat, 01 Jan 0000 00:00:00 GMT", format(INT64_MIN), "first");
    CHECK_STR("Fri, 31 Dec 9999 23:59:59 GMT", format(INT64_MAX), "last");
}

static void test_date__reads_back_all_three_forms(void **state)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    };
    char text[64];
    int64_t now = at(2026, 7, 1);

    (void)state;
    for (int64_t t = at(1900, 1, 1); t < at(2201, 1, 1); t += STEP) {
        for (size_t i = 0; i < PL_COUNT(forms); i++) {
            int64_t got = -42;

            if (i == 1 && (t <= at(1976, 7, 2) || t >= at(2076, 7, 1)))
                continue; /* two digits cannot say these */
            libc_format(text, sizeof(text), forms[i], t);
            CHECK(pl_http_date_parse_at(pl_str_c(text), now, &got), text);
            CHECK_INT(t, got, text);
        }
    }
}

static void test_date__two_digits_mean_the_nearest_century(void **state)
{
    static const struct {
        int now, want;
        const char *text;
    } cases[] = {
        {2026, 1994, "Sunday, 06-Nov-94 08:49:37 GMT"},
        {2026, 2026, "Friday, 06-Nov-26 08:49:37 GMT"},
        {2026, 2075, "Wednesday, 06-Nov-75 08:49:37 GMT"},
        {2026, 1976, "Saturday, 06-Nov-76 08:49:37 GMT"}, /* 50 y + 4 months */
        {2026, 2076, "Thursday, 06-Feb-76 08:49:37 GMT"}, /* less than 50 y */
        {1999, 2049, "Friday, 01-Jan-49 00:00:00 GMT"},
        {1999, 1950, "Sunday, 01-Jan-50 00:00:00 GMT"},
        {2100, 2100, "Friday, 01-Jan-00 00:00:00 GMT"},
        {2100, 2099, "Thursday, 01-Jan-99 00:00:00 GMT"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        int64_t got = 0;
        char year[8];

        CHECK(pl_http_date_parse_at(pl_str_c(cases[i].text),
                                    at(cases[i].now, 7, 1), &got),
              cases[i].text);
        libc_format(year, sizeof(year), "%Y", got);
        CHECK_INT(cases[i].want, atoi(year), cases[i].text);
    }
}

static const struct {
    const char *text;
    int64_t want; /* -1: refused */
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Sun Nov 06 08:49:37 1994", 784111777},
    {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777}, /* wrong weekday: forgiven */
    {"Sat, 29 Feb 2020 00:00:00 GMT", 1582934400},
    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, /* leap second */
    {"", -1},
    {"0", -1},
    {"Sun, 06 Nov 1994 08:49:37 gmt", -1}, /* case matters */
    {"sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
    {" Sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 94 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:37", -1},
    {"Xyz, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Foo 1994 08:49:37 GMT", -1},
    {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 29 Feb 2021 08:49:37 GMT", -1},
    {"Sun, 29 Feb 1900 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
    {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
    {"Sun, +6 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:3a GMT", -1},
    {"Sun, 06-Nov-94 08:49:37 GMT", -1}, /* RFC 850 spells the day out */
    {"Sunday, 06-Nov-1994 08:49:37 GMT", -1},
    {"Sunda, 06-Nov-94 08:49:37 GMT", -1},
    {", 06-Nov-94 08:49:37 GMT", -1},
    {"Sun Nov 6  08:49:37 1994", -1},
    {"Sun Nov  0 08:49:37 1994", -1},
    {"Sun Nov    08:49:37 1994", -1},
    {"Thu, 01 Jan 1970 00:00:00 GMT\n", -1},
};

static void test_date__garbage_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(dates); i++) {
        int64_t got = -1;

        CHECK_INT(dates[i].want >= 0,
                  pl_http_date_parse(pl_str_c(dates[i].text), &got),
                  dates[i].text);
        CHECK_INT(dates[i].want, got, dates[i].text);
    }
}

static void test_date__every_cut_and_every_changed_byte_is_safe(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pl_str date = pl_str_c(dates[i].text);
        char *copy = malloc(date.len); /* exact: ASan sees a read beyond */
        int64_t got;

        for (size_t len = 0; len < date.len; len++) {
            memcpy(copy, date.data, len);
            CHECK(!pl_http_date_parse(pl_str(copy, len), &got), "cut");
        }
        for (size_t pos = 0; pos < date.len; pos++) {
            memcpy(copy, date.data, date.len);
            copy[pos] = '\0';
            CHECK(!pl_http_date_parse(pl_str(copy, date.len), &got), "NUL");
        }
        free(copy);
    }
}

RUN_TESTS(cmocka_unit_test(test_date__formats_as_the_c_library_does),
          cmocka_unit_test(test_date__stays_inside_what_the_form_can_say),
          cmocka_unit_test(test_date__reads_back_all_three_forms),
          cmocka_unit_test(test_date__two_digits_mean_the_nearest_century),
          cmocka_unit_test(test_date__garbage_is_refused),
          cmocka_unit_test(test_date__every_cut_and_every_changed_byte_is_safe))
