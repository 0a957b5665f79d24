/* test_lua_mustache.c - pl.mustache: each rule of the specification with data
 * of Lua, and what is Lua's own. */
#include "lua_world.h"

#include "template_cases.h"
#include "tree.h"

/* ---- the cases of the specification ---- */

/* Lambdas as the cases name them. */
static const char lambdas_of_lua[] =
    "local n = 0\n"
    "lambdas = {\n"
    "  planet = function() return '{{planet}}' end,\n"
    "  angle = function() return '<{{planet}}' end,\n"
    "  bars = function() return '|planet| => {{planet}}' end,\n"
    "  count = function() n = n + 1 return n end,\n"
    "  raw = function(t) return t == '{{x}}' and 'yes' or 'no' end,\n"
    "  twice = function(t) return t .. '{{planet}}' .. t end,\n"
    "  twice_bars = function(t)\n"
    "    return t .. '{{planet}} => |planet|' .. t\n"
    "  end,\n"
    "  same = function(t) return t end,\n"
    "  bold = function(t, render) return '<b>' .. render(t) .. '</b>' end,\n"
    "  both = function(t, render) return render(t) .. '+' .. render(t) end,\n"
    "}\n"
    "lambdas.same = function(t) return t or '{{planet}}' end\n";

static void push_tree(lua_State *L, const struct tree *tree);

static void push_members(lua_State *L, const struct tree *tree)
{
    int i = 0;

    lua_newtable(L);
    if (tree->kind == TREE_MAP) { /* {} is an object here, too */
        lua_getglobal(L, "object");
        lua_setmetatable(L, -2);
    }
    for (const struct tree *one = tree->first; one != NULL; one = one->next) {
        push_tree(L, one);
        if (tree->kind == TREE_MAP) {
            lua_pushlstring(L, one->name.data, one->name.len);
            lua_insert(L, -2);
            lua_rawset(L, -3);
        } else {
            lua_rawseti(L, -2, ++i);
        }
    }
}

static void push_word(lua_State *L, const struct tree *tree)
{
    if (pl_str_eq(tree->text, PL_STR("true")) ||
        pl_str_eq(tree->text, PL_STR("false"))) {
        lua_pushboolean(L, tree->text.data[0] == 't');
        return;
    }
    lua_pushlstring(L, tree->text.data, tree->text.len);
    if (lua_isnumber(L, -1)) {
        lua_pushnumber(L, lua_tonumber(L, -1));
        if (pl_str_chr(tree->text, '.') < 0) {
            lua_pushinteger(L, lua_tointeger(L, -1));
            lua_remove(L, -2);
        }
        lua_remove(L, -2);
    }
}

static void push_tree(lua_State *L, const struct tree *tree)
{
    switch (tree->kind) {
    case TREE_NULL:
        lua_pushlightuserdata(L, NULL); /* pl.json.null */
        return;
    case TREE_WORD:
        push_word(L, tree);
        return;
    case TREE_LAMBDA:
        lua_getglobal(L, "lambdas");
        lua_pushlstring(L, tree->text.data, tree->text.len);
        lua_rawget(L, -2);
        lua_remove(L, -2);
        return;
    default:
        push_members(L, tree);
    }
}

static void check_case(lua_State *L, const struct example *one)
{
    const char *data = one->data,
               *partials = one->partials == NULL ? "{}" : one->partials;
    struct pl_arena arena;
    struct pl_str got;

    pl_arena_init(&arena, pl_loop_pool(loop), NULL);
    lua_getglobal(L, "mustache");
    lua_pushstring(L, one->source);
    push_tree(L, tree_read(&arena, &data, 50));
    push_tree(L, tree_read(&arena, &partials, 50));
    CHECK_INT(0, lua_pcall(L, 3, 1, 0), lua_tostring(L, -1));
    CHECK(lua_type(L, -1) == LUA_TSTRING, one->what);
    got.data = lua_tolstring(L, -1, &got.len);
    CHECK_STR(one->want, got, one->what);
    lua_pop(L, 1);
    pl_arena_fini(&arena);
}

static void test_lua_mustache__all_modules(void **state)
{
    static const struct {
        const struct example *examples;
        size_t n;
    } modules[] = {
#define MODULE(name) {name##_cases, PL_COUNT(name##_cases)}
        MODULE(comments),    MODULE(delimiters), MODULE(interpolation),
        MODULE(sections),    MODULE(inverted),   MODULE(partials),
        MODULE(dynamic),     MODULE(lambda),     MODULE(rendering),
        MODULE(inheritance),
    };
    lua_State *L = pl_vm_state(vm);

    (void)state;
    run_ok(lambdas_of_lua, "lambdas");
    run_ok("object = getmetatable(pl.json.object {})\n"
           "function mustache(...) return assert(pl.mustache(...)) end",
           "names");
    for (size_t i = 0; i < PL_COUNT(modules); i++)
        for (size_t k = 0; k < modules[i].n; k++)
            check_case(L, &modules[i].examples[k]);
}

/* ---- values ---- */

static const struct {
    const char *what, *code, *want;
} values[] = {
    {"no data", "pl.mustache('a{{b}}{{.}}')", "a"},
    {"data that is no table", "pl.mustache('{{.}}{{b}}', 'x<')", "x&lt;"},
    {"numbers", "pl.mustache('{{a}} {{b}} {{c}}', {a = 3, b = -1.5, c = 1e20})",
     "3 -1.5 1e+20"},
    {"truth", "pl.mustache('{{a}} {{b}}', {a = true, b = false})",
     "true false"},
    {"false hides what is outside",
     "pl.mustache('{{#c}}{{a}}{{^a}}no{{/a}}{{/c}}', {a = 1, c = {a = false}})",
     "falseno"},
    {"an empty text is false",
     "pl.mustache('{{#a}}x{{/a}}{{^a}}y{{/a}}', "
     "{a = ''})",
     "y"},
    {"zero is not", "pl.mustache('{{#a}}x{{/a}}', {a = 0})", "x"},
    {"null", "pl.mustache('[{{a}}{{#a}}x{{/a}}]', {a = pl.json.null})", "[]"},
    {"null hides, too",
     "pl.mustache('{{#c}}[{{a}}]{{/c}}', {a = 1, c = {a = pl.json.null}})",
     "[]"},
    {"an empty table is a list",
     "pl.mustache('{{#a}}x{{/a}}{{^a}}y{{/a}}', {a = {}})", "y"},
    {"an empty object is not",
     "pl.mustache('{{#a}}x{{/a}}', {a = pl.json.object {}})", "x"},
    {"an empty array", "pl.mustache('{{#a}}x{{/a}}', {a = pl.json.array {}})",
     ""},
    {"the other empty array",
     "pl.mustache('{{#a}}x{{/a}}', {a = pl.json.empty_array})", ""},
    {"a table has no text", "pl.mustache('[{{a}}]', {a = {1}})", "[]"},
    {"unless it says which",
     "pl.mustache('{{a}}', {a = setmetatable({}, {__tostring = function() "
     "return '<t>' end})})",
     "&lt;t&gt;"},
    {"members that a metatable finds",
     "pl.mustache('{{a.b}}{{#a}}{{c}}{{/a}}', {a = setmetatable({}, {__index = "
     "function(_, k) return k .. '!' end})})",
     "b!c!"},
    {"texts have no members", "pl.mustache('[{{a.len}}{{a.rep}}]', {a = 'x'})",
     "[]"},
    {"a lambda gets the context",
     "pl.mustache('{{#l}}{{full}} {{/l}}', {l = {{a = 1}, {a = 2}}, full = "
     "function(c) return 'n' .. c.a end})",
     "n1 n2 "},
    {"one of a section, too",
     "pl.mustache('{{#l}}{{#f}}x{{/f}}{{/l}}', {l = {{a = 1}}, f = "
     "function(t, _, c) return t .. c.a end})",
     "x1"},
    {"nothing", "pl.mustache('[{{f}}{{#f}}x{{/f}}]', {f = function() end})",
     "[]"},
    {"true: the section is shown; false: it is not",
     "pl.mustache('{{#t}}{{x}}{{/t}}{{#f}}{{x}}{{/f}}', {x = 1, t = function() "
     "return true end, f = function() return false end})",
     "1"},
    {"a lambda that has rendered",
     "pl.mustache('{{#l}}{{x}}{{/l}}', {x = '{{y}}', l = function(t, render) "
     "return render(t) .. '{{x}}' end})",
     "{{y}}{{x}}"},
    {"in another coroutine",
     "pl.mustache('{{#s}}{{#l}}{{x}}{{/l}}{{/s}}', {s = {x = 7}, l = "
     "function(t, render) return coroutine.wrap(render)(t) end})",
     "7"},
    {"a partial by a function",
     "pl.mustache('{{>a}}{{>b}}', {}, setmetatable({}, {__index = "
     "function(_, name) return '<' .. name .. '>' end}))",
     "<a><b>"},
    {"a partial many times",
     "pl.mustache('{{#l}}{{>p}}{{/l}}', {l = {1, 2, 3}}, {p = '{{.}},'})",
     "1,2,3,"},
    {"in itself",
     "pl.mustache('{{#l}}{{f}}{{/l}}', {l = {1, 2}, f = function(c)"
     " return pl.mustache('({{.}})', c) end})",
     "(1)(2)"},
};

static void test_lua_mustache__values_of_lua(void **state)
{
    char code[400];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(values); i++) {
        snprintf(code, sizeof(code), "note((%s))", values[i].code);
        for (int round = 0; round < 2; round++) {
            run_ok(code, values[i].what);
            check_noted(values[i].want, values[i].what);
        }
    }
}

/* ---- errors ---- */

static const struct {
    const char *what, *code, *want;
} faults[] = {
    {"a fault", "pl.mustache('a\\n{{#b}}', {})",
     "nil syntax pl.mustache: template:2: a section, a block or a parent that "
     "is not closed"},
    {"in a partial", "pl.mustache('{{>p}}', {}, {p = '\\n{{b'})",
     "nil syntax pl.mustache: p:2: a tag that is not closed"},
    {"in what a lambda gives",
     "pl.mustache('\\n{{l}}', {l = function() return '{{' end})",
     "nil syntax pl.mustache: template:1: a tag that is not closed"},
    {"a partial in itself", "pl.mustache('{{>p}}', {}, {p = '.{{>p}}'})",
     "nil limit pl.mustache: p:1: too many sections and partials in each "
     "other"},
    {"too many steps",
     "pl.mustache(('{{#l}}'):rep(8) .. ('{{/l}}'):rep(8), "
     "{l = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0}})",
     "nil limit pl.mustache: template:1: rendering takes too long"},
    {"too much text",
     "pl.mustache('{{#l}}{{#l}}{{t}}{{/l}}{{/l}}', {l = {1, 2, 3, 4, 5, 6, 7, "
     "8, 9}, t = ('x'):rep(1e6)})",
     "nil limit pl.mustache: template:1: the output is too large"},
    {"a list in itself",
     "(function() local l = {} l[1] = l return pl.mustache(('{{#l}}'):rep(90) "
     ".. '{{>p}}' .. ('{{/l}}'):rep(90), {l = l}, {p = '{{#.}}{{>p}}{{/.}}'}) "
     "end)()",
     "nil limit pl.mustache: p:1: too many sections and partials in each "
     "other"},
};

static void test_lua_mustache__faults_have_a_line(void **state)
{
    char code[600];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        snprintf(code, sizeof(code),
                 "local text, err = %s\n"
                 "note(tostring(text), err.code, err.message)",
                 faults[i].code);
        run_ok(code, faults[i].what);
        check_noted(faults[i].want, faults[i].what);
    }
}

static const struct {
    const char *what, *code, *want;
} misuse[] = {
    {"no template", "pl.mustache({})",
     "test:1: pl.mustache: the template must be a string, not a table"},
    {"partials", "pl.mustache('', {}, 'x')",
     "test:1: pl.mustache: the partials must be a table of strings"},
    {"a partial", "pl.mustache('{{>p}}', {}, {p = 1})",
     "test:1: pl.mustache: a partial must be a string, not a number"},
    {"a lambda's result",
     "pl.mustache('{{l}}', {l = function() return {} end})",
     "test:1: a lambda of a template gives a text, not a table"},
    {"a lambda's error",
     "pl.mustache('{{#a}}{{l}}{{/a}}', {a = {{}, 1}, l = function() "
     "error 'no moon' end})",
     "test:1: no moon"},
    {"an error in a metatable",
     "pl.mustache('{{#a}}{{b}}{{/a}}', {a = setmetatable({}, {__index = "
     "function() error 'no member' end})})",
     "test:1: no member"},
    {"an error deep within",
     "pl.mustache('{{#l}}{{#l}}{{#l}}{{f}}{{/l}}{{/l}}{{/l}}', {l = function(t,"
     " render) return render(t) end, f = function() error 'deep' end})",
     "test:1: deep"},
    {"a lambda that waits",
     "pl.mustache('{{l}}', {l = function() pl.sleep(1) end})",
     "pl.sleep: cannot wait inside a function that C code calls"},
    {"rendering later",
     "local keep pl.mustache('{{#l}}x{{/l}}', {l = function(_, render) keep = "
     "render end}) keep('x')",
     "render: only while its lambda is called"},
    {"rendering later in the same one",
     "local keep pl.mustache('{{#l}}x{{/l}}{{#m}}y{{/m}}', {l = function(_, "
     "render) keep = render end, m = function(t) return keep(t) end})",
     "render: only while its lambda is called"},
    {"rendering for one that has failed",
     "local keep pl.mustache('{{#l}}{{#m}}{{/m}}{{/l}}', {l = function(t, "
     "render) pcall(render, t) return keep(t) end, m = function(_, render) "
     "keep = render error 'x' end})",
     "render: only while its lambda is called"},
    {"rendering what is no text",
     "pl.mustache('{{#l}}x{{/l}}', {l = function(_, render) return render({}) "
     "end})",
     "test:1: render: the text must be a string, not a table"},
};

static void test_lua_mustache__misuse_is_an_error(void **state)
{
    char code[600];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(misuse); i++) {
        snprintf(code, sizeof(code), "%s return 0", misuse[i].code);
        if (strstr(code, "local keep") == NULL)
            snprintf(code, sizeof(code), "local _ = %s", misuse[i].code);
        CHECK(run(code) < 0, misuse[i].what);
        snprintf(code, sizeof(code), "%s: %s", load.error.where,
                 load.error.text);
        CHECK(strstr(code, misuse[i].want) != NULL, code);
        run_ok("note((pl.mustache('{{a}}', {a = 'ok'})))", "goes on");
        check_noted("ok", "goes on");
    }
}

/* What a lambda catches leaves the rendering as it was. */
static void test_lua_mustache__errors_can_be_caught(void **state)
{
    (void)state;
    run_ok("local out = pl.mustache('<{{#l}}a{{x}}{{#m}}{{n}}{{/m}}b{{/l}}>', "
           "{x = 1, n = function() error 'n' end, m = {1, 2}, "
           "l = function(t, render)\n"
           "  local ok = pcall(render, t)\n"
           "  local bad, err = pcall(render, '{{#x')\n"
           "  return render('{{x}}') .. tostring(ok) .. tostring(bad)\n"
           "    .. err.code\n"
           "end})\n"
           "note(out)",
           "caught");
    check_noted("<1falsefalsesyntax>", "caught");
}

/* Compiled texts come and go: none is used after it was freed. */
static void test_lua_mustache__many_texts(void **state)
{
    (void)state;
    run_ok(
        "for round = 1, 3 do for i = 1, 1500 do\n"
        "  local text = 'p' .. i .. '{{x}}'\n"
        "  local out = pl.mustache(text .. '{{>p}}', {x = i}, {p = text})\n"
        "  assert(out == ('p%d%dp%d%d'):format(i, i, i, i), out)\n"
        "  if i % 100 == 0 then collectgarbage() end\n"
        "end end\n"
        "local partials = {}\n"
        "for i = 1, 600 do partials['p' .. i] = 'P' .. i end\n"
        "local all = {}\n"
        "for i = 1, 600 do all[i] = '{{#gc}}{{/gc}}{{>p' .. i .. '}}' end\n"
        "local out = pl.mustache(table.concat(all), {gc = function() "
        "collectgarbage('step') end}, partials)\n"
        "assert(out:find('P1P2', 1, true) and out:find('P599P600', 1, true))",
        "many texts");
}

/* In steady state nothing comes from malloc: Lua's own memory apart. */
static void test_lua_mustache__takes_no_memory(void **state)
{
    uint64_t before;

    (void)state;
    run_ok("local rows = {}\n"
           "for i = 1, 12 do rows[i] = {id = i, message = '<b>' .. i} end\n"
           "function page() return pl.mustache(\n"
           "  '<table>{{#rows}}<tr><td>{{id}}</td><td>{{message}}</td>'\n"
           "  .. '</tr>{{/rows}}</table>{{>foot}}', {rows = rows},\n"
           "  {foot = '<p>'}) end\n"
           "for i = 1, 100 do page() end",
           "warm");
    before = pl_loop_pool(loop)->mallocs;
    run_ok("for i = 1, 100 do page() end", "more");
    CHECK_INT(before, pl_loop_pool(loop)->mallocs, "no malloc");
}

RUN_TESTS(LUA_TEST(test_lua_mustache__all_modules),
          LUA_TEST(test_lua_mustache__values_of_lua),
          LUA_TEST(test_lua_mustache__faults_have_a_line),
          LUA_TEST(test_lua_mustache__misuse_is_an_error),
          LUA_TEST(test_lua_mustache__errors_can_be_caught),
          LUA_TEST(test_lua_mustache__many_texts),
          LUA_TEST(test_lua_mustache__takes_no_memory))
