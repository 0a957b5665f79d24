/* listeners.h - the addresses of the site as sockets of the process: opened
 * before the workers start, and closed when none of them accepts any more. */
#ifndef PL_SERVER_LISTENERS_H
#define PL_SERVER_LISTENERS_H

#include "base/error.h"

struct pl_server;
struct pl_site;

/* -p and -h take the place of what the site says; a site without pl.listen
 * gets port 8080 of the loopback address. Returns 0 or PL_ERR_* with *error
 * (where: the line of the site); PL_ERR_INVALID if it is no address at all. */
int pl_listeners_open(struct pl_server *server, const struct pl_site *site,
                      struct pl_error *error);

/* The same errors for the addresses of a site, without opening them. */
int pl_listeners_check(const struct pl_site *site, struct pl_error *error);

/* Says on stdout where the server listens. */
void pl_listeners_announce(const struct pl_server *server);

/* May be called again. */
void pl_listeners_close(struct pl_server *server);

/* When the workers have ended, and with them the last connection. */
void pl_listeners_free(struct pl_server *server);

#endif
