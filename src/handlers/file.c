/* file.c - see file.h. Whether a path stays below its root is the kernel's to
 * say (openat2), because only it sees the names and the links at one moment.
 * Where it has no openat2, or a sandbox forbids it, the path is walked element
 * by element and links are not followed at all. */
#include "handlers/file.h"

#include <limits.h>
#include <linux/openat2.h>

#include "base/error.h"
#include "base/str.h"

#ifndef RESOLVE_CACHED /* Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif

enum {
    /* O_NONBLOCK: opening a FIFO does not wait for who writes to it. O_NOCTTY:
     * a terminal does not become ours. Both are forgotten with what they are
     * for: only regular files are read. */
    OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    PLACE_FLAGS = O_PATH | O_CLOEXEC,
    RACES_MAX = 16, /* renames beside a ".." of a link: the kernel asks again */
};

bool pl_file_links_parse(struct pl_str name, enum pl_file_links *out)
{
    static const struct pl_str names[] = {
        [PL_LINKS_INSIDE] = PL_STR("inside"),
        [PL_LINKS_OWNER] = PL_STR("owner"),
        [PL_LINKS_NONE] = PL_STR("none"),
        [PL_LINKS_ALL] = PL_STR("all"),
    };

    for (size_t i = 0; i < PL_COUNT(names); i++) {
        if (pl_str_eq(name, names[i])) {
            *out = (enum pl_file_links)i;
            return true;
        }
    }
    return false;
}

/* ---- paths ---- */

static bool name_ok(struct pl_str name, bool dots)
{
    if (name.len == 0 || name.data[0] != '.')
        return name.len > 0;
    if (pl_str_eq(name, PL_STR(".")) || pl_str_eq(name, PL_STR("..")))
        return false;
    return dots || pl_str_eq(name, PL_STR(".well-known"));
}

bool pl_file_path_ok(struct pl_str path, bool dots)
{
    struct pl_str name;

    if (pl_str_ends(path, PL_STR("/")))
        path.len--;
    if (pl_str_chr(path, '\0') >= 0)
        return false;
    while (pl_str_split(&path, '/', &name))
        if (!name_ok(name, dots))
            return false;
    return true;
}

/* ---- element by element ---- */

static int open_again(int dir, const char *name, int flags)
{
    int fd;

    do
        fd = pl_sys_openat(dir, name, flags, 0);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static void close_quietly(int fd)
{
    int error = errno;

    pl_sys_close(fd);
    errno = error;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* The link called name is followed if it has the owner of what it leads to. It
 * is looked at before and after: it may not be exchanged meanwhile. */
static int follow(int dir, const char *name, int flags)
{
    struct stat link, target, later;
    int fd;

    if (pl_sys_fstatat(dir, name, &link, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    fd = open_again(dir, name, flags);
    if (fd < 0)
        return -1;
    if (pl_sys_fstat(fd, &target) == 0 && target.st_uid == link.st_uid &&
        pl_sys_fstatat(dir, name, &later, AT_SYMLINK_NOFOLLOW) == 0 &&
        is_same(&link, &later) && S_ISLNK(later.st_mode))
        return fd;
    pl_sys_close(fd);
    errno = ELOOP;
    return -1;
}

/* O_PATH opens a link itself. */
static int refuse_link(int fd)
{
    struct stat st;

    if (fd < 0 || (pl_sys_fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode)))
        return fd;
    pl_sys_close(fd);
    errno = ELOOP;
    return -1;
}

/* O_DIRECTORY | O_NOFOLLOW says ENOTDIR of a link. */
static int open_element(int dir, const char *name, int flags,
                        enum pl_file_links links)
{
    int fd = open_again(dir, name, flags | O_NOFOLLOW);

    if (flags == PLACE_FLAGS)
        fd = refuse_link(fd);

    if (fd < 0 && links == PL_LINKS_OWNER &&
        (errno == ELOOP || errno == ENOTDIR))
        fd = follow(dir, name, flags);
    return fd;
}

/* Steps from dir into the folder with this name; dir is closed unless it is
 * root. Returns the new descriptor, or -1 with errno. */
static int step(int root, int dir, struct pl_str name, enum pl_file_links links)
{
    char text[NAME_MAX + 1];
    int next = -1;

    if (name.len > NAME_MAX) {
        errno = ENAMETOOLONG;
    } else {
        memcpy(text, name.data, name.len);
        text[name.len] = '\0';
        next = open_element(dir, text, PLACE_FLAGS | O_DIRECTORY, links);
    }
    if (dir != root)
        close_quietly(dir);
    return next;
}

/* The path has passed pl_file_path_ok(): no ".." in it. */
static int walk(int root, const char *path, enum pl_file_links links, int flags)
{
    const char *slash;
    int dir = root, fd;

    while ((slash = strchr(path, '/')) != NULL && slash[1] != '\0') {
        dir = step(root, dir, pl_str(path, (size_t)(slash - path)), links);
        if (dir < 0)
            return -1;
        path = slash + 1;
    }
    fd = open_element(dir, path, flags, links);
    if (dir != root)
        close_quietly(dir);
    return fd;
}

/* ---- by openat2 ---- */

static uint64_t resolve_flags(enum pl_file_links links)
{
    switch (links) {
    case PL_LINKS_INSIDE:
        return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    case PL_LINKS_NONE:
        return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    default:
        return 0;
    }
}

/* The kernel has names and inodes in its memory, or says so. */
static int open_cached(int root, const char *path, enum pl_file_links links,
                       int flags)
{
    if (links == PL_LINKS_OWNER) {
        errno = EAGAIN;
        return -1;
    }
    return pl_sys_openat2(root, path, flags,
                          resolve_flags(links) | RESOLVE_CACHED);
}

static int open_beneath(int root, const char *path, enum pl_file_links links,
                        int flags)
{
    int fd, races = 0;

    do
        fd = pl_sys_openat2(root, path, flags, resolve_flags(links));
    while (fd < 0 && (errno == EAGAIN || errno == EINTR) &&
           ++races < RACES_MAX);
    /* Reading needs no privilege that EPERM could be about: a seccomp filter
     * says so of calls that it does not know. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = walk(root, path, PL_LINKS_NONE, flags);
    return fd;
}

static int open_waiting(int root, const char *path, enum pl_file_links links,
                        int flags)
{
    switch (links) {
    case PL_LINKS_ALL:
        return open_again(root, path, flags);
    case PL_LINKS_OWNER:
        return walk(root, path, links, flags);
    default:
        return open_beneath(root, path, links, flags);
    }
}

/* ---- the answers ---- */

/* Whatever is wrong with the name itself is one answer: a peer learns nothing
 * of what lies outside the root. */
static int error_of(int error_number)
{
    switch (error_number) {
    case EACCES:
    case EPERM:
        return PL_ERR_DENIED;
    case EMFILE:
    case ENFILE:
        return PL_ERR_NO_FDS;
    case ENOMEM:
        return PL_ERR_NOMEM;
    case EAGAIN:
    case EINTR:
    case EIO:
        return PL_ERR_IO;
    default:
        return PL_ERR_NOT_FOUND;
    }
}

/* Without waiting: does errno say that somebody who may wait has to ask? Also
 * where the kernel does not know the question. */
static bool must_wait(void)
{
    return errno == EAGAIN || errno == EINTR || errno == ENOSYS ||
           errno == EPERM || errno == EINVAL;
}

static int open_with(int dir, const char *path, enum pl_file_links links,
                     bool wait, int flags, struct stat *st)
{
    int fd = wait ? open_waiting(dir, path, links, flags)
                  : open_cached(dir, path, links, flags);
    int err = 0;

    if (fd < 0)
        return !wait && must_wait() ? PL_ERR_AGAIN : error_of(errno);
    if (pl_sys_fstat(fd, st) < 0)
        err = PL_ERR_IO;
    else if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        err = PL_ERR_NOT_FOUND;
    if (err == 0)
        return fd;
    pl_sys_close(fd);
    return err;
}

int pl_file_open(int dir, const char *path, enum pl_file_links links, bool wait,
                 struct stat *st)
{
    return open_with(dir, path, links, wait, OPEN_FLAGS, st);
}

int pl_file_look(int dir, const char *path, enum pl_file_links links, bool wait,
                 struct stat *st)
{
    int fd = open_with(dir, path, links, wait, PLACE_FLAGS, st);

    if (fd < 0)
        return fd;
    pl_sys_close(fd);
    return 0;
}

int pl_file_open_root(const char *path)
{
    int fd = open_again(AT_FDCWD, path, PLACE_FLAGS | O_DIRECTORY);

    return fd < 0 ? error_of(errno) : fd;
}

bool pl_file_is_remote(int fd)
{
    static const uint32_t remote[] = {
        0x6969 /* NFS */,       0x65735546 /* FUSE */, 0x517b /* SMB */,
        0xfe534d42 /* SMB2 */,  0xff534d42 /* CIFS */, 0x01021997 /* 9P */,
        0x00c36400 /* Ceph */,  0x5346414f /* AFS */,  0x0bd00bd0 /* Lustre */,
        0x7461636f /* OCFS2 */, 0x01161970 /* GFS2 */,
    };
    struct statfs fs;

    if (pl_sys_fstatfs(fd, &fs) < 0)
        return true; /* be careful */
    for (size_t i = 0; i < PL_COUNT(remote); i++)
        if ((uint32_t)fs.f_type == remote[i])
            return true;
    return false;
}
