/* sandbox_landlock.c - landlock(7): a process that may open only what lies
 * below some folders. What is open already stays open. */
#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"
#include "server/sandbox_priv.h"

/* Rights, by the ABI that brought them: headers of the system may be older than
 * its kernel. */
enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_CHAR = 1 << 6,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SOCK = 1 << 9,
    MAKE_FIFO = 1 << 10,
    MAKE_BLOCK = 1 << 11,
    MAKE_SYM = 1 << 12,
    REFER = 1 << 13,     /* 2: link or rename into another folder */
    TRUNCATE = 1 << 14,  /* 3 */
    IOCTL_DEV = 1 << 15, /* 5 */

    OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV,
};

enum {
    ASK_VERSION = 1,
    SCOPE_SIGNAL = 1 << 1, /* 6: no signals to others than our own children */
};

struct ruleset {
    uint64_t fs, net, scoped;
};

static uint64_t known_rights(int abi)
{
    uint64_t rights = MAKE_SYM * 2 - 1;

    return rights | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) |
           (abi >= 5 ? IOCTL_DEV : 0);
}

static uint64_t rights_of(unsigned access)
{
    uint64_t rights = 0;

    if (access & PL_PATH_READ)
        rights |= READ_FILE | READ_DIR;
    if (access & PL_PATH_WRITE)
        rights |= WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR |
                  MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER;
    if (access & PL_PATH_RUN)
        rights |= EXECUTE | READ_FILE;
    if (access & PL_PATH_SOCKETS)
        rights |= MAKE_SOCK | REMOVE_FILE;
    if (access & PL_PATH_LOGS)
        rights |= WRITE_FILE | MAKE_REG;
    return rights;
}

static int add_rules(struct pl_sandbox *sandbox, int ruleset, uint64_t known)
{
    for (struct pl_grant *at = sandbox->grants; at != NULL; at = at->next) {
        uint64_t rights = rights_of(at->access) & known;

        if (!at->folder)
            rights &= OF_FILES;
        if (rights != 0 &&
            pl_sys_landlock_add_rule(ruleset, at->fd, rights) < 0)
            return -1;
        pl_sys_close(at->fd);
        at->fd = -1;
    }
    return 0;
}

static int restrict_to(struct pl_sandbox *sandbox, int abi)
{
    const struct ruleset wanted = {.fs = known_rights(abi),
                                   .scoped = abi >= 6 ? SCOPE_SIGNAL : 0};
    size_t size = abi >= 6 ? sizeof(wanted) : sizeof(wanted.fs);
    int ruleset = pl_sys_landlock_create_ruleset(&wanted, size, 0);
    int done;

    if (ruleset < 0)
        return -1;
    done = add_rules(sandbox, ruleset, wanted.fs);
    if (done == 0)
        done = pl_sys_landlock_restrict_self(ruleset);
    pl_sys_close(ruleset);
    return done;
}

int pl_sandbox_landlock(struct pl_sandbox *sandbox, struct pl_error *error)
{
    char why[80];
    int abi;

    if (!sandbox->wish.landlock)
        return 0;
    abi = pl_sys_landlock_create_ruleset(NULL, 0, ASK_VERSION);
    if (abi < 1 || restrict_to(sandbox, abi) < 0) {
        snprintf(why, sizeof(why), "%s",
                 errno == ENOSYS       ? "the kernel has no Landlock"
                 : errno == EOPNOTSUPP ? "Landlock is switched off (lsm=)"
                                       : strerror(errno));
        return pl_layer_is_missing(sandbox, PL_LAYER_LANDLOCK, why, error);
    }
    pl_layer_is_on(sandbox, PL_LAYER_LANDLOCK, "ABI %d, %u paths", abi,
                   sandbox->ngrants);
    return 0;
}
