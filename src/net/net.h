/* net.h - what the connections of one worker share.
 *
 *     inbox   bytes are first read here; only an unfinished rest is kept
 *     outbox  answers of one burst are gathered here and leave in one send
 *
 * so that an idle connection owns no buffer at all. */
#ifndef PL_NET_NET_H
#define PL_NET_NET_H

#include "net/deadline.h"

enum {
    PL_NET_INBOX = 64 * 1024,
    PL_NET_OUTBOX = 64 * 1024,
    PL_NET_BUDGET = 64 * 1024,  /* bytes read from one connection in a turn */
    PL_NET_PUSH = 256 * 1024,   /* ... and written from its queue */
    PL_NET_UNSENT = 256 * 1024, /* of it, what the kernel holds unsent */
    PL_NET_FRESH = 64, /* connections whose watch may wait for the turn's end */
};

struct pl_net_limits {
    size_t conn_memory;       /* bytes one connection may hold: 1 MiB */
    size_t output_high;       /* stop producing above this: 256 KiB */
    size_t output_low;        /* go on below this: 64 KiB */
    uint32_t write_ms;        /* a peer that has stopped reading: 30 s */
    uint32_t linger_ms;       /* after our FIN: 5 s */
    uint32_t head_ms;         /* what comes before a protocol: 10 s */
    uint32_t max_conns;       /* per worker; 0: as descriptors allow */
    uint32_t max_per_address; /* of these (crowd.h); 0: no limit */
};

extern const struct pl_net_limits pl_net_default_limits;

struct pl_net_stats {
    uint64_t accepted, closed, timed_out, refused, dialed;
    uint64_t limited;  /* refusals of memory beyond conn_memory */
    uint64_t crowded;  /* refused for the address that they came from */
    uint32_t open;     /* accepted and not closed */
    uint32_t outgoing; /* opened by this side and not closed */
};

struct pl_conn;
struct pl_crowd;
struct pl_listener;
struct pl_offload;
struct pl_tls_worker;

struct pl_net {
    struct pl_loop *loop;
    struct pl_pool *pool;
    struct pl_net_limits limits;
    struct pl_net_stats stats;
    struct pl_deadlines deadlines;
    struct pl_hook hook;   /* end of turn: flush, watch, bury */
    struct pl_conn *owner; /* whose bytes are in the outbox */
    size_t outbox_len;
    struct pl_conn *graves;       /* closed in this turn, freed at its end */
    uint32_t fresh[PL_NET_FRESH]; /* slots that were accepted in this turn */
    unsigned nfresh;
    struct pl_list listeners;
    struct pl_listener *dialer; /* of outgoing connections; NULL: none yet */
    struct pl_offload *offload; /* reads cold files; NULL: the loop does */
    unsigned reads;             /* that are on their way there */
    unsigned paused;            /* listeners that look away */
    int64_t complained;         /* when that was last said in the log */
    char *inbox, *outbox;
    struct pl_tls_worker *tls; /* NULL: no connection has had TLS */
    struct pl_crowd *crowd;    /* NULL: no address has been counted */
};

/* Borrows loop; limits are copied (NULL: the defaults). Call it after
 * pl_sched_init(): hooks run in the order of adding, and what tasks write must
 * leave at the end of their turn. 0 or PL_ERR_NOMEM. */
int pl_net_init(struct pl_net *net, struct pl_loop *loop,
                const struct pl_net_limits *limits);

/* All connections and listeners must be closed, all reads back. */
void pl_net_fini(struct pl_net *net);

#endif
