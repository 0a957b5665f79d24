/* digest.c - hashes and HMAC (RFC 2104), whole and piece by piece. */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto.h"

/* Fetching an algorithm takes longer than hashing a few bytes: done once. */
static struct {
    const char *name, *fetched_as;
    _Atomic(EVP_MD *) md;
} digests[] = {
    {"sha256", "SHA2-256", NULL},        {"sha384", "SHA2-384", NULL},
    {"sha512", "SHA2-512", NULL},        {"sha1", "SHA1", NULL},
    {"sha3-256", "SHA3-256", NULL},      {"sha3-384", "SHA3-384", NULL},
    {"sha3-512", "SHA3-512", NULL},      {"blake2b512", "BLAKE2B-512", NULL},
    {"blake2s256", "BLAKE2S-256", NULL}, {"md5", "MD5", NULL},
};

static EVP_MD *fetch(_Atomic(EVP_MD *) *slot, const char *name)
{
    EVP_MD *md = atomic_load_explicit(slot, memory_order_acquire),
           *other = NULL;

    if (md != NULL)
        return md;
    md = EVP_MD_fetch(NULL, name, NULL);
    if (atomic_compare_exchange_strong(slot, &other, md))
        return md;
    EVP_MD_free(md);
    return other;
}

const EVP_MD *pl_crypto_digest(lua_State *L, int index, const char *call)
{
    struct pl_str name = pl_crypto_host()->arg_str(L, index, call, "the hash");
    const EVP_MD *md = NULL;

    for (size_t i = 0; i < PL_COUNT(digests); i++) {
        if (!pl_str_eq(name, pl_str_c(digests[i].name)))
            continue;
        md = fetch(&digests[i].md, digests[i].fetched_as);
        if (md == NULL) /* switched off by the system's policy */
            pl_crypto_host()->fail(L, "%s: OpenSSL has no %s here", call,
                                   name.data);
        return md;
    }
    pl_crypto_host()->fail(
        L,
        "%s: no such hash: '%s' (there are sha256, sha384, sha512, sha1, "
        "sha3-256, sha3-384, sha3-512, blake2b512, blake2s256, md5)",
        call, name.data);
    return NULL;
}

/* hash(name, data) -> bytes */
int pl_crypto_hash(lua_State *L)
{
    const EVP_MD *md = pl_crypto_digest(L, 1, "pl.crypto.hash");
    struct pl_str data =
        pl_crypto_host()->arg_str(L, 2, "pl.crypto.hash", "the data");
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!EVP_Digest(data.data, data.len, out, &len, md, NULL))
        return pl_crypto_failed(L, "pl.crypto.hash");
    lua_pushlstring(L, (char *)out, len);
    return 1;
}

/* ---- HMAC ---- */

static EVP_MAC_CTX *hmac_begin(const EVP_MD *md, struct pl_str key)
{
    static _Atomic(EVP_MAC *) slot;
    EVP_MAC *mac = atomic_load_explicit(&slot, memory_order_acquire);
    EVP_MAC *other = NULL;
    EVP_MAC_CTX *ctx;
    OSSL_PARAM params[2];

    if (mac == NULL) {
        mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
        if (!atomic_compare_exchange_strong(&slot, &other, mac)) {
            EVP_MAC_free(mac);
            mac = other;
        }
    }
    params[0] = OSSL_PARAM_construct_utf8_string(
        OSSL_MAC_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0);
    params[1] = OSSL_PARAM_construct_end();
    ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    /* An empty key is one, but NULL would mean the key of before. */
    if (ctx != NULL && !EVP_MAC_init(ctx,
                                     key.len == 0 ? (const unsigned char *)""
                                                  : pl_crypto_bytes(key),
                                     key.len, params)) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* hmac(name, key, data) -> bytes */
int pl_crypto_hmac(lua_State *L)
{
    static const char call[] = "pl.crypto.hmac";
    const EVP_MD *md = pl_crypto_digest(L, 1, call);
    struct pl_str key = pl_crypto_host()->arg_str(L, 2, call, "the key");
    struct pl_str data = pl_crypto_host()->arg_str(L, 3, call, "the data");
    EVP_MAC_CTX *ctx = hmac_begin(md, key);
    unsigned char out[EVP_MAX_MD_SIZE];
    size_t len = 0;
    bool ok = ctx != NULL &&
              EVP_MAC_update(ctx, pl_crypto_bytes(data), data.len) &&
              EVP_MAC_final(ctx, out, &len, sizeof(out));

    EVP_MAC_CTX_free(ctx);
    if (!ok)
        return pl_crypto_failed(L, call);
    lua_pushlstring(L, (char *)out, len);
    return 1;
}

/* ---- piece by piece ---- */

static const char meta_name[] = "pl.crypto.hash";

/* One of the two; neither after final(). */
struct running {
    EVP_MD_CTX *hash;
    EVP_MAC_CTX *hmac;
};

static struct running *check_running(lua_State *L, const char *call)
{
    struct running *running = luaL_checkudata(L, 1, meta_name);

    if (running->hash == NULL && running->hmac == NULL)
        pl_crypto_host()->fail(L, "%s: the hash was finished", call);
    return running;
}

/* hash:update(data) -> hash */
static int running_update(lua_State *L)
{
    struct running *running = check_running(L, "hash:update");
    struct pl_str data =
        pl_crypto_host()->arg_str(L, 2, "hash:update", "the data");

    if (running->hash != NULL
            ? !EVP_DigestUpdate(running->hash, data.data, data.len)
            : !EVP_MAC_update(running->hmac, pl_crypto_bytes(data), data.len))
        return pl_crypto_failed(L, "hash:update");
    lua_settop(L, 1);
    return 1;
}

static void release(struct running *running)
{
    EVP_MD_CTX_free(running->hash);
    EVP_MAC_CTX_free(running->hmac);
    *running = (struct running){NULL, NULL};
}

/* hash:final() -> bytes; the hash is of no use after it */
static int running_final(lua_State *L)
{
    struct running *running = check_running(L, "hash:final");
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned hash_len = 0;
    size_t len = 0;
    bool ok;

    if (running->hash != NULL) {
        ok = EVP_DigestFinal_ex(running->hash, out, &hash_len);
        len = hash_len;
    } else {
        ok = EVP_MAC_final(running->hmac, out, &len, sizeof(out));
    }
    release(running);
    if (!ok)
        return pl_crypto_failed(L, "hash:final");
    lua_pushlstring(L, (char *)out, len);
    return 1;
}

static int running_gc(lua_State *L)
{
    release(luaL_checkudata(L, 1, meta_name));
    return 0;
}

static struct running *push_running(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"update_raw", running_update},
        {"final_raw", running_final},
        {NULL, NULL},
    };
    struct running *running = lua_newuserdata(L, sizeof(*running));

    *running = (struct running){NULL, NULL};
    if (luaL_newmetatable(L, meta_name)) {
        lua_pushcfunction(L, running_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    return running;
}

/* hash_new(name) -> hash */
int pl_crypto_hash_new(lua_State *L)
{
    const EVP_MD *md = pl_crypto_digest(L, 1, "pl.crypto.hash_new");
    struct running *running = push_running(L);

    running->hash = EVP_MD_CTX_new();
    if (running->hash == NULL || !EVP_DigestInit_ex(running->hash, md, NULL))
        return pl_crypto_failed(L, "pl.crypto.hash_new");
    return 1;
}

/* hmac_new(name, key) -> hash */
int pl_crypto_hmac_new(lua_State *L)
{
    const EVP_MD *md = pl_crypto_digest(L, 1, "pl.crypto.hmac_new");
    struct pl_str key =
        pl_crypto_host()->arg_str(L, 2, "pl.crypto.hmac_new", "the key");
    struct running *running = push_running(L);

    running->hmac = hmac_begin(md, key);
    if (running->hmac == NULL)
        return pl_crypto_failed(L, "pl.crypto.hmac_new");
    return 1;
}
