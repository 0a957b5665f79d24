/* json_number.c - the reading half of json_number.h.
 *
 *     text --scan()--> digits, exponent --+--> integer, or a product that a
 *                                         |    double holds exactly (Clinger)
 *                                         +--> 64 x 128 bit product: decides
 *                                         |    unless next to a half
 *                                         +--> exact comparison with the half
 *
 * Every step gives the correctly rounded result or passes on. */
#include "base/json_number.h"

#include <string.h>

#include <perilune.h>

#include "base/check.h"
#include "base/json_powers.h"

typedef pl_u128 u128;

#define INFINITE ((uint64_t)0x7ff << 52) /* the bits of infinity */

/* An exponent beyond this gives 0 or too large, whatever the digits are. */
#define EXPONENT_MAX ((int64_t)1 << 50)

enum {
    DIGITS_MAX = 19,       /* decimal digits that 64 bits always hold */
    DIGITS_DECIDING = 768, /* a half between two doubles has at most 767 */
    LIMBS = 48             /* 3072 bits; 2600 are needed, see compare_half */
};

/* A number's text taken apart. value = w * 10^q, plus less than 10^q if some
 * digits were left out. */
struct scan {
    const char *digits, *end; /* first significant digit; after the last */
    uint64_t w;
    int64_t q;
    int64_t point; /* value = 0.DIGITS * 10^point */
    bool negative, real, cut;
};

/* ---- exact arithmetic, for the rare number next to a half ---- */

struct big {
    uint64_t limb[LIMBS];
    int n;
};

/* big = big * factor + more */
static void big_mul(struct big *big, uint64_t factor, uint64_t more)
{
    for (int i = 0; i < big->n; i++) {
        u128 t = (u128)big->limb[i] * factor + more;

        big->limb[i] = (uint64_t)t;
        more = (uint64_t)(t >> 64);
    }
    if (more != 0) {
        PL_ASSERT(big->n < LIMBS);
        big->limb[big->n++] = more;
    }
}

static void big_mul_pow5(struct big *big, int n)
{
    static const uint64_t pow5_27 = 7450580596923828125u;

    for (; n >= 27; n -= 27)
        big_mul(big, pow5_27, 0);
    for (; n > 0; n--)
        big_mul(big, 5, 0);
}

static void big_shift(struct big *big, int n)
{
    int limbs = n / 64;

    big_mul(big, (uint64_t)1 << n % 64, 0);
    PL_ASSERT(big->n + limbs <= LIMBS);
    memmove(big->limb + limbs, big->limb, (size_t)big->n * 8);
    memset(big->limb, 0, (size_t)limbs * 8);
    big->n += limbs;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* The significant digits as an integer; *n says how many. Digits that cannot
 * decide are left out; returns whether one of them is not zero. */
static bool big_from_digits(struct big *big, const struct scan *scan, int *n)
{
    bool more = false;

    *n = 0;
    big->n = 0;
    for (const char *p = scan->digits; p < scan->end; p++) {
        if (*p == '.')
            continue;
        if (*n < DIGITS_DECIDING) {
            big_mul(big, 10, (uint64_t)(*p - '0'));
            ++*n;
        } else {
            more |= *p != '0';
        }
    }
    return more;
}

/* Compares the number with (m + 1/2) * 2^x, which is known to be its immediate
 * neighbour. So both sides have about the same size, at most that of 54 bits
 * times 5^1092: 2590 bits. */
PL_COLD static int compare_half(const struct scan *scan, uint64_t m, int x)
{
    struct big text, half = {{2 * m + 1}, 1};
    int n, exponent, shift, order;
    bool more = big_from_digits(&text, scan, &n);

    exponent = (int)scan->point - n; /* text * 10^exponent */
    big_mul_pow5(exponent > 0 ? &text : &half,
                 exponent > 0 ? exponent : -exponent);
    shift = exponent - (x - 1);
    big_shift(shift > 0 ? &text : &half, shift > 0 ? shift : -shift);
    order = big_compare(&text, &half);
    return order == 0 ? more : order;
}

/* ---- rounding ---- */

/* m, or m + 1 if the number is above m and a half. */
static uint64_t round_half(const struct scan *scan, uint64_t m, int x)
{
    int order = compare_half(scan, m, x);

    return m + (order > 0 || (order == 0 && (m & 1)));
}

/* The bits of the double nearest to scan's number (without its sign); beyond
 * the largest one they are those of infinity. w > 0.
 *
 * The product of w (64 bits, shifted up) and the row of 10^q (128 bits) is
 * known to lie in [product, product + error]: the row is rounded down, the
 * lower 64 bits are dropped, and w may have been cut. */
static uint64_t round_product(const struct scan *scan)
{
    u128 power = pl_json_power((int)scan->q);
    uint64_t top = (uint64_t)(power >> 64);
    int zeros = __builtin_clzll(scan->w), exponent, shift;
    uint64_t w = scan->w << zeros, m;
    u128 low = (u128)w * (uint64_t)power;
    u128 product = (u128)w * top + (low >> 64);
    u128 error = 2, rest, half;

    if (scan->cut)
        error += ((u128)top + 1) << zeros;
    /* floor(log2(10^q)) + that of w; the product has 127 or 128 bits. */
    exponent =
        (((int)scan->q * 1741647) >> 19) + 63 - zeros + (int)(product >> 127);
    shift = 74 + (int)(product >> 127); /* leaves the 53 bits of a double */
    if (exponent > 1023)
        return INFINITE;
    if (exponent < -1076)
        return 0;
    if (exponent < -1022) { /* subnormal: fewer */
        shift += -1022 - exponent;
        exponent = -1022;
    }
    product >>= 2; /* keeps shift below 128, and product + error too */
    error = (error >> 2) + 2;
    shift -= 2;
    m = (uint64_t)(product >> shift);
    half = (u128)1 << (shift - 1);
    rest = product & (2 * half - 1);
    if (rest > half)
        m++;
    else if (rest + error >= half)
        m = round_half(scan, m, exponent - 52);
    /* The bit above the fraction, if set, is the exponent's first one. */
    return ((uint64_t)(exponent + 1022) << 52) + m;
}

static const double exact_powers[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double to_double(const struct scan *scan)
{
    uint64_t bits;
    double value;
    int q;

    if (scan->w == 0 || scan->q < PL_JSON_POWER_MIN)
        return 0;
    if (scan->q > 308)
        return __builtin_inf();
    q = (int)scan->q;
    if (!scan->cut && q == 0)
        return (double)scan->w;
    if (!scan->cut && scan->w <= (uint64_t)1 << 53 && q >= -22 && q <= 22)
        return q < 0 ? (double)scan->w / exact_powers[-q]
                     : (double)scan->w * exact_powers[q];
    bits = round_product(scan);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* ---- text ---- */

static bool is_digit(const char *at, const char *end)
{
    return at < end && (unsigned char)(*at - '0') < 10;
}

/* More digits than w holds: takes the first significant ones again. */
static void scan_long(struct scan *scan)
{
    const char *p = scan->digits;
    int n = 0;

    while (p < scan->end && (*p == '0' || *p == '.'))
        p++;
    scan->digits = p;
    scan->point = scan->q;
    scan->w = 0;
    for (; p < scan->end; p++) {
        if (*p == '.')
            continue;
        scan->point++;
        if (n == DIGITS_MAX) {
            scan->cut = true;
            continue;
        }
        scan->w = scan->w * 10 + (uint64_t)(*p - '0');
        n++;
    }
    scan->q = scan->point - n;
}

/* Both return where they stopped, having read at least one digit, or say
 * what is wrong there. */
static const char *scan_digits(const char *p, const char *end,
                               struct scan *scan, const char **what)
{
    if (!is_digit(p, end))
        *what = "malformed number: a digit is missing";
    for (; is_digit(p, end); p++)
        scan->w = scan->w * 10 + (uint64_t)(*p - '0');
    return p;
}

static const char *scan_exponent(const char *p, const char *end,
                                 struct scan *scan, const char **what)
{
    bool negative = p < end && *p == '-';
    int64_t exponent = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (!is_digit(p, end))
        *what = "malformed number: a digit is missing";
    for (; is_digit(p, end); p++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*p - '0');
    scan->q += negative ? -exponent : exponent;
    return p;
}

/* number = [ "-" ] int [ frac ] [ exp ] (RFC 8259, 6) */
static const char *scan_number(const char *p, const char *end,
                               struct scan *scan, const char **what)
{
    const char *point;
    ptrdiff_t n;

    if (p < end && *p == '-') {
        scan->negative = true;
        p++;
    }
    scan->digits = p;
    p = scan_digits(p, end, scan, what);
    n = p - scan->digits;
    if (n > 1 && *scan->digits == '0') {
        *what = "malformed number: leading zero";
        return scan->digits;
    }
    if (*what == NULL && p < end && *p == '.') {
        scan->real = true;
        point = ++p;
        p = scan_digits(p, end, scan, what);
        scan->q = point - p;
        n += p - point;
    }
    scan->end = p;
    if (*what == NULL && p < end && (*p | 0x20) == 'e') {
        scan->real = true;
        p = scan_exponent(p + 1, end, scan, what);
    }
    scan->point = scan->q + n;
    if (n > DIGITS_MAX)
        scan_long(scan);
    return p;
}

int pl_json_parse_number(const char **at, const char *end,
                         struct pl_json_number *out, const char **what)
{
    struct scan scan = {0};
    const char *begin = *at, *fault = NULL;

    *at = scan_number(begin, end, &scan, &fault);
    if (fault != NULL) {
        *what = fault;
        return PL_ERR_PROTO;
    }
    if (!scan.real && !scan.cut && scan.q == 0 &&
        scan.w <= (uint64_t)INT64_MAX + scan.negative &&
        !(scan.negative && scan.w == 0)) {
        out->kind = PL_JSON_INTEGER;
        out->integer =
            (int64_t)(scan.negative ? -scan.w : scan.w); /* -2^63 fits */
        return 0;
    }
    out->kind = scan.real || scan.w == 0 ? PL_JSON_REAL : PL_JSON_BIG;
    out->value = to_double(&scan);
    if (out->value == __builtin_inf()) {
        *at = begin;
        *what = "number too large";
        return PL_ERR_PROTO;
    }
    if (scan.negative)
        out->value = -out->value;
    return 0;
}
