/* h2_input.c - frames that come, and what they change (RFC 9113, 5 and 6); what
 * is in header blocks is for h2_request.c.
 *
 * A frame is looked at when all of it is there; of DATA every piece is passed
 * on as it comes. Between HEADERS and the end of their block nothing else may
 * come (6.10). */
#include "http/h2_state.h"

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

static int wrong(struct pl_h2 *h2, const char *why)
{
    return pl_h2_fail(h2, PL_H2_PROTOCOL_ERROR, why);
}

/* A number that only peers can have used that the client may choose. */
static bool is_idle(const struct pl_h2 *h2, uint32_t id)
{
    return id > h2->last || id % 2 == 0;
}

static int count_idler(struct pl_h2 *h2)
{
    if (!pl_h2_rate_over(&h2->idlers, pl_h2_now(h2), PL_H2_IDLERS,
                         PL_H2_IDLERS_MS))
        return 0;
    return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM, "too many idle frames");
}

static int count_control(struct pl_h2 *h2)
{
    if (!pl_h2_rate_over(&h2->controls, pl_h2_now(h2),
                         pl_h2_http(h2)->settings->h2.controls,
                         PL_H2_CONTROLS_MS))
        return 0;
    return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM,
                      "too many SETTINGS and PING");
}

/* ---- bodies ---- */

int pl_h2_body_open(struct pl_h2_stream *stream)
{
    const struct pl_body *body = &stream->req->body;
    size_t waiting = pl_body_waiting(body).len;
    uint32_t want, more;

    if (body->err < 0 || body->high <= waiting ||
        (stream->announced >= 0 && stream->announced <= stream->recv.left))
        return 0;
    want = (uint32_t)PL_MIN(body->high - waiting, (size_t)PL_H2_WINDOW);
    more = pl_h2_window_open(&stream->recv, want);
    if (more == 0)
        return 0;
    return pl_h2_say_number(stream->h2, PL_H2_WINDOW_UPDATE, stream->id, more);
}

/* What nobody has asked for counts as held for the peer. */
static int hold(struct pl_h2_stream *stream, size_t len)
{
    struct pl_h2 *h2 = stream->h2;

    if (pl_account_charge(h2->account, len) < 0)
        return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM, "too much to hold");
    stream->held += (uint32_t)len;
    h2->held += (uint32_t)len;
    return 0;
}

static int feed(struct pl_h2_stream *stream, struct pl_str piece)
{
    stream->seen += piece.len;
    if (stream->announced >= 0 && (uint64_t)stream->announced < piece.len)
        return pl_h2_stream_refuse(stream, PL_H2_PROTOCOL_ERROR); /* 8.1.1 */
    if (stream->announced >= 0)
        stream->announced -= (int64_t)piece.len;
    stream->expect = false; /* it did not wait for our 100 */
    if (stream->req == NULL)
        return 0;
    pl_body_feed(stream->req, piece);
    return stream->claimed ? pl_h2_body_open(stream) : hold(stream, piece.len);
}

int pl_h2_body_end(struct pl_h2_stream *stream)
{
    if (stream->announced > 0)
        return pl_h2_stream_refuse(stream, PL_H2_PROTOCOL_ERROR);
    stream->body = false;
    if (stream->req != NULL)
        pl_body_end(stream->req, 0);
    return pl_h2_stream_settle(stream);
}

/* ---- DATA ---- */

/* The frame counts in both windows, whoever it is for; then it is judged.
 * Padding counts too. */
static int admit_data(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                      uint32_t content)
{
    struct pl_h2_stream *stream = pl_h2_stream_find(h2, frame->stream);

    if (!pl_h2_window_use(&h2->recv, frame->length))
        return pl_h2_fail(h2, PL_H2_FLOW_CONTROL_ERROR,
                          "more DATA than the window");
    if (stream == NULL && is_idle(h2, frame->stream))
        return wrong(h2, "DATA on an idle stream");
    if (stream == NULL)
        return pl_h2_is_forgiven(h2, frame->stream)
                   ? 0
                   : pl_h2_refuse(h2, frame->stream, PL_H2_STREAM_CLOSED);
    if (!stream->body)
        return pl_h2_stream_refuse(stream, PL_H2_STREAM_CLOSED);
    if (!pl_h2_window_use(&stream->recv, frame->length))
        return pl_h2_stream_refuse(stream, PL_H2_FLOW_CONTROL_ERROR);
    if (content == 0 && !(frame->flags & PL_H2_END_STREAM))
        return count_idler(h2);
    return 0;
}

/* The whole frame has come. */
static int end_data(struct pl_h2 *h2)
{
    struct pl_h2_stream *stream = pl_h2_stream_find(h2, h2->data.stream);

    if (stream != NULL && stream->body && (h2->data.flags & PL_H2_END_STREAM) &&
        pl_h2_body_end(stream) < 0)
        return PL_ERR_CLOSED;
    return pl_h2_settle(h2); /* the connection's window */
}

static size_t data_head(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                        struct pl_str bytes)
{
    size_t used = PL_H2_FRAME_HEAD;
    bool padded = frame->flags & PL_H2_PADDED;
    uint32_t pad = 0, content;

    if (padded && frame->length > 0) {
        if (bytes.len == used)
            return 0;
        pad = (unsigned char)bytes.data[used++];
    }
    if (padded && pad >= frame->length) {
        wrong(h2, "more padding than payload");
        return used;
    }
    content = frame->length - pad - (padded ? 1 : 0);
    if (admit_data(h2, frame, content) < 0)
        return used;
    h2->data = *frame;
    h2->pad_left = pad;
    h2->data_left = content;
    if (h2->data_left + h2->pad_left == 0)
        end_data(h2);
    return used;
}

/* More of the payload. */
static size_t data_input(struct pl_h2 *h2, struct pl_str bytes)
{
    struct pl_str piece = pl_str_first(bytes, h2->data_left);
    size_t used = piece.len, pad;

    h2->data_left -= (uint32_t)piece.len;
    pad = PL_MIN(bytes.len - used, h2->pad_left);
    h2->pad_left -= (uint32_t)pad;
    used += pad;
    if (piece.len > 0) {
        struct pl_h2_stream *stream = pl_h2_stream_find(h2, h2->data.stream);

        if (stream != NULL && stream->body && feed(stream, piece) < 0)
            return used;
    }
    if (h2->data_left + h2->pad_left == 0)
        end_data(h2);
    return used;
}

/* ---- HEADERS ---- */

static int on_headers(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                      struct pl_str payload)
{
    if (!pl_h2_frame_strip(frame, &payload))
        return wrong(h2, "more padding than payload");
    if (frame->flags & PL_H2_END_HEADERS)
        return pl_h2_block_read(h2, frame, payload);
    h2->block_frame = *frame;
    h2->block_frames = 0;
    if (pl_buf_add(&h2->block, payload) < 0)
        return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM, "too much to hold");
    pl_h2_watch(h2);
    return 0;
}

static int on_continuation(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                           struct pl_str payload)
{
    struct pl_h2_frame first = h2->block_frame;
    struct pl_buf block;
    int err;

    if (first.stream == 0)
        return wrong(h2, "CONTINUATION of nothing");
    if (++h2->block_frames > PL_H2_CONTINUATIONS ||
        h2->block.len + payload.len > pl_h2_http(h2)->settings->h1.head ||
        pl_buf_add(&h2->block, payload) < 0)
        return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM,
                          "a header block is too large");
    if (!(frame->flags & PL_H2_END_HEADERS))
        return 0;
    block = h2->block;
    pl_buf_init(&h2->block, block.pool, block.account, 0);
    h2->block_frame.stream = 0;
    pl_h2_watch(h2);
    err = pl_h2_block_read(h2, &first, pl_buf_str(&block));
    pl_buf_fini(&block);
    return err;
}

/* ---- SETTINGS (6.5) ---- */

static int set_window(struct pl_h2 *h2, uint32_t value)
{
    int64_t delta = (int64_t)value - h2->initial;
    struct pl_h2_stream *stream;

    if (value > PL_H2_WINDOW_MAX)
        return pl_h2_fail(h2, PL_H2_FLOW_CONTROL_ERROR,
                          "INITIAL_WINDOW_SIZE is too large");
    h2->initial = value;
    for (unsigned i = 0; i < PL_H2_BUCKETS; i++) {
        for (stream = h2->buckets[i]; stream != NULL; stream = stream->next) {
            if (!pl_h2_window_move(&stream->send, delta))
                return pl_h2_fail(h2, PL_H2_FLOW_CONTROL_ERROR,
                                  "a window overflows");
            if (pl_h2_waiting(stream) > 0)
                pl_h2_schedule(stream);
        }
    }
    return 0;
}

static int resize_table(struct pl_h2 *h2, uint32_t size)
{
    int err = pl_h2_hpack_resize(h2->hpack, size);

    if (err == PL_ERR_LIMIT)
        return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM, "too much to hold");
    return err < 0 ? pl_h2_fail(h2, PL_H2_INTERNAL_ERROR, "out of memory") : 0;
}

static int set(struct pl_h2 *h2, uint16_t id, uint32_t value)
{
    switch (id) {
    case PL_H2_HEADER_TABLE_SIZE:
        return resize_table(h2, value);
    case PL_H2_INITIAL_WINDOW_SIZE:
        return set_window(h2, value);
    case PL_H2_MAX_FRAME_SIZE:
        if (value < PL_H2_FRAME_MAX || value > PL_H2_FRAME_LIMIT)
            return wrong(h2, "MAX_FRAME_SIZE out of range");
        return 0;
    case PL_H2_ENABLE_PUSH:
    case PL_H2_ENABLE_CONNECT_PROTOCOL:
    case PL_H2_NO_RFC7540_PRIORITIES:
        return value > 1 ? wrong(h2, "a setting is neither 0 nor 1") : 0;
    default:
        return 0;
    }
}

int pl_h2_settings(struct pl_h2 *h2, struct pl_str payload)
{
    for (size_t at = 0; at < payload.len; at += PL_H2_SETTING)
        if (set(h2, pl_h2_u16(payload.data + at),
                pl_h2_u32(payload.data + at + 2)) < 0)
            return PL_ERR_CLOSED;
    return 0;
}

static int on_settings(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                       struct pl_str payload)
{
    char ack[PL_H2_FRAME_HEAD];

    if (frame->flags & PL_H2_ACK)
        return h2->stage == PL_H2_GREETED ? wrong(h2, "no SETTINGS") : 0;
    if (h2->stage == PL_H2_GREETED) {
        h2->stage = PL_H2_OPEN;
        pl_h2_watch(h2);
        if (!pl_list_empty(&h2->parked)) /* what came by Upgrade */
            pl_conn_yield(h2->conn);
    } else if (count_control(h2) < 0) {
        return PL_ERR_CLOSED;
    }
    if (pl_h2_settings(h2, payload) < 0 ||
        pl_h2_say(h2, ack,
                  pl_h2_put_head(ack, 0, PL_H2_SETTINGS, PL_H2_ACK, 0)) < 0)
        return PL_ERR_CLOSED;
    return pl_h2_pump(h2);
}

/* ---- the others ---- */

static int on_ping(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                   struct pl_str payload)
{
    char answer[PL_H2_FRAME_HEAD + PL_H2_PING_LEN], *end;

    if (frame->flags & PL_H2_ACK)
        return pl_h2_pong(h2, payload);
    if (count_control(h2) < 0)
        return PL_ERR_CLOSED;
    end = pl_h2_put_head(answer, PL_H2_PING_LEN, PL_H2_PING, PL_H2_ACK, 0);
    memcpy(end, payload.data, PL_H2_PING_LEN);
    return pl_h2_say(h2, answer, end + PL_H2_PING_LEN);
}

static int on_reset(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                    struct pl_str payload)
{
    struct pl_h2_stream *stream = pl_h2_stream_find(h2, frame->stream);

    if (stream == NULL && is_idle(h2, frame->stream))
        return wrong(h2, "RST_STREAM on an idle stream");
    if (stream != NULL) {
        pl_h2_stream_lose(stream, PL_ERR_CLOSED);
        if (pl_h2_settle(h2) < 0)
            return PL_ERR_CLOSED;
    }
    return pl_h2_count_reset(h2);
}

/* Explained are those that follow DATA of ours. */
static int count_update(struct pl_h2 *h2)
{
    if (h2->explained == 0)
        return count_idler(h2);
    h2->explained--;
    return 0;
}

static int open_connection(struct pl_h2 *h2, uint32_t more)
{
    if (more == 0)
        return wrong(h2, "WINDOW_UPDATE of nothing");
    if (!pl_h2_window_move(&h2->send, more))
        return pl_h2_fail(h2, PL_H2_FLOW_CONTROL_ERROR, "the window overflows");
    h2->stalled = 0;
    return pl_h2_pump(h2);
}

static int on_window(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                     struct pl_str payload)
{
    struct pl_h2_stream *stream = pl_h2_stream_find(h2, frame->stream);
    uint32_t more = pl_h2_u31(payload.data);

    if (count_update(h2) < 0)
        return PL_ERR_CLOSED;
    if (frame->stream == 0)
        return open_connection(h2, more);
    if (stream == NULL)
        return is_idle(h2, frame->stream)
                   ? wrong(h2, "WINDOW_UPDATE on an idle stream")
                   : 0;
    if (more == 0)
        return pl_h2_stream_refuse(stream, PL_H2_PROTOCOL_ERROR);
    if (!pl_h2_window_move(&stream->send, more))
        return pl_h2_stream_refuse(stream, PL_H2_FLOW_CONTROL_ERROR);
    if (pl_h2_waiting(stream) == 0)
        return 0;
    pl_h2_schedule(stream);
    return pl_h2_pump(h2);
}

/* RFC 7540's tree of dependencies; nobody is bound to it (5.3.2). */
static int on_priority(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                       struct pl_str payload)
{
    if (frame->length != 5)
        return pl_h2_fail(h2, PL_H2_FRAME_SIZE_ERROR, "PRIORITY of odd length");
    return count_idler(h2);
}

static int on_priority_update(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                              struct pl_str payload)
{
    uint32_t id = pl_h2_u31(payload.data);
    struct pl_h2_stream *stream = pl_h2_stream_find(h2, id);
    struct pl_h2_priority priority;

    if (id == 0)
        return wrong(h2, "PRIORITY_UPDATE of no stream");
    if (count_idler(h2) < 0)
        return PL_ERR_CLOSED;
    if (id % 2 == 0)
        return wrong(h2, "PRIORITY_UPDATE of a stream of ours");
    priority = pl_h2_priority_parse(pl_str_skip(payload, 4));
    if (stream == NULL && id > h2->last)
        pl_h2_early_keep(&h2->early, id, priority);
    if (stream == NULL)
        return 0;
    stream->priority = priority;
    if (pl_h2_waiting(stream) == 0) /* it may be parked */
        return 0;
    pl_list_remove(&stream->node);
    pl_h2_schedule(stream);
    return 0;
}

static int on_push_promise(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                           struct pl_str payload)
{
    return wrong(h2, "PUSH_PROMISE from a client");
}

/* What the client does not want to hear any more it will not ask for. */
static int on_goaway(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                     struct pl_str payload)
{
    uint32_t code = pl_h2_u32(payload.data + 4);

    if (code != PL_H2_NO_ERROR)
        pl_log(PL_LOG_DEBUG, "http", "the HTTP/2 client goes away: code=%s",
               pl_h2_code_name(code));
    return 0;
}

/* ---- any frame ---- */

typedef int on_frame(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                     struct pl_str payload);

static on_frame *const handlers[] = {
    [PL_H2_HEADERS] = on_headers,
    [PL_H2_PRIORITY] = on_priority,
    [PL_H2_RST_STREAM] = on_reset,
    [PL_H2_SETTINGS] = on_settings,
    [PL_H2_PUSH_PROMISE] = on_push_promise,
    [PL_H2_PING] = on_ping,
    [PL_H2_GOAWAY] = on_goaway,
    [PL_H2_WINDOW_UPDATE] = on_window,
    [PL_H2_CONTINUATION] = on_continuation,
    [PL_H2_PRIORITY_UPDATE] = on_priority_update,
};

static void take_frame(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                       struct pl_str payload)
{
    on_frame *handle =
        frame->type < PL_COUNT(handlers) ? handlers[frame->type] : NULL;

    if (handle != NULL)
        handle(h2, frame, payload);
    else
        count_idler(h2); /* 4.1: unknown ones are passed over */
}

/* May this frame come now? False when the connection has ended. */
static bool in_order(struct pl_h2 *h2, const struct pl_h2_frame *frame)
{
    enum pl_h2_code code;

    if (h2->stage == PL_H2_GREETED && frame->type != PL_H2_SETTINGS) {
        wrong(h2, "no SETTINGS behind the preface"); /* 3.4 */
        return false;
    }
    if (h2->block_frame.stream != 0 &&
        (frame->type != PL_H2_CONTINUATION ||
         frame->stream != h2->block_frame.stream)) {
        wrong(h2, "a frame inside of a header block");
        return false;
    }
    code = pl_h2_frame_check(frame);
    if (code == PL_H2_NO_ERROR)
        return true;
    pl_h2_fail(h2, code,
               code == PL_H2_FRAME_SIZE_ERROR ? "a frame of wrong length"
                                              : "a frame on a wrong stream");
    return false;
}

static size_t preface_input(struct pl_h2 *h2, struct pl_str bytes)
{
    struct pl_str preface = PL_H2_PREFACE;
    size_t len = PL_MIN(bytes.len, preface.len);

    if (memcmp(bytes.data, preface.data, len) != 0) {
        wrong(h2, "no preface");
        return bytes.len;
    }
    if (len < preface.len)
        return 0;
    h2->stage = PL_H2_GREETED;
    return len;
}

size_t pl_h2_input(struct pl_h2 *h2, struct pl_str bytes)
{
    struct pl_h2_frame frame;
    size_t size;

    if (h2->data_left + h2->pad_left > 0)
        return data_input(h2, bytes);
    if (h2->stage == PL_H2_PREFACED)
        return preface_input(h2, bytes);
    if (bytes.len < PL_H2_FRAME_HEAD)
        return 0;
    pl_h2_frame_read(&frame, bytes.data);
    size = PL_H2_FRAME_HEAD + (size_t)frame.length;
    /* Judged again when the rest has come: what came in between is the same. */
    if (!in_order(h2, &frame))
        return bytes.len;
    if (frame.type == PL_H2_DATA)
        return data_head(h2, &frame, bytes);
    if (bytes.len < size)
        return 0;
    take_frame(h2, &frame, pl_str(bytes.data + PL_H2_FRAME_HEAD, frame.length));
    return size;
}
