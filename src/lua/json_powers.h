/* json_powers.h - the powers of ten that numbers are multiplied by, both ways.
 *
 * Row q - PL_JSON_POWER_MIN is the 128-bit mantissa of 10^q, rounded down: 10^q
 * lies in [row, row + 1) * 2^(floor(log2(10^q)) - 127). Rows 0 to 55 are exact.
 * Reading needs -342 (19 digits at the edge of the smallest double) to 308,
 * writing -292 to 324. json_powers.py makes the table at build time. */
#ifndef PL_LUA_JSON_POWERS_H
#define PL_LUA_JSON_POWERS_H

#include <stdint.h>

enum { PL_JSON_POWER_MIN = -342, PL_JSON_POWER_MAX = 324 };

struct pl_json_power {
    uint64_t high, low;
};

extern const struct pl_json_power
    pl_json_powers[PL_JSON_POWER_MAX - PL_JSON_POWER_MIN + 1];

#endif
