/* tls.h - what the files of the plug-in share: TLS of perilune on OpenSSL 3.
 *
 * A set is what has been read from the files of a context: one SSL_CTX for each
 * name or group of names, all with the same settings. It lives until its last
 * session has gone, as OpenSSL calls it back from there. */
#ifndef PL_PLUGINS_TLS_H
#define PL_PLUGINS_TLS_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/compiler.h"
#include "net/tls_plugin.h"

const struct pl_tls_host *pl_tls_host(void);

/* *error with OpenSSL's reason behind what, which is forgotten. Returns code.
 */
int pl_tls_failed(struct pl_error *error, int code, const char *where,
                  const char *what);

/* ---- set.c: certificates and settings ---- */

struct set {
    atomic_uint refs;
    SSL_CTX *first; /* for names that none of the others has */
    struct names *names;
    unsigned char *alpn; /* length-prefixed names, as they are sent */
    unsigned nalpn, alpn_size;
    struct pl_tls_keys *keys; /* of tickets; NULL: none */
    bool client, verify;
};

int pl_tls_set_new(const struct pl_tls_setup *setup, void **out,
                   struct pl_error *error);
void pl_tls_set_drop(void *set);

/* ---- settings.c: what all contexts of a set have in common ---- */

int pl_tls_settings(SSL_CTX *ctx, const struct set *set,
                    const struct pl_tls_setup *setup, struct pl_error *error);

/* ---- names.c: which certificate for which name (RFC 6066, 3) ---- */

struct names *pl_tls_names_new(void);
void pl_tls_names_free(struct names *names);

/* The names that cert is for lead to ctx, unless an earlier one has them. Takes
 * a reference of its own. False if out of memory. */
bool pl_tls_names_add(struct names *names, X509 *cert, SSL_CTX *ctx);

/* The first context for a certificate with the same names, or NULL. */
SSL_CTX *pl_tls_names_same(const struct names *names, X509 *cert);

/* NULL: none. */
SSL_CTX *pl_tls_names_find(const struct names *names, const char *name);

/* ---- tickets.c: keys that the workers share ---- */

void *pl_tls_tickets_new(uint32_t rotation_s);
void pl_tls_tickets_free(void *tickets);
int pl_tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt);

/* ---- dev.c ---- */

int pl_tls_dev_make(struct pl_str *pem, struct pl_error *error);
bool pl_tls_dev_good(struct pl_str pem);

/* ---- session.c ---- */

struct session {
    SSL *ssl;
    struct set *set;
    struct pl_tls_io *io;
    int alpn;
};

/* The session of an SSL. */
struct session *pl_tls_session_of(const SSL *ssl);

int pl_tls_io_open(struct pl_tls_io *io);
void pl_tls_io_close(struct pl_tls_io *io);
size_t pl_tls_whole(struct pl_str bytes);
void *pl_tls_session_new(void *set, struct pl_tls_io *io, const char *name);
void pl_tls_session_free(void *session);
int pl_tls_handshake(void *session);
ssize_t pl_tls_read(void *session, char *to, size_t room);
int pl_tls_write(void *session, const char *bytes, size_t len);
void pl_tls_finish(void *session);
int pl_tls_alpn(void *session);
bool pl_tls_resumed(void *session);
bool pl_tls_is_13(void *session);

/* ---- info.c ---- */

void pl_tls_session_info(void *session, struct pl_tls_info *info);

#endif
