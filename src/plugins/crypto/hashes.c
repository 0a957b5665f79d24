#include "hashes.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Says nothing of where they differ. */
static int is_same(const char *made, const char *hash)
{
    size_t len = strlen(made);

    return len == strlen(hash) && CRYPTO_memcmp(made, hash, len) == 0;
}

/* ---- Argon2 (RFC 9106) ---- */

/* A hash that would take all memory or the whole day is not one of ours. */
static bool is_affordable(const char *hash)
{
    unsigned memory, iterations, lanes;
    const char *costs = strstr(hash, "$m=");

    return costs != NULL &&
           sscanf(costs, "$m=%u,t=%u,p=%u", &memory, &iterations, &lanes) ==
               3 &&
           memory <= PL_HASH_MEMORY_MAX &&
           iterations <= PL_HASH_ITERATIONS_MAX && lanes <= PL_HASH_LANES_MAX;
}

static int verify_argon2(struct pl_str password, const char *hash,
                         argon2_type type)
{
    if (!is_affordable(hash))
        return PL_ERR_LIMIT;
    switch (argon2_verify(hash, password.data, password.len, type)) {
    case ARGON2_OK:
        return 1;
    case ARGON2_VERIFY_MISMATCH:
        return 0;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return PL_ERR_NOMEM;
    default:
        return PL_ERR_SYNTAX;
    }
}

static int verify_argon2id(struct pl_str password, const char *hash)
{
    return verify_argon2(password, hash, Argon2_id);
}

static int verify_argon2i(struct pl_str password, const char *hash)
{
    return verify_argon2(password, hash, Argon2_i);
}

static int verify_argon2d(struct pl_str password, const char *hash)
{
    return verify_argon2(password, hash, Argon2_d);
}

/* ---- libcrypt ---- */

/* 32 KiB of state, which libcrypt cleanses. */
static int verify_crypt(struct pl_str password, const char *hash)
{
    struct crypt_data *data;
    const char *made;
    int result = PL_ERR_UNSUPPORTED;

    if (memchr(password.data, '\0', password.len) != NULL)
        return 0; /* such a password could not have been hashed */
    data = calloc(1, sizeof(*data)); /* door: a plug-in has no faults */
    if (data == NULL)
        return PL_ERR_NOMEM;
    /* Not crypt_r(): ASan has one of its own, which would call that of a
     * libcrypt that was there before it. */
    made = crypt_rn(password.data, hash, data, sizeof(*data));
    if (made != NULL)
        result = is_same(made, hash);
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return result;
}

/* ---- htpasswd of Apache: {SHA}, $apr1$ ---- */

static int verify_sha(struct pl_str password, const char *hash)
{
    enum { SHA1 = 20, SHA1_BASE64 = 28 };
    unsigned char digest[SHA1];
    unsigned char made[SHA1_BASE64 + 1];

    if (EVP_Digest(password.data, password.len, digest, NULL, EVP_sha1(),
                   NULL) <= 0)
        return PL_ERR_NOMEM;
    EVP_EncodeBlock(made, digest, sizeof(digest));
    return is_same((const char *)made, hash + strlen("{SHA}"));
}

enum { MD5 = 16, APR_SALT = 8, APR_ROUNDS = 1000, APR_TEXT = 22 };

static const char apr_prefix[] = "$apr1$";

static bool add(EVP_MD_CTX *ctx, struct pl_str s)
{
    return EVP_DigestUpdate(ctx, s.data, s.len) > 0;
}

static bool begin(EVP_MD_CTX *ctx)
{
    return EVP_DigestInit_ex(ctx, EVP_md5(), NULL) > 0;
}

static bool end(EVP_MD_CTX *ctx, unsigned char out[MD5])
{
    return EVP_DigestFinal_ex(ctx, out, NULL) > 0;
}

/* The first digest: of password, prefix and salt, as much of another digest as
 * the password is long, and a byte for each bit of its length. */
static bool apr_begin(EVP_MD_CTX *ctx, struct pl_str password,
                      struct pl_str salt, unsigned char out[MD5])
{
    bool ok = begin(ctx) && add(ctx, password) && add(ctx, salt) &&
              add(ctx, password) && end(ctx, out) && begin(ctx) &&
              add(ctx, password) && add(ctx, PL_STR("$apr1$")) &&
              add(ctx, salt);

    for (size_t left = password.len; ok && left > 0; left -= PL_MIN(left, MD5))
        ok = add(ctx, (struct pl_str){(char *)out, PL_MIN(left, MD5)});
    for (size_t bits = password.len; ok && bits > 0; bits >>= 1)
        ok = add(ctx, (struct pl_str){bits & 1 ? "" : password.data, 1});
    return ok && end(ctx, out);
}

/* Makes it take longer. */
static bool apr_round(EVP_MD_CTX *ctx, struct pl_str password,
                      struct pl_str salt, unsigned round,
                      unsigned char digest[MD5])
{
    struct pl_str last = {(char *)digest, MD5};

    return begin(ctx) && add(ctx, round & 1 ? password : last) &&
           (round % 3 == 0 || add(ctx, salt)) &&
           (round % 7 == 0 || add(ctx, password)) &&
           add(ctx, round & 1 ? last : password) && end(ctx, digest);
}

static void apr_write(const unsigned char digest[MD5], char out[APR_TEXT + 1])
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    static const unsigned char order[][3] = {
        {0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
    unsigned bits;

    for (size_t i = 0; i < PL_COUNT(order); i++) {
        bits = (unsigned)digest[order[i][0]] << 16 |
               (unsigned)digest[order[i][1]] << 8 | digest[order[i][2]];
        for (int k = 0; k < 4; k++, bits >>= 6)
            *out++ = digits[bits & 63];
    }
    *out++ = digits[digest[11] & 63];
    *out++ = digits[digest[11] >> 6];
    *out = '\0';
}

static int verify_apr(struct pl_str password, const char *hash)
{
    struct pl_str salt = {hash + strlen(apr_prefix), 0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char digest[MD5];
    char made[APR_TEXT + 1];
    bool ok;

    salt.len = strcspn(salt.data, "$");
    ok = ctx != NULL && salt.len <= APR_SALT && salt.data[salt.len] == '$' &&
         apr_begin(ctx, password, salt, digest);
    for (unsigned round = 0; ok && round < APR_ROUNDS; round++)
        ok = apr_round(ctx, password, salt, round, digest);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return PL_ERR_SYNTAX;
    apr_write(digest, made);
    return is_same(made, salt.data + salt.len + 1);
}

/* ---- all of them ---- */

static const struct {
    const char *prefix;
    int (*verify)(struct pl_str password, const char *hash);
} kinds[] = {
    {"$argon2id$", verify_argon2id}, {"$argon2i$", verify_argon2i},
    {"$argon2d$", verify_argon2d},   {"$apr1$", verify_apr},
    {"{SHA}", verify_sha},           {"$", verify_crypt},
};

static size_t find(const char *hash)
{
    size_t i = 0;

    while (i < PL_COUNT(kinds) && !starts(hash, kinds[i].prefix))
        i++;
    return i;
}

bool pl_password_is_hash(const char *hash)
{
    size_t i = find(hash);

    if (i == PL_COUNT(kinds))
        return false;
    return kinds[i].verify != verify_crypt ||
           crypt_checksalt(hash) != CRYPT_SALT_INVALID;
}

int pl_password_verify(struct pl_str password, const char *hash)
{
    size_t i = find(hash);

    return i == PL_COUNT(kinds) ? PL_ERR_UNSUPPORTED
                                : kinds[i].verify(password, hash);
}
