#include "base/md5.h"

#include <endian.h>
#include <string.h>

#include "base/compiler.h"

enum { BLOCK = 64, LENGTH_AT = 56 };

static inline uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static inline uint32_t load(const char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

/* floor(2^32 * |sin(t + 1)|) */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
    0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
    0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

/* The four words that each step turns around. */
struct sums {
    uint32_t a, b, c, d;
};

static inline void step(struct sums *s, uint32_t f, uint32_t word, int t,
                        const int turns[4])
{
    uint32_t turned = rotate(s->a + f + word + sines[t], turns[t & 3]);

    s->a = s->d;
    s->d = s->c;
    s->c = s->b;
    s->b += turned;
}

static void take_block(struct sums *sums, const char *block)
{
    static const int turns[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    struct sums s = *sums;
    uint32_t w[16];

    for (int i = 0; i < 16; i++)
        w[i] = load(block + 4 * i);
    for (int t = 0; t < 16; t++)
        step(&s, s.d ^ (s.b & (s.c ^ s.d)), w[t], t, turns[0]);
    for (int t = 16; t < 32; t++)
        step(&s, s.c ^ (s.d & (s.b ^ s.c)), w[(5 * t + 1) & 15], t, turns[1]);
    for (int t = 32; t < 48; t++)
        step(&s, s.b ^ s.c ^ s.d, w[(3 * t + 5) & 15], t, turns[2]);
    for (int t = 48; t < 64; t++)
        step(&s, s.c ^ (s.b | ~s.d), w[7 * t & 15], t, turns[3]);
    sums->a += s.a;
    sums->b += s.b;
    sums->c += s.c;
    sums->d += s.d;
}

void pl_md5(unsigned char out[PL_MD5_SIZE], struct pl_str text)
{
    struct sums sums = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    char last[2 * BLOCK] = {0};
    size_t rest = text.len % BLOCK;
    size_t size = rest < LENGTH_AT ? BLOCK : 2 * BLOCK;
    uint64_t bits = htole64((uint64_t)text.len * 8);
    uint32_t words[4];

    for (size_t at = 0; at + BLOCK <= text.len; at += BLOCK)
        take_block(&sums, text.data + at);
    if (rest > 0)
        memcpy(last, text.data + text.len - rest, rest);
    last[rest] = (char)0x80;
    memcpy(last + size - sizeof(bits), &bits, sizeof(bits));
    for (size_t at = 0; at < size; at += BLOCK)
        take_block(&sums, last + at);
    words[0] = htole32(sums.a);
    words[1] = htole32(sums.b);
    words[2] = htole32(sums.c);
    words[3] = htole32(sums.d);
    memcpy(out, words, PL_MD5_SIZE);
}
