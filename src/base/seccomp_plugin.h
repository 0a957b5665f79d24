/* seccomp_plugin.h - what perilune-seccomp.so offers (base/plugin.h): a list of
 * system calls as a program for the kernel. It needs nothing of its host, and
 * it is the host that gives the program to the kernel. */
#ifndef PL_BASE_SECCOMP_PLUGIN_H
#define PL_BASE_SECCOMP_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

/* What becomes of a call that the list does not have. */
enum pl_seccomp_action {
    PL_SECCOMP_TRAP,  /* SIGSYS: its handler answers EPERM, and tells of it */
    PL_SECCOMP_ERRNO, /* EPERM, and the kernel's log tells */
    PL_SECCOMP_KILL,  /* the end of the process */
    PL_SECCOMP_LOG,   /* it is done, and the kernel's log tells */
};

struct pl_seccomp_wish {
    enum pl_seccomp_action action;
    bool processes;  /* programs may be started, and are under the list, too */
    bool sanitizers; /* built with them: their reports start a process */
};

struct pl_seccomp_offer {
    /* Writes the program, an array of struct sock_filter, to fd. Returns 0 or
     * an errno. */
    int (*compile)(const struct pl_seccomp_wish *wish, int fd);
    /* "ptrace", or "" if the number has no name. */
    void (*name)(int number, char *out, size_t size);
};

#endif
