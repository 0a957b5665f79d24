#include "client/pool.h"

#include "base/check.h"
#include "base/error.h"
#include "base/sys.h"
#include "client/link.h"
#include "socket/socket.h"

static struct pl_loop *loop_of(const struct pl_clients *clients)
{
    return clients->sockets->net->loop;
}

/* ---- a worker's ---- */

static void free_stock(struct pl_stock *stock)
{
    PL_ASSERT(pl_list_empty(&stock->idle) && stock->active == 0);
    pl_timer_stop(pl_loop_wheel(loop_of(stock->clients)), &stock->timer);
    pl_free(stock);
}

static void end(struct pl_clients *clients)
{
    struct pl_list *node, *tmp;

    PL_ASSERT(pl_list_empty(&clients->waiting));
    PL_LIST_FOREACH_SAFE (node, tmp, &clients->links)
        pl_link_close(PL_LIST_ENTRY(node, struct pl_link, every));
    for (unsigned i = 0; i < clients->nstocks; i++)
        if (clients->stocks[i] != NULL)
            free_stock(clients->stocks[i]);
    clients->sockets->clients = NULL;
    pl_free(clients->stocks);
    pl_free(clients);
}

struct pl_clients *pl_clients_current(void)
{
    struct pl_sockets *sockets = pl_sockets_current();

    return sockets == NULL ? NULL : sockets->clients;
}

PL_COLD static struct pl_clients *make(struct pl_sockets *sockets)
{
    struct pl_clients *clients =
        sockets == NULL ? NULL : pl_calloc(1, sizeof(*clients));

    if (clients == NULL)
        return NULL;
    clients->sockets = sockets;
    clients->pool = sockets->net->pool;
    pl_list_init(&clients->links);
    pl_list_init(&clients->waiting);
    sockets->clients = clients;
    sockets->end_clients = end;
    return clients;
}

struct pl_clients *pl_clients_get(void)
{
    struct pl_clients *clients = pl_clients_current();

    return clients != NULL ? clients : make(pl_sockets_current());
}

/* ---- stocks ---- */

static int make_room(struct pl_clients *clients, unsigned id)
{
    unsigned n = (id | 15) + 1; /* origins come one by one */
    struct pl_stock **grown;

    if (id < clients->nstocks)
        return 0;
    grown = pl_calloc(n, sizeof(struct pl_stock *));
    if (grown == NULL)
        return PL_ERR_NOMEM;
    if (clients->nstocks > 0)
        memcpy(grown, clients->stocks,
               clients->nstocks * sizeof(struct pl_stock *));
    pl_free(clients->stocks);
    clients->stocks = grown;
    clients->nstocks = n;
    return 0;
}

/* Closes what is too old, and comes again when the next one will be. */
static void on_old(struct pl_timer *timer)
{
    struct pl_stock *stock = PL_CONTAINER_OF(timer, struct pl_stock, timer);
    struct pl_loop *loop = loop_of(stock->clients);
    uint64_t now = pl_now_ms(loop), next = UINT64_MAX;
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &stock->idle) {
        struct pl_link *link = PL_LIST_ENTRY(node, struct pl_link, node);

        if (link->expires <= now)
            pl_link_close(link);
        else
            next = PL_MIN(next, link->expires);
    }
    if (next != UINT64_MAX)
        pl_timer_start(pl_loop_wheel(loop), &stock->timer, next * 1000000);
}

PL_COLD static struct pl_stock *make_stock(struct pl_clients *clients,
                                           const struct pl_origin *origin)
{
    struct pl_stock *stock;

    if (make_room(clients, origin->id) < 0)
        return NULL;
    stock = pl_calloc(1, sizeof(*stock));
    if (stock == NULL)
        return NULL;
    stock->origin = origin;
    stock->clients = clients;
    pl_list_init(&stock->idle);
    pl_timer_init(&stock->timer, on_old);
    clients->stocks[origin->id] = stock;
    return stock;
}

struct pl_stock *pl_stock_of(struct pl_clients *clients,
                             const struct pl_origin *origin)
{
    struct pl_stock *stock = pl_stock_seen(clients, origin);

    return stock != NULL ? stock : make_stock(clients, origin);
}

/* ---- places ---- */

static void on_wake(struct pl_op *op)
{
    struct pl_clients *clients = PL_CONTAINER_OF(op, struct pl_clients, wake);
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &clients->waiting) {
        struct pl_waiter *waiter = PL_LIST_ENTRY(node, struct pl_waiter, node);

        if (clients->freed == 0)
            break;
        if (waiter->look(waiter))
            clients->freed--;
    }
    clients->freed = 0;
}

void pl_stock_enter(struct pl_stock *stock)
{
    stock->active++;
    stock->stats.requests++;
}

void pl_stock_leave(struct pl_stock *stock)
{
    struct pl_clients *clients = stock->clients;

    stock->active--;
    if (PL_LIKELY(clients->nwaiting == 0))
        return;
    /* Not at once: who leaves is in the middle of something. */
    if (clients->freed++ > 0)
        return;
    pl_op_init(&clients->wake, clients->sockets->sched, NULL);
    pl_op_begin(&clients->wake);
    pl_op_then(&clients->wake, on_wake);
    pl_op_complete(&clients->wake, 0);
}

void pl_clients_wait(struct pl_clients *clients, struct pl_waiter *waiter)
{
    pl_list_push(&clients->waiting, &waiter->node);
    clients->nwaiting++;
}

void pl_clients_unwait(struct pl_clients *clients, struct pl_waiter *waiter)
{
    pl_list_remove(&waiter->node);
    clients->nwaiting--;
}

unsigned pl_clients_waiting(const struct pl_clients *clients, const void *group)
{
    unsigned n = 0;
    struct pl_list *node;

    PL_LIST_FOREACH (node, &clients->waiting)
        n += PL_LIST_ENTRY(node, struct pl_waiter, node)->group == group;
    return n;
}
