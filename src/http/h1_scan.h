/* h1_scan.h - finding the end of a piece of text, many bytes at a time.
 *
 * Each function returns the offset of the first byte at or after from that
 * does not belong to the set (chars.h), or len. from is at most len. No byte
 * beyond len is read; bytes before from may be. All versions (scalar, SSE2,
 * AVX2, NEON) answer the same; the tests compare them. */
#ifndef PL_HTTP_H1_SCAN_H
#define PL_HTTP_H1_SCAN_H

#include <stddef.h>

typedef size_t pl_h1_scan_fn(const char *bytes, size_t from, size_t len);

struct pl_h1_scanner {
    const char *name;
    pl_h1_scan_fn *target; /* PL_CHAR_TARGET */
    pl_h1_scan_fn *token;  /* PL_CHAR_TOKEN */
    pl_h1_scan_fn *value;  /* PL_CHAR_VALUE */
};

extern const struct pl_h1_scanner pl_h1_scan_scalar;

/* The fastest that this CPU can run; set before main. */
extern const struct pl_h1_scanner *pl_h1_scan;

/* All that this CPU can run, fastest first, for the tests; ends with NULL. */
const struct pl_h1_scanner *const *pl_h1_scanners(void);

#endif
