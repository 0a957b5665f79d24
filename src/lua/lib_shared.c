/* lib_shared.c - pl.shared: the dictionaries of the process.
 *
 * The bytes that a dictionary shows are good in a section only. Making a Lua
 * value of them may raise (out of memory) and so leave the section open: the
 * next call ends it, or the end of the turn (share/member.h). */
#include <math.h>

#include "base/str.h"
#include "lua/args.h"
#include "lua/datum.h"
#include "lua/lib_shared.h"
#include "lua/json_priv.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "share/member.h"

enum { SHARED_MAGIC = 0x48534c50 };

/* A userdata. It is told from others by its size and its first word, which
 * costs less than asking for its metatable by name. */
struct shared {
    uint64_t magic;
    struct pl_dict *dict;
};

static struct pl_member *check_member(lua_State *L, const char *call)
{
    struct pl_member *member = pl_vm_upvalue(L)->options.member;

    if (member == NULL)
        pl_lua_fail(L, "%s: there is nothing to share here", call);
    return member;
}

/* natives.open(metatable, name, max, evict, ttl) -> shared. Without options max
 * is nil. */
static int shared_open(lua_State *L)
{
    struct pl_member *member = check_member(L, "pl.shared");
    struct pl_str name = pl_arg_str(L, 2, "pl.shared", "the name");
    struct pl_dict_options options = {.evict = lua_toboolean(L, 4)};
    struct pl_error error;
    struct pl_dict *dict;
    struct shared *shared;

    options.max = (size_t)lua_tonumber(L, 3);
    options.ttl = (uint64_t)(lua_tonumber(L, 5) * 1e9);
    if (pl_share_dict(member->share, name,
                      lua_isnoneornil(L, 3) ? NULL : &options, &dict,
                      &error) < 0)
        return pl_lua_fail(L, "pl.shared: %s", error.text);
    shared = lua_newuserdata(L, sizeof(*shared));
    shared->magic = SHARED_MAGIC;
    shared->dict = dict;
    lua_pushvalue(L, 1);
    lua_setmetatable(L, -2);
    return 1;
}

/* ---- arguments ---- */

struct use {
    struct pl_dict *dict;
    struct pl_dict_user user;
    struct pl_str key;
};

static struct pl_dict *check_dict(lua_State *L, const char *call)
{
    const struct shared *shared = lua_touserdata(L, 1);

    if (lua_type(L, 1) != LUA_TUSERDATA ||
        lua_rawlen(L, 1) != sizeof(*shared) || shared->magic != SHARED_MAGIC)
        pl_lua_fail(L, "%s: call it with a colon, on what pl.shared gives",
                    call);
    return shared->dict;
}

struct pl_dict *pl_lua_shared_dict(lua_State *L, int index)
{
    const struct shared *shared = lua_touserdata(L, index);

    return shared->dict;
}

static void use_dict(lua_State *L, const char *call, struct use *use)
{
    use->dict = check_dict(L, call);
    use->key = pl_arg_str(L, 2, call, "the key");
    use->user = pl_member_user(pl_vm_upvalue(L)->options.member);
}

/* Seconds, or nil: the dictionary's own. */
static uint64_t check_ttl(lua_State *L, int index, const char *call)
{
    double seconds;

    if (lua_isnoneornil(L, index))
        return PL_DICT_DEFAULT;
    seconds = pl_arg_number(L, index, call, "the time to live");
    if (seconds < 0 || seconds > 0x1p62 / 1e9)
        pl_lua_fail(L, "%s: the time to live must not be negative", call);
    return (uint64_t)ceil(seconds * 1e9);
}

/* true, or nil and the error. */
static int answer(lua_State *L, int err, const char *call)
{
    if (err < 0)
        return pl_lua_push_failure(L, err, call);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- one key ---- */

/* Pushes the value of the key, and returns its version. */
static uint64_t push_value(lua_State *L, const char *call)
{
    struct pl_datum value;
    struct use use;

    use_dict(L, call, &use);
    pl_dict_get(use.dict, &use.user, use.key, &value);
    pl_lua_datum_push(L, &value);
    pl_epoch_leave(use.user.reader);
    return value.version;
}

static int shared_get(lua_State *L)
{
    push_value(L, "shared:get");
    return 1;
}

static int put(lua_State *L, const char *call, enum pl_dict_mode mode)
{
    struct pl_dict_put how = {mode, check_ttl(L, 4, call)};
    struct pl_lua_datum datum;
    struct use use;
    int err;

    use_dict(L, call, &use);
    pl_lua_datum_read(L, 3, call, &datum);
    err = pl_dict_put(use.dict, &use.user, use.key, &datum.value, &how);
    pl_lua_datum_done(&datum);
    return answer(L, err, call);
}

static int shared_set(lua_State *L)
{
    return put(L, "shared:set", PL_DICT_SET);
}

static int shared_add(lua_State *L)
{
    return put(L, "shared:add", PL_DICT_ADD);
}

static int shared_replace(lua_State *L)
{
    return put(L, "shared:replace", PL_DICT_REPLACE);
}

static int shared_incr(lua_State *L)
{
    static const char call[] = "shared:incr";
    uint64_t ttl = check_ttl(L, 5, call);
    struct pl_datum by = {.type = PL_DATUM_INTEGER, {.integer = 1}}, init;
    bool has_init = !lua_isnoneornil(L, 4);
    struct use use;
    int err;

    use_dict(L, call, &use);
    if (!lua_isnoneornil(L, 3))
        by = pl_lua_datum_number(L, 3, call, "what is added");
    if (has_init)
        init = pl_lua_datum_number(L, 4, call, "the first value");
    err = pl_dict_incr(use.dict, &use.user, use.key, &by,
                       has_init ? &init : NULL, ttl);
    if (err < 0)
        return pl_lua_push_failure(L, err, call);
    pl_lua_datum_push(L, &by);
    return 1;
}

/* What stands for a value to compare with, or to put: nil is none. */
static void read_side(lua_State *L, int index, const char *call,
                      struct pl_lua_datum *datum)
{
    *datum = (struct pl_lua_datum){.value = {.type = PL_DATUM_NONE}};
    if (!lua_isnoneornil(L, index))
        pl_lua_datum_read(L, index, call, datum);
}

/* true, false (something else is there), or nil and the error. */
static int swap(lua_State *L, const char *call, const struct use *use,
                const struct pl_datum *from, int index)
{
    struct pl_lua_datum to;
    int err;

    read_side(L, index, call, &to);
    err = pl_dict_swap(use->dict, &use->user, use->key, from, &to.value);
    pl_lua_datum_done(&to);
    if (err != PL_ERR_STATE)
        return answer(L, err, call);
    lua_pushboolean(L, 0);
    return 1;
}

static int shared_cas(lua_State *L)
{
    static const char call[] = "shared:cas";
    struct pl_lua_datum from;
    struct use use;

    if (lua_istable(L, 3))
        return pl_lua_fail(L, "%s: tables are not compared: use shared:update",
                           call);
    lua_settop(L, 4);
    use_dict(L, call, &use);
    read_side(L, 3, call, &from);
    return swap(L, call, &use, &from.value, 4);
}

/* natives.find(shared, key) -> value, version: what natives.swap() needs. */
static int shared_find(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)push_value(L, "shared:update"));
    return 2;
}

/* natives.swap(shared, key, value, version, new) */
static int shared_swap(lua_State *L)
{
    static const char call[] = "shared:update";
    uint64_t version = (uint64_t)lua_tonumber(L, 4);
    struct pl_lua_datum from = {
        .value = {.type = PL_DATUM_PACKED, .version = version}};
    struct use use;

    use_dict(L, call, &use);
    if (version == 0) /* it is no larger than a version */
        read_side(L, 3, call, &from);
    return swap(L, call, &use, &from.value, 5);
}

static int shared_delete(lua_State *L)
{
    struct use use;

    use_dict(L, "shared:delete", &use);
    lua_pushboolean(L, pl_dict_delete(use.dict, &use.user, use.key) == 0);
    return 1;
}

static int shared_ttl(lua_State *L)
{
    struct use use;
    uint64_t left;

    use_dict(L, "shared:ttl", &use);
    if (pl_dict_ttl(use.dict, &use.user, use.key, &left) < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, left == PL_DICT_FOREVER ? HUGE_VAL
                                                  : (lua_Number)left / 1e9);
    return 1;
}

static int shared_expire(lua_State *L)
{
    static const char call[] = "shared:expire";
    uint64_t ttl = check_ttl(L, 3, call);
    struct use use;

    use_dict(L, call, &use);
    return answer(L, pl_dict_expire(use.dict, &use.user, use.key, ttl), call);
}

/* ---- all of them ---- */

/* Of one step of the walk: lengths and bytes. Lua sees them after it. */
static void list_key(void *arg, struct pl_str key)
{
    struct pl_buf *keys = arg;

    pl_buf_add(keys, pl_str((const char *)&key.len, sizeof(key.len)));
    pl_buf_add(keys, key);
}

/* Appends the keys of a step to the list at index; false when it is full. */
static bool push_keys(lua_State *L, int index, struct pl_str keys,
                      lua_Integer limit)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    size_t len;

    while (keys.len > 0) {
        if (n == limit)
            return false;
        memcpy(&len, keys.data, sizeof(len));
        keys = pl_str_skip(keys, sizeof(len));
        lua_pushlstring(L, keys.data, len);
        lua_rawseti(L, index, (int)++n);
        keys = pl_str_skip(keys, len);
    }
    return true;
}

/* shared:keys([limit]) -> list, more: there are others */
static int shared_keys(lua_State *L)
{
    static const char call[] = "shared:keys";
    struct pl_dict *dict = check_dict(L, call);
    lua_Integer limit = 1000;
    struct pl_json_scratch *scratch;
    struct pl_dict_user user;
    bool room = true;
    size_t at = 0;
    int err;

    if (!lua_isnoneornil(L, 2))
        limit = pl_arg_integer(L, 2, call, "the limit", 1, INT32_MAX);
    lua_newtable(L);
    scratch = pl_json_scratch_take(L);
    user = pl_member_user(pl_vm_upvalue(L)->options.member);
    while (room && scratch->buf.err == 0 &&
           pl_dict_walk(dict, &user, &at, list_key, &scratch->buf)) {
        room =
            push_keys(L, lua_gettop(L) - 1, pl_buf_str(&scratch->buf), limit);
        scratch->buf.len = 0;
    }
    err = scratch->buf.err;
    pl_json_scratch_give(scratch);
    lua_pop(L, 1);
    if (err < 0)
        return pl_lua_push_failure(L, err, call);
    lua_pushboolean(L, !room);
    return 2;
}

static int shared_flush(lua_State *L)
{
    struct pl_dict *dict = check_dict(L, "shared:flush");
    struct pl_dict_user user = pl_member_user(pl_vm_upvalue(L)->options.member);

    pl_dict_flush(dict, &user);
    return 0;
}

static int shared_stats(lua_State *L)
{
    struct pl_dict_stats stats = pl_dict_stats(check_dict(L, "shared:stats"));
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"keys", stats.keys},       {"used", stats.used},
        {"max", stats.limit},       {"hits", stats.hits},
        {"misses", stats.misses},   {"evicted", stats.evicted},
        {"expired", stats.expired}, {"refused", stats.refused},
    };

    lua_createtable(L, 0, PL_COUNT(fields));
    for (size_t i = 0; i < PL_COUNT(fields); i++) {
        pl_lua_set_integer(L, fields[i].name, (int64_t)fields[i].value);
    }
    return 1;
}

const luaL_Reg pl_lua_shared[] = {
    {"open", shared_open},       {"get", shared_get},
    {"set", shared_set},         {"add", shared_add},
    {"replace", shared_replace}, {"incr", shared_incr},
    {"cas", shared_cas},         {"find", shared_find},
    {"swap", shared_swap},       {"delete", shared_delete},
    {"ttl", shared_ttl},         {"expire", shared_expire},
    {"keys", shared_keys},       {"flush", shared_flush},
    {"stats", shared_stats},     {NULL, NULL},
};
