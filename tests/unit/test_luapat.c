/* test_luapat.c - patterns match what string.find() of Lua matches, whatever
 * they are made of; and none takes longer than it may. */
#include "check.h"

#include <stdlib.h>

#include "base/luapat.h"
#include "lua/compat.h"

static struct pl_luapat *make(const char *text)
{
    struct pl_error error = {.code = 0};
    struct pl_luapat *pattern = pl_luapat_new(pl_str_c(text), &error);

    if (pattern == NULL)
        fail_msg("%s: %s", text, error.text);
    return pattern;
}

/* ---- single cases ---- */

static const struct {
    const char *pattern, *text, *whole; /* NULL: it does not match */
    const char *first;                  /* capture */
} cases[] = {
    {"", "abc", "", NULL},
    {"b", "abc", "b", NULL},
    {"^b", "abc", NULL, NULL},
    {"^a", "abc", "a", NULL},
    {"c$", "abc", "c", NULL},
    {"a$", "abc", NULL, NULL},
    {"a$b", "a$b", "a$b", NULL}, /* only a last "$" is the end */
    {"a^b", "a^b", "a^b", NULL},
    {"^/old/(%d+)$", "/old/42", "/old/42", "42"},
    {"^/old/(%d+)$", "/old/42x", NULL, NULL},
    {"(%w+)", "  hello", "hello", "hello"},
    {"(a*)(.-)b", "aaxyb", "aaxyb", "aa"},
    {"(a-)b", "aab", "aab", "aa"},
    {"a?b?c", "c", "c", NULL},
    {"(a?)a", "a", "a", ""}, /* it gives back what it took */
    {"[^/]+$", "/a/b.c", "b.c", NULL},
    {"[]x]+", "a]x]", "]x]", NULL},
    {"[^]]+", "]]ab]", "ab", NULL},
    {"[a-c]+", "xxabcd", "abc", NULL},
    {"[a-]+", "b-a-", "-a-", NULL},
    {"[%a-z]+", "1-z", "-z", NULL}, /* "%a" begins no range */
    {"[%-x]+", "a-x-", "-x-", NULL},
    {"%b()", "f(a(b)c)d", "(a(b)c)", NULL},
    {"%b()", "f(a(b", NULL, NULL},
    {"%bxx", "axbxc", "xbx", NULL},
    {"%f[%w]%w+", "  two", "two", NULL},
    {"%f[%z]", "ab", "", NULL},
    {"(.)%1", "abccd", "cc", "c"},
    {"(a*)%1b", "aaaab", "aaaab", "aa"},
    {"((a)(b))", "xab", "ab", "ab"},
    {"%.%%%-", "a.%-", ".%-", NULL},
    {"()b", "ab", "b", ""},
    {".", "\xc3\xa4", "\xc3", NULL}, /* bytes */
};

static void test_luapat__finds(void **state)
{
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_luapat *pattern = make(cases[i].pattern);
        struct pl_luapat_match match;
        uint64_t steps = 1000;
        int got =
            pl_luapat_find(pattern, pl_str_c(cases[i].text), 0, &steps, &match);

        CHECK_INT(cases[i].whole != NULL, got, cases[i].pattern);
        if (got == 1)
            CHECK_STR(cases[i].whole, match.parts[0], cases[i].pattern);
        if (got == 1 && cases[i].first != NULL)
            CHECK_STR(cases[i].first, match.parts[1], cases[i].pattern);
        pl_luapat_free(pattern);
    }
}

static void test_luapat__tells_captures_and_positions(void **state)
{
    struct pl_luapat *pattern = make("()(%w)()(x?)");
    struct pl_luapat_match match;
    uint64_t steps = 100;
    struct pl_str text = PL_STR("  ab");

    CHECK_INT(4, pl_luapat_captures(pattern), "captures");
    CHECK(pl_luapat_is_position(pattern, 1), "1");
    CHECK(!pl_luapat_is_position(pattern, 2), "2");
    CHECK(pl_luapat_is_position(pattern, 3), "3");
    CHECK_INT(1, pl_luapat_find(pattern, text, 0, &steps, &match), "found");
    CHECK_INT(4, match.count, "count");
    CHECK_INT(2, match.parts[1].data - text.data, "first position");
    CHECK_INT(3, match.parts[3].data - text.data, "second position");
    CHECK_STR("", match.parts[4], "empty");
    CHECK_INT(1, pl_luapat_find(pattern, text, 3, &steps, &match), "from 3");
    CHECK_STR("b", match.parts[2], "from 3");
    CHECK_INT(0, pl_luapat_find(pattern, text, 4, &steps, &match), "at end");
    CHECK_INT(0, pl_luapat_find(pattern, text, 5, &steps, &match), "behind");
    pl_luapat_free(pattern);
}

static const struct {
    const char *pattern;
    int code;
} malformed[] = {
    {"%", PL_ERR_SYNTAX},    {"a%", PL_ERR_SYNTAX},    {"[", PL_ERR_SYNTAX},
    {"[]", PL_ERR_SYNTAX},   {"[^", PL_ERR_SYNTAX},    {"[a", PL_ERR_SYNTAX},
    {"[%]", PL_ERR_SYNTAX},  {"(", PL_ERR_SYNTAX},     {"(()", PL_ERR_SYNTAX},
    {")", PL_ERR_SYNTAX},    {"())", PL_ERR_SYNTAX},   {"%b", PL_ERR_SYNTAX},
    {"%bx", PL_ERR_SYNTAX},  {"%f", PL_ERR_SYNTAX},    {"%fa", PL_ERR_SYNTAX},
    {"%f[a", PL_ERR_SYNTAX}, {"%1", PL_ERR_SYNTAX},    {"%0", PL_ERR_SYNTAX},
    {"(%1)", PL_ERR_SYNTAX}, {"(a)%2", PL_ERR_SYNTAX}, {"()%1", PL_ERR_SYNTAX},
};

static void test_luapat__refuses_what_is_malformed(void **state)
{
    for (size_t i = 0; i < PL_COUNT(malformed); i++) {
        struct pl_error error = {.code = 0};

        CHECK(pl_luapat_new(pl_str_c(malformed[i].pattern), &error) == NULL,
              malformed[i].pattern);
        CHECK_INT(malformed[i].code, error.code, malformed[i].pattern);
        CHECK(strstr(error.text, "pattern '") == error.text, error.text);
    }
}

static void test_luapat__has_limits(void **state)
{
    char text[2 * 40 + PL_LUAPAT_ITEMS + 1] = "";
    struct pl_error error = {.code = 0};

    for (int i = 0; i < PL_LUAPAT_CAPTURES; i++)
        strcat(text, "()");
    pl_luapat_free(make(text));
    strcat(text, "()");
    CHECK(pl_luapat_new(pl_str_c(text), &error) == NULL, "captures");
    CHECK_INT(PL_ERR_LIMIT, error.code, "captures");
    memset(text, 'a', PL_LUAPAT_ITEMS);
    text[PL_LUAPAT_ITEMS] = '\0';
    pl_luapat_free(make(text));
    text[PL_LUAPAT_ITEMS] = 'a';
    text[PL_LUAPAT_ITEMS + 1] = '\0';
    CHECK(pl_luapat_new(pl_str_c(text), &error) == NULL, "items");
    CHECK_INT(PL_ERR_LIMIT, error.code, "items");
}

static void test_luapat__stops_when_it_takes_too_long(void **state)
{
    static const char *const bombs[] = {"a*a*a*a*a*a*b", "(.-)(.-)(.-)(.-)x",
                                        "%b()%b()", ".*.*.*%1", "(a*)*b"};
    static char text[4097];

    memset(text, 'a', sizeof(text) - 1);
    for (size_t i = 0; i < PL_COUNT(bombs); i++) {
        struct pl_luapat *pattern = pl_luapat_new(pl_str_c(bombs[i]), NULL);
        struct pl_luapat_match match;
        uint64_t steps = 100000;

        if (pattern == NULL)
            continue;
        if (pl_luapat_find(pattern, pl_str_c(text), 0, &steps, &match) ==
            PL_ERR_LIMIT)
            CHECK_INT(0, steps, bombs[i]);
        else
            CHECK(steps > 0, bombs[i]);
        pl_luapat_free(pattern);
    }
}

static void test_luapat__counts_its_steps(void **state)
{
    struct pl_luapat *pattern = make("a*a*a*b");
    struct pl_luapat_match match;
    static char text[1001];
    uint64_t steps = 1000000;

    memset(text, 'a', 1000);
    CHECK_INT(PL_ERR_LIMIT,
              pl_luapat_find(pattern, pl_str_c(text), 0, &steps, &match),
              "a billion ways");
    CHECK_INT(0, steps, "all used");
    steps = 1000000;
    text[999] = 'b';
    CHECK_INT(1, pl_luapat_find(pattern, pl_str_c(text), 0, &steps, &match),
              "the first way");
    CHECK(steps > 990000, "few used");
    pl_luapat_free(pattern);
}

/* ---- as Lua does ---- */

static uint64_t seed = 1;

static unsigned any(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* Pieces that make good patterns, and some that do not. */
static const char *const pieces[] = {
    "a",     "b",      "c",      ".",    "%a", "%d", "%s", "%w", "%p",   "%x",
    "%u",    "%l",     "%c",     "%g",   "%A", "%D", "%W", "%S", "[ab]", "[^a]",
    "[a-c]", "[%d_]",  "[^%s,]", "[]-]", "(",  "(",  ")",  ")",  "()",   "*",
    "+",     "-",      "?",      "*",    "-",  "^",  "$",  "%1", "%2",   "%b()",
    "%bab",  "%f[%w]", "%f[a]",  "%%",   "%.", "/",  "1",  "_",  "%z",   "%Z",
    "%",     "[",      "]",      "%b",   "%f", "%q"};

static size_t make_pattern(char *out)
{
    size_t len = 0;

    for (unsigned n = 1 + any(6); n > 0; n--) {
        const char *piece = pieces[any(PL_COUNT(pieces))];

        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static size_t make_text(char *out)
{
    static const char letters[] = "aaabbbcc(()) 12_/.,-]%AB\xe4\n\t";
    size_t len = any(20);

    for (size_t i = 0; i < len; i++)
        out[i] = letters[any(sizeof(letters))]; /* NUL included */
    return len;
}

/* What string.find(text, pattern, 1) says: begin, end, captures. Returns the
 * number of values, or -1 for an error. */
static int ask_lua(lua_State *L, struct pl_str text, struct pl_str pattern,
                   size_t init)
{
    lua_settop(L, 0);
    lua_getglobal(L, "string");
    lua_getfield(L, 1, "find");
    lua_remove(L, 1);
    lua_pushlstring(L, text.data, text.len);
    lua_pushlstring(L, pattern.data, pattern.len);
    lua_pushinteger(L, (lua_Integer)init + 1);
    return lua_pcall(L, 3, LUA_MULTRET, 0) != 0 ? -1 : lua_gettop(L);
}

static bool same_capture(lua_State *L, int index, bool position,
                         struct pl_str text, struct pl_str part)
{
    struct pl_str other;

    if (position)
        return lua_type(L, index) == LUA_TNUMBER &&
               lua_tointeger(L, index) == part.data - text.data + 1;
    other.data = lua_tolstring(L, index, &other.len);
    return lua_type(L, index) == LUA_TSTRING && pl_str_eq(other, part);
}

static bool same_match(lua_State *L, int n, const struct pl_luapat *pattern,
                       struct pl_str text, const struct pl_luapat_match *match)
{
    struct pl_str whole = match->parts[0];

    if (n != 2 + (int)match->count ||
        lua_tointeger(L, 1) != whole.data - text.data + 1 ||
        lua_tointeger(L, 2) != whole.data - text.data + (long)whole.len)
        return false;
    for (unsigned i = 1; i <= match->count; i++)
        if (!same_capture(L, 2 + (int)i, pl_luapat_is_position(pattern, i),
                          text, match->parts[i]))
            return false;
    return true;
}

/* Returns whether the pattern was a good one. */
static bool compare(lua_State *L, struct pl_str written, struct pl_str text,
                    size_t init, unsigned *found)
{
    struct pl_luapat *pattern = pl_luapat_new(written, NULL);
    int n = ask_lua(L, text, written, init), got;
    struct pl_luapat_match match;
    uint64_t steps = 10000000;

    if (pattern == NULL)
        return false; /* Lua may not have come to what is wrong with it */
    got = pl_luapat_find(pattern, text, init, &steps, &match);
    if (n < 0 || got < 0 || (got == 0 && (n != 1 || !lua_isnil(L, 1))) ||
        (got == 1 && !same_match(L, n, pattern, text, &match)))
        fail_msg("pattern \"%.*s\" text \"%.*s\" from %zu: got %d, Lua %d "
                 "values (%s)",
                 PL_STR_ARG(written), PL_STR_ARG(text), init, got, n,
                 n > 0 && lua_isstring(L, 1) ? lua_tostring(L, 1) : "-");
    *found += got == 1;
    pl_luapat_free(pattern);
    return true;
}

static void test_luapat__does_as_lua_does(void **state)
{
    lua_State *L = luaL_newstate();
    unsigned good = 0, found = 0;
    char written[64], text[20];

    luaL_openlibs(L);
    for (unsigned i = 0; i < 100000; i++) {
        struct pl_str pattern = pl_str(written, make_pattern(written));
        struct pl_str of = pl_str(text, make_text(text));

        good += compare(L, pattern, of, any((unsigned)of.len + 1), &found);
    }
    lua_close(L);
    CHECK(good > 20000, "good patterns");
    CHECK(found > 8000, "matches");
}

/* Of those that Lua can only refuse: we have refused them, too. */
static void test_luapat__refuses_what_lua_refuses(void **state)
{
    lua_State *L = luaL_newstate();
    unsigned refused = 0;
    char written[64];

    luaL_openlibs(L);
    for (unsigned i = 0; i < 20000; i++) {
        struct pl_str pattern = pl_str(written, make_pattern(written));
        struct pl_luapat *ours = pl_luapat_new(pattern, NULL);

        if (ask_lua(L, PL_STR("abc(1)"), pattern, 0) < 0) {
            refused++;
            if (ours != NULL)
                fail_msg("Lua refuses \"%.*s\"", PL_STR_ARG(pattern));
        }
        pl_luapat_free(ours);
    }
    lua_close(L);
    CHECK(refused > 500, "refused");
}

/* Every byte in every class. */
static void test_luapat__has_the_classes_of_lua(void **state)
{
    static const char names[] = "acdglpsuwxzACDGLPSUWXZqQ.%[]";
    lua_State *L = luaL_newstate();
    unsigned found = 0;

    luaL_openlibs(L);
    for (const char *name = names; *name != '\0'; name++) {
        char plain[] = {'%', *name}, set[] = {'[', '%', *name, ']'};
        char none[] = {'[', '^', '%', *name, ']'};

        for (int c = 0; c < 256; c++) {
            char byte = (char)c;
            struct pl_str text = pl_str(&byte, 1);

            CHECK(compare(L, pl_str(plain, 2), text, 0, &found), "plain");
            CHECK(compare(L, pl_str(set, 4), text, 0, &found), "set");
            CHECK(compare(L, pl_str(none, 5), text, 0, &found), "none");
        }
    }
    lua_close(L);
}

RUN_TESTS(cmocka_unit_test(test_luapat__finds),
          cmocka_unit_test(test_luapat__tells_captures_and_positions),
          cmocka_unit_test(test_luapat__refuses_what_is_malformed),
          cmocka_unit_test(test_luapat__has_limits),
          cmocka_unit_test(test_luapat__stops_when_it_takes_too_long),
          cmocka_unit_test(test_luapat__counts_its_steps),
          cmocka_unit_test(test_luapat__does_as_lua_does),
          cmocka_unit_test(test_luapat__refuses_what_lua_refuses),
          cmocka_unit_test(test_luapat__has_the_classes_of_lua))
