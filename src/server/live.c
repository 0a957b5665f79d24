#include "server/live.h"

#include <string.h>

#include "base/str.h"
#include "base/sys.h"
#include "http/wire.h"
#include "route/chain.h"
#include "server/dev.h"
#include "server/server.h"
#include "task/fiber.h"

extern const char pl_live_script[];

#define FOLDER "/.perilune/"

enum {
    PAGE_MAX = 4 << 20,  /* longer ones get no script */
    FAULT_MAX = 1 << 16, /* of the text of an error */
    RETRY_MS = 300,      /* between two attempts to reach us */
    WIRES = 4,           /* HTTP/1, HTTP/2, ... */
};

/* A wire like another one, but that its pages get the script. */
struct dressed {
    struct pl_wire wire;
    const struct pl_wire *under;
};

struct pl_live {
    struct pl_worker *worker;
    struct pl_chain *events, *script;
    struct pl_list waiters; /* struct wait */
    uint64_t changes;
    struct pl_error fault; /* of the last reload; code 0: none */
    struct dressed wires[WIRES];
};

/* ---- the stream of events ---- */

struct wait {
    struct pl_op op;
    struct pl_list node;
};

static void stop_waiting(struct pl_op *op)
{
    pl_list_remove(&PL_CONTAINER_OF(op, struct wait, op)->node);
    pl_op_complete(op, PL_ERR_CANCELED);
}

static void tell(struct pl_live *live)
{
    struct pl_list *node;

    live->changes++;
    while ((node = pl_list_pop(&live->waiters)) != NULL)
        pl_op_complete(&PL_LIST_ENTRY(node, struct wait, node)->op, 0);
}

static int await_change(struct pl_live *live, uint64_t seen)
{
    struct wait wait;

    if (live->changes != seen)
        return 0;
    pl_op_init(&wait.op, &live->worker->sched, stop_waiting);
    pl_op_begin(&wait.op);
    pl_list_push(&live->waiters, &wait.node);
    return pl_op_wait(&wait.op);
}

/* "PID GENERATION [CHANGES]": a page of another process is old, too. */
static struct pl_str name_of(struct pl_arena *arena,
                             const struct pl_generation *gen)
{
    unsigned touched = atomic_load(&gen->worker->server->touched);
    struct pl_str name = pl_arena_printf(arena, "%d %llu %u", (int)getpid(),
                                         (unsigned long long)gen->id, touched);

    return touched > 0 || name.data == NULL ? name
                                            : pl_str_first(name, name.len - 2);
}

static int send_generation(const struct pl_live *live, struct pl_request *req,
                           struct pl_event_stream *stream)
{
    const struct pl_event event = {
        .type = PL_STR("generation"),
        .data = name_of(&req->arena, live->worker->generation)};

    return event.data.data == NULL ? PL_ERR_NOMEM
                                   : pl_events_send(stream, &event);
}

static int send_fault(const struct pl_live *live, struct pl_request *req,
                      struct pl_event_stream *stream)
{
    struct pl_event event = {.type = PL_STR("fault")};
    struct pl_buf out;
    int err;

    if (live->fault.code == 0)
        return 0;
    pl_buf_init(&out, req->arena.pool, &req->account, FAULT_MAX);
    err = pl_dev_write_fault(&out, &live->fault,
                             live->worker->server->loader->folder);
    event.data = pl_buf_str(&out);
    if (err == 0)
        err = pl_events_send(stream, &event);
    pl_buf_fini(&out);
    return err;
}

static int serve_events(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    const struct pl_events_options options = {.size = sizeof(options),
                                              .retry_ms = RETRY_MS};
    struct pl_live *live = arg;
    struct pl_event_stream *stream;
    int err = pl_events_begin(res, &options, &stream);

    while (err == 0) {
        uint64_t seen = live->changes;

        err = send_generation(live, req, stream);
        if (err == 0)
            err = send_fault(live, req, stream);
        if (err == 0)
            err = await_change(live, seen);
    }
    return err;
}

static int serve_script(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    (void)req;
    (void)arg;
    pl_response_set(res, PL_STR("Cache-Control"), PL_STR("no-store"));
    return pl_respond(res, 200, "text/javascript; charset=utf-8",
                      pl_str_c(pl_live_script));
}

/* ---- the script in a page ---- */

/* Absent: no memory. */
static struct pl_str make_tag(struct pl_request *req)
{
    struct pl_str name = name_of(&req->arena, req->generation);
    /* A policy that trusts scripts by a number of its own tells it to ours. */
    struct pl_str nonce = pl_response_nonce(&req->response);

    if (name.data == NULL)
        return name;
    return pl_arena_printf(&req->arena,
                           "\n<script src=\"" FOLDER "live.js\" "
                           "data-generation=\"%.*s\"%s%.*s%s></script>\n",
                           PL_STR_ARG(name), nonce.len > 0 ? " nonce=\"" : "",
                           PL_STR_ARG(nonce), nonce.len > 0 ? "\"" : "");
}

/* Is it the whole of a page, as it is written? */
static bool is_page(const struct pl_response *res)
{
    return (res->content == PL_CONTENT_BYTES ||
            res->content == PL_CONTENT_FILE) &&
           res->length >= 0 && res->length <= PAGE_MAX && res->parts == NULL &&
           res->status != 206 && res->status != 304 &&
           pl_str_istarts(res->type, PL_STR("text/html")) &&
           !pl_response_says(res, PL_HEADER_CONTENT_ENCODING);
}

/* Who develops may wait for the disk. */
static bool read_page(const struct pl_response *res, char *to)
{
    size_t len = (size_t)res->length, done = 0;
    ssize_t n = 1;

    if (res->content == PL_CONTENT_BYTES) {
        memcpy(to, res->bytes.data, len);
        return true;
    }
    while (done < len && n > 0) {
        n = pl_sys_pread(res->file, to + done, len - done,
                         (off_t)(res->file_off + done));
        done += n > 0 ? (size_t)n : 0;
    }
    return done == len;
}

static void add_script(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    struct pl_str tag;
    size_t len;
    char *page;

    if (!is_page(res) || req->generation == NULL)
        return;
    tag = make_tag(req);
    len = (size_t)res->length;
    page = tag.data == NULL ? NULL : pl_arena_alloc(&req->arena, len + tag.len);
    if (page == NULL || (!res->bodyless && !read_page(res, page)))
        return;
    memcpy(page + len, tag.data, tag.len);
    pl_response_release(res);
    res->content = PL_CONTENT_BYTES;
    res->bytes = pl_str(page, len + tag.len);
    res->length = (int64_t)res->bytes.len;
    /* A page that the browser has kept would be old for ever. */
    res->etag = pl_str(NULL, 0);
    res->last_modified = -1;
    res->ready = NULL;
}

static int send_dressed(struct pl_request *req)
{
    const struct dressed *dressed =
        PL_CONTAINER_OF(req->wire, struct dressed, wire);

    req->wire = dressed->under;
    add_script(req);
    return req->wire->send(req);
}

/* The place of a wire that was met before, or an empty one. */
static void dress(struct pl_live *live, struct pl_request *req)
{
    struct dressed *dressed = live->wires;
    const struct dressed *end = live->wires + WIRES;

    while (dressed != end && dressed->under != NULL &&
           dressed->under != req->wire)
        dressed++;
    if (dressed == end)
        return;
    if (dressed->under == NULL) {
        *dressed = (struct dressed){*req->wire, req->wire};
        dressed->wire.send = send_dressed;
        dressed->wire.edits = true;
    }
    req->wire = &dressed->wire;
}

/* Does the browser go there, or show it in a frame? Older ones do not say so,
 * and what is no browser does not either. */
static bool is_visit(struct pl_request *req)
{
    struct pl_str dest = pl_request_header(req, PL_STR("Sec-Fetch-Dest"));

    return (req->method == PL_METHOD_GET || req->head) &&
           (pl_str_eq(dest, PL_STR("document")) ||
            pl_str_eq(dest, PL_STR("iframe")) ||
            pl_str_eq(dest, PL_STR("frame")));
}

/* ---- its life ---- */

static struct pl_chain *new_chain(pl_handler_fn *fn, struct pl_live *live)
{
    struct pl_handler *handler = pl_fiber_handler_new(fn, live, NULL);

    return handler == NULL ? NULL : pl_chain_new(NULL, 0, handler);
}

/* When it is first needed. NULL: out of memory. */
static struct pl_live *live_of(struct pl_worker *worker)
{
    struct pl_live *live = worker->live;

    if (live != NULL)
        return live;
    live = pl_calloc(1, sizeof(*live));
    if (live == NULL)
        return NULL;
    live->worker = worker;
    pl_list_init(&live->waiters);
    live->events = new_chain(serve_events, live);
    live->script = new_chain(serve_script, live);
    worker->live = live;
    if (live->events != NULL && live->script != NULL)
        return live;
    pl_live_free(worker);
    return NULL;
}

void pl_live_free(struct pl_worker *worker)
{
    struct pl_live *live = worker->live;

    if (live == NULL)
        return;
    if (live->events != NULL)
        pl_chain_free(live->events);
    if (live->script != NULL)
        pl_chain_free(live->script);
    pl_free(live);
    worker->live = NULL;
}

bool pl_live_request(struct pl_worker *worker, struct pl_request *req)
{
    struct pl_live *live = live_of(worker);

    if (live == NULL)
        return false;
    if (pl_str_eq(req->path, PL_STR(FOLDER "live")))
        pl_chain_start(live->events, req);
    else if (pl_str_eq(req->path, PL_STR(FOLDER "live.js")))
        pl_chain_start(live->script, req);
    else
        return is_visit(req) ? (dress(live, req), false) : false;
    return true;
}

void pl_live_changed(struct pl_worker *worker)
{
    if (worker->live == NULL)
        return;
    worker->live->fault = (struct pl_error){.code = 0};
    tell(worker->live);
}

/* ---- reloads that fail, pages that change ---- */

struct fault {
    struct pl_mail mail;
    struct pl_worker *worker;
    struct pl_error error; /* code 0: pages have changed, nothing has failed */
};

static void on_fault(struct pl_mail *mail)
{
    struct fault *fault = PL_CONTAINER_OF(mail, struct fault, mail);
    const struct pl_generation *gen = fault->worker->generation;
    struct pl_live *live = pl_dev_is_on(gen) ? live_of(fault->worker) : NULL;

    if (live != NULL) {
        if (fault->error.code != 0)
            live->fault = fault->error;
        tell(live);
    }
    pl_free(fault);
}

static void tell_all(struct pl_server *server, const struct pl_error *error)
{
    for (unsigned i = 0; i < server->nworkers; i++) {
        struct pl_worker *worker = &server->workers[i];
        struct fault *fault = pl_malloc(sizeof(*fault));

        if (fault == NULL)
            return;
        *fault = (struct fault){{.deliver = on_fault}, worker, *error};
        pl_mailbox_send(pl_loop_mailbox(worker->loop), &fault->mail);
    }
}

void pl_live_failed(struct pl_server *server, const struct pl_error *error)
{
    tell_all(server, error);
}

void pl_live_touched(struct pl_server *server)
{
    const struct pl_error none = {.code = 0};

    atomic_fetch_add(&server->touched, 1);
    tell_all(server, &none);
}
