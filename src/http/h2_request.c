/* h2_request.c - what header blocks of the client are: heads of requests, which
 * open streams, trailers, or neither any more (RFC 9113, 5.1 and 8.1).
 *
 * Each block is decoded, whatever becomes of it: the tables have to follow. */
#include "http/h2_state.h"

#include "base/log.h"
#include "base/str.h"
#include "http/h2_head.h"
#include "http/trailer.h"

/* Malformed: said once in the log, as in HTTP/1. */
static int refuse_head(struct pl_h2 *h2, uint32_t id, const char *why)
{
    struct pl_http *http = pl_h2_http(h2);

    pl_log(PL_LOG_DEBUG, "http", "refused: %s stream=%u", why, id);
    http->stats.refused++;
    http->stats.by_class[4]++;
    if (http->ops->refused != NULL)
        http->ops->refused(http->arg, h2->conn, 400);
    return pl_h2_refuse(h2, id, PL_H2_PROTOCOL_ERROR);
}

/* Answers a request whose head has been read. The stream may be gone behind
 * it, and the connection too. */
static int begin(struct pl_h2_stream *stream, struct pl_request *req,
                 const struct pl_h2_head *head)
{
    struct pl_conn *conn = stream->h2->conn;

    stream->req = req;
    stream->announced = head->has_length ? (int64_t)head->length : -1;
    stream->expect = head->expect && stream->body;
    stream->priority =
        pl_h2_early_take(&stream->h2->early, stream->id, head->priority);
    req->wire = &pl_h2_wire;
    req->stream = stream;
    pl_request_arrived(req, conn);
    req->body.length = head->has_length ? (int64_t)head->length
                       : stream->body   ? -1
                                        : 0;
    req->body.complete = !stream->body;
    if (head->large)
        pl_request_refuse(req, 431, "the header fields are too large");
    else if (pl_h2_is_full(stream->h2))
        pl_list_push(&stream->h2->parked, &stream->node);
    else
        pl_request_begin(req);
    return pl_conn_closed(conn) ? PL_ERR_CLOSED : 0;
}

static int open_stream(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                       struct pl_h2_head *head)
{
    bool body = !(frame->flags & PL_H2_END_STREAM);
    const char *why = pl_h2_head_check(head);
    struct pl_h2_stream *stream = NULL;
    struct pl_request *req;

    if (why == NULL && !body && head->has_length && head->length > 0)
        why = "Content-Length without a body";
    if (why == NULL && h2->nstreams < pl_h2_http(h2)->settings->h2.streams)
        stream = pl_h2_stream_open(h2, frame->stream, head->size);
    if (stream == NULL) {
        pl_arena_fini(&head->arena);
        return why != NULL
                   ? refuse_head(h2, frame->stream, why)
                   : pl_h2_refuse(h2, frame->stream, PL_H2_REFUSED_STREAM);
    }
    stream->body = body;
    req = pl_h2_head_request(head, pl_h2_http(h2));
    if (req == NULL)
        return pl_h2_stream_reset(stream, PL_H2_REFUSED_STREAM);
    return begin(stream, req, head);
}

/* Decodes the block; a failure ends the connection. */
static int read_head(struct pl_h2 *h2, struct pl_h2_head *head,
                     enum pl_h2_part part, struct pl_str block)
{
    enum pl_h2_code code =
        pl_h2_head_read(head, part, h2->hpack, block, pl_h2_http(h2));

    if (code == PL_H2_NO_ERROR)
        return 0;
    pl_arena_fini(&head->arena);
    return pl_h2_fail(h2, code,
                      code == PL_H2_COMPRESSION_ERROR
                          ? "malformed header block"
                          : "a header block is too large");
}

/* The block is of no use, but the tables have to follow. */
static int skip_head(struct pl_h2 *h2, struct pl_str block)
{
    struct pl_h2_head head;

    if (read_head(h2, &head, PL_H2_NOBODYS, block) < 0)
        return PL_ERR_CLOSED;
    pl_arena_fini(&head.arena);
    return 0;
}

static int take_request(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                        struct pl_str block)
{
    uint32_t step = (frame->stream - h2->last) / 2;
    struct pl_h2_head head;

    if (h2->stage == PL_H2_ENDING) /* 6.8: it may not have known */
        return skip_head(h2, block);
    h2->opened = (step < 64 ? h2->opened << step : 0) | 1;
    h2->last = frame->stream;
    if (read_head(h2, &head, PL_H2_REQUEST, block) < 0)
        return PL_ERR_CLOSED;
    return open_stream(h2, frame, &head);
}

/* What there is no room for is left out: the body is whole without it. */
static void receive(struct pl_request *req, const struct pl_h2_head *head)
{
    int err = 0;

    for (unsigned i = 0; i < head->nfields && err == 0; i++)
        err = pl_trailer_receive(req, pl_header_name(&head->fields[i]),
                                 pl_header_value(&head->fields[i]));
}

static int take_trailers(struct pl_h2_stream *stream,
                         const struct pl_h2_frame *frame, struct pl_str block)
{
    struct pl_h2 *h2 = stream->h2;
    struct pl_h2_head head;
    bool malformed;

    if (read_head(h2, &head, PL_H2_TRAILERS, block) < 0)
        return PL_ERR_CLOSED;
    malformed = head.wrong != NULL || !(frame->flags & PL_H2_END_STREAM);
    if (!malformed && stream->body && stream->req != NULL)
        receive(stream->req, &head);
    pl_arena_fini(&head.arena);
    if (!stream->body)
        return pl_h2_stream_refuse(stream, PL_H2_STREAM_CLOSED);
    if (malformed)
        return pl_h2_stream_refuse(stream, PL_H2_PROTOCOL_ERROR);
    return pl_h2_body_end(stream);
}

/* HEADERS for a stream that has been, or has been passed over (5.1.1). */
static int take_late(struct pl_h2 *h2, uint32_t id, struct pl_str block)
{
    uint32_t step = (h2->last - id) / 2;

    if (pl_h2_is_forgiven(h2, id))
        return skip_head(h2, block);
    if (step < 64 && (h2->opened >> step & 1))
        return pl_h2_fail(h2, PL_H2_STREAM_CLOSED,
                          "HEADERS on a closed stream");
    return pl_h2_fail(h2, PL_H2_PROTOCOL_ERROR, "a stream with a lower number");
}

int pl_h2_block_read(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                     struct pl_str block)
{
    struct pl_h2_stream *stream = pl_h2_stream_find(h2, frame->stream);

    if (frame->stream % 2 == 0)
        return pl_h2_fail(h2, PL_H2_PROTOCOL_ERROR,
                          "HEADERS on a stream of ours");
    if (stream != NULL)
        return take_trailers(stream, frame, block);
    if (frame->stream <= h2->last)
        return take_late(h2, frame->stream, block);
    return take_request(h2, frame, block);
}
