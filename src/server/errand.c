#include "server/errand.h"

void pl_errands_init(struct pl_errands *errands, struct pl_sched *sched)
{
    errands->sched = sched;
    pl_list_init(&errands->out);
}

void pl_errands_fini(struct pl_errands *errands)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &errands->out) {
        struct pl_errand *errand = PL_LIST_ENTRY(node, struct pl_errand, node);

        pl_list_remove(node);
        errand->free(errand);
    }
}

/* The other thread has it: only who waits is told. */
static void give_up(struct pl_op *op)
{
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_errand_begin(struct pl_errand *errand, struct pl_errands *errands)
{
    errand->errands = errands;
    errand->back = pl_loop_mailbox(errands->sched->loop);
    errand->home = errand->dropped = false;
    pl_list_push(&errands->out, &errand->node);
    pl_op_init(&errand->op, errands->sched, give_up);
    pl_op_begin(&errand->op);
}

static void on_home(struct pl_mail *mail)
{
    struct pl_errand *errand = PL_CONTAINER_OF(mail, struct pl_errand, mail);

    errand->home = true;
    pl_list_remove(&errand->node);
    if (errand->dropped)
        errand->free(errand);
    else if (errand->op.state == PL_OP_PENDING)
        pl_op_complete(&errand->op, 0);
}

void pl_errand_answer(struct pl_errand *errand)
{
    errand->mail.deliver = on_home;
    pl_mailbox_send(errand->back, &errand->mail);
}

void pl_errand_drop(struct pl_errand *errand)
{
    errand->dropped = true;
    if (errand->home)
        errand->free(errand);
}
