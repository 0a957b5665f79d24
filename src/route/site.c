#include "route/site.h"

#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/chars.h"
#include "http/forwarded.h"

/* What pl.host, pl.group and pl.use have said so far. Everything is in the
 * site's arena; each filter in the list is one reference. */
struct pl_site_scope {
    struct pl_site_scope *outer;
    struct pl_str host, prefix;
    struct pl_filter **filters;
    unsigned nfilters, room;
};

/* In the arena, too. */
struct pl_site_owned {
    struct pl_site_owned *next;
    void (*drop)(void *arg);
    void *arg;
};

static int no_memory(struct pl_error *error, const char *where)
{
    return pl_error_set(error, PL_ERR_NOMEM, where, "out of memory");
}

/* A copy of text; the error is that of the caller. */
static int copy(struct pl_site *site, const char *text, const char **out)
{
    *out = pl_arena_str(&site->arena, pl_str_c(text)).data;
    return text != NULL && *out == NULL ? PL_ERR_NOMEM : 0;
}

/* ---- scopes ---- */

static bool make_filter_room(struct pl_site *site, struct pl_site_scope *scope)
{
    unsigned room = scope->room == 0 ? 4 : scope->room * 2;
    struct pl_filter **grown;

    if (scope->nfilters < scope->room)
        return true;
    grown = pl_arena_alloc(&site->arena, room * sizeof(struct pl_filter *));
    if (grown == NULL)
        return false;
    if (scope->nfilters > 0)
        memcpy(grown, scope->filters,
               scope->nfilters * sizeof(struct pl_filter *));
    scope->filters = grown;
    scope->room = room;
    return true;
}

int pl_site_use(struct pl_site *site, struct pl_filter *filter,
                struct pl_error *error)
{
    struct pl_site_scope *scope = site->scope;

    if (!make_filter_room(site, scope)) {
        pl_filter_drop(filter);
        return no_memory(error, "");
    }
    scope->filters[scope->nfilters++] = filter;
    return 0;
}

static bool is_host(struct pl_str host)
{
    if (pl_str_starts(host, PL_STR("*.")))
        host = pl_str_skip(host, 2);
    for (size_t i = 0; i < host.len; i++)
        if (!pl_char_is(host.data[i], PL_CHAR_HOST))
            return false;
    return host.len > 0;
}

/* The outer prefix and then this one; data is NULL if out of memory. */
static struct pl_str join(struct pl_site *site, struct pl_str prefix)
{
    struct pl_str outer = site->scope->prefix;

    return pl_arena_printf(&site->arena, "%.*s%.*s", PL_STR_ARG(outer),
                           PL_STR_ARG(prefix));
}

/* A scope inside the current one that inherits all of it. */
static struct pl_site_scope *inner_scope(struct pl_site *site)
{
    const struct pl_site_scope *outer = site->scope;
    struct pl_site_scope *scope = pl_arena_alloc(&site->arena, sizeof(*scope));
    size_t size = outer->nfilters * sizeof(struct pl_filter *);

    if (scope == NULL)
        return NULL;
    *scope = *outer;
    scope->outer = site->scope;
    scope->room = outer->nfilters;
    scope->filters = pl_arena_alloc(&site->arena, size);
    if (scope->filters == NULL)
        return NULL;
    for (unsigned i = 0; i < outer->nfilters; i++) {
        scope->filters[i] = outer->filters[i];
        scope->filters[i]->refs++;
    }
    return scope;
}

static void drop_filters(struct pl_site_scope *scope)
{
    while (scope->nfilters > 0)
        pl_filter_drop(scope->filters[--scope->nfilters]);
}

int pl_site_enter(struct pl_site *site, struct pl_str host,
                  struct pl_str prefix, const char *where,
                  struct pl_error *error)
{
    struct pl_site_scope *scope;

    if (host.len > 0 && !is_host(host))
        return pl_error_set(error, PL_ERR_INVALID, where,
                            "'%.*s' is not a host name (\"name\" or "
                            "\"*.name\", without a port)",
                            PL_STR_ARG(host));
    if (pl_str_ends(prefix, PL_STR("/")))
        prefix = pl_str_first(prefix, prefix.len - 1);
    if (prefix.len > 0 && prefix.data[0] != '/')
        return pl_error_set(error, PL_ERR_INVALID, where,
                            "prefix '%.*s' must begin with '/'",
                            PL_STR_ARG(prefix));
    if (pl_str_find(prefix, PL_STR("/*")) >= 0)
        return pl_error_set(error, PL_ERR_INVALID, where,
                            "prefix '%.*s': '*' must be the last element of "
                            "a pattern",
                            PL_STR_ARG(prefix));
    host = host.len > 0 ? pl_arena_str(&site->arena, host) : site->scope->host;
    prefix = join(site, prefix);
    scope = host.data == NULL || prefix.data == NULL ? NULL : inner_scope(site);
    if (scope == NULL)
        return no_memory(error, where);
    scope->host = host;
    scope->prefix = prefix;
    site->scope = scope;
    return 0;
}

void pl_site_leave(struct pl_site *site)
{
    struct pl_site_scope *scope = site->scope;

    PL_ASSERT(scope->outer != NULL);
    drop_filters(scope);
    site->scope = scope->outer;
}

void pl_site_scope_names(const struct pl_site *site, struct pl_str *host,
                         struct pl_str *prefix)
{
    *host = site->scope->host;
    *prefix = site->scope->prefix;
}

/* ---- life ---- */

int pl_site_own(struct pl_site *site, void (*drop)(void *arg), void *arg)
{
    struct pl_site_owned *owned = pl_arena_alloc(&site->arena, sizeof(*owned));

    if (owned == NULL) {
        drop(arg);
        return PL_ERR_NOMEM;
    }
    *owned = (struct pl_site_owned){site->owned, drop, arg};
    site->owned = owned;
    return 0;
}

struct pl_site *pl_site_new(void)
{
    struct pl_site *site = pl_calloc(1, sizeof(*site));

    if (site == NULL)
        return NULL;
    pl_pool_init(&site->pool, NULL, 0);
    pl_arena_init(&site->arena, &site->pool, NULL);
    pl_list_init(&site->listeners);
    pl_list_init(&site->services);
    if (PL_WITH_REWRITE)
        pl_list_init(&site->rules);
    pl_list_init(&site->paths);
    site->http = pl_http_default_settings;
    site->net = pl_net_default_limits;
    site->stop_ms = 30000;
    site->reload_ms = 30000;
    site->error_log = "-";
    site->log_level = "info";
    site->admin = "";
    site->watch = (struct pl_watch_settings){
        .on = true, .warn_ms = 5000, .abort_ms = 30000};
    site->sandbox = (struct pl_sandbox_settings){.no_new_privs = true,
                                                 .drop_capabilities = true,
                                                 .landlock = true,
                                                 .seccomp = "refuse"};
    site->router = pl_router_new();
    site->scope = pl_arena_alloc(&site->arena, sizeof(*site->scope));
    if (site->router == NULL || site->scope == NULL) {
        site->scope = NULL;
        pl_site_free(site);
        return NULL;
    }
    *site->scope =
        (struct pl_site_scope){.host = PL_STR(""), .prefix = PL_STR("")};
    return site;
}

void pl_site_free(struct pl_site *site)
{
    if (site == NULL)
        return;
    for (; site->owned != NULL; site->owned = site->owned->next)
        site->owned->drop(site->owned->arg);
    for (; site->scope != NULL; site->scope = site->scope->outer)
        drop_filters(site->scope); /* an error may have left some open */
    pl_router_free(site->router);
    if (PL_WITH_COMPRESS && site->around != NULL)
        pl_filter_drop(site->around);
    pl_arena_fini(&site->arena);
    pl_pool_fini(&site->pool);
    pl_free(site);
}

/* ---- fields of all responses ---- */

/* Why a field cannot be the same for all responses, or NULL. */
static const char *not_for_all(enum pl_header_id id)
{
    if (pl_header_is_framing(id) || id == PL_HEADER_CONTENT_LENGTH)
        return "the server makes it itself";
    switch (id) {
    case PL_HEADER_SERVER:
        return "there is a setting 'server' for it";
    case PL_HEADER_CONTENT_TYPE:
    case PL_HEADER_CONTENT_ENCODING:
    case PL_HEADER_CONTENT_RANGE:
    case PL_HEADER_ETAG:
    case PL_HEADER_LAST_MODIFIED:
    case PL_HEADER_LOCATION:
    case PL_HEADER_SET_COOKIE:
        return "it belongs to a single response";
    default:
        return NULL;
    }
}

/* The place of a field of that name, or a new one; NULL if out of memory. */
static struct pl_header *header_place(struct pl_site *site, struct pl_str name)
{
    struct pl_http_settings *http = &site->http;
    unsigned room = site->header_room == 0 ? 8 : site->header_room * 2;
    struct pl_header *headers = (struct pl_header *)http->headers;

    for (unsigned i = 0; i < http->nheaders; i++)
        if (pl_str_ieq(pl_header_name(&headers[i]), name))
            return &headers[i];
    if (http->nheaders == site->header_room) {
        headers = pl_arena_alloc(&site->arena, room * sizeof(*headers));
        if (headers == NULL)
            return NULL;
        if (http->nheaders > 0)
            memcpy(headers, http->headers, http->nheaders * sizeof(*headers));
        http->headers = headers;
        site->header_room = room;
    }
    headers[http->nheaders] = (struct pl_header){0};
    return &headers[http->nheaders];
}

int pl_site_add_header(struct pl_site *site, struct pl_str name,
                       struct pl_str value, const char *where,
                       struct pl_error *error)
{
    enum { MOST = 4096 }; /* a response's head must fit the output */
    struct pl_http_settings *http = &site->http;
    enum pl_header_id id = pl_header_lookup(name);
    const char *why = not_for_all(id);
    struct pl_header *place;

    if (!pl_header_name_valid(name) || !pl_header_value_valid(value) ||
        name.len + value.len > MOST)
        return pl_error_set(error, PL_ERR_INVALID, where,
                            "not a possible header field: '%.*s'",
                            (int)PL_MIN(name.len, 64), name.data);
    if (why != NULL)
        return pl_error_set(error, PL_ERR_DENIED, where,
                            "field '%.*s' cannot be set for all responses: %s",
                            PL_STR_ARG(name), why);
    place = header_place(site, name);
    name = pl_arena_str(&site->arena, name);
    value = pl_arena_str(&site->arena, value);
    if (place == NULL || name.data == NULL || value.data == NULL)
        return no_memory(error, where);
    if (place->name == NULL)
        http->nheaders++;
    else
        http->headers_size -= place->name_len + place->value_len + 4u;
    *place = (struct pl_header){.name = name.data,
                                .value = value.data,
                                .value_len = (uint32_t)value.len,
                                .name_len = (uint16_t)name.len,
                                .id = (uint8_t)id};
    http->headers_size += name.len + value.len + 4;
    return 0;
}

int pl_site_name_path(struct pl_site *site, struct pl_str path, unsigned access)
{
    struct pl_site_path *named;

    if (!PL_WITH_SANDBOX)
        return 0;
    named = pl_arena_alloc(&site->arena, sizeof(*named));
    path = pl_arena_str(&site->arena, path);
    if (named == NULL || path.data == NULL)
        return PL_ERR_NOMEM;
    *named = (struct pl_site_path){.path = path.data, .access = access};
    pl_list_push(&site->paths, &named->node);
    return 0;
}

/* ---- listeners ---- */

/* Port 0 lets the kernel choose: two of them are two addresses. */
static bool same_address(const char *a, const char *b)
{
    return strcmp(a, b) == 0 && !pl_str_ends(pl_str_c(a), PL_STR(":0"));
}

static const char *bad_listener(const struct pl_listen_spec *spec)
{
    if (spec->address == NULL || spec->address[0] == '\0')
        return "an address is missing (\":8080\", \"127.0.0.1:8080\", "
               "\"[::1]:8080\" or \"unix:/path\")";
    return pl_listen_options_fault(pl_str_c(spec->address), &spec->options);
}

/* What is between clients and us is not ours to do behind a web server. */
static const char *fastcgi_fault(const struct pl_listen_options *options)
{
    bool behind = options->speak == PL_SPEAK_FASTCGI;

    if (behind && (options->tls != NULL || options->https_port != 0 ||
                   options->proxy != PL_PROXY_OFF || options->forwarded != 0))
        return "tls, redirect, proxy_protocol and forwarded are not for "
               "FastCGI: the web server is asked for them";
    if (options->sendfile == NULL)
        return NULL;
    if (!behind)
        return "sendfile is for protocol 'fastcgi'";
    return options->sendfile[0] == '/' ||
                   strcmp(options->sendfile, "x-sendfile") == 0
               ? NULL
               : "sendfile must be 'x-sendfile', or a path of the web server "
                 "that begins with '/'";
}

static int check_fastcgi(const struct pl_listen_options *options,
                         struct pl_error *error)
{
    const char *why = PL_WITH_FASTCGI ? fastcgi_fault(options) : NULL;

    return why == NULL ? 0 : pl_error_set(error, PL_ERR_INVALID, "", "%s", why);
}

/* Of its words, into the site's memory. */
static int make_options(struct pl_site *site, const struct pl_listen_spec *spec,
                        struct pl_listen_options *out, struct pl_error *error)
{
    struct pl_listen_options options = spec->options;
    int err = pl_speak_parse(spec->protocol, &options.speak, error);

    if (err == 0)
        err = pl_proxy_use_parse(spec->proxy_protocol, &options.proxy, error);
    if (err == 0 && !PL_WITH_PROXY &&
        (spec->trusted != NULL || spec->forwarded != NULL))
        err = pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                           "trusted: " PL_WITHOUT PL_FEATURE_PROXY);
    if (err == 0 && PL_WITH_PROXY && spec->forwarded != NULL)
        err = pl_forwarded_fields(pl_str_c(spec->forwarded), &options.forwarded,
                                  error);
    if (err == 0 && PL_WITH_PROXY && spec->trusted != NULL)
        err = pl_trust_parse(pl_str_c(spec->trusted), &site->arena,
                             &options.trusted, error);
    if (err == 0)
        err = check_fastcgi(&options, error);
    if (err == 0 && pl_listen_options_copy(&site->arena, &options, out) < 0)
        err = no_memory(error, spec->where);
    return err;
}

static struct pl_listen_spec *taken(const struct pl_list *specs,
                                    const char *address)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, specs) {
        struct pl_listen_spec *spec =
            PL_LIST_ENTRY(node, struct pl_listen_spec, node);

        if (same_address(spec->address, address))
            return spec;
    }
    return NULL;
}

static unsigned count(const struct pl_list *list)
{
    struct pl_list *node;
    unsigned n = 0;

    PL_LIST_FOREACH (node, list)
        n++;
    return n;
}

int pl_site_listen(struct pl_site *site, const struct pl_listen_spec *spec,
                   struct pl_error *error)
{
    const char *why = bad_listener(spec);
    struct pl_error wrong = {.code = 0};
    struct pl_listen_spec *made;
    int err;

    if (why != NULL)
        return pl_error_set(error, PL_ERR_INVALID, spec->where, "listen: %s",
                            why);
    made = taken(&site->listeners, spec->address);
    if (made == NULL)
        made = taken(&site->services, spec->address);
    if (made != NULL)
        return pl_error_set(error, PL_ERR_EXISTS, spec->where,
                            "listen: '%s' is already taken (%s)", spec->address,
                            made->where);
    made = pl_arena_alloc(&site->arena, sizeof(*made));
    if (made == NULL)
        return no_memory(error, spec->where);
    *made = (struct pl_listen_spec){.address = NULL};
    if (copy(site, spec->address, &made->address) < 0 ||
        copy(site, spec->where ? spec->where : "", &made->where) < 0)
        return no_memory(error, spec->where);
    err = make_options(site, spec, &made->options, &wrong);
    if (err < 0)
        return pl_error_set(error, err, spec->where, "listen: %s", wrong.text);
    made->service = spec->service;
    if (made->service != NULL)
        made->options.service = count(&site->services) + 1;
    pl_list_push(made->service != NULL ? &site->services : &site->listeners,
                 &made->node);
    return 0;
}

const struct pl_service *pl_site_service(const struct pl_site *site,
                                         unsigned number)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &site->services) {
        const struct pl_listen_spec *spec =
            PL_LIST_ENTRY(node, struct pl_listen_spec, node);

        if (spec->options.service == number)
            return spec->service;
    }
    return NULL;
}

/* ---- routes ---- */

static bool is_limited(const struct pl_body_limits *limits)
{
    return (limits->max_body | limits->max_upload | limits->spool |
            limits->max_fields | limits->max_parts | limits->rate) != 0;
}

/* What the options make of the route: the fields of struct pl_route. text is
 * for a Cache-Control that is made here. */
static int take_options(struct pl_route *route,
                        const struct pl_route_options *options, char text[32],
                        struct pl_error *error)
{
    uint64_t ms = 0, second = 1000;

    route->budget = options->budget;
    route->limits = options->limits;
    route->limited = is_limited(&options->limits);
    route->cache_control = options->cache_control;
    if (options->cache_control.data != NULL &&
        !pl_header_value_valid(options->cache_control))
        return pl_error_set(error, PL_ERR_INVALID, route->where,
                            "cache_control is not a header value");
    if (options->expires.data == NULL)
        return 0;
    if (!pl_str_to_ms(options->expires, &ms) || ms / second > INT32_MAX)
        return pl_error_set(error, PL_ERR_INVALID, route->where,
                            "expires: '%.*s' is not a duration (\"1h\")",
                            (int)PL_MIN(options->expires.len, 64),
                            options->expires.data);
    route->expires = (int64_t)(ms / second);
    if (options->cache_control.data == NULL) {
        char *end = stpcpy(text, "max-age=");

        end += pl_u64_format(end, ms / second);
        route->cache_control = pl_str(text, (size_t)(end - text));
    }
    return 0;
}

/* The handler inside the filters of the current scope. */
static struct pl_chain *make_chain(struct pl_site_scope *scope,
                                   struct pl_handler *handler)
{
    for (unsigned i = 0; i < scope->nfilters; i++)
        scope->filters[i]->refs++;
    return pl_chain_new(scope->filters, scope->nfilters, handler);
}

int pl_site_route(struct pl_site *site, unsigned methods, struct pl_str pattern,
                  bool mount, struct pl_handler *handler,
                  const struct pl_route_options *options, const char *where,
                  struct pl_error *error)
{
    struct pl_site_scope *scope = site->scope;
    struct pl_route route = {.where = where,
                             .host = scope->host.data,
                             .methods = methods,
                             .mount = mount,
                             .expires = -1};
    struct pl_str whole = join(site, pattern);
    char text[32];
    int err = 0;

    PL_ASSERT(methods != 0);
    if (whole.data == NULL)
        err = no_memory(error, where);
    else if (pl_str_chr(pattern, '\0') >= 0 ||
             (pattern.len > 0 && pattern.data[0] != '/') ||
             (whole.len == 0 && !mount))
        err = pl_error_set(error, PL_ERR_INVALID, where,
                           "route pattern '%.*s': must begin with '/'",
                           PL_STR_ARG(pattern));
    if (err == 0 && options != NULL)
        err = take_options(&route, options, text, error);
    if (err < 0) {
        handler->free(handler);
        return err;
    }
    route.pattern = whole.len == 0 ? "/" : whole.data;
    route.chain = make_chain(scope, handler);
    if (route.chain == NULL)
        return no_memory(error, where);
    return pl_router_add(site->router, &route, error);
}

/* ---- around all routes ---- */

void pl_site_around(struct pl_site *site, struct pl_filter *filter)
{
    if (site->around != NULL)
        pl_filter_drop(site->around);
    site->around = filter;
}

static int wrap_routes(struct pl_site *site, struct pl_error *error)
{
    struct pl_route *route;
    int err = 0;

    for (unsigned i = 0; err == 0; i++) {
        route = (struct pl_route *)pl_router_route(site->router, i);
        if (route == NULL)
            break;
        err = pl_chain_wrap(&route->chain, site->around);
    }
    return err < 0 ? no_memory(error, "") : 0;
}

int pl_site_complete(struct pl_site *site, struct pl_error *error)
{
    int err = pl_site_settings_check(site, error);

    if (PL_WITH_COMPRESS && err == 0 && site->around != NULL)
        err = wrap_routes(site, error);
    return err;
}
