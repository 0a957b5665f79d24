/* error.h - the error codes of perilune.h, and where they come from. */
#ifndef PL_BASE_ERROR_H
#define PL_BASE_ERROR_H

#include <perilune.h>

#include "base/compiler.h"

/* What went wrong, for people: code is a PL_ERR_*, where is "file:line" or the
 * name of a setting ("" if there is none). text is cut at its size. */
struct pl_error {
    int code;
    char where[128];
    char text[384];
};

/* Fills *error (which may be NULL) and returns code. */
int pl_error_set(struct pl_error *error, int code, const char *where,
                 const char *fmt, ...) PL_PRINTF(4, 5);

/* The PL_ERR_* for a value of errno. */
int pl_err_from_errno(int error_number);

/* The HTTP status for a PL_ERR_*. */
int pl_err_status(int err);

#endif
