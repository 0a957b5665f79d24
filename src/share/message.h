/* message.h - a value on its way to one or more workers.
 *
 * Written once, with an envelope for each receiver in the same block of memory.
 * The last receiver frees it. Each has it charged to its account as long as its
 * envelope is under way or kept. */
#ifndef PL_SHARE_MESSAGE_H
#define PL_SHARE_MESSAGE_H

#include "base/list.h"
#include "loop/mailbox.h"
#include "share/dict.h"

struct pl_member;
struct pl_message;

struct pl_envelope {
    struct pl_mail mail;
    struct pl_message *message;
    struct pl_member *to; /* NULL: not addressed */
    struct pl_list node;  /* in an inbox */
    unsigned refs;        /* of the receiver's thread */
};

struct pl_message {
    atomic_uint refs;      /* envelopes that are not released */
    unsigned count;        /* of envelopes */
    int from;              /* the worker, or PL_SHARE_NOBODY */
    struct pl_str topic;   /* absent: from worker to worker */
    struct pl_datum value; /* bytes lie behind the envelopes */
    size_t charge;         /* to each receiver */
    struct pl_envelope envelopes[];
};

/* With so many envelopes, none of them addressed. COPIES topic and value. NULL:
 * out of memory. */
struct pl_message *pl_message_new(unsigned envelopes, int from,
                                  struct pl_str topic,
                                  const struct pl_datum *value);

/* In a section, which lasts until the message is posted or dropped: charges
 * member and puts its name on the envelope. Returns 0 or PL_ERR_LIMIT. */
int pl_message_address(struct pl_message *message, unsigned number,
                       struct pl_member *member);

/* TAKES message: sends the envelopes that are addressed. Returns how many. */
unsigned pl_message_post(struct pl_message *message,
                         void (*deliver)(struct pl_mail *mail));

/* TAKES message: it is not sent. */
void pl_message_drop(struct pl_message *message);

/* ---- by the receiver ---- */

PL_INLINE void pl_envelope_keep(struct pl_envelope *envelope)
{
    envelope->refs++;
}

/* May free the message. */
void pl_envelope_release(struct pl_envelope *envelope);

#endif
