/* conn_tls.h - what conn.c and conn_out.c ask of connections with TLS
 * (conn_tls.c, conn_tls_out.c), and that of contexts (tls.c). Private to the
 * room. */
#ifndef PL_NET_CONN_TLS_H
#define PL_NET_CONN_TLS_H

#include "base/features.h"
#include "net/tls_plugin.h"

/* Of a connection. */
struct pl_tls {
    void *session; /* NULL: no whole record has come yet */
    struct pl_tls_context *context;
    const struct pl_protocol *next; /* after the handshake, without ALPN */
    char *rest;                     /* the beginning of a record */
    uint32_t rest_len, rest_size;
    bool open : 1;       /* the handshake is over */
    bool ended : 1;      /* the peer has said that no more follows */
    bool farewell : 1;   /* ... and so have we */
    bool clear : 1;      /* there was no TLS in it */
    bool known : 1;      /* to the protocol: it hears of the end in any case */
    bool fed : 1;        /* rest is to be looked at without a recv */
    bool draining : 1;   /* as soon as there is something to drain */
    bool waits : 1;      /* the handshakes of its turn were others' */
    bool granted : 1;    /* ... but in the next it has a step */
    struct pl_list node; /* in worker->waiting */
};

_Static_assert(sizeof(struct pl_tls) <= 64, "part of an idle connection");

enum { PL_TLS_BATCH = 64 * 1024 }; /* encrypted, then sent */

/* Of a worker, from its first connection with TLS on. */
struct pl_tls_worker {
    const struct pl_tls_offer *offer;
    struct pl_tls_io io;
    char *plain; /* PL_NET_INBOX: decrypted, being shown */
    char *stage; /* to be encrypted together */
    size_t staged;
    unsigned steps;         /* handshakes begun in this turn */
    struct pl_list waiting; /* pl_tls.node; who waits longest is the first */
    struct pl_tls_stats stats;
};

PL_INLINE bool pl_conn_is_secure(const struct pl_conn *conn)
{
    return PL_WITH_TLS && (conn->flags & PL_CONN_SECURE) != 0;
}

/* NULL: it has none. */
PL_INLINE struct pl_tls *pl_conn_tls(const struct pl_conn *conn)
{
    struct pl_conn_more *more = pl_conn_more(conn);

    return more == NULL ? NULL : more->tls;
}

PL_INLINE struct pl_tls_worker *pl_conn_tls_worker(const struct pl_conn *conn)
{
    return pl_conn_net(conn)->tls;
}

/* ---- for conn.c ---- */

/* What comes before the listener's protocol. */
extern const struct pl_protocol pl_tls_protocol;

/* One recv, as read_once(). */
size_t pl_conn_tls_read(struct pl_conn *conn);

/* The last words before the FIN, once. May close conn, or queue. */
void pl_conn_tls_goodbye(struct pl_conn *conn);

void pl_conn_tls_free(struct pl_conn *conn);

/* A turn is over: whose handshakes go on in the next. */
void pl_conn_tls_next_turn(struct pl_tls_worker *worker);
void pl_net_tls_fini(struct pl_net *net);

/* ---- for conn_out.c ---- */

/* Encrypts and sends while the kernel takes it. Returns how many bytes of the
 * pieces are done with, sent or queued as records; or PL_ERR_*. */
ssize_t pl_conn_tls_send(struct pl_conn *conn, const struct iovec *iov, int n);

/* The same for what is at the front of the queue (no records), at most a batch
 * of it, which it takes off the queue. */
ssize_t pl_conn_tls_push(struct pl_conn *conn);

/* Sends the records that the session has made; what is refused goes to the
 * front of the queue. 0 or PL_ERR_*. */
int pl_conn_tls_send_records(struct pl_conn *conn);

/* ---- contexts, tls.c ---- */

/* pl_tls_context_new() without the plug-in. */
int pl_tls_context_make(const struct pl_tls_offer *offer,
                        const struct pl_tls_options *options, bool client,
                        const struct pl_protocol *const *offers,
                        struct pl_tls_context **out, struct pl_error *error);

/* GIVES a terminated copy of a file: pl_tls_wipe(). 0, or PL_ERR_* with *error
 * naming it. */
int pl_tls_read_file(const char *path, struct pl_str *out,
                     struct pl_error *error);
void pl_tls_wipe(struct pl_str secret);

/* The certificate for development, in file->cert and file->key, as above: the
 * one that is kept, or a new one. 0, or PL_ERR_* with *error filled. */
int pl_tls_dev_read(const struct pl_tls_offer *offer, struct pl_tls_file *file,
                    struct pl_error *error);

const struct pl_tls_offer *
pl_tls_context_offer(const struct pl_tls_context *context);
const struct pl_protocol *pl_tls_offered(const struct pl_tls_context *context,
                                         int choice);

/* A session with the set of now; looks at the files if it is time to. NULL: out
 * of memory. */
void *pl_tls_session(struct pl_conn *conn, struct pl_tls_context *context,
                     const char *name);

#endif
