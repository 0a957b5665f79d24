/* upgrade.h - the program is replaced while it runs, and its number stays.
 *
 *     USR2 -> the state is written to a memfd
 *          -> the new program checks the site and reads the state, as a child
 *          -> exec in place: the new supervisor has all that the old one had
 *          -> a new server process starts beside the old one; when it is ready,
 *             the old one finishes its requests
 *
 * Whatever fails before the exec leaves everything as it is; what fails after
 * it leaves the old server process serving, under the new supervisor. */
#ifndef PL_PROCESS_UPGRADE_H
#define PL_PROCESS_UPGRADE_H

#include <stdbool.h>

#include "base/error.h"

struct pl_supervisor;

/* Begins; what becomes of it is logged, and told to the server process. */
void pl_upgrade_begin(struct pl_supervisor *sup);

/* A child has ended: was it the new program's check? Does not return if that
 * was good and the program has been replaced. */
bool pl_upgrade_reaped(struct pl_supervisor *sup, int pid, int status);

/* The check takes too long. */
void pl_upgrade_give_up(struct pl_supervisor *sup);

/* The supervisor ends: so does a check that still goes on. */
void pl_upgrade_end(struct pl_supervisor *sup);

/* What is held for one, if any is under way: by a child that takes no part. */
void pl_upgrade_forget(struct pl_supervisor *sup);

/* Were we started by an upgrade? Then takes over what the state says. 0 if we
 * were not, 1 if we were, or PL_ERR_* with *error. */
int pl_upgrade_resume(struct pl_supervisor *sup, struct pl_error *error);

/* For `check`: can this program take over the state that it was given, if it
 * was given one? Returns 0, 1 or PL_ERR_* as above, and takes nothing over. */
int pl_upgrade_check(struct pl_error *error);

/* What check prints then, with the state's version. */
#define PL_UPGRADE_GOOD "ready to take over, state %u\n"

#endif
