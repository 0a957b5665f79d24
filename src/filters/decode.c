#include "filters/decode.h"

#include "base/error.h"
#include "base/str.h"
#include "filters/coders.h"
#include "filters/codecs.h"
#include "http/coder.h"

/* In the request's arena. */
struct decoding {
    struct pl_decoder decoder;
    const struct pl_codec *codec;
    struct pl_workbench *bench; /* NULL: over */
    struct pl_buf rest;         /* came, and waits for room in the body */
    size_t at;                  /* of rest */
    bool full;                  /* the decoder may have more of what it took */
    bool whole; /* a stream has ended, and nothing has come since */
    bool ended; /* all has come */
};

static struct decoding *decoding_of(struct pl_decoder *decoder)
{
    return PL_CONTAINER_OF(decoder, struct decoding, decoder);
}

static void close_decoder(void *arg)
{
    struct decoding *decoding = arg;

    pl_coders_put(decoding->bench);
    decoding->bench = NULL;
    pl_buf_fini(&decoding->rest);
    decoding->at = 0;
}

static void finish(struct decoding *decoding, struct pl_request *req, int err)
{
    close_decoder(decoding);
    pl_body_finish(req, err);
}

/* ---- steps ---- */

/* Makes no more than the worker's room holds. 0 or PL_ERR_*. */
static int step(struct decoding *decoding, struct pl_request *req,
                struct pl_str *bytes)
{
    struct pl_coders *coders = req->http->coders;
    struct pl_codec_io io = {.in = bytes->data,
                             .in_len = bytes->len,
                             .out = coders->room,
                             .out_len = sizeof(coders->room)};
    int got = decoding->codec->decode(decoding->bench->state, &io);
    size_t made = sizeof(coders->room) - io.out_len;

    if (got < 0)
        return got == PL_CODEC_NO_MEMORY ? PL_ERR_NOMEM : PL_ERR_PROTO;
    if (made == 0 && bytes->len > 0 && io.in_len == bytes->len)
        return PL_ERR_PROTO; /* it takes nothing behind its end */
    decoding->whole = got == PL_CODEC_DONE;
    decoding->full = io.out_len == 0 && got != PL_CODEC_DONE;
    *bytes = pl_str(io.in, io.in_len);
    pl_body_add(req, pl_str(coders->room, made));
    return 0;
}

static bool wants_more(const struct pl_body *body)
{
    return !body->complete && body->err == 0 && !pl_body_full(body);
}

/* As long as the reader wants more. */
static int decode(struct decoding *decoding, struct pl_request *req,
                  struct pl_str *bytes)
{
    int err = 0;

    while (err == 0 && (bytes->len > 0 || decoding->full) &&
           wants_more(&req->body))
        err = step(decoding, req, bytes);
    return err;
}

static struct pl_str rest_of(const struct decoding *decoding)
{
    return pl_str_skip(pl_buf_str(&decoding->rest), decoding->at);
}

/* After a step: is it the end? */
static void settle(struct decoding *decoding, struct pl_request *req, int err)
{
    if (err < 0)
        finish(decoding, req, err);
    else if (decoding->ended && rest_of(decoding).len == 0 && !decoding->full)
        finish(decoding, req, decoding->whole ? 0 : PL_ERR_PROTO);
}

/* ---- struct pl_decoder ---- */

/* What nobody is going to see is not decoded. */
static bool is_discarded(const struct pl_request *req)
{
    return req->body.use == PL_BODY_DISCARD;
}

static void room(struct pl_decoder *decoder, struct pl_request *req)
{
    struct decoding *decoding = decoding_of(decoder);
    struct pl_str rest;
    int err;

    if (decoding->bench == NULL)
        return;
    if (is_discarded(req)) {
        if (decoding->ended)
            finish(decoding, req, 0);
        return;
    }
    rest = rest_of(decoding);
    err = decode(decoding, req, &rest);
    decoding->at = decoding->rest.len - rest.len;
    if (rest.len == 0)
        decoding->at = decoding->rest.len = 0;
    settle(decoding, req, err);
}

static void feed(struct pl_decoder *decoder, struct pl_request *req,
                 struct pl_str bytes)
{
    struct decoding *decoding = decoding_of(decoder);
    int err = 0;

    if (decoding->bench == NULL)
        return;
    if (is_discarded(req)) {
        pl_body_add(req, bytes);
        return;
    }
    if (rest_of(decoding).len == 0)
        err = decode(decoding, req, &bytes);
    if (err == 0)
        err = pl_buf_add(&decoding->rest, bytes);
    settle(decoding, req, err);
}

static void end(struct pl_decoder *decoder, struct pl_request *req, int err)
{
    struct decoding *decoding = decoding_of(decoder);

    if (decoding->bench == NULL || err < 0 || is_discarded(req)) {
        finish(decoding, req, err);
        return;
    }
    decoding->ended = true;
    settle(decoding, req, 0);
}

/* ---- the beginning ---- */

/* Fields that say how the body came, and are not true of what is seen of it. */
static void remove_fields(struct pl_request *req)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < req->nheaders; i++)
        if (req->headers[i].id != PL_HEADER_CONTENT_ENCODING &&
            req->headers[i].id != PL_HEADER_CONTENT_LENGTH)
            req->headers[kept++] = req->headers[i];
    req->nheaders = (uint16_t)kept;
}

/* What has come already was not decoded. */
static void take_over(struct decoding *decoding, struct pl_request *req)
{
    struct pl_body *body = &req->body;

    decoding->rest = body->pending;
    decoding->at = body->at;
    decoding->ended = body->complete;
    pl_buf_init(&body->pending, req->http->net->pool, &req->account, 0);
    body->at = 0;
    body->received = 0;
    body->length = -1;
    body->complete = false;
    body->decoder = &decoding->decoder;
    remove_fields(req);
    room(&decoding->decoder, req);
}

static int refuse(struct pl_request *req, int status, int err)
{
    pl_response_error(&req->response, status, pl_str(NULL, 0));
    return err;
}

/* RFC 9110, 15.5.16 and RFC 7694. */
static int refuse_coding(struct pl_request *req)
{
    char names[PL_CODEC_NAMES];

    refuse(req, 415, PL_ERR_UNSUPPORTED);
    pl_response_set(&req->response, PL_STR("Accept-Encoding"),
                    pl_codec_names(names));
    return PL_ERR_UNSUPPORTED;
}

static int begin(struct pl_request *req, const struct pl_codec *codec)
{
    struct pl_coders *coders = pl_coders_get(req->http);
    struct decoding *decoding = pl_arena_alloc(&req->arena, sizeof(*decoding));

    if (coders == NULL || decoding == NULL)
        return refuse(req, 503, PL_ERR_NOMEM);
    *decoding = (struct decoding){
        .decoder = {feed, end, room}, .codec = codec, .whole = true};
    pl_buf_init(&decoding->rest, req->http->net->pool, &req->account, 0);
    decoding->bench = pl_coders_decoder(coders, codec);
    if (decoding->bench == NULL)
        return refuse(req, 503, PL_ERR_NOMEM);
    if (pl_request_defer(req, close_decoder, decoding) < 0) {
        close_decoder(decoding);
        return refuse(req, 503, PL_ERR_NOMEM);
    }
    take_over(decoding, req);
    return 0;
}

static bool has_body(const struct pl_body *body)
{
    return body->err == 0 && body->decoder == NULL && body->length != 0 &&
           (!body->complete || pl_body_waiting(body).len > 0);
}

int pl_decode_begin(struct pl_request *req)
{
    const struct pl_codec *codec = NULL;
    struct pl_str list, name;

    if (PL_LIKELY(req->body.length == 0) || !has_body(&req->body))
        return 0;
    list = pl_request_header_id(req, PL_HEADER_CONTENT_ENCODING);
    while (pl_header_list_next(&list, &name)) {
        if (pl_str_ieq(name, PL_STR("identity")))
            continue;
        if (codec != NULL)
            return refuse_coding(req); /* one in another: nobody sends it */
        codec = pl_codec_find(name);
        if (codec == NULL)
            return refuse_coding(req);
    }
    return codec == NULL ? 0 : begin(req, codec);
}
