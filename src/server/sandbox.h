/* sandbox.h - what the process gives up, once it has all that it needs.
 *
 * The last thing before the first thread of the server: the kernel binds only
 * threads that are made afterwards, and none of it can be taken back. What the
 * site asks for (pl.set { sandbox = ... }) is done in this order, in which each
 * step still has the rights that it takes:
 *
 *     threads that the load of the site has left are ended
 *     paths are opened, the list of system calls is compiled
 *     groups, chroot, bounding set, user, capabilities
 *     no_new_privs, Landlock, seccomp
 *
 * A layer that the kernel does not have is told in one line of the log, or
 * (strict) ends the start. A wish that changes takes a new process, which the
 * supervisor starts: it is not in the sandbox itself. */
#ifndef PL_SERVER_SANDBOX_H
#define PL_SERVER_SANDBOX_H

#include <sys/types.h>

#include "route/site.h"

struct pl_generation;
struct pl_server;
struct pl_user;

/* name, as status has it */
#define PL_LAYER_MAP(X)                                                        \
    X(USER, "user")                                                            \
    X(CHROOT, "chroot")                                                        \
    X(CAPABILITIES, "capabilities")                                            \
    X(NO_NEW_PRIVS, "no_new_privs")                                            \
    X(LANDLOCK, "landlock")                                                    \
    X(SECCOMP, "seccomp")

enum pl_layer {
#define PL_LAYER(name, word) PL_LAYER_##name,
    PL_LAYER_MAP(PL_LAYER)
#undef PL_LAYER
        PL_LAYERS
};

enum { PL_LAYER_NOTE = 160, PL_SANDBOX_CALLS = 1024 };

struct pl_layer_fact {
    enum pl_layer_state {
        PL_LAYER_OFF, /* nobody wants it */
        PL_LAYER_ON,
        PL_LAYER_MISSING, /* it was wanted, and could not be had: note */
    } state;
    char note[PL_LAYER_NOTE]; /* "www-data", "ABI 7, 31 paths"; "" */
};

/* While it is entered. */
struct pl_sandbox_entry {
    const struct pl_generation *gen;
    const struct pl_user *user;
    void *filter; /* struct sock_filter; NULL: there is none */
    unsigned short nfilter;
    unsigned flags;
};

/* A path that may be opened; while it is collected, with a descriptor. */
struct pl_grant {
    struct pl_grant *next;
    unsigned access; /* enum pl_path_access */
    int fd;          /* -1 once Landlock has it */
    bool folder;
    dev_t dev;
    ino_t ino;
    char path[];
};

struct pl_sandbox {
    struct pl_server *server;
    struct pl_sandbox_settings wish; /* its texts as long as we enter */
    struct pl_sandbox_entry entry;
    struct pl_layer_fact layers[PL_LAYERS];
    struct pl_grant *grants; /* the last one first */
    unsigned ngrants;
    char *root;     /* of the chroot, from outside; NULL: none */
    bool in_root;   /* the working folder is inside of it */
    bool traps;     /* refused calls are ours to answer */
    uint64_t calls; /* that were refused and told of: kinds of them */
};

/* Becomes user, and enters the sandbox if the site wants one; gen is the site
 * as it was loaded for that. No thread of ours runs. GIVES server->sandbox.
 * Returns 0 or PL_ERR_* with *error: nothing may be served then. */
int pl_sandbox_enter(struct pl_server *server, const struct pl_generation *gen,
                     const struct pl_user *user, struct pl_error *error);
void pl_sandbox_free(struct pl_sandbox *sandbox); /* may be NULL */

/* Has a path that may be opened become another file (a folder that a new
 * release was put in the place of)? The new one may not. */
bool pl_sandbox_stale(const struct pl_sandbox *sandbox);

/* Do both sites want the same of the process? */
bool pl_sandbox_same(const struct pl_site *a, const struct pl_site *b);

/* Main thread: tells of system calls that were refused since. */
void pl_sandbox_turn(struct pl_sandbox *sandbox);

const char *pl_layer_name(enum pl_layer layer);

#endif
