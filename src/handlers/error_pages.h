/* error_pages.h - pages of a site's own for errors: pl.set { error_pages =
 * "errors.mustache" }. What a template can use is in docs/errors.md. */
#ifndef PL_HANDLERS_ERROR_PAGES_H
#define PL_HANDLERS_ERROR_PAGES_H

#include "route/site.h"

/* Reads the template that site->error_pages names, if it names one; from then
 * on clients that like HTML are shown it (pl_response_error). Once, when the
 * site is complete; the pages live as long as site. 0 or PL_ERR_* with *error.
 */
int pl_error_pages_open(struct pl_site *site, struct pl_error *error);

#endif
