/* json_powers.h - the powers of ten that numbers are multiplied by, both ways.
 *
 * Reading needs -342 (19 digits at the edge of the smallest double) to 308,
 * writing -292 to 324. A table of all is 10 KiB; here are every 16th, and what
 * makes the others of them. json_powers.py writes the tables at build time. */
#ifndef PL_BASE_JSON_POWERS_H
#define PL_BASE_JSON_POWERS_H

#include <stdint.h>

enum {
    PL_JSON_POWER_MIN = -342,
    PL_JSON_POWER_MAX = 324,
    PL_JSON_POWER_FIRST = -352, /* of the tables */
    PL_JSON_POWER_STEP = 16
};

__extension__ typedef unsigned __int128 pl_u128;

extern const uint64_t pl_json_power_rows[];  /* high and low half */
extern const uint64_t pl_json_power_fives[]; /* 5^n, highest bit set */
extern const uint32_t pl_json_power_lacks[]; /* 2 bits for each power */

/* The 128-bit mantissa of 10^q, rounded down: 10^q lies in
 * [row, row + 1) * 2^(floor(log2(10^q)) - 127). 10^0 to 10^55 are exact. */
static inline pl_u128 pl_json_power(int q)
{
    unsigned i = (unsigned)(q - PL_JSON_POWER_FIRST);
    unsigned at = i / PL_JSON_POWER_STEP, rest = i % PL_JSON_POWER_STEP;
    uint64_t five = pl_json_power_fives[rest];
    pl_u128 low = (pl_u128)pl_json_power_rows[2 * at + 1] * five;
    pl_u128 high =
        (pl_u128)pl_json_power_rows[2 * at] * five + (uint64_t)(low >> 64);
    unsigned shift = high >> 127 == 0;

    high = high << shift | (shift & (unsigned)((uint64_t)low >> 63));
    return high + (pl_json_power_lacks[at] >> 2 * rest & 3);
}

#endif
