/* lib_module.c - pl.module, pl.handler (lua/perilune/lib/module.lua), and what
 * modules say of themselves in on_load (perilune.h). */
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/chunks.h"
#include "lua/job.h"
#include "lua/module.h"
#include "lua/module_80s.h"
#include "lua/parts.h"
#include "lua/web_priv.h"
#include "base/module.h"
#include "route/chain.h"

static const char handler_meta[] = "pl.handler";

/* ---- instances ---- */

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = pl_malloc(size);

    return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void free_instance(struct pl_module_load *load)
{
    struct pl_module_name *name;
    struct pl_module_pair *pair;

    while ((name = load->names) != NULL) {
        load->names = name->next;
        pl_free(name);
    }
    while ((pair = load->options) != NULL) {
        load->options = pair->next;
        pl_free(pair);
    }
    pl_module_80s_free(load->of_80s);
    pl_module_drop(load->module);
    pl_free(load->path);
    pl_free(load);
}

/* The newest one of the path on this worker, or NULL. */
static struct pl_module_load *find_former(const struct pl_module_home *home,
                                          const char *path)
{
    struct pl_module_load *found = NULL;
    struct pl_list *node;

    PL_LIST_FOREACH (node, &home->instances) {
        struct pl_module_load *load =
            PL_LIST_ENTRY(node, struct pl_module_load, at_home);

        if (strcmp(load->path, path) == 0)
            found = load;
    }
    return found;
}

static void set_params(struct pl_module_load *load,
                       const struct pl_module_load *former)
{
    const struct pl_vm *vm = load->vm;

    load->params = (struct pl_module_params){
        .size = sizeof(load->params),
        .worker = vm->options.worker,
        .workers = vm->options.workers,
        .path = load->path,
        .state = former == NULL ? NULL : former->params.state,
        .former = former == NULL ? NULL : &former->params,
        .scratch = load->home->scratch,
        .load = load,
    };
}

static const char *kind_name(enum pl_module_kind kind)
{
    static const char *const names[PL_MODULE_KINDS] = {"handler", "method",
                                                       "function"};

    return names[kind];
}

static int add_name(struct pl_module_load *load, enum pl_module_kind kind,
                    const struct pl_module_item *item, void *arg)
{
    struct pl_module_name *name = pl_malloc(sizeof(*name));

    if (name == NULL)
        return PL_ERR_NOMEM;
    *name = (struct pl_module_name){load->names, kind, *item, arg};
    load->names = name;
    return 0;
}

/* What PL_HANDLER and its like have put into the section. */
static int add_items(struct pl_module_load *load)
{
    const struct pl_module_info *info = pl_module_info(load->module);
    const struct pl_module_item *const *at;
    int err = 0;

    for (at = info->items; at != info->items_end && err == 0; at++)
        err = add_name(load,
                       (*at)->handler != NULL  ? PL_MODULE_KIND_HANDLER
                       : (*at)->method != NULL ? PL_MODULE_KIND_METHOD
                                               : PL_MODULE_KIND_FUNCTION,
                       *at, &load->params);
    return err;
}

/* TAKES module, also on failure: NULL when out of memory. */
static struct pl_module_load *
new_instance(struct pl_vm *vm, struct pl_module *module, const char *path)
{
    struct pl_module_load *load = pl_calloc(1, sizeof(*load)), *former;

    if (load == NULL) {
        pl_module_drop(module);
        return NULL;
    }
    load->vm = vm;
    load->home = vm->options.modules;
    load->module = module;
    load->path = copy_text(path);
    if (load->path == NULL)
        goto fail;
    former = find_former(load->home, path);
    set_params(load, former);
    if (pl_module_info(module)->abi == PL_MODULE_80S) {
        load->of_80s = pl_module_80s_new(load, former);
        if (load->of_80s == NULL)
            goto fail;
    }
    if (add_items(load) < 0)
        goto fail;
    pl_list_push(&vm->modules, &load->node);
    return load;
fail:
    free_instance(load);
    return NULL;
}

/* ---- what modules call ---- */

static int say(struct pl_module_params *params, enum pl_module_kind kind,
               const struct pl_module_item *item, void *arg)
{
    struct pl_module_load *load = params->load;

    return load->loading ? add_name(load, kind, item, arg) : PL_ERR_STATE;
}

int pl_module_handler(struct pl_module_params *params, const char *name,
                      pl_handler_fn *handler, void *arg)
{
    const struct pl_module_item item = {.name = name, .handler = handler};

    return say(params, PL_MODULE_KIND_HANDLER, &item, arg);
}

int pl_module_method(struct pl_module_params *params, const char *name,
                     pl_lua_method_fn *method, void *arg)
{
    const struct pl_module_item item = {.name = name, .method = method};

    return say(params, PL_MODULE_KIND_METHOD, &item, arg);
}

int pl_module_function(struct pl_module_params *params, const char *name,
                       pl_lua_function_fn *function)
{
    const struct pl_module_item item = {.name = name, .function = function};

    return say(params, PL_MODULE_KIND_FUNCTION, &item, NULL);
}

const char *pl_module_option(const struct pl_module_params *params,
                             const char *name)
{
    const struct pl_module_pair *pair = params->load->options;

    while (pair != NULL && strcmp(pair->name, name) != 0)
        pair = pair->next;
    return pair == NULL ? NULL : pair->value;
}

/* ---- on_load, on_unload ---- */

typedef int load_fn(void *ctx, struct pl_module_params *params, int reload);

struct call {
    struct pl_module_load *load;
    load_fn *fn;
    int reload, result;
};

/* On the main state, which modules may keep. */
static int call_module(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    struct pl_module_load *load = call->load;

    lua_settop(L, 0);
    if (load->of_80s == NULL)
        call->result = call->fn(L, &load->params, call->reload);
    else
        pl_module_80s_call(load->of_80s, (void (*)(void))call->fn, L,
                           call->reload);
    return 0;
}

/* Returns 0, or PL_ERR_* with *error. */
static int run(struct pl_module_load *load, const char *name, int reload,
               struct pl_error *error)
{
    lua_State *L = load->vm->main;
    struct call call = {.load = load, .reload = reload};

    *(void **)&call.fn = pl_module_symbol(load->module, name);
    if (call.fn == NULL)
        return 0;
    if (pl_vm_protect(L, call_module, &call) == 0)
        return call.result < 0 ? pl_error_set(error, call.result, "", "%s: %s",
                                              name, pl_err_text(call.result))
                               : 0;
    call.result = pl_lua_error_get(L, L, error);
    lua_pop(L, 1);
    return call.result;
}

static int begin_instance(struct pl_module_load *load, struct pl_error *error)
{
    int err, reload = load->params.former != NULL;

    pl_list_push(&load->home->instances, &load->at_home);
    load->begun = true;
    load->loading = true;
    err = run(load, "on_load", reload, error);
    load->loading = false;
    load->params.former = NULL; /* it may go before us */
    return err;
}

/* Of another generation: does it have our path, and our state? */
static bool has_sibling(const struct pl_module_load *load, bool *shared)
{
    bool sibling = false;
    struct pl_list *node;

    *shared = false;
    PL_LIST_FOREACH (node, &load->home->instances) {
        const struct pl_module_load *other =
            PL_LIST_ENTRY(node, struct pl_module_load, at_home);

        if (other == load || strcmp(other->path, load->path) != 0)
            continue;
        sibling = true;
        *shared |= other->params.state == load->params.state;
    }
    return sibling;
}

static void end_instance(struct pl_module_load *load)
{
    struct pl_error error;
    int reload = has_sibling(load, &load->params.shared);

    pl_list_remove(&load->at_home);
    if (run(load, "on_unload", reload, &error) < 0)
        pl_log(PL_LOG_ERROR, "lua", "%s: %s", load->path, error.text);
}

void pl_vm_unload_modules(struct pl_vm *vm)
{
    for (struct pl_list *node = vm->modules.prev; node != &vm->modules;
         node = node->prev) {
        struct pl_module_load *load =
            PL_LIST_ENTRY(node, struct pl_module_load, node);

        if (load->begun)
            end_instance(load);
        load->begun = false;
    }
}

void pl_vm_drop_modules(struct pl_vm *vm)
{
    while (!pl_list_empty(&vm->modules)) {
        struct pl_module_load *load =
            PL_LIST_ENTRY(vm->modules.prev, struct pl_module_load, node);

        pl_list_remove(&load->node);
        free_instance(load);
    }
}

/* ---- natives of lib/module.lua: loading ---- */

struct opening {
    char *path;
    struct pl_vm *vm;
    struct pl_module *module;
    struct pl_error error;
};

static int open_work(void *data)
{
    struct opening *opening = data;

    return pl_module_open(opening->path, &opening->module, &opening->error);
}

/* -> instance, or nil and why not */
static int open_push(lua_State *L, void *data, int result)
{
    struct opening *opening = data;
    struct pl_module *module = opening->module;
    struct pl_module_load *load;

    opening->module = NULL;
    load = result < 0 ? NULL : new_instance(opening->vm, module, opening->path);
    if (load != NULL) {
        lua_pushlightuserdata(L, load);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, result < 0 ? opening->error.text : "out of memory");
    return 2;
}

static void open_fini(void *data)
{
    struct opening *opening = data;

    pl_module_drop(opening->module);
    pl_free(opening->path);
}

/* open(path) -> job */
static int open_module(lua_State *L)
{
    static const struct pl_lua_job_type type = {"pl.module", open_work,
                                                open_push, open_fini};
    const char *path = luaL_checkstring(L, 1);
    struct opening *opening = pl_lua_job_new(L, &type, sizeof(*opening));

    opening->vm = pl_vm_upvalue(L);
    if (PL_WITH_RELOAD)
        pl_chunks_note(opening->vm->options.chunks, path);
    opening->path = copy_text(path);
    if (opening->path == NULL)
        return luaL_error(L, "not enough memory");
    return 1;
}

/* option(instance, name, value): before begin() */
static int add_option(lua_State *L)
{
    struct pl_module_load *load = lua_touserdata(L, 1);
    size_t name, value;
    const char *name_text = lua_tolstring(L, 2, &name);
    const char *value_text = lua_tolstring(L, 3, &value);
    struct pl_module_pair *pair = pl_malloc(sizeof(*pair) + name + value + 2);

    if (pair == NULL)
        return luaL_error(L, "not enough memory");
    memcpy(pair->name, name_text, name + 1);
    pair->value = memcpy(pair->name + name + 1, value_text, value + 1);
    pair->next = load->options;
    load->options = pair;
    return 0;
}

/* begin(instance) -> true, or nil and why not. Calls on_load. */
static int begin(lua_State *L)
{
    struct pl_module_load *load = lua_touserdata(L, 1);
    struct pl_error error = {.code = 0};

    if (begin_instance(load, &error) == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    if (error.where[0] == '\0')
        lua_pushfstring(L, "%s: %s", load->path, error.text);
    else
        lua_pushfstring(L, "%s: %s: %s", load->path, error.where, error.text);
    return 2;
}

/* names(instance, see): calls see(kind, name, place) for each, oldest last;
 * a function comes as itself. */
static int each_name(lua_State *L)
{
    const struct pl_module_load *load = lua_touserdata(L, 1);

    for (struct pl_module_name *name = load->names; name != NULL;
         name = name->next) {
        lua_pushvalue(L, 2);
        lua_pushstring(L, kind_name(name->kind));
        lua_pushstring(L, name->item.name);
        if (name->kind == PL_MODULE_KIND_FUNCTION)
            lua_pushcfunction(L, name->item.function);
        else
            lua_pushlightuserdata(L, name);
        lua_call(L, 3, 0);
    }
    return 0;
}

/* is_lazy(instance): it is one of 80s, and the site is only read */
static int is_lazy(lua_State *L)
{
    const struct pl_module_load *load = lua_touserdata(L, 1);

    lua_pushboolean(L, load->of_80s != NULL && load->home->scratch);
    return 1;
}

/* is_there(): modules can be loaded */
static int is_there(lua_State *L)
{
    lua_pushboolean(L, pl_vm_upvalue(L)->options.modules != NULL);
    return 1;
}

/* ---- natives: pl.handler ---- */

/* bind(name) -> what routes take for a function */
static int bind_handler(lua_State *L)
{
    const struct pl_module_name **bound =
        lua_newuserdata(L, sizeof(const struct pl_module_name *));

    *bound = lua_touserdata(L, 1);
    luaL_newmetatable(L, handler_meta);
    lua_setmetatable(L, -2);
    return 1;
}

static struct pl_module_name *bound_at(lua_State *L, int index)
{
    struct pl_module_name **bound = NULL;

    if (!lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, handler_meta);
    if (lua_rawequal(L, -1, -2))
        bound = lua_touserdata(L, index);
    lua_pop(L, 2);
    return bound == NULL ? NULL : *bound;
}

/* is_handler(value) */
static int is_handler(lua_State *L)
{
    lua_pushboolean(L, bound_at(L, 1) != NULL);
    return 1;
}

struct pl_handler *pl_lua_bound_handler(lua_State *L, int index)
{
    const struct pl_module_name *name = bound_at(L, index);

    return name == NULL
               ? NULL
               : pl_fiber_handler_new(name->item.handler, name->arg, NULL);
}

/* open(): adds run_job() to the natives, which are at 1 */
static int open_part(lua_State *L)
{
    lua_settop(L, 1);
    pl_lua_job_open(L, pl_vm_upvalue(L));
    return 0;
}

const luaL_Reg pl_lua_module[] = {
    {"open", open_part},
    {"open_job", open_module},
    {"option", add_option},
    {"begin", begin},
    {"names", each_name},
    {"is_lazy", is_lazy},
    {"is_there", is_there},
    {"bind", bind_handler},
    {"is_handler", is_handler},
    {"call_new", pl_lua_call_new},
    {"call_begin", pl_lua_call_begin},
    {"call_end", pl_lua_call_end},
    {NULL, NULL},
};

/* ---- lists ---- */

static void each_of(const struct pl_module_load *load,
                    const struct pl_module_name *name,
                    void (*see)(void *arg, const char *path,
                                const struct pl_module_name *name),
                    void *arg)
{
    if (name == NULL)
        return;
    each_of(load, name->next, see, arg);
    see(arg, load->path, name);
}

void pl_vm_each_module(const struct pl_vm *vm,
                       void (*see)(void *arg, const char *path,
                                   const struct pl_module_name *name),
                       void *arg)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &vm->modules) {
        const struct pl_module_load *load =
            PL_LIST_ENTRY(node, struct pl_module_load, node);

        see(arg, load->path, NULL);
        each_of(load, load->names, see, arg);
    }
}
