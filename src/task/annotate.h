/* annotate.h - tells sanitizers and valgrind which stack runs.
 *
 * Who leaves a stack says so right before the switch, who arrives on one right
 * after it. In a normal build nothing is left of this. */
#ifndef PL_TASK_ANNOTATE_H
#define PL_TASK_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#if PL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if PL_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* A stack as the sanitizers see it: the loop's or a fiber's. */
struct pl_side {
#if PL_ASAN
    void *fake; /* where ASan keeps locals to find uses after return */
    const void *bottom;
    size_t size;
#endif
#if PL_TSAN
    void *fiber;
#endif
};

PL_INLINE void pl_side_init_thread(struct pl_side *side)
{
    (void)side;
#if PL_ASAN
    side->fake = NULL; /* bottom and size: learnt by the first switch */
#endif
#if PL_TSAN
    side->fiber = __tsan_get_current_fiber();
#endif
}

PL_INLINE void pl_side_init_fiber(struct pl_side *side, const void *bottom,
                                  size_t size)
{
    (void)side, (void)bottom, (void)size;
#if PL_ASAN
    side->fake = NULL;
    side->bottom = bottom;
    side->size = size;
#endif
#if PL_TSAN
    side->fiber = __tsan_create_fiber(0);
#endif
}

/* Called when another stack runs. */
PL_INLINE void pl_side_fini_fiber(struct pl_side *side)
{
    (void)side;
#if PL_TSAN
    __tsan_destroy_fiber(side->fiber);
#endif
}

/* dying: nobody will come back. */
PL_INLINE void pl_side_leave(struct pl_side *from, struct pl_side *to,
                             bool dying)
{
    (void)from, (void)to, (void)dying;
#if PL_ASAN
    __sanitizer_start_switch_fiber(dying ? NULL : &from->fake, to->bottom,
                                   to->size);
#endif
#if PL_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

PL_INLINE void pl_side_arrive(struct pl_side *here, struct pl_side *from)
{
    (void)here, (void)from;
#if PL_ASAN
    __sanitizer_finish_switch_fiber(here->fake, &from->bottom, &from->size);
#endif
}

/* The memory of a stack is free, or is about to be used. */
PL_INLINE void pl_stack_poison(void *base, size_t size)
{
    (void)base, (void)size;
#if PL_ASAN
    ASAN_POISON_MEMORY_REGION(base, size);
#endif
}

PL_INLINE void pl_stack_unpoison(void *base, size_t size)
{
    (void)base, (void)size;
#if PL_ASAN
    ASAN_UNPOISON_MEMORY_REGION(base, size);
#endif
}

PL_INLINE unsigned pl_stack_register(void *base, size_t size)
{
    (void)base, (void)size;
#ifdef VALGRIND_STACK_REGISTER
    return VALGRIND_STACK_REGISTER(base, (char *)base + size - 1);
#else
    return 0;
#endif
}

PL_INLINE void pl_stack_deregister(unsigned id)
{
    (void)id;
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(id);
#endif
}

#endif
