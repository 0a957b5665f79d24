/* form.h - the parts of a multipart/form-data body as they come. A request has
 * one such reader; what is known of a part, its name included, holds until the
 * next one is asked for.
 *
 * Steps as in body.h: PL_ERR_AGAIN is waited for by pl_body_wait_begin(). */
#ifndef PL_HTTP_FORM_H
#define PL_HTTP_FORM_H

#include "http/form_data.h"
#include "http/sink.h"

struct pl_part {
    struct pl_form_data form;
    struct pl_request *req;
    uint64_t max_size; /* of each part; 0: no limit */
    uint64_t limit;    /* of the current one */
    uint64_t size;     /* ... so far */
    size_t known;      /* bytes waiting at the front that belong to it */
    unsigned number;   /* of the current one, from 1 */
    int err;           /* of a limit here; it stays */
    bool open;         /* there is a current one whose end was not seen */
    bool over;
};

struct pl_form_limits {
    uint64_t max_total; /* bytes of the body */
    uint64_t max_size;  /* bytes of a part */
    uint32_t max_parts;
};

/* Once, before the first part; 0 is no limit. Returns 0, PL_ERR_UNSUPPORTED for
 * a body of another type, PL_ERR_PROTO, PL_ERR_LIMIT, PL_ERR_NOMEM, or
 * PL_ERR_STATE if the body is used in another way, or as parts already. */
int pl_form_begin(struct pl_request *req, const struct pl_form_limits *limits);

/* The request is over. */
void pl_form_end(struct pl_request *req);

/* Passes over the rest of the current part. 1: there is another, req->part;
 * 0: that was the last; PL_ERR_AGAIN, PL_ERR_PROTO, PL_ERR_LIMIT, or why the
 * body was broken off. */
int pl_form_next(struct pl_request *req);

/* Shows what is there of the current part, at most n bytes; empty at its end.
 * Take it by pl_form_skip(). */
int pl_form_peek(struct pl_request *req, size_t n, struct pl_str *bytes);
void pl_form_skip(struct pl_request *req, size_t n);

/* No more than max bytes (0: as many as there are) of what is left of it. */
void pl_form_limit(struct pl_request *req, uint64_t max);

/* Moves what is left of the current part into sink: 0 when all of it is. */
int pl_form_store(struct pl_request *req, struct pl_sink *sink);

/* After PL_ERR_PROTO and PL_ERR_LIMIT: what is wrong, for people; or NULL. */
const char *pl_form_wrong(const struct pl_request *req);

#endif
