/* auth.c - what the plug-in offers. */
#include "auth.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>

#include "plugins/crypto/hashes.h"
#include "base/plugin.h"

static int derive(struct pl_str secret, struct pl_str info,
                  uint8_t out[PL_SEAL_KEY])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                          (void *)secret.data, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                          (void *)info.data, info.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, PL_SEAL_KEY, params) > 0;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok ? 0 : PL_ERR_NOMEM;
}

static bool add_part(EVP_MD_CTX *ctx, struct pl_str part)
{
    uint8_t len[8];

    for (int i = 0; i < 8; i++)
        len[i] = (uint8_t)((uint64_t)part.len >> 8 * i);
    return EVP_DigestSignUpdate(ctx, len, sizeof(len)) > 0 &&
           EVP_DigestSignUpdate(ctx, part.data, part.len) > 0;
}

static int mac(const uint8_t key[PL_SEAL_KEY], const struct pl_str *parts,
               unsigned n, uint8_t out[PL_MAC])
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, PL_SEAL_KEY);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = PL_MAC;
    bool ok = pkey != NULL && ctx != NULL &&
              EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) > 0;

    for (unsigned i = 0; ok && i < n; i++)
        ok = add_part(ctx, parts[i]);
    ok = ok && EVP_DigestSignFinal(ctx, out, &len) > 0;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok ? 0 : PL_ERR_NOMEM;
}

static void forget(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}

static void name_libraries(char *out, size_t size)
{
    snprintf(out, size, "OpenSSL %s, libargon2, libcrypt",
             OpenSSL_version(OPENSSL_VERSION_STRING));
}

static void open_host(const void *table)
{
    (void)table;
}

static const struct pl_auth_offer offer = {
    .is_hash = pl_password_is_hash,
    .verify = pl_password_verify,
    .derive = derive,
    .mac = mac,
    .seal = pl_auth_seal,
    .unseal = pl_auth_unseal,
    .forget = forget,
};

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = 0,
    .offer_size = sizeof(struct pl_auth_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
