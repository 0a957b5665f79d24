/* fuzz_codec.c - the content codings: any bytes as what is to be unpacked, and
 * any text packed and unpacked again, in steps of any size, with memory that
 * runs out.
 *
 *     byte 0   which coding; 64: hostile bytes, 128: flush after each piece
 *     byte 1   level; 16: frugal, 32: lasting
 *     byte 2   how the rest is cut
 *     byte 3   the allocation that fails; 0: none
 *
 * Memory is given back, no step is without end, and what was packed comes back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/plugin.h"
#include "filters/codecs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HOSTILE = 64, FLUSHES = 128, FRUGAL = 16, LASTING = 32 };
enum { MOST = 1 << 20 }; /* bytes that are unpacked */

#ifdef WITH_BROTLI
extern const struct pl_plugin plugin_brotli;
#endif
#ifdef WITH_ZSTD
extern const struct pl_plugin plugin_zstd;
#endif

static const struct pl_codec *const codecs[] = {
    &pl_codec_gzip,
    &pl_codec_deflate,
};

static const struct pl_codec *choose(unsigned n)
{
    switch (n % 4) {
#ifdef WITH_BROTLI
    case 2:
        return plugin_brotli.offer;
#endif
#ifdef WITH_ZSTD
    case 3:
        return plugin_zstd.offer;
#endif
    default:
        return codecs[n % 2];
    }
}

/* ---- memory ---- */

static int blocks; /* that are not given back */
static int left;   /* allocations until one fails; 0: none does */

static void *get_block(void *arg, size_t size)
{
    void *block = left > 0 && --left == 0 ? NULL : malloc(size);

    (void)arg;
    blocks += block != NULL;
    return block;
}

static void give_back(void *arg, void *block)
{
    (void)arg;
    blocks -= block != NULL;
    free(block);
}

static const struct pl_codec_memory memory = {get_block, give_back, NULL};

/* ---- steps ---- */

static uint32_t dice;

static size_t roll(size_t most)
{
    dice = dice * 1664525u + 1013904223u;
    return 1 + (dice >> 8) % (dice & 64 ? most : PL_MIN(most, (size_t)9));
}

/* What is unpacked, or packed. */
struct bytes {
    char *data;
    size_t len, room;
};

/* Each step writes into a block of its own: sanitizers see a byte too many. */
static int step(const struct pl_codec *codec, void *state, int how,
                struct pl_codec_io *io, struct bytes *out)
{
    size_t room = roll(5000), made;
    char *block = malloc(room);
    int got;

    io->out = block;
    io->out_len = room;
    got = how < 0 ? codec->decode(state, io)
                  : codec->encode(state, (enum pl_codec_step)how, io);
    made = room - io->out_len;
    PL_ASSERT(got >= PL_CODEC_NO_MEMORY && got <= PL_CODEC_DONE);
    PL_ASSERT(io->out == block + made);
    if (out->len + made > out->room) {
        out->room = 2 * (out->len + made);
        out->data = realloc(out->data, out->room);
        PL_ASSERT(out->data != NULL);
    }
    if (made > 0)
        memcpy(out->data + out->len, block, made);
    out->len += made;
    free(block);
    return got;
}

/* Takes all of the input, as far as there is any sense in it. True: it was one
 * or several streams. */
static bool unpack(const struct pl_codec *codec, const char *in, size_t len,
                   struct bytes *out)
{
    struct pl_codec_io io = {.in = in};
    void *decoder = codec->decoder_new(&memory);
    int got = PL_CODEC_MORE, idle = 0;
    const char *end = in + len;

    if (decoder == NULL)
        return false;
    while (got >= 0 && idle < 3 && out->len < MOST) {
        size_t before = out->len;
        const char *from = io.in;

        if (io.in == end && got == PL_CODEC_DONE)
            break;
        io.in_len = io.in == end ? 0 : roll((size_t)(end - io.in));
        got = step(codec, decoder, -1, &io, out);
        PL_ASSERT(io.in >= from && io.in <= end);
        idle = io.in == from && out->len == before ? idle + 1 : 0;
    }
    codec->decoder_free(decoder);
    return got == PL_CODEC_DONE && io.in == end;
}

/* One step of the encoder, until it is done. 0 or PL_CODEC_NO_MEMORY. */
static int encode(const struct pl_codec *codec, void *encoder, int how,
                  struct pl_codec_io *io, struct bytes *out)
{
    int got, idle = 0;

    do {
        size_t before = out->len, in_len = io->in_len;

        got = step(codec, encoder, how, io, out);
        idle = out->len == before && io->in_len == in_len ? idle + 1 : 0;
        PL_ASSERT(idle < 3);
    } while (got == PL_CODEC_MORE && (how != PL_CODEC_RUN || io->in_len > 0));
    PL_ASSERT(got < 0 || io->in_len == 0);
    return got < 0 ? got : 0;
}

static bool pack(const struct pl_codec *codec, const struct pl_codec_wish *wish,
                 const uint8_t *data, size_t size, int how, struct bytes *out)
{
    void *encoder = codec->encoder_new(&memory, wish);
    struct pl_codec_io io = {.in = (const char *)data};
    int err = 0;

    if (encoder == NULL)
        return false;
    for (size_t at = 0, n; err == 0 && at < size; at += n) {
        n = roll(size - at);
        io.in = (const char *)data + at;
        io.in_len = n;
        err = encode(codec, encoder, how, &io, out);
    }
    io.in_len = 0;
    if (err == 0)
        err = encode(codec, encoder, PL_CODEC_END, &io, out);
    codec->encoder_free(encoder);
    return err == 0;
}

static void go_and_return(const struct pl_codec *codec, const uint8_t *data,
                          size_t size)
{
    const struct pl_codec_wish wish = {.level = data[1] % 10,
                                       .frugal = data[1] & FRUGAL,
                                       .lasting = data[1] & LASTING};
    int how = data[0] & FLUSHES ? PL_CODEC_FLUSH : PL_CODEC_RUN;
    struct bytes packed = {0}, unpacked = {0};

    if (pack(codec, &wish, data + 4, size - 4, how, &packed)) {
        bool whole = unpack(codec, packed.data, packed.len, &unpacked);

        PL_ASSERT(whole || data[3] > 0); /* ... in time for the decoder */
        if (whole) {
            PL_ASSERT(unpacked.len == size - 4);
            PL_ASSERT(size == 4 ||
                      memcmp(unpacked.data, data + 4, size - 4) == 0);
        }
    }
    free(packed.data);
    free(unpacked.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pl_codec *codec;
    struct bytes out = {0};

    if (size < 4)
        return 0;
    codec = choose(data[0]);
    dice = data[2];
    left = data[3];
    if (data[0] & HOSTILE || codec->encode == NULL)
        (void)unpack(codec, (const char *)data + 4, size - 4, &out);
    else
        go_and_return(codec, data, size);
    free(out.data);
    PL_ASSERT(blocks == 0);
    return 0;
}
