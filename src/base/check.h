/* check.h - assertions for our own bugs; a peer must never reach one.
 *
 * They stay in release builds: stopping beats serving another user's bytes. */
#ifndef PL_BASE_CHECK_H
#define PL_BASE_CHECK_H

#include "base/compiler.h"

PL_NORETURN PL_COLD void pl_assert_failed(const char *what);

/* One short text, "file:line", where the condition is to be read: hundreds of
 * them are in the program. */
#define PL_ASSERT(cond)                                                        \
    (PL_LIKELY(cond) ? (void)0 : pl_assert_failed(__FILE__ ":" PL_LINE))
#define PL_LINE PL_QUOTE(__LINE__)
#define PL_QUOTE(x) PL_QUOTE_(x)
#define PL_QUOTE_(x) #x

/* Where a void * becomes a type again. magic is the struct's first field,
 * cleared when it is freed. */
#define PL_CHECK(ptr, value) PL_ASSERT((ptr) != NULL && (ptr)->magic == (value))

#endif
