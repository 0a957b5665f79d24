/* lib_limits.c - limits of clients, made by a site: natives of
 * lua/perilune/lib/limits.lua, which has checked the types. */
#include "base/str.h"
#include "filters/limit.h"
#include "lua/args.h"
#include "lua/filter.h"
#include "lua/parts.h"
#include "lua/wait.h"
#include "lua/web_priv.h"
#include "share/member.h"

static const char *text(lua_State *L, int index)
{
    return lua_tostring(L, index); /* NULL: not given */
}

static uint32_t number(lua_State *L, int index)
{
    return (uint32_t)lua_tonumber(L, index); /* 0: not given */
}

/* new(name, rate, burst, delay, concurrent, key, ipv4, ipv6, allow, status,
 * message, clients) -> filter */
static int limit_new(lua_State *L)
{
    const struct pl_limit_options options = {
        .size = sizeof(options),
        .rate = text(L, 2),
        .burst = number(L, 3),
        .delay = text(L, 4),
        .concurrent = number(L, 5),
        .key = text(L, 6),
        .ipv4_bits = number(L, 7),
        .ipv6_bits = number(L, 8),
        .allow = text(L, 9),
        .status = number(L, 10),
        .message = text(L, 11),
        .clients = number(L, 12),
    };
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_member *member = vm->options.member;
    const struct pl_limit_home home = {
        member == NULL ? NULL : member->share,
        pl_arg_str(L, 1, "pl.limit", "the name"),
    };
    struct pl_error error = {.code = 0};
    struct pl_filter *filter = pl_limit_new(&options, &home, NULL, &error);

    if (filter == NULL)
        return pl_lua_fail(L, "pl.limit: %s", error.text);
    pl_lua_filter_push(L, vm->site, filter, "pl.limit");
    return 1;
}

static struct pl_filter *check_limit(lua_State *L, const char *call)
{
    struct pl_filter *filter = pl_lua_filter_get(L, 1);

    if (pl_vm_upvalue(L)->site == NULL) /* finalizers may come this late */
        pl_lua_fail(L, "%s: the site is over", call);
    if (filter == NULL || !pl_limit_is(filter))
        pl_lua_fail(L, "%s: call it with a colon, on what pl.limit gives",
                    call);
    return filter;
}

static void push_seconds(lua_State *L, uint64_t ns)
{
    lua_pushnumber(L, (double)ns / 1e9);
}

/* ask(limit, req, key) -> seconds to wait before going on; or nil: the answer
 * has been built */
static int limit_ask(lua_State *L)
{
    struct pl_filter *filter = check_limit(L, "pl.limit");
    struct pl_request *req = pl_web_check(L, 2, PL_WEB_REQUEST);
    struct pl_str key = pl_arg_str(L, 3, "pl.limit", "the key");
    uint64_t wait;
    int result = pl_limit_ask(filter, req, key, &wait);

    if (result < 0)
        return pl_lua_no_memory(L, "pl.limit");
    if (result == 0)
        lua_pushnil(L);
    else
        push_seconds(L, wait);
    return 1;
}

static struct pl_filter *check_rate(lua_State *L, const char *call)
{
    struct pl_filter *filter = check_limit(L, call);

    if (!pl_limit_has_rate(filter))
        pl_lua_fail(L, "%s: the limit has no rate", call);
    return filter;
}

/* take(limit, key) -> true or false, seconds to wait */
static int limit_take(lua_State *L)
{
    struct pl_filter *filter = check_rate(L, "limit:take");
    struct pl_str key = pl_arg_str(L, 2, "limit:take", "the key");
    uint64_t now = pl_now(pl_vm_upvalue(L)->sched->loop), wait;

    lua_pushboolean(L, pl_limit_take(filter, key, now, &wait));
    push_seconds(L, wait);
    return 2;
}

/* forget(limit, key) */
static int limit_forget(lua_State *L)
{
    struct pl_filter *filter = check_rate(L, "limit:forget");

    pl_limit_forget(filter, pl_arg_str(L, 2, "limit:forget", "the key"));
    return 0;
}

/* open(methods): of filters, of which only limits have any */
static int limit_open(lua_State *L)
{
    pl_lua_filter_set_methods(L, 1);
    return 0;
}

const luaL_Reg pl_lua_limits[] = {
    {"open", limit_open}, {"new", limit_new},       {"ask", limit_ask},
    {"take", limit_take}, {"forget", limit_forget}, {NULL, NULL},
};
