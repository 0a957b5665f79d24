#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

void pl_assert_failed(const char *what)
{
    char text[512];

    snprintf(text, sizeof(text), "bug: %s", what);
    pl_log_crash(text);
    abort();
}
