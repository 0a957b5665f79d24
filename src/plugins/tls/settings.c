/* settings.c - what is allowed: versions, suites, curves, tickets, peers.
 *
 * The defaults are those of Mozilla's "intermediate" (version 5.7) without
 * finite-field DHE: TLS 1.2 with forward secrecy and AEAD, and TLS 1.3. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls.h"

static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                             "TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384:P-521";

/* ---- suites ---- */

static int set_suites(SSL_CTX *ctx, const struct pl_tls_options *options,
                      struct pl_error *error)
{
    const char *list = options->ciphers ? options->ciphers : ciphers;

    if (SSL_CTX_set_cipher_list(ctx, list) != 1)
        return pl_tls_failed(error, PL_ERR_INVALID, "ciphers",
                             "there is none among the ciphers");
    list = options->suites ? options->suites : suites;
    if (SSL_CTX_set_ciphersuites(ctx, list) != 1)
        return pl_tls_failed(error, PL_ERR_INVALID, "ciphersuites",
                             "there is none among the ciphersuites");
    list = options->groups ? options->groups : groups;
    if (SSL_CTX_set1_groups_list(ctx, list) != 1)
        return pl_tls_failed(error, PL_ERR_INVALID, "curves",
                             "there is none among the curves");
    return 0;
}

/* ---- peers ---- */

/* What is not checked has nothing to fail. */
static int accept_any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_verify_cert(store);
    return 1;
}

static int add_ca(SSL_CTX *ctx, struct pl_str pem, bool client,
                  struct pl_error *error)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert;
    int count = 0;
    bool ok = bio != NULL;

    while (ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1 &&
             (client || SSL_CTX_add_client_CA(ctx, cert) == 1);
        X509_free(cert);
        count++;
    }
    BIO_free(bio);
    if (!ok || count == 0)
        return pl_tls_failed(error, PL_ERR_INVALID, "ca",
                             "no certificates in PEM form in the file of ca");
    ERR_clear_error(); /* "no start line": the end */
    return 0;
}

/* A session may only be resumed where peers are judged in the same way. */
static bool set_session_context(SSL_CTX *ctx, const struct pl_tls_setup *setup)
{
    unsigned char digest[32];
    unsigned len = sizeof(digest);
    unsigned char mode = (unsigned char)setup->options->verify;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok =
        md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
        EVP_DigestUpdate(md, &mode, 1) &&
        EVP_DigestUpdate(md, setup->files->ca.data, setup->files->ca.len) &&
        EVP_DigestFinal_ex(md, digest, &len) &&
        SSL_CTX_set_session_id_context(ctx, digest, len);

    EVP_MD_CTX_free(md);
    return ok;
}

static int judge_clients(SSL_CTX *ctx, const struct pl_tls_setup *setup,
                         struct pl_error *error)
{
    const struct pl_tls_options *options = setup->options;
    int mode = SSL_VERIFY_PEER;

    if (!set_session_context(ctx, setup))
        return pl_tls_failed(error, PL_ERR_NOMEM, "", "no session context");
    if (options->verify == PL_TLS_VERIFY_NONE)
        return 0;
    if (options->verify == PL_TLS_VERIFY_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (options->verify == PL_TLS_VERIFY_ANY)
        SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    SSL_CTX_set_verify(ctx, mode, NULL);
    return 0;
}

static int judge_servers(SSL_CTX *ctx, const struct pl_tls_setup *setup,
                         struct pl_error *error)
{
    if (setup->options->insecure)
        return 0;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (setup->files->ca.data == NULL &&
        SSL_CTX_set_default_verify_paths(ctx) != 1)
        return pl_tls_failed(error, PL_ERR_NOT_FOUND, "ca",
                             "the system has no certificates of its own");
    return 0;
}

static int judge(SSL_CTX *ctx, const struct set *set,
                 const struct pl_tls_setup *setup, struct pl_error *error)
{
    unsigned depth = setup->options->verify_depth;
    int err = set->client ? judge_servers(ctx, setup, error)
                          : judge_clients(ctx, setup, error);

    SSL_CTX_set_verify_depth(ctx, depth == 0 ? PL_TLS_DEPTH : (int)depth);
    if (err == 0 && setup->files->ca.data != NULL)
        err = add_ca(ctx, setup->files->ca, set->client, error);
    return err;
}

/* ---- protocols and tickets ---- */

/* Ours first (RFC 7301, 3.2). A client that speaks none of them is told so:
 * what it would take for an answer might be one of something else. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    struct session *session = pl_tls_session_of(ssl);
    const unsigned char *at = session->set->alpn;

    (void)arg;
    for (unsigned i = 0; i < session->set->nalpn; i++, at += 1 + at[0]) {
        for (unsigned j = 0; j < in_len; j += 1u + in[j]) {
            if (in[j] != at[0] || memcmp(in + j + 1, at + 1, at[0]) != 0)
                continue;
            *out = in + j + 1;
            *out_len = in[j];
            session->alpn = (int)i;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void set_tickets(SSL_CTX *ctx, const struct set *set,
                        const struct pl_tls_options *options)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, options->session_s ? (long)options->session_s
                                                : (long)PL_TLS_SESSION_S);
    if (set->keys != NULL) {
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, pl_tls_on_ticket);
    } else {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0); /* nor by session id: no cache */
    }
}

int pl_tls_settings(SSL_CTX *ctx, const struct set *set,
                    const struct pl_tls_setup *setup, struct pl_error *error)
{
    const struct pl_tls_options *options = setup->options;
    int err;

    SSL_CTX_set_min_proto_version(ctx, options->tls13_only ? TLS1_3_VERSION
                                                           : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_default_passwd_cb(ctx, NULL);
    set_tickets(ctx, set, options);
    if (!set->client && set->nalpn > 0)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    err = set_suites(ctx, options, error);
    return err < 0 ? err : judge(ctx, set, setup, error);
}
