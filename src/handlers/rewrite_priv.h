/* rewrite_priv.h - what a rule is: read by rewrite_rule.c, followed by
 * rewrite.c. */
#ifndef PL_HANDLERS_REWRITE_PRIV_H
#define PL_HANDLERS_REWRITE_PRIV_H

#include "handlers/condition.h"
#include "handlers/rewrite.h"

/* In the site's arena; pattern and handlers are freed with the set. */
struct pl_rewrite_rule {
    struct pl_rewrite_rule *next;
    struct pl_luapat *pattern;
    struct pl_str host, prefix; /* of its scope; "" for all */
    struct pl_expansion to;
    pl_rewrite_fn *fn; /* one of the three makes the URL */
    struct pl_handler *make;
    void *arg; /* of fn */
    struct pl_handler *ask;
    const struct pl_test *tests;
    unsigned ntests;
    int redirect;
    bool last;
    const char *where;
};

struct pl_rewrites {
    struct pl_handler handler;
    const struct pl_router *router;
    struct pl_rewrite_rule *first, **end;
    void (*moved)(struct pl_request *req); /* or NULL */
    bool mounted;
};

/* Of a request's way through the rules (rewrite.c). */
void pl_rewrites_start(struct pl_handler *handler, struct pl_request *req,
                       struct pl_then *then);

#endif
