/* brotli.c - the content coding br (RFC 7932), by libbrotli. */
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <stdint.h>
#include <stdio.h>

#include "base/codec.h"
#include "base/plugin.h"

enum {
    LEVEL = 4, /* less has no context models, more costs twice the time */
    LASTING_LEVEL = 9,
    WINDOW = 18, /* 2^18 bytes: answers are seldom longer */
    LASTING_WINDOW = 22,
    FRUGAL_WINDOW = 14,
    FRUGAL_LEVEL = 2,
};

/* There is no way to begin anew: the state is made again, of memory that its
 * owner has kept. */
struct encoder {
    struct pl_codec_memory memory;
    struct pl_codec_wish wish;
    BrotliEncoderState *state;
};

struct decoder {
    struct pl_codec_memory memory;
    BrotliDecoderState *state;
};

static void set(struct encoder *encoder, BrotliEncoderParameter name,
                uint32_t value)
{
    BrotliEncoderSetParameter(encoder->state, name, value);
}

static int level_of(const struct pl_codec_wish *wish)
{
    if (wish->frugal)
        return FRUGAL_LEVEL;
    if (wish->level > 0)
        return wish->level;
    return wish->lasting ? LASTING_LEVEL : LEVEL;
}

/* No larger than what is to come: its tables are made for it. */
static uint32_t window_of(const struct pl_codec_wish *wish)
{
    uint32_t bits = BROTLI_MIN_WINDOW_BITS;

    if (wish->frugal)
        return FRUGAL_WINDOW;
    if (!wish->lasting || wish->size == 0)
        return wish->lasting ? LASTING_WINDOW : WINDOW;
    while (bits < LASTING_WINDOW && (size_t)1 << bits < wish->size)
        bits++;
    return bits;
}

static bool open_state(struct encoder *encoder)
{
    const struct pl_codec_memory *memory = &encoder->memory;
    const struct pl_codec_wish *wish = &encoder->wish;

    encoder->state =
        BrotliEncoderCreateInstance(memory->alloc, memory->free, memory->arg);
    if (encoder->state == NULL)
        return false;
    set(encoder, BROTLI_PARAM_QUALITY, (uint32_t)level_of(wish));
    set(encoder, BROTLI_PARAM_LGWIN, window_of(wish));
    set(encoder, BROTLI_PARAM_SIZE_HINT, (uint32_t)wish->size);
    return true;
}

static void encoder_free(void *arg)
{
    struct encoder *encoder = arg;
    struct pl_codec_memory memory = encoder->memory;

    if (encoder->state != NULL)
        BrotliEncoderDestroyInstance(encoder->state);
    memory.free(memory.arg, encoder);
}

static void *open_or_free(struct encoder *encoder)
{
    if (open_state(encoder))
        return encoder;
    encoder_free(encoder);
    return NULL;
}

static void *encoder_new(const struct pl_codec_memory *memory,
                         const struct pl_codec_wish *wish)
{
    struct encoder *encoder = memory->alloc(memory->arg, sizeof(*encoder));

    if (encoder == NULL)
        return NULL;
    *encoder = (struct encoder){*memory, *wish, NULL};
    return open_or_free(encoder);
}

static void *encoder_reset(void *arg)
{
    struct encoder *encoder = arg;

    BrotliEncoderDestroyInstance(encoder->state);
    return open_or_free(encoder);
}

/* Of its memory only that for the whole of the state is asked for with a way to
 * say no: the library ends a stream that gets none. */
static int encode(void *arg, enum pl_codec_step step, struct pl_codec_io *io)
{
    static const BrotliEncoderOperation how[] = {BROTLI_OPERATION_PROCESS,
                                                 BROTLI_OPERATION_FLUSH,
                                                 BROTLI_OPERATION_FINISH};
    BrotliEncoderState *state = ((struct encoder *)arg)->state;

    if (!BrotliEncoderCompressStream(state, how[step], &io->in_len,
                                     (const uint8_t **)&io->in, &io->out_len,
                                     (uint8_t **)&io->out, NULL))
        return PL_CODEC_NO_MEMORY;
    if (step == PL_CODEC_END)
        return BrotliEncoderIsFinished(state) ? PL_CODEC_DONE : PL_CODEC_MORE;
    return io->in_len == 0 && !BrotliEncoderHasMoreOutput(state)
               ? PL_CODEC_DONE
               : PL_CODEC_MORE;
}

static void *decoder_new(const struct pl_codec_memory *memory)
{
    struct decoder *decoder = memory->alloc(memory->arg, sizeof(*decoder));

    if (decoder == NULL)
        return NULL;
    decoder->memory = *memory;
    decoder->state =
        BrotliDecoderCreateInstance(memory->alloc, memory->free, memory->arg);
    if (decoder->state != NULL)
        return decoder;
    memory->free(memory->arg, decoder);
    return NULL;
}

static void decoder_free(void *arg)
{
    struct decoder *decoder = arg;
    struct pl_codec_memory memory = decoder->memory;

    BrotliDecoderDestroyInstance(decoder->state);
    memory.free(memory.arg, decoder);
}

static bool is_memory(BrotliDecoderErrorCode code)
{
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

static int decode(void *arg, struct pl_codec_io *io)
{
    BrotliDecoderState *state = ((struct decoder *)arg)->state;

    switch (BrotliDecoderDecompressStream(
        state, &io->in_len, (const uint8_t **)&io->in, &io->out_len,
        (uint8_t **)&io->out, NULL)) {
    case BROTLI_DECODER_RESULT_SUCCESS:
        return PL_CODEC_DONE;
    case BROTLI_DECODER_RESULT_ERROR:
        return is_memory(BrotliDecoderGetErrorCode(state)) ? PL_CODEC_NO_MEMORY
                                                           : PL_CODEC_BROKEN;
    default:
        return PL_CODEC_MORE;
    }
}

static const struct pl_codec offer = {
    .name = "br",
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
    uint32_t version = BrotliEncoderVersion();

    snprintf(out, size, "libbrotli %u.%u.%u", version >> 24,
             version >> 12 & 0xfff, version & 0xfff);
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
