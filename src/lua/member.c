/* member.c - what reaches the site from outside its worker: messages of other
 * workers, and that this one leads. Each starts a task; see share/member.h. */
#include "share/member.h"

#include "base/check.h"
#include "base/features.h"
#include "base/log.h"
#include "lua/args.h"
#include "lua/datum.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "share/message.h"

struct pl_member *pl_vm_check_member(lua_State *L, const char *call)
{
    struct pl_vm *vm = pl_vm_upvalue(L);

    if (vm->options.member == NULL)
        pl_lua_fail(L, "%s: there is nobody to talk to here", call);
    return vm->options.member;
}

struct pl_member *pl_vm_check_standing(lua_State *L, const char *call)
{
    struct pl_member *member = pl_vm_check_member(L, call);

    if (pl_vm_upvalue(L)->phase == PL_VM_LOADING)
        pl_lua_fail(L, "%s: the site is still being loaded", call);
    return member;
}

/* ---- messages: one task at a time looks at them, in their order ---- */

static void on_pump_over(struct pl_co *co)
{
    co->vm->pumping = false;
}

/* Without memory for a task they wait for the next message to come. */
static void on_message(void *arg)
{
    static const struct pl_co_hooks hooks = {NULL, on_pump_over};
    struct pl_vm *vm = arg;

    if (vm->pumping)
        return;
    vm->pumping = true;
    if (pl_vm_start_call(vm, PL_VM_CALL_messages, &hooks) == 0)
        return;
    vm->pumping = false;
    pl_log(PL_LOG_ERROR, "lua", "no memory to look at messages");
}

static void release(struct pl_vm *vm)
{
    if (vm->envelope != NULL)
        pl_envelope_release(vm->envelope);
    vm->envelope = NULL;
}

int pl_vm_push_envelope(lua_State *L, struct pl_vm *vm,
                        struct pl_envelope *envelope)
{
    release(vm); /* the last one, if making a value of it has failed */
    vm->envelope = envelope;
    if (envelope == NULL)
        lua_pushnil(L);
    else
        pl_lua_datum_push(L, &envelope->message->value);
    release(vm);
    return 1;
}

int pl_vm_push_message(lua_State *L, struct pl_vm *vm,
                       struct pl_envelope *envelope)
{
    const struct pl_message *message;

    release(vm);
    vm->envelope = envelope;
    if (envelope == NULL)
        return 0;
    message = envelope->message;
    pl_lua_datum_push(L, &message->value);
    pl_lua_push_str(L, message->topic);
    if (message->number == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)message->number);
    release(vm);
    return 3;
}

/* core.next_message() -> the sender's number (false: no worker) and the value;
 * nothing when there is none. */
static int next_message(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_member *member = vm->options.member;
    struct pl_envelope *envelope =
        member->arg == vm ? pl_member_next(member) : NULL;
    int from;

    if (envelope == NULL) /* or they are for the next generation */
        return 0;
    from = envelope->message->from;
    if (from == PL_SHARE_NOBODY)
        lua_pushboolean(L, 0);
    else
        lua_pushinteger(L, from);
    return 1 + pl_vm_push_envelope(L, vm, envelope);
}

/* ---- who leads ---- */

static void on_lead(void *arg)
{
    if (pl_vm_start_call(arg, PL_VM_CALL_lead, NULL) < 0)
        pl_log(PL_LOG_ERROR, "lua", "no memory to start the timers");
}

/* core.is_leading(): does this worker run what runs once per process? */
static int is_leading(lua_State *L)
{
    const struct pl_vm_options *options = &pl_vm_upvalue(L)->options;

    lua_pushboolean(L, options->member == NULL ? options->worker == 0
                                               : options->member->leading);
    return 1;
}

/* ---- the VM's life ---- */

void pl_vm_stand(struct pl_vm *vm)
{
    static const struct pl_member_ops ops = {on_message, on_lead};

    if (PL_WITH_SHARE && vm->options.member != NULL)
        pl_member_stand(vm->options.member, &ops, vm);
}

void pl_vm_stand_down(struct pl_vm *vm)
{
    struct pl_member *member = vm->options.member;

    release(vm);
    if (PL_WITH_SHARE && member != NULL && member->arg == vm)
        pl_member_stand(member, NULL, NULL);
}

void pl_lua_open_member(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"is_leading", is_leading},
        {NULL, NULL},
    };
    static const luaL_Reg of_share[] = {
        {"next_message", next_message},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
    if (PL_WITH_SHARE)
        pl_vm_register(L, vm, of_share);
}
