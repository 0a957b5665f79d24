/* calls.c - the system calls that perilune, its libraries and both Luas need;
 * docs/sandbox.md has the same list for people (a test compares them).
 *
 * What is not here is refused: among others ptrace, mount, unshare, setns,
 * setuid and its kin, chroot, bpf, io_uring, perf_event_open, keyctl,
 * userfaultfd, kexec and modules of the kernel, clocks that are set, reboot. */
#include "seccomp.h"

#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/socket.h>

const struct pl_call_group pl_call_groups[] = {
    {"memory: malloc, stacks, and LuaJIT, which makes code",
     "brk mmap munmap mprotect mremap madvise msync mincore mlock mlock2 "
     "munlock membarrier memfd_create",
     PL_FOR_ALL},
    {"threads and their locks",
     "futex futex_waitv set_robust_list get_robust_list rseq set_tid_address "
     "sched_yield sched_getaffinity sched_setaffinity sched_getparam "
     "sched_getscheduler sched_get_priority_max sched_get_priority_min "
     "exit exit_group gettid restart_syscall getcpu",
     PL_FOR_ALL},
    {"signals to itself, the watchdog's timers",
     "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait "
     "rt_sigsuspend sigaltstack signalfd signalfd4 setitimer getitimer "
     "timer_create timer_settime timer_gettime timer_getoverrun timer_delete "
     "alarm pause",
     PL_FOR_ALL},
    {"waiting: the loop, sleep, poll",
     "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
     "poll ppoll select pselect6 eventfd eventfd2 timerfd_create "
     "timerfd_settime timerfd_gettime nanosleep clock_nanosleep "
     "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
     PL_FOR_ALL},
    {"clocks and chance",
     "clock_gettime clock_getres gettimeofday time getrandom", PL_FOR_ALL},
    {"sockets that are there, and those of the checks below",
     "bind listen accept accept4 connect getsockname getpeername getsockopt "
     "setsockopt shutdown sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg "
     "socketpair",
     PL_FOR_ALL},
    {"reading and writing what is open",
     "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 "
     "sendfile splice tee vmsplice copy_file_range lseek close close_range dup "
     "dup2 dup3 pipe pipe2 fcntl flock fsync fdatasync sync_file_range "
     "ftruncate fallocate fadvise64 readahead",
     PL_FOR_ALL},
    {"files: which ones, Landlock and the user decide",
     "open openat openat2 creat stat lstat fstat newfstatat fstatat64 statx "
     "statfs fstatfs access faccessat faccessat2 getdents getdents64 readlink "
     "readlinkat getcwd chdir fchdir umask truncate rename renameat renameat2 "
     "link linkat unlink unlinkat symlink symlinkat mkdir mkdirat rmdir chmod "
     "fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes "
     "utimensat "
     "futimesat getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr",
     PL_FOR_ALL},
    {"who and where we are",
     "getpid getppid getuid geteuid getgid getegid getgroups getresuid "
     "getresgid getpgid getpgrp getsid capget uname sysinfo times getrusage "
     "getrlimit getpriority",
     PL_FOR_ALL},
    {"starting programs, and minding them",
     "execve execveat fork vfork wait4 waitid kill pidfd_open "
     "pidfd_send_signal tgkill setpgid setsid setrlimit prlimit64 "
     "setpriority arch_prctl sync",
     PL_FOR_PROCESSES},
    {"the leak checker of AddressSanitizer", "ptrace wait4 personality clone",
     PL_FOR_SANITIZERS},
    {0},
};

enum { ALL = 0xffffffff, KIND = 0xf }; /* KIND: without SOCK_CLOEXEC... */

/* New namespaces of any kind. */
#define NAMESPACES                                                             \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |             \
     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define ONE(n, value)                                                          \
    {                                                                          \
        {(n), ALL, (value)},                                                   \
    }

const struct pl_call_check pl_call_checks[] = {
    /* no raw sockets and no packets */
    {"socket", ONE(0, AF_UNIX), PL_FOR_ALL},
    {"socket", {{0, ALL, AF_INET}, {1, KIND, SOCK_STREAM}}, PL_FOR_ALL},
    {"socket", {{0, ALL, AF_INET}, {1, KIND, SOCK_DGRAM}}, PL_FOR_ALL},
    {"socket", {{0, ALL, AF_INET6}, {1, KIND, SOCK_STREAM}}, PL_FOR_ALL},
    {"socket", {{0, ALL, AF_INET6}, {1, KIND, SOCK_DGRAM}}, PL_FOR_ALL},
    /* the addresses of this machine: getaddrinfo() asks for them */
    {"socket", {{0, ALL, AF_NETLINK}, {2, ALL, NETLINK_ROUTE}}, PL_FOR_ALL},
    {"clone", {{0, CLONE_THREAD | NAMESPACES, CLONE_THREAD}}, PL_FOR_ALL},
    {"clone", {{0, NAMESPACES, 0}}, PL_FOR_PROCESSES},
    {"prctl", ONE(0, PR_SET_NAME), PL_FOR_ALL},
    {"prctl", ONE(0, PR_GET_NAME), PL_FOR_ALL},
    {"prctl", ONE(0, PR_SET_PDEATHSIG), PL_FOR_ALL},
    {"prctl", ONE(0, PR_GET_DUMPABLE), PL_FOR_ALL},
    {"prctl", ONE(0, PR_SET_DUMPABLE), PL_FOR_ALL},
    {"prctl", ONE(0, PR_CAPBSET_READ), PL_FOR_ALL},
    {"prctl", ONE(0, PR_GET_NO_NEW_PRIVS), PL_FOR_ALL},
    {"prctl", ONE(0, PR_SET_PTRACER), PL_FOR_ALL},
    {"prctl", ONE(0, PR_SET_VMA), PL_FOR_ALL},
    /* terminals are looked at, and never written into (TIOCSTI) */
    {"ioctl", ONE(1, TCGETS), PL_FOR_ALL},
    {"ioctl", ONE(1, TIOCGWINSZ), PL_FOR_ALL},
    {"ioctl", ONE(1, FIONREAD), PL_FOR_ALL},
    {"ioctl", ONE(1, FIONBIO), PL_FOR_ALL},
    {"ioctl", ONE(1, FIOCLEX), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCOUTQ), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCATMARK), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCGIFNAME), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCGIFINDEX), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCGIFFLAGS), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCGIFADDR), PL_FOR_ALL},
    {"ioctl", ONE(1, SIOCGIFCONF), PL_FOR_ALL},
    {"ioctl", ONE(1, FICLONE), PL_FOR_ALL},
    /* signals to threads of ours: abort(), raise(), the watchdog */
    {"tgkill", ONE(0, PL_OWN_PID), PL_FOR_ALL},
    {"rt_tgsigqueueinfo", ONE(0, PL_OWN_PID), PL_FOR_ALL},
    /* limits are read, and only our own */
    {"prlimit64", {{0, ALL, 0}, {2, UINT64_MAX, 0}}, PL_FOR_ALL},
    {0},
};
