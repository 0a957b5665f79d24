/* json_encode.c - a Lua value becomes JSON text.
 *
 * One pass: a table whose first key is a number is written as an array while
 * lua_next() delivers 1, 2, 3...; where it does not (hash part, holes, other
 * keys) the remaining keys are counted, and then just as many indexes must
 * exist. Nothing is written twice, so nesting never multiplies the work.
 *
 * Failures are codes that travel up. What may raise (Lua out of memory;
 * lua_next on a table that a __tojson changed) leaves nothing behind: the
 * buffer is somebody else's, and the rest is on Lua's stack. */
#include "lua/json_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "lua/path.h"

enum {
    STACK_PER_LEVEL = 8,
    /* As lua-cjson: an array may have this many holes, in a list longer than */
    SPARSE_RATIO = 2,
    SPARSE_SAFE = 10
};

struct encoder {
    lua_State *L;
    struct pl_buf *out;
    const struct pl_json_encoding *options;
    struct pl_error *error;
    const struct pl_lua_level *level;
    size_t depth;
    unsigned flags; /* for pl_json_quote */
};

enum mark { UNMARKED, ARRAY, OBJECT, EMPTY_ARRAY, TOJSON };

const struct pl_json_encoding pl_json_encoding_default = {
    .depth = PL_JSON_DEPTH, .size = PL_JSON_SIZE};
const char pl_json_empty_array = 0;

static int encode_value(struct encoder *e, int index);

/* ---- errors ---- */

/* Says where and what; returns code. */
PL_COLD static int fail(struct encoder *e, int code, const char *fmt, ...)
    PL_PRINTF(3, 4);

static PL_COLD int fail(struct encoder *e, int code, const char *fmt, ...)
{
    char path[PL_LUA_PATH_MAX], what[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    pl_lua_path(e->L, e->level, path);
    return pl_error_set(e->error, code, "", "%s%s%s", path,
                        path[0] == '\0' ? "" : ": ", what);
}

static int fail_buf(struct encoder *e)
{
    if (e->out->err == PL_ERR_LIMIT)
        return fail(e, PL_ERR_LIMIT, "the text is larger than %zu bytes",
                    e->out->limit);
    return fail(e, e->out->err, "%s", pl_err_text(e->out->err));
}

/* ---- scalars ---- */

static int encode_string(struct encoder *e, int index)
{
    struct pl_str s;
    int err;

    s.data = lua_tolstring(e->L, index, &s.len);
    err = pl_json_quote(e->out, s, e->flags);
    if (err == PL_ERR_PROTO)
        return fail(e, PL_ERR_INVALID, "the string is not UTF-8");
    return err;
}

static int encode_number(struct encoder *e, int index)
{
    char text[PL_JSON_NUMBER_MAX];
    double value;
    size_t len;

    if (lua_isinteger(e->L, index)) {
        len = pl_json_format_i64(text, lua_tointeger(e->L, index));
        return pl_buf_add(e->out, pl_str(text, len));
    }
    value = lua_tonumber(e->L, index);
    if (PL_LIKELY(isfinite(value))) {
        len = pl_json_format_double(text, value);
        return pl_buf_add(e->out, pl_str(text, len));
    }
    if (e->options->null_numbers)
        return pl_buf_add(e->out, PL_STR("null"));
    return fail(e, PL_ERR_INVALID, "cannot encode %s",
                isnan(value) ? "nan"
                : value > 0  ? "inf"
                             : "-inf");
}

/* The int64_t and uint64_t of LuaJIT's FFI, by their text: "-12LL", "12ULL".
 * Another type may print the like, so digits are insisted upon. */
static int encode_cdata(struct encoder *e, int index)
{
    struct pl_str text, digits;
    int err;

    text.data = luaL_tolstring(e->L, index, &text.len);
    digits = text;
    if (pl_str_ends(text, PL_STR("LL"))) {
        text.len -= pl_str_ends(text, PL_STR("ULL")) ? 3 : 2;
        digits = pl_str_skip(text, text.data[0] == '-');
    }
    for (size_t i = 0; i < digits.len; i++)
        if (digits.data[i] < '0' || digits.data[i] > '9')
            digits.len = 0;
    if (digits.len > 0)
        err = pl_buf_add(e->out, text);
    else
        err = fail(e, PL_ERR_INVALID, "cannot encode %s", text.data);
    lua_pop(e->L, 1);
    return err;
}

static int encode_pointer(struct encoder *e, int index)
{
    const void *pointer = lua_touserdata(e->L, index);

    if (pointer == NULL)
        return pl_buf_add(e->out, PL_STR("null"));
    if (pointer == &pl_json_empty_array)
        return pl_buf_add(e->out, PL_STR("[]"));
    return fail(e, PL_ERR_INVALID, "cannot encode a light userdata");
}

/* ---- tables ---- */

static void begin_line(struct encoder *e, size_t depth)
{
    if (e->options->indent > 0)
        pl_json_newline(e->out, depth * e->options->indent);
}

static void open_item(struct encoder *e, bool first)
{
    if (!first)
        pl_buf_addc(e->out, ',');
    begin_line(e, e->depth);
}

static void close_table(struct encoder *e, bool empty, char bracket)
{
    if (!empty)
        begin_line(e, e->depth - 1);
    pl_buf_addc(e->out, bracket);
}

static bool is_index(lua_State *L, int key, lua_Integer want)
{
    return lua_type(L, key) == LUA_TNUMBER &&
           lua_tonumber(L, key) == (lua_Number)want;
}

/* Counts the keys from the one on top of the stack on, which it pops. */
static lua_Integer count_from(lua_State *L, int table)
{
    lua_Integer n = 1;

    while (lua_next(L, table)) {
        lua_pop(L, 1);
        n++;
    }
    return n;
}

/* Items level->index + 1 to n by their index. */
static int encode_items(struct encoder *e, int table,
                        struct pl_lua_level *level, lua_Integer n, bool holes)
{
    int err;

    while (level->index < n) {
        level->index++;
        lua_rawgeti(e->L, table, (int)level->index);
        if (lua_isnil(e->L, -1) && !holes) {
            e->level = level->up;
            return fail(e, PL_ERR_INVALID,
                        "a list with a hole at %lld or with other keys "
                        "(use json.null, or mark it with json.object)",
                        (long long)level->index);
        }
        open_item(e, level->index == 1);
        err = encode_value(e, lua_gettop(e->L));
        if (err < 0)
            return err;
        lua_pop(e->L, 1);
    }
    return 0;
}

/* more says that the first pair is on the stack already. */
static int encode_array(struct encoder *e, int table, bool more)
{
    struct pl_lua_level level = {.up = e->level};
    lua_State *L = e->L;
    int err;

    e->level = &level;
    pl_buf_addc(e->out, '[');
    for (; more; more = lua_next(L, table)) {
        if (!is_index(L, -2, level.index + 1)) {
            lua_pop(L, 1);
            err = encode_items(e, table, &level,
                               level.index + count_from(L, table), false);
            if (err < 0)
                return err;
            break;
        }
        level.index++;
        open_item(e, level.index == 1);
        err = encode_value(e, lua_gettop(L));
        if (err < 0)
            return err;
        lua_pop(L, 1);
    }
    close_table(e, level.index == 0, ']');
    e->level = level.up;
    return e->out->err;
}

static int encode_key(struct encoder *e, int key, bool numbers)
{
    char text[PL_JSON_NUMBER_MAX];
    struct pl_str name = {text, 0};
    double value;

    if (lua_type(e->L, key) == LUA_TSTRING)
        return encode_string(e, key);
    if (lua_type(e->L, key) != LUA_TNUMBER)
        return fail(e, PL_ERR_INVALID, "cannot encode a %s as a key",
                    luaL_typename(e->L, key));
    if (!numbers)
        return fail(e, PL_ERR_INVALID,
                    "a number among string keys (mark the table with "
                    "json.object to have it as a string)");
    value = lua_tonumber(e->L, key);
    if (lua_isinteger(e->L, key))
        name.len = pl_json_format_i64(text, lua_tointeger(e->L, key));
    else if (isfinite(value))
        name.len = pl_json_format_double(text, value);
    else
        return fail(e, PL_ERR_INVALID, "cannot encode %s as a key",
                    value > 0 ? "inf" : "-inf");
    return pl_json_quote(e->out, name, 0);
}

/* The pair on top of the stack; pops the value. */
static int encode_pair(struct encoder *e, struct pl_lua_level *level,
                       bool numbers)
{
    int top = lua_gettop(e->L), err;

    open_item(e, level->index++ == 0);
    level->key = top - 1;
    err = encode_key(e, top - 1, numbers);
    if (err < 0)
        return err;
    pl_buf_add(e->out, e->options->indent ? PL_STR(": ") : PL_STR(":"));
    err = encode_value(e, top);
    lua_settop(e->L, top - 1);
    return err;
}

/* For sort_keys: a key's text, and its place among the keys kept. */
struct sorted {
    struct pl_str text;
    int place;
};

static int compare_keys(const void *a, const void *b)
{
    return pl_str_cmp(((const struct sorted *)a)->text,
                      ((const struct sorted *)b)->text);
}

/* What a key is sorted by. One that cannot be a key is found later. */
static void push_text(lua_State *L, int key)
{
    if (lua_isstring(L, key)) {
        lua_pushvalue(L, key);
        lua_tostring(L, -1); /* makes a string of a number */
    } else {
        lua_pushliteral(L, "");
    }
}

/* Pushes a table of the keys (2i - 1: as they are, 2i: as strings) and an
 * array of their texts, sorted; sets *n. Two tables, because a __tojson may
 * change the one that is being written. */
static struct sorted *push_sorted(lua_State *L, int table, int *n)
{
    struct sorted *sorted;
    int keys = lua_gettop(L) + 1;

    *n = 0;
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        ++*n;
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, keys, 2 * *n - 1);
        push_text(L, -1);
        lua_rawseti(L, keys, 2 * *n);
    }
    sorted = lua_newuserdata(L, (size_t)*n * sizeof(*sorted) + 1);
    for (int i = 0; i < *n; i++) {
        sorted[i].place = 2 * i + 1;
        lua_rawgeti(L, keys, 2 * i + 2);
        sorted[i].text.data = lua_tolstring(L, -1, &sorted[i].text.len);
        lua_pop(L, 1);
    }
    qsort(sorted, (size_t)*n, sizeof(*sorted), compare_keys);
    return sorted;
}

static int encode_sorted(struct encoder *e, int table,
                         struct pl_lua_level *level, bool numbers)
{
    lua_State *L = e->L;
    int keys = lua_gettop(L) + 1, n, err = 0;
    struct sorted *sorted = push_sorted(L, table, &n);

    for (int i = 0; i < n && err == 0; i++) {
        lua_rawgeti(L, keys, sorted[i].place);
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        if (!lua_isnil(L, -1)) /* a __tojson removed it */
            err = encode_pair(e, level, numbers);
        if (err == 0)
            lua_settop(L, keys + 1);
    }
    return err;
}

/* The first pair is on the stack already. */
static int encode_object(struct encoder *e, int table, bool numbers)
{
    struct pl_lua_level level = {.up = e->level};
    int err;

    pl_buf_addc(e->out, '{');
    e->level = &level;
    if (e->options->sort_keys) {
        lua_pop(e->L, 2);
        err = encode_sorted(e, table, &level, numbers);
    } else {
        do {
            err = encode_pair(e, &level, numbers);
        } while (err == 0 && lua_next(e->L, table));
    }
    if (err < 0)
        return err;
    close_table(e, level.index == 0, '}');
    e->level = level.up;
    return e->out->err;
}

/* The last index of a table that is a list by the rules of lua-cjson: it has
 * only indexes, and not too many holes. Else 0. Pops the first pair. */
static lua_Integer list_end(lua_State *L, int table)
{
    lua_Number max = 0, n = 0, key;

    do {
        lua_pop(L, 1);
        key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (key < 1 || key != floor(key) || key > (lua_Number)(1 << 30)) {
            lua_pop(L, 1);
            return 0;
        }
        max = PL_MAX(max, key);
        n++;
    } while (lua_next(L, table));
    return max > SPARSE_SAFE && max > n * SPARSE_RATIO ? 0 : (lua_Integer)max;
}

/* A mixed or sparse table, converted by the rules of lua-cjson: an array, its
 * holes null, if it is not too sparse; else an object. */
static int encode_converted(struct encoder *e, int table)
{
    struct pl_lua_level level = {.up = e->level};
    lua_Integer max = list_end(e->L, table);
    int err;

    if (max == 0) {
        lua_pushnil(e->L);
        lua_next(e->L, table);
        return encode_object(e, table, true);
    }
    e->level = &level;
    pl_buf_addc(e->out, '[');
    err = encode_items(e, table, &level, max, true);
    if (err < 0)
        return err;
    close_table(e, false, ']');
    e->level = level.up;
    return e->out->err;
}

static int encode_empty(struct encoder *e, enum mark mark)
{
    bool array = mark == ARRAY || mark == EMPTY_ARRAY ||
                 (mark == UNMARKED && e->options->empty_array);

    return pl_buf_add(e->out, array ? PL_STR("[]") : PL_STR("{}"));
}

/* An array or an object, by the mark, else by the first key. */
static int encode_table(struct encoder *e, int table, enum mark mark)
{
    bool any;

    lua_pushnil(e->L);
    any = lua_next(e->L, table);
    if (mark == ARRAY)
        return encode_array(e, table, any);
    if (!any)
        return encode_empty(e, mark);
    if (mark == OBJECT)
        return encode_object(e, table, true);
    if (e->options->convert)
        return encode_converted(e, table);
    return lua_type(e->L, -2) == LUA_TNUMBER ? encode_array(e, table, any)
                                             : encode_object(e, table, false);
}

/* What the metatable says; for TOJSON the function is pushed. */
static enum mark mark_of(lua_State *L, int index)
{
    enum mark mark = UNMARKED;
    struct pl_str name;

    if (!lua_getmetatable(L, index))
        return UNMARKED;
    lua_pushliteral(L, "__tojson");
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1)) {
        lua_replace(L, -2);
        return TOJSON;
    }
    lua_pop(L, 1);
    lua_pushliteral(L, "__jsontype");
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) {
        name.data = lua_tolstring(L, -1, &name.len);
        mark = pl_str_eq(name, PL_STR("array"))         ? ARRAY
               : pl_str_eq(name, PL_STR("object"))      ? OBJECT
               : pl_str_eq(name, PL_STR("empty_array")) ? EMPTY_ARRAY
                                                        : UNMARKED;
    }
    lua_pop(L, 2);
    return mark;
}

/* The function is on top of the stack. */
static int encode_tojson(struct encoder *e, int index)
{
    const char *text;

    lua_pushvalue(e->L, index);
    if (lua_pcall(e->L, 1, 1, 0) != LUA_OK) {
        text = lua_tostring(e->L, -1);
        return fail(e, PL_ERR_INVALID, "__tojson: %s",
                    text != NULL ? text : luaL_typename(e->L, -1));
    }
    return encode_value(e, lua_gettop(e->L));
}

/* A table, or a userdata with a __tojson. Leaves the stack as it was, unless
 * it fails. */
static int encode_nested(struct encoder *e, int index)
{
    int top = lua_gettop(e->L), err;
    enum mark mark;

    if (e->depth >= e->options->depth || !lua_checkstack(e->L, STACK_PER_LEVEL))
        return fail(e, PL_ERR_LIMIT, "nesting deeper than %zu", e->depth);
    e->depth++;
    mark = mark_of(e->L, index);
    if (mark == TOJSON)
        err = encode_tojson(e, index);
    else if (lua_type(e->L, index) == LUA_TTABLE)
        err = encode_table(e, index, mark);
    else
        err = fail(e, PL_ERR_INVALID, "cannot encode a userdata");
    if (err < 0)
        return err;
    e->depth--;
    lua_settop(e->L, top);
    return 0;
}

static int encode_value(struct encoder *e, int index)
{
    switch (lua_type(e->L, index)) {
    case LUA_TSTRING:
        return encode_string(e, index);
    case LUA_TNUMBER:
        return encode_number(e, index);
    case LUA_TBOOLEAN:
        return pl_buf_add(e->out, lua_toboolean(e->L, index) ? PL_STR("true")
                                                             : PL_STR("false"));
    case LUA_TNIL:
        return pl_buf_add(e->out, PL_STR("null"));
    case LUA_TLIGHTUSERDATA:
        return encode_pointer(e, index);
    case LUA_TTABLE:
    case LUA_TUSERDATA:
        return encode_nested(e, index);
    case PL_LUA_TCDATA:
        return encode_cdata(e, index);
    default:
        return fail(e, PL_ERR_INVALID, "cannot encode a %s",
                    luaL_typename(e->L, index));
    }
}

int pl_json_encode(lua_State *L, int index, struct pl_buf *out,
                   const struct pl_json_encoding *options,
                   struct pl_error *error)
{
    struct encoder e = {.L = L,
                        .out = out,
                        .options = options,
                        .error = error,
                        .flags = (options->html_safe ? PL_JSON_HTML : 0) |
                                 (options->strict_utf8 ? 0 : PL_JSON_REPLACE)};
    int top = lua_gettop(L), err;
    size_t len = out->len;

    if (!lua_checkstack(L, STACK_PER_LEVEL))
        return fail(&e, PL_ERR_LIMIT, "Lua's stack is full");
    index = lua_absindex(L, index);
    err = encode_value(&e, index);
    if (out->err < 0) {
        e.level = NULL; /* the frames are gone */
        err = fail_buf(&e);
    }
    if (err < 0) {
        out->len = len;
        lua_settop(L, top);
    }
    return err;
}

int pl_lua_json_encode(lua_State *L, int index, struct pl_buf *out,
                       struct pl_error *error)
{
    return pl_json_encode(L, index, out, &pl_json_encoding_default, error);
}
