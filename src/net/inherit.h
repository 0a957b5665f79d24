/* inherit.h - listening sockets that whoever has started us has opened: those
 * of systemd (LISTEN_FDS, sd_listen_fds(3)) by name, others by number. */
#ifndef PL_NET_INHERIT_H
#define PL_NET_INHERIT_H

#include <sys/types.h>

#include "base/error.h"

enum { PL_INHERIT_MAX = 64 };

/* Is it written "fd:3", "systemd" or "systemd:name"? */
bool pl_inherit_is(struct pl_str address);

/* The descriptors that it means: one, or all of systemd's (of that name). 0, or
 * PL_ERR_INVALID, PL_ERR_NOT_FOUND with *error. fds may be NULL: then only the
 * way it is written is looked at. */
int pl_inherit_find(struct pl_str address, int fds[PL_INHERIT_MAX], unsigned *n,
                    struct pl_error *error);

/* What was passed to parent, which has forked us, is ours. */
void pl_inherit_from(pid_t parent);

/* So that no program we start takes what is ours for its own. */
void pl_inherit_forget(void);

#endif
