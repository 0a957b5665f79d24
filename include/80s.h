/* 80s.h - the interface of 80s to its modules, for sources that were written
 * for it: they compile unchanged, and are loaded like modules of perilune
 * (docs/modules.md, "Modules of 80s").
 *
 *     void on_load(void *ctx, serve_params *params, int reload);
 *     void on_unload(void *ctx, serve_params *params, int reload);
 *
 * What begins with s80_ may be called on the thread of a worker only, except
 * s80_mail(). Descriptors that these functions open are non-blocking, and the
 * caller's: pl_wait_fd() of perilune.h waits for them. */
#ifndef PERILUNE_80S_H
#define PERILUNE_80S_H

#include <perilune.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UNIX_BASED
#define USE_EPOLL

typedef int fd_t;
typedef int sock_t;

#define S80_FD_SOCKET 1
#define S80_FD_KTLS_SOCKET 2
#define S80_FD_PIPE 3
#define S80_FD_OTHER 4
#define S80_FD_SERVER_SOCKET 5

#define S80_MB_MESSAGE 5

#define fd_to_void(fd) ((void *)(intptr_t)(fd))
#define int_to_void(number) ((void *)(intptr_t)(number))
#define void_to_fd(pointer) ((fd_t)(intptr_t)(pointer))
#define void_to_int(pointer) ((int)(intptr_t)(pointer))

/* Older sources say "struct serve_params", later ones "serve_params". */
typedef struct serve_params serve_params;
typedef struct node_id node_id;
typedef struct mailbox mailbox;
typedef struct mailbox_message mailbox_message;
typedef struct reload_context reload_context;
#define serve_params_ serve_params
#define node_id_ node_id
#define mailbox_ mailbox
#define mailbox_message_ mailbox_message
#define reload_context_ reload_context

struct node_id {
    int id;   /* of the worker */
    int port; /* of the command line; 0: it does not say */
    const char *name;
};

struct mailbox_message {
    int sender_id;
    fd_t sender_elfd, sender_fd, receiver_fd;
    int type;
    size_t size;
    void *message; /* of malloc() */
};

/* Of a worker: where s80_mail() puts messages for it. */
struct mailbox {
    void *ctx; /* the program's */
    int id;
    fd_t elfd;
};

struct reload_context {
    int running, loaded, ready;
    int workers;
    void *ud;           /* the program's */
    mailbox *mailboxes; /* one for each worker */
};

/* One for each worker and generation. */
struct serve_params {
    void *ctx; /* the worker's lua_State */
    int workerid, workers;
    int initialized, quit;
    node_id node;
    fd_t parentfd; /* -1: many sockets listen */
    fd_t extra[4]; /* the module's own: the next generation has them */
    fd_t *els;     /* the handle of each worker */
    void **ctxes;  /* the lua_State of this worker; NULL for others */
    const char *entrypoint;
    reload_context *reload;
    void *state; /* of perilune: as that of struct pl_module_params */
    int shared;  /* the same */
};

/* "127.0.0.1", a name (looking it up blocks), "v6:NAME", "unix:PATH": a socket
 * whose connection is being made, or -1 with errno. */
PL_API fd_t pl_80s_connect(const char *address, int port, int is_udp);
PL_API int pl_80s_write(fd_t fd, const char *data, size_t length);
PL_API int pl_80s_close(fd_t fd);
PL_API int pl_80s_peername(fd_t fd, char *buffer, size_t size, int *port);
PL_API int pl_80s_popen(fd_t *pipes, const char *command, char *const *args);
PL_API int pl_80s_quit(reload_context *reload);
PL_API int pl_80s_reload(reload_context *reload);
PL_API int pl_80s_mail(mailbox *to, mailbox_message *message);
PL_API int pl_80s_enable_async(fd_t fd);
PL_API int pl_80s_set_recv_timeout(fd_t fd, int seconds);

static inline fd_t s80_connect(void *ctx, fd_t elfd, const char *address,
                               int port, int is_udp)
{
    (void)ctx;
    (void)elfd;
    return pl_80s_connect(address, port, is_udp);
}

/* What was written, at most length - offset; or -1 with errno. */
static inline int s80_write(void *ctx, fd_t elfd, fd_t fd, int fdtype,
                            const char *data, size_t offset, size_t length)
{
    (void)ctx;
    (void)elfd;
    (void)fdtype;
    return offset > length ? -1
                           : pl_80s_write(fd, data + offset, length - offset);
}

/* 0 or -1. */
static inline int s80_close(void *ctx, fd_t elfd, fd_t fd, int fdtype,
                            int callback)
{
    (void)ctx;
    (void)elfd;
    (void)fdtype;
    (void)callback;
    return pl_80s_close(fd);
}

/* The peer's address as text, and its port: 0 or -1. */
static inline int s80_peername(fd_t fd, char *buffer, size_t size, int *port)
{
    return pl_80s_peername(fd, buffer, size, port);
}

/* A child with args (ends with NULL; [0] is its name): pipes[0] reads what it
 * says, errors too, pipes[1] writes to it. 0 or -1 with errno. */
static inline int s80_popen(fd_t elfd, fd_t *pipes, const char *command,
                            char *const *args)
{
    (void)elfd;
    return pl_80s_popen(pipes, command, args);
}

/* Asks for a reload, and returns at once: 0, or -1 while the site is loaded (in
 * on_load). Calls before that reload begins ask for the same one. Only on the
 * thread of the worker. */
static inline int s80_reload(reload_context *reload)
{
    return pl_80s_reload(reload);
}

/* Ends the program once the running requests are over; 0 or -1. */
static inline int s80_quit(reload_context *reload)
{
    return pl_80s_quit(reload);
}

/* Sends message->message to a worker, where pl.on("message") has it as a
 * string. Frees it; unless this fails, with -1. Any thread. */
static inline int s80_mail(mailbox *to, mailbox_message *message)
{
    return pl_80s_mail(to, message);
}

static inline void s80_enable_async(fd_t fd)
{
    pl_80s_enable_async(fd);
}

static inline int s80_set_recv_timeout(fd_t fd, int seconds)
{
    return pl_80s_set_recv_timeout(fd, seconds);
}

#ifdef __cplusplus
}
#endif

/* So that the program knows what it has before it. */
#ifndef PL_80S_PROGRAM /* which is no module */
PL_MODULE_EXPORT __attribute__((weak)) const struct pl_module_info pl_module;
const struct pl_module_info pl_module =
    PL_MODULE_INFO(PL_MODULE_80S, sizeof(serve_params));
#endif

#endif
