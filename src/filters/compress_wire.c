/* compress_wire.c - the wire that codes what is sent through it.
 *
 * Nothing that a handler writes makes a turn of the loop long: a step packs at
 * most PL_COMPRESS_AT_ONCE bytes, and what is left waits for the next turn, or
 * for the peer. What was packed of a turn's writes is flushed at its end, so
 * that a client sees what it would see without a coding. */
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "filters/compress_priv.h"

static struct pl_coding *coding_of(struct pl_request *req)
{
    return PL_CONTAINER_OF(req->response.coder, struct pl_coding, coder);
}

static size_t waiting(const struct pl_coding *coding)
{
    return coding->source.len + coding->backlog.len - coding->at;
}

/* The wire of the request is its own again. */
static const struct pl_wire *step_aside(struct pl_coding *coding)
{
    const struct pl_wire *under = coding->under;

    coding->under = NULL;
    if (coding->req->wire != NULL)
        coding->req->wire = under;
    return under;
}

static void close_stream(struct pl_coding *coding)
{
    pl_coders_put(coding->bench);
    coding->bench = NULL;
    coding->source.len = 0;
    pl_buf_fini(&coding->backlog);
    coding->at = 0;
}

void pl_coding_fini(void *arg)
{
    struct pl_coding *coding = arg;

    close_stream(coding);
    if (coding->made != NULL)
        pl_memo_release(&coding->req->http->coders->made, coding->made);
}

/* ---- steps of the encoder ---- */

/* The worker's room: the wire copies. */
static int put(struct pl_coding *coding, const char *bytes, size_t len)
{
    struct pl_request *req = coding->req;
    int err;

    if (len == 0)
        return 0;
    err = coding->under->write(req, pl_str(bytes, len));
    if (err == 0)
        req->response.sent += len;
    return err == 0 && req->wire == NULL ? PL_ERR_CLOSED : err;
}

static int code(struct pl_coding *coding, struct pl_str bytes,
                enum pl_codec_step step)
{
    struct pl_coders *coders = coding->req->http->coders;
    struct pl_codec_io io = {.in = bytes.data, .in_len = bytes.len};
    int got, err = 0;

    do {
        io.out = coders->room;
        io.out_len = sizeof(coders->room);
        got = coding->codec->encode(coding->bench->state, step, &io);
        if (got < 0)
            return PL_ERR_NOMEM;
        err = put(coding, coders->room, sizeof(coders->room) - io.out_len);
    } while (got == PL_CODEC_MORE && err == 0);
    coding->dirty = step == PL_CODEC_RUN;
    return err;
}

/* What was promised cannot be kept. A handler that goes on is told by its next
 * write, and nothing of it may reach the wire. */
static void fail(struct pl_coding *coding)
{
    struct pl_request *req = coding->req;
    const struct pl_wire *under;

    close_stream(coding);
    coding->broken = true;
    if (req->wire == NULL || !coding->ending)
        return;
    under = step_aside(coding);
    under->abort(req);
}

/* The end of a response whose handler is done. */
static void end(struct pl_coding *coding)
{
    struct pl_request *req = coding->req;
    const struct pl_wire *under;

    if (code(coding, PL_STR(""), PL_CODEC_END) < 0) {
        fail(coding);
        return;
    }
    close_stream(coding);
    under = step_aside(coding);
    under->end(req);
}

/* ---- turn by turn ---- */

static void on_tick(struct pl_op *op);

static void come_again(struct pl_coding *coding)
{
    struct pl_sched *sched = coding->req->http->sched;

    if (coding->ticking)
        return;
    coding->ticking = true;
    pl_request_hold(coding->req);
    pl_sleep_begin(&coding->tick, sched, pl_now(sched->loop));
    pl_op_then(&coding->tick.op, on_tick);
}

static int code_slice(struct pl_coding *coding)
{
    struct pl_buf *backlog = &coding->backlog;
    size_t len = PL_MIN(waiting(coding), (size_t)PL_COMPRESS_AT_ONCE);
    struct pl_str slice;

    if (coding->source.len > 0) {
        len = PL_MIN(len, coding->source.len);
        slice = pl_str_first(coding->source, len);
        coding->source = pl_str_skip(coding->source, len);
        return code(coding, slice, PL_CODEC_RUN);
    }
    slice = pl_str(backlog->data + coding->at, len);
    coding->at += len;
    if (coding->at < backlog->len)
        return code(coding, slice, PL_CODEC_RUN);
    coding->at = backlog->len = 0; /* the bytes are still there */
    return code(coding, slice, PL_CODEC_RUN);
}

/* All that came has been packed. */
static void catch_up(struct pl_coding *coding)
{
    struct pl_request *req = coding->req;

    if (coding->ending) {
        end(coding);
    } else if (coding->dirty && code(coding, PL_STR(""), PL_CODEC_FLUSH) < 0) {
        fail(coding);
    } else if (req->wire != NULL && !coding->under->congested(req)) {
        pl_response_drained(&req->response, 0);
    }
}

static void go_on(struct pl_coding *coding)
{
    struct pl_request *req = coding->req;

    if (waiting(coding) > 0 && coding->under->congested(req))
        return; /* the wire will tell */
    if (waiting(coding) > 0 && code_slice(coding) < 0)
        fail(coding);
    else if (waiting(coding) > 0)
        come_again(coding);
    else
        catch_up(coding);
}

static void on_tick(struct pl_op *op)
{
    struct pl_coding *coding = PL_CONTAINER_OF(op, struct pl_coding, tick.op);
    struct pl_request *req = coding->req;

    coding->ticking = false;
    if (coding->under != NULL && coding->bench != NULL && req->wire != NULL)
        go_on(coding);
    pl_request_drop(req);
}

bool pl_coding_drained(struct pl_coder *coder, struct pl_request *req, int err)
{
    struct pl_coding *coding = PL_CONTAINER_OF(coder, struct pl_coding, coder);

    if (coding->under == NULL)
        return false;
    if (req->wire == NULL) {
        coding->under = NULL;
        close_stream(coding);
        return false;
    }
    if (err < 0 ||
        waiting(coding) == 0) /* the handler gives up, or may go on */
        return false;
    come_again(coding);
    return true;
}

/* ---- the wire: the head ---- */

/* Gives in *bytes the body as it is to be sent, which is smaller; *bytes stays
 * if it would not be. */
static int code_whole(struct pl_coding *coding, struct pl_str *bytes)
{
    struct pl_request *req = coding->req;
    struct pl_codec_io io = {.in = bytes->data, .in_len = bytes->len};
    char *out = pl_arena_bytes(&req->arena, bytes->len);
    int got = PL_CODEC_MORE;

    if (out == NULL)
        return PL_ERR_NOMEM;
    io.out = out;
    io.out_len = bytes->len;
    while (got == PL_CODEC_MORE && io.out_len > 0)
        got = coding->codec->encode(coding->bench->state, PL_CODEC_END, &io);
    close_stream(coding);
    if (got == PL_CODEC_DONE)
        *bytes = pl_str(out, bytes->len - io.out_len);
    return got < 0 ? PL_ERR_NOMEM : got == PL_CODEC_DONE ? 0 : PL_ERR_LIMIT;
}

/* The whole content becomes bytes that are there. */
static void set_whole(struct pl_response *res, struct pl_str bytes)
{
    res->content = PL_CONTENT_BYTES;
    res->bytes = bytes;
    res->length = (int64_t)bytes.len;
}

/* What is long becomes a stream. */
static void begin_slices(struct pl_coding *coding, struct pl_response *res)
{
    coding->source = res->bytes;
    res->content = PL_CONTENT_STREAM;
    res->length = -1;
}

/* Turns the content of the response into what is to be sent. 0, or why it stays
 * as it is. */
static int convert(struct pl_coding *coding, struct pl_response *res)
{
    const struct pl_made *made =
        coding->made == NULL ? NULL : coding->made->value;
    struct pl_str bytes = res->bytes;
    int err = 0;

    if (made != NULL) {
        set_whole(res, pl_str(made->bytes, made->len));
        return 0;
    }
    if (res->content == PL_CONTENT_STREAM && res->bodyless)
        return 0;
    coding->bench = pl_coders_encoder(coding->req->http->coders, coding->codec,
                                      &coding->wish);
    if (coding->bench == NULL)
        return PL_ERR_NOMEM;
    if (res->content == PL_CONTENT_STREAM)
        return 0;
    if (bytes.len > PL_COMPRESS_AT_ONCE) {
        begin_slices(coding, res);
        return 0;
    }
    err = code_whole(coding, &bytes);
    if (err == 0)
        set_whole(res, bytes);
    return err;
}

/* Do the semantics leave a content that can be coded? Not of a 304 or 412. */
static bool has_content(const struct pl_response *res)
{
    return res->content != PL_CONTENT_NONE;
}

static int say_coding(struct pl_coding *coding)
{
    return pl_response_append(&coding->req->response,
                              PL_STR("Content-Encoding"),
                              pl_str_c(coding->codec->name));
}

static int coding_send(struct pl_request *req)
{
    struct pl_coding *coding = coding_of(req);
    struct pl_response *res = &req->response;
    const struct pl_wire *under = coding->under;
    int err;

    if (!has_content(res) || say_coding(coding) < 0) {
        step_aside(coding);
        return under->send(req);
    }
    if (convert(coding, res) < 0)
        res->nheaders--; /* it is sent as it is */
    if (res->bodyless)
        close_stream(coding);
    if (coding->bench == NULL)
        step_aside(coding);
    err = under->send(req);
    if (err == 0 && waiting(coding) > 0)
        come_again(coding);
    return err;
}

/* ---- the wire: a stream ---- */

/* The piece is taken, so its bytes count as sent once they are: the response
 * adds those of the handler. */
static int coding_write(struct pl_request *req, struct pl_str bytes)
{
    struct pl_coding *coding = coding_of(req);
    int err;

    if (coding->broken)
        return PL_ERR_NOMEM;
    if (waiting(coding) > 0 || bytes.len > PL_COMPRESS_AT_ONCE)
        err = pl_buf_add(&coding->backlog, bytes);
    else
        err = code(coding, bytes, PL_CODEC_RUN);
    if (err == 0) {
        req->response.sent -= bytes.len;
        come_again(coding);
    } else {
        fail(coding);
    }
    return err;
}

static void coding_end(struct pl_request *req)
{
    struct pl_coding *coding = coding_of(req);

    coding->ending = true;
    if (coding->broken)
        fail(coding);
    else if (waiting(coding) == 0)
        end(coding);
    else
        come_again(coding);
}

static void coding_abort(struct pl_request *req)
{
    struct pl_coding *coding = coding_of(req);
    const struct pl_wire *under = step_aside(coding);

    close_stream(coding);
    under->abort(req);
}

static bool coding_congested(struct pl_request *req)
{
    struct pl_coding *coding = coding_of(req);

    return waiting(coding) > 0 || coding->under->congested(req);
}

static void coding_flush(struct pl_request *req)
{
    struct pl_coding *coding = coding_of(req);
    const struct pl_wire *under = coding->under;

    if (coding->bench != NULL && coding->dirty && waiting(coding) == 0 &&
        code(coding, PL_STR(""), PL_CODEC_FLUSH) < 0)
        return; /* whoever writes next is told */
    if (req->wire != NULL)
        under->flush(req);
}

/* ---- the wire: what is not changed ---- */

static void coding_want_body(struct pl_request *req)
{
    coding_of(req)->under->want_body(req);
}

static int coding_upgrade(struct pl_request *req,
                          const struct pl_protocol *protocol, void *state)
{
    (void)req;
    (void)protocol;
    (void)state;
    return PL_ERR_UNSUPPORTED; /* the head has left */
}

static void coding_complain(struct pl_request *req, struct pl_str text)
{
    const struct pl_wire *under = coding_of(req)->under;

    if (under->complain != NULL)
        under->complain(req, text);
}

static bool coding_peer(struct pl_request *req, struct pl_addr *addr)
{
    return coding_of(req)->under->peer(req, addr);
}

static bool coding_local(struct pl_request *req, struct pl_addr *addr)
{
    return coding_of(req)->under->local(req, addr);
}

static struct pl_conn *coding_conn(struct pl_request *req)
{
    const struct pl_wire *under = coding_of(req)->under;

    return under->conn == NULL ? NULL : under->conn(req);
}

static const struct pl_wire coding_wire = {
    .name = "coding",
    .trailers = true,
    .send = coding_send,
    .write = coding_write,
    .end = coding_end,
    .abort = coding_abort,
    .congested = coding_congested,
    .flush = coding_flush,
    .want_body = coding_want_body,
    .upgrade = coding_upgrade,
    .complain = coding_complain,
    .peer = coding_peer,
    .local = coding_local,
    .conn = coding_conn,
};

void pl_coding_begin(struct pl_coding *coding)
{
    coding->under = coding->req->wire;
    coding->req->wire = &coding_wire;
}
