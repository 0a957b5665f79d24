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

/* Addresses are being opened: into a set, out of one that is open already. */
struct opening {
    const struct pl_server *server;
    const struct pl_listen_set *open;
    struct pl_listen_set *into;
    struct of_site of_site;
    bool local;  /* others cannot connect */
    bool http2;  /* is offered to clients with TLS */
    bool beside; /* only the supervisor could, for a process that starts */
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

/* ---- sets ---- */

static bool has_group(const struct pl_listen_set *set,
                      const struct pl_listen_group *group)
{
    for (unsigned i = 0; i < set->ngroups; i++)
        if (set->groups[i] == group)
            return true;
    return false;
}

static bool has_address(const struct pl_listen_set *set,
                        const struct pl_listen_group *group)
{
    for (unsigned i = 0; i < set->ngroups; i++)
        if (pl_addr_eq(&set->groups[i]->addr, &group->addr))
            return true;
    return false;
}

static int add_group(struct pl_listen_set *set, struct pl_listen_group *group,
                     struct pl_error *error)
{
    struct pl_listen_group **grown =
        pl_realloc(set->groups, (set->ngroups + 1) * sizeof(*grown));

    if (grown == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    set->groups = grown;
    set->groups[set->ngroups++] = group;
    return 0;
}

/* TAKES group, which the site calls name. */
static int keep_group(struct opening *opening, struct pl_listen_group *group,
                      const char *name, struct pl_error *error)
{
    int err = 0;

    group->name = pl_arena_str(&group->arena, pl_str_c(name));
    if (group->name.data == NULL)
        err = pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    if (err == 0)
        err = open_tls(group, opening->http2, error);
    if (err == 0)
        err = add_group(opening->into, group, error);
    if (err < 0)
        close_group(group);
    return err;
}

/* With SO_REUSEPORT the kernel would not mind. */
static int check_new(const struct opening *opening, const struct pl_addr *addr,
                     struct pl_error *error)
{
    const struct pl_listen_set *set = opening->into;
    char text[PL_ADDR_TEXT];

    if (addr->sa.sa_family != AF_UNIX && pl_addr_port(addr) == 0)
        return 0;
    for (unsigned i = 0; i < set->ngroups; i++)
        if (pl_addr_eq(&set->groups[i]->addr, addr)) {
            pl_addr_format(addr, text);
            return pl_error_set(error, PL_ERR_EXISTS, "",
                                "cannot listen on %s: this site does already",
                                text);
        }
    return 0;
}

/* ---- what is open already ---- */

/* The next group behind *at that the site has called name and that was not
 * taken yet; NULL: none. An address may be written in several ways: it is the
 * same, too. */
static struct pl_listen_group *find_open(const struct opening *opening,
                                         const char *name,
                                         const struct pl_addr *addr,
                                         unsigned *at)
{
    const struct pl_listen_set *open = opening->open;

    if (!PL_WITH_RELOAD)
        return NULL;
    while (open != NULL && *at < open->ngroups) {
        struct pl_listen_group *group = open->groups[(*at)++];

        if (!has_address(opening->into, group) &&
            (pl_str_eq(group->name, pl_str_c(name)) ||
             (addr != NULL && pl_addr_eq(&group->addr, addr))))
            return group;
    }
    return NULL;
}

/* Its certificates are compared by their files, which may have changed. */
static int take_open(struct opening *opening, struct pl_listen_group *group,
                     const char *name, const struct pl_listen_options *options,
                     struct pl_error *error)
{
    struct pl_listen_group *fresh;
    int err;

    if (pl_listen_options_eq(&group->options, options) &&
        (group->tls == NULL || opening->server->http2 == opening->http2)) {
        err = PL_WITH_TLS && group->tls != NULL
                  ? pl_tls_context_refresh(group->tls, error)
                  : 0;
        return err < 0 ? err : add_group(opening->into, group, error);
    }
    if (group->options.v6only != options->v6only)
        return pl_error_set(error, PL_ERR_STATE, "",
                            "'%s' is open: v6only changes with a restart",
                            name);
    err = pl_listen_renew(group, options, &fresh, error);
    return err < 0 ? err : keep_group(opening, fresh, name, error);
}

/* ---- one address ---- */

static int open_new(struct opening *opening, const char *name,
                    const struct pl_listen_options *options,
                    struct pl_error *error)
{
    const char *why = why_local(opening->local, options);
    struct pl_listen_group *group;
    struct pl_addr addr;
    unsigned at = 0;
    int err = pl_addr_parse(pl_str_c(name), opening->server->options.v6, &addr,
                            error);

    if (err == 0 && why != NULL)
        err = keep_local(&addr, why, error);
    if (err == 0)
        err = check_new(opening, &addr, error);
    if (err < 0)
        return err;
    group = find_open(opening, name, &addr, &at);
    if (group != NULL)
        return take_open(opening, group, name, options, error);
    opening->beside =
        pl_link_is(opening->server->link) && opening->open != NULL;
    if (opening->beside)
        return PL_ERR_STATE;
    err = pl_link_listen(opening->server->link, &addr, options, false, &group,
                         error);
    return err < 0 ? err : keep_group(opening, group, name, error);
}

/* What others have opened can be looked at, not changed. */
static int check_local(const struct pl_listen_group *group, int fd,
                       const char *why, struct pl_error *error)
{
    struct pl_addr addr = group->addr;

    if (!pl_addr_is_any(&addr))
        return keep_local(&addr, why, error);
    return pl_error_set(error, PL_ERR_DENIED, "",
                        "fd:%d can be reached by others: %s", fd, why);
}

static int adopt(struct opening *opening, const char *name, int fd,
                 const struct pl_listen_options *options,
                 struct pl_error *error)
{
    const char *why = why_local(opening->local, options);
    const struct pl_listen_set *set = opening->into;
    struct pl_listen_group *group;
    int err;

    for (unsigned i = 0; i < set->ngroups; i++)
        if (set->groups[i]->fds[0] == fd)
            return pl_error_set(error, PL_ERR_EXISTS, "",
                                "cannot listen on fd:%d: this site does "
                                "already",
                                fd);
    err = pl_listen_adopt(fd, options, &group, error);
    if (err == 0 && why != NULL) {
        err = check_local(group, fd, why, error);
        if (err < 0)
            close_group(group);
    }
    return err < 0 ? err : keep_group(opening, group, name, error);
}

/* Descriptors are handed over once: later they are known by what the site
 * called them. */
static int open_inherited(struct opening *opening, const char *name,
                          const struct pl_listen_options *options,
                          struct pl_error *error)
{
    int fds[PL_INHERIT_MAX], err = 0;
    struct pl_listen_group *group;
    unsigned n = 0, at = 0;

    for (group = find_open(opening, name, NULL, &at); group != NULL && err == 0;
         group = find_open(opening, name, NULL, &at), n++)
        err = take_open(opening, group, name, options, error);
    if (err < 0 || n > 0)
        return err;
    err = pl_inherit_find(pl_str_c(name), fds, &n, error);
    for (unsigned i = 0; i < n && err == 0; i++)
        err = adopt(opening, name, fds[i], options, error);
    return err;
}

static int open_address(struct opening *opening,
                        const struct pl_listen_spec *spec,
                        struct pl_error *error)
{
    struct pl_listen_options options = spec->options;
    int err = settle_trust(spec, &opening->of_site, &options, error);

    options.sockets = sockets(opening->server, spec);
    if (err == 0)
        err = pl_inherit_is(pl_str_c(spec->address))
                  ? open_inherited(opening, spec->address, &options, error)
                  : open_new(opening, spec->address, &options, error);
    if (err < 0)
        snprintf(error->where, sizeof(error->where), "%s", spec->where);
    return err;
}

/* ---- those of a site ---- */

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
static int open_given(struct opening *opening, struct pl_error *error)
{
    const struct pl_server_options *options = &opening->server->options;
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
    return open_address(opening, &spec, error);
}

static int open_list(struct opening *opening, const struct pl_list *specs,
                     struct pl_error *error)
{
    struct pl_list *node;
    int err = 0;

    PL_LIST_FOREACH (node, specs) {
        err = open_address(
            opening, PL_LIST_ENTRY(node, struct pl_listen_spec, node), error);
        if (err < 0)
            break;
    }
    return err;
}

/* A site with services and no listener wants no HTTP. */
static int open_http(struct opening *opening, const struct pl_site *site,
                     struct pl_error *error)
{
    const struct pl_server_options *options = &opening->server->options;

    if (options->port >= 0 || options->address != NULL || is_secure(options))
        return open_given(opening, error);
    if (pl_list_empty(&site->listeners) && pl_list_empty(&site->services))
        return open_given(opening, error);
    return open_list(opening, &site->listeners, error);
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

/* Closes what set has beyond open, and forgets it. */
static void drop_set(struct pl_listen_set *set,
                     const struct pl_listen_set *open)
{
    for (unsigned i = 0; i < set->ngroups; i++)
        if (!has_group(open, set->groups[i]))
            close_group(set->groups[i]);
    pl_free(set->groups);
    *set = (struct pl_listen_set){.ngroups = 0};
}

/* Fills into, also with half of it after a failure. open: in a reload. Returns
 * 1 if addresses would have to be opened by the supervisor. */
static int open_site(struct pl_server *server, const struct pl_site *site,
                     const struct pl_listen_set *open,
                     struct pl_listen_set *into, struct pl_error *error)
{
    enum pl_dev dev = server->options.dev;
    struct opening opening = {
        .server = server,
        .open = open,
        .into = into,
        .local = dev == PL_DEV_HERE || (dev == PL_DEV_SITE && site->dev),
        .http2 = site->http.h2.on,
    };
    struct pl_pool pool;
    struct pl_arena arena;
    int err;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
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
            close_group(group);
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
        if (!has_address(set, server->listening.groups[i]))
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

        if (has_group(taken, group))
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

static void announce(const struct pl_listen_group *group)
{
    char text[PL_ADDR_TEXT];

    pl_addr_format(&group->addr, text);
    if (group->addr.sa.sa_family == AF_UNIX)
        printf("listening on %s\n", text);
    else if (group->options.service != 0)
        printf("listening on %s://%s\n", group->tls == NULL ? "tcp" : "tls",
               text);
    else
        printf("listening on http%s://%s/\n", group->tls == NULL ? "" : "s",
               text);
}

void pl_listeners_announce(const struct pl_server *server,
                           const struct pl_listen_set *before)
{
    const struct pl_listen_set *set = &server->listening;

    for (unsigned i = 0; i < set->ngroups; i++)
        if (!has_address(before, set->groups[i]))
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
