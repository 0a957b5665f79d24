/* brotli.c - the content coding br (RFC 7932), by libbrotli.
 *
 * Its encoder asks for memory while it works, and ends the process if it gets
 * none. So what would say no jumps out of the library instead; all blocks of an
 * encoder are known, and given back with it. */
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <setjmp.h>
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
    BLOCKS =
        256, /* the library itself reckons with less, where it may say no */
};

/* There is no way to begin anew: the state is made again, of memory that its
 * owner has kept. */
struct encoder {
    struct pl_codec_memory memory;
    struct pl_codec_wish wish;
    BrotliEncoderState *state; /* NULL: it ran out of memory */
    jmp_buf *escape;           /* while the library works */
    unsigned nblocks;
    void *blocks[BLOCKS];
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

/* Measured, with the rounding of who keeps the blocks. */
static size_t encoder_size(const struct pl_codec_wish *wish)
{
    static const uint16_t kib[] = {0,    320,  1664,  1664,  3584,
                                   4608, 6144, 15488, 28160, 53248};

    return (wish->frugal ? 704 : kib[level_of(wish)]) * (size_t)1024;
}

/* ---- the memory of an encoder ---- */

static void *take_block(void *arg, size_t size)
{
    struct encoder *encoder = arg;
    void *block = encoder->nblocks == BLOCKS
                      ? NULL
                      : encoder->memory.alloc(encoder->memory.arg, size);

    if (block != NULL)
        encoder->blocks[encoder->nblocks++] = block;
    else if (encoder->escape != NULL)
        longjmp(*encoder->escape, 1);
    return block;
}

/* The last ones are given back first, most of the time. */
static void give_back(void *arg, void *block)
{
    struct encoder *encoder = arg;
    unsigned i = encoder->nblocks;

    while (i > 0 && encoder->blocks[i - 1] != block)
        i--;
    if (block == NULL || i == 0)
        return;
    encoder->blocks[i - 1] = encoder->blocks[--encoder->nblocks];
    encoder->memory.free(encoder->memory.arg, block);
}

static void give_all_back(struct encoder *encoder)
{
    while (encoder->nblocks > 0)
        encoder->memory.free(encoder->memory.arg,
                             encoder->blocks[--encoder->nblocks]);
    encoder->state = NULL;
}

/* ---- packing ---- */

static bool open_state(struct encoder *encoder)
{
    const struct pl_codec_wish *wish = &encoder->wish;

    encoder->state =
        BrotliEncoderCreateInstance(take_block, give_back, encoder);
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

    give_all_back(encoder);
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
    encoder->memory = *memory;
    encoder->wish = *wish;
    encoder->escape = NULL;
    encoder->nblocks = 0;
    return open_or_free(encoder);
}

static void *encoder_reset(void *arg)
{
    struct encoder *encoder = arg;

    give_all_back(encoder);
    return open_or_free(encoder);
}

/* False: there was no memory, and the stream cannot be gone on with. */
static bool run(struct encoder *encoder, BrotliEncoderOperation how,
                struct pl_codec_io *io)
{
    jmp_buf escape;
    bool done = false;

    encoder->escape = &escape;
    if (setjmp(escape) == 0)
        done = BrotliEncoderCompressStream(
            encoder->state, how, &io->in_len, (const uint8_t **)&io->in,
            &io->out_len, (uint8_t **)&io->out, NULL);
    else
        give_all_back(encoder);
    encoder->escape = NULL;
    return done;
}

static int encode(void *arg, enum pl_codec_step step, struct pl_codec_io *io)
{
    static const BrotliEncoderOperation how[] = {BROTLI_OPERATION_PROCESS,
                                                 BROTLI_OPERATION_FLUSH,
                                                 BROTLI_OPERATION_FINISH};
    BrotliEncoderState *state = ((struct encoder *)arg)->state;

    if (state == NULL || !run(arg, how[step], io))
        return PL_CODEC_NO_MEMORY;
    if (step == PL_CODEC_END)
        return BrotliEncoderIsFinished(state) ? PL_CODEC_DONE : PL_CODEC_MORE;
    return io->in_len == 0 && !BrotliEncoderHasMoreOutput(state)
               ? PL_CODEC_DONE
               : PL_CODEC_MORE;
}

/* ---- unpacking ---- */

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
