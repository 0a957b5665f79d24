/* password.c - hashes of passwords: Argon2id (RFC 9106) for new ones; for what
 * is in databases already, all that libargon2 and libcrypt can verify. */
#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto.h"

enum {
    PASSWORD_MAX = 4096, /* a longer one is nobody's */
    HASH_MAX = 512,
    SALT = 16,
    TAG = 32,
    MEMORY_MAX = 1 << 20, /* KiB */
    ITERATIONS_MAX = 100,
    LANES_MAX = 16
};

static int too_long(lua_State *L, const char *call)
{
    return pl_crypto_host()->return_error(
        L, PL_ERR_TOO_LONG, call, "the password has more than 4096 bytes");
}

/* ---- making one ---- */

struct making {
    struct pl_crypto_secret password;
    uint32_t memory, iterations, lanes; /* memory in KiB */
    char out[HASH_MAX];
};

static int work_argon2(void *data)
{
    struct making *m = data;
    unsigned char salt[SALT];

    pl_crypto_host()->random(salt, sizeof(salt));
    return argon2id_hash_encoded(m->iterations, m->memory, m->lanes,
                                 m->password.data, m->password.len, salt, SALT,
                                 TAG, m->out, sizeof(m->out)) == ARGON2_OK
               ? 0
               : PL_ERR_NOMEM;
}

static int push_argon2(lua_State *L, void *data, int result)
{
    if (result < 0)
        return pl_crypto_host()->return_error(L, result,
                                              "pl.crypto.password.hash", NULL);
    lua_pushstring(L, ((struct making *)data)->out);
    return 1;
}

static void fini_argon2(void *data)
{
    pl_crypto_secret_fini(&((struct making *)data)->password);
}

/* argon2_job(password, memory in KiB, iterations, parallelism) */
int pl_crypto_argon2_job(lua_State *L)
{
    static const char call[] = "pl.crypto.password.hash";
    static const struct pl_lua_job_type type = {call, work_argon2, push_argon2,
                                                fini_argon2};
    const struct pl_lua_host *host = pl_crypto_host();
    struct pl_str password = host->arg_str(L, 1, call, "the password");
    struct making cost = {
        .memory = (uint32_t)host->arg_integer(L, 2, call, "option 'memory'", 8,
                                              MEMORY_MAX),
        .iterations = (uint32_t)host->arg_integer(
            L, 3, call, "option 'iterations'", 1, ITERATIONS_MAX),
        .lanes = (uint32_t)host->arg_integer(L, 4, call, "option 'parallelism'",
                                             1, LANES_MAX),
    };
    struct making *making;

    if (password.len > PASSWORD_MAX)
        return too_long(L, call);
    making = host->job_new(L, &type, sizeof(*making));
    making->memory = cost.memory;
    making->iterations = cost.iterations;
    making->lanes = cost.lanes;
    if (!pl_crypto_secret_copy(&making->password, password))
        return luaL_error(L, "not enough memory");
    return 1;
}

/* ---- verifying ---- */

struct verifying {
    struct pl_crypto_secret password;
    char hash[HASH_MAX];
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A hash that would take all memory or the whole day is not one of ours. */
static bool is_affordable(const char *hash)
{
    unsigned memory, iterations, lanes;
    const char *costs = strstr(hash, "$m=");

    return costs != NULL &&
           sscanf(costs, "$m=%u,t=%u,p=%u", &memory, &iterations, &lanes) ==
               3 &&
           memory <= MEMORY_MAX && iterations <= ITERATIONS_MAX &&
           lanes <= LANES_MAX;
}

static int verify_argon2(const struct verifying *v, argon2_type type)
{
    if (!is_affordable(v->hash))
        return PL_ERR_LIMIT;
    switch (argon2_verify(v->hash, v->password.data, v->password.len, type)) {
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

/* 32 KiB of state, which libcrypt cleanses. */
static int verify_crypt(const struct verifying *v)
{
    struct crypt_data *data;
    const char *made;
    int result = PL_ERR_UNSUPPORTED;

    if (strlen(v->password.data) != v->password.len)
        return 0; /* such a password could not have been hashed */
    data = calloc(1, sizeof(*data)); /* door: a plug-in has no faults */
    if (data == NULL)
        return PL_ERR_NOMEM;
    /* Not crypt_r(): ASan has one of its own, which would call that of a
     * libcrypt that was there before it. */
    made = crypt_rn(v->password.data, v->hash, data, sizeof(*data));
    if (made != NULL) {
        size_t len = strlen(made);

        result =
            len == strlen(v->hash) && CRYPTO_memcmp(made, v->hash, len) == 0;
    }
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return result;
}

static int work_verify(void *data)
{
    const struct verifying *v = data;

    if (starts(v->hash, "$argon2id$"))
        return verify_argon2(v, Argon2_id);
    if (starts(v->hash, "$argon2i$"))
        return verify_argon2(v, Argon2_i);
    if (starts(v->hash, "$argon2d$"))
        return verify_argon2(v, Argon2_d);
    return v->hash[0] == '$' ? verify_crypt(v) : PL_ERR_UNSUPPORTED;
}

static int push_verify(lua_State *L, void *data, int result)
{
    (void)data;
    if (result < 0)
        return pl_crypto_host()->return_error(
            L, result, "pl.crypto.password.verify",
            result == PL_ERR_LIMIT ? "the hash is too expensive to verify"
            : result == PL_ERR_NOMEM
                ? NULL
                : "not a hash of a password that is known here");
    lua_pushboolean(L, result);
    return 1;
}

static void fini_verify(void *data)
{
    pl_crypto_secret_fini(&((struct verifying *)data)->password);
}

/* verify_job(password, hash), or nil, err */
int pl_crypto_verify_job(lua_State *L)
{
    static const char call[] = "pl.crypto.password.verify";
    static const struct pl_lua_job_type type = {call, work_verify, push_verify,
                                                fini_verify};
    const struct pl_lua_host *host = pl_crypto_host();
    struct pl_str password = host->arg_str(L, 1, call, "the password");
    struct pl_str hash = host->arg_str(L, 2, call, "the hash");
    struct verifying *verifying;

    if (password.len > PASSWORD_MAX)
        return too_long(L, call);
    if (hash.len >= HASH_MAX || memchr(hash.data, '\0', hash.len) != NULL)
        return host->return_error(L, PL_ERR_UNSUPPORTED, call,
                                  "not a hash of a password");
    verifying = host->job_new(L, &type, sizeof(*verifying));
    memcpy(verifying->hash, hash.data, hash.len);
    if (!pl_crypto_secret_copy(&verifying->password, password))
        return luaL_error(L, "not enough memory");
    return 1;
}
