/* admin_stacks.c - where handlers in C wait. Their stacks are copied on the
 * worker; the functions are named by an offload thread, as their names are in
 * files. */
#include <stdio.h>

#include "base/str.h"
#include "base/symbol.h"
#include "base/sys.h"
#include "http/request.h"
#include "server/admin_priv.h"
#include "task/fiber.h"

enum {
    KEPT = 16,   /* stacks of one worker, the oldest requests' */
    NAMED = 32,  /* of all workers together: each reads files */
    WORDS = 512, /* of a stack that are looked at */
    FRAMES = 10, /* calls that are named */
};

struct stack {
    char id[PL_REQUEST_ID_LEN];
    size_t nwords;
    uintptr_t words[WORDS];
    char where[1000];
};

struct pl_admin_stacks {
    struct pl_admin_stacks *next;
    unsigned n;
    struct stack list[KEPT];
};

struct pl_admin_stacks *pl_admin_stacks_new(void)
{
    return pl_calloc(1, sizeof(struct pl_admin_stacks));
}

void pl_admin_stacks_free(struct pl_admin_stacks *stacks)
{
    pl_free(stacks);
}

/* ---- on the worker ---- */

void pl_admin_keep_stack(struct pl_admin_stacks *stacks,
                         const struct pl_request *req)
{
    struct stack *stack;

    if (stacks == NULL || stacks->n == KEPT || req->task == NULL)
        return;
    stack = &stacks->list[stacks->n];
    stack->nwords = pl_fiber_copy_stack(req->task, stack->words, WORDS);
    if (stack->nwords == 0)
        return;
    pl_request_id(req, stack->id);
    stacks->n++;
}

/* ---- on the main thread ---- */

void pl_admin_add_stacks(struct pl_admin_stacks **all,
                         struct pl_admin_stacks *stacks)
{
    stacks->next = *all;
    *all = stacks;
}

static void free_all(void *arg)
{
    struct pl_admin_stacks *stacks = arg;

    while (stacks != NULL) {
        struct pl_admin_stacks *next = stacks->next;

        pl_admin_stacks_free(stacks);
        stacks = next;
    }
}

/* On an offload thread. */
static int name_all(void *arg)
{
    struct pl_admin_stacks *stacks = arg;
    struct pl_symbols *symbols = pl_symbols_new();
    unsigned left = NAMED;

    for (; stacks != NULL; stacks = stacks->next)
        for (unsigned i = 0; i < stacks->n && left > 0; i++, left--) {
            struct stack *stack = &stacks->list[i];

            pl_symbols_stack(symbols, stack->words, stack->nwords, FRAMES,
                             stack->where, sizeof(stack->where));
        }
    pl_symbols_free(symbols);
    return 0;
}

static void tell_all(const struct pl_admin_stacks *stacks,
                     struct pl_json_builder *json)
{
    for (; stacks != NULL; stacks = stacks->next)
        for (unsigned i = 0; i < stacks->n; i++) {
            const struct stack *stack = &stacks->list[i];

            if (stack->where[0] == '\0')
                continue;
            pl_json_key(json, pl_str(stack->id, sizeof(stack->id)));
            pl_json_add_str(json, pl_str_c(stack->where));
        }
}

void pl_admin_tell_stacks(struct pl_admin *admin,
                          struct pl_admin_stacks *stacks,
                          struct pl_json_builder *json)
{
    struct pl_offload_op naming;

    pl_admin_object(json, "stacks");
    if (stacks != NULL) {
        pl_offload_begin_on(&naming, &admin->sched, admin->server->offload,
                            name_all, stacks, free_all);
        if (pl_op_wait(&naming.op) == 0)
            tell_all(stacks, json);
        pl_offload_end(&naming);
    }
    pl_json_end(json);
}
