/* check.h - assertions for our own bugs; a peer must never reach one.
 *
 * They stay in release builds: stopping beats serving another user's bytes. */
#ifndef PL_BASE_CHECK_H
#define PL_BASE_CHECK_H

#include "base/compiler.h"

PL_NORETURN PL_COLD void pl_assert_failed(const char *what, const char *file,
                                          int line, const char *func);

#define PL_ASSERT(cond)                                                        \
    (PL_LIKELY(cond) ? (void)0                                                 \
                     : pl_assert_failed(#cond, __FILE__, __LINE__, __func__))

/* Where a void * becomes a type again. magic is the struct's first field,
 * cleared when it is freed. */
#define PL_CHECK(ptr, value) PL_ASSERT((ptr) != NULL && (ptr)->magic == (value))

#endif
