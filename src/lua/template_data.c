/* template_data.c - values of Lua as the data of a template: see
 * template_data.h. */
#include "lua/template_data.h"

#include "base/str.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/json_priv.h"
#include "lua/wait.h"

/* What functions that render lead through: NULL when all is over. */
struct pl_lua_data_handle {
    struct pl_lua_data *source;
};

/* ---- values ---- */

static int place(struct pl_template_value value)
{
    return (int)(intptr_t)value.at;
}

static struct pl_template_value top(lua_State *L)
{
    return (struct pl_template_value){(void *)(intptr_t)lua_gettop(L), NULL};
}

static void need_stack(lua_State *L, int n)
{
    luaL_checkstack(L, n, "the data is nested too deeply");
}

/* Userdata answer for names if they have an __index. */
static bool has_members(lua_State *L, int at)
{
    switch (lua_type(L, at)) {
    case LUA_TTABLE:
        return true;
    case LUA_TUSERDATA:
        if (!luaL_getmetafield(L, at, "__index"))
            return false;
        lua_pop(L, 1);
        return true;
    default:
        return false;
    }
}

static bool get(void *arg, struct pl_template_value value, struct pl_str name,
                struct pl_template_value *out)
{
    lua_State *L = ((struct pl_lua_data *)arg)->L;

    need_stack(L, 4);
    if (!has_members(L, place(value)))
        return false;
    lua_pushlstring(L, name.data, name.len);
    lua_gettable(L, place(value));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    *out = top(L);
    return true;
}

/* One without elements is empty, unless a metatable says that it is more. */
static enum pl_template_kind kind_of_table(lua_State *L, int at)
{
    enum pl_template_kind kind = PL_TEMPLATE_TRUE;

    lua_rawgeti(L, at, 1);
    if (!lua_isnil(L, -1))
        kind = PL_TEMPLATE_LIST;
    lua_pop(L, 1);
    if (kind == PL_TEMPLATE_LIST)
        return kind;
    if (luaL_getmetafield(L, at, "__jsontype")) {
        if (strcmp(luaL_optstring(L, -1, ""), "array") == 0)
            kind = PL_TEMPLATE_LIST;
        lua_pop(L, 1);
    } else if (lua_getmetatable(L, at)) {
        lua_pop(L, 1);
    } else {
        lua_pushnil(L);
        if (lua_next(L, at) == 0)
            return PL_TEMPLATE_LIST;
        lua_pop(L, 2);
    }
    return kind;
}

static enum pl_template_kind kind(void *arg, struct pl_template_value value)
{
    lua_State *L = ((struct pl_lua_data *)arg)->L;
    int at = place(value);

    switch (lua_type(L, at)) {
    case LUA_TNIL:
        return PL_TEMPLATE_FALSE;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, at) ? PL_TEMPLATE_TRUE : PL_TEMPLATE_FALSE;
    case LUA_TSTRING:
        return lua_rawlen(L, at) > 0 ? PL_TEMPLATE_TRUE : PL_TEMPLATE_FALSE;
    case LUA_TFUNCTION:
        return PL_TEMPLATE_LAMBDA;
    case LUA_TLIGHTUSERDATA: /* pl.json.null, pl.json.empty_array */
        return lua_touserdata(L, at) == NULL ||
                       lua_touserdata(L, at) == &pl_json_empty_array
                   ? PL_TEMPLATE_FALSE
                   : PL_TEMPLATE_TRUE;
    case LUA_TTABLE:
        need_stack(L, 4);
        return kind_of_table(L, at);
    default:
        return PL_TEMPLATE_TRUE;
    }
}

static bool item(void *arg, struct pl_template_value list, size_t index,
                 struct pl_template_value *out)
{
    lua_State *L = ((struct pl_lua_data *)arg)->L;

    need_stack(L, 4);
    lua_rawgeti(L, place(list), (int)index + 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    *out = top(L);
    return true;
}

/* Tables and the like have a text only if they say which. */
static struct pl_str text_of_object(lua_State *L, int at)
{
    struct pl_str text = {"", 0};

    need_stack(L, 6);
    if (lua_type(L, at) != PL_LUA_TCDATA) {
        if (!luaL_getmetafield(L, at, "__tostring"))
            return text;
        lua_pop(L, 1);
    }
    text.data = luaL_tolstring(L, at, &text.len);
    return text;
}

static struct pl_str text(void *arg, struct pl_template_value value,
                          struct pl_buf *scratch)
{
    lua_State *L = ((struct pl_lua_data *)arg)->L;
    int at = place(value);
    struct pl_str text = {"", 0};

    switch (lua_type(L, at)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
        text.data = lua_tolstring(L, at, &text.len);
        return text;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, at) ? PL_STR("true") : PL_STR("false");
    case LUA_TTABLE:
    case LUA_TUSERDATA:
    case PL_LUA_TCDATA:
        return text_of_object(L, at);
    default:
        return text;
    }
}

static size_t mark(void *arg)
{
    return (size_t)lua_gettop(((struct pl_lua_data *)arg)->L);
}

static void release(void *arg, size_t mark)
{
    lua_settop(((struct pl_lua_data *)arg)->L, (int)mark);
}

/* ---- lambdas ---- */

/* Upvalues of a function that renders. */
enum { OF_HANDLE = 1, OF_LEVEL, OF_SERIAL, OF_VALUES };

static struct pl_lua_lambda *find_lambda(lua_State *L)
{
    struct pl_lua_data_handle *handle =
        lua_touserdata(L, lua_upvalueindex(OF_HANDLE));
    lua_Integer level = lua_tointeger(L, lua_upvalueindex(OF_LEVEL));
    struct pl_lua_lambda *lambda;

    if (handle->source == NULL)
        return NULL;
    lambda = &handle->source->lambdas[level];
    return lambda->call != NULL &&
                   lambda->serial ==
                       (uint64_t)lua_tonumber(L, lua_upvalueindex(OF_SERIAL))
               ? lambda
               : NULL;
}

/* The stack becomes that of the function around, with the text on top. */
static void copy_stack(lua_State *L)
{
    int n = (int)lua_rawlen(L, lua_upvalueindex(OF_VALUES));

    lua_settop(L, 1);
    need_stack(L, n + 8);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, lua_upvalueindex(OF_VALUES), i);
        if (lua_rawequal(L, -1, lua_upvalueindex(OF_VALUES))) {
            lua_pop(L, 1); /* stands for nil */
            lua_pushnil(L);
        }
    }
    lua_pushvalue(L, 1);
    lua_remove(L, 1);
}

/* render(text) -> text */
static int render(lua_State *L)
{
    struct pl_lua_lambda *lambda = find_lambda(L);
    struct pl_str text = pl_arg_str(L, 1, "render", "the text"), shown;
    struct pl_lua_data *source;
    lua_State *before;
    int err;

    if (lambda == NULL)
        return pl_lua_fail(L, "render: only while its lambda is called");
    copy_stack(L);
    source = ((struct pl_lua_data_handle *)lua_touserdata(
                  L, lua_upvalueindex(OF_HANDLE)))
                 ->source;
    before = source->L;
    source->L = L;
    lambda->rendered = true;
    err = pl_template_call_render(lambda->call, text, &shown);
    source->L = before;
    if (err < 0)
        return pl_lua_raise_template(L, "render", source->error);
    lua_pushlstring(L, shown.data, shown.len);
    return 1;
}

static void push_handle(lua_State *L, struct pl_lua_data *source)
{
    if (source->handle == NULL) {
        source->handle = lua_newuserdata(L, sizeof(*source->handle));
        source->handle->source = source;
        lua_replace(L, PL_LUA_DATA_HANDLE);
    }
    lua_pushvalue(L, PL_LUA_DATA_HANDLE);
}

/* A table of the n lowest values: nil is the table itself. */
static void push_values(lua_State *L, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, lua_isnil(L, i) ? -1 : i);
        lua_rawseti(L, -2, i);
    }
}

/* The lambda's arguments: (context), or (text, render, context). */
static int push_arguments(lua_State *L, struct pl_lua_data *source,
                          const struct pl_template_call *call, int n)
{
    int args = 1;

    if (call->source.data != NULL) {
        lua_pushlstring(L, call->source.data, call->source.len);
        push_handle(L, source);
        lua_pushinteger(L, (lua_Integer)call->rendering);
        lua_pushnumber(L, (lua_Number)source->serial);
        push_values(L, n);
        lua_pushcclosure(L, render, 4);
        args = 3;
    }
    lua_pushvalue(L, place(call->context));
    return args;
}

/* What a lambda has returned, on top. */
static void take_result(lua_State *L, const struct pl_template_call *call,
                        struct pl_buf *out)
{
    struct pl_str text;

    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
        text.data = lua_tolstring(L, -1, &text.len);
        pl_buf_add(out, text);
        return;
    case LUA_TNIL:
        return;
    case LUA_TBOOLEAN: /* true: as if there were no lambda */
        if (lua_toboolean(L, -1) && call->source.data != NULL)
            pl_buf_add(out, call->source);
        return;
    default:
        pl_lua_fail(L, "a lambda of a template gives a text, not a %s",
                    luaL_typename(L, -1));
    }
}

static const char traced_key;

static int call(void *arg, struct pl_template_call *call, struct pl_buf *out,
                struct pl_error *error)
{
    struct pl_lua_data *source = arg;
    struct pl_lua_lambda *lambda = &source->lambdas[call->rendering];
    lua_State *L = source->L;
    int n = lua_gettop(L), args, status;

    need_stack(L, 12);
    *lambda = (struct pl_lua_lambda){.call = call, .serial = ++source->serial};
    lua_rawgetp(L, LUA_REGISTRYINDEX, &traced_key);
    lua_pushvalue(L, place(call->lambda));
    args = push_arguments(L, source, call, n);
    status = lua_pcall(L, args, 1, n + 1);
    lambda->call = NULL;
    source->L = L;
    if (status != 0)
        lua_error(L);
    source->fault = false;
    take_result(L, call, out);
    return lambda->rendered ? PL_TEMPLATE_SHOWN : PL_TEMPLATE_MADE;
}

/* ---- the whole ---- */

struct pl_data pl_lua_data_begin(struct pl_lua_data *data, lua_State *L,
                                 struct pl_error *error)
{
    static const struct pl_data_ops ops = {
        .get = get,
        .kind = kind,
        .item = item,
        .text = text,
        .call = call,
        .mark = mark,
        .release = release,
    };

    data->L = L;
    data->error = error;
    data->fault = false;
    data->handle = NULL;
    data->serial = 0;
    return (struct pl_data){&ops, data, {(void *)PL_LUA_DATA_ROOT, NULL}};
}

void pl_lua_data_end(struct pl_lua_data *data)
{
    if (data->handle != NULL)
        data->handle->source = NULL;
}

void pl_lua_data_open(lua_State *L)
{
    lua_rawsetp(L, LUA_REGISTRYINDEX, &traced_key);
}

/* ---- errors ---- */

static const char *push_error(lua_State *L, const struct pl_error *error)
{
    return lua_pushfstring(L, "%s%s%s", error->where,
                           error->where[0] == '\0' ? "" : ": ", error->text);
}

int pl_lua_raise_template(lua_State *L, const char *call,
                          const struct pl_error *error)
{
    pl_lua_push_error(L, error->code, call, push_error(L, error));
    return lua_error(L);
}

int pl_lua_return_template(lua_State *L, const char *call,
                           const struct pl_error *error)
{
    return pl_lua_return_error(L, error->code, call, push_error(L, error));
}
