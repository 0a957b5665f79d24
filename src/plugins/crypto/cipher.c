/* cipher.c - encryption as 80s has it, for links and values that its sites have
 * made: AES-128-CBC (PKCS #7 padding) under HMAC-SHA256. For anything new there
 * is aead.c.
 *
 *     hmac 32 | length 4, little endian | iv 16, or nothing | ciphertext
 *
 * The HMAC covers all that follows it, and has the key of the cipher: the 16
 * bytes that a longer key is folded into by XOR. Without an iv it is zero, and
 * equal texts are equal. length is that of the text, so whoever decrypts knows
 * by it whether there is an iv. */
#include <openssl/hmac.h>

#include "crypto.h"

enum { KEY = 16, BLOCK = 16, MAC = 32, LENGTH = 4, HEAD = MAC + LENGTH };

/* Larger ones would not fit OpenSSL's int. */
static const size_t text_max = (size_t)1 << 30;

static void fold(struct pl_str key, unsigned char out[KEY])
{
    memset(out, 0, KEY);
    for (size_t i = 0; i < key.len; i++)
        out[i % KEY] ^= (unsigned char)key.data[i];
}

static bool make_mac(const unsigned char key[KEY], const unsigned char *data,
                     size_t len, unsigned char out[MAC])
{
    unsigned n = MAC;

    return HMAC(EVP_sha256(), key, KEY, data, len, out, &n) != NULL;
}

/* Gives in *used how many bytes of out there are. */
static bool run_cipher(const unsigned char key[KEY], const unsigned char *iv,
                       const unsigned char *data, size_t len, bool encrypting,
                       unsigned char *out, size_t *used)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;
    bool ok =
        ctx != NULL &&
        EVP_CipherInit_ex(ctx, EVP_aes_128_cbc(), NULL, key, iv, encrypting) &&
        (len == 0 || EVP_CipherUpdate(ctx, out, &n, data, (int)len)) &&
        EVP_CipherFinal_ex(ctx, out + n, &rest);

    EVP_CIPHER_CTX_free(ctx);
    *used = (size_t)(n + rest);
    return ok;
}

static size_t padded(size_t len)
{
    return (len / BLOCK + 1) * BLOCK;
}

/* out has room for HEAD, an iv and padded(data). */
static bool seal(const unsigned char key[KEY], struct pl_str data, bool with_iv,
                 unsigned char *out, size_t *len)
{
    unsigned char iv[BLOCK] = {0};
    unsigned char *at = out + HEAD;
    size_t used;

    for (int i = 0; i < LENGTH; i++)
        out[MAC + i] = (unsigned char)(data.len >> 8 * i);
    if (with_iv) {
        pl_crypto_host()->random(iv, BLOCK);
        memcpy(at, iv, BLOCK);
        at += BLOCK;
    }
    if (!run_cipher(key, iv, pl_crypto_bytes(data), data.len, true, at, &used))
        return false;
    *len = (size_t)(at - out) + used;
    return make_mac(key, out + MAC, *len - MAC, out);
}

/* out has room for data. False: it is not what seal() has made with the key. */
static bool unseal(const unsigned char key[KEY], struct pl_str data,
                   unsigned char *out, size_t *len)
{
    static const unsigned char no_iv[BLOCK];
    const unsigned char *bytes = pl_crypto_bytes(data);
    const unsigned char *iv = no_iv, *at = bytes + HEAD;
    unsigned char mac[MAC];
    size_t left, want = 0;

    if (data.len < HEAD + BLOCK ||
        !make_mac(key, bytes + MAC, data.len - MAC, mac) ||
        CRYPTO_memcmp(mac, bytes, MAC) != 0)
        return false;
    for (int i = 0; i < LENGTH; i++)
        want |= (size_t)bytes[MAC + i] << 8 * i;
    left = data.len - HEAD;
    if (left == padded(want) + BLOCK) {
        iv = at;
        at += BLOCK;
        left -= BLOCK;
    }
    return left == padded(want) &&
           run_cipher(key, iv, at, left, false, out, len) && *len == want;
}

/* cipher_80s(data, key, iv, encrypt) -> bytes, or nil, err. iv: true, a random
 * one (decrypting finds out by itself). */
int pl_crypto_cipher(lua_State *L)
{
    static const char call[] = "crypto.cipher";
    const struct pl_lua_host *host = pl_crypto_host();
    struct pl_str data = host->arg_str(L, 1, call, "the data");
    struct pl_str text = host->arg_str(L, 2, call, "the key");
    bool with_iv = lua_toboolean(L, 3) != 0, encrypting = lua_toboolean(L, 4);
    unsigned char key[KEY], *out;
    size_t len = 0;
    bool ok;

    if (text.len < KEY)
        return host->return_error(L, PL_ERR_INVALID, call,
                                  "the key has less than 16 bytes");
    if (data.len > text_max)
        return host->return_error(L, PL_ERR_LIMIT, call,
                                  "the data is larger than 1 GiB");
    out = lua_newuserdata(L, HEAD + BLOCK + padded(data.len));
    fold(text, key);
    ok = encrypting ? seal(key, data, with_iv, out, &len)
                    : unseal(key, data, out, &len);
    OPENSSL_cleanse(key, sizeof(key));
    if (ok)
        lua_pushlstring(L, (char *)out, len);
    OPENSSL_cleanse(out, len);
    if (ok)
        return 1;
    if (encrypting)
        return pl_crypto_failed(L, call);
    pl_crypto_failed(L, call); /* forgets OpenSSL's reason */
    return host->return_error(L, PL_ERR_DENIED, call,
                              "another key, or the data was changed");
}
