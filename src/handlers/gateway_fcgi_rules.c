/* gateway_fcgi_rules.c - what a site says of a gateway to FastCGI, checked and
 * made rules. What it has in common with a proxy is read as that of one. */
#include <limits.h>

#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "handlers/gateway_fcgi.h"
#include "handlers/static.h"

static int wrong(struct pl_error *error, const char *fmt, const char *value)
{
    return pl_error_set(error, PL_ERR_INVALID, "", fmt, value);
}

static struct pl_str copy(struct pl_gateway *gateway, const char *text)
{
    return pl_arena_str(&gateway->arena, pl_str_c(text));
}

/* ---- names ---- */

/* The next of some names, with spaces between. */
static bool next_name(struct pl_str *names, struct pl_str *name)
{
    while (pl_str_split(names, ' ', name))
        if (name->len > 0)
            return true;
    return false;
}

static int check_suffixes(const char *names, struct pl_error *error)
{
    struct pl_str rest = pl_str_c(names), name;

    while (next_name(&rest, &name))
        if (name.len < 2 || name.data[0] != '.' || pl_str_chr(name, '/') >= 0)
            return wrong(error, "suffixes: '%s' are none like \".php\"", names);
    return 0;
}

/* Are all of them paths below a folder? */
static int check_paths(const char *option, const char *names,
                       struct pl_error *error)
{
    struct pl_str rest = pl_str_c(names), name;

    while (next_name(&rest, &name))
        if (!pl_file_path_ok(name, true) || name.data[name.len - 1] == '/')
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "%s: '%.*s' is no path below the root", option,
                                PL_STR_ARG(name));
    return 0;
}

static int take_names(struct pl_gateway *gateway,
                      const struct pl_fastcgi_options *options,
                      struct pl_error *error)
{
    struct pl_script_folder *folder = &gateway->fcgi->folder;
    const char *suffixes =
        options->suffixes == NULL ? ".php" : options->suffixes;
    const char *index = options->index;
    int err = check_suffixes(suffixes, error);

    if (index == NULL)
        index = options->files ? "index.php index.html" : "index.php";
    if (err == 0)
        err = check_paths("index", index, error);
    if (err == 0)
        err = check_paths("fallback", options->fallback, error);
    if (err == 0)
        err = check_paths("no_scripts", options->no_scripts, error);
    folder->suffixes = copy(gateway, suffixes);
    folder->index = copy(gateway, index);
    folder->fallback = copy(gateway, options->fallback);
    folder->closed = copy(gateway, options->no_scripts);
    if (err == 0 && options->fallback != NULL &&
        !pl_script_is_one(folder, folder->fallback))
        err = wrong(error, "fallback: '%s' is no script", options->fallback);
    return err;
}

/* ---- the folder ---- */

static int open_folder(struct pl_gateway *gateway, const char *root,
                       struct pl_error *error)
{
    struct pl_script_folder *folder = &gateway->fcgi->folder;
    char real[PATH_MAX];

    folder->fd = pl_file_open_root(root);
    if (folder->fd < 0 || pl_sys_realpath(root, real) == NULL)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "root: cannot open folder '%s'", root);
    folder->remote = pl_file_is_remote(folder->fd);
    gateway->fcgi->root = copy(gateway, real);
    return 0;
}

/* The names of index that are no scripts: a static handler's. */
static struct pl_str plain_index(struct pl_gateway *gateway)
{
    const struct pl_script_folder *folder = &gateway->fcgi->folder;
    struct pl_str rest = folder->index, name, text = PL_STR("");

    while (text.data != NULL && next_name(&rest, &name))
        if (!pl_script_is_one(folder, name))
            text =
                pl_arena_printf(&gateway->arena, "%.*s%s%.*s", PL_STR_ARG(text),
                                text.len > 0 ? " " : "", PL_STR_ARG(name));
    return text;
}

static int take_files(struct pl_gateway *gateway,
                      const struct pl_fastcgi_options *options,
                      struct pl_error *error)
{
    struct pl_gateway_fcgi *fcgi = gateway->fcgi;
    struct pl_str index = plain_index(gateway);
    struct pl_static_options files = {
        .root = options->root,
        .index = index.data,
        .symlinks = pl_str_c(options->symlinks),
    };

    fcgi->folder.files = options->files;
    if (!options->files)
        return 0;
    if (fcgi->folder.blind)
        return wrong(error, "%s: files on another machine cannot be served",
                     "static");
    fcgi->files = pl_static_new(&files, error);
    return fcgi->files == NULL ? error->code : 0;
}

static int take_folder(struct pl_gateway *gateway,
                       const struct pl_fastcgi_options *options,
                       struct pl_error *error)
{
    struct pl_gateway_fcgi *fcgi = gateway->fcgi;
    int err = 0;

    fcgi->chooses = options->root != NULL;
    fcgi->folder.blind = options->remote;
    if (!fcgi->chooses)
        return options->files || options->fallback != NULL
                   ? wrong(error, "%s is needed", "root")
                   : 0;
    fcgi->folder.links = PL_LINKS_INSIDE;
    if (options->symlinks != NULL &&
        !pl_file_links_parse(pl_str_c(options->symlinks), &fcgi->folder.links))
        return wrong(error,
                     "symlinks: '%s' is none of inside, owner, none, all",
                     options->symlinks);
    if (options->remote)
        fcgi->root = copy(gateway, options->root);
    else
        err = open_folder(gateway, options->root, error);
    if (err == 0 && options->script_root != NULL)
        fcgi->root = copy(gateway, options->script_root);
    while (fcgi->root.len > 0 && fcgi->root.data[fcgi->root.len - 1] == '/')
        fcgi->root.len--;
    if (err == 0)
        err = take_names(gateway, options, error);
    return err < 0 ? err : take_files(gateway, options, error);
}

/* ---- variables ---- */

static int take_params(struct pl_gateway *gateway,
                       const struct pl_fastcgi_options *options,
                       struct pl_error *error)
{
    struct pl_gateway_fields *own = &gateway->fcgi->own;
    size_t n = options->nparams;

    own->list = pl_arena_alloc(&gateway->arena, (n + 1) * sizeof(*own->list));
    for (size_t i = 0; own->list != NULL && i < n; i++) {
        struct pl_str name = options->params[i].name;
        struct pl_str kept = pl_arena_str(&gateway->arena, name);

        if (name.len == 0 || name.len > UINT16_MAX ||
            pl_str_chr(name, '\0') >= 0 || pl_str_chr(name, '=') >= 0)
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "params: '%.*s' is no name of a variable",
                                PL_STR_ARG(name));
        own->list[own->n] = (struct pl_header){.name = kept.data,
                                               .name_len = (uint16_t)name.len};
        own->n += kept.data != NULL;
    }
    if (own->n < n || pl_gateway_make_constant(gateway, options->params, n) < 0)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    return 0;
}

static int take_sendfile(struct pl_gateway *gateway,
                         const struct pl_fastcgi_options *options,
                         struct pl_error *error)
{
    struct pl_gateway_fcgi *fcgi = gateway->fcgi;
    char real[PATH_MAX];

    if (options->sendfile == NULL)
        return options->sendfile_prefix == NULL
                   ? 0
                   : wrong(error, "%s is needed", "sendfile");
    if (pl_sys_realpath(options->sendfile, real) == NULL)
        return wrong(error, "sendfile: cannot open folder '%s'",
                     options->sendfile);
    if (options->sendfile_prefix != NULL && options->sendfile_prefix[0] != '/')
        return wrong(error, "sendfile_prefix: '%s' is no path",
                     options->sendfile_prefix);
    fcgi->sendfile = copy(gateway, real);
    fcgi->sendfile_prefix = copy(gateway, options->sendfile_prefix);
    return 0;
}

/* ---- all of it ---- */

/* What a proxy has, too. Connections are not kept unless that is said: a
 * process of PHP serves nobody else as long as its connection is open. */
static struct pl_proxy_options
common_of(const struct pl_fastcgi_options *options)
{
    return (struct pl_proxy_options){
        .size = sizeof(struct pl_proxy_options),
        .servers = options->servers,
        .nservers = options->nservers,
        .balance = options->balance,
        .hash = options->hash,
        .response_headers = options->response_headers,
        .nresponse_headers = options->nresponse_headers,
        .keep_location = true,
        .keep_cookies = true,
        .no_websocket = true,
        .max_connections = options->max_connections,
        .queue = options->queue,
        .queue_ms = options->queue_ms,
        .keepalive = options->keepalive == 0 ? UINT32_MAX : options->keepalive,
        .keepalive_ms = options->keepalive_ms,
        .connect_ms = options->connect_ms,
        .first_byte_ms = options->first_byte_ms,
        .between_ms = options->between_ms,
        .total_ms = options->total_ms,
        .retries = options->retries,
        .max_failures = options->max_failures,
        .pause_ms = options->pause_ms,
    };
}

static struct pl_gateway *make(const struct pl_fastcgi_options *options,
                               struct pl_error *error)
{
    struct pl_proxy_options common = common_of(options);
    struct pl_gateway_fcgi *fcgi = pl_calloc(1, sizeof(*fcgi));
    struct pl_gateway *gateway;

    if (fcgi == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    fcgi->folder.fd = -1;
    fcgi->gathers = options->buffer;
    gateway = pl_gateway_make(&common, fcgi, error);
    if (gateway == NULL)
        pl_gateway_fcgi_free(fcgi);
    return gateway;
}

struct pl_handler *pl_gateway_fcgi_new(const struct pl_fastcgi_options *options,
                                       struct pl_error *error)
{
    struct pl_fastcgi_options all;
    struct pl_gateway *gateway;
    struct pl_error own;

    PL_OPTIONS_READ(&all, options);
    error = error == NULL ? &own : error;
    gateway = make(&all, error);
    if (gateway == NULL)
        return NULL;
    pl_gateway_fcgi_init(gateway);
    if (take_folder(gateway, &all, error) == 0 &&
        take_params(gateway, &all, error) == 0 &&
        take_sendfile(gateway, &all, error) == 0)
        return &gateway->handler;
    pl_gateway_drop(gateway);
    return NULL;
}
