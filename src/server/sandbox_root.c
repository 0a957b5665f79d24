/* sandbox_root.c - chroot(2): a folder becomes the root of all paths. */
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/param.h>

#include "base/features.h"
#include "base/module.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "server/sandbox_priv.h"

/* What of path is behind root: "" is root itself; NULL: it is not inside. */
static const char *inside(const char *path, const char *root)
{
    size_t len = strlen(root);

    if (strcmp(root, "/") == 0)
        return path + 1;
    if (strncmp(path, root, len) != 0 ||
        (path[len] != '\0' && path[len] != '/'))
        return NULL;
    return path + len;
}

/* ---- what would not be found inside ---- */

/* Where names of hosts come from: "files mdns4_minimal [NOTFOUND=return] dns".
 * Those that are no part of the C library are files that it loads by this name.
 */
static void keep_sources(char *line)
{
    char library[64], *rest = NULL;

    for (char *word = strtok_r(line, " \t\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\n", &rest))
        if (word[0] != '[' &&
            snprintf(library, sizeof(library), "libnss_%s.so.2", word) <
                (int)sizeof(library))
            (void)dlopen(library, RTLD_NOW | RTLD_NODELETE);
}

static void keep_names(void)
{
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    char line[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "hosts:", 6) == 0)
            keep_sources(line + 6);
    if (file != NULL)
        fclose(file);
    (void)getpwuid(0); /* the C library has read the file by itself */
}

static void keep_libraries(void)
{
    static const char *const plugins[] = {
        "auth",     "brotli",   "crypto", "dns", "http",
        "markdown", "postgres", "sqlite", "tls", "zstd"};

    tzset();
    keep_names();
    /* What ends a thread is loaded when one does. */
    (void)dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_NODELETE);
    for (size_t i = 0; i < PL_COUNT(plugins); i++)
        pl_plugin_keep(plugins[i]);
    if (PL_WITH_MODULES)
        pl_modules_keep();
}

/* ---- before ---- */

static int bad_root(struct pl_error *error, const char *path, const char *why)
{
    return pl_error_set(error, PL_ERR_INVALID, "", "sandbox: chroot %s: %s",
                        path, why);
}

/* NULL unless fd is an open folder; else its path, in path[PATH_MAX]. */
static const char *folder_of(int fd, char *path)
{
    char link[64];
    struct stat st;
    ssize_t n;

    if (pl_sys_fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
        return NULL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = pl_sys_readlink(link, path, PATH_MAX - 1);
    path[PL_MAX(n, 0)] = '\0';
    return path;
}

/* A folder outside that is open is a way out. */
static int refuse_open_folders(const char *root, struct pl_error *error)
{
    int self = pl_sys_open("/proc/self/fd", O_RDONLY | O_CLOEXEC, 0);
    DIR *all = self < 0 ? NULL : pl_sys_fdopendir(self);
    const struct dirent *entry;
    char path[PATH_MAX];
    int err = 0;

    while (all != NULL && err == 0 && (entry = pl_sys_readdir(all)) != NULL) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && fd != self &&
            folder_of(fd, path) != NULL && inside(path, root) == NULL)
            err = pl_error_set(error, PL_ERR_STATE, "",
                               "sandbox: chroot %s: the folder %s outside of "
                               "it is open (descriptor %d)",
                               root, path, fd);
    }
    if (all != NULL)
        closedir(all);
    else if (self >= 0)
        pl_sys_close(self);
    return err;
}

int pl_sandbox_find_root(struct pl_sandbox *sandbox, struct pl_error *error)
{
    const char *path = sandbox->wish.chroot;
    char root[PATH_MAX], real[PATH_MAX];
    const char *folder = sandbox->server->loader->folder;
    int err;

    if (path == NULL)
        return 0;
    if (geteuid() != 0)
        return bad_root(error, path, "only root may");
    if (pl_sys_realpath(path, root) == NULL)
        return bad_root(error, path, strerror(errno));
    if (folder != NULL &&
        (pl_sys_realpath(folder, real) == NULL || inside(real, root) == NULL))
        return bad_root(error, path, "the site is not inside of it");
    err = refuse_open_folders(root, error);
    if (err < 0)
        return err;
    keep_libraries();
    sandbox->in_root =
        getcwd(real, sizeof(real)) != NULL && inside(real, root) != NULL;
    sandbox->root = strdup(root);
    return sandbox->root != NULL
               ? 0
               : pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
}

/* ---- and after ---- */

/* The same folder under its new name, or the root. */
static bool go_inside(const struct pl_sandbox *sandbox, const char *folder)
{
    const char *name = sandbox->in_root ? inside(folder, sandbox->root) : NULL;
    char path[PATH_MAX + 1];

    snprintf(path, sizeof(path), "/%s", name == NULL ? "" : name);
    return chdir(path) == 0;
}

int pl_sandbox_chroot(struct pl_sandbox *sandbox, struct pl_error *error)
{
    const struct pl_loader *loader = sandbox->server->loader;
    char folder[PATH_MAX];
    int err = 0;

    if (sandbox->root == NULL)
        return 0;
    if (loader->enter != NULL)
        err = loader->enter(loader->arg, sandbox->root, sandbox->in_root);
    if (err < 0)
        return bad_root(error, sandbox->root, pl_err_text(err));
    if (getcwd(folder, sizeof(folder)) == NULL ||
        pl_sys_chroot(sandbox->root) < 0 || !go_inside(sandbox, folder))
        return bad_root(error, sandbox->root, strerror(errno));
    pl_layer_is_on(sandbox, PL_LAYER_CHROOT, "%s", sandbox->root);
    return 0;
}
