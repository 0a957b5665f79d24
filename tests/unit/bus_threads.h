/* bus_threads.h - workers that share topics, each a thread with a loop, for the
 * tests that run under TSan.
 *
 * A test's struct of a worker begins with a struct peer, and its function of a
 * thread is open_peer(), perhaps meet_peers(), run_peer(), close_peer(). */
#ifndef PL_TESTS_BUS_THREADS_H
#define PL_TESTS_BUS_THREADS_H

#include "datums.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "share/bus.h"
#include "share/door.h"
#include "task/task.h"

enum { WORKERS = 4 };

struct peer {
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_member member;
    struct pl_hook hook;
    pthread_t thread;
    unsigned wrong; /* what it has seen that must not be */
};

static struct pl_share *share;
static atomic_int met;

static void make_share(unsigned n)
{
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, n), "workers");
    atomic_store(&met, 0);
}

static void start_peer(struct peer *peer, void *(*run)(void *peer))
{
    CHECK_INT(0, pthread_create(&peer->thread, NULL, run, peer), "thread");
}

static void join_peer(struct peer *peer, const char *what)
{
    pthread_join(peer->thread, NULL);
    CHECK_INT(0, peer->wrong, what);
}

static void open_peer(struct peer *peer, unsigned id)
{
    const struct pl_loop_options options = {.backend = NULL};

    PL_ASSERT(pl_loop_new(&options, &peer->loop) == 0);
    PL_ASSERT(pl_sched_init(&peer->sched, peer->loop, NULL) == 0);
    PL_ASSERT(pl_member_join(&peer->member, share, peer->loop, id, false) == 0);
}

/* Returns when all have come here. */
PL_UNUSED static void meet_peers(struct peer *peer)
{
    atomic_fetch_add(&met, 1);
    while (atomic_load(&met) < WORKERS)
        pl_loop_step(peer->loop, 1);
}

/* Calls work in each turn, until that stops the loop. */
static void run_peer(struct peer *peer, bool (*work)(struct pl_hook *hook))
{
    peer->hook.run = work;
    pl_loop_add_hook(peer->loop, &peer->hook);
    pl_loop_soon(peer->loop);
    pl_loop_run(peer->loop);
    pl_loop_remove_hook(&peer->hook);
}

static void close_peer(struct peer *peer)
{
    pl_member_leave(&peer->member);
    pl_sched_fini(&peer->sched);
    pl_loop_free(peer->loop);
}

#endif
