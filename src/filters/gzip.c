/* gzip.c - the codings of zlib: gzip (RFC 1952), and deflate (RFC 1950), which
 * is only taken: what senders mean by it differs. */
#include <limits.h>
#include <zlib.h>

#include "base/compiler.h"
#include "filters/codecs.h"

enum {
    GZIP = 16, /* with the bits of a window: the frame of gzip */
    BITS = 15,
    MEMORY = 8,
    LEVEL = 5,
    LASTING_LEVEL = 9,
    FRUGAL_BITS = 12, /* 32 KiB for a stream, instead of 264 */
    FRUGAL_MEMORY = 5,
};

struct stream {
    z_stream z;
    struct pl_codec_memory memory;
};

static void *z_alloc(void *arg, unsigned n, unsigned size)
{
    const struct stream *stream = arg;

    return stream->memory.alloc(stream->memory.arg, (size_t)n * size);
}

static void z_free(void *arg, void *block)
{
    const struct stream *stream = arg;

    stream->memory.free(stream->memory.arg, block);
}

static struct stream *new_stream(const struct pl_codec_memory *memory)
{
    struct stream *stream = memory->alloc(memory->arg, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    *stream = (struct stream){.memory = *memory};
    stream->z.zalloc = z_alloc;
    stream->z.zfree = z_free;
    stream->z.opaque = stream;
    return stream;
}

static void drop_stream(struct stream *stream)
{
    struct pl_codec_memory memory = stream->memory;

    memory.free(memory.arg, stream);
}

/* zlib counts in unsigned int. */
static void lend(z_stream *z, const struct pl_codec_io *io)
{
    z->next_in = (Bytef *)io->in;
    z->avail_in = (uInt)PL_MIN(io->in_len, (size_t)INT_MAX);
    z->next_out = (Bytef *)io->out;
    z->avail_out = (uInt)PL_MIN(io->out_len, (size_t)INT_MAX);
}

static void take_back(const z_stream *z, struct pl_codec_io *io)
{
    io->in_len -= (size_t)((const char *)z->next_in - io->in);
    io->in = (const char *)z->next_in;
    io->out_len -= (size_t)((char *)z->next_out - io->out);
    io->out = (char *)z->next_out;
}

/* ---- packing ---- */

static int level_of(const struct pl_codec_wish *wish)
{
    if (wish->level > 0)
        return wish->level;
    return wish->lasting ? LASTING_LEVEL : LEVEL;
}

/* zconf.h: (1 << (bits + 2)) + (1 << (memory + 9)), and the stream itself. */
static size_t encoder_size(const struct pl_codec_wish *wish)
{
    enum { STREAM = 8 * 1024 };

    return STREAM + (wish->frugal
                         ? (4u << FRUGAL_BITS) + (512u << FRUGAL_MEMORY)
                         : (4u << BITS) + (512u << MEMORY));
}

static void *encoder_new(const struct pl_codec_memory *memory,
                         const struct pl_codec_wish *wish)
{
    struct stream *stream = new_stream(memory);
    int bits = wish->frugal ? FRUGAL_BITS : BITS;

    if (stream == NULL)
        return NULL;
    if (deflateInit2(&stream->z, level_of(wish), Z_DEFLATED, bits + GZIP,
                     wish->frugal ? FRUGAL_MEMORY : MEMORY,
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return stream;
    drop_stream(stream);
    return NULL;
}

static void *encoder_reset(void *encoder)
{
    struct stream *stream = encoder;

    deflateReset(&stream->z);
    return stream;
}

static void encoder_free(void *encoder)
{
    struct stream *stream = encoder;

    deflateEnd(&stream->z);
    drop_stream(stream);
}

static int encode(void *encoder, enum pl_codec_step step,
                  struct pl_codec_io *io)
{
    static const int how[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *z = &((struct stream *)encoder)->z;
    int got;

    lend(z, io);
    got = deflate(z, z->avail_in < io->in_len ? Z_NO_FLUSH : how[step]);
    take_back(z, io);
    if (got == Z_STREAM_END)
        return PL_CODEC_DONE;
    /* Room that is left says that nothing is held back (zlib.h). */
    return step != PL_CODEC_END && io->in_len == 0 && io->out_len > 0
               ? PL_CODEC_DONE
               : PL_CODEC_MORE;
}

/* ---- unpacking ---- */

static void *decoder_new(const struct pl_codec_memory *memory, int bits)
{
    struct stream *stream = new_stream(memory);

    if (stream == NULL)
        return NULL;
    if (inflateInit2(&stream->z, bits) == Z_OK)
        return stream;
    drop_stream(stream);
    return NULL;
}

static void *gzip_decoder_new(const struct pl_codec_memory *memory)
{
    return decoder_new(memory, BITS + GZIP);
}

static void *deflate_decoder_new(const struct pl_codec_memory *memory)
{
    return decoder_new(memory, BITS);
}

static void decoder_free(void *decoder)
{
    struct stream *stream = decoder;

    inflateEnd(&stream->z);
    drop_stream(stream);
}

static int decode(void *decoder, struct pl_codec_io *io)
{
    z_stream *z = &((struct stream *)decoder)->z;
    int got;

    lend(z, io);
    got = inflate(z, Z_NO_FLUSH);
    take_back(z, io);
    switch (got) {
    case Z_STREAM_END:
        return inflateReset(z) == Z_OK ? PL_CODEC_DONE : PL_CODEC_BROKEN;
    case Z_OK:
    case Z_BUF_ERROR:
        return PL_CODEC_MORE;
    case Z_MEM_ERROR:
        return PL_CODEC_NO_MEMORY;
    default:
        return PL_CODEC_BROKEN;
    }
}

const struct pl_codec pl_codec_gzip = {
    .name = "gzip",
    .encoder_size = encoder_size,
    .encoder_new = encoder_new,
    .encoder_reset = encoder_reset,
    .encoder_free = encoder_free,
    .encode = encode,
    .decoder_new = gzip_decoder_new,
    .decoder_free = decoder_free,
    .decode = decode,
};

const struct pl_codec pl_codec_deflate = {
    .name = "deflate",
    .decoder_new = deflate_decoder_new,
    .decoder_free = decoder_free,
    .decode = decode,
};
