/* tag.h - finding the tags of a template; knows nothing of what they mean
 * together. For this room only. */
#ifndef PL_TEMPLATE_TAG_H
#define PL_TEMPLATE_TAG_H

#include "template/program.h"

enum pl_tag_kind {
    PL_TAG_VALUE,
    PL_TAG_RAW,
    PL_TAG_SECTION,
    PL_TAG_INVERTED,
    PL_TAG_CLOSE,
    PL_TAG_COMMENT,
    PL_TAG_PARTIAL,
    PL_TAG_PARENT,
    PL_TAG_BLOCK,
    PL_TAG_DELIMITERS,
};

struct pl_tag {
    enum pl_tag_kind kind;
    bool dynamic;          /* the name began with "*", which is left out */
    uint32_t start, end;   /* of all of it, delimiters included */
    uint32_t name, length; /* its content, trimmed */
};

/* The first tag that begins at or after from. Returns 1, or 0 if there is none,
 * or PL_ERR_SYNTAX: tag->start is where it begins then, *what says what is
 * wrong with it. */
int pl_tag_next(struct pl_str source, uint32_t from,
                const struct pl_delimiters *delimiters, struct pl_tag *tag,
                const char **what);

/* If nothing but spaces follows at up to the end of the line, the place behind
 * that line end (or the end of source); else at itself. */
uint32_t pl_tag_skip_line(struct pl_str source, uint32_t at);

/* Does the line end, or the text, directly behind spaces at at? */
bool pl_tag_line_ends(struct pl_str source, uint32_t at);

PL_INLINE bool pl_tag_is_space(char c)
{
    return c == ' ' || c == '\t';
}

#endif
