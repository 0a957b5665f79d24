/* zstd.c - the content coding zstd (RFC 8878), by libzstd. */
#define ZSTD_STATIC_LINKING_ONLY /* memory of one's own; part of its ABI since \
                                    1.4 */
#include <stdio.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/codec.h"
#include "base/plugin.h"

enum {
    LEVEL = 3,
    LASTING_LEVEL = 15,
    WINDOW = 17, /* 2^17 bytes; a level by itself would take up to 8 MiB */
    LASTING_WINDOW = 22,
    FRUGAL_WINDOW = 13,
    MOST_WINDOW = 23, /* RFC 9659: what a receiver has to have */
};

struct encoder {
    struct pl_codec_memory memory;
    ZSTD_CCtx *context;
};

struct decoder {
    struct pl_codec_memory memory;
    ZSTD_DCtx *context;
};

static ZSTD_customMem custom(const struct pl_codec_memory *memory)
{
    return (ZSTD_customMem){memory->alloc, memory->free, memory->arg};
}

static void set(struct encoder *encoder, ZSTD_cParameter name, int value)
{
    (void)ZSTD_CCtx_setParameter(encoder->context, name, value);
}

static void configure(struct encoder *encoder, const struct pl_codec_wish *wish)
{
    int window = wish->frugal    ? FRUGAL_WINDOW
                 : wish->lasting ? LASTING_WINDOW
                                 : WINDOW;

    set(encoder, ZSTD_c_compressionLevel,
        wish->level > 0 ? wish->level
        : wish->lasting ? LASTING_LEVEL
                        : LEVEL);
    set(encoder, ZSTD_c_windowLog, window);
    if (wish->lasting) {
        if (wish->size > 0)
            (void)ZSTD_CCtx_setPledgedSrcSize(encoder->context, wish->size);
        return;
    }
    /* Tables beyond the window find nothing more. */
    set(encoder, ZSTD_c_hashLog, window);
    set(encoder, ZSTD_c_chainLog, window);
}

/* Measured, with the rounding of who keeps the blocks. */
static size_t encoder_size(const struct pl_codec_wish *wish)
{
    if (wish->frugal)
        return 200 * 1024;
    return (wish->level == 1 || wish->level == 2 ? 1544 : 2056) * 1024;
}

static void *encoder_new(const struct pl_codec_memory *memory,
                         const struct pl_codec_wish *wish)
{
    struct encoder *encoder = memory->alloc(memory->arg, sizeof(*encoder));

    if (encoder == NULL)
        return NULL;
    encoder->memory = *memory;
    encoder->context = ZSTD_createCCtx_advanced(custom(memory));
    if (encoder->context == NULL) {
        memory->free(memory->arg, encoder);
        return NULL;
    }
    configure(encoder, wish);
    return encoder;
}

static void *encoder_reset(void *arg)
{
    struct encoder *encoder = arg;

    ZSTD_CCtx_reset(encoder->context, ZSTD_reset_session_only);
    return encoder;
}

static void encoder_free(void *arg)
{
    struct encoder *encoder = arg;
    struct pl_codec_memory memory = encoder->memory;

    ZSTD_freeCCtx(encoder->context);
    memory.free(memory.arg, encoder);
}

static int encode(void *arg, enum pl_codec_step step, struct pl_codec_io *io)
{
    static const ZSTD_EndDirective how[] = {ZSTD_e_continue, ZSTD_e_flush,
                                            ZSTD_e_end};
    ZSTD_inBuffer in = {io->in, io->in_len, 0};
    ZSTD_outBuffer out = {io->out, io->out_len, 0};
    size_t left = ZSTD_compressStream2(((struct encoder *)arg)->context, &out,
                                       &in, how[step]);

    if (ZSTD_isError(left))
        return PL_CODEC_NO_MEMORY; /* the parameters are ours */
    io->in += in.pos;
    io->in_len -= in.pos;
    io->out += out.pos;
    io->out_len -= out.pos;
    if (step == PL_CODEC_RUN)
        return io->in_len == 0 ? PL_CODEC_DONE : PL_CODEC_MORE;
    return left == 0 ? PL_CODEC_DONE : PL_CODEC_MORE;
}

static void *decoder_new(const struct pl_codec_memory *memory)
{
    struct decoder *decoder = memory->alloc(memory->arg, sizeof(*decoder));

    if (decoder == NULL)
        return NULL;
    decoder->memory = *memory;
    decoder->context = ZSTD_createDCtx_advanced(custom(memory));
    if (decoder->context == NULL) {
        memory->free(memory->arg, decoder);
        return NULL;
    }
    (void)ZSTD_DCtx_setParameter(decoder->context, ZSTD_d_windowLogMax,
                                 MOST_WINDOW);
    return decoder;
}

static void decoder_free(void *arg)
{
    struct decoder *decoder = arg;
    struct pl_codec_memory memory = decoder->memory;

    ZSTD_freeDCtx(decoder->context);
    memory.free(memory.arg, decoder);
}

static int decode(void *arg, struct pl_codec_io *io)
{
    ZSTD_inBuffer in = {io->in, io->in_len, 0};
    ZSTD_outBuffer out = {io->out, io->out_len, 0};
    size_t left =
        ZSTD_decompressStream(((struct decoder *)arg)->context, &out, &in);

    if (ZSTD_isError(left))
        return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation
                   ? PL_CODEC_NO_MEMORY
                   : PL_CODEC_BROKEN;
    io->in += in.pos;
    io->in_len -= in.pos;
    io->out += out.pos;
    io->out_len -= out.pos;
    return left == 0 ? PL_CODEC_DONE : PL_CODEC_MORE;
}

static const struct pl_codec offer = {
    .name = "zstd",
    .encoder_size = encoder_size,
    .encoder_new = encoder_new,
    .encoder_reset = encoder_reset,
    .encoder_free = encoder_free,
    .encode = encode,
    .decoder_new = decoder_new,
    .decoder_free = decoder_free,
    .decode = decode,
};

static void name_libraries(char *out, size_t size)
{
    snprintf(out, size, "libzstd %s", ZSTD_versionString());
}

static void open_host(const void *host)
{
    (void)host;
}

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = 0,
    .offer_size = sizeof(struct pl_codec),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
