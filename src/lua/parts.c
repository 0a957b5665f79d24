#include "lua/parts.h"

#include <string.h>

#include "base/features.h"
#include "lua/wait.h"
#include "lua/web_priv.h"

/* What `pl` may lack: its field, the part that sets it, and the functions that
 * the part is given (each with the VM as its upvalue), or NULL. Those of a site
 * are there only while one is served, and their functions are what
 * pl_web_register() makes. Without a field: core.load_part(name).
 *
 * Each program has all rows, so they are small. A letter in front of the name
 * says whether the part is there (+), and for sites only (s), or was left out
 * (-: then only parts without a field need a name). */
#define ROW(feature, field, marked, natives)                                   \
    {                                                                          \
        field, marked,                                                         \
            PL_WITH_##feature ? (const void *)natives : PL_FEATURE_##feature   \
    }
#define GLUE(a, b) GLUE_EXPANDED(a, b)
#define GLUE_EXPANDED(a, b) a##b
#define MARK_0(letter) "-"
#define MARK_1(letter) letter
#define NAMED_0(marked) "-"
#define NAMED_1(marked) marked
#define LETTER_false "+"
#define LETTER_true "s"
#define PART(feature, field, name, natives)                                    \
    ROW(feature, #field, GLUE(NAMED_, PL_WITH_##feature)("+" #name), natives)
#define SITE(feature, field, name, natives)                                    \
    ROW(feature, #field, GLUE(NAMED_, PL_WITH_##feature)("s" #name), natives)
#define INNER(feature, name, natives, site)                                    \
    ROW(feature, NULL, GLUE(MARK_, PL_WITH_##feature)(LETTER_##site) #name,    \
        natives)

static const struct part {
    const char *field;
    const char *marked; /* the name, behind its letter */
    const void *what;   /* the functions, or the feature that was left out */
} parts[] = {
    /* clang-format off */
    PART(CONTENT, aio, aio, NULL),
    PART(CORE, all, group, pl_lua_group),
    PART(LIBRARY, base64, codec, pl_lua_codec),
    PART(SOCKETS, connect, socket, pl_lua_socket),
    PART(LIBRARY, crypto, crypto, pl_lua_crypto),
    PART(CORE, env, env, pl_lua_env),
    PART(LIBRARY, escape, codec, pl_lua_codec),
    PART(CORE, every, timer, pl_lua_timer),
    PART(LIBRARY, fs, fs, pl_lua_fs),
    PART(LIBRARY, fs_watch, fs_watch, pl_lua_fs_watch),
    PART(LIBRARY, hex, codec, pl_lua_codec),
    PART(CORE, log, log, pl_lua_log),
    PART(LIBRARY, mime, mime, pl_lua_mime),
    PART(CONTENT, cached, cached, NULL),
    PART(CONTENT, markdown, markdown, pl_lua_markdown),
    PART(CONTENT, mustache, mustache, pl_lua_mustache),
    PART(RELOAD, persist, persist, pl_lua_persist),
    PART(LIBRARY, process, process, pl_lua_process),
    PART(RELOAD, reload, reload, pl_lua_reload),
    PART(CORE, race, group, pl_lua_group),
    PART(CORE, spawn, task, pl_lua_task),
    PART(CORE, stopping, stopping, pl_lua_stopping),
    PART(LIBRARY, time, time, pl_lua_time),
    PART(CORE, timeout, group, pl_lua_group),
    PART(SOCKETS, udp, udp, pl_lua_udp),
    PART(LIBRARY, url, url, pl_lua_url),
    PART(LIBRARY, uuid, uuid, pl_lua_uuid),
    PART(SOCKETS, wait, wait, pl_lua_wait),
    PART(SOCKETS, wait_all, wait, pl_lua_wait),
    PART(SOCKETS, wait_any, wait, pl_lua_wait),
    PART(WATCHDOG, watchdog, watchdog, pl_lua_watchdog),
    PART(SHARE, channel, channel, pl_lua_channel),
    PART(SHARE, messages, bus, pl_lua_bus),
    PART(SHARE, publish, bus, pl_lua_bus),
    PART(SHARE, shared, shared, pl_lua_shared),
    PART(SHARE, subscribe, bus, pl_lua_bus),
    PART(SHARE, workers, workers, pl_lua_bus),
    SITE(AUTH, basic, basic, NULL),
    SITE(AUTH, csrf, csrf, NULL),
    PART(AUTH, jwt, jwt, NULL),
    SITE(AUTH, keys, keys, NULL),
    SITE(AUTH, session, session, NULL),
    SITE(COMPRESS, compress, compress, pl_lua_compress),
    SITE(FILTERS, cors, filters, pl_lua_filters),
    SITE(CONTENT, content, content, pl_lua_content),
    SITE(CORE, group, scope, pl_lua_scope),
    SITE(CORE, host, scope, pl_lua_scope),
    SITE(MODULES, handler, module, pl_lua_module),
    SITE(LWAN, lwan, lwan, pl_lua_lwan),
    SITE(MODULES, module, module, pl_lua_module),
    SITE(FILTERS, request_id, filters, pl_lua_filters),
    SITE(FILTERS, security_headers, filters, pl_lua_filters),
    SITE(CONTENT, pages, pages, NULL),
    SITE(REWRITE, cache_control, upkeep, pl_lua_upkeep),
    SITE(REWRITE, maintenance, upkeep, pl_lua_upkeep),
    SITE(REWRITE, redirect, rewrite, pl_lua_rewrite),
    SITE(REWRITE, response, rewrite, pl_lua_rewrite),
    SITE(REWRITE, rewrite, rewrite, pl_lua_rewrite),
    SITE(CORE, set, settings, pl_lua_settings),
    SITE(CORE, static, static, pl_lua_static),
    SITE(UPSTREAM, proxy, upstream, pl_lua_upstream),
    SITE(SOCKETS, tcp, tcp, pl_lua_tcp),
    SITE(CORE, use, filter, pl_lua_filter),
    SITE(CORE, websocket, websocket, NULL),
    INNER(AUTH, identity, pl_lua_auth, true),
#if PL_WITH_CONTENT
    INNER(CONTENT, aio_query, NULL, false),
    INNER(CONTENT, codec_80s, NULL, false),
    INNER(CONTENT, page, pl_lua_page, true),
    INNER(CONTENT, page_code, NULL, false),
    INNER(CONTENT, page_folder, pl_lua_page, true),
    INNER(CONTENT, page_names, pl_lua_page, true),
    INNER(CONTENT, signal, pl_lua_signal, false),
#endif
    INNER(CORE, body, pl_lua_body, true),
    INNER(RELOAD, chunk, pl_lua_chunk, false),
    INNER(RELOAD, handover, pl_lua_handover, true),
    INNER(SOCKETS, hijack, pl_lua_hijack, true),
    INNER(CORE, listen, NULL, true),
#if PL_WITH_LWAN
    INNER(LWAN, lwan_config, NULL, true),
    INNER(LWAN, lwan_globals, NULL, true),
    INNER(LWAN, lwan_lua, NULL, true),
    INNER(LWAN, lwan_pages, NULL, true),
    INNER(LWAN, lwan_rewrite, NULL, true),
    INNER(LWAN, lwan_request, pl_lua_lwan, true),
    INNER(LWAN, lwan_site, pl_lua_lwan, true),
#endif
    INNER(CORE, options, NULL, false),
    INNER(CORE, require, pl_lua_signal, false),
    INNER(SANDBOX, sandbox, pl_lua_sandbox, true),
    INNER(CONTENT, render, pl_lua_render, true),
    INNER(CORE, response, pl_lua_response, true),
    INNER(PROXY, proxy, pl_lua_proxy, true),
    INNER(STREAMS, stream, pl_lua_stream, true),
    INNER(FORMS, upload, pl_lua_upload, true),
    INNER(TLS, tls, NULL, false),
    INNER(CORE, ws, pl_lua_ws, true),
    /* clang-format on */
};

static const char *name_of(const struct part *part)
{
    return part->marked + 1;
}

static bool is_of_site(const struct part *part)
{
    return part->marked[0] == 's';
}

/* The feature, if it was left out. */
static const char *missing(const struct part *part)
{
    return part->marked[0] == '-' ? part->what : NULL;
}

static const struct part *find(const struct pl_vm *vm, const char *field)
{
    for (size_t i = 0; i < PL_COUNT(parts); i++) {
        if (parts[i].field != NULL && strcmp(parts[i].field, field) == 0)
            return is_of_site(&parts[i]) && vm->site == NULL ? NULL : &parts[i];
    }
    return NULL;
}

static void push_natives(lua_State *L, const struct part *part)
{
    lua_newtable(L);
    if (part->what == NULL)
        return;
    if (is_of_site(part))
        pl_web_register(L, pl_vm_upvalue(L), part->what);
    else
        pl_vm_register(L, pl_vm_upvalue(L), part->what);
}

/* pl.NAME for a name that pl does not have. */
static int load_field(lua_State *L)
{
    const struct part *part = NULL;

    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING)
        part = find(pl_vm_upvalue(L), lua_tostring(L, 2));
    if (part == NULL)
        return 0;
    if (missing(part) != NULL)
        return pl_lua_fail(L, "pl.%s: " PL_WITHOUT "%s", part->field,
                           missing(part));
    push_natives(L, part);
    if (!pl_lua_run_lib(L, name_of(part)))
        lua_setfield(L, 1, part->field);
    lua_pushvalue(L, 2);
    lua_rawget(L, 1);
    return 1;
}

static const struct part *find_inner(const char *name)
{
    const struct part *part = parts;

    while (part->field != NULL || strcmp(name_of(part), name) != 0)
        part++; /* the names are those of our own files */
    return part;
}

/* core.load_part(name), unless it has been loaded. */
static int load_inner(lua_State *L)
{
    const struct part *part = find_inner(luaL_checkstring(L, 1));

    lua_rawgetp(L, LUA_REGISTRYINDEX, part);
    if (lua_toboolean(L, -1))
        return 0;
    if (missing(part) != NULL)
        return pl_lua_fail(L, PL_WITHOUT "%s", missing(part));
    push_natives(L, part);
    pl_lua_run_lib(L, name_of(part));
    lua_pushboolean(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, part);
    return 0;
}

void pl_lua_open_parts(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg of_core[] = {
        {"load_part", load_inner},
        {NULL, NULL},
    };
    static const luaL_Reg of_pl[] = {
        {"__index", load_field},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, of_core);
    lua_newtable(L);
    lua_newtable(L);
    pl_vm_register(L, vm, of_pl);
    lua_setmetatable(L, -2);
}
