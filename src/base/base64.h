/* base64.h - bytes as text: base64 and hexadecimal (RFC 4648).
 *
 * Decoding is strict, so that a value has one spelling: no white space, nothing
 * after the padding, and the bits that no byte uses are 0. */
#ifndef PL_BASE_BASE64_H
#define PL_BASE_BASE64_H

#include <perilune.h>

#include "base/compiler.h"

/* STANDARD is padded with '='. URL uses '-' and '_' instead of '+' and '/'; it
 * is written without padding and read with or without. */
enum pl_base64 { PL_BASE64_STANDARD, PL_BASE64_URL };

/* The size of the buffer that n bytes need as text, or that n characters of
 * text need as bytes. */
PL_INLINE size_t pl_base64_room(size_t n)
{
    return n / 3 * 4 + (n % 3 != 0) * 4;
}

PL_INLINE size_t pl_base64_decoded_room(size_t n)
{
    return n / 4 * 3 + n % 4 * 3 / 4;
}

/* Returns the length of the text; out is not terminated. */
size_t pl_base64_encode(char *out, struct pl_str bytes, enum pl_base64 form);

/* Returns how many bytes there are, or PL_ERR_SYNTAX. out may be text.data. */
ptrdiff_t pl_base64_decode(char *out, struct pl_str text, enum pl_base64 form);

/* Writes 2 * bytes.len lower-case digits. */
void pl_hex_encode(char *out, struct pl_str bytes);

/* The same for digits in either case: n characters are n / 2 bytes. */
ptrdiff_t pl_hex_decode(char *out, struct pl_str text);

#endif
