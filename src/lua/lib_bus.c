/* lib_bus.c - pl.publish, pl.subscribe, pl.messages, pl.workers. */
#include "base/str.h"
#include "lua/args.h"
#include "lua/datum.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "share/bus.h"

static const char subscription_name[] = "pl.subscription";

/* A userdata. sub is NULL before and after: it belongs to the worker, so that
 * nothing is left to do for a finalizer. */
struct subscription {
    struct pl_subscription *sub;
    struct pl_receive_op receive;
};

/* natives.publish(topic, value) -> receivers and, of a channel, the message's
 * number; or nil and the error */
static int publish(lua_State *L)
{
    static const char call[] = "pl.publish";
    struct pl_member *member = pl_vm_check_standing(L, call);
    struct pl_str topic = pl_arg_str(L, 1, call, "the topic");
    struct pl_lua_datum datum;
    struct pl_dict_user user;
    uint64_t number;
    int n;

    pl_lua_datum_read(L, 2, call, &datum);
    user = pl_member_user(member);
    n = pl_bus_send(member->share, &user, (int)member->id, topic, &datum.value,
                    &number);
    pl_lua_datum_done(&datum);
    if (n == PL_ERR_INVALID)
        return pl_lua_fail(L, "%s: a pattern is no topic", call);
    if (n < 0)
        return pl_lua_push_failure(L, n, call);
    lua_pushinteger(L, n);
    if (number == 0)
        return 1;
    lua_pushinteger(L, (lua_Integer)number);
    return 2;
}

/* natives.send(number or nil, value) -> true, or nil and the error */
static int send_message(lua_State *L)
{
    static const char call[] = "pl.workers.send";
    struct pl_member *member = pl_vm_check_standing(L, call);
    int to = PL_SHARE_NOBODY, err;
    struct pl_lua_datum datum;
    struct pl_dict_user user;

    if (!lua_isnil(L, 1))
        to = (int)pl_arg_integer(L, 1, call, "the worker", 0,
                                 (lua_Integer)member->count - 1);
    pl_lua_datum_read(L, 2, call, &datum);
    user = pl_member_user(member);
    err = pl_share_send(member->share, user.reader, (int)member->id, to,
                        &datum.value);
    pl_lua_datum_done(&datum);
    if (err < 0)
        return pl_lua_push_failure(L, err, call);
    lua_pushboolean(L, 1);
    return 1;
}

/* natives.stats() -> { group = { name = number, ... }, ... }, those of a group
 * one after another */
static int stats(lua_State *L)
{
    const struct pl_vm_options *options = &pl_vm_upvalue(L)->options;
    struct pl_stat all[PL_STATS_MAX];
    const char *group = NULL;
    unsigned n;

    lua_settop(L, 0);
    if (options->stats == NULL)
        return pl_lua_fail(L, "pl.workers.stats: there is no server here");
    n = options->stats(options->ctx, all);
    lua_newtable(L);
    for (unsigned i = 0; i < n; i++) {
        if (group != all[i].group) {
            group = all[i].group;
            lua_settop(L, 1);
            lua_newtable(L);
            lua_pushvalue(L, -1);
            lua_setfield(L, 1, group);
        }
        lua_pushinteger(L, (lua_Integer)all[i].value);
        lua_setfield(L, 2, all[i].name);
    }
    lua_settop(L, 1);
    return 1;
}

/* ---- subscriptions ---- */

static struct subscription *check_subscription(lua_State *L)
{
    return luaL_checkudata(L, 1, subscription_name);
}

/* natives.subscribe(call, topic, queue, close, bytes, since or nil,
 * through_stop) -> subscription, or nil and the error */
static int subscribe(lua_State *L)
{
    const char *call = luaL_checkstring(L, 1);
    struct pl_member *member = pl_vm_check_standing(L, call);
    struct pl_str topic = pl_arg_str(L, 2, call, "the topic");
    const struct pl_task *task = pl_task_current();
    const struct pl_bus_options options = {
        .queue = (unsigned)lua_tointeger(L, 3),
        .close = lua_toboolean(L, 4),
        .bytes = (size_t)lua_tonumber(L, 5),
        .replay = !lua_isnoneornil(L, 6),
        .since = lua_tonumber(L, 6) > 0 ? (uint64_t)lua_tonumber(L, 6) : 0,
        .serves = task != NULL && task->serves && !lua_toboolean(L, 7),
    };
    struct subscription *subscription;
    int err;

    subscription = lua_newuserdata(L, sizeof(*subscription));
    subscription->sub = NULL;
    luaL_newmetatable(L, subscription_name);
    lua_setmetatable(L, -2);
    err = pl_bus_subscribe(member, topic, &options, &subscription->sub);
    return err < 0 ? pl_lua_push_failure(L, err, call) : 1;
}

/* natives.cancel(subscription) */
static int cancel(lua_State *L)
{
    struct subscription *subscription = check_subscription(L);
    struct pl_subscription *sub = subscription->sub;

    subscription->sub = NULL;
    if (sub != NULL)
        pl_bus_cancel(sub);
    return 0;
}

/* natives.finish(subscription): it gets no more; what it has can be taken */
static int finish(lua_State *L)
{
    struct subscription *subscription = check_subscription(L);

    if (subscription->sub != NULL)
        pl_bus_finish(subscription->sub);
    return 0;
}

/* natives.dropped(subscription) -> messages that were lost */
static int dropped(lua_State *L)
{
    const struct subscription *subscription = check_subscription(L);

    lua_pushnumber(L, subscription->sub == NULL
                          ? 0
                          : (lua_Number)subscription->sub->dropped);
    return 1;
}

/* natives.leave(): ends what serves the peer of the calling task. For who goes
 * on waiting after it was told of the stop: it would do so for ever. */
static int leave(lua_State *L)
{
    struct pl_task *task = pl_task_current();

    (void)L;
    while (task->parent != NULL)
        task = task->parent;
    pl_task_cancel(task);
    return 0;
}

/* natives.receive(subscription [, seconds]) -> 0 when there is a message */
static int receive(lua_State *L)
{
    struct subscription *subscription = check_subscription(L);
    struct pl_co *co = pl_co_may_wait(L, "subscription:receive");
    double seconds = lua_tonumber(L, 2);
    uint64_t due = 0;

    if (subscription->sub == NULL) {
        lua_pushinteger(L, PL_ERR_CLOSED);
        return 1;
    }
    if (!lua_isnoneornil(L, 2))
        due = pl_now(co->task.sched->loop) + (uint64_t)(seconds * 1e9);
    pl_receive_begin(&subscription->receive, co->task.sched, subscription->sub,
                     due);
    return pl_co_wait(L, co, &subscription->receive.op, 1);
}

/* natives.take(subscription) -> the value of the oldest message, its topic, and
 * its number, if it is a channel's; or nil */
static int take(lua_State *L)
{
    const struct subscription *subscription = check_subscription(L);
    struct pl_envelope *envelope;

    envelope =
        subscription->sub == NULL ? NULL : pl_bus_take(subscription->sub);
    return pl_vm_push_message(L, pl_vm_upvalue(L), envelope);
}

const luaL_Reg pl_lua_bus[] = {
    {"publish", publish}, {"send", send_message}, {"subscribe", subscribe},
    {"cancel", cancel},   {"dropped", dropped},   {"receive", receive},
    {"take", take},       {"leave", leave},       {"stats", stats},
    {"finish", finish},   {NULL, NULL},
};
