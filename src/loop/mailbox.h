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
    atomic_uint senders;  /* that are in pl_mailbox_send() */
    struct pl_loop *loop;
};

void pl_mailbox_init(struct pl_mailbox *box, struct pl_loop *loop);

/* Nobody begins to send any more, and all mail has been delivered: waits for
 * the last senders, who may still be about to wake the receiver. */
void pl_mailbox_fini(struct pl_mailbox *box);

/* TAKES mail. Any thread. The receiver may have it before this returns. */
void pl_mailbox_send(struct pl_mailbox *box, struct pl_mail *mail);

/* ---- for the loop ---- */

/* Delivers what is there, at most budget pieces; returns how many. */
int pl_mailbox_drain(struct pl_mailbox *box, int budget);

/* True when drain would deliver nothing now. Mail that is just being sent may
 * not count yet: its sender wakes a receiver that sleeps. */
bool pl_mailbox_empty(struct pl_mailbox *box);

/* Before a wait: from now on senders wake the loop. Returns false, and stays
 * awake, if there is mail. After the wait: pl_mailbox_awake(). */
bool pl_mailbox_sleep(struct pl_mailbox *box);
void pl_mailbox_awake(struct pl_mailbox *box);

#endif
