/* content.h - the files of a folder by the rules of 80s' content server, as a
 * mounted handler: URLs have no ".html", and what a name says is obeyed.
 *
 *     /            index.html          /docs/   docs/index.html
 *     /about       about.html, about   /a.css   a.css, a.css.html
 *
 *     /index, /about.html              404: a page has one URL
 *     ".priv." ".dyn." in the name     404: parts of pages, and pages
 *     "post." "put." "delete." before  404: they are for these methods
 *     *.lua, *.lua~, *.lua.bak, ...    404
 *     below a folder "i.NAME"          404
 *     names with a dot before          404, but ".well-known"
 *     below a folder "static"          any name but ".priv." and ".dyn.",
 *                                      and kept by clients for a week
 *
 * A name of which there is only NAME.gz is served from that, to clients that
 * decode it. Otherwise files are those of static.h: kept, conditional, ranges,
 * precompressed versions, never outside the root.
 *
 * Which names are pages is known above: what is no file is passed on. */
#ifndef PL_HANDLERS_CONTENT_H
#define PL_HANDLERS_CONTENT_H

#include "base/error.h"
#include "http/handler.h"

struct pl_content_options {
    const char *root;         /* the folder */
    bool no_static;           /* folders "static" are not served */
    struct pl_handler *pages; /* TAKEN, also on failure: answers what is no
                                 file; NULL: 404 */
};

/* For GET and HEAD. NULL with *error if root is no folder, or out of memory. */
struct pl_handler *pl_content_new(const struct pl_content_options *options,
                                  struct pl_error *error);

#endif
