/* trailer.h - fields behind a body (RFC 9110, 6.5): of a request that has been
 * read, and of a response that is a stream.
 *
 * They are kept apart from the fields of the head and never become some of
 * them. What decides how a message is framed, routed, authenticated or cached
 * may not stand there (6.5.1): refused in responses, dropped from requests. */
#ifndef PL_HTTP_TRAILER_H
#define PL_HTTP_TRAILER_H

#include "http/header.h"

struct pl_request;

/* In the request's arena. */
struct pl_trailers {
    struct pl_header *fields; /* of a response, value NULL: only announced */
    unsigned n, room;
};

/* May a field of that name stand behind a body? */
bool pl_trailer_permitted(struct pl_str name);

/* For wires, before the end of the request's body: adds one field that has
 * been checked as a field. COPIES. What is not permitted is dropped. Returns 0,
 * PL_ERR_LIMIT (more than max_headers) or PL_ERR_NOMEM. */
int pl_trailer_receive(struct pl_request *req, struct pl_str name,
                       struct pl_str value);

/* The same for lines as HTTP/1 has them, the last of them empty. */
int pl_trailer_receive_lines(struct pl_request *req, struct pl_str lines);

/* For semantics: says in the head which ones are going to come. */
void pl_trailer_announce(struct pl_request *req);

#endif
