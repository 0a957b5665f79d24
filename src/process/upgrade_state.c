#include "process/upgrade_state.h"

#include <fcntl.h>

#include "base/str.h"
#include "base/sys.h"

static const char MAGIC[8] = {'p', 'e', 'r', 'i', 'l', 'u', 'n', 'e'};

/* ---- writing ---- */

/* A memfd takes all or nothing worth having. */
static bool put(int fd, const void *from, size_t len)
{
    return pl_sys_write(fd, from, len) == (ssize_t)len;
}

static bool put_child(int fd, const struct pl_supervisor *sup, unsigned slot)
{
    const struct pl_child *child = &sup->children[slot];
    const struct pl_state_child record = {.slot = slot,
                                          .state = child->state,
                                          .pid = child->pid,
                                          .link = child->link,
                                          .minding = child->minding,
                                          .ending = child->ending,
                                          .started_ms = child->started_ms};

    return child->state == PL_CHILD_NONE || put(fd, &record, sizeof(record));
}

static bool put_held(int fd, const struct pl_held *held)
{
    const struct pl_state_held record = {.asked = held->asked,
                                         .nth = held->nth,
                                         .users = held->users,
                                         .count = held->group->count};

    return put(fd, &record, sizeof(record)) &&
           put(fd, held->group->fds, record.count * sizeof(int));
}

static struct pl_state_head head_of(const struct pl_supervisor *sup)
{
    const struct pl_pid_file *file = &sup->pid_file;
    struct pl_state_head head = {.version = PL_STATE_VERSION,
                                 .size = sizeof(head),
                                 .nheld = sup->nheld,
                                 .starts = sup->starts,
                                 .crashes = sup->crashes,
                                 .watchdog_ms = sup->systemd.watchdog_ms,
                                 .log = sup->log,
                                 .pid_file = file->path ? file->fd : -1,
                                 .notify = sup->systemd.to,
                                 .before = sup->before};

    memcpy(head.magic, MAGIC, sizeof(MAGIC));
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state != PL_CHILD_NONE)
            head.nchildren++;
    head.size += head.nchildren * (uint32_t)sizeof(struct pl_state_child);
    for (unsigned i = 0; i < sup->nheld; i++)
        head.size += (uint32_t)(sizeof(struct pl_state_held) +
                                sup->held[i].group->count * sizeof(int));
    if (file->path != NULL) /* it came in a message of that size */
        memcpy(head.pid_path, file->path, strlen(file->path));
    return head;
}

int pl_state_write(const struct pl_supervisor *sup)
{
    const struct pl_state_head head = head_of(sup);
    int fd = pl_sys_memfd_create("perilune-state", MFD_CLOEXEC);
    bool good;

    if (fd < 0)
        return pl_err_from_errno(errno);
    good = put(fd, &head, sizeof(head));
    for (unsigned i = 0; i < PL_CHILDREN && good; i++)
        good = put_child(fd, sup, i);
    for (unsigned i = 0; i < sup->nheld && good; i++)
        good = put_held(fd, &sup->held[i]);
    if (good)
        return fd;
    pl_sys_close(fd);
    return PL_ERR_NOMEM;
}

/* ---- reading ---- */

/* NULL if so much is not there. */
static const void *take(struct pl_str *rest, size_t len)
{
    const void *at = rest->data;

    if (rest->len < len)
        return NULL;
    *rest = pl_str_skip(*rest, len);
    return at;
}

static bool read_head(struct pl_str *rest, struct pl_state_head *head)
{
    size_t size = rest->len;
    const void *at = take(rest, sizeof(*head));

    if (at == NULL)
        return false;
    memcpy(head, at, sizeof(*head));
    return memcmp(head->magic, MAGIC, sizeof(MAGIC)) == 0 &&
           head->version == PL_STATE_VERSION && head->size == size &&
           head->nchildren <= PL_CHILDREN &&
           memchr(head->pid_path, '\0', sizeof(head->pid_path)) != NULL;
}

static bool read_child(struct pl_str *rest, struct pl_supervisor *sup)
{
    struct pl_state_child record;
    const void *at = take(rest, sizeof(record));

    if (at == NULL)
        return false;
    memcpy(&record, at, sizeof(record));
    if (record.slot >= PL_CHILDREN || record.state > PL_CHILD_LEAVING)
        return false;
    if (sup != NULL)
        sup->children[record.slot] =
            (struct pl_child){.state = record.state,
                              .pid = record.pid,
                              .link = record.link,
                              .minding = record.minding,
                              .ending = record.ending,
                              .ready_once = true,
                              .started_ms = record.started_ms};
    return true;
}

/* Into sup->held, which has room. */
static bool keep_held(struct pl_supervisor *sup,
                      const struct pl_state_held *record, const int *fds)
{
    struct pl_listen_group *group;

    if (pl_listen_share(fds, record->count, &pl_listen_defaults, &group, NULL) <
        0)
        return false;
    group->adopted = false; /* its file is ours to remove */
    sup->held[sup->nheld++] = (struct pl_held){.asked = record->asked,
                                               .group = group,
                                               .nth = record->nth,
                                               .users = record->users};
    return true;
}

static bool read_held(struct pl_str *rest, struct pl_supervisor *sup)
{
    struct pl_state_held record;
    const void *at = take(rest, sizeof(record));
    bool good;
    int *fds;

    if (at == NULL)
        return false;
    memcpy(&record, at, sizeof(record));
    at = record.count == 0 || record.count > PL_STATE_MAX
             ? NULL
             : take(rest, record.count * sizeof(int));
    if (at == NULL || sup == NULL)
        return at != NULL;
    fds = pl_malloc(record.count * sizeof(int));
    if (fds == NULL)
        return false;
    memcpy(fds, at, record.count * sizeof(int));
    good = keep_held(sup, &record, fds);
    pl_free(fds);
    return good;
}

static bool keep_head(struct pl_supervisor *sup,
                      const struct pl_state_head *head)
{
    size_t size = strlen(head->pid_path) + 1;
    char *path = NULL;

    sup->starts = head->starts;
    sup->crashes = head->crashes;
    sup->log = head->log;
    sup->systemd.to = head->notify;
    sup->systemd.watchdog_ms = head->watchdog_ms;
    sup->before = head->before;
    sup->held = pl_calloc(head->nheld + 1, sizeof(*sup->held));
    if (head->pid_file >= 0)
        path = pl_malloc(size);
    if (sup->held == NULL || (head->pid_file >= 0 && path == NULL))
        return false;
    if (path != NULL)
        memcpy(path, head->pid_path, size);
    sup->pid_file = (struct pl_pid_file){.path = path, .fd = head->pid_file};
    return true;
}

static bool decode(struct pl_str rest, struct pl_supervisor *sup)
{
    struct pl_state_head head;
    bool good = read_head(&rest, &head);

    if (good && sup != NULL)
        good = keep_head(sup, &head);
    for (unsigned i = 0; good && i < head.nchildren; i++)
        good = read_child(&rest, sup);
    for (unsigned i = 0; good && i < head.nheld; i++)
        good = read_held(&rest, sup);
    return good && rest.len == 0;
}

int pl_state_read(int fd, struct pl_supervisor *sup, struct pl_error *error)
{
    char *bytes = pl_malloc(PL_STATE_MAX);
    ssize_t n = bytes == NULL ? -1 : pl_sys_pread(fd, bytes, PL_STATE_MAX, 0);
    bool good = n > 0 && decode(pl_str(bytes, (size_t)n), sup);

    pl_free(bytes);
    return good ? 0
                : pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                               "the state of the running supervisor is not "
                               "understood: this program knows version %u",
                               PL_STATE_VERSION);
}

/* ---- descriptors over an exec ---- */

static void keep_fd(int fd, bool keep)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

void pl_state_keep(const struct pl_supervisor *sup, bool keep)
{
    keep_fd(sup->log, keep);
    keep_fd(sup->pid_file.path != NULL ? sup->pid_file.fd : -1, keep);
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state != PL_CHILD_NONE)
            keep_fd(sup->children[i].link, keep);
    for (unsigned i = 0; i < sup->nheld; i++)
        for (unsigned n = 0; n < sup->held[i].group->count; n++)
            keep_fd(sup->held[i].group->fds[n], keep);
}
