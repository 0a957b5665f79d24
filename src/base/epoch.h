/* epoch.h - when may memory that several threads read be freed? Without locks.
 *
 * A thread that looks at such memory does so in a section: enter, load the
 * pointers, use what they lead to, leave. Who takes something out of reach
 * retires it; it is freed when every thread that was in a section then has left
 * it. Nobody waits for that: what cannot be freed yet is looked at again later.
 *
 *     reader                            writer, in a section too
 *     pl_epoch_enter(reader);           compare-and-swap the place
 *     thing = atomic_load(&place);      pl_epoch_retire(reader, &old->retired,
 *     use thing;                                        free_thing, size);
 *     pl_epoch_leave(reader);           pl_epoch_leave(reader);
 *                                       pl_epoch_tidy(reader);
 *
 * Sections are short and do not nest: no waiting, no user code in them, so that
 * a worker which a handler holds for seconds does not hold the garbage of all
 * others (docs/decisions/0005). One that was left by a longjmp ends when its
 * thread enters the next or leaves again.
 *
 * How: the epoch is a counter, and a section publishes the one that it began
 * in. What was retired goes in batches. Closing a batch begins a new epoch; the
 * batch is free when each open section has begun in that one or later.
 * Entering is one exchange and leaving one store, however many threads.
 *
 * Places are loaded and swapped in sequentially consistent order, the default
 * of C11: then a section that the writer does not see yet finds the new
 * pointer. */
#ifndef PL_BASE_EPOCH_H
#define PL_BASE_EPOCH_H

#include <perilune.h>
#include <stdatomic.h>

#include "base/compiler.h"

/* A member of whatever is retired. */
struct pl_retired {
    struct pl_retired *next;
    void (*free)(struct pl_retired *retired);
};

/* Retired things are looked at by pl_epoch_tidy() from so many on. */
enum { PL_EPOCH_BATCH = 32, PL_EPOCH_BATCH_BYTES = 64 * 1024 };

struct pl_epoch;

/* One thread's part in an epoch. inside is read by all, the rest is its own. */
struct pl_reader {
    _Atomic uint64_t inside; /* the epoch its section began in; 0: none */
    struct pl_epoch *epoch;
    struct pl_reader *next; /* of all there ever were; constant */
    atomic_bool taken;
    struct pl_retired *open;    /* retired since the last batch was closed */
    struct pl_retired *waiting; /* the closed batch */
    uint64_t ended;             /* the epoch that waiting is free in */
    size_t bytes;               /* of open */
    unsigned count;             /* of open */
};

/* The counter alone, for the inline functions. */
struct pl_epoch_clock {
    _Atomic uint64_t now; /* from 1 */
};

/* GIVES *out. Returns 0 or PL_ERR_NOMEM. */
int pl_epoch_new(struct pl_epoch **out);

/* Nobody takes part any more. Frees what is still retired. */
void pl_epoch_free(struct pl_epoch *epoch);

/* Any thread: takes part as one more reader. NULL: out of memory. */
struct pl_reader *pl_epoch_join(struct pl_epoch *epoch);

/* The reader's thread, or the one that has joined it: takes part no more. What
 * it has retired is left to the others. reader may be NULL. */
void pl_epoch_part(struct pl_reader *reader);

/* Waits until each section that is open now was left: before memory goes that
 * sections look at and nobody retires (the mailbox of a thread that ended). Not
 * in a section, and not on a worker that serves. */
void pl_epoch_wait(struct pl_epoch *epoch);

/* ---- by the reader's thread ---- */

PL_INLINE void pl_epoch_enter(struct pl_reader *reader)
{
    const struct pl_epoch_clock *clock =
        (const struct pl_epoch_clock *)reader->epoch;

    atomic_store(&reader->inside, atomic_load(&clock->now));
}

PL_INLINE void pl_epoch_leave(struct pl_reader *reader)
{
    atomic_store_explicit(&reader->inside, 0, memory_order_release);
}

/* In a section or not: retired is out of reach for sections that begin now.
 * free(retired) is called later, by any reader's thread. */
void pl_epoch_retire(struct pl_reader *reader, struct pl_retired *retired,
                     void (*free)(struct pl_retired *retired), size_t bytes);

/* Outside of a section: frees what can be freed. True when nothing retired is
 * left. */
bool pl_epoch_collect(struct pl_reader *reader);

/* The same, if it is worth while. */
PL_INLINE void pl_epoch_tidy(struct pl_reader *reader)
{
    if (PL_UNLIKELY(reader->count >= PL_EPOCH_BATCH ||
                    reader->bytes >= PL_EPOCH_BATCH_BYTES))
        pl_epoch_collect(reader);
}

/* Something is retired and not freed. */
PL_INLINE bool pl_epoch_pending(const struct pl_reader *reader)
{
    return reader->open != NULL || reader->waiting != NULL;
}

#endif
