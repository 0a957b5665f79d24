/* content.c - see content.h. Each URL may mean some files, which are looked for
 * one after another: each is at hand, or fetched while the request waits. */
#include "handlers/content.h"

#include <ctype.h>

#include "base/str.h"
#include "base/sys.h"
#include "handlers/answer.h"
#include "http/mime.h"
#include "http/negotiate.h"

#define PERIOD_NS 1000000000 /* a look at the disk is good for a second */

struct content {
    struct pl_handler handler;
    struct pl_file_root *root;
    struct pl_handler *pages;
    bool no_static;
};

/* A request for which a file is looked for. */
struct search {
    const struct content *content;
    struct pl_request *req;
    struct pl_then *then;
    const char *const *suffix; /* of the name that is looked for now */
    bool folder;               /* there is a folder of that name */
};

/* ... while it waits; in its arena. */
struct visit {
    struct pl_file_op fetch;
    struct search search;
};

/* ---- what names mean ---- */

/* What may follow the path of a URL, to make the name of a file; the likeliest
 * first, as one that is not there costs a look. */
static const char *const after_page[] = {".html", "", ".html.gz", ".gz", NULL};
static const char *const after_file[] = {"", ".html", ".gz", ".html.gz", NULL};
static const char *const after_folder[] = {"", "index.html.gz", NULL};
static const char *const after_none[] = {NULL};

static struct pl_str last_of(struct pl_str path)
{
    return pl_str_skip(path, (size_t)(pl_str_rchr(path, '/') + 1));
}

static bool has(struct pl_str text, struct pl_str part)
{
    return pl_str_find(text, part) >= 0;
}

enum { BELOW_STATIC = 1, BELOW_HIDDEN = 2 };

/* What the folders of path are: "static", or "i.NAME", for what pages include.
 */
static unsigned place_of(struct pl_str path)
{
    struct pl_str part,
        folders = pl_str_first(path, (size_t)(pl_str_rchr(path, '/') + 1));
    unsigned place = 0;

    while (pl_str_split(&folders, '/', &part)) {
        if (pl_str_eq(part, PL_STR("static")))
            place |= BELOW_STATIC;
        else if (pl_str_starts(part, PL_STR("i.")))
            place |= BELOW_HIDDEN;
    }
    return place;
}

/* "post.NAME.EXTENSION" */
static bool has_method(struct pl_str name)
{
    static const struct pl_str methods[] = {PL_STR("post."), PL_STR("put."),
                                            PL_STR("delete.")};

    for (size_t i = 0; i < PL_COUNT(methods); i++)
        if (pl_str_starts(name, methods[i]))
            return pl_str_chr(pl_str_skip(name, methods[i].len), '.') > 0;
    return false;
}

/* A script, or what an editor or a packer has made of one: "a.lua~",
 * "a.lua.bak", "a.lua.gz". "a.lua.html" is a page about it. */
static bool is_script(struct pl_str name)
{
    ptrdiff_t at = pl_str_find(name, PL_STR(".lua"));

    if (at < 0 || pl_str_ends(name, PL_STR(".lua")))
        return at >= 0;
    return !isalnum((unsigned char)name.data[at + 4]) &&
           !pl_str_ends(name, PL_STR(".html")) &&
           !pl_str_ends(name, PL_STR(".html.gz"));
}

/* Is it served under a URL of its own? */
static bool is_served(const struct content *content, struct pl_str path)
{
    struct pl_str name = last_of(path);
    unsigned place = place_of(path);

    if (has(name, PL_STR(".priv.")) || has(name, PL_STR(".dyn.")) ||
        (place & BELOW_HIDDEN))
        return false;
    if (place & BELOW_STATIC)
        return !content->no_static;
    return !has_method(name) && !is_script(name);
}

static const char *const *suffixes_of(struct pl_str path)
{
    struct pl_str name = last_of(path);

    if (path.len > 0 && !pl_file_path_ok(path, false))
        return after_none;
    if (name.len == 0)
        return after_folder;
    if (pl_str_eq(name, PL_STR("index")) || pl_str_ends(name, PL_STR(".html")))
        return after_none;
    return pl_str_chr(name, '.') >= 0 ? after_file : after_page;
}

/* ---- answering ---- */

static int answer_error(struct pl_request *req, int status)
{
    return pl_response_error(&req->response, status, pl_str(NULL, 0));
}

/* Who does not say what it decodes is not asked about the only version. */
static bool takes_gzip(struct pl_request *req)
{
    struct pl_str field = pl_request_header_id(req, PL_HEADER_ACCEPT_ENCODING);

    return field.data == NULL ||
           pl_accept_encoding_quality(field, PL_STR("gzip")) > 0;
}

/* TAKES file. */
static int answer_gzip(struct pl_request *req, struct pl_file *file)
{
    struct pl_response *res = &req->response;
    struct pl_str path = pl_str(file->path, file->path_len - 3);
    int err = pl_response_set(res, PL_STR("Vary"), PL_STR("Accept-Encoding"));

    if (err == 0 && !takes_gzip(req)) {
        pl_file_drop(file);
        return answer_error(req, 406);
    }
    if (err == 0)
        err = pl_response_set(res, PL_STR("Content-Encoding"), PL_STR("gzip"));
    if (err == 0)
        err = pl_response_type(res, pl_mime_of(path));
    if (err == 0)
        return pl_file_answer(req, file, 200);
    pl_file_drop(file);
    return err;
}

/* TAKES file. */
static int answer(const struct search *search, struct pl_file *file)
{
    struct pl_request *req = search->req;

    if ((place_of(req->rest) & BELOW_STATIC) ||
        pl_str_ends(req->rest, PL_STR(".ico")))
        req->response.cache_control =
            PL_STR("public, max-age=604800, immutable");
    if (pl_str_ends(pl_str_c(*search->suffix), PL_STR(".gz")))
        return answer_gzip(req, file);
    return pl_file_answer(req, file, 200);
}

/* ---- looking ---- */

static void proceed(struct search *search);

/* err is what looking for one name has led to. */
static void conclude(struct search *search, int err, struct pl_file *file)
{
    struct pl_request *req = search->req;

    if (err == 0 && !file->folder) {
        search->then->done(search->then, req, answer(search, file));
        return;
    }
    if (err < 0 && err != PL_ERR_NOT_FOUND) {
        search->then->done(search->then, req,
                           answer_error(req, pl_err_status(err)));
        return;
    }
    if (err == 0) {
        search->folder = true;
        pl_file_drop(file);
    }
    search->suffix++;
    proceed(search);
}

static void on_fetched(struct pl_op *op)
{
    struct visit *visit = PL_CONTAINER_OF(op, struct visit, fetch.op);
    struct search search = visit->search;

    conclude(&search, op->result, visit->fetch.file);
    pl_request_drop(search.req);
}

/* The request stays until the file is there, also if its peer goes. */
static void fetch(const struct search *search, const struct pl_file_name *name)
{
    struct pl_request *req = search->req;
    struct visit *visit = pl_arena_alloc(&req->arena, sizeof(*visit));

    if (visit == NULL) {
        search->then->done(search->then, req, PL_ERR_NOMEM);
        return;
    }
    visit->search = *search;
    pl_request_hold(req);
    pl_file_begin(&visit->fetch, req->http, name);
    pl_op_then(&visit->fetch.op, on_fetched);
}

static void pass_on(const struct search *search)
{
    struct pl_handler *pages = search->content->pages;
    struct pl_request *req = search->req;

    if (search->folder)
        search->then->done(search->then, req, pl_file_redirect(req));
    else if (pages != NULL)
        pages->start(pages, req, search->then);
    else
        search->then->done(search->then, req, answer_error(req, 404));
}

/* path + suffix; absent when out of memory. */
static struct pl_str join(struct pl_request *req, struct pl_str path,
                          const char *suffix)
{
    size_t len = strlen(suffix);
    char *text;

    if (len == 0)
        return path;
    text = pl_arena_alloc(&req->arena, path.len + len);
    if (text == NULL)
        return pl_str(NULL, 0);
    memcpy(text, path.data, path.len);
    memcpy(text + path.len, suffix, len);
    return pl_str(text, path.len + len);
}

/* Looks for the names that are left, until one leads to an answer. */
static void proceed(struct search *search)
{
    const struct content *content = search->content;
    struct pl_request *req = search->req;

    for (; *search->suffix != NULL; search->suffix++) {
        const struct pl_file_name name = {
            .root = content->root,
            .path = join(req, req->rest, *search->suffix)};
        struct pl_file *file = NULL;
        int err;

        if (name.path.data == NULL) {
            search->then->done(search->then, req, PL_ERR_NOMEM);
            return;
        }
        if (!is_served(content, name.path))
            continue;
        err = pl_files_get(req->http, &name, &file);
        if (err == PL_ERR_AGAIN) {
            fetch(search, &name);
            return;
        }
        if (err != PL_ERR_NOT_FOUND) {
            conclude(search, err, file);
            return;
        }
    }
    pass_on(search);
}

/* ---- the handler ---- */

static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    struct search search = {
        .content = PL_CONTAINER_OF(handler, struct content, handler),
        .req = req,
        .then = then,
    };

    if (req->rest.data == NULL) {
        then->done(then, req, pl_file_redirect(req));
        return;
    }
    /* "//" before the mount would be another host in a Location. */
    if (has(req->path, PL_STR("//"))) {
        then->done(then, req, answer_error(req, 404));
        return;
    }
    search.suffix = suffixes_of(req->rest);
    proceed(&search);
}

static void free_content(struct pl_handler *handler)
{
    struct content *content = PL_CONTAINER_OF(handler, struct content, handler);

    if (content->root != NULL)
        pl_file_root_drop(content->root);
    if (content->pages != NULL)
        content->pages->free(content->pages);
    pl_free(content);
}

PL_COLD struct pl_handler *
pl_content_new(const struct pl_content_options *options, struct pl_error *error)
{
    struct content *content = pl_calloc(1, sizeof(*content));

    if (content == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        if (options->pages != NULL)
            options->pages->free(options->pages);
        return NULL;
    }
    content->handler = (struct pl_handler){"content", start, free_content};
    content->pages = options->pages;
    content->no_static = options->no_static;
    content->root =
        pl_file_root_open(options->root, PL_LINKS_INSIDE, "index.html", error);
    if (content->root == NULL) {
        free_content(&content->handler);
        return NULL;
    }
    content->root->period = PERIOD_NS;
    return &content->handler;
}
