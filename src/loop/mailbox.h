/* mailbox.h - how anything crosses to another worker: a lock-free queue.
 *
 * Many senders, one receiver; mail of one sender arrives in order. A send is a
 * few atomic instructions, and one eventfd write only when the receiver
 * sleeps. */
#ifndef PL_LOOP_MAILBOX_H
#define PL_LOOP_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct pl_loop;

/* The first member of what is sent. The sender owns it until the send, the
 * receiver from deliver() on. deliver runs on the receiving loop. */
struct pl_mail {
    struct pl_mail *_Atomic next;
    void (*deliver)(struct pl_mail *mail);
};

struct pl_mailbox {
    struct pl_mail *_Atomic head; /* senders push here */
    struct pl_mail *tail;         /* the receiver pops here */
    struct pl_mail stub;
    atomic_bool sleeping; /* the receiver must be woken */
    struct pl_loop *loop;
};

void pl_mailbox_init(struct pl_mailbox *box, struct pl_loop *loop);

/* TAKES mail. Any thread. */
void pl_mailbox_send(struct pl_mailbox *box, struct pl_mail *mail);

/* Delivers what is there, at most budget pieces; returns how many. The loop
 * calls it. */
int pl_mailbox_drain(struct pl_mailbox *box, int budget);
bool pl_mailbox_empty(struct pl_mailbox *box);

#endif
