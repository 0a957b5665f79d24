/* web_record.c - the functions by which a site records its routes, listeners
 * and settings. Lua has checked the types.
 *
 * What can raise comes before what C owns: a handler is made when nothing but
 * its own site can refuse it. */
#include "base/features.h"
#include "base/str.h"
#include "handlers/listing.h"
#include "lua/module.h"
#include "lua/site.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

static struct pl_site *site_of(lua_State *L)
{
    return pl_vm_upvalue(L)->site;
}

/* Pushes the place in the site that calls the library, for messages. */
static const char *caller(lua_State *L)
{
    pl_lua_push_caller(L);
    return lua_tostring(L, -1);
}

static int refuse(lua_State *L, const char *call, const struct pl_error *error)
{
    return pl_lua_fail(L, "%s: %s", call, error->text);
}

static const char *arg_text(lua_State *L, int index)
{
    return lua_tostring(L, index); /* NULL: not given */
}

static struct pl_str arg_str(lua_State *L, int index)
{
    struct pl_str s = {NULL, 0};

    if (lua_isstring(L, index))
        s.data = lua_tolstring(L, index, &s.len);
    return s;
}

/* ---- routes ---- */

static unsigned check_method(lua_State *L, struct pl_str name)
{
    enum pl_method method;
    char upper[16];
    size_t i;

    if (pl_str_ieq(name, PL_STR("any")))
        return PL_METHODS_ANY;
    for (i = 0; i < name.len && i < sizeof(upper); i++)
        upper[i] = name.data[i] >= 'a' && name.data[i] <= 'z'
                       ? (char)(name.data[i] - 32)
                       : name.data[i];
    method = pl_method_parse(pl_str(upper, i));
    if (i < name.len || method == PL_METHOD_UNKNOWN) {
        lua_pushlstring(L, name.data, PL_MIN(name.len, 32));
        pl_lua_fail(L, "%s: '%s' is not a method", arg_text(L, 1),
                    lua_tostring(L, -1));
    }
    return PL_METHOD_BIT(method);
}

/* Names with spaces between them. */
static unsigned check_methods(lua_State *L, struct pl_str list)
{
    unsigned methods = 0;
    struct pl_str name;

    while (pl_str_split(&list, ' ', &name))
        if (name.len > 0)
            methods |= check_method(L, name);
    if (methods == 0)
        pl_lua_fail(L, "%s: a method is needed", arg_text(L, 1));
    return methods;
}

/* The limits among the options of a route; as in pl.set 0 is none. */
#define LIMIT(name, member)                                                    \
    {                                                                          \
        name, offsetof(struct pl_body_limits, member),                         \
            sizeof(((struct pl_body_limits *)NULL)->member)                    \
    }
static const struct {
    const char *name;
    size_t field, width;
} limits_of_routes[] = {
    LIMIT("max_body", max_body),   LIMIT("max_upload", max_upload),
    LIMIT("body_spool", spool),    LIMIT("max_form_fields", max_fields),
    LIMIT("max_parts", max_parts), LIMIT("body_rate", rate),
};

/* A size is a string, a count a number; false: the site's. */
static void take_limits(lua_State *L, int index, struct pl_body_limits *limits)
{
    for (size_t i = 0; i < PL_COUNT(limits_of_routes); i++) {
        char *field = (char *)limits + limits_of_routes[i].field;
        size_t width = limits_of_routes[i].width;
        uint64_t most = width == sizeof(uint64_t) ? UINT64_MAX : UINT32_MAX;
        uint64_t value = 0;
        uint32_t narrow;

        lua_getfield(L, index, limits_of_routes[i].name);
        if (lua_type(L, -1) == LUA_TNUMBER)
            value = (uint64_t)lua_tonumber(L, -1);
        else if (lua_isstring(L, -1) &&
                 (!pl_str_to_size(arg_str(L, -1), &value) || value >= most))
            pl_lua_fail(L, "%s: %s: '%s' is no size like \"1m\"",
                        arg_text(L, 1), limits_of_routes[i].name,
                        arg_text(L, -1));
        value = lua_isstring(L, -1) && value == 0 ? most : value;
        narrow = (uint32_t)value;
        memcpy(field, width == sizeof(narrow) ? (void *)&narrow : &value,
               width);
        lua_pop(L, 1);
    }
}

/* A limit of the budget on top of the stack; 0 is none. */
static uint64_t take_limit(lua_State *L, const char *name,
                           bool (*parse)(struct pl_str text, uint64_t *out))
{
    uint64_t value = 0;

    lua_getfield(L, -1, name);
    if (!lua_isnil(L, -1)) {
        if (!parse(arg_str(L, -1), &value))
            pl_lua_fail(L, "%s: budget: '%s' is no %s", arg_text(L, 1),
                        arg_text(L, -1), name);
        value = value == 0 ? UINT64_MAX : value;
    }
    lua_pop(L, 1);
    return value;
}

/* budget = { wall = "2s", cpu = "100ms", memory = "10m" } */
static void take_budget(lua_State *L, int index, struct pl_budget *budget)
{
    lua_getfield(L, index, "budget");
    if (lua_istable(L, -1)) {
        budget->wall_ms = take_limit(L, "wall", pl_str_to_ms);
        budget->cpu_ms = take_limit(L, "cpu", pl_str_to_ms);
        budget->memory = take_limit(L, "memory", pl_str_to_size);
    }
    lua_pop(L, 1);
}

void pl_web_read_limits(lua_State *L, int index,
                        struct pl_route_options *options)
{
    take_limits(L, index, &options->limits);
    take_budget(L, index, &options->budget);
}

/* fn is a function, or what pl.handler() has given. */
static struct pl_handler *new_handler(lua_State *L)
{
    struct pl_handler *handler;

    if (!PL_WITH_MODULES || lua_isfunction(L, 4))
        return pl_web_handler_new(L, pl_vm_upvalue(L), 4,
                                  lua_toboolean(L, 5) != 0);
    handler = pl_lua_bound_handler(L, 4);
    if (handler == NULL)
        pl_lua_fail(L, "out of memory");
    return handler;
}

/* core.route(call, methods, pattern, fn, response, expires, cache_control,
 * options [, mount]): response says whether fn takes one; mount: the pattern
 * is a prefix */
static int route(lua_State *L)
{
    unsigned methods = check_methods(L, arg_str(L, 2));
    struct pl_route_options options = {.expires = arg_str(L, 6),
                                       .cache_control = arg_str(L, 7)};
    bool mount = lua_toboolean(L, 9);
    struct pl_error error = {.code = 0};
    const char *where = caller(L);
    struct pl_handler *handler;

    pl_web_read_limits(L, 8, &options);
    handler = new_handler(L);
    if (pl_site_route(site_of(L), methods, arg_str(L, 3), mount, handler,
                      &options, where, &error) < 0)
        return refuse(L, arg_text(L, 1), &error);
    return 0;
}

/* What is not said in Lua is an absent value, and then the default of C. */
static void read_static(lua_State *L, struct pl_static_options *options)
{
    *options = (struct pl_static_options){
        .root = arg_text(L, 3),
        .index = arg_text(L, 4),
        .fallback = arg_text(L, 5),
        .not_found = arg_text(L, 6),
        .symlinks = arg_str(L, 7),
        .cache = arg_str(L, 8),
        .dot_files = lua_toboolean(L, 10),
        .no_precompressed = lua_toboolean(L, 11),
    };
    if (lua_isboolean(L, 9) && lua_toboolean(L, 9))
        options->preload = PL_STATIC_PRELOAD;
    else if (lua_isstring(L, 9) &&
             (!pl_str_to_size(arg_str(L, 9), &options->preload) ||
              options->preload == 0))
        pl_lua_fail(L, "%s: preload: '%s' is no size like \"64m\"",
                    arg_text(L, 1), arg_text(L, 9));
}

/* A template, true for the program's own, or false. */
static bool read_listing(lua_State *L, struct pl_static_options *options,
                         struct pl_error *error)
{
    const struct pl_listing_options listing = {
        .template = lua_isboolean(L, 14) ? NULL : arg_text(L, 14),
        .dot_files = options->dot_files,
    };

    if (!lua_toboolean(L, 14))
        return true;
    if (listing.template != NULL &&
        pl_site_name_path(site_of(L), pl_str_c(listing.template),
                          PL_PATH_READ) < 0) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return false;
    }
    options->folder = pl_listing_new(&listing, error);
    return options->folder != NULL;
}

/* mount(call, prefix, root, index, fallback, not_found, symlinks, cache,
 * preload, dot_files, no_precompressed, expires, cache_control, listing) */
static int mount_static(lua_State *L)
{
    const unsigned methods =
        PL_METHOD_BIT(PL_METHOD_GET) | PL_METHOD_BIT(PL_METHOD_HEAD);
    struct pl_route_options route_options = {.expires = arg_str(L, 12),
                                             .cache_control = arg_str(L, 13)};
    struct pl_error error = {.code = 0};
    const char *where = caller(L);
    struct pl_static_options options;
    struct pl_handler *handler;

    if (pl_site_name_path(site_of(L), arg_str(L, 3), PL_PATH_READ) < 0)
        return pl_lua_fail(L, "%s: out of memory", arg_text(L, 1));
    read_static(L, &options);
    if (!read_listing(L, &options, &error))
        return refuse(L, arg_text(L, 1), &error);
    handler = pl_static_new(&options, &error);
    if (handler == NULL ||
        pl_site_route(site_of(L), methods, arg_str(L, 2), true, handler,
                      &route_options, where, &error) < 0)
        return refuse(L, arg_text(L, 1), &error);
    return 0;
}

/* enter(call, host, prefix), leave() */
static int enter(lua_State *L)
{
    struct pl_error error = {.code = 0};
    const char *where = caller(L);

    if (pl_site_enter(site_of(L), arg_str(L, 2), arg_str(L, 3), where, &error) <
        0)
        return refuse(L, arg_text(L, 1), &error);
    return 0;
}

static int leave(lua_State *L)
{
    pl_site_leave(site_of(L));
    return 0;
}

/* ---- listeners and settings ---- */

/* A list of addresses and nothing else? */
static bool is_plain(lua_State *L, int index)
{
    bool plain = lua_istable(L, index) && lua_rawlen(L, index) > 0;

    if (!plain)
        return false;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        plain = plain && lua_type(L, -2) == LUA_TNUMBER &&
                lua_type(L, -1) == LUA_TSTRING;
        lua_pop(L, 1);
    }
    return plain;
}

/* The words stay on the stack. */
static void read_listen_options(lua_State *L, int index,
                                struct pl_listen_spec *spec)
{
    struct pl_listen_options *options = &spec->options;

    lua_getfield(L, index, "backlog");
    options->backlog = (int)lua_tointeger(L, -1);
    lua_getfield(L, index, "reuseport");
    options->sockets = (unsigned)lua_tointeger(L, -1);
    lua_getfield(L, index, "mode");
    options->mode = (unsigned)lua_tointeger(L, -1);
    lua_getfield(L, index, "owner");
    options->owner = arg_text(L, -1);
    lua_getfield(L, index, "group");
    options->group = arg_text(L, -1);
    lua_getfield(L, index, "v6only");
    options->v6only = lua_toboolean(L, -1);
    lua_getfield(L, index, "defer_accept");
    options->eager = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_getfield(L, index, "protocol");
    spec->protocol = arg_text(L, -1);
    lua_getfield(L, index, "proxy_protocol");
    spec->proxy_protocol = lua_isboolean(L, -1)
                               ? lua_toboolean(L, -1) ? "required" : NULL
                               : arg_text(L, -1);
    lua_getfield(L, index, "trusted");
    spec->trusted = arg_text(L, -1);
    lua_getfield(L, index, "redirect");
    options->https_port = (uint16_t)lua_tointeger(L, -1);
    lua_getfield(L, index, "tls");
    if (PL_WITH_TLS && lua_istable(L, -1))
        options->tls = pl_lua_read_tls(L, lua_gettop(L), "pl.listen");
    lua_getfield(L, index, "forwarded");
    spec->forwarded = lua_isboolean(L, -1) ? "" : arg_text(L, -1);
    if (PL_WITH_FASTCGI) {
        lua_getfield(L, index, "sendfile");
        options->sendfile = arg_text(L, -1);
    }
}

/* core.listen(addresses[, options[, service]]) -> true, or false: there are
 * options among the addresses, or it is no list. Nothing has been recorded
 * then. service: of lib_tcp.c; without it HTTP is spoken. */
static int add_listeners(lua_State *L)
{
    struct pl_error error = {.code = 0};
    struct pl_listen_spec spec = {.where = caller(L),
                                  .service = lua_touserdata(L, 3)};

    if (lua_istable(L, 2)) {
        read_listen_options(L, 2, &spec);
    } else if (!is_plain(L, 1)) {
        lua_pushboolean(L, false);
        return 1;
    }
    for (int i = 1; i <= (int)lua_rawlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        spec.address = arg_text(L, -1);
        if (pl_site_listen(site_of(L), &spec, &error) < 0)
            return pl_lua_fail(L, "pl.%s", error.text); /* "listen: ..." */
        lua_pop(L, 1);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* set(name, value) */
static int set(lua_State *L)
{
    struct pl_error error = {.code = 0};
    struct pl_value value = {.type = PL_VALUE_STRING};

    switch (lua_type(L, 2)) {
    case LUA_TBOOLEAN:
        value.type = PL_VALUE_BOOL;
        value.boolean = lua_toboolean(L, 2);
        break;
    case LUA_TNUMBER:
        value.type = PL_VALUE_NUMBER;
        value.number = lua_tonumber(L, 2);
        break;
    case LUA_TSTRING:
        value.string = arg_str(L, 2);
        break;
    default:
        return pl_lua_fail(L,
                           "pl.set: %s must be a string, a number, true or "
                           "false, not a %s",
                           arg_text(L, 1), luaL_typename(L, 2));
    }
    if (pl_site_set(site_of(L), arg_str(L, 1), &value, caller(L), &error) < 0)
        return refuse(L, "pl.set", &error);
    return 0;
}

/* set_header(name, value): for every response */
static int set_header(lua_State *L)
{
    struct pl_error error = {.code = 0};

    if (pl_site_add_header(site_of(L), arg_str(L, 1), arg_str(L, 2), caller(L),
                           &error) < 0)
        return refuse(L, "pl.set", &error);
    return 0;
}

const luaL_Reg pl_lua_scope[] = {
    {"enter", enter},
    {"leave", leave},
    {NULL, NULL},
};

const luaL_Reg pl_lua_settings[] = {
    {"set", set},
    {"set_header", set_header},
    {NULL, NULL},
};

const luaL_Reg pl_lua_static[] = {
    {"mount", mount_static},
    {NULL, NULL},
};

void pl_lua_open_web_record(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"route", route},
        {"listen", add_listeners},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
}
