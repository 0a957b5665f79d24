/* date.c - the civil calendar is counted in eras of 400 years (146097 days)
 * whose years begin on 1 March: the leap day is then the last day of its year,
 * and the lengths of the months before it follow a linear formula. */
#include "http/date.h"

#include <string.h>

#include "base/str.h"
#include "base/sys.h"

enum { DAY = 86400, ERA_DAYS = 146097, ERA_YEARS = 400 };
enum { EPOCH_DAYS = 719468 }; /* from 0000-03-01 to 1970-01-01 */

static const int64_t first_second = -62167219200; /* 0000-01-01 00:00:00 */
static const int64_t last_second = 253402300799;  /* 9999-12-31 23:59:59 */

static const char weekdays[7][10] = {
    "Sunday",   "Monday", "Tuesday",  "Wednesday",
    "Thursday", "Friday", "Saturday",
};
static const char months[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

struct civil {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, ERA_YEARS);
    int64_t yoe = y - era * ERA_YEARS; /* year of the era */
    int64_t doy = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 +
                  (int64_t)day - 1;

    return era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - EPOCH_DAYS;
}

PL_COLD static void civil_from_days(int64_t days, struct civil *out)
{
    int64_t z = days + EPOCH_DAYS;
    int64_t era = floor_div(z, ERA_DAYS);
    unsigned doe = (unsigned)(z - era * ERA_DAYS); /* day of the era */
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153; /* month, 0 is March */

    out->day = doy - (153 * mp + 2) / 5 + 1;
    out->month = mp < 10 ? mp + 3 : mp - 9;
    out->year = era * ERA_YEARS + yoe + (out->month <= 2);
}

static int64_t seconds_from_civil(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * DAY + c->hour * 3600 +
           c->minute * 60 + c->second;
}

static void put2(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

PL_COLD void pl_http_date_format(char *out, int64_t seconds)
{
    int64_t days;
    unsigned left;
    struct civil c;

    seconds = PL_MIN(PL_MAX(seconds, first_second), last_second);
    days = floor_div(seconds, DAY);
    left = (unsigned)(seconds - days * DAY);
    civil_from_days(days, &c);
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", PL_HTTP_DATE_LEN);
    /* 1970-01-01 was a Thursday; first_second is some 719528 days before. */
    memcpy(out, weekdays[(days + 4 + 7 * (int64_t)EPOCH_DAYS) % 7], 3);
    put2(out + 5, c.day);
    memcpy(out + 8, months[c.month - 1], 3);
    put2(out + 12, (unsigned)c.year / 100);
    put2(out + 14, (unsigned)c.year % 100);
    put2(out + 17, left / 3600);
    put2(out + 20, left / 60 % 60);
    put2(out + 23, left % 60);
}

/* ---- reading ---- */

/* Does s look like pattern? '0' stands for a digit, '_' for a digit or a
 * space, 'a' for any byte that is looked at elsewhere. */
static bool shaped(struct pl_str s, struct pl_str pattern)
{
    if (s.len != pattern.len)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char want = pattern.data[i], c = s.data[i];
        bool digit = c >= '0' && c <= '9';

        if (want == '0'   ? !digit
            : want == '_' ? !digit && c != ' '
                          : want != 'a' && want != c)
            return false;
    }
    return true;
}

static unsigned get2(const char *at)
{
    return (at[0] == ' ' ? 0 : (unsigned)(at[0] - '0') * 10) +
           (unsigned)(at[1] - '0');
}

static bool get_month(const char *at, unsigned *month)
{
    for (unsigned i = 0; i < PL_COUNT(months); i++) {
        if (memcmp(at, months[i], 3) == 0) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* Is name a weekday, in full or its first three letters? */
static bool is_weekday(struct pl_str name, bool full)
{
    for (size_t i = 0; i < PL_COUNT(weekdays); i++) {
        struct pl_str day = pl_str_c(weekdays[i]);

        if (pl_str_eq(name, full ? day : pl_str_first(day, 3)))
            return true;
    }
    return false;
}

/* "08:49:37"; 60 is a leap second, which counts as the next minute's first. */
static bool get_time(const char *at, struct civil *c)
{
    c->hour = get2(at);
    c->minute = get2(at + 3);
    c->second = get2(at + 6);
    return c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month == 2)
        return leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_imf(struct pl_str s, struct civil *c)
{
    if (!shaped(s, PL_STR("aaa, 00 aaa 0000 00:00:00 GMT")) ||
        !is_weekday(pl_str_first(s, 3), false))
        return false;
    c->day = get2(s.data + 5);
    c->year = get2(s.data + 12) * 100 + get2(s.data + 14);
    return get_month(s.data + 8, &c->month) && get_time(s.data + 17, c);
}

/* "Sun Nov  6 08:49:37 1994" */
static bool parse_asctime(struct pl_str s, struct civil *c)
{
    if (!shaped(s, PL_STR("aaa aaa _0 00:00:00 0000")) ||
        !is_weekday(pl_str_first(s, 3), false))
        return false;
    c->day = get2(s.data + 8);
    c->year = get2(s.data + 20) * 100 + get2(s.data + 22);
    return get_month(s.data + 4, &c->month) && get_time(s.data + 11, c);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": a year that seems more than 50 years in the
 * future is the last one with these digits (RFC 9110, 5.6.7). */
static bool parse_rfc850(struct pl_str s, int64_t now, struct civil *c)
{
    ptrdiff_t comma = pl_str_chr(s, ',');
    struct pl_str rest = pl_str_skip(s, (size_t)comma);
    struct civil today;

    if (comma < 0 || !is_weekday(pl_str_first(s, (size_t)comma), true) ||
        !shaped(rest, PL_STR(", 00-aaa-00 00:00:00 GMT")))
        return false;
    c->day = get2(rest.data + 2);
    if (!get_month(rest.data + 5, &c->month) || !get_time(rest.data + 12, c))
        return false;
    civil_from_days(floor_div(now, DAY), &today);
    today.year += 50;
    today.hour = today.minute = 0;
    today.second = (unsigned)(now - floor_div(now, DAY) * DAY);
    c->year = today.year - today.year % 100 + get2(rest.data + 9);
    if (seconds_from_civil(c) > seconds_from_civil(&today))
        c->year -= 100;
    return true;
}

/* now < 0: look at the clock if it matters. */
static bool parse(struct pl_str s, int64_t now, int64_t *seconds)
{
    struct civil c;
    bool ok;

    if (s.len == PL_HTTP_DATE_LEN && s.data[3] == ',') {
        ok = parse_imf(s, &c);
    } else if (s.len == 24) {
        ok = parse_asctime(s, &c);
    } else {
        if (now < 0)
            now = (int64_t)(pl_clock_wall() / 1000000000u);
        ok = parse_rfc850(s, now, &c);
    }
    if (!ok || c.day < 1 || c.day > days_in_month(c.year, c.month))
        return false;
    *seconds = seconds_from_civil(&c);
    return true;
}

bool pl_http_date_parse(struct pl_str s, int64_t *seconds)
{
    return parse(s, -1, seconds);
}

bool pl_http_date_parse_at(struct pl_str s, int64_t now, int64_t *seconds)
{
    return parse(s, PL_MAX(now, 0), seconds);
}
