#include "task/context.h"

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#if PL_CONTEXT_ASM

void pl_context_start(void); /* context.S: calls entry(arg) */

/* What pl_context_swap() leaves below the stack pointer; the same order as in
 * context.S. */
struct frame {
#if defined(__x86_64__)
    uint32_t mxcsr;
    uint16_t x87, unused;
    void *r12, *r13, *r14, *r15, *rbx, *rbp;
    void (*pc)(void);
#else
    void *x19, *x20, *x21_28[8], *fp;
    void (*pc)(void);
    uint64_t d8_15[8];
    uint64_t fpcr, unused;
#endif
};

_Static_assert(sizeof(struct frame) % 16 == 0, "entry finds the stack aligned");

void pl_context_make(struct pl_context *context, char *base, char *top,
                     struct pl_context *(*entry)(void *arg), void *arg)
{
    struct frame *frame = (struct frame *)(void *)top - 1;

    PL_ASSERT((uintptr_t)top % 16 == 0 && (char *)frame > base);
#if defined(__x86_64__)
    frame->mxcsr = 0x1f80; /* as at the start of a process: all exceptions */
    frame->x87 = 0x037f;   /* masked, nearest, 64-bit mantissa */
    frame->r12 = arg;
    frame->r13 = (void *)entry;
    frame->rbp = NULL; /* ends the chain of frames */
#else
    frame->x19 = arg;
    frame->x20 = (void *)entry;
    frame->fp = NULL; /* ends the chain of frames */
    frame->fpcr = 0;  /* round to nearest, no traps */
#endif
    frame->pc = pl_context_start;
    context->sp = frame;
}

#else

/* makecontext passes only ints. */
static void start(unsigned entry_high, unsigned entry_low, unsigned arg_high,
                  unsigned arg_low)
{
    uintptr_t entry = (uintptr_t)((uint64_t)entry_high << 32 | entry_low);
    uintptr_t arg = (uintptr_t)((uint64_t)arg_high << 32 | arg_low);
    struct pl_context *next;

    next = ((struct pl_context * (*)(void *)) entry)((void *)arg);
    setcontext(&next->uc);
}

void pl_context_make(struct pl_context *context, char *base, char *top,
                     struct pl_context *(*entry)(void *arg), void *arg)
{
    uint64_t fn = (uintptr_t)entry, data = (uintptr_t)arg;

    PL_ASSERT(getcontext(&context->uc) == 0);
    context->uc.uc_stack.ss_sp = base;
    context->uc.uc_stack.ss_size = (size_t)(top - base);
    context->uc.uc_link = NULL;
    makecontext(&context->uc, (void (*)(void))start, 4, (unsigned)(fn >> 32),
                (unsigned)fn, (unsigned)(data >> 32), (unsigned)data);
}

void pl_context_switch(struct pl_context *from, struct pl_context *to)
{
    PL_ASSERT(swapcontext(&from->uc, &to->uc) == 0);
}

#endif
