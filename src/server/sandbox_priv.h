/* sandbox_priv.h - shared by the files of the sandbox. */
#ifndef PL_SERVER_SANDBOX_PRIV_H
#define PL_SERVER_SANDBOX_PRIV_H

#include "process/process.h"
#include "server/generation.h"
#include "server/sandbox.h"
#include "server/server.h"

/* The layer is there. note may be NULL. */
void pl_layer_is_on(struct pl_sandbox *sandbox, enum pl_layer layer,
                    const char *fmt, ...) PL_PRINTF(3, 4);

/* The kernel has not got it: 0, or PL_ERR_UNSUPPORTED where all is wanted. */
int pl_layer_is_missing(struct pl_sandbox *sandbox, enum pl_layer layer,
                        const char *why, struct pl_error *error);

/* ---- the steps, in their order; each looks whether it is wanted ---- */

typedef int pl_sandbox_step(struct pl_sandbox *sandbox, struct pl_error *error);

/* sandbox_root.c: finds the folder, and loads what would not be found inside */
pl_sandbox_step pl_sandbox_find_root;

/* sandbox_paths.c: opens all paths that the site and the process need */
pl_sandbox_step pl_sandbox_collect;

/* sandbox_calls.c: makes the filter */
pl_sandbox_step pl_sandbox_compile;

pl_sandbox_step pl_sandbox_chroot;

/* sandbox_rights.c: before and after the change of the user */
pl_sandbox_step pl_sandbox_bound;
pl_sandbox_step pl_sandbox_drop;
pl_sandbox_step pl_sandbox_no_new_privs;

/* sandbox_landlock.c */
pl_sandbox_step pl_sandbox_landlock;

pl_sandbox_step pl_sandbox_filter;

#endif
