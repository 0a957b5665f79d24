/* str.h - work on struct pl_str: compare, search, split, convert.
 *
 * All functions borrow. Case-insensitive means ASCII; locale never matters. */
#ifndef PL_BASE_STR_H
#define PL_BASE_STR_H

#include <perilune.h>
#include <string.h>

#include "base/compiler.h"

PL_INLINE struct pl_str pl_str(const char *data, size_t len)
{
    return (struct pl_str){data, len};
}

PL_INLINE unsigned char pl_ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

PL_INLINE bool pl_ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Without the first n bytes (all of it when n is larger). */
PL_INLINE struct pl_str pl_str_skip(struct pl_str s, size_t n)
{
    n = PL_MIN(n, s.len);
    if (n == 0)
        return s; /* also because NULL + 0 is undefined */
    return (struct pl_str){s.data + n, s.len - n};
}

PL_INLINE struct pl_str pl_str_first(struct pl_str s, size_t n)
{
    return (struct pl_str){s.data, PL_MIN(n, s.len)};
}

/* Of texts that may be absent (NULL), which is not the same as empty. */
PL_INLINE bool pl_text_eq(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool pl_str_ieq(struct pl_str a, struct pl_str b);
bool pl_str_starts(struct pl_str s, struct pl_str prefix);
bool pl_str_istarts(struct pl_str s, struct pl_str prefix);
bool pl_str_ends(struct pl_str s, struct pl_str suffix);
int pl_str_cmp(struct pl_str a, struct pl_str b); /* as memcmp, shorter first */

/* The place of the first c or of needle, or -1. */
ptrdiff_t pl_str_chr(struct pl_str s, char c);
ptrdiff_t pl_str_rchr(struct pl_str s, char c);
ptrdiff_t pl_str_find(struct pl_str s, struct pl_str needle);

/* Without spaces and tabs at both ends (the OWS of RFC 9110, 5.6.3). */
struct pl_str pl_str_trim(struct pl_str s);

/* Takes the part up to sep off the front of *rest into *part. False when *rest
 * was absent; after the last part *rest is absent. "a,,b" gives three parts. */
bool pl_str_split(struct pl_str *rest, char sep, struct pl_str *part);

/* As pl_str_to_u64(), of hexadecimal digits in any case. */
bool pl_str_to_u64_hex(struct pl_str s, uint64_t *out);

/* "10", "8k", "1m", "2g" (1024 each) to bytes; "500ms", "10s", "5m", "2h", "1d"
 * to milliseconds (a bare number is seconds, fractions allowed: "1.5"). */
bool pl_str_to_size(struct pl_str s, uint64_t *out);
bool pl_str_to_ms(struct pl_str s, uint64_t *out);

/* Writes value in decimal to out (20 bytes are enough); returns the length. */
size_t pl_u64_format(char *out, uint64_t value);

/* FNV-1a folded with a seed: for keys that nobody chooses with intent. A peer
 * can make these collide whatever the seed is; see hash.h. */
uint32_t pl_str_hash(struct pl_str s, uint32_t seed);

/* Lower-cases src into dst (which may be src.data); dst has src.len bytes. */
void pl_str_lower(char *dst, struct pl_str src);

#endif
