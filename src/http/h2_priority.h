/* h2_priority.h - what a client finds urgent (RFC 9218). */
#ifndef PL_HTTP_H2_PRIORITY_H
#define PL_HTTP_H2_PRIORITY_H

#include <perilune.h>

#include "base/compiler.h"

enum { PL_H2_URGENCIES = 8 };

struct pl_h2_priority {
    uint8_t urgency;  /* 0: first, 7: last */
    bool incremental; /* a part of it is of use already: shares with others */
};

/* What holds where nothing is said (4). */
#define PL_H2_PRIORITY_DEFAULT ((struct pl_h2_priority){3, false})

/* Reads a Priority field. What it does not say, or says in a way that cannot be
 * understood, is the default. */
struct pl_h2_priority pl_h2_priority_parse(struct pl_str field);

/* What PRIORITY_UPDATE has said of streams that have not come yet (7.1): of the
 * next ones to come, as nobody may make us keep more. Zeroed: nothing. */
struct pl_h2_early {
    struct pl_h2_early_place {
        uint32_t id; /* 0: free */
        struct pl_h2_priority priority;
    } places[8];
};

void pl_h2_early_keep(struct pl_h2_early *early, uint32_t id,
                      struct pl_h2_priority priority);

/* Stream id has come, whose head says priority: what holds. That is what was
 * said before, if anything was: the client has changed its mind (7). Older
 * streams that have not come never will. */
struct pl_h2_priority pl_h2_early_take(struct pl_h2_early *early, uint32_t id,
                                       struct pl_h2_priority priority);

#endif
