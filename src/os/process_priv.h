/* process_priv.h - starting a process, seen from its life. */
#ifndef PL_OS_PROCESS_PRIV_H
#define PL_OS_PROCESS_PRIV_H

#include "os/process.h"

/* A copy of spec, for the job; NULL when out of memory. */
struct pl_process_plan *pl_process_plan_new(const struct pl_process_spec *spec);
void pl_process_plan_free(struct pl_process_plan *plan);

/* On an offload thread: makes the pipes, the child and its pidfd. Returns 0 or
 * PL_ERR_*, with process->error. */
int pl_process_carry_out(struct pl_process *process);

#endif
