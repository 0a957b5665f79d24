/* date.h - HTTP dates (RFC 9110, 5.6.7).
 *
 * The civil calendar is computed here: gmtime_r and strftime cost several times
 * as much, and strptime depends on the locale. Seconds count from 1970-01-01
 * 00:00:00 UTC, without leap seconds. */
#ifndef PL_HTTP_DATE_H
#define PL_HTTP_DATE_H

#include <perilune.h>

enum { PL_HTTP_DATE_LEN = 29 };

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT": PL_HTTP_DATE_LEN bytes, no NUL.
 * Outside the years 0 to 9999, which the form cannot express, the nearest
 * moment inside is written. */
void pl_http_date_format(char *out, int64_t seconds);

/* Reads the form above and the two obsolete ones, of RFC 850 and of asctime,
 * which a recipient must understand. A weekday that does not fit the date is
 * forgiven, as nothing depends on it. Two-digit years are those of the last 50
 * or the next 50 years. False (and *seconds left alone) for all else. */
bool pl_http_date_parse(struct pl_str s, int64_t *seconds);

/* The same with a clock of the caller's, for the two-digit years. */
bool pl_http_date_parse_at(struct pl_str s, int64_t now, int64_t *seconds);

#endif
