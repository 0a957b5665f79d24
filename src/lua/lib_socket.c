/* lib_socket.c - pl.connect and what sockets can do
 * (lua/perilune/lib/socket.lua).
 *
 * A handle is where a socket is at home: its pointer becomes NULL when the
 * socket goes, be it that its task has ended. Sockets that outlive their task
 * are in a list of the VM, which closes them before it goes; so a finalizer
 * finds a socket only as long as the VM is on its worker. */
#include "lua/lib_socket.h"

#include <string.h>

#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "socket/connect.h"

enum { MARK_MAX = 64 };

static const char handle_name[] = "pl.socket";
static const char dial_name[] = "pl.socket.dial";
static const char secure_name[] = "pl.socket.secure";

struct handle {
    struct pl_socket *socket; /* NULL: closed */
    struct pl_lua_kept kept;
    struct pl_socket_op read, write;
    char mark[MARK_MAX]; /* that is read for */
};

static struct handle *check_handle(lua_State *L)
{
    return luaL_checkudata(L, 1, handle_name);
}

static void close_kept(struct pl_lua_kept *kept)
{
    struct handle *handle = PL_CONTAINER_OF(kept, struct handle, kept);

    if (handle->socket != NULL)
        pl_socket_close(handle->socket);
}

static struct handle *push_handle(lua_State *L)
{
    struct handle *handle = lua_newuserdata(L, sizeof(*handle));

    memset(handle, 0, sizeof(*handle));
    pl_list_init(&handle->kept.node);
    handle->kept.close = close_kept;
    luaL_setmetatable(L, handle_name);
    return handle;
}

struct pl_socket **pl_lua_new_socket(lua_State *L)
{
    return &push_handle(L)->socket;
}

bool pl_lua_is_socket(lua_State *L, int index, struct pl_socket **socket)
{
    const struct handle *handle = lua_touserdata(L, index);
    bool is = false;

    if (handle != NULL && lua_getmetatable(L, index)) {
        luaL_getmetatable(L, handle_name);
        is = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (is)
        *socket = handle->socket;
    return is;
}

/* close(handle) */
static int close_socket(lua_State *L)
{
    struct handle *handle = check_handle(L);

    pl_list_remove(&handle->kept.node);
    close_kept(&handle->kept);
    return 0;
}

void pl_lua_keep(struct pl_vm *vm, struct pl_lua_kept *kept)
{
    pl_list_remove(&kept->node);
    pl_list_push(&vm->kept, &kept->node);
}

void pl_lua_close_kept(struct pl_vm *vm)
{
    struct pl_list *node;

    while ((node = pl_list_pop(&vm->kept)) != NULL) {
        struct pl_lua_kept *kept =
            PL_LIST_ENTRY(node, struct pl_lua_kept, node);

        kept->close(kept);
    }
}

/* keep(handle): the end of its task is not its end. */
static int keep(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->socket == NULL)
        return 0;
    pl_socket_set_owner(handle->socket, NULL);
    pl_lua_keep(pl_vm_upvalue(L), &handle->kept);
    return 0;
}

/* ---- connecting ---- */

/* dial() -> dial: memory for an attempt. */
static int new_dial(lua_State *L)
{
    struct pl_connect_op *dial = lua_newuserdata(L, sizeof(*dial));

    memset(dial, 0, sizeof(*dial));
    luaL_setmetatable(L, dial_name);
    return 1;
}

static struct pl_connect_op *check_dial(lua_State *L)
{
    return luaL_checkudata(L, 1, dial_name);
}

/* Garbage whose socket nobody has fetched. */
static int dial_gc(lua_State *L)
{
    struct pl_connect_op *dial = check_dial(L);

    if (dial->socket != NULL)
        pl_socket_close(dial->socket);
    return 0;
}

static uint32_t milliseconds(lua_State *L, int index)
{
    lua_Number seconds = lua_tonumber(L, index);

    return seconds <= 0 ? 0 : (uint32_t)PL_MIN(seconds * 1000 + 1, 4e9);
}

static void check_address(lua_State *L, int err, const struct pl_error *error)
{
    if (err < 0)
        pl_lua_fail(L, "pl.connect: %s", error->text);
}

/* ---- TLS ---- */

/* A text of the table, which keeps it; NULL if it is not there. */
static const char *text_at(lua_State *L, int table, const char *name)
{
    const char *text;

    lua_getfield(L, table, name);
    text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

static bool flag_at(lua_State *L, int table, const char *name)
{
    bool flag;

    lua_getfield(L, table, name);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static void get_secure(lua_State *L, int table, struct pl_secure_spec *spec)
{
    *spec = (struct pl_secure_spec){.server = flag_at(L, table, "server"),
                                    .insecure = flag_at(L, table, "insecure"),
                                    .ca = text_at(L, table, "ca"),
                                    .cert = text_at(L, table, "cert"),
                                    .key = text_at(L, table, "key"),
                                    .alpn = text_at(L, table, "alpn")};
}

/* secure() -> secure: memory for making what TLS needs. */
static int new_secure(lua_State *L)
{
    struct pl_secure_op *op = lua_newuserdata(L, sizeof(*op));

    memset(op, 0, sizeof(*op));
    luaL_setmetatable(L, secure_name);
    return 1;
}

/* secure_begin(secure, options) -> 0 or PL_ERR_* */
static int secure_begin(lua_State *L)
{
    struct pl_secure_op *op = luaL_checkudata(L, 1, secure_name);
    struct pl_co *co = pl_co_may_wait(L, "socket:start_tls");
    struct pl_secure_spec spec;

    get_secure(L, 2, &spec);
    pl_secure_begin(op, pl_sockets_current(), &spec);
    return pl_co_wait(L, co, &op->op, 1);
}

/* secure_error(secure) -> text */
static int secure_error(lua_State *L)
{
    const struct pl_secure_op *op = luaL_checkudata(L, 1, secure_name);

    lua_pushstring(L, op->error.text);
    return 1;
}

/* start_tls(handle, secure, name or nil) -> 0 or PL_ERR_* */
static int start_tls(lua_State *L)
{
    struct handle *handle = check_handle(L);
    const struct pl_secure_op *op = luaL_checkudata(L, 2, secure_name);
    struct pl_co *co = pl_co_may_wait(L, "socket:start_tls");

    if (handle->socket == NULL || handle->socket->reader != NULL) {
        lua_pushinteger(L,
                        handle->socket == NULL ? PL_ERR_CLOSED : PL_ERR_BUSY);
        return 1;
    }
    pl_socket_secure_begin(&handle->read, handle->socket, op->secure,
                           lua_tostring(L, 3));
    return pl_co_wait(L, co, &handle->read.op, 1);
}

/* tls_reason() -> why a handshake has just failed */
static int tls_reason(lua_State *L)
{
    lua_pushstring(L, pl_secure_reason(pl_sockets_current()));
    return 1;
}

/* tls(handle) -> what was agreed on, or nothing */
static int push_tls(lua_State *L)
{
    const struct handle *handle = check_handle(L);
    struct pl_tls_info info;

    if (!PL_WITH_TLS || handle->socket == NULL ||
        handle->socket->conn == NULL ||
        !pl_conn_tls_info(handle->socket->conn, &info))
        return 0;
    lua_createtable(L, 0, 8);
    pl_lua_set_text(L, "version", info.version);
    pl_lua_set_text(L, "cipher", info.cipher);
    pl_lua_set_text(L, "alpn", info.alpn);
    pl_lua_set_text(L, "sni", info.sni);
    pl_lua_set_text(L, "subject", info.subject);
    pl_lua_set_text(L, "issuer", info.issuer);
    pl_lua_set_text(L, "fingerprint", info.fingerprint);
    pl_lua_set_flag(L, "verified", info.verified);
    return 1;
}

/* ---- connecting, the second half ---- */

/* dial_begin(dial, address, seconds, timeout, bind or nil, tls or nil) -> 0 or
 * PL_ERR_* */
static int dial_begin(lua_State *L)
{
    struct pl_connect_op *dial = check_dial(L);
    struct pl_str address = pl_arg_str(L, 2, "pl.connect", "the address");
    struct pl_co *co = pl_co_may_wait(L, "pl.connect");
    struct pl_connect_spec spec = {.connect_ms = milliseconds(L, 3),
                                   .timeout_ms = milliseconds(L, 4),
                                   .owner = &co->task};
    struct pl_secure_spec secure;
    struct pl_error error;

    if (pl_sockets_current() == NULL)
        return pl_lua_fail(L, "pl.connect: there is no network here");
    check_address(L,
                  pl_target_parse(address, PL_TARGET_TCP, &spec.target, &error),
                  &error);
    if (!lua_isnil(L, 5)) {
        check_address(
            L,
            pl_addr_parse(pl_arg_str(L, 5, "pl.connect", "option 'bind'"),
                          false, &spec.from, &error),
            &error);
        spec.has_from = true;
    }
    if (spec.target.kind == PL_TARGET_UDP)
        return pl_lua_fail(L, "pl.connect: datagrams are for pl.udp");
    if (lua_istable(L, 6)) {
        get_secure(L, 6, &secure);
        spec.secure = &secure;
        spec.name = text_at(L, 6, "server_name");
    } else if (spec.target.kind == PL_TARGET_TLS) {
        secure = (struct pl_secure_spec){.server = false};
        spec.secure = &secure;
    }
    pl_connect_begin(dial, pl_sockets_current(), &spec);
    return pl_co_wait(L, co, &dial->op, 1);
}

/* dial_error(dial) -> text */
static int dial_error(lua_State *L)
{
    lua_pushstring(L, check_dial(L)->error.text);
    return 1;
}

/* dial_socket(dial) -> handle */
static int dial_socket(lua_State *L)
{
    struct pl_connect_op *dial = check_dial(L);
    struct handle *handle = push_handle(L);

    if (dial->socket != NULL) /* else it was cancelled, or closed, since */
        pl_socket_set_home(dial->socket, &handle->socket);
    dial->socket = NULL;
    return 1;
}

/* ---- reading and writing ---- */

/* read(handle, call, want, n [, mark]) -> how much is there, 0 at the end, or
 * PL_ERR_* */
static int read_begin(lua_State *L)
{
    struct handle *handle = check_handle(L);
    const char *call = luaL_checkstring(L, 2);
    struct pl_co *co = pl_co_may_wait(L, call);
    int want = (int)luaL_checkinteger(L, 3);
    size_t n = (size_t)luaL_checkinteger(L, 4);
    struct pl_str mark = {"", 0};

    luaL_argcheck(L, want >= PL_SOCKET_SOME && want <= PL_SOCKET_UNTIL, 3,
                  "what is wanted");
    luaL_argcheck(L, n <= PL_SOCKET_BUFFER, 4, "too much");
    if (want == PL_SOCKET_UNTIL)
        mark.data = luaL_checklstring(L, 5, &mark.len);
    luaL_argcheck(L, mark.len <= MARK_MAX, 5, "too long");
    if (handle->socket == NULL) {
        lua_pushinteger(L, PL_ERR_CLOSED);
        return 1;
    }
    if (handle->socket->reader != NULL) {
        lua_pushinteger(L, PL_ERR_BUSY);
        return 1;
    }
    memcpy(handle->mark, mark.data, mark.len);
    pl_socket_read_begin(&handle->read, handle->socket,
                         (enum pl_socket_want)want, n,
                         pl_str(handle->mark, mark.len));
    return pl_co_wait(L, co, &handle->read.op, 1);
}

/* take(handle, n, skip) -> the first n bytes that are there; skip more are
 * dropped. nil if it was closed meanwhile. */
static int take(lua_State *L)
{
    struct handle *handle = check_handle(L);
    size_t n = (size_t)luaL_checkinteger(L, 2);
    size_t skip = (size_t)luaL_checkinteger(L, 3);
    struct pl_str bytes;

    if (handle->socket == NULL)
        return 0;
    bytes = pl_socket_peek(handle->socket);
    n = PL_MIN(n, bytes.len);
    lua_pushlstring(L, bytes.data, n);
    pl_socket_take(handle->socket, PL_MIN(n + skip, bytes.len));
    return 1;
}

/* line(handle, n): the same for a line of n bytes with its end. */
static int take_line(lua_State *L)
{
    struct handle *handle = check_handle(L);
    size_t n = (size_t)luaL_checkinteger(L, 2), len;
    struct pl_str bytes;

    if (handle->socket == NULL)
        return 0;
    bytes = pl_socket_peek(handle->socket);
    len = n = PL_MIN(n, bytes.len);
    if (len > 0 && bytes.data[len - 1] == '\n')
        len -= len > 1 && bytes.data[len - 2] == '\r' ? 2 : 1;
    lua_pushlstring(L, bytes.data, len);
    pl_socket_take(handle->socket, n);
    return 1;
}

/* there(handle) -> how many bytes are */
static int there(lua_State *L)
{
    struct handle *handle = check_handle(L);

    lua_pushinteger(L, handle->socket == NULL
                           ? 0
                           : (lua_Integer)pl_socket_peek(handle->socket).len);
    return 1;
}

/* write(handle, data, from) -> how many bytes were taken, or PL_ERR_* */
static int write_some(lua_State *L)
{
    struct handle *handle = check_handle(L);
    size_t len, from = (size_t)luaL_checkinteger(L, 3);
    const char *data = luaL_checklstring(L, 2, &len);

    luaL_argcheck(L, from <= len, 3, "beyond the end");
    lua_pushinteger(L,
                    handle->socket == NULL
                        ? PL_ERR_CLOSED
                        : (lua_Integer)pl_socket_write_some(
                              handle->socket, pl_str(data + from, len - from)));
    return 1;
}

/* room(handle, call) -> 0 or PL_ERR_* */
static int room_begin(lua_State *L)
{
    struct handle *handle = check_handle(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 2));

    if (handle->socket == NULL) {
        lua_pushinteger(L, PL_ERR_CLOSED);
        return 1;
    }
    if (handle->socket->writer != NULL) {
        lua_pushinteger(L, PL_ERR_BUSY);
        return 1;
    }
    pl_socket_room_begin(&handle->write, handle->socket);
    return pl_co_wait(L, co, &handle->write.op, 1);
}

static int flush(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->socket != NULL)
        pl_socket_flush(handle->socket);
    return 0;
}

static int shutdown_socket(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->socket != NULL)
        pl_socket_shutdown(handle->socket);
    return 0;
}

/* ---- the rest ---- */

/* is_open(handle) */
static int is_open(lua_State *L)
{
    const struct handle *handle = check_handle(L);

    lua_pushboolean(L, handle->socket != NULL && handle->socket->conn != NULL);
    return 1;
}

/* is_truncated(handle) */
static int is_truncated(lua_State *L)
{
    const struct handle *handle = check_handle(L);

    lua_pushboolean(L, PL_WITH_TLS && handle->socket != NULL &&
                           handle->socket->conn != NULL &&
                           pl_conn_truncated(handle->socket->conn));
    return 1;
}

/* timeout(handle, seconds) */
static int set_timeout(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->socket != NULL)
        handle->socket->timeout_ms = milliseconds(L, 2);
    return 0;
}

/* nodelay(handle, on) -> 0 or PL_ERR_* */
static int set_nodelay(lua_State *L)
{
    struct handle *handle = check_handle(L);

    lua_pushinteger(
        L, handle->socket == NULL
               ? PL_ERR_CLOSED
               : pl_socket_nodelay(handle->socket, lua_toboolean(L, 2)));
    return 1;
}

/* keepalive(handle, seconds) -> 0 or PL_ERR_* */
static int set_keepalive(lua_State *L)
{
    struct handle *handle = check_handle(L);
    unsigned seconds = (unsigned)luaL_checkinteger(L, 2);

    lua_pushinteger(L, handle->socket == NULL
                           ? PL_ERR_CLOSED
                           : pl_socket_keepalive(handle->socket, seconds));
    return 1;
}

static int push_address(lua_State *L, bool known, const struct pl_addr *addr)
{
    char text[PL_ADDR_TEXT];

    if (!known)
        return 0;
    if (addr->sa.sa_family == AF_UNIX) {
        lua_pushlstring(L, text, pl_addr_format(addr, text));
        return 1;
    }
    lua_pushlstring(L, text, pl_addr_format_host(addr, text));
    lua_pushinteger(L, pl_addr_port(addr));
    return 2;
}

/* peer(handle) -> address, port; nothing for who has none */
static int push_peer(lua_State *L)
{
    const struct handle *handle = check_handle(L);
    struct pl_addr addr;

    return push_address(
        L, handle->socket != NULL && pl_socket_peer_addr(handle->socket, &addr),
        &addr);
}

/* local_address(handle): the same of this end. */
static int push_local(lua_State *L)
{
    const struct handle *handle = check_handle(L);
    struct pl_addr addr;

    return push_address(
        L, handle->socket != NULL && pl_socket_own_addr(handle->socket, &addr),
        &addr);
}

/* open(): makes the types. */
static int open_socket(lua_State *L)
{
    pl_vm_type(L, handle_name, close_socket);
    pl_vm_type(L, dial_name, dial_gc);
    luaL_newmetatable(L, secure_name);
    return 0;
}

const luaL_Reg pl_lua_socket[] = {
    {"open", open_socket},
    {"dial", new_dial},
    {"dial_begin", dial_begin},
    {"dial_error", dial_error},
    {"dial_socket", dial_socket},
    {"secure", new_secure},
    {"secure_begin", secure_begin},
    {"secure_error", secure_error},
    {"start_tls", start_tls},
    {"tls_reason", tls_reason},
    {"tls", push_tls},
    {"close", close_socket},
    {"keep", keep},
    {"read", read_begin},
    {"take", take},
    {"take_line", take_line},
    {"there", there},
    {"write", write_some},
    {"room", room_begin},
    {"flush", flush},
    {"shutdown", shutdown_socket},
    {"is_open", is_open},
    {"is_truncated", is_truncated},
    {"timeout", set_timeout},
    {"nodelay", set_nodelay},
    {"keepalive", set_keepalive},
    {"peer", push_peer},
    {"local_address", push_local},
    {NULL, NULL},
};
