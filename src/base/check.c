#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

void pl_assert_failed(const char *what, const char *file, int line,
                      const char *func)
{
    char text[512];

    snprintf(text, sizeof(text), "bug: %s:%d: %s: %s", file, line, func, what);
    pl_log_crash(text);
    abort();
}
