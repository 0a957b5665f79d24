/* maintenance.c - the file is looked at once a second at most, and by one
 * request: others go by what was seen last. What the kernel has not in memory
 * is a thread's, and that request waits for it. */
#include "filters/maintenance.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>

#include "base/str.h"
#include "base/sys.h"
#include "filters/client.h"
#include "http/request.h"
#include "net/trust.h"
#include "os/fs.h"

#ifndef RESOLVE_CACHED /* Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif

static const uint64_t PERIOD = 1000000000; /* ns between two looks */

struct maintenance {
    struct pl_filter filter;
    bool (*on)(struct pl_request *req, void *arg);
    void (*free_arg)(void *arg);
    void *arg;
    struct pl_str path; /* terminated; absent: no file */
    struct pl_str message;
    uint64_t retry_s;        /* 0: is not said */
    _Atomic uint64_t looked; /* ns */
    atomic_bool there;       /* ... and the file was */
    const struct pl_trust *allowed;
    struct pl_arena arena;
    struct pl_pool pool;
};

/* A request that waits for a look; in its arena. */
struct look {
    struct pl_fs_op op;
    struct pl_fs_call *call;
    struct maintenance *self;
    struct pl_request *req;
    const struct pl_next *next;
    struct pl_then *then;
};

/* ---- who may pass ---- */

static bool is_allowed(const struct maintenance *self, struct pl_request *req)
{
    struct pl_addr addr;

    return self->allowed != NULL && pl_client_addr(req, &addr) &&
           pl_trust_has(self->allowed, &addr);
}

/* ---- answering ---- */

static int refuse(const struct maintenance *self, struct pl_request *req)
{
    struct pl_response *res = &req->response;
    struct pl_str seconds;
    int err = pl_response_error(res, 503, self->message);

    if (err == 0)
        err = pl_response_set(res, PL_STR("Cache-Control"), PL_STR("no-store"));
    if (err < 0 || self->retry_s == 0)
        return err;
    seconds =
        pl_arena_printf(&req->arena, "%llu", (unsigned long long)self->retry_s);
    return seconds.data == NULL
               ? PL_ERR_NOMEM
               : pl_response_set(res, PL_STR("Retry-After"), seconds);
}

static void decide(struct maintenance *self, struct pl_request *req,
                   const struct pl_next *next, struct pl_then *then)
{
    bool on = (self->path.data != NULL && atomic_load(&self->there)) ||
              (self->on != NULL && self->on(req, self->arg));

    if (on && !is_allowed(self, req))
        then->done(then, req, refuse(self, req));
    else
        pl_next_start(next, req, then);
}

/* ---- the file ---- */

/* Is it there, by the kernel's memory? 1, 0 or PL_ERR_AGAIN. */
static int peek(const char *path)
{
    int fd = pl_sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, RESOLVE_CACHED);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : PL_ERR_AGAIN;
    pl_sys_close(fd);
    return 1;
}

static void on_looked(struct pl_op *op)
{
    struct look *look = PL_CONTAINER_OF(op, struct look, op.offload.op);
    struct pl_request *req = look->req;

    if (op->result != PL_ERR_CANCELED)
        atomic_store(&look->self->there, op->result == 0);
    pl_fs_call_drop(look->call);
    decide(look->self, req, look->next, look->then);
    pl_request_drop(req);
}

/* Asks a thread. 0, or PL_ERR_NOMEM. */
static int begin_look(struct maintenance *self, struct pl_request *req,
                      const struct pl_next *next, struct pl_then *then)
{
    const struct pl_fs_args args = {.path = self->path};
    struct look *look = pl_arena_alloc(&req->arena, sizeof(*look));
    struct pl_fs_call *call =
        look == NULL ? NULL : pl_fs_call_new(pl_fs_do_stat, &args);

    if (call == NULL)
        return PL_ERR_NOMEM;
    *look = (struct look){
        .call = call, .self = self, .req = req, .next = next, .then = then};
    pl_request_hold(req);
    pl_fs_begin(&look->op, req->http->sched, call);
    pl_op_then(&look->op.offload.op, on_looked);
    return 0;
}

/* Whose turn it is to look? */
static bool is_due(struct maintenance *self, struct pl_request *req)
{
    uint64_t now = pl_now(req->http->net->loop);
    uint64_t looked = atomic_load(&self->looked);

    return now - looked >= PERIOD &&
           atomic_compare_exchange_strong(&self->looked, &looked, now);
}

static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    struct maintenance *self =
        PL_CONTAINER_OF(filter, struct maintenance, filter);
    int seen;

    if (self->path.data != NULL && is_due(self, req)) {
        seen = peek(self->path.data);
        if (seen >= 0)
            atomic_store(&self->there, seen);
        else if (begin_look(self, req, next, then) == 0)
            return;
    }
    decide(self, req, next, then);
}

/* ---- making one ---- */

static void free_self(struct pl_filter *filter)
{
    struct maintenance *self =
        PL_CONTAINER_OF(filter, struct maintenance, filter);

    if (self->free_arg != NULL)
        self->free_arg(self->arg);
    pl_arena_fini(&self->arena);
    pl_pool_fini(&self->pool);
    pl_free(self);
}

static int no_memory(struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
}

static int read_options(struct maintenance *self,
                        const struct pl_maintenance_options *options,
                        struct pl_error *error)
{
    struct pl_str allow = pl_str_c(options->allow),
                  retry = pl_str_c(options->retry_after);
    const uint64_t second = 1000;
    uint64_t ms = 0;

    if (retry.data != NULL &&
        (!pl_str_to_ms(retry, &ms) || ms / second > INT32_MAX))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "retry_after: '%.64s' is not a duration (\"10m\")",
                            retry.data);
    self->retry_s = (ms + second - 1) / second;
    self->path = pl_arena_str(&self->arena, pl_str_c(options->file));
    self->message = pl_arena_str(&self->arena, pl_str_c(options->message));
    if ((options->file != NULL && self->path.data == NULL) ||
        (options->message != NULL && self->message.data == NULL))
        return no_memory(error);
    if (options->file == NULL && options->on == NULL)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "a file, or something else that says when, is "
                            "needed");
    return allow.data == NULL
               ? 0
               : pl_trust_parse(allow, &self->arena, &self->allowed, error);
}

struct pl_filter *
pl_maintenance_new(const struct pl_maintenance_options *options,
                   void (*free_arg)(void *arg), struct pl_error *error)
{
    struct maintenance *self = pl_calloc(1, sizeof(*self));
    struct stat st;

    if (self == NULL) {
        if (free_arg != NULL)
            free_arg(options->arg);
        no_memory(error);
        return NULL;
    }
    self->filter = (struct pl_filter){
        .kind = "maintenance", .refs = 1, .start = start, .free = free_self};
    self->on = options->on;
    self->free_arg = free_arg;
    self->arg = options->arg;
    pl_pool_init(&self->pool, NULL, 0);
    pl_arena_init(&self->arena, &self->pool, NULL);
    if (read_options(self, options, error) < 0) {
        free_self(&self->filter);
        return NULL;
    }
    atomic_init(&self->there,
                self->path.data != NULL &&
                    pl_sys_fstatat(AT_FDCWD, self->path.data, &st, 0) == 0);
    return &self->filter;
}
