/* secure.h - what TLS connections that we begin are made with: certificates of
 * those we believe, our own if a server asks for one, protocols (ALPN).
 *
 * Made on an offload thread when it is first asked for (the list of the
 * system's certificates is long), and kept by the worker for those who ask for
 * the same. Files that have changed since are not looked at again. */
#ifndef PL_SOCKET_SECURE_H
#define PL_SOCKET_SECURE_H

#include "net/tls.h"
#include "socket/socket.h"

enum { PL_SECURE_MAX = 64, PL_SECURE_ALPN_MAX = 8 };

/* Texts are NULL where nothing is said. */
struct pl_secure_spec {
    bool server;      /* we are asked: cert is needed, ca is for clients */
    bool insecure;    /* whoever answers is believed */
    const char *ca;   /* file of those who sign; NULL: the system's */
    const char *cert; /* our own chain, and its key; key NULL: in cert */
    const char *key;
    const char *alpn; /* protocols that we speak, with spaces between */
};

/* One of them; lives as long as the worker. */
struct pl_secure;

/* Completes with 0 and op->secure, or PL_ERR_* with error: a file that cannot
 * be used, no plug-in, PL_ERR_LIMIT (more than PL_SECURE_MAX different ones).
 * COPIES spec. */
struct pl_secure_op {
    struct pl_op op;
    struct pl_list node;
    struct pl_secure *secure;
    struct pl_error error;
};

void pl_secure_begin(struct pl_secure_op *op, struct pl_sockets *sockets,
                     const struct pl_secure_spec *spec);

/* From here on socket is encrypted: completes when both sides have agreed, with
 * 0 or PL_ERR_* (PL_ERR_PROTO: no agreement; pl_secure_reason()). A failure
 * closes the connection. name: of the server, NULL to let it be anybody. What
 * has come and was not read is PL_ERR_PROTO: nobody may slip in words in the
 * clear that are taken for secret ones (CVE-2011-0411). */
void pl_socket_secure_begin(struct pl_socket_op *op, struct pl_socket *socket,
                            const struct pl_secure *secure, const char *name);

/* The same, at once and for socket.c: 0, or PL_ERR_* and conn is closed. */
int pl_secure_start(const struct pl_secure *secure, struct pl_conn *conn,
                    const char *name);

/* In OpenSSL's words, right after a failure; never NULL. */
const char *pl_secure_reason(const struct pl_sockets *sockets);

/* The worker ends: all connections are closed. */
void pl_secure_free_all(struct pl_sockets *sockets);

#endif
