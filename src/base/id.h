/* id.h - names for requests: unique, short, cheap.
 *
 * Each worker counts up from a random 64-bit number: no two workers, processes
 * or machines are likely ever to give the same one, and no two of them need to
 * talk. An id says how many came before it to whoever saw another one: it is a
 * name, never a secret. */
#ifndef PL_BASE_ID_H
#define PL_BASE_ID_H

#include <perilune.h>

#include "base/compiler.h"

enum { PL_ID_LEN = 16 };

struct pl_ids {
    uint64_t next;
};

void pl_ids_init(struct pl_ids *ids);

/* The thread of ids only. */
PL_INLINE uint64_t pl_ids_next(struct pl_ids *ids)
{
    return ids->next++;
}

/* Writes PL_ID_LEN hexadecimal digits. */
void pl_id_format(char *out, uint64_t id);

/* The inverse; false for anything but PL_ID_LEN hexadecimal digits. */
bool pl_id_parse(struct pl_str text, uint64_t *id);

#endif
