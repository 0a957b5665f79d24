/* set.c - a set of certificates and keys, from the files of a context. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls.h"

static int no_memory(struct pl_error *error)
{
    ERR_clear_error();
    return pl_tls_host()->error(error, PL_ERR_NOMEM, "", "out of memory");
}

/* ---- PEM ---- */

struct pair {
    X509 *cert;
    STACK_OF(X509) * chain; /* what leads to the one who signed */
    EVP_PKEY *key;
};

static void drop_pair(struct pair *pair)
{
    X509_free(pair->cert);
    sk_X509_pop_free(pair->chain, X509_free);
    EVP_PKEY_free(pair->key);
}

/* Nobody is there to be asked. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static int read_certs(const struct pl_tls_file *file, struct pair *pair,
                      struct pl_error *error)
{
    BIO *bio = BIO_new_mem_buf(file->cert.data, (int)file->cert.len);
    X509 *next;

    pair->chain = sk_X509_new_null();
    if (bio == NULL || pair->chain == NULL) {
        BIO_free(bio);
        return no_memory(error);
    }
    pair->cert = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    while (pair->cert != NULL &&
           (next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
        if (sk_X509_push(pair->chain, next) == 0)
            X509_free(next);
    BIO_free(bio);
    if (pair->cert == NULL)
        return pl_tls_failed(error, PL_ERR_INVALID, file->cert_name,
                             "no certificate in PEM form");
    ERR_clear_error(); /* "no start line": the end */
    return 0;
}

static int read_key(const struct pl_tls_file *file, struct pair *pair,
                    struct pl_error *error)
{
    BIO *bio = BIO_new_mem_buf(file->key.data, (int)file->key.len);

    if (bio == NULL)
        return no_memory(error);
    pair->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return pair->key != NULL
               ? 0
               : pl_tls_failed(error, PL_ERR_INVALID, file->key_name,
                               "no private key in PEM form, or one with a "
                               "passphrase");
}

/* ---- contexts ---- */

static int use_pair(SSL_CTX *ctx, const struct pair *pair,
                    const struct pl_tls_file *file, struct pl_error *error)
{
    const char *name = file->cert_name;

    if (SSL_CTX_use_certificate(ctx, pair->cert) != 1 ||
        (pair->chain != NULL && SSL_CTX_set1_chain(ctx, pair->chain) != 1))
        return pl_tls_failed(error, PL_ERR_INVALID, name,
                             "the certificate cannot be used");
    if (SSL_CTX_use_PrivateKey(ctx, pair->key) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return pl_tls_failed(error, PL_ERR_INVALID, name,
                             "the key is not that of the certificate");
    return 0;
}

/* An answer of the one who has signed, to be shown with the certificate
 * (RFC 6066, 8). */
struct staple {
    size_t len;
    unsigned char bytes[];
};

static void on_context_gone(void *parent, void *ptr, CRYPTO_EX_DATA *ad,
                            int index, long argl, void *argp)
{
    (void)parent, (void)ad, (void)index, (void)argl, (void)argp;
    pl_tls_host()->free(ptr);
}

/* The place of a context's staple, which goes with it. */
static int staple_index(void)
{
    static _Atomic int index;
    int made = atomic_load(&index), none = 0;

    if (made != 0)
        return made;
    made = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_gone);
    return atomic_compare_exchange_strong(&index, &none, made) ? made : none;
}

static int keep_staple(SSL_CTX *ctx, const struct pl_tls_file *file,
                       struct pl_error *error)
{
    struct staple *staple;

    if (file->staple.data == NULL)
        return 0;
    staple = pl_tls_host()->malloc(sizeof(*staple) + file->staple.len);
    if (staple == NULL)
        return no_memory(error);
    staple->len = file->staple.len;
    memcpy(staple->bytes, file->staple.data, file->staple.len);
    pl_tls_host()->free(SSL_CTX_get_ex_data(ctx, staple_index()));
    SSL_CTX_set_ex_data(ctx, staple_index(), staple);
    return 0;
}

static int on_status(SSL *ssl, void *arg)
{
    const struct staple *staple =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), staple_index());
    unsigned char *copy;

    (void)arg;
    if (staple == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(staple->bytes, staple->len);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->len);
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(const struct set *set,
                            const struct pl_tls_setup *setup,
                            struct pl_error *error)
{
    SSL_CTX *ctx =
        SSL_CTX_new(set->client ? TLS_client_method() : TLS_server_method());

    if (ctx == NULL) {
        no_memory(error);
        return NULL;
    }
    if (pl_tls_settings(ctx, set, setup, error) == 0) {
        SSL_CTX_set_tlsext_status_cb(ctx, on_status);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

/* Certificates for the same names with keys of different kinds (RSA, ECDSA)
 * share a context: the peer says which it can read. */
static SSL_CTX *context_for(struct set *set, const struct pair *pair,
                            const struct pl_tls_setup *setup,
                            struct pl_error *error)
{
    SSL_CTX *ctx = pl_tls_names_same(set->names, pair->cert);

    if (ctx != NULL &&
        EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_CTX_get0_certificate(ctx))) !=
            EVP_PKEY_get_base_id(pair->key)) {
        SSL_CTX_up_ref(ctx);
        return ctx;
    }
    return new_context(set, setup, error);
}

static int add_pair(struct set *set, const struct pair *pair,
                    const struct pl_tls_file *file,
                    const struct pl_tls_setup *setup, struct pl_error *error)
{
    SSL_CTX *ctx = context_for(set, pair, setup, error);
    int err;

    if (ctx == NULL)
        return error->code;
    err = use_pair(ctx, pair, file, error);
    if (err == 0)
        err = keep_staple(ctx, file, error);
    if (err == 0 && !pl_tls_names_add(set->names, pair->cert, ctx))
        err = no_memory(error);
    if (err == 0 && set->first == NULL)
        set->first = ctx;
    else
        SSL_CTX_free(ctx);
    return err;
}

static int add_file(struct set *set, const struct pl_tls_file *file,
                    const struct pl_tls_setup *setup, struct pl_error *error)
{
    struct pair pair = {.cert = NULL};
    int err = read_certs(file, &pair, error);

    if (err == 0)
        err = read_key(file, &pair, error);
    if (err == 0)
        err = add_pair(set, &pair, file, setup, error);
    drop_pair(&pair);
    return err;
}

static int add_all(struct set *set, const struct pl_tls_setup *setup,
                   struct pl_error *error)
{
    int err = 0;

    for (unsigned i = 0; i < setup->files->npairs && err == 0; i++)
        err = add_file(set, &setup->files->pairs[i], setup, error);
    if (err == 0 && set->first == NULL && set->client) {
        set->first = new_context(set, setup, error);
        err = set->first == NULL ? error->code : 0;
    }
    return err;
}

/* ---- the handshake asks ---- */

static int on_name(SSL *ssl, int *alert, void *arg)
{
    struct set *set = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name == NULL ? NULL : pl_tls_names_find(set->names, name);

    (void)alert;
    if (ctx != NULL && ctx != set->first)
        SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

/* ---- life ---- */

static bool copy_alpn(struct set *set, const struct pl_tls_setup *setup)
{
    unsigned char *at;

    for (unsigned i = 0; i < setup->nalpn; i++)
        set->alpn_size += 1 + (unsigned)strlen(setup->alpn[i]);
    set->nalpn = setup->nalpn;
    set->alpn = at = pl_tls_host()->malloc(set->alpn_size + 1);
    for (unsigned i = 0; at != NULL && i < setup->nalpn; i++) {
        size_t len = strlen(setup->alpn[i]);

        *at++ = (unsigned char)len;
        memcpy(at, setup->alpn[i], len);
        at += len;
    }
    return at != NULL;
}

int pl_tls_set_new(const struct pl_tls_setup *setup, void **out,
                   struct pl_error *error)
{
    struct set *set = pl_tls_host()->malloc(sizeof(*set));
    int err;

    if (set == NULL)
        return no_memory(error);
    *set = (struct set){.client = setup->client,
                        .verify = setup->client ? !setup->options->insecure
                                                : setup->options->verify !=
                                                      PL_TLS_VERIFY_NONE,
                        .keys = setup->tickets};
    atomic_init(&set->refs, 1);
    set->names = pl_tls_names_new();
    if (set->names == NULL || !copy_alpn(set, setup))
        err = no_memory(error);
    else
        err = add_all(set, setup, error);
    if (err < 0) {
        pl_tls_set_drop(set);
        return err;
    }
    if (!set->client) {
        SSL_CTX_set_tlsext_servername_callback(set->first, on_name);
        SSL_CTX_set_tlsext_servername_arg(set->first, set);
    }
    *out = set;
    return 0;
}

void pl_tls_set_drop(void *arg)
{
    struct set *set = arg;

    if (atomic_fetch_sub(&set->refs, 1) > 1)
        return;
    pl_tls_names_free(set->names);
    SSL_CTX_free(set->first);
    pl_tls_host()->free(set->alpn);
    pl_tls_host()->free(set);
}
