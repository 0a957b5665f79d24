/* log_ring.h - the lines of one thread on their way to the log's writer.
 *
 * One producer (the thread that owns the ring) and one consumer (whoever drains
 * the log) share it without a lock. head and tail only grow; a record lies in
 * one piece, and the rest of the ring before the border is a SKIP record when
 * the next one does not fit there. */
#ifndef PL_BASE_LOG_RING_H
#define PL_BASE_LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* kind is an enum pl_level, or one of these. */
enum { PL_LOG_RECORD_ACCESS = 16, PL_LOG_RECORD_SKIP };

struct pl_log_record {
    uint64_t time; /* wall clock, ns */
    uint32_t len;  /* of text */
    uint32_t kind;
    char text[]; /* as the caller made it: not escaped yet */
};

struct pl_log_ring {
    struct pl_log_ring *next; /* in the list of all rings; never changes */
    size_t size;              /* of bytes: a power of two */
    atomic_bool owned;        /* by a living thread */

    _Alignas(64) _Atomic(size_t) head; /* written by the producer */
    _Atomic(size_t) dropped;           /* lines that did not fit, ever */
    size_t reserved, known_tail;

    _Alignas(64) _Atomic(size_t) tail; /* written by the consumer */
    size_t end;                        /* where this drain ends */
    size_t reported;                   /* of dropped */

    _Alignas(64) char bytes[];
};

/* size: a power of two. NULL when out of memory. */
struct pl_log_ring *pl_log_ring_new(size_t size);
void pl_log_ring_free(struct pl_log_ring *ring);

/* ---- producer ---- */

/* Room for a text of at most max bytes (less than half of the ring), or NULL
 * (and one more is dropped). */
char *pl_log_ring_reserve(struct pl_log_ring *ring, size_t max);

/* Publishes the reserved record with the len bytes that it really has. */
void pl_log_ring_commit(struct pl_log_ring *ring, uint64_t time, uint32_t kind,
                        size_t len);

/* True when a consumer should not take its time. */
bool pl_log_ring_half_full(const struct pl_log_ring *ring);

/* ---- consumer ---- */

/* Takes note of what is there now; peek() goes no further. */
void pl_log_ring_mark(struct pl_log_ring *ring);

/* The oldest record up to the mark, or NULL. Valid until pop(). */
const struct pl_log_record *pl_log_ring_peek(struct pl_log_ring *ring);
void pl_log_ring_pop(struct pl_log_ring *ring);

/* Any thread, also from a signal handler. */
bool pl_log_ring_empty(const struct pl_log_ring *ring);

#endif
