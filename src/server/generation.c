#include "server/generation.h"

#include "base/sys.h"
#include "server/worker.h"

static void cancel_load(struct pl_op *op)
{
    struct pl_load *load = PL_CONTAINER_OF(op, struct pl_load, op);

    if (load->gen->loader->cancel != NULL)
        load->gen->loader->cancel(load);
}

void pl_generation_load(struct pl_load *load, const struct pl_loader *loader,
                        struct pl_worker *worker)
{
    struct pl_generation *gen = pl_calloc(1, sizeof(*gen));

    *load = (struct pl_load){.gen = gen};
    pl_op_init(&load->op, &worker->sched, cancel_load);
    pl_op_begin(&load->op);
    if (gen == NULL) {
        pl_op_complete(&load->op, pl_error_set(&load->error, PL_ERR_NOMEM, "",
                                               "out of memory"));
        return;
    }
    gen->refs = 1;
    gen->worker = worker;
    gen->loader = loader;
    loader->begin(loader->arg, load);
}

struct pl_generation *pl_generation_take(struct pl_load *load)
{
    struct pl_generation *gen = load->gen;

    load->gen = NULL;
    if (load->op.result == 0)
        return gen;
    if (gen != NULL)
        pl_generation_drop(gen);
    return NULL;
}

void pl_generation_drop(struct pl_generation *gen)
{
    if (--gen->refs > 0)
        return;
    gen->loader->drop(gen->loader->arg, gen);
    pl_free(gen);
}
