/* module_call.c - methods of requests that are C functions of modules: each
 * runs on a fiber of its own while the Lua coroutine waits for it.
 *
 *     local call = call_new(name, req, ...)
 *     return call_end(call, call_begin(call))
 *
 * Arguments and results are copied, since no Lua may run on a fiber's stack and
 * a suspended coroutine's is not to be touched. */
#include "base/str.h"
#include "lua/module.h"
#include "lua/web_priv.h"
#include "task/fiber.h"

struct value {
    enum pl_lua_type type;
    bool boolean;
    double number;
    struct pl_str string; /* in the request's arena */
};

/* A userdata, kept by the Lua function that waits: also one that was cancelled
 * waits until the fiber is over. */
struct pl_lua_call {
    struct pl_join_op join;
    const struct pl_module_name *method;
    struct pl_request *req;
    unsigned nargs, nresults;
    unsigned wrong; /* the argument that was not of the type wanted; or 0 */
    enum pl_lua_type wanted;
    struct value args[PL_LUA_CALL_MAX], results[PL_LUA_CALL_MAX];
};

/* ---- arguments ---- */

static void take_value(lua_State *L, int index, struct pl_request *req,
                       const char *method, int number, struct value *out)
{
    struct pl_str text;

    switch (lua_type(L, index)) {
    case LUA_TNIL:
        out->type = PL_LUA_NIL;
        break;
    case LUA_TBOOLEAN:
        out->type = PL_LUA_BOOL;
        out->boolean = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        out->type = PL_LUA_NUMBER;
        out->number = lua_tonumber(L, index);
        break;
    case LUA_TSTRING:
        out->type = PL_LUA_STRING;
        text.data = lua_tolstring(L, index, &text.len);
        out->string = pl_arena_str(&req->arena, text);
        if (out->string.data == NULL)
            pl_lua_fail(L, "req:%s: out of memory", method);
        break;
    default:
        pl_lua_fail(L,
                    "req:%s: argument %d must be a string, a number, a "
                    "boolean or nil, not a %s",
                    method, number, luaL_typename(L, index));
    }
}

/* call_new(name, req, ...) -> call */
int pl_lua_call_new(lua_State *L)
{
    const struct pl_module_name *method = lua_touserdata(L, 1);
    struct pl_request *req = pl_web_check(L, 2, PL_WEB_REQUEST);
    int n = lua_gettop(L) - 2;
    struct pl_lua_call *call;

    if (n > PL_LUA_CALL_MAX)
        return pl_lua_fail(L, "req:%s: %d arguments are too many (%d)",
                           method->item.name, n, PL_LUA_CALL_MAX);
    call = lua_newuserdata(L, sizeof(*call));
    *call = (struct pl_lua_call){
        .method = method, .req = req, .nargs = (unsigned)n};
    for (int i = 0; i < n; i++)
        take_value(L, i + 3, req, method->item.name, i + 1, &call->args[i]);
    return 1;
}

/* ---- the fiber ---- */

static int run(void *arg)
{
    struct pl_lua_call *call = arg;

    return call->method->item.method(call->req, call, call->method->arg);
}

/* call_begin(call) -> its result */
int pl_lua_call_begin(lua_State *L)
{
    struct pl_lua_call *call = lua_touserdata(L, 1);
    struct pl_request *req = call->req;
    struct pl_co *co = pl_co_may_wait(L, call->method->item.name);
    struct pl_task *task = pl_fiber_new(co->task.sched, &co->task, run, call);

    if (task == NULL) {
        lua_pushinteger(L, PL_ERR_NOMEM);
        return 1;
    }
    pl_request_add_task(req, task);
    pl_task_join_begin(&call->join, task);
    pl_task_start(task);
    return pl_co_wait(L, co, &call->join.op, 1);
}

/* ---- results ---- */

static void push_value(lua_State *L, const struct value *value)
{
    switch (value->type) {
    case PL_LUA_NIL:
        lua_pushnil(L);
        break;
    case PL_LUA_BOOL:
        lua_pushboolean(L, value->boolean);
        break;
    case PL_LUA_NUMBER:
        if (value->number >= -0x1p53 && value->number <= 0x1p53 &&
            value->number == (double)(int64_t)value->number)
            lua_pushinteger(L, (lua_Integer)value->number);
        else
            lua_pushnumber(L, value->number);
        break;
    case PL_LUA_STRING:
        lua_pushlstring(L, value->string.data, value->string.len);
        break;
    }
}

static int refuse(lua_State *L, const struct pl_lua_call *call)
{
    static const char *const names[] = {"nil", "a boolean", "a number",
                                        "a string"};
    enum pl_lua_type type = pl_lua_arg_type(call, call->wrong);

    return pl_lua_fail(L, "req:%s: argument %d must be %s, not %s",
                       call->method->item.name, (int)call->wrong,
                       names[call->wanted], names[type]);
}

/* call_end(call, result) -> the results, or nil, err. */
int pl_lua_call_end(lua_State *L)
{
    const struct pl_lua_call *call = lua_touserdata(L, 1);
    int result = (int)lua_tointeger(L, 2);
    const char *name;

    if (call->wrong != 0)
        return refuse(L, call);
    if (result >= 0) {
        for (unsigned i = 0; i < call->nresults; i++)
            push_value(L, &call->results[i]);
        return (int)call->nresults;
    }
    name = lua_pushfstring(L, "req:%s", call->method->item.name);
    if (result != PL_ERR_CANCELED)
        return pl_lua_return_error(L, result, name, NULL);
    pl_lua_push_error(L, result, name, NULL);
    return lua_error(L);
}

/* ---- what methods call ---- */

unsigned pl_lua_args(const struct pl_lua_call *call)
{
    return call->nargs;
}

enum pl_lua_type pl_lua_arg_type(const struct pl_lua_call *call, unsigned index)
{
    return index - 1 < call->nargs ? call->args[index - 1].type : PL_LUA_NIL;
}

/* Remembers the first that is something else. */
static const struct value *want(struct pl_lua_call *call, unsigned index,
                                enum pl_lua_type type)
{
    if (pl_lua_arg_type(call, index) == type)
        return &call->args[index - 1];
    if (call->wrong == 0) {
        call->wrong = index;
        call->wanted = type;
    }
    return NULL;
}

bool pl_lua_arg_str(struct pl_lua_call *call, unsigned index,
                    struct pl_str *out)
{
    const struct value *value = want(call, index, PL_LUA_STRING);

    if (value != NULL)
        *out = value->string;
    return value != NULL;
}

bool pl_lua_arg_number(struct pl_lua_call *call, unsigned index, double *out)
{
    const struct value *value = want(call, index, PL_LUA_NUMBER);

    if (value != NULL)
        *out = value->number;
    return value != NULL;
}

bool pl_lua_arg_bool(struct pl_lua_call *call, unsigned index, bool *out)
{
    const struct value *value = want(call, index, PL_LUA_BOOL);

    if (value != NULL)
        *out = value->boolean;
    return value != NULL;
}

static int add_result(struct pl_lua_call *call, const struct value *value)
{
    if (call->nresults == PL_LUA_CALL_MAX)
        return PL_ERR_LIMIT;
    call->results[call->nresults++] = *value;
    return 0;
}

int pl_lua_return_str(struct pl_lua_call *call, struct pl_str value)
{
    struct value result = {.type = PL_LUA_NIL};

    if (value.data != NULL) {
        result.type = PL_LUA_STRING;
        result.string = pl_arena_str(&call->req->arena, value);
        if (result.string.data == NULL)
            return PL_ERR_NOMEM;
    }
    return add_result(call, &result);
}

int pl_lua_return_number(struct pl_lua_call *call, double value)
{
    const struct value result = {.type = PL_LUA_NUMBER, .number = value};

    return add_result(call, &result);
}

int pl_lua_return_bool(struct pl_lua_call *call, bool value)
{
    const struct value result = {.type = PL_LUA_BOOL, .boolean = value};

    return add_result(call, &result);
}
