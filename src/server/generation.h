/* generation.h - everything that a reload replaces, as one worker has it: the
 * site (routes, settings) and the Lua VM behind it.
 *
 *     LOADING --commit--> SERVING --the next one serves--> RETIRED
 *        |                                                    | its requests
 *        | failed, discarded                                  | are over, then
 *        v                                                    v its tasks
 *     ENDING <------------- the drain limit ---------------- (...)
 *        | all cancelled and over                             |
 *        +--------------------> CLOSING <---------------------+
 *                               what Lua held is collected, then it is freed
 *
 * A request keeps the generation that it began with. All of this happens on the
 * worker's own thread, a little at a time: finalizers run where their things
 * were made (docs/decisions/0010). */
#ifndef PL_SERVER_GENERATION_H
#define PL_SERVER_GENERATION_H

#include "base/list.h"
#include "route/site.h"
#include "task/op.h"

struct pl_vm;
struct pl_worker;

enum pl_generation_stage {
    PL_GENERATION_LOADING,
    PL_GENERATION_SERVING,
    PL_GENERATION_RETIRED,
    PL_GENERATION_ENDING,
    PL_GENERATION_CLOSING,
};

/* So many have not been freed, besides the one that serves: one more ends the
 * oldest. */
enum { PL_GENERATIONS_RETIRED = 3 };

struct pl_generation {
    struct pl_list node; /* of worker->retired */
    uint64_t id;         /* of all workers the same; from 1 */
    uint64_t began;      /* monotonic ns: to serve */
    uint32_t refs;       /* the worker's, and one for each request */
    uint8_t stage;       /* enum pl_generation_stage */
    bool drained;        /* no task is left, nor will be */
    struct pl_worker *worker;
    struct pl_site *site;
    struct pl_vm *vm; /* NULL for a C program */
    void *state;      /* the loader's; NULL until begin() sets it */
    const struct pl_loader *loader;
    struct pl_op vm_drained;
    struct pl_timer timer; /* the drain limit; then steps of closing */
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
    bool fixed;         /* loading it again would give the same */
    void *arg;
    /* root becomes the root of all paths: what it keeps is called by its name
     * inside from now on. stays: the working folder is inside, relative paths
     * stay as they are. 0 or PL_ERR_*. NULL: it keeps none. */
    int (*enter)(void *arg, const char *root, bool stays);
    /* Fills load->gen (site, vm) as a task on the loop of its worker, and
     * completes load->op, which has been begun. */
    void (*begin)(void *arg, struct pl_load *load);
    /* Asks a load to end early; load->op still completes. NULL: cannot. */
    void (*cancel)(struct pl_load *load);
    /* The generation begins to serve: 0 or PL_ERR_*. NULL: it knows itself. */
    int (*commit)(void *arg, struct pl_generation *gen);
    /* Gives back the site and what is the loader's, also half-made (NULL); the
     * VM goes afterwards. No request uses them, no task of the VM is left. */
    void (*drop)(void *arg, struct pl_generation *gen);
};

/* Begins loading a new generation for worker. */
void pl_generation_load(struct pl_load *load, const struct pl_loader *loader,
                        struct pl_worker *worker);

/* load->op is DONE: GIVES the generation with one reference, or NULL: there was
 * no memory for one. After a failure it can only be ended. */
struct pl_generation *pl_generation_take(struct pl_load *load);

/* Frees one that has no reference but the caller's, and no task. NULL: none. */
void pl_generation_free(struct pl_generation *gen);

/* A request of gen is over. */
void pl_generation_drop(struct pl_generation *gen);

/* Another one serves: TAKES the worker's reference. What it still does may take
 * as long as its site's reload_drain says. */
void pl_generation_retire(struct pl_generation *gen);

/* Cancels what is left of a retired generation, or of one that shall never
 * serve (then it TAKES the reference). Nothing waits any longer when the worker
 * stops. */
void pl_generation_end(struct pl_generation *gen);

#endif
