/* upgrade_state.h - what one supervisor hands to the next, which may be another
 * version of the program: descriptors, processes, what was promised.
 *
 * Records of fixed size in the order below, in the machine's own form: both run
 * on it, one after the other. Another version of the layout is another number,
 * and a program refuses those it does not know before anything has happened. */
#ifndef PL_PROCESS_UPGRADE_STATE_H
#define PL_PROCESS_UPGRADE_STATE_H

#include <signal.h>

#include "process/supervisor_priv.h"

enum { PL_STATE_VERSION = 1, PL_STATE_MAX = 1 << 20 };

/* The descriptor of the state, in the environment of the new program. */
#define PL_STATE_VARIABLE "PERILUNE_STATE"

struct pl_state_head {
    char magic[8]; /* "perilune" */
    uint32_t version, size;
    uint32_t nchildren, nheld; /* records that follow */
    uint32_t starts, crashes;
    uint32_t watchdog_ms;
    int32_t log, pid_file; /* descriptors, or -1 */
    struct pl_addr notify; /* of systemd */
    sigset_t before;
    char pid_path[PL_LINK_TEXT];
};

struct pl_state_child {
    uint32_t slot, state;
    int32_t pid, link;
    uint8_t minding, ending;
    uint8_t unused[6];
    uint64_t started_ms;
};

/* Followed by count descriptors. */
struct pl_state_held {
    struct pl_addr asked;
    uint32_t nth, users, count;
};

/* Writes it all into a new memfd. Returns that, or PL_ERR_*. */
int pl_state_write(const struct pl_supervisor *sup);

/* Reads fd into *sup, which holds nothing yet. With sup NULL it is only looked
 * at. 0 or PL_ERR_* with *error. */
int pl_state_read(int fd, struct pl_supervisor *sup, struct pl_error *error);

/* All its descriptors stay open in the next program, or do not. */
void pl_state_keep(const struct pl_supervisor *sup, bool keep);

#endif
