#!/usr/bin/env python3
"""Writes json_powers.c: the tables of json_powers.h.

The mantissa of 10^q is floor(10^q * 2^n) for the n that gives it 128 bits. A
row of each STEP-th q is kept; the others come from it by one multiplication,
which is too small by what the row was rounded down: at most 2, kept in 2 bits.
"""

import sys

FIRST, LAST, STEP = -352, 324, 16  # 10^0 is in a row, exactly


def mantissa(q):
    above, below = (10**q, 1) if q >= 0 else (1, 10**-q)
    # Enough bits for any q; what is beyond 128 is cut off.
    value = (above << 2048) // below
    return value >> (value.bit_length() - 128)


def five(n):
    """5^n as a mantissa of 64 bits, exactly."""
    return 5**n << 64 - (5**n).bit_length()


def product(row, factor):
    whole = row * factor
    return whole >> (whole.bit_length() - 128)


def hexadecimal(numbers):
    rows = [f"    0x{number:x}," for number in numbers]
    return "\n".join(rows)


def main():
    powers = range(FIRST, LAST + 1)
    rows = [mantissa(q) for q in powers[::STEP]]
    lacks = [
        mantissa(q) - product(rows[i // STEP], five(i % STEP))
        for i, q in enumerate(powers)
    ]
    assert min(lacks) >= 0 and max(lacks) <= 3
    packed = [
        sum(lack << 2 * bit for bit, lack in enumerate(lacks[i : i + STEP]))
        for i in range(0, len(lacks), STEP)
    ]
    halves = [half for row in rows for half in (row >> 64, row & (1 << 64) - 1)]
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(f"""/* Written by src/base/json_powers.py. */
#include "base/json_powers.h"

_Static_assert(PL_JSON_POWER_FIRST == {FIRST} &&
               PL_JSON_POWER_MIN >= {FIRST} && PL_JSON_POWER_MAX <= {LAST} &&
               PL_JSON_POWER_STEP == {STEP}, "all rows");
const uint64_t pl_json_power_rows[] = {{
{hexadecimal(halves)}
}};
const uint64_t pl_json_power_fives[] = {{
{hexadecimal(five(n) for n in range(STEP))}
}};
const uint32_t pl_json_power_lacks[] = {{
{hexadecimal(packed)}
}};
""")


if __name__ == "__main__":
    main()
