/* test_pack.c - plain values as bytes: each has one form, the reader takes no
 * other, and Lua gets back what it gave. */
#include "check.h"

#include <math.h>

#include "base/pack_json.h"
#include "lua/pack.h"

static struct pl_pool pool;
static struct pl_buf out;

static int make(void **state)
{
    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
    return 0;
}

#define PACK_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)
#define BYTES(literal) PL_STR(literal)

/* ---- the bytes ---- */

static const struct {
    const char *what;
    struct pl_str bytes;
    int want;
} whole[] = {
    {"nil", BYTES("\1\xa0"), 0},
    {"an integer", BYTES("\1\xa4\x80\x02"), 0},
    {"the lowest integer",
     BYTES("\1\xa4\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 0},
    {"a string",
     BYTES("\1\x82"
           "ab"),
     0},
    {"a table", BYTES("\1\xa7\1\1\5\x81k\xa2"), 0},
    {"an empty list", BYTES("\1\xa8\0"), 0},
    {"nothing", BYTES(""), PL_ERR_PROTO},
    {"another version", BYTES("\2\xa0"), PL_ERR_UNSUPPORTED},
    {"no value", BYTES("\1"), PL_ERR_PROTO},
    {"two values", BYTES("\1\1\1"), PL_ERR_PROTO},
    {"an unknown tag", BYTES("\1\xa9"), PL_ERR_PROTO},
    {"a small integer in the long form", BYTES("\1\xa4\2"), PL_ERR_PROTO},
    {"a varint that is not the shortest", BYTES("\1\xa4\x80\x82\0"),
     PL_ERR_PROTO},
    {"a varint beyond 64 bits",
     BYTES("\1\xa4\xff\xff\xff\xff\xff\xff\xff\xff\xff\2"), PL_ERR_PROTO},
    {"a short string in the long form", BYTES("\1\xa6\1a"), PL_ERR_PROTO},
    {"another NaN", BYTES("\1\xa5\0\0\0\0\0\0\xf8\xff"), PL_ERR_PROTO},
    {"nil in a list", BYTES("\1\xa8\1\xa0"), PL_ERR_PROTO},
    {"nil as a value", BYTES("\1\xa7\0\1\1\xa0"), PL_ERR_PROTO},
    {"nil as a key", BYTES("\1\xa7\0\1\xa0\1"), PL_ERR_PROTO},
    {"NaN as a key", BYTES("\1\xa7\0\1\xa5\0\0\0\0\0\0\xf8\x7f\1"),
     PL_ERR_PROTO},
    {"a table as a key", BYTES("\1\xa7\0\1\xa8\0\1"), PL_ERR_PROTO},
    {"more items than bytes", BYTES("\1\xa8\xff\xff\xff\x7f\1"), PL_ERR_PROTO},
    {"more pairs than bytes", BYTES("\1\xa7\0\2\1\1\1"), PL_ERR_PROTO},
};

static void test_pack__is_strict(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(whole); i++) {
        CHECK_INT(whole[i].want, pl_pack_check(whole[i].bytes), whole[i].what);
        for (size_t cut = 0; whole[i].want == 0 && cut < whole[i].bytes.len;
             cut++)
            CHECK(pl_pack_check(pl_str(whole[i].bytes.data, cut)) < 0,
                  whole[i].what);
    }
}

static void test_pack__limits_depth(void **state)
{
    (void)state;
    pl_pack_begin(&out);
    for (int i = 0; i < PL_PACK_DEPTH; i++)
        pl_pack_table(&out, 1, 0, true);
    pl_pack_integer(&out, 1);
    CHECK_INT(0, pl_pack_check(pl_buf_str(&out)), "as deep as may be");
    out.len--;
    pl_pack_table(&out, 0, 0, true);
    CHECK_INT(PL_ERR_LIMIT, pl_pack_check(pl_buf_str(&out)), "deeper");
}

/* Packs and reads one value. */
static struct pl_packed again(void)
{
    struct pl_packed value = {.type = PL_PACKED_NIL};
    struct pl_unpack in;

    CHECK_INT(0, out.err, "written");
    CHECK_INT(0, pl_unpack_begin(&in, pl_buf_str(&out)), "version");
    CHECK_INT(0, pl_unpack_next(&in, &value), "value");
    CHECK_INT(0, pl_unpack_end(&in), "end");
    out.len = 0;
    pl_pack_begin(&out);
    return value;
}

static void test_pack__keeps_numbers(void **state)
{
    const int64_t integers[] = {0,         1,    127,       128,
                                -1,        -64,  1LL << 32, INT64_MAX,
                                INT64_MIN, 8191, 255,       -(1LL << 40)};
    const double doubles[] = {0.5, -0.0, 1e300, 5e-324, HUGE_VAL, -HUGE_VAL};

    (void)state;
    pl_pack_begin(&out);
    for (size_t i = 0; i < PL_COUNT(integers); i++) {
        pl_pack_integer(&out, integers[i]);
        CHECK_INT(integers[i], again().integer, "integer");
    }
    for (size_t i = 0; i < PL_COUNT(doubles); i++) {
        struct pl_packed value;

        pl_pack_double(&out, doubles[i]);
        value = again();
        CHECK(memcmp(&value.number, &doubles[i], sizeof(double)) == 0,
              "double");
    }
    pl_pack_double(&out, -NAN);
    CHECK(isnan(again().number), "NaN");
}

static void test_pack__says_when_the_buffer_is_full(void **state)
{
    struct pl_buf small;

    (void)state;
    pl_buf_init(&small, &pool, NULL, 8);
    pl_pack_begin(&small);
    pl_pack_string(&small, PL_STR("123456789"));
    CHECK_INT(PL_ERR_LIMIT, small.err, "limit");
    pl_buf_fini(&small);
}

/* ---- Lua ---- */

/* Each must come back equal. */
static const char *const equal[] = {
    "nil",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "2^53",
    "-2^53",
    "1e300",
    "''",
    "('x'):rep(31)",
    "('x'):rep(32)",
    "'\\0\\255'",
    "{}",
    "{1,2,3}",
    "{1,nil,3}",
    "{a=1,b={c={d={}}}}",
    "{1,2,x='y',[10]=5,[true]=false,[-1]=0,[1.5]=2}",
    "{{},{{}},{{{}}}}",
};

static const struct {
    const char *value, *want;
} refused[] = {
    {"print", "a function cannot be shared"},
    {"{a={b={print}}}", "a.b[1]: a function cannot be shared"},
    {"{['odd key']=io.stdout}", "[\"odd key\"]: a userdata cannot be shared"},
    {"{[{}]=1}", "[\"?\"]: a table as a key"},
    {"(function() local t = {} t.me = {t} return t end)()",
     "me[1]: a table that contains itself"},
    {"(function() local t = {} for i = 1, 64 do t = {t} end return t end)()",
     "the tables are nested too deeply"},
};

static lua_State *new_state(void)
{
    static const char compare[] =
        "function same(a, b) "
        "  if type(a) ~= 'table' or type(b) ~= 'table' then "
        "    return a == b and (not math.type or math.type(a) == math.type(b))"
        "  end "
        "  for k, v in pairs(a) do if not same(v, b[k]) then return false end "
        "end "
        "  for k in pairs(b) do if a[k] == nil then return false end end "
        "  return true end";
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    CHECK_INT(0, luaL_dostring(L, compare), "compare");
    return L;
}

static void push(lua_State *L, const char *value)
{
    char code[256];

    snprintf(code, sizeof(code), "return %s", value);
    CHECK_INT(0, luaL_dostring(L, code), value);
}

static void test_pack__lua_gets_back_what_it_gave(void **state)
{
    lua_State *L = new_state();
    struct pl_error error;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(equal); i++) {
        out.len = 0;
        lua_getglobal(L, "same");
        push(L, equal[i]);
        CHECK_INT(0, pl_lua_pack(L, -1, &out, &error), equal[i]);
        CHECK_INT(0, pl_pack_check(pl_buf_str(&out)), equal[i]);
        CHECK_INT(0, pl_lua_unpack(L, pl_buf_str(&out)), equal[i]);
        lua_call(L, 2, 1);
        CHECK(lua_toboolean(L, -1), equal[i]);
        lua_settop(L, 0);
    }
    lua_close(L);
}

static void test_pack__refuses_with_the_path(void **state)
{
    lua_State *L = new_state();

    (void)state;
    for (size_t i = 0; i < PL_COUNT(refused); i++) {
        struct pl_error error = {0};

        out.len = 0;
        push(L, refused[i].value);
        CHECK_INT(PL_ERR_INVALID, pl_lua_pack(L, -1, &out, &error),
                  refused[i].value);
        CHECK(pl_str_ends(pl_str_c(error.text), pl_str_c(refused[i].want)),
              error.text);
        CHECK_INT(1, lua_gettop(L), "the stack");
        lua_settop(L, 0);
    }
    lua_close(L);
}

/* Whatever Lua can publish has a JSON text; what no writer has made has none.
 */
static void test_pack__can_be_json(void **state)
{
    static const struct {
        const char *value, *want;
    } values[] = {
        {"1", "1"},
        {"2.5", "2.5"},
        {"0/0", "null"},
        {"'a\\n\\255'", "\"a\\n\xef\xbf\xbd\""},
        {"{}", "{}"},
        {"{1, {2}, 'x'}", "[1,[2],\"x\"]"},
        {"{a = {b = true}}", "{\"a\":{\"b\":true}}"},
        {"{7, x = false}", "{\"1\":7,\"x\":false}"},
        {"{[5] = 1}", "{\"5\":1}"},
        {"{[1.5] = 1}", "{\"1.5\":1}"},
        {"{[true] = 1}", "{\"true\":1}"},
    };
    static const struct pl_str bad[] = {
        {"\1\xa7\0\2\x81k\1", 7}, {"\2\1", 2}, {"\1\1\1", 3}, {"\1", 1}};
    lua_State *L = new_state();
    struct pl_error error;
    struct pl_buf json;

    (void)state;
    pl_buf_init(&json, out.pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(values); i++) {
        pl_buf_fini(&out);
        pl_buf_fini(&json);
        push(L, values[i].value);
        CHECK_INT(0, pl_lua_pack(L, -1, &out, &error), values[i].value);
        CHECK_INT(0, pl_pack_to_json(pl_buf_str(&out), &json), values[i].value);
        CHECK_STR(values[i].want, pl_buf_str(&json), values[i].value);
        lua_settop(L, 0);
    }
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        pl_buf_fini(&json);
        CHECK(pl_pack_to_json(bad[i], &json) < 0, "refused");
    }
    pl_buf_fini(&json);
    lua_close(L);
}

static void test_unpack__refuses_a_key_twice(void **state)
{
    lua_State *L = new_state();

    (void)state;
    CHECK_INT(PL_ERR_PROTO, pl_lua_unpack(L, BYTES("\1\xa7\0\2\x81k\1\x81k\2")),
              "a pair");
    CHECK_INT(PL_ERR_PROTO, pl_lua_unpack(L, BYTES("\1\xa7\1\1\1\1\1")),
              "a place in the list");
    CHECK_INT(0, lua_gettop(L), "nothing pushed");
    lua_close(L);
}

RUN_TESTS(PACK_TEST(test_pack__is_strict), PACK_TEST(test_pack__limits_depth),
          PACK_TEST(test_pack__keeps_numbers),
          PACK_TEST(test_pack__says_when_the_buffer_is_full),
          PACK_TEST(test_pack__lua_gets_back_what_it_gave),
          PACK_TEST(test_pack__refuses_with_the_path),
          PACK_TEST(test_pack__can_be_json),
          PACK_TEST(test_unpack__refuses_a_key_twice))
