/* mailbox.c - an intrusive queue, many senders, one receiver (after Vyukov).
 *
 *     tail -> mail -> mail -> mail <- head        senders push at head
 *
 * A sender swaps itself into head and then links its predecessor to itself.
 * Between the two steps the chain is cut there; what comes behind is delivered
 * when it is whole. The stub keeps the chain from ever being empty.
 *
 * Falling asleep: the receiver sets sleeping and then looks for mail; a sender
 * links its mail and then looks at sleeping. All four are sequentially
 * consistent, so at least one of them sees the other: either the receiver stays
 * awake, or the sender wakes it. Looking at the link (not at head) lets the
 * receiver sleep while a sender was preempted between its steps, instead of
 * spinning until that one runs again. */
#include "loop/mailbox.h"

#include <sched.h>

#include "loop/loop.h"

void pl_mailbox_init(struct pl_mailbox *box, struct pl_loop *loop)
{
    atomic_init(&box->stub.next, NULL);
    box->stub.deliver = NULL;
    atomic_init(&box->head, &box->stub);
    box->tail = &box->stub;
    atomic_init(&box->sleeping, false);
    atomic_init(&box->senders, 0);
    box->loop = loop;
}

/* Who has sent the last mail was counted before it could be delivered. */
void pl_mailbox_fini(struct pl_mailbox *box)
{
    while (atomic_load(&box->senders) > 0)
        sched_yield();
}

static void push(struct pl_mailbox *box, struct pl_mail *mail)
{
    struct pl_mail *before;

    atomic_store_explicit(&mail->next, NULL, memory_order_relaxed);
    before = atomic_exchange(&box->head, mail);
    atomic_store(&before->next, mail);
}

void pl_mailbox_send(struct pl_mailbox *box, struct pl_mail *mail)
{
    atomic_fetch_add(&box->senders, 1);
    push(box, mail);
    /* The first look keeps an awake receiver's cache line shared; the exchange
     * lets one of several senders do the waking. */
    if (atomic_load(&box->sleeping) && atomic_exchange(&box->sleeping, false))
        pl_loop_wake(box->loop);
    atomic_fetch_sub(&box->senders, 1);
}

/* Steps over the stub. Returns the mail at the tail, which may not be whole
 * yet, or NULL. */
static struct pl_mail *first(struct pl_mailbox *box)
{
    if (box->tail == &box->stub) {
        struct pl_mail *next = atomic_load(&box->stub.next);

        if (next == NULL)
            return NULL;
        box->tail = next;
    }
    return box->tail;
}

/* Takes the first mail out; NULL when there is none, or none whole. */
static struct pl_mail *pop(struct pl_mailbox *box)
{
    struct pl_mail *mail = first(box), *next;

    if (mail == NULL)
        return NULL;
    next = atomic_load(&mail->next);
    if (next == NULL) {
        if (atomic_load(&box->head) != mail)
            return NULL;       /* its follower is being linked */
        push(box, &box->stub); /* the last one needs somebody behind it */
        next = atomic_load(&mail->next);
        if (next == NULL)
            return NULL; /* somebody came in between */
    }
    box->tail = next;
    return mail;
}

int pl_mailbox_drain(struct pl_mailbox *box, int budget)
{
    int n = 0;

    for (struct pl_mail *mail; n < budget && (mail = pop(box)) != NULL; n++)
        mail->deliver(mail); /* may free it */
    return n;
}

bool pl_mailbox_empty(struct pl_mailbox *box)
{
    struct pl_mail *mail = first(box);

    return mail == NULL || (atomic_load(&mail->next) == NULL &&
                            atomic_load(&box->head) != mail);
}

bool pl_mailbox_sleep(struct pl_mailbox *box)
{
    if (!pl_mailbox_empty(box)) /* spares a sender a needless wake-up */
        return false;
    atomic_store(&box->sleeping, true);
    if (pl_mailbox_empty(box))
        return true;
    pl_mailbox_awake(box);
    return false;
}

void pl_mailbox_awake(struct pl_mailbox *box)
{
    atomic_store_explicit(&box->sleeping, false, memory_order_relaxed);
}
