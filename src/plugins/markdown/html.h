/* html.h - Markdown as HTML, by the parser of md4c.
 *
 * Not by md4c's own renderer: that one lets links run scripts, and cannot stop
 * when a short text becomes a long one (a table of 1000 columns and 1000 empty
 * rows). */
#ifndef PL_PLUGINS_MARKDOWN_HTML_H
#define PL_PLUGINS_MARKDOWN_HTML_H

#include <stdbool.h>
#include <stddef.h>

/* Text that grows, up to a limit. */
struct pl_markdown_text {
    char *data;
    size_t len, cap, limit;
    int err; /* PL_ERR_LIMIT, PL_ERR_NOMEM: from then on nothing is added */
};

struct pl_markdown_options {
    unsigned flags; /* of md4c's parser */
    bool html;      /* the author is trusted: HTML and any link may pass */
    bool hard;      /* each end of a line is a line break */
};

struct pl_markdown_memory {
    void *(*malloc)(size_t size);
    void (*free)(void *ptr);
};

/* Appends text as HTML, and to title what its first heading says, as plain
 * text. Returns 0 or PL_ERR_*. Any thread. */
int pl_markdown_html(const struct pl_markdown_memory *memory,
                     const struct pl_markdown_options *options,
                     const char *text, size_t len, struct pl_markdown_text *out,
                     struct pl_markdown_text *title);

#endif
