#include "command/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "app/site_file.h"
#include "base/features.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "command/script.h"
#include "http/forwarded.h"
#include "http/h2.h"
#include "lua/module.h"
#include "lua/vm.h"
#include "process/supervisor.h"
#include "process/upgrade.h"
#include "process/upgrade_state.h"

/* ---- serve ---- */

static bool is_true(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && strcmp(value, "true") == 0;
}

/* A folder of pages takes some of its options from the environment, as it did
 * in 80s (docs/content.md). The command line wins. */
static int add_environment(const struct pl_site_file *file,
                           struct pl_server_options *how,
                           struct pl_error *error)
{
    if (!file->content)
        return 0;
    if (is_true("RELOAD"))
        how->watch = PL_WITH_WATCH && PL_WITH_RELOAD;
    if (!is_true("TLS") || how->tls_dev || how->tls_cert != NULL)
        return 0;
    how->tls_cert = getenv("TLS_PUBKEY");
    how->tls_key = getenv("TLS_PRIVKEY");
    return how->tls_cert != NULL && how->tls_cert[0] != '\0'
               ? 0
               : pl_error_set(error, PL_ERR_INVALID, "",
                              "TLS=true needs a certificate in TLS_PUBKEY, and "
                              "its key in TLS_PRIVKEY");
}

static int open_site(struct pl_options *options, struct pl_site_file *file)
{
    struct pl_server_options *how = &options->server;
    struct pl_error error = {.code = 0};

    if (pl_site_file_init(file, options->path, how->dialect, &error) < 0)
        return pl_exit_say(PL_EXIT_SITE, &error);
    if (PL_WITH_CONTENT && add_environment(file, how, &error) < 0) {
        pl_site_file_fini(file);
        return pl_exit_say(PL_EXIT_SITE, &error);
    }
    return PL_EXIT_OK;
}

static int serve(struct pl_options *options)
{
    struct pl_site_file file;
    struct pl_server server;
    int code = open_site(options, &file);

    if (code != PL_EXIT_OK)
        return code;
    if (pl_server_init(&server, &options->server, &file.loader) < 0) {
        pl_site_file_fini(&file);
        return pl_exit_text(PL_EXIT_FAILURE,
                            "cannot start: out of descriptors or memory");
    }
    file.server = &server;
    code = pl_server_run(&server);
    pl_server_fini(&server);
    pl_site_file_fini(&file);
    return code;
}

/* In each server process that a supervisor starts, or in the only one. Those
 * after the first listen where the first has said that it does. */
int pl_command_serve(struct pl_options *options)
{
    struct pl_server_link link;
    int code;

    if (!PL_WITH_SUPERVISOR || options->alone)
        return serve(options);
    if (!pl_supervise(options->argv, &link, &code))
        return code;
    options->server.link = &link;
    options->server.quiet |= link.starts > 0;
    code = serve(options);
    pl_sys_close(link.fd);
    return code;
}

/* ---- check ---- */

static void print_methods(unsigned methods, char *out)
{
    size_t n = 0;

    if (methods == PL_METHODS_ANY) {
        memcpy(out, "ANY", 4);
        return;
    }
    for (int method = 0; method < PL_METHOD_COUNT; method++) {
        struct pl_str name = pl_method_name((enum pl_method)method);

        if (!(methods & PL_METHOD_BIT(method)))
            continue;
        if (n > 0)
            out[n++] = ',';
        memcpy(out + n, name.data, name.len);
        n += name.len;
    }
    out[n] = '\0';
}

static void print_route(const struct pl_route *route)
{
    char methods[128];
    const char *slash = route->mount ? "/*" : "";

    if (route->mount && strcmp(route->pattern, "/") == 0)
        slash = "*";
    print_methods(route->methods, methods);
    printf("route   %-8s %s%s%s  (%s, %s", methods, route->host, route->pattern,
           slash, pl_chain_handler(route->chain)->kind, route->where);
    if (pl_chain_filters(route->chain) > 0)
        printf(", %u filters", pl_chain_filters(route->chain));
    printf(")\n");
}

static void print_rule(const struct pl_site_rule *rule)
{
    char status[16] = "";

    if (rule->redirect != 0)
        snprintf(status, sizeof(status), "%d", rule->redirect);
    printf("rule    %-8s %.*s%.*s%s%s -> %s  (%s)\n", status,
           PL_STR_ARG(rule->host), PL_STR_ARG(rule->prefix),
           rule->host.len + rule->prefix.len > 0 ? " " : "", rule->pattern,
           rule->to != NULL ? rule->to : "a function", rule->where);
}

static void print_trust(const struct pl_trust *trust)
{
    char text[PL_ADDR_TEXT];

    for (unsigned i = 0; trust != NULL && i < trust->count; i++) {
        pl_trust_format(&trust->ranges[i], text);
        printf("%s%s", i == 0 ? " trusted=" : ",", text);
    }
}

static void print_forwarded(unsigned fields)
{
    static const char *const names[] = {
#define NAME(name, field) field,
        PL_FORWARDED_MAP(NAME)
#undef NAME
    };
    const char *before = " forwarded=";

    if (fields == PL_FORWARDED_NONE)
        printf("%snone", before);
    for (unsigned i = 0; i < PL_COUNT(names); i++) {
        if (!(fields & 1u << i))
            continue;
        printf("%s%s", before, names[i]);
        before = ",";
    }
}

/* What differs from the defaults. */
static void print_options(const struct pl_listen_options *options)
{
    static const char *const proxy[] = {"", " proxy_protocol=optional",
                                        " proxy_protocol=required"};

    if (options->tls != NULL)
        printf(" tls");
    if (options->https_port != 0)
        printf(" redirect=%u", options->https_port);
    if (options->speak != PL_SPEAK_HTTP)
        printf(" protocol=%s", pl_speak_name(options->speak));
    if (options->backlog != 0)
        printf(" backlog=%d", options->backlog);
    if (options->sockets != 0)
        printf(" reuseport=%u", options->sockets);
    if (options->mode != 0)
        printf(" mode=%o", options->mode);
    if (options->owner != NULL)
        printf(" owner=%s", options->owner);
    if (options->group != NULL)
        printf(" group=%s", options->group);
    if (PL_WITH_FASTCGI && options->sendfile != NULL)
        printf(" sendfile=%s", options->sendfile);
    printf("%s%s%s", options->v6only ? " v6only" : "",
           options->eager ? " defer_accept=false" : "", proxy[options->proxy]);
    if (!PL_WITH_PROXY)
        return;
    print_trust(options->trusted);
    print_forwarded(options->forwarded);
}

static void print_listener(const struct pl_listen_spec *spec)
{
    printf("listen  %s%s", spec->address, spec->service != NULL ? " raw" : "");
    print_options(&spec->options);
    printf("  (%s)\n", spec->where);
}

/* A module, and then what it offers. */
static void print_module(void *arg, const char *path,
                         const struct pl_module_name *name)
{
    static const char *const forms[PL_MODULE_KINDS] = {
        [PL_MODULE_KIND_HANDLER] = "  handler   %s\n",
        [PL_MODULE_KIND_METHOD] = "  method    req:%s()\n",
        [PL_MODULE_KIND_FUNCTION] = "  function  %s()\n",
    };

    (void)arg;
    if (name == NULL)
        printf("module  %s\n", path);
    else
        printf(forms[name->kind], name->item.name);
}

static void print_site(void *arg, const struct pl_generation *gen)
{
    const struct pl_site *site = gen->site;
    const struct pl_route *route;
    struct pl_list *node;

    if (PL_WITH_MODULES && gen->vm != NULL)
        pl_vm_each_module(gen->vm, print_module, arg);
    PL_LIST_FOREACH (node, &site->listeners)
        print_listener(PL_LIST_ENTRY(node, struct pl_listen_spec, node));
    PL_LIST_FOREACH (node, &site->services)
        print_listener(PL_LIST_ENTRY(node, struct pl_listen_spec, node));
    if (PL_WITH_REWRITE)
        PL_LIST_FOREACH (node, &site->rules)
            print_rule(PL_LIST_ENTRY(node, struct pl_site_rule, node));
    for (unsigned i = 0; (route = pl_router_route(site->router, i)); i++)
        print_route(route);
}

/* As the successor of a supervisor that runs: it waits for our word. */
static int check_upgrade(void)
{
    struct pl_error error = {.code = 0};
    int asked = PL_WITH_SUPERVISOR ? pl_upgrade_check(&error) : 0;

    if (asked < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    if (asked > 0)
        printf(PL_UPGRADE_GOOD, PL_STATE_VERSION);
    return PL_EXIT_OK;
}

int pl_command_check(struct pl_options *options)
{
    struct pl_site_file file;
    struct pl_server server;
    int code = open_site(options, &file);

    if (code != PL_EXIT_OK)
        return code;
    file.check = true;
    code = PL_EXIT_FAILURE;
    if (pl_server_init(&server, &options->server, &file.loader) == 0) {
        code = pl_server_check(&server, print_site, NULL);
        pl_server_fini(&server);
    }
    pl_site_file_fini(&file);
    if (code == PL_EXIT_OK)
        printf("ok\n");
    return code == PL_EXIT_OK ? check_upgrade() : code;
}

/* ---- version ---- */

static void print_plugin(const char *name)
{
    char libraries[256];

    if (pl_plugin_libraries(name, libraries, sizeof(libraries)))
        printf("plug-ins:  %s (%s)\n", name, libraries);
    else
        printf("plug-ins:  %s is not installed\n", name);
}

static void print_features(void)
{
    printf("features:  http/1.1 static lua");
#define PRINT(NAME)                                                            \
    if (PL_WITH_##NAME)                                                        \
        printf(" " PL_FEATURE_##NAME);
    PL_FEATURE_MAP(PRINT)
#undef PRINT
    printf("\n");
}

int pl_command_version(void)
{
    printf("perilune " PL_VERSION "\n");
    print_features();
    printf("libraries: %s, zlib %s", pl_vm_version(), zlibVersion());
    if (PL_WITH_HTTP2)
        printf(", nghttp2 %s", pl_h2_library());
    printf("\n");
    if (PL_WITH_AUTH)
        print_plugin("auth");
    if (PL_WITH_COMPRESS)
        print_plugin("brotli");
    print_plugin("crypto");
    if (PL_WITH_HTTP_CLIENT) {
        print_plugin("dns");
        print_plugin("http");
    }
    print_plugin("markdown");
    if (PL_WITH_SQL) {
        print_plugin("postgres");
        print_plugin("sqlite");
    }
    if (PL_WITH_TLS)
        print_plugin("tls");
    if (PL_WITH_COMPRESS)
        print_plugin("zstd");
    return PL_EXIT_OK;
}

int pl_command_run(const struct pl_options *options)
{
    return pl_script_run(options->path, options->args);
}
