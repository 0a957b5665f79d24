/* deadline.h - time-outs of connections: per-class FIFO lists.
 *
 * All time-outs of one class are equally long, so appending keeps a list in
 * order and only its head need be looked at. Touching a connection again only
 * stores its new deadline, which costs no look at its neighbours; it goes to
 * the end of the list when it reaches the head too early (lazy). The price: a
 * time-out that was touched may be noticed late, by less than the length of its
 * class; never early. Links are slot numbers, not pointers. */
#ifndef PL_NET_DEADLINE_H
#define PL_NET_DEADLINE_H

#include "loop/loop.h"

enum pl_deadline_class {
    PL_DEADLINE_NONE,
    PL_DEADLINE_IDLE,   /* keep-alive: between requests */
    PL_DEADLINE_HEAD,   /* a request head is on its way */
    PL_DEADLINE_BODY,   /* a request body is on its way */
    PL_DEADLINE_LIVE,   /* a look at a peer that may be silent for long */
    PL_DEADLINE_WRITE,  /* the peer does not read */
    PL_DEADLINE_LINGER, /* after our FIN, until theirs */
    PL_DEADLINE_LEAVE,  /* between requests, while the server ends */
    PL_DEADLINE_CLASSES
};

/* In the connection. */
struct pl_deadline {
    uint32_t at;        /* ms, wraps after 49 days */
    uint32_t next;      /* slots; 0: none */
    uint32_t prev : 31, /* ... */
        touched : 1;    /* at is later than its place in the list says */
};

struct pl_deadlines {
    struct pl_loop *loop;
    struct {
        uint32_t head, tail;
    } lists[PL_DEADLINE_CLASSES];
    struct pl_timer timer;
    uint64_t armed_ms; /* when the timer fires; 0: not armed */
    void (*expired)(struct pl_source *source, enum pl_deadline_class class);
    struct pl_deadline *(*of)(struct pl_source *source);
};

void pl_deadlines_init(struct pl_deadlines *lists, struct pl_loop *loop);
void pl_deadlines_fini(struct pl_deadlines *lists);

/* Moves the deadline of source from class *now (updated) to class next, due in
 * ms milliseconds. The same class only stores. NONE takes it out. */
void pl_deadline_set(struct pl_deadlines *lists, struct pl_source *source,
                     uint8_t *now, enum pl_deadline_class next, uint32_t ms);

#endif
