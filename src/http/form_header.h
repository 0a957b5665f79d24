/* form_header.h - what the header fields of a form say: the boundary in the
 * Content-Type of multipart/form-data (RFC 7578; RFC 2046, 5.1.1), and names in
 * the Content-Disposition of its parts.
 *
 * Read strictly: what two programs could read in two ways (a parameter that
 * comes twice, "filename" beside "filename*", text behind a quote) is refused,
 * so that nobody checks one name while we store another. */
#ifndef PL_HTTP_FORM_HEADER_H
#define PL_HTTP_FORM_HEADER_H

#include "base/buf.h"

enum {
    PL_BOUNDARY_MAX = 70,    /* RFC 2046 */
    PL_PART_NAME_MAX = 1024, /* bytes of a field's name */
    PL_FILE_NAME_MAX =
        255, /* bytes of a file's name, as file systems have it */
};

/* The boundary of a multipart/form-data; a slice. Returns 0,
 * PL_ERR_UNSUPPORTED for another type, or PL_ERR_PROTO. */
int pl_form_boundary(struct pl_str content_type, struct pl_str *boundary);

struct pl_disposition {
    struct pl_str name;
    struct pl_str raw_filename; /* as the client says it; absent: no file */
    /* What remains of that for us: the last element of a path with "/" or "\",
     * without control characters, never "", "." or "..", at most
     * PL_FILE_NAME_MAX bytes. Absent too where raw_filename is "": browsers
     * send that for an input without a file. */
    struct pl_str filename;
};

/* Reads "form-data; name=...; filename=...". Names are decoded as browsers and
 * other clients encode them: %22 %0D %0A, and \" \\ ("\" is itself otherwise);
 * a "filename*" (RFC 8187) alone is understood, though RFC 7578, 4.2 has it
 * not. The texts are appended to out, which gets no larger than twice the value
 * and must have room for that: nothing in it moves. Returns 0, PL_ERR_PROTO, or
 * PL_ERR_LIMIT for a name that is too long. */
int pl_disposition_parse(struct pl_str value, struct pl_buf *out,
                         struct pl_disposition *disposition);

#endif
