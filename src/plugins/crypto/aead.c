/* aead.c - encryption that notices changes: AES-256-GCM (NIST SP 800-38D) and
 * ChaCha20-Poly1305 (RFC 8439). Both have keys of 32, nonces of 12 and tags of
 * 16 bytes. A text is nonce, ciphertext, tag; or without the nonce, if the
 * script brings its own. */
#include "crypto.h"

enum { KEY = 32, NONCE = 12, TAG = 16 };

/* Larger texts would not fit OpenSSL's int. */
static const size_t text_max = (size_t)1 << 30;

struct text {
    const EVP_CIPHER *cipher;
    struct pl_str key, nonce, data, aad; /* nonce is absent: not the script's */
};

/* Arguments: cipher, key, data, nonce or nil, associated data or nil. */
static struct text check_text(lua_State *L, const char *call)
{
    const struct pl_lua_host *host = pl_crypto_host();
    struct pl_str cipher = host->arg_str(L, 1, call, "the cipher");
    struct text text = {.key = host->arg_str(L, 2, call, "the key"),
                        .data = host->arg_str(L, 3, call, "the text")};

    if (pl_str_eq(cipher, PL_STR("aes-256-gcm")))
        text.cipher = EVP_aes_256_gcm();
    else if (pl_str_eq(cipher, PL_STR("chacha20-poly1305")))
        text.cipher = EVP_chacha20_poly1305();
    else
        host->fail(L,
                   "%s: no such cipher: '%s' (there are aes-256-gcm, "
                   "chacha20-poly1305)",
                   call, cipher.data);
    if (text.key.len != KEY)
        host->fail(L, "%s: the key must have %d bytes, not %d", call, KEY,
                   (int)text.key.len);
    if (!lua_isnoneornil(L, 4)) {
        text.nonce = host->arg_str(L, 4, call, "option 'nonce'");
        if (text.nonce.len != NONCE)
            host->fail(L, "%s: option 'nonce' must have %d bytes, not %d", call,
                       NONCE, (int)text.nonce.len);
    }
    if (!lua_isnoneornil(L, 5))
        text.aad = host->arg_str(L, 5, call, "option 'aad'");
    if (text.data.len > text_max || text.aad.len > text_max)
        host->fail(L, "%s: the text is larger than 1 GiB", call);
    return text;
}

static bool begin(EVP_CIPHER_CTX *ctx, const struct text *text,
                  const unsigned char *nonce, bool encrypting)
{
    int n;

    return EVP_CipherInit_ex(ctx, text->cipher, NULL,
                             pl_crypto_bytes(text->key), nonce, encrypting) &&
           (text->aad.len == 0 ||
            EVP_CipherUpdate(ctx, NULL, &n, pl_crypto_bytes(text->aad),
                             (int)text->aad.len));
}

/* out: as many bytes as the text and the tag have. */
static bool seal(const struct text *text, const unsigned char *nonce,
                 unsigned char *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t len = text->data.len;
    int n;
    bool ok =
        ctx != NULL && begin(ctx, text, nonce, true) &&
        (len == 0 || EVP_CipherUpdate(ctx, out, &n, pl_crypto_bytes(text->data),
                                      (int)len)) &&
        EVP_CipherFinal_ex(ctx, out + len, &n) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + len);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* encrypt(cipher, key, text, nonce, aad) -> bytes */
int pl_crypto_encrypt(lua_State *L)
{
    struct text text = check_text(L, "pl.crypto.encrypt");
    size_t front = text.nonce.data == NULL ? NONCE : 0;
    unsigned char *out = lua_newuserdata(L, front + text.data.len + TAG);

    if (front > 0)
        pl_crypto_host()->random(out, NONCE);
    if (!seal(&text, front > 0 ? out : pl_crypto_bytes(text.nonce),
              out + front))
        return pl_crypto_failed(L, "pl.crypto.encrypt");
    lua_pushlstring(L, (char *)out, front + text.data.len + TAG);
    return 1;
}

/* data is ciphertext and tag. Nothing of out may be used if this is false. */
static bool unseal(const struct text *text, unsigned char *out, size_t len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const unsigned char *data = pl_crypto_bytes(text->data);
    int n;
    bool ok = ctx != NULL &&
              begin(ctx, text, pl_crypto_bytes(text->nonce), false) &&
              (len == 0 || EVP_CipherUpdate(ctx, out, &n, data, (int)len)) &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG,
                                  (void *)(data + len)) &&
              EVP_CipherFinal_ex(ctx, out + len, &n);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* decrypt(cipher, key, bytes, nonce, aad) -> text, or nil, err */
int pl_crypto_decrypt(lua_State *L)
{
    static const char call[] = "pl.crypto.decrypt";
    struct text text = check_text(L, call);
    size_t front = text.nonce.data == NULL ? NONCE : 0, len;
    unsigned char *out;

    if (text.data.len < front + TAG)
        return pl_crypto_host()->return_error(L, PL_ERR_DENIED, call,
                                              "the text is too short");
    if (front > 0)
        text.nonce = (struct pl_str){text.data.data, NONCE};
    text.data.data += front;
    text.data.len -= front;
    len = text.data.len - TAG;
    out = lua_newuserdata(L, len + TAG);
    if (unseal(&text, out, len)) {
        lua_pushlstring(L, (char *)out, len);
        OPENSSL_cleanse(out, len);
        return 1;
    }
    OPENSSL_cleanse(out, len);
    pl_crypto_failed(L, call); /* forgets OpenSSL's reason: there is one only */
    return pl_crypto_host()->return_error(
        L, PL_ERR_DENIED, call, "another key, or the text was changed");
}
