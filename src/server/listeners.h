/* listeners.h - the addresses of the site as sockets of the process: opened
 * before the workers start, changed by reloads, and closed when no worker
 * accepts from them any more.
 *
 * A group of sockets never changes while workers know it: one whose options are
 * others now is renewed, the same sockets in a group of its own. */
#ifndef PL_SERVER_LISTENERS_H
#define PL_SERVER_LISTENERS_H

#include "base/error.h"

struct pl_listen_group;
struct pl_server;

struct pl_listen_set {
    struct pl_listen_group **groups;
    unsigned ngroups;
};
struct pl_site;

/* -p and -h take the place of what the site says; a site without pl.listen
 * gets port 8080 of the loopback address. Returns 0 or PL_ERR_* with *error
 * (where: the line of the site); PL_ERR_INVALID if it is no address at all. */
int pl_listeners_open(struct pl_server *server, const struct pl_site *site,
                      struct pl_error *error);

/* For a reload: opens what is new among the addresses of site into *out, which
 * has the rest from what is open; reads certificates that have changed. Returns
 * 0, then *out is to be taken, or left. Or nothing has changed, and it returns
 * 1 (the addresses that are a supervisor's are others now), or PL_ERR_* with
 * *error. */
int pl_listeners_prepare(struct pl_server *server, const struct pl_site *site,
                         struct pl_listen_set *out, struct pl_error *error);

/* All workers accept from taken: it is what the process listens on, and what is
 * not in it is closed. TAKES taken. */
void pl_listeners_take(struct pl_server *server, struct pl_listen_set *taken);

/* Closes what was opened for it. TAKES left. */
void pl_listeners_leave(struct pl_server *server, struct pl_listen_set *left);

/* The same errors for the addresses that would be opened, without opening them.
 */
int pl_listeners_check(const struct pl_server *server,
                       const struct pl_site *site, struct pl_error *error);

/* Says on stdout where the server listens; what is in before was said. */
void pl_listeners_announce(const struct pl_server *server,
                           const struct pl_listen_set *before);

/* May be called again. */
void pl_listeners_close(struct pl_server *server);

/* When the workers have ended, and with them the last connection. */
void pl_listeners_free(struct pl_server *server);

#endif
