/* fcgi.h - FastCGI as the rest of the server sees it: a protocol beside those
 * of HTTP, for listeners that a web server connects to.
 *
 * Whoever connects is taken at its word: who the client is, and what its
 * request says. Such an address is for web servers only. */
#ifndef PL_FCGI_FCGI_H
#define PL_FCGI_FCGI_H

#include "net/conn.h"

/* For listeners (listener->arg is the struct pl_http). */
extern const struct pl_protocol pl_fcgi_protocol;

#endif
