#include "lua/move.h"

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/lib_websocket.h"
#include "lua/pack.h"
#include "lua/parts.h"

/* How long a turn of the sweep takes, what lies between two, and when those
 * that were busy are looked at again. */
enum { TURN_NS = 500000, PAUSE_NS = 1000000, AGAIN_NS = 100000000 };

struct pl_vm *pl_vm_successor(const struct pl_vm *vm)
{
    struct pl_vm *now =
        vm->options.serving == NULL ? NULL : *vm->options.serving;

    return now == vm || now == NULL || now->phase != PL_VM_RUNNING ? NULL : now;
}

/* ---- plain data ---- */

static int pack(lua_State *L, struct pl_vm *vm, int index,
                struct pl_error *error)
{
    pl_buf_fini(&vm->carried);
    return pl_lua_pack(L, index, &vm->carried, error);
}

static void tell(const char *what, const struct pl_error *error)
{
    pl_log(PL_LOG_WARN, "lua", "not carried over by the reload: %s%s%s", what,
           error->code == PL_ERR_INVALID ? "." : ": ", error->text);
}

/* The pair on top, as a table of its own: what is wrong has a path then. */
static bool is_plain(lua_State *L, struct pl_vm *vm, const char *what)
{
    struct pl_error error;
    int err;

    lua_createtable(L, 0, 1);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    err = pack(L, vm, -1, &error);
    lua_pop(L, 1);
    if (err < 0)
        tell(what, &error);
    return err == 0;
}

/* Pushes a copy of the table without the fields that cannot be packed. */
static void push_plain(lua_State *L, struct pl_vm *vm, int table,
                       const char *what)
{
    int copy = lua_gettop(L) + 1;

    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (!is_plain(L, vm, what))
            continue;
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, copy);
    }
}

void pl_vm_pack(lua_State *L, struct pl_vm *vm, int index, const char *what)
{
    struct pl_error error;
    int err;

    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, NULL);
    err = pack(L, vm, index, &error);
    if (err == PL_ERR_INVALID && lua_istable(L, index)) {
        push_plain(L, vm, index, what);
        err = pack(L, vm, -1, &error);
        lua_pop(L, 1);
    }
    if (err == 0)
        return;
    tell(what, &error);
    pl_buf_fini(&vm->carried);
}

void pl_vm_push_packed(lua_State *L, struct pl_str bytes)
{
    int err = bytes.len == 0 ? 0 : pl_lua_unpack(L, bytes);

    if (bytes.len == 0)
        lua_pushnil(L);
    else if (err < 0)
        luaL_error(L, "%s", pl_err_text(err));
}

/* ---- pl.persist ---- */

/* Pushes the table pl.persist of vm, or what a script has put in its place. */
static void push_persist(lua_State *L, struct pl_vm *vm)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->persist);
    lua_pushliteral(L, "persist");
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

static int pack_persist(lua_State *L)
{
    struct pl_vm *vm = lua_touserdata(L, 1);

    push_persist(L, vm);
    pl_vm_pack(L, vm, -1, "pl.persist");
    return 0;
}

/* What was carried over comes over what the site has set while it was loaded.
 */
static int fill_persist(lua_State *L)
{
    struct pl_vm *vm = lua_touserdata(L, 1);

    push_persist(L, vm);
    pl_vm_push_packed(L, pl_buf_str(&vm->inherited));
    if (!lua_istable(L, -1) || !lua_istable(L, -2))
        return 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -6);
    }
    return 0;
}

static void use_inherited(struct pl_vm *vm)
{
    if (vm->persist == LUA_NOREF || vm->inherited.len == 0)
        return;
    if (pl_vm_protect(vm->main, fill_persist, vm) != 0) {
        pl_log(PL_LOG_ERROR, "lua", "no memory for pl.persist");
        lua_settop(vm->main, 0);
    }
    pl_buf_fini(&vm->inherited);
}

static void give(struct pl_buf *to, struct pl_buf *from)
{
    pl_buf_fini(to);
    *to = *from;
    from->data = NULL;
    from->len = from->cap = 0;
}

/* A generation that has never looked at it passes it on. */
static void carry_persist(struct pl_vm *vm, struct pl_vm *from)
{
    if (from->persist != LUA_NOREF) {
        if (pl_vm_protect(from->main, pack_persist, from) != 0) {
            pl_log(PL_LOG_ERROR, "lua", "no memory for pl.persist");
            lua_settop(from->main, 0);
            pl_buf_fini(&from->carried);
        }
        give(&from->inherited, &from->carried);
    }
    give(&vm->inherited, &from->inherited);
    use_inherited(vm);
}

/* keep(pl): its field persist is what goes over */
static int keep(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);

    lua_settop(L, 1);
    vm->persist = luaL_ref(L, LUA_REGISTRYINDEX);
    if (vm->inherited.len > 0) { /* first used when it has served already */
        lua_pushlightuserdata(L, vm);
        fill_persist(L);
        pl_buf_fini(&vm->inherited);
    }
    return 0;
}

const luaL_Reg pl_lua_persist[] = {
    {"keep", keep},
    {NULL, NULL},
};

/* ---- the sweep ---- */

static void sweep_after(struct pl_vm *vm, uint64_t ns)
{
    struct pl_loop *loop = vm->sched->loop;

    pl_timer_start(pl_loop_wheel(loop), &vm->sweep, pl_now(loop) + ns);
}

static void on_sweep(struct pl_timer *timer)
{
    struct pl_vm *vm = PL_CONTAINER_OF(timer, struct pl_vm, sweep);
    uint64_t end = pl_clock_monotonic() + TURN_NS;
    bool more = true;

    if (vm->phase != PL_VM_RUNNING)
        return;
    if (vm->unseen == 0)
        vm->unseen = pl_lua_ws_count(vm);
    while (more && vm->unseen > 0 && pl_clock_monotonic() < end) {
        vm->unseen--;
        more = pl_lua_ws_move_next(vm);
    }
    if (!pl_list_empty(&vm->websockets))
        sweep_after(vm, vm->unseen > 0 ? PAUSE_NS : AGAIN_NS);
}

/* ---- life ---- */

void pl_vm_init_moves(struct pl_vm *vm)
{
    struct pl_pool *pool = pl_loop_pool(vm->sched->loop);

    pl_list_init(&vm->willing);
    pl_list_init(&vm->watches);
    vm->persist = vm->websocket_routes = LUA_NOREF;
    pl_buf_init(&vm->carried, pool, NULL, PL_CARRY_MAX);
    pl_buf_init(&vm->inherited, pool, NULL, PL_CARRY_MAX);
    pl_timer_init(&vm->sweep, on_sweep);
}

void pl_vm_end_moves(struct pl_vm *vm)
{
    pl_timer_stop(pl_loop_wheel(vm->sched->loop), &vm->sweep);
    pl_buf_fini(&vm->carried);
    pl_buf_fini(&vm->inherited);
    if (vm->options.serving != NULL && *vm->options.serving == vm)
        *vm->options.serving = NULL;
}

void pl_vm_take_over(struct pl_vm *vm, struct pl_vm *previous)
{
    carry_persist(vm, previous);
    pl_lua_tell_watches(previous);
    sweep_after(previous, 0);
}
