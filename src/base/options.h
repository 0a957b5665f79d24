/* options.h - reading the option structs of perilune.h, which begin with their
 * size and may have been compiled against an older or a newer header. */
#ifndef PL_BASE_OPTIONS_H
#define PL_BASE_OPTIONS_H

#include <string.h>

#include "base/compiler.h"

/* Fills to (size bytes) with what from has of it, and zeroes the rest; from may
 * be NULL. What only a newer caller knows is not looked at. */
PL_INLINE void pl_options_read(void *to, size_t size, const void *from)
{
    size_t given = 0;

    if (from != NULL)
        memcpy(&given, from, sizeof(given));
    memset(to, 0, size);
    if (from != NULL)
        memcpy(to, from, PL_MIN(given, size));
}

#define PL_OPTIONS_READ(to, from)                                              \
    pl_options_read(to, sizeof(*(to)),                                         \
                    1 ? (from) : (const __typeof__(*(to)) *)NULL)

#endif
