/* dev.h - what is shown to who develops a site (--dev, pl.set { dev = true }):
 * errors with their traceback, source and request, in the browser.
 *
 * Such a page tells secrets of the site, so nobody else may see it. Addresses
 * are those of the machine itself (listeners.c), and even there a request has
 * to come from it directly: not through a proxy, and for a host name that only
 * means this machine (a page of the web could otherwise have its own name
 * resolve to it, and read the answer). --dev=any is the consent to show it to
 * everybody. */
#ifndef PL_SERVER_DEV_H
#define PL_SERVER_DEV_H

#include "http/request.h"

struct pl_generation;

/* Is anything shown to anybody? */
bool pl_dev_is_on(const struct pl_generation *gen);

/* Is it to the peer of req, as told above? */
bool pl_dev_is_for(const struct pl_generation *gen, struct pl_request *req);

/* Makes the response, an error page so far, say text (of an error of a script,
 * as it is in the log): HTML for browsers, JSON for who prefers it, else text.
 * Leaves the response alone if out of memory. folder: of the site. */
void pl_dev_answer(struct pl_request *req, struct pl_str text,
                   const char *folder);

/* Appends error, of loading a site, with the source around its place. May wait
 * for the disk. Returns 0 or PL_ERR_*. */
int pl_dev_write_fault(struct pl_buf *out, const struct pl_error *error,
                       const char *folder);

/* The source around error->where, on stderr; nothing if there is none. */
void pl_dev_say_source(const struct pl_error *error, const char *folder);

#endif
