/* fuzz_json.c - any bytes as a JSON text, a number and a Lua string: what is
 * accepted must come back the same, numbers as strtod reads them, and both
 * readers, into Lua tables and into values of C, must agree. The first byte
 * chooses the options. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/json_number.h"
#include "base/json_text.h"
#include "base/str.h"
#include "lua/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pl_pool pool;

/* Every string can be quoted, and that gives its valid part back. */
static void check_string(struct pl_str s, unsigned html)
{
    struct pl_buf quoted, scratch;
    struct pl_str back;
    const char *at, *what;
    unsigned flags = PL_JSON_REPLACE | (html ? PL_JSON_HTML : 0);

    pl_buf_init(&quoted, &pool, NULL, 0);
    pl_buf_init(&scratch, &pool, NULL, 0);
    PL_ASSERT(pl_json_quote(&quoted, s, flags) == 0);
    at = quoted.data + 1;
    PL_ASSERT(pl_json_unquote(&at, quoted.data + quoted.len, 0, &scratch, &back,
                              &what) == 0);
    PL_ASSERT(at == quoted.data + quoted.len);
    quoted.len = 0;
    if (pl_json_quote(&quoted, s, 0) == 0) /* nothing was replaced */
        PL_ASSERT(pl_str_eq(s, back));
    pl_buf_fini(&scratch);
    pl_buf_fini(&quoted);
}

static void check_number(struct pl_str s)
{
    struct pl_json_number number;
    const char *at = s.data, *what;
    double value;
    char *copy, *end;

    if (pl_json_parse_number(&at, s.data + s.len, &number, &what) < 0)
        return;
    copy = strndup(s.data, (size_t)(at - s.data));
    value =
        number.kind == PL_JSON_INTEGER ? (double)number.integer : number.value;
    PL_ASSERT(value == strtod(copy, &end) && *end == '\0');
    free(copy);
}

/* Whatever way a value is gone through, it is the same. */
static void check_walk(const struct pl_json *value)
{
    const struct pl_json *item = pl_json_first(value);
    size_t n = 0;

    for (; item != NULL; item = pl_json_next(item), n++) {
        struct pl_str name = pl_json_name(item);

        PL_ASSERT((name.data != NULL) ==
                  (pl_json_type(value) == PL_JSON_OBJECT));
        PL_ASSERT(name.data == NULL || pl_json_get(value, name) >= item);
        PL_ASSERT(name.data != NULL || pl_json_at(value, n) == item);
        check_walk(item);
    }
    PL_ASSERT(n == pl_json_count(value));
}

/* Reads text and writes it again to json. */
static int rewrite(struct pl_str text, struct pl_json_builder *json,
                   struct pl_json_error *error)
{
    const struct pl_json *value;
    int err = pl_json_parse(NULL, text, NULL, &value, error);

    if (err < 0)
        return err;
    check_walk(value);
    PL_ASSERT(pl_json_add_value(json, value) == 0);
    pl_json_free(value);
    return 0;
}

/* want: what the reader of Lua returned, with its words. */
static void check_value(struct pl_str s, unsigned flags, int want,
                        const char *words)
{
    struct pl_json_builder *first = pl_json_builder_new(NULL, flags);
    struct pl_json_builder *second = pl_json_builder_new(NULL, flags);
    struct pl_json_error error;
    char message[200];
    int err = rewrite(s, first, &error);

    PL_ASSERT(err == want);
    if (err == 0) {
        PL_ASSERT(rewrite(pl_json_builder_str(first), second, &error) == 0);
        PL_ASSERT(
            pl_str_eq(pl_json_builder_str(first), pl_json_builder_str(second)));
    } else {
        snprintf(message, sizeof(message), "line %zu column %zu: %s",
                 error.line, error.column, error.text);
        PL_ASSERT(strcmp(message, words) == 0);
    }
    pl_json_builder_free(second);
    pl_json_builder_free(first);
}

/* encode(value at index) under the options on top of the stack, or NULL. */
static const char *encode(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_getglobal(L, "encode");
    lua_pushvalue(L, index);
    lua_getglobal(L, "options");
    return lua_pcall(L, 2, 1, 0) == LUA_OK ? lua_tostring(L, -1) : NULL;
}

/* What was decoded can be encoded, and that means the same. */
static void check_text(lua_State *L, struct pl_str s, unsigned flags)
{
    struct pl_error error = {.code = 0};
    int err = pl_lua_json_decode(L, s, &error);
    struct pl_str text;

    check_value(s, flags, err, error.text);
    if (err < 0)
        return;
    PL_ASSERT(encode(L, 1) != NULL);
    text.data = lua_tolstring(L, -1, &text.len);
    PL_ASSERT(pl_lua_json_decode(L, text, NULL) == 0);
    PL_ASSERT(encode(L, -1) != NULL);
    PL_ASSERT(lua_rawequal(L, -1, -3));
    lua_settop(L, 0);
}

static lua_State *new_state(void)
{
    lua_State *L = luaL_newstate();

    pl_lua_json_push(L);
    lua_getfield(L, -1, "encode");
    lua_setglobal(L, "encode");
    lua_settop(L, 0);
    return L;
}

static void set_options(lua_State *L, unsigned bits)
{
    lua_newtable(L);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "sort_keys");
    lua_pushboolean(L, bits & 1);
    lua_setfield(L, -2, "html_safe");
    lua_pushinteger(L, bits >> 1 & 3);
    lua_setfield(L, -2, "indent");
    lua_setglobal(L, "options");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str s;
    lua_State *L;

    if (size == 0)
        return 0;
    s = pl_str((const char *)data + 1, size - 1);
    pl_pool_init(&pool, NULL, 0);
    check_string(s, data[0] & 1);
    pl_pool_fini(&pool);
    check_number(s);
    L = new_state(); /* a new one each time: so leaks are seen */
    set_options(L, data[0]);
    check_text(L, s,
               (data[0] & 1 ? PL_JSON_HTML : 0) |
                   (data[0] & 6 ? PL_JSON_PRETTY : 0));
    lua_close(L);
    return 0;
}
