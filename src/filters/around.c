#include "filters/around.h"

#include "base/error.h"

/* In the request's arena. */
struct run {
    struct pl_then then, *outer;
    struct pl_filter *filter;
    pl_around_fn *set;
};

void pl_around_set(struct pl_response *res, struct pl_str name,
                   struct pl_str value)
{
    if (value.data != NULL && !pl_response_says_name(res, name))
        (void)pl_response_set(res, name, value);
}

static bool is_farewell(int result)
{
    return result == PL_ERR_CANCELED || result == PL_ERR_CLOSED;
}

/* What the end of the request would make of the result is made here, so that it
 * has the fields, too. */
static void done(struct pl_then *then, struct pl_request *req, int result)
{
    struct run *run = PL_CONTAINER_OF(then, struct run, then);

    if (!req->response.started && !is_farewell(result)) {
        if (result != 0)
            pl_request_answer(req, result);
        result = 0;
        run->set(run->filter, req);
    }
    run->outer->done(run->outer, req, result);
}

void pl_around_start(struct pl_filter *filter, struct pl_request *req,
                     const struct pl_next *next, struct pl_then *then,
                     pl_around_fn *set)
{
    struct run *run = pl_arena_alloc(&req->arena, sizeof(*run));

    if (run == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    *run = (struct run){{done}, then, filter, set};
    if (!req->response.started)
        set(filter, req);
    pl_next_start(next, req, &run->then);
}
