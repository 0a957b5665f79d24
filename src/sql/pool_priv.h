/* pool_priv.h - what pool.c and link.c share. */
#ifndef PL_SQL_POOL_PRIV_H
#define PL_SQL_POOL_PRIV_H

#include "loop/loop.h"
#include "sql/pool.h"
#include "task/task.h"

struct pl_sql_pool {
    struct pl_list node; /* in the thread's pools */
    struct pl_sched *sched;
    struct pl_sql_options options; /* texts are in this block */
    unsigned users;                /* 0: it is closing */
    struct pl_list links;          /* pl_sql_link.every */
    struct pl_list idle;           /* pl_sql_link.node, the last used first */
    struct pl_list waiting;        /* pl_sql_op.node */
    struct pl_list locked_out;     /* pl_sql_link.node: they are to try again */
    unsigned connecting;           /* links that are not ready yet */
    bool offering;
    struct pl_timer timer; /* the first of idle is too old */
    /* After a failure no connection is tried until then. */
    uint64_t retry_at, pause_ms;
    struct pl_sql_failure failure; /* the last one of connecting */
    struct pl_sql_stats stats;
};

enum pl_sql_link_state {
    PL_SQL_LINK_CONNECTING,
    PL_SQL_LINK_SETTING_UP,
    PL_SQL_LINK_IDLE,
    PL_SQL_LINK_RUNNING,
    PL_SQL_LINK_LEASED, /* and idle */
    PL_SQL_LINK_CLEANING,
};

struct pl_sql_link {
    struct pl_sql_pool *pool;
    struct pl_sql_session *session;
    enum pl_sql_link_state state;
    struct pl_list every, node;
    struct pl_source source; /* of session->fd; slot 0: it is not watched */
    unsigned events;         /* which are watched */
    struct pl_timer timer;   /* locked out; or it takes too long to stop */
    struct pl_offload_op work;
    bool working;               /* until then nothing may touch session */
    bool ending;                /* after that it is freed */
    bool stopped;               /* nobody waits for its call any more */
    bool more;                  /* of its last statement there are rows left */
    struct pl_sql_order *order; /* of the call that is under way */
    struct pl_sql_order *own;   /* for calls of our own */
    struct pl_sql_op *op;       /* NULL: of our own, or who asked has left */
    struct pl_sql_lease *lease;
    uint64_t locked_since; /* ns; 0: it is not locked out */
    unsigned tries;
    uint64_t idle_since;
};

/* ---- link.c ---- */

/* A new one, which connects and then asks for work. Returns 0 or PL_ERR_NOMEM.
 */
int pl_sql_link_open(struct pl_sql_pool *pool);

/* It is IDLE, or LEASED to op's lease: runs op's call on it. */
void pl_sql_link_run(struct pl_sql_link *link, struct pl_sql_op *op);

/* Who waits for its call leaves: takes the order. */
void pl_sql_link_abandon(struct pl_sql_link *link);

/* Its last call is over, its lease too: it is cleaned, then IDLE. */
void pl_sql_link_release(struct pl_sql_link *link);

/* The lock that it waits for may be free. */
void pl_sql_link_try_again(struct pl_sql_link *link);

/* It has no lease any more; lost: which its user learns by an error. */
void pl_sql_link_unlease(struct pl_sql_link *link, bool lost);

/* It is gone afterwards, or as soon as its work is over. */
void pl_sql_link_close(struct pl_sql_link *link);

/* ---- pool.c, for link.c ---- */

/* A link is IDLE: gives it to who waits, or keeps it. */
void pl_sql_pool_offer(struct pl_sql_pool *pool, struct pl_sql_link *link);

/* A link could not connect; it is not counted as connecting any more, and is
 * closed next. */
void pl_sql_pool_refused(struct pl_sql_pool *pool,
                         const struct pl_sql_failure *failure);

/* A link is no more: the last call with it. */
void pl_sql_pool_lost(struct pl_sql_pool *pool);

/* A call is over, and what it has locked perhaps free. */
void pl_sql_pool_unlocked(struct pl_sql_pool *pool);

/* Somebody waits, and there may be room for another link. */
void pl_sql_pool_grow(struct pl_sql_pool *pool);

/* A call of op is over. */
void pl_sql_op_end(struct pl_sql_op *op, int result);

#endif
