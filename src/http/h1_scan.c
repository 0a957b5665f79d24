/* h1_scan.c - the scanners: one mask of "does not belong" per block of bytes.
 *
 * A version is three functions that make such a mask, and one that walks over
 * the blocks. What is left at the end is covered by a last block that ends at
 * len and begins before from: the bits of bytes that were seen are shifted
 * out. So nothing beyond len is read. What is shorter than the smallest block
 * is looked at byte by byte, or put together (short_block()). */
#include "http/h1_scan.h"

#include <stdint.h>
#include <string.h>

#include "http/chars.h"

#if defined(__SSE2__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

PL_INLINE size_t scalar_scan(const char *bytes, size_t from, size_t len,
                             enum pl_char_set set)
{
    while (from < len && pl_char_is(bytes[from], set))
        from++;
    return from;
}

static size_t scalar_target(const char *bytes, size_t from, size_t len)
{
    return scalar_scan(bytes, from, len, PL_CHAR_TARGET);
}

static size_t scalar_token(const char *bytes, size_t from, size_t len)
{
    return scalar_scan(bytes, from, len, PL_CHAR_TOKEN);
}

static size_t scalar_value(const char *bytes, size_t from, size_t len)
{
    return scalar_scan(bytes, from, len, PL_CHAR_VALUE);
}

const struct pl_h1_scanner pl_h1_scan_scalar = {"scalar", scalar_target,
                                                scalar_token, scalar_value};

/* Which characters are a token's: bit r of columns[c] is that of 0xrc, and
 * rows[r] has bit r, or none for bytes from 0x80 upwards. */
PL_UNUSED static const uint8_t columns[16] = {
    0xe8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc,
    0xf8, 0xf8, 0xf4, 0x54, 0xd0, 0x54, 0xf4, 0x70};
PL_UNUSED static const uint8_t rows[16] = {1, 2, 4, 8, 16, 32, 64, 128};

#if defined(__SSE2__)

enum { SSE2 = 16 };

/* Bit i is set if byte i does not belong. */
typedef unsigned sse2_mask_fn(__m128i block);

PL_INLINE uint64_t load(const char *bytes, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, bytes, len);
    return word;
}

/* The len (1 to 15) bytes, with zeroes behind them. */
static __m128i short_block(const char *bytes, size_t len)
{
    uint64_t low, high = 0;

    if (len > 8) {
        low = load(bytes, 8);
        high = load(bytes + len - 8, 8) >> 8 * (SSE2 - len);
    } else if (len >= 4) {
        low = load(bytes, 4) | load(bytes + len - 4, 4) << 8 * (len - 4);
    } else {
        low = load(bytes, 1) | load(bytes + len / 2, 1) << 8 * (len / 2) |
              load(bytes + len - 1, 1) << 8 * (len - 1);
    }
    return _mm_set_epi64x((long long)high, (long long)low);
}

PL_INLINE size_t sse2_scan(const char *bytes, size_t from, size_t len,
                           sse2_mask_fn *mask)
{
    unsigned out;

    for (; len - from >= SSE2; from += SSE2) {
        out = mask(_mm_loadu_si128((const __m128i *)(bytes + from)));
        if (out != 0)
            return from + (size_t)__builtin_ctz(out);
    }
    if (from == len)
        return len;
    if (len < SSE2) /* a NUL is in no set: it stops at len */
        return from +
               (size_t)__builtin_ctz(mask(short_block(bytes, len)) >> from);
    out = mask(_mm_loadu_si128((const __m128i *)(bytes + len - SSE2)));
    out >>= from - (len - SSE2);
    return out == 0 ? len : from + (size_t)__builtin_ctz(out);
}

/* Unsigned "at most", which SSE2 lacks. */
PL_INLINE __m128i sse2_le(__m128i block, char most)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(most)), block);
}

PL_INLINE __m128i sse2_is(__m128i block, char c)
{
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(c));
}

PL_INLINE unsigned sse2_not_target(__m128i block)
{
    __m128i out = _mm_or_si128(sse2_le(block, ' '), sse2_is(block, 0x7f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(out, sse2_is(block, '#')));
}

PL_INLINE unsigned sse2_not_value(__m128i block)
{
    __m128i out = _mm_andnot_si128(sse2_is(block, '\t'), sse2_le(block, 0x1f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(out, sse2_is(block, 0x7f)));
}

/* Letters, digits and '-': all that names are usually made of. */
PL_INLINE unsigned sse2_not_usual(__m128i block)
{
    __m128i lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
    __m128i letter = sse2_le(_mm_sub_epi8(lower, _mm_set1_epi8('a')), 25);
    __m128i digit = sse2_le(_mm_sub_epi8(block, _mm_set1_epi8('0')), 9);
    __m128i in = _mm_or_si128(_mm_or_si128(letter, digit), sse2_is(block, '-'));

    return (unsigned)_mm_movemask_epi8(in) ^ 0xffff;
}

static size_t sse2_target(const char *bytes, size_t from, size_t len)
{
    return sse2_scan(bytes, from, len, sse2_not_target);
}

static size_t sse2_token(const char *bytes, size_t from, size_t len)
{
    for (;;) {
        from = sse2_scan(bytes, from, len, sse2_not_usual);
        if (from == len || !pl_char_is(bytes[from], PL_CHAR_TOKEN))
            return from;
        from++;
    }
}

static size_t sse2_value(const char *bytes, size_t from, size_t len)
{
    return sse2_scan(bytes, from, len, sse2_not_value);
}

static const struct pl_h1_scanner sse2 = {"sse2", sse2_target, sse2_token,
                                          sse2_value};

enum { AVX2 = 32 };

typedef unsigned avx2_mask_fn(__m256i block);

PL_TARGET("avx2")
PL_INLINE size_t avx2_scan(const char *bytes, size_t from, size_t len,
                           avx2_mask_fn *mask, pl_h1_scan_fn *scalar)
{
    unsigned out;

    for (; len - from >= AVX2; from += AVX2) {
        out = mask(_mm256_loadu_si256((const __m256i *)(bytes + from)));
        if (out != 0)
            return from + (size_t)__builtin_ctz(out);
    }
    if (len < AVX2 || from == len)
        return scalar(bytes, from, len);
    out = mask(_mm256_loadu_si256((const __m256i *)(bytes + len - AVX2)));
    out >>= from - (len - AVX2);
    return out == 0 ? len : from + (size_t)__builtin_ctz(out);
}

PL_TARGET("avx2") PL_INLINE __m256i avx2_le(__m256i block, char most)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(block, _mm256_set1_epi8(most)),
                             block);
}

PL_TARGET("avx2") PL_INLINE __m256i avx2_is(__m256i block, char c)
{
    return _mm256_cmpeq_epi8(block, _mm256_set1_epi8(c));
}

PL_TARGET("avx2") PL_INLINE unsigned avx2_not_target(__m256i block)
{
    __m256i out = _mm256_or_si256(avx2_le(block, ' '), avx2_is(block, 0x7f));

    return (unsigned)_mm256_movemask_epi8(
        _mm256_or_si256(out, avx2_is(block, '#')));
}

PL_TARGET("avx2") PL_INLINE unsigned avx2_not_value(__m256i block)
{
    __m256i out =
        _mm256_andnot_si256(avx2_is(block, '\t'), avx2_le(block, 0x1f));

    return (unsigned)_mm256_movemask_epi8(
        _mm256_or_si256(out, avx2_is(block, 0x7f)));
}

/* Both halves of the register hold the table of 16 bytes. */
PL_TARGET("avx2") PL_INLINE __m256i avx2_table(const uint8_t *table)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

PL_TARGET("avx2") PL_INLINE unsigned avx2_not_token(__m256i block)
{
    __m256i high =
        _mm256_and_si256(_mm256_srli_epi16(block, 4), _mm256_set1_epi8(0x0f));
    /* Whole bytes may be the index: the shuffle takes the low half of one
     * below 0x80, and gives 0 for others. */
    __m256i in =
        _mm256_and_si256(_mm256_shuffle_epi8(avx2_table(columns), block),
                         _mm256_shuffle_epi8(avx2_table(rows), high));

    return (unsigned)_mm256_movemask_epi8(
        _mm256_cmpeq_epi8(in, _mm256_setzero_si256()));
}

PL_TARGET("avx2")
static size_t avx2_target(const char *bytes, size_t from, size_t len)
{
    return avx2_scan(bytes, from, len, avx2_not_target, sse2_target);
}

PL_TARGET("avx2")
static size_t avx2_token(const char *bytes, size_t from, size_t len)
{
    return avx2_scan(bytes, from, len, avx2_not_token, sse2_token);
}

PL_TARGET("avx2")
static size_t avx2_value(const char *bytes, size_t from, size_t len)
{
    return avx2_scan(bytes, from, len, avx2_not_value, sse2_value);
}

static const struct pl_h1_scanner avx2 = {"avx2", avx2_target, avx2_token,
                                          avx2_value};

#elif defined(__aarch64__)

enum { NEON = 16 };

/* A byte is 0xff where it does not belong, else 0. */
typedef uint8x16_t neon_mask_fn(uint8x16_t block);

/* Four bits for each byte, the first byte lowest. */
PL_INLINE uint64_t neon_bits(uint8x16_t out)
{
    uint8x8_t half = vshrn_n_u16(vreinterpretq_u16_u8(out), 4);

    return vget_lane_u64(vreinterpret_u64_u8(half), 0);
}

PL_INLINE size_t neon_scan(const char *bytes, size_t from, size_t len,
                           neon_mask_fn *mask, pl_h1_scan_fn *scalar)
{
    const uint8_t *data = (const uint8_t *)bytes;
    uint64_t out;

    for (; len - from >= NEON; from += NEON) {
        out = neon_bits(mask(vld1q_u8(data + from)));
        if (out != 0)
            return from + (size_t)__builtin_ctzll(out) / 4;
    }
    if (len < NEON || from == len)
        return scalar(bytes, from, len);
    out = neon_bits(mask(vld1q_u8(data + len - NEON)));
    out >>= 4 * (from - (len - NEON));
    return out == 0 ? len : from + (size_t)__builtin_ctzll(out) / 4;
}

PL_INLINE uint8x16_t neon_not_target(uint8x16_t block)
{
    uint8x16_t out = vcleq_u8(block, vdupq_n_u8(' '));

    out = vorrq_u8(out, vceqq_u8(block, vdupq_n_u8(0x7f)));
    return vorrq_u8(out, vceqq_u8(block, vdupq_n_u8('#')));
}

PL_INLINE uint8x16_t neon_not_value(uint8x16_t block)
{
    uint8x16_t out = vbicq_u8(vcleq_u8(block, vdupq_n_u8(0x1f)),
                              vceqq_u8(block, vdupq_n_u8('\t')));

    return vorrq_u8(out, vceqq_u8(block, vdupq_n_u8(0x7f)));
}

PL_INLINE uint8x16_t neon_not_token(uint8x16_t block)
{
    uint8x16_t low = vandq_u8(block, vdupq_n_u8(0x0f));
    uint8x16_t column = vqtbl1q_u8(vld1q_u8(columns), low);
    uint8x16_t row = vqtbl1q_u8(vld1q_u8(rows), vshrq_n_u8(block, 4));

    return vceqzq_u8(vandq_u8(column, row));
}

static size_t neon_target(const char *bytes, size_t from, size_t len)
{
    return neon_scan(bytes, from, len, neon_not_target, scalar_target);
}

static size_t neon_token(const char *bytes, size_t from, size_t len)
{
    return neon_scan(bytes, from, len, neon_not_token, scalar_token);
}

static size_t neon_value(const char *bytes, size_t from, size_t len)
{
    return neon_scan(bytes, from, len, neon_not_value, scalar_value);
}

static const struct pl_h1_scanner neon = {"neon", neon_target, neon_token,
                                          neon_value};

#endif

static const struct pl_h1_scanner *usable[4]; /* fastest first, then NULL */

const struct pl_h1_scanner *pl_h1_scan = &pl_h1_scan_scalar;

const struct pl_h1_scanner *const *pl_h1_scanners(void)
{
    return usable;
}

#if defined(__SSE2__)
/* The processor has AVX2, and the kernel keeps its registers. Of what
 * __builtin_cpu_supports() finds out, in 4 KiB, this is the part we need. */
static bool has_avx2(void)
{
    const unsigned avx = bit_OSXSAVE | bit_AVX, saved = 0x6; /* SSE and AVX */
    unsigned a, b, c, d, state, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & avx) != avx)
        return false;
    __asm__("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
    return (state & saved) == saved &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2) != 0;
}
#endif

__attribute__((constructor)) static void choose(void)
{
    unsigned n = 0;

#if defined(__SSE2__)
    if (has_avx2())
        usable[n++] = &avx2;
    usable[n++] = &sse2;
#elif defined(__aarch64__)
    usable[n++] = &neon; /* every such CPU has it */
#endif
    usable[n] = &pl_h1_scan_scalar;
    pl_h1_scan = usable[0];
}
