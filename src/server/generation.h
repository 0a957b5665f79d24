/* generation.h - everything that a reload replaces, as one worker has it: the
 * site (routes, settings) and the Lua VM behind it.
 *
 * A request keeps the generation it began with; the last user frees it. */
#ifndef PL_SERVER_GENERATION_H
#define PL_SERVER_GENERATION_H

#include "route/site.h"
#include "task/op.h"

struct pl_vm;
struct pl_worker;

struct pl_generation {
    uint32_t refs; /* the worker's, and one for each request */
    struct pl_worker *worker;
    struct pl_site *site;
    struct pl_vm *vm; /* NULL for a C program */
    void *state;      /* the loader's; NULL until begin() sets it */
    const struct pl_loader *loader;
};

/* A load on its way; the caller's memory until op is DONE. */
struct pl_load {
    struct pl_op op; /* 0, or PL_ERR_* with error filled */
    struct pl_error error;
    struct pl_generation *gen; /* what is being filled */
    void *state;               /* the loader's */
};

/* Makes sites: from a Lua file, a folder, or a C program's calls. */
struct pl_loader {
    const char *name;   /* what is loaded, for messages */
    const char *folder; /* of its scripts; NULL: there are none */
    void *arg;
    /* Fills load->gen (site, vm) as a task on the loop of its worker, and
     * completes load->op, which has been begun. */
    void (*begin)(void *arg, struct pl_load *load);
    /* Asks a load to end early; load->op still completes. NULL: cannot. */
    void (*cancel)(struct pl_load *load);
    /* The generation begins to serve: 0 or PL_ERR_*. NULL: it knows itself. */
    int (*commit)(void *arg, struct pl_generation *gen);
    /* Gives back site and vm, also half-made ones (NULL). No request uses them,
     * no task of the VM is left. */
    void (*drop)(void *arg, struct pl_generation *gen);
};

/* Begins loading a new generation for worker. */
void pl_generation_load(struct pl_load *load, const struct pl_loader *loader,
                        struct pl_worker *worker);

/* load->op is DONE: GIVES the generation with one reference, or NULL after a
 * failure. */
struct pl_generation *pl_generation_take(struct pl_load *load);

void pl_generation_drop(struct pl_generation *gen);

#endif
