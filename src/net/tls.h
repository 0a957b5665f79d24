/* tls.h - TLS below a protocol: certificates and keys of a listener, and what
 * a connection has agreed on. No OpenSSL here: that is in a plug-in, which is
 * loaded for the first listener or connection that asks (tls_plugin.h).
 *
 *     socket -- records --> session -- bytes --> protocol
 *
 * A context belongs to the process and is used by all workers. Its certificates
 * are a set that is replaced as a whole when a file of it has changed: the
 * files are looked at once a second at most, when a handshake begins, and read
 * on an offload thread. What cannot be used is logged, and the old set stays.
 * Sessions keep the set that they began with.
 *
 * A connection owns nothing of TLS before its first record is there, and
 * between requests OpenSSL's session without buffers: bytes are decrypted and
 * encrypted in buffers of the worker. */
#ifndef PL_NET_TLS_H
#define PL_NET_TLS_H

#include "base/arena.h"
#include "base/error.h"
#include "net/conn.h"

/* Files in PEM form: a chain, the server's own certificate first. */
struct pl_tls_pair {
    const char *cert;
    const char *key;    /* NULL: is in the file of cert */
    const char *staple; /* an OCSP response (DER); NULL: none */
};

enum pl_tls_verify {
    PL_TLS_VERIFY_NONE,
    PL_TLS_VERIFY_OPTIONAL, /* who has a certificate must have a good one */
    PL_TLS_VERIFY_REQUIRED,
    PL_TLS_VERIFY_ANY, /* asked for; the handler judges it */
};

/* "none" (NULL, too), "optional", "required", "any"; false: another word. */
bool pl_tls_verify_parse(const char *word, enum pl_tls_verify *out);

/* What pl.listen { tls = ... } says, or who opens a connection. Zeroes are the
 * defaults. */
struct pl_tls_options {
    const struct pl_tls_pair *pairs; /* the first for names that none has */
    unsigned npairs;
    bool dev;      /* a certificate of our own making: tls_dev.c */
    bool insecure; /* clients: whoever answers is believed */
    bool tls13_only;
    bool no_tickets;
    bool http_redirect;  /* clear text on this port is sent to https */
    const char *ciphers; /* of TLS 1.2 */
    const char *suites;  /* of TLS 1.3 */
    const char *groups;  /* "X25519:P-256" */
    const char *ca; /* who has signed peers; NULL: the system's (clients) */
    enum pl_tls_verify verify;
    unsigned verify_depth; /* certificates between; 0: 4 */
    uint32_t session_s;    /* how long a ticket is good: 1 h */
    uint32_t rotation_s;   /* how long a key makes tickets: 12 h */
    uint64_t hsts_s;       /* Strict-Transport-Security: max-age; 0: none */
};

enum {
    PL_TLS_SESSION_S = 3600,
    PL_TLS_ROTATION_S = 12 * 3600,
    PL_TLS_DEPTH = 4,
};

/* COPIES from, with all that it leads to, into arena. 0 or PL_ERR_NOMEM. */
int pl_tls_options_copy(struct pl_arena *arena,
                        const struct pl_tls_options *from,
                        const struct pl_tls_options **to);

/* Do they say the same? Either may be NULL. Files are compared by name. */
bool pl_tls_options_eq(const struct pl_tls_options *a,
                       const struct pl_tls_options *b);

/* ---- contexts: of the process ---- */

struct pl_tls_context;

/* Loads the plug-in and reads the files: not while requests wait. BORROWS
 * options, and offers: protocols by their ALPN names, best first, up to NULL;
 * NULL: no ALPN. GIVES *out. Returns 0, or PL_ERR_* with *error naming the
 * file. */
int pl_tls_context_new(const struct pl_tls_options *options, bool client,
                       const struct pl_protocol *const *offers,
                       struct pl_tls_context **out, struct pl_error *error);

/* No connection and no worker uses it any more. May be NULL. */
void pl_tls_context_free(struct pl_tls_context *context);

const struct pl_tls_options *
pl_tls_context_options(const struct pl_tls_context *context);

/* Any thread that requests do not wait for: reads files that have changed since
 * they were last read, at once. Returns 0 (also when a worker is at it), or
 * PL_ERR_* with *error: then the old set stays. */
int pl_tls_context_refresh(struct pl_tls_context *context,
                           struct pl_error *error);

/* Is a worker reading the files? Then the context cannot be freed. */
bool pl_tls_context_busy(const struct pl_tls_context *context);

/* ---- a worker's part ---- */

/* What connections that this listener accepts begin with. BORROWS context. 0 or
 * PL_ERR_NOMEM. */
int pl_listener_secure(struct pl_listener *listener,
                       struct pl_tls_context *context);

/* ---- connections ---- */

/* Begins as the client, on a connection that has pl_conn_more and on which
 * nothing of TLS was sent. name: of the server, for SNI and to be found in its
 * certificate (a name or an address; NULL: neither). When the handshake is over
 * conn->protocol is protocol, or the one of the context's offers that the
 * server has chosen, and its opened() is called; closed() also when there is no
 * such end. Returns 0, or PL_ERR_* and conn is closed. */
int pl_conn_tls_connect(struct pl_conn *conn, struct pl_tls_context *context,
                        const char *name, const struct pl_protocol *protocol);

/* The same as the server, on a connection that has been in the clear so far
 * (STARTTLS): nothing that is read or queued is left. */
int pl_conn_tls_accept(struct pl_conn *conn, struct pl_tls_context *context,
                       const struct pl_protocol *protocol);

/* Why the last session of this worker has failed, in OpenSSL's words: right
 * after that, else NULL. */
const char *pl_net_tls_reason(const struct pl_net *net);

/* Has the stream ended without the peer's saying so? Then what has no other
 * mark of its end may have been cut off by others (RFC 8446, 6.1). */
bool pl_conn_truncated(const struct pl_conn *conn);

/* Clear text that has come where TLS was expected: the protocol answers it,
 * but serves nobody. */
bool pl_conn_mistaken(const struct pl_conn *conn);

/* The options of the listener that conn is secured by; NULL: it is not. */
const struct pl_tls_options *pl_conn_tls_options(const struct pl_conn *conn);

/* What a connection has agreed on. */
struct pl_tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* "TLS_AES_128_GCM_SHA256" */
    const char *alpn;    /* "http/1.1"; "": none */
    char sni[256];       /* in lower case; "": none */
    bool resumed;
    bool has_peer; /* it has shown a certificate: the fields below */
    bool verified; /* ... that ca vouches for */
    char subject[512], issuer[512]; /* RFC 4514, cut if longer */
    char serial[64];                /* hexadecimal */
    char fingerprint[65];           /* SHA-256 of it, hexadecimal */
    char why[128];                  /* not verified, because */
    int64_t not_before, not_after;  /* seconds since 1970 */
};

/* False if conn is not secure, or not yet. */
bool pl_conn_tls_info(const struct pl_conn *conn, struct pl_tls_info *info);

/* ---- figures of a worker ---- */

struct pl_tls_stats {
    uint64_t handshakes; /* completed; of them: */
    uint64_t resumed;    /* without a full one */
    uint64_t v12, v13;   /* by their version */
    uint64_t failed;     /* by the peer's fault or absence */
    uint64_t clear;      /* that spoke no TLS at all */
};

/* All zero before the first connection. */
struct pl_tls_stats pl_net_tls_stats(const struct pl_net *net);

#endif
