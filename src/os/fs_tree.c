/* fs_tree.c - folders: list what is in them, remove them.
 *
 * A tree is walked by descriptors (openat with O_NOFOLLOW), never by path: who
 * swaps a folder for a symbolic link meanwhile leads nobody out of the tree. */
#include <fnmatch.h>
#include <limits.h>

#include "os/fs_priv.h"

/* Each level holds a descriptor. */
enum { MAX_DEPTH = 128 };

/* Opens the folder name below dir, for reading. link: it may be one. */
static int open_folder(struct pl_fs_call *call, int dir, const char *name,
                       bool link, DIR **out)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK, fd, err;

    do
        fd = pl_sys_openat(dir, name, flags | (link ? 0 : O_NOFOLLOW), 0);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return pl_fs_fail(call);
    *out = pl_sys_fdopendir(fd);
    if (*out != NULL)
        return 0;
    err = pl_fs_fail(call);
    pl_sys_close(fd);
    return err;
}

/* The next name; NULL at the end, or after a failure (*err). */
static struct dirent *next_name(struct pl_fs_call *call, DIR *folder, int *err)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = pl_sys_readdir(folder);
        if (entry == NULL && errno != 0)
            *err = pl_fs_fail(call);
        if (*err == 0)
            *err = pl_fs_check_stop(call);
        if (entry == NULL || *err < 0)
            return NULL;
    } while (strcmp(entry->d_name, ".") == 0 ||
             strcmp(entry->d_name, "..") == 0);
    return entry;
}

static mode_t type_of(DIR *folder, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return DTTOIF(entry->d_type);
    if (pl_sys_fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) <
        0)
        return 0; /* it has just been removed */
    return st.st_mode & S_IFMT;
}

/* ---- list ---- */

/* Appends `type byte, prefix, name, NUL`. */
static int add_name(struct pl_fs_call *call, struct pl_str prefix,
                    const char *name, mode_t type)
{
    size_t len = strlen(name), size = prefix.len + len + 2;
    char *at;

    if (call->args.to.data != NULL && fnmatch(call->to, name, 0) != 0)
        return 0;
    if ((uint64_t)call->number >= call->args.max)
        return pl_fs_refuse(call, PL_ERR_LIMIT,
                            "more names than the limit of this list");
    if (pl_fs_reserve(call, size) < 0)
        return PL_ERR_NOMEM;
    at = call->out + call->out_len;
    *at++ = pl_fs_type(type)[0];
    memcpy(at, prefix.data, prefix.len);
    memcpy(at + prefix.len, name, len + 1);
    call->out_len += size;
    call->number++;
    return 0;
}

static int list_folder(struct pl_fs_call *call, DIR *folder, char *prefix,
                       size_t prefix_len, int depth);

/* A folder that has gone, or that we may not read, is one without names. */
static int list_below(struct pl_fs_call *call, DIR *folder, const char *name,
                      char *prefix, size_t prefix_len, int depth)
{
    size_t len = strlen(name);
    DIR *inner;
    int err;

    if (depth >= MAX_DEPTH || prefix_len + len + 2 > PATH_MAX)
        return pl_fs_refuse(call, PL_ERR_LIMIT, "too many levels of folders");
    err = open_folder(call, dirfd(folder), name, false, &inner);
    if (err == PL_ERR_NOT_FOUND || err == PL_ERR_DENIED)
        return 0;
    if (err < 0)
        return err;
    memcpy(prefix + prefix_len, name, len);
    prefix[prefix_len + len] = '/';
    err = list_folder(call, inner, prefix, prefix_len + len + 1, depth + 1);
    closedir(inner);
    return err;
}

static int list_folder(struct pl_fs_call *call, DIR *folder, char *prefix,
                       size_t prefix_len, int depth)
{
    struct dirent *entry;
    int err = 0;

    while (err == 0 && (entry = next_name(call, folder, &err)) != NULL) {
        mode_t type = type_of(folder, entry);

        err = add_name(call, pl_str(prefix, prefix_len), entry->d_name, type);
        if (err == 0 && S_ISDIR(type) && call->args.flags & PL_FS_RECURSIVE)
            err = list_below(call, folder, entry->d_name, prefix, prefix_len,
                             depth);
    }
    return err;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

/* Puts the names into order: a new block instead of out. */
static int sort_names(struct pl_fs_call *call)
{
    size_t n = (size_t)call->number, len;
    char **names = pl_calloc(n + 1, sizeof(*names));
    char *sorted = pl_malloc(call->out_len + 1), *at;

    if (names == NULL || sorted == NULL) {
        pl_free(names);
        pl_free(sorted);
        return PL_ERR_NOMEM;
    }
    at = call->out;
    for (size_t i = 0; i < n; i++) {
        names[i] = at;
        at += strlen(at) + 1;
    }
    qsort(names, n, sizeof(*names), by_name);
    at = sorted;
    for (size_t i = 0; i < n; i++) {
        len = strlen(names[i]) + 1;
        memcpy(at, names[i], len);
        at += len;
    }
    pl_free(names);
    pl_free(call->out);
    call->out = sorted;
    return 0;
}

int pl_fs_do_list(struct pl_fs_call *call)
{
    char prefix[PATH_MAX];
    DIR *folder;
    int err = open_folder(call, AT_FDCWD, call->path, true, &folder);

    if (err < 0)
        return err;
    err = list_folder(call, folder, prefix, 0, 0);
    closedir(folder);
    return err < 0 ? err : sort_names(call);
}

/* ---- remove ---- */

static int remove_name(struct pl_fs_call *call, int dir, const char *name,
                       int depth);

static int remove_below(struct pl_fs_call *call, int dir, const char *name,
                        int depth)
{
    struct dirent *entry;
    DIR *folder;
    int err;

    if (depth >= MAX_DEPTH)
        return pl_fs_refuse(call, PL_ERR_LIMIT, "too many levels of folders");
    err = open_folder(call, dir, name, false, &folder);
    if (err < 0)
        return err;
    while (err == 0 && (entry = next_name(call, folder, &err)) != NULL)
        err = remove_name(call, dirfd(folder), entry->d_name, depth + 1);
    closedir(folder);
    return err;
}

/* File systems may skip a name when others are removed beside it. */
enum { REMOVE_TRIES = 3 };

static int remove_dir(struct pl_fs_call *call, int dir, const char *name,
                      int depth)
{
    int err = 0;

    for (int i = 0; i < REMOVE_TRIES && err == 0; i++) {
        err = remove_below(call, dir, name, depth);
        if (err < 0)
            break;
        if (pl_sys_unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY || i + 1 == REMOVE_TRIES)
            return pl_fs_fail(call);
    }
    return err;
}

/* Below the top, somebody else may have removed it before us. */
static int remove_name(struct pl_fs_call *call, int dir, const char *name,
                       int depth)
{
    if (pl_sys_unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return pl_fs_fail(call);
    return remove_dir(call, dir, name, depth);
}

static bool is_root(const struct stat *st)
{
    struct stat root;

    return pl_sys_fstatat(AT_FDCWD, "/", &root, 0) == 0 &&
           root.st_dev == st->st_dev && root.st_ino == st->st_ino;
}

/* Cuts slashes off the end of path, or "link/" would be what it leads to. True
 * if there were some: then it must be a folder. */
static bool cut_slashes(char *path)
{
    size_t len = strlen(path), end = len;

    while (end > 1 && path[end - 1] == '/')
        end--;
    path[end] = '\0';
    return end < len;
}

int pl_fs_do_remove(struct pl_fs_call *call)
{
    bool cut = cut_slashes((char *)call->path), folder;
    struct stat st;

    if (pl_sys_fstatat(AT_FDCWD, call->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pl_fs_fail(call);
    folder = S_ISDIR(st.st_mode);
    if (cut && !folder) {
        errno = ENOTDIR;
        return pl_fs_fail(call);
    }
    if (folder && is_root(&st))
        return pl_fs_refuse(call, PL_ERR_DENIED,
                            "the root of all files is not removed");
    if (folder && call->args.flags & PL_FS_RECURSIVE)
        return remove_dir(call, AT_FDCWD, call->path, 0);
    if (pl_sys_unlinkat(AT_FDCWD, call->path, folder ? AT_REMOVEDIR : 0) < 0)
        return pl_fs_fail(call);
    return 0;
}
