/* conn_out.c - the output of connections; the queue is in conn_queue.c.
 *
 *     write --> outbox (shared, one owner) --send--> kernel
 *                         | refused
 *                         v
 *                 queue of segments --event--> kernel
 *
 * Invariant: a connection with a queue does not own the outbox, so the order
 * of bytes is always queue first. */
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "net/conn_priv.h"
#include "net/conn_tls.h"

enum {
    COPY_MAX = 16 * 1024, /* larger bodies are gathered, not copied */
    REF_MIN = 256,        /* shorter than what a reference in the queue takes */
};

/* ---- to the kernel ---- */

static inline ssize_t send_vector(struct pl_conn *conn, const struct iovec *iov,
                                  int n)
{
    struct pl_net *net = pl_conn_net(conn);
    ssize_t sent = pl_loop_send(net->loop, conn->source.fd, iov, n);

    if (sent == PL_ERR_AGAIN) {
        conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
        return 0;
    }
    return sent;
}

ssize_t pl_conn_transfer(struct pl_conn *conn, const struct iovec *iov, int n)
{
    return send_vector(conn, iov, n);
}

static ssize_t send_file(struct pl_conn *conn, struct pl_out *out)
{
    off_t off = (off_t)out->off;
    ssize_t sent =
        pl_loop_sendfile(pl_conn_net(conn)->loop, conn->source.fd, out->file,
                         &off, (size_t)PL_MIN(out->len, out->warm));

    if (sent == PL_ERR_AGAIN) {
        conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
        return 0;
    }
    if (sent == 0) {
        pl_log(PL_LOG_WARN, "net", "a file became shorter while it was sent");
        return PL_ERR_IO;
    }
    if (sent > 0)
        out->warm -= (size_t)sent;
    return sent;
}

static ssize_t transfer(struct pl_conn *conn, const struct iovec *iov, int n)
{
    return pl_conn_is_secure(conn) ? pl_conn_tls_send(conn, iov, n)
                                   : send_vector(conn, iov, n);
}

/* The segments of memory at the front of the queue, as one gathered write. Of
 * a connection with TLS: the records. */
static ssize_t send_memory(struct pl_conn *conn)
{
    bool records = conn->io->head->kind == PL_OUT_RECORDS;
    struct iovec iov[16];
    struct pl_out *out;
    int n = 0;

    for (out = conn->io->head;
         out != NULL && out->kind != PL_OUT_FILE && n < (int)PL_COUNT(iov) &&
         records == (out->kind == PL_OUT_RECORDS);
         out = out->next)
        iov[n++] =
            (struct iovec){(char *)out->data + out->off, (size_t)out->len};
    return send_vector(conn, iov, n);
}

PL_COLD void pl_conn_output_failed(struct pl_conn *conn, int err)
{
    bool congested = (conn->flags & PL_CONN_CONGESTED) != 0;

    if (!conn->protocol->reads_on || err != PL_ERR_CLOSED ||
        (conn->flags & PL_CONN_FINISHING)) {
        pl_conn_close(conn, err);
        return;
    }
    conn->flags |= PL_CONN_HALF | PL_CONN_READABLE | PL_CONN_PEER_DONE;
    conn->flags &= (uint16_t)~PL_CONN_CONGESTED;
    if (conn->class == PL_DEADLINE_WRITE)
        pl_deadline_set(
            &pl_conn_net(conn)->deadlines, &conn->source, &conn->class,
            (enum pl_deadline_class)conn->io->user_class, conn->io->user_ms);
    pl_conn_out_drop(conn);
    pl_conn_again(conn);
    if (congested)
        conn->protocol->drained(conn); /* its next write will be told */
}

static void send_fin(struct pl_conn *conn)
{
    if (pl_conn_is_secure(conn)) {
        pl_conn_tls_goodbye(conn);
        if (pl_conn_closed(conn) || pl_conn_has_queue(conn))
            return; /* once more when that has gone */
    }
    /* It is not connected any more: nothing is going to come, either. */
    if (pl_loop_shutdown(pl_conn_net(conn)->loop, conn->source.fd) < 0)
        pl_conn_close(conn, PL_ERR_CLOSED);
}

static void queue_is_empty(struct pl_conn *conn)
{
    struct pl_conn_io *io = conn->io;

    pl_deadline_set(&pl_conn_net(conn)->deadlines, &conn->source, &conn->class,
                    (enum pl_deadline_class)io->user_class, io->user_ms);
    if (conn->flags & PL_CONN_FINISHING)
        pl_conn_finish_now(conn);
    else if (conn->flags & PL_CONN_HALF)
        send_fin(conn);
}

/* Sends what is at the front of the queue. Returns the bytes, or PL_ERR_*. */
static ssize_t send_front(struct pl_conn *conn)
{
    struct pl_out *out = conn->io->head;
    ssize_t sent;

    if (pl_conn_is_secure(conn) && out->kind != PL_OUT_RECORDS)
        return pl_conn_tls_push(conn);
    sent = out->kind == PL_OUT_FILE ? send_file(conn, out) : send_memory(conn);
    if (sent > 0)
        pl_conn_sent(conn, (size_t)sent);
    return sent;
}

/* Sends as much as the kernel takes, but not more than a turn's share. Returns
 * the bytes sent, or PL_ERR_* when the connection is dead. */
static ssize_t send_queue(struct pl_conn *conn)
{
    size_t total = 0;

    while (pl_conn_has_queue(conn) && (conn->flags & PL_CONN_WRITABLE)) {
        struct pl_out *out = conn->io->head;
        ssize_t sent;

        if (total >= PL_NET_PUSH) {
            pl_conn_again(conn); /* the others first */
            break;
        }
        if (out->kind == PL_OUT_FILE && !pl_conn_file_ready(conn, out))
            break;
        sent = send_front(conn);
        if (sent < 0)
            return sent;
        total += (size_t)sent;
    }
    return (ssize_t)total;
}

void pl_conn_push(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    ssize_t sent = send_queue(conn);

    if (sent < 0) {
        pl_conn_output_failed(conn, (int)sent);
        return;
    }
    if (!pl_conn_has_queue(conn))
        queue_is_empty(conn);
    else if (sent > 0 && conn->io->head->ahead == NULL)
        pl_conn_write_begin(conn);
    if (pl_conn_closed(conn))
        return;
    if ((conn->flags & PL_CONN_CONGESTED) &&
        conn->io->queued <= net->limits.output_low) {
        conn->flags &= (uint16_t)~PL_CONN_CONGESTED;
        conn->protocol->drained(conn);
    }
    if (!pl_conn_closed(conn))
        pl_conn_io_put(conn);
}

/* ---- the outbox ---- */

/* Sends the outbox of its owner, and the pieces behind it; gives in *sent how
 * much of these has gone. What is refused of the outbox goes to the queue. */
static int send_outbox(struct pl_conn *conn, const struct iovec *pieces, int n,
                       size_t *sent)
{
    struct pl_net *net = pl_conn_net(conn);
    struct iovec iov[1 + PL_CONN_PIECES] = {{net->outbox, net->outbox_len}};
    size_t len = net->outbox_len, total = len + pl_conn_total(pieces, n);
    int first = len == 0, err = 0;
    ssize_t got = 0;

    if (n > 0)
        memcpy(iov + 1, pieces, (size_t)n * sizeof(*iov));
    net->owner = NULL;
    net->outbox_len = 0;
    *sent = 0;
    if (total == 0)
        return 0;
    if (conn->flags & PL_CONN_WRITABLE)
        got = transfer(conn, iov + first, 1 + n - first);
    if (got < 0) {
        pl_conn_output_failed(conn, (int)got);
        return PL_ERR_CLOSED;
    }
    if ((size_t)got < total)
        conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
    if ((size_t)got < len)
        err = pl_conn_queue_copy(conn, iov, 1, (size_t)got);
    else
        *sent = (size_t)got - len;
    if (err < 0) /* earlier answers are lost with it */
        pl_conn_close(conn, err);
    return err < 0 ? PL_ERR_CLOSED : 0;
}

void pl_conn_flush(struct pl_conn *conn)
{
    size_t sent;

    if (pl_conn_net(conn)->owner == conn)
        send_outbox(conn, NULL, 0, &sent);
}

static bool is_over(const struct pl_conn *conn)
{
    return (conn->flags & (PL_CONN_CLOSED | PL_CONN_SHUT | PL_CONN_HALF)) != 0;
}

void pl_conn_end_output(struct pl_conn *conn)
{
    if (is_over(conn) || (conn->flags & PL_CONN_FINISHING))
        return;
    pl_conn_flush(conn);
    if (pl_conn_closed(conn))
        return;
    conn->flags |= PL_CONN_HALF;
    if (!pl_conn_has_queue(conn))
        send_fin(conn);
}

/* Makes the outbox conn's. False if its bytes must go to the queue, or
 * nowhere. Sending what another connection has in it may close that one, and
 * whoever hears of it may write: so look again. */
static bool own_outbox(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);

    while (net->owner != conn) {
        if (is_over(conn) || pl_conn_has_queue(conn))
            return false;
        if (net->owner == NULL)
            net->owner = conn;
        else
            pl_conn_flush(net->owner);
    }
    return true;
}

char *pl_conn_reserve(struct pl_conn *conn, size_t size)
{
    struct pl_net *net = pl_conn_net(conn);

    if (size > PL_NET_OUTBOX || !own_outbox(conn))
        return NULL;
    if (PL_NET_OUTBOX - net->outbox_len < size) {
        pl_conn_flush(conn);
        if (!own_outbox(conn))
            return NULL;
    }
    return net->outbox + net->outbox_len;
}

void pl_conn_commit(struct pl_conn *conn, size_t used)
{
    struct pl_net *net = pl_conn_net(conn);

    PL_ASSERT(net->owner == conn && used <= PL_NET_OUTBOX - net->outbox_len);
    net->outbox_len += used;
}

/* Sends the outbox and the pieces behind it, if conn may send now; *sent is
 * how much of the pieces has gone. 0, or PL_ERR_CLOSED. */
static int send_now(struct pl_conn *conn, const struct iovec *pieces, int n,
                    size_t *sent)
{
    *sent = 0;
    if (own_outbox(conn))
        return send_outbox(conn, pieces, n, sent);
    return is_over(conn) ? PL_ERR_CLOSED : 0;
}

/* The rest of something could not be queued: if a part of it has gone, the
 * stream is broken. */
static int cannot_queue(struct pl_conn *conn, size_t sent)
{
    if (sent == 0)
        return PL_ERR_LIMIT;
    pl_conn_close(conn, PL_ERR_LIMIT);
    return PL_ERR_CLOSED;
}

int pl_conn_writev(struct pl_conn *conn, const struct iovec *pieces, int n)
{
    char *room = pl_conn_reserve(conn, pl_conn_total(pieces, n));
    size_t sent;

    PL_ASSERT(n <= PL_CONN_PIECES);
    if (room != NULL) {
        char *end = pl_conn_gather(room, pieces, n, 0);

        pl_conn_commit(conn, (size_t)(end - room));
        return 0;
    }
    if (send_now(conn, pieces, n, &sent) < 0)
        return PL_ERR_CLOSED;
    return pl_conn_queue_copy(conn, pieces, n, sent) < 0
               ? cannot_queue(conn, sent)
               : 0;
}

int pl_conn_write(struct pl_conn *conn, struct pl_str bytes)
{
    struct iovec piece = {(char *)bytes.data, bytes.len};

    return pl_conn_writev(conn, &piece, 1);
}

int pl_conn_write_ref(struct pl_conn *conn, struct pl_str bytes,
                      void (*release)(void *arg), void *arg)
{
    struct iovec piece = {(char *)bytes.data, bytes.len};
    bool copy = bytes.len <=
                (pl_conn_has_queue(conn) ? (size_t)REF_MIN : (size_t)COPY_MAX);
    struct pl_out *out;
    size_t sent = 0;
    int err;

    if (copy)
        err = pl_conn_write(conn, bytes);
    else
        err = send_now(conn, &piece, 1, &sent);
    if (err < 0 || copy || sent == bytes.len) {
        release(arg);
        return err;
    }
    out = pl_conn_queue_add(conn, PL_OUT_REF, 0);
    if (out == NULL) {
        release(arg);
        return cannot_queue(conn, sent);
    }
    out->data = bytes.data;
    out->off = sent;
    out->len = bytes.len - sent;
    out->release = release;
    out->arg = arg;
    conn->io->queued += (size_t)out->len;
    return 0;
}

/* A head that waits in the outbox is queued in front of the file, so that both
 * leave from one place. */
static int outbox_to_queue(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    struct iovec head = {net->outbox, net->outbox_len};

    if (net->owner != conn)
        return 0;
    net->owner = NULL;
    net->outbox_len = 0;
    return pl_conn_queue_copy(conn, &head, 1, 0);
}

int pl_conn_write_file(struct pl_conn *conn, int file, uint64_t off,
                       uint64_t len, void (*release)(void *arg), void *arg)
{
    struct pl_out *out = NULL;

    if (!is_over(conn) && len > 0 && outbox_to_queue(conn) < 0)
        pl_conn_close(conn, PL_ERR_LIMIT); /* earlier answers are lost */
    if (!is_over(conn) && len > 0)
        out = pl_conn_queue_add(conn, PL_OUT_FILE, 0);
    if (out != NULL) {
        out->file = file;
        out->off = off;
        out->len = len;
        out->release = release;
        out->arg = arg;
        conn->io->queued += (size_t)len;
    } else {
        release(arg);
    }
    if (is_over(conn))
        return PL_ERR_CLOSED;
    if (pl_conn_has_queue(conn))
        pl_conn_push(conn);
    if (is_over(conn))
        return PL_ERR_CLOSED;
    return out == NULL && len > 0 ? PL_ERR_LIMIT : 0;
}

size_t pl_conn_queued(const struct pl_conn *conn)
{
    const struct pl_net *net = pl_conn_net(conn);

    return (conn->io == NULL ? 0 : conn->io->queued) +
           (net->owner == conn ? net->outbox_len : 0);
}

bool pl_conn_congested(struct pl_conn *conn)
{
    if (conn->io != NULL &&
        conn->io->queued > pl_conn_net(conn)->limits.output_high)
        conn->flags |= PL_CONN_CONGESTED;
    return (conn->flags & PL_CONN_CONGESTED) != 0;
}

void pl_conn_out_drop(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);

    if (net->owner == conn) {
        net->owner = NULL;
        net->outbox_len = 0;
    }
    pl_conn_queue_drop(conn);
}
