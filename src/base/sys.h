/* sys.h - the only door to the kernel and to malloc.
 *
 * In a normal build each pl_sys_* is the system call itself. Built with
 * -Dfaults=true every call first asks pl_fault(), so that tests can make the
 * n-th one fail, shorten reads and writes, and count (see faults.h). */
#ifndef PL_BASE_SYS_H
#define PL_BASE_SYS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <perilune.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

/* Calls that may be made to fail. The first column is the row in faults.h. */
#define PL_SYS_MAP(X)                                                          \
    X(malloc)                                                                  \
    X(lua_alloc)                                                               \
    X(read)                                                                    \
    X(write)                                                                   \
    X(recv)                                                                    \
    X(send)                                                                    \
    X(sendmsg)                                                                 \
    X(sendfile)                                                                \
    X(accept4)                                                                 \
    X(close)                                                                   \
    X(shutdown)                                                                \
    X(outq)                                                                    \
    X(socket)                                                                  \
    X(bind)                                                                    \
    X(listen)                                                                  \
    X(connect)                                                                 \
    X(getsockopt)                                                              \
    X(setsockopt)                                                              \
    X(getsockname)                                                             \
    X(getpeername)                                                             \
    X(getaddrinfo)                                                             \
    X(sendto)                                                                  \
    X(recvfrom)                                                                \
    X(epoll_create1)                                                           \
    X(epoll_ctl)                                                               \
    X(epoll_wait)                                                              \
    X(eventfd)                                                                 \
    X(signalfd)                                                                \
    X(open)                                                                    \
    X(openat)                                                                  \
    X(openat2)                                                                 \
    X(fstat)                                                                   \
    X(fstatat)                                                                 \
    X(fstatfs)                                                                 \
    X(getdents64)                                                              \
    X(readlink)                                                                \
    X(unlink)                                                                  \
    X(chmod)                                                                   \
    X(pread)                                                                   \
    X(preadv2)                                                                 \
    X(mmap)                                                                    \
    X(munmap)                                                                  \
    X(mprotect)                                                                \
    X(madvise)                                                                 \
    X(thread)                                                                  \
    X(lseek)                                                                   \
    X(fsync)                                                                   \
    X(fchmod)                                                                  \
    X(dup_fd)                                                                  \
    X(own_fd)                                                                  \
    X(lchown)                                                                  \
    X(fchown)                                                                  \
    X(utimensat)                                                               \
    X(renameat)                                                                \
    X(unlinkat)                                                                \
    X(mkdirat)                                                                 \
    X(linkat)                                                                  \
    X(symlinkat)                                                               \
    X(readlinkat)                                                              \
    X(realpath)                                                                \
    X(fdopendir)                                                               \
    X(readdir)                                                                 \
    X(copy_file_range)                                                         \
    X(inotify_init1)                                                           \
    X(inotify_add_watch)                                                       \
    X(inotify_rm_watch)                                                        \
    X(pipe2)                                                                   \
    X(spawn)                                                                   \
    X(pidfd_open)                                                              \
    X(waitid)                                                                  \
    X(kill)                                                                    \
    X(fork)                                                                    \
    X(socketpair)                                                              \
    X(recvmsg)                                                                 \
    X(memfd_create)                                                            \
    X(forgo)                                                                   \
    X(capset)                                                                  \
    X(chroot)                                                                  \
    X(setgroups)                                                               \
    X(setresgid)                                                               \
    X(setresuid)                                                               \
    X(seccomp)                                                                 \
    X(landlock_create_ruleset)                                                 \
    X(landlock_add_rule)                                                       \
    X(landlock_restrict_self)

enum pl_sys_call {
#define PL_SYS_ENUM(name) PL_SYS_##name,
    PL_SYS_MAP(PL_SYS_ENUM)
#undef PL_SYS_ENUM
        PL_SYS_COUNT
};

#ifdef PL_FAULTS
/* Returns 0 to go on, or the errno to fail with. len (may be NULL) is the
 * length of a transfer, which may be shortened. */
int pl_fault(enum pl_sys_call call, size_t *len);
ssize_t pl_fault_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t pl_fault_preadv2(int fd, const struct iovec *iov, int n, off_t off,
                         int flags);
#define PL_SYS_DO(call, len_ptr, failed, expr)                                 \
    ({                                                                         \
        int fault_ = pl_fault(PL_SYS_##call, len_ptr);                         \
        fault_ != 0 ? (errno = fault_, (failed)) : (expr);                     \
    })
/* Calls with a vector to shorten do all of it themselves. */
#define PL_SYS_VECTOR(call, ...) pl_fault_##call(__VA_ARGS__)
#else
#define PL_SYS_VECTOR(call, ...) call(__VA_ARGS__)
#define PL_SYS_DO(call, len_ptr, failed, expr) ((void)(len_ptr), (expr))
#endif

/* ---- memory ---- */

PL_INLINE void *pl_malloc(size_t size)
{
    return PL_SYS_DO(malloc, NULL, NULL, malloc(size));
}

PL_INLINE void *pl_calloc(size_t n, size_t size)
{
    return PL_SYS_DO(malloc, NULL, NULL, calloc(n, size));
}

PL_INLINE void *pl_aligned_alloc(size_t align, size_t size)
{
    return PL_SYS_DO(malloc, NULL, NULL, aligned_alloc(align, size));
}

PL_INLINE void *pl_realloc(void *ptr, size_t size)
{
    return PL_SYS_DO(malloc, NULL, NULL, realloc(ptr, size));
}

PL_INLINE void pl_free(void *ptr)
{
    free(ptr);
}

PL_INLINE void *pl_sys_mmap(void *at, size_t len, int prot, int flags, int fd,
                            off_t off)
{
    return PL_SYS_DO(mmap, NULL, MAP_FAILED,
                     mmap(at, len, prot, flags, fd, off));
}

PL_INLINE int pl_sys_munmap(void *at, size_t len)
{
    return PL_SYS_DO(munmap, NULL, -1, munmap(at, len));
}

PL_INLINE int pl_sys_mprotect(void *at, size_t len, int prot)
{
    return PL_SYS_DO(mprotect, NULL, -1, mprotect(at, len, prot));
}

PL_INLINE int pl_sys_madvise(void *at, size_t len, int advice)
{
    return PL_SYS_DO(madvise, NULL, -1, madvise(at, len, advice));
}

/* ---- transfers: may be shortened ---- */

PL_INLINE ssize_t pl_sys_read(int fd, void *to, size_t len)
{
    return PL_SYS_DO(read, &len, -1, read(fd, to, len));
}

PL_INLINE ssize_t pl_sys_write(int fd, const void *from, size_t len)
{
    return PL_SYS_DO(write, &len, -1, write(fd, from, len));
}

/* The C library's recv() and send() are places where a thread may be cancelled:
 * in a process with threads that is four locked instructions a request, and
 * nobody cancels ours. Sanitizers know them by their names. */
#if PL_ASAN || PL_TSAN
#define PL_RAW_RECV recv
#define PL_RAW_SEND send
#else
#define PL_RAW_RECV(...) syscall(SYS_recvfrom, __VA_ARGS__, NULL, NULL)
#define PL_RAW_SEND(...) syscall(SYS_sendto, __VA_ARGS__, NULL, 0)
#endif

PL_INLINE ssize_t pl_sys_recv(int fd, void *to, size_t len, int flags)
{
    return PL_SYS_DO(recv, &len, -1, PL_RAW_RECV(fd, to, len, flags));
}

PL_INLINE ssize_t pl_sys_send(int fd, const void *from, size_t len, int flags)
{
    return PL_SYS_DO(send, &len, -1, PL_RAW_SEND(fd, from, len, flags));
}

PL_INLINE ssize_t pl_sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return PL_SYS_VECTOR(sendmsg, fd, msg, flags);
}

PL_INLINE ssize_t pl_sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return PL_SYS_DO(recvmsg, NULL, -1, recvmsg(fd, msg, flags));
}

PL_INLINE ssize_t pl_sys_sendfile(int out, int in, off_t *off, size_t len)
{
    return PL_SYS_DO(sendfile, &len, -1, sendfile(out, in, off, len));
}

PL_INLINE ssize_t pl_sys_pread(int fd, void *to, size_t len, off_t off)
{
    return PL_SYS_DO(pread, &len, -1, pread(fd, to, len, off));
}

PL_INLINE ssize_t pl_sys_preadv2(int fd, const struct iovec *iov, int n,
                                 off_t off, int flags)
{
    return PL_SYS_VECTOR(preadv2, fd, iov, n, off, flags);
}

/* ---- descriptors ---- */

/* fd is gone in any case, also when this fails: as on Linux. */
PL_INLINE int pl_sys_close(int fd)
{
    return PL_SYS_DO(close, NULL, (close(fd), -1), close(fd));
}

PL_INLINE int pl_sys_socket(int family, int type, int protocol)
{
    return PL_SYS_DO(socket, NULL, -1, socket(family, type, protocol));
}

PL_INLINE int pl_sys_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
    return PL_SYS_DO(bind, NULL, -1, bind(fd, sa, len));
}

PL_INLINE int pl_sys_listen(int fd, int backlog)
{
    return PL_SYS_DO(listen, NULL, -1, listen(fd, backlog));
}

PL_INLINE int pl_sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    return PL_SYS_DO(connect, NULL, -1, connect(fd, sa, len));
}

PL_INLINE int pl_sys_accept4(int fd, struct sockaddr *sa, socklen_t *len,
                             int flags)
{
    return PL_SYS_DO(accept4, NULL, -1, accept4(fd, sa, len, flags));
}

PL_INLINE int pl_sys_shutdown(int fd, int how)
{
    return PL_SYS_DO(shutdown, NULL, -1, shutdown(fd, how));
}

/* Bytes that were sent and that the peer has not acknowledged. */
PL_INLINE int pl_sys_outq(int fd, int *bytes)
{
    return PL_SYS_DO(outq, NULL, -1, ioctl(fd, SIOCOUTQ, bytes));
}

PL_INLINE int pl_sys_getsockopt(int fd, int level, int name, void *value,
                                socklen_t *len)
{
    return PL_SYS_DO(getsockopt, NULL, -1,
                     getsockopt(fd, level, name, value, len));
}

PL_INLINE int pl_sys_setsockopt(int fd, int level, int name, const void *value,
                                socklen_t len)
{
    return PL_SYS_DO(setsockopt, NULL, -1,
                     setsockopt(fd, level, name, value, len));
}

PL_INLINE int pl_sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
    return PL_SYS_DO(getsockname, NULL, -1, getsockname(fd, sa, len));
}

PL_INLINE int pl_sys_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
    return PL_SYS_DO(getpeername, NULL, -1, getpeername(fd, sa, len));
}

/* No system call, but many: the resolver. */
PL_INLINE int pl_sys_getaddrinfo(const char *host, const char *service,
                                 const struct addrinfo *hints,
                                 struct addrinfo **found)
{
    return PL_SYS_DO(getaddrinfo, NULL, EAI_SYSTEM,
                     getaddrinfo(host, service, hints, found));
}

PL_INLINE ssize_t pl_sys_sendto(int fd, const void *from, size_t len, int flags,
                                const struct sockaddr *to, socklen_t to_len)
{
    return PL_SYS_DO(sendto, NULL, -1,
                     sendto(fd, from, len, flags, to, to_len));
}

PL_INLINE ssize_t pl_sys_recvfrom(int fd, void *to, size_t len, int flags,
                                  struct sockaddr *from, socklen_t *from_len)
{
    return PL_SYS_DO(recvfrom, NULL, -1,
                     recvfrom(fd, to, len, flags, from, from_len));
}

PL_INLINE int pl_sys_epoll_create1(int flags)
{
    return PL_SYS_DO(epoll_create1, NULL, -1, epoll_create1(flags));
}

PL_INLINE int pl_sys_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    return PL_SYS_DO(epoll_ctl, NULL, -1, epoll_ctl(ep, op, fd, ev));
}

PL_INLINE int pl_sys_epoll_wait(int ep, struct epoll_event *evs, int n, int ms)
{
    return PL_SYS_DO(epoll_wait, NULL, -1, epoll_wait(ep, evs, n, ms));
}

PL_INLINE int pl_sys_eventfd(unsigned value, int flags)
{
    return PL_SYS_DO(eventfd, NULL, -1, eventfd(value, flags));
}

PL_INLINE int pl_sys_signalfd(int fd, const sigset_t *mask, int flags)
{
    return PL_SYS_DO(signalfd, NULL, -1, signalfd(fd, mask, flags));
}

/* Makes whoever waits for an eventfd look: a full one has been seen to already,
 * and any other failure is tried again, because nobody would look otherwise.
 * Async-signal-safe; keeps errno. */
void pl_sys_wake(int fd);

/* ---- files ---- */

PL_INLINE int pl_sys_open(const char *path, int flags, mode_t mode)
{
    return PL_SYS_DO(open, NULL, -1, open(path, flags, mode));
}

PL_INLINE int pl_sys_fstat(int fd, struct stat *st)
{
    return PL_SYS_DO(fstat, NULL, -1, fstat(fd, st));
}

PL_INLINE int pl_sys_fstatat(int dir, const char *path, struct stat *st,
                             int flags)
{
    return PL_SYS_DO(fstatat, NULL, -1, fstatat(dir, path, st, flags));
}

PL_INLINE int pl_sys_fstatfs(int fd, struct statfs *st)
{
    return PL_SYS_DO(fstatfs, NULL, -1, fstatfs(fd, st));
}

/* struct dirent64 one behind the other, by their d_reclen; 0 at the end. */
PL_INLINE ssize_t pl_sys_getdents64(int fd, void *to, size_t len)
{
    return PL_SYS_DO(getdents64, NULL, -1, getdents64(fd, to, len));
}

PL_INLINE int pl_sys_openat(int dir, const char *path, int flags, mode_t mode)
{
    return PL_SYS_DO(openat, NULL, -1, openat(dir, path, flags, mode));
}

/* Returns the length; to is not terminated. */
PL_INLINE ssize_t pl_sys_readlink(const char *path, char *to, size_t size)
{
    return PL_SYS_DO(readlink, NULL, -1, readlink(path, to, size));
}

PL_INLINE int pl_sys_unlink(const char *path)
{
    return PL_SYS_DO(unlink, NULL, -1, unlink(path));
}

PL_INLINE int pl_sys_chmod(const char *path, mode_t mode)
{
    return PL_SYS_DO(chmod, NULL, -1, chmod(path, mode));
}

/* glibc 2.36 has no wrapper. resolve: RESOLVE_* of <linux/openat2.h>. */
int pl_sys_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve);

PL_INLINE off_t pl_sys_lseek(int fd, off_t off, int whence)
{
    return PL_SYS_DO(lseek, NULL, -1, lseek(fd, off, whence));
}

PL_INLINE int pl_sys_fsync(int fd)
{
    return PL_SYS_DO(fsync, NULL, -1, fsync(fd));
}

PL_INLINE int pl_sys_fchmod(int fd, mode_t mode)
{
    return PL_SYS_DO(fchmod, NULL, -1, fchmod(fd, mode));
}

/* A second descriptor of the same, closed in children. */
PL_INLINE int pl_sys_dup_fd(int fd)
{
    return PL_SYS_DO(dup_fd, NULL, -1, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/* Makes fd as if we had opened it: non-blocking, closed in children. */
PL_INLINE int pl_sys_own_fd(int fd)
{
    return PL_SYS_DO(own_fd, NULL, -1,
                     fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0
                         ? -1
                         : fcntl(fd, F_SETFD, FD_CLOEXEC));
}

PL_INLINE int pl_sys_lchown(const char *path, uid_t uid, gid_t gid)
{
    return PL_SYS_DO(lchown, NULL, -1, lchown(path, uid, gid));
}

PL_INLINE int pl_sys_fchown(int fd, uid_t uid, gid_t gid)
{
    return PL_SYS_DO(fchown, NULL, -1, fchown(fd, uid, gid));
}

PL_INLINE int pl_sys_utimensat(int dir, const char *path,
                               const struct timespec times[2], int flags)
{
    return PL_SYS_DO(utimensat, NULL, -1, utimensat(dir, path, times, flags));
}

PL_INLINE int pl_sys_renameat(int from_dir, const char *from, int to_dir,
                              const char *to)
{
    return PL_SYS_DO(renameat, NULL, -1, renameat(from_dir, from, to_dir, to));
}

PL_INLINE int pl_sys_unlinkat(int dir, const char *path, int flags)
{
    return PL_SYS_DO(unlinkat, NULL, -1, unlinkat(dir, path, flags));
}

PL_INLINE int pl_sys_mkdirat(int dir, const char *path, mode_t mode)
{
    return PL_SYS_DO(mkdirat, NULL, -1, mkdirat(dir, path, mode));
}

PL_INLINE int pl_sys_linkat(int from_dir, const char *from, int to_dir,
                            const char *to, int flags)
{
    return PL_SYS_DO(linkat, NULL, -1,
                     linkat(from_dir, from, to_dir, to, flags));
}

PL_INLINE int pl_sys_symlinkat(const char *target, int dir, const char *path)
{
    return PL_SYS_DO(symlinkat, NULL, -1, symlinkat(target, dir, path));
}

PL_INLINE ssize_t pl_sys_readlinkat(int dir, const char *path, char *to,
                                    size_t len)
{
    return PL_SYS_DO(readlinkat, NULL, -1, readlinkat(dir, path, to, len));
}

/* to has PATH_MAX bytes. */
PL_INLINE char *pl_sys_realpath(const char *path, char *to)
{
    return PL_SYS_DO(realpath, NULL, NULL, realpath(path, to));
}

/* Takes fd when it succeeds. */
PL_INLINE DIR *pl_sys_fdopendir(int fd)
{
    return PL_SYS_DO(fdopendir, NULL, NULL, fdopendir(fd));
}

/* NULL with errno 0 at the end: set it before. */
PL_INLINE struct dirent *pl_sys_readdir(DIR *folder)
{
    return PL_SYS_DO(readdir, NULL, NULL, readdir(folder));
}

PL_INLINE ssize_t pl_sys_copy_file_range(int in, off_t *off, int out,
                                         size_t len)
{
    return PL_SYS_DO(copy_file_range, &len, -1,
                     copy_file_range(in, off, out, NULL, len, 0));
}

PL_INLINE int pl_sys_inotify_init1(int flags)
{
    return PL_SYS_DO(inotify_init1, NULL, -1, inotify_init1(flags));
}

PL_INLINE int pl_sys_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return PL_SYS_DO(inotify_add_watch, NULL, -1,
                     inotify_add_watch(fd, path, mask));
}

PL_INLINE int pl_sys_inotify_rm_watch(int fd, int watch)
{
    return PL_SYS_DO(inotify_rm_watch, NULL, -1, inotify_rm_watch(fd, watch));
}

/* ---- processes ---- */

PL_INLINE int pl_sys_pipe2(int fds[2], int flags)
{
    return PL_SYS_DO(pipe2, NULL, -1, pipe2(fds, flags));
}

/* posix_spawnp(); returns the errno itself, as that does. */
PL_INLINE int pl_sys_spawn(pid_t *pid, const char *file,
                           const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attr, char *const argv[],
                           char *const envp[])
{
    return PL_SYS_DO(spawn, NULL, errno,
                     posix_spawnp(pid, file, actions, attr, argv, envp));
}

/* glibc 2.36 has the wrapper in a header that clashes with others. */
int pl_sys_pidfd_open(pid_t pid);

/* waitid() for one child. (Its header has names that are too good to lose.) */
int pl_sys_waitid(pid_t pid, siginfo_t *info, int options);

PL_INLINE int pl_sys_kill(pid_t pid, int sig)
{
    return PL_SYS_DO(kill, NULL, -1, kill(pid, sig));
}

PL_INLINE pid_t pl_sys_fork(void)
{
    return PL_SYS_DO(fork, NULL, -1, fork());
}

PL_INLINE int pl_sys_socketpair(int domain, int type, int protocol, int out[2])
{
    return PL_SYS_DO(socketpair, NULL, -1,
                     socketpair(domain, type, protocol, out));
}

PL_INLINE int pl_sys_memfd_create(const char *name, unsigned flags)
{
    return PL_SYS_DO(memfd_create, NULL, -1, memfd_create(name, flags));
}

/* ---- what the process may ---- */

PL_INLINE int pl_sys_chroot(const char *path)
{
    return PL_SYS_DO(chroot, NULL, -1, chroot(path));
}

/* glibc does it for all threads, as POSIX wants it. */
PL_INLINE int pl_sys_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return PL_SYS_DO(setresgid, NULL, -1, setresgid(real, effective, saved));
}

PL_INLINE int pl_sys_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return PL_SYS_DO(setresuid, NULL, -1, setresuid(real, effective, saved));
}

int pl_sys_setgroups(size_t count, const gid_t *groups);

/* prctl(), for what takes rights away. */
int pl_sys_forgo(int what, unsigned long a, unsigned long b);

/* Those of the calling thread: bits by CAP_* of <linux/capability.h>. */
int pl_sys_capset(uint64_t effective, uint64_t permitted);

/* A filter of count struct sock_filter, for all threads. flags:
 * SECCOMP_FILTER_FLAG_*. */
int pl_sys_seccomp(unsigned flags, const void *filter, unsigned short count);

/* glibc has no wrappers. ruleset NULL, size 0: flags ask for the version. */
int pl_sys_landlock_create_ruleset(const void *ruleset, size_t size,
                                   uint32_t flags);
int pl_sys_landlock_add_rule(int ruleset, int parent, uint64_t access);
int pl_sys_landlock_restrict_self(int ruleset);

/* ---- threads ---- */

/* As pthread_create, but returns -1 with errno set. The thread begins with all
 * signals blocked but those that its own faults raise. */
int pl_sys_thread(pthread_t *out, void *(*run)(void *), void *arg);

/* nice(2), which on Linux is about the calling thread. Best effort. */
void pl_sys_nice(int more);

/* ---- time (pl_random() is in perilune.h) ---- */

/* Nanoseconds of the monotonic and of the wall clock. */
uint64_t pl_clock_monotonic(void);
uint64_t pl_clock_wall(void);
uint64_t pl_clock_thread(void); /* CPU time of the calling thread */

#endif
