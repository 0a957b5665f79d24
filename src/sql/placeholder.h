/* placeholder.h - "?" as other engines have it: "$1", "$2", ... Part of each
 * driver that needs it, not of the program. */
#ifndef PL_SQL_PLACEHOLDER_H
#define PL_SQL_PLACEHOLDER_H

#include <perilune.h>

/* Writes the statement with numbered placeholders to out, which may be NULL,
 * and returns its length. *count: how many there are. What is in quotes (also
 * those of dollars) and in comments stays as it is; "??" is a question mark. */
size_t pl_sql_number(struct pl_str text, char *out, unsigned *count);

/* The most bytes that takes, with a NUL. */
size_t pl_sql_number_room(struct pl_str text);

#endif
