/* content.h - the content of a response that is known as a whole, as bytes for
 * any wire: from memory, from a file, or the parts of several ranges. */
#ifndef PL_HTTP_CONTENT_H
#define PL_HTTP_CONTENT_H

#include <string.h>

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

/* For pl_content_at(): of a response with several ranges. */
struct pl_content_piece pl_content_part_at(const struct pl_response *res,
                                           uint64_t at);

/* For pl_content_copy(): from the response's file. */
int pl_content_read(const struct pl_request *req, uint64_t off, char *to,
                    size_t len);

/* What begins at that place of the content (< res->length). */
PL_INLINE struct pl_content_piece pl_content_at(const struct pl_response *res,
                                                uint64_t at)
{
    uint64_t len = (uint64_t)res->length - at;

    if (res->parts != NULL)
        return pl_content_part_at(res, at);
    return res->content == PL_CONTENT_FILE
               ? (struct pl_content_piece){NULL, res->file_off + at, len}
               : (struct pl_content_piece){res->bytes.data + at, 0, len};
}

/* Copies a piece, or its first len bytes (not 0). 0; PL_ERR_AGAIN if it is not
 * in memory (only where somebody else can read it: the connection, by
 * pl_conn_write_file()); PL_ERR_IO if the file has become shorter. */
PL_INLINE int pl_content_copy(const struct pl_request *req,
                              const struct pl_content_piece *piece, char *to,
                              size_t len)
{
    if (piece->bytes == NULL)
        return pl_content_read(req, piece->off, to, len);
    memcpy(to, piece->bytes, len);
    return 0;
}

#endif
