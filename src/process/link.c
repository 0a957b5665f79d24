#include "process/link.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"

/* ---- messages ---- */

/* What follows kind and number, at least. */
static size_t body_size(uint32_t kind)
{
    switch (kind) {
    case PL_LINK_RESULT:
    case PL_LINK_REPORT:
        return sizeof(struct pl_error);
    case PL_LINK_LISTEN:
        return sizeof(struct pl_link_listen);
    case PL_LINK_PID_FILE:
        return PL_LINK_TEXT;
    default:
        return 0;
    }
}

static size_t message_size(uint32_t kind)
{
    return offsetof(struct pl_link_message, error) + body_size(kind);
}

/* Room for descriptors beside a message. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(PL_LINK_FDS * sizeof(int))];
};

int pl_link_send(int fd, const struct pl_link_message *message, const int *fds,
                 unsigned count)
{
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)message,
                         .iov_len = message_size(message->kind)};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (count > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header =
            (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS,
                             .cmsg_len = CMSG_LEN(count * sizeof(int))};
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    do {
        n = pl_sys_sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? pl_err_from_errno(errno) : 0;
}

static void take_fds(struct msghdr *msg, int *fds, unsigned *count)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(msg);

    *count = 0;
    if (header == NULL || header->cmsg_level != SOL_SOCKET ||
        header->cmsg_type != SCM_RIGHTS)
        return;
    *count = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(header), *count * sizeof(int));
}

/* Whatever the other one is, its texts end. */
static void end_texts(struct pl_link_message *message)
{
    switch (message->kind) {
    case PL_LINK_RESULT:
    case PL_LINK_REPORT:
        message->error.where[sizeof(message->error.where) - 1] = '\0';
        message->error.text[sizeof(message->error.text) - 1] = '\0';
        break;
    case PL_LINK_LISTEN:
        message->listen.owner[PL_LINK_NAME - 1] = '\0';
        message->listen.group[PL_LINK_NAME - 1] = '\0';
        break;
    case PL_LINK_PID_FILE:
        message->text[PL_LINK_TEXT - 1] = '\0';
    }
}

int pl_link_receive(int fd, bool wait, struct pl_link_message *message,
                    int fds[PL_LINK_FDS], unsigned *count)
{
    union control control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;

    *count = 0;
    do {
        n = pl_sys_recvmsg(fd, &msg,
                           MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : pl_err_from_errno(errno);
    if (n == 0)
        return PL_ERR_CLOSED;
    take_fds(&msg, fds, count);
    if ((size_t)n >= message_size(0) &&
        (size_t)n >= message_size(message->kind)) {
        end_texts(message);
        return 1;
    }
    for (unsigned i = 0; i < *count; i++)
        pl_sys_close(fds[i]);
    return PL_ERR_PROTO;
}

/* ---- the server process's end ---- */

void pl_link_say(struct pl_server_link *link, enum pl_link_kind kind)
{
    const struct pl_link_message message = {.kind = kind};

    if (pl_link_is(link))
        pl_link_send(link->fd, &message, NULL, 0); /* it is gone: seen later */
}

void pl_link_log(struct pl_server_link *link)
{
    const struct pl_link_message message = {.kind = PL_LINK_LOG};
    int fd = pl_log_fd();

    if (pl_link_is(link))
        pl_link_send(link->fd, &message, &fd, 1);
}

static void queue_signal(struct pl_server_link *link, int number)
{
    if (link->nqueued < PL_LINK_QUEUED)
        link->queued[link->nqueued++] = number;
}

/* What may come at any time. */
static void on_message(struct pl_server_link *link,
                       const struct pl_link_message *message)
{
    switch (message->kind) {
    case PL_LINK_SIGNAL:
        queue_signal(link, message->number);
        break;
    case PL_LINK_PING:
        pl_link_say(link, PL_LINK_PONG);
        break;
    case PL_LINK_REPORT:
        link->report = message->error;
        link->reports++;
        break;
    }
}

int pl_link_turn(struct pl_server_link *link)
{
    struct pl_link_message message;
    int fds[PL_LINK_FDS], n = 1, number;
    unsigned count;

    if (!pl_link_is(link))
        return 0;
    while (!link->gone && n > 0) {
        n = pl_link_receive(link->fd, false, &message, fds, &count);
        if (n > 0)
            on_message(link, &message);
        link->gone = n < 0;
    }
    if (link->nqueued == 0)
        return 0;
    number = link->queued[0];
    memmove(link->queued, link->queued + 1,
            --link->nqueued * sizeof(link->queued[0]));
    return number;
}

/* The next message that belongs to an answer: 0 or PL_ERR_* with *error. */
static int await(struct pl_server_link *link, struct pl_link_message *message,
                 int fds[PL_LINK_FDS], unsigned *count, struct pl_error *error)
{
    int n;

    do {
        n = pl_link_receive(link->fd, true, message, fds, count);
        if (n > 0)
            on_message(link, message);
    } while (n > 0 && message->kind != PL_LINK_RESULT &&
             message->kind != PL_LINK_SOCKETS);
    link->gone |= n < 0;
    return n > 0 ? 0
                 : pl_error_set(error, n, "", "the supervisor is gone: %s",
                                pl_err_text(n));
}

/* Asks, and waits for a RESULT. */
static int ask(struct pl_server_link *link,
               const struct pl_link_message *question, struct pl_error *error)
{
    struct pl_link_message answer;
    int fds[PL_LINK_FDS], err;
    unsigned count;

    err = pl_link_send(link->fd, question, NULL, 0);
    if (err < 0)
        return pl_error_set(error, err, "", "cannot ask the supervisor: %s",
                            pl_err_text(err));
    err = await(link, &answer, fds, &count, error);
    if (err == 0 && answer.error.code < 0) {
        *error = answer.error;
        err = error->code;
    }
    return err;
}

int pl_link_pid_file(struct pl_server_link *link, const char *path,
                     struct pl_error *error)
{
    struct pl_link_message message = {.kind = PL_LINK_PID_FILE};

    if (!pl_link_is(link) || path == NULL)
        return 0;
    snprintf(message.text, sizeof(message.text), "%s", path);
    return ask(link, &message, error);
}

int pl_link_ready(struct pl_server_link *link, struct pl_error *error)
{
    const struct pl_link_message message = {.kind = PL_LINK_READY};

    return pl_link_is(link) ? ask(link, &message, error) : 0;
}

/* ---- addresses ---- */

static int copy_name(char out[PL_LINK_NAME], const char *name,
                     struct pl_error *error)
{
    if (name == NULL)
        name = "";
    if (snprintf(out, PL_LINK_NAME, "%s", name) < PL_LINK_NAME)
        return 0;
    return pl_error_set(error, PL_ERR_NOT_FOUND, "", "no user or group '%s'",
                        name);
}

/* Receives SOCKETS until their RESULT. GIVES them, in memory that is the
 * caller's: also what there is after a failure. */
static int receive_sockets(struct pl_server_link *link, int **out,
                           unsigned *count, struct pl_error *error)
{
    struct pl_link_message message;
    int fds[PL_LINK_FDS], err, *grown;
    unsigned n;

    for (;;) {
        err = await(link, &message, fds, &n, error);
        if (err < 0 || message.kind == PL_LINK_RESULT)
            break;
        grown = pl_realloc(*out, (*count + n) * sizeof(**out));
        if (grown == NULL) {
            for (unsigned i = 0; i < n; i++)
                pl_sys_close(fds[i]);
            return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        }
        *out = grown;
        memcpy(grown + *count, fds, n * sizeof(*fds));
        *count += n;
    }
    if (err == 0 && message.error.code < 0) {
        *error = message.error;
        err = error->code;
    }
    return err;
}

int pl_link_listen(struct pl_server_link *link, const struct pl_addr *addr,
                   const struct pl_listen_options *options, bool to_the_end,
                   struct pl_listen_group **out, struct pl_error *error)
{
    struct pl_link_message message = {.kind = PL_LINK_LISTEN,
                                      .number = to_the_end,
                                      .listen = {.addr = *addr,
                                                 .sockets = options->sockets,
                                                 .mode = options->mode,
                                                 .backlog = options->backlog,
                                                 .v6only = options->v6only,
                                                 .eager = options->eager}};
    unsigned count = 0;
    int *fds = NULL, err;

    if (!pl_link_is(link))
        return pl_listen_open(addr, options, out, error);
    err = copy_name(message.listen.owner, options->owner, error);
    if (err == 0)
        err = copy_name(message.listen.group, options->group, error);
    if (err < 0)
        return err;
    err = pl_link_send(link->fd, &message, NULL, 0);
    if (err < 0)
        return pl_error_set(error, err, "", "cannot ask the supervisor: %s",
                            pl_err_text(err));
    err = receive_sockets(link, &fds, &count, error);
    if (err == 0 && count == 0)
        err = pl_error_set(error, PL_ERR_PROTO, "",
                           "the supervisor sent no "
                           "socket");
    if (err == 0)
        err = pl_listen_share(fds, count, options, out, error);
    else
        for (unsigned i = 0; i < count; i++)
            pl_sys_close(fds[i]);
    pl_free(fds);
    return err;
}
