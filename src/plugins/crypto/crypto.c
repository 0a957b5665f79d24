/* crypto.c - what the plug-in offers, and what its files have in common. */
#include "crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>

#include "base/plugin.h"

static _Atomic(const struct pl_lua_host *) host;

const struct pl_lua_host *pl_crypto_host(void)
{
    return atomic_load_explicit(&host, memory_order_relaxed);
}

static void open_host(const void *table)
{
    atomic_store_explicit(&host, table, memory_order_relaxed);
}

int pl_crypto_failed(lua_State *L, const char *call)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    ERR_clear_error();
    return pl_crypto_host()->return_error(
        L,
        ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? PL_ERR_NOMEM
                                                     : PL_ERR_INVALID,
        call, reason == NULL ? "OpenSSL refuses" : reason);
}

bool pl_crypto_secret_copy(struct pl_crypto_secret *secret, struct pl_str from)
{
    secret->data = pl_crypto_host()->malloc(from.len + 1);
    if (secret->data == NULL)
        return false;
    if (from.len > 0)
        memcpy(secret->data, from.data, from.len);
    secret->data[from.len] = '\0';
    secret->len = from.len;
    return true;
}

void pl_crypto_secret_fini(struct pl_crypto_secret *secret)
{
    if (secret->data == NULL)
        return;
    OPENSSL_cleanse(secret->data, secret->len);
    pl_crypto_host()->free(secret->data);
    secret->data = NULL;
}

/* ---- what is offered ---- */

static void name_libraries(char *out, size_t size)
{
    snprintf(out, size, "OpenSSL %s, libargon2, libcrypt",
             OpenSSL_version(OPENSSL_VERSION_STRING));
}

static const luaL_Reg natives[] = {
    {"hash", pl_crypto_hash},
    {"hmac", pl_crypto_hmac},
    {"hash_new", pl_crypto_hash_new},
    {"hmac_new", pl_crypto_hmac_new},
    {"encrypt", pl_crypto_encrypt},
    {"decrypt", pl_crypto_decrypt},
    {"cipher_80s", pl_crypto_cipher},
    {"hkdf", pl_crypto_hkdf},
    {"pbkdf2_job", pl_crypto_pbkdf2_job},
    {"scrypt_job", pl_crypto_scrypt_job},
    {"key", pl_crypto_key},
    {"generate", pl_crypto_generate},
    {"generate_job", pl_crypto_generate_job},
    {"sign", pl_crypto_sign},
    {"verify", pl_crypto_verify},
    {"argon2_job", pl_crypto_argon2_job},
    {"verify_job", pl_crypto_verify_job},
    {NULL, NULL},
};

static const struct pl_lua_offer offer = {natives, pl_lua_sources};

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = sizeof(struct pl_lua_host),
    .offer_size = sizeof(struct pl_lua_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
