#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void pl_assert_failed(const char *what, const char *file, int line,
                      const char *func)
{
    fprintf(stderr, "perilune: bug: %s:%d: %s: %s\n", file, line, func, what);
    abort();
}
