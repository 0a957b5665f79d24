/* web_handler.c - Lua functions as handlers and filters, and the functions that
 * record routes, listeners and settings.
 *
 * Each runs in a pooled coroutine of its own:
 *
 *     core.run_handler(fn, request) -> fn(req, res), its results become the
 *     core.run_filter(fn, request, next)             response
 *
 * Both are in lua/perilune/core/web.lua. */
#include "base/str.h"
#include "base/sys.h"
#include "handlers/static.h"
#include "lua/site.h"
#include "lua/web_priv.h"
#include "route/chain.h"

struct lua_handler {
    struct pl_handler handler;
    struct pl_filter filter; /* one of the two is used */
    struct pl_vm *vm;
    int fn, run; /* references: the user's function, core.run_* */
};

/* One run; in the request's arena. */
struct call {
    struct pl_request *req;
    struct pl_then *then;
    const struct pl_next *next; /* of a filter */
    bool outermost;             /* the objects end with this one */
};

/* ---- running ---- */

/* An error that a peer has caused: its status, and no traceback in the log. */
static bool is_peers(int code)
{
    return code == PL_ERR_LIMIT || code == PL_ERR_PROTO ||
           code == PL_ERR_CLOSED || code == PL_ERR_TIMEOUT ||
           code == PL_ERR_CANCELED;
}

static int failed(struct pl_co *co, struct call *call)
{
    int code = pl_lua_error_code(co->L, -1);

    if (is_peers(code))
        return code;
    pl_vm_report(co->vm, &co->task, co->L);
    if (call->req->response.started)
        return PL_ERR_STATE;
    pl_response_reset(&call->req->response);
    pl_response_error(&call->req->response, 500, pl_str(NULL, 0));
    return 0;
}

static void on_returned(struct pl_co *co, int status, int n)
{
    struct call *call = co->ctx;
    int result = status == 0 ? 0 : failed(co, call);

    (void)n;
    call->then->done(call->then, call->req, result);
}

static void on_over(struct pl_co *co)
{
    struct call *call = co->ctx;
    struct pl_request *req = call->req;

    if (call->outermost) {
        req->task = NULL;
        pl_web_detach(req);
    }
    pl_request_drop(req);
}

static const struct pl_co_hooks hooks = {on_returned, on_over};

static void start(const struct lua_handler *self, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    struct call *call = pl_arena_alloc(&req->arena, sizeof(*call));
    struct pl_co *co =
        call == NULL ? NULL
                     : pl_co_new(self->vm, self->vm->caller, pl_task_current());

    if (co == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    *call = (struct call){
        .req = req, .then = then, .next = next, .outermost = req->task == NULL};
    co->hooks = &hooks;
    co->ctx = call;
    co->task.owner = req;
    pl_request_hold(req);
    if (call->outermost)
        req->task = &co->task;
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, self->run);
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, self->fn);
    lua_pushlightuserdata(co->L, call);
    pl_co_start(co, 2);
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

static void free_self(struct lua_handler *self)
{
    lua_State *L = self->vm->main;

    luaL_unref(L, LUA_REGISTRYINDEX, self->fn);
    luaL_unref(L, LUA_REGISTRYINDEX, self->run);
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

/* A handler or filter of the function at index fn, run by the one at run. */
static struct lua_handler *make(lua_State *L, struct pl_vm *vm, int fn, int run)
{
    struct lua_handler *self = pl_malloc(sizeof(*self));

    if (self == NULL)
        luaL_error(L, "out of memory");
    *self = (struct lua_handler){.handler = {.kind = "lua",
                                             .start = start_handler,
                                             .free = free_handler},
                                 .filter = {.kind = "lua",
                                            .refs = 1,
                                            .start = start_filter,
                                            .free = free_filter},
                                 .vm = vm};
    lua_pushvalue(L, fn);
    self->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, run);
    self->run = luaL_ref(L, LUA_REGISTRYINDEX);
    return self;
}

/* ---- what run_handler and run_filter call ---- */

/* core.objects(call) -> req, res */
static int objects(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);

    pl_web_push_objects(L, pl_vm_upvalue(L), call->req);
    return 2;
}

/* The fields of a third result: { ["x-a"] = "1" } */
static void set_headers(lua_State *L, struct pl_request *req, int table)
{
    luaL_checktype(L, table, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        int err;

        if (lua_type(L, -2) != LUA_TSTRING)
            pl_lua_fail(L, "headers: names must be strings");
        err = pl_response_set(&req->response, pl_lua_check_str(L, -2),
                              pl_lua_check_str(L, -1));
        if (err < 0)
            pl_lua_fail(L, "header \"%s\": %s", lua_tostring(L, -2),
                        pl_err_text(err));
        lua_pop(L, 1);
    }
}

/* core.respond(call, ...): what a function has returned becomes the response:
 * nothing; body; status; status, body; status, body, headers. */
static int respond(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    struct pl_request *req = call->req;
    struct pl_response *res = &req->response;
    int n = lua_gettop(L), status;

    if (n < 2 || (n == 2 && lua_isnil(L, 2)))
        return 0;
    if (res->started)
        return pl_lua_fail(L, "a handler that has written its response "
                              "returns nothing more");
    if (lua_type(L, 2) != LUA_TNUMBER) {
        pl_web_set_body(L, pl_vm_upvalue(L), req, 2);
        return 0;
    }
    status = (int)lua_tointeger(L, 2);
    if (n >= 4 && !lua_isnil(L, 4))
        set_headers(L, req, 4);
    if (n >= 3 && !lua_isnil(L, 3))
        pl_web_set_body(L, pl_vm_upvalue(L), req, 3);
    else if (status >= 400 && res->content == PL_CONTENT_NONE)
        pl_response_error(res, PL_MIN(status, 999), pl_str(NULL, 0));
    if (pl_response_status(res, status) < 0)
        return pl_lua_fail(L, "%d is not a status from 200 to 999", status);
    return 0;
}

struct next_op {
    struct pl_op op;
    struct pl_then then;
};

static void next_done(struct pl_then *then, struct pl_request *req, int result)
{
    struct next_op *wait = PL_CONTAINER_OF(then, struct next_op, then);

    (void)req;
    pl_op_complete(&wait->op, result);
}

/* core.next(call) -> the result of the rest of the chain; once */
static int next_begin(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    struct pl_co *co = pl_co_may_wait(L, "next");
    const struct pl_next *next = call->next;
    struct next_op *wait;

    if (next == NULL)
        return pl_lua_fail(L, "next: may be called once only");
    wait = lua_newuserdata(L, sizeof(*wait));
    wait->then.done = next_done;
    pl_op_init(&wait->op, co->task.sched, NULL);
    pl_op_begin(&wait->op);
    call->next = NULL;
    co->vm->caller = L;
    pl_next_start(next, call->req, &wait->then);
    co->vm->caller = NULL;
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* ---- recording ---- */

static struct pl_site *site_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(2));
}

static int raise_error(lua_State *L, const struct pl_error *error)
{
    return pl_lua_fail(L, "%s", error->text);
}

static struct pl_str option_str(lua_State *L, int table, const char *name)
{
    struct pl_str value = {NULL, 0};

    if (!lua_istable(L, table))
        return value;
    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1))
        value = pl_lua_check_str(L, -1);
    lua_pop(L, 1);
    return value;
}

static int add(lua_State *L, unsigned methods, struct pl_str pattern,
               bool mount, struct pl_handler *handler, int options)
{
    struct pl_route_options route = {
        .expires = option_str(L, options, "expires"),
        .cache_control = option_str(L, options, "cache_control")};
    struct pl_str max_body = option_str(L, options, "max_body");
    struct pl_error error = {.code = 0};

    if (max_body.data != NULL && !pl_str_to_size(max_body, &route.max_body)) {
        handler->free(handler);
        return pl_lua_fail(L, "max_body: a size like \"1m\" is needed");
    }
    pl_lua_push_caller(L);
    if (pl_site_route(site_of(L), methods, pattern, mount, handler, &route,
                      lua_tostring(L, -1), &error) < 0)
        return raise_error(L, &error);
    return 0;
}

static unsigned check_method(lua_State *L, struct pl_str name)
{
    enum pl_method method;
    char upper[16];
    size_t i;

    if (pl_str_ieq(name, PL_STR("any")))
        return PL_METHODS_ANY;
    for (i = 0; i < name.len && i < sizeof(upper); i++)
        upper[i] = name.data[i] >= 'a' && name.data[i] <= 'z'
                       ? (char)(name.data[i] - 32)
                       : name.data[i];
    method = pl_method_parse(pl_str(upper, i));
    if (method == PL_METHOD_UNKNOWN)
        pl_lua_fail(L, "'%s' is not a method", lua_tostring(L, 1));
    return PL_METHOD_BIT(method);
}

/* core.route(methods, pattern, fn, run, options): methods is a space-separated
 * list */
static int route(lua_State *L)
{
    struct pl_str rest = pl_lua_check_str(L, 1), name;
    struct pl_str pattern = pl_lua_check_str(L, 2);
    unsigned methods = 0;

    luaL_checktype(L, 3, LUA_TFUNCTION);
    while (pl_str_split(&rest, ' ', &name))
        methods |= check_method(L, name);
    return add(L, methods, pattern, false,
               &make(L, pl_vm_upvalue(L), 3, 4)->handler, 5);
}

/* core.static(prefix, root, options) */
static int mount_static(lua_State *L)
{
    struct pl_str prefix = pl_lua_check_str(L, 1);
    struct pl_static_options options = {.root = luaL_checkstring(L, 2)};
    struct pl_error error = {.code = 0};
    struct pl_handler *handler;

    luaL_checktype(L, 3, LUA_TTABLE);
    options.index = option_str(L, 3, "index").data;
    lua_getfield(L, 3, "dot_files");
    options.dot_files = lua_toboolean(L, -1);
    lua_getfield(L, 3, "follow_links");
    options.follow_links = lua_toboolean(L, -1);
    handler = pl_static_new(&options, &error);
    if (handler == NULL)
        return raise_error(L, &error);
    return add(L, PL_METHOD_BIT(PL_METHOD_GET) | PL_METHOD_BIT(PL_METHOD_HEAD),
               prefix, true, handler, 3);
}

/* core.use(fn, run) */
static int use(lua_State *L)
{
    struct pl_error error = {.code = 0};

    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (pl_site_use(site_of(L), &make(L, pl_vm_upvalue(L), 1, 2)->filter,
                    &error) < 0)
        return raise_error(L, &error);
    return 0;
}

/* core.enter(host, prefix), core.leave() */
static int enter(lua_State *L)
{
    struct pl_str host = pl_lua_check_str(L, 1);
    struct pl_str prefix = pl_lua_check_str(L, 2);
    struct pl_error error = {.code = 0};

    pl_lua_push_caller(L);
    if (pl_site_enter(site_of(L), host, prefix, lua_tostring(L, -1), &error) <
        0)
        return raise_error(L, &error);
    return 0;
}

static int leave(lua_State *L)
{
    pl_site_leave(site_of(L));
    return 0;
}

static unsigned option_unsigned(lua_State *L, int table, const char *name)
{
    lua_Integer value;

    lua_getfield(L, table, name);
    value = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    if (value < 0 || value > 65535)
        pl_lua_fail(L, "pl.listen: %s: a number from 0 to 65535 is needed",
                    name);
    return (unsigned)value;
}

/* core.listen(address, options) */
static int add_listener(lua_State *L)
{
    struct pl_error error = {.code = 0};
    struct pl_listen_spec spec = {.address = luaL_checkstring(L, 1),
                                  .protocol = "http"};

    luaL_checktype(L, 2, LUA_TTABLE);
    spec.backlog = option_unsigned(L, 2, "backlog");
    spec.sockets = option_unsigned(L, 2, "reuseport");
    spec.mode = option_unsigned(L, 2, "mode");
    lua_getfield(L, 2, "v6only");
    spec.v6only = lua_toboolean(L, -1);
    pl_lua_push_caller(L);
    spec.where = lua_tostring(L, -1);
    if (pl_site_listen(site_of(L), &spec, &error) < 0)
        return raise_error(L, &error);
    return 0;
}

/* core.set(name, value) */
static int set(lua_State *L)
{
    struct pl_str name = pl_lua_check_str(L, 1);
    struct pl_error error = {.code = 0};
    struct pl_value value = {.type = PL_VALUE_STRING};

    switch (lua_type(L, 2)) {
    case LUA_TBOOLEAN:
        value.type = PL_VALUE_BOOL;
        value.boolean = lua_toboolean(L, 2);
        break;
    case LUA_TNUMBER:
        value.type = PL_VALUE_NUMBER;
        value.number = lua_tonumber(L, 2);
        break;
    default:
        value.string = pl_lua_check_str(L, 2);
    }
    pl_lua_push_caller(L);
    if (pl_site_set(site_of(L), name, &value, lua_tostring(L, -1), &error) < 0)
        return raise_error(L, &error);
    return 0;
}

/* core.set_header(name, value): for every response */
static int set_header(lua_State *L)
{
    struct pl_error error = {.code = 0};
    struct pl_str name = pl_lua_check_str(L, 1);
    struct pl_str value = pl_lua_check_str(L, 2);

    pl_lua_push_caller(L);
    if (pl_site_add_header(site_of(L), name, value, lua_tostring(L, -1),
                           &error) < 0)
        return raise_error(L, &error);
    return 0;
}

void pl_lua_open_web_handler(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"objects", objects},
        {"respond", respond},
        {"next", next_begin},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
}

/* ---- opening ---- */

static int open_web(lua_State *L)
{
    static const luaL_Reg recorders[] = {
        {"route", route}, {"static", mount_static},   {"use", use},
        {"enter", enter}, {"leave", leave},           {"listen", add_listener},
        {"set", set},     {"set_header", set_header}, {NULL, NULL},
    };
    struct pl_vm *vm;
    void **args = lua_touserdata(L, 1);

    vm = args[0];
    pl_lua_push_core(L);
    pl_lua_open_web_objects(L, vm);
    pl_lua_open_web_request(L, vm);
    pl_lua_open_web_body(L, vm);
    pl_lua_open_web_response(L, vm);
    pl_lua_open_web_handler(L, vm);
    for (const luaL_Reg *fn = recorders; fn->name != NULL; fn++) {
        lua_pushlightuserdata(L, vm);
        lua_pushlightuserdata(L, args[1]);
        lua_pushcclosure(L, fn->func, 2);
        lua_setfield(L, -2, fn->name);
    }
    pl_lua_run_part(L, "perilune.core.request");
    pl_lua_run_part(L, "perilune.core.response");
    pl_lua_run_part(L, "perilune.core.web");
    return 0;
}

int pl_lua_site_open(struct pl_vm *vm, struct pl_site *site,
                     struct pl_error *error)
{
    lua_State *L = pl_vm_state(vm);
    void *args[] = {vm, site};
    int status = pl_vm_protect(L, open_web, args);

    if (status == 0)
        return 0;
    status = pl_lua_error_get(L, L, error);
    lua_pop(L, 1);
    return status;
}
