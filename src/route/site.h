/* site.h - what a site says of itself: routes, listeners, settings.
 *
 * Recorded while the site is loaded (by Lua, by C or by the command line) and
 * never changed afterwards. With Lua each worker loads a site of its own; a C
 * program's site is shared by all workers. Nothing starts from here: the
 * server room reads it. A site is the core of a generation.
 *
 * All functions that can fail return 0 or PL_ERR_* with *error (which may be
 * NULL) saying what is wrong, for people; error->where is the given where. */
#ifndef PL_ROUTE_SITE_H
#define PL_ROUTE_SITE_H

#include "base/arena.h"
#include "base/list.h"
#include "http/http.h"
#include "route/chain.h"
#include "route/router.h"
#include "route/settings.h"

struct pl_service;

/* One pl.listen: parsed and opened by the server. */
struct pl_listen_spec {
    struct pl_list node;
    const char *address; /* as written */
    const char *where;   /* "site.lua:3" */
    /* What options say in words; each may be NULL. */
    const char *protocol;       /* "http" */
    const char *proxy_protocol; /* "required", "optional" */
    const char *trusted;        /* "10.0.0.0/8 unix:" */
    const char *forwarded;      /* "x-forwarded-for"; "": none */
    struct pl_listen_options options;
    /* Who serves its connections (socket/serve.h), BORROWED as long as the
     * site; NULL: HTTP. */
    const struct pl_service *service;
};

/* Of the process: what is done about handlers that hold a worker. */
struct pl_watch_settings {
    bool on, kill;
    uint32_t warn_ms, abort_ms; /* 0: never */
};

/* What the site may do below a path, or with a file, inside the sandbox. */
enum pl_path_access {
    PL_PATH_READ = 1,
    PL_PATH_WRITE = 2,   /* and make and remove */
    PL_PATH_RUN = 4,     /* as a program */
    PL_PATH_SOCKETS = 8, /* make and remove UNIX sockets there */
    PL_PATH_LOGS = 16,   /* append, and make files */
};

struct pl_site_path {
    struct pl_list node;
    const char *path;
    unsigned access;
};

/* Of the process: pl.set { sandbox = ... }, server/sandbox.h. */
struct pl_sandbox_settings {
    bool on, strict;
    bool no_new_privs, drop_capabilities, landlock, processes;
    const char *seccomp; /* "refuse", "kill", "log"; NULL: none */
    const char *chroot;  /* NULL: none */
};

/* A rule that is asked before the routes: for lists. */
struct pl_site_rule {
    struct pl_list node;
    struct pl_str host, prefix; /* of its scope; "" for all */
    const char *pattern, *to;   /* to: NULL if a function makes it */
    int redirect;               /* 0: another path */
    const char *where;
};

struct pl_site {
    struct pl_router *router;
    struct pl_http_settings http;
    struct pl_net_limits net;
    struct pl_list listeners; /* struct pl_listen_spec, of HTTP */
    struct pl_list services;  /* the same, with a service */
    /* of the process */
    unsigned workers;   /* 0: as many as CPUs */
    uint32_t stop_ms;   /* TERM waits this long for requests: 30 s */
    uint32_t reload_ms; /* and a reload for those of the old generation: 30 s */
    const char *user, *group, *pid_file; /* NULL: none */
    const char *error_log;               /* "-": stderr */
    const char *access_log;              /* NULL: none; "-": stdout */
    const char *log_level;
    const char *admin; /* path of the admin socket; NULL: none; "": default */
    /* of listeners that do not say it: */
    const char *trusted;   /* NULL: nobody */
    const char *forwarded; /* NULL: the usual fields */
    bool dev;
    struct pl_watch_settings watch;
    struct pl_sandbox_settings sandbox;
    struct pl_list rules; /* struct pl_site_rule: of the handler in front */
    struct pl_list paths; /* struct pl_site_path: what is named, as it came */
    const char *error_pages; /* a template's file; NULL: none */
    /* scopes while loading: pl.host, pl.group, pl.use */
    struct pl_site_scope *scope;
    struct pl_filter *around;    /* NULL: none */
    unsigned header_room;        /* of http.headers */
    struct pl_site_owned *owned; /* newest first */
    struct pl_pool pool;         /* of the arena */
    struct pl_arena arena;
};

/* NULL when out of memory. */
struct pl_site *pl_site_new(void);
void pl_site_free(struct pl_site *site); /* may be NULL */

/* drop(arg) when site is freed: for what its settings lead to. Also at once, if
 * out of memory (then PL_ERR_NOMEM). */
int pl_site_own(struct pl_site *site, void (*drop)(void *arg), void *arg);

/* pl.set { headers = { name = value } }: for every response that does not say
 * it itself. COPIES; the same name again replaces. What the wire makes is
 * PL_ERR_DENIED, as in pl_response_set(), and so is what belongs to a single
 * response (Content-Type, ETag, ...). */
int pl_site_add_header(struct pl_site *site, struct pl_str name,
                       struct pl_str value, const char *where,
                       struct pl_error *error);

/* The site names a path that it wants in its sandbox. COPIES. 0 or
 * PL_ERR_NOMEM.
 */
int pl_site_name_path(struct pl_site *site, struct pl_str path,
                      unsigned access);

/* ---- listeners ---- */

/* COPIES spec and what it leads to, and makes options of its words; the address
 * is checked when it is opened.
 */
int pl_site_listen(struct pl_site *site, const struct pl_listen_spec *spec,
                   struct pl_error *error);

/* The service with a number of struct pl_listen_options; NULL: none. */
const struct pl_service *pl_site_service(const struct pl_site *site,
                                         unsigned number);

/* ---- routes ---- */

struct pl_route_options {
    struct pl_str expires; /* "1h": Expires, and max-age unless cache_control
                              is given; absent: none */
    struct pl_str cache_control; /* absent: none */
    /* 0: the site's; all bits (UINT64_MAX, UINT32_MAX): no limit. */
    struct pl_budget budget; /* 0: the site's; UINT64_MAX: no limit */
    struct pl_body_limits limits;
};

/* Adds a route below the current prefix and host, inside the current filters.
 * The pattern follows the prefix as it is, and may be "" when there is one.
 * TAKES handler, also on failure. options may be NULL. */
int pl_site_route(struct pl_site *site, unsigned methods, struct pl_str pattern,
                  bool mount, struct pl_handler *handler,
                  const struct pl_route_options *options, const char *where,
                  struct pl_error *error);

/* A filter around the routes of this scope that are added after it. TAKES one
 * reference, also on failure. */
int pl_site_use(struct pl_site *site, struct pl_filter *filter,
                struct pl_error *error);

/* A filter around all routes, whenever they are added, and outside of all other
 * filters. TAKES one reference; the last one counts. */
void pl_site_around(struct pl_site *site, struct pl_filter *filter);

/* All has been said, once: checks what only holds between settings, and makes
 * the chains of the routes final. Returns 0, PL_ERR_INVALID or PL_ERR_NOMEM. */
int pl_site_complete(struct pl_site *site, struct pl_error *error);

/* Opens a scope: routes added until pl_site_leave() are for host ("" keeps the
 * outer one; "*.name" is all names below name) and below prefix ("" keeps it;
 * a "/" at its end is dropped), and inherit the filters so far. On failure no
 * scope was opened. */
int pl_site_enter(struct pl_site *site, struct pl_str host,
                  struct pl_str prefix, const char *where,
                  struct pl_error *error);
void pl_site_leave(struct pl_site *site);

/* Of the current scope, "" for none; as long as the site. */
void pl_site_scope_names(const struct pl_site *site, struct pl_str *host,
                         struct pl_str *prefix);

#endif
