/* conn_out.c - the output of connections.
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

enum {
    SEGMENT = 4096,
    COPY_MAX = 16 * 1024, /* larger bodies are gathered, not copied */
    FILE_WINDOW = 512 * 1024,
};

/* ---- the queue ---- */

/* The WRITE deadline takes the place of the protocol's, which gets what was
 * left of it when the queue is empty again. */
static void keep_deadline(struct pl_conn *conn, struct pl_conn_io *io)
{
    struct pl_net *net = pl_conn_net(conn);
    int32_t left =
        (int32_t)(conn->deadline.at - (uint32_t)pl_now_ms(net->loop));

    io->user_class = conn->class;
    io->user_ms = (uint32_t)PL_MAX(left, 0);
    pl_deadline_set(&net->deadlines, &conn->source, &conn->class,
                    PL_DEADLINE_WRITE, net->limits.write_ms);
}

static struct pl_out *append(struct pl_conn *conn, enum pl_out_kind kind,
                             size_t room)
{
    struct pl_conn_io *io = pl_conn_io_get(conn);
    size_t size = pl_pool_round(sizeof(struct pl_out) + room);
    struct pl_out *out;

    if (io == NULL || pl_account_charge(&io->account, size) < 0)
        return NULL;
    out = pl_pool_get(pl_conn_net(conn)->pool, size);
    if (out == NULL) {
        pl_account_release(&io->account, size);
        return NULL;
    }
    *out = (struct pl_out){.kind = kind, .size = size, .file = -1};
    if (io->tail == NULL) {
        io->head = out;
        keep_deadline(conn, io);
    } else {
        io->tail->next = out;
    }
    io->tail = out;
    return out;
}

static void pop(struct pl_conn *conn)
{
    struct pl_conn_io *io = conn->io;
    struct pl_out *out = io->head;

    io->head = out->next;
    if (io->head == NULL)
        io->tail = NULL;
    io->queued -= out->len;
    if (out->release != NULL)
        out->release(out->arg);
    pl_account_release(&io->account, out->size);
    pl_pool_put(pl_conn_net(conn)->pool, out, out->size);
}

static int queue_copy(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_out *out = conn->io != NULL ? conn->io->tail : NULL;
    size_t room;

    if (bytes.len == 0)
        return 0;
    room = out == NULL || out->kind != PL_OUT_COPY
               ? 0
               : out->size - sizeof(*out) - (size_t)(out->data - out->bytes) -
                     out->off - out->len;
    if (room < bytes.len) {
        out = append(conn, PL_OUT_COPY, PL_MAX(bytes.len, SEGMENT));
        if (out == NULL)
            return PL_ERR_LIMIT;
        out->data = out->bytes;
    }
    memcpy(out->bytes + out->off + out->len, bytes.data, bytes.len);
    out->len += bytes.len;
    conn->io->queued += bytes.len;
    return 0;
}

/* ---- to the kernel ---- */

static ssize_t transfer(struct pl_conn *conn, const struct iovec *iov, int n)
{
    struct pl_net *net = pl_conn_net(conn);
    ssize_t sent = pl_loop_send(net->loop, conn->source.fd, iov, n);

    if (sent == PL_ERR_AGAIN) {
        conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
        return 0;
    }
    return sent;
}

static ssize_t send_file(struct pl_conn *conn, struct pl_out *out)
{
    off_t off = (off_t)out->off;
    ssize_t sent =
        pl_loop_sendfile(pl_conn_net(conn)->loop, conn->source.fd, out->file,
                         &off, (size_t)PL_MIN(out->len, FILE_WINDOW));

    if (sent == PL_ERR_AGAIN) {
        conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
        return 0;
    }
    if (sent == 0) {
        pl_log(PL_LOG_WARN, "net", "a file became shorter while it was sent");
        return PL_ERR_IO;
    }
    return sent;
}

/* The segments of memory at the front of the queue, as one gathered write. */
static ssize_t send_memory(struct pl_conn *conn)
{
    struct iovec iov[16];
    struct pl_out *out;
    int n = 0;

    for (out = conn->io->head;
         out != NULL && out->kind != PL_OUT_FILE && n < (int)PL_COUNT(iov);
         out = out->next)
        iov[n++] =
            (struct iovec){(char *)out->data + out->off, (size_t)out->len};
    return transfer(conn, iov, n);
}

static void sent_from_queue(struct pl_conn *conn, size_t sent)
{
    struct pl_conn_io *io = conn->io;

    while (sent > 0) {
        struct pl_out *out = io->head;
        size_t part = (size_t)PL_MIN(out->len, sent);

        out->off += part;
        out->len -= part;
        io->queued -= part;
        sent -= part;
        if (out->len == 0)
            pop(conn);
    }
}

static void queue_is_empty(struct pl_conn *conn)
{
    struct pl_conn_io *io = conn->io;

    pl_deadline_set(&pl_conn_net(conn)->deadlines, &conn->source, &conn->class,
                    (enum pl_deadline_class)io->user_class, io->user_ms);
    if (conn->flags & PL_CONN_FINISHING)
        pl_conn_finish_now(conn);
}

void pl_conn_push(struct pl_conn *conn)
{
    struct pl_conn_io *io = conn->io;
    bool moved = false;

    while (io->head != NULL && (conn->flags & PL_CONN_WRITABLE)) {
        ssize_t sent = io->head->kind == PL_OUT_FILE ? send_file(conn, io->head)
                                                     : send_memory(conn);

        if (sent < 0) {
            pl_conn_close(conn, (int)sent);
            return;
        }
        moved |= sent > 0;
        sent_from_queue(conn, (size_t)sent);
    }
    if (io->head == NULL)
        queue_is_empty(conn);
    else if (moved)
        pl_deadline_set(&pl_conn_net(conn)->deadlines, &conn->source,
                        &conn->class, PL_DEADLINE_WRITE,
                        pl_conn_net(conn)->limits.write_ms);
    if (pl_conn_closed(conn))
        return;
    if ((conn->flags & PL_CONN_CONGESTED) &&
        io->queued <= pl_conn_net(conn)->limits.output_low) {
        conn->flags &= (uint16_t)~PL_CONN_CONGESTED;
        conn->protocol->drained(conn);
    }
}

/* ---- the outbox ---- */

/* Sends the outbox of its owner, and bytes behind it; gives in *sent how much
 * of bytes has gone. What is refused of the outbox goes to the queue. */
static int send_outbox(struct pl_conn *conn, struct pl_str bytes, size_t *sent)
{
    struct pl_net *net = pl_conn_net(conn);
    struct iovec iov[2] = {{net->outbox, net->outbox_len},
                           {(char *)bytes.data, bytes.len}};
    size_t len = net->outbox_len;
    ssize_t n = 0;
    int err = 0;

    net->owner = NULL;
    net->outbox_len = 0;
    *sent = 0;
    if (conn->flags & PL_CONN_WRITABLE)
        n = len == 0 ? transfer(conn, iov + 1, 1)
                     : transfer(conn, iov, bytes.len > 0 ? 2 : 1);
    if (n < 0) {
        pl_conn_close(conn, (int)n);
        return PL_ERR_CLOSED;
    }
    if ((size_t)n < len + bytes.len)
        conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
    if ((size_t)n < len)
        err = queue_copy(conn, pl_str(net->outbox + n, len - (size_t)n));
    else
        *sent = (size_t)n - len;
    if (err < 0)
        pl_conn_close(conn, err);
    return err;
}

void pl_conn_flush(struct pl_conn *conn)
{
    size_t sent;

    if (pl_conn_net(conn)->owner == conn)
        send_outbox(conn, pl_str(NULL, 0), &sent);
}

/* Makes the outbox conn's. False if its bytes must go to the queue. */
static bool own_outbox(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);

    if (net->owner == conn)
        return true;
    if (conn->io != NULL && conn->io->head != NULL)
        return false;
    if (net->owner != NULL)
        pl_conn_flush(net->owner);
    net->owner = conn;
    return true;
}

static int refused(const struct pl_conn *conn)
{
    return conn->flags & (PL_CONN_CLOSED | PL_CONN_SHUT) ? PL_ERR_CLOSED : 0;
}

char *pl_conn_reserve(struct pl_conn *conn, size_t size)
{
    struct pl_net *net = pl_conn_net(conn);

    if (refused(conn) || !own_outbox(conn))
        return NULL;
    if (PL_NET_OUTBOX - net->outbox_len < size) {
        pl_conn_flush(conn);
        if (refused(conn) || !own_outbox(conn) || size > PL_NET_OUTBOX)
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

int pl_conn_write(struct pl_conn *conn, struct pl_str bytes)
{
    size_t sent = 0;
    char *room;

    if (refused(conn))
        return PL_ERR_CLOSED;
    if (bytes.len == 0)
        return 0;
    room = bytes.len <= PL_NET_OUTBOX ? pl_conn_reserve(conn, bytes.len) : NULL;
    if (room != NULL) {
        memcpy(room, bytes.data, bytes.len);
        pl_conn_commit(conn, bytes.len);
        return 0;
    }
    if (refused(conn))
        return PL_ERR_CLOSED;
    if (own_outbox(conn) && send_outbox(conn, bytes, &sent) < 0)
        return PL_ERR_CLOSED;
    return queue_copy(conn, pl_str_skip(bytes, sent));
}

int pl_conn_write_ref(struct pl_conn *conn, struct pl_str bytes,
                      void (*release)(void *arg), void *arg)
{
    struct pl_out *out;
    size_t sent = 0;
    int err = 0;

    if (refused(conn))
        err = PL_ERR_CLOSED;
    else if (bytes.len <= COPY_MAX)
        err = pl_conn_write(conn, bytes);
    else if (own_outbox(conn))
        err = send_outbox(conn, bytes, &sent);
    if (err < 0 || bytes.len <= COPY_MAX || sent == bytes.len) {
        release(arg);
        return err;
    }
    out = append(conn, PL_OUT_REF, 0);
    if (out == NULL) {
        release(arg);
        return PL_ERR_LIMIT;
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
    size_t len = net->outbox_len;

    if (net->owner != conn)
        return 0;
    net->owner = NULL;
    net->outbox_len = 0;
    return queue_copy(conn, pl_str(net->outbox, len));
}

int pl_conn_write_file(struct pl_conn *conn, int file, uint64_t off,
                       uint64_t len, void (*release)(void *arg), void *arg)
{
    struct pl_out *out = NULL;
    int err = refused(conn);

    if (err == 0 && len > 0) {
        err = outbox_to_queue(conn);
        out = err < 0 ? NULL : append(conn, PL_OUT_FILE, 0);
        err = out == NULL ? PL_ERR_LIMIT : 0;
    }
    if (out == NULL) {
        release(arg);
        return err;
    }
    out->file = file;
    out->off = off;
    out->len = len;
    out->release = release;
    out->arg = arg;
    conn->io->queued += (size_t)len;
    pl_conn_push(conn);
    return 0;
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
    while (conn->io != NULL && conn->io->head != NULL)
        pop(conn);
}
