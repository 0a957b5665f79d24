/* presence.h - who is in a channel: for each worker a list that this worker
 * alone changes and all may read, in a section of the epoch.
 *
 * A presence ends when who has joined says so, or with its worker. If the
 * channel's rules say so, joining and leaving is published to the topic of its
 * name with ".presence" behind it, as { event = "join", id = 7, name = "Ada",
 * info = ... } or "leave". */
#ifndef PL_SHARE_PRESENCE_H
#define PL_SHARE_PRESENCE_H

#include "share/channel.h"

enum {
    PL_PRESENCE_NAME = 256,  /* bytes of a name */
    PL_PRESENCE_INFO = 4096, /* of what else is said */
};

struct pl_presence {
    struct pl_retired retired;
    struct pl_presence *_Atomic older; /* what others follow */
    struct pl_presence *newer;         /* of the worker's own */
    struct pl_list node;               /* in member->presences */
    struct pl_channel *channel;        /* held */
    struct pl_member *member;
    uint64_t id; /* no other presence of the process has or had it */
    unsigned worker;
    struct pl_str name;
    struct pl_datum info; /* NONE: nothing */
    size_t size;
    char text[];
};

/* Joins; COPIES. GIVES *out to the worker's thread. Returns 0,
 * PL_ERR_NOT_FOUND (no such channel), PL_ERR_INVALID (an empty name),
 * PL_ERR_TOO_LONG, PL_ERR_NOMEM. */
int pl_presence_join(struct pl_member *member, struct pl_str channel,
                     struct pl_str name, const struct pl_datum *info,
                     struct pl_presence **out);

/* TAKES presence. */
void pl_presence_leave(struct pl_presence *presence);

/* Shows who is there, in no order, until see returns false. In a section, so
 * that see only copies. Any thread. */
void pl_presence_each(struct pl_channel *channel, struct pl_reader *reader,
                      bool (*see)(void *arg, const struct pl_presence *there),
                      void *arg);

/* For member.c: those that are left end with their worker. */
void pl_presence_fini(struct pl_member *member);

#endif
