/* luapat.h - patterns as string.find() of Lua has them, matched in bounded
 * time.
 *
 * Lua matches by recursion and takes as long as the text makes it: "a*a*a*b" on
 * a long row of "a" is minutes. Here the caller says how many steps there may
 * be, and nothing recurses: no item of a pattern stands in a loop, so a search
 * is at each item once, and one number per repeated item is all that it has to
 * know to go back.
 *
 * The same patterns match the same text as in Lua (LuaJIT and 5.4), in ASCII
 * whatever the locale: character classes with "%z" and "%g", sets, "*", "+",
 * "-", "?", "^", "$", captures and positions "()", "%b()", "%f[set]", "%1".
 * What Lua would refuse while it matches is refused when the pattern is made.
 */
#ifndef PL_BASE_LUAPAT_H
#define PL_BASE_LUAPAT_H

#include "base/error.h"

enum {
    PL_LUAPAT_CAPTURES = 32, /* most captures */
    PL_LUAPAT_ITEMS = 256,   /* most items: characters, sets, brackets */
};

/* Never changes: any number of threads may use it. */
struct pl_luapat;

struct pl_luapat_match {
    unsigned count; /* of captures */
    /* [0] is the whole match, [n] the n-th capture. A position is an empty
     * string there. Slices of the text. */
    struct pl_str parts[1 + PL_LUAPAT_CAPTURES];
};

/* COPIES text. NULL with *error (PL_ERR_SYNTAX, PL_ERR_LIMIT, PL_ERR_NOMEM),
 * which says what is wrong with it. */
struct pl_luapat *pl_luapat_new(struct pl_str text, struct pl_error *error);
void pl_luapat_free(struct pl_luapat *pattern); /* may be NULL */

unsigned pl_luapat_captures(const struct pl_luapat *pattern);

/* Is the n-th capture, from 1, a position? */
bool pl_luapat_is_position(const struct pl_luapat *pattern, unsigned n);

/* Looks for the first match that begins at init or behind it. A step is about
 * one byte looked at once; *steps are those that are left. 1: found; 0: not;
 * PL_ERR_LIMIT: there were not enough. *match is only set when it is found. */
int pl_luapat_find(const struct pl_luapat *pattern, struct pl_str text,
                   size_t init, uint64_t *steps, struct pl_luapat_match *match);

#endif
