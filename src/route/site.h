/* site.h - what a site says of itself: routes, listeners, settings.
 *
 * Recorded while the site is loaded (by Lua, by C or by the command line) and
 * never changed afterwards. With Lua each worker loads a site of its own; a C
 * program's site is shared by all workers. Nothing starts from here: the
 * server room reads it. A site is the core of a generation. */
#ifndef PL_ROUTE_SITE_H
#define PL_ROUTE_SITE_H

#include "base/list.h"
#include "net/net.h"
#include "route/chain.h"
#include "route/router.h"

/* One pl.listen: parsed and opened by the server. */
struct pl_listen_spec {
    struct pl_list node;
    const char *address;  /* as written */
    const char *protocol; /* "http" */
    const char *where;    /* "site.lua:3" */
    unsigned backlog, sockets, mode;
    bool v6only;
};

struct pl_site {
    struct pl_router *router;
    struct pl_http_settings http;
    struct pl_net_limits net;
    struct pl_list listeners; /* struct pl_listen_spec */
    /* of the process */
    unsigned workers; /* 0: as many as CPUs */
    uint32_t stop_ms; /* TERM waits this long for requests: 30 s */
    const char *user, *group, *pid_file;
    const char *error_log;  /* "-": stderr */
    const char *access_log; /* NULL: none; "-": stdout */
    const char *log_level;
    bool dev;
    /* scopes while loading: pl.host, pl.group, pl.use */
    struct pl_site_scope *scope;
    void *memory; /* strings; private */
};

/* NULL when out of memory. */
struct pl_site *pl_site_new(void);
void pl_site_free(struct pl_site *site);

/* ---- settings (pl.set, pl_app_set, command line) ---- */

/* A value as the languages have it. */
struct pl_value {
    enum pl_value_type {
        PL_VALUE_BOOL,
        PL_VALUE_NUMBER,
        PL_VALUE_STRING,
    } type;
    bool boolean;
    double number;
    struct pl_str string;
};

/* COPIES. Unknown names get a suggestion, wrong types and values out of range
 * are said with what is allowed. Returns 0 or PL_ERR_INVALID. */
int pl_site_set(struct pl_site *site, struct pl_str name,
                const struct pl_value *value, const char *where,
                struct pl_error *error);

/* pl.set { headers = { name = value } }: for every response. Framing headers
 * are refused as in pl_response_set(). */
int pl_site_add_header(struct pl_site *site, struct pl_str name,
                       struct pl_str value, const char *where,
                       struct pl_error *error);

/* ---- listeners ---- */

/* COPIES; the address is checked when it is opened. Returns 0 or PL_ERR_*. */
int pl_site_listen(struct pl_site *site, const struct pl_listen_spec *spec,
                   struct pl_error *error);

/* ---- routes ---- */

struct pl_route_options {
    struct pl_str expires;       /* "1h": Expires and max-age; absent: none */
    struct pl_str cache_control; /* absent: none */
    uint64_t max_body;           /* 0: the site's */
};

/* Adds a route below the current prefix and host, inside the current filters.
 * TAKES handler, also on failure. options may be NULL. */
int pl_site_route(struct pl_site *site, unsigned methods, struct pl_str pattern,
                  bool mount, struct pl_handler *handler,
                  const struct pl_route_options *options, const char *where,
                  struct pl_error *error);

/* A filter around the routes of this scope that are added after it. TAKES one
 * reference. */
int pl_site_use(struct pl_site *site, struct pl_filter *filter,
                struct pl_error *error);

/* Opens a scope: routes added until pl_site_leave() are for host ("" keeps the
 * outer one) and below prefix ("" keeps it), and inherit the filters so far. */
int pl_site_enter(struct pl_site *site, struct pl_str host,
                  struct pl_str prefix, struct pl_error *error);
void pl_site_leave(struct pl_site *site);

#endif
