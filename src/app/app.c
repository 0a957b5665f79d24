/* app.c - the application of a C program (perilune.h): records what the program
 * says in a site, and serves that site like any other.
 *
 * A C program is loaded once, by its own start: the loader gives every worker
 * the same site, which does not change while it is served. */
#include "app/app.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "handlers/error_pages.h"
#include "handlers/listing.h"

const char *pl_version(void)
{
    return PL_VERSION;
}

/* ---- the loader ---- */

/* The addresses are open, and this is the first worker to hear of it. */
static void announce_start(struct pl_app *app)
{
    const struct pl_server *server = &app->server;
    const struct pl_addr *addr = &server->listening.groups[0]->addr;

    if (addr->sa.sa_family != AF_UNIX)
        app->port = pl_addr_port(addr);
    if (app->on_start != NULL)
        app->on_start(app, app->on_start_arg);
}

static void begin_load(void *arg, struct pl_load *load)
{
    struct pl_app *app = arg;
    struct pl_generation *gen = load->gen;

    gen->site = app->site;
    gen->state = pl_app_memos_new(app, pl_loop_pool(gen->worker->loop));
    if (gen->state == NULL) {
        pl_op_complete(&load->op, pl_error_set(&load->error, PL_ERR_NOMEM, "",
                                               "out of memory"));
        return;
    }
    /* The scratch load comes before there are workers. */
    if (app->server.workers != NULL && gen->worker->id == 0)
        announce_start(app);
    pl_op_complete(&load->op, 0);
}

static void drop_load(void *arg, struct pl_generation *gen)
{
    pl_app_memos_free(arg, gen->state);
}

struct pl_app *pl_request_app(const struct pl_request *req)
{
    const struct pl_generation *gen = req->generation;

    return gen != NULL && gen->loader->begin == begin_load ? gen->loader->arg
                                                           : NULL;
}

/* ---- life ---- */

struct pl_app *pl_app_new(void)
{
    static const struct pl_server_options options = {.port = -1};
    struct pl_app *app = pl_calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    app->magic = PL_APP_MAGIC;
    app->loader = (struct pl_loader){
        .name = "the program",
        .fixed = true,
        .arg = app,
        .begin = begin_load,
        .commit = pl_app_commit,
        .drop = drop_load,
    };
    app->site = pl_site_new();
    if (app->site == NULL ||
        pl_server_init(&app->server, &options, &app->loader) < 0) {
        pl_site_free(app->site);
        pl_free(app);
        return NULL;
    }
    app->site->admin = NULL; /* only if the program says where */
    return app;
}

void pl_app_free(struct pl_app *app)
{
    if (app == NULL)
        return;
    PL_CHECK(app, PL_APP_MAGIC);
    pl_server_fini(&app->server);
    pl_site_free(app->site);
    pl_app_set_state(app, NULL, NULL);
    pl_app_forget_caches(app);
    pl_app_forget_shared(app);
    pl_app_forget_tasks(app);
    app->magic = 0;
    pl_free(app);
}

/* ---- what is said before it runs ---- */

const char *pl_app_error(const struct pl_app *app)
{
    return app->error.text;
}

int pl_app_note(struct pl_app *app, int err, const char *call, const char *what,
                const char *why)
{
    const char *quote = what[0] == '\0' ? "" : "\"";

    if (err < 0 && app->error.code == 0)
        pl_error_set(&app->error, err, "", "%s(%s%s%s): %s", call, quote, what,
                     quote, why);
    return err;
}

/* A site that is served does not change. */
static bool is_fixed(const struct pl_app *app)
{
    PL_CHECK(app, PL_APP_MAGIC);
    return app->running;
}

int pl_app_add(struct pl_app *app, const char *call, unsigned methods,
               const char *pattern, pl_handler_fn *handler, void *arg,
               void (*free_arg)(void *arg))
{
    struct pl_error error = {.text = "out of memory"};
    struct pl_handler *made;
    int err = PL_ERR_NOMEM;

    if (is_fixed(app)) {
        if (free_arg != NULL)
            free_arg(arg);
        return PL_ERR_STATE;
    }
    made = pl_fiber_handler_new(handler, arg, free_arg);
    if (made != NULL)
        err = pl_site_route(app->site, methods, pl_str_c(pattern), false, made,
                            &app->limits[app->depth], "", &error);
    return pl_app_note(app, err, call, pattern, error.text);
}

#define ROUTES(X) /* function, methods */                                      \
    X(pl_app_get, PL_METHOD_BIT(PL_METHOD_GET))                                \
    X(pl_app_post, PL_METHOD_BIT(PL_METHOD_POST))                              \
    X(pl_app_put, PL_METHOD_BIT(PL_METHOD_PUT))                                \
    X(pl_app_patch, PL_METHOD_BIT(PL_METHOD_PATCH))                            \
    X(pl_app_delete, PL_METHOD_BIT(PL_METHOD_DELETE))                          \
    X(pl_app_head, PL_METHOD_BIT(PL_METHOD_HEAD))                              \
    X(pl_app_options, PL_METHOD_BIT(PL_METHOD_OPTIONS))                        \
    X(pl_app_any, PL_METHODS_ANY)
#define ROUTE(name, methods)                                                   \
    int name(struct pl_app *app, const char *pattern, pl_handler_fn *handler,  \
             void *arg)                                                        \
    {                                                                          \
        return pl_app_add(app, #name, methods, pattern, handler, arg, NULL);   \
    }
ROUTES(ROUTE)
#undef ROUTE

int pl_app_route(struct pl_app *app, const char *methods, const char *pattern,
                 pl_handler_fn *handler, void *arg)
{
    struct pl_str rest = pl_str_c(methods), name;
    unsigned bits = 0;

    if (is_fixed(app))
        return PL_ERR_STATE;
    while (pl_str_split(&rest, ' ', &name)) {
        enum pl_method method = pl_method_parse(name);

        if (name.len > 0 && method == PL_METHOD_UNKNOWN)
            return pl_app_note(
                app, PL_ERR_INVALID, "pl_app_route", methods,
                "methods are upper-case names with spaces between");
        if (name.len > 0)
            bits |= PL_METHOD_BIT(method);
    }
    return pl_app_add(app, "pl_app_route", bits, pattern, handler, arg, NULL);
}

static bool open_listing(const struct pl_app_static_options *given,
                         struct pl_static_options *files,
                         struct pl_error *error)
{
    const struct pl_listing_options options = {
        .template = given->listing != NULL && given->listing[0] != '\0'
                        ? given->listing
                        : NULL,
        .dot_files = given->dot_files,
    };

    if (given->listing == NULL)
        return true;
    files->folder = pl_listing_new(&options, error);
    return files->folder != NULL;
}

int pl_app_static(struct pl_app *app, const char *prefix, const char *folder,
                  const struct pl_app_static_options *options)
{
    struct pl_app_static_options given;
    struct pl_static_options files = {.root = folder};
    struct pl_route_options route = app->limits[app->depth];
    struct pl_error error = {.code = 0};
    struct pl_handler *handler;
    int err;

    if (is_fixed(app))
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, options);
    files.index = given.index;
    files.fallback = given.fallback;
    files.not_found = given.not_found;
    files.symlinks = pl_str_c(given.symlinks);
    files.cache = pl_str_c(given.cache);
    files.preload = given.preload ? PL_STATIC_PRELOAD : 0;
    files.dot_files = given.dot_files;
    files.no_precompressed = given.no_precompressed;
    route.expires = pl_str_c(given.expires);
    route.cache_control = pl_str_c(given.cache_control);
    err = pl_site_name_path(app->site, pl_str_c(folder), PL_PATH_READ);
    if (err < 0)
        return pl_app_note(app, err, "pl_app_static", prefix, pl_err_text(err));
    handler = open_listing(&given, &files, &error)
                  ? pl_static_new(&files, &error)
                  : NULL;
    err = error.code;
    if (handler != NULL)
        err =
            pl_site_route(app->site, PL_METHOD_BIT(PL_METHOD_GET),
                          pl_str_c(prefix), true, handler, &route, "", &error);
    return pl_app_note(app, err, "pl_app_static", prefix, error.text);
}

int pl_app_limits(struct pl_app *app, const struct pl_limits *limits)
{
    struct pl_limits given;

    if (is_fixed(app))
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, limits);
    app->limits[app->depth] = (struct pl_route_options){
        .budget = {.wall_ms = given.wall_ms, .cpu_ms = given.cpu_ms},
        .limits = {.max_body = given.max_body,
                   .max_upload = given.max_upload,
                   .spool = given.body_spool,
                   .max_fields = given.max_form_fields,
                   .max_parts = given.max_parts,
                   .rate = given.body_rate},
    };
    return 0;
}

int pl_app_use(struct pl_app *app, pl_filter_fn *filter, void *arg)
{
    struct pl_error error = {.text = "out of memory"};
    struct pl_filter *made;
    int err = PL_ERR_NOMEM;

    if (is_fixed(app))
        return PL_ERR_STATE;
    made = pl_fiber_filter_new(filter, arg, NULL);
    if (made != NULL)
        err = pl_site_use(app->site, made, &error);
    return pl_app_note(app, err, "pl_app_use", "", error.text);
}

/* ---- hosts and groups ---- */

static int begin_scope(struct pl_app *app, bool host, const char *name)
{
    const char *call = host ? "pl_app_host_begin" : "pl_app_group_begin";
    struct pl_str empty = PL_STR(""), text = pl_str_c(name);
    struct pl_error error = {.code = 0};
    int err;

    if (is_fixed(app))
        return PL_ERR_STATE;
    if (app->depth == PL_APP_DEPTH_MAX)
        return pl_app_note(app, PL_ERR_LIMIT, call, name, "nested too deeply");
    err = pl_site_enter(app->site, host ? text : empty, host ? empty : text, "",
                        &error);
    if (err == 0) {
        app->hosts = app->hosts << 1 | host;
        app->limits[app->depth + 1] = app->limits[app->depth];
        app->depth++;
    }
    return pl_app_note(app, err, call, name, error.text);
}

static int end_scope(struct pl_app *app, bool host)
{
    const char *call = host ? "pl_app_host_end" : "pl_app_group_end";

    if (is_fixed(app))
        return PL_ERR_STATE;
    if (app->depth == 0 || (app->hosts & 1) != host)
        return pl_app_note(app, PL_ERR_STATE, call, "",
                           "it was not begun last");
    pl_site_leave(app->site);
    app->hosts >>= 1;
    app->depth--;
    return 0;
}

int pl_app_host_begin(struct pl_app *app, const char *host)
{
    return begin_scope(app, true, host);
}

int pl_app_host_end(struct pl_app *app)
{
    return end_scope(app, true);
}

int pl_app_group_begin(struct pl_app *app, const char *prefix)
{
    return begin_scope(app, false, prefix);
}

int pl_app_group_end(struct pl_app *app)
{
    return end_scope(app, false);
}

/* ---- settings ---- */

static void read_listen(const struct pl_app_listen_options *given,
                        struct pl_listen_spec *spec)
{
    spec->protocol = given->protocol;
    spec->proxy_protocol = given->proxy_protocol;
    spec->trusted = given->trusted;
    spec->forwarded = given->forwarded;
    spec->options = (struct pl_listen_options){.sockets = given->reuseport,
                                               .backlog = given->backlog,
                                               .mode = given->mode,
                                               .owner = given->owner,
                                               .group = given->group,
                                               .v6only = given->v6only,
                                               .eager = given->no_defer_accept};
    spec->options.https_port = (uint16_t)given->redirect_port;
    spec->options.sendfile = given->sendfile;
}

int pl_app_open(struct pl_app *app, const char *call, const char *address,
                const struct pl_app_listen_options *options,
                struct pl_service *service)
{
    struct pl_listen_spec spec = {
        .address = address, .where = "", .service = service};
    struct pl_app_listen_options given;
    struct pl_tls_options tls = {.pairs = NULL};
    struct pl_error error = {.code = 0};
    int err = 0;

    PL_OPTIONS_READ(&given, options);
    read_listen(&given, &spec);
    spec.options.eager |= service != NULL; /* it may be the one to begin */
    if (given.tls != NULL) {
        err = pl_app_tls_read(given.tls, &tls, &error);
        spec.options.tls = &tls;
    }
    if (err == 0)
        err = pl_site_listen(app->site, &spec, &error);
    pl_app_tls_drop(&tls);
    return pl_app_note(app, err, call, address, error.text);
}

int pl_app_listen_with(struct pl_app *app, const char *address,
                       const struct pl_app_listen_options *options)
{
    return is_fixed(app)
               ? PL_ERR_STATE
               : pl_app_open(app, "pl_app_listen", address, options, NULL);
}

int pl_app_listen(struct pl_app *app, const char *address)
{
    return pl_app_listen_with(app, address, NULL);
}

/* The settings of programs; NULL: it is one of sites. */
static bool *own_setting(struct pl_app *app, struct pl_str name)
{
    if (pl_str_eq(name, PL_STR("signals")))
        return &app->signals;
    return pl_str_eq(name, PL_STR("announce")) ? &app->announce : NULL;
}

int pl_app_set(struct pl_app *app, const char *name, const char *value)
{
    struct pl_value text = {.type = PL_VALUE_STRING, .string = pl_str_c(value)};
    struct pl_error error = {.code = 0};
    bool *own, on;
    int err;

    if (is_fixed(app))
        return PL_ERR_STATE;
    own = own_setting(app, pl_str_c(name));
    if (own == NULL) {
        err = pl_site_set(app->site, pl_str_c(name), &text, "", &error);
        return pl_app_note(app, err, "pl_app_set", name, error.text);
    }
    on = pl_str_eq(text.string, PL_STR("on"));
    if (!on && !pl_str_eq(text.string, PL_STR("off")))
        return pl_app_note(app, PL_ERR_INVALID, "pl_app_set", name,
                           "must be \"on\" or \"off\"");
    *own = on;
    return 0;
}

int pl_app_set_header(struct pl_app *app, const char *name, const char *value)
{
    struct pl_error error = {.code = 0};
    int err;

    if (is_fixed(app))
        return PL_ERR_STATE;
    err = pl_site_add_header(app->site, pl_str_c(name), pl_str_c(value), "",
                             &error);
    return pl_app_note(app, err, "pl_app_set_header", name, error.text);
}

void pl_app_set_state(struct pl_app *app, void *state,
                      void (*free_state)(void *state))
{
    if (app->free_state != NULL)
        app->free_state(app->state);
    app->state = state;
    app->free_state = free_state;
}

void *pl_app_state(const struct pl_app *app)
{
    return app->state;
}

void pl_app_on_start(struct pl_app *app,
                     void (*fn)(struct pl_app *app, void *arg), void *arg)
{
    app->on_start = fn;
    app->on_start_arg = arg;
}

/* ---- figures ---- */

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_turns(struct pl_turn_stats *sum, const struct pl_turns *turns)
{
    _Static_assert(PL_COUNT(sum->buckets) == PL_TURN_BUCKETS, "the same");
    sum->turns += get(&turns->count);
    sum->total_ns += get(&turns->total);
    sum->longest_ns = PL_MAX(sum->longest_ns, get(&turns->longest));
    sum->held += get(&turns->held);
    sum->aborted += get(&turns->aborted);
    for (int i = 0; i < PL_TURN_BUCKETS; i++)
        sum->buckets[i] += get(&turns->buckets[i]);
}

void pl_app_turn_stats(const struct pl_app *app, struct pl_turn_stats *stats)
{
    const struct pl_server *server = &app->server;
    struct pl_turn_stats sum = {.size = stats->size};

    for (unsigned i = 0; server->workers != NULL && i < server->nworkers; i++) {
        const struct pl_worker *worker = &server->workers[i];

        if (worker->stage >= PL_WORKER_LOADING &&
            worker->stage < PL_WORKER_OVER)
            add_turns(&sum, pl_loop_turns(worker->loop));
    }
    memcpy(stats, &sum, PL_MIN(sum.size, sizeof(sum)));
}

/* ---- running ---- */

static void open_error_pages(struct pl_app *app)
{
    struct pl_error error;
    char text[sizeof(error.where) + sizeof(error.text) + 2];
    int err = pl_error_pages_open(app->site, &error);

    if (err == 0)
        return;
    snprintf(text, sizeof(text), "%s: %s", error.where, error.text);
    pl_app_note(app, err, "pl_app_set", "error_pages", text);
}

/* Returns what keeps it from running, or NULL. */
static const char *reason_not_to_run(struct pl_app *app)
{
    if (app->depth > 0)
        pl_app_note(app, PL_ERR_STATE, "pl_app_run", "",
                    "a host or group is open");
    if (app->error.code == 0)
        pl_site_complete(app->site, &app->error);
    if (app->error.code == 0)
        open_error_pages(app);
    return app->error.code == 0 ? NULL : app->error.text;
}

static int complain(const char *why, int exit_code)
{
    fprintf(stderr, "perilune: %s\n", why);
    return exit_code;
}

int pl_app_run(struct pl_app *app)
{
    /* Logs and media types are the process's. */
    static atomic_flag busy = ATOMIC_FLAG_INIT;
    struct pl_server *server = &app->server;
    const char *why;
    int code;

    if (is_fixed(app))
        return complain("pl_app_run() runs an application only once",
                        PL_EXIT_FAILURE);
    why = reason_not_to_run(app);
    if (why != NULL)
        return complain(why, PL_EXIT_SITE);
    if (atomic_flag_test_and_set(&busy))
        return complain("pl_app_run() runs one application at a time",
                        PL_EXIT_FAILURE);
    app->running = true;
    server->options.own_process = app->signals;
    server->options.quiet = !app->announce;
    code = pl_server_run(server);
    atomic_flag_clear(&busy);
    return code;
}

void pl_app_stop(struct pl_app *app)
{
    PL_CHECK(app, PL_APP_MAGIC);
    pl_server_stop(&app->server, pl_server_stopping(&app->server), PL_EXIT_OK);
}

unsigned pl_app_port(const struct pl_app *app)
{
    return app->port;
}

/* A web server in front of us is told, too, what is wrong with one of its
 * requests. */
PL_COLD static void tell_web_server(const char *fmt, va_list ap)
{
    struct pl_request *req = pl_request_of_task(pl_task_current());
    char text[1024];
    int len;

    if (req == NULL)
        return;
    len = vsnprintf(text, sizeof(text), fmt, ap);
    pl_request_complain(
        req, pl_str(text, PL_MIN((size_t)PL_MAX(len, 0), sizeof(text) - 1)));
}

void pl_app_log(enum pl_level level, const char *fmt, ...)
{
    va_list ap;

    if (level >= pl_log_level) {
        va_start(ap, fmt);
        pl_log_vwrite(NULL, level, "app", fmt, ap);
        va_end(ap);
    }
    if (PL_WITH_FASTCGI && level >= PL_LOG_WARN) {
        va_start(ap, fmt);
        tell_web_server(fmt, ap);
        va_end(ap);
    }
}
