/* lib_udp.c - pl.udp: datagrams (lua/perilune/lib/udp.lua). Handles are those
 * of sockets (lib_socket.c): homes, whose pointer becomes NULL. */
#include <string.h>

#include "base/str.h"
#include "base/sys.h"
#include "lua/args.h"
#include "lua/lib_socket.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "socket/names.h"
#include "socket/udp.h"

static const char handle_name[] = "pl.udp";
static const char lookup_name[] = "pl.udp.lookup";

struct handle {
    struct pl_udp *udp; /* NULL: closed */
    struct pl_lua_kept kept;
    struct pl_udp_op read, write;
};

static struct handle *check_handle(lua_State *L)
{
    return luaL_checkudata(L, 1, handle_name);
}

static void close_kept(struct pl_lua_kept *kept)
{
    struct handle *handle = PL_CONTAINER_OF(kept, struct handle, kept);

    if (handle->udp != NULL)
        pl_udp_close(handle->udp);
}

/* close(handle) */
static int close_udp(lua_State *L)
{
    struct handle *handle = check_handle(L);

    pl_list_remove(&handle->kept.node);
    close_kept(&handle->kept);
    return 0;
}

/* keep(handle) */
static int keep(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->udp == NULL)
        return 0;
    pl_udp_set_owner(handle->udp, NULL);
    pl_lua_keep(pl_vm_upvalue(L), &handle->kept);
    return 0;
}

/* ---- names ---- */

/* lookup() -> lookup */
static int new_lookup(lua_State *L)
{
    struct pl_lookup_op *lookup = lua_newuserdata(L, sizeof(*lookup));

    memset(lookup, 0, sizeof(*lookup));
    luaL_setmetatable(L, lookup_name);
    return 1;
}

static struct pl_lookup_op *check_lookup(lua_State *L)
{
    return luaL_checkudata(L, 1, lookup_name);
}

/* Of a task that has ended before it took what was found. */
static int lookup_gc(lua_State *L)
{
    struct pl_lookup_op *lookup = check_lookup(L);

    if (lookup->offload.op.state == PL_OP_DONE && lookup->lookup != NULL)
        pl_lookup_end(lookup);
    return 0;
}

static void parse(lua_State *L, int index, const char *call,
                  struct pl_target *target)
{
    struct pl_str text = pl_arg_str(L, index, call, "the address");
    struct pl_error error;

    if (pl_target_parse(text, PL_TARGET_UDP, target, &error) < 0)
        pl_lua_fail(L, "%s: %s", call, error.text);
    if (target->kind != PL_TARGET_UDP ||
        (target->known && target->addr.sa.sa_family == AF_UNIX))
        pl_lua_fail(L, "%s: '%s' is not for datagrams", call,
                    lua_tostring(L, index));
}

/* lookup_begin(lookup, call, address) -> 0 or PL_ERR_* */
static int lookup_begin(lua_State *L)
{
    struct pl_lookup_op *lookup = check_lookup(L);
    const char *call = luaL_checkstring(L, 2);
    struct pl_co *co = pl_co_may_wait(L, call);
    struct pl_target target;

    parse(L, 3, call, &target);
    if (pl_sockets_current() == NULL)
        return pl_lua_fail(L, "%s: there is no network here", call);
    pl_lookup_begin(lookup, co->task.sched, pl_sockets_current()->names,
                    &target);
    return pl_co_wait(L, co, &lookup->offload.op, 1);
}

/* lookup_end(lookup) -> the first address as text; nil after a failure */
static int lookup_end(lua_State *L)
{
    struct pl_lookup_op *lookup = check_lookup(L);
    char text[PL_ADDR_TEXT];
    size_t len = 0;

    if (lookup->offload.op.result == 0)
        len = pl_addr_format(&pl_lookup_addrs(lookup)->list[0], text);
    pl_lookup_end(lookup);
    if (len == 0)
        return 0;
    lua_pushlstring(L, text, len);
    return 1;
}

/* is_known(call, address): need nobody be asked? Raises if it is none. */
static int is_known(lua_State *L)
{
    struct pl_target target;

    parse(L, 2, luaL_checkstring(L, 1), &target);
    lua_pushboolean(L, target.known);
    return 1;
}

/* ---- opening ---- */

/* An address at index (nil: none), which needs no lookup. */
static const struct pl_addr *get_addr(lua_State *L, int index,
                                      struct pl_addr *addr)
{
    struct pl_str text = {NULL, 0};
    struct pl_error error;

    if (lua_isnil(L, index))
        return NULL;
    text.data = luaL_checklstring(L, index, &text.len);
    if (pl_addr_parse(text, false, addr, &error) < 0)
        pl_lua_fail(L, "pl.udp: %s", error.text);
    return addr;
}

/* new(peer, bind, group, ttl, buffer, flags, seconds, task) -> handle; or nil,
 * code, text. flags: 1 broadcast, 2 shared by workers; task: it ends with it.
 */
static int new_udp(lua_State *L)
{
    struct pl_addr peer, bind, group;
    unsigned flags = (unsigned)luaL_checkinteger(L, 6);
    struct pl_udp_spec spec = {.peer = get_addr(L, 1, &peer),
                               .bind = get_addr(L, 2, &bind),
                               .group = get_addr(L, 3, &group),
                               .ttl = (unsigned)luaL_checkinteger(L, 4),
                               .buffer = (unsigned)luaL_checkinteger(L, 5),
                               .broadcast = (flags & 1) != 0,
                               .reuse_port = (flags & 2) != 0};
    double ms = luaL_checknumber(L, 7) * 1000;
    struct handle *handle = lua_newuserdata(L, sizeof(*handle));
    struct pl_error error;
    struct pl_udp *udp;
    int err;

    memset(handle, 0, sizeof(*handle));
    pl_list_init(&handle->kept.node);
    handle->kept.close = close_kept;
    luaL_setmetatable(L, handle_name);
    if (pl_sockets_current() == NULL)
        return pl_lua_fail(L, "pl.udp: there is no network here");
    err = pl_udp_make(pl_sockets_current(), &spec, &udp, &error);
    if (err < 0) {
        lua_pushnil(L);
        lua_pushinteger(L, err);
        lua_pushstring(L, error.text);
        return 3;
    }
    pl_udp_set_home(udp, &handle->udp);
    pl_udp_set_owner(udp, pl_task_current());
    udp->timeout_ms = ms <= 0 ? 0 : (uint32_t)PL_MIN(ms + 1, 4e9);
    udp->served = spec.reuse_port;
    return 1;
}

/* ---- datagrams ---- */

static int push_code(lua_State *L, int code)
{
    lua_pushinteger(L, code);
    return 1;
}

/* take(handle) -> data, address, port; or PL_ERR_* */
static int take(lua_State *L)
{
    struct handle *handle = check_handle(L);
    char text[PL_ADDR_TEXT], *scratch;
    struct pl_addr from;
    ssize_t n;

    if (handle->udp == NULL)
        return push_code(L, PL_ERR_CLOSED);
    scratch = pl_sockets_scratch(handle->udp->sockets);
    if (scratch == NULL)
        return push_code(L, PL_ERR_NOMEM);
    n = pl_udp_take(handle->udp, scratch, PL_UDP_MAX, &from);
    if (n < 0)
        return push_code(L, (int)n);
    lua_pushlstring(L, scratch, PL_MIN((size_t)n, (size_t)PL_UDP_MAX));
    lua_pushlstring(L, text, pl_addr_format_host(&from, text));
    lua_pushinteger(L, pl_addr_port(&from));
    return 3;
}

/* put(handle, data [, address]) -> 0 or PL_ERR_* */
static int put(lua_State *L)
{
    struct handle *handle = check_handle(L);
    struct pl_str data = {NULL, 0};
    struct pl_addr peer, *to = NULL;

    data.data = luaL_checklstring(L, 2, &data.len);
    if (!lua_isnoneornil(L, 3)) {
        get_addr(L, 3, &peer);
        to = &peer;
    }
    return push_code(L, handle->udp == NULL
                            ? PL_ERR_CLOSED
                            : pl_udp_put(handle->udp, data, to));
}

/* wait(handle, call, write) -> 0 or PL_ERR_* */
static int wait_begin(lua_State *L)
{
    struct handle *handle = check_handle(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 2));
    bool write = lua_toboolean(L, 3);
    struct pl_udp_op *op = write ? &handle->write : &handle->read;

    if (handle->udp == NULL)
        return push_code(L, PL_ERR_CLOSED);
    if (op->op.state == PL_OP_PENDING)
        return push_code(L, PL_ERR_BUSY);
    pl_udp_wait_begin(op, handle->udp, write);
    return pl_co_wait(L, co, &op->op, 1);
}

/* local_address(handle) -> address, port */
static int push_local(lua_State *L)
{
    struct handle *handle = check_handle(L);
    char text[PL_ADDR_TEXT];
    struct pl_addr addr;

    if (handle->udp == NULL || !pl_udp_own_addr(handle->udp, &addr))
        return 0;
    lua_pushlstring(L, text, pl_addr_format_host(&addr, text));
    lua_pushinteger(L, pl_addr_port(&addr));
    return 2;
}

/* timeout(handle, seconds) */
static int set_timeout(lua_State *L)
{
    struct handle *handle = check_handle(L);
    double ms = luaL_checknumber(L, 2) * 1000;

    if (handle->udp != NULL)
        handle->udp->timeout_ms = ms <= 0 ? 0 : (uint32_t)PL_MIN(ms + 1, 4e9);
    return 0;
}

/* open(): makes the types. */
static int open_udp(lua_State *L)
{
    pl_vm_type(L, handle_name, close_udp);
    pl_vm_type(L, lookup_name, lookup_gc);
    return 0;
}

const luaL_Reg pl_lua_udp[] = {
    {"open", open_udp},
    {"lookup", new_lookup},
    {"lookup_begin", lookup_begin},
    {"lookup_end", lookup_end},
    {"is_known", is_known},
    {"new", new_udp},
    {"take", take},
    {"put", put},
    {"wait", wait_begin},
    {"local_address", push_local},
    {"timeout", set_timeout},
    {"keep", keep},
    {"close", close_udp},
    {NULL, NULL},
};
