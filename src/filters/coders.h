/* coders.h - what a worker keeps for content codings: encoders and decoders
 * with their memory, to be used again, and what was made of files.
 *
 * An encoder of gzip holds 264 KiB, one of br up to 3.5 MiB: they belong to a
 * response only from its first byte to its last one, and all of a worker have
 * one limit. In steady state nothing is taken from malloc. */
#ifndef PL_FILTERS_CODERS_H
#define PL_FILTERS_CODERS_H

#include "base/account.h"
#include "base/codec.h"
#include "base/memo.h"
#include "http/http.h"

enum {
    PL_CODERS_MEMORY = 64 << 20, /* of a worker's encoders and decoders */
    PL_CODERS_IDLE = 8,          /* that are kept for the next response */
    PL_CODERS_ROOM = 32 * 1024,
};

/* An encoder or a decoder, and the blocks it has (or has had) of malloc. */
struct pl_workbench {
    struct pl_workbench *next;
    struct pl_coders *coders;
    const struct pl_codec *codec;
    struct pl_codec_wish wish;
    bool decodes;
    void *state; /* what codec has made */
    struct pl_codec_block *blocks;
    size_t held;     /* by blocks */
    size_t reserved; /* of the account: what may be held */
};

struct pl_coders {
    struct pl_account account; /* of the workbenches */
    struct pl_workbench *idle; /* the last used first */
    unsigned nidle;
    struct pl_memo made; /* what files became: made.h */
    struct pl_pool *pool;
    char room[PL_CODERS_ROOM]; /* for one step of whoever codes now */
};

/* The worker's, made when it is first asked for. NULL: no memory. */
struct pl_coders *pl_coders_get(struct pl_http *http);

/* All requests of the worker have ended. coders may be NULL. */
void pl_coders_free(struct pl_coders *coders);

/* Ready to begin a stream; NULL: no memory, or the limit. */
struct pl_workbench *pl_coders_encoder(struct pl_coders *coders,
                                       const struct pl_codec *codec,
                                       const struct pl_codec_wish *wish);
struct pl_workbench *pl_coders_decoder(struct pl_coders *coders,
                                       const struct pl_codec *codec);

/* The stream is over, or given up. bench may be NULL. */
void pl_coders_put(struct pl_workbench *bench);

#endif
