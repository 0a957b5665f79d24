/* context.h - a place where code was left, on a stack of its own.
 *
 * Where the assembly of context.S fits a context is one stack pointer: all that
 * the calling convention asks a function to preserve lies on the stack below
 * it, the floating-point control words included. Elsewhere it is a ucontext,
 * which costs a system call a switch. */
#ifndef PL_TASK_CONTEXT_H
#define PL_TASK_CONTEXT_H

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__linux__) &&     \
    defined(__LP64__) && !defined(PL_FIBER_UCONTEXT)
#define PL_CONTEXT_ASM 1
#else
#define PL_CONTEXT_ASM 0
#include <ucontext.h>
#endif

struct pl_context {
#if PL_CONTEXT_ASM
    void *sp;
#else
    ucontext_t uc;
#endif
};

/* Prepares a context that will call entry(arg) on the stack from base up to
 * top (aligned to 16). It ends when entry returns the context to go on with;
 * the stack is free then. */
void pl_context_make(struct pl_context *context, char *base, char *top,
                     struct pl_context *(*entry)(void *arg), void *arg);

/* Leaves the running code in *from and goes on where *to was left. Returns when
 * somebody switches back to *from. */
#if PL_CONTEXT_ASM
void pl_context_swap(void **save, void *load);
static inline void pl_context_switch(struct pl_context *from,
                                     struct pl_context *to)
{
    pl_context_swap(&from->sp, to->sp);
}
#else
void pl_context_switch(struct pl_context *from, struct pl_context *to);
#endif

#endif
