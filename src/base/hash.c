#include "base/hash.h"

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/str.h"
#include "base/sys.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

PL_INLINE uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

PL_INLINE void mix(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

PL_INLINE void take(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

uint64_t pl_hash(struct pl_str s, struct pl_hash_key key)
{
    struct sip sip = {
        key.k0 ^ 0x736f6d6570736575u, /* "somepseudorandomlygeneratedbytes" */
        key.k1 ^ 0x646f72616e646f6du,
        key.k0 ^ 0x6c7967656e657261u,
        key.k1 ^ 0x7465646279746573u,
    };
    uint64_t word, last = (uint64_t)s.len << 56;
    size_t i;

    for (i = 0; s.len - i >= 8; i += 8) {
        memcpy(&word, s.data + i, 8);
        take(&sip, le64toh(word));
    }
    for (int shift = 0; i < s.len; i++, shift += 8)
        last |= (uint64_t)(unsigned char)s.data[i] << shift;
    take(&sip, last);
    sip.v2 ^= 0xff;
    mix(&sip);
    mix(&sip);
    mix(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

static struct pl_hash_key of_process; /* constant once drawn */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void draw(void)
{
    pl_random(&of_process, sizeof(of_process));
}

struct pl_hash_key pl_hash_key_new(void)
{
    static atomic_size_t drawn;
    size_t n = atomic_fetch_add_explicit(&drawn, 1, memory_order_relaxed);

    pthread_once(&once, draw);
    return (struct pl_hash_key){
        of_process.k0 ^ n,
        pl_hash(pl_str((const char *)&n, sizeof(n)), of_process),
    };
}
