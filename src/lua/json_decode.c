/* json_decode.c - JSON text becomes a Lua value.
 *
 * Recursive descent, bounded by options->depth. The items of a table are
 * collected on Lua's stack first, so that small tables are made in their final
 * size; Lua takes ten times longer to grow one.
 *
 * d->scan.at is always the place of the next byte, and of the fault once
 * d->scan.what is set. Only Lua running out of memory raises. */
#include "lua/json_priv.h"

#include "base/str.h"

enum {
    BATCH = 16, /* values of an array, or keys and values of an object */
    /* Deeper tables are filled one by one: LuaJIT's stack ends at 8000. */
    BATCH_DEPTH = 200,
    STACK_PER_LEVEL = BATCH + 6,
    LIST_GUESS = 4 * BATCH /* size of an array that is not at its end yet */
};

struct decoder {
    lua_State *L;
    struct pl_json_scan scan;
    const struct pl_json_decoding *options;
    struct pl_json_scratch *scratch; /* taken with the first escape */
    size_t depth;
    int slot; /* stack index: scratch */
    int mark; /* stack index: metatable of arrays */
    unsigned flags;
};

const struct pl_json_decoding pl_json_decoding_default = {
    .depth = PL_JSON_DEPTH, .size = PL_JSON_SIZE};

static int decode_value(struct decoder *d);

/* ---- scalars ---- */

/* Most strings are a piece of the text. The scratch stays on the stack, taken,
 * until the end: a finalizer that decodes, too, gets another one. */
static int push_string(struct decoder *d)
{
    struct pl_buf *buf = d->scratch == NULL ? NULL : &d->scratch->buf;
    struct pl_str s;
    int err;

    d->scan.at++;
    err = pl_json_unquote(&d->scan.at, d->scan.end, d->flags, buf, &s,
                          &d->scan.what);
    if (err == PL_ERR_AGAIN) {
        d->scratch = pl_json_scratch_take(d->L);
        lua_replace(d->L, d->slot);
        err = pl_json_unquote(&d->scan.at, d->scan.end, d->flags,
                              &d->scratch->buf, &s, &d->scan.what);
    }
    if (err == 0)
        lua_pushlstring(d->L, s.data, s.len);
    return err;
}

static bool fits_number(const struct pl_json_number *number)
{
    if (number->kind != PL_JSON_INTEGER)
        return number->kind == PL_JSON_REAL;
    return !PL_LUAJIT || (number->integer >= -((int64_t)1 << 53) &&
                          number->integer <= (int64_t)1 << 53);
}

static int push_number(struct decoder *d)
{
    const char *begin = d->scan.at;
    struct pl_json_number number;
    int err =
        pl_json_parse_number(&d->scan.at, d->scan.end, &number, &d->scan.what);

    if (err < 0)
        return err;
    if (d->options->int64_strings && !fits_number(&number))
        lua_pushlstring(d->L, begin, (size_t)(d->scan.at - begin));
    else if (number.kind != PL_JSON_INTEGER)
        lua_pushnumber(d->L, number.value);
    else if (PL_LUAJIT)
        lua_pushnumber(d->L, (lua_Number)number.integer);
    else
        lua_pushinteger(d->L, (lua_Integer)number.integer);
    return 0;
}

static int push_word(struct decoder *d)
{
    int word = pl_json_word(&d->scan);

    if (word < 0)
        return word;
    if (word == 'n')
        lua_pushlightuserdata(d->L, NULL);
    else
        lua_pushboolean(d->L, word == 't');
    return 0;
}

/* ---- tables ---- */

/* The items of a table that is being read are at base + 1 and above, or, once
 * it was made, the table is there and what is not stored yet above it. */
struct table {
    int base, batch;
    bool made;
    lua_Integer stored; /* items of an array */
};

/* Opens '[' or '{': what stands behind it is next. */
static int open_table(struct decoder *d, struct table *table)
{
    if (d->depth >= d->options->depth ||
        !lua_checkstack(d->L, STACK_PER_LEVEL)) {
        d->scan.what = "nesting too deep";
        return PL_ERR_LIMIT;
    }
    d->depth++;
    table->base = lua_gettop(d->L);
    table->batch = d->depth < BATCH_DEPTH ? BATCH : 1;
    table->made = false;
    table->stored = 0;
    d->scan.at = pl_json_skip(d->scan.at + 1, d->scan.end);
    return 0;
}

static void make_table(struct decoder *d, struct table *table, int items,
                       int pairs)
{
    lua_createtable(d->L, items, pairs);
    lua_insert(d->L, table->base + 1);
    table->made = true;
}

static void store_items(struct decoder *d, struct table *table, bool last)
{
    int n = lua_gettop(d->L) - table->base - table->made;

    if (!table->made)
        make_table(d, table, last ? n : LIST_GUESS, 0);
    for (int i = n; i > 0; i--)
        lua_rawseti(d->L, table->base + 1, (int)table->stored + i);
    table->stored += n;
}

/* In their order, so that of equal keys the last one wins. */
static void store_pairs(struct decoder *d, struct table *table, bool last)
{
    int top = lua_gettop(d->L), first;

    if (!table->made) {
        make_table(d, table, 0, (top - table->base) / 2 * (last ? 1 : 2));
        top++;
    }
    first = table->base + 2;
    if (top == first + 1) { /* one pair: no need to copy it */
        lua_rawset(d->L, table->base + 1);
        return;
    }
    for (int i = first; i < top; i += 2) {
        lua_pushvalue(d->L, i);
        lua_pushvalue(d->L, i + 1);
        lua_rawset(d->L, table->base + 1);
    }
    lua_settop(d->L, table->base + 1);
}

static bool is_full(struct decoder *d, const struct table *table)
{
    return lua_gettop(d->L) - table->base - table->made >= table->batch;
}

static int push_array(struct decoder *d)
{
    struct table table;
    int more = open_table(d, &table);

    if (more < 0)
        return more;
    for (more = !pl_json_is_empty(&d->scan, ']'); more > 0;
         more = pl_json_next_item(&d->scan, ']')) {
        int err = decode_value(d);

        if (err < 0)
            return err;
        if (is_full(d, &table))
            store_items(d, &table, false);
    }
    if (more < 0)
        return more;
    store_items(d, &table, true);
    if (!d->options->plain_arrays) {
        lua_pushvalue(d->L, d->mark);
        lua_setmetatable(d->L, -2);
    }
    d->depth--;
    return 0;
}

static int push_pair(struct decoder *d)
{
    int err = pl_json_before_key(&d->scan);

    if (err == 0)
        err = push_string(d);
    if (err == 0)
        err = pl_json_after_key(&d->scan);
    return err < 0 ? err : decode_value(d);
}

static int push_object(struct decoder *d)
{
    struct table table;
    int more = open_table(d, &table);

    if (more < 0)
        return more;
    for (more = !pl_json_is_empty(&d->scan, '}'); more > 0;
         more = pl_json_next_item(&d->scan, '}')) {
        int err = push_pair(d);

        if (err < 0)
            return err;
        if (is_full(d, &table))
            store_pairs(d, &table, false);
    }
    if (more < 0)
        return more;
    store_pairs(d, &table, true);
    d->depth--;
    return 0;
}

/* Pushes the value that begins at d->scan.at. */
static int decode_value(struct decoder *d)
{
    if (d->scan.at == d->scan.end)
        return pl_json_unexpected(&d->scan, "");
    switch (*d->scan.at) {
    case '"':
        return push_string(d);
    case '{':
        return push_object(d);
    case '[':
        return push_array(d);
    case '-':
    case '0' ... '9':
        return push_number(d);
    default:
        return push_word(d);
    }
}

/* ---- the whole text ---- */

static int decode_text(struct decoder *d)
{
    int err;

    pl_json_begin(&d->scan);
    err = decode_value(d);
    return err < 0 ? err : pl_json_finish(&d->scan);
}

/* "line L column C: what"; columns count bytes. */
static void set_error(const struct decoder *d, const char *text, int err,
                      struct pl_error *error)
{
    size_t line, column;

    pl_json_place(&d->scan, text, &line, &column);
    pl_error_set(error, err, "", "line %zu column %zu: %s", line, column,
                 d->scan.what != NULL ? d->scan.what : pl_err_text(err));
}

int pl_json_decode(lua_State *L, struct pl_str text,
                   const struct pl_json_decoding *options,
                   struct pl_error *error, size_t *offset)
{
    int top = lua_gettop(L), err;
    struct decoder d = {.L = L,
                        .scan = {text.data, text.data + text.len, NULL},
                        .options = options,
                        .slot = top + 1,
                        .mark = top + 2,
                        .flags = options->replace_utf8 ? PL_JSON_REPLACE : 0};

    *offset = 0;
    if (text.len > options->size)
        return pl_error_set(error, PL_ERR_LIMIT, "",
                            "the text is larger than %zu bytes", options->size);
    if (!lua_checkstack(L, STACK_PER_LEVEL))
        return pl_error_set(error, PL_ERR_LIMIT, "", "Lua's stack is full");
    lua_pushnil(L);
    if (options->plain_arrays)
        lua_pushnil(L);
    else
        pl_json_push_array_mt(L);
    err = decode_text(&d);
    pl_json_scratch_give(d.scratch);
    if (err < 0) {
        *offset = (size_t)(d.scan.at - text.data);
        set_error(&d, text.data, err, error);
        lua_settop(L, top);
        return err;
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return 0;
}

int pl_lua_json_decode(lua_State *L, struct pl_str text, struct pl_error *error)
{
    size_t offset;

    return pl_json_decode(L, text, &pl_json_decoding_default, error, &offset);
}
