/* codec.h - a content coding (RFC 9110, 8.4.1): what a library can do, in one
 * form. gzip and deflate are there always (filters/gzip.c); br and zstd are
 * plug-ins (base/plugin.h), perilune-brotli.so and perilune-zstd.so, which
 * offer this table and need nothing of their host.
 *
 * An encoder or decoder takes all its memory from who has made it, and is used
 * by one thread at a time. */
#ifndef PL_BASE_CODEC_H
#define PL_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

/* alloc may say NULL; free may be given NULL. Both stay as long as what they
 * are for. */
struct pl_codec_memory {
    void *(*alloc)(void *arg, size_t size);
    void (*free)(void *arg, void *block);
    void *arg;
};

/* What is wanted of an encoder. */
struct pl_codec_wish {
    int level;    /* 1 to 9; 0: what suits answers that are made anew */
    bool lasting; /* the result is kept: take more time and memory */
    size_t size;  /* of all that is to come; 0: not known */
    bool frugal;  /* many of them are open for long: take little memory */
};

enum pl_codec_step {
    PL_CODEC_RUN,   /* take the input */
    PL_CODEC_FLUSH, /* ... and give out all that it was */
    PL_CODEC_END,   /* ... and end the stream */
};

/* Both move on as they are used. */
struct pl_codec_io {
    const char *in;
    size_t in_len;
    char *out;
    size_t out_len;
};

enum {
    PL_CODEC_MORE = 0, /* it needs more input, or more room: call again */
    PL_CODEC_DONE = 1, /* the step is done; the stream has ended */
    PL_CODEC_BROKEN = -1,
    PL_CODEC_NO_MEMORY = -2,
};

struct pl_codec {
    const char *name; /* as in Content-Encoding */
    /* What an encoder asks for in all, at most: libraries ask for much of it
     * when the stream has begun, and that is no time to say no. */
    size_t (*encoder_size)(const struct pl_codec_wish *wish);
    /* NULL: no memory. */
    void *(*encoder_new)(const struct pl_codec_memory *memory,
                         const struct pl_codec_wish *wish);
    /* For the next stream, of the same wish. NULL: no memory, and the encoder
     * is gone. */
    void *(*encoder_reset)(void *encoder);
    void (*encoder_free)(void *encoder);
    /* MORE: out is full, or RUN has taken all. Repeat a step until it is DONE
     * (RUN is as soon as all input was taken). */
    int (*encode)(void *encoder, enum pl_codec_step step,
                  struct pl_codec_io *io);
    /* Windows above 8 MiB are refused (RFC 9659). */
    void *(*decoder_new)(const struct pl_codec_memory *memory);
    void (*decoder_free)(void *decoder);
    /* DONE: the stream has ended, and io->in is what follows it. */
    int (*decode)(void *decoder, struct pl_codec_io *io);
};

#endif
