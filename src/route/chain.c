#include "route/chain.h"

#include <string.h>

#include "base/error.h"
#include "base/sys.h"

/* One step: what a filter is given as "the rest". */
struct pl_next {
    struct pl_filter *filter; /* NULL: the handler */
};

struct pl_chain {
    struct pl_handler *handler;
    unsigned count;
    struct pl_next steps[]; /* count filters, and one for the handler */
};

void pl_filter_drop(struct pl_filter *filter)
{
    if (--filter->refs == 0)
        filter->free(filter);
}

PL_COLD struct pl_chain *pl_chain_new(struct pl_filter *const *filters,
                                      unsigned n, struct pl_handler *handler)
{
    struct pl_chain *chain =
        pl_malloc(sizeof(*chain) + (n + 1) * sizeof(struct pl_next));

    if (chain == NULL) {
        for (unsigned i = 0; i < n; i++)
            pl_filter_drop(filters[i]);
        handler->free(handler);
        return NULL;
    }
    chain->handler = handler;
    chain->count = n;
    for (unsigned i = 0; i < n; i++)
        chain->steps[i].filter = filters[i];
    chain->steps[n].filter = NULL;
    return chain;
}

int pl_chain_wrap(struct pl_chain **at, struct pl_filter *filter)
{
    const struct pl_chain *old = *at;
    size_t steps = (old->count + 1) * sizeof(struct pl_next);
    struct pl_chain *chain =
        pl_malloc(sizeof(*chain) + steps + sizeof(struct pl_next));

    if (chain == NULL)
        return PL_ERR_NOMEM;
    chain->handler = old->handler;
    chain->count = old->count + 1;
    chain->steps[0].filter = filter;
    memcpy(&chain->steps[1], old->steps, steps);
    filter->refs++;
    pl_free(*at);
    *at = chain;
    return 0;
}

void pl_chain_free(struct pl_chain *chain)
{
    if (chain == NULL)
        return;
    for (unsigned i = 0; i < chain->count; i++)
        pl_filter_drop(chain->steps[i].filter);
    chain->handler->free(chain->handler);
    pl_free(chain);
}

struct pl_handler *pl_chain_handler(const struct pl_chain *chain)
{
    return chain->handler;
}

PL_COLD bool pl_chain_preflight(const struct pl_chain *chain,
                                struct pl_request *req)
{
    for (unsigned i = 0; i < chain->count; i++) {
        struct pl_filter *filter = chain->steps[i].filter;

        if (filter->preflight != NULL && filter->preflight(filter, req))
            return true;
    }
    return false;
}

unsigned pl_chain_filters(const struct pl_chain *chain)
{
    return chain->count;
}

struct pl_link pl_next_link(const struct pl_next *next,
                            const struct pl_request *req)
{
    if (next->filter != NULL)
        return (struct pl_link){.filter = next->filter, .rest = next + 1};
    return (struct pl_link){.handler = req->chain->handler};
}

static inline void start_next(const struct pl_next *next,
                              struct pl_request *req, struct pl_then *then)
{
    struct pl_handler *handler = req->chain->handler;

    if (next->filter != NULL)
        next->filter->start(next->filter, req, next + 1, then);
    else
        handler->start(handler, req, then);
}

void pl_next_start(const struct pl_next *next, struct pl_request *req,
                   struct pl_then *then)
{
    start_next(next, req, then);
}

static void next_done(struct pl_then *then, struct pl_request *req, int result)
{
    struct pl_next_op *wait = PL_CONTAINER_OF(then, struct pl_next_op, then);

    (void)req;
    pl_op_complete(&wait->op, result);
}

void pl_next_begin(struct pl_next_op *wait, const struct pl_next *next,
                   struct pl_request *req)
{
    wait->then.done = next_done;
    pl_op_init(&wait->op, req->http->sched, NULL);
    pl_op_begin(&wait->op);
    pl_next_start(next, req, &wait->then);
}

PL_COLD void pl_chain_run(const struct pl_chain *chain, struct pl_request *req,
                          struct pl_then *then)
{
    req->chain = chain;
    start_next(&chain->steps[0], req, then);
}

static void finish(struct pl_then *then, struct pl_request *req, int result)
{
    (void)then;
    pl_request_finish(req, result);
}

void pl_chain_start(const struct pl_chain *chain, struct pl_request *req)
{
    static struct pl_then end = {finish};

    req->chain = chain;
    start_next(&chain->steps[0], req, &end);
}
