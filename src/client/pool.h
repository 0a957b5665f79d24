/* pool.h - what a worker has of the origins: connections that are kept, how
 * many are in use, who waits for one, and figures.
 *
 * Made when first asked for, and freed with the worker's sockets. One pl_stock
 * for each origin, whoever (handler, generation) uses it: a reload keeps the
 * connections. */
#ifndef PL_CLIENT_POOL_H
#define PL_CLIENT_POOL_H

#include "client/origin.h"
#include "http/h1_parse.h"

struct pl_link;

struct pl_stock_stats {
    uint64_t requests, failed, connects;
};

struct pl_stock {
    const struct pl_origin *origin;
    struct pl_clients *clients;
    struct pl_list idle; /* pl_link.node, the last used one first */
    unsigned nidle;
    unsigned active;       /* exchanges; not counted beyond their end */
    struct pl_timer timer; /* the first of idle is too old */
    struct pl_stock_stats stats;
};

/* Who waits until an origin has a place for one more exchange. */
struct pl_waiter {
    struct pl_list node;
    /* Looks again; true: it has one, and is on the list no more. */
    bool (*look)(struct pl_waiter *waiter);
    const void *group; /* for pl_clients_waiting() */
};

struct pl_clients {
    struct pl_sockets *sockets;
    struct pl_pool *pool;
    struct pl_stock **stocks; /* by the id of the origin; NULL: none yet */
    unsigned nstocks;
    struct pl_list links;   /* pl_link.every */
    struct pl_list waiting; /* pl_waiter.node, the first one first */
    unsigned nwaiting, freed;
    struct pl_op wake;
    struct pl_h1_parser parser; /* of heads that come in one piece */
};

/* Those of this worker; NULL: no memory, or no sockets. */
struct pl_clients *pl_clients_get(void);

/* The same, or NULL if nobody has asked for it yet. */
struct pl_clients *pl_clients_current(void);

/* NULL: no memory. */
struct pl_stock *pl_stock_of(struct pl_clients *clients,
                             const struct pl_origin *origin);

/* NULL: nobody has used it here. */
PL_INLINE struct pl_stock *pl_stock_seen(const struct pl_clients *clients,
                                         const struct pl_origin *origin)
{
    return origin->id < clients->nstocks ? clients->stocks[origin->id] : NULL;
}

PL_INLINE unsigned pl_stock_active(const struct pl_clients *clients,
                                   const struct pl_origin *origin)
{
    const struct pl_stock *stock = pl_stock_seen(clients, origin);

    return stock == NULL ? 0 : stock->active;
}

/* An exchange begins, and ends. */
void pl_stock_enter(struct pl_stock *stock);
void pl_stock_leave(struct pl_stock *stock);

/* ---- waiting ---- */

void pl_clients_wait(struct pl_clients *clients, struct pl_waiter *waiter);
void pl_clients_unwait(struct pl_clients *clients, struct pl_waiter *waiter);
unsigned pl_clients_waiting(const struct pl_clients *clients,
                            const void *group);

/* ---- kept connections; link.c ---- */

/* Closes a connection; if it is in use, its exchange fails. */
void pl_link_close(struct pl_link *link);

#endif
