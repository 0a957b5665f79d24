/* nowait.c - reading what is in memory already, or not at all.
 *
 * SQLite's VFS for UNIX makes its system calls through a table that a program
 * may change (sqlite3_vfs.xSetSystemCall). The call that reads is replaced by
 * one that, for the thread that asks for it, sets RWF_NOWAIT: a page that is
 * not in the kernel's cache is an error, the statement fails, and is run again
 * where it may wait. Other users of the library in this process notice nothing.
 */
#include <errno.h>
#include <unistd.h>

#include "plugins/sqlite/sqlite.h"

typedef ssize_t pread_fn(int fd, void *to, size_t len, off_t at);
typedef ssize_t read_fn(int fd, void *to, size_t len);

static pread_fn *usual_pread;
static read_fn *usual_read;
static _Thread_local bool asked, waits;

/* at -1: where the file is. */
static ssize_t read_now(int fd, void *to, size_t len, off_t at)
{
    struct iovec iov = {to, len};
    ssize_t n = pl_sqlite_host->preadv2(fd, &iov, 1, at, RWF_NOWAIT);

    if (n < 0 && errno == EAGAIN)
        waits = true;
    return n;
}

/* A file system that cannot say whether it waits is read as usual. */
static bool is_unknown(ssize_t n)
{
    return n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL);
}

static ssize_t our_pread(int fd, void *to, size_t len, off_t at)
{
    ssize_t n = asked ? read_now(fd, to, len, at) : -1;

    if (asked && !is_unknown(n))
        return n;
    return usual_pread(fd, to, len, at);
}

static ssize_t our_read(int fd, void *to, size_t len)
{
    ssize_t n = asked ? read_now(fd, to, len, -1) : -1;

    if (asked && !is_unknown(n))
        return n;
    return usual_read(fd, to, len);
}

static sqlite3_syscall_ptr replace(sqlite3_vfs *vfs, const char *name,
                                   sqlite3_syscall_ptr ours)
{
    sqlite3_syscall_ptr usual = vfs->xGetSystemCall(vfs, name);

    if (usual == NULL || vfs->xSetSystemCall(vfs, name, ours) != SQLITE_OK)
        return NULL;
    return usual;
}

void pl_sqlite_nowait_init(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    if (vfs == NULL || vfs->iVersion < 3 || vfs->xSetSystemCall == NULL)
        return;
    /* Which of them it uses was decided when it was built. */
    usual_pread = (pread_fn *)vfs->xGetSystemCall(vfs, "pread64");
    if (usual_pread == NULL)
        usual_pread = (pread_fn *)vfs->xGetSystemCall(vfs, "pread");
    usual_read = (read_fn *)vfs->xGetSystemCall(vfs, "read");
    if (usual_pread != NULL &&
        replace(vfs, "pread64", (sqlite3_syscall_ptr)our_pread) == NULL)
        replace(vfs, "pread", (sqlite3_syscall_ptr)our_pread);
    if (usual_read != NULL)
        replace(vfs, "read", (sqlite3_syscall_ptr)our_read);
}

void pl_sqlite_nowait_begin(void)
{
    asked = true;
    waits = false;
}

bool pl_sqlite_nowait_end(void)
{
    asked = false;
    return waits;
}
