/* lib_mustache.c - the C half of pl.mustache and res:render: templates of texts
 * and files, filled from values of Lua (template_data.h). */
#include "base/str.h"
#include "base/sys.h"
#include "handlers/file.h"
#include "lua/job.h"
#include "lua/parts.h"
#include "lua/template_data.h"
#include "lua/web_priv.h"
#include "template/set.h"

enum {
    TEXT_MAX = 64 << 20, /* bytes of a text that pl.mustache gives */
    CACHE_MAX = 256,     /* compiled texts, twice */
    CACHE_BYTES = 8 << 20,
};

/* How long a look at the disk is good. Files are looked at as often as nobody
 * who has just saved one minds: 20 times a second, a microsecond each. Of a
 * network file system all is read again, by a thread, each second. */
#define LOOK_NS UINT64_C(50000000)
#define LOOK_REMOTE_NS UINT64_C(1000000000)

static const char template_meta[] = "pl.template";

/* The userdata: a text that was compiled, or a file with its partials. */
struct made {
    struct pl_template *template;
    struct pl_template_set *set;
    uint64_t looked;
    bool remote;
};

/* On the stack of who fills, behind the data. */
enum { MADE = PL_LUA_DATA_FREE, PARTIALS, ANCHORS };

/* ---- texts, compiled once ---- */

static const char cache_key;

enum { YOUNG = 1, OLD, WEIGHT };

static int free_made(lua_State *L)
{
    struct made *made = lua_touserdata(L, 1);

    pl_template_free(made->template);
    pl_template_set_free(made->set);
    made->template = NULL;
    made->set = NULL;
    return 0;
}

static struct made *new_made(lua_State *L)
{
    struct made *made = lua_newuserdata(L, sizeof(*made));

    *made = (struct made){.template = NULL};
    luaL_setmetatable(L, template_meta);
    return made;
}

/* The cache is on top: makes room for a text of so many bytes. When the young
 * half is full it becomes the old one; who is used again moves back. */
static void make_room(lua_State *L, size_t len)
{
    lua_Integer weight = (lua_Integer)len + CACHE_BYTES / CACHE_MAX;

    lua_rawgeti(L, -1, WEIGHT);
    weight += lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (weight > CACHE_BYTES) {
        lua_rawgeti(L, -1, YOUNG);
        lua_rawseti(L, -2, OLD);
        lua_newtable(L);
        lua_rawseti(L, -2, YOUNG);
        weight = (lua_Integer)len;
    }
    lua_pushinteger(L, weight);
    lua_rawseti(L, -2, WEIGHT);
}

/* Pushes what the cache, on top, has of the text at index; or nil. */
static bool find_text(lua_State *L, int which, int index)
{
    lua_rawgeti(L, -1, which);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return !lua_isnil(L, -1);
}

/* Pushes the template of the text at index. False, with nothing pushed and
 * *error, if it is none. */
static bool push_text(lua_State *L, struct pl_str name, int index,
                      struct pl_error *error)
{
    struct pl_str source;
    struct made *made;

    luaL_checkstack(L, 10, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
    if (find_text(L, YOUNG, index)) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 1);
    source.data = lua_tolstring(L, index, &source.len);
    if (!find_text(L, OLD, index)) {
        lua_pop(L, 1);
        made = new_made(L);
        made->template = pl_template_new(name, source, error);
        if (made->template == NULL) {
            lua_pop(L, 2);
            return false;
        }
    }
    lua_insert(L, -2);
    make_room(L, source.len);
    lua_rawgeti(L, -1, YOUNG);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -4);
    lua_rawset(L, -3);
    lua_pop(L, 2);
    return true;
}

/* ---- partials of texts ---- */

/* Pushes the text of a partial: a string, or nil. */
static void push_partial(lua_State *L, struct pl_str name)
{
    lua_pushlstring(L, name.data, name.len);
    lua_gettable(L, PARTIALS);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        pl_lua_fail(L, "pl.mustache: a partial must be a string, not a %s",
                    luaL_typename(L, -1));
}

/* What is found is kept until all is rendered, whatever the cache does. */
static void keep(lua_State *L, struct pl_str name)
{
    if (lua_isnil(L, ANCHORS)) {
        lua_newtable(L);
        lua_replace(L, ANCHORS);
    }
    lua_pushlstring(L, name.data, name.len);
    lua_pushvalue(L, -2);
    lua_rawset(L, ANCHORS);
}

static struct made *find_kept(lua_State *L, struct pl_str name)
{
    struct made *made;

    if (lua_isnil(L, ANCHORS))
        return NULL;
    lua_pushlstring(L, name.data, name.len);
    lua_rawget(L, ANCHORS);
    made = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return made;
}

static const struct pl_template *find_partial(void *arg, struct pl_str name)
{
    struct pl_lua_data *source = arg;
    lua_State *L = source->L;
    struct made *made;

    luaL_checkstack(L, 10, NULL);
    made = find_kept(L, name);
    if (made != NULL)
        return made->template;
    push_partial(L, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return NULL;
    }
    if (!push_text(L, name, lua_gettop(L), source->error)) {
        source->fault = true;
        pl_lua_raise_template(L, "pl.mustache", source->error);
    }
    keep(L, name);
    made = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return made->template;
}

/* ---- filling ---- */

struct filling {
    struct pl_lua_data source;
    struct pl_run *run;
    struct pl_buf *out;
    struct pl_error error;
    bool as_text; /* is pushed */
    int err;
};

static const char fill_key;

/* (data, nil, made, partials, nil, filling) -> nothing, or the text. */
static int fill_protected(lua_State *L)
{
    struct filling *filling = lua_touserdata(L, -1);
    const struct made *made = lua_touserdata(L, MADE);
    struct pl_data data =
        pl_lua_data_begin(&filling->source, L, &filling->error);
    struct pl_partials partials = {find_partial, &filling->source};
    bool none = made->set == NULL && lua_isnil(L, PARTIALS);

    lua_pop(L, 1);
    if (made->set != NULL)
        partials = pl_template_set_partials(made->set);
    filling->run = pl_run_begin(
        made->set != NULL ? pl_template_set_main(made->set) : made->template,
        &data, none ? NULL : &partials, filling->out, &filling->error);
    filling->err =
        filling->run == NULL ? PL_ERR_NOMEM : pl_run_go(filling->run);
    if (filling->err < 0 || !filling->as_text)
        return 0;
    lua_pushlstring(L, filling->out->len == 0 ? "" : filling->out->data,
                    filling->out->len);
    return 1;
}

/* The whole stack is the template, the data, and partials or nil. Leaves on top
 * the text, or what was raised: then it returns true. */
static bool fill(lua_State *L, struct filling *filling)
{
    int status;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &fill_key);
    lua_pushvalue(L, 2);
    lua_pushnil(L);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 3);
    lua_pushnil(L);
    lua_pushlightuserdata(L, filling);
    filling->source.handle = NULL;
    filling->run = NULL;
    filling->error.code = 0;
    status = lua_pcall(L, 6, 1, 0);
    pl_lua_data_end(&filling->source);
    if (filling->run != NULL)
        pl_run_end(filling->run);
    return status != 0;
}

/* (made, data, partials) as the whole stack -> text, or nil, err */
static int fill_text(lua_State *L, const char *call)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct filling filling;
    struct pl_buf out;
    bool raised;

    pl_buf_init(&out, pl_loop_pool(vm->sched->loop), NULL, TEXT_MAX);
    filling.out = &out;
    filling.as_text = true;
    raised = fill(L, &filling);
    pl_buf_fini(&out);
    if (raised && !filling.source.fault)
        return lua_error(L);
    if (raised || filling.err < 0)
        return pl_lua_return_template(L, call, &filling.error);
    return 1;
}

/* fill(text, data, partials) -> text, or nil, err */
static int lua_fill(lua_State *L)
{
    struct pl_error error = {.code = 0};

    lua_settop(L, 3);
    if (!push_text(L, PL_STR("template"), 1, &error))
        return pl_lua_return_template(L, "pl.mustache", &error);
    lua_replace(L, 1);
    return fill_text(L, "pl.mustache");
}

/* fill_set(set, data) -> text, or nil, err */
static int lua_fill_set(lua_State *L)
{
    luaL_checkudata(L, 1, template_meta);
    lua_settop(L, 3);
    return fill_text(L, "pl.mustache.file");
}

/* ---- files ---- */

struct load {
    char *root, *name;
    struct pl_template_set *set;
    struct pl_error error;
    bool remote;
};

static char *copy_str(struct pl_str text)
{
    char *copy = pl_malloc(text.len + 1);

    if (copy != NULL) {
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';
    }
    return copy;
}

static int load_work(void *data)
{
    struct load *load = data;
    int fd;

    load->set = pl_template_set_load_in(load->root, load->name, &load->error);
    if (load->set == NULL)
        return load->error.code;
    fd = pl_file_open_root(load->root);
    load->remote = fd < 0 || pl_file_is_remote(fd);
    if (fd >= 0)
        pl_sys_close(fd);
    return 0;
}

static int load_push(lua_State *L, void *data, int result)
{
    struct load *load = data;
    struct made *made;

    if (result < 0)
        return pl_lua_return_template(L, "templates", &load->error);
    made = new_made(L);
    made->set = load->set;
    made->remote = load->remote;
    load->set = NULL;
    return 1;
}

static void load_fini(void *data)
{
    struct load *load = data;

    pl_template_set_free(load->set);
    pl_free(load->root);
    pl_free(load->name);
}

/* load_job(root, name) -> a job that gives the set of name, or nil, err */
static int load_job(lua_State *L)
{
    static const struct pl_lua_job_type type = {"templates", load_work,
                                                load_push, load_fini};
    struct pl_str root = pl_arg_str(L, 1, "templates", "the folder");
    struct pl_str name = pl_arg_str(L, 2, "templates", "the name");
    struct load *load = pl_lua_job_new(L, &type, sizeof(*load));

    load->root = copy_str(root);
    load->name = copy_str(name);
    if (load->root == NULL || load->name == NULL)
        return pl_lua_no_memory(L, "templates");
    return 1;
}

/* is_current(set) -> can it be used, or has it to be loaded again? */
static int is_current(lua_State *L)
{
    struct made *made = luaL_checkudata(L, 1, template_meta);
    uint64_t now = pl_now(((struct pl_vm *)pl_vm_upvalue(L))->sched->loop);
    uint64_t good_for = made->remote ? LOOK_REMOTE_NS : LOOK_NS;
    bool good = true;

    if (made->looked != 0 && now - made->looked < good_for) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (made->looked != 0)
        good = !made->remote && pl_template_set_is_current(made->set);
    made->looked = now;
    lua_pushboolean(L, good);
    return 1;
}

/* name_folder(path): a sandbox lets it be read. */
static int name_folder(lua_State *L)
{
    struct pl_site *site = ((struct pl_vm *)pl_vm_upvalue(L))->site;
    struct pl_str path = pl_arg_str(L, 1, "pl.set", "templates");

    if (site != NULL && pl_site_name_path(site, path, PL_PATH_READ) < 0)
        return pl_lua_no_memory(L, "pl.set");
    return 0;
}

/* ---- the library ---- */

/* open(natives, traced): adds run_job of job.h. */
static int open_mustache(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);

    pl_lua_data_open(L);
    lua_pushcfunction(L, fill_protected);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &fill_key);
    lua_createtable(L, WEIGHT, 0);
    lua_newtable(L);
    lua_rawseti(L, -2, YOUNG);
    lua_newtable(L);
    lua_rawseti(L, -2, OLD);
    lua_pushinteger(L, 0);
    lua_rawseti(L, -2, WEIGHT);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
    pl_vm_type(L, template_meta, free_made);
    pl_lua_job_open(L, vm);
    return 0;
}

const luaL_Reg pl_lua_mustache[] = {
    {"open", open_mustache},
    {"fill", lua_fill},
    {"fill_set", lua_fill_set},
    {"load_job", load_job},
    {"is_current", is_current},
    {"name_folder", name_folder},
    {NULL, NULL},
};

/* ---- responses ---- */

PL_COLD static int render_failed(lua_State *L, int err)
{
    return pl_lua_fail(L, "res:render: %s",
                       err == PL_ERR_STATE
                           ? "the response has been sent already"
                           : pl_err_text(err));
}

/* render(res, set, data): the whole body */
static int render_response(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_RESPONSE);
    struct pl_response *res = &req->response;
    struct filling filling;
    int err = pl_response_bytes(res, PL_STR(""), NULL, NULL);

    if (err < 0)
        return render_failed(L, err);
    luaL_checkudata(L, 2, template_meta);
    lua_remove(L, 1);
    lua_settop(L, 3);
    res->text.len = 0;
    filling.out = &res->text;
    filling.as_text = false;
    if (fill(L, &filling))
        return lua_error(L);
    if (filling.err < 0)
        return pl_lua_raise_template(L, "res:render", &filling.error);
    if (res->type.data == NULL)
        res->type = PL_STR("text/html; charset=utf-8");
    err = pl_response_bytes(res, pl_buf_str(&res->text), NULL, NULL);
    return err < 0 ? render_failed(L, err) : 0;
}

const luaL_Reg pl_lua_render[] = {
    {"render", render_response},
    {NULL, NULL},
};
