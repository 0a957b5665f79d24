/* bus.h - publish and subscribe, between all workers.
 *
 * A subscription belongs to one worker, and has a queue of its own. What is
 * published goes once to each worker that has subscriptions to its topic, by
 * mail, and there into their queues: in the order in which one thread has
 * published. Topics are names compared byte by byte; subscriptions may be to
 * patterns of them (pattern.h). A topic that is a channel (channel.h) is read
 * by each worker from the channel's ring instead, in one order for all.
 *
 * Who reads too slowly loses the oldest messages, or its subscription: as it
 * has chosen. A worker that has too much on its way (PL_MEMBER_MEMORY) is left
 * out, and not counted among the receivers. */
#ifndef PL_SHARE_BUS_H
#define PL_SHARE_BUS_H

#include "share/member.h"
#include "task/op.h"

enum {
    PL_BUS_QUEUE = 256, /* messages, unless an option says otherwise */
    PL_BUS_QUEUE_MAX = 65536,
};

struct pl_subscription;

struct pl_bus_options {
    unsigned queue; /* 0: PL_BUS_QUEUE */
    bool close;     /* when it is full: close, instead of dropping the oldest */
    bool serves;    /* who waits for a peer's sake: pl_bus_drain() */
    bool replay;    /* of a channel: what it remembers behind number since */
    size_t bytes;   /* of the messages that wait; 0: any */
    uint64_t since;
    /* Called when there is something to take, or it has closed, from mail: runs
     * nothing that could cancel a subscription. NULL: see pl_receive_begin().
     */
    void (*notify)(struct pl_subscription *sub);
    void *arg; /* sub->arg */
};

struct pl_receive_op;

/* All on the worker's thread. */
struct pl_subscription {
    struct pl_list node; /* of its topic */
    struct pl_topic *topic;
    struct pl_member *member;
    struct pl_envelope **ring; /* what was not received yet */
    unsigned first, count, size, limit;
    size_t bytes, most; /* of what waits; at most, unless 0 */
    bool close, closed, serves;
    uint64_t dropped;
    struct pl_receive_op *waiter; /* or NULL */
    void (*notify)(struct pl_subscription *sub);
    void *arg;
};

/* Waiting for a message; the caller's memory until it is DONE. */
struct pl_receive_op {
    struct pl_op op;
    struct pl_timer timer;
    struct pl_subscription *sub; /* NULL when DONE */
};

/* GIVES *out. Returns 0, PL_ERR_TOO_LONG or PL_ERR_INVALID (the topic),
 * PL_ERR_LIMIT (too many topics), PL_ERR_NOMEM. */
int pl_bus_subscribe(struct pl_member *member, struct pl_str topic,
                     const struct pl_bus_options *options,
                     struct pl_subscription **out);

/* TAKES sub. Who waits for it is told that it is closed. Any time: also while a
 * message is being delivered. */
void pl_bus_cancel(struct pl_subscription *sub);

/* It gets no more messages, and is closed behind those that wait. */
void pl_bus_finish(struct pl_subscription *sub);

/* The oldest message, or NULL: pl_envelope_release(). */
struct pl_envelope *pl_bus_take(struct pl_subscription *sub);

/* The worker stops: subscriptions that serve a peer tell PL_ERR_STOPPING when
 * nothing waits in them, instead of waiting. Others go on: what ends may have
 * something to tell them. */
void pl_bus_drain(struct pl_member *member);

/* Completes with 0 when there is something to take, PL_ERR_CLOSED when there
 * will be nothing any more, PL_ERR_STOPPING, PL_ERR_TIMEOUT at due (0: never).
 * One at a time: PL_ERR_BUSY for the second. */
void pl_receive_begin(struct pl_receive_op *receive, struct pl_sched *sched,
                      struct pl_subscription *sub, uint64_t due);

/* Returns the number of subscriptions that it is on its way to, or
 * PL_ERR_NOMEM, PL_ERR_INVALID (it is a pattern). Any thread. */
int pl_bus_publish(struct pl_share *share, const struct pl_dict_user *user,
                   int from, struct pl_str topic, const struct pl_datum *value);

/* The same; *number is what a channel has given it, or 0. PL_ERR_LIMIT: more
 * than the channel may keep. */
int pl_bus_send(struct pl_share *share, const struct pl_dict_user *user,
                int from, struct pl_str topic, const struct pl_datum *value,
                uint64_t *number);

/* ---- for door.c ---- */

/* To the subscriptions of this worker that its topic reaches. */
void pl_bus_deliver(struct pl_envelope *envelope);

/* They have lost n messages. */
void pl_bus_lose(struct pl_member *member, struct pl_str topic, uint64_t n);

/* For member.c: ends the subscriptions that are left. */
void pl_bus_fini(struct pl_member *member);

#endif
