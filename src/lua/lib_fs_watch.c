/* lib_fs_watch.c - pl.fs.watch: what happens in directories
 * (lua/perilune/lib/fs_watch.lua). */
#include <string.h>

#include "base/error.h"
#include "lua/args.h"
#include "lua/lib_fs.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "os/notify.h"

static const char watcher_name[] = "pl.fs.watcher";

struct watcher {
    struct pl_fs_file *file; /* NULL: closed */
    struct pl_fd_op wait;    /* of the one task that may wait */
};

static struct watcher *check_watcher(lua_State *L)
{
    return luaL_checkudata(L, 1, watcher_name);
}

/* new() -> watcher, file; or nil, code. The file is for jobs that add. */
static int new_watcher(lua_State *L)
{
    struct watcher *watcher = lua_newuserdata(L, sizeof(*watcher));
    int err;

    memset(watcher, 0, sizeof(*watcher));
    luaL_setmetatable(L, watcher_name);
    err = pl_notify_open(&watcher->file);
    if (err < 0) {
        lua_pushnil(L);
        lua_pushinteger(L, err);
    } else {
        pl_lua_push_fs_file(L, watcher->file);
    }
    return 2;
}

/* close(watcher): who waits is woken. */
static int close_watcher(lua_State *L)
{
    struct watcher *watcher = check_watcher(L);

    if (watcher->file == NULL)
        return 0;
    pl_op_cancel(&watcher->wait.op);
    pl_fs_file_drop(watcher->file);
    watcher->file = NULL;
    return 0;
}

/* Nobody waits, or it would not be garbage. */
static int watcher_gc(lua_State *L)
{
    struct watcher *watcher = check_watcher(L);

    pl_fs_file_drop(watcher->file);
    watcher->file = NULL;
    return 0;
}

/* wait(watcher, call [, seconds]) -> events, or PL_ERR_* */
static int wait_begin(lua_State *L)
{
    struct watcher *watcher = check_watcher(L);
    const char *call = luaL_checkstring(L, 2);
    struct pl_co *co = pl_co_may_wait(L, call);
    struct pl_loop *loop = co->task.sched->loop;
    uint64_t due = 0;

    if (watcher->wait.op.state == PL_OP_PENDING)
        return pl_lua_fail(L, "%s: another task waits for it", call);
    if (!lua_isnoneornil(L, 3))
        due = pl_now(loop) + (uint64_t)(luaL_checknumber(L, 3) * 1e9) + 1;
    pl_fd_begin(&watcher->wait, co->task.sched, watcher->file->fd, PL_READABLE,
                due);
    return pl_co_wait(L, co, &watcher->wait.op, 1);
}

static const char *kind_of(uint32_t mask)
{
    static const struct {
        uint32_t bits;
        const char *kind;
    } kinds[] = {
        {IN_Q_OVERFLOW, "lost"}, {IN_IGNORED, "ignored"},
        {IN_CREATE, "create"},   {IN_CLOSE_WRITE, "write"},
        {IN_DELETE, "remove"},   {IN_MOVED_FROM, "from"},
        {IN_MOVED_TO, "to"},     {IN_MODIFY, "modify"},
    };

    for (size_t i = 0; i < PL_COUNT(kinds); i++)
        if (mask & kinds[i].bits)
            return kinds[i].kind;
    return "gone"; /* the directory itself */
}

static void push_event(lua_State *L, const struct pl_notify_event *event)
{
    lua_createtable(L, 0, 6);
    pl_lua_set_text(L, "kind", kind_of(event->mask));
    pl_lua_set_integer(L, "watch", event->watch);
    lua_pushlstring(L, event->name.data, event->name.len);
    lua_setfield(L, -2, "name");
    if (event->cookie != 0)
        pl_lua_set_integer(L, "cookie", event->cookie);
    if (event->mask & IN_ISDIR)
        pl_lua_set_flag(L, "directory", true);
}

/* read(watcher) -> list of events, or a code */
static int read_events(lua_State *L)
{
    struct watcher *watcher = check_watcher(L);
    void *block = lua_newuserdata(L, PL_NOTIFY_BLOCK);
    ssize_t n = pl_notify_read(watcher->file, block, PL_NOTIFY_BLOCK);
    struct pl_notify_event event;
    struct pl_str rest;

    if (n < 0) {
        lua_pushinteger(L, n);
        return 1;
    }
    rest = pl_str(block, (size_t)n);
    lua_newtable(L);
    for (int i = 1; pl_notify_next(&rest, &event); i++) {
        push_event(L, &event);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* forget(watcher, watch): it may be gone already. */
static int forget(lua_State *L)
{
    struct watcher *watcher = check_watcher(L);

    pl_notify_remove(watcher->file, (int)luaL_checkinteger(L, 2));
    return 0;
}

/* open(): makes the type. */
static int open_watch(lua_State *L)
{
    pl_vm_type(L, watcher_name, watcher_gc);
    return 0;
}

const luaL_Reg pl_lua_fs_watch[] = {
    {"open", open_watch},  {"new", new_watcher},     {"wait", wait_begin},
    {"read", read_events}, {"close", close_watcher}, {"forget", forget},
    {NULL, NULL},
};
