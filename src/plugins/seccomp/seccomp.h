/* seccomp.h - within the plug-in: the list, and what makes a program of it. */
#ifndef PL_PLUGINS_SECCOMP_H
#define PL_PLUGINS_SECCOMP_H

#include <stdint.h>

#include "base/seccomp_plugin.h"

/* Who may make a call. */
enum pl_call_for {
    PL_FOR_ALL,
    PL_FOR_PROCESSES,  /* where programs may be started */
    PL_FOR_SANITIZERS, /* in builds for tests */
};

/* A row of the list: calls (names with spaces between) that have one reason. */
struct pl_call_group {
    const char *why, *calls;
    enum pl_call_for who;
};

extern const struct pl_call_group pl_call_groups[]; /* calls NULL at the end */

#define PL_OWN_PID UINT64_MAX

/* Those that depend on their arguments; argument `arg` of `call`, masked, must
 * be `value`. Rows of one call are alternatives. */
struct pl_call_check {
    const char *call;
    /* mask 0: it is not asked for; value PL_OWN_PID: our number */
    struct pl_call_arg {
        unsigned arg;
        uint64_t mask, value;
    } args[2];
    enum pl_call_for who;
};

extern const struct pl_call_check pl_call_checks[]; /* call NULL at the end */

int pl_seccomp_compile(const struct pl_seccomp_wish *wish, int fd);

#endif
