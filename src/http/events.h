/* events.h - server-sent events (HTML, 9.2): a response as a stream of texts.
 *
 * Such a response has no end of its own. It lives as long as its client, whose
 * FIN is its leaving; and the server ends it, whole, when it stops, because the
 * client comes again and says what it has seen (Last-Event-ID).
 *
 * What perilune.h has waits; here is the step, and the text. */
#ifndef PL_HTTP_EVENTS_H
#define PL_HTTP_EVENTS_H

#include "http/request.h"

enum { PL_EVENTS_PING_MS = 15000 };

/* In the request's arena. */
struct pl_event_stream {
    struct pl_request *req;
    struct pl_timer timer; /* armed while it is open, if there are pings */
    uint64_t ping;         /* ns */
    uint64_t said;         /* when something was sent last */
    struct pl_str last_id; /* absent: the client begins */
};

/* Appends event as it goes over the wire. Returns 0, PL_ERR_INVALID (a line end
 * in type or id, a NUL in id), or the buffer's error. */
int pl_event_format(struct pl_buf *out, const struct pl_event *event);

/* The same for a comment, which clients pass over. */
int pl_event_format_comment(struct pl_buf *out, struct pl_str text);

/* A step: as pl_response_push(), or an error as above. */
int pl_event_push(struct pl_event_stream *stream, const struct pl_event *event);
int pl_event_push_comment(struct pl_event_stream *stream, struct pl_str text);

#endif
