/* h2_output.c - frames that go: small ones at once, content as far as windows
 * and the peer's reading allow, the most urgent first (RFC 9218, 10).
 *
 * A stream is in h2->ready while it has content and a window of its own. What
 * is sent goes to the worker's outbox, so that the answers of many streams
 * leave in one write. */
#include "http/h2_state.h"

#include "base/error.h"
#include "base/str.h"
#include "http/content.h"

int pl_h2_say(struct pl_h2 *h2, const char *from, const char *end)
{
    struct pl_conn *conn = h2->conn;
    int err = pl_conn_write(conn, pl_str(from, (size_t)(end - from)));

    if (err < 0) /* half a conversation is none */
        pl_conn_close(conn, err);
    return pl_conn_closed(conn) ? PL_ERR_CLOSED : 0;
}

int pl_h2_say_number(struct pl_h2 *h2, enum pl_h2_type type, uint32_t stream,
                     uint32_t value)
{
    char frame[PL_H2_NUMBER_FRAME];

    return pl_h2_say(h2, frame, pl_h2_put_number(frame, type, stream, value));
}

/* ---- what waits ---- */

uint64_t pl_h2_waiting(const struct pl_h2_stream *stream)
{
    if (stream->source != NULL)
        return (uint64_t)stream->source->response.length - stream->at;
    return stream->out.len - stream->at + stream->shared;
}

void pl_h2_schedule(struct pl_h2_stream *stream)
{
    struct pl_list *list = &stream->h2->ready[stream->priority.urgency];
    bool waits = pl_h2_waiting(stream) > 0;

    if (waits && stream->send.left > 0) {
        if (pl_list_empty(&stream->node))
            pl_list_push(list, &stream->node);
        stream->stalled = 0;
        return;
    }
    pl_list_remove(&stream->node);
    if (waits && stream->stalled == 0)
        stream->stalled = pl_h2_now(stream->h2);
}

/* ---- what it costs ----
 *
 * An answer that is known as a whole lies in memory until the peer lets it go.
 * It cannot be made smaller once it is there; so requests wait (parked) while
 * much of it does. */

bool pl_h2_is_full(const struct pl_h2 *h2)
{
    return h2->content > pl_conn_net(h2->conn)->limits.conn_memory / 2;
}

/* One large answer is always allowed, as in HTTP/1. */
bool pl_h2_content_hold(struct pl_h2_stream *stream, uint64_t size)
{
    struct pl_h2 *h2 = stream->h2;

    if (h2->content > 0 && h2->content + size + h2->account->used >
                               pl_conn_net(h2->conn)->limits.conn_memory)
        return false;
    stream->content = size;
    h2->content += size;
    return true;
}

void pl_h2_content_drop(struct pl_h2_stream *stream)
{
    struct pl_h2 *h2 = stream->h2;

    h2->content -= stream->content;
    stream->content = 0;
    if (!pl_list_empty(&h2->parked) && !pl_h2_is_full(h2))
        pl_conn_yield(h2->conn);
}

static struct pl_h2_stream *most_urgent(struct pl_h2 *h2)
{
    for (unsigned i = 0; i < PL_H2_URGENCIES; i++)
        if (!pl_list_empty(&h2->ready[i]))
            return PL_LIST_ENTRY(h2->ready[i].next, struct pl_h2_stream, node);
    return NULL;
}

/* ---- one frame ---- */

static void drop_hold(void *req)
{
    pl_request_drop(req);
}

/* The file's bytes follow their frame's head by themselves: they must be read
 * first, or are behind a queue. */
static int send_file(struct pl_h2 *h2, struct pl_request *req, const char *head,
                     uint64_t off, size_t len)
{
    pl_request_hold(req);
    if (pl_h2_say(h2, head, head + PL_H2_FRAME_HEAD) < 0) {
        pl_request_drop(req);
        return PL_ERR_CLOSED;
    }
    return pl_conn_write_file(h2->conn, req->response.file, off, len, drop_hold,
                              req);
}

/* PL_ERR_IO: the file has become shorter. PL_ERR_CLOSED. */
static int send_from_file(struct pl_h2 *h2, struct pl_request *req,
                          const struct pl_content_piece *piece,
                          const char *head, size_t len)
{
    char *room = pl_conn_reserve(h2->conn, PL_H2_FRAME_HEAD + len);
    int err = PL_ERR_AGAIN;

    if (room != NULL)
        err = pl_content_copy(req, piece, room + PL_H2_FRAME_HEAD, len);
    else if (pl_conn_closed(h2->conn))
        return PL_ERR_CLOSED;
    if (err == PL_ERR_AGAIN)
        return send_file(h2, req, head, piece->off, len);
    if (err == 0) {
        memcpy(room, head, PL_H2_FRAME_HEAD);
        pl_conn_commit(h2->conn, PL_H2_FRAME_HEAD + len);
    }
    return err;
}

static int send_memory(struct pl_h2 *h2, const char *head, const char *bytes,
                       size_t len)
{
    struct iovec pieces[2] = {{(char *)head, PL_H2_FRAME_HEAD},
                              {(char *)bytes, len}};

    return pl_conn_writev(h2->conn, pieces, 2);
}

static bool is_last(const struct pl_h2_stream *stream, size_t len)
{
    return (stream->source != NULL ||
            (stream->ended && stream->tail == NULL)) &&
           pl_h2_waiting(stream) == len;
}

size_t pl_h2_room(const struct pl_h2_stream *stream)
{
    uint32_t room = PL_MIN(pl_h2_window_room(&stream->send),
                           pl_h2_window_room(&stream->h2->send));

    return PL_MIN(room, (uint32_t)PL_H2_FRAME_MAX);
}

void pl_h2_spend(struct pl_h2_stream *stream, size_t len)
{
    struct pl_h2 *h2 = stream->h2;

    pl_h2_window_use(&stream->send, (uint32_t)len);
    pl_h2_window_use(&h2->send, (uint32_t)len);
    h2->stalled = 0;
    h2->explained += 2; /* one WINDOW_UPDATE for either window */
}

/* Is it a piece that is shared which goes next? */
static bool next_is_shared(const struct pl_h2_stream *stream)
{
    return stream->source == NULL && stream->at == stream->out.len;
}

static struct pl_content_piece next_piece(const struct pl_h2_stream *stream)
{
    if (stream->source != NULL)
        return pl_content_at(&stream->source->response, stream->at);
    if (next_is_shared(stream))
        return (struct pl_content_piece){.len = pl_h2_shared_next(stream)};
    return (struct pl_content_piece){stream->out.data + stream->at, 0,
                                     stream->out.len - stream->at};
}

/* The next frame of the stream: gives its length. */
static int send_frame(struct pl_h2_stream *stream, size_t *sent)
{
    struct pl_h2 *h2 = stream->h2;
    struct pl_content_piece piece = next_piece(stream);
    char head[PL_H2_FRAME_HEAD];
    size_t len;
    int err;

    len = (size_t)PL_MIN(piece.len, (uint64_t)pl_h2_room(stream));
    pl_h2_put_head(head, len, PL_H2_DATA,
                   is_last(stream, len) ? PL_H2_END_STREAM : 0, stream->id);
    if (piece.bytes != NULL)
        err = send_memory(h2, head, piece.bytes, len);
    else if (stream->source != NULL)
        err = send_from_file(h2, stream->source, &piece, head, len);
    else
        err = pl_h2_shared_send(stream, head, len);
    if (pl_conn_closed(h2->conn))
        return PL_ERR_CLOSED;
    *sent = len;
    return err;
}

/* ---- behind it ---- */

int pl_h2_end_pieces(struct pl_h2_stream *stream)
{
    struct pl_request *tail = stream->tail;
    char frame[PL_H2_FRAME_HEAD];
    int err = PL_ERR_NOMEM;

    stream->done = true;
    stream->tail = NULL;
    if (tail != NULL) {
        err = pl_h2_trailers_send(stream, tail);
        pl_request_drop(tail);
    }
    if (err != PL_ERR_NOMEM) /* without them the content is whole, too */
        return err;
    return pl_h2_say(
        stream->h2, frame,
        pl_h2_put_head(frame, 0, PL_H2_DATA, PL_H2_END_STREAM, stream->id));
}

/* All that was there has gone. */
static int over(struct pl_h2_stream *stream)
{
    struct pl_request *source = stream->source;

    pl_list_remove(&stream->node);
    pl_h2_content_drop(stream);
    stream->at = 0;
    stream->out.len = 0;
    stream->source = NULL;
    stream->done = source != NULL || stream->ended;
    if (source != NULL)
        pl_request_drop(source);
    else if (stream->tail != NULL && pl_h2_end_pieces(stream) < 0)
        return PL_ERR_CLOSED;
    return stream->done ? pl_h2_stream_settle(stream) : 0;
}

static void take_turns(struct pl_h2_stream *stream)
{
    pl_h2_schedule(stream);
    if (stream->priority.incremental && !pl_list_empty(&stream->node)) {
        pl_list_remove(&stream->node);
        pl_h2_schedule(stream);
    }
}

static int account_for(struct pl_h2_stream *stream, size_t len)
{
    pl_h2_spend(stream, len);
    if (next_is_shared(stream))
        pl_h2_shared_gone(stream, len);
    else
        stream->at += len;
    if (stream->source != NULL)
        stream->source->response.sent += len;
    if (stream->congested && pl_h2_waiting(stream) <= PL_H2_OUT_LOW) {
        stream->congested = false;
        if (stream->req != NULL)
            pl_response_drained(&stream->req->response, 0);
    }
    if (pl_h2_waiting(stream) == 0)
        return over(stream);
    take_turns(stream);
    return 0;
}

static int send_next(struct pl_h2_stream *stream, size_t *len)
{
    int err = send_frame(stream, len);

    if (err == 0)
        return account_for(stream, *len);
    if (err == PL_ERR_IO)
        return pl_h2_stream_reset(stream, PL_H2_INTERNAL_ERROR);
    if (err != PL_ERR_CLOSED) /* the frames before it may have a part of it */
        pl_conn_close(stream->h2->conn, err);
    return PL_ERR_CLOSED;
}

/* ---- all of them ---- */

static int push(struct pl_h2 *h2)
{
    struct pl_conn *conn = h2->conn;
    struct pl_h2_stream *stream;
    size_t total = 0, len;

    while ((stream = most_urgent(h2)) != NULL && !pl_conn_congested(conn)) {
        if (h2->send.left <= 0) {
            if (h2->stalled == 0)
                h2->stalled = pl_h2_now(h2);
            break;
        }
        if (total >= PL_H2_PUSH) {
            pl_conn_yield(conn); /* the others first */
            break;
        }
        len = 0;
        if (send_next(stream, &len) < 0)
            return PL_ERR_CLOSED;
        total += len;
    }
    return 0;
}

int pl_h2_pump(struct pl_h2 *h2)
{
    int err;

    if (h2->pumping) /* writing a file may find that all has drained */
        return 0;
    h2->pumping = true;
    err = push(h2);
    if (err == 0)
        h2->pumping = false;
    return err;
}
