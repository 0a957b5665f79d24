/* seal.c - XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM with a key
 * of its own for each text, derived from the key and the first half of a nonce
 * of 24 bytes. So nonces may be random, however many texts one key has. */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "auth.h"
#include "base/compiler.h"

enum { BLOCK = 16, HALF = 12 };

/* Larger texts would not fit OpenSSL's int. */
static const size_t text_max = (size_t)1 << 30;

/* One multiplication by x, as in CMAC (RFC 4493, 2.3). */
static void double_block(uint8_t block[BLOCK])
{
    uint8_t carry = block[0] >> 7;

    for (int i = 0; i < BLOCK; i++)
        block[i] =
            (uint8_t)(block[i] << 1 | (i + 1 < BLOCK ? block[i + 1] >> 7 : 0));
    block[BLOCK - 1] ^= (uint8_t)(carry * 0x87);
}

/* Two blocks of CMAC in the counter mode of NIST SP 800-108r1, 4.1. */
static bool derive(const uint8_t *key, const uint8_t *nonce,
                   uint8_t out[PL_SEAL_KEY])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t subkey[BLOCK] = {0}, text[2 * BLOCK];
    int n;
    bool ok = ctx != NULL &&
              EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, key, NULL) &&
              EVP_CIPHER_CTX_set_padding(ctx, 0) &&
              EVP_EncryptUpdate(ctx, subkey, &n, subkey, BLOCK);

    double_block(subkey);
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t *block = text + BLOCK * i;

        memcpy(block, (uint8_t[]){0, (uint8_t)(i + 1), 'X', 0}, 4);
        memcpy(block + 4, nonce, HALF);
        for (int k = 0; k < BLOCK; k++)
            block[k] ^= subkey[k];
    }
    ok = ok && EVP_EncryptUpdate(ctx, out, &n, text, sizeof(text));
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(subkey, sizeof(subkey));
    return ok;
}

/* A context for one text; NULL when out of memory. */
static EVP_CIPHER_CTX *begin(const uint8_t *key, const uint8_t *nonce,
                             struct pl_str aad, bool sealing)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t own[PL_SEAL_KEY];
    int n;
    bool ok = ctx != NULL && derive(key, nonce, own) &&
              EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, own, nonce + HALF,
                                sealing) &&
              (aad.len == 0 ||
               EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)aad.data,
                                (int)aad.len));

    OPENSSL_cleanse(own, sizeof(own));
    if (ok)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

int pl_auth_seal(const uint8_t *key, const uint8_t *nonce, struct pl_str aad,
                 struct pl_str text, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx;
    bool ok;
    int n;

    if (text.len > text_max || aad.len > text_max)
        return PL_ERR_LIMIT;
    ctx = begin(key, nonce, aad, true);
    ok = ctx != NULL &&
         (text.len == 0 ||
          EVP_CipherUpdate(ctx, out, &n, (const uint8_t *)text.data,
                           (int)text.len)) &&
         EVP_CipherFinal_ex(ctx, out + text.len, &n) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, PL_SEAL_TAG,
                             out + text.len);
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : PL_ERR_NOMEM;
}

int pl_auth_unseal(const uint8_t *key, const uint8_t *nonce, struct pl_str aad,
                   struct pl_str sealed, uint8_t *out)
{
    const uint8_t *data = (const uint8_t *)sealed.data;
    EVP_CIPHER_CTX *ctx;
    size_t len;
    bool ok;
    int n;

    if (sealed.len < PL_SEAL_TAG || sealed.len > text_max)
        return PL_ERR_DENIED;
    len = sealed.len - PL_SEAL_TAG;
    ctx = begin(key, nonce, aad, false);
    if (ctx == NULL)
        return PL_ERR_NOMEM;
    ok = (len == 0 || EVP_CipherUpdate(ctx, out, &n, data, (int)len)) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, PL_SEAL_TAG,
                             (void *)(data + len)) &&
         EVP_CipherFinal_ex(ctx, out + len, &n) > 0;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        OPENSSL_cleanse(out, len); /* nothing of it may be used */
    return ok ? 0 : PL_ERR_DENIED;
}
