#include "http/ws_deflate.h"

#include <zlib.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

enum {
    LEVEL = 4,   /* of zlib: more costs much and gains little */
    STEP = 4096, /* room that is made at a time */
    TAIL = 4,    /* what a message ends with, and is left out */
};

static const char tail[TAIL] = {0, 0, (char)0xff, (char)0xff};

struct pl_ws_unpacker {
    z_stream z;
};

struct pl_ws_packer {
    struct pl_ws_deflate_params params;
    bool packs; /* out is there */
    z_stream out;
    struct pl_ws_unpacker *in; /* NULL: none yet, or a message has it */
};

static void *z_alloc(void *arg, unsigned n, unsigned size)
{
    (void)arg;
    return pl_malloc((size_t)n * size);
}

static void z_free(void *arg, void *ptr)
{
    (void)arg;
    pl_free(ptr);
}

struct pl_ws_packer *pl_ws_packer_new(const struct pl_ws_deflate_params *params)
{
    struct pl_ws_packer *packer = pl_calloc(1, sizeof(*packer));

    if (packer == NULL)
        return NULL;
    packer->params = *params;
    packer->out.zalloc = z_alloc;
    packer->out.zfree = z_free;
    return packer;
}

static void free_unpacker(struct pl_ws_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    inflateEnd(&unpacker->z);
    pl_free(unpacker);
}

void pl_ws_packer_free(struct pl_ws_packer *packer)
{
    if (packer == NULL)
        return;
    if (packer->packs)
        deflateEnd(&packer->out);
    free_unpacker(packer->in);
    pl_free(packer);
}

/* The streams are raw, without zlib's own frame: negative bits. */
static bool open_out(struct pl_ws_packer *packer)
{
    int bits = packer->params.server_bits;

    if (!packer->packs)
        packer->packs =
            deflateInit2(&packer->out, LEVEL, Z_DEFLATED, -bits,
                         PL_MAX(bits - 7, 1), Z_DEFAULT_STRATEGY) == Z_OK;
    return packer->packs;
}

/* What was packed cannot be sent, so the peer will never know of it. */
static int give_up(struct pl_ws_packer *packer, int err)
{
    deflateReset(&packer->out);
    return err;
}

int pl_ws_pack(struct pl_ws_packer *packer, struct pl_str data,
               struct pl_buf *out)
{
    z_stream *z = &packer->out;

    if (!open_out(packer))
        return PL_ERR_NOMEM;
    z->next_in = (Bytef *)data.data;
    z->avail_in = (uInt)data.len;
    do {
        if (pl_buf_reserve(out, STEP) < 0)
            return give_up(packer, out->err);
        z->next_out = (Bytef *)out->data + out->len;
        z->avail_out = (uInt)(out->cap - out->len);
        deflate(z, Z_SYNC_FLUSH);
        out->len = out->cap - z->avail_out;
    } while (z->avail_out == 0);
    out->len -= TAIL;
    if (packer->params.server_fresh)
        deflateReset(z);
    return 0;
}

/* ---- unpacking ---- */

static struct pl_ws_unpacker *new_unpacker(int bits)
{
    struct pl_ws_unpacker *unpacker = pl_calloc(1, sizeof(*unpacker));

    if (unpacker == NULL)
        return NULL;
    unpacker->z.zalloc = z_alloc;
    unpacker->z.zfree = z_free;
    if (inflateInit2(&unpacker->z, -bits) == Z_OK)
        return unpacker;
    pl_free(unpacker);
    return NULL;
}

struct pl_ws_unpacker *pl_ws_unpacker_get(struct pl_ws_packer *packer)
{
    struct pl_ws_unpacker *unpacker = packer->in;

    packer->in = NULL;
    return unpacker != NULL ? unpacker
                            : new_unpacker(packer->params.client_bits);
}

void pl_ws_unpacker_put(struct pl_ws_packer *packer,
                        struct pl_ws_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    if (packer->in != NULL) {
        free_unpacker(unpacker);
        return;
    }
    if (packer->params.client_fresh)
        inflateReset(&unpacker->z);
    packer->in = unpacker;
}

/* One step of zlib, which makes no more than most bytes. A block that says it
 * is the last one (7.2.3.4) ends the stream, but not the message. */
static int step(z_stream *z, struct pl_buf *out, size_t most)
{
    size_t room = PL_MIN((size_t)STEP, out->limit - out->len);
    int got;

    if (pl_buf_reserve(out, PL_MAX(room, 1)) < 0)
        return out->err;
    room = PL_MIN(PL_MIN(out->cap, out->limit) - out->len, most);
    z->next_out = (Bytef *)out->data + out->len;
    z->avail_out = (uInt)room;
    got = inflate(z, Z_SYNC_FLUSH);
    out->len = (size_t)((char *)z->next_out - out->data);
    if (got == Z_STREAM_END)
        got = inflateResetKeep(z);
    return got == Z_OK || got == Z_BUF_ERROR ? 0
           : got == Z_MEM_ERROR              ? PL_ERR_NOMEM
                                             : PL_ERR_PROTO;
}

int pl_ws_unpack(struct pl_ws_unpacker *unpacker, struct pl_str *data,
                 struct pl_buf *out, size_t most)
{
    z_stream *z = &unpacker->z;
    size_t end = out->len + most;
    int err = 0;

    z->next_in = (Bytef *)data->data;
    z->avail_in = (uInt)data->len;
    while (err == 0 && z->avail_in > 0 && out->len < end)
        err = step(z, out, end - out->len);
    *data = pl_str_skip(*data, data->len - z->avail_in);
    return err;
}

int pl_ws_unpack_end(struct pl_ws_unpacker *unpacker, struct pl_buf *out)
{
    z_stream *z = &unpacker->z;
    int err;

    z->next_in = (Bytef *)tail;
    z->avail_in = TAIL;
    do
        err = step(z, out, SIZE_MAX);
    while (err == 0 && z->avail_out == 0);
    return err;
}
