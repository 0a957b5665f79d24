#include "http/etag.h"

#include "base/str.h"

/* A finaliser: every bit of x moves about half of the bits that come out. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    return x ^ x >> 32;
}

/* Lower-case hexadecimal without leading zeros; returns the length. */
static size_t put_hex(char *out, uint64_t value)
{
    size_t len = value == 0 ? 1 : (67 - (size_t)__builtin_clzll(value)) / 4;

    for (size_t i = len; i > 0; i--, value >>= 4)
        out[i - 1] = "0123456789abcdef"[value & 15];
    return len;
}

size_t pl_etag_make(char *out, uint64_t size, int64_t mtime_ns, uint64_t inode,
                    bool weak)
{
    char *at = out;

    if (weak) {
        *at++ = 'W';
        *at++ = '/';
    }
    *at++ = '"';
    at += put_hex(at, mix((uint64_t)mtime_ns + mix(inode)));
    *at++ = '-';
    at += put_hex(at, size);
    *at++ = '"';
    return (size_t)(at - out);
}

/* etagc = 0x21, 0x23-0x7e, obs-text */
static bool is_etagc(unsigned char c)
{
    return c > ' ' && c != '"' && c != 0x7f;
}

/* The length of the tag that s begins with, or 0. */
static size_t tag_len(struct pl_str s)
{
    size_t at = pl_str_starts(s, PL_STR("W/")) ? 2 : 0;

    if (at == s.len || s.data[at] != '"')
        return 0;
    do
        at++;
    while (at < s.len && is_etagc((unsigned char)s.data[at]));
    return at < s.len && s.data[at] == '"' ? at + 1 : 0;
}

bool pl_etag_valid(struct pl_str etag)
{
    return etag.len > 0 && tag_len(etag) == etag.len;
}

/* Is c what may stand between the elements of a list? */
static bool is_between(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

bool pl_etag_next(struct pl_str *rest, struct pl_str *etag)
{
    struct pl_str s = *rest;
    size_t len;

    while (s.len > 0 && is_between(s.data[0]))
        s = pl_str_skip(s, 1);
    len = tag_len(s);
    if (len == 0 || (len < s.len && !is_between(s.data[len]))) {
        rest->len = 0;
        return false;
    }
    *etag = pl_str_first(s, len);
    *rest = pl_str_skip(s, len);
    return true;
}

static bool is_weak(struct pl_str etag)
{
    return pl_str_starts(etag, PL_STR("W/"));
}

bool pl_etag_matches_strong(struct pl_str a, struct pl_str b)
{
    return a.len > 0 && !is_weak(a) && pl_str_eq(a, b);
}

bool pl_etag_matches_weak(struct pl_str a, struct pl_str b)
{
    a = is_weak(a) ? pl_str_skip(a, 2) : a;
    b = is_weak(b) ? pl_str_skip(b, 2) : b;
    return a.len > 0 && pl_str_eq(a, b);
}
