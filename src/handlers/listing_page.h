/* listing_page.h - a folder as a page (by a template) or as JSON. Any thread.
 */
#ifndef PL_HANDLERS_LISTING_PAGE_H
#define PL_HANDLERS_LISTING_PAGE_H

#include "handlers/listing_read.h"
#include "template/set.h"

/* The template of the program itself. */
extern const char pl_listing_template[];

struct pl_listing_view {
    struct pl_str path;  /* of the request, decoded: ends with a slash */
    struct pl_str below; /* its part below the mount; "" or with a slash */
    enum pl_listing_sort sort;
    bool descending;
};

/* Append; 0 or PL_ERR_*, with *error. */
int pl_listing_html(const struct pl_folder *folder,
                    const struct pl_listing_view *view,
                    const struct pl_template_set *set, struct pl_buf *out,
                    struct pl_error *error);
int pl_listing_json(const struct pl_folder *folder,
                    const struct pl_listing_view *view, struct pl_buf *out,
                    struct pl_error *error);

#endif
