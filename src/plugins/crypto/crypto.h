/* crypto.h - what the files of the plug-in share: pl.crypto on OpenSSL 3,
 * libargon2 and libcrypt.
 *
 * Functions of Lua may leave by longjmp at any call of Lua that allocates. So
 * what must be freed (contexts of OpenSSL) is either the memory of a userdata
 * with a finalizer, or is freed before Lua is called again. Secrets in memory
 * of ours are cleansed; strings of Lua cannot be. */
#ifndef PL_PLUGINS_CRYPTO_H
#define PL_PLUGINS_CRYPTO_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

#include "base/compiler.h"
#include "lua/plugin.h"

/* Outputs of derivation and other lengths that a script chooses. */
enum { PL_CRYPTO_BYTES_MAX = 64 * 1024 };

/* The functions of the program that has loaded us. */
const struct pl_lua_host *pl_crypto_host(void);

/* The hash that argument index names ("sha256"); raises an error that lists
 * them. */
const EVP_MD *pl_crypto_digest(lua_State *L, int index, const char *call);

/* return pl_crypto_failed(L, call): nil, err with the reason that OpenSSL
 * gives, which is forgotten. */
int pl_crypto_failed(lua_State *L, const char *call);

/* A copy of an argument for a job, to be cleansed and freed by
 * pl_crypto_secret_fini(). False when out of memory. */
struct pl_crypto_secret {
    char *data; /* terminated */
    size_t len;
};

bool pl_crypto_secret_copy(struct pl_crypto_secret *secret, struct pl_str from);
void pl_crypto_secret_fini(struct pl_crypto_secret *secret);

PL_INLINE const unsigned char *pl_crypto_bytes(struct pl_str s)
{
    return (const unsigned char *)s.data;
}

/* digest.c */
int pl_crypto_hash(lua_State *L);
int pl_crypto_hmac(lua_State *L);
int pl_crypto_hash_new(lua_State *L);
int pl_crypto_hmac_new(lua_State *L);
/* aead.c */
int pl_crypto_encrypt(lua_State *L);
int pl_crypto_decrypt(lua_State *L);
/* cipher.c */
int pl_crypto_cipher(lua_State *L);
/* derive.c */
int pl_crypto_hkdf(lua_State *L);
int pl_crypto_pbkdf2_job(lua_State *L);
int pl_crypto_scrypt_job(lua_State *L);
/* key.c, sign.c */
int pl_crypto_key(lua_State *L);
int pl_crypto_generate(lua_State *L);
int pl_crypto_generate_job(lua_State *L);
int pl_crypto_sign(lua_State *L);
int pl_crypto_verify(lua_State *L);

/* The key at index; raises. */
EVP_PKEY *pl_crypto_check_key(lua_State *L, int index, const char *call);

/* password.c */
int pl_crypto_argon2_job(lua_State *L);
int pl_crypto_verify_job(lua_State *L);

#endif
