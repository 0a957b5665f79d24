/* channel.h - a topic that is kept: its messages have numbers and stay for a
 * while, so that who comes later or again gets what it has missed.
 *
 * What is published to a channel is put into its ring, and the workers with
 * subscriptions to it are rung; each of them reads the ring from where it has
 * come to. So all subscribers get the same messages in the same order, which is
 * that of their numbers, each once, and a worker that is held by something
 * costs nothing but the ring: what it has not read when the ring comes round is
 * lost to its subscribers, and counted.
 *
 *     publisher                           each worker (door.h)
 *     number = ++last
 *     ring[number % size] = message  -->  while ring[at + 1] is there:
 *     ring the bells of receivers    -->      deliver it, at++
 *
 * A message that has its number and is not in the ring yet holds up those
 * behind it for a moment: whoever put it in rings afterwards. Numbers begin at
 * the wall clock's microseconds, so that those of a later process are greater.
 *
 * Nobody takes a lock. A message in the ring may be read in a section of the
 * epoch; one that is taken out is released when all sections have ended. A
 * channel is found, in a section, by its name in a dictionary; it lives as long
 * as somebody holds it, and the dictionary does. */
#ifndef PL_SHARE_CHANNEL_H
#define PL_SHARE_CHANNEL_H

#include "base/list.h"
#include "share/member.h"

enum {
    PL_CHANNEL_SLACK = 256, /* places of a ring beyond its history */
    PL_CHANNEL_HISTORY_MAX = 65536,
    PL_CHANNEL_BYTES = 1 << 20, /* of a ring, unless an option says otherwise */
    PL_CHANNELS = 16384,        /* of a process; idle ones make room */
};

struct pl_channel_rules {
    unsigned history; /* messages; 0: none */
    uint64_t age;     /* ns; 0: any */
    size_t bytes;     /* of all messages in the ring; 0: PL_CHANNEL_BYTES */
    bool presence;    /* joining and leaving is told to topic.presence */
};

/* One worker's, told that there is something in the ring. */
struct pl_bell {
    struct pl_mail mail;
    struct pl_channel *channel;
    struct pl_member *to; /* set by who rings, until rung is false again */
    atomic_bool rung;
};

struct pl_channel {
    struct pl_retired retired;
    struct pl_share *share;
    atomic_uint refs;
    struct pl_channel_rules rules;
    struct pl_str name;
    uint64_t base;                /* messages are numbered from base + 1 */
    _Atomic uint64_t last, first; /* numbers: given out; oldest in the ring */
    atomic_size_t bytes;
    size_t mask; /* places - 1 */
    struct pl_message *_Atomic *ring;
    struct pl_bell *bells;              /* of each worker */
    struct pl_presence *_Atomic *rooms; /* presence.h; of each worker */
};

/* Makes the channel of that name, or finds it; rules NULL: as it is. HOLDS
 * *out. Returns 0, PL_ERR_EXISTS (with other rules), PL_ERR_NOT_FOUND (rules
 * NULL), PL_ERR_INVALID (a pattern, an empty name, rules), PL_ERR_TOO_LONG,
 * PL_ERR_LIMIT (too many) or PL_ERR_NOMEM. Not in a section. */
int pl_channel_open(struct pl_share *share, const struct pl_dict_user *user,
                    struct pl_str name, const struct pl_channel_rules *rules,
                    struct pl_channel **out);
void pl_channel_hold(struct pl_channel *channel);
void pl_channel_release(struct pl_channel *channel);

/* Shows the names of all channels that pattern matches. The same as
 * pl_dict_walk(). */
void pl_channel_each(struct pl_share *share, const struct pl_dict_user *user,
                     struct pl_str pattern,
                     void (*see)(void *arg, struct pl_str name), void *arg);

/* Puts value into the ring; COPIES. *number is its number. Returns 0,
 * PL_ERR_NOMEM, or PL_ERR_LIMIT (larger than the ring may be). Not in a
 * section. */
int pl_channel_put(struct pl_channel *channel, const struct pl_dict_user *user,
                   int from, const struct pl_datum *value, uint64_t *number);

/* Tells the worker to look, if it has not been told already; in a section. */
void pl_channel_ring(struct pl_channel *channel, struct pl_member *member);

/* The message with the first number from *number on that is in the ring;
 * *number is its then. NULL: there is none yet. HOLDS what it gives
 * (pl_message_release()). Not in a section. */
struct pl_message *pl_channel_read(struct pl_channel *channel,
                                   struct pl_reader *reader, uint64_t *number);

/* The first number that is remembered now, by number and age of messages;
 * above last if there is none. */
uint64_t pl_channel_remembered(struct pl_channel *channel,
                               const struct pl_dict_user *user);

/* For share.c: nobody uses it. */
void pl_channels_free(struct pl_share *share);

/* For channel.c, implemented by door.c: reads the ring for the worker. */
void pl_door_on_bell(struct pl_mail *mail);

#endif
