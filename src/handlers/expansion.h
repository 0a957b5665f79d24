/* expansion.h - text with "%1" in it, filled with what a pattern has captured.
 *
 * "%0" is the whole match, "%1" to "%32" the captures (two digits are read as
 * one number where the pattern has as many), "%%" a percent sign. What a text
 * names that the pattern does not have is an error when it is read. */
#ifndef PL_HANDLERS_EXPANSION_H
#define PL_HANDLERS_EXPANSION_H

#include "base/arena.h"
#include "base/luapat.h"

enum { PL_EXPANSION_MAX = 8192 }; /* bytes of a result */

struct pl_expansion_piece;

/* In the arena that it was read with. */
struct pl_expansion {
    const struct pl_expansion_piece *pieces; /* NULL: absent */
    unsigned count;
    bool url, absolute; /* a URL; it names its host itself */
};

/* COPIES text. url: it is one ("/path", "https://host/path"). Then what cannot
 * stand in a URL is percent-encoded, and captures are so that they stay in the
 * part of the URL where they stand: in a path they may have slashes, but begin
 * no query; in a query they add no pair; in a host they are no more than a
 * name. Returns 0 or PL_ERR_* with *error. */
int pl_expansion_read(struct pl_expansion *out, struct pl_arena *arena,
                      struct pl_str text, bool url,
                      const struct pl_luapat *pattern, struct pl_error *error);

/* *out is terminated. A URL that names no host begins with one slash: captures
 * make no other host of it. Returns 0, PL_ERR_TOO_LONG or PL_ERR_NOMEM. */
int pl_expansion_make(const struct pl_expansion *expansion,
                      const struct pl_luapat_match *match,
                      struct pl_arena *arena, struct pl_str *out);

/* text with what cannot stand in a URL percent-encoded; escapes stay. Data is
 * NULL if out of memory. */
struct pl_str pl_expansion_tidy(struct pl_str text, struct pl_arena *arena);

/* Writes a decoded path, or a piece of one, as a URL has it. out has 3 *
 * text.len bytes. Returns the length. */
size_t pl_expansion_encode_path(char *out, struct pl_str text);

#endif
