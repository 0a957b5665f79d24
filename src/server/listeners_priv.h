/* listeners_priv.h - what listeners.c, which knows all addresses of a site,
 * asks of listeners_open.c, which knows one. */
#ifndef PL_SERVER_LISTENERS_PRIV_H
#define PL_SERVER_LISTENERS_PRIV_H

#include <stdbool.h>

#include "server/listeners.h"

struct pl_listen_spec;
struct pl_trust;

/* What the site says for listeners that do not say it. */
struct pl_listen_site {
    const struct pl_trust *trusted;
    const struct pl_trust *web_servers; /* of listeners of FastCGI */
    unsigned forwarded;
};

/* Addresses are being opened: into a set, out of one that is open already. */
struct pl_opening {
    const struct pl_server *server;
    const struct pl_listen_set *open;
    struct pl_listen_set *into;
    struct pl_listen_site of_site;
    bool local;  /* others cannot connect */
    bool http2;  /* is offered to clients with TLS */
    bool beside; /* only the supervisor could, for a process that starts */
};

/* Opens what spec says (several sockets, if it is a name of systemd's) into
 * opening->into. Returns 0 or PL_ERR_* with *error, where it stands included;
 * PL_ERR_STATE with opening->beside if a supervisor would have to. */
int pl_listeners_open_one(struct pl_opening *opening,
                          const struct pl_listen_spec *spec,
                          struct pl_error *error);

/* The same errors without opening it. */
int pl_listeners_check_one(const struct pl_opening *opening,
                           const struct pl_listen_spec *spec,
                           struct pl_error *error);

bool pl_listeners_has(const struct pl_listen_set *set,
                      const struct pl_listen_group *group);
bool pl_listeners_has_address(const struct pl_listen_set *set,
                              const struct pl_listen_group *group);

/* TAKES group, its certificates too. */
void pl_listeners_close_group(struct pl_listen_group *group);

#endif
