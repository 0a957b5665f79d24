/* content.h - the content of a response that is known as a whole, as bytes for
 * any wire: from memory, from a file, or the parts of several ranges. */
#ifndef PL_HTTP_CONTENT_H
#define PL_HTTP_CONTENT_H

#include "http/response.h"

struct pl_request;

PL_INLINE bool pl_content_is_whole(const struct pl_response *res)
{
    return res->content == PL_CONTENT_BYTES || res->content == PL_CONTENT_FILE;
}

/* A stretch of content that lies in one place. */
struct pl_content_piece {
    const char *bytes; /* NULL: in the response's file, from off on */
    uint64_t off, len;
};

/* What begins at that place of the content (< res->length). */
struct pl_content_piece pl_content_at(const struct pl_response *res,
                                      uint64_t at);

/* Copies a piece, or its first len bytes. 0; PL_ERR_AGAIN if it is not in
 * memory (only where somebody else can read it: the connection, by
 * pl_conn_write_file()); PL_ERR_IO if the file has become shorter. */
int pl_content_copy(const struct pl_request *req,
                    const struct pl_content_piece *piece, char *to, size_t len);

#endif
