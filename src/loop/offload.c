/* offload.c - the threads for blocking calls.
 *
 * Three things are shared by senders and threads, all of them atomics:
 *
 *   - the queue: a ring of cells with sequence numbers (after Vyukov). A cell
 *     at position p is free when its number is p, full when it is p + 1.
 *   - sleepers and the semaphore. Sleeping threads = sleepers + tokens in the
 *     semaphore. Who posts a token takes one off sleepers first; so a sender
 *     knows for certain whether it wakes a thread or must start one, and a
 *     thread which tires of waiting may leave only by taking one off itself.
 *   - queued and threads: a sender announces its job in queued before it looks
 *     at threads, a thread that ends signs off in threads before it looks at
 *     queued. So either the sender sees that it must start a thread, or the
 *     thread sees the job and stays.
 *
 * The last two pairs are store-then-load on both sides: sequentially
 * consistent. */
#include "loop/offload.h"

#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>

#include "base/check.h"
#include "base/error.h"
#include "base/sys.h"

enum { IDLE_MS = 10000 };

struct cell {
    _Atomic uint64_t number;
    struct pl_job *job;
};

/* A place for a thread. It is free when nobody has it (0), or when its thread
 * was created and has ended, and can be joined without waiting (all bits). */
enum { TAKEN = 1, CREATED = 2, ENDED = 4, JOINABLE = TAKEN | CREATED | ENDED };

struct place {
    atomic_uint state;
    pthread_t thread;
    struct pl_offload *offload;
};

struct pl_offload {
    struct cell *cells;
    uint64_t mask;
    _Atomic uint64_t head, tail; /* next to fill, next to empty */
    atomic_uint queued;          /* announced or queued, not begun */
    atomic_uint threads;         /* will look at the queue again */
    atomic_uint sleepers;        /* asleep, and no token is for them */
    atomic_bool stopping;
    sem_t tokens;
    unsigned idle_ms, max;
    int nice;
    struct place places[];
};

/* ---- the queue ---- */

static bool push(struct pl_offload *offload, struct pl_job *job)
{
    uint64_t at = atomic_load(&offload->head);

    for (;;) {
        struct cell *cell = &offload->cells[at & offload->mask];
        uint64_t number = atomic_load(&cell->number);

        if (number == at) {
            if (atomic_compare_exchange_weak(&offload->head, &at, at + 1)) {
                cell->job = job;
                atomic_store(&cell->number, at + 1);
                return true;
            }
        } else if (number < at) {
            return false; /* still full from the round before */
        } else {
            at = atomic_load(&offload->head);
        }
    }
}

static struct pl_job *pop(struct pl_offload *offload)
{
    uint64_t at = atomic_load(&offload->tail);

    for (;;) {
        struct cell *cell = &offload->cells[at & offload->mask];
        uint64_t number = atomic_load(&cell->number);

        if (number == at + 1) {
            if (atomic_compare_exchange_weak(&offload->tail, &at, at + 1)) {
                struct pl_job *job = cell->job;

                atomic_store(&cell->number, at + offload->mask + 1);
                return job;
            }
        } else if (number < at + 1) {
            return NULL;
        } else {
            at = atomic_load(&offload->tail);
        }
    }
}

/* Could pop() give something? */
static bool has_job(struct pl_offload *offload)
{
    uint64_t at = atomic_load(&offload->tail);

    return atomic_load(&offload->cells[at & offload->mask].number) > at;
}

/* ---- a thread ---- */

/* Takes one off sleepers; false if there is none. */
static bool claim_sleeper(struct pl_offload *offload)
{
    unsigned n = atomic_load(&offload->sleepers);

    while (n > 0) {
        if (atomic_compare_exchange_weak(&offload->sleepers, &n, n - 1))
            return true;
    }
    return false;
}

/* Waits for a token; false when the idle time passed without one. */
static bool take_token(struct pl_offload *offload)
{
    uint64_t until =
        pl_clock_monotonic() + offload->idle_ms * UINT64_C(1000000);
    struct timespec ts = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};

    while (sem_clockwait(&offload->tokens, CLOCK_MONOTONIC, &ts) < 0) {
        if (errno == ETIMEDOUT)
            return false;
    }
    return true;
}

/* Sleeps until there may be a job. Returns false after the idle time. */
static bool sleep_for_job(struct pl_offload *offload)
{
    atomic_fetch_add(&offload->sleepers, 1);
    if ((has_job(offload) || atomic_load(&offload->stopping)) &&
        claim_sleeper(offload))
        return true;
    for (;;) {
        if (take_token(offload))
            return true;
        if (claim_sleeper(offload))
            return false;
        /* All sleepers were claimed: tokens for them are about to come. But
         * another thread that now falls asleep may take ours, so this one may
         * have to leave by the other door after all. */
    }
}

/* Signs off, unless a job was announced. */
static bool leave(struct pl_offload *offload)
{
    atomic_fetch_sub(&offload->threads, 1);
    if (atomic_load(&offload->queued) == 0)
        return true;
    atomic_fetch_add(&offload->threads, 1);
    return false;
}

static void run_job(struct pl_offload *offload, struct pl_job *job)
{
    atomic_fetch_sub(&offload->queued, 1);
    job->work(job);
    pl_mailbox_send(job->reply, &job->mail);
}

static void *run_thread(void *arg)
{
    struct place *place = arg;
    struct pl_offload *offload = place->offload;
    char name[16];

    snprintf(name, sizeof(name), "pl-offload-%u",
             (unsigned)(place - offload->places) % 1000);
    pthread_setname_np(pthread_self(), name);
    if (offload->nice != 0)
        pl_sys_nice(offload->nice);
    atomic_fetch_add(&offload->threads, 1);
    for (;;) {
        struct pl_job *job = pop(offload);

        if (job != NULL)
            run_job(offload, job);
        else if (atomic_load(&offload->stopping) || !sleep_for_job(offload)) {
            if (leave(offload))
                break;
        }
    }
    atomic_fetch_or(&place->state, ENDED);
    return NULL;
}

/* ---- the senders ---- */

static struct place *take_place(struct pl_offload *offload)
{
    for (unsigned i = 0; i < offload->max; i++) {
        struct place *place = &offload->places[i];
        unsigned state = 0;

        if (atomic_compare_exchange_strong(&place->state, &state, TAKEN))
            return place;
        if (state == JOINABLE &&
            atomic_compare_exchange_strong(&place->state, &state, TAKEN)) {
            pthread_join(place->thread, NULL);
            return place;
        }
    }
    return NULL;
}

/* The thread itself signs on, so that threads never counts one that could not
 * be made. */
static bool start_thread(struct pl_offload *offload, struct place *place)
{
    place->offload = offload;
    if (pl_sys_thread(&place->thread, run_thread, place) < 0) {
        atomic_store(&place->state, 0);
        return false;
    }
    atomic_fetch_or(&place->state, CREATED);
    return true;
}

/* Makes sure that the job just announced has a thread. */
static bool ensure_thread(struct pl_offload *offload)
{
    while (atomic_load(&offload->threads) == 0) {
        struct place *place = take_place(offload);

        if (place != NULL)
            return start_thread(offload, place) ||
                   atomic_load(&offload->threads) > 0;
        /* All are beginning or ending, and are a few instructions from
         * signing on or from giving up their place. */
        sched_yield();
    }
    return true;
}

static void start_another(struct pl_offload *offload)
{
    struct place *place = NULL;

    if (atomic_load(&offload->threads) < offload->max)
        place = take_place(offload);
    if (place != NULL)
        (void)start_thread(offload, place); /* else the others do it, later */
}

static void deliver(struct pl_mail *mail)
{
    struct pl_job *job = PL_CONTAINER_OF(mail, struct pl_job, mail);

    job->done(job); /* may free it */
}

int pl_offload_submit(struct pl_offload *offload, struct pl_job *job)
{
    PL_ASSERT(!atomic_load(&offload->stopping));
    job->mail.deliver = deliver;
    atomic_fetch_add(&offload->queued, 1);
    if (!ensure_thread(offload)) {
        atomic_fetch_sub(&offload->queued, 1);
        return PL_ERR_NOMEM;
    }
    if (!push(offload, job)) {
        atomic_fetch_sub(&offload->queued, 1);
        return PL_ERR_LIMIT;
    }
    if (claim_sleeper(offload))
        sem_post(&offload->tokens);
    else
        start_another(offload);
    return 0;
}

/* ---- life ---- */

int pl_offload_new(unsigned threads, unsigned queue, struct pl_offload **out)
{
    struct pl_offload *offload;
    uint64_t cells = 2;

    PL_ASSERT(threads > 0);
    while (cells < queue)
        cells *= 2;
    offload = pl_calloc(1, sizeof(*offload) + threads * sizeof(struct place));
    if (offload == NULL)
        return PL_ERR_NOMEM;
    offload->cells = pl_calloc(cells, sizeof(offload->cells[0]));
    if (offload->cells == NULL) {
        pl_free(offload);
        return PL_ERR_NOMEM;
    }
    for (uint64_t i = 0; i < cells; i++)
        atomic_init(&offload->cells[i].number, i);
    offload->mask = cells - 1;
    offload->max = threads;
    offload->idle_ms = IDLE_MS;
    sem_init(&offload->tokens, 0, 0);
    *out = offload;
    return 0;
}

static void end_threads(struct pl_offload *offload)
{
    atomic_store(&offload->stopping, true);
    for (unsigned i = 0; i < offload->max; i++)
        sem_post(&offload->tokens);
    for (unsigned i = 0; i < offload->max; i++) {
        if (atomic_load(&offload->places[i].state) != 0)
            pthread_join(offload->places[i].thread, NULL);
    }
    PL_ASSERT(atomic_load(&offload->queued) == 0);
}

void pl_offload_rest(struct pl_offload *offload)
{
    end_threads(offload);
    for (unsigned i = 0; i < offload->max; i++)
        atomic_store(&offload->places[i].state, 0);
    /* Tokens without a sleeper would be taken for ones with a job. */
    sem_destroy(&offload->tokens);
    sem_init(&offload->tokens, 0, 0);
    atomic_store(&offload->sleepers, 0);
    atomic_store(&offload->stopping, false);
}

void pl_offload_free(struct pl_offload *offload)
{
    if (offload == NULL)
        return;
    end_threads(offload);
    sem_destroy(&offload->tokens);
    pl_free(offload->cells);
    pl_free(offload);
}

void pl_offload_set_idle(struct pl_offload *offload, unsigned ms)
{
    offload->idle_ms = ms;
}

void pl_offload_set_nice(struct pl_offload *offload, int nice)
{
    offload->nice = nice;
}

unsigned pl_offload_threads(struct pl_offload *offload)
{
    return atomic_load(&offload->threads);
}
