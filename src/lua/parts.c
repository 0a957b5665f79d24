#include "lua/parts.h"

#include <string.h>

#include "base/check.h"
#include "base/features.h"
#include "lua/wait.h"
#include "lua/web_priv.h"

/* What `pl` may lack: its field, the part that sets it, and the functions that
 * the part is given (each with the VM as its upvalue), or NULL. Those of a SITE
 * are there only while one is served, and their functions are what
 * pl_web_register() makes. Without a field, for core.load_part(name): INNER of
 * a site, BARE of none, and OWN, which only parts of its own feature load. */
/* clang-format off */
#define CORE_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(all, group, pl_lua_group) \
    PART(env, env, pl_lua_env) \
    PART(every, timer, pl_lua_timer) \
    PART(log, log, pl_lua_log) \
    PART(race, group, pl_lua_group) \
    PART(spawn, task, pl_lua_task) \
    PART(stopping, stopping, pl_lua_stopping) \
    PART(timeout, group, pl_lua_group) \
    SITE(group, scope, pl_lua_scope) \
    SITE(host, scope, pl_lua_scope) \
    SITE(set, settings, pl_lua_settings) \
    SITE(static, static, pl_lua_static) \
    SITE(use, filter, pl_lua_filter) \
    SITE(websocket, websocket, NULL) \
    INNER(body, pl_lua_body) \
    INNER(listen, NULL) \
    BARE(options, NULL) \
    BARE(require, pl_lua_signal) \
    INNER(response, pl_lua_response) \
    INNER(ws, pl_lua_ws)
#define AUTH_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(basic, basic, NULL) \
    SITE(csrf, csrf, NULL) \
    PART(jwt, jwt, NULL) \
    SITE(keys, keys, NULL) \
    SITE(session, session, NULL) \
    INNER(identity, pl_lua_auth)
#define COMPRESS_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(compress, compress, pl_lua_compress)
#define CONTENT_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(aio, aio, NULL) \
    PART(cached, cached, NULL) \
    PART(markdown, markdown, pl_lua_markdown) \
    PART(mustache, mustache, pl_lua_mustache) \
    SITE(content, content, pl_lua_content) \
    SITE(pages, pages, NULL) \
    OWN(aio_query, NULL) \
    OWN(codec_80s, NULL) \
    OWN(page, pl_lua_page) \
    OWN(page_code, NULL) \
    OWN(page_folder, pl_lua_page) \
    OWN(page_names, pl_lua_page) \
    BARE(signal, pl_lua_signal) \
    INNER(render, pl_lua_render)
#define FASTCGI_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(fastcgi, fastcgi, pl_lua_fastcgi) \
    INNER(cgi, pl_lua_cgi)
#define FILTERS_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(cors, filters, pl_lua_filters) \
    SITE(request_id, filters, pl_lua_filters) \
    SITE(security_headers, filters, pl_lua_filters)
#define FORMS_PARTS(PART, SITE, INNER, BARE, OWN) \
    INNER(upload, pl_lua_upload)
#define HTTP_CLIENT_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(dns, dns, pl_lua_dns) \
    PART(http, http, pl_lua_http) \
    OWN(http_body, NULL) \
    OWN(http_response, pl_lua_http)
#define LIBRARY_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(base64, codec, pl_lua_codec) \
    PART(crypto, crypto, pl_lua_crypto) \
    PART(escape, codec, pl_lua_codec) \
    PART(fs, fs, pl_lua_fs) \
    PART(fs_watch, fs_watch, pl_lua_fs_watch) \
    PART(hex, codec, pl_lua_codec) \
    PART(mime, mime, pl_lua_mime) \
    PART(process, process, pl_lua_process) \
    PART(time, time, pl_lua_time) \
    PART(url, url, pl_lua_url) \
    PART(uuid, uuid, pl_lua_uuid)
#define LIMITS_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(limit, limits, pl_lua_limits)
#define LUAFCGID_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(luafcgid, luafcgid, pl_lua_dialect) \
    OWN(luafcgid_con, pl_lua_page) \
    OWN(luafcgid_config, pl_lua_dialect) \
    OWN(luafcgid_env, NULL) \
    OWN(luafcgid_library, pl_lua_luafcgid) \
    OWN(luafcgid_pool, pl_lua_signal) \
    OWN(luafcgid_script, pl_lua_page) \
    OWN(luafcgid_serve, pl_lua_luafcgid)
#define LWAN_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(lwan, lwan, pl_lua_dialect) \
    OWN(lwan_config, NULL) \
    OWN(lwan_globals, NULL) \
    OWN(lwan_lua, NULL) \
    OWN(lwan_pages, NULL) \
    OWN(lwan_rewrite, NULL) \
    OWN(lwan_request, pl_lua_dialect) \
    OWN(lwan_site, pl_lua_dialect)
#define MAGNET_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(magnet, magnet, pl_lua_magnet) \
    OWN(magnet_cache, pl_lua_page)
#define MODULES_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(handler, module, pl_lua_module) \
    SITE(module, module, pl_lua_module)
#define PROXY_PARTS(PART, SITE, INNER, BARE, OWN) \
    INNER(proxy, pl_lua_proxy)
#define RELOAD_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(persist, persist, pl_lua_persist) \
    PART(reload, reload, pl_lua_reload) \
    BARE(chunk, pl_lua_chunk) \
    INNER(handover, pl_lua_handover)
#define REWRITE_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(cache_control, upkeep, pl_lua_upkeep) \
    SITE(maintenance, upkeep, pl_lua_upkeep) \
    SITE(redirect, rewrite, pl_lua_rewrite) \
    SITE(response, rewrite, pl_lua_rewrite) \
    SITE(rewrite, rewrite, pl_lua_rewrite)
#define SANDBOX_PARTS(PART, SITE, INNER, BARE, OWN) \
    INNER(sandbox, pl_lua_sandbox)
#define SHARE_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(channel, channel, pl_lua_channel) \
    PART(messages, bus, pl_lua_bus) \
    PART(publish, bus, pl_lua_bus) \
    PART(shared, shared, pl_lua_shared) \
    PART(subscribe, bus, pl_lua_bus) \
    PART(workers, workers, pl_lua_bus)
#define SOCKETS_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(connect, socket, pl_lua_socket) \
    PART(udp, udp, pl_lua_udp) \
    PART(wait, wait, pl_lua_wait) \
    PART(wait_all, wait, pl_lua_wait) \
    PART(wait_any, wait, pl_lua_wait) \
    SITE(tcp, tcp, pl_lua_tcp) \
    INNER(hijack, pl_lua_hijack)
#define SQL_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(sql, sql, pl_lua_sql) \
    OWN(sql_migrate, pl_lua_sql)
#define STREAMS_PARTS(PART, SITE, INNER, BARE, OWN) \
    INNER(stream, pl_lua_stream)
#define TLS_PARTS(PART, SITE, INNER, BARE, OWN) \
    BARE(tls, NULL)
#define UPSTREAM_PARTS(PART, SITE, INNER, BARE, OWN) \
    SITE(proxy, upstream, pl_lua_upstream)
#define WATCHDOG_PARTS(PART, SITE, INNER, BARE, OWN) \
    PART(watchdog, watchdog, pl_lua_watchdog)
#define EACH_FEATURE(X) \
    X(CORE) X(AUTH) X(COMPRESS) X(CONTENT) X(FASTCGI) X(FILTERS) X(FORMS) \
    X(HTTP_CLIENT) X(LIBRARY) X(LIMITS) X(LUAFCGID) X(LWAN) X(MAGNET) \
    X(MODULES) X(PROXY) X(RELOAD) X(REWRITE) X(SANDBOX) X(SHARE) X(SOCKETS) \
    X(SQL) X(STREAMS) X(TLS) X(UPSTREAM) X(WATCHDOG)
/* clang-format on */

/* What is there. */
#define PART_ROW(field, name, natives) {#field, "+" #name, natives},
#define SITE_ROW(field, name, natives) {#field, "s" #name, natives},
#define INNER_ROW(name, natives) {NULL, "s" #name, natives},
#define BARE_ROW(name, natives) {NULL, "+" #name, natives},
#define ROWS_0(feature)
#define ROWS_1(feature)                                                        \
    feature##_PARTS(PART_ROW, SITE_ROW, INNER_ROW, BARE_ROW, INNER_ROW)

/* What was left out takes only its names, behind that of the feature. */
#define FIELD_NAME(field, name, natives) " " #field
#define INNER_NAME(name, natives) " ." #name
#define NO_NAME(name, natives)
#define NAMES_0(feature)                                                       \
    PL_FEATURE_##feature "\0" feature##_PARTS(                                 \
        FIELD_NAME, FIELD_NAME, INNER_NAME, INNER_NAME, NO_NAME) " \0"
#define NAMES_1(feature)

#define GLUE(a, b) GLUE_EXPANDED(a, b)
#define GLUE_EXPANDED(a, b) a##b
#define ROWS(feature) GLUE(ROWS_, PL_WITH_##feature)(feature)
#define NAMES(feature) GLUE(NAMES_, PL_WITH_##feature)(feature)

static const struct part {
    const char *field;
    const char *marked; /* the name, behind an s if it is for sites only */
    const luaL_Reg *natives;
} parts[] = {EACH_FEATURE(ROWS)};

static const char left_out[] = EACH_FEATURE(NAMES) "";

static const char *name_of(const struct part *part)
{
    return part->marked + 1;
}

static bool is_of_site(const struct part *part)
{
    return part->marked[0] == 's';
}

/* Raises if the name (of an inner part: behind a dot) is one of a feature that
 * was left out; where: what is said in front of that. */
static PL_COLD void check_there(lua_State *L, const char *name,
                                const char *where)
{
    const char *feature = left_out, *names, *found;

    for (; *feature != '\0'; feature = names + strlen(names) + 1) {
        names = feature + strlen(feature) + 1;
        lua_pushfstring(L, " %s ", name);
        found = strstr(names, lua_tostring(L, -1));
        lua_pop(L, 1);
        if (found != NULL)
            pl_lua_fail(L, "%s" PL_WITHOUT "%s", where, feature);
    }
}

static const struct part *find(const char *field)
{
    for (size_t i = 0; i < PL_COUNT(parts); i++) {
        if (parts[i].field != NULL && strcmp(parts[i].field, field) == 0)
            return &parts[i];
    }
    return NULL;
}

static void push_natives(lua_State *L, const struct part *part)
{
    lua_newtable(L);
    if (part->natives == NULL)
        return;
    if (is_of_site(part))
        pl_web_register(L, pl_vm_upvalue(L), part->natives);
    else
        pl_vm_register(L, pl_vm_upvalue(L), part->natives);
}

/* pl.NAME for a name that pl does not have. */
static int load_field(lua_State *L)
{
    const struct part *part;
    const char *field;

    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    field = lua_tostring(L, 2);
    part = find(field);
    if (part == NULL) {
        lua_pushfstring(L, "pl.%s: ", field);
        check_there(L, field, lua_tostring(L, -1));
        return 0;
    }
    if (is_of_site(part) && pl_vm_upvalue(L)->site == NULL)
        return 0;
    push_natives(L, part);
    if (!pl_lua_run_lib(L, name_of(part)))
        lua_setfield(L, 1, part->field);
    lua_pushvalue(L, 2);
    lua_rawget(L, 1);
    return 1;
}

/* The names are those of our own files. */
static const struct part *find_inner(lua_State *L, const char *name)
{
    for (size_t i = 0; i < PL_COUNT(parts); i++) {
        if (parts[i].field == NULL && strcmp(name_of(&parts[i]), name) == 0)
            return &parts[i];
    }
    lua_pushfstring(L, ".%s", name);
    check_there(L, lua_tostring(L, -1), "");
    PL_ASSERT(!"a part that is there");
    return NULL;
}

/* core.load_part(name), unless it has been loaded. */
static int load_inner(lua_State *L)
{
    const struct part *part = find_inner(L, luaL_checkstring(L, 1));

    lua_rawgetp(L, LUA_REGISTRYINDEX, part);
    if (lua_toboolean(L, -1))
        return 0;
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
