/* supervisor_answer.c - what a server process may ask of its supervisor, and
 * what it gets.
 *
 * Whatever it is by now, it can gain nothing by asking: addresses and pid files
 * are opened until it is ready, and after that only what it might open itself.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "process/supervisor_priv.h"
#include "process/upgrade.h"

/* ---- addresses ---- */

static uint32_t bit_of(const struct pl_supervisor *sup,
                       const struct pl_child *child)
{
    return 1u << (child - sup->children);
}

/* Without a port of its own an address is known by its place among those that
 * were asked for. */
static unsigned asked_before(const struct pl_supervisor *sup,
                             const struct pl_child *child,
                             const struct pl_addr *addr)
{
    unsigned n = 0;

    for (unsigned i = 0; i < sup->nheld; i++)
        n += (sup->held[i].users & bit_of(sup, child)) != 0 &&
             pl_addr_eq(&sup->held[i].asked, addr);
    return n;
}

static struct pl_held *find(struct pl_supervisor *sup,
                            const struct pl_child *child,
                            const struct pl_addr *addr)
{
    unsigned nth = asked_before(sup, child, addr);

    for (unsigned i = 0; i < sup->nheld; i++)
        if (pl_addr_eq(&sup->held[i].asked, addr) && sup->held[i].nth == nth)
            return &sup->held[i];
    return NULL;
}

static const char *name_or_null(const char *name)
{
    return name[0] != '\0' ? name : NULL;
}

static int open_held(struct pl_supervisor *sup, const struct pl_child *child,
                     const struct pl_link_listen *listen, struct pl_held **out,
                     struct pl_error *error)
{
    const struct pl_listen_options options = {
        .sockets = listen->sockets,
        .backlog = listen->backlog,
        .mode = listen->mode,
        .owner = name_or_null(listen->owner),
        .group = name_or_null(listen->group),
        .v6only = listen->v6only,
        .eager = listen->eager};
    struct pl_held *grown =
        pl_realloc(sup->held, (sup->nheld + 1) * sizeof(*grown));
    struct pl_listen_group *group;
    int err;

    if (grown == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    sup->held = grown;
    err = pl_listen_open(&listen->addr, &options, &group, error);
    if (err < 0)
        return err;
    *out = &sup->held[sup->nheld++];
    **out = (struct pl_held){.asked = listen->addr,
                             .group = group,
                             .nth = asked_before(sup, child, &listen->addr)};
    return 0;
}

static void close_held(struct pl_supervisor *sup, unsigned i)
{
    pl_listen_close(sup->held[i].group);
    sup->held[i] = sup->held[--sup->nheld];
}

void pl_held_close(struct pl_supervisor *sup)
{
    while (sup->nheld > 0)
        close_held(sup, sup->nheld - 1);
}

static void close_served(struct pl_supervisor *sup)
{
    for (unsigned i = sup->nheld; i > 0; i--)
        if (!sup->held[i - 1].to_the_end)
            close_held(sup, i - 1);
}

void pl_held_let_go(struct pl_supervisor *sup, const struct pl_child *child)
{
    for (unsigned i = 0; i < sup->nheld; i++)
        sup->held[i].users &= ~bit_of(sup, child);
}

void pl_held_close_unused(struct pl_supervisor *sup)
{
    for (unsigned i = sup->nheld; i > 0; i--)
        if (sup->held[i - 1].users == 0)
            close_held(sup, i - 1);
}

static int send_sockets(const struct pl_child *child,
                        const struct pl_listen_group *group)
{
    struct pl_link_message message = {.kind = PL_LINK_SOCKETS};
    int err = 0;

    for (unsigned i = 0; i < group->count && err == 0; i += PL_LINK_FDS) {
        unsigned n = PL_MIN(group->count - i, (unsigned)PL_LINK_FDS);

        message.number = (int32_t)n;
        err = pl_link_send(child->link, &message, group->fds + i, n);
    }
    return err;
}

static int denied(struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_DENIED, "",
                        "the supervisor opens addresses and pid files only "
                        "for a server process that starts");
}

static int on_listen(struct pl_supervisor *sup, struct pl_child *child,
                     const struct pl_link_message *message,
                     struct pl_error *error)
{
    const struct pl_link_listen *listen = &message->listen;
    struct pl_held *held;
    int err = 0;

    if (child->state != PL_CHILD_STARTING)
        return denied(error);
    held = find(sup, child, &listen->addr);
    if (held == NULL)
        err = open_held(sup, child, listen, &held, error);
    if (err < 0)
        return err;
    held->users |= bit_of(sup, child);
    held->to_the_end = message->number == 1;
    err = send_sockets(child, held->group);
    return err < 0 ? pl_error_set(error, err, "", "cannot pass sockets: %s",
                                  pl_err_text(err))
                   : 0;
}

/* ---- the pid file ---- */

void pl_supervisor_drop_pid_file(struct pl_pid_file *file)
{
    char *path = (char *)file->path;

    pl_pid_file_release(file);
    pl_free(path);
}

static int on_pid_file(struct pl_supervisor *sup, const struct pl_child *child,
                       const char *path, struct pl_error *error)
{
    size_t size = strlen(path) + 1;
    char *copy;
    int err;

    if (child->state != PL_CHILD_STARTING)
        return denied(error);
    if (sup->pid_file.path != NULL && strcmp(sup->pid_file.path, path) == 0)
        return 0;
    pl_supervisor_drop_pid_file(&sup->next_pid_file);
    copy = pl_malloc(size);
    if (copy == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    memcpy(copy, path, size);
    err = pl_pid_file_claim(&sup->next_pid_file, copy, error);
    if (err < 0)
        pl_free(copy);
    return err;
}

static int on_ready(struct pl_supervisor *sup, struct pl_child *child,
                    struct pl_error *error)
{
    int err;

    if (child->state != PL_CHILD_STARTING)
        return denied(error);
    err = pl_pid_file_write(&sup->next_pid_file, error);
    if (err < 0)
        return err;
    if (sup->next_pid_file.path != NULL) {
        pl_supervisor_drop_pid_file(&sup->pid_file);
        sup->pid_file = sup->next_pid_file;
        sup->next_pid_file = (struct pl_pid_file){.fd = -1};
    }
    pl_supervisor_promote(sup, child);
    return 0;
}

/* ---- messages ---- */

static void on_log(struct pl_supervisor *sup, int fd)
{
    pl_log_use(fd);
    if (sup->log >= 0)
        pl_sys_close(sup->log);
    sup->log = fd;
}

static void on_minding(struct pl_child *child)
{
    child->minding = true;
    if (child->killed_by_us != 0) /* it was blocked just before that came */
        pl_child_signal(child, child->killed_by_us);
    child->killed_by_us = 0;
}

/* When nobody is to take its place, nobody accepts any more. */
static void on_shut(struct pl_supervisor *sup, const struct pl_child *child)
{
    if (child->state == PL_CHILD_SERVING && (sup->stop > 0 || child->ending)) {
        close_served(sup);
    } else if (child->state == PL_CHILD_LEAVING) {
        pl_held_let_go(sup, child);
        if (pl_supervisor_child(sup, PL_CHILD_SERVING) != NULL)
            pl_held_close_unused(sup);
    }
}

static void answer(const struct pl_child *child, int err,
                   const struct pl_error *error)
{
    struct pl_link_message message = {.kind = PL_LINK_RESULT};

    if (err < 0)
        message.error = *error;
    pl_link_send(child->link, &message, NULL, 0);
}

void pl_supervisor_report(struct pl_supervisor *sup, int code, const char *text)
{
    struct pl_child *child = pl_supervisor_child(sup, PL_CHILD_SERVING);
    struct pl_link_message message = {.kind = PL_LINK_REPORT};

    pl_error_set(&message.error, code, "", "%s", text);
    if (child != NULL)
        pl_link_send(child->link, &message, NULL, 0);
}

static void on_message(struct pl_supervisor *sup, struct pl_child *child,
                       struct pl_link_message *message)
{
    struct pl_error error = {.code = 0};

    switch (message->kind) {
    case PL_LINK_MINDING:
        on_minding(child);
        break;
    case PL_LINK_PID_FILE:
        answer(child, on_pid_file(sup, child, message->text, &error), &error);
        break;
    case PL_LINK_LISTEN:
        answer(child, on_listen(sup, child, message, &error), &error);
        break;
    case PL_LINK_READY:
        answer(child, on_ready(sup, child, &error), &error);
        break;
    case PL_LINK_SHUT:
        on_shut(sup, child);
        break;
    case PL_LINK_ENDING:
        child->ending = true;
        if (child->state == PL_CHILD_SERVING)
            pl_systemd_stopping(&sup->systemd);
        break;
    case PL_LINK_REPLACE:
        if (child->state == PL_CHILD_SERVING)
            pl_supervisor_replace(sup, "reload");
        break;
    case PL_LINK_UPGRADE:
        if (child->state == PL_CHILD_SERVING)
            pl_upgrade_begin(sup);
        break;
    case PL_LINK_PONG:
        child->pinged = false;
        pl_systemd_alive(&sup->systemd);
        break;
    }
}

void pl_supervisor_listen(struct pl_supervisor *sup, struct pl_child *child)
{
    struct pl_link_message message;
    int fds[PL_LINK_FDS];
    unsigned count, first;

    while (pl_link_receive(child->link, false, &message, fds, &count) > 0) {
        first = 0;
        if (message.kind == PL_LINK_LOG && count > 0)
            on_log(sup, fds[first++]);
        else
            on_message(sup, child, &message);
        for (unsigned i = first; i < count; i++)
            pl_sys_close(fds[i]);
    }
}

/* ---- in a server process ---- */

static void forget_pid_file(struct pl_pid_file *file)
{
    if (file->path == NULL)
        return;
    pl_sys_close(file->fd);
    pl_free((char *)file->path);
}

void pl_supervisor_leave(struct pl_supervisor *sup)
{
    for (unsigned i = 0; i < sup->nheld; i++) {
        sup->held[i].group->adopted = true; /* its file is not ours */
        pl_listen_close(sup->held[i].group);
    }
    pl_free(sup->held);
    pl_free(sup->program);
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state != PL_CHILD_NONE)
            pl_sys_close(sup->children[i].link);
    forget_pid_file(&sup->pid_file);
    forget_pid_file(&sup->next_pid_file);
    pl_sys_close(sup->signals);
    if (sup->log >= 0) {
        pl_log_use(STDERR_FILENO);
        pl_sys_close(sup->log);
    }
}
