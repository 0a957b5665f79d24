#include "handlers/listing.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/features.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "handlers/listing_page.h"
#include "http/negotiate.h"
#include "http/request.h"

enum { KEPT = 32, KEPT_SIZE_MAX = 256 << 10, PAGE_SIZE_MAX = 16 << 20 };

/* A finished list. Never changes; the last holder frees it, on any thread. */
struct page {
    atomic_uint refs;
    uint64_t fresh_until; /* monotonic ns */
    struct pl_pool pool;  /* of the buffers; used by one thread at a time */
    struct pl_buf key, body;
    int64_t modified;
    char etag[24];
    bool json;
};

/* Places for the lists of the last second. Whoever finds `taken` set goes on
 * without: nobody waits. */
struct kept {
    atomic_flag taken;
    struct page *page;
};

struct listing {
    struct pl_static_folder folder;
    atomic_uint refs; /* the handler's, and one for each job */
    bool dot_files;
    bool own; /* the template is the program's */
    struct pl_template_set *set;
    struct pl_hash_key key;
    struct kept kept[KEPT];
};

/* One folder being read. Belongs to the job: a request that is given up leaves
 * it behind. */
struct work {
    struct listing *listing;
    struct page *page;
    struct pl_file_root *root;
    struct pl_listing_view view;
    const char *path;
    char text[]; /* view.path, path */
};

/* One request that waits; in its arena. */
struct wait {
    struct pl_offload_op offload;
    struct pl_request *req;
    struct pl_then *then;
    struct work *work; /* while the operation has succeeded, until its end */
};

/* ---- pages ---- */

static struct page *new_page(void)
{
    struct page *page = pl_calloc(1, sizeof(*page));

    if (page == NULL)
        return NULL;
    atomic_init(&page->refs, 1);
    pl_pool_init(&page->pool, NULL, 0);
    pl_buf_init(&page->key, &page->pool, NULL, 0);
    pl_buf_init(&page->body, &page->pool, NULL, PAGE_SIZE_MAX);
    return page;
}

static void drop_page(void *arg)
{
    struct page *page = arg;

    if (page == NULL || atomic_fetch_sub(&page->refs, 1) > 1)
        return;
    pl_buf_fini(&page->key);
    pl_buf_fini(&page->body);
    pl_pool_fini(&page->pool);
    pl_free(page);
}

static struct kept *place_of(struct listing *listing, struct pl_str key)
{
    return &listing->kept[pl_hash(key, listing->key) % KEPT];
}

/* GIVES a reference, or NULL. */
static struct page *find_page(struct listing *listing, struct pl_str key,
                              uint64_t now)
{
    struct kept *kept = place_of(listing, key);
    struct page *page, *old = NULL;

    if (atomic_flag_test_and_set_explicit(&kept->taken, memory_order_acquire))
        return NULL;
    page = kept->page;
    if (page != NULL && page->fresh_until <= now) {
        old = page;
        page = kept->page = NULL;
    }
    if (page != NULL && pl_str_eq(pl_buf_str(&page->key), key))
        atomic_fetch_add(&page->refs, 1);
    else
        page = NULL;
    atomic_flag_clear_explicit(&kept->taken, memory_order_release);
    drop_page(old);
    return page;
}

static void keep_page(struct listing *listing, struct page *page)
{
    struct kept *kept = place_of(listing, pl_buf_str(&page->key));
    struct page *old;

    if (page->body.len > KEPT_SIZE_MAX ||
        atomic_flag_test_and_set_explicit(&kept->taken, memory_order_acquire))
        return;
    old = kept->page;
    kept->page = page;
    atomic_fetch_add(&page->refs, 1);
    atomic_flag_clear_explicit(&kept->taken, memory_order_release);
    drop_page(old);
}

static void drop_listing(struct listing *listing)
{
    if (atomic_fetch_sub(&listing->refs, 1) > 1)
        return;
    for (int i = 0; i < KEPT; i++)
        drop_page(listing->kept[i].page);
    pl_template_set_free(listing->set);
    pl_free(listing);
}

/* ---- on an offload thread ---- */

static int make_page(struct work *work, struct pl_folder *folder)
{
    static const struct pl_hash_key fixed = {0, 0};
    struct page *page = work->page;
    struct pl_error error = {.code = 0};
    uint64_t hash;
    int err;

    pl_folder_sort(folder, work->view.sort, work->view.descending);
    err = page->json ? pl_listing_json(folder, &work->view, &page->body, &error)
                     : pl_listing_html(folder, &work->view, work->listing->set,
                                       &page->body, &error);
    if (err < 0) {
        pl_log(PL_LOG_ERROR, "static", "cannot list %.*s: %s: %s",
               PL_STR_ARG(work->view.path), error.where, error.text);
        return err == PL_ERR_NOMEM ? err : PL_ERR_IO;
    }
    /* The same on all workers and machines: the key is no secret. */
    hash = pl_hash(pl_buf_str(&page->body), fixed);
    snprintf(page->etag, sizeof(page->etag), "\"%016llx\"",
             (unsigned long long)hash);
    page->modified = folder->modified;
    return 0;
}

static int do_work(void *arg)
{
    struct work *work = arg;
    struct pl_folder folder;
    int err =
        pl_folder_open(&folder, &work->page->pool, work->root->fd,
                       work->root->links, work->path, work->listing->dot_files);

    if (err == 0)
        err = make_page(work, &folder);
    pl_folder_close(&folder);
    return err;
}

static void free_work(void *arg)
{
    struct work *work = arg;

    pl_file_root_drop(work->root);
    drop_page(work->page);
    drop_listing(work->listing);
    pl_free(work);
}

/* ---- answering ---- */

/* TAKES a reference to page. */
static int answer(struct pl_request *req, const struct listing *listing,
                  struct page *page)
{
    struct pl_response *res = &req->response;
    bool styled = !page->json && listing->own;
    int64_t now = pl_loop_wall(req->http->net->loop);
    /* A copy: the page goes when an answer needs no body. */
    struct pl_str etag = pl_arena_str(&req->arena, pl_str_c(page->etag));
    int64_t modified = page->modified;
    bool json = page->json;
    int err = pl_response_bytes(res, pl_buf_str(&page->body), drop_page, page);

    if (err < 0)
        return err;
    if (etag.data == NULL)
        return PL_ERR_NOMEM;
    res->type =
        json ? PL_STR("application/json") : PL_STR("text/html; charset=utf-8");
    res->etag = etag;
    res->last_modified = PL_MIN(modified, now);
    err = pl_response_add(res, PL_STR("Vary"), PL_STR("Accept"));
    if (err == 0 && res->cache_control.data == NULL && res->expires < 0)
        err = pl_response_set(res, PL_STR("Cache-Control"), PL_STR("no-cache"));
    if (err == 0 && styled)
        err = pl_response_set(
            res, PL_STR("Content-Security-Policy"),
            PL_STR("default-src 'none'; style-src 'unsafe-inline'"));
    return err;
}

static void on_done(struct pl_op *op)
{
    struct wait *wait = PL_CONTAINER_OF(op, struct wait, offload.op);
    struct pl_request *req = wait->req;
    struct pl_then *then = wait->then;
    int err = op->result;

    if (err == 0) {
        struct page *page = wait->work->page;

        page->fresh_until = pl_now(req->http->net->loop) + PL_LISTING_FRESH_NS;
        keep_page(wait->work->listing, page);
        atomic_fetch_add(&page->refs, 1);
        err = answer(req, wait->work->listing, page);
    } else if (err == PL_ERR_LIMIT) { /* too many wait for a thread */
        err = PL_ERR_BUSY;
    }
    pl_offload_end(&wait->offload);
    then->done(then, req, err);
    pl_request_drop(req);
}

/* ---- what is asked for ---- */

static bool wants_json(struct pl_request *req)
{
    static const struct pl_str offers[] = {{"text/html", 9},
                                           {"application/json", 16}};

    return pl_negotiate(PL_NEGOTIATE_TYPE,
                        pl_request_header_id(req, PL_HEADER_ACCEPT), offers,
                        PL_COUNT(offers)) == 1;
}

static void read_query(struct pl_request *req, struct pl_listing_view *view)
{
    struct pl_str sort = pl_request_arg(req, PL_STR("sort"));
    struct pl_str order = pl_request_arg(req, PL_STR("order"));

    view->sort = pl_str_eq(sort, PL_STR("size"))   ? PL_LISTING_SIZE
                 : pl_str_eq(sort, PL_STR("time")) ? PL_LISTING_TIME
                                                   : PL_LISTING_NAME;
    view->descending = pl_str_eq(order, PL_STR("desc"));
}

/* What tells one list from another; in the page, which is kept under it. */
static int fill_key(struct page *page, const struct pl_listing_view *view)
{
    pl_buf_addc(&page->key, page->json ? 'j' : 'h');
    pl_buf_addc(&page->key, (char)('0' + view->sort * 2 + view->descending));
    return pl_buf_add(&page->key, view->path);
}

/* A job may go on when the request and its site have gone. */
static struct pl_file_root *hold(const struct pl_file_root *root)
{
    struct pl_file_root *held = (struct pl_file_root *)(uintptr_t)root;

    atomic_fetch_add(&held->refs, 1);
    return held;
}

static struct work *new_work(struct listing *listing, struct page *page,
                             const struct pl_listing_view *view,
                             const struct pl_file_root *root,
                             struct pl_str path)
{
    struct work *work =
        pl_malloc(sizeof(*work) + view->path.len + path.len + 1);

    if (work == NULL) {
        drop_page(page);
        return NULL;
    }
    *work = (struct work){
        .listing = listing, .page = page, .root = hold(root), .view = *view};
    atomic_fetch_add(&listing->refs, 1);
    memcpy(work->text, view->path.data, view->path.len);
    work->path = work->text + view->path.len;
    if (path.len > 0)
        memcpy(work->text + view->path.len, path.data, path.len);
    work->text[view->path.len + path.len] = '\0';
    work->view.path.data = work->text;
    work->view.below = pl_str(work->path, path.len);
    return work;
}

static int begin(struct listing *listing, struct pl_request *req,
                 const struct pl_file_root *root, struct pl_str path,
                 struct pl_then *then)
{
    struct pl_listing_view view = {.path = req->path};
    struct wait *wait = pl_arena_alloc(&req->arena, sizeof(*wait));
    struct page *page = new_page(), *kept;
    struct work *work;

    if (wait == NULL || page == NULL) {
        drop_page(page);
        return PL_ERR_NOMEM;
    }
    read_query(req, &view);
    page->json = wants_json(req);
    if (fill_key(page, &view) < 0) {
        drop_page(page);
        return PL_ERR_NOMEM;
    }
    kept = find_page(listing, pl_buf_str(&page->key),
                     pl_now(req->http->net->loop));
    if (kept != NULL) {
        drop_page(page);
        return answer(req, listing, kept);
    }
    work = new_work(listing, page, &view, root, path);
    if (work == NULL)
        return PL_ERR_NOMEM;
    wait->req = req;
    wait->then = then;
    wait->work = work;
    pl_request_hold(req);
    pl_offload_begin(&wait->offload, req->http->sched, do_work, work,
                     free_work);
    pl_op_then(&wait->offload.op, on_done);
    return PL_ERR_AGAIN;
}

static void start(struct pl_static_folder *folder, struct pl_request *req,
                  const struct pl_file_root *root, struct pl_str path,
                  struct pl_then *then)
{
    struct listing *listing = PL_CONTAINER_OF(folder, struct listing, folder);
    int err = begin(listing, req, root, path, then);

    if (err != PL_ERR_AGAIN)
        then->done(then, req, err);
}

/* ---- life ---- */

static void free_folder(struct pl_static_folder *folder)
{
    drop_listing(PL_CONTAINER_OF(folder, struct listing, folder));
}

static struct pl_template_set *load_template(const char *path,
                                             struct pl_error *error)
{
    struct pl_template_set *set;
    struct pl_error fault;

    if (path != NULL) {
        set = pl_template_set_load(path, &fault);
        if (set == NULL)
            pl_error_set(error, fault.code, fault.where, "listing: %s: %s",
                         fault.where, fault.text);
        return set;
    }
    return pl_template_set_text(PL_STR("listing.mustache"),
                                pl_str_c(pl_listing_template), error);
}

struct pl_static_folder *
pl_listing_new(const struct pl_listing_options *options, struct pl_error *error)
{
    struct listing *listing;

    if (!PL_WITH_PAGES) {
        pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                     "listing: " PL_WITHOUT PL_FEATURE_PAGES);
        return NULL;
    }
    listing = pl_calloc(1, sizeof(*listing));
    if (listing == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    listing->set = load_template(options->template, error);
    if (listing->set == NULL) {
        pl_free(listing);
        return NULL;
    }
    listing->folder = (struct pl_static_folder){start, free_folder};
    atomic_init(&listing->refs, 1);
    listing->own = options->template == NULL;
    listing->dot_files = options->dot_files;
    listing->key = pl_hash_key_new();
    for (int i = 0; i < KEPT; i++)
        atomic_flag_clear(&listing->kept[i].taken);
    return &listing->folder;
}
