/* hash.h - a keyed hash: who does not know the key cannot make keys collide.
 *
 * SipHash-1-3 (Aumasson and Bernstein, 2012, with fewer rounds): the hash of
 * tables in CPython, Ruby and Rust. Not for signatures. */
#ifndef PL_BASE_HASH_H
#define PL_BASE_HASH_H

#include <perilune.h>

struct pl_hash_key {
    uint64_t k0, k1;
};

uint64_t pl_hash(struct pl_str s, struct pl_hash_key key);

/* A key of the caller's own: derived from random bits that the process draws
 * once, and different each time, so that filling one table in the order of
 * another is not quadratic. Any thread. */
struct pl_hash_key pl_hash_key_new(void);

#endif
