/* lib_upkeep.c - filters that a site is run with, made by a site: natives of
 * lua/perilune/lib/upkeep.lua, which has checked the types. */
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/caching.h"
#include "filters/maintenance.h"
#include "lua/filter.h"
#include "lua/lib_shared.h"
#include "lua/parts.h"
#include "lua/web_priv.h"
#include "share/member.h"

static const char *text(lua_State *L, int index)
{
    return lua_isstring(L, index) ? lua_tostring(L, index) : NULL;
}

/* Pushes what was made, or raises what is wrong with it. */
static int give(lua_State *L, const char *call, struct pl_filter *filter,
                const struct pl_error *error)
{
    if (filter == NULL)
        return pl_lua_fail(L, "%s: %s", call, error->text);
    pl_lua_filter_push(L, pl_vm_upvalue(L)->site, filter, call);
    return 1;
}

/* ---- maintenance ---- */

/* A key of a dictionary that all workers share. */
struct flag {
    struct pl_vm *vm;
    struct pl_dict *dict;
    struct pl_str key;
    char text[];
};

/* Set, and not to false. */
static bool is_set(struct pl_request *req, void *arg)
{
    const struct flag *flag = arg;
    struct pl_dict_user user = pl_member_user(flag->vm->options.member);
    struct pl_datum value;
    bool set;

    pl_dict_get(flag->dict, &user, flag->key, &value);
    set = value.type != PL_DATUM_NONE &&
          (value.type != PL_DATUM_BOOL || value.boolean);
    pl_epoch_leave(user.reader);
    return set;
}

static struct flag *new_flag(lua_State *L, struct pl_dict *dict,
                             struct pl_str key)
{
    struct flag *flag = pl_malloc(sizeof(*flag) + key.len);

    if (flag == NULL)
        pl_lua_no_memory(L, "pl.maintenance");
    *flag = (struct flag){
        .vm = pl_vm_upvalue(L), .dict = dict, .key = {flag->text, key.len}};
    memcpy(flag->text, key.data, key.len);
    return flag;
}

/* maintenance(file, retry_after, allow, message, dictionary, key) -> filter */
static int maintenance(lua_State *L)
{
    struct pl_maintenance_options options = {.size = sizeof(options),
                                             .file = text(L, 1),
                                             .retry_after = text(L, 2),
                                             .allow = text(L, 3),
                                             .message = text(L, 4)};
    struct pl_error error = {.code = 0};
    struct pl_str key;

    if (options.file != NULL &&
        pl_site_name_path(pl_vm_upvalue(L)->site, pl_str_c(options.file),
                          PL_PATH_READ) < 0)
        return pl_lua_no_memory(L, "pl.maintenance");
    if (PL_WITH_SHARE && lua_isuserdata(L, 5)) {
        key = pl_arg_str(L, 6, "pl.maintenance", "the key");
        options.arg = new_flag(L, pl_lua_shared_dict(L, 5), key);
        options.on = is_set;
    }
    return give(L, "pl.maintenance",
                pl_maintenance_new(
                    &options, options.arg == NULL ? NULL : pl_free, &error),
                &error);
}

/* ---- what may be kept ---- */

/* cache_control({ { pattern, cache_control, expires }, ... }) -> filter */
static int cache_control(lua_State *L)
{
    size_t n = lua_rawlen(L, 1);
    struct pl_caching_rule *rules =
        lua_newuserdata(L, (n + 1) * sizeof(*rules));
    struct pl_error error = {.code = 0};

    for (size_t i = 0; i < n; i++) { /* the texts stay in the tables */
        lua_rawgeti(L, 1, (int)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        lua_rawgeti(L, -3, 3);
        rules[i] = (struct pl_caching_rule){.pattern = text(L, -3),
                                            .cache_control = text(L, -2),
                                            .expires = text(L, -1)};
        lua_pop(L, 4);
    }
    return give(L, "pl.cache_control", pl_caching_new(rules, n, &error),
                &error);
}

const luaL_Reg pl_lua_upkeep[] = {
    {"maintenance", maintenance},
    {"cache_control", cache_control},
    {NULL, NULL},
};
