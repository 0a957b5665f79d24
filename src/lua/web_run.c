/* web_run.c - Lua functions as handlers and filters.
 *
 * Each runs in a pooled coroutine of its own, and what it returns becomes the
 * response: run_request(fn), run_both(fn) of core/web.lua, or what
 * lib/filter.lua has given to run_with(). But what a Lua filter runs by next()
 * and is another Lua function runs in the filter's own task: that saves the
 * coroutine and the way through the run queue. */
#include "base/str.h"
#include "base/sys.h"
#include "lua/filter.h"
#include "lua/parts.h"
#include "lua/web_priv.h"
#include "route/chain.h"

struct lua_handler {
    struct pl_handler handler;
    struct pl_filter filter; /* one of the two is used */
    struct pl_vm *vm;
    int fn; /* reference: the user's function */
    enum pl_web_call kind;
};

/* One run; in the request's arena. */
struct call {
    struct pl_request *req;
    struct pl_then *then;
    const struct pl_next *next; /* of a filter; NULL when it was called */
};

/* ---- errors ---- */

/* Is this only that nobody listens any more, or that the task is to end? */
static bool is_farewell(const struct pl_request *req, int code)
{
    struct pl_task *task = pl_task_current();

    if (code == PL_ERR_CANCELED)
        return (task != NULL && task->canceled) || req->response.told;
    return code == PL_ERR_CLOSED && (req->wire == NULL || req->response.told);
}

/* What an error in a handler means for its request: returns 0 when the response
 * has become an error page, else what is to be passed on. *tell: it is a fault
 * of the site, which belongs in the log. index: the error; needs no memory of
 * Lua. */
static int judge(lua_State *L, int index, int lua_status,
                 struct pl_request *req, bool *tell)
{
    int code = pl_lua_error_code(L, index);
    int status = pl_lua_error_status(L, index); /* the peer's fault */
    struct pl_web *web = req->lua;

    *tell = false;
    if (is_farewell(req, code))
        return code;
    if (code == PL_ERR_CANCELED && !req->response.started)
        return PL_ERR_STATE; /* of another task: nobody else would tell it */
    *tell = status == 0 || status >= 500;
    if (req->response.started) { /* PL_ERR_CANCELED is not told again */
        code = *tell ? PL_ERR_CANCELED : code;
        if (web != NULL)
            web->broken = code;
        return code;
    }
    if (status == 0)
        status = lua_status == LUA_ERRMEM || code == PL_ERR_NOMEM ? 503 : 500;
    pl_response_reset(&req->response);
    pl_response_error(&req->response, status, pl_str(NULL, 0));
    return 0;
}

/* ---- a task of its own ---- */

static void on_returned(struct pl_co *co, int status, int n)
{
    struct call *call = co->ctx;
    struct pl_request *req = call->req;
    struct pl_web *web = req->lua;
    bool tell = false;
    int result = web == NULL ? 0 : web->broken;

    (void)n;
    if (status != 0)
        result = judge(co->L, -1, status, req, &tell);
    if (tell)
        pl_vm_report(co->vm, &co->task, co->L);
    call->next = NULL;
    call->then->done(call->then, req, result);
}

static void on_over(struct pl_co *co)
{
    struct call *call = co->ctx;
    struct pl_request *req = call->req;
    struct pl_web *web = req->lua;

    if (req->task == &co->task)
        req->task = NULL;
    if (web != NULL && web->outer == call)
        pl_web_detach(req);
    pl_request_drop(req);
}

static const struct pl_co_hooks hooks = {on_returned, on_over};

static void start(const struct lua_handler *self, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    struct pl_vm *vm = self->vm;
    struct call *call = pl_arena_alloc(&req->arena, sizeof(*call));
    struct pl_co *co =
        call == NULL ? NULL : pl_co_new(vm, vm->caller, pl_task_current());

    if (co == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    *call = (struct call){req, then, next};
    co->hooks = &hooks;
    co->ctx = call;
    co->task.owner = req;
    co->task.serves = true;
    pl_request_hold(req);
    if (req->task == NULL)
        req->task = &co->task;
    if (req->meter != NULL)
        pl_meter_add(req->meter, &co->task);
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, vm->web_calls[self->kind]);
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, self->fn);
    pl_co_start(co, 1);
}

static void start_handler(struct pl_handler *handler, struct pl_request *req,
                          struct pl_then *then)
{
    start(PL_CONTAINER_OF(handler, struct lua_handler, handler), req, NULL,
          then);
}

static void start_filter(struct pl_filter *filter, struct pl_request *req,
                         const struct pl_next *next, struct pl_then *then)
{
    start(PL_CONTAINER_OF(filter, struct lua_handler, filter), req, next, then);
}

/* ---- life ---- */

static void free_self(struct lua_handler *self)
{
    luaL_unref(self->vm->main, LUA_REGISTRYINDEX, self->fn);
    pl_free(self);
}

static void free_handler(struct pl_handler *handler)
{
    free_self(PL_CONTAINER_OF(handler, struct lua_handler, handler));
}

static void free_filter(struct pl_filter *filter)
{
    free_self(PL_CONTAINER_OF(filter, struct lua_handler, filter));
}

PL_COLD static struct lua_handler *make(lua_State *L, struct pl_vm *vm,
                                        int index, enum pl_web_call kind)
{
    struct lua_handler *self;
    int fn;

    lua_pushvalue(L, index);
    fn = luaL_ref(L, LUA_REGISTRYINDEX); /* first: it may raise */
    self = pl_malloc(sizeof(*self));
    if (self == NULL) {
        luaL_unref(L, LUA_REGISTRYINDEX, fn);
        pl_lua_fail(L, "out of memory");
    }
    *self = (struct lua_handler){.handler = {.kind = "lua",
                                             .start = start_handler,
                                             .free = free_handler},
                                 .filter = {.kind = "lua",
                                            .refs = 1,
                                            .start = start_filter,
                                            .free = free_filter},
                                 .vm = vm,
                                 .fn = fn,
                                 .kind = kind};
    return self;
}

struct pl_handler *pl_web_handler_new(lua_State *L, struct pl_vm *vm, int index,
                                      bool response)
{
    return &make(L, vm, index,
                 response ? PL_WEB_CALL_BOTH : PL_WEB_CALL_REQUEST)
                ->handler;
}

/* ---- what the runners of a task call ---- */

static struct call *current_call(void)
{
    return pl_co_current()->ctx;
}

struct pl_then *pl_web_then(void)
{
    return current_call()->then;
}

void pl_web_leave(void)
{
    struct call *call = current_call();
    struct pl_request *req = call->req;
    struct pl_web *web = req->lua;

    if (req->task == pl_task_current())
        req->task = NULL;
    if (web != NULL && web->outer == call)
        pl_web_detach(req);
}

/* core.begin_request() -> req; core.begin_both() -> req, res */
static int begin_request(lua_State *L)
{
    struct call *call = current_call();

    pl_web_push_objects(L, call->req, call, false);
    return 1;
}

static int begin_both(lua_State *L)
{
    struct call *call = current_call();

    pl_web_push_objects(L, call->req, call, true);
    return 2;
}

/* core.respond(...): with what the function has returned */
static int respond(lua_State *L)
{
    pl_web_respond(L, current_call()->req, 1);
    return 0;
}

/* ---- filters: natives of lib/filter.lua ---- */

/* run_with(run): run(fn) runs a filter in a task of its own. */
static int run_with(lua_State *L)
{
    lua_settop(L, 1);
    pl_vm_upvalue(L)->web_calls[PL_WEB_CALL_FILTER] =
        luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* use(call, fn): a function, or a filter of C */
PL_COLD static int use(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_filter *filter = pl_lua_filter_get(L, 2);
    struct pl_error error = {.code = 0};

    if (filter != NULL)
        filter->refs++;
    else
        filter = &make(L, vm, 2, PL_WEB_CALL_FILTER)->filter;
    if (pl_site_use(vm->site, filter, &error) < 0)
        return pl_lua_fail(L, "%s: %s", lua_tostring(L, 1), error.text);
    return 0;
}

/* begin() -> req, res, call */
static int begin_filter(lua_State *L)
{
    struct call *call = current_call();

    pl_web_push_objects(L, call->req, call, true);
    lua_pushlightuserdata(L, call);
    return 3;
}

/* ---- what next() of a filter calls ----
 *
 * Each gets the request object first: while that is attached, calls of its
 * request are there. */

static int start_next(lua_State *L, struct pl_co *co,
                      const struct pl_next *next, struct pl_request *req)
{
    struct pl_next_op *wait = lua_newuserdata(L, sizeof(*wait));

    co->vm->caller = L;
    pl_next_begin(wait, next, req);
    co->vm->caller = NULL;
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* The Lua function that link leads to, or NULL: something else. */
static const struct lua_handler *lua_of(const struct pl_link *link)
{
    if (link->filter != NULL)
        return link->filter->start == start_filter
                   ? PL_CONTAINER_OF(link->filter, struct lua_handler, filter)
                   : NULL;
    return link->handler->start == start_handler
               ? PL_CONTAINER_OF(link->handler, struct lua_handler, handler)
               : NULL;
}

/* next(req, call) -> fn [, its call]: the next Lua function, which the
 * filter runs itself; or the result of what is not Lua */
static int next_step(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct call *call = lua_touserdata(L, 2), *inner;
    struct pl_co *co = pl_co_may_wait(L, "next");
    const struct pl_next *next = call->next;
    const struct lua_handler *self;
    struct pl_link link;

    if (next == NULL)
        return pl_lua_fail(L, "next: may be called once, and not after its "
                              "filter has returned");
    call->next = NULL;
    link = pl_next_link(next, req);
    self = lua_of(&link);
    if (self == NULL)
        return start_next(L, co, next, req);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->fn);
    if (link.filter == NULL)
        return 1;
    inner = pl_arena_alloc(&req->arena, sizeof(*inner));
    if (inner == NULL)
        return pl_lua_no_memory(L, "next");
    *inner = (struct call){.req = req, .next = link.rest};
    lua_pushlightuserdata(L, inner);
    return 2;
}

/* next_result(req, result) -> 0, or what next() is to raise */
static int next_result(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    int result = (int)lua_tointeger(L, 2);
    struct pl_web *web = req->lua;

    if (result >= 0 || (!req->response.started && result != PL_ERR_CANCELED &&
                        result != PL_ERR_CLOSED)) {
        if (!req->response.started)
            pl_request_answer(req, result);
        result = 0;
    } else if (req->response.started) {
        web->broken = result;
    }
    lua_pushinteger(L, result);
    return 1;
}

/* The filter that was run by next() is over: its own next() is, too. */
static void close_call(lua_State *L, int index)
{
    struct call *call = lua_touserdata(L, index);

    if (call != NULL)
        call->next = NULL;
}

/* next_respond(req, call or nil, ...) */
static int next_respond(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);

    close_call(L, 2);
    pl_web_respond(L, req, 3);
    return 0;
}

/* next_failed(req, call or nil, err) -> tell, result */
static int next_failed(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    bool tell;
    int result;

    close_call(L, 2);
    result = judge(L, 3, 0, req, &tell);
    lua_pushboolean(L, tell);
    lua_pushinteger(L, result);
    return 2;
}

/* is_filter(value): is it one that was written in C? */
PL_COLD static int is_filter(lua_State *L)
{
    lua_pushboolean(L, pl_lua_filter_get(L, 1) != NULL);
    return 1;
}

const luaL_Reg pl_lua_filter[] = {
    {"is_filter", is_filter},
    {"run_with", run_with},
    {"use", use},
    {"begin", begin_filter},
    {"next", next_step},
    {"next_result", next_result},
    {"next_respond", next_respond},
    {"next_failed", next_failed},
    {NULL, NULL},
};

void pl_lua_open_web_run(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"begin_request", begin_request},
        {"begin_both", begin_both},
        {"respond", respond},
        {NULL, NULL},
    };

    pl_web_register(L, vm, functions);
}

PL_COLD void pl_web_find_runners(lua_State *L, struct pl_vm *vm)
{
    static const char *const names[] = {"run_request", "run_both"};

    for (size_t i = 0; i < PL_COUNT(names); i++) {
        lua_getfield(L, -1, names[i]);
        vm->web_calls[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}
