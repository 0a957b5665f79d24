/* door.h - how a worker reads a channel: what number it has come to.
 *
 * It has a door for each channel that its subscriptions reach, by name or
 * pattern, from the time that the later of both was made. All functions are for
 * the worker's thread. */
#ifndef PL_SHARE_DOOR_H
#define PL_SHARE_DOOR_H

#include "share/channel.h"

struct pl_door {
    struct pl_channel *channel; /* held */
    uint64_t at;                /* delivered up to here */
};

/* That of the channel of that name, opened if need be; NULL if there is no such
 * channel, or no memory (*err: 0, PL_ERR_NOMEM). What had been published before
 * was delivered to the subscriptions that are there, and is not new. */
struct pl_door *pl_door_open(struct pl_member *member, struct pl_str name,
                             int *err);

/* Opens those of all channels that pattern matches. 0 or PL_ERR_NOMEM. */
int pl_doors_open(struct pl_member *member, struct pl_str pattern);

/* Delivers what has come to it since it was opened or read, or to all that
 * pattern matches. */
void pl_doors_read(struct pl_member *member, struct pl_str name);

/* Closes it, or all that pattern matches, where no subscription is left. */
void pl_doors_close(struct pl_member *member, struct pl_str name);

#endif
