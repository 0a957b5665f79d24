/* json_decode.c - JSON text becomes a Lua value.
 *
 * Recursive descent, bounded by options->depth. The items of a table are
 * collected on Lua's stack first, so that small tables are made in their final
 * size; Lua takes ten times longer to grow one.
 *
 * d->at is always the place of the next byte, and of the fault once d->what is
 * set. Only Lua running out of memory raises. */
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
    const char *at, *end;
    const struct pl_json_decoding *options;
    struct pl_json_scratch *scratch; /* taken with the first escape */
    const char *what;
    size_t depth;
    int slot; /* stack index: scratch */
    int mark; /* stack index: metatable of arrays */
    unsigned flags;
};

const struct pl_json_decoding pl_json_decoding_default = {
    .depth = PL_JSON_DEPTH, .size = PL_JSON_SIZE};

static int decode_value(struct decoder *d);

PL_COLD static int fail(struct decoder *d, const char *what)
{
    d->what = what;
    return PL_ERR_PROTO;
}

PL_COLD static int unexpected(struct decoder *d, const char *what)
{
    return fail(d, d->at == d->end ? "unexpected end" : what);
}

/* ---- scalars ---- */

/* Most strings are a piece of the text. The scratch stays on the stack, taken,
 * until the end: a finalizer that decodes, too, gets another one. */
static int push_string(struct decoder *d)
{
    struct pl_buf *buf = d->scratch == NULL ? NULL : &d->scratch->buf;
    struct pl_str s;
    int err;

    d->at++;
    err = pl_json_unquote(&d->at, d->end, d->flags, buf, &s, &d->what);
    if (err == PL_ERR_AGAIN) {
        d->scratch = pl_json_scratch_take(d->L);
        lua_replace(d->L, d->slot);
        err = pl_json_unquote(&d->at, d->end, d->flags, &d->scratch->buf, &s,
                              &d->what);
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
    const char *begin = d->at;
    struct pl_json_number number;
    int err = pl_json_parse_number(&d->at, d->end, &number, &d->what);

    if (err < 0)
        return err;
    if (d->options->int64_strings && !fits_number(&number))
        lua_pushlstring(d->L, begin, (size_t)(d->at - begin));
    else if (number.kind != PL_JSON_INTEGER)
        lua_pushnumber(d->L, number.value);
    else if (PL_LUAJIT)
        lua_pushnumber(d->L, (lua_Number)number.integer);
    else
        lua_pushinteger(d->L, (lua_Integer)number.integer);
    return 0;
}

/* True if the text goes on with word, and moves behind it. */
static bool word(struct decoder *d, struct pl_str word)
{
    if ((size_t)(d->end - d->at) < word.len ||
        memcmp(d->at, word.data, word.len) != 0)
        return false;
    d->at += word.len;
    return true;
}

static int push_word(struct decoder *d)
{
    if (word(d, PL_STR("true")))
        lua_pushboolean(d->L, 1);
    else if (word(d, PL_STR("false")))
        lua_pushboolean(d->L, 0);
    else if (word(d, PL_STR("null")))
        lua_pushlightuserdata(d->L, NULL);
    else
        return unexpected(d, "a value was expected");
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
        d->what = "nesting too deep";
        return PL_ERR_LIMIT;
    }
    d->depth++;
    table->base = lua_gettop(d->L);
    table->batch = d->depth < BATCH_DEPTH ? BATCH : 1;
    table->made = false;
    table->stored = 0;
    d->at = pl_json_skip(d->at + 1, d->end);
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

/* After an item: 1 if a comma and so another one follows, 0 at the end. */
static int next_item(struct decoder *d, char bracket)
{
    d->at = pl_json_skip(d->at, d->end);
    if (d->at < d->end && *d->at == ',') {
        d->at = pl_json_skip(d->at + 1, d->end);
        return 1;
    }
    if (d->at < d->end && *d->at == bracket) {
        d->at++;
        return 0;
    }
    return unexpected(d, bracket == ']' ? "',' or ']' was expected"
                                        : "',' or '}' was expected");
}

static bool is_empty(struct decoder *d, char bracket)
{
    if (d->at == d->end || *d->at != bracket)
        return false;
    d->at++;
    return true;
}

static int push_array(struct decoder *d)
{
    struct table table;
    int more = open_table(d, &table);

    if (more < 0)
        return more;
    for (more = !is_empty(d, ']'); more > 0; more = next_item(d, ']')) {
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
    int err;

    if (d->at == d->end || *d->at != '"')
        return unexpected(d, "a string was expected as a key");
    err = push_string(d);
    if (err < 0)
        return err;
    d->at = pl_json_skip(d->at, d->end);
    if (d->at == d->end || *d->at != ':')
        return unexpected(d, "':' was expected");
    d->at = pl_json_skip(d->at + 1, d->end);
    return decode_value(d);
}

static int push_object(struct decoder *d)
{
    struct table table;
    int more = open_table(d, &table);

    if (more < 0)
        return more;
    for (more = !is_empty(d, '}'); more > 0; more = next_item(d, '}')) {
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

/* Pushes the value that begins at d->at. */
static int decode_value(struct decoder *d)
{
    if (d->at == d->end)
        return unexpected(d, "");
    switch (*d->at) {
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

    word(d, PL_STR("\xef\xbb\xbf")); /* a byte order mark: RFC 8259, 8.1 */
    d->at = pl_json_skip(d->at, d->end);
    err = decode_value(d);
    if (err < 0)
        return err;
    d->at = pl_json_skip(d->at, d->end);
    return d->at == d->end ? 0 : fail(d, "nothing more was expected");
}

/* "line L column C: what"; columns count bytes. */
static void set_error(const struct decoder *d, const char *text, int err,
                      struct pl_error *error)
{
    const char *line = text;
    size_t lines = 1;

    for (const char *p = text; p < d->at; p++) {
        if (*p == '\n') {
            line = p + 1;
            lines++;
        }
    }
    pl_error_set(error, err, "", "line %zu column %zu: %s", lines,
                 (size_t)(d->at - line) + 1,
                 d->what != NULL ? d->what : pl_err_text(err));
}

int pl_json_decode(lua_State *L, struct pl_str text,
                   const struct pl_json_decoding *options,
                   struct pl_error *error, size_t *offset)
{
    int top = lua_gettop(L), err;
    struct decoder d = {.L = L,
                        .at = text.data,
                        .end = text.data + text.len,
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
        *offset = (size_t)(d.at - text.data);
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
