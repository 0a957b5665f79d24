/* range.h - byte ranges (RFC 9110, 14) and the parts of multipart/byteranges.
 *
 * Ranges are obeyed for GET only (14.2), and only where If-Range lets them. */
#ifndef PL_HTTP_RANGE_H
#define PL_HTTP_RANGE_H

#include "base/buf.h"

/* More ranges in one request than this, or more than PL_RANGE_OVERLAPS that
 * overlap an earlier one, are an attack or a broken client (14.2): it gets the
 * whole representation. */
enum { PL_RANGE_MAX = 16, PL_RANGE_OVERLAPS = 2 };

struct pl_range {
    uint64_t first, len; /* bytes; len > 0 */
};

enum pl_range_result {
    PL_RANGE_WHOLE,        /* 200: no Range, or one to be ignored */
    PL_RANGE_PARTS,        /* 206: *n ranges, in the order asked for */
    PL_RANGE_UNSATISFIABLE /* 416, with "bytes *" "/size" as Content-Range */
};

/* Reads a Range field (may be absent) for a representation of size bytes. out
 * has room for max ranges, at most PL_RANGE_MAX of which are used; those that
 * overlap or touch are made one, at the place of the first. Ignored are other
 * units, malformed fields and absurd ones, and more ranges than max. */
enum pl_range_result pl_range_parse(struct pl_str field, uint64_t size,
                                    struct pl_range *out, unsigned max,
                                    unsigned *n);

enum { PL_CONTENT_RANGE_MAX = 68 };

/* Writes "bytes first-last/size" to out (PL_CONTENT_RANGE_MAX bytes, no NUL)
 * or, when range is NULL, the form of a 416, with "*" for the range. Returns
 * the length. */
size_t pl_content_range_format(char *out, const struct pl_range *range,
                               uint64_t size);

/* ---- multipart/byteranges (RFC 9110, 14.6) ---- */

enum { PL_MULTIPART_BOUNDARY_LEN = 32, PL_MULTIPART_RANDOM = 16 };

/* How all parts of one response look. */
struct pl_multipart {
    char boundary[PL_MULTIPART_BOUNDARY_LEN]; /* not terminated */
    struct pl_str content_type; /* of the representation; absent: not said */
    uint64_t size;              /* of the representation */
};

/* Borrows content_type as long as mp is used. random comes from pl_random(),
 * so that nobody can put the boundary into the file beforehand. */
void pl_multipart_init(struct pl_multipart *mp, struct pl_str content_type,
                       uint64_t size,
                       const unsigned char random[PL_MULTIPART_RANDOM]);

/* The Content-Length of the body with these parts. */
uint64_t pl_multipart_length(const struct pl_multipart *mp,
                             const struct pl_range *ranges, unsigned n);

/* Append the Content-Type of the response; what stands before the bytes of a
 * part; and what stands behind the last one. Return 0 or the buffer's error. */
int pl_multipart_type(const struct pl_multipart *mp, struct pl_buf *out);
int pl_multipart_head(const struct pl_multipart *mp,
                      const struct pl_range *range, struct pl_buf *out);
int pl_multipart_end(const struct pl_multipart *mp, struct pl_buf *out);

#endif
