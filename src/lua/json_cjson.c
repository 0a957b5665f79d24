/* json_cjson.c - the names of lua-cjson, over this codec.
 *
 * For programs written for lua-cjson 2.1 and the additions of OpenResty's:
 * mixed tables become objects, holes of a list null, decode raises (that of
 * cjson.safe returns nil, message). What differs is better here: numbers are
 * written exactly, so encode_number_precision only remembers its argument.
 * Settings belong to one table: cjson.new() gives another. */
#include "base/features.h"
#include "lua/json_priv.h"

/* The upvalue of every function of one module table. */
struct config {
    struct pl_json_encoding encode;
    struct pl_json_decoding decode;
    bool safe;
    int precision;
};

static struct config *config_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* cjson raises what cjson.safe returns as nil, message. */
static int give_up(lua_State *L, const struct config *config, const char *what)
{
    if (!config->safe)
        return luaL_error(L, "%s", what);
    lua_pushnil(L);
    lua_pushstring(L, what);
    return 2;
}

static int cjson_encode(lua_State *L)
{
    struct config *config = config_of(L);
    struct pl_error error;

    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    if (pl_json_push_encoded(L, 1, &config->encode, &error) < 0)
        return give_up(L, config, error.text);
    return 1;
}

static int cjson_decode(lua_State *L)
{
    struct config *config = config_of(L);
    struct pl_error error;
    struct pl_str text;
    size_t offset;

    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    text.data = luaL_checklstring(L, 1, &text.len);
    if (pl_json_decode(L, text, &config->decode, &error, &offset) < 0)
        return give_up(L, config, error.text);
    return 1;
}

/* Each setting returns its value, after setting it if there is an argument. */
static int set_flag(lua_State *L, bool *flag, bool inverted)
{
    if (!lua_isnoneornil(L, 1))
        *flag = (bool)lua_toboolean(L, 1) != inverted;
    lua_pushboolean(L, *flag != inverted);
    return 1;
}

static int set_depth(lua_State *L, size_t *depth)
{
    if (!lua_isnoneornil(L, 1)) {
        lua_Integer value = luaL_checkinteger(L, 1);

        luaL_argcheck(L, value >= 1 && value <= INT32_MAX, 1,
                      "expected integer between 1 and 2147483647");
        *depth = PL_MIN((size_t)value, (size_t)PL_JSON_DEPTH_MAX);
    }
    lua_pushinteger(L, (lua_Integer)*depth);
    return 1;
}

static int encode_max_depth(lua_State *L)
{
    return set_depth(L, &config_of(L)->encode.depth);
}

static int decode_max_depth(lua_State *L)
{
    return set_depth(L, &config_of(L)->decode.depth);
}

static int encode_empty_table_as_object(lua_State *L)
{
    return set_flag(L, &config_of(L)->encode.empty_array, true);
}

static int decode_array_with_array_mt(lua_State *L)
{
    return set_flag(L, &config_of(L)->decode.plain_arrays, true);
}

/* true and "null" write null: JSON has nothing else for them. */
static int encode_invalid_numbers(lua_State *L)
{
    bool *flag = &config_of(L)->encode.null_numbers;

    if (!lua_isnoneornil(L, 1))
        *flag = lua_toboolean(L, 1);
    if (*flag)
        lua_pushliteral(L, "null");
    else
        lua_pushboolean(L, 0);
    return 1;
}

static int encode_number_precision(lua_State *L)
{
    struct config *config = config_of(L);

    if (!lua_isnoneornil(L, 1))
        config->precision = (int)luaL_checkinteger(L, 1);
    lua_pushinteger(L, config->precision);
    return 1;
}

/* Settings of what is fixed here: they return how it is. */
static int always_true(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

static int always_false(lua_State *L)
{
    lua_pushboolean(L, 0);
    return 1;
}

static void push_module(lua_State *L, bool safe);

static int cjson_new(lua_State *L)
{
    push_module(L, config_of(L)->safe);
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode", cjson_encode},
    {"decode", cjson_decode},
    {"new", cjson_new},
    {"encode_max_depth", encode_max_depth},
    {"decode_max_depth", decode_max_depth},
    {"encode_empty_table_as_object", encode_empty_table_as_object},
    {"decode_array_with_array_mt", decode_array_with_array_mt},
    {"encode_invalid_numbers", encode_invalid_numbers},
    {"decode_invalid_numbers", always_false},
    {"encode_number_precision", encode_number_precision},
    {"encode_keep_buffer", always_true},
    {"encode_sparse_array", always_true},
    {"encode_escape_forward_slash", always_false},
    {NULL, NULL}};

static void push_config(lua_State *L, bool safe)
{
    struct config *config = lua_newuserdata(L, sizeof(*config));

    *config = (struct config){.encode = pl_json_encoding_default,
                              .decode = pl_json_decoding_default,
                              .safe = safe,
                              .precision = 14};
    config->encode.depth = config->decode.depth = PL_JSON_DEPTH_MAX;
    config->encode.convert = true;
    config->decode.plain_arrays = true;
}

static void push_module(lua_State *L, bool safe)
{
    luaL_newlibtable(L, functions);
    push_config(L, safe);
    luaL_setfuncs(L, functions, 1);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushlightuserdata(L, (void *)&pl_json_empty_array);
    lua_setfield(L, -2, "empty_array");
    pl_json_push_array_mt(L);
    lua_setfield(L, -2, "array_mt");
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "empty_array");
    lua_setfield(L, -2, "__jsontype");
    lua_setfield(L, -2, "empty_array_mt");
    lua_pushstring(L, safe ? "cjson.safe" : "cjson");
    lua_setfield(L, -2, "_NAME");
    lua_pushliteral(L, PL_VERSION);
    lua_setfield(L, -2, "_VERSION");
}

static int load_cjson(lua_State *L)
{
    push_module(L, false);
    return 1;
}

static int load_cjson_safe(lua_State *L)
{
    push_module(L, true);
    return 1;
}

/* searcher(name) -> loader, or a line for require's error message */
static int search_cjson(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    bool safe = strcmp(name, "cjson.safe") == 0;

    if (!safe && strcmp(name, "cjson") != 0)
        lua_pushliteral(L, "");
    else if (!PL_WITH_LIBRARY)
        lua_pushliteral(L, "\n\t" PL_WITHOUT PL_FEATURE_LIBRARY);
    else
        lua_pushcfunction(L, safe ? load_cjson_safe : load_cjson);
    return 1;
}

void pl_lua_json_install_cjson(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, PL_LUAJIT ? "loaders" : "searchers");
    lua_pushcfunction(L, search_cjson);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
    lua_pop(L, 2);
}
