/* test_json.c - the codec in a Lua state: what Lua sees, what C sees, and what
 * is left behind when Lua runs out of memory. */
#include "check.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "json_cases.h"
#include "lua/json.h"

static lua_State *L;

static int set_up(void **state)
{
    (void)state;
    L = luaL_newstate();
    luaL_openlibs(L);
    pl_lua_json_push(L);
    lua_setglobal(L, "json");
    pl_lua_json_install_cjson(L);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    CHECK_INT(0, lua_gettop(L), "nothing is left on the stack");
    lua_close(L);
    return 0;
}

/* The chunk's first result as a string, or the error's text. It stays valid
 * until the next call. */
static const char *run(const char *chunk)
{
    static char result[4096];

    if (luaL_loadstring(L, chunk) == LUA_OK)
        lua_pcall(L, 0, 1, 0);
    snprintf(result, sizeof(result), "%s", luaL_tolstring(L, -1, NULL));
    lua_settop(L, 0);
    return result;
}

struct chunk_case {
    const char *chunk, *want;
};

static void check_chunks(const struct chunk_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        CHECK_STR(cases[i].want, pl_str_c(run(cases[i].chunk)), cases[i].chunk);
}

/* ---- encoding ---- */

static const struct chunk_case values[] = {
    {"return json.encode('x')", "\"x\""},
    {"return json.encode(true)", "true"},
    {"return json.encode(false)", "false"},
    {"return json.encode(nil)", "null"},
    {"return json.encode(json.null)", "null"},
    {"return json.encode(json.empty_array)", "[]"},
    {"return json.encode(0)", "0"},
    {"return json.encode(-1.5)", "-1.5"},
    {"return json.encode(0.1 + 0.2)", "0.30000000000000004"},
    {"return json.encode(2^53)", "9007199254740992"},
    {"return json.encode(1e300)", "1e+300"},
    {"return json.encode(10 / 2)", "5"},
    {"return json.encode(123456789012345)", "123456789012345"},
    {"return json.encode({message = 'Hello, World!'})",
     "{\"message\":\"Hello, World!\"}"},
    {"return json.encode({1, 2, {3, {}}, 'x'})", "[1,2,[3,{}],\"x\"]"},
    {"return json.encode({{a = {b = {1}}}})", "[{\"a\":{\"b\":[1]}}]"},
    {"return json.encode({})", "{}"},
    {"return json.encode({}, {empty_table = 'array'})", "[]"},
    {"return json.encode(json.array({}))", "[]"},
    {"return json.encode(json.array())", "[]"},
    {"return json.encode({a = json.array{1}})", "{\"a\":[1]}"},
    {"return json.encode(json.object(), {empty_table = 'array'})", "{}"},
    {"return json.encode(json.object{'x'})", "{\"1\":\"x\"}"},
    {"return json.encode(json.object{[1.5] = 1})", "{\"1.5\":1}"},
    {"return json.encode(setmetatable({}, {__jsontype = 'array'}))", "[]"},
    {"return json.encode('</\\226\\128\\168>')", "\"</\xe2\x80\xa8>\""},
    {"return json.encode('</\\226\\128\\168>', {html_safe = true})",
     "\"\\u003c/\\u2028\\u003e\""},
    {"return json.encode('a\\255')", "\"a\xef\xbf\xbd\""},
    {"return tostring(json.null)", "null"},
    {"local t = {} for i = 1, 100 do t[101 - i] = 101 - i end "
     "return #json.encode(t)",
     "293"},
    {"local t = {x = 1} t.x = nil t[3] = 3 t[1] = 1 t[2] = 2 "
     "return json.encode(t)",
     "[1,2,3]"},
    {"local t = {} for i = 1, 9 do t[#t + 1] = {i} end "
     "return json.encode(t)",
     "[[1],[2],[3],[4],[5],[6],[7],[8],[9]]"},
};

static const struct chunk_case layouts[] = {
    {"return json.encode({b = 1, a = {2, 3}, c = {}}, "
     "{sort_keys = true, indent = 1})",
     "{\n \"a\": [\n  2,\n  3\n ],\n \"b\": 1,\n \"c\": {}\n}"},
    {"return json.encode({a = json.array()}, {pretty = true})",
     "{\n  \"a\": []\n}"},
    {"return json.encode({b = 1, ab = 2, a = 3, [''] = 4}, "
     "{sort_keys = true})",
     "{\"\":4,\"a\":3,\"ab\":2,\"b\":1}"},
    {"return json.encode(json.object{[10] = 1, [9] = 2, x = 3}, "
     "{sort_keys = true})",
     "{\"10\":1,\"9\":2,\"x\":3}"},
    {"return json.encode({z = {y = 1, x = 2}, a = {{d = 1, c = 2}}}, "
     "{sort_keys = true})",
     "{\"a\":[{\"c\":2,\"d\":1}],\"z\":{\"x\":2,\"y\":1}}"},
    {"return json.encode({1, nil, 3}, {tables = 'convert'})", "[1,null,3]"},
    {"return json.encode({[1] = 1, [100] = 2}, "
     "{tables = 'convert', sort_keys = true})",
     "{\"1\":1,\"100\":2}"},
    {"return json.encode({1, x = 2}, {tables = 'convert', sort_keys = true})",
     "{\"1\":1,\"x\":2}"},
    {"return json.encode({0/0}, {nan = 'null'})", "[null]"},
};

static const struct chunk_case metamethods[] = {
    {"return json.encode({setmetatable({}, {__tojson = function() "
     "return {x = 1} end})})",
     "[{\"x\":1}]"},
    {"return json.encode(setmetatable({n = 3}, {__tojson = function(t) "
     "return t.n end}))",
     "3"},
    /* the codec within the codec: each has a buffer of its own */
    {"return json.encode({a = setmetatable({}, {__tojson = function() "
     "return json.encode({1, 2}) .. json.decode('[\"\\\\n\"]')[1] end})})",
     "{\"a\":\"[1,2]\\n\"}"},
    {"return json.encode({a = {1, setmetatable({}, {__tojson = function() "
     "error('no', 0) end})}})",
     "json.encode: a[2]: __tojson: no"},
    {"local m = {} m.__tojson = function(t) return t end "
     "return json.encode({setmetatable({}, m)})",
     "json.encode: [1]: nesting deeper than 128"},
    {"return json.encode(newproxy and newproxy(true) or io.stdout)",
     "json.encode: cannot encode a userdata"},
};

#define GOES "json.encode: "
static const struct chunk_case refusals[] = {
    {"local s = json.encode() return s",
     "bad argument #1 to 'encode' (value expected)"},
    {"return json.encode(print)", GOES "cannot encode a function"},
    {"return json.encode({a = {b = {1, 2, 0/0}}})",
     GOES "a.b[3]: cannot encode nan"},
    {"return json.encode({['odd key'] = {1/0}})",
     GOES "[\"odd key\"][1]: cannot encode inf"},
    {"return json.encode({x = -1/0})", GOES "x: cannot encode -inf"},
    {"return json.encode({{coroutine.create(print)}})",
     GOES "[1][1]: cannot encode a thread"},
    {"return json.encode({[true] = 1})",
     GOES "[\"?\"]: cannot encode a boolean as a key"},
    {"return json.encode({a = {1, nil, 3}})",
     GOES "a: a list with a hole at 2 or with other keys "
          "(use json.null, or mark it with json.object)"},
    {"return json.encode({[5] = 1})",
     GOES "a list with a hole at 1 or with other keys "
          "(use json.null, or mark it with json.object)"},
    {"return json.encode({1, 2, x = 3})",
     GOES "a list with a hole at 3 or with other keys "
          "(use json.null, or mark it with json.object)"},
    {"return json.encode({[1.5] = 3})",
     GOES "a list with a hole at 1 or with other keys "
          "(use json.null, or mark it with json.object)"},
    {"return json.encode(json.array{x = 3})",
     GOES "a list with a hole at 1 or with other keys "
          "(use json.null, or mark it with json.object)"},
    {"return json.encode('a\\255', {invalid_utf8 = 'error'})",
     GOES "the string is not UTF-8"},
    {"return json.encode({k = {'ok', '\\192\\128'}}, "
     "{invalid_utf8 = 'error'})",
     GOES "k[2]: the string is not UTF-8"},
    {"return json.encode({1, {2, {3}}}, {depth = 2})",
     GOES "[2][2]: nesting deeper than 2"},
    {"return json.encode({'aaaaaaaaaaaaaaaaaaa'}, {size = 10})",
     GOES "the text is larger than 10 bytes"},
    {"return json.encode(1, {prety = true})", "json: unknown option 'prety'"},
    {"return json.encode(1, {depth = 'x'})",
     "json: option 'depth' must be a number from 0 to 1000"},
    {"return json.encode(1, {invalid_utf8 = 'x'})",
     "json: option 'invalid_utf8' must be replace or error"},
    {"return json.array(setmetatable({}, {}))",
     "json: the table has a metatable; give that a __jsontype = \"array\" or "
     "\"object\""},
};

/* Lua puts "file:line: " before some messages. */
static void check_refusals(const struct chunk_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = run(cases[i].chunk);
        const char *at = strstr(got, "]:1: ");

        CHECK_STR(cases[i].want, pl_str_c(at == NULL ? got : at + 5),
                  cases[i].chunk);
    }
}

static void test_json__encodes(void **state)
{
    (void)state;
    check_chunks(values, PL_COUNT(values));
    check_chunks(layouts, PL_COUNT(layouts));
}

static void test_json__refuses_and_names_the_place(void **state)
{
    (void)state;
    check_refusals(refusals, PL_COUNT(refusals));
    check_refusals(metamethods, PL_COUNT(metamethods));
}

static void test_json__cycles_end_with_a_short_path(void **state)
{
    const char *got = run("local t = {} t.again = t return json.encode(t)");

    (void)state;
    CHECK(strstr(got, "again.again.again") != NULL, got);
    CHECK(strstr(got, ": nesting deeper than 128") != NULL, got);
    CHECK_STR("[[1]]", pl_str_c(run("return json.encode({{1}})")),
              "and the codec works on");
}

/* Out of order in every level: twice the work a level would never end. */
static void test_json__deep_tables_take_one_pass(void **state)
{
    (void)state;
    CHECK_STR("true",
              pl_str_c(run("local t = {} for i = 1, 120 do "
                           "local u = {x = 1} u.x = nil u[3] = t u[2] = 2 "
                           "u[1] = 1 t = u end "
                           "return json.encode(t) == ('[1,2,'):rep(120) .. "
                           "'{}' .. (']'):rep(120)")),
              "done");
}

#if PL_LUAJIT
static const struct chunk_case integers[] = {
    {"local ffi = require 'ffi' return json.encode({9223372036854775807LL, "
     "-9223372036854775807LL - 1, 18446744073709551615ULL, 0LL})",
     "[9223372036854775807,-9223372036854775808,18446744073709551615,0]"},
    {"local ffi = require 'ffi' local ok, why = pcall(json.encode, "
     "{ffi.new('int[2]')}) return why:match('^json.encode: .1.: cannot "
     "encode cdata<int')",
     "json.encode: [1]: cannot encode cdata<int"},
    {"return ('%.0f'):format(json.decode('9007199254740993'))",
     "9007199254740992"},
    {"return type(json.decode('9007199254740992', {int64 = 'string'}))",
     "number"},
    {"return json.decode('-9007199254740993', {int64 = 'string'})",
     "-9007199254740993"},
};
#else
static const struct chunk_case integers[] = {
    {"return json.encode({math.maxinteger, math.mininteger})",
     "[9223372036854775807,-9223372036854775808]"},
    {"return json.decode('-9223372036854775808') == math.mininteger", "true"},
    {"return math.type(json.decode('9007199254740993'))", "integer"},
    {"return math.type(json.decode('9223372036854775808'))", "float"},
    {"return math.type(json.decode('1.0'))", "float"},
    {"return math.type(json.decode('-0'))", "float"},
};
#endif

static void test_json__integers_are_exact(void **state)
{
    (void)state;
    check_chunks(integers, PL_COUNT(integers));
    CHECK_STR("18446744073709551616",
              pl_str_c(run("return json.decode('18446744073709551616', "
                           "{int64 = 'string'})")),
              "beyond 64 bits");
    CHECK_STR("-0", pl_str_c(run("return json.encode(json.decode('-0'))")),
              "the sign of zero");
}

/* ---- decoding ---- */

static void test_json__decodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(json_accepted); i++) {
        const char *name = json_accepted[i].text.data;

        lua_pushlstring(L, name, json_accepted[i].text.len);
        lua_setglobal(L, "text");
        CHECK_STR(json_accepted[i].back == NULL ? name : json_accepted[i].back,
                  pl_str_c(run("local v, err = json.decode(text) "
                               "if err then return err end "
                               "return json.encode(v, {sort_keys = true})")),
                  name);
    }
}

static void test_json__refuses_what_is_no_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(json_refused); i++) {
        struct pl_error error = {0};

        CHECK(pl_lua_json_decode(L, json_refused[i].text, &error) ==
                  PL_ERR_PROTO,
              json_refused[i].text.data);
        CHECK_INT(0, lua_gettop(L), json_refused[i].text.data);
        CHECK_STR(json_refused[i].message, pl_str_c(error.text),
                  json_refused[i].text.data);
    }
}

/* No beginning of a text may be read as a whole one. */
static void test_json__refuses_every_beginning(void **state)
{
    static const char text[] =
        "{\"ab\":[1.5e3,-2,true,null,\"\\u20ac\\n\xc3\xa4"
        "\"],\"c\":{\"d\":false}}";

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *copy = malloc(len + 1); /* no byte more, for ASan */

        memcpy(copy, text, len);
        copy = realloc(copy, len == 0 ? 1 : len);
        CHECK_INT(PL_ERR_PROTO, pl_lua_json_decode(L, pl_str(copy, len), NULL),
                  "cut");
        free(copy);
    }
}

static const struct chunk_case decodings[] = {
    {"return select('#', json.decode('x')) .. select(3, json.decode('[1,x'))",
     "34"},
    {"local v = json.decode('{\"a\":null}') return v.a == json.null", "true"},
    {"local v = json.decode('[]') v[1] = nil return json.encode(v)", "[]"},
    {"local v = json.decode('[[]]', {mark_arrays = false}) "
     "return json.encode(v)",
     "[{}]"},
    {"return json.decode('\"\\\\ud800\\255\"', {invalid_utf8 = 'replace'})",
     "\xef\xbf\xbd\xef\xbf\xbd"},
    {"return (select(2, json.decode('[[1]]', {depth = 1})))",
     "line 1 column 2: nesting too deep"},
    {"return (select(2, json.decode('[[1]]', {size = 4})))",
     "the text is larger than 4 bytes"},
    {"return json.decode(('['):rep(128) .. (']'):rep(128)) ~= nil", "true"},
    {"return (select(2, json.decode(('['):rep(129))))",
     "line 1 column 129: nesting too deep"},
    {"return (select(2, json.decode(('{\"a\":'):rep(200))))",
     "line 1 column 641: nesting too deep"},
    {"local s = ('[{\"a\":'):rep(500) .. '1' .. ('}]'):rep(500) "
     "return json.encode(json.decode(s, {depth = 1000}), {depth = 1000}) == s",
     "true"},
    {"local t = {} for i = 1, 1000 do t['k' .. i] = {i, tostring(i)} end "
     "local u = json.decode(json.encode(t)) local n = 0 "
     "for k, v in pairs(u) do n = n + 1 assert(v[1] == t[k][1] and "
     "v[2] == t[k][2]) end return n",
     "1000"},
    {"local t = {} for i = 1, 1000 do t[i] = i end "
     "return #json.decode(json.encode(t))",
     "1000"},
};

static void test_json__decoding_has_options_and_bounds(void **state)
{
    (void)state;
    check_chunks(decodings, PL_COUNT(decodings));
}

/* ---- the names of lua-cjson ---- */

static const struct chunk_case cjson_cases[] = {
    {"local c = require 'cjson' return c.encode({1, c.null, {}})",
     "[1,null,{}]"},
    {"local c = require 'cjson' return c.encode({1, nil, 3})", "[1,null,3]"},
    {"local c = require 'cjson' return c.encode(setmetatable({}, "
     "c.empty_array_mt)) .. c.encode(c.empty_array) .. "
     "c.encode(setmetatable({}, c.array_mt))",
     "[][][]"},
    {"local c = require 'cjson' return c.encode(setmetatable({x = 1}, "
     "c.empty_array_mt))",
     "{\"x\":1}"},
    {"local c = require 'cjson'.new() c.encode_empty_table_as_object(false) "
     "return c.encode({}) .. require 'cjson'.encode({})",
     "[]{}"},
    {"local ok, err = pcall(require 'cjson'.decode, '[') return err",
     "line 1 column 2: unexpected end"},
    {"local v, err = require 'cjson.safe'.decode('[') return err",
     "line 1 column 2: unexpected end"},
    {"local v, err = require 'cjson.safe'.encode({print}) return err",
     "[1]: cannot encode a function"},
    {"local c = require 'cjson'.new() c.encode_max_depth(1) "
     "return tostring(pcall(c.encode, {{}}))",
     "false"},
    {"local c = require 'cjson'.new() c.encode_invalid_numbers('null') "
     "return c.encode({0/0})",
     "[null]"},
    {"return getmetatable(require 'cjson'.decode('[]')) == nil", "true"},
    {"local ok, err = pcall(require, 'no.such.module') return ok", "false"},
};

static void test_json__answers_to_the_names_of_cjson(void **state)
{
    (void)state;
    check_chunks(cjson_cases, PL_COUNT(cjson_cases));
}

/* ---- from C ---- */

static void test_json__appends_to_a_buffer(void **state)
{
    struct pl_error error = {0};
    struct pl_pool pool;
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 40);
    pl_buf_add(&out, PL_STR("head "));
    run("value = {message = 'Hello, World!'} bad = {x = {print}}");
    lua_getglobal(L, "value");
    CHECK_INT(0, pl_lua_json_encode(L, -1, &out, &error), "encode");
    CHECK_STR("head {\"message\":\"Hello, World!\"}", pl_buf_str(&out),
              "appended");
    lua_getglobal(L, "bad");
    CHECK_INT(PL_ERR_INVALID, pl_lua_json_encode(L, -1, &out, &error), "bad");
    CHECK_STR("x[1]: cannot encode a function", pl_str_c(error.text), "why");
    CHECK_STR("head {\"message\":\"Hello, World!\"}", pl_buf_str(&out),
              "as it was");
    CHECK_INT(PL_ERR_LIMIT, pl_lua_json_encode(L, -2, &out, &error), "full");
    CHECK_STR("the text is larger than 40 bytes", pl_str_c(error.text), "why");
    CHECK_INT(2, lua_gettop(L), "the stack is as it was");
    lua_settop(L, 0);
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
}

/* ---- memory ---- */

/* A finalizer uses the codec while the codec allocates. */
static void test_json__finalizers_may_use_the_codec(void **state)
{
    (void)state;
    CHECK_STR(
        "ok",
        pl_str_c(run(
            "local function mark() "
            "  local p = newproxy and newproxy(true) or setmetatable({}, {}) "
            "  local m = getmetatable(p) "
            "  m.__gc = function() json.encode({('x'):rep(9000)}) "
            "    json.decode('[\"\\\\n' .. ('y'):rep(9000) .. '\"]') end "
            "  if not newproxy then setmetatable(p, m) end end "
            "collectgarbage('setpause', 10) collectgarbage('setstepmul', 1000) "
            "for i = 1, 300 do "
            "  mark() "
            "  local s = json.encode({a = ('z'):rep(i), b = {i, '\\n'}}, "
            "    {sort_keys = true}) "
            "  local t = json.decode(s) "
            "  assert(t.a == ('z'):rep(i) and t.b[1] == i and t.b[2] == '\\n') "
            "end return 'ok'")),
        "");
}

static size_t allocations_left;

static void *failing_alloc(void *ud, void *ptr, size_t was, size_t size)
{
    (void)ud;
    (void)was;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return realloc(ptr, size);
}

static int use_codec(lua_State *state)
{
    static const char chunk[] =
        "local s = json.encode({1, {a = 'b\\n', c = {1, 2}}, "
        "  setmetatable({}, {__tojson = function() return 'x' end})}, "
        "  {sort_keys = true}) "
        "local t = json.decode('[\"\\\\u20ac\", {\"k\": [1, 2, \"\\\\n\"]}]') "
        "return json.encode(t)";

    pl_lua_json_push(state);
    lua_setglobal(state, "json");
    if (luaL_loadstring(state, chunk) != LUA_OK)
        return lua_error(state);
    lua_call(state, 0, 1);
    return 1;
}

/* Makes the n-th allocation of Lua fail, for every n, until nothing fails. Leak
 * checkers see what was lost; afterwards the codec must still work. */
static void test_json__loses_nothing_when_memory_ends(void **state)
{
    size_t n = 0;
    bool done = false;

    (void)state;
    while (!done) {
        lua_State *state2;

        allocations_left = SIZE_MAX;
        state2 = lua_newstate(failing_alloc, NULL);
        if (state2 == NULL) /* a LuaJIT that insists on its own allocator */
            skip();
        luaL_openlibs(state2);
        lua_gc(state2, LUA_GCSTOP, 0);
        lua_pushcfunction(state2, use_codec);
        allocations_left = n++;
        done = lua_pcall(state2, 0, 1, 0) == LUA_OK;
        allocations_left = SIZE_MAX;
        if (!done) {
            lua_settop(state2, 0);
            lua_pushcfunction(state2, use_codec);
            CHECK_INT(LUA_OK, lua_pcall(state2, 0, 1, 0), "works again");
        }
        CHECK_STR("[\"\xe2\x82\xac\",{\"k\":[1,2,\"\\n\"]}]",
                  pl_str_c(lua_tostring(state2, -1)), "result");
        lua_close(state2);
    }
    CHECK(n > 10, "it did allocate");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

RUN_TESTS(TEST(test_json__encodes),
          TEST(test_json__refuses_and_names_the_place),
          TEST(test_json__cycles_end_with_a_short_path),
          TEST(test_json__deep_tables_take_one_pass),
          TEST(test_json__integers_are_exact), TEST(test_json__decodes),
          TEST(test_json__refuses_what_is_no_json),
          TEST(test_json__refuses_every_beginning),
          TEST(test_json__decoding_has_options_and_bounds),
          TEST(test_json__answers_to_the_names_of_cjson),
          TEST(test_json__appends_to_a_buffer),
          TEST(test_json__finalizers_may_use_the_codec),
          TEST(test_json__loses_nothing_when_memory_ends))
