/* lib_uuid.c - the C half of pl.uuid (RFC 9562). */
#include "base/str.h"
#include "base/sys.h"
#include "base/uuid.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/wait.h"

static void push_text(lua_State *L, const uint8_t *bytes)
{
    char text[PL_UUID_LEN];

    pl_uuid_write(text, bytes);
    lua_pushlstring(L, text, sizeof(text));
}

/* uuid.v4(): 122 random bits (5.4) */
static int v4(lua_State *L)
{
    uint8_t bytes[PL_UUID_BYTES];

    pl_random(bytes, sizeof(bytes));
    pl_uuid_mark(bytes, 4);
    push_text(L, bytes);
    return 1;
}

/* v7(ms, counter): milliseconds, a counter of 12 bits, 62 random bits (5.7) */
static int v7(lua_State *L)
{
    uint64_t ms = (uint64_t)lua_tonumber(L, 1);
    unsigned counter = (unsigned)lua_tointeger(L, 2);
    uint8_t bytes[PL_UUID_BYTES];

    pl_random(bytes + 8, 8);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)(counter >> 8);
    bytes[7] = (uint8_t)counter;
    pl_uuid_mark(bytes, 7);
    push_text(L, bytes);
    return 1;
}

/* clock() -> milliseconds since 1970, and 11 random bits */
static int clock_ms(lua_State *L)
{
    uint16_t bits;

    pl_random(&bits, sizeof(bits));
    lua_pushnumber(L, (lua_Number)(pl_clock_wall() / 1000000));
    lua_pushinteger(L, bits & 0x7ff);
    return 2;
}

/* uuid.parse(text) -> 16 bytes, or nil, err */
static int uuid_parse(lua_State *L)
{
    struct pl_str text = pl_arg_str(L, 1, "pl.uuid.parse", "the text");
    uint8_t bytes[PL_UUID_BYTES];

    if (!pl_uuid_read(text, bytes))
        return pl_lua_return_error(L, PL_ERR_SYNTAX, "pl.uuid.parse",
                                   "not a UUID");
    lua_pushlstring(L, (char *)bytes, PL_UUID_BYTES);
    return 1;
}

/* uuid.format(16 bytes) -> text */
static int uuid_format(lua_State *L)
{
    struct pl_str bytes = pl_arg_str(L, 1, "pl.uuid.format", "the bytes");

    if (bytes.len != PL_UUID_BYTES)
        return pl_lua_fail(L, "pl.uuid.format: a UUID has 16 bytes, not %d",
                           (int)bytes.len);
    push_text(L, (const uint8_t *)bytes.data);
    return 1;
}

/* uuid.version(value) -> 1 to 8 for a UUID of RFC 9562, 0 for any other one
 * (nil and max UUIDs among them), or nil for what is none. */
static int uuid_version(lua_State *L)
{
    struct pl_str text = {NULL, 0};
    uint8_t bytes[PL_UUID_BYTES];

    if (lua_type(L, 1) == LUA_TSTRING)
        text.data = lua_tolstring(L, 1, &text.len);
    if (!pl_uuid_read(text, bytes))
        lua_pushnil(L);
    else if ((bytes[8] & 0xc0) == 0x80 && bytes[6] >> 4 <= 8)
        lua_pushinteger(L, bytes[6] >> 4);
    else
        lua_pushinteger(L, 0);
    return 1;
}

const luaL_Reg pl_lua_uuid[] = {
    {"v4", v4},
    {"v7", v7},
    {"clock", clock_ms},
    {"parse", uuid_parse},
    {"format", uuid_format},
    {"version", uuid_version},
    {NULL, NULL},
};
