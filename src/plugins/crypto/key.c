/* key.c - key pairs: Ed25519 (RFC 8032), elliptic curves of NIST, RSA; in PEM
 * (PKCS #8 and X.509, and the older forms that OpenSSL reads). */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto.h"

static const char meta_name[] = "pl.crypto.key";

struct key {
    EVP_PKEY *pkey;
    bool is_private;
};

static int key_gc(lua_State *L)
{
    struct key *key = luaL_checkudata(L, 1, meta_name);

    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
    return 0;
}

EVP_PKEY *pl_crypto_check_key(lua_State *L, int index, const char *call)
{
    struct key *key = luaL_checkudata(L, index, meta_name);

    if (key->pkey == NULL) /* a finalizer of the site's came after ours */
        pl_crypto_host()->fail(L, "%s: the key is gone", call);
    return key->pkey;
}

/* "ed25519", "ec", "rsa" */
static const char *kind_of(const EVP_PKEY *pkey)
{
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_ED25519:
        return "ed25519";
    case EVP_PKEY_EC:
        return "ec";
    case EVP_PKEY_RSA:
        return "rsa";
    default:
        return NULL;
    }
}

static int key_kind(lua_State *L)
{
    lua_pushstring(L, kind_of(pl_crypto_check_key(L, 1, "key:kind")));
    return 1;
}

static int key_bits(lua_State *L)
{
    lua_pushinteger(L,
                    EVP_PKEY_get_bits(pl_crypto_check_key(L, 1, "key:bits")));
    return 1;
}

static int key_is_private(lua_State *L)
{
    lua_pushboolean(
        L, ((struct key *)luaL_checkudata(L, 1, meta_name))->is_private);
    return 1;
}

/* What bio holds as a string; frees bio. lua_pushlstring() may raise: then bio
 * would leak, so its bytes go into a userdata first, whose room is known. */
static int push_bio(lua_State *L, BIO *bio, char *room, const char *call)
{
    char *data = NULL;
    long len = bio == NULL ? 0 : BIO_get_mem_data(bio, &data);

    if (len > PL_CRYPTO_BYTES_MAX)
        len = 0;
    if (len > 0) {
        memcpy(room, data, (size_t)len);
        OPENSSL_cleanse(data, (size_t)len);
    }
    BIO_free(bio);
    if (len <= 0)
        return pl_crypto_failed(L, call);
    lua_pushlstring(L, room, (size_t)len);
    OPENSSL_cleanse(room, (size_t)len);
    return 1;
}

/* key:public_pem() */
static int key_public_pem(lua_State *L)
{
    EVP_PKEY *pkey = pl_crypto_check_key(L, 1, "key:public_pem");
    char *room = lua_newuserdata(L, PL_CRYPTO_BYTES_MAX);
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio != NULL)
        PEM_write_bio_PUBKEY(bio, pkey);
    return push_bio(L, bio, room, "key:public_pem");
}

/* key:private_pem(): PKCS #8, not encrypted */
static int key_private_pem(lua_State *L)
{
    struct key *key = luaL_checkudata(L, 1, meta_name);
    char *room;
    BIO *bio;

    if (!key->is_private)
        return pl_crypto_host()->fail(L,
                                      "key:private_pem: this is a public key");
    room = lua_newuserdata(L, PL_CRYPTO_BYTES_MAX);
    bio = BIO_new(BIO_s_mem());
    if (bio != NULL)
        PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL,
                                      NULL);
    return push_bio(L, bio, room, "key:private_pem");
}

/* Pushes a userdata for a key that is put into it later: made first, because
 * it may raise. */
static struct key *push_key(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"kind", key_kind},
        {"bits", key_bits},
        {"is_private", key_is_private},
        {"public_pem", key_public_pem},
        {"private_pem", key_private_pem},
        {NULL, NULL},
    };
    struct key *key = lua_newuserdata(L, sizeof(*key));

    *key = (struct key){NULL, false};
    if (luaL_newmetatable(L, meta_name)) {
        lua_pushcfunction(L, key_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    return key;
}

/* ---- reading ---- */

/* Instead of asking at the terminal. */
static int give_password(char *out, int size, int writing, void *arg)
{
    const struct pl_str *password = arg;

    (void)writing;
    if (password->data == NULL || password->len > (size_t)size)
        return -1;
    memcpy(out, password->data, password->len);
    return (int)password->len;
}

static EVP_PKEY *read_pem(struct pl_str pem, struct pl_str *password,
                          bool *is_private)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *pkey = NULL;

    if (bio == NULL)
        return NULL;
    pkey = PEM_read_bio_PrivateKey(bio, NULL, give_password, password);
    *is_private = pkey != NULL;
    if (pkey == NULL && BIO_reset(bio) > 0) {
        pkey = PEM_read_bio_PUBKEY(bio, NULL, give_password, password);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

/* key(pem [, password]) -> key, or nil, err */
int pl_crypto_key(lua_State *L)
{
    static const char call[] = "pl.crypto.key";
    const struct pl_lua_host *host = pl_crypto_host();
    struct pl_str pem = host->arg_str(L, 1, call, "the PEM text");
    struct pl_str password = {NULL, 0};
    struct key *key;

    if (!lua_isnoneornil(L, 2))
        password = host->arg_str(L, 2, call, "the password");
    if (pem.len > PL_CRYPTO_BYTES_MAX)
        return host->return_error(L, PL_ERR_LIMIT, call,
                                  "the text is larger than 64 KiB");
    key = push_key(L);
    key->pkey = read_pem(pem, &password, &key->is_private);
    if (key->pkey == NULL)
        return host->return_error(L, PL_ERR_SYNTAX, call,
                                  password.data == NULL
                                      ? "no key in PEM, or one with a password"
                                      : "no key in PEM, or another password");
    if (kind_of(key->pkey) == NULL)
        return host->return_error(L, PL_ERR_UNSUPPORTED, call,
                                  "not a key of Ed25519, of a curve or of RSA");
    return 1;
}

/* ---- making ---- */

/* generate(kind) -> key: those that are quick */
int pl_crypto_generate(lua_State *L)
{
    static const char call[] = "pl.crypto.generate_key";
    struct pl_str kind = pl_crypto_host()->arg_str(L, 1, call, "the kind");
    struct key *key = push_key(L);

    if (pl_str_eq(kind, PL_STR("ed25519")))
        key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (pl_str_eq(kind, PL_STR("p-256")))
        key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    else if (pl_str_eq(kind, PL_STR("p-384")))
        key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    else
        return pl_crypto_host()->fail(
            L, "%s: no such kind: '%s' (there are ed25519, p-256, p-384, rsa)",
            call, kind.data);
    if (key->pkey == NULL)
        return pl_crypto_failed(L, call);
    key->is_private = true;
    return 1;
}

struct generation {
    size_t bits;
    EVP_PKEY *pkey;
};

static int work_rsa(void *data)
{
    struct generation *generation = data;

    generation->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", generation->bits);
    ERR_clear_error();
    return generation->pkey == NULL ? PL_ERR_NOMEM : 0;
}

static int push_rsa(lua_State *L, void *data, int result)
{
    struct generation *generation = data;
    struct key *key;

    if (result < 0)
        return pl_crypto_host()->return_error(L, result,
                                              "pl.crypto.generate_key", NULL);
    key = push_key(L);
    *key = (struct key){generation->pkey, true};
    generation->pkey = NULL;
    return 1;
}

static void fini_rsa(void *data)
{
    EVP_PKEY_free(((struct generation *)data)->pkey);
}

/* generate_job(bits): RSA, a tenth of a second and more */
int pl_crypto_generate_job(lua_State *L)
{
    static const char call[] = "pl.crypto.generate_key";
    static const struct pl_lua_job_type type = {call, work_rsa, push_rsa,
                                                fini_rsa};
    lua_Integer bits =
        pl_crypto_host()->arg_integer(L, 1, call, "option 'bits'", 2048, 8192);
    struct generation *generation =
        pl_crypto_host()->job_new(L, &type, sizeof(struct generation));

    generation->bits = (size_t)bits;
    return 1;
}
