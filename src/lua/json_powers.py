#!/usr/bin/env python3
"""Writes json_powers.c: the table of json_powers.h.

Row q is the 128-bit mantissa of 10^q, rounded down: 10^q lies in
[row, row + 1) * 2^(floor(log2(10^q)) - 127). Rows 0 to 55 are exact.
"""

import sys

MIN, MAX = -342, 324


def mantissa(q):
    above, below = (10**q, 1) if q >= 0 else (1, 10**-q)
    # Enough bits for any q; what is beyond 128 is cut off.
    value = (above << 2048) // below
    return value >> (value.bit_length() - 128)


def main():
    rows = []
    for q in range(MIN, MAX + 1):
        row = mantissa(q)
        rows.append("    {0x%016x, 0x%016x}, /* %d */" %
                    (row >> 64, row & (1 << 64) - 1, q))
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("/* Written by src/lua/json_powers.py. */\n"
                  "#include \"lua/json_powers.h\"\n\n"
                  "_Static_assert(PL_JSON_POWER_MIN == %d &&\n"
                  "               PL_JSON_POWER_MAX == %d, \"all rows\");\n"
                  "const struct pl_json_power pl_json_powers[] = {\n%s\n};\n" %
                  (MIN, MAX, "\n".join(rows)))


main()
