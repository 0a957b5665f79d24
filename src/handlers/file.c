/* file.c - see file.h. Whether a path stays below its root is the kernel's to
 * say (openat2), because only it sees the names and the links at one moment.
 * Where it has no openat2, or a sandbox forbids it, the path is walked element
 * by element and links are not followed at all. */
#include "handlers/file.h"

#include <limits.h>
#include <linux/openat2.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/etag.h"
#include "http/mime.h"

enum {
    /* O_NONBLOCK: opening a FIFO does not wait for who writes to it. O_NOCTTY:
     * a terminal does not become ours. Both are forgotten with what they are
     * for: only regular files are read. */
    OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    WALK_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    RACES_MAX = 16, /* renames beside a ".." of a link: the kernel asks again */
};

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

/* ---- opening ---- */

/* Steps from dir into the folder with this name; dir is closed unless it is
 * root. Returns the new descriptor, or -1 with errno. */
static int step(int root, int dir, struct pl_str name)
{
    char text[NAME_MAX + 1];
    int next, error;

    if (name.len > NAME_MAX) {
        errno = ENAMETOOLONG;
        next = -1;
    } else {
        memcpy(text, name.data, name.len);
        text[name.len] = '\0';
        next = pl_sys_openat(dir, text, WALK_FLAGS, 0);
    }
    error = errno;
    if (dir != root)
        pl_sys_close(dir);
    errno = error;
    return next;
}

/* Without openat2. The path has passed pl_file_path_ok(): no ".." in it. */
static int walk(int root, const char *path)
{
    const char *slash;
    int dir = root, fd, error;

    while ((slash = strchr(path, '/')) != NULL && slash[1] != '\0') {
        dir = step(root, dir, pl_str(path, (size_t)(slash - path)));
        if (dir < 0)
            return -1;
        path = slash + 1;
    }
    fd = pl_sys_openat(dir, path, OPEN_FLAGS | O_NOFOLLOW, 0);
    error = errno;
    if (dir != root)
        pl_sys_close(dir);
    errno = error;
    return fd;
}

static int open_beneath(int root, const char *path)
{
    const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    int fd, races = 0;

    do
        fd = pl_sys_openat2(root, path, OPEN_FLAGS, resolve);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR) &&
           ++races < RACES_MAX);
    /* Reading needs no privilege that EPERM could be about: a seccomp filter
     * says so of calls that it does not know. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = walk(root, path);
    return fd;
}

static int open_path(int root, const char *path, enum pl_file_reach reach)
{
    int fd;

    if (reach == PL_FILE_BENEATH)
        return open_beneath(root, path);
    do
        fd = pl_sys_openat(root, path, OPEN_FLAGS, 0);
    while (fd < 0 && errno == EINTR);
    return fd;
}

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

int pl_file_open(int root, const char *path, enum pl_file_reach reach,
                 struct pl_file *out)
{
    struct stat st;
    int fd = open_path(root, path, reach), err = 0;

    if (fd < 0)
        return error_of(errno);
    if (pl_sys_fstat(fd, &st) < 0)
        err = PL_ERR_IO;
    else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        err = PL_ERR_NOT_FOUND;
    if (err < 0) {
        pl_sys_close(fd);
        return err;
    }
    *out = (struct pl_file){
        .fd = fd,
        .folder = S_ISDIR(st.st_mode),
        .size = (uint64_t)st.st_size,
        .inode = st.st_ino,
        .modified_ns =
            (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
    };
    return 0;
}

/* ---- answering ---- */

static void close_file(void *arg)
{
    pl_sys_close((int)(intptr_t)arg);
}

/* A date in the future is not sent: RFC 9110, 8.8.2.1. One before 1970 says
 * that the date was lost. */
static int64_t last_modified(struct pl_request *req, const struct pl_file *file)
{
    int64_t now = pl_loop_wall(req->http->net->loop);

    return file->modified_ns < 0 ? -1
                                 : PL_MIN(file->modified_ns / 1000000000, now);
}

int pl_file_answer(struct pl_request *req, const struct pl_file *file,
                   struct pl_str name)
{
    struct pl_response *res = &req->response;
    char *etag = pl_arena_bytes(&req->arena, PL_ETAG_MAX);
    int err;

    if (etag == NULL) {
        pl_sys_close(file->fd);
        return PL_ERR_NOMEM;
    }
    err = pl_response_file(res, file->fd, 0, file->size, close_file,
                           (void *)(intptr_t)file->fd);
    if (err < 0)
        return err;
    res->etag = pl_str(etag, pl_etag_make(etag, file->size, file->modified_ns,
                                          file->inode, false));
    res->last_modified = last_modified(req, file);
    if (res->type.data == NULL)
        res->type = pl_mime_of(name);
    return 0;
}
