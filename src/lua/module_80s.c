#include "lua/module_80s.h"

#define PL_80S_PROGRAM
#include <80s.h>
#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"
#include "lua/module.h"
#include "lua/vm_priv.h"
#include "net/addr.h"
#include "share/member.h"

extern char **environ;

/* In one block with the lists. A worker's handle is its number: nothing but
 * these functions takes it. */
struct pl_module_80s {
    serve_params params;
    reload_context reload;
    struct pl_module_load *load;
    mailbox mailboxes[];
};

static const char *node_name(void)
{
    const char *name = getenv("HOSTNAME");

    return name == NULL || name[0] == '\0' ? "localhost" : name;
}

static void set_params(struct pl_module_80s *of_80s, int workers)
{
    const struct pl_module_load *load = of_80s->load;
    serve_params *params = &of_80s->params;

    *params = (serve_params){
        .workerid = (int)load->params.worker,
        .workers = workers,
        .initialized = 1,
        .node = {.id = (int)load->params.worker,
                 .port = PL_MAX(load->home->port, 0),
                 .name = node_name()},
        .parentfd = -1,
        .extra = {-1, -1, -1, -1},
        .entrypoint = load->home->entry,
        .reload = &of_80s->reload,
    };
    params->ctxes = (void **)(of_80s->mailboxes + workers);
    params->els = (fd_t *)(params->ctxes + workers);
    of_80s->reload = (reload_context){.loaded = 1,
                                      .ready = workers,
                                      .workers = workers,
                                      .ud = of_80s,
                                      .mailboxes = of_80s->mailboxes};
    for (int i = 0; i < workers; i++) {
        of_80s->mailboxes[i] =
            (mailbox){.ctx = of_80s, .id = i, .elfd = (fd_t)i};
        params->els[i] = (fd_t)i;
    }
}

struct pl_module_80s *pl_module_80s_new(struct pl_module_load *load,
                                        const struct pl_module_load *former)
{
    size_t workers = load->params.workers;
    struct pl_module_80s *of_80s = pl_calloc(
        1, sizeof(*of_80s) +
               workers * (sizeof(mailbox) + sizeof(void *) + sizeof(fd_t)));

    if (of_80s == NULL)
        return NULL;
    of_80s->load = load;
    set_params(of_80s, (int)workers);
    if (former != NULL && former->of_80s != NULL)
        memcpy(of_80s->params.extra, former->of_80s->params.extra,
               sizeof(of_80s->params.extra));
    return of_80s;
}

void pl_module_80s_free(struct pl_module_80s *of_80s)
{
    pl_free(of_80s);
}

/* The state is kept where that of other modules is. */
void pl_module_80s_call(struct pl_module_80s *of_80s, void (*fn)(void),
                        lua_State *L, int reload)
{
    struct pl_module_params *ours = &of_80s->load->params;
    serve_params *params = &of_80s->params;

    params->ctx = L;
    params->ctxes[params->workerid] = L;
    params->state = ours->state;
    params->shared = ours->shared;
    ((void (*)(void *, serve_params *, int))fn)(L, params, reload);
    ours->state = params->state;
}

/* ---- sockets ---- */

/* "v6:NAME", "NAME", "unix:PATH" -> *addr; 0 or PL_ERR_*. */
static int find_address(const char *address, int port, struct pl_addr *addr)
{
    bool v6 = strncmp(address, "v6:", 3) == 0;
    const char *host = address + (v6 ? 3 : 0);
    char text[NI_MAXHOST];

    if (strncmp(address, "unix:", 5) == 0)
        return pl_addr_parse(pl_str_c(address), false, addr, NULL);
    snprintf(text, sizeof(text),
             strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port);
    return pl_addr_parse(pl_str_c(text), v6, addr, NULL);
}

fd_t pl_80s_connect(const char *address, int port, int is_udp)
{
    struct pl_addr addr;
    int fd, err, type = is_udp ? SOCK_DGRAM : SOCK_STREAM;

    err = find_address(address, port, &addr);
    if (err < 0) {
        errno = err == PL_ERR_NOT_FOUND ? ENOENT : EINVAL;
        return -1;
    }
    fd = pl_sys_socket(addr.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       0);
    if (fd < 0 || pl_sys_connect(fd, &addr.sa, addr.len) == 0 ||
        errno == EINPROGRESS)
        return fd;
    err = errno;
    pl_sys_close(fd);
    errno = err;
    return -1;
}

int pl_80s_write(fd_t fd, const char *data, size_t length)
{
    ssize_t n = pl_sys_write(fd, data, PL_MIN(length, (size_t)INT32_MAX));

    return n < 0 && errno == EAGAIN ? 0 : (int)n;
}

int pl_80s_close(fd_t fd)
{
    return pl_sys_close(fd);
}

int pl_80s_peername(fd_t fd, char *buffer, size_t size, int *port)
{
    struct pl_addr addr = {.len = sizeof(addr.un)};
    char host[PL_ADDR_TEXT];
    size_t n;

    if (pl_sys_getpeername(fd, &addr.sa, &addr.len) < 0 ||
        addr.sa.sa_family == AF_UNIX)
        return -1;
    n = pl_addr_format_host(&addr, host);
    if (n >= size)
        return -1;
    memcpy(buffer, host, n);
    buffer[n] = '\0';
    *port = pl_addr_port(&addr);
    return 0;
}

int pl_80s_enable_async(fd_t fd)
{
    return pl_sys_own_fd(fd);
}

int pl_80s_set_recv_timeout(fd_t fd, int seconds)
{
    const struct timeval time = {.tv_sec = seconds};

    return pl_sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
}

/* ---- children ----
 *
 * Nobody waits for the end of one: those that have ended are taken away when
 * the next is started. */

enum { CHILDREN = 128 }; /* of a worker, at a time */

static _Thread_local struct {
    pid_t pids[CHILDREN];
    size_t count;
} children;

static void reap(void)
{
    size_t left = 0;

    for (size_t i = 0; i < children.count; i++) {
        siginfo_t info = {.si_pid = 0};
        bool gone =
            pl_sys_waitid(children.pids[i], &info, WEXITED | WNOHANG) < 0 ||
            info.si_pid != 0;

        if (!gone)
            children.pids[left++] = children.pids[i];
    }
    children.count = left;
}

/* No signal is blocked, no descriptor is left open. Returns an errno. */
static int start_child(const char *command, char *const *args, int in, int out,
                       pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, pipe;
    int err;

    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &pipe);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    err = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (err == 0)
        err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (err == 0)
        err = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO,
                                               STDERR_FILENO);
    if (err == 0)
        err = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (err == 0)
        err = pl_sys_spawn(pid, command, &actions, &attr, args, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

static void close_pair(const int pair[2])
{
    pl_sys_close(pair[0]);
    pl_sys_close(pair[1]);
}

int pl_80s_popen(fd_t *pipes, const char *command, char *const *args)
{
    int in[2], out[2], err;
    pid_t pid;

    reap();
    err = children.count == CHILDREN ? EAGAIN : 0;
    if (err == 0 && pl_sys_pipe2(in, O_CLOEXEC) < 0)
        err = errno;
    if (err != 0)
        goto fail;
    if (pl_sys_pipe2(out, O_CLOEXEC) < 0) {
        err = errno;
        close_pair(in);
        goto fail;
    }
    err = start_child(command, args, in[0], out[1], &pid);
    if (err != 0 || pl_sys_own_fd(out[0]) < 0 || pl_sys_own_fd(in[1]) < 0) {
        err = err != 0 ? err : errno;
        close_pair(in);
        close_pair(out);
        goto fail;
    }
    children.pids[children.count++] = pid;
    pl_sys_close(in[0]);
    pl_sys_close(out[1]);
    pipes[0] = out[0];
    pipes[1] = in[1];
    return 0;
fail:
    errno = err;
    return -1;
}

/* ---- the program ---- */

int pl_80s_quit(reload_context *reload)
{
    const struct pl_module_80s *of_80s = reload->ud;
    const struct pl_vm_options *options = &of_80s->load->vm->options;

    if (options->stop == NULL)
        return -1;
    options->stop(options->ctx, 0);
    return 0;
}

/* Not while the site is loaded: that would never end. */
int pl_80s_reload(reload_context *reload)
{
    const struct pl_module_80s *of_80s = reload->ud;
    const struct pl_vm *vm = of_80s->load->vm;

    if (vm->options.want_reload == NULL || vm->phase == PL_VM_LOADING)
        return -1;
    vm->options.want_reload(vm->options.ctx, "s80_reload");
    return 0;
}

int pl_80s_mail(mailbox *to, mailbox_message *message)
{
    const struct pl_module_80s *of_80s = to->ctx;
    struct pl_member *member = of_80s->load->vm->options.member;
    const struct pl_datum value = {.type = PL_DATUM_STRING,
                                   .bytes = {message->message, message->size}};
    struct pl_guest guest;
    int err;

    if (member == NULL || pl_guest_begin(&guest, member->share) < 0)
        return -1;
    err = pl_share_send(member->share, guest.user.reader, message->sender_id,
                        to->id, &value);
    pl_guest_end(&guest);
    if (err == 0)
        /* door: of the module's malloc() */
        free(message->message);
    return err < 0 ? -1 : 0;
}
