#include "base/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "base/sys.h"

struct pl_module {
    struct pl_module *next;
    char *path;
    int fd; /* of the copy */
    size_t size;
    void *handle;
    const struct pl_module_info *info;
    uintptr_t begin, end; /* where it is mapped */
    unsigned refs;        /* 0: used by nobody, but still there */
    uint32_t round, number;
};

static struct {
    pthread_mutex_t lock;
    struct pl_module *first;
    uint32_t round, number;
    _Atomic unsigned count; /* that are used */
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER, .round = 1};

static void lock(void)
{
    pthread_mutex_lock(&registry.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&registry.lock);
}

void pl_modules_round(void)
{
    lock();
    registry.round++;
    unlock();
}

/* ---- the copy ---- */

static int copy_bytes(int from, int to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pl_sys_sendfile(to, from, NULL, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? pl_err_from_errno(errno) : PL_ERR_BUSY;
        done += (size_t)n;
    }
    return 0;
}

static bool is_same_version(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Its name is what maps and backtraces show. Kernels before 6.3 let every memfd
 * be mapped as code, and do not know how to be asked for it. */
static int new_copy(const char *path)
{
    enum { EXECUTABLE = 0x10 }; /* MFD_EXEC, which glibc 2.36 has not */
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    int fd = pl_sys_memfd_create(name, MFD_CLOEXEC | EXECUTABLE);

    return fd >= 0 || errno != EINVAL ? fd
                                      : pl_sys_memfd_create(name, MFD_CLOEXEC);
}

/* Copies a file that does not change meanwhile. */
static int copy_file(struct pl_module *module, int from)
{
    struct stat before, after;
    int err;

    if (pl_sys_fstat(from, &before) < 0)
        return pl_err_from_errno(errno);
    if (!S_ISREG(before.st_mode))
        return PL_ERR_INVALID;
    module->fd = new_copy(module->path);
    if (module->fd < 0)
        return pl_err_from_errno(errno);
    module->size = (size_t)before.st_size;
    err = copy_bytes(from, module->fd, module->size);
    if (err == 0 && pl_sys_fstat(from, &after) < 0)
        err = pl_err_from_errno(errno);
    if (err == 0 && !is_same_version(&before, &after))
        err = PL_ERR_BUSY;
    return err;
}

/* ---- is it whole? ----
 *
 * The dynamic linker maps what the headers say and dies of a file that ends
 * before. Linkers write the table of sections last, at the end. */

static bool fits(uint64_t at, uint64_t len, uint64_t size)
{
    return at <= size && len <= size - at;
}

static bool are_segments_whole(const ElfW(Ehdr) * head, const char *bytes,
                               size_t size)
{
    for (unsigned i = 0; i < head->e_phnum; i++) {
        ElfW(Phdr) segment;

        memcpy(&segment, bytes + head->e_phoff + i * sizeof(segment),
               sizeof(segment));
        if (segment.p_type == PT_LOAD &&
            !fits(segment.p_offset, segment.p_filesz, size))
            return false;
    }
    return true;
}

/* Returns 0, PL_ERR_INVALID (no shared object) or PL_ERR_BUSY (a part of one).
 */
static int check_whole(const char *bytes, size_t size)
{
    ElfW(Ehdr) head;

    if (size < sizeof(head))
        return size == 0 ? PL_ERR_BUSY : PL_ERR_INVALID;
    memcpy(&head, bytes, sizeof(head));
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_type != ET_DYN ||
        head.e_phentsize != sizeof(ElfW(Phdr)))
        return PL_ERR_INVALID;
    if (!fits(head.e_phoff, (uint64_t)head.e_phnum * head.e_phentsize, size) ||
        !fits(head.e_shoff, (uint64_t)head.e_shnum * head.e_shentsize, size) ||
        !are_segments_whole(&head, bytes, size))
        return PL_ERR_BUSY;
    return 0;
}

static char *map_copy(const struct pl_module *module)
{
    char *at;

    if (module->size == 0)
        return NULL;
    at = pl_sys_mmap(NULL, module->size, PROT_READ, MAP_SHARED, module->fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void unmap_copy(const struct pl_module *module, char *at)
{
    if (at != NULL)
        pl_sys_munmap(at, module->size);
}

static int check_copy(const struct pl_module *module)
{
    char *bytes = map_copy(module);
    int err;

    if (bytes == NULL && module->size > 0)
        return PL_ERR_NOMEM;
    err = check_whole(bytes, module->size);
    unmap_copy(module, bytes);
    return err;
}

static bool is_same_copy(const struct pl_module *a, const struct pl_module *b)
{
    char *of_a, *of_b;
    bool same;

    if (a->size != b->size)
        return false;
    of_a = map_copy(a);
    of_b = map_copy(b);
    same = of_a != NULL && of_b != NULL && memcmp(of_a, of_b, a->size) == 0;
    unmap_copy(a, of_a);
    unmap_copy(b, of_b);
    return same;
}

/* ---- the list, under the lock ---- */

/* One of this path that is used and that pick(module, arg) takes. */
static struct pl_module *hold_one(const char *path,
                                  bool (*pick)(const struct pl_module *module,
                                               const struct pl_module *as),
                                  const struct pl_module *as)
{
    struct pl_module *module;

    for (module = registry.first; module != NULL; module = module->next)
        if (module->refs > 0 && strcmp(module->path, path) == 0 &&
            pick(module, as))
            break;
    if (module != NULL) {
        module->refs++;
        module->round = registry.round;
    }
    return module;
}

static bool is_of_round(const struct pl_module *module,
                        const struct pl_module *as)
{
    (void)as;
    return module->round == registry.round;
}

static struct pl_module *hold_of_round(const char *path)
{
    struct pl_module *module;

    lock();
    module = hold_one(path, is_of_round, NULL);
    unlock();
    return module;
}

static struct pl_module *hold_same(const struct pl_module *copy)
{
    struct pl_module *module;

    lock();
    module = hold_one(copy->path, is_same_copy, copy);
    unlock();
    return module;
}

static void enlist(struct pl_module *module)
{
    lock();
    module->refs = 1;
    module->round = registry.round;
    module->number = ++registry.number;
    module->next = registry.first;
    registry.first = module;
    registry.count++;
    unlock();
}

static void unlist(struct pl_module *module)
{
    struct pl_module **at = &registry.first;

    while (*at != module)
        at = &(*at)->next;
    *at = module->next;
}

/* ---- loading ---- */

static void name_copy(const struct pl_module *module, char out[32])
{
    snprintf(out, 32, "/proc/self/fd/%d", module->fd);
}

static int find_range(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct pl_module *module = arg;
    const struct link_map *map;

    (void)size;
    if (dlinfo(module->handle, RTLD_DI_LINKMAP, &map) < 0 ||
        info->dlpi_addr != map->l_addr)
        return 0;
    module->begin = UINTPTR_MAX;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        module->begin = PL_MIN(module->begin, at);
        module->end = PL_MAX(module->end, at + segment->p_memsz);
    }
    return 1;
}

/* RTLD_LOCAL: two generations of a module have the same names. */
static int link_copy(struct pl_module *module, struct pl_error *error)
{
    char name[32];

    name_copy(module, name);
    module->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (module->handle == NULL) {
        const char *why = dlerror();
        size_t skip = strlen(name);

        /* It begins with a name that means nothing to people. */
        if (strncmp(why, name, skip) == 0 && why[skip] == ':')
            why += skip + 2;
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "%s cannot be loaded: %s", module->path, why);
    }
    dl_iterate_phdr(find_range, module);
    module->info = dlsym(module->handle, "pl_module");
    return 0;
}

static int check_interface(const struct pl_module *module,
                           struct pl_error *error)
{
    const struct pl_module_info *info = module->info;

    if (info == NULL || info->magic != PL_MODULE_MAGIC)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "%s is no module of perilune: it has no "
                            "PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE)",
                            module->path);
    if (info->abi == PL_MODULE_80S)
        return 0;
    if (info->abi != PL_MODULE_ABI)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "%s was compiled for interface %u of modules, this "
                            "perilune has %u: compile it with its perilune.h",
                            module->path, info->abi, PL_MODULE_ABI);
    if (info->size > PL_MODULE_SIZE)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "%s was compiled for a newer perilune than "
                            "%s: its parameters have %llu bytes, not %zu",
                            module->path, PL_VERSION,
                            (unsigned long long)info->size, PL_MODULE_SIZE);
    return 0;
}

/* ---- unloading ---- */

/* Would the dynamic linker still give it to who asks? */
static bool is_stuck(const struct pl_module *module)
{
    char name[32];
    void *handle;

    name_copy(module, name);
    handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle != NULL)
        dlclose(handle);
    return handle != NULL;
}

static void free_module(struct pl_module *module)
{
    if (module->fd >= 0)
        pl_sys_close(module->fd);
    pl_free(module->path);
    pl_free(module);
}

/* Not listed as used any more. */
static bool close_copy(struct pl_module *module)
{
    dlclose(module->handle);
    if (!is_stuck(module))
        return true;
    pl_log(PL_LOG_WARN, "server",
           "%s (copy %u) stays in memory: something in it keeps the dynamic "
           "linker from unloading it",
           module->path, module->number);
    return false;
}

void pl_module_drop(struct pl_module *module)
{
    bool last;

    if (module == NULL)
        return;
    lock();
    last = --module->refs == 0;
    if (last)
        registry.count--;
    unlock();
    if (!last || !close_copy(module))
        return;
    lock();
    unlist(module);
    unlock();
    free_module(module);
}

void pl_modules_keep(void)
{
    lock();
    for (struct pl_module *at = registry.first; at != NULL; at = at->next)
        at->refs += at->refs > 0;
    unlock();
}

/* ---- opening ---- */

static int say(const struct pl_module *module, int err, struct pl_error *error)
{
    const char *why = err == PL_ERR_BUSY ? "it is being written"
                      : err == PL_ERR_INVALID
                          ? "it is no shared object for this machine"
                          : pl_err_text(err);

    return pl_error_set(error, err, "", "%s cannot be loaded: %s", module->path,
                        why);
}

static int copy_path(struct pl_module *module, struct pl_error *error)
{
    int fd = pl_sys_open(module->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return say(module, pl_err_from_errno(errno), error);
    err = copy_file(module, fd);
    pl_sys_close(fd);
    if (err == 0)
        err = check_copy(module);
    return err < 0 ? say(module, err, error) : 0;
}

static int load_copy(struct pl_module *module, struct pl_error *error)
{
    int err = link_copy(module, error);

    if (err < 0)
        return err;
    err = check_interface(module, error);
    if (err < 0 && !close_copy(module))
        module->fd = -1; /* stays in use, for as long as the process */
    return err;
}

static struct pl_module *new_module(const char *path)
{
    struct pl_module *module = pl_calloc(1, sizeof(*module));
    size_t size = strlen(path) + 1;

    if (module == NULL)
        return NULL;
    module->fd = -1;
    module->path = pl_malloc(size);
    if (module->path != NULL) {
        memcpy(module->path, path, size);
        return module;
    }
    pl_free(module);
    return NULL;
}

int pl_module_open(const char *path, struct pl_module **out,
                   struct pl_error *error)
{
    struct pl_module *module = hold_of_round(path), *same;
    int err;

    if (module != NULL) {
        *out = module;
        return 0;
    }
    module = new_module(path);
    if (module == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    err = copy_path(module, error);
    if (err < 0)
        goto fail;
    same = hold_same(module);
    if (same != NULL) {
        free_module(module);
        *out = same;
        return 0;
    }
    err = load_copy(module, error);
    if (err < 0)
        goto fail;
    enlist(module);
    *out = module;
    return 0;
fail:
    free_module(module);
    return err;
}

/* ---- asking ---- */

const struct pl_module_info *pl_module_info(const struct pl_module *module)
{
    return module->info;
}

void *pl_module_symbol(const struct pl_module *module, const char *name)
{
    return dlsym(module->handle, name);
}

struct pl_module *pl_module_of_code(uintptr_t address)
{
    struct pl_module *module;

    if (registry.count == 0)
        return NULL;
    lock();
    for (module = registry.first; module != NULL; module = module->next)
        if (module->refs > 0 && address >= module->begin &&
            address < module->end)
            break;
    if (module != NULL)
        module->refs++;
    unlock();
    return module;
}

void pl_modules_each(void (*see)(void *arg, const struct pl_module_fact *fact),
                     void *arg)
{
    lock();
    for (const struct pl_module *module = registry.first; module != NULL;
         module = module->next) {
        const struct pl_module_fact fact = {module->path, module->number,
                                            module->refs};

        see(arg, &fact);
    }
    unlock();
}
