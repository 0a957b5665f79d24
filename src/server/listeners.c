#include "server/listeners.h"

#include <stdio.h>

#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/forwarded.h"
#include "http/h2.h"
#include "net/addr.h"
#include "net/inherit.h"
#include "net/tls.h"
#include "route/site.h"
#include "server/server.h"

enum { DEFAULT_PORT = 8080, DEFAULT_TLS_PORT = 8443 };

/* One for each worker, so that the kernel spreads connections among them: of
 * several that share a socket it wakes the same one again and again. More, if
 * there are more processors: the workers of a later generation. */
static unsigned sockets(const struct pl_server *server,
                        const struct pl_listen_spec *spec)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return spec->options.sockets > 0 ? spec->options.sockets
                                     : PL_MAX(server->nworkers, (unsigned)cpus);
}

/* Why an address is for this machine only. */
static const char tells_errors[] = "'dev' would show them errors and source "
                                   "(--dev=any if they may see them)";
static const char is_for_dev[] = "a certificate for development is for this "
                                 "machine only";

/* What is for this machine only: errors are told to who asks (dev.h), and a
 * certificate that nobody vouches for gets others used to warnings. NULL: the
 * address is for all. */
static const char *why_local(bool dev, const struct pl_listen_options *options)
{
    return dev                                         ? tells_errors
           : options->tls != NULL && options->tls->dev ? is_for_dev
                                                       : NULL;
}

/* An address that means all of them becomes that of the machine itself. */
static int keep_local(struct pl_addr *addr, const char *why,
                      struct pl_error *error)
{
    char text[PL_ADDR_TEXT];

    if (addr->sa.sa_family == AF_UNIX || pl_addr_is_loopback(addr))
        return 0;
    if (pl_addr_is_any(addr)) {
        pl_addr_set_loopback(addr);
        return 0;
    }
    pl_addr_format(addr, text);
    return pl_error_set(error, PL_ERR_DENIED, "",
                        "%s can be reached by others: %s", text, why);
}

/* What the site says for listeners that do not say it. */
struct of_site {
    const struct pl_trust *trusted;
    unsigned forwarded;
};

/* Whose word is taken, where the listener itself does not say it. Without any
 * a PROXY header could come from nobody. */
static int settle_trust(const struct pl_listen_spec *spec,
                        const struct of_site *of_site,
                        struct pl_listen_options *options,
                        struct pl_error *error)
{
    if (options->trusted == NULL)
        options->trusted = of_site->trusted;
    if (options->forwarded == 0)
        options->forwarded = of_site->forwarded;
    if (PL_WITH_PROXY && options->speak == PL_SPEAK_AUTO &&
        options->proxy == PL_PROXY_OFF && options->trusted != NULL)
        options->proxy = PL_PROXY_OPTIONAL;
    if (options->proxy == PL_PROXY_OFF || options->trusted != NULL)
        return 0;
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "listen: '%s': proxy_protocol needs trusted = { ... }: "
                        "who may send such a header",
                        spec->address);
}

/* What TLS offers, best first. */
static const struct pl_protocol *const *offers_of(enum pl_speak speak,
                                                  bool http2)
{
    static const struct pl_protocol *const both[] = {
        PL_WITH_HTTP2 ? &pl_h2_protocol : NULL, &pl_h1_protocol, NULL};
    static const struct pl_protocol *const h2[] = {
        PL_WITH_HTTP2 ? &pl_h2_protocol : NULL, NULL};

    if (!PL_WITH_HTTP2 || speak == PL_SPEAK_HTTP1)
        return both + 1;
    return speak == PL_SPEAK_H2 ? h2 : both + !http2;
}

/* Certificates are read before anybody is told of the address. */
static int open_tls(struct pl_listen_group *group, bool http2,
                    struct pl_error *error)
{
    if (group->options.tls == NULL)
        return 0;
    if (!PL_WITH_TLS)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "tls: " PL_WITHOUT PL_FEATURE_TLS);
    return pl_tls_context_new(group->options.tls, false,
                              group->options.service != 0
                                  ? NULL
                                  : offers_of(group->options.speak, http2),
                              &group->tls, error);
}

static void close_group(struct pl_listen_group *group)
{
    if (PL_WITH_TLS)
        pl_tls_context_free(group->tls);
    pl_listen_close(group);
}

/* TAKES group. */
static int keep_group(struct pl_server *server, struct pl_listen_group *group,
                      struct pl_error *error)
{
    struct pl_listen_group **grown =
        pl_realloc(server->groups, (server->ngroups + 1) * sizeof(*grown));
    int err;

    if (grown != NULL)
        server->groups = grown;
    err = grown == NULL ? pl_error_set(error, PL_ERR_NOMEM, "", "out of memory")
                        : open_tls(group, server->http2, error);
    if (err < 0)
        close_group(group);
    else
        server->groups[server->ngroups++] = group;
    return err;
}

/* With SO_REUSEPORT the kernel would not mind. */
static int check_new(const struct pl_server *server, const struct pl_addr *addr,
                     struct pl_error *error)
{
    char text[PL_ADDR_TEXT];

    if (addr->sa.sa_family != AF_UNIX && pl_addr_port(addr) == 0)
        return 0;
    for (unsigned i = 0; i < server->ngroups; i++)
        if (pl_addr_eq(&server->groups[i]->addr, addr)) {
            pl_addr_format(addr, text);
            return pl_error_set(error, PL_ERR_EXISTS, "",
                                "cannot listen on %s: this site does already",
                                text);
        }
    return 0;
}

/* local: others cannot connect. */
static int open_new(struct pl_server *server, bool local, const char *address,
                    const struct pl_listen_options *options,
                    struct pl_error *error)
{
    const char *why = why_local(local, options);
    struct pl_listen_group *group;
    struct pl_addr addr;
    int err =
        pl_addr_parse(pl_str_c(address), server->options.v6, &addr, error);

    if (err == 0 && why != NULL)
        err = keep_local(&addr, why, error);
    if (err == 0)
        err = check_new(server, &addr, error);
    if (err == 0)
        err =
            pl_link_listen(server->link, &addr, options, false, &group, error);
    return err < 0 ? err : keep_group(server, group, error);
}

/* What others have opened can be looked at, not changed. */
static int adopt(struct pl_server *server, bool local, int fd,
                 const struct pl_listen_options *options,
                 struct pl_error *error)
{
    const char *why = why_local(local, options);
    struct pl_listen_group *group;
    struct pl_addr addr;
    int err;

    for (unsigned i = 0; i < server->ngroups; i++)
        if (server->groups[i]->fds[0] == fd)
            return pl_error_set(error, PL_ERR_EXISTS, "",
                                "cannot listen on fd:%d: this site does "
                                "already",
                                fd);
    err = pl_listen_adopt(fd, options, &group, error);
    if (err < 0)
        return err;
    addr = group->addr;
    if (why != NULL && pl_addr_is_any(&addr))
        err = pl_error_set(error, PL_ERR_DENIED, "",
                           "fd:%d can be reached by others: %s", fd, why);
    else if (why != NULL)
        err = keep_local(&addr, why, error);
    if (err == 0)
        return keep_group(server, group, error);
    close_group(group);
    return err;
}

static int open_inherited(struct pl_server *server, bool local,
                          const char *address,
                          const struct pl_listen_options *options,
                          struct pl_error *error)
{
    int fds[PL_INHERIT_MAX], err;
    unsigned n = 0;

    err = pl_inherit_find(pl_str_c(address), fds, &n, error);
    for (unsigned i = 0; i < n && err == 0; i++)
        err = adopt(server, local, fds[i], options, error);
    return err;
}

static int open_address(struct pl_server *server, bool local,
                        const struct pl_listen_spec *spec,
                        const struct of_site *of_site, struct pl_error *error)
{
    struct pl_listen_options options = spec->options;
    int err = settle_trust(spec, of_site, &options, error);

    options.sockets = sockets(server, spec);
    if (err == 0)
        err =
            pl_inherit_is(pl_str_c(spec->address))
                ? open_inherited(server, local, spec->address, &options, error)
                : open_new(server, local, spec->address, &options, error);
    if (err < 0)
        snprintf(error->where, sizeof(error->where), "%s", spec->where);
    return err;
}

/* Does the command line ask for TLS? */
static bool is_secure(const struct pl_server_options *options)
{
    return options->tls_dev || options->tls_cert != NULL;
}

/* Are the certificates there, and of any use? */
static int check_tls(const struct pl_listen_spec *spec, struct pl_error *error)
{
    struct pl_tls_context *context = NULL;
    int err = 0;

    if (PL_WITH_TLS && spec->options.tls != NULL)
        err =
            pl_tls_context_new(spec->options.tls, false, NULL, &context, error);
    pl_tls_context_free(context);
    return err;
}

/* The address of the command line, or the default one. */
static int open_given(struct pl_server *server, bool local,
                      const struct of_site *of_site, struct pl_error *error)
{
    const struct pl_server_options *options = &server->options;
    const char *host = options->address != NULL ? options->address
                       : options->port >= 0     ? ""
                       : options->v6            ? "[::1]"
                                                : "127.0.0.1";
    bool secure = is_secure(options);
    int port = options->port >= 0 ? options->port
               : secure           ? DEFAULT_TLS_PORT
                                  : DEFAULT_PORT;
    const struct pl_tls_pair pair = {.cert = options->tls_cert,
                                     .key = options->tls_key};
    const struct pl_tls_options tls = {
        .pairs = &pair, .npairs = pair.cert != NULL, .dev = pair.cert == NULL};
    struct pl_listen_spec spec = {.where = "",
                                  .options = {.tls = secure ? &tls : NULL}};
    char text[300];

    if (pl_str_starts(pl_str_c(host), PL_STR("unix:")) ||
        pl_inherit_is(pl_str_c(host)))
        snprintf(text, sizeof(text), "%s", host);
    else if (strchr(host, ':') != NULL && host[0] != '[')
        snprintf(text, sizeof(text), "[%s]:%d", host, port);
    else
        snprintf(text, sizeof(text), "%s:%d", host, port);
    spec.address = text;
    return open_address(server, local, &spec, of_site, error);
}

static int open_list(struct pl_server *server, const struct pl_list *specs,
                     bool local, const struct of_site *of_site,
                     struct pl_error *error)
{
    struct pl_list *node;
    int err = 0;

    PL_LIST_FOREACH (node, specs) {
        err = open_address(server, local,
                           PL_LIST_ENTRY(node, struct pl_listen_spec, node),
                           of_site, error);
        if (err < 0)
            break;
    }
    return err;
}

/* A site with services and no listener wants no HTTP. */
static int open_http(struct pl_server *server, const struct pl_site *site,
                     bool local, const struct of_site *of_site,
                     struct pl_error *error)
{
    const struct pl_server_options *options = &server->options;

    if (options->port >= 0 || options->address != NULL || is_secure(options))
        return open_given(server, local, of_site, error);
    if (pl_list_empty(&site->listeners) && pl_list_empty(&site->services))
        return open_given(server, local, of_site, error);
    return open_list(server, &site->listeners, local, of_site, error);
}

static int open_all(struct pl_server *server, const struct pl_site *site,
                    const struct of_site *of_site, struct pl_error *error)
{
    const struct pl_server_options *options = &server->options;
    bool local = options->dev == PL_DEV_HERE ||
                 (options->dev == PL_DEV_SITE && site->dev);
    int err;

    server->http2 = site->http.h2.on;
    err = open_http(server, site, local, of_site, error);
    return err < 0 ? err
                   : open_list(server, &site->services, local, of_site, error);
}

/* Into arena, for as long as addresses are opened. */
static int read_site(const struct pl_site *site, struct pl_arena *arena,
                     struct of_site *out, struct pl_error *error)
{
    int err = 0;

    *out = (struct of_site){.trusted = NULL};
    if (site->trusted == NULL)
        return 0;
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

int pl_listeners_open(struct pl_server *server, const struct pl_site *site,
                      struct pl_error *error)
{
    struct of_site of_site;
    struct pl_pool pool;
    struct pl_arena arena;
    int err;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    err = read_site(site, &arena, &of_site, error);
    if (err == 0)
        err = open_all(server, site, &of_site, error);
    pl_inherit_forget();
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
    return err;
}

static int check_list(const struct pl_site *site, const struct pl_list *specs,
                      struct pl_error *error)
{
    static const struct pl_trust nobody = {0};
    const struct of_site of_site = {.trusted = site->trusted ? &nobody : NULL};
    struct pl_listen_options options;
    struct pl_list *node;
    struct pl_addr addr;
    int err;

    PL_LIST_FOREACH (node, specs) {
        const struct pl_listen_spec *spec =
            PL_LIST_ENTRY(node, struct pl_listen_spec, node);

        options = spec->options;
        err = settle_trust(spec, &of_site, &options, error);
        if (err == 0)
            err = pl_inherit_is(pl_str_c(spec->address))
                      ? pl_inherit_find(pl_str_c(spec->address), NULL, NULL,
                                        error)
                      : pl_addr_parse(pl_str_c(spec->address), false, &addr,
                                      error);
        if (err == 0 && !pl_inherit_is(pl_str_c(spec->address)) &&
            why_local(false, &options) != NULL)
            err = keep_local(&addr, why_local(false, &options), error);
        if (err == 0)
            err = check_tls(spec, error);
        if (err < 0) {
            snprintf(error->where, sizeof(error->where), "%s", spec->where);
            return err;
        }
    }
    return 0;
}

int pl_listeners_check(const struct pl_site *site, struct pl_error *error)
{
    int err = check_list(site, &site->listeners, error);

    return err < 0 ? err : check_list(site, &site->services, error);
}

void pl_listeners_announce(const struct pl_server *server)
{
    char text[PL_ADDR_TEXT];

    for (unsigned i = 0; i < server->ngroups; i++) {
        pl_addr_format(&server->groups[i]->addr, text);
        if (server->groups[i]->addr.sa.sa_family == AF_UNIX)
            printf("listening on %s\n", text);
        else if (server->groups[i]->options.service != 0)
            printf("listening on %s://%s\n",
                   server->groups[i]->tls == NULL ? "tcp" : "tls", text);
        else
            printf("listening on http%s://%s/\n",
                   server->groups[i]->tls == NULL ? "" : "s", text);
    }
    fflush(stdout);
}

void pl_listeners_close(struct pl_server *server)
{
    if (server->ngroups > 0 && server->groups[0]->count > 0)
        pl_link_say(server->link, PL_LINK_SHUT);
    for (unsigned i = 0; i < server->ngroups; i++)
        pl_listen_shut(server->groups[i]);
}

void pl_listeners_free(struct pl_server *server)
{
    for (unsigned i = 0; i < server->ngroups; i++)
        close_group(server->groups[i]);
    server->ngroups = 0;
    pl_free(server->groups);
    server->groups = NULL;
}
