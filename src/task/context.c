#include "task/context.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
                     void (*entry)(void *arg), void *arg)
{
    struct frame *frame = (struct frame *)(void *)top - 1;

    PL_ASSERT((uintptr_t)top % 16 == 0 && (char *)frame > base);
    memset(frame, 0, sizeof(*frame)); /* a frame pointer of 0 ends the chain */
#if defined(__x86_64__)
    frame->mxcsr = 0x1f80; /* as at the start of a process: all exceptions */
    frame->x87 = 0x037f;   /* masked, nearest, 64-bit mantissa */
    frame->r12 = arg;
    frame->r13 = (void *)entry;
#else
    frame->x19 = arg;
    frame->x20 = (void *)entry;
#endif
    frame->pc = pl_context_start;
    context->sp = frame;
}

#else

static void start(unsigned high, unsigned low, unsigned arg_high,
                  unsigned arg_low)
{
    uintptr_t entry = (uintptr_t)((uint64_t)high << 32 | low);
    uintptr_t arg = (uintptr_t)((uint64_t)arg_high << 32 | arg_low);

    ((void (*)(void *))entry)((void *)arg);
}

/* makecontext passes only ints. */
void pl_context_make(struct pl_context *context, char *base, char *top,
                     void (*entry)(void *arg), void *arg)
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
