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

#endif
