/* message.h - a value on its way to one or more workers.
 *
 * Written once, with an envelope for each receiver in the same block of memory.
 * The last receiver frees it. Each has it charged to its account as long as its
 * envelope is under way or kept. */
#ifndef PL_SHARE_MESSAGE_H
#define PL_SHARE_MESSAGE_H

#include "base/buf.h"
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
    bool apart;           /* made by the receiver, in its pool */
};

struct pl_message {
    struct pl_retired retired; /* when it was in a channel's ring */
    uint64_t number;           /* of a channel's message; else 0 */
    uint64_t time;             /* of the same: when, monotonic ns */
    atomic_uint refs;    /* its maker's, and envelopes that are not released */
    unsigned count;      /* of envelopes */
    int from;            /* the worker, or PL_SHARE_NOBODY */
    struct pl_str topic; /* absent: from worker to worker */
    struct pl_datum value; /* bytes lie behind the envelopes */
    size_t charge;         /* to each receiver */
    struct pl_envelope envelopes[];
};

/* With so many envelopes, none of them addressed, and held by the caller.
 * COPIES topic and value. NULL: out of memory. */
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

/* A value as text, for those who know no tables: a string is itself, all else
 * JSON, which is put into scratch. Returns 0 or the error of scratch. */
int pl_datum_text(const struct pl_datum *value, struct pl_buf *scratch,
                  struct pl_str *text);

PL_INLINE void pl_message_hold(struct pl_message *message)
{
    atomic_fetch_add(&message->refs, 1);
}

/* Any thread. */
void pl_message_release(struct pl_message *message);

/* ---- by the receiver ---- */

/* One more envelope, of a message that was found in a ring: TAKES the hold on
 * message, and charges it. NULL: no memory, or too much. */
struct pl_envelope *pl_envelope_new(struct pl_message *message,
                                    struct pl_member *member);

PL_INLINE void pl_envelope_keep(struct pl_envelope *envelope)
{
    envelope->refs++;
}

/* May free the message. */
void pl_envelope_release(struct pl_envelope *envelope);

#endif
