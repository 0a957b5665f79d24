/* sandbox_paths.c - which paths a site may open: what every process needs, what
 * the site is made of, and what it names. */
#include <link.h>
#include <stdio.h>
#include <sys/param.h>

#include "base/module.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/sandbox.h"
#include "net/tls.h"
#include "server/sandbox_priv.h"

enum { READ = PL_PATH_READ, WRITE = PL_PATH_READ | PL_PATH_WRITE };

/* What is not there is left out. Files are known by their inode: one that is
 * replaced is another, so what changes by itself is allowed as a folder.
 * Landlock itself hides what /proc tells of other processes, but for what is in
 * ps(1). */
static const struct usual {
    const char *path;
    unsigned access;
} usuals[] = {
    /* libraries, plug-ins, modules, character sets, time zones */
    {"/usr/lib", READ},
    {"/usr/lib32", READ},
    {"/usr/lib64", READ},
    {"/lib", READ},
    {"/lib64", READ},
    {"/usr/local/lib", READ},
    {"/usr/share", READ},
    {"/usr/local/share", READ},
    {"/etc/ld.so.cache", READ},
    {"/etc/localtime", READ},
    {"/etc/timezone", READ},
    {"/etc/mime.types", READ},
    /* names of hosts and users */
    {"/etc/resolv.conf", READ},
    {"/run/systemd/resolve", READ},
    {"/run/resolvconf", READ},
    {"/run/NetworkManager", READ},
    {"/etc/hosts", READ},
    {"/etc/host.conf", READ},
    {"/etc/gai.conf", READ},
    {"/etc/nsswitch.conf", READ},
    {"/etc/services", READ},
    {"/etc/protocols", READ},
    {"/etc/passwd", READ},
    {"/etc/group", READ},
    /* certificates of authorities; no keys */
    {"/etc/ssl/certs", READ},
    {"/etc/ssl/openssl.cnf", READ},
    {"/etc/pki/tls/certs", READ},
    {"/etc/ca-certificates", READ},
    /* the machine and ourselves */
    {"/proc", READ},
    {"/sys/devices/system/cpu", READ},
    {"/dev/null", WRITE},
    {"/dev/zero", READ},
    {"/dev/full", WRITE},
    {"/dev/random", READ},
    {"/dev/urandom", READ},
};

/* Where programs are, if the site names none. */
static const char *const program_folders[] = {
    "/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin",
};

struct collector {
    struct pl_sandbox *sandbox;
    int failed; /* an errno that is no answer; 0: none */
};

/* Is errno one of a path that is not there for us? */
static bool is_absent(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES ||
           errno == ELOOP || errno == ENAMETOOLONG;
}

/* TAKES fd. */
static void keep(struct collector *to, const char *path, int fd,
                 unsigned access)
{
    struct pl_sandbox *sandbox = to->sandbox;
    size_t size = strlen(path) + 1;
    struct pl_grant *grant = pl_malloc(sizeof(*grant) + size);
    struct stat st;

    if (grant == NULL || pl_sys_fstat(fd, &st) < 0) {
        to->failed = grant == NULL ? ENOMEM : errno;
        pl_free(grant);
        pl_sys_close(fd);
        return;
    }
    *grant = (struct pl_grant){.next = sandbox->grants,
                               .access = access,
                               .fd = fd,
                               .folder = S_ISDIR(st.st_mode),
                               .dev = st.st_dev,
                               .ino = st.st_ino};
    memcpy(grant->path, path, size);
    sandbox->grants = grant;
    sandbox->ngrants++;
}

static void add(struct collector *to, const char *path, unsigned access)
{
    int fd = pl_sys_open(path, O_PATH | O_CLOEXEC, 0);

    if (fd >= 0)
        keep(to, path, fd, access);
    else if (!is_absent())
        to->failed = errno;
}

static void add_usual(struct collector *to)
{
    const char *root = to->sandbox->root;
    char path[PATH_MAX];

    for (size_t i = 0; i < PL_COUNT(usuals); i++)
        if (snprintf(path, sizeof(path), "%s%s", root == NULL ? "" : root,
                     usuals[i].path) < (int)sizeof(path))
            add(to, path, usuals[i].access);
}

/* The folder that a file is in. */
static void add_folder_of(struct collector *to, const char *path,
                          unsigned access)
{
    char folder[PATH_MAX];
    ptrdiff_t slash = pl_str_rchr(pl_str_c(path), '/');

    if (slash >= (ptrdiff_t)sizeof(folder))
        return;
    snprintf(folder, sizeof(folder), "%.*s", (int)PL_MAX(slash, 1),
             slash < 0 ? "." : path);
    add(to, folder, access);
}

/* ---- the site ---- */

/* Relative ones are those of the site, and the working folder ("./?.lua"),
 * which may be any. */
static void see_folder(void *arg, struct pl_str folder)
{
    char path[PATH_MAX];

    if (folder.data[0] != '/' || folder.len >= sizeof(path))
        return;
    snprintf(path, sizeof(path), "%.*s", PL_STR_ARG(folder));
    add(arg, path, READ);
}

static void see_plugins(void *arg, const char *folder)
{
    add(arg, folder, READ);
}

static void see_module(void *arg, const struct pl_module_fact *fact)
{
    add_folder_of(arg, fact->path, READ);
}

/* The files that `require`, C modules and plug-ins are. */
static void add_code(struct collector *to, const struct pl_generation *gen)
{
    if (gen->loader->folder != NULL)
        add(to, gen->loader->folder, READ);
    if (gen->vm != NULL)
        pl_lua_search_folders(gen->vm, see_folder, to);
    pl_plugin_folders(see_plugins, to);
    if (PL_WITH_MODULES)
        pl_modules_each(see_module, to);
}

static void add_named(struct collector *to, const struct pl_site *site)
{
    const struct pl_list *node;

    for (node = site->paths.next; node != &site->paths; node = node->next) {
        const struct pl_site_path *named =
            PL_LIST_ENTRY(node, struct pl_site_path, node);

        add(to, named->path, named->access);
    }
    if (site->error_pages != NULL)
        add(to, site->error_pages, READ);
}

/* What does not fit into memory, and uploads (os/temp.c). */
static void add_temp(struct collector *to, const struct pl_site *site)
{
    const char *said = getenv("TMPDIR");
    unsigned before = to->sandbox->ngrants;

    if (site->http.temp_folder != NULL)
        add(to, site->http.temp_folder, WRITE);
    else if (said != NULL && said[0] == '/')
        add(to, said, WRITE);
    else
        add(to, "/var/tmp", WRITE);
    if (to->sandbox->ngrants == before)
        add(to, "/tmp", WRITE);
}

static void add_log(struct collector *to, const char *path)
{
    if (path != NULL && strcmp(path, "-") != 0)
        add_folder_of(to, path, PL_PATH_LOGS);
}

static void add_logs(struct collector *to, const struct pl_site *site)
{
    const struct pl_server_options *options = &to->sandbox->server->options;

    add_log(to,
            options->error_log != NULL ? options->error_log : site->error_log);
    add_log(to, options->access_log != NULL ? options->access_log
                                            : site->access_log);
}

/* ---- addresses ---- */

/* A certificate is renewed in its folder, often behind a symbolic link. */
static void add_certificate(struct collector *to, const char *path)
{
    char real[PATH_MAX];

    if (path == NULL)
        return;
    add_folder_of(to, path, READ);
    if (pl_sys_realpath(path, real) != NULL)
        add_folder_of(to, real, READ);
}

static void add_tls(struct collector *to, const struct pl_tls_options *tls)
{
    if (tls == NULL)
        return;
    add_certificate(to, tls->ca);
    for (unsigned i = 0; i < tls->npairs; i++) {
        add_certificate(to, tls->pairs[i].cert);
        add_certificate(to, tls->pairs[i].key);
        add_certificate(to, tls->pairs[i].staple);
    }
}

/* With a supervisor files of sockets, and that of the process's number, are its
 * own. */
static void add_addresses(struct collector *to, const struct pl_site *site)
{
    const struct pl_server *server = to->sandbox->server;
    const struct pl_listen_set *set = &server->listening;
    const char *pid_file = server->options.pid_file != NULL
                               ? server->options.pid_file
                               : site->pid_file;
    bool ours = !pl_link_is(server->link);

    for (unsigned i = 0; i < set->ngroups; i++) {
        const struct pl_addr *addr = &set->groups[i]->addr;

        add_tls(to, set->groups[i]->options.tls);
        if (ours && addr->sa.sa_family == AF_UNIX &&
            addr->un.sun_path[0] == '/')
            add_folder_of(to, addr->un.sun_path, PL_PATH_SOCKETS);
    }
    if (ours && pid_file != NULL)
        add_folder_of(to, pid_file, PL_PATH_SOCKETS);
    if (ours && site->admin != NULL && site->admin[0] == '/')
        add_folder_of(to, site->admin, PL_PATH_SOCKETS);
}

/* ---- programs ---- */

/* The dynamic linker is run by the kernel for each of them: ours is theirs. */
static int see_object(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size;
    for (unsigned i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_INTERP)
            add(arg,
                (const char *)(object->dlpi_addr +
                               object->dlpi_phdr[i].p_vaddr),
                PL_PATH_READ | PL_PATH_RUN);
    return 1; /* the first is the program */
}

static void add_programs(struct collector *to, const struct pl_site *site)
{
    const struct pl_list *node;
    bool named = false;

    for (node = site->paths.next; node != &site->paths; node = node->next)
        named =
            named || (PL_LIST_ENTRY(node, struct pl_site_path, node)->access &
                      PL_PATH_RUN);
    dl_iterate_phdr(see_object, to);
    for (size_t i = 0; i < PL_COUNT(program_folders) && !named; i++)
        add(to, program_folders[i], PL_PATH_READ | PL_PATH_RUN);
}

int pl_sandbox_collect(struct pl_sandbox *sandbox, struct pl_error *error)
{
    const struct pl_generation *gen = sandbox->entry.gen;
    struct collector to = {.sandbox = sandbox};

    if (!sandbox->wish.landlock)
        return 0;
    add_usual(&to);
    add_code(&to, gen);
    add_named(&to, gen->site);
    add_temp(&to, gen->site);
    add_logs(&to, gen->site);
    add_addresses(&to, gen->site);
    if (sandbox->wish.processes)
        add_programs(&to, gen->site);
    return to.failed == 0
               ? 0
               : pl_error_set(error, pl_err_from_errno(to.failed), "",
                              "sandbox: cannot look at its paths: %s",
                              strerror(to.failed));
}
