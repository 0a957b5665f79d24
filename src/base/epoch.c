/* Why a batch may be freed. All accesses below are sequentially consistent but
 * the store of pl_epoch_leave(), which only releases. Let U be the swap that
 * put a thing out of reach, C the closing of its batch (a later increment of
 * now by the same thread), and L the load of a reader's inside by which the
 * batch was let go: U, C, L in this order.
 *
 *   - L saw 0, or an epoch from C on. A section that began after what L saw has
 *     stored inside after L, or has loaded now after C: either way it loads its
 *     places after U, and does not find the thing.
 *   - A section before what L saw was left before: its store is what L, or a
 *     store before it, synchronises with. */
#include "base/epoch.h"

#include <sched.h>

#include "base/check.h"
#include "base/sys.h"

enum { LINE = 64 };

struct pl_epoch {
    struct pl_epoch_clock clock;
    struct pl_reader *_Atomic readers;  /* only grows */
    struct pl_retired *_Atomic orphans; /* of readers that have parted */
};

int pl_epoch_new(struct pl_epoch **out)
{
    struct pl_epoch *epoch = pl_calloc(1, sizeof(*epoch));

    if (epoch == NULL)
        return PL_ERR_NOMEM;
    atomic_init(&epoch->clock.now, 1);
    *out = epoch;
    return 0;
}

static void free_list(struct pl_retired *list)
{
    while (list != NULL) {
        struct pl_retired *next = list->next;

        list->free(list);
        list = next;
    }
}

void pl_epoch_free(struct pl_epoch *epoch)
{
    struct pl_reader *reader, *next;

    if (epoch == NULL)
        return;
    free_list(atomic_load(&epoch->orphans));
    for (reader = atomic_load(&epoch->readers); reader != NULL; reader = next) {
        PL_ASSERT(!atomic_load(&reader->taken));
        next = reader->next;
        pl_free(reader);
    }
    pl_free(epoch);
}

/* ---- who takes part ---- */

/* On a cache line of its own: inside is written all the time. */
static struct pl_reader *new_reader(struct pl_epoch *epoch)
{
    size_t size = (sizeof(struct pl_reader) + LINE - 1) / LINE * LINE;
    struct pl_reader *reader = pl_aligned_alloc(LINE, size);

    if (reader == NULL)
        return NULL;
    *reader = (struct pl_reader){.epoch = epoch};
    atomic_init(&reader->taken, true);
    reader->next = atomic_load(&epoch->readers);
    while (
        !atomic_compare_exchange_weak(&epoch->readers, &reader->next, reader)) {
    }
    return reader;
}

struct pl_reader *pl_epoch_join(struct pl_epoch *epoch)
{
    struct pl_reader *reader;

    for (reader = atomic_load(&epoch->readers); reader != NULL;
         reader = reader->next) {
        if (!atomic_load_explicit(&reader->taken, memory_order_relaxed) &&
            !atomic_exchange(&reader->taken, true))
            return reader;
    }
    return new_reader(epoch);
}

static void leave_behind(struct pl_epoch *epoch, struct pl_retired *list)
{
    struct pl_retired *last = list;

    if (list == NULL)
        return;
    while (last->next != NULL)
        last = last->next;
    last->next = atomic_load(&epoch->orphans);
    while (!atomic_compare_exchange_weak(&epoch->orphans, &last->next, list)) {
    }
}

PL_COLD void pl_epoch_part(struct pl_reader *reader)
{
    if (reader == NULL)
        return;
    pl_epoch_leave(reader);
    pl_epoch_collect(reader);
    leave_behind(reader->epoch, reader->waiting);
    leave_behind(reader->epoch, reader->open);
    reader->waiting = reader->open = NULL;
    reader->count = 0;
    reader->bytes = 0;
    atomic_store(&reader->taken, false);
}

/* ---- retiring ---- */

void pl_epoch_retire(struct pl_reader *reader, struct pl_retired *retired,
                     void (*free)(struct pl_retired *retired), size_t bytes)
{
    retired->free = free;
    retired->next = reader->open;
    reader->open = retired;
    reader->count++;
    reader->bytes += bytes;
}

/* Has every section that is open begun in this epoch or later? */
static bool is_over(struct pl_epoch *epoch, uint64_t ended)
{
    struct pl_reader *reader;

    for (reader = atomic_load(&epoch->readers); reader != NULL;
         reader = reader->next) {
        uint64_t inside = atomic_load(&reader->inside);

        if (inside != 0 && inside < ended)
            return false;
    }
    return true;
}

static uint64_t begin_epoch(struct pl_epoch *epoch)
{
    return atomic_fetch_add(&epoch->clock.now, 1) + 1;
}

static void adopt(struct pl_reader *reader)
{
    struct pl_retired *list, *next;

    if (atomic_load_explicit(&reader->epoch->orphans, memory_order_relaxed) ==
        NULL)
        return;
    list = atomic_exchange(&reader->epoch->orphans, NULL);
    for (; list != NULL; list = next) {
        next = list->next;
        pl_epoch_retire(reader, list, list->free, 0);
    }
}

/* Frees the waiting batch if that is possible. */
static bool release(struct pl_reader *reader)
{
    struct pl_retired *list = reader->waiting;

    if (list == NULL)
        return true;
    if (!is_over(reader->epoch, reader->ended))
        return false;
    reader->waiting = NULL;
    free_list(list);
    return true;
}

bool pl_epoch_collect(struct pl_reader *reader)
{
    PL_ASSERT(atomic_load_explicit(&reader->inside, memory_order_relaxed) == 0);
    adopt(reader);
    if (!release(reader))
        return false;
    if (reader->open == NULL)
        return true;
    reader->waiting = reader->open;
    reader->open = NULL;
    reader->count = 0;
    reader->bytes = 0;
    reader->ended = begin_epoch(reader->epoch);
    return release(reader) && reader->open == NULL;
}

void pl_epoch_wait(struct pl_epoch *epoch)
{
    uint64_t ended = begin_epoch(epoch);

    while (!is_over(epoch, ended))
        sched_yield();
}
