/* conn_priv.h - what conn.c (life, input), conn_out.c and conn_queue.c (output)
 * share. */
#ifndef PL_NET_CONN_PRIV_H
#define PL_NET_CONN_PRIV_H

#include "base/buf.h"
#include "net/conn.h"

/* A piece of output that the kernel has not taken yet. */
struct pl_out {
    struct pl_out *next;
    enum pl_out_kind {
        PL_OUT_COPY,
        PL_OUT_REF,
        PL_OUT_FILE,
        PL_OUT_RECORDS, /* encrypted already: before all others */
    } kind;
    int file;
    uint64_t off;           /* in data, or in the file */
    uint64_t len;           /* still to go */
    size_t warm;            /* FILE: bytes of them that are in memory */
    struct pl_ahead *ahead; /* FILE: is being read; nothing goes until then */
    void (*release)(void *arg);
    void *arg;
    const char *data;
    size_t size; /* of this block */
    char bytes[];
};

/* The buffers of a connection that has something in them, or whose protocol
 * holds memory. */
struct pl_conn_io {
    struct pl_account account;
    struct pl_buf in; /* read, but not consumed by the protocol */
    struct pl_out *head, *tail;
    size_t queued;    /* bytes in the segments */
    size_t unsent;    /* in the kernel when the peer was last judged */
    uint32_t user_ms; /* the protocol's deadline while WRITE replaces it */
    uint8_t user_class;
};

/* NULL when out of memory. */
struct pl_conn_io *pl_conn_io_get(struct pl_conn *conn);

/* Gives io back when there is nothing in it. Input stays in it, also when the
 * connection is closed, until whoever is being shown it has returned. */
void pl_conn_io_put(struct pl_conn *conn);

/* ---- the queue ---- */

PL_INLINE size_t pl_conn_total(const struct iovec *pieces, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += pieces[i].iov_len;
    return total;
}

/* Copies the pieces without their first skip bytes. */
PL_INLINE char *pl_conn_gather(char *to, const struct iovec *pieces, int n,
                               size_t skip)
{
    for (int i = 0; i < n; i++) {
        size_t miss = PL_MIN(skip, pieces[i].iov_len);
        size_t len = pieces[i].iov_len - miss;

        skip -= miss;
        if (len > 0)
            memcpy(to, (const char *)pieces[i].iov_base + miss, len);
        to += len;
    }
    return to;
}

/* Queues the pieces without their first skip bytes, all or nothing: 0 or
 * PL_ERR_LIMIT. */
int pl_conn_queue_copy(struct pl_conn *conn, const struct iovec *pieces, int n,
                       size_t skip);

/* An empty one at the end, with room for so many bytes. NULL: the peer holds
 * too much already. */
struct pl_out *pl_conn_queue_add(struct pl_conn *conn, enum pl_out_kind kind,
                                 size_t room);

void pl_conn_queue_drop(struct pl_conn *conn);

/* ---- for conn_tls.c ---- */

/* One recv: the bytes, or 0 when there is nothing (more), with all that follows
 * from it (the end, the deadline of PL_CONN_READABLE, a close). */
ssize_t pl_conn_receive(struct pl_conn *conn, char *to, size_t room);

/* Bytes for the protocol, behind those that it has left. */
void pl_conn_show_plain(struct pl_conn *conn, struct pl_str bytes);

/* The peer has finished sending. */
void pl_conn_at_eof(struct pl_conn *conn);

PL_INLINE bool pl_conn_has_queue(const struct pl_conn *conn)
{
    return conn->io != NULL && conn->io->head != NULL;
}

PL_INLINE bool pl_conn_has_records(const struct pl_conn *conn)
{
    return pl_conn_has_queue(conn) && conn->io->head->kind == PL_OUT_RECORDS;
}

/* One send: how much the kernel has taken, or PL_ERR_*. */
ssize_t pl_conn_transfer(struct pl_conn *conn, const struct iovec *iov, int n);

/* COPIES records to the front of the queue, behind those that wait there. 0 or
 * PL_ERR_LIMIT. */
int pl_conn_queue_records(struct pl_conn *conn, struct pl_str records);

/* So many bytes of the queue are done with. */
void pl_conn_sent(struct pl_conn *conn, size_t n);

/* A look at conn in the next turn, without an event. */
void pl_conn_again(struct pl_conn *conn);

/* Sends from the queue until the kernel refuses; ends a finishing connection
 * and tells the protocol when it has drained. */
void pl_conn_push(struct pl_conn *conn);

/* The peer has the whole time again to read something; the WRITE deadline has
 * passed. There is output. */
void pl_conn_write_begin(struct pl_conn *conn);
void pl_conn_write_late(struct pl_conn *conn);

/* May a window of the file be sent now (out->warm bytes)? Else it is being
 * read, and pl_conn_push() follows. */
bool pl_conn_file_ready(struct pl_conn *conn, struct pl_out *out);

/* out, whose file is being read, is about to go: the reader releases it. */
void pl_conn_file_abandon(struct pl_out *out);

/* Nothing can be sent any more: closes conn; but only forgets its output where
 * the protocol wants to read what has come before. */
void pl_conn_output_failed(struct pl_conn *conn, int err);

/* Drops the queue and the outbox's bytes of a connection that closes. */
void pl_conn_out_drop(struct pl_conn *conn);

/* The output has gone: what pl_conn_finish() asked for. */
void pl_conn_finish_now(struct pl_conn *conn);

#endif
