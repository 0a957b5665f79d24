/* group.c - several children of a task for which it waits together: what
 * pl.all, pl.race and pl.timeout are made of.
 *
 *     group = new(call [, seconds]);  fork(group, fn, ...) ...;
 *     result = gather(group)
 *
 * While a task waits in gather, the members are all the children that it has.
 * So a group has no list of its own: ending it early is cancelling the
 * children. */
#include "base/check.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char group_name[] = "pl.group";

/* A userdata; anchor keeps it until the last member is over, even if the parent
 * fails before it comes to wait. */
struct group {
    struct pl_op op; /* PENDING from the first member to the last */
    struct pl_co *parent;
    struct pl_vm *vm;
    struct pl_timer limit; /* of pl.timeout */
    uint64_t due;
    int live, anchor, err;
    bool limited, expired;
};

static struct group *check_group(lua_State *L)
{
    return luaL_checkudata(L, 1, group_name);
}

static void on_member_over(struct pl_co *co)
{
    struct group *group = co->ctx;

    if (co->task.result < 0 && co->task.result != PL_ERR_CANCELED &&
        group->err == 0) {
        group->err = co->task.result; /* not one of fn's errors: no memory */
        pl_task_cancel_children(&group->parent->task);
    }
    if (--group->live > 0)
        return;
    if (group->limit.armed)
        pl_timer_stop(pl_loop_wheel(group->vm->sched->loop), &group->limit);
    luaL_unref(group->vm->main, LUA_REGISTRYINDEX, group->anchor);
    pl_op_complete(&group->op,
                   group->op.canceled ? PL_ERR_CANCELED : group->err);
}

static void on_late(struct pl_timer *timer)
{
    struct group *group = PL_CONTAINER_OF(timer, struct group, limit);

    group->expired = true;
    pl_task_cancel_children(&group->parent->task);
}

/* new(call [, seconds]) -> group. The members are cancelled after
 * seconds. */
static int group_new(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 1));
    struct pl_loop *loop = co->task.sched->loop;
    double seconds = luaL_optnumber(L, 2, -1); /* NaN: none either */
    struct group *group = lua_newuserdata(L, sizeof(*group));

    *group = (struct group){.parent = co, .vm = co->vm, .anchor = LUA_NOREF};
    luaL_setmetatable(L, group_name);
    pl_op_init(&group->op, co->task.sched, NULL); /* ends with its members */
    pl_timer_init(&group->limit, on_late);
    group->limited = seconds >= 0 && seconds < 0x1p62 / 1e9;
    if (group->limited)
        group->due = pl_now(loop) + (uint64_t)(seconds * 1e9);
    return 1;
}

static void add_member(struct group *group, struct pl_co *co)
{
    static const struct pl_co_hooks hooks = {NULL, on_member_over};
    struct pl_wheel *wheel = pl_loop_wheel(group->vm->sched->loop);

    co->hooks = &hooks;
    co->ctx = group;
    if (group->live++ > 0)
        return;
    pl_op_begin(&group->op);
    if (group->limited)
        pl_timer_start(wheel, &group->limit, group->due);
}

/* A member without memory: the others end, and gather tells. */
static int fail_fork(lua_State *L, struct group *group)
{
    if (group->live == 0) {
        luaL_unref(L, LUA_REGISTRYINDEX, group->anchor);
        return pl_lua_fail(L, "cannot start a task: out of memory");
    }
    group->err = PL_ERR_NOMEM;
    pl_task_cancel_children(&group->parent->task);
    return 0;
}

/* fork(group, fn, ...): a member that calls fn(...) from the run queue.
 * Raises only if it is the first: once there is one, somebody must gather. */
static int group_fork(lua_State *L)
{
    struct group *group = check_group(L);
    int args = lua_gettop(L) - 2;
    struct pl_co *co;

    if (group->live == 0) {
        lua_pushvalue(L, 1);
        group->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    co = pl_co_new(group->vm, L, &group->parent->task);
    if (co == NULL)
        return fail_fork(L, group);
    if (!lua_checkstack(co->L, args + 1)) {
        pl_task_end(&co->task, PL_ERR_NOMEM);
        return fail_fork(L, group);
    }
    lua_xmove(L, co->L, args + 1);
    add_member(group, co);
    pl_co_start(co, args);
    return 0;
}

/* gather(group) -> 0 when all members are over, or PL_ERR_*. */
static int group_gather(lua_State *L)
{
    struct group *group = check_group(L);

    if (group->op.state == PL_OP_IDLE) {
        lua_pushinteger(L, 0);
        return 1;
    }
    return pl_co_wait(L, group->parent, &group->op, 1);
}

/* disband(group): cancels the members. */
static int group_disband(lua_State *L)
{
    struct group *group = check_group(L);

    if (group->live > 0)
        pl_task_cancel_children(&group->parent->task);
    return 0;
}

/* expired(group) */
static int group_expired(lua_State *L)
{
    lua_pushboolean(L, check_group(L)->expired);
    return 1;
}

static int open_group(lua_State *L)
{
    luaL_newmetatable(L, group_name);
    return 0;
}

const luaL_Reg pl_lua_group[] = {
    {"open", open_group},
    {"new", group_new},
    {"fork", group_fork},
    {"gather", group_gather},
    {"disband", group_disband},
    {"expired", group_expired},
    {NULL, NULL},
};
