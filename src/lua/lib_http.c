/* lib_http.c - the C half of pl.http (lua/perilune/lib/http*.lua).
 *
 * A pool is kept by the VM, which closes it, with all that goes on in it,
 * before it goes. A transfer belongs to the task that has begun it; the
 * userdata is its memory, and keeps what it sends. */
#include <string.h>

#include "base/str.h"
#include "client/transfer.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/lib_socket.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char pool_name[] = "pl.http.pool";
static const char jar_name[] = "pl.http.jar";
static const char lines_name[] = "pl.http.lines";
static const char transfer_name[] = "pl.http.transfer";

struct pool {
    struct pl_lua_kept kept;
    struct pl_transfers *transfers; /* NULL: closed */
};

/* ---- pools ---- */

static struct pool *check_pool(lua_State *L, int index)
{
    struct pool *pool = luaL_checkudata(L, index, pool_name);

    if (pool->transfers == NULL)
        pl_lua_fail(L, "pl.http: the site is over");
    return pool;
}

static void close_kept(struct pl_lua_kept *kept)
{
    struct pool *pool = PL_CONTAINER_OF(kept, struct pool, kept);

    if (pool->transfers != NULL)
        pl_transfers_free(pool->transfers);
    pool->transfers = NULL;
}

static int pool_gc(lua_State *L)
{
    struct pool *pool = luaL_checkudata(L, 1, pool_name);

    pl_list_remove(&pool->kept.node);
    close_kept(&pool->kept);
    return 0;
}

/* pool(connections, per_host, kept) -> pool */
static int new_pool(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    const struct pl_http_pool_config config = {
        .connections = (unsigned)luaL_checkinteger(L, 1),
        .per_host = (unsigned)luaL_checkinteger(L, 2),
        .kept = (unsigned)luaL_checkinteger(L, 3),
    };
    struct pool *pool = lua_newuserdata(L, sizeof(*pool));
    struct pl_error error;

    *pool = (struct pool){.kept = {.close = close_kept}};
    pl_list_init(&pool->kept.node);
    luaL_setmetatable(L, pool_name);
    if (pl_transfers_new(vm->sched, &config, &pool->transfers, &error) < 0)
        return pl_lua_fail(L, "pl.http: %s", error.text);
    pl_lua_keep(vm, &pool->kept);
    return 1;
}

/* The texts of a URL, which are in userdata: what raises owns nothing. None is
 * longer than what it was made of, with each byte encoded by three. */
struct url_texts {
    char *whole, *user, *password;
};

static void reserve_texts(lua_State *L, size_t size, struct url_texts *texts)
{
    size = 3 * size + 1;
    texts->whole = lua_newuserdata(L, 3 * size);
    texts->user = texts->whole + size;
    texts->password = texts->user + size;
}

static void copy_texts(const struct pl_http_url *parts, struct url_texts *texts)
{
    strcpy(texts->whole, parts->whole);
    strcpy(texts->user, parts->user == NULL ? "" : parts->user);
    strcpy(texts->password, parts->password == NULL ? "" : parts->password);
}

/* url(pool, base or nil, text) -> { scheme, host, port, whole, user, password
 * }; or nil, why not */
static int url(lua_State *L)
{
    struct pl_transfers *transfers = check_pool(L, 1)->transfers;
    const char *base = luaL_optstring(L, 2, NULL);
    const char *text = luaL_checkstring(L, 3);
    size_t size = strlen(text) + (base == NULL ? 0 : strlen(base)) + 16;
    struct url_texts texts;
    struct pl_http_url parts;
    struct pl_error error;
    int err;

    reserve_texts(L, size, &texts);
    lua_createtable(L, 0, 6);
    err = pl_transfers_url(transfers, base, text, &parts, &error);
    if (err == PL_ERR_NOMEM)
        return pl_lua_no_memory(L, "pl.http");
    if (err < 0) {
        lua_pushnil(L);
        lua_pushstring(L, error.text);
        return 2;
    }
    copy_texts(&parts, &texts);
    pl_transfers_url_fini(transfers, &parts);
    pl_lua_set_text(L, "scheme", parts.scheme);
    pl_lua_set_text(L, "host", parts.host);
    pl_lua_set_integer(L, "port", parts.port);
    pl_lua_set_text(L, "whole", texts.whole);
    pl_lua_set_text(L, "user", texts.user);
    pl_lua_set_text(L, "password", texts.password);
    return 1;
}

/* ---- cookies ---- */

static struct pl_jar **check_jar(lua_State *L, int index)
{
    return luaL_checkudata(L, index, jar_name);
}

static int jar_gc(lua_State *L)
{
    struct pl_jar **jar = check_jar(L, 1);

    pl_jar_drop(*jar);
    *jar = NULL;
    return 0;
}

/* jar(pool) -> jar */
static int new_jar(lua_State *L)
{
    struct pl_transfers *transfers = check_pool(L, 1)->transfers;
    struct pl_jar **jar = lua_newuserdata(L, sizeof(*jar));

    *jar = NULL;
    luaL_setmetatable(L, jar_name);
    *jar = pl_jar_new(transfers);
    return *jar == NULL ? pl_lua_no_memory(L, "pl.http") : 1;
}

static void add_line(void *arg, const char *line)
{
    pl_buf_add(arg, pl_str_c(line));
    pl_buf_addc(arg, '\n');
}

static int lines_gc(lua_State *L)
{
    pl_buf_fini(luaL_checkudata(L, 1, lines_name));
    return 0;
}

/* cookies(jar) -> lines of Netscape's file of cookies */
static int cookies(lua_State *L)
{
    struct pl_jar **jar = check_jar(L, 1);
    struct pl_buf *lines = lua_newuserdata(L, sizeof(*lines));

    pl_buf_init(lines, pl_loop_pool(pl_vm_upvalue(L)->sched->loop), NULL, 0);
    luaL_setmetatable(L, lines_name);
    if (pl_jar_see(*jar, add_line, lines) < 0 || lines->err < 0)
        return pl_lua_no_memory(L, "session:cookies");
    pl_lua_push_str(L, pl_buf_str(lines));
    pl_buf_fini(lines);
    return 1;
}

/* set_cookie(jar, line or nil); nil: all go */
static int set_cookie(lua_State *L)
{
    if (pl_jar_set(*check_jar(L, 1), luaL_optstring(L, 2, NULL)) < 0)
        return pl_lua_no_memory(L, "session:set_cookie");
    return 0;
}

/* ---- transfers ---- */

static struct pl_transfer *check_transfer(lua_State *L)
{
    return luaL_checkudata(L, 1, transfer_name);
}

/* transfer() -> transfer */
static int new_transfer(lua_State *L)
{
    struct pl_transfer *transfer = lua_newuserdata(L, sizeof(*transfer));

    memset(transfer, 0, sizeof(*transfer));
    luaL_setmetatable(L, transfer_name);
    return 1;
}

/* close(transfer), and what garbage becomes */
static int close_transfer(lua_State *L)
{
    pl_transfer_close(check_transfer(L));
    return 0;
}

/* Fields of the table at `spec`, which keeps their texts. */
static const char *text_at(lua_State *L, int spec, const char *name)
{
    const char *text;

    lua_getfield(L, spec, name);
    text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

static struct pl_str bytes_at(lua_State *L, int spec, const char *name)
{
    struct pl_str bytes = {NULL, 0};

    lua_getfield(L, spec, name);
    bytes.data = lua_tolstring(L, -1, &bytes.len);
    lua_pop(L, 1);
    return bytes;
}

static lua_Number number_at(lua_State *L, int spec, const char *name)
{
    lua_Number number;

    lua_getfield(L, spec, name);
    number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

static bool flag_at(lua_State *L, int spec, const char *name)
{
    bool flag;

    lua_getfield(L, spec, name);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static uint32_t ms_at(lua_State *L, int spec, const char *name)
{
    lua_Number ms = number_at(L, spec, name) * 1000;

    return ms <= 0 ? 0 : (uint32_t)PL_MIN(ms + 1, 4e9);
}

/* The list of fields, as C has it; the array stays on the stack. */
static void get_fields(lua_State *L, int spec, struct pl_http_spec *out)
{
    const char **texts;

    lua_getfield(L, spec, "fields");
    out->nfields = (unsigned)lua_rawlen(L, -1);
    texts = lua_newuserdata(L, (out->nfields + 1) * sizeof(*texts));
    for (unsigned i = 0; i < out->nfields; i++) {
        lua_rawgeti(L, -2, (int)i + 1);
        texts[i] = luaL_checkstring(L, -1);
        lua_pop(L, 1);
    }
    out->fields = texts;
}

static struct pl_jar *jar_at(lua_State *L, int spec)
{
    struct pl_jar *jar = NULL;

    lua_getfield(L, spec, "jar");
    if (!lua_isnil(L, -1))
        jar = *check_jar(L, lua_gettop(L));
    lua_pop(L, 1);
    return jar;
}

static void get_options(lua_State *L, int spec, struct pl_transfer_options *out)
{
    const struct pl_http_spec texts = {
        .method = text_at(L, spec, "method"),
        .url = text_at(L, spec, "url"),
        .addresses = text_at(L, spec, "addresses"),
        .user = text_at(L, spec, "user"),
        .password = text_at(L, spec, "password"),
        .body = bytes_at(L, spec, "body"),
        .streams = flag_at(L, spec, "sends"),
        .length = (int64_t)number_at(L, spec, "length"),
        .proxy = text_at(L, spec, "proxy"),
        .socket = text_at(L, spec, "socket"),
        .ca = text_at(L, spec, "ca"),
        .cert = text_at(L, spec, "cert"),
        .key = text_at(L, spec, "key"),
        .insecure = flag_at(L, spec, "insecure"),
        .decode = flag_at(L, spec, "decode"),
        .version = (unsigned)number_at(L, spec, "version"),
        .connect_ms = ms_at(L, spec, "connect_timeout"),
        .stall_ms = ms_at(L, spec, "idle_timeout"),
        .max_head = PL_TRANSFER_HEAD_MAX,
    };

    *out = (struct pl_transfer_options){
        .spec = texts,
        .jar = jar_at(L, spec),
        .most = (size_t)number_at(L, spec, "max_body"),
        .streams = flag_at(L, spec, "stream"),
    };
    get_fields(L, spec, &out->spec);
}

/* begin(transfer, pool, call, spec) -> 0 or PL_ERR_*; spec.timeout: seconds, 0:
 * no limit. Inside a task, whose end is the transfer's. */
static int begin(lua_State *L)
{
    struct pl_transfer *transfer = check_transfer(L);
    struct pl_transfers *transfers = check_pool(L, 2)->transfers;
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 3));
    struct pl_transfer_options options;
    lua_Number seconds;

    luaL_checktype(L, 4, LUA_TTABLE);
    lua_pushvalue(L, 4);
    lua_setuservalue(L, 1);
    get_options(L, 4, &options);
    seconds = number_at(L, 4, "timeout");
    if (seconds > 0)
        options.due = pl_now(co->task.sched->loop) + (uint64_t)(seconds * 1e9);
    options.owner = &co->task;
    lua_pushinteger(L, pl_transfer_begin(transfer, transfers, &options));
    return 1;
}

/* wait(transfer, call, want) -> PL_TRANSFER_THERE, _MORE or PL_ERR_* */
static int wait_begin(lua_State *L)
{
    struct pl_transfer *transfer = check_transfer(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 2));
    int want = (int)luaL_checkinteger(L, 3);

    luaL_argcheck(L, want >= PL_TRANSFER_HEAD && want <= PL_TRANSFER_ALL, 3,
                  "what is wanted");
    if (transfer->op.state == PL_OP_PENDING) {
        lua_pushinteger(L, PL_ERR_BUSY);
        return 1;
    }
    pl_transfer_wait_begin(transfer, co->task.sched,
                           (enum pl_transfer_want)want);
    return pl_co_wait(L, co, &transfer->op, 1);
}

/* failure(transfer) -> why it has failed */
static int failure(lua_State *L)
{
    lua_pushstring(L, check_transfer(L)->error.text);
    return 1;
}

/* feed(transfer, bytes or nil): the transfer keeps bytes until they have been
 * sent; nil: there are no more. */
static int feed(lua_State *L)
{
    struct pl_transfer *transfer = check_transfer(L);
    struct pl_str bytes = {"", 0};

    if (!lua_isnil(L, 2))
        bytes.data = luaL_checklstring(L, 2, &bytes.len);
    lua_getuservalue(L, 1);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "chunk");
    pl_transfer_feed(transfer, bytes);
    return 0;
}

/* The fields of the response: { name, value, name, value, ... } */
static void push_fields(lua_State *L, const struct pl_transfer *transfer)
{
    struct pl_str name, value;
    void *at = NULL;
    int n = 0;

    lua_newtable(L);
    while (pl_transfer_header(transfer, &at, &name, &value)) {
        pl_lua_push_str(L, name);
        lua_rawseti(L, -2, ++n);
        pl_lua_push_str(L, value);
        lua_rawseti(L, -2, ++n);
    }
}

/* head(transfer, response) -> fields; sets response's status, version, remote,
 * reused. Nil: it has been closed. */
static int head(lua_State *L)
{
    const struct pl_transfer *transfer = check_transfer(L);
    struct pl_http_info info;

    if (transfer->transfers == NULL || !transfer->has_head)
        return 0;
    lua_settop(L, 2);
    pl_transfer_info(transfer, &info);
    pl_lua_set_integer(L, "status", info.status);
    pl_lua_set_text(L, "version", info.version);
    pl_lua_set_flag(L, "reused", info.reused);
    if (info.peer != NULL)
        pl_lua_set_text(L, "remote", info.peer);
    push_fields(L, transfer);
    return 1;
}

/* take(transfer, n) -> at most n bytes of the body; nil: nothing is there */
static int take(lua_State *L)
{
    struct pl_transfer *transfer = check_transfer(L);
    lua_Number most = luaL_checknumber(L, 2);
    struct pl_str there = {NULL, 0};

    if (transfer->transfers != NULL)
        there = pl_transfer_peek(transfer);
    if (there.len == 0)
        return 0;
    if (most < (lua_Number)there.len)
        there.len = (size_t)most;
    lua_pushlstring(L, there.data, there.len);
    pl_transfer_take(transfer, there.len);
    return 1;
}

/* is_over(transfer): is there nothing more to come? */
static int is_over(lua_State *L)
{
    const struct pl_transfer *transfer = check_transfer(L);

    lua_pushboolean(L, transfer->transfers == NULL ||
                           (transfer->over && transfer->in.len == 0));
    return 1;
}

/* open(): makes the types. */
static int open_http(lua_State *L)
{
    pl_vm_type(L, pool_name, pool_gc);
    pl_vm_type(L, jar_name, jar_gc);
    pl_vm_type(L, lines_name, lines_gc);
    pl_vm_type(L, transfer_name, close_transfer);
    return 0;
}

const luaL_Reg pl_lua_http[] = {
    {"open", open_http},
    {"pool", new_pool},
    {"url", url},
    {"jar", new_jar},
    {"cookies", cookies},
    {"set_cookie", set_cookie},
    {"transfer", new_transfer},
    {"begin", begin},
    {"wait", wait_begin},
    {"failure", failure},
    {"feed", feed},
    {"head", head},
    {"take", take},
    {"is_over", is_over},
    {"close", close_transfer},
    {NULL, NULL},
};
