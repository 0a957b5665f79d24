/* auth_plugin.h - what perilune-auth.so offers (base/plugin.h): the arithmetic
 * of passwords, keys and sealed texts, for rooms that know no Lua. It needs
 * nothing of its host: random bytes and memory are the caller's. All functions
 * may be called by any thread. */
#ifndef PL_BASE_AUTH_PLUGIN_H
#define PL_BASE_AUTH_PLUGIN_H

#include <perilune.h>

enum {
    PL_SEAL_KEY = 32,
    PL_SEAL_NONCE = 24, /* long enough to be drawn at random, for ever */
    PL_SEAL_TAG = 16,
    PL_MAC = 32,
    PL_PASSWORD_MAX = 4096, /* a longer one is nobody's */
    PL_PASSWORD_HASH_MAX = 512,
};

struct pl_auth_offer {
    /* Is it a hash of a password of a kind that verify() knows? */
    bool (*is_hash)(const char *hash);
    /* Was hash made of password? 1, 0; PL_ERR_UNSUPPORTED, _SYNTAX, _LIMIT (it
     * would take all memory) or _NOMEM. Takes long, on purpose. */
    int (*verify)(struct pl_str password, const char *hash);
    /* HKDF-SHA256 (RFC 5869), without a salt. 0 or PL_ERR_NOMEM. */
    int (*derive)(struct pl_str secret, struct pl_str info,
                  uint8_t out[PL_SEAL_KEY]);
    /* HMAC-SHA256 of the parts, each behind its length, so that no two lists
     * are the same text. 0 or PL_ERR_NOMEM. */
    int (*mac)(const uint8_t key[PL_SEAL_KEY], const struct pl_str *parts,
               unsigned n, uint8_t out[PL_MAC]);
    /* XAES-256-GCM (C2SP): writes text.len + PL_SEAL_TAG bytes. 0 or
     * PL_ERR_NOMEM. */
    int (*seal)(const uint8_t key[PL_SEAL_KEY],
                const uint8_t nonce[PL_SEAL_NONCE], struct pl_str aad,
                struct pl_str text, uint8_t *out);
    /* The other way round; out has sealed.len - PL_SEAL_TAG bytes. 0,
     * PL_ERR_DENIED (another key, or something was changed) or PL_ERR_NOMEM. */
    int (*unseal)(const uint8_t key[PL_SEAL_KEY],
                  const uint8_t nonce[PL_SEAL_NONCE], struct pl_str aad,
                  struct pl_str sealed, uint8_t *out);
    /* Overwrites what nobody may find later. */
    void (*forget)(void *secret, size_t len);
};

#endif
