/* fiber_chain.c - handlers and filters that are C functions: each runs on a
 * fiber, and the request stays as long as the fiber does. */
#include "base/error.h"
#include "base/sys.h"
#include "route/chain.h"
#include "task/fiber.h"

struct fiber_handler {
    struct pl_handler handler;
    pl_handler_fn *fn;
    void *arg;
    void (*free_arg)(void *arg);
};

struct fiber_filter {
    struct pl_filter filter;
    pl_filter_fn *fn;
    void *arg;
    void (*free_arg)(void *arg);
};

/* One run of a handler or filter; in the request's arena. */
struct call {
    const struct fiber_handler *handler; /* one of the two */
    const struct fiber_filter *filter;
    const struct pl_next *next;
    struct pl_request *req;
    struct pl_then *then;
};

static int run(void *arg)
{
    struct call *call = arg;
    struct pl_request *req = call->req;
    int result;

    if (call->handler != NULL)
        result = call->handler->fn(req, &req->response, call->handler->arg);
    else
        result = call->filter->fn(req, &req->response, call->next,
                                  call->filter->arg);
    call->then->done(call->then, req, result);
    return 0;
}

static void start(struct call what, struct pl_request *req)
{
    struct call *call = pl_arena_alloc(&req->arena, sizeof(*call));
    struct pl_task *task =
        call == NULL
            ? NULL
            : pl_fiber_new(req->http->sched, pl_task_current(), run, call);

    if (task == NULL) {
        what.then->done(what.then, req, PL_ERR_NOMEM);
        return;
    }
    *call = what;
    task->serves = true;
    pl_request_add_task(req, task);
    if (req->task == NULL)
        req->task = task;
    pl_task_start(task);
}

static void start_handler(struct pl_handler *handler, struct pl_request *req,
                          struct pl_then *then)
{
    start((struct call){.handler = PL_CONTAINER_OF(
                            handler, struct fiber_handler, handler),
                        .req = req,
                        .then = then},
          req);
}

static void start_filter(struct pl_filter *filter, struct pl_request *req,
                         const struct pl_next *next, struct pl_then *then)
{
    start((struct call){.filter = PL_CONTAINER_OF(filter, struct fiber_filter,
                                                  filter),
                        .next = next,
                        .req = req,
                        .then = then},
          req);
}

static void free_handler(struct pl_handler *handler)
{
    struct fiber_handler *self =
        PL_CONTAINER_OF(handler, struct fiber_handler, handler);

    if (self->free_arg != NULL)
        self->free_arg(self->arg);
    pl_free(self);
}

static void free_filter(struct pl_filter *filter)
{
    struct fiber_filter *self =
        PL_CONTAINER_OF(filter, struct fiber_filter, filter);

    if (self->free_arg != NULL)
        self->free_arg(self->arg);
    pl_free(self);
}

struct pl_handler *pl_fiber_handler_new(pl_handler_fn *fn, void *arg,
                                        void (*free_arg)(void *arg))
{
    struct fiber_handler *self = pl_malloc(sizeof(*self));

    if (self == NULL) {
        if (free_arg != NULL)
            free_arg(arg);
        return NULL;
    }
    *self = (struct fiber_handler){
        .handler = {.kind = "c", .start = start_handler, .free = free_handler},
        .fn = fn,
        .arg = arg,
        .free_arg = free_arg};
    return &self->handler;
}

struct pl_filter *pl_fiber_filter_new(pl_filter_fn *fn, void *arg,
                                      void (*free_arg)(void *arg))
{
    struct fiber_filter *self = pl_malloc(sizeof(*self));

    if (self == NULL) {
        if (free_arg != NULL)
            free_arg(arg);
        return NULL;
    }
    *self = (struct fiber_filter){.filter = {.kind = "c",
                                             .refs = 1,
                                             .start = start_filter,
                                             .free = free_filter},
                                  .fn = fn,
                                  .arg = arg,
                                  .free_arg = free_arg};
    return &self->filter;
}

/* ---- pl_next ---- */

int pl_next(struct pl_request *req, const struct pl_next *next)
{
    struct pl_next_op wait;

    pl_next_begin(&wait, next, req);
    return pl_op_wait(&wait.op);
}
