/* json_number.h - numbers of JSON texts: exact both ways, in no locale.
 *
 * Writing gives the shortest digits that read back as the same number (the
 * Schubfach algorithm of R. Giulietti); reading rounds correctly, to nearest,
 * ties to even (the method of Eisel and Lemire, with exact integer arithmetic
 * where 128 bits do not decide). Allocates nothing. */
#ifndef PL_BASE_JSON_NUMBER_H
#define PL_BASE_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PL_JSON_NUMBER_MAX = 32 }; /* bytes that any number takes */

/* Writes value, which is finite, and returns the length. The notation is that
 * of JavaScript: 1, -0.5, 1e+21, 1e-7; except that -0 keeps its sign. A float
 * has the digits that tell it from other floats. */
size_t pl_json_format_double(char out[PL_JSON_NUMBER_MAX], double value);
size_t pl_json_format_float(char out[PL_JSON_NUMBER_MAX], float value);
size_t pl_json_format_i64(char out[PL_JSON_NUMBER_MAX], int64_t value);

enum pl_json_kind {
    PL_JSON_INTEGER, /* digits only, and they fit integer */
    PL_JSON_BIG,     /* digits only, beyond 64 bits: value is rounded */
    PL_JSON_REAL     /* with fraction or exponent; also "-0" */
};

struct pl_json_number {
    enum pl_json_kind kind;
    int64_t integer; /* if kind is PL_JSON_INTEGER */
    double value;    /* if it is not */
};

/* Reads the number that begins at *at ('-' or a digit) and moves *at behind
 * it. Returns 0, or PL_ERR_PROTO with *at at the fault and *what saying it: not
 * a number of JSON, or too large for a double. What is too small becomes 0. */
int pl_json_parse_number(const char **at, const char *end,
                         struct pl_json_number *out, const char **what);

#endif
