/* coder.h - who stands between a response and its wire, and between a wire and
 * the body of a request, to change their bytes: content codings
 * (filters/compress.h).
 *
 * Set by a filter before the handler runs (response.coder), or in its place
 * (body.decoder); lies in the request's arena. */
#ifndef PL_HTTP_CODER_H
#define PL_HTTP_CODER_H

#include <perilune.h>

struct pl_coder {
    /* The response is about to leave, semantics comes next: chooses the
     * representation, with its fields and validators (and response.coded), and
     * puts a wire of its own before that of req. Called once. */
    void (*choose)(struct pl_coder *coder, struct pl_request *req);
    /* The output has drained, or the peer has gone (err < 0). True: who waits
     * for that is not to be told yet, there are bytes in here. */
    bool (*drained)(struct pl_coder *coder, struct pl_request *req, int err);
};

/* Gives what it makes of the bytes to pl_body_add(), and of the end to
 * pl_body_finish(). */
struct pl_decoder {
    void (*feed)(struct pl_decoder *decoder, struct pl_request *req,
                 struct pl_str bytes);
    void (*end)(struct pl_decoder *decoder, struct pl_request *req, int err);
    /* The reader has made room for more. */
    void (*room)(struct pl_decoder *decoder, struct pl_request *req);
};

#endif
