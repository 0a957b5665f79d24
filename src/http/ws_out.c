/* ws_out.c - the output of a WebSocket: messages as frames, packed or not, and
 * frames that many share.
 *
 * A message is one frame, and it goes to the transport at once or not at all.
 * What is long is there once and sent by reference. */
#include "base/error.h"
#include "base/str.h"
#include "http/ws_deflate.h"
#include "http/ws_priv.h"

enum { SHARE_MIN = 32 * 1024 /* larger messages are sent by reference */ };

/* ---- packing ---- */

static bool has_own_packer(const struct pl_ws *ws)
{
    return ws->rare != NULL && ws->rare->packer != NULL;
}

struct pl_ws_packer *pl_ws_packer_of(struct pl_ws *ws)
{
    static const struct pl_ws_deflate_params params = {true, true, 15, 15};
    struct pl_http *http = ws->http;

    if (has_own_packer(ws))
        return ws->rare->packer;
    if (http->ws_packer == NULL)
        http->ws_packer = pl_ws_packer_new(&params);
    return http->ws_packer;
}

int pl_ws_set_packer(struct pl_ws *ws, struct pl_ws_packer *packer)
{
    if (packer == NULL) {
        ws->http->ws_packing++;
    } else if (pl_ws_rare_get(ws) != NULL) {
        ws->rare->packer = packer;
    } else {
        pl_ws_packer_free(packer);
        return PL_ERR_NOMEM;
    }
    ws->packs = true;
    return 0;
}

void pl_ws_packer_drop(struct pl_ws *ws)
{
    struct pl_http *http = ws->http;

    if (has_own_packer(ws)) {
        pl_ws_packer_free(ws->rare->packer);
    } else if (--http->ws_packing == 0) {
        pl_ws_packer_free(http->ws_packer);
        http->ws_packer = NULL;
    }
}

void pl_ws_unpacker_drop(struct pl_ws *ws)
{
    struct pl_ws_work *work = ws->work;

    if (work->unpacker == NULL)
        return;
    pl_ws_unpacker_put(pl_ws_packer_of(ws), work->unpacker);
    work->unpacker = NULL;
}

static bool is_worth_packing(const struct pl_ws *ws, struct pl_str data)
{
    return ws->packs && data.len >= ws->settings->compress_min;
}

/* data, packed, in out. False: it is sent as it is, because it would be no
 * shorter, or because there is no memory. */
static bool pack(struct pl_ws *ws, struct pl_str data, struct pl_buf *out)
{
    struct pl_ws_packer *packer = pl_ws_packer_of(ws);

    return packer != NULL && pl_ws_pack(packer, data, out) == 0 &&
           (has_own_packer(ws) || out->len < data.len);
}

/* ---- frames ---- */

int pl_ws_put(struct pl_ws *ws, enum pl_ws_opcode opcode, bool packed,
              struct pl_str data)
{
    char head[PL_WS_HEAD_OUT];
    struct iovec pieces[2] = {{head, 0}, {(char *)data.data, data.len}};

    pieces[0].iov_len = pl_ws_frame_write(head, opcode, packed, data.len);
    return ws->transport->write(ws->link, pieces, data.len > 0 ? 2 : 1);
}

/* A peer that does not read its pongs needs no more of them. */
void pl_ws_control(struct pl_ws *ws, enum pl_ws_opcode opcode,
                   struct pl_str data)
{
    if (ws->link != NULL && !ws->transport->congested(ws->link))
        (void)pl_ws_put(ws, opcode, false, data);
}

/* ---- frames that are shared ---- */

struct pl_ws_shared {
    unsigned refs;
    struct pl_pool *pool;
    size_t size;
    uint8_t head;               /* bytes of the frame's head */
    bool tried;                 /* to pack it */
    struct pl_ws_shared *other; /* the packed form; NULL: none */
    struct pl_str frame;
    char bytes[];
};

static struct pl_ws_shared *new_shared(struct pl_pool *pool,
                                       enum pl_ws_kind kind, bool packed,
                                       struct pl_str data)
{
    size_t size = sizeof(struct pl_ws_shared) + PL_WS_HEAD_OUT + data.len;
    struct pl_ws_shared *shared = pl_pool_get(pool, size);

    if (shared == NULL)
        return NULL;
    *shared = (struct pl_ws_shared){.refs = 1, .pool = pool, .size = size};
    shared->head = (uint8_t)pl_ws_frame_write(
        shared->bytes, (enum pl_ws_opcode)kind, packed, data.len);
    if (data.len > 0)
        memcpy(shared->bytes + shared->head, data.data, data.len);
    shared->frame = pl_str(shared->bytes, shared->head + data.len);
    return shared;
}

struct pl_ws_shared *pl_ws_shared_new(struct pl_pool *pool,
                                      enum pl_ws_kind kind, struct pl_str data)
{
    return new_shared(pool, kind, false, data);
}

void pl_ws_shared_drop(void *arg)
{
    struct pl_ws_shared *shared = arg;

    if (--shared->refs > 0)
        return;
    if (shared->other != NULL)
        pl_ws_shared_drop(shared->other);
    pl_pool_put(shared->pool, shared, shared->size);
}

static struct pl_str data_of(const struct pl_ws_shared *shared)
{
    return pl_str_skip(shared->frame, shared->head);
}

static enum pl_ws_kind kind_of(const struct pl_ws_shared *shared)
{
    return (enum pl_ws_kind)(shared->bytes[0] & 15);
}

/* The form for sockets that pack by the worker's packer: made once for all. */
static struct pl_ws_shared *packed_form(struct pl_ws *ws,
                                        struct pl_ws_shared *shared)
{
    struct pl_buf out;

    if (!shared->tried) {
        shared->tried = true;
        pl_buf_init(&out, shared->pool, NULL, 0);
        if (pack(ws, data_of(shared), &out))
            shared->other = new_shared(shared->pool, kind_of(shared), true,
                                       pl_buf_str(&out));
        pl_buf_fini(&out);
    }
    return shared->other != NULL ? shared->other : shared;
}

static int put_shared(struct pl_ws *ws, struct pl_ws_shared *shared)
{
    shared->refs++;
    return ws->transport->write_ref(ws->link, shared->frame, pl_ws_shared_drop,
                                    shared);
}

/* ---- messages ---- */

/* May one be written now? 0, or as the writing functions. */
static int may_write(struct pl_ws *ws)
{
    if (PL_LIKELY(ws->state == PL_WS_OPEN))
        return ws->transport->congested(ws->link) ? PL_ERR_AGAIN : 0;
    if (ws->told)
        return PL_ERR_CANCELED;
    ws->told = true;
    return PL_ERR_CLOSED;
}

static int put_message(struct pl_ws *ws, enum pl_ws_kind kind, bool packed,
                       struct pl_str data)
{
    struct pl_ws_shared *shared;
    int err;

    if (PL_LIKELY(data.len < SHARE_MIN))
        return pl_ws_put(ws, (enum pl_ws_opcode)kind, packed, data);
    shared = new_shared(pl_ws_pool(ws), kind, packed, data);
    if (shared == NULL)
        return PL_ERR_NOMEM;
    err = put_shared(ws, shared);
    pl_ws_shared_drop(shared);
    return err;
}

static int put_packed(struct pl_ws *ws, enum pl_ws_kind kind,
                      struct pl_str data)
{
    struct pl_buf out;
    int err;

    pl_buf_init(&out, pl_ws_pool(ws), NULL, 0);
    if (pack(ws, data, &out)) {
        err = put_message(ws, kind, true, pl_buf_str(&out));
    } else if (has_own_packer(ws)) { /* its context is lost */
        err = PL_ERR_NOMEM;
        pl_ws_fail(ws, PL_WS_ERROR, "out of memory");
    } else {
        err = put_message(ws, kind, false, data);
    }
    pl_buf_fini(&out);
    return err;
}

int pl_ws_write(struct pl_ws *ws, enum pl_ws_kind kind, struct pl_str data)
{
    int err = may_write(ws);

    if (err < 0)
        return err;
    ws->active = pl_ws_now(ws);
    return PL_UNLIKELY(is_worth_packing(ws, data))
               ? put_packed(ws, kind, data)
               : put_message(ws, kind, false, data);
}

int pl_ws_write_shared(struct pl_ws *ws, struct pl_ws_shared *shared)
{
    int err = may_write(ws);

    if (err < 0)
        return err;
    ws->active = pl_ws_now(ws);
    if (!is_worth_packing(ws, data_of(shared)))
        return put_shared(ws, shared);
    return has_own_packer(ws) ? put_packed(ws, kind_of(shared), data_of(shared))
                              : put_shared(ws, packed_form(ws, shared));
}

int pl_ws_ping(struct pl_ws *ws)
{
    int err = may_write(ws);

    if (err == 0)
        pl_ws_control(ws, PL_WS_OP_PING, PL_STR(""));
    return err;
}
