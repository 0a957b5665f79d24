/* etag.h - entity tags (RFC 9110, 8.8.3): made, checked, listed, compared. */
#ifndef PL_HTTP_ETAG_H
#define PL_HTTP_ETAG_H

#include <perilune.h>

enum { PL_ETAG_MAX = 40 };

/* Writes the tag of a file's state, quotes included, to out (PL_ETAG_MAX
 * bytes, no NUL); returns its length. The inode tells a file replaced within
 * one tick of the clock from its predecessor; it is hashed with the time,
 * because its number is nobody's business. weak: the bytes sent are made anew
 * from the file and need not be the same every time (compression). */
size_t pl_etag_make(char *out, uint64_t size, int64_t mtime_ns, uint64_t inode,
                    bool weak);

/* [W/]"..." with nothing before or after it. */
bool pl_etag_valid(struct pl_str etag);

/* Takes the next tag off a list (If-Match, If-None-Match). Commas inside the
 * quotes belong to the tag, and a backslash is no escape there, unlike in
 * quoted strings. False at the end and at the first fault, where the walk stops
 * for good: what follows cannot be told apart. */
bool pl_etag_next(struct pl_str *rest, struct pl_str *etag);

/* Strong: both are strong and the same. Weak: the same but for the W/ (RFC
 * 9110, 8.8.3.2). Absent tags match nothing. */
bool pl_etag_matches_strong(struct pl_str a, struct pl_str b);
bool pl_etag_matches_weak(struct pl_str a, struct pl_str b);

#endif
