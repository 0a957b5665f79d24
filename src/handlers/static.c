#include "handlers/static.h"

#include "base/str.h"
#include "base/sys.h"
#include "handlers/file.h"
#include "http/uri.h"

_Static_assert(PL_STATIC_ANYWHERE == AT_FDCWD, "what openat calls it");

struct files {
    struct pl_handler handler;
    int root;
    enum pl_file_reach reach;
    bool dot_files;
    char index[];
};

/* ---- a folder without its slash ---- */

/* The path with a slash and the query, as a Location. It is encoded anew: what
 * the peer wrote may decode to this path and yet mean another place to a
 * browser ("//evil.example/../.."). "%2F" is an encoded slash already. */
static struct pl_str slashed(struct pl_request *req)
{
    struct pl_str rest = req->path, location;
    struct pl_buf buf;
    ptrdiff_t at;

    pl_buf_init(&buf, req->arena.pool, &req->account, 0);
    while ((at = pl_str_find(rest, PL_STR("%2F"))) >= 0) {
        pl_uri_encode(pl_str_first(rest, (size_t)at), "/", &buf);
        pl_buf_add(&buf, PL_STR("%2F"));
        rest = pl_str_skip(rest, (size_t)at + 3);
    }
    pl_uri_encode(rest, "/", &buf);
    pl_buf_addc(&buf, '/');
    if (req->query.data != NULL) {
        pl_buf_addc(&buf, '?');
        pl_buf_add(&buf, req->query);
    }
    location = buf.err < 0 ? pl_str(NULL, 0)
                           : pl_arena_str(&req->arena, pl_buf_str(&buf));
    pl_buf_fini(&buf);
    return location;
}

static int redirect(struct pl_request *req)
{
    struct pl_str location = slashed(req);

    if (location.data == NULL)
        return PL_ERR_NOMEM;
    return pl_response_redirect(&req->response, location, 301);
}

/* ---- answering ---- */

static int send_path(const struct files *files, struct pl_request *req,
                     struct pl_str path)
{
    struct pl_file file;
    bool index = path.len == 0 || path.data[path.len - 1] == '/';
    int err;

    if (index && files->index[0] == '\0')
        return PL_ERR_NOT_FOUND;
    path = pl_arena_printf(&req->arena, "%.*s%s", PL_STR_ARG(path),
                           index ? files->index : "");
    if (path.data == NULL)
        return PL_ERR_NOMEM;
    err = pl_file_open(files->root, path.data, files->reach, &file);
    if (err < 0)
        return err;
    if (!file.folder)
        return pl_file_answer(req, &file, path);
    pl_sys_close(file.fd);
    return index ? PL_ERR_NOT_FOUND : redirect(req);
}

static int answer(const struct files *files, struct pl_request *req)
{
    struct pl_response *res = &req->response;
    int err;

    if (req->method != PL_METHOD_GET && req->method != PL_METHOD_HEAD) {
        err = pl_response_set(res, PL_STR("Allow"), PL_STR("GET, HEAD"));
        return err < 0 ? err : pl_response_error(res, 405, pl_str(NULL, 0));
    }
    /* The whole path: "//" before the mount would be another host in a
     * Location. */
    if (pl_str_find(req->path, PL_STR("//")) >= 0)
        err = PL_ERR_NOT_FOUND;
    else if (req->rest.data == NULL)
        return redirect(req);
    else if (req->rest.len > 0 && !pl_file_path_ok(req->rest, files->dot_files))
        err = PL_ERR_NOT_FOUND;
    else
        err = send_path(files, req, req->rest);
    return err < 0 ? pl_response_error(res, pl_err_status(err), pl_str(NULL, 0))
                   : 0;
}

static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    const struct files *files = PL_CONTAINER_OF(handler, struct files, handler);

    then->done(then, req, answer(files, req));
}

int pl_static_send(struct pl_request *req, int folder, struct pl_str path)
{
    bool anywhere = folder == PL_STATIC_ANYWHERE;
    struct pl_file file;
    int err;

    if (req->response.started)
        return PL_ERR_STATE;
    if (path.len == 0 || pl_str_chr(path, '\0') >= 0 ||
        (!anywhere && !pl_file_path_ok(path, true)))
        return PL_ERR_NOT_FOUND;
    path = pl_arena_str(&req->arena, path);
    if (path.data == NULL)
        return PL_ERR_NOMEM;
    err = pl_file_open(folder, path.data,
                       anywhere ? PL_FILE_ANYWHERE : PL_FILE_BENEATH, &file);
    if (err < 0)
        return err;
    if (!file.folder)
        return pl_file_answer(req, &file, path);
    pl_sys_close(file.fd);
    return PL_ERR_NOT_FOUND;
}

int pl_response_send_file(struct pl_response *res, const char *root,
                          struct pl_str path)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    int folder = PL_STATIC_ANYWHERE, err;

    if (root != NULL)
        folder = pl_sys_open(root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (root != NULL && folder < 0)
        return pl_err_from_errno(errno);
    err = pl_static_send(req, folder, path);
    if (root != NULL)
        pl_sys_close(folder);
    return err;
}

/* ---- life ---- */

static void free_files(struct pl_handler *handler)
{
    struct files *files = PL_CONTAINER_OF(handler, struct files, handler);

    pl_sys_close(files->root);
    pl_free(files);
}

struct pl_handler *pl_static_new(const struct pl_static_options *options,
                                 struct pl_error *error)
{
    const char *index = options->index == NULL ? "index.html" : options->index;
    struct files *files;
    int root = pl_sys_open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

    if (root < 0) {
        pl_error_set(error, pl_err_from_errno(errno), options->root,
                     "cannot serve files from '%s': %s", options->root,
                     strerror(errno));
        return NULL;
    }
    files = pl_malloc(sizeof(*files) + strlen(index) + 1);
    if (files == NULL) {
        pl_sys_close(root);
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    *files = (struct files){
        .handler = {"static", start, free_files},
        .root = root,
        .reach = options->follow_links ? PL_FILE_LINKS : PL_FILE_BENEATH,
        .dot_files = options->dot_files,
    };
    strcpy(files->index, index);
    return &files->handler;
}
