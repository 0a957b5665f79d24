/* h2_shared.c - content of a stream that is there once for many: what is
 * broadcast to WebSockets waits, and goes, by reference.
 *
 * It follows what is in stream->out. While some of it waits, other bytes go
 * behind it as a piece of their own, so that the order stays. */
#include "http/h2_state.h"

#include "base/error.h"
#include "base/str.h"

enum {
    SHARE_MIN = 512,      /* less is copied: a reference takes as much */
    COPY_MAX = 16 * 1024, /* what leaves at once is copied up to here */
};

/* One reference is the stream's, others those of frames in the output. */
struct pl_h2_piece {
    struct pl_h2_piece *next;
    struct pl_pool *pool;
    unsigned refs;
    uint32_t size;              /* of this, with bytes */
    struct pl_str rest;         /* what has not gone */
    void (*release)(void *arg); /* NULL: its own bytes */
    void *arg;
    char bytes[];
};

static void drop(void *arg)
{
    struct pl_h2_piece *piece = arg;

    if (--piece->refs > 0)
        return;
    if (piece->release != NULL)
        piece->release(piece->arg);
    pl_pool_put(piece->pool, piece, piece->size);
}

/* The stream is through with its first piece. */
static void pop(struct pl_h2_stream *stream)
{
    struct pl_h2_piece *piece = stream->pieces;

    stream->pieces = piece->next;
    stream->shared -= piece->rest.len;
    pl_account_release(stream->h2->account, piece->size);
    drop(piece);
}

void pl_h2_shared_drop(struct pl_h2_stream *stream)
{
    while (stream->pieces != NULL)
        pop(stream);
}

/* A piece at the end, with room for so many bytes of its own. NULL: there is
 * no memory, or the connection may not hold more. */
static struct pl_h2_piece *append(struct pl_h2_stream *stream, size_t room)
{
    struct pl_h2 *h2 = stream->h2;
    struct pl_h2_piece *piece, **at = &stream->pieces;
    size_t size = pl_pool_round(sizeof(*piece) + room);

    if (pl_account_charge(h2->account, size) < 0)
        return NULL;
    piece = pl_pool_get(pl_conn_net(h2->conn)->pool, size);
    if (piece == NULL) {
        pl_account_release(h2->account, size);
        return NULL;
    }
    *piece = (struct pl_h2_piece){
        .pool = pl_conn_net(h2->conn)->pool, .refs = 1, .size = (uint32_t)size};
    while (*at != NULL)
        at = &(*at)->next;
    *at = piece;
    return piece;
}

int pl_h2_shared_copy(struct pl_h2_stream *stream, struct pl_str bytes)
{
    struct pl_h2_piece *piece = append(stream, bytes.len);

    if (piece == NULL)
        return PL_ERR_LIMIT;
    memcpy(piece->bytes, bytes.data, bytes.len);
    piece->rest = pl_str(piece->bytes, bytes.len);
    stream->shared += bytes.len;
    return 0;
}

static bool may_go_at_once(struct pl_h2_stream *stream, size_t len)
{
    struct pl_conn *conn = stream->h2->conn;

    return len <= COPY_MAX && pl_h2_waiting(stream) == 0 &&
           len <= pl_h2_room(stream) && pl_conn_queued(conn) == 0;
}

int pl_h2_write_ref(struct pl_request *req, struct pl_str bytes,
                    void (*release)(void *arg), void *arg)
{
    struct pl_h2_stream *stream = req->stream;
    struct pl_h2_piece *piece = NULL;
    int err;

    if (bytes.len < SHARE_MIN || may_go_at_once(stream, bytes.len)) {
        err = req->wire->write(req, bytes);
        release(arg);
        return err;
    }
    piece = append(stream, 0);
    if (piece == NULL) {
        release(arg);
        return PL_ERR_LIMIT;
    }
    piece->rest = bytes;
    piece->release = release;
    piece->arg = arg;
    stream->shared += bytes.len;
    pl_h2_schedule(stream);
    return pl_h2_pump(stream->h2);
}

size_t pl_h2_shared_next(const struct pl_h2_stream *stream)
{
    return stream->pieces->rest.len;
}

int pl_h2_shared_send(struct pl_h2_stream *stream, const char *head, size_t len)
{
    struct pl_h2_piece *piece = stream->pieces;
    struct pl_conn *conn = stream->h2->conn;
    int err = pl_h2_say(stream->h2, head, head + PL_H2_FRAME_HEAD);

    if (err < 0)
        return err;
    piece->refs++;
    return pl_conn_write_ref(conn, pl_str_first(piece->rest, len), drop, piece);
}

void pl_h2_shared_gone(struct pl_h2_stream *stream, size_t len)
{
    struct pl_h2_piece *piece = stream->pieces;

    piece->rest = pl_str_skip(piece->rest, len);
    stream->shared -= len;
    if (piece->rest.len == 0)
        pop(stream);
}
