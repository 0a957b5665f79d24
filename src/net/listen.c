/* listen.c - the listening sockets of the process: opened by address, or taken
 * over from whoever has started it. */
#include <netinet/tcp.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/user.h"
#include "net/listener.h"

static int explain(struct pl_error *error, const struct pl_addr *addr,
                   int error_number)
{
    char text[PL_ADDR_TEXT];

    pl_addr_format(addr, text);
    return pl_error_set(error, pl_err_from_errno(error_number), text,
                        "cannot listen on %s: %s", text,
                        strerror(error_number));
}

/* ---- UNIX sockets ---- */

static bool is_unix(const struct pl_addr *addr)
{
    return addr->sa.sa_family == AF_UNIX;
}

/* Has it a file? Abstract names have none. */
static bool is_file(const struct pl_addr *addr)
{
    return is_unix(addr) && addr->un.sun_path[0] != '\0';
}

/* A file left behind by a server that died may be replaced; one that somebody
 * listens on, or that is no socket, may not. */
static bool stale_unix(const struct pl_addr *addr)
{
    struct stat st;
    bool dead;
    int fd;

    if (pl_sys_fstatat(AT_FDCWD, addr->un.sun_path, &st, AT_SYMLINK_NOFOLLOW) <
            0 ||
        !S_ISSOCK(st.st_mode))
        return false;
    fd = pl_sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    dead =
        pl_sys_connect(fd, &addr->sa, addr->len) < 0 && errno == ECONNREFUSED;
    pl_sys_close(fd);
    return dead && pl_sys_unlink(addr->un.sun_path) == 0;
}

/* Nobody can connect yet: the socket does not listen. */
static int give_away(const struct pl_addr *addr,
                     const struct pl_listen_options *options,
                     struct pl_error *error)
{
    const char *path = addr->un.sun_path;
    uid_t uid = (uid_t)-1; /* stays as it is */
    gid_t gid = (gid_t)-1, of_user;
    int err = 0;

    if (options->owner != NULL)
        err = pl_user_lookup(options->owner, &uid, &of_user, error);
    if (err == 0 && options->group != NULL)
        err = pl_group_lookup(options->group, &gid, error);
    if (err < 0)
        return err;
    if ((options->owner != NULL || options->group != NULL) &&
        pl_sys_lchown(path, uid, gid) < 0)
        return pl_error_set(error, pl_err_from_errno(errno), "",
                            "cannot give unix:%s to %s%s%s: %s", path,
                            options->owner ? options->owner : "",
                            options->owner && options->group ? ":" : "",
                            options->group ? options->group : "",
                            strerror(errno));
    if (options->mode != 0 && pl_sys_chmod(path, options->mode) < 0)
        return explain(error, addr, errno);
    return 0;
}

/* ---- TCP ---- */

/* A connection is shown to us when its first bytes are there: all our protocols
 * have the peer speak first. One that stays silent comes a second later. */
static int defer(int fd)
{
    int seconds = 1;

    return pl_sys_setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                             sizeof(seconds));
}

/* Who does not read makes the kernel hold megabytes for it, whatever our own
 * limits are, and filling those of many takes long turns. What has been sent
 * and not acknowledged does not count: throughput is as it was. Connections
 * inherit this; a kernel that cannot does without. */
static void bound_unsent(int fd)
{
    int most = PL_NET_UNSENT;

    pl_sys_setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most));
}

static int set_tcp_options(int fd, int family,
                           const struct pl_listen_options *options)
{
    int one = 1, only = options->v6only;

    bound_unsent(fd);
    if (!options->eager && defer(fd) < 0)
        return -1;
    if (pl_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) <
            0 ||
        pl_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
        return -1;
    if (family == AF_INET6)
        return pl_sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only,
                                 sizeof(only));
    return 0;
}

/* SO_REUSEPORT would let a second server of the same user share our port
 * without a word: ask for the port once without it. */
static bool port_taken(const struct pl_addr *addr,
                       const struct pl_listen_options *options)
{
    int one = 1, only = options->v6only, fd, err = 0;

    if (is_unix(addr) || pl_addr_port(addr) == 0)
        return false;
    fd = pl_sys_socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    pl_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (addr->sa.sa_family == AF_INET6)
        pl_sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (pl_sys_bind(fd, &addr->sa, addr->len) < 0)
        err = errno;
    pl_sys_close(fd);
    return err == EADDRINUSE;
}

/* ---- a socket ---- */

static int bind_socket(int fd, const struct pl_addr *addr)
{
    int err = pl_sys_bind(fd, &addr->sa, addr->len);

    return err < 0 && errno == EADDRINUSE && is_file(addr) && stale_unix(addr)
               ? pl_sys_bind(fd, &addr->sa, addr->len)
               : err;
}

static int start_listening(int fd, const struct pl_listen_options *options)
{
    return pl_sys_listen(fd, options->backlog ? options->backlog : SOMAXCONN);
}

/* Returns the descriptor, or PL_ERR_* with *error. */
static int open_socket(const struct pl_addr *addr,
                       const struct pl_listen_options *options,
                       struct pl_error *error)
{
    int family = addr->sa.sa_family, err = 0;
    bool bound = false;
    int fd =
        pl_sys_socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return explain(error, addr, errno);
    if ((!is_unix(addr) && set_tcp_options(fd, family, options) < 0) ||
        bind_socket(fd, addr) < 0)
        err = explain(error, addr, errno);
    bound = err == 0;
    if (err == 0 && is_file(addr))
        err = give_away(addr, options, error);
    if (err == 0 && start_listening(fd, options) < 0)
        err = explain(error, addr, errno);
    if (err == 0)
        return fd;
    pl_sys_close(fd);
    if (bound && is_file(addr))
        pl_sys_unlink(addr->un.sun_path);
    return err;
}

/* ---- groups ---- */

/* Without sockets; NULL when out of memory. */
static struct pl_listen_group *
make_group(const struct pl_addr *addr, bool shared, unsigned room,
           const struct pl_listen_options *options)
{
    struct pl_listen_group *group =
        pl_calloc(1, sizeof(*group) + room * sizeof(int));

    if (group == NULL)
        return NULL;
    group->addr = *addr;
    group->shared = shared;
    pl_pool_init(&group->pool, NULL, 0);
    pl_arena_init(&group->arena, &group->pool, NULL);
    if (pl_listen_options_copy(&group->arena, options, &group->options) == 0)
        return group;
    pl_listen_close(group);
    return NULL;
}

/* One more socket; of port 0 those after the first take the same. */
static int add_socket(struct pl_listen_group *group, struct pl_error *error)
{
    int fd = open_socket(&group->addr, &group->options, error);

    if (fd < 0)
        return fd;
    group->fds[group->count++] = fd;
    if (group->count == 1 && !is_unix(&group->addr) &&
        pl_sys_getsockname(fd, &group->addr.sa, &group->addr.len) < 0)
        return explain(error, &group->addr, errno);
    return 0;
}

int pl_listen_open(const struct pl_addr *addr,
                   const struct pl_listen_options *options,
                   struct pl_listen_group **out, struct pl_error *error)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = is_unix(addr)      ? 1
                     : options->sockets ? options->sockets
                                        : (unsigned)PL_MAX(cpus, 1);
    struct pl_listen_group *group;
    int err = 0;

    if (port_taken(addr, options))
        return explain(error, addr, EADDRINUSE);
    group = make_group(addr, is_unix(addr), count, options);
    if (group == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    while (group->count < count && err == 0)
        err = add_socket(group, error);
    if (err < 0) {
        pl_listen_close(group);
        return err;
    }
    *out = group;
    return 0;
}

/* ---- sockets of others ---- */

static int get_int(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return pl_sys_getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1
                                                                       : value;
}

/* Says what is wrong with it, or NULL. */
static const char *bad_socket(int fd, struct pl_addr *addr)
{
    int type = get_int(fd, SO_TYPE);

    *addr = (struct pl_addr){.len = sizeof(addr->un)};
    if (type < 0)
        return errno == EBADF ? "is not open" : "is no socket";
    if (type != SOCK_STREAM)
        return "is no stream socket";
    if (get_int(fd, SO_ACCEPTCONN) != 1)
        return "does not listen";
    if (pl_sys_getsockname(fd, &addr->sa, &addr->len) < 0)
        return strerror(errno);
    if (addr->sa.sa_family != AF_INET && addr->sa.sa_family != AF_INET6 &&
        !is_unix(addr))
        return "is of an unknown family";
    return NULL;
}

/* Ours alone, as if we had opened it. */
static int prepare(int fd, const struct pl_addr *addr,
                   const struct pl_listen_options *options)
{
    if (pl_sys_own_fd(fd) < 0)
        return -1;
    if (options->backlog != 0 && pl_sys_listen(fd, options->backlog) < 0)
        return -1;
    if (is_unix(addr))
        return 0;
    bound_unsent(fd);
    return options->eager ? 0 : defer(fd);
}

int pl_listen_adopt(int fd, const struct pl_listen_options *options,
                    struct pl_listen_group **out, struct pl_error *error)
{
    struct pl_addr addr;
    const char *why = bad_socket(fd, &addr);
    struct pl_listen_group *group;

    if (why == NULL && prepare(fd, &addr, options) < 0)
        why = strerror(errno);
    if (why != NULL)
        return pl_error_set(error, PL_ERR_DENIED, "",
                            "cannot listen on fd:%d: it %s", fd, why);
    group = make_group(&addr, true, 1, options);
    if (group == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    group->adopted = true;
    group->fds[group->count++] = fd;
    *out = group;
    return 0;
}

int pl_listen_share(const int *fds, unsigned count,
                    const struct pl_listen_options *options,
                    struct pl_listen_group **out, struct pl_error *error)
{
    struct pl_addr addr;
    const char *why = bad_socket(fds[0], &addr);
    struct pl_listen_group *group = NULL;

    if (why != NULL)
        pl_error_set(error, PL_ERR_DENIED, "", "cannot listen on fd:%d: it %s",
                     fds[0], why);
    else
        group = make_group(&addr, is_unix(&addr), count, options);
    if (why == NULL && group == NULL)
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    for (unsigned i = 0; i < count; i++)
        if (group != NULL)
            group->fds[i] = fds[i];
        else
            pl_sys_close(fds[i]);
    if (group == NULL)
        return why == NULL ? PL_ERR_NOMEM : PL_ERR_DENIED;
    group->adopted = true;
    group->count = count;
    *out = group;
    return 0;
}

/* ---- the same with other options ---- */

/* What can be said of a socket that listens already. */
static int change_socket(int fd, const struct pl_addr *addr,
                         const struct pl_listen_options *options)
{
    int seconds = 0;

    if (start_listening(fd, options) < 0)
        return -1;
    if (is_unix(addr))
        return 0;
    return options->eager ? pl_sys_setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT,
                                              &seconds, sizeof(seconds))
                          : defer(fd);
}

int pl_listen_renew(struct pl_listen_group *group,
                    const struct pl_listen_options *options,
                    struct pl_listen_group **out, struct pl_error *error)
{
    struct pl_listen_group *fresh =
        make_group(&group->addr, group->shared, group->count, options);
    int err = 0;

    if (fresh == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    fresh->adopted = true; /* until the old one is closed, the file is its */
    while (fresh->count < group->count && err == 0) {
        int fd = pl_sys_dup_fd(group->fds[fresh->count]);

        if (fd >= 0)
            fresh->fds[fresh->count++] = fd;
        if (fd < 0 || change_socket(fd, &group->addr, options) < 0)
            err = explain(error, &group->addr, errno);
    }
    if (err == 0 && is_file(&group->addr) && !group->adopted)
        err = give_away(&group->addr, options, error);
    if (err < 0) {
        pl_listen_close(fresh);
        return err;
    }
    *out = fresh;
    return 0;
}

/* ---- the end ---- */

void pl_listen_shut(struct pl_listen_group *group)
{
    if (group->count > 0 && !group->adopted && is_file(&group->addr))
        pl_sys_unlink(group->addr.un.sun_path);
    for (unsigned i = 0; i < group->count; i++)
        pl_sys_close(group->fds[i]);
    group->count = 0;
}

void pl_listen_close(struct pl_listen_group *group)
{
    if (group == NULL)
        return;
    pl_listen_shut(group);
    pl_arena_fini(&group->arena);
    pl_pool_fini(&group->pool);
    pl_free(group);
}
