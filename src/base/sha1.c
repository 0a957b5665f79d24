#include "base/sha1.h"

#include "base/check.h"

enum { BLOCK = 64, LENGTH_AT = 56 };

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t load(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

static void store(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static uint32_t choose(int t, uint32_t b, uint32_t c, uint32_t d)
{
    static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc,
                                 0xca62c1d6};
    uint32_t f = t < 20              ? (b & c) | (~b & d)
                 : t >= 40 && t < 60 ? (b & c) | (b & d) | (c & d)
                                     : b ^ c ^ d;

    return f + k[t / 20];
}

static void take_block(uint32_t state[5], const unsigned char *block)
{
    uint32_t w[80], s[5];

    memcpy(s, state, sizeof(s));
    for (int t = 0; t < 80; t++) {
        uint32_t next;

        w[t] = t < 16 ? load(block + 4 * t)
                      : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        next = rotate(s[0], 5) + choose(t, s[1], s[2], s[3]) + s[4] + w[t];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rotate(s[1], 30);
        s[1] = s[0];
        s[0] = next;
    }
    for (int i = 0; i < 5; i++)
        state[i] += s[i];
}

void pl_sha1(unsigned char out[PL_SHA1_SIZE], struct pl_str text)
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                         0xc3d2e1f0};
    unsigned char blocks[2 * BLOCK] = {0};
    size_t size = text.len < LENGTH_AT ? BLOCK : 2 * BLOCK;

    PL_ASSERT(text.len <= PL_SHA1_MAX);
    if (text.len > 0)
        memcpy(blocks, text.data, text.len);
    blocks[text.len] = 0x80;
    store(blocks + size - 4, (uint32_t)text.len * 8);
    for (size_t at = 0; at < size; at += BLOCK)
        take_block(state, blocks + at);
    for (int i = 0; i < 5; i++)
        store(out + 4 * i, state[i]);
}
