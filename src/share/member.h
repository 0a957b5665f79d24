/* member.h - one worker's part in what the process shares.
 *
 * Its reader of the epoch, its place among the workers, and what others send to
 * it. All functions are for the worker's thread, unless they say otherwise.
 *
 *     join -> (mail is kept) -> stand -> ... -> withdraw -> leave
 *
 * A visitor joins without a place: a worker that only reads the site. */
#ifndef PL_SHARE_MEMBER_H
#define PL_SHARE_MEMBER_H

#include "base/table.h"
#include "loop/loop.h"
#include "share/message.h"
#include "share/share.h"

/* What is on its way to a worker, and what it has not looked at yet, may hold
 * so many bytes. */
enum { PL_MEMBER_MEMORY = 8 << 20 };

/* Who is told: the VM of the current generation, or a C program. Called on the
 * loop's stack, from mail: starts a task, and runs nothing else. */
struct pl_member_ops {
    void (*message)(void *arg); /* pl_member_next() has something */
    void (*lead)(void *arg);    /* this worker leads from now on */
};

struct pl_member {
    struct pl_share *share;
    struct pl_loop *loop;
    struct pl_reader *reader;
    unsigned id, count; /* of the workers */
    bool placed;        /* not a visitor */
    bool hooked;
    bool leading;
    bool draining;         /* pl_bus_drain() was called */
    atomic_bool candidate; /* may be elected */
    struct pl_hook hook;
    struct pl_timer retry;
    struct pl_mail lead_mail;
    struct pl_common_account account; /* what is on its way to it */
    struct pl_list inbox;             /* pl_envelope.node: from workers */
    struct pl_table topics, patterns; /* topics.c */
    struct pl_table doors;            /* door.c */
    struct pl_list presences;         /* pl_presence.node */
    const struct pl_member_ops *ops;  /* NULL: mail is kept */
    void *arg;
};

/* Joins as worker number id, or as a visitor. Borrows share and loop. Returns 0
 * or PL_ERR_NOMEM. */
int pl_member_join(struct pl_member *member, struct pl_share *share,
                   struct pl_loop *loop, unsigned id, bool visitor);

/* The loop turns no more: what was sent to it is dropped. Also by the thread
 * that has joined the worker's own. */
void pl_member_leave(struct pl_member *member);

/* The member of this thread, or NULL. */
struct pl_member *pl_member_current(void);

/* For a call of a dictionary, now. Ends a section that an error has left. */
struct pl_dict_user pl_member_user(struct pl_member *member);

/* ---- calls of any thread, a member or not ---- */

struct pl_guest {
    struct pl_dict_user user; /* with the reader of the member, or its own */
    int id;                   /* of the member, or PL_SHARE_NOBODY */
};

/* Takes part for the time of a call, now. Returns 0 or PL_ERR_NOMEM. */
int pl_guest_begin(struct pl_guest *guest, struct pl_share *share);
void pl_guest_end(struct pl_guest *guest);

/* ---- who leads: one worker does what is done once per process ---- */

/* From now on ops is told. May be elected; and leads, if it was. NULL ops:
 * tells nobody any more. */
void pl_member_stand(struct pl_member *member, const struct pl_member_ops *ops,
                     void *arg);

/* Will not be elected any more. Who leads goes on until it leaves. */
void pl_member_withdraw(struct pl_member *member);

/* ---- messages between workers ---- */

/* Sends to worker number to, or to all of them (PL_SHARE_NOBODY), the sender
 * included: to all or to none. from: who sends, or PL_SHARE_NOBODY. Messages of
 * one thread arrive in order, once, if the receiver lives. Any thread. Returns
 * 0, PL_ERR_LIMIT (too much is on its way to one of them), PL_ERR_NOMEM,
 * PL_ERR_NOT_FOUND (no such worker). */
int pl_share_send(struct pl_share *share, struct pl_reader *reader, int from,
                  int to, const struct pl_datum *value);

/* The first message that was not looked at, or NULL: pl_envelope_release(). */
struct pl_envelope *pl_member_next(struct pl_member *member);

#endif
