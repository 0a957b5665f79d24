/* static.c - see static.h. A request asks for its path, then (if that is not
 * there) for the fallback, and then for the content of the 404. Each of them is
 * at hand, or fetched while the request waits:
 *
 *     ASKED --not found--> FALLBACK --not found--> PAGE --not found--> 404 */
#include "handlers/static.h"

#include <limits.h>

#include "base/str.h"
#include "handlers/answer.h"
#include "handlers/tree.h"
#include "http/negotiate.h"
#include "task/fiber.h"

#define SECOND ((uint64_t)1000000000)

enum step { ASKED, FALLBACK, PAGE, OVER };

struct files {
    struct pl_handler handler;
    struct pl_file_root *root;
    struct pl_file_tree *tree;       /* NULL: files come from the disk */
    struct pl_static_folder *folder; /* NULL: folders are not found */
    struct pl_str fallback, not_found;
    bool dot_files;
    char text[]; /* of the two */
};

/* A request that waits; in its arena. */
struct visit {
    struct pl_file_op fetch;
    struct pl_then listed; /* the folder has been seen to */
    const struct files *files;
    struct pl_request *req;
    struct pl_then *then;
    enum step step;
};

/* ---- one step ---- */

/* Is a page asked for, which a script in the browser may know? Not where the
 * last element looks like the name of a file: an image that is missing is
 * missing. */
static bool wants_page(struct pl_request *req)
{
    struct pl_str rest = req->rest;
    ptrdiff_t slash = pl_str_rchr(rest, '/');

    if (pl_str_chr(pl_str_skip(rest, (size_t)(slash + 1)), '.') >= 0)
        return false;
    return pl_accept_quality(pl_request_header_id(req, PL_HEADER_ACCEPT),
                             PL_STR("text/html")) > 0;
}

/* What a step looks for; absent: nothing. */
static struct pl_str path_of(const struct files *files, struct pl_request *req,
                             enum step step)
{
    const struct pl_str none = {NULL, 0};

    switch (step) {
    case ASKED:
        return pl_file_path_ok(req->rest, files->dot_files) ||
                       req->rest.len == 0
                   ? req->rest
                   : none;
    case FALLBACK:
        return files->fallback.data != NULL && wants_page(req) ? files->fallback
                                                               : none;
    case PAGE:
        return files->not_found;
    default:
        return none;
    }
}

static int find(const struct files *files, struct pl_request *req,
                struct pl_str path, struct pl_file **file)
{
    const struct pl_file_name name = {.root = files->root, .path = path};

    if (files->tree == NULL)
        return pl_files_get(req->http, &name, file);
    *file = pl_file_tree_find(files->tree, path);
    return *file == NULL ? PL_ERR_NOT_FOUND : (*file)->err;
}

/* ---- answering ---- */

static int answer_error(struct pl_request *req, int err)
{
    return pl_response_error(&req->response, pl_err_status(err),
                             pl_str(NULL, 0));
}

/* TAKES file. */
static int answer_file(struct pl_request *req, struct pl_file *file,
                       enum step step)
{
    if (!file->folder)
        return pl_file_answer(req, file, step == PAGE ? 404 : 200);
    pl_file_drop(file);
    return step == ASKED ? pl_file_redirect(req)
                         : answer_error(req, PL_ERR_NOT_FOUND);
}

static void proceed(const struct files *files, struct pl_request *req,
                    struct pl_then *then, enum step step);
static PL_COLD void list(const struct files *files, struct pl_request *req,
                         struct pl_then *then);

static bool is_folder(struct pl_str path)
{
    return path.len == 0 || path.data[path.len - 1] == '/';
}

/* Is it a folder's turn to be listed, as what was asked for is not there? */
static bool is_listed(const struct files *files, const struct pl_request *req,
                      enum step step)
{
    return step == ASKED && files->folder != NULL && is_folder(req->rest);
}

/* err is what a step has led to: the answer, or the next step. */
static void conclude(const struct files *files, struct pl_request *req,
                     struct pl_then *then, enum step step, int err,
                     struct pl_file *file)
{
    if (err == PL_ERR_NOT_FOUND && is_listed(files, req, step))
        list(files, req, then);
    else if (err == PL_ERR_NOT_FOUND)
        proceed(files, req, then, step + 1);
    else if (err < 0)
        then->done(then, req, answer_error(req, err));
    else
        then->done(then, req, answer_file(req, file, step));
}

static void on_fetched(struct pl_op *op)
{
    struct visit *visit = PL_CONTAINER_OF(op, struct visit, fetch.op);
    struct pl_request *req = visit->req;

    conclude(visit->files, req, visit->then, visit->step, op->result,
             visit->fetch.file);
    pl_request_drop(req);
}

static void on_listed(struct pl_then *then, struct pl_request *req, int result)
{
    struct visit *visit = PL_CONTAINER_OF(then, struct visit, listed);

    if (result == PL_ERR_NOT_FOUND)
        proceed(visit->files, req, visit->then, FALLBACK);
    else
        visit->then->done(visit->then, req, result);
}

static struct visit *make_visit(const struct files *files,
                                struct pl_request *req, struct pl_then *then,
                                enum step step)
{
    struct visit *visit = pl_arena_alloc(&req->arena, sizeof(*visit));

    if (visit == NULL)
        return NULL;
    visit->listed.done = on_listed;
    visit->files = files;
    visit->req = req;
    visit->then = then;
    visit->step = step;
    return visit;
}

/* The request stays until the file is there, also if its peer goes. */
static void fetch(const struct files *files, struct pl_request *req,
                  struct pl_then *then, enum step step, struct pl_str path)
{
    const struct pl_file_name name = {.root = files->root, .path = path};
    struct visit *visit = make_visit(files, req, then, step);

    if (visit == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    pl_request_hold(req);
    pl_file_begin(&visit->fetch, req->http, &name);
    pl_op_then(&visit->fetch.op, on_fetched);
}

PL_COLD static void list(const struct files *files, struct pl_request *req,
                         struct pl_then *then)
{
    struct visit *visit = make_visit(files, req, then, ASKED);

    if (visit == NULL)
        then->done(then, req, PL_ERR_NOMEM);
    else
        files->folder->start(files->folder, req, files->root, req->rest,
                             &visit->listed);
}

/* Goes on with step, and those behind it, until one leads to an answer. */
static void proceed(const struct files *files, struct pl_request *req,
                    struct pl_then *then, enum step step)
{
    for (; step < OVER; step++) {
        struct pl_str path = path_of(files, req, step);
        struct pl_file *file = NULL;
        int err;

        if (path.data == NULL)
            continue;
        err = find(files, req, path, &file);
        if (err == PL_ERR_AGAIN) {
            fetch(files, req, then, step, path);
            return;
        }
        if (err != PL_ERR_NOT_FOUND) {
            conclude(files, req, then, step, err, file);
            return;
        }
        if (is_listed(files, req, step)) {
            list(files, req, then);
            return;
        }
    }
    then->done(then, req, answer_error(req, PL_ERR_NOT_FOUND));
}

/* ---- the handler ---- */

static int refuse_method(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    int err = pl_response_set(res, PL_STR("Allow"), PL_STR("GET, HEAD"));

    return err < 0 ? err : pl_response_error(res, 405, pl_str(NULL, 0));
}

/* A request for what is kept goes straight through. */
static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    const struct files *files = PL_CONTAINER_OF(handler, struct files, handler);
    const struct pl_file_name name = {.root = files->root, .path = req->rest};
    struct pl_file *file = NULL;

    if (req->method != PL_METHOD_GET && req->method != PL_METHOD_HEAD) {
        then->done(then, req, refuse_method(req));
        return;
    }
    if (files->tree == NULL && req->rest.data != NULL)
        file = pl_files_peek(req->http->files, &name,
                             pl_now(req->http->sched->loop));
    if (file != NULL)
        then->done(then, req, pl_file_answer(req, file, 200));
    /* The whole path: "//" before the mount would be another host in a
     * Location. */
    else if (pl_str_find(req->path, PL_STR("//")) >= 0)
        proceed(files, req, then, FALLBACK);
    else if (req->rest.data == NULL)
        then->done(then, req, pl_file_redirect(req));
    else
        proceed(files, req, then, ASKED);
}

/* ---- a file from inside a handler ---- */

/* Chosen by the site: links are its own affair, and every request looks. */
static struct pl_file_root anywhere = {
    .refs = 1, .fd = AT_FDCWD, .links = PL_LINKS_ALL, .index = ""};

static bool is_sendable(struct pl_str folder, struct pl_str path)
{
    return path.len > 0 && path.data[path.len - 1] != '/' &&
           pl_str_chr(path, '\0') < 0 && pl_str_chr(folder, '\0') < 0 &&
           (folder.data == NULL || pl_file_path_ok(path, true));
}

/* TAKES file. */
static int send_found(struct pl_request *req, struct pl_file *file)
{
    if (!file->folder && !req->response.started)
        return pl_file_answer(req, file, req->response.status);
    pl_file_drop(file);
    return req->response.started ? PL_ERR_STATE : PL_ERR_NOT_FOUND;
}

int pl_static_send(struct pl_request *req, struct pl_str folder,
                   struct pl_str path)
{
    const struct pl_file_name name = {
        .root = &anywhere, .folder = folder, .path = path};
    struct pl_file *file;
    int err;

    if (req->response.started)
        return PL_ERR_STATE;
    if (!is_sendable(folder, path))
        return PL_ERR_NOT_FOUND;
    err = pl_files_get(req->http, &name, &file);
    return err < 0 ? err : send_found(req, file);
}

void pl_static_fetch(struct pl_file_op *op, struct pl_request *req,
                     struct pl_str folder, struct pl_str path)
{
    const struct pl_file_name name = {
        .root = &anywhere, .folder = folder, .path = path};

    pl_file_begin(op, req->http, &name);
}

int pl_static_take(struct pl_file_op *op, struct pl_request *req)
{
    struct pl_file *file = op->file;

    op->file = NULL;
    return file == NULL ? PL_ERR_STATE : send_found(req, file);
}

int pl_response_send_file(struct pl_response *res, const char *root,
                          struct pl_str path)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    int err = pl_static_send(req, pl_str_c(root), path);
    struct pl_file_op op;

    if (err != PL_ERR_AGAIN)
        return err;
    if (!pl_on_fiber())
        return PL_ERR_STATE;
    pl_static_fetch(&op, req, pl_str_c(root), path);
    err = pl_op_wait(&op.op);
    return err < 0 ? err : pl_static_take(&op, req);
}

/* ---- life ---- */

static void free_files(struct pl_handler *handler)
{
    struct files *files = PL_CONTAINER_OF(handler, struct files, handler);

    pl_file_tree_free(files->tree);
    if (files->root != NULL)
        pl_file_root_drop(files->root);
    if (files->folder != NULL)
        files->folder->free(files->folder);
    pl_free(files);
}

/* What an option says, as a place below the root. */
PL_COLD static int check_path(const char *option, const char *path,
                              struct pl_error *error)
{
    if (path == NULL || (path[0] != '\0' && !is_folder(pl_str_c(path)) &&
                         pl_file_path_ok(pl_str_c(path), true)))
        return 0;
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "%s: '%s' is not the path of a file below the root",
                        option, path);
}

static int read_options(const struct pl_static_options *options,
                        enum pl_file_links *links, uint64_t *period,
                        struct pl_error *error)
{
    uint64_t ms = 1000;
    int err = check_path("fallback", options->fallback, error);

    *links = PL_LINKS_INSIDE;
    if (err == 0)
        err = check_path("not_found", options->not_found, error);
    if (err < 0)
        return err;
    if (options->cache.data != NULL && !pl_str_to_ms(options->cache, &ms))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "cache: '%.*s' is no time like \"5s\"",
                            PL_STR_ARG(options->cache));
    if (options->symlinks.data != NULL &&
        !pl_file_links_parse(options->symlinks, links))
        return pl_error_set(
            error, PL_ERR_INVALID, "",
            "symlinks: '%.*s' is none of inside, owner, none, all",
            PL_STR_ARG(options->symlinks));
    *period = PL_MIN(ms, UINT64_MAX / 1000000) * 1000000;
    return 0;
}

static struct pl_file_root *open_root(const struct pl_static_options *options,
                                      struct pl_error *error)
{
    const char *index = options->index == NULL ? "index.html" : options->index;
    struct pl_file_root *root;
    enum pl_file_links links;
    uint64_t period = 0;

    if (read_options(options, &links, &period, error) < 0)
        return NULL;
    root = pl_file_root_open(options->root, links, index, error);
    if (root == NULL)
        return NULL;
    root->codings = !options->no_precompressed;
    root->period = period;
    return root;
}

static struct pl_str keep_text(char **at, const char *text)
{
    struct pl_str kept = {*at, 0};

    if (text == NULL)
        return pl_str(NULL, 0);
    kept.len = strlen(text);
    *at = stpcpy(*at, text) + 1;
    return kept;
}

static size_t room_for(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static struct files *make_files(const struct pl_static_options *options,
                                struct pl_error *error)
{
    struct files *files =
        pl_calloc(1, sizeof(*files) + room_for(options->fallback) +
                         room_for(options->not_found));
    char *at;

    if (files == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        if (options->folder != NULL)
            options->folder->free(options->folder);
        return NULL;
    }
    at = files->text;
    files->handler = (struct pl_handler){"static", start, free_files};
    files->folder = options->folder;
    files->dot_files = options->dot_files;
    files->fallback = keep_text(&at, options->fallback);
    files->not_found = keep_text(&at, options->not_found);
    return files;
}

PL_COLD struct pl_handler *
pl_static_new(const struct pl_static_options *options, struct pl_error *error)
{
    struct files *files = make_files(options, error);
    int err = 0;

    if (files == NULL)
        return NULL;
    files->root = open_root(options, error);
    if (files->root == NULL)
        err = PL_ERR_INVALID;
    else if (options->preload > 0)
        err = pl_file_tree_load(files->root, files->dot_files, options->preload,
                                &files->tree, error);
    if (err == 0)
        return &files->handler;
    free_files(&files->handler);
    return NULL;
}
