/* slots.c - the table of sources grows by chunks; the again list is threaded
 * through its slots. */
#include "loop/slots_priv.h"

#include <string.h>

#include "base/check.h"
#include "base/sys.h"

#define CHUNK_BYTES (sizeof(struct pl_slot) * PL_SLOT_CHUNK)

void pl_slots_init(struct pl_slots *slots, struct pl_pool *pool)
{
    memset(slots, 0, sizeof(*slots));
    slots->pool = pool;
    slots->next = 1; /* 0 means "no slot" */
}

void pl_slots_fini(struct pl_slots *slots)
{
    PL_ASSERT(slots->used == 0);
    for (uint32_t i = 0; i < slots->nchunks; i++)
        pl_pool_put(slots->pool, slots->chunks[i], CHUNK_BYTES);
    pl_free(slots->chunks);
    slots->chunks = NULL;
    slots->nchunks = slots->cap = 0;
}

static bool add_chunk(struct pl_slots *slots)
{
    struct pl_slot *chunk;

    if (slots->nchunks == slots->cap) {
        uint32_t cap = slots->cap == 0 ? 16 : slots->cap * 2;
        struct pl_slot **chunks =
            pl_realloc(slots->chunks, cap * sizeof(chunks[0]));

        if (chunks == NULL)
            return false;
        slots->chunks = chunks;
        slots->cap = cap;
    }
    chunk = pl_pool_get_zeroed(slots->pool, CHUNK_BYTES);
    if (chunk == NULL)
        return false;
    slots->chunks[slots->nchunks++] = chunk;
    return true;
}

uint32_t pl_slots_take(struct pl_slots *slots, struct pl_source *source)
{
    uint32_t index = slots->free;

    if (index != 0) {
        slots->free = pl_slots_at(slots, index)->link;
    } else {
        if (slots->next >> PL_SLOT_SHIFT >= slots->nchunks && !add_chunk(slots))
            return 0;
        index = slots->next++;
    }
    slots->used++;
    pl_slots_at(slots, index)->source = source;
    pl_slots_at(slots, index)->watched = 0;
    return index;
}

static void release(struct pl_slots *slots, uint32_t index)
{
    pl_slots_at(slots, index)->link = slots->free;
    slots->free = index;
}

void pl_slots_drop(struct pl_slots *slots, uint32_t index)
{
    struct pl_slot *slot = pl_slots_at(slots, index);

    slot->source = NULL;
    slot->generation++;
    slot->owed = 0;
    slots->used--;
    if (!slot->queued) /* else pl_slots_next() releases it in passing */
        release(slots, index);
}

static void push(struct pl_slots *slots, uint32_t index)
{
    struct pl_slot *slot = pl_slots_at(slots, index);

    slot->queued = 1;
    slot->link = 0;
    if (slots->tail != 0)
        pl_slots_at(slots, slots->tail)->link = index;
    else
        slots->head = index;
    slots->tail = index;
    slots->queued++;
}

static uint32_t pop(struct pl_slots *slots)
{
    uint32_t index = slots->head;
    struct pl_slot *slot = pl_slots_at(slots, index);

    slots->head = slot->link;
    if (slots->head == 0)
        slots->tail = 0;
    slot->queued = 0;
    slots->queued--;
    return index;
}

void pl_slots_again(struct pl_slots *slots, uint32_t index, unsigned events)
{
    struct pl_slot *slot = pl_slots_at(slots, index);

    slot->owed |= events & 15;
    if (!slot->queued)
        push(slots, index);
}

void pl_slots_turn(struct pl_slots *slots)
{
    slots->due = slots->queued;
}

bool pl_slots_next(struct pl_slots *slots, struct pl_source **source,
                   unsigned *events)
{
    while (slots->due > 0) {
        uint32_t index = pop(slots);
        struct pl_slot *slot = pl_slots_at(slots, index);

        slots->due--;
        if (slot->source == NULL) {
            release(slots, index);
            continue;
        }
        *source = slot->source;
        *events = slot->owed;
        slot->owed = 0;
        return true;
    }
    return false;
}
