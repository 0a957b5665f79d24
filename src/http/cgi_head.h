/* cgi_head.h - the head that a CGI script writes in front of its body (RFC
 * 3875, 6), for whoever runs such scripts. */
#ifndef PL_HTTP_CGI_HEAD_H
#define PL_HTTP_CGI_HEAD_H

#include "http/response.h"

/* The head at the beginning of text becomes that of res: Status, Content-Type
 * and the other fields. Lines may end in LF alone. Location without a Status is
 * 302, whatever it leads to. What frames a message is passed over, and so is
 * Content-Length: the server knows better.
 *
 * Returns how many bytes it had, the empty line included; or PL_ERR_AGAIN
 * (there is no empty line yet), PL_ERR_PROTO (this is no head), PL_ERR_NOMEM;
 * after the last two res may be half filled. */
ssize_t pl_cgi_read_head(struct pl_response *res, struct pl_str text);

#endif
