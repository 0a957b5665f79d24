/* slots_priv.h - a loop's table of sources, and the list of those to call
 * again.
 *
 * The kernel is given a token (index and generation of a slot), never a
 * pointer. Removing a source ages its slot, so that whatever still carries the
 * old token is recognised and dropped.
 *
 *     free --take--> in use --drop--> free
 *                       |               ^
 *                       +-- drop while queued: empty until the list is walked
 *
 * A slot is 16 bytes and never moves: the table grows by chunks from the
 * worker's pool, and only the directory of chunks is ever copied. Private to
 * the room. */
#ifndef PL_LOOP_SLOTS_PRIV_H
#define PL_LOOP_SLOTS_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"

struct pl_source;

enum { PL_SLOT_SHIFT = 8, PL_SLOT_CHUNK = 1 << PL_SLOT_SHIFT };

struct pl_slot {
    struct pl_source *source; /* NULL: free, or dropped while queued */
    uint32_t generation : 26;
    uint32_t watched : 1; /* the backend knows it */
    uint32_t queued : 1;  /* on the again list */
    uint32_t owed : 4;    /* the events it asks for there */
    uint32_t link;        /* next free slot, or next on the again list */
};
_Static_assert(sizeof(struct pl_slot) <= 16, "part of an idle connection");

struct pl_slots {
    struct pl_slot **chunks;
    uint32_t nchunks, cap; /* chunks in use; places in the directory */
    uint32_t free;         /* first free slot; 0: none */
    uint32_t next;         /* slots from here on were never used */
    uint32_t used;
    uint32_t head, tail; /* the again list; 0: empty */
    uint32_t queued;     /* its length */
    uint32_t due;        /* how much of it belongs to this turn */
    struct pl_pool *pool;
};

void pl_slots_init(struct pl_slots *slots, struct pl_pool *pool);
void pl_slots_fini(struct pl_slots *slots); /* no slot in use */

/* Puts source into a slot and returns its index (> 0), or 0 if out of memory.
 */
uint32_t pl_slots_take(struct pl_slots *slots, struct pl_source *source);
void pl_slots_drop(struct pl_slots *slots, uint32_t index);

/* Queues a slot, for events (which may be 0). One that is queued already keeps
 * its place. */
void pl_slots_again(struct pl_slots *slots, uint32_t index, unsigned events);

/* A turn begins: what is queued now is due. */
void pl_slots_turn(struct pl_slots *slots);

/* Takes the next due source off the list: true with its events, or false. */
bool pl_slots_next(struct pl_slots *slots, struct pl_source **source,
                   unsigned *events);

PL_INLINE struct pl_slot *pl_slots_at(struct pl_slots *slots, uint32_t index)
{
    return &slots->chunks[index >> PL_SLOT_SHIFT][index & (PL_SLOT_CHUNK - 1)];
}

PL_INLINE uint64_t pl_slots_token(struct pl_slots *slots, uint32_t index)
{
    return (uint64_t)pl_slots_at(slots, index)->generation << 32 | index;
}

/* The slot that token names, or NULL if its source is gone. */
PL_INLINE struct pl_slot *pl_slots_find(struct pl_slots *slots, uint64_t token)
{
    uint32_t index = (uint32_t)token;
    struct pl_slot *slot;

    if (index == 0 || index >= slots->next)
        return NULL;
    slot = pl_slots_at(slots, index);
    if (slot->source == NULL || slot->generation != token >> 32)
        return NULL;
    return slot;
}

#endif
