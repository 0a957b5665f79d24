/* utf8.h - the encoding of all text: check, take apart, put together.
 *
 * Strict (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef PL_BASE_UTF8_H
#define PL_BASE_UTF8_H

#include <perilune.h>

/* A check over bytes that come in pieces; all zero at the beginning. */
struct pl_utf8 {
    uint8_t more;      /* bytes of the current character still to come */
    uint8_t low, high; /* what the next of them may be */
};

/* Checks the next piece. False: the text is not UTF-8, whatever follows. At the
 * end of the text it was complete if check->more is 0. */
bool pl_utf8_feed(struct pl_utf8 *check, struct pl_str bytes);

/* True if s is whole and valid. */
bool pl_utf8_valid(struct pl_str s);

/* The character at the front of s, which is not empty. Returns its length (1 to
 * 4), PL_ERR_AGAIN if s ends within it, or PL_ERR_SYNTAX. */
int pl_utf8_decode(struct pl_str s, uint32_t *point);

/* Writes at most 4 bytes to out. Returns how many, or 0 if point is a surrogate
 * or above U+10FFFF. */
size_t pl_utf8_encode(char *out, uint32_t point);

#endif
