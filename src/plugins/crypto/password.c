/* password.c - hashes of passwords: Argon2id (RFC 9106) for new ones; for what
 * is in databases already, all that hashes.c knows. */
#include <argon2.h>
#include <openssl/crypto.h>

#include "crypto.h"
#include "hashes.h"

enum {
    PASSWORD_MAX = 4096, /* a longer one is nobody's */
    HASH_MAX = 512,
    SALT = 16,
    TAG = 32
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
                                              PL_HASH_MEMORY_MAX),
        .iterations = (uint32_t)host->arg_integer(
            L, 3, call, "option 'iterations'", 1, PL_HASH_ITERATIONS_MAX),
        .lanes = (uint32_t)host->arg_integer(L, 4, call, "option 'parallelism'",
                                             1, PL_HASH_LANES_MAX),
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

static int work_verify(void *data)
{
    const struct verifying *v = data;

    return pl_password_verify(
        (struct pl_str){v->password.data, v->password.len}, v->hash);
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
