/* h2_stream.c - the streams of a connection: found by their number, opened,
 * reset, ended (RFC 9113, 5.1). */
#include "http/h2_state.h"

#include "base/error.h"

static struct pl_h2_stream **bucket_of(struct pl_h2 *h2, uint32_t id)
{
    return &h2->buckets[id / 2 % PL_H2_BUCKETS];
}

struct pl_h2_stream *pl_h2_stream_find(const struct pl_h2 *h2, uint32_t id)
{
    struct pl_h2_stream *stream = h2->buckets[id / 2 % PL_H2_BUCKETS];

    while (stream != NULL && stream->id != id)
        stream = stream->next;
    return stream;
}

struct pl_h2_stream *pl_h2_stream_open(struct pl_h2 *h2, uint32_t id,
                                       size_t size)
{
    struct pl_pool *pool = pl_conn_net(h2->conn)->pool;
    struct pl_h2_stream **bucket = bucket_of(h2, id), *stream;

    size += sizeof(*stream);
    if (pl_account_charge(h2->account, size) < 0)
        return NULL;
    stream = pl_pool_get_zeroed(pool, sizeof(*stream));
    if (stream == NULL) {
        pl_account_release(h2->account, size);
        return NULL;
    }
    stream->h2 = h2;
    stream->id = id;
    stream->charged = (uint32_t)size;
    stream->send.left = (int32_t)h2->initial;
    stream->recv.left = PL_H2_WINDOW;
    stream->looked = pl_h2_now(h2);
    pl_list_init(&stream->node);
    pl_buf_init(&stream->out, pool, h2->account, 0);
    stream->next = *bucket;
    *bucket = stream;
    if (++h2->nstreams == 1)
        pl_h2_watch(h2);
    return stream;
}

static void unhold(struct pl_h2_stream *stream)
{
    stream->h2->held -= stream->held;
    pl_account_release(stream->h2->account, stream->held);
    stream->held = 0;
}

void pl_h2_stream_claim(struct pl_h2_stream *stream)
{
    stream->claimed = true;
    unhold(stream);
}

void pl_h2_stream_free(struct pl_h2_stream *stream)
{
    struct pl_h2 *h2 = stream->h2;
    struct pl_h2_stream **at = bucket_of(h2, stream->id);
    struct pl_request *source = stream->source, *tail = stream->tail;

    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    h2->nstreams--;
    pl_list_remove(&stream->node);
    pl_h2_content_drop(stream);
    unhold(stream);
    pl_buf_fini(&stream->out);
    pl_h2_shared_drop(stream);
    pl_account_release(h2->account, stream->charged);
    pl_pool_put(pl_conn_net(h2->conn)->pool, stream, sizeof(*stream));
    if (source != NULL)
        pl_request_drop(source);
    if (tail != NULL)
        pl_request_drop(tail);
}

void pl_h2_stream_lose(struct pl_h2_stream *stream, int why)
{
    struct pl_request *req = stream->req;

    pl_h2_stream_free(stream);
    if (req != NULL)
        pl_request_lost(req, why);
}

/* ---- resets ---- */

bool pl_h2_is_forgiven(const struct pl_h2 *h2, uint32_t id)
{
    for (unsigned i = 0; i < PL_H2_FORGIVEN; i++)
        if (h2->forgiven[i] == id)
            return true;
    return false;
}

static int say_reset(struct pl_h2 *h2, uint32_t id, enum pl_h2_code code)
{
    h2->forgiven[h2->nforgiven++ % PL_H2_FORGIVEN] = id;
    return pl_h2_say_number(h2, PL_H2_RST_STREAM, id, code);
}

int pl_h2_count_reset(struct pl_h2 *h2)
{
    if (!pl_h2_rate_over(&h2->resets, pl_h2_now(h2),
                         pl_h2_http(h2)->settings->h2.resets, PL_H2_RESETS_MS))
        return 0;
    return pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM, "too many resets");
}

int pl_h2_refuse(struct pl_h2 *h2, uint32_t id, enum pl_h2_code code)
{
    if (say_reset(h2, id, code) < 0)
        return PL_ERR_CLOSED;
    return pl_h2_count_reset(h2);
}

int pl_h2_stream_reset(struct pl_h2_stream *stream, enum pl_h2_code code)
{
    struct pl_h2 *h2 = stream->h2;
    uint32_t id = stream->id;

    pl_h2_stream_lose(stream, PL_ERR_CLOSED);
    if (say_reset(h2, id, code) < 0)
        return PL_ERR_CLOSED;
    return pl_h2_settle(h2);
}

int pl_h2_stream_refuse(struct pl_h2_stream *stream, enum pl_h2_code code)
{
    struct pl_h2 *h2 = stream->h2;

    if (pl_h2_stream_reset(stream, code) < 0)
        return PL_ERR_CLOSED;
    return pl_h2_count_reset(h2);
}

/* ---- ends ---- */

int pl_h2_stream_settle(struct pl_h2_stream *stream)
{
    struct pl_h2 *h2 = stream->h2;

    if (!stream->done || stream->req != NULL)
        return 0;
    /* The rest of the body is of no use to anybody (8.1). */
    if (stream->body)
        return pl_h2_stream_reset(stream, PL_H2_NO_ERROR);
    pl_h2_stream_free(stream);
    return pl_h2_settle(h2);
}
