#include "base/str.h"

bool pl_equal(struct pl_str a, struct pl_str b)
{
    volatile unsigned char differ = 0; /* or the compiler could stop early */

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        differ |= (unsigned char)(a.data[i] ^ b.data[i]);
    return differ == 0;
}

bool pl_str_ieq(struct pl_str a, struct pl_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (pl_ascii_lower((unsigned char)a.data[i]) !=
            pl_ascii_lower((unsigned char)b.data[i]))
            return false;
    return true;
}

bool pl_str_starts(struct pl_str s, struct pl_str prefix)
{
    return s.len >= prefix.len &&
           pl_str_eq(pl_str_first(s, prefix.len), prefix);
}

bool pl_str_istarts(struct pl_str s, struct pl_str prefix)
{
    return s.len >= prefix.len &&
           pl_str_ieq(pl_str_first(s, prefix.len), prefix);
}

bool pl_str_ends(struct pl_str s, struct pl_str suffix)
{
    return s.len >= suffix.len &&
           pl_str_eq(pl_str_skip(s, s.len - suffix.len), suffix);
}

int pl_str_cmp(struct pl_str a, struct pl_str b)
{
    size_t n = PL_MIN(a.len, b.len);
    int order = n == 0 ? 0 : memcmp(a.data, b.data, n);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static inline ptrdiff_t find_char(struct pl_str s, char c)
{
    const char *at = s.len == 0 ? NULL : memchr(s.data, c, s.len);

    return at == NULL ? -1 : at - s.data;
}

ptrdiff_t pl_str_chr(struct pl_str s, char c)
{
    return find_char(s, c);
}

ptrdiff_t pl_str_rchr(struct pl_str s, char c)
{
    const char *at = s.len == 0 ? NULL : memrchr(s.data, c, s.len);

    return at == NULL ? -1 : at - s.data;
}

ptrdiff_t pl_str_find(struct pl_str s, struct pl_str needle)
{
    const char *at;

    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;
    at = memmem(s.data, s.len, needle.data, needle.len);
    return at == NULL ? -1 : at - s.data;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct pl_str pl_str_trim(struct pl_str s)
{
    while (s.len > 0 && is_ows(s.data[0]))
        s = pl_str_skip(s, 1);
    while (s.len > 0 && is_ows(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool pl_str_split(struct pl_str *rest, char sep, struct pl_str *part)
{
    ptrdiff_t at;

    if (rest->data == NULL)
        return false;
    at = find_char(*rest, sep);
    if (at < 0) {
        *part = *rest;
        *rest = (struct pl_str){NULL, 0};
    } else {
        *part = pl_str_first(*rest, (size_t)at);
        *rest = pl_str_skip(*rest, (size_t)at + 1);
    }
    return true;
}

bool pl_str_to_u64(struct pl_str s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.data[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool pl_str_to_u64_hex(struct pl_str s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = pl_ascii_lower((unsigned char)s.data[i]);
        unsigned digit = c >= 'a' && c <= 'f' ? c - 'a' + 10u : c - 0x30u;

        if (digit > 15 || (c > '9' && c < 'a') || value >> 60 != 0)
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

/* A suffix and what one of it is worth. */
struct unit {
    struct pl_str name;
    uint64_t worth;
};

/* "DIGITS[.DIGITS]", the fraction in *part / *scale. Three decimals count. */
static bool to_decimal(struct pl_str s, uint64_t *whole, uint64_t *part,
                       uint64_t *scale)
{
    struct pl_str digits;

    *part = 0;
    *scale = 1;
    if (!pl_str_split(&s, '.', &digits) || !pl_str_to_u64(digits, whole))
        return false;
    if (s.data == NULL)
        return true;
    if (s.len == 0 || pl_str_chr(s, '.') >= 0)
        return false;
    s = pl_str_first(s, 3);
    for (size_t i = 0; i < s.len; i++)
        *scale *= 10;
    return pl_str_to_u64(s, part);
}

/* A decimal and a unit of the table; the first is that of a bare number. */
PL_COLD static bool to_units(struct pl_str s, const struct unit *units,
                             size_t n, uint64_t *out)
{
    uint64_t whole, part, scale, value;
    struct pl_str name;
    size_t end = 0, i = 0;

    while (end < s.len && (pl_ascii_digit(s.data[end]) || s.data[end] == '.'))
        end++;
    if (!to_decimal(pl_str_first(s, end), &whole, &part, &scale))
        return false;
    name = pl_str_skip(s, end);
    while (name.len > 0 && i < n && !pl_str_ieq(name, units[i].name))
        i++;
    if (i == n || __builtin_mul_overflow(whole, units[i].worth, &value) ||
        __builtin_add_overflow(value, part * units[i].worth / scale, &value))
        return false;
    *out = value;
    return true;
}

bool pl_str_to_size(struct pl_str s, uint64_t *out)
{
    static const struct unit units[] = {
        {PL_STR("b"), 1},         {PL_STR("k"), 1024},
        {PL_STR("kb"), 1024},     {PL_STR("kib"), 1024},
        {PL_STR("m"), 1 << 20},   {PL_STR("mb"), 1 << 20},
        {PL_STR("mib"), 1 << 20}, {PL_STR("g"), 1 << 30},
        {PL_STR("gb"), 1 << 30},  {PL_STR("gib"), 1 << 30},
    };

    return to_units(s, units, PL_COUNT(units), out);
}

bool pl_str_to_ms(struct pl_str s, uint64_t *out)
{
    static const struct unit units[] = {
        {PL_STR("s"), 1000},    {PL_STR("ms"), 1},      {PL_STR("m"), 60000},
        {PL_STR("min"), 60000}, {PL_STR("h"), 3600000}, {PL_STR("d"), 86400000},
    };

    return to_units(s, units, PL_COUNT(units), out);
}

static size_t count_digits(uint64_t value)
{
    size_t n = 1;

    for (; value >= 10000; value /= 10000)
        n += 4;
    return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* Two digits a step: half the divisions, which are what takes the time. */
size_t pl_u64_format(char *out, uint64_t value)
{
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";
    size_t n = count_digits(value), at = n;

    for (; value >= 10; value /= 100)
        memcpy(out + (at -= 2), pairs + value % 100 * 2, 2);
    if (at > 0)
        out[0] = (char)('0' + value);
    return n;
}

uint32_t pl_str_hash(struct pl_str s, uint32_t seed)
{
    uint32_t hash = 2166136261u ^ seed;

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

void pl_str_lower(char *dst, struct pl_str src)
{
    for (size_t i = 0; i < src.len; i++)
        dst[i] = (char)pl_ascii_lower((unsigned char)src.data[i]);
}
