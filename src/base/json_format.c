/* json_format.c - the writing half of json_number.h.
 *
 * Schubfach ("The Schubfach way to render doubles", R. Giulietti): of all
 * decimals that round to v, some have the fewest digits; take the one nearest
 * to v. With k so that 10^k <= the width of v's rounding interval < 10^(k+1),
 * it is enough to look at the multiples of 10^(k+1) around v (at most one lies
 * inside) and then at those of 10^k (one or two do). All comparisons are made
 * on v and its two boundaries times 4 * 10^-k, rounded to odd: the lowest bit
 * says whether something was cut off, which keeps every comparison exact. */
#include "base/json_number.h"

#include <string.h>

#include "base/str.h"
#include "base/json_powers.h"

typedef pl_u128 u128;

enum {
    EXACT_MAX = 55,      /* 5^55 < 2^128: rows up to here are not cut off */
    POSITIONAL_MAX = 21, /* digits before the point, as in JavaScript */
    POSITIONAL_MIN = -6  /* zeros behind it */
};

struct decimal {
    uint64_t digits; /* at most 17 */
    int exponent;    /* value = digits * 10^exponent */
};

/* 10^q, rounded up: the algorithm needs an upper bound, unless exact. */
static u128 power_above(int q)
{
    return pl_json_power(q) + (q < 0 || q > EXACT_MAX);
}

/* The upper third of power * c, its lowest bit set if the rest is not zero. */
static uint64_t round_to_odd(u128 power, uint64_t c)
{
    u128 low = (u128)(uint64_t)power * c;
    u128 high = (power >> 64) * c + (low >> 64);

    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The shortest decimal for c * 2^q, c > 0. at_power: c is the smallest of its
 * binade, so that the neighbour below is only half as far. */
static struct decimal shortest(uint64_t c, int q, bool at_power)
{
    bool odd = c & 1; /* boundaries belong to v only if c is even */
    /* floor(log10(2^q)), or of 3/4 * 2^q */
    int k = (q * 1262611 - (at_power ? 524031 : 0)) >> 22;
    int h = q + ((-k * 1741647) >> 19) + 1; /* floor(log2(10^-k)) */
    u128 power = power_above(-k);
    uint64_t low = round_to_odd(power, (4 * c - 2 + at_power) << h) + odd;
    uint64_t mid = round_to_odd(power, (4 * c) << h);
    uint64_t high = round_to_odd(power, (4 * c + 2) << h) - odd;
    uint64_t s = mid / 4, tens = s / 10;
    bool below, above;

    if (tens > 0) {
        below = low <= 40 * tens;
        above = 40 * tens + 40 <= high;
        if (below != above)
            return (struct decimal){tens + above, k + 1};
    }
    below = low <= 4 * s;
    above = 4 * s + 4 <= high;
    if (below == above) /* both or none: the nearer one, a tie to even */
        above = mid > 4 * s + 2 || (mid == 4 * s + 2 && (s & 1));
    return (struct decimal){s + above, k};
}

/* Binary floating point: bits of the fraction, and the exponent of its lowest
 * one in the smallest numbers. */
struct form {
    int fraction, lowest;
};

static const struct form double_form = {52, -1074}, float_form = {23, -149};

/* Of a positive number. */
static struct decimal decompose(uint64_t bits, struct form form)
{
    uint64_t one = (uint64_t)1 << form.fraction, fraction = bits & (one - 1);
    int biased = (int)(bits >> form.fraction);
    struct decimal d;

    if (biased == 0)
        d = shortest(fraction, form.lowest, false);
    else
        d = shortest(fraction | one, biased - 1 + form.lowest,
                     fraction == 0 && biased > 1);
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

static size_t format_exponent(char *out, int exponent)
{
    out[0] = 'e';
    out[1] = exponent < 0 ? '-' : '+';
    return 2 + pl_u64_format(out + 2,
                             (uint64_t)(exponent < 0 ? -exponent : exponent));
}

/* point: how many of the n digits stand before the decimal point. */
static size_t place_point(char *out, const char *digits, int n, int point)
{
    size_t len;

    if (point >= n && point <= POSITIONAL_MAX) {
        memcpy(out, digits, (size_t)n);
        memset(out + n, '0', (size_t)(point - n));
        return (size_t)point;
    }
    if (point > POSITIONAL_MAX || point <= POSITIONAL_MIN) {
        out[0] = digits[0];
        out[1] = '.';
        memcpy(out + 2, digits + 1, (size_t)n - 1);
        len = n == 1 ? 1 : (size_t)n + 1;
        return len + format_exponent(out + len, point - 1);
    }
    if (point <= 0) {
        memset(out, '0', (size_t)(2 - point));
        out[1] = '.';
        memcpy(out + 2 - point, digits, (size_t)n);
        return (size_t)(2 - point + n);
    }
    memcpy(out, digits, (size_t)point);
    out[point] = '.';
    memcpy(out + point + 1, digits + point, (size_t)(n - point));
    return (size_t)n + 1;
}

size_t pl_json_format_i64(char out[PL_JSON_NUMBER_MAX], int64_t value)
{
    if (value >= 0)
        return pl_u64_format(out, (uint64_t)value);
    out[0] = '-';
    return 1 + pl_u64_format(out + 1, -(uint64_t)value);
}

/* bits: those of the number without its sign. */
static size_t format(char *out, uint64_t bits, bool negative, struct form form)
{
    char digits[20];
    struct decimal d;
    size_t n;

    out[0] = '-';
    out += negative;
    if (bits == 0) {
        out[0] = '0';
        return 1u + negative;
    }
    d = decompose(bits, form);
    n = pl_u64_format(digits, d.digits);
    return negative + place_point(out, digits, (int)n, (int)n + d.exponent);
}

size_t pl_json_format_double(char out[PL_JSON_NUMBER_MAX], double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    if (value >= -0x1p53 && value <= 0x1p53 &&
        value == (double)(int64_t)value && bits != (uint64_t)1 << 63)
        return pl_json_format_i64(out, (int64_t)value);
    return format(out, bits & ~((uint64_t)1 << 63), bits >> 63, double_form);
}

size_t pl_json_format_float(char out[PL_JSON_NUMBER_MAX], float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return format(out, bits & ~((uint32_t)1 << 31), bits >> 31, float_form);
}
