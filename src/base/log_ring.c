#include "base/log_ring.h"

#include "base/check.h"
#include "base/sys.h"

enum { HEADER = sizeof(struct pl_log_record) };

_Static_assert(HEADER == 16, "records are counted in headers");

struct pl_log_ring *pl_log_ring_new(size_t size)
{
    struct pl_log_ring *ring;

    /* Pages that no line has touched yet cost nothing. */
    ring = pl_sys_mmap(NULL, sizeof(*ring) + size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED)
        return NULL;
    ring->size = size;
    return ring;
}

void pl_log_ring_free(struct pl_log_ring *ring)
{
    if (ring != NULL)
        pl_sys_munmap(ring, sizeof(*ring) + ring->size);
}

static struct pl_log_record *record_at(struct pl_log_ring *ring, size_t place)
{
    return (void *)(ring->bytes + (place & (ring->size - 1)));
}

/* The header and its text, up to the next place for a header: so there is
 * always room for the header of a SKIP record before the border. */
static size_t whole(size_t len)
{
    return (HEADER + len + HEADER - 1) & ~(size_t)(HEADER - 1);
}

static bool fits(struct pl_log_ring *ring, size_t head, size_t need)
{
    if (need <= ring->size - (head - ring->known_tail))
        return true;
    ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return need <= ring->size - (head - ring->known_tail);
}

char *pl_log_ring_reserve(struct pl_log_ring *ring, size_t max)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t border = ring->size - (head & (ring->size - 1));
    size_t skip = whole(max) > border ? border : 0;
    struct pl_log_record *record = record_at(ring, head);

    PL_ASSERT(whole(max) <= ring->size / 2); /* else it might never fit */
    if (!fits(ring, head, skip + whole(max))) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return NULL;
    }
    if (skip > 0) {
        record->len = (uint32_t)(skip - HEADER);
        record->kind = PL_LOG_RECORD_SKIP;
    }
    ring->reserved = head + skip;
    return record_at(ring, ring->reserved)->text;
}

void pl_log_ring_commit(struct pl_log_ring *ring, uint64_t time, uint32_t kind,
                        size_t len)
{
    struct pl_log_record *record = record_at(ring, ring->reserved);

    record->time = time;
    record->kind = kind;
    record->len = (uint32_t)len;
    /* Sequentially consistent: log.c looks afterwards whether the writer
     * sleeps, and the writer looks for records after it said so. */
    atomic_store(&ring->head, ring->reserved + whole(len));
}

bool pl_log_ring_half_full(const struct pl_log_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_relaxed) -
               atomic_load_explicit(&ring->tail, memory_order_relaxed) >=
           ring->size / 2;
}

void pl_log_ring_mark(struct pl_log_ring *ring)
{
    ring->end = atomic_load(&ring->head);
}

const struct pl_log_record *pl_log_ring_peek(struct pl_log_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail == ring->end)
        return NULL;
    if (record_at(ring, tail)->kind == PL_LOG_RECORD_SKIP) {
        pl_log_ring_pop(ring); /* the record it made room for is published */
        tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    }
    return record_at(ring, tail);
}

void pl_log_ring_pop(struct pl_log_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + whole(record_at(ring, tail)->len),
                          memory_order_release);
}

bool pl_log_ring_empty(const struct pl_log_ring *ring)
{
    return atomic_load(&ring->head) ==
           atomic_load_explicit(&ring->tail, memory_order_relaxed);
}
