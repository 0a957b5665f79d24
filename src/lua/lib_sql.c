/* lib_sql.c - pl.sql: databases (lua/perilune/lib/sql.lua).
 *
 * A query is a userdata that is used again for the next one: ask() fills its
 * order, begin() waits, and then failure(), changes() or the functions of
 * lib_sql_rows.c say what came of it. */
#include "lua/lib_sql.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/wait.h"
#include "route/site.h"
#include "sql/drivers.h"

static const char base_name[] = "pl.sql.base";
static const char query_name[] = "pl.sql.query";
static const char lease_name[] = "pl.sql.lease";
static const char blob_name; /* its address: the metatable of blobs */

/* ---- what there is ---- */

static void drop_base(struct pl_lua_kept *kept)
{
    struct pl_lua_base *base = PL_CONTAINER_OF(kept, struct pl_lua_base, kept);
    struct pl_sql_pool *pool = base->pool;

    base->pool = NULL;
    if (pool != NULL)
        pl_sql_pool_drop(pool);
}

static int base_gc(lua_State *L)
{
    struct pl_lua_base *base = lua_touserdata(L, 1);

    pl_list_remove(&base->kept.node);
    drop_base(&base->kept);
    return 0;
}

static void on_task_over(void *arg)
{
    struct pl_lua_lease *lease = arg;

    lease->task = NULL;
    pl_sql_lease_end(&lease->lease);
}

static int lease_gc(lua_State *L)
{
    struct pl_lua_lease *lease = lua_touserdata(L, 1);

    if (lease->task != NULL)
        pl_task_undefer(lease->task, &lease->defer);
    on_task_over(lease);
    return 0;
}

static int query_gc(lua_State *L)
{
    struct pl_lua_query *query = lua_touserdata(L, 1);

    pl_sql_order_free(query->order);
    query->order = NULL;
    return 0;
}

static struct pl_lua_base *check_base(lua_State *L, int index)
{
    return luaL_checkudata(L, index, base_name);
}

struct pl_lua_query *pl_lua_check_query(lua_State *L, int index)
{
    return luaL_checkudata(L, index, query_name);
}

/* open_types(): once. */
static int open_types(lua_State *L)
{
    pl_vm_type(L, base_name, base_gc);
    pl_vm_type(L, lease_name, lease_gc);
    pl_vm_type(L, query_name, query_gc);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &blob_name);
    return 0;
}

/* ---- opening ---- */

static uint64_t number_of(lua_State *L, const char *name)
{
    uint64_t number;

    lua_getfield(L, 2, name);
    number = (uint64_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

/* Seconds, as ns. */
static uint64_t time_of(lua_State *L, const char *name)
{
    double seconds;

    lua_getfield(L, 2, name);
    seconds = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return (uint64_t)(seconds * 1e9);
}

static bool flag_of(lua_State *L, const char *name)
{
    bool flag;

    lua_getfield(L, 2, name);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* Good as long as the table. */
static const char *text_of(lua_State *L, const char *name)
{
    const char *text;

    lua_getfield(L, 2, name);
    text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

static void read_options(lua_State *L, struct pl_sql_options *options)
{
    *options = (struct pl_sql_options){
        .driver = options->driver,
        .settings = {.url = lua_tostring(L, 1),
                     .statements = (unsigned)number_of(L, "statements"),
                     .connect_ms =
                         (uint32_t)(time_of(L, "connect_timeout") / 1000000),
                     .limit = (size_t)number_of(L, "max_result"),
                     .read_only = flag_of(L, "read_only"),
                     .durable = flag_of(L, "durable"),
                     .offload = flag_of(L, "offload")},
        .key = text_of(L, "key"),
        .setup = text_of(L, "setup"),
        .name = text_of(L, "name"),
        .links = (unsigned)number_of(L, "connections"),
        .queue = (unsigned)number_of(L, "queue"),
        .wait = time_of(L, "queue_timeout"),
        .timeout = time_of(L, "timeout"),
        .busy = time_of(L, "busy_timeout"),
        .idle = time_of(L, "idle_timeout"),
        .slow = time_of(L, "slow"),
    };
}

/* open(url, options) -> base. The options are complete. */
static int open_base(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_sql_options options;
    struct pl_lua_base *base;
    struct pl_error error;

    options.driver = pl_sql_driver_load(luaL_checkstring(L, 1), &error);
    if (options.driver == NULL)
        return pl_lua_fail(L, "pl.sql.open: %s", error.text);
    read_options(L, &options);
    base = lua_newuserdata(L, sizeof(*base));
    *base = (struct pl_lua_base){.kept = {.close = drop_base},
                                 .text_integers = flag_of(L, "text_integers"),
                                 .decimals = flag_of(L, "decimals")};
    pl_list_init(&base->kept.node);
    luaL_setmetatable(L, base_name);
    base->pool = pl_sql_pool_open(vm->sched, &options);
    if (base->pool == NULL)
        return pl_lua_no_memory(L, "pl.sql.open");
    pl_lua_keep(vm, &base->kept);
    return 1;
}

/* name_folder(path): the site's sandbox lets it be read and written. */
static int name_folder(lua_State *L)
{
    struct pl_site *site = pl_vm_upvalue(L)->site;
    struct pl_str path;

    path.data = luaL_checklstring(L, 1, &path.len);
    if (site != NULL &&
        pl_site_name_path(site, path, PL_PATH_READ | PL_PATH_WRITE) < 0)
        return pl_lua_no_memory(L, "pl.sql.open");
    return 0;
}

/* close(base): calls that are under way go on, new ones fail. */
static int close_base(lua_State *L)
{
    struct pl_lua_base *base = check_base(L, 1);

    base->closed = true;
    if (base->active == 0)
        base_gc(L);
    return 0;
}

/* dialect(base) -> { name = "sqlite", begin = "begin immediate", ... } */
static int dialect(lua_State *L)
{
    const struct pl_sql_driver *driver =
        pl_sql_pool_options(check_base(L, 1)->pool)->driver;

    lua_newtable(L);
    pl_lua_set_text(L, "name", driver->name);
    pl_lua_set_text(L, "begin", driver->begin);
    pl_lua_set_text(L, "begin_read", driver->begin_read);
    if (driver->begin_level != NULL)
        pl_lua_set_text(L, "begin_level", driver->begin_level);
    if (driver->lock != NULL)
        pl_lua_set_text(L, "lock", driver->lock);
    return 1;
}

static int stats(lua_State *L)
{
    const struct pl_lua_base *base = check_base(L, 1);
    struct pl_sql_stats now = {.calls = 0};

    if (base->pool != NULL)
        now = pl_sql_pool_stats(base->pool);
    lua_createtable(L, 0, 12);
    pl_lua_set_integer(L, "calls", (int64_t)now.calls);
    pl_lua_set_integer(L, "failed", (int64_t)now.failed);
    pl_lua_set_integer(L, "slow", (int64_t)now.slow);
    pl_lua_set_integer(L, "timeouts", (int64_t)now.timeouts);
    pl_lua_set_integer(L, "at_once", (int64_t)now.at_once);
    pl_lua_set_integer(L, "offloaded", (int64_t)now.offloaded);
    pl_lua_set_integer(L, "connects", (int64_t)now.connects);
    pl_lua_set_integer(L, "failed_connects", (int64_t)now.failed_connects);
    pl_lua_set_integer(L, "connections", now.links);
    pl_lua_set_integer(L, "idle", now.idle);
    pl_lua_set_integer(L, "waiting", now.waiting);
    return 1;
}

/* ---- values ---- */

/* blob(bytes): a value that is bytes, not text. */
static int blob(lua_State *L)
{
    pl_arg_str(L, 1, "pl.sql.blob", "the value");
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &blob_name);
    lua_setmetatable(L, -2);
    return 1;
}

/* The string stays the table's. */
static bool read_blob(lua_State *L, int index, struct pl_sql_value *value)
{
    bool is;

    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &blob_name);
    is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!is)
        return false;
    lua_rawgeti(L, index, 1);
    value->type = PL_SQL_BLOB;
    value->text.data = lua_tolstring(L, -1, &value->text.len);
    lua_pop(L, 1);
    return value->text.data != NULL;
}

/* The int64_t of LuaJIT's FFI, by its text: "-12LL". */
static bool read_cdata(lua_State *L, int index, struct pl_sql_value *value)
{
    const char *text = luaL_tolstring(L, index, NULL);
    char *end;
    bool good;

    errno = 0;
    value->type = PL_SQL_INTEGER;
    value->integer = strtoll(text, &end, 10);
    good = errno == 0 && end != text && strcmp(end, "LL") == 0;
    lua_pop(L, 1);
    return good;
}

/* LuaJIT has no integers: a number that is whole is one. */
static void read_number(lua_State *L, int index, struct pl_sql_value *value)
{
    lua_Number number = lua_tonumber(L, index);

    value->type = PL_SQL_INTEGER;
    if (lua_isinteger(L, index)) {
        value->integer = lua_tointeger(L, index);
    } else if (PL_LUAJIT && fabs(number) < 0x1p63 && floor(number) == number) {
        value->integer = (int64_t)number;
    } else {
        value->type = PL_SQL_REAL;
        value->real = number;
    }
}

static bool read_value(lua_State *L, int index, struct pl_sql_value *value)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        value->type = PL_SQL_NULL;
        return true;
    case LUA_TLIGHTUSERDATA: /* pl.json.null */
        value->type = PL_SQL_NULL;
        return lua_touserdata(L, index) == NULL;
    case LUA_TBOOLEAN:
        value->type = PL_SQL_BOOL;
        value->integer = lua_toboolean(L, index);
        return true;
    case LUA_TNUMBER:
        read_number(L, index, value);
        return true;
    case LUA_TSTRING:
        value->type = PL_SQL_TEXT;
        value->text.data = lua_tolstring(L, index, &value->text.len);
        return true;
    case PL_LUA_TCDATA:
        return read_cdata(L, index, value);
    default:
        return read_blob(L, index, value);
    }
}

static bool has_text(const struct pl_sql_value *value)
{
    return value->type == PL_SQL_TEXT || value->type == PL_SQL_BLOB;
}

/* ---- asking ---- */

enum { QUERY = 1, BASE, LEASE, CALL, KIND, BATCH, TEXT };

static size_t check_values(lua_State *L, const char *call, int top)
{
    struct pl_sql_value value;
    size_t bytes = 0;

    for (int i = TEXT + 1; i <= top; i++) {
        if (!read_value(L, i, &value))
            pl_lua_fail(L,
                        "%s: value %d must be nil, a boolean, a number, a "
                        "string or pl.sql.blob(), not a %s",
                        call, i - TEXT, luaL_typename(L, i));
        bytes += has_text(&value) ? value.text.len : 0;
    }
    return bytes;
}

/* ask(query, base, lease | nil, call, kind, batch, text, ...) */
static int ask(lua_State *L)
{
    struct pl_lua_query *query = pl_lua_check_query(L, QUERY);
    struct pl_lua_base *base = check_base(L, BASE);
    const char *call = luaL_checkstring(L, CALL);
    struct pl_str text = pl_arg_str(L, TEXT, call, "the statement");
    int top = lua_gettop(L);
    size_t bytes = check_values(L, call, top);
    const struct pl_sql_options *options;
    struct pl_sql_value value;

    if (base->closed)
        pl_lua_fail(L, "%s: the database has been closed", call);
    options = pl_sql_pool_options(base->pool);
    if (pl_sql_order_fit(
            &query->order, (enum pl_sql_kind)lua_tointeger(L, KIND), text,
            (unsigned)(top - TEXT), bytes, options->settings.limit) < 0)
        return pl_lua_no_memory(L, call);
    for (int i = TEXT + 1; i <= top; i++) {
        read_value(L, i, &value);
        pl_sql_order_add(query->order, &value);
    }
    query->order->call.batch = (uint32_t)lua_tointeger(L, BATCH);
    query->base = base;
    query->lease =
        lua_isnil(L, LEASE) ? NULL : luaL_checkudata(L, LEASE, lease_name);
    return 0;
}

static void tie(struct pl_lua_lease *lease, struct pl_task *task)
{
    lease->task = task;
    pl_task_defer(task, &lease->defer, on_task_over, lease);
}

/* begin(query, call) -> 0 or PL_ERR_*; end() follows in any case. Its base is
 * kept by who calls. */
static int begin(lua_State *L)
{
    struct pl_lua_query *query = pl_lua_check_query(L, 1);
    struct pl_co *co = pl_co_may_wait(L, lua_tostring(L, 2));
    struct pl_sql_order *order = query->order;

    query->order = NULL; /* the operation's */
    query->base->active++;
    if (query->lease != NULL && query->lease->task == NULL)
        tie(query->lease, &co->task);
    pl_sql_begin(&query->op, query->base->pool,
                 query->lease == NULL ? NULL : &query->lease->lease, order);
    return pl_co_wait(L, co, &query->op.op, 1);
}

/* end(query): the order is the query's again, if there still is one. */
static int end(lua_State *L)
{
    struct pl_lua_query *query = pl_lua_check_query(L, 1);
    struct pl_lua_base *base = query->base;

    PL_ASSERT(query->op.op.state == PL_OP_DONE);
    query->order = query->op.order;
    query->op.order = NULL;
    query->base = NULL;
    if (--base->active == 0 && base->closed) {
        pl_list_remove(&base->kept.node);
        drop_base(&base->kept);
    }
    return 0;
}

/* query() -> query */
static int new_query(lua_State *L)
{
    struct pl_lua_query *query = lua_newuserdata(L, sizeof(*query));

    memset(query, 0, sizeof(*query));
    luaL_setmetatable(L, query_name);
    return 1;
}

/* ---- leases ---- */

/* lease() -> lease */
static int new_lease(lua_State *L)
{
    struct pl_lua_lease *lease = lua_newuserdata(L, sizeof(*lease));

    *lease = (struct pl_lua_lease){.task = NULL};
    luaL_setmetatable(L, lease_name);
    return 1;
}

/* release(lease) */
static int release(lua_State *L)
{
    luaL_checkudata(L, 1, lease_name);
    return lease_gc(L);
}

/* inside(lease): is a transaction open? */
static int inside(lua_State *L)
{
    const struct pl_lua_lease *lease = luaL_checkudata(L, 1, lease_name);

    lua_pushboolean(L, pl_sql_lease_inside(&lease->lease));
    return 1;
}

/* ---- what came of it ---- */

/* failure(query) -> text, state, misuse; nil if nobody knows. */
static int failure(lua_State *L)
{
    const struct pl_lua_query *query = pl_lua_check_query(L, 1);
    const struct pl_sql_failure *what;

    if (query->order == NULL)
        return 0;
    what = &query->order->call.answer.failure;
    lua_pushstring(L, what->text);
    lua_pushstring(L, what->state);
    lua_pushboolean(L, what->misuse);
    return 3;
}

/* changes(query) -> rows changed, last id or nil */
static int changes(lua_State *L)
{
    const struct pl_lua_query *query = pl_lua_check_query(L, 1);
    const struct pl_sql_answer *answer = &query->order->call.answer;

    lua_pushnumber(L, answer->changes < 0 ? 0 : (lua_Number)answer->changes);
    if (answer->last_id == 0)
        return 1;
    pl_lua_push_int64(L, answer->last_id, true);
    return 2;
}

/* hash(text) -> 16 digits: whether a file has changed, not who has changed it,
 * so that the key is none. */
static int hash(lua_State *L)
{
    static const struct pl_hash_key key = {0, 0};
    struct pl_str text = pl_arg_str(L, 1, "db:migrate", "the text");
    char digits[17];

    snprintf(digits, sizeof(digits), "%016llx",
             (unsigned long long)pl_hash(text, key));
    lua_pushstring(L, digits);
    return 1;
}

/* more(query): rows are left */
static int more(lua_State *L)
{
    lua_pushboolean(L, pl_lua_check_query(L, 1)->order->call.answer.more);
    return 1;
}

const luaL_Reg pl_lua_sql[] = {
    {"open_types", open_types},
    {"open", open_base},
    {"name_folder", name_folder},
    {"close", close_base},
    {"dialect", dialect},
    {"stats", stats},
    {"blob", blob},
    {"query", new_query},
    {"ask", ask},
    {"begin", begin},
    {"end_query", end},
    {"lease", new_lease},
    {"release", release},
    {"inside", inside},
    {"failure", failure},
    {"changes", changes},
    {"more", more},
    {"hash", hash},
    {"rows", pl_lua_sql_rows},
    {"first", pl_lua_sql_first},
    {"value", pl_lua_sql_value},
    {NULL, NULL},
};
