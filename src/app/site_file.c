#include "app/site_file.h"

#include <stdio.h>
#include <sys/param.h>

#include "base/features.h"
#include "base/log.h"
#include "base/module.h"
#include "base/str.h"
#include "base/sys.h"
#include "handlers/error_pages.h"
#include "handlers/static.h"
#include "http/request.h"
#include "lua/chunks.h"
#include "lua/module.h"
#include "lua/site.h"
#include "lua/vm.h"
#include "server/dev.h"
#include "server/server.h"
#include "server/stats.h"

/* ---- what a path means ---- */

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = pl_malloc(size);

    if (path != NULL)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static bool is_kind(const char *path, mode_t kind)
{
    struct stat st;

    return path != NULL && pl_sys_fstatat(AT_FDCWD, path, &st, 0) == 0 &&
           (st.st_mode & S_IFMT) == kind;
}

/* NULL unless it is there. */
static char *join_if(const char *folder, const char *name, mode_t kind)
{
    char *path = join(folder, name);

    if (is_kind(path, kind))
        return path;
    pl_free(path);
    return NULL;
}

static char *copy_text(const char *text, size_t len)
{
    char *copy = pl_malloc(len + 1);

    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

static const char public_html[] = "public_html";

/* The folder that a path means: "site/public_html" is a part of "site". */
static char *folder_of(const char *path)
{
    char real[PATH_MAX];
    struct pl_str text;
    ptrdiff_t slash;

    if (PL_WITH_CONTENT && pl_sys_realpath(path, real) != NULL) {
        text = pl_str_c(real);
        slash = pl_str_rchr(text, '/');
        if (slash > 0 && strcmp(real + slash + 1, public_html) == 0)
            return copy_text(real, (size_t)slash);
    }
    return copy_text(path, strlen(path));
}

static void set_folder(struct pl_site_file *file, const char *path)
{
    file->folder = folder_of(path);
    if (file->folder == NULL)
        return;
    file->script = join_if(file->folder, "main.lua", S_IFREG);
    file->root = join_if(file->folder, public_html, S_IFDIR);
    file->content = PL_WITH_CONTENT && file->root != NULL;
    if (file->script == NULL && file->root == NULL)
        file->root = copy_text(path, strlen(path));
}

static void set_script(struct pl_site_file *file, const char *path)
{
    ptrdiff_t slash = pl_str_rchr(pl_str_c(path), '/');

    file->script = copy_text(path, strlen(path));
    file->folder = slash < 0    ? copy_text(".", 1)
                   : slash == 0 ? copy_text("/", 1)
                                : copy_text(path, (size_t)slash);
}

/* ---- loading ---- */

struct file_load {
    struct pl_vm_load vm;
    struct pl_load *load;
};

static void complete(struct pl_load *load, int result)
{
    pl_free(load->state);
    load->state = NULL;
    pl_op_complete(&load->op, result);
}

/* The files of a folder, below what its script has routed. */
static int mount_root(const struct pl_site_file *file, struct pl_load *load)
{
    const struct pl_static_options options = {.root = file->root};
    struct pl_handler *handler;

    if (file->root == NULL || (PL_WITH_CONTENT && file->content))
        return 0;
    handler = pl_static_new(&options, &load->error);
    if (handler == NULL)
        return load->error.code;
    return pl_site_route(
        load->gen->site,
        PL_METHOD_BIT(PL_METHOD_GET) | PL_METHOD_BIT(PL_METHOD_HEAD),
        PL_STR("/"), true, handler, NULL, file->root, &load->error);
}

static int open_error_pages(const struct pl_generation *gen,
                            struct pl_error *error)
{
    if (PL_WITH_RELOAD && gen->site->error_pages != NULL)
        pl_chunks_note(gen->worker->server->reload.files,
                       gen->site->error_pages);
    return pl_error_pages_open(gen->site, error);
}

static void script_done(struct pl_op *op)
{
    struct file_load *state = PL_CONTAINER_OF(op, struct file_load, vm.op);
    struct pl_load *load = state->load;
    int result = op->result;

    if (result < 0)
        load->error = state->vm.error;
    else
        result = mount_root(load->gen->loader->arg, load);
    if (result == 0)
        result = pl_site_complete(load->gen->site, &load->error);
    if (result == 0)
        result = open_error_pages(load->gen, &load->error);
    complete(load, result);
}

static void on_stop(void *ctx, int status)
{
    struct pl_generation *gen = ctx;
    const struct pl_site_file *file = gen->loader->arg;

    if (file->server != NULL)
        pl_server_end(file->server, status);
}

static unsigned on_stats(void *ctx, struct pl_stat *out)
{
    const struct pl_generation *gen = ctx;

    return pl_worker_stats(gen->worker, out);
}

static void on_reload(void *ctx, struct pl_vm_reload_op *reload)
{
    struct pl_generation *gen = ctx;

    pl_reload_begin(gen->worker->server, reload);
}

static void on_want_reload(void *ctx, const char *why)
{
    const struct pl_generation *gen = ctx;

    pl_reload_want(gen->worker->server, why);
}

/* A Lua error that nobody has caught: said once, with the request it belongs
 * to; who develops the site is told, too. */
static void on_report(void *ctx, struct pl_task *task, struct pl_str text)
{
    const struct pl_generation *gen = ctx;
    struct pl_request *req = task == NULL ? NULL : task->owner;
    char id[PL_REQUEST_ID_LEN];

    if (req == NULL) {
        pl_log(PL_LOG_ERROR, "lua", "%.*s", PL_STR_ARG(text));
        return;
    }
    pl_request_id(req, id);
    pl_log(PL_LOG_ERROR, "lua", "%.*s %.*s request=%.16s: %.*s",
           PL_STR_ARG(req->method_name), PL_STR_ARG(req->path), id,
           PL_STR_ARG(text));
    if (PL_WITH_PAGES && req->response.error_page && pl_dev_is_for(gen, req))
        pl_dev_answer(req, text, gen->loader->folder);
}

/* What the modules of this worker have in common. Worker 0 is the first that
 * loads a site: in a reload it begins the round in which their files are looked
 * at again, once for all workers. */
static struct pl_module_home *modules_of(const struct pl_site_file *file,
                                         struct pl_worker *worker)
{
    const struct pl_server_options *options = &worker->server->options;

    if (worker->id == 0 && worker->generation != NULL)
        pl_modules_round();
    worker->modules.paths = options->modules;
    worker->modules.entry = file->loader.name;
    worker->modules.port = options->port;
    return &worker->modules;
}

static bool needs_vm(const struct pl_site_file *file,
                     const struct pl_worker *worker)
{
    return file->script != NULL || (PL_WITH_CONTENT && file->content) ||
           worker->server->options.modules != NULL ||
           (PL_WITH_DIALECTS && file->dialect != NULL);
}

/* At a start the first load is that of the scratch worker; in a reload, that of
 * worker 0. */
static bool tells_of(const struct pl_worker *worker)
{
    return worker->scratch || (worker->id == 0 && worker->generation != NULL);
}

static int make_vm(const struct pl_site_file *file, struct pl_load *load)
{
    struct pl_generation *gen = load->gen;
    struct pl_worker *worker = gen->worker;
    const struct pl_vm_options options = {
        .folder = file->folder,
        .script = PL_WITH_DIALECTS ? file->script : NULL,
        .dialect = PL_WITH_DIALECTS ? file->dialect : NULL,
        .tells = PL_WITH_DIALECTS && tells_of(worker),
        .worker = worker->id,
        .workers = worker->count,
        .edited = worker->server->options.watch ||
                  worker->server->options.dev != PL_DEV_SITE,
        .watched = worker->server->watchdog != NULL,
        .member = PL_WITH_SHARE ? &worker->member : NULL,
        .modules = PL_WITH_MODULES ? modules_of(file, worker) : NULL,
        .chunks = PL_WITH_RELOAD ? worker->server->reload.files : NULL,
        .serving = PL_WITH_RELOAD ? &worker->serving : NULL,
        .ctx = gen,
        .report = on_report,
        .stop = on_stop,
        .stats = on_stats,
        .reload = PL_WITH_RELOAD ? on_reload : NULL,
        .want_reload = PL_WITH_RELOAD ? on_want_reload : NULL};
    int err;

    gen->site = pl_site_new();
    if (gen->site == NULL)
        return pl_error_set(&load->error, PL_ERR_NOMEM, "", "out of memory");
    if (!needs_vm(file, worker))
        return mount_root(file, load);
    err = pl_vm_new(&worker->sched, &options, &gen->vm, &load->error);
    if (err < 0)
        return err;
    return pl_lua_site_open(gen->vm, gen->site, &load->error);
}

static void begin(void *arg, struct pl_load *load)
{
    const struct pl_site_file *file = arg;
    struct file_load *state;
    int err = make_vm(file, load);

    if (err < 0 || load->gen->vm == NULL) {
        complete(load, err);
        return;
    }
    state = pl_calloc(1, sizeof(*state));
    if (state == NULL) {
        complete(load,
                 pl_error_set(&load->error, PL_ERR_NOMEM, "", "out of memory"));
        return;
    }
    load->state = state;
    state->load = load;
    if (PL_WITH_DIALECTS && file->dialect != NULL)
        pl_vm_load_text_begin(&state->vm, load->gen->vm, "=perilune/dialect",
                              pl_str_c(file->dialect->load));
    else if (PL_WITH_CONTENT && file->content)
        pl_vm_load_text_begin(
            &state->vm, load->gen->vm, "=perilune/content",
            file->check ? PL_STR("require 'aio.lib.httpd':serve(true)")
                        : PL_STR("require 'aio.lib.httpd':serve()"));
    else if (file->script != NULL)
        pl_vm_load_begin(&state->vm, load->gen->vm, file->script);
    else /* the modules of the command line, and then the folder's files */
        pl_vm_load_text_begin(&state->vm, load->gen->vm, "=-m", PL_STR(""));
    pl_op_then(&state->vm.op, script_done);
}

static void cancel(struct pl_load *load)
{
    struct file_load *state = load->state;

    if (state != NULL)
        pl_op_cancel(&state->vm.op);
}

static void drop(void *arg, struct pl_generation *gen)
{
    (void)arg;
    if (PL_WITH_LIMITS && gen->vm != NULL)
        pl_lua_site_close(gen->vm);
    pl_site_free(gen->site);
    gen->site = NULL;
}

/* path as it is called below root, in which it is. */
static int move_inside(char **path, const char *root, bool stays)
{
    size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    char real[PATH_MAX], *moved;

    if (*path == NULL || (stays && (*path)[0] != '/'))
        return 0;
    if (pl_sys_realpath(*path, real) == NULL)
        return pl_err_from_errno(errno);
    if (strncmp(real, root, len) != 0)
        return PL_ERR_NOT_FOUND;
    moved = real[len] == '\0' ? copy_text("/", 1)
                              : copy_text(real + len, strlen(real + len));
    if (moved == NULL)
        return PL_ERR_NOMEM;
    pl_free(*path);
    *path = moved;
    return 0;
}

static int enter(void *arg, const char *root, bool stays)
{
    struct pl_site_file *file = arg;
    int err = move_inside(&file->script, root, stays);

    if (err == 0)
        err = move_inside(&file->folder, root, stays);
    if (err == 0)
        err = move_inside(&file->root, root, stays);
    file->loader.folder = file->folder;
    return err;
}

/* Was there memory for all of it? */
static bool serves(const struct pl_site_file *file)
{
    return file->script != NULL || file->root != NULL ||
           (PL_WITH_DIALECTS && file->dialect != NULL);
}

int pl_site_file_init(struct pl_site_file *file, const char *path,
                      const struct pl_dialect *dialect, struct pl_error *error)
{
    *file = (struct pl_site_file){
        .loader = {.name = path,
                   .arg = file,
                   .enter = PL_WITH_SANDBOX ? enter : NULL,
                   .begin = begin,
                   .cancel = cancel,
                   .drop = drop},
        .dialect = dialect};
    if (PL_WITH_DIALECTS && dialect != NULL && is_kind(path, S_IFDIR))
        file->folder = copy_text(path, strlen(path));
    else if (is_kind(path, S_IFDIR))
        set_folder(file, path);
    else if (is_kind(path, S_IFREG))
        set_script(file, path);
    else
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "%s: no such file or folder", path);
    if (file->folder == NULL || !serves(file)) {
        pl_site_file_fini(file);
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    }
    file->loader.folder = file->folder;
    return 0;
}

void pl_site_file_fini(struct pl_site_file *file)
{
    pl_free(file->script);
    pl_free(file->folder);
    pl_free(file->root);
}
