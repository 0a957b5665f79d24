#include "lua/pack.h"

#include <math.h>

#include "base/str.h"
#include "lua/json_priv.h"
#include "lua/path.h"

enum { STACK_PER_LEVEL = 6 };

static const double EXACT = 9007199254740992.0; /* 2^53 */

/* ---- packing ---- */

struct packer {
    lua_State *L;
    struct pl_buf *out;
    struct pl_error *error;
    const struct pl_lua_level *level;
    unsigned depth;
    const void *open[PL_PACK_DEPTH]; /* the tables around */
};

static int pack_value(struct packer *p, int index);

PL_COLD static int fail(struct packer *p, const char *fmt, const char *arg)
{
    char path[PL_LUA_PATH_MAX], what[80];

    snprintf(what, sizeof(what), fmt, arg);
    pl_lua_path(p->L, p->level, path);
    return pl_error_set(p->error, PL_ERR_INVALID, "", "%s%s%s", path,
                        path[0] == '\0' ? "" : ": ", what);
}

static void pack_number(struct packer *p, int index)
{
    double value = lua_tonumber(p->L, index);

    if (lua_isinteger(p->L, index))
        pl_pack_integer(p->out, lua_tointeger(p->L, index));
    else if (PL_LUAJIT && value == floor(value) && fabs(value) <= EXACT &&
             !(value == 0 && signbit(value)))
        pl_pack_integer(p->out, (int64_t)value);
    else
        pl_pack_double(p->out, value);
}

static void pack_string(struct packer *p, int index)
{
    struct pl_str s;

    s.data = lua_tolstring(p->L, index, &s.len);
    pl_pack_string(p->out, s);
}

static int enter(struct packer *p, int table)
{
    const void *self = lua_topointer(p->L, table);

    for (unsigned i = 0; i < p->depth; i++)
        if (p->open[i] == self)
            return fail(p, "a table that contains itself%s", "");
    if (p->depth == PL_PACK_DEPTH || !lua_checkstack(p->L, STACK_PER_LEVEL))
        return fail(p, "the tables are nested too deeply%s", "");
    p->open[p->depth++] = self;
    return 0;
}

static size_t count_list(lua_State *L, int table)
{
    size_t n = 0;
    bool more;

    do {
        lua_rawgeti(L, table, (int)n + 1);
        more = !lua_isnil(L, -1);
        n += more;
        lua_pop(L, 1);
    } while (more);
    return n;
}

static size_t count_all(lua_State *L, int table)
{
    size_t n = 0;

    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        n++;
    return n;
}

static bool is_marked(lua_State *L, int table)
{
    bool marked;

    if (!lua_getmetatable(L, table))
        return false;
    pl_json_push_array_mt(L);
    marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

static bool in_list(lua_State *L, int key, size_t list)
{
    double number;

    if (lua_type(L, key) != LUA_TNUMBER)
        return false;
    number = lua_tonumber(L, key);
    return number >= 1 && number <= (double)list && number == floor(number);
}

static int pack_list(struct packer *p, int table, size_t n)
{
    struct pl_lua_level level = {.up = p->level};
    int err = 0;

    p->level = &level;
    for (size_t i = 1; i <= n && err == 0; i++) {
        level.index = (lua_Integer)i;
        lua_rawgeti(p->L, table, (int)i);
        err = pack_value(p, lua_gettop(p->L));
        lua_pop(p->L, 1);
    }
    p->level = level.up;
    return err;
}

static int pack_pair(struct packer *p, int key)
{
    int type = lua_type(p->L, key);

    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        return fail(p, "a %s as a key", lua_typename(p->L, type));
    pack_value(p, key);
    return pack_value(p, key + 1);
}

static int pack_pairs(struct packer *p, int table, size_t list)
{
    struct pl_lua_level level = {.up = p->level, .key = table + 1};
    int err = 0;

    p->level = &level;
    lua_pushnil(p->L);
    while (err == 0 && lua_next(p->L, table)) {
        if (!in_list(p->L, table + 1, list))
            err = pack_pair(p, table + 1);
        lua_settop(p->L, table + 1);
    }
    p->level = level.up;
    return err;
}

static int pack_table(struct packer *p, int index)
{
    size_t list, all;
    int err = enter(p, index), table;

    if (err < 0)
        return err;
    lua_pushvalue(p->L, index); /* on top: its keys stand right above */
    table = lua_gettop(p->L);
    list = count_list(p->L, table);
    all = count_all(p->L, table);
    pl_pack_table(p->out, list, all - list, is_marked(p->L, table));
    err = pack_list(p, table, list);
    if (err == 0 && all > list)
        err = pack_pairs(p, table, list);
    lua_settop(p->L, table - 1);
    p->depth--;
    return err;
}

static int pack_value(struct packer *p, int index)
{
    switch (lua_type(p->L, index)) {
    case LUA_TNIL:
        pl_pack_nil(p->out);
        break;
    case LUA_TBOOLEAN:
        pl_pack_bool(p->out, lua_toboolean(p->L, index));
        break;
    case LUA_TNUMBER:
        pack_number(p, index);
        break;
    case LUA_TSTRING:
        pack_string(p, index);
        break;
    case LUA_TTABLE:
        return pack_table(p, index);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(p->L, index) == NULL) {
            pl_pack_null(p->out);
            break;
        }
        /* fall through */
    default:
        return fail(p, "a %s cannot be shared", luaL_typename(p->L, index));
    }
    return 0;
}

int pl_lua_pack(lua_State *L, int index, struct pl_buf *out,
                struct pl_error *error)
{
    struct packer p = {.L = L, .out = out, .error = error};
    int err;

    pl_pack_begin(out);
    err = pack_value(&p, lua_absindex(L, index));
    if (err == 0 && out->err < 0)
        err = pl_error_set(error, out->err, "", "%s", pl_err_text(out->err));
    return err;
}

/* ---- unpacking ---- */

static int push_value(lua_State *L, struct pl_unpack *in, unsigned depth);

static void push_mark(lua_State *L)
{
    pl_json_push_array_mt(L);
    lua_setmetatable(L, -2);
}

static int push_item(lua_State *L, struct pl_unpack *in, unsigned depth)
{
    int err = push_value(L, in, depth);

    return err == 0 && lua_isnil(L, -1) ? PL_ERR_PROTO : err;
}

/* A key that is there already would be one too many. */
static int check_new(lua_State *L, int table)
{
    bool taken;

    lua_pushvalue(L, -1);
    lua_rawget(L, table);
    taken = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return taken ? PL_ERR_PROTO : 0;
}

static int push_key(lua_State *L, struct pl_unpack *in, int table)
{
    struct pl_unpack again = *in;
    struct pl_packed key;
    int err = pl_unpack_next(&again, &key);

    if (err == 0 && !pl_packed_is_key(&key))
        err = PL_ERR_PROTO;
    if (err == 0)
        err = push_value(L, in, 0);
    return err == 0 ? check_new(L, table) : err;
}

static int push_table(lua_State *L, struct pl_unpack *in,
                      const struct pl_packed *value, unsigned depth)
{
    size_t list = value->table.list, pairs = value->table.pairs;
    int table = lua_gettop(L) + 1, err = 0;

    if (depth == PL_PACK_DEPTH || !lua_checkstack(L, STACK_PER_LEVEL))
        return PL_ERR_LIMIT;
    lua_createtable(L, (int)PL_MIN(list, (size_t)1 << 20),
                    (int)PL_MIN(pairs, (size_t)1 << 20));
    for (size_t i = 1; i <= list && err == 0; i++) {
        err = push_item(L, in, depth + 1);
        if (err == 0)
            lua_rawseti(L, table, (int)i);
    }
    for (size_t i = 0; i < pairs && err == 0; i++) {
        err = push_key(L, in, table);
        if (err == 0)
            err = push_item(L, in, depth + 1);
        if (err == 0)
            lua_rawset(L, table);
    }
    if (err == 0 && value->table.marked)
        push_mark(L);
    return err;
}

static int push_value(lua_State *L, struct pl_unpack *in, unsigned depth)
{
    struct pl_packed value;
    int err = pl_unpack_next(in, &value);

    if (err < 0)
        return err;
    switch (value.type) {
    case PL_PACKED_NIL:
        lua_pushnil(L);
        break;
    case PL_PACKED_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    case PL_PACKED_BOOL:
        lua_pushboolean(L, value.boolean);
        break;
    case PL_PACKED_INTEGER:
        lua_pushinteger(L, (lua_Integer)value.integer);
        break;
    case PL_PACKED_DOUBLE:
        lua_pushnumber(L, value.number);
        break;
    case PL_PACKED_STRING:
        lua_pushlstring(L, value.string.data, value.string.len);
        break;
    case PL_PACKED_TABLE:
        return push_table(L, in, &value, depth);
    }
    return 0;
}

int pl_lua_unpack(lua_State *L, struct pl_str bytes)
{
    struct pl_unpack in;
    int top = lua_gettop(L), err = pl_unpack_begin(&in, bytes);

    if (err == 0)
        err = push_value(L, &in, 0);
    if (err == 0)
        err = pl_unpack_end(&in);
    if (err < 0)
        lua_settop(L, top);
    return err;
}
