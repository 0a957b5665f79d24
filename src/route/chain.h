/* chain.h - the filters and the handler of a route, one around the other.
 *
 * Each link is a step; a filter starts the next step itself (pl_next_start)
 * and is told when that is done, so that filters and handlers in C and in Lua
 * mix freely and all of them may wait. */
#ifndef PL_ROUTE_CHAIN_H
#define PL_ROUTE_CHAIN_H

#include "http/handler.h"
#include "http/request.h"
#include "task/op.h"

struct pl_chain;

/* TAKES handler and one reference of each filter, also on failure (NULL). */
struct pl_chain *pl_chain_new(struct pl_filter *const *filters, unsigned n,
                              struct pl_handler *handler);
void pl_chain_free(struct pl_chain *chain);

/* Puts filter, of which it takes another reference, around all of *chain, which
 * becomes another one. Returns 0, or PL_ERR_NOMEM with *chain as it was. */
int pl_chain_wrap(struct pl_chain **chain, struct pl_filter *filter);

/* Runs it for req, and then pl_request_finish(). */
void pl_chain_start(const struct pl_chain *chain, struct pl_request *req);

/* The same with something else after it. */
void pl_chain_run(const struct pl_chain *chain, struct pl_request *req,
                  struct pl_then *then);

struct pl_handler *pl_chain_handler(const struct pl_chain *chain);
unsigned pl_chain_filters(const struct pl_chain *chain);

/* Lets a filter of the chain answer a request of another method that asks what
 * may be asked of the route. False: none does. */
bool pl_chain_preflight(const struct pl_chain *chain, struct pl_request *req);

void pl_filter_drop(struct pl_filter *filter);

/* What pl_next_start(next) would start: a filter and what is the rest for it,
 * or the handler. For filters that can run their own kind without a task. */
struct pl_link {
    struct pl_filter *filter; /* NULL: the handler */
    struct pl_handler *handler;
    const struct pl_next *rest;
};

struct pl_link pl_next_link(const struct pl_next *next,
                            const struct pl_request *req);

/* pl_next_start() for who waits: an operation of the worker of req, begun
 * here, with the result of the rest. BORROWS wait until it is done. */
struct pl_next_op {
    struct pl_op op;
    struct pl_then then;
};

void pl_next_begin(struct pl_next_op *wait, const struct pl_next *next,
                   struct pl_request *req);

/* ---- C functions on fibers ---- */

/* free_arg (may be NULL) is called with the handler's end; also on failure. */
struct pl_handler *pl_fiber_handler_new(pl_handler_fn *fn, void *arg,
                                        void (*free_arg)(void *arg));
struct pl_filter *pl_fiber_filter_new(pl_filter_fn *fn, void *arg,
                                      void (*free_arg)(void *arg));

#endif
