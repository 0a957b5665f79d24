#include "command/options.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"

enum option {
    OPT_PORT,
    OPT_ADDRESS,
    OPT_FASTCGI,
    OPT_V6,
    OPT_TLS,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_WORKERS,
    OPT_MODULES,
    OPT_USER,
    OPT_PID,
    OPT_ADMIN,
    OPT_LOG,
    OPT_LOG_LEVEL,
    OPT_ACCESS_LOG,
    OPT_DEV,
    OPT_WATCH,
    OPT_ALONE,
    OPT_QUIET,
    OPT_DIALECT,
    OPT_ROOT,
    OPT_CONFIG,
    OPT_LISTEN,
    OPT_TLS_LISTEN,
    OPT_CERT,
    OPT_KEY,
    OPT_CHROOT,
    OPT_VERSION,
    OPT_HELP
};

static const struct {
    const char *name;
    enum option option;
    enum { NO_VALUE, VALUE, MAYBE_VALUE } takes; /* MAYBE: only --NAME=VALUE */
} table[] = {
    {"-p", OPT_PORT, VALUE},
    {"-h", OPT_ADDRESS, VALUE},
    {"-6", OPT_V6, NO_VALUE},
#if PL_WITH_FASTCGI
    {"--fastcgi", OPT_FASTCGI, VALUE},
#endif
    {"--tls", OPT_TLS, VALUE},
    {"--tls-cert", OPT_TLS_CERT, VALUE},
    {"--tls-key", OPT_TLS_KEY, VALUE},
    {"-c", OPT_WORKERS, VALUE},
    {"-m", OPT_MODULES, VALUE},
    {"--user", OPT_USER, VALUE},
    {"--pid", OPT_PID, VALUE},
    {"--admin", OPT_ADMIN, VALUE},
    {"--log", OPT_LOG, VALUE},
    {"--log-level", OPT_LOG_LEVEL, VALUE},
    {"--access-log", OPT_ACCESS_LOG, VALUE},
    {"--dev", OPT_DEV, MAYBE_VALUE},
    {"--watch", OPT_WATCH, NO_VALUE},
    {"--no-supervisor", OPT_ALONE, NO_VALUE},
    {"-q", OPT_QUIET, NO_VALUE},
    {"--quiet", OPT_QUIET, NO_VALUE},
    {"--dialect", OPT_DIALECT, VALUE},
#if PL_WITH_LWAN
    {"--root", OPT_ROOT, VALUE},
    {"-r", OPT_ROOT, VALUE},
    {"--config", OPT_CONFIG, VALUE},
    {"--listen", OPT_LISTEN, VALUE},
    {"-l", OPT_LISTEN, VALUE},
    {"--tls-listen", OPT_TLS_LISTEN, VALUE},
    {"-L", OPT_TLS_LISTEN, VALUE},
    {"--cert-path", OPT_CERT, VALUE},
    {"-P", OPT_CERT, VALUE},
    {"--cert-key", OPT_KEY, VALUE},
    {"-K", OPT_KEY, VALUE},
    {"--chroot", OPT_CHROOT, NO_VALUE},
    {"-C", OPT_CHROOT, NO_VALUE},
    {"-u", OPT_USER, VALUE},
#endif
    {"--version", OPT_VERSION, NO_VALUE},
    {"--help", OPT_HELP, NO_VALUE},
};

static int set_number(const char *name, const char *text, uint64_t least,
                      uint64_t most, uint64_t *out, struct pl_error *error)
{
    if (!pl_str_to_u64(pl_str_c(text), out) || *out < least || *out > most)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "%s %s: a number from %llu to %llu is wanted", name,
                            text, (unsigned long long)least,
                            (unsigned long long)most);
    return 0;
}

static int apply_tls(enum option option, const char *value,
                     struct pl_server_options *server, struct pl_error *error)
{
    if (option == OPT_TLS_CERT)
        server->tls_cert = value;
    else if (option == OPT_TLS_KEY)
        server->tls_key = value;
    else if (strcmp(value, "dev") == 0)
        server->tls_dev = true;
    else
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "--tls %s: only --tls dev is known (a "
                            "certificate: --tls-cert)",
                            value);
    return 0;
}

static int apply_dev(const char *value, struct pl_server_options *server,
                     struct pl_error *error)
{
    if (!PL_WITH_PAGES)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "--dev: " PL_WITHOUT PL_FEATURE_PAGES);
    server->dev = value == NULL ? PL_DEV_HERE : PL_DEV_ANY;
    if (value != NULL && strcmp(value, "any") != 0)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "--dev=%s: only --dev and --dev=any are known",
                            value);
    return 0;
}

static int apply_watch(struct pl_server_options *server, struct pl_error *error)
{
    if (!PL_WITH_WATCH || !PL_WITH_RELOAD)
        return pl_error_set(
            error, PL_ERR_UNSUPPORTED, "", "--watch: " PL_WITHOUT "%s",
            PL_WITH_RELOAD ? PL_FEATURE_WATCH : PL_FEATURE_RELOAD);
    server->watch = true;
    return 0;
}

static int apply_log(enum option option, const char *value,
                     struct pl_server_options *server, struct pl_error *error)
{
    enum pl_level level;

    if (option == OPT_LOG)
        server->error_log = value;
    else if (option == OPT_ACCESS_LOG)
        server->access_log = value;
    else if (pl_log_level_parse(pl_str_c(value), &level))
        server->log_level = value;
    else
        return pl_error_set(error, PL_ERR_INVALID, "", "--log-level %s: use %s",
                            value, "debug, info, notice, warn or error");
    return 0;
}

static int apply_modules(const char *value, struct pl_server_options *server,
                         struct pl_error *error)
{
    if (!PL_WITH_MODULES)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "-m: " PL_WITHOUT PL_FEATURE_MODULES);
    server->modules = value;
    return 0;
}

static int apply_whose(enum option option, const char *value,
                       struct pl_server_options *server, struct pl_error *error)
{
    if (option != OPT_ADMIN) {
        *(option == OPT_PID ? &server->pid_file : &server->user) = value;
        return 0;
    }
    server->admin = value;
    return PL_WITH_ADMIN
               ? 0
               : pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                              "--admin: " PL_WITHOUT PL_FEATURE_ADMIN);
}

static int take_word(const char *word, struct pl_options *out,
                     struct pl_error *error)
{
    if (out->path != NULL)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "one site only: %s is too much (commands come "
                            "first)",
                            word);
    out->path = word;
    if (out->path[0] == '\0')
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "the name of the site is empty");
    return 0;
}

/* Which dialect, and what Lwan's command has beside ours. */
static int apply_dialect(enum option option, const char *value,
                         struct pl_options *out, struct pl_error *error)
{
    struct pl_dialect *dialect = &out->dialect;

    if (!PL_WITH_DIALECTS)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "--dialect %s: " PL_WITHOUT "%s", value, value);
    out->foreign |= option != OPT_DIALECT;
    switch (option) {
    case OPT_DIALECT:
        dialect->name = value;
        break;
    case OPT_LISTEN:
        dialect->listen = value;
        break;
    case OPT_TLS_LISTEN:
        dialect->tls_listen = value;
        break;
    case OPT_CERT:
        dialect->cert = value;
        break;
    case OPT_KEY:
        dialect->key = value;
        break;
    case OPT_CHROOT:
        dialect->chroot = true;
        break;
    default: /* OPT_ROOT, OPT_CONFIG: a folder or a file is the site */
        return take_word(value, out, error);
    }
    return 0;
}

static int apply(enum option option, const char *name, const char *value,
                 struct pl_options *out, struct pl_error *error)
{
    struct pl_server_options *server = &out->server;
    uint64_t number = 0;
    int err = 0;

    switch (option) {
    case OPT_PORT:
        err = set_number(name, value, 0, 65535, &number, error);
        server->port = (int)number;
        break;
    case OPT_WORKERS:
        err = set_number(name, value, 1, 256, &number, error);
        server->workers = (unsigned)number;
        break;
    case OPT_ADDRESS ... OPT_FASTCGI:
        *(option == OPT_ADDRESS ? &server->address : &server->fastcgi) = value;
        break;
    case OPT_V6:
    case OPT_QUIET:
        *(option == OPT_V6 ? &server->v6 : &server->quiet) = true;
        break;
    case OPT_TLS:
    case OPT_TLS_CERT:
    case OPT_TLS_KEY:
        err = apply_tls(option, value, server, error);
        break;
    case OPT_MODULES:
        err = apply_modules(value, server, error);
        break;
    case OPT_USER:
    case OPT_PID:
    case OPT_ADMIN:
        err = apply_whose(option, value, server, error);
        break;
    case OPT_LOG:
    case OPT_LOG_LEVEL:
    case OPT_ACCESS_LOG:
        err = apply_log(option, value, server, error);
        break;
    case OPT_DEV:
    case OPT_WATCH:
        err = option == OPT_DEV ? apply_dev(value, server, error)
                                : apply_watch(server, error);
        break;
    case OPT_ALONE:
        out->alone = true;
        break;
    case OPT_DIALECT ... OPT_CHROOT:
        err = apply_dialect(option, value, out, error);
        break;
    case OPT_VERSION:
    case OPT_HELP:
        out->command =
            option == OPT_HELP ? PL_COMMAND_HELP : PL_COMMAND_VERSION;
        break;
    }
    return err;
}

/* "--name=value" and "-pVALUE" are one word. *attached is NULL if nothing is.
 */
static bool matches(const char *name, const char *word, const char **attached)
{
    size_t len = strlen(name);
    bool is_long = name[1] == '-';

    *attached = NULL;
    if (strncmp(word, name, len) != 0)
        return false;
    if (word[len] == '\0')
        return true;
    *attached = word + len + is_long;
    return !is_long || word[len] == '=';
}

/* One option at argv[*i]; moves *i over its value. */
static int take_option(char **argv, int *i, struct pl_options *out,
                       struct pl_error *error)
{
    for (size_t n = 0; n < PL_COUNT(table); n++) {
        const char *name = table[n].name, *value;

        if (!matches(name, argv[*i], &value))
            continue;
        if (table[n].takes == NO_VALUE && value != NULL)
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "%s takes no value (see --help)", name);
        if (table[n].takes == VALUE && value == NULL)
            value = argv[++*i];
        if (table[n].takes == VALUE && (value == NULL || value[0] == '\0'))
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "%s needs a value (see --help)", name);
        return apply(table[n].option, name, value, out, error);
    }
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "unknown option %s (see --help)", argv[*i]);
}

/* The words "check", "run" and "migrate" (and those of client.c) are commands
 * only in first place; a folder of that name is written "./check". */
static int take_command(int argc, char **argv, struct pl_options *out)
{
    if (argc > 1 && strcmp(argv[1], "check") == 0)
        out->command = PL_COMMAND_CHECK;
    else if (argc > 1 && strcmp(argv[1], "run") == 0)
        out->command = PL_COMMAND_RUN;
    else if (PL_WITH_SQL && argc > 1 && strcmp(argv[1], "migrate") == 0)
        out->command = PL_COMMAND_MIGRATE;
    else
        return 1;
    return 2;
}

/* The words and options behind the command. */
static int take_rest(char **argv, int i, struct pl_options *out,
                     struct pl_error *error)
{
    bool words_only = false;
    int err = 0;

    for (; argv[i] != NULL && err == 0; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0)
            words_only = true;
        else if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0')
            err = take_option(argv, &i, out, error);
        else
            err = take_word(argv[i], out, error);
        if (out->command == PL_COMMAND_RUN && out->path != NULL) {
            out->args = argv + i + 1; /* all that follows is the script's */
            break;
        }
    }
    return err;
}

/* It names the one address that is listened on. */
static int check_fastcgi(const struct pl_server_options *server,
                         struct pl_error *error)
{
    if (!PL_WITH_FASTCGI || server->fastcgi == NULL ||
        (server->address == NULL && server->port < 0 && !server->tls_dev &&
         server->tls_cert == NULL))
        return 0;
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "--fastcgi is the address: -p, -h and --tls do not go "
                        "with it (see --help)");
}

/* Those that this program speaks. */
static const struct language {
    const char *name, *load; /* as in struct pl_dialect */
    const char *file;        /* the site, if nobody says which */
    bool optional;           /* ... or the folder, if that is not there */
    bool foreign;            /* it has options that are not ours */
    bool named;              /* by FastCGI, web servers name its files */
} languages[] = {
#if PL_WITH_LUAFCGID
    {"luafcgid", "require 'perilune'.luafcgid()", "config.lua", true, false,
     false},
#endif
#if PL_WITH_LWAN
    {"lwan", "require 'perilune'.lwan()", "lwan.conf", false, true, false},
#endif
#if PL_WITH_MAGNET
    {"magnet", "require 'perilune'.magnet()", ".", true, false, true},
#endif
    {0},
};

static const struct language *find_language(const char *name)
{
    const struct language *language = languages;

    while (language->name != NULL && strcmp(language->name, name) != 0)
        language++;
    return language->name == NULL ? NULL : language;
}

static int refuse_dialect(const char *name, struct pl_error *error)
{
    char known[64] = "";
    size_t len = 0;

    for (const struct language *at = languages; at->name != NULL; at++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
                                len == 0 ? "" : ", ", at->name);
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "--dialect %s: only these are known: %s", name, known);
}

static bool is_there(const char *path)
{
    struct stat st;

    return pl_sys_fstatat(AT_FDCWD, path, &st, 0) == 0;
}

/* What is served if nobody says which site it is. */
static const char *site_of(const struct language *language,
                           const struct pl_options *out)
{
    const struct pl_dialect *dialect = &out->dialect;

    if (PL_WITH_FASTCGI && language->named && out->server.fastcgi != NULL)
        return "/";
    if (dialect->listen != NULL || dialect->tls_listen != NULL ||
        (language->optional && !is_there(language->file)))
        return ".";
    return language->file;
}

/* What was said for a dialect is for one that we speak. */
static int check_dialect(struct pl_options *out, struct pl_error *error)
{
    struct pl_dialect *dialect = &out->dialect;
    const struct language *language;

    if (!PL_WITH_DIALECTS || (dialect->name == NULL && !out->foreign))
        return 0;
    language = dialect->name == NULL ? NULL : find_language(dialect->name);
    if (language == NULL && dialect->name != NULL)
        return refuse_dialect(dialect->name, error);
    if (out->foreign && (language == NULL || !language->foreign))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "-r, -l, -L, -P, -K, -C and --config are options "
                            "of --dialect lwan (see --help)");
    dialect->load = language->load;
    out->server.dialect = dialect;
    if (out->path == NULL)
        out->path = site_of(language, out);
    return 0;
}

/* What is served if the command line does not say it. */
static const char *default_folder(void)
{
    const char *path = PL_WITH_CONTENT ? getenv("PUBLIC_HTML") : NULL;

    return path != NULL && path[0] != '\0' ? path : ".";
}

int pl_options_parse(int argc, char **argv, struct pl_options *out,
                     struct pl_error *error)
{
    int err;

    *out = (struct pl_options){.server = {.port = -1, .own_process = true},
                               .argv = argv};
    if (argc == 2 && strcmp(argv[1], "-h") == 0) {
        out->command = PL_COMMAND_HELP;
        return 0;
    }
    err = argc == 0
              ? 0
              : take_rest(argv, take_command(argc, argv, out), out, error);
    if (err == 0 && out->server.tls_key != NULL && out->server.tls_cert == NULL)
        err = pl_error_set(error, PL_ERR_INVALID, "",
                           "--tls-key needs --tls-cert (see --help)");
    if (err == 0 && out->path == NULL && out->command == PL_COMMAND_RUN)
        err = pl_error_set(error, PL_ERR_INVALID, "",
                           "run needs a script (see --help)");
    if (err == 0)
        err = check_fastcgi(&out->server, error);
    if (err == 0)
        err = check_dialect(out, error);
    if (out->path == NULL)
        out->path = default_folder();
    return err;
}
