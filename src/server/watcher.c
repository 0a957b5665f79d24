#include "server/watcher.h"

#include "base/features.h"
#include "base/log.h"
#include "base/sys.h"
#include "loop/offload.h"
#include "lua/chunks.h"
#include "os/lookout.h"
#include "server/live.h"
#include "server/server.h"

#define MS ((uint64_t)1000000)

/* A save is several steps, and a checkout many files: a look follows when
 * nothing has been heard for a while, but not for ever. */
enum { QUIET_MS = 8, MOST_MS = 100, POLL_MS = 1000 };

struct pl_watcher {
    struct pl_server *server;
    struct pl_fs_file *notify; /* NULL: there is none to be had */
    struct pl_source source;
    struct pl_timer timer; /* to the next look */
    uint64_t heard;        /* when that was first (ns) since the last look; 0 */
    struct pl_reload_request request;
    bool asked;     /* request is under way */
    bool looking;   /* the job is: lookout is its */
    bool unknown;   /* meanwhile something was heard that may be ours */
    bool renew;     /* the list of files is old */
    bool told;      /* ... that it has to poll */
    unsigned count; /* of the files of the generation, when they were listed */
    struct pl_job job;
    struct pl_lookout lookout;
};

static void look(struct pl_watcher *watcher);

/* ---- when ---- */

static void look_in(struct pl_watcher *watcher, uint64_t due)
{
    struct pl_timer *timer = &watcher->timer;

    if (!timer->armed || due < timer->due)
        pl_timer_start(pl_loop_wheel(watcher->server->loop), timer, due);
}

static void look_soon(struct pl_watcher *watcher)
{
    struct pl_loop *loop = watcher->server->loop;
    uint64_t now = pl_now(loop);

    if (watcher->heard == 0)
        watcher->heard = now;
    pl_timer_start(pl_loop_wheel(loop), &watcher->timer,
                   PL_MIN(now + QUIET_MS * MS, watcher->heard + MOST_MS * MS));
}

static void on_timer(struct pl_timer *timer)
{
    struct pl_watcher *watcher =
        PL_CONTAINER_OF(timer, struct pl_watcher, timer);

    if (!watcher->asked && !watcher->looking)
        look(watcher);
}

/* ---- hearing ---- */

static void hear(struct pl_watcher *watcher, struct pl_str events)
{
    struct pl_notify_event event;

    while (pl_notify_next(&events, &event)) {
        if (watcher->looking)
            watcher->unknown = true; /* the list is the job's */
        else if (pl_lookout_hear(&watcher->lookout, &event))
            look_soon(watcher);
    }
}

static void on_events(struct pl_source *source, unsigned events)
{
    struct pl_watcher *watcher =
        PL_CONTAINER_OF(source, struct pl_watcher, source);
    max_align_t block[PL_NOTIFY_BLOCK / sizeof(max_align_t)];
    ssize_t n;

    (void)events;
    while ((n = pl_notify_read(watcher->notify, block, sizeof(block))) > 0)
        hear(watcher, pl_str((const char *)block, (size_t)n));
}

/* ---- what to do about it ---- */

static void on_reloaded(struct pl_reload_request *request,
                        const struct pl_reload_status *status)
{
    struct pl_watcher *watcher =
        PL_CONTAINER_OF(request, struct pl_watcher, request);

    (void)status;
    watcher->asked = false; /* who has settled it has the files looked at */
}

/* Takes note of what has changed. Is a reload wanted? Some files reload alone:
 * then only the browsers are told. */
static bool take_changes(struct pl_watcher *watcher)
{
    const struct pl_lookout *lookout = &watcher->lookout;
    bool reload = false;

    for (unsigned i = 0; i < lookout->nfiles; i++) {
        struct pl_lookout_file *file = &lookout->files[i];

        if (file->changed)
            pl_log(PL_LOG_INFO, "server", "changed: %s", file->path);
        reload = reload || (file->changed && !file->alone);
        file->stamp = file->seen.there ? file->seen : file->stamp;
    }
    return reload;
}

static void ask(struct pl_watcher *watcher)
{
    if (!take_changes(watcher)) {
        if (PL_WITH_PAGES)
            pl_live_touched(watcher->server);
        return;
    }
    watcher->asked = true;
    watcher->request =
        (struct pl_reload_request){.why = "--watch", .done = on_reloaded};
    pl_reload_ask(watcher->server, &watcher->request);
}

/* Said once; the limit may be raised while we poll. */
static void say_deaf(struct pl_watcher *watcher)
{
    int err = watcher->lookout.err;

    watcher->told = true;
    if (err == PL_ERR_LIMIT)
        pl_log(PL_LOG_WARN, "server",
               "--watch: more folders than fs.inotify.max_user_watches: files "
               "are looked at each second instead");
    else if (watcher->notify == NULL)
        pl_log(PL_LOG_WARN, "server",
               "--watch: no inotify: fs.inotify.max_user_instances or the "
               "limit of open files is reached: files are looked at each "
               "second instead");
    else
        pl_log(PL_LOG_NOTICE, "server",
               "--watch: changes of some files are not told (%s): they are "
               "looked at each second",
               err == 0 ? "a file system of other machines" : pl_err_text(err));
}

/* ---- looking ---- */

struct listing {
    struct pl_lookout *to, *old; /* old is NULL: what it knows is too old */
    bool failed;
};

static void list_file(void *arg, const char *path, const struct pl_stamp *stamp,
                      bool alone)
{
    struct listing *listing = arg;
    const struct pl_lookout_file *was =
        listing->old == NULL ? NULL : pl_lookout_find(listing->old, path);

    if (pl_lookout_add(listing->to, path, was == NULL ? stamp : &was->stamp) <
        0)
        listing->failed = true;
    else
        pl_lookout_find(listing->to, path)->alone = alone;
}

/* What was heard of while a reload was under way may be newer than it. */
static void keep_heard(struct pl_lookout *to, const struct pl_lookout *old)
{
    for (unsigned i = 0; i < to->nfiles; i++) {
        const struct pl_lookout_file *was =
            pl_lookout_find(old, to->files[i].path);

        to->files[i].heard = was != NULL && was->heard;
    }
}

/* Of the files that the last attempt has read it knows what they were; of
 * others, which it did not come to, the look that has led to it. The spots stay
 * until the next look, which is at once. */
static void list_files(struct pl_watcher *watcher)
{
    const struct pl_reload *reload = &watcher->server->reload;
    struct pl_lookout old = watcher->lookout;
    struct pl_lookout *list = &watcher->lookout;
    struct listing listing = {list, NULL, false};

    watcher->count = pl_chunks_count(reload->serving);
    *list = (struct pl_lookout){.notify = watcher->notify,
                                .base = watcher->server->loader->folder,
                                .spots = old.spots,
                                .nspots = old.nspots};
    pl_chunks_each(reload->files, list_file, &listing);
    listing.old = &old;
    pl_chunks_each(reload->serving, list_file, &listing);
    keep_heard(list, &old);
    watcher->renew = listing.failed; /* no memory: again, next time */
    old.spots = NULL;
    old.nspots = 0;
    pl_lookout_fini(&old);
}

static void do_look(struct pl_job *job)
{
    pl_lookout_look(&PL_CONTAINER_OF(job, struct pl_watcher, job)->lookout);
}

static void on_looked(struct pl_job *job)
{
    struct pl_watcher *watcher = PL_CONTAINER_OF(job, struct pl_watcher, job);
    const struct pl_server *server = watcher->server;

    watcher->looking = false;
    for (unsigned i = 0; i < watcher->lookout.nfiles; i++)
        watcher->lookout.files[i].heard = false;
    if (watcher->lookout.deaf && !watcher->told)
        say_deaf(watcher);
    if (watcher->lookout.deaf)
        look_in(watcher, pl_now(server->loop) + POLL_MS * MS);
    if (pl_server_stopping(server) || watcher->asked)
        return;
    if (watcher->renew)
        look(watcher);
    else if (watcher->lookout.changed)
        ask(watcher);
    if (watcher->unknown && !watcher->looking && !watcher->asked)
        look_soon(watcher);
}

static void look(struct pl_watcher *watcher)
{
    const struct pl_server *server = watcher->server;
    struct pl_job *job = &watcher->job;

    if (watcher->renew)
        list_files(watcher);
    watcher->heard = 0;
    watcher->unknown = false;
    watcher->looking = true;
    *job = (struct pl_job){.work = do_look,
                           .done = on_looked,
                           .reply = pl_loop_mailbox(server->loop)};
    if (pl_offload_submit(server->offload, job) == 0)
        return;
    watcher->looking = false; /* no thread for it now */
    pl_lookout_leave(&watcher->lookout);
    look_in(watcher, pl_now(server->loop) + POLL_MS * MS);
}

/* ---- its life ---- */

static void begin_to_hear(struct pl_watcher *watcher)
{
    struct pl_source *source = &watcher->source;

    if (pl_notify_open(&watcher->notify) < 0)
        return;
    source->ready = on_events;
    source->fd = watcher->notify->fd;
    if (pl_loop_add(watcher->server->loop, source, PL_READABLE, PL_LEVEL) < 0) {
        pl_fs_file_drop(watcher->notify);
        watcher->notify = NULL;
    }
}

int pl_watcher_open(struct pl_server *server)
{
    struct pl_watcher *watcher = pl_calloc(1, sizeof(*watcher));

    if (watcher == NULL)
        return PL_ERR_NOMEM;
    watcher->server = server;
    pl_timer_init(&watcher->timer, on_timer);
    server->watcher = watcher;
    begin_to_hear(watcher);
    pl_watcher_renew(server);
    return 0;
}

void pl_watcher_renew(struct pl_server *server)
{
    struct pl_watcher *watcher = server->watcher;

    if (watcher == NULL || pl_server_stopping(server) ||
        server->reload.serving == NULL || server->reload.files == NULL)
        return;
    watcher->renew = true;
    if (!watcher->looking && !watcher->asked)
        look(watcher);
}

void pl_watcher_grown(struct pl_server *server)
{
    const struct pl_watcher *watcher = server->watcher;

    if (watcher != NULL && server->reload.serving != NULL &&
        server->reload.stage == PL_RELOAD_IDLE &&
        pl_chunks_count(server->reload.serving) != watcher->count)
        pl_watcher_renew(server);
}

void pl_watcher_close(struct pl_server *server)
{
    struct pl_watcher *watcher = server->watcher;

    if (watcher == NULL)
        return;
    while (watcher->looking)
        (void)pl_loop_step(server->loop, -1);
    pl_timer_stop(pl_loop_wheel(server->loop), &watcher->timer);
    if (watcher->notify != NULL)
        pl_loop_remove(server->loop, &watcher->source, false);
    pl_lookout_fini(&watcher->lookout);
    pl_fs_file_drop(watcher->notify);
    pl_free(watcher);
    server->watcher = NULL;
}
