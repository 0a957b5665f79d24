#include "net/inherit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

enum { FIRST = 3 }; /* SD_LISTEN_FDS_START */

static const struct pl_str fd_prefix = {"fd:", 3};
static const struct pl_str systemd = {"systemd", 7};
static const struct pl_str systemd_prefix = {"systemd:", 8};

bool pl_inherit_is(struct pl_str address)
{
    return pl_str_starts(address, fd_prefix) || pl_str_eq(address, systemd) ||
           pl_str_starts(address, systemd_prefix);
}

static int find_number(struct pl_str text, int fds[PL_INHERIT_MAX], unsigned *n,
                       struct pl_error *error)
{
    uint64_t number;

    if (!pl_str_to_u64(text, &number) || number > INT32_MAX)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "'fd:%.*s': a descriptor is a number",
                            PL_STR_ARG(text));
    if (fds != NULL) {
        fds[0] = (int)number;
        *n = 1;
    }
    return 0;
}

static bool passed_to(pid_t process)
{
    uint64_t pid;

    return pl_str_to_u64(pl_str_c(getenv("LISTEN_PID")), &pid) &&
           pid == (uint64_t)process;
}

/* How many systemd has passed to this process, and to no other. */
static unsigned count_passed(void)
{
    uint64_t count;

    if (!passed_to(getpid()) ||
        !pl_str_to_u64(pl_str_c(getenv("LISTEN_FDS")), &count))
        return 0;
    return (unsigned)PL_MIN(count, (uint64_t)PL_INHERIT_MAX);
}

/* name absent: all of them. */
static int find_passed(struct pl_str name, int fds[PL_INHERIT_MAX], unsigned *n,
                       struct pl_error *error)
{
    struct pl_str names = pl_str_c(getenv("LISTEN_FDNAMES"));
    unsigned count = count_passed();

    *n = 0;
    for (unsigned i = 0; i < count; i++) {
        struct pl_str its = PL_STR("unknown"); /* as sd_listen_fds(3) says */

        pl_str_split(&names, ':', &its);
        if (name.data == NULL || pl_str_eq(its, name))
            fds[(*n)++] = (int)(FIRST + i);
    }
    if (*n > 0)
        return 0;
    if (count == 0)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "systemd has passed no sockets to this process");
    return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                        "systemd has passed no socket named '%.*s'",
                        PL_STR_ARG(name));
}

int pl_inherit_find(struct pl_str address, int fds[PL_INHERIT_MAX], unsigned *n,
                    struct pl_error *error)
{
    struct pl_str name = {NULL, 0};

    if (pl_str_starts(address, fd_prefix))
        return find_number(pl_str_skip(address, fd_prefix.len), fds, n, error);
    if (pl_str_starts(address, systemd_prefix)) {
        name = pl_str_skip(address, systemd_prefix.len);
        if (name.len == 0)
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "'systemd:' lacks a name");
    }
    return fds == NULL ? 0 : find_passed(name, fds, n, error);
}

void pl_inherit_from(pid_t parent)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", (long)getpid());
    if (passed_to(parent))
        setenv("LISTEN_PID", text, 1);
}

void pl_inherit_forget(void)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}
