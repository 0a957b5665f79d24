/* derive.c - keys from secrets (HKDF, RFC 5869) and from passwords (PBKDF2, RFC
 * 8018; scrypt, RFC 7914). The latter are slow on purpose: jobs. */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto.h"

/* ---- HKDF ---- */

static OSSL_PARAM bytes_param(const char *name, struct pl_str s)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)s.data, s.len);
}

static bool hkdf(const EVP_MD *md, struct pl_str secret, struct pl_str salt,
                 struct pl_str info, unsigned char *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[5], *at = params;
    bool ok;

    *at++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                             (char *)EVP_MD_get0_name(md), 0);
    *at++ = bytes_param(OSSL_KDF_PARAM_KEY, secret);
    if (salt.len > 0)
        *at++ = bytes_param(OSSL_KDF_PARAM_SALT, salt);
    if (info.len > 0)
        *at++ = bytes_param(OSSL_KDF_PARAM_INFO, info);
    *at = OSSL_PARAM_construct_end();
    ok = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) > 0;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static struct pl_str optional(lua_State *L, int index, const char *call,
                              const char *what)
{
    struct pl_str none = {"", 0};

    return lua_isnoneornil(L, index)
               ? none
               : pl_crypto_host()->arg_str(L, index, call, what);
}

/* hkdf(hash, secret, length, salt, info) -> bytes */
int pl_crypto_hkdf(lua_State *L)
{
    static const char call[] = "pl.crypto.hkdf";
    const EVP_MD *md = pl_crypto_digest(L, 1, call);
    struct pl_str secret = pl_crypto_host()->arg_str(L, 2, call, "the secret");
    size_t len = (size_t)pl_crypto_host()->arg_integer(
        L, 3, call, "the length", 1, 255 * EVP_MD_get_size(md));
    struct pl_str salt = optional(L, 4, call, "option 'salt'");
    struct pl_str info = optional(L, 5, call, "option 'info'");
    unsigned char *out;

    if (secret.len == 0)
        return pl_crypto_host()->fail(L, "%s: the secret is empty", call);
    out = lua_newuserdata(L, len);
    if (!hkdf(md, secret, salt, info, out, len))
        return pl_crypto_failed(L, call);
    lua_pushlstring(L, (char *)out, len);
    OPENSSL_cleanse(out, len);
    return 1;
}

/* ---- from passwords ---- */

struct derivation {
    struct pl_crypto_secret password, salt, out;
    const EVP_MD *md; /* PBKDF2 */
    int iterations;
    uint64_t n, r, p; /* scrypt */
};

static void fini_derivation(void *data)
{
    struct derivation *derivation = data;

    pl_crypto_secret_fini(&derivation->password);
    pl_crypto_secret_fini(&derivation->salt);
    pl_crypto_secret_fini(&derivation->out);
}

static int work_pbkdf2(void *data)
{
    struct derivation *d = data;

    return PKCS5_PBKDF2_HMAC(d->password.data, (int)d->password.len,
                             (unsigned char *)d->salt.data, (int)d->salt.len,
                             d->iterations, d->md, (int)d->out.len,
                             (unsigned char *)d->out.data)
               ? 0
               : PL_ERR_INVALID;
}

/* Blocks of 128 * n * r bytes, and some more. */
static uint64_t scrypt_memory(const struct derivation *d)
{
    return 128 * d->r * (d->n + d->p + 2);
}

static int work_scrypt(void *data)
{
    struct derivation *d = data;

    return EVP_PBE_scrypt(d->password.data, d->password.len,
                          (unsigned char *)d->salt.data, d->salt.len, d->n,
                          d->r, d->p, scrypt_memory(d),
                          (unsigned char *)d->out.data, d->out.len)
               ? 0
               : PL_ERR_NOMEM;
}

static int push_derived(lua_State *L, const struct derivation *derivation,
                        const char *call, int result)
{
    if (result < 0)
        return pl_crypto_host()->return_error(L, result, call, NULL);
    lua_pushlstring(L, derivation->out.data, derivation->out.len);
    return 1;
}

static int push_pbkdf2(lua_State *L, void *data, int result)
{
    return push_derived(L, data, "pl.crypto.pbkdf2", result);
}

static int push_scrypt(lua_State *L, void *data, int result)
{
    return push_derived(L, data, "pl.crypto.scrypt", result);
}

/* The job on top of the stack, with copies of what both functions need. */
static struct derivation *new_derivation(lua_State *L,
                                         const struct pl_lua_job_type *type,
                                         struct pl_str password,
                                         struct pl_str salt, size_t len)
{
    struct derivation *d =
        pl_crypto_host()->job_new(L, type, sizeof(struct derivation));

    if (!pl_crypto_secret_copy(&d->password, password) ||
        !pl_crypto_secret_copy(&d->salt, salt))
        luaL_error(L, "not enough memory");
    d->out.data = pl_crypto_host()->malloc(len);
    if (d->out.data == NULL)
        luaL_error(L, "not enough memory");
    memset(d->out.data, 0, len);
    d->out.len = len;
    return d;
}

/* pbkdf2_job(hash, password, salt, iterations, length) */
int pl_crypto_pbkdf2_job(lua_State *L)
{
    static const char call[] = "pl.crypto.pbkdf2";
    static const struct pl_lua_job_type type = {call, work_pbkdf2, push_pbkdf2,
                                                fini_derivation};
    const struct pl_lua_host *host = pl_crypto_host();
    const EVP_MD *md = pl_crypto_digest(L, 1, call);
    struct pl_str password = host->arg_str(L, 2, call, "the password");
    struct pl_str salt = host->arg_str(L, 3, call, "the salt");
    int iterations =
        (int)host->arg_integer(L, 4, call, "the iterations", 1, 100000000);
    size_t len = (size_t)host->arg_integer(L, 5, call, "the length", 1,
                                           PL_CRYPTO_BYTES_MAX);
    struct derivation *d;

    if (password.len > PL_CRYPTO_BYTES_MAX || salt.len > PL_CRYPTO_BYTES_MAX)
        return host->fail(L, "%s: password and salt have at most 64 KiB", call);
    d = new_derivation(L, &type, password, salt, len);
    d->md = md;
    d->iterations = iterations;
    return 1;
}

/* scrypt_job(password, salt, length, n, r, p) */
int pl_crypto_scrypt_job(lua_State *L)
{
    enum { MEMORY_MAX = 256 << 20 };
    static const char call[] = "pl.crypto.scrypt";
    static const struct pl_lua_job_type type = {call, work_scrypt, push_scrypt,
                                                fini_derivation};
    const struct pl_lua_host *host = pl_crypto_host();
    struct pl_str password = host->arg_str(L, 1, call, "the password");
    struct pl_str salt = host->arg_str(L, 2, call, "the salt");
    size_t len = (size_t)host->arg_integer(L, 3, call, "the length", 1,
                                           PL_CRYPTO_BYTES_MAX);
    struct derivation cost = {
        .n = (uint64_t)host->arg_integer(L, 4, call, "option 'n'", 2, 1 << 22),
        .r = (uint64_t)host->arg_integer(L, 5, call, "option 'r'", 1, 64),
        .p = (uint64_t)host->arg_integer(L, 6, call, "option 'p'", 1, 64),
    };
    struct derivation *d;

    if ((cost.n & (cost.n - 1)) != 0)
        return host->fail(L, "%s: option 'n' must be a power of two", call);
    if (scrypt_memory(&cost) > MEMORY_MAX)
        return host->fail(L, "%s: this takes more than 256 MiB of memory",
                          call);
    d = new_derivation(L, &type, password, salt, len);
    d->n = cost.n;
    d->r = cost.r;
    d->p = cost.p;
    return 1;
}
