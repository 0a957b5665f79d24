/* listing.h - the list of a folder: as a page, or as JSON for who prefers that.
 *
 * Reading the folder, sorting and making the page run on an offload thread: a
 * slow disk or a folder of many files holds no worker. A list is kept for a
 * second (PL_LISTING_FRESH_NS), so that many who ask for the same cost as much
 * as one; clients revalidate it by its ETag. ?sort=name|size|time and
 * ?order=asc|desc choose the order. */
#ifndef PL_HANDLERS_LISTING_H
#define PL_HANDLERS_LISTING_H

#include "handlers/static.h"

#define PL_LISTING_FRESH_NS ((uint64_t)1000000000)

struct pl_listing_options {
    const char *template; /* a Mustache file; NULL: the program's own */
    bool dot_files;       /* names that begin with "." are shown */
};

/* COPIES options; reads the template now. NULL with *error. What it gives is
 * for pl_static_new(); it does not change: workers may share it. */
struct pl_static_folder *
pl_listing_new(const struct pl_listing_options *options,
               struct pl_error *error);

#endif
