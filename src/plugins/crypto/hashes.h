/* hashes.h - hashes of passwords, as they are in databases and files: which
 * kinds are known, and whether one was made of a password. Shared by the
 * plug-ins crypto and auth; knows neither of them, nor Lua. */
#ifndef PL_PLUGINS_HASHES_H
#define PL_PLUGINS_HASHES_H

#include <perilune.h>

enum {
    PL_HASH_MEMORY_MAX = 1 << 20, /* KiB, of Argon2 */
    PL_HASH_ITERATIONS_MAX = 100,
    PL_HASH_LANES_MAX = 16,
};

/* Argon2, what libcrypt knows ($2y$, $y$, $5$, $6$, ...), and what htpasswd has
 * made in the past: $apr1$, {SHA}. */
bool pl_password_is_hash(const char *hash);

/* 1: it was, 0: it was not; PL_ERR_UNSUPPORTED (no hash that is known),
 * PL_ERR_SYNTAX, PL_ERR_LIMIT (too expensive) or PL_ERR_NOMEM. Takes long; any
 * thread. password is followed by a NUL. */
int pl_password_verify(struct pl_str password, const char *hash);

#endif
