/* json.c - the module: its functions, its options, its marks, its buffer.
 *
 * What a Lua state needs once is in its registry, under the addresses below. */
#include "lua/json_priv.h"

#include <stddef.h>

#include "base/str.h"
#include "lua/args.h"

static const char module_key, array_mt_key, object_mt_key, scratch_key;

enum { SCRATCH_KEEP = 64 << 10 }; /* a larger buffer is freed after its use */

/* ---- scratch ---- */

static int scratch_gc(lua_State *L)
{
    struct pl_json_scratch *scratch = lua_touserdata(L, 1);

    pl_buf_fini(&scratch->buf);
    pl_pool_fini(&scratch->pool);
    return 0;
}

/* Pushes a new scratch and makes it the state's. */
static struct pl_json_scratch *new_scratch(lua_State *L)
{
    struct pl_json_scratch *scratch = lua_newuserdata(L, sizeof(*scratch));

    pl_pool_init(&scratch->pool, NULL, 0);
    pl_buf_init(&scratch->buf, &scratch->pool, NULL, 0);
    scratch->taken = false;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &scratch_key);
    return scratch;
}

struct pl_json_scratch *pl_json_scratch_take(lua_State *L)
{
    struct pl_json_scratch *scratch;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &scratch_key);
    scratch = lua_touserdata(L, -1);
    if (PL_UNLIKELY(scratch == NULL || scratch->taken)) {
        lua_pop(L, 1);
        scratch = new_scratch(L);
    }
    scratch->taken = true;
    return scratch;
}

void pl_json_scratch_give(struct pl_json_scratch *scratch)
{
    if (scratch == NULL)
        return;
    if (scratch->buf.cap > SCRATCH_KEEP) {
        pl_buf_fini(&scratch->buf);
        pl_pool_trim(&scratch->pool);
    }
    scratch->buf.len = 0;
    scratch->buf.err = 0;
    scratch->buf.limit = 0;
    scratch->taken = false;
}

int pl_json_push_encoded(lua_State *L, int index,
                         const struct pl_json_encoding *options,
                         struct pl_error *error)
{
    struct pl_json_scratch *scratch;
    int err;

    index = lua_absindex(L, index);
    scratch = pl_json_scratch_take(L);
    scratch->buf.limit = options->size;
    err = pl_json_encode(L, index, &scratch->buf, options, error);
    if (err == 0)
        lua_pushlstring(L, scratch->buf.data, scratch->buf.len);
    pl_json_scratch_give(scratch);
    lua_remove(L, err == 0 ? -2 : -1);
    return err;
}

/* ---- options ---- */

#define IN(field) offsetof(struct pl_json_encoding, field)
static const struct pl_arg_option encoding_options[] = {
    {"depth", PL_ARG_SIZE, IN(depth), PL_JSON_DEPTH_MAX, {0}},
    {"size", PL_ARG_SIZE, IN(size), 0x1p53, {0}},
    {"indent", PL_ARG_SIZE, IN(indent), 16, {0}},
    {"pretty", PL_ARG_FLAG, IN(pretty), 0, {0}},
    {"sort_keys", PL_ARG_FLAG, IN(sort_keys), 0, {0}},
    {"html_safe", PL_ARG_FLAG, IN(html_safe), 0, {0}},
    {"invalid_utf8", PL_ARG_CHOICE, IN(strict_utf8), 0, {"replace", "error"}},
    {"empty_table", PL_ARG_CHOICE, IN(empty_array), 0, {"object", "array"}},
    {"tables", PL_ARG_CHOICE, IN(convert), 0, {"strict", "convert"}},
    {"nan", PL_ARG_CHOICE, IN(null_numbers), 0, {"error", "null"}},
};
#undef IN

#define IN(field) offsetof(struct pl_json_decoding, field)
static const struct pl_arg_option decoding_options[] = {
    {"depth", PL_ARG_SIZE, IN(depth), PL_JSON_DEPTH_MAX, {0}},
    {"size", PL_ARG_SIZE, IN(size), 0x1p53, {0}},
    {"int64", PL_ARG_CHOICE, IN(int64_strings), 0, {"number", "string"}},
    {"invalid_utf8", PL_ARG_CHOICE, IN(replace_utf8), 0, {"error", "replace"}},
    {"mark_arrays", PL_ARG_CHOICE, IN(plain_arrays), 0, {"true", "false"}},
};
#undef IN

/* ---- functions ---- */

/* encode(value [, options]) -> string */
static int json_encode(lua_State *L)
{
    struct pl_json_encoding options = pl_json_encoding_default;
    struct pl_error error;

    luaL_checkany(L, 1);
    pl_arg_options(L, 2, "json", encoding_options, PL_COUNT(encoding_options),
                   &options);
    if (options.pretty && options.indent == 0)
        options.indent = 2;
    if (pl_json_push_encoded(L, 1, &options, &error) < 0)
        return luaL_error(L, "json.encode: %s", error.text);
    return 1;
}

/* decode(text [, options]) -> value, or nil, message, offset of the byte */
static int json_decode(lua_State *L)
{
    struct pl_json_decoding options = pl_json_decoding_default;
    struct pl_error error;
    struct pl_str text;
    size_t offset;

    text.data = luaL_checklstring(L, 1, &text.len);
    pl_arg_options(L, 2, "json", decoding_options, PL_COUNT(decoding_options),
                   &options);
    if (pl_json_decode(L, text, &options, &error, &offset) == 0)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, error.text);
    lua_pushinteger(L, (lua_Integer)offset + 1);
    return 3;
}

/* A metatable { __jsontype = type }, made once. */
static void push_mark(lua_State *L, const void *key, const char *type)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__jsontype");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void pl_json_push_array_mt(lua_State *L)
{
    push_mark(L, &array_mt_key, "array");
}

/* Sets the mark on top of the stack as the metatable of argument 1 and returns
 * it. Another metatable is left alone: it may have a __jsontype of its own. */
static int set_mark(lua_State *L)
{
    if (lua_getmetatable(L, 1)) {
        lua_pushliteral(L, "__jsontype");
        lua_rawget(L, -2);
        if (lua_isnil(L, -1))
            return luaL_error(L, "json: the table has a metatable; give that "
                                 "a __jsontype = \"array\" or \"object\"");
        lua_pop(L, 2);
    }
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* array([t]) -> t: written as an array, also when it is empty */
static int json_array(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    pl_json_push_array_mt(L);
    return set_mark(L);
}

/* object([t]) -> t: written as an object, number keys as strings */
static int json_object(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    push_mark(L, &object_mt_key, "object");
    return set_mark(L);
}

/* tostring(json.null). All light userdata share a metatable. */
static int pointer_tostring(lua_State *L)
{
    const void *pointer = lua_touserdata(L, 1);

    if (pointer == NULL)
        lua_pushliteral(L, "null");
    else
        lua_pushfstring(L, "userdata: %p", pointer);
    return 1;
}

/* Somebody else's metatable for light userdata stays. */
static void name_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    if (!lua_getmetatable(L, -1)) {
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, pointer_tostring);
        lua_setfield(L, -2, "__tostring");
        lua_setmetatable(L, -2);
        lua_pop(L, 1);
    } else {
        lua_pop(L, 2);
    }
}

void pl_lua_json_push(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", json_encode},
                                         {"decode", json_decode},
                                         {"array", json_array},
                                         {"object", json_object},
                                         {NULL, NULL}};

    lua_rawgetp(L, LUA_REGISTRYINDEX, &module_key);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    name_null(L);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushlightuserdata(L, (void *)&pl_json_empty_array);
    lua_setfield(L, -2, "empty_array");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &module_key);
}
