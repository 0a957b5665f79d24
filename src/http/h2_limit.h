/* h2_limit.h - what one HTTP/2 connection may ask of us, and how often.
 *
 * HTTP/2 has many frames that cost their sender nearly nothing. Each kind has a
 * rate; who is faster is told to be calm, and the connection ends. */
#ifndef PL_HTTP_H2_LIMIT_H
#define PL_HTTP_H2_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* What a site sets. */
struct pl_h2_limits {
    bool on;           /* clear text: prior knowledge, Upgrade; true */
    uint32_t streams;  /* open at once: 128 */
    uint32_t resets;   /* in 30 s, by either side: 200 */
    uint32_t controls; /* SETTINGS and PING in 10 s: 100 */
};

/* What is fixed. */
enum {
    PL_H2_RESETS_MS = 30000,
    PL_H2_CONTROLS_MS = 10000,
    /* Frames that bring nothing: PRIORITY, WINDOW_UPDATE beyond what our DATA
     * can explain, empty DATA, unknown types. */
    PL_H2_IDLERS = 1000,
    PL_H2_IDLERS_MS = 10000,
    PL_H2_CONTINUATIONS = 16, /* frames of one header block */
};

/* How often something happened since the beginning of its window. */
struct pl_h2_rate {
    uint32_t since; /* ms, wraps */
    uint32_t count;
};

/* Counts one more, at now; true if that is more than limit in window_ms. */
bool pl_h2_rate_over(struct pl_h2_rate *rate, uint64_t now_ms, uint32_t limit,
                     uint32_t window_ms);

#endif
