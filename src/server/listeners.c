#include "server/listeners.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/forwarded.h"
#include "net/addr.h"
#include "net/inherit.h"
#include "net/tls.h"
#include "route/site.h"
#include "server/listeners_priv.h"
#include "server/server.h"

enum { DEFAULT_PORT = 8080, DEFAULT_TLS_PORT = 8443 };

/* ---- those of a site ---- */

/* Does the command line ask for TLS? */
static bool is_secure(const struct pl_server_options *options)
{
    return options->tls_dev || options->tls_cert != NULL;
}

/* The address of the command line, or the default one. */
struct given {
    struct pl_listen_spec spec;
    struct pl_tls_options tls;
    struct pl_tls_pair pair;
    char text[300];
};

static const struct pl_listen_spec *
read_given(const struct pl_server_options *options, struct given *given)
{
    const char *host = options->address != NULL ? options->address
                       : options->port >= 0     ? ""
                       : options->v6            ? "[::1]"
                                                : "127.0.0.1";
    bool secure = is_secure(options);
    int port = options->port >= 0 ? options->port
               : secure           ? DEFAULT_TLS_PORT
                                  : DEFAULT_PORT;

    given->pair = (struct pl_tls_pair){.cert = options->tls_cert,
                                       .key = options->tls_key};
    given->tls = (struct pl_tls_options){.pairs = &given->pair,
                                         .npairs = given->pair.cert != NULL,
                                         .dev = given->pair.cert == NULL};
    given->spec = (struct pl_listen_spec){
        .address = given->text,
        .where = "",
        .options = {.tls = secure ? &given->tls : NULL}};
    if (PL_WITH_FASTCGI && options->fastcgi != NULL) {
        given->spec.address = options->fastcgi;
        given->spec.options.speak = PL_SPEAK_FASTCGI;
        return &given->spec;
    }
    if (pl_str_starts(pl_str_c(host), PL_STR("unix:")) ||
        pl_inherit_is(pl_str_c(host)))
        snprintf(given->text, sizeof(given->text), "%s", host);
    else if (strchr(host, ':') != NULL && host[0] != '[')
        snprintf(given->text, sizeof(given->text), "[%s]:%d", host, port);
    else
        snprintf(given->text, sizeof(given->text), "%s:%d", host, port);
    return &given->spec;
}

/* Is it that one instead of the site's? A site with services and no listener
 * wants no HTTP. */
static bool is_given(const struct pl_server_options *options,
                     const struct pl_site *site)
{
    return options->port >= 0 || options->address != NULL ||
           is_secure(options) ||
           (PL_WITH_FASTCGI && options->fastcgi != NULL) ||
           (pl_list_empty(&site->listeners) && pl_list_empty(&site->services));
}

/* Errors are shown to who asks: others cannot connect. */
static bool is_local(const struct pl_server *server, const struct pl_site *site)
{
    enum pl_dev dev = server->options.dev;

    return dev == PL_DEV_HERE || (dev == PL_DEV_SITE && site->dev);
}

static int open_list(struct pl_opening *opening, const struct pl_list *specs,
                     struct pl_error *error)
{
    struct pl_list *node;
    int err = 0;

    PL_LIST_FOREACH (node, specs) {
        err = pl_listeners_open_one(
            opening, PL_LIST_ENTRY(node, struct pl_listen_spec, node), error);
        if (err < 0)
            break;
    }
    return err;
}

static int open_http(struct pl_opening *opening, const struct pl_site *site,
                     struct pl_error *error)
{
    const struct pl_server_options *options = &opening->server->options;
    struct given given;

    return is_given(options, site)
               ? pl_listeners_open_one(opening, read_given(options, &given),
                                       error)
               : open_list(opening, &site->listeners, error);
}

static int check_limits(const struct pl_site *site, struct pl_error *error)
{
    if (PL_WITH_CROWD || site->net.max_per_address == 0)
        return 0;
    return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                        "max_per_address: " PL_WITHOUT PL_FEATURE_CROWD);
}

/* FastCGI 1.0, 3.2: addresses with commas between. */
static int read_web_servers(struct pl_arena *arena, struct pl_listen_site *out,
                            struct pl_error *error)
{
    struct pl_str said = pl_str_c(getenv("FCGI_WEB_SERVER_ADDRS"));
    char *list;

    if (said.len == 0)
        return 0;
    if (!PL_WITH_PROXY)
        return pl_error_set(
            error, PL_ERR_UNSUPPORTED, "",
            "FCGI_WEB_SERVER_ADDRS: " PL_WITHOUT PL_FEATURE_PROXY);
    list = pl_arena_bytes(arena, said.len);
    if (list == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    for (size_t i = 0; i < said.len; i++)
        list[i] = said.data[i] == ',' ? ' ' : said.data[i];
    return pl_trust_parse(pl_str(list, said.len), arena, &out->web_servers,
                          NULL) == 0
               ? 0
               : pl_error_set(error, PL_ERR_INVALID, "",
                              "FCGI_WEB_SERVER_ADDRS is no list of addresses: "
                              "'%.*s'",
                              PL_STR_ARG(said));
}

/* Into arena, for as long as addresses are opened. */
static int read_site(const struct pl_site *site, struct pl_arena *arena,
                     struct pl_listen_site *out, struct pl_error *error)
{
    int err = 0;

    *out = (struct pl_listen_site){.trusted = NULL};
    if (PL_WITH_FASTCGI)
        err = read_web_servers(arena, out, error);
    if (err < 0 || site->trusted == NULL)
        return err;
    if (!PL_WITH_PROXY)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "setting 'trusted': " PL_WITHOUT PL_FEATURE_PROXY);
    if (site->forwarded != NULL)
        err = pl_forwarded_fields(pl_str_c(site->forwarded), &out->forwarded,
                                  error);
    return err < 0 ? err
                   : pl_trust_parse(pl_str_c(site->trusted), arena,
                                    &out->trusted, error);
}

/* Closes what set has beyond open, and forgets it. */
static void drop_set(struct pl_listen_set *set,
                     const struct pl_listen_set *open)
{
    for (unsigned i = 0; i < set->ngroups; i++)
        if (!pl_listeners_has(open, set->groups[i]))
            pl_listeners_close_group(set->groups[i]);
    pl_free(set->groups);
    *set = (struct pl_listen_set){.ngroups = 0};
}

/* Fills into, also with half of it after a failure. open: in a reload. Returns
 * 1 if addresses would have to be opened by the supervisor. */
static int open_site(struct pl_server *server, const struct pl_site *site,
                     const struct pl_listen_set *open,
                     struct pl_listen_set *into, struct pl_error *error)
{
    struct pl_opening opening = {
        .server = server,
        .open = open,
        .into = into,
        .local = is_local(server, site),
        .http2 = site->http.h2.on,
    };
    struct pl_pool pool;
    struct pl_arena arena;
    int err;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    err = check_limits(site, error);
    if (err == 0)
        err = read_site(site, &arena, &opening.of_site, error);
    if (err == 0)
        err = open_http(&opening, site, error);
    if (err == 0)
        err = open_list(&opening, &site->services, error);
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
    return opening.beside ? 1 : err;
}

int pl_listeners_open(struct pl_server *server, const struct pl_site *site,
                      struct pl_error *error)
{
    struct pl_listen_set set = {.ngroups = 0};
    int err = open_site(server, site, NULL, &set, error);

    server->listening = set;
    server->http2 = site->http.h2.on;
    pl_inherit_forget();
    return err;
}

/* ---- reloads ---- */

/* What was closed is looked at by connections for as long as they last. */
static void sweep(struct pl_server *server)
{
    struct pl_listen_set *closed = &server->closed;
    unsigned kept = 0;

    for (unsigned i = 0; i < closed->ngroups; i++) {
        struct pl_listen_group *group = closed->groups[i];

        if (atomic_load(&group->users) > 0 ||
            (PL_WITH_TLS && group->tls != NULL &&
             pl_tls_context_busy(group->tls)))
            closed->groups[kept++] = group;
        else
            pl_listeners_close_group(group);
    }
    closed->ngroups = kept;
}

/* Places for all that it may have to keep until then. */
static int make_room(struct pl_server *server, struct pl_error *error)
{
    unsigned most = server->closed.ngroups + server->listening.ngroups;
    struct pl_listen_group **grown =
        pl_realloc(server->closed.groups, PL_MAX(most, 1u) * sizeof(*grown));

    if (grown == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    server->closed.groups = grown;
    return 0;
}

/* Is an address to be closed? */
static bool lacks_some(const struct pl_server *server,
                       const struct pl_listen_set *set)
{
    for (unsigned i = 0; i < server->listening.ngroups; i++)
        if (!pl_listeners_has_address(set, server->listening.groups[i]))
            return true;
    return false;
}

int pl_listeners_prepare(struct pl_server *server, const struct pl_site *site,
                         struct pl_listen_set *out, struct pl_error *error)
{
    int err;

    *out = (struct pl_listen_set){.ngroups = 0};
    sweep(server);
    err = make_room(server, error);
    if (err == 0)
        err = open_site(server, site, &server->listening, out, error);
    if (err == 0 && pl_link_is(server->link) && lacks_some(server, out))
        err = 1;
    if (err == 0)
        server->taking_http2 = site->http.h2.on;
    else
        drop_set(out, &server->listening);
    return err;
}

/* One that was renewed leaves its file to the new one. */
static void leave_file(struct pl_listen_group *group,
                       const struct pl_listen_set *to)
{
    for (unsigned i = 0; i < to->ngroups; i++) {
        if (!pl_addr_eq(&to->groups[i]->addr, &group->addr))
            continue;
        to->groups[i]->adopted = group->adopted;
        group->adopted = true;
    }
}

void pl_listeners_take(struct pl_server *server, struct pl_listen_set *taken)
{
    struct pl_listen_set before = server->listening;

    for (unsigned i = 0; i < before.ngroups; i++) {
        struct pl_listen_group *group = before.groups[i];

        if (pl_listeners_has(taken, group))
            continue;
        leave_file(group, taken);
        pl_listen_shut(group);
        server->closed.groups[server->closed.ngroups++] = group;
    }
    server->listening = *taken;
    server->http2 = server->taking_http2;
    *taken = (struct pl_listen_set){.ngroups = 0};
    if (!server->options.quiet)
        pl_listeners_announce(server, &before);
    pl_free(before.groups);
}

void pl_listeners_leave(struct pl_server *server, struct pl_listen_set *left)
{
    drop_set(left, &server->listening);
}

/* ---- without opening ---- */

static int check_list(const struct pl_opening *opening,
                      const struct pl_list *specs, struct pl_error *error)
{
    struct pl_list *node;
    int err = 0;

    PL_LIST_FOREACH (node, specs) {
        err = pl_listeners_check_one(
            opening, PL_LIST_ENTRY(node, struct pl_listen_spec, node), error);
        if (err < 0)
            break;
    }
    return err;
}

int pl_listeners_check(const struct pl_server *server,
                       const struct pl_site *site, struct pl_error *error)
{
    static const struct pl_trust nobody = {0};
    const struct pl_server_options *options = &server->options;
    const struct pl_opening opening = {
        .server = server,
        .of_site = {.trusted = site->trusted ? &nobody : NULL},
        .local = is_local(server, site),
    };
    struct given given;
    int err = check_limits(site, error);

    if (err < 0)
        return err;
    err = is_given(options, site)
              ? pl_listeners_check_one(&opening, read_given(options, &given),
                                       error)
              : check_list(&opening, &site->listeners, error);
    return err < 0 ? err : check_list(&opening, &site->services, error);
}

static void announce(const struct pl_listen_group *group)
{
    char text[PL_ADDR_TEXT];

    pl_addr_format(&group->addr, text);
    if (group->addr.sa.sa_family == AF_UNIX)
        printf("listening on %s\n", text);
    else if (group->options.service != 0)
        printf("listening on %s://%s\n", group->tls == NULL ? "tcp" : "tls",
               text);
    else if (PL_WITH_FASTCGI && group->options.speak == PL_SPEAK_FASTCGI)
        printf("listening on fastcgi://%s\n", text);
    else
        printf("listening on http%s://%s/\n", group->tls == NULL ? "" : "s",
               text);
}

void pl_listeners_announce(const struct pl_server *server,
                           const struct pl_listen_set *before)
{
    const struct pl_listen_set *set = &server->listening;

    for (unsigned i = 0; i < set->ngroups; i++)
        if (!pl_listeners_has_address(before, set->groups[i]))
            announce(set->groups[i]);
    fflush(stdout);
}

void pl_listeners_close(struct pl_server *server)
{
    if (server->listening.ngroups > 0 && server->listening.groups[0]->count > 0)
        pl_link_say(server->link, PL_LINK_SHUT);
    for (unsigned i = 0; i < server->listening.ngroups; i++)
        pl_listen_shut(server->listening.groups[i]);
}

void pl_listeners_free(struct pl_server *server)
{
    const struct pl_listen_set none = {.ngroups = 0};

    drop_set(&server->closed, &none);
    drop_set(&server->listening, &none);
}
