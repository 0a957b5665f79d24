/* conn_queue.c - pieces of output that the kernel has not taken yet, and how
 * long it is waited for. */
#include "base/str.h"
#include "net/conn_priv.h"

enum { SEGMENT = 4096 };

/* A peer is given up when it took nothing from us for the whole of the write
 * time-out, and nothing from the kernel's buffer for its second half: so the
 * deadline is set twice, each time for half of it. */
static void begin_half(struct pl_conn *conn, size_t unsent)
{
    struct pl_net *net = pl_conn_net(conn);

    conn->io->unsent = unsent;
    pl_deadline_set(&net->deadlines, &conn->source, &conn->class,
                    PL_DEADLINE_WRITE, PL_MAX(net->limits.write_ms / 2, 1));
}

void pl_conn_write_begin(struct pl_conn *conn)
{
    begin_half(conn, SIZE_MAX);
}

void pl_conn_write_late(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    ssize_t unsent = pl_loop_unsent(net->loop, conn->source.fd);

    if (unsent >= 0 && (size_t)unsent < conn->io->unsent) {
        begin_half(conn, (size_t)unsent);
        return;
    }
    net->stats.timed_out++;
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

/* The WRITE deadline takes the place of the protocol's, which gets what was
 * left of it when the queue is empty again. */
static void keep_deadline(struct pl_conn *conn, struct pl_conn_io *io)
{
    struct pl_net *net = pl_conn_net(conn);
    int32_t left =
        (int32_t)(conn->deadline.at - (uint32_t)pl_now_ms(net->loop));

    io->user_class = conn->class;
    io->user_ms = (uint32_t)PL_MAX(left, 0);
    pl_conn_write_begin(conn);
}

/* Belongs to no queue yet. NULL: the peer holds too much already. */
static struct pl_out *make(struct pl_conn *conn, enum pl_out_kind kind,
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
    return out;
}

static void insert(struct pl_conn *conn, struct pl_out *out, struct pl_out **at)
{
    struct pl_conn_io *io = conn->io;

    /* WRITE already: what is replaced by its records was the whole queue. */
    if (io->head == NULL && conn->class != PL_DEADLINE_WRITE)
        keep_deadline(conn, io);
    out->next = *at;
    *at = out;
    if (out->next == NULL)
        io->tail = out;
}

struct pl_out *pl_conn_queue_add(struct pl_conn *conn, enum pl_out_kind kind,
                                 size_t room)
{
    struct pl_out *out = make(conn, kind, room);

    if (out != NULL)
        insert(conn, out,
               conn->io->tail == NULL ? &conn->io->head
                                      : &conn->io->tail->next);
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
    if (out->ahead != NULL)
        pl_conn_file_abandon(out);
    if (out->release != NULL)
        out->release(out->arg);
    pl_account_release(&io->account, out->size);
    pl_pool_put(pl_conn_net(conn)->pool, out, out->size);
}

int pl_conn_queue_copy(struct pl_conn *conn, const struct iovec *pieces, int n,
                       size_t skip)
{
    struct pl_out *out = conn->io != NULL ? conn->io->tail : NULL;
    size_t len = pl_conn_total(pieces, n) - skip, room = 0;

    if (len == 0)
        return 0;
    if (out != NULL && out->kind == PL_OUT_COPY)
        room = out->size - sizeof(*out) - (size_t)(out->off + out->len);
    if (room < len) {
        out = pl_conn_queue_add(conn, PL_OUT_COPY, PL_MAX(len, SEGMENT));
        if (out == NULL)
            return PL_ERR_LIMIT;
        out->data = out->bytes;
    }
    pl_conn_gather(out->bytes + out->off + out->len, pieces, n, skip);
    out->len += len;
    conn->io->queued += len;
    return 0;
}

int pl_conn_queue_records(struct pl_conn *conn, struct pl_str records)
{
    struct pl_out *out = make(conn, PL_OUT_RECORDS, records.len);
    struct pl_out **at;

    if (out == NULL)
        return PL_ERR_LIMIT;
    memcpy(out->bytes, records.data, records.len);
    out->data = out->bytes;
    out->len = records.len;
    conn->io->queued += records.len;
    at = &conn->io->head;
    while (*at != NULL && (*at)->kind == PL_OUT_RECORDS)
        at = &(*at)->next;
    insert(conn, out, at);
    return 0;
}

void pl_conn_sent(struct pl_conn *conn, size_t sent)
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

void pl_conn_queue_drop(struct pl_conn *conn)
{
    while (pl_conn_has_queue(conn))
        pop(conn);
}
