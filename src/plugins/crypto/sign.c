/* sign.c - signatures: Ed25519, ECDSA, RSA as PSS or PKCS #1 v1.5. */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypto.h"

/* ECDSA's two numbers as JOSE has them (RFC 7518, 3.4): of equal length. */
enum { RAW_MAX = 2 * 66, DER_MAX = 160 };

struct signing {
    EVP_PKEY *pkey;
    const EVP_MD *md; /* NULL for Ed25519, which has its own */
    struct pl_str data;
    bool is_rsa, is_ec, pkcs1, raw;
};

/* Arguments: key, data, hash or nil, pkcs1, raw; they follow the signature if
 * there is one, at 3. */
static struct signing check_signing(lua_State *L, int options, const char *call)
{
    struct signing s = {
        .pkey = pl_crypto_check_key(L, 1, call),
        .data = pl_crypto_host()->arg_str(L, 2, call, "the data"),
        .pkcs1 = lua_toboolean(L, options + 1),
        .raw = lua_toboolean(L, options + 2),
    };
    int kind = EVP_PKEY_get_base_id(s.pkey);

    s.is_rsa = kind == EVP_PKEY_RSA;
    s.is_ec = kind == EVP_PKEY_EC;
    if (s.is_rsa || s.is_ec) {
        if (lua_isnil(L, options)) {
            lua_pushliteral(L, "sha256");
            lua_replace(L, options);
        }
        s.md = pl_crypto_digest(L, options, call);
    } else if (!lua_isnil(L, options)) {
        pl_crypto_host()->fail(L, "%s: Ed25519 has its own hash", call);
    }
    if (s.pkcs1 && !s.is_rsa)
        pl_crypto_host()->fail(L, "%s: padding is for keys of RSA", call);
    if (s.raw && !s.is_ec)
        pl_crypto_host()->fail(L, "%s: format is for keys of curves", call);
    return s;
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct signing *s,
                        bool signing)
{
    if (!s->is_rsa)
        return true;
    if (s->pkcs1)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
                                            signing ? RSA_PSS_SALTLEN_DIGEST
                                                    : RSA_PSS_SALTLEN_AUTO) > 0;
}

static size_t number_len(const struct signing *s)
{
    return (size_t)(EVP_PKEY_get_bits(s->pkey) + 7) / 8;
}

/* DER to raw, in place. Returns the length, or 0. */
static size_t raw_of(const struct signing *s, unsigned char *sig, size_t len)
{
    const unsigned char *at = sig;
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)len);
    size_t n = number_len(s);
    bool ok = numbers != NULL &&
              BN_bn2binpad(ECDSA_SIG_get0_r(numbers), sig, (int)n) > 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(numbers), sig + n, (int)n) > 0;

    ECDSA_SIG_free(numbers);
    return ok ? 2 * n : 0;
}

/* Raw to DER, which has at most DER_MAX bytes. Returns the length, or 0. */
static size_t der_of(const struct signing *s, struct pl_str raw,
                     unsigned char *out)
{
    int n = (int)number_len(s), len = 0;
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    BIGNUM *r, *v;

    if (numbers == NULL || raw.len != 2 * (size_t)n || raw.len > RAW_MAX) {
        ECDSA_SIG_free(numbers);
        return 0;
    }
    r = BN_bin2bn(pl_crypto_bytes(raw), n, NULL);
    v = BN_bin2bn(pl_crypto_bytes(raw) + n, n, NULL);
    if (r != NULL && v != NULL && ECDSA_SIG_set0(numbers, r, v)) {
        len = i2d_ECDSA_SIG(numbers, &out);
    } else {
        BN_free(r);
        BN_free(v);
    }
    ECDSA_SIG_free(numbers);
    return len > 0 ? (size_t)len : 0;
}

/* sign(key, data, hash, pkcs1, raw) -> signature */
int pl_crypto_sign(lua_State *L)
{
    static const char call[] = "pl.crypto.sign";
    struct signing s = check_signing(L, 3, call);
    size_t len = (size_t)EVP_PKEY_get_size(s.pkey) + RAW_MAX;
    unsigned char *sig = lua_newuserdata(L, len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    bool ok =
        ctx != NULL && EVP_DigestSignInit(ctx, &pctx, s.md, NULL, s.pkey) > 0 &&
        set_padding(pctx, &s, true) &&
        EVP_DigestSign(ctx, sig, &len, pl_crypto_bytes(s.data), s.data.len) > 0;

    EVP_MD_CTX_free(ctx);
    if (ok && s.raw)
        len = raw_of(&s, sig, len);
    if (!ok || len == 0)
        return pl_crypto_failed(L, call);
    lua_pushlstring(L, (char *)sig, len);
    return 1;
}

/* verify(key, data, signature, hash, pkcs1, raw) -> true or false */
int pl_crypto_verify(lua_State *L)
{
    static const char call[] = "pl.crypto.verify";
    struct signing s = check_signing(L, 4, call);
    struct pl_str given =
        pl_crypto_host()->arg_str(L, 3, call, "the signature");
    unsigned char der[DER_MAX];
    const unsigned char *sig = pl_crypto_bytes(given);
    size_t len = given.len;
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *ctx;
    bool good;

    if (s.raw) {
        len = der_of(&s, given, der);
        sig = der;
    }
    ctx = EVP_MD_CTX_new();
    good = len > 0 && ctx != NULL &&
           EVP_DigestVerifyInit(ctx, &pctx, s.md, NULL, s.pkey) > 0 &&
           set_padding(pctx, &s, false) &&
           EVP_DigestVerify(ctx, sig, len, pl_crypto_bytes(s.data),
                            s.data.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    lua_pushboolean(L, good);
    return 1;
}
