/* pool.h - the connections that a worker has to a database, and who waits for
 * one.
 *
 *     begin -> [waits for a link] -> runs -> DONE        link: idle, or the
 * next |                 |                 one's in the queue
 *                    +-- limit --------+-- limit, cancel
 *                                      v
 *                           the operation is DONE; its link is stopped,
 *                           cleaned and only then used again
 *
 * A link is a session of a driver with what the loop needs for it. It serves
 * one operation at a time, and goes back clean: a transaction that is open is
 * rolled back. Several statements that belong together hold a link by a lease.
 *
 * All of this belongs to one worker. Pools of the same key are one pool,
 * whoever (handler, generation) opens them: a reload keeps the connections. */
#ifndef PL_SQL_POOL_H
#define PL_SQL_POOL_H

#include "base/error.h"
#include "sql/order.h"
#include "task/op.h"

struct pl_sql_pool;
struct pl_sql_link;

/* Times in ns; 0: no limit. */
struct pl_sql_options {
    const struct pl_sql_driver *driver;
    struct pl_sql_settings settings;
    const char *key;   /* pools with the same one are the same */
    const char *setup; /* statements for each new session; NULL: none */
    const char *name;  /* of the log, without passwords */
    unsigned links;    /* most connections */
    unsigned queue;    /* most operations that wait for one */
    uint64_t wait;     /* longest time in that queue */
    uint64_t timeout;  /* of one call */
    uint64_t busy;     /* how long a lock of somebody else is waited for */
    uint64_t idle;     /* then an idle link is closed */
    uint64_t slow;     /* calls that take so long are logged */
};

/* Gives the pool of that key, made if need be; copies all texts. Connects when
 * first needed. Returns NULL when out of memory. */
struct pl_sql_pool *pl_sql_pool_open(struct pl_sched *sched,
                                     const struct pl_sql_options *options);

/* The counterpart: the last one closes it. None of one's own operations is
 * under way, and all leases have ended. */
void pl_sql_pool_drop(struct pl_sql_pool *pool);

const struct pl_sql_options *
pl_sql_pool_options(const struct pl_sql_pool *pool);

/* Figures since the pool was opened, and of now. */
struct pl_sql_stats {
    uint64_t calls, failed, slow, timeouts;
    uint64_t at_once; /* calls that were done without waiting */
    uint64_t offloaded;
    uint64_t connects, failed_connects;
    unsigned links, idle, waiting;
};

struct pl_sql_stats pl_sql_pool_stats(const struct pl_sql_pool *pool);

/* ---- several calls on one link ---- */

/* In its user's memory, all zero at first. */
struct pl_sql_lease {
    struct pl_sql_link *link; /* NULL: none yet, or none any more */
    bool lost;                /* a call failed together with its link */
    bool began; /* a transaction: no call is made when that is over, as when an
                   error has rolled it back */
};

/* Gives the link back. Not while a call is under way. */
void pl_sql_lease_end(struct pl_sql_lease *lease);

/* Is a transaction open? */
bool pl_sql_lease_inside(const struct pl_sql_lease *lease);

/* ---- calls ---- */

/* Completes with 0, or with the PL_ERR_* of order->call.answer.failure, which
 * is filled whatever the reason. After a time-out or a cancellation order is
 * NULL: the link has it. */
struct pl_sql_op {
    struct pl_op op;
    struct pl_sql_order *order;
    struct pl_sql_pool *pool;
    struct pl_sql_lease *lease; /* NULL: any link, and only for this call */
    struct pl_sql_link *link;   /* while it runs */
    struct pl_list node;        /* while it waits */
    struct pl_timer timer;
    uint64_t begun; /* ns: the call, not the wait */
};

/* TAKES order. Borrows lease. */
void pl_sql_begin(struct pl_sql_op *op, struct pl_sql_pool *pool,
                  struct pl_sql_lease *lease, struct pl_sql_order *order);

#endif
