/* lib_time.c - the C half of pl.time: clocks, the calendar, HTTP dates. */
#include <math.h>

#include "base/sys.h"
#include "http/date.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* 0000-01-01 to 9999-12-31: what dates in text can say. */
static const lua_Number first = -62167219200.0, last = 253402300799.0;

/* time() -> seconds since 1970, whole ones; the clock of the loop, which costs
 * nothing */
static int wall(lua_State *L)
{
    struct pl_loop *loop = pl_vm_upvalue(L)->sched->loop;

    lua_pushinteger(L, (lua_Integer)pl_loop_wall(loop));
    return 1;
}

/* time.now() -> the same with a fraction, by the clock of the system */
static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pl_clock_wall() / 1e9);
    return 1;
}

/* time.monotonic() -> seconds that only go forwards, read at this moment */
static int monotonic(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pl_clock_monotonic() / 1e9);
    return 1;
}

/* Seconds since 1970 at index, without their fraction; now if it is nil. */
static int64_t check_seconds(lua_State *L, int index, const char *call)
{
    lua_Number seconds;

    if (lua_isnoneornil(L, index))
        return (int64_t)(pl_clock_wall() / 1000000000u);
    seconds = pl_arg_number(L, index, call, "the seconds");
    if (seconds < first || seconds >= last + 1)
        pl_lua_fail(L, "%s: the seconds must be in the years 0 to 9999", call);
    return (int64_t)floor(seconds);
}

/* time.http([seconds]) -> "Sun, 06 Nov 1994 08:49:37 GMT" */
static int http(lua_State *L)
{
    char text[PL_HTTP_DATE_LEN];

    pl_http_date_format(text, check_seconds(L, 1, "pl.time.http"));
    lua_pushlstring(L, text, sizeof(text));
    return 1;
}

/* time.parse_http(text) -> seconds, or nil, err */
static int parse_http(lua_State *L)
{
    struct pl_str text = pl_arg_str(L, 1, "pl.time.parse_http", "the text");
    int64_t seconds;

    if (!pl_http_date_parse(text, &seconds))
        return pl_lua_return_error(L, PL_ERR_SYNTAX, "pl.time.parse_http",
                                   "not an HTTP date");
    lua_pushinteger(L, (lua_Integer)seconds);
    return 1;
}

static int push_fields(lua_State *L, const struct tm *tm)
{
    lua_createtable(L, 0, 11);
    pl_lua_set_integer(L, "year", tm->tm_year + 1900L);
    pl_lua_set_integer(L, "month", tm->tm_mon + 1L);
    pl_lua_set_integer(L, "day", tm->tm_mday);
    pl_lua_set_integer(L, "hour", tm->tm_hour);
    pl_lua_set_integer(L, "min", tm->tm_min);
    pl_lua_set_integer(L, "sec", tm->tm_sec);
    pl_lua_set_integer(L, "wday", tm->tm_wday + 1L);
    pl_lua_set_integer(L, "yday", tm->tm_yday + 1L);
    pl_lua_set_integer(L, "offset", tm->tm_gmtoff);
    pl_lua_set_flag(L, "isdst", tm->tm_isdst > 0);
    pl_lua_set_text(L, "zone", tm->tm_zone);
    return 1;
}

/* time.utc([seconds]) -> fields, named as those of os.date("*t") */
static int utc(lua_State *L)
{
    time_t seconds = check_seconds(L, 1, "pl.time.utc");
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    return push_fields(L, &tm);
}

/* time.zoned([seconds]) -> the same in the zone of the process: TZ, or else
 * /etc/localtime, which the first call reads */
static int zoned(lua_State *L)
{
    time_t seconds = check_seconds(L, 1, "pl.time.zoned");
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    return push_fields(L, &tm);
}

/* def < 0: the field must be there. */
static int get_field(lua_State *L, const char *call, const char *name, int def)
{
    lua_Integer value = def;

    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) || def < 0)
        value = pl_arg_integer(L, -1, call, name, -1000000, 1000000);
    lua_pop(L, 1);
    return (int)value;
}

/* Fields may be outside of their range: day 0 is the last of the month before,
 * month 13 the first of the next year. */
static struct tm check_fields(lua_State *L, const char *call)
{
    struct tm tm;

    if (!lua_istable(L, 1))
        pl_lua_fail(L, "%s: a table of fields is needed, not %s", call,
                    luaL_typename(L, 1));
    tm = (struct tm){.tm_isdst = -1};
    tm.tm_year = get_field(L, call, "year", -1) - 1900;
    tm.tm_mon = get_field(L, call, "month", -1) - 1;
    tm.tm_mday = get_field(L, call, "day", -1);
    tm.tm_hour = get_field(L, call, "hour", 0);
    tm.tm_min = get_field(L, call, "min", 0);
    tm.tm_sec = get_field(L, call, "sec", 0);
    return tm;
}

static int push_seconds(lua_State *L, const char *call, time_t seconds)
{
    if ((lua_Number)seconds < first || (lua_Number)seconds > last)
        return pl_lua_fail(L, "%s: the date must be in the years 0 to 9999",
                           call);
    lua_pushinteger(L, (lua_Integer)seconds);
    return 1;
}

/* time.from_utc(fields) -> seconds */
static int from_utc(lua_State *L)
{
    struct tm tm = check_fields(L, "pl.time.from_utc");

    return push_seconds(L, "pl.time.from_utc", timegm(&tm));
}

/* time.from_zoned(fields) -> seconds; isdst says which of the two hours when
 * clocks are put back */
static int from_zoned(lua_State *L)
{
    struct tm tm = check_fields(L, "pl.time.from_zoned");

    lua_getfield(L, 1, "isdst");
    if (lua_isboolean(L, -1))
        tm.tm_isdst = lua_toboolean(L, -1);
    return push_seconds(L, "pl.time.from_zoned", mktime(&tm));
}

const luaL_Reg pl_lua_time[] = {
    {"wall", wall},
    {"now", now},
    {"monotonic", monotonic},
    {"http", http},
    {"parse_http", parse_http},
    {"utc", utc},
    {"zoned", zoned},
    {"from_utc", from_utc},
    {"from_zoned", from_zoned},
    {NULL, NULL},
};
