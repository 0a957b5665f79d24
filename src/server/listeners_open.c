/* listeners_open.c - one address of a site: who may connect to it and whose
 * word is taken, then its sockets. In a reload those that are open are taken
 * over, and renewed where their options have changed. */
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
#include "server/listeners_priv.h"
#include "server/server.h"

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

/* Whose word is taken, where the listener itself does not say it. Without any
 * a PROXY header could come from nobody. */
static int settle_trust(const struct pl_listen_spec *spec,
                        const struct pl_listen_site *of_site,
                        struct pl_listen_options *options,
                        struct pl_error *error)
{
    if (PL_WITH_FASTCGI && options->speak == PL_SPEAK_FASTCGI) {
        options->forwarded = PL_FORWARDED_NONE; /* it has read them itself */
        if (options->trusted == NULL)
            options->trusted = of_site->web_servers;
        return 0;
    }
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

void pl_listeners_close_group(struct pl_listen_group *group)
{
    if (PL_WITH_TLS)
        pl_tls_context_free(group->tls);
    pl_listen_close(group);
}

/* ---- sets ---- */

bool pl_listeners_has(const struct pl_listen_set *set,
                      const struct pl_listen_group *group)
{
    for (unsigned i = 0; i < set->ngroups; i++)
        if (set->groups[i] == group)
            return true;
    return false;
}

bool pl_listeners_has_address(const struct pl_listen_set *set,
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
static int keep_group(struct pl_opening *opening, struct pl_listen_group *group,
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
        pl_listeners_close_group(group);
    return err;
}

/* With SO_REUSEPORT the kernel would not mind. */
static int check_new(const struct pl_opening *opening,
                     const struct pl_addr *addr, struct pl_error *error)
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
static struct pl_listen_group *find_open(const struct pl_opening *opening,
                                         const char *name,
                                         const struct pl_addr *addr,
                                         unsigned *at)
{
    const struct pl_listen_set *open = opening->open;

    if (!PL_WITH_RELOAD)
        return NULL;
    while (open != NULL && *at < open->ngroups) {
        struct pl_listen_group *group = open->groups[(*at)++];

        if (!pl_listeners_has_address(opening->into, group) &&
            (pl_str_eq(group->name, pl_str_c(name)) ||
             (addr != NULL && pl_addr_eq(&group->addr, addr))))
            return group;
    }
    return NULL;
}

/* Its certificates are compared by their files, which may have changed. */
static int take_open(struct pl_opening *opening, struct pl_listen_group *group,
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

static int open_new(struct pl_opening *opening, const char *name,
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

static int adopt(struct pl_opening *opening, const char *name, int fd,
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
            pl_listeners_close_group(group);
    }
    return err < 0 ? err : keep_group(opening, group, name, error);
}

/* Descriptors are handed over once: later they are known by what the site
 * called them. */
static int open_inherited(struct pl_opening *opening, const char *name,
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

int pl_listeners_open_one(struct pl_opening *opening,
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

/* ---- without opening ---- */

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

static int check_address(const struct pl_opening *opening, const char *name,
                         const struct pl_listen_options *options,
                         struct pl_error *error)
{
    const char *why = why_local(opening->local, options);
    struct pl_addr addr;
    int err;

    if (pl_inherit_is(pl_str_c(name)))
        return pl_inherit_find(pl_str_c(name), NULL, NULL, error);
    err = pl_addr_parse(pl_str_c(name), opening->server->options.v6, &addr,
                        error);
    return err == 0 && why != NULL ? keep_local(&addr, why, error) : err;
}

int pl_listeners_check_one(const struct pl_opening *opening,
                           const struct pl_listen_spec *spec,
                           struct pl_error *error)
{
    struct pl_listen_options options = spec->options;
    int err = settle_trust(spec, &opening->of_site, &options, error);

    if (err == 0)
        err = check_address(opening, spec->address, &options, error);
    if (err == 0)
        err = check_tls(spec, error);
    if (err < 0)
        snprintf(error->where, sizeof(error->where), "%s", spec->where);
    return err;
}
