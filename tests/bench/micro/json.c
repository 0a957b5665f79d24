/* json.c - what the JSON codec costs, beside lua-cjson if it is installed.
 *
 *     json      ns per value and MB/s of text, for each kind of value
 *     json N    encodes {message = "Hello, World!"} N times into a buffer (to
 *               count instructions)
 *
 * LUA_CPATH says where another cjson.so is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "lua/json.h"

static const struct {
    const char *name, *value; /* an expression */
} values[] = {
    {"hello", "{message = 'Hello, World!'}"},
    {"small", "{id = 1234, name = 'Jane Doe', email = 'jane@example.com', "
              "active = true, score = 98.5, tags = {'a', 'b', 'c'}}"},
    {"text", "{title = ('Lorem ipsum dolor '):rep(4), body = ('Lorem ipsum "
             "dolor sit amet, consectetur adipiscing elit. '):rep(16)}"},
    {"escapes", "{body = ('line one\\nline \"two\"\\t\\\\\\n'):rep(40)}"},
    {"unicode",
     "{body = ('\\227\\129\\147\\227\\130\\147 z\\195\\188rich '):rep"
     "(60)}"},
    {"rows", "(function() local t = {} for i = 1, 20 do t[i] = {id = i * 37, "
             "randomNumber = i * 991 % 10000} end return t end)()"},
    {"integers", "(function() local t = {} for i = 1, 200 do t[i] = i * 7919 "
                 "end return t end)()"},
    {"doubles", "(function() local t = {} for i = 1, 200 do t[i] = "
                "math.sin(i) * 10^(i % 9) end return t end)()"},
};

static double now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

/* Leaves a function(n) on the stack that does op n times; value and text are
 * what it works on. */
static void load_loop(lua_State *L, const char *module, const char *op,
                      const char *value)
{
    lua_pushfstring(L,
                    "local codec = %s local value = %s "
                    "local text = codec.encode(value) local op = codec.%s "
                    "local arg = '%s' == 'encode' and value or text "
                    "return function(n) for i = 1, n do op(arg) end "
                    "return #text end",
                    module, value, op, op);
    if (luaL_loadstring(L, lua_tostring(L, -1)) != LUA_OK)
        abort();
    lua_call(L, 0, 1);
}

/* The best of several runs, since other work disturbs. */
static double measure(lua_State *L, size_t *len)
{
    enum { RUNS = 7, RUN_NS = 30000000 };
    double best = 1e18, n = 100;

    for (int i = 0; i < RUNS; i++) {
        double begin = now_ns(), each;

        lua_pushvalue(L, -1);
        lua_pushnumber(L, n);
        lua_call(L, 1, 1);
        *len = (size_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
        each = (now_ns() - begin) / n;
        best = PL_MIN(best, each);
        n = PL_MAX(RUN_NS / each, 1);
    }
    return best;
}

static void compare(lua_State *L, const char *op)
{
    static const char *const modules[] = {"json", "other"};

    for (size_t i = 0; i < PL_COUNT(values); i++) {
        printf("%s %-9s", op, values[i].name);
        for (size_t m = 0; m < PL_COUNT(modules); m++) {
            size_t len;
            double ns;

            lua_getglobal(L, modules[m]);
            if (lua_isnil(L, -1))
                continue;
            load_loop(L, modules[m], op, values[i].value);
            ns = measure(L, &len);
            printf("  %s %5zu bytes %8.0f ns %7.0f MB/s", modules[m], len, ns,
                   (double)len * 1e3 / ns);
            lua_settop(L, 0);
        }
        printf("\n");
    }
}

static void encode_into_buffer(lua_State *L, long n)
{
    struct pl_pool pool;
    struct pl_buf out;

    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    if (luaL_dostring(L, "return {message = 'Hello, World!'}"))
        abort();
    for (long i = 0; i < n; i++) {
        out.len = 0;
        if (pl_lua_json_encode(L, -1, &out, NULL) < 0)
            abort();
    }
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
}

int main(int argc, char **argv)
{
    enum { ROUNDS = 2000000 };
    lua_State *L = luaL_newstate();
    double begin;

    luaL_openlibs(L);
    if (argc > 1) {
        encode_into_buffer(L, atol(argv[1]));
        lua_close(L);
        return 0;
    }
    pl_lua_json_push(L);
    lua_setglobal(L, "json");
    if (luaL_dostring(L, "local ok, m = pcall(require, 'cjson') "
                         "other = ok and m or nil"))
        abort();
    begin = now_ns();
    encode_into_buffer(L, ROUNDS);
    printf("encode hello into a buffer: %.0f ns\n",
           (now_ns() - begin) / ROUNDS);
    compare(L, "encode");
    compare(L, "decode");
    lua_close(L);
    return 0;
}
