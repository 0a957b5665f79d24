/* parts.h - the parts of the library that are loaded when a script first uses
 * them.
 *
 * A site that never says pl.fs should not pay for it at its start: neither
 * time, nor memory. So `pl` looks up what it does not have in the table of
 * parts.c. A part is lua/perilune/lib/PART.lua, run once in a VM with
 *
 *     local core, pl, natives = ...
 *
 * natives being a table of the part's functions in C; it sets its fields of
 * `pl` itself and must not wait. A part without such a file is the table of
 * its functions. */
#ifndef PL_LUA_PARTS_H
#define PL_LUA_PARTS_H

#include "lua/compat.h"

struct pl_vm;

/* Functions of parts. Some parts have a native `open`, which makes their types
 * and is to be called before all others. */
extern const luaL_Reg pl_lua_codec[];  /* base64, hex, escape */
extern const luaL_Reg pl_lua_chunk[];  /* files of Lua, off the loop */
extern const luaL_Reg pl_lua_crypto[]; /* what needs no plug-in */
extern const luaL_Reg pl_lua_env[];
extern const luaL_Reg pl_lua_log[];
extern const luaL_Reg pl_lua_markdown[];
extern const luaL_Reg pl_lua_mime[];
extern const luaL_Reg pl_lua_mustache[];
extern const luaL_Reg pl_lua_stopping[];
extern const luaL_Reg pl_lua_time[];
extern const luaL_Reg pl_lua_url[];
extern const luaL_Reg pl_lua_uuid[];
extern const luaL_Reg pl_lua_dns[];
extern const luaL_Reg pl_lua_http[];
extern const luaL_Reg pl_lua_fs[];
extern const luaL_Reg pl_lua_fs_watch[];
extern const luaL_Reg pl_lua_process[];
extern const luaL_Reg pl_lua_socket[];
extern const luaL_Reg pl_lua_hijack[];
extern const luaL_Reg pl_lua_tcp[];
extern const luaL_Reg pl_lua_udp[];
extern const luaL_Reg pl_lua_sql[];
extern const luaL_Reg pl_lua_wait[]; /* wait, wait_any, wait_all */
extern const luaL_Reg pl_lua_watchdog[];
extern const luaL_Reg pl_lua_bus[]; /* messages, publish, subscribe, workers */
extern const luaL_Reg pl_lua_channel[];
extern const luaL_Reg pl_lua_shared[];
extern const luaL_Reg pl_lua_task[];
extern const luaL_Reg pl_lua_group[];
extern const luaL_Reg pl_lua_signal[];
extern const luaL_Reg pl_lua_timer[];
extern const luaL_Reg pl_lua_persist[];
extern const luaL_Reg pl_lua_reload[];

/* The same for sites (web_priv.h). */
extern const luaL_Reg pl_lua_auth[]; /* basic, keys, sessions, ... */
extern const luaL_Reg pl_lua_body[];
extern const luaL_Reg pl_lua_compress[];
extern const luaL_Reg pl_lua_filter[];
extern const luaL_Reg pl_lua_filters[]; /* CORS and the like */
extern const luaL_Reg pl_lua_content[];
extern const luaL_Reg pl_lua_dialect[];
extern const luaL_Reg pl_lua_filter[];
extern const luaL_Reg pl_lua_fastcgi[]; /* pl.fastcgi */
extern const luaL_Reg pl_lua_limits[];
extern const luaL_Reg pl_lua_luafcgid[];
extern const luaL_Reg pl_lua_magnet[];
extern const luaL_Reg pl_lua_module[];
extern const luaL_Reg pl_lua_page[];   /* dynamic pages */
extern const luaL_Reg pl_lua_render[]; /* res:render */
extern const luaL_Reg pl_lua_response[];
extern const luaL_Reg pl_lua_rewrite[]; /* rewrite, redirect, response */
extern const luaL_Reg pl_lua_upkeep[];  /* maintenance, cache_control */
extern const luaL_Reg pl_lua_scope[];
extern const luaL_Reg pl_lua_sandbox[];
extern const luaL_Reg pl_lua_settings[];
extern const luaL_Reg pl_lua_static[];
extern const luaL_Reg pl_lua_proxy[];  /* PROXY headers */
extern const luaL_Reg pl_lua_cgi[];    /* req.env */
extern const luaL_Reg pl_lua_stream[]; /* events, hints, trailers */
extern const luaL_Reg pl_lua_upload[];
extern const luaL_Reg pl_lua_upstream[]; /* pl.proxy */
extern const luaL_Reg pl_lua_ws[];       /* WebSockets */
extern const luaL_Reg pl_lua_handover[];

/* Releases those that have callbacks (lib_websocket.c). */
void pl_lua_close_websockets(struct pl_vm *vm);

/* The table `core` is on top: sets core.load_part, and pushes `pl`, which finds
 * its parts. */
void pl_lua_open_parts(lua_State *L, struct pl_vm *vm);

#endif
