/* lib_rewrite.c - pl.rewrite, pl.redirect, pl.response
 * (lua/perilune/lib/rewrite.lua): rules of a site, and functions that decide.
 *
 * What can raise comes before what C owns; a set belongs to its router before
 * it has rules, and a rule to its set before it has functions. */
#include "base/str.h"
#include "handlers/fixed.h"
#include "handlers/redirect.h"
#include "handlers/rewrite.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

static struct pl_site *site_of(lua_State *L)
{
    return pl_vm_upvalue(L)->site;
}

static int refuse(lua_State *L, const char *call, const struct pl_error *error)
{
    return pl_lua_fail(L, "%s: %s", call, error->text);
}

static const char *caller(lua_State *L)
{
    pl_lua_push_caller(L);
    return lua_tostring(L, -1);
}

/* A text among the rule's fields, which stays on the stack; NULL: none. */
static const char *field_text(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    return lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
}

/* ---- while the site is loaded ---- */

/* The tables that a request keeps of its old path: of its Lua objects, which
 * filters around mounted rules may have. */
static void forget_target(struct pl_request *req)
{
    static const enum pl_web_slot slots[] = {PL_WEB_SLOT_ARGS,
                                             PL_WEB_SLOT_PARAMS};
    struct pl_web *web = req->lua;
    lua_State *L;

    if (web == NULL || web->tables == 0)
        return;
    L = web->vm->main;
    lua_rawgeti(L, LUA_REGISTRYINDEX, web->kept);
    for (size_t i = 0; i < PL_COUNT(slots); i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, (int)slots[i]);
        web->tables &= ~(1u << slots[i]);
    }
    lua_pop(L, 1);
}

/* In the order of enum pl_when, from 1. */
static const char *const kinds[] = {
    "method",      "cookie",           "query",    "post",    "header",
    "environment", "backref",          "encoding", "proxied", "http_1.0",
    "https",       "has_query_string", "exists",   "is_file", "is_dir"};

_Static_assert(PL_COUNT(kinds) == PL_WHEN_FOLDER, "a name for each");

static enum pl_when find_kind(const char *name)
{
    unsigned i = 0;

    while (strcmp(kinds[i], name) != 0)
        i++; /* the names are those of our own file */
    return (enum pl_when)(i + 1);
}

/* One is { kind, name, value, unless }; the texts stay in the table. */
static void read_condition(lua_State *L, struct pl_condition *out)
{
    int table = lua_gettop(L);

    lua_rawgeti(L, table, 1);
    out->when = find_kind(lua_tostring(L, -1));
    lua_rawgeti(L, table, 2);
    out->name = lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    lua_rawgeti(L, table, 3);
    out->value = lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    lua_rawgeti(L, table, 4);
    out->unless = lua_toboolean(L, -1);
    lua_settop(L, table);
}

static void read_conditions(lua_State *L, int rule,
                            struct pl_rewrite_options *options)
{
    struct pl_condition *conditions;
    int list;

    lua_getfield(L, rule, "conditions");
    list = lua_gettop(L);
    options->conditions_count = lua_rawlen(L, list);
    conditions = lua_newuserdata(L, (options->conditions_count + 1) *
                                        sizeof(*conditions));
    for (size_t i = 0; i < options->conditions_count; i++) {
        lua_rawgeti(L, list, (int)i + 1);
        read_condition(L, &conditions[i]);
        lua_pop(L, 1);
    }
    options->conditions = conditions;
}

/* A function of the rule as a handler, or NULL. Raises. */
static struct pl_handler *handler_of(lua_State *L, int rule, const char *name)
{
    lua_getfield(L, rule, name);
    return lua_isfunction(L, -1)
               ? pl_web_handler_new(L, pl_vm_upvalue(L), lua_gettop(L), false)
               : NULL;
}

/* The rule in the table at index. */
static void add_rule(lua_State *L, const char *call, struct pl_rewrites *set,
                     int index, const char *where)
{
    struct pl_rewrite_options options = {.to = field_text(L, index, "to")};
    const char *pattern = field_text(L, index, "pattern");
    struct pl_error error = {.code = 0};
    struct pl_rewrite_rule *rule;

    lua_getfield(L, index, "redirect");
    options.redirect = (int)lua_tointeger(L, -1);
    lua_getfield(L, index, "last");
    options.last = lua_toboolean(L, -1);
    read_conditions(L, index, &options);
    if (pl_rewrites_add(set, site_of(L), pattern, &options, where, &error,
                        &rule) < 0)
        refuse(L, call, &error);
    pl_rewrite_rule_ask(rule, handler_of(L, index, "ask"));
    pl_rewrite_rule_make(rule, handler_of(L, index, "make"));
}

/* rewrite(call, rule) */
static int rewrite(lua_State *L)
{
    struct pl_rewrites *set = pl_rewrites_front(site_of(L));

    if (set == NULL)
        return pl_lua_no_memory(L, lua_tostring(L, 1));
    pl_rewrites_tell(set, forget_target);
    add_rule(L, lua_tostring(L, 1), set, 2, caller(L));
    return 0;
}

/* mount(call, prefix, rules) */
static int mount(lua_State *L)
{
    const char *call = lua_tostring(L, 1), *where = caller(L);
    struct pl_str prefix = pl_arg_str(L, 2, call, "the prefix");
    struct pl_error error = {.code = 0};
    struct pl_rewrites *set =
        pl_rewrites_mount(site_of(L), prefix, where, &error);

    if (set == NULL)
        return refuse(L, call, &error);
    pl_rewrites_tell(set, forget_target);
    for (int i = 1; i <= (int)lua_rawlen(L, 3); i++) {
        int top = lua_gettop(L);

        lua_rawgeti(L, 3, i);
        add_rule(L, call, set, top + 1, where);
        lua_settop(L, top);
    }
    return 0;
}

/* TAKES handler; NULL: error says why. */
static int add_handler(lua_State *L, struct pl_str pattern, bool mounted,
                       struct pl_handler *handler, const char *where,
                       struct pl_error *error)
{
    if (handler == NULL ||
        pl_site_route(site_of(L), PL_METHODS_ANY, pattern, mounted, handler,
                      NULL, where, error) < 0)
        return refuse(L, lua_tostring(L, 1), error);
    return 0;
}

/* redirect(call, prefix, options) */
static int redirect(lua_State *L)
{
    struct pl_str prefix = pl_arg_str(L, 2, lua_tostring(L, 1), "the prefix");
    struct pl_redirect_options options = {.to = field_text(L, 3, "to")};
    struct pl_error error = {.code = 0};
    const char *where = caller(L);

    lua_getfield(L, 3, "status");
    options.status = (int)lua_tointeger(L, -1);
    lua_getfield(L, 3, "rest");
    options.rest = lua_toboolean(L, -1);
    lua_getfield(L, 3, "query");
    options.query = lua_toboolean(L, -1);
    return add_handler(L, prefix, true, pl_redirect_new(&options, &error),
                       where, &error);
}

/* The list { name, value, ... } at index, with a NULL behind it. */
static const char *const *read_headers(lua_State *L, int index)
{
    size_t n = lua_rawlen(L, index);
    const char **out = lua_newuserdata(L, (n + 1) * sizeof(*out));

    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        out[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    out[n] = NULL;
    return out;
}

/* response(call, pattern, options): options.headers is such a list */
static int response(lua_State *L)
{
    struct pl_str pattern = pl_arg_str(L, 2, lua_tostring(L, 1), "the path");
    struct pl_fixed_options options = {.type = field_text(L, 3, "type")};
    struct pl_error error = {.code = 0};
    const char *where = caller(L);

    lua_getfield(L, 3, "status");
    options.status = (int)lua_tointeger(L, -1);
    lua_getfield(L, 3, "body");
    if (lua_isstring(L, -1))
        options.body.data = lua_tolstring(L, -1, &options.body.len);
    lua_getfield(L, 3, "headers");
    options.headers = read_headers(L, lua_gettop(L));
    return add_handler(L, pattern, false, pl_fixed_new(&options, &error), where,
                       &error);
}

/* ---- while a request is answered: called in the task of a function ---- */

static struct pl_rewrite_run *current_run(void)
{
    return pl_rewrite_run_of(pl_web_then());
}

/* captures() -> { [0] = the whole match, the captures }; positions are
 * numbers, from 1, as in string.find */
static int captures(lua_State *L)
{
    const struct pl_rewrite_run *run = current_run();
    const struct pl_luapat *pattern = pl_rewrite_pattern(run);
    struct pl_str text;
    const struct pl_luapat_match *match = pl_rewrite_match(run, &text);

    lua_createtable(L, (int)match->count, 1);
    for (unsigned i = 0; i <= match->count; i++) {
        if (i > 0 && pl_luapat_is_position(pattern, i))
            lua_pushinteger(L, match->parts[i].data - text.data + 1);
        else
            pl_lua_push_str(L, match->parts[i]);
        lua_rawseti(L, -2, (int)i);
    }
    return 1;
}

/* answer(yes) */
static int answer(lua_State *L)
{
    pl_rewrite_say(current_run(), lua_toboolean(L, 1));
    pl_web_leave();
    return 0;
}

static int bad_result(lua_State *L, const char *wanted, int index)
{
    lua_pushfstring(L, "%s: the function of a rewrite gives %s, not a %s",
                    pl_rewrite_where(current_run()), wanted,
                    luaL_typename(L, index));
    return lua_error(L);
}

/* answer_url(url or nil [, status]) */
static int answer_url(lua_State *L)
{
    struct pl_str url;
    int status = 0;

    if (lua_toboolean(L, 1) && lua_type(L, 1) != LUA_TSTRING)
        return bad_result(L, "a URL or nil", 1);
    if (!lua_isnoneornil(L, 2)) {
        status = (int)lua_tointeger(L, 2);
        if (!pl_redirect_status(status))
            return bad_result(L, "a status of redirects or nil behind the URL",
                              2);
    }
    url.data = lua_tolstring(L, 1, &url.len);
    if (url.data == NULL)
        pl_rewrite_say(current_run(), false);
    else if (pl_rewrite_say_url(current_run(), url, status) < 0)
        return pl_lua_no_memory(L, NULL);
    pl_web_leave();
    return 0;
}

const luaL_Reg pl_lua_rewrite[] = {
    {"rewrite", rewrite},       {"mount", mount},       {"redirect", redirect},
    {"response", response},     {"captures", captures}, {"answer", answer},
    {"answer_url", answer_url}, {NULL, NULL},
};
