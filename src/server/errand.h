/* errand.h - what one thread asks of others, without ever waiting for them.
 *
 *     begin -> (mail) -> the other thread answers -> (mail) -> op is DONE
 *
 * The other thread may take long, for ever even: it may be held by what it
 * runs. Who asks gives up by cancelling op; the errand stays where it is until
 * the answer comes, or until nobody can answer any more. */
#ifndef PL_SERVER_ERRAND_H
#define PL_SERVER_ERRAND_H

#include "base/list.h"
#include "task/task.h"

/* On the loop of who asks. */
struct pl_errands {
    struct pl_sched *sched;
    struct pl_list out; /* those whose answer has not come */
};

/* The first member of what is sent; on the heap. */
struct pl_errand {
    struct pl_mail mail; /* there and back */
    struct pl_list node;
    struct pl_errands *errands;
    struct pl_mailbox *back;
    struct pl_op op;                        /* 0, or PL_ERR_CANCELED */
    bool home, dropped;                     /* answered; not wanted */
    void (*free)(struct pl_errand *errand); /* all of it */
};

void pl_errands_init(struct pl_errands *errands, struct pl_sched *sched);

/* Nobody answers any more, nobody waits. */
void pl_errands_fini(struct pl_errands *errands);

/* TAKES errand, whose free is set: begins op. Then it can be sent. */
void pl_errand_begin(struct pl_errand *errand, struct pl_errands *errands);

/* By the other thread, at the end of its answer: the last it does with it. */
void pl_errand_answer(struct pl_errand *errand);

/* By who has asked, once op is DONE: the answer is not needed (any more). */
void pl_errand_drop(struct pl_errand *errand);

/* Is there an answer? Then it may be looked at. */
PL_INLINE bool pl_errand_answered(const struct pl_errand *errand)
{
    return errand->op.result == 0;
}

#endif
