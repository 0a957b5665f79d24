#include "lua/datum.h"

#include <math.h>

#include "base/check.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/json_priv.h"
#include "lua/pack.h"
#include "lua/wait.h"

static const double SMALL = 140737488355328.0; /* 2^47: needs no memory */

/* LuaJIT has doubles only: those without a fraction are integers to C. */
static bool is_integral(double number)
{
    return PL_LUAJIT && fabs(number) < SMALL && number == floor(number) &&
           !(number == 0 && signbit(number));
}

static struct pl_datum read_number(lua_State *L, int index)
{
    struct pl_datum value = {.type = PL_DATUM_INTEGER};
    double number = lua_tonumber(L, index);

    if (lua_isinteger(L, index)) {
        value.integer = lua_tointeger(L, index);
    } else if (is_integral(number)) {
        value.integer = (int64_t)number;
    } else {
        value.type = PL_DATUM_DOUBLE;
        value.number = number;
    }
    return value;
}

struct pl_datum pl_lua_datum_number(lua_State *L, int index, const char *call,
                                    const char *what)
{
    pl_arg_number(L, index, call, what);
    return read_number(L, index);
}

static void read_packed(lua_State *L, int index, const char *call,
                        struct pl_lua_datum *datum)
{
    struct pl_json_scratch *scratch = pl_json_scratch_take(L);
    struct pl_error error;

    if (pl_lua_pack(L, index, &scratch->buf, &error) < 0) {
        pl_json_scratch_give(scratch);
        pl_lua_fail(L, "%s: %s", call, error.text);
    }
    datum->value.type = PL_DATUM_PACKED;
    datum->value.bytes = pl_buf_str(&scratch->buf);
    datum->scratch = scratch;
}

void pl_lua_datum_read(lua_State *L, int index, const char *call,
                       struct pl_lua_datum *datum)
{
    struct pl_datum *value = &datum->value;

    value->version = 0;
    datum->scratch = NULL;
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
        pl_lua_fail(L, "%s: the value must not be nil", call);
        break;
    case LUA_TBOOLEAN:
        value->type = PL_DATUM_BOOL;
        value->boolean = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        *value = read_number(L, index);
        break;
    case LUA_TSTRING:
        value->type = PL_DATUM_STRING;
        value->bytes.data = lua_tolstring(L, index, &value->bytes.len);
        break;
    default:
        read_packed(L, index, call, datum);
    }
}

void pl_lua_datum_done(struct pl_lua_datum *datum)
{
    pl_json_scratch_give(datum->scratch);
    datum->scratch = NULL;
}

void pl_lua_datum_push(lua_State *L, const struct pl_datum *value)
{
    int err = 0;

    switch (value->type) {
    case PL_DATUM_NONE:
        lua_pushnil(L);
        break;
    case PL_DATUM_BOOL:
        lua_pushboolean(L, value->boolean);
        break;
    case PL_DATUM_INTEGER:
        lua_pushinteger(L, (lua_Integer)value->integer);
        break;
    case PL_DATUM_DOUBLE:
        lua_pushnumber(L, value->number);
        break;
    case PL_DATUM_STRING:
        lua_pushlstring(L, value->bytes.data, value->bytes.len);
        break;
    case PL_DATUM_PACKED:
        err = pl_lua_unpack(L, value->bytes);
        PL_ASSERT(err == 0); /* we have packed it ourselves */
        break;
    }
}

int pl_lua_push_failure(lua_State *L, int err, const char *call)
{
    lua_pushnil(L);
    pl_lua_push_error(L, err, call, NULL);
    return 2;
}
