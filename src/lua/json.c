/* json.c - the module: its functions, its options, its marks, its buffer.
 *
 * What a Lua state needs once is in its registry, under the addresses below. */
#include "lua/json_priv.h"

#include <stddef.h>
#include <stdio.h>

#include "base/str.h"

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

/* A choice is a bool: false for its first word, true for its second. */
struct option {
    const char *name;
    enum { SIZE, FLAG, CHOICE } kind;
    size_t at;      /* in the struct of options */
    lua_Number max; /* SIZE */
    const char *words[2];
};

#define IN(field) offsetof(struct pl_json_encoding, field)
static const struct option encoding_options[] = {
    {"depth", SIZE, IN(depth), PL_JSON_DEPTH_MAX, {0}},
    {"size", SIZE, IN(size), 0x1p53, {0}},
    {"indent", SIZE, IN(indent), 16, {0}},
    {"pretty", FLAG, IN(pretty), 0, {0}},
    {"sort_keys", FLAG, IN(sort_keys), 0, {0}},
    {"html_safe", FLAG, IN(html_safe), 0, {0}},
    {"invalid_utf8", CHOICE, IN(strict_utf8), 0, {"replace", "error"}},
    {"empty_table", CHOICE, IN(empty_array), 0, {"object", "array"}},
    {"tables", CHOICE, IN(convert), 0, {"strict", "convert"}},
    {"nan", CHOICE, IN(null_numbers), 0, {"error", "null"}},
};
#undef IN

#define IN(field) offsetof(struct pl_json_decoding, field)
static const struct option decoding_options[] = {
    {"depth", SIZE, IN(depth), PL_JSON_DEPTH_MAX, {0}},
    {"size", SIZE, IN(size), 0x1p53, {0}},
    {"int64", CHOICE, IN(int64_strings), 0, {"number", "string"}},
    {"invalid_utf8", CHOICE, IN(replace_utf8), 0, {"error", "replace"}},
    {"mark_arrays", CHOICE, IN(plain_arrays), 0, {"true", "false"}},
};
#undef IN

/* The word, or "true" or "false", at the top of the stack. */
static bool read_choice(lua_State *L, const struct option *option)
{
    struct pl_str word;

    if (lua_isboolean(L, -1))
        word = pl_str_c(lua_toboolean(L, -1) ? "true" : "false");
    else
        word = pl_str_c(lua_tostring(L, -1));
    for (int i = 0; i < 2; i++)
        if (word.data != NULL && pl_str_eq(word, pl_str_c(option->words[i])))
            return i == 1;
    luaL_error(L, "json: option '%s' must be %s or %s", option->name,
               option->words[0], option->words[1]);
    return false;
}

static size_t read_size(lua_State *L, const struct option *option)
{
    lua_Number value = lua_tonumber(L, -1);
    char max[32];

    if (lua_type(L, -1) != LUA_TNUMBER ||
        !(value >= 0 && value <= option->max)) {
        snprintf(max, sizeof(max), "%.0f", option->max);
        luaL_error(L, "json: option '%s' must be a number from 0 to %s",
                   option->name, max);
    }
    return (size_t)value;
}

static const struct option *find_option(const struct option *options, size_t n,
                                        const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (name != NULL && strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* Reads the table at index into the struct at out; an unknown name is an
 * error, so that a slip of the pen does not pass. */
static void read_options(lua_State *L, int index, const struct option *options,
                         size_t n, void *out)
{
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        const struct option *option = find_option(options, n, name);
        char *to;

        if (option == NULL) {
            luaL_error(L, "json: unknown option '%s'",
                       name != NULL ? name : luaL_typename(L, -2));
            return;
        }
        to = (char *)out + option->at;
        if (option->kind == SIZE)
            *(size_t *)(void *)to = read_size(L, option);
        else if (option->kind == FLAG)
            *(bool *)to = lua_toboolean(L, -1);
        else
            *(bool *)to = read_choice(L, option);
        lua_pop(L, 1);
    }
}

/* ---- functions ---- */

/* encode(value [, options]) -> string */
static int json_encode(lua_State *L)
{
    struct pl_json_encoding options = pl_json_encoding_default;
    struct pl_error error;

    luaL_checkany(L, 1);
    if (!lua_isnoneornil(L, 2)) {
        read_options(L, 2, encoding_options, PL_COUNT(encoding_options),
                     &options);
        if (options.pretty && options.indent == 0)
            options.indent = 2;
    }
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
    if (!lua_isnoneornil(L, 2))
        read_options(L, 2, decoding_options, PL_COUNT(decoding_options),
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
