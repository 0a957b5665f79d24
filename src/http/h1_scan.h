/* h1_scan.h - finding the end of a piece of text, many bytes at a time.
 *
 * Each function returns the offset of the first byte at or after from that
 * does not belong to the set, or len. All versions (scalar, SSE2, AVX2) answer
 * the same; the tests compare them. */
#ifndef PL_HTTP_H1_SCAN_H
#define PL_HTTP_H1_SCAN_H

#include <stddef.h>

struct pl_h1_scanner {
    const char *name;
    /* printable target bytes: 0x21-0x7e and 0x80-0xff */
    size_t (*target)(const char *bytes, size_t from, size_t len);
    /* token characters (RFC 9110, 5.6.2) */
    size_t (*token)(const char *bytes, size_t from, size_t len);
    /* field value bytes: tab, 0x20-0x7e, 0x80-0xff */
    size_t (*value)(const char *bytes, size_t from, size_t len);
};

extern const struct pl_h1_scanner pl_h1_scan_scalar;

/* The fastest that this CPU can run; set before main. */
extern const struct pl_h1_scanner *pl_h1_scan;

/* All that this CPU can run, for the tests; ends with NULL. */
const struct pl_h1_scanner *const *pl_h1_scanners(void);

#endif
