/* compress_priv.h - within the filter for content codings: what it was told,
 * and its work for one response. */
#ifndef PL_FILTERS_COMPRESS_PRIV_H
#define PL_FILTERS_COMPRESS_PRIV_H

#include "filters/coders.h"
#include "filters/compress.h"
#include "filters/made.h"
#include "http/coder.h"
#include "http/request.h"

/* Never changes: workers may share it. */
struct pl_compress {
    struct pl_filter filter;
    bool off, raw_requests;
    uint64_t min;
    int level;
    unsigned ncodecs;
    const struct pl_codec *codecs[PL_COMPRESS_CODINGS];
    /* Best first, and "identity" behind them. */
    struct pl_str offers[PL_COMPRESS_CODINGS + 1];
    char types[]; /* patterns with spaces between */
};

/* In the request's arena. Begins with the filter, is asked by the response when
 * that is about to leave, and is a wire before the response's own until the
 * stream of the coding has ended:
 *
 *     handler --> response --choose()--> semantics --> coding wire --> wire
 */
struct pl_coding {
    struct pl_coder coder;
    struct pl_then then, *outer;
    const struct pl_compress *options; /* until the response has begun */
    struct pl_request *req;
    const struct pl_wire *under;  /* NULL: the wire is not in place */
    const struct pl_codec *codec; /* chosen; NULL: none */
    struct pl_workbench *bench;   /* while a stream is open */
    struct pl_memo_entry *made;   /* what the file has become; or NULL */
    struct pl_made_op making;
    struct pl_codec_wish wish;
    struct pl_str source;    /* the rest of a body that is there as a whole */
    struct pl_buf backlog;   /* the rest of what came in large pieces */
    size_t at;               /* of backlog */
    struct pl_sleep_op tick; /* to the next turn */
    bool ticking;
    bool dirty;  /* the encoder may hold something back */
    bool ending; /* all has come */
    bool broken; /* the stream cannot be gone on with */
};

/* ---- compress_types.c ---- */

/* What is compressed unless the site says which types are. */
extern const char pl_compress_types[];

/* Is type, which may have parameters, of one of the patterns: "text/html",
 * "text/" and a star, "*" "+json"? What is packed already never is. */
bool pl_compress_type_is(struct pl_str patterns, struct pl_str type);

/* ---- compress_wire.c ---- */

/* Puts the coding wire before that of the request. */
void pl_coding_begin(struct pl_coding *coding);

/* As struct pl_coder has it. */
bool pl_coding_drained(struct pl_coder *coder, struct pl_request *req, int err);

/* The request is over. */
void pl_coding_fini(void *coding);

#endif
