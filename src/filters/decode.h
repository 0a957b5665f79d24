/* decode.h - bodies of requests that come in a content coding (RFC 9110, 8.4):
 * handlers see them as if they had come without.
 *
 * All limits (max_body, max_upload, body_spool, the buffer that waits for its
 * reader) count decoded bytes, and no more is decoded than there is room for:
 * a small body that becomes a huge one stops where the limit is.
 *
 *     a coding that is not known, or several    415 with Accept-Encoding
 *     more than the limit                       413, from whoever reads it
 *     broken, cut off, followed by rubbish      400, the same */
#ifndef PL_FILTERS_DECODE_H
#define PL_FILTERS_DECODE_H

#include "http/request.h"

/* Before the handler. 0: goes on, decoded if need be; or PL_ERR_UNSUPPORTED,
 * PL_ERR_NOMEM: the answer has been built. */
int pl_decode_begin(struct pl_request *req);

#endif
