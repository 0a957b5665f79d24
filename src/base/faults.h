/* faults.h - makes system calls and allocations fail on purpose.
 *
 * For tests, in a build with -Dfaults=true; in others these are empty, so that
 * a test runs its body once and nothing fails. A call is a row of PL_SYS_MAP
 * (sys.h): PL_SYS_recv, PL_SYS_malloc (calloc and realloc count as malloc).
 *
 * Counts and faults are those of the whole process, whichever thread calls. A
 * whole program takes its faults from the environment:
 *
 *     PL_FAULTS="recv:3=ECONNRESET,accept4:every=10=EMFILE,send:short=1,
 *                epoll_wait:eintr=2,malloc:7"
 *
 * and writes to the file PL_FAULTS_COUNTS how often each was called.
 *
 * The usual test makes every call of a kind fail in turn, until one run through
 * the body needed no more of them:
 *
 *     FOR_EACH_FAULT(PL_SYS_malloc, ENOMEM) {
 *         err = pl_thing_new(&thing);
 *         CHECK(err == 0 || (err == PL_ERR_NOMEM && pl_faults_hit()), "...");
 *         if (err == 0)
 *             pl_thing_free(thing);
 *     }
 */
#ifndef PL_BASE_FAULTS_H
#define PL_BASE_FAULTS_H

#include <perilune.h>

#include "base/sys.h"

#define FOR_EACH_FAULT(call, error)                                            \
    for (uint64_t nth_ = 1; pl_faults_step(call, error, nth_); nth_++)

#ifdef PL_FAULTS

/* No faults any more; counts begin at 0 again. */
void pl_faults_reset(void);

/* The n-th call from now on fails with error (an errno), and only that one. */
void pl_faults_fail_nth(enum pl_sys_call call, uint64_t n, int error);

/* Each n-th call fails. n 0: none. */
void pl_faults_fail_every(enum pl_sys_call call, uint64_t n, int error);

/* Transfers move at most max bytes at a time. max 0: as they like. */
void pl_faults_shorten(enum pl_sys_call call, size_t max);

/* The next n calls fail with EINTR. */
void pl_faults_eintr(enum pl_sys_call call, uint64_t n);

/* How often it was called since the reset, failed calls included. */
uint64_t pl_faults_count(enum pl_sys_call call);

/* True if a call has failed on purpose since the reset. */
bool pl_faults_hit(void);

/* Takes faults in the form of the environment variable. Returns 0 or
 * PL_ERR_SYNTAX; what stands before the mistake is in force then. */
int pl_faults_parse(struct pl_str spec);

/* For FOR_EACH_FAULT. */
bool pl_faults_step(enum pl_sys_call call, int error, uint64_t n);

#else

#define pl_faults_reset() ((void)0)
#define pl_faults_fail_nth(call, n, error) ((void)0)
#define pl_faults_fail_every(call, n, error) ((void)0)
#define pl_faults_shorten(call, max) ((void)0)
#define pl_faults_eintr(call, n) ((void)0)
#define pl_faults_count(call) ((uint64_t)0)
#define pl_faults_hit() false
#define pl_faults_step(call, error, n) ((n) == 1)

#endif
#endif
