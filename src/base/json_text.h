/* json_text.h - strings of JSON texts: quoting, unquoting, white space.
 *
 * What comes out is always valid UTF-8. Plain runs are found 16 bytes at a time
 * where the machine can. */
#ifndef PL_BASE_JSON_TEXT_H
#define PL_BASE_JSON_TEXT_H

#include <perilune.h>

#include "base/buf.h"
#include "base/compiler.h"

/* A flag beside PL_JSON_HTML, which is for quoting only: what is not UTF-8
 * becomes U+FFFD, and is no error. */
enum { PL_JSON_REPLACE = 2 };

/* Appends s with quotes. Returns 0, the error of out, or PL_ERR_PROTO if s is
 * not UTF-8 (and PL_JSON_REPLACE is not given). "/" is not escaped. */
int pl_json_quote(struct pl_buf *out, struct pl_str s, unsigned flags);

/* Appends a line end and n spaces. */
int pl_json_newline(struct pl_buf *out, size_t n);

/* Reads the string whose opening quote is just before *at; moves *at behind the
 * closing one. *out is a piece of the text itself if nothing had to be changed,
 * else scratch, whose content it replaces. Returns 0, the error of scratch, or
 * PL_ERR_PROTO with *at at the fault and *what saying it. scratch may be NULL:
 * PL_ERR_AGAIN, with *at where it was, then asks for it. */
int pl_json_unquote(const char **at, const char *end, unsigned flags,
                    struct pl_buf *scratch, struct pl_str *out,
                    const char **what);

/* The first byte from p on that is not white space. */
PL_INLINE const char *pl_json_skip(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

#endif
