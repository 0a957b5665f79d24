/* crash.h - the last words of a process that dies of its own fault.
 *
 *     2026-11-22T07:14:22.123Z fatal signal 11 SIGSEGV address=0x10
 *         pc=perilune+0x4f2a1 thread=worker-1
 *     2026-11-22T07:14:22.123Z fatal stack perilune+0x4f2a1 perilune+0x51c07
 *
 * The first is one line; offsets are what `addr2line -e` takes. The stack is
 * every word on it that points into loaded code: older calls may be among them,
 * but it needs neither frame pointers nor backtrace(3), which allocates. The
 * process then dies of the same signal, with the core the fault left.
 *
 * The library never installs this; a program asks for it. A build with ASan or
 * TSan leaves the signals to the sanitizer. */
#ifndef PL_BASE_CRASH_H
#define PL_BASE_CRASH_H

/* Installs the handlers, and takes note of the code that is loaded now: call it
 * again after a module was loaded. By the thread that runs the process. */
void pl_crash_install(void);

/* Gives the calling thread a stack for the handler, or running out of its own
 * could not be reported. Returns 0 or PL_ERR_NOMEM. leave: as its last act. */
int pl_crash_thread_enter(void);
void pl_crash_thread_leave(void);

#endif
