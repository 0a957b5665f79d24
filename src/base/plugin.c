#include "base/plugin.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

enum { PATH_MAX_LEN = 1024 };

/* The folder of the program, from its full path, or of the library that this
 * function is in. "" if it cannot be told. */
static void own_folder(char *out, size_t size)
{
    struct link_map *map = NULL;
    Dl_info info;
    char *slash;

    out[0] = '\0';
    if (dladdr1((void *)own_folder, &info, (void **)&map, RTLD_DL_LINKMAP) !=
            0 &&
        map != NULL && map->l_name[0] == '/') {
        snprintf(out, size, "%s", map->l_name);
    } else {
        ssize_t n = pl_sys_readlink("/proc/self/exe", out, size - 1);

        out[n < 0 ? 0 : n] = '\0';
    }
    slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
}

static bool exists(const char *path)
{
    int fd = pl_sys_open(path, O_PATH | O_CLOEXEC, 0);

    if (fd >= 0)
        pl_sys_close(fd);
    return fd >= 0;
}

/* The path of the plug-in, from the first folder that has it. */
static bool find(const char *name, char *out, size_t size)
{
    char own[PATH_MAX_LEN];
    const char *folders[] = {secure_getenv("PERILUNE_PLUGINS"), own,
                             PL_PLUGIN_FOLDER};

    own_folder(own, sizeof(own));
    for (size_t i = 0; i < PL_COUNT(folders); i++) {
        if (folders[i] == NULL || folders[i][0] == '\0')
            continue;
        if (snprintf(out, size, "%s/perilune-%s.so", folders[i], name) <
                (int)size &&
            exists(out))
            return true;
    }
    return false;
}

/* RTLD_LOCAL: its libraries' names are nobody else's. NODELETE: functions of
 * libraries may be called at the end of threads and of the process. */
static const struct pl_plugin *open_file(const char *path,
                                         struct pl_error *error)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const struct pl_plugin *plugin;

    if (handle == NULL) {
        pl_error_set(error, PL_ERR_NOT_FOUND, "", "cannot load a plug-in: %s",
                     dlerror());
        return NULL;
    }
    plugin = dlsym(handle, "pl_plugin");
    if (plugin != NULL && plugin->magic == PL_PLUGIN_MAGIC &&
        plugin->size == sizeof(*plugin) &&
        strcmp(plugin->build, PL_PLUGIN_BUILD) == 0)
        return plugin;
    pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                 "%s is not of this build (" PL_PLUGIN_BUILD ")", path);
    return NULL;
}

/* Those that are loaded: they are found, whatever becomes of the files. */
static struct known {
    char name[32]; /* "": nobody */
    const struct pl_plugin *plugin;
} known[16];

static const struct pl_plugin *remembered(const char *name)
{
    for (size_t i = 0; i < PL_COUNT(known) && known[i].plugin != NULL; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].plugin;
    return NULL;
}

static const struct pl_plugin *remember(const char *name,
                                        const struct pl_plugin *plugin)
{
    size_t i = 0;

    while (i < PL_COUNT(known) && known[i].plugin != NULL)
        i++;
    if (plugin != NULL && i < PL_COUNT(known) &&
        strlen(name) < sizeof(known[i].name)) {
        strcpy(known[i].name, name);
        known[i].plugin = plugin;
    }
    return plugin;
}

static const struct pl_plugin *open_plugin(const char *name,
                                           struct pl_error *error)
{
    const struct pl_plugin *plugin = remembered(name);
    char path[PATH_MAX_LEN];

    if (plugin != NULL)
        return plugin;
    if (find(name, path, sizeof(path)))
        return remember(name, open_file(path, error));
    pl_error_set(error, PL_ERR_NOT_FOUND, "",
                 "there is no perilune-%s.so: install the package "
                 "perilune-%s, or build with -D%s=enabled",
                 name, name, name);
    return NULL;
}

static int load(const struct pl_plugin_want *want, const void **offer,
                struct pl_error *error)
{
    const struct pl_plugin *plugin = open_plugin(want->name, error);

    if (plugin == NULL)
        return error->code;
    if (plugin->host_size != want->host_size ||
        plugin->offer_size != want->offer_size)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "perilune-%s.so is not of this build", want->name);
    plugin->open(want->host);
    *offer = plugin->offer;
    return 0;
}

/* Once in the life of whoever asks, and never on the way of a request. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

int pl_plugin_load(const struct pl_plugin_want *want, const void **offer,
                   struct pl_error *error)
{
    struct pl_error local;
    int err;

    pthread_mutex_lock(&opening);
    err = load(want, offer, error == NULL ? &local : error);
    pthread_mutex_unlock(&opening);
    return err;
}

bool pl_plugin_libraries(const char *name, char *out, size_t size)
{
    struct pl_error error;
    const struct pl_plugin *plugin;

    pthread_mutex_lock(&opening);
    plugin = open_plugin(name, &error);
    pthread_mutex_unlock(&opening);
    if (plugin != NULL)
        plugin->libraries(out, size);
    return plugin != NULL;
}

void pl_plugin_keep(const char *name)
{
    struct pl_error error;

    pthread_mutex_lock(&opening);
    (void)open_plugin(name, &error);
    pthread_mutex_unlock(&opening);
}

void pl_plugin_folders(void (*see)(void *arg, const char *folder), void *arg)
{
    const char *said = secure_getenv("PERILUNE_PLUGINS");
    char own[PATH_MAX_LEN];

    own_folder(own, sizeof(own));
    if (said != NULL && said[0] != '\0')
        see(arg, said);
    if (own[0] != '\0')
        see(arg, own);
    see(arg, PL_PLUGIN_FOLDER);
}
