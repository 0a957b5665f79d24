/* h2_write.h - the fields of a response as HTTP/2 says them. */
#ifndef PL_HTTP_H2_WRITE_H
#define PL_HTTP_H2_WRITE_H

#include "http/h2_hpack.h"
#include "http/request.h"

/* Where numbers and dates are written that the fields point to. */
struct pl_h2_texts {
    char status[3], length[20];
    char modified[PL_HTTP_DATE_LEN], expires[PL_HTTP_DATE_LEN];
};

/* How many there are at most. */
unsigned pl_h2_fields_bound(const struct pl_request *req);

/* Fills fields from the response; names in capitals get a copy in the request's
 * arena. Returns their number, or PL_ERR_NOMEM. */
int pl_h2_fields(struct pl_request *req, struct pl_h2_field *fields,
                 struct pl_h2_texts *texts);

/* Its name in lower case (RFC 9113, 8.2); absent if out of memory. */
struct pl_str pl_h2_field_name(struct pl_request *req,
                               const struct pl_header *header);

/* The value of :status, in text[3]. */
struct pl_str pl_h2_status(char *text, unsigned status);

#endif
