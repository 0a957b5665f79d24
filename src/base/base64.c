/* base64.c - bytes as text: base64 and hexadecimal digits (perilune.h). */
#include <perilune.h>

#include "base/str.h"

/* 6 bits to characters. */
static const char letters[2][65] = {
    [PL_BASE64_STANDARD] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        "0123456789+/",
    [PL_BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                      "0123456789-_",
};

size_t pl_base64_encode(char *out, struct pl_str bytes, enum pl_base64 form)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    const char *letter = letters[form];
    char *at = out;
    uint32_t bits;
    size_t i;

    for (i = 0; bytes.len - i >= 3; i += 3) {
        bits = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *at++ = letter[bits >> 18];
        *at++ = letter[bits >> 12 & 63];
        *at++ = letter[bits >> 6 & 63];
        *at++ = letter[bits & 63];
    }
    if (i == bytes.len)
        return (size_t)(at - out);
    bits = (uint32_t)in[i] << 16;
    if (bytes.len - i == 2)
        bits |= (uint32_t)in[i + 1] << 8;
    *at++ = letter[bits >> 18];
    *at++ = letter[bits >> 12 & 63];
    if (bytes.len - i == 2)
        *at++ = letter[bits >> 6 & 63];
    while (form == PL_BASE64_STANDARD && (at - out) % 4 != 0)
        *at++ = '=';
    return (size_t)(at - out);
}

/* Characters to 6 bits, plus 1: what is not listed is 0. */
static const unsigned char values[2][256] = {
#define COMMON                                                                 \
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, \
    20, 21, 22, 23, 24, 25, 26, ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35,    \
    36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,            \
    52, ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62
    [PL_BASE64_STANDARD] = {COMMON, ['+'] = 63, ['/'] = 64},
    [PL_BASE64_URL] = {COMMON, ['-'] = 63, ['_'] = 64},
#undef COMMON
};

/* Takes padding off; false if there is not as much as there must be. */
static bool unpad(struct pl_str *text, enum pl_base64 form)
{
    bool padded = pl_str_ends(*text, PL_STR("="));

    if ((padded || form == PL_BASE64_STANDARD) && text->len % 4 != 0)
        return false;
    for (int i = 0; i < 2 && pl_str_ends(*text, PL_STR("=")); i++)
        text->len--;
    return text->len % 4 != 1;
}

/* The bits of n characters; *bad collects whether any was none of ours. */
static uint32_t bits_of(const unsigned char *in, size_t n,
                        const unsigned char *value, uint32_t *bad)
{
    uint32_t bits = 0, one;

    for (size_t i = 0; i < n; i++) {
        one = (uint32_t)value[in[i]] - 1;
        *bad |= one;
        bits = bits << 6 | (one & 63);
    }
    return bits;
}

ptrdiff_t pl_base64_decode(char *out, struct pl_str text, enum pl_base64 form)
{
    const unsigned char *in = (const unsigned char *)text.data;
    uint32_t bits, bad = 0;
    char *at = out;
    size_t i, left;

    if (!unpad(&text, form))
        return PL_ERR_SYNTAX;
    for (i = 0; text.len - i >= 4; i += 4) {
        bits = bits_of(in + i, 4, values[form], &bad);
        *at++ = (char)(bits >> 16);
        *at++ = (char)(bits >> 8);
        *at++ = (char)bits;
    }
    left = text.len - i;
    if (left > 0) {
        bits = bits_of(in + i, left, values[form], &bad) << 6 * (4 - left);
        *at++ = (char)(bits >> 16);
        if (left == 3)
            *at++ = (char)(bits >> 8);
        if ((bits & (left == 3 ? 0xff : 0xffff)) != 0)
            return PL_ERR_SYNTAX; /* another spelling of the same bytes */
    }
    return bad > 63 ? PL_ERR_SYNTAX : at - out;
}

void pl_hex_encode(char *out, struct pl_str bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        *out++ = digits[(unsigned char)bytes.data[i] >> 4];
        *out++ = digits[(unsigned char)bytes.data[i] & 15];
    }
}

ptrdiff_t pl_hex_decode(char *out, struct pl_str text)
{
    uint64_t byte;

    if (text.len % 2 != 0)
        return PL_ERR_SYNTAX;
    for (size_t i = 0; i < text.len; i += 2) {
        if (!pl_str_to_u64_hex(pl_str(text.data + i, 2), &byte))
            return PL_ERR_SYNTAX;
        *out++ = (char)byte;
    }
    return (ptrdiff_t)(text.len / 2);
}
