/* template_file.c - the version that is served is swapped by the thread that
 * has read it. Who uses one has a hold, taken in a section of the epoch; the
 * hold of the file itself goes when no section can find that version any more.
 * The first version is what the program knows the template by: it stays. */
#include "app/template_file.h"

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/member.h"

#define PERIOD_NS ((uint64_t)1000000000)

struct pl_template_version {
    atomic_uint holds;
    struct pl_template_set *set;
    struct pl_retired retired;
};

struct file {
    struct pl_app *app;
    const char *path;
    struct pl_template_version *_Atomic now;
    struct pl_template_version *first; /* held */
    _Atomic uint64_t looked;           /* ns */
    atomic_bool looking;
    bool failed; /* the last time: who looks */
};

/* ---- versions ---- */

static void drop(struct pl_template_version *version)
{
    if (atomic_fetch_sub(&version->holds, 1) > 1)
        return;
    pl_template_set_free(version->set);
    pl_free(version);
}

static void drop_retired(struct pl_retired *retired)
{
    drop(PL_CONTAINER_OF(retired, struct pl_template_version, retired));
}

/* TAKES set. */
static struct pl_template_version *new_version(struct pl_template_set *set)
{
    struct pl_template_version *version = pl_calloc(1, sizeof(*version));

    if (version == NULL) {
        pl_template_set_free(set);
        return NULL;
    }
    atomic_init(&version->holds, 1);
    version->set = set;
    return version;
}

static int hold(struct file *file, struct pl_template_version **out)
{
    struct pl_guest guest;
    int err = pl_guest_begin(&guest, file->app->server.share);

    if (err < 0)
        return err;
    pl_epoch_enter(guest.user.reader);
    *out = atomic_load(&file->now);
    atomic_fetch_add(&(*out)->holds, 1);
    pl_epoch_leave(guest.user.reader);
    pl_guest_end(&guest);
    return 0;
}

/* TAKES version. */
static int replace(struct file *file, struct pl_template_version *version)
{
    struct pl_template_version *old;
    struct pl_guest guest;
    int err = pl_guest_begin(&guest, file->app->server.share);

    if (err < 0) {
        drop(version);
        return err;
    }
    old = atomic_exchange(&file->now, version);
    pl_epoch_retire(guest.user.reader, &old->retired, drop_retired, 0);
    pl_guest_end(&guest);
    return 0;
}

/* ---- looking ---- */

static void read_anew(struct file *file)
{
    struct pl_error error = {.code = 0};
    struct pl_template_set *set = pl_template_set_load(file->path, &error);
    struct pl_template_version *version = set == NULL ? NULL : new_version(set);
    bool done = version != NULL && replace(file, version) == 0;

    if (!done && !file->failed)
        pl_log(PL_LOG_ERROR, "app", "the former template is kept: %s: %s",
               set == NULL ? error.where : file->path,
               set == NULL ? error.text : "out of memory");
    file->failed = !done;
}

/* On a thread that may wait for the disk. */
static int look(void *arg)
{
    struct file *file = arg;
    struct pl_template_version *version;

    if (hold(file, &version) == 0) {
        if (!pl_template_set_is_current(version->set))
            read_anew(file);
        drop(version);
    }
    return 0;
}

static int look_aside(void *arg)
{
    struct file *file = arg;

    (void)pl_offload(NULL, look, file);
    atomic_store(&file->looking, false);
    return 0;
}

static void look_if_due(struct file *file)
{
    uint64_t now = pl_now(pl_sched_current()->loop);
    bool looking = false;

    if (now - atomic_load(&file->looked) < PERIOD_NS ||
        !atomic_compare_exchange_strong(&file->looking, &looking, true))
        return;
    atomic_store(&file->looked, now);
    if (pl_spawn(NULL, look_aside, file) < 0)
        atomic_store(&file->looking, false);
}

/* ---- using ---- */

int pl_template_file_begin(const struct pl_template_set *set,
                           struct pl_template_use *use)
{
    struct file *file = pl_template_set_owner(set);

    *use = (struct pl_template_use){NULL, set};
    if (file == NULL || pl_sched_current() == NULL)
        return 0;
    look_if_due(file);
    if (hold(file, &use->version) < 0)
        return PL_ERR_NOMEM;
    use->set = use->version->set;
    return 0;
}

void pl_template_file_end(struct pl_template_use *use)
{
    if (use->version != NULL)
        drop(use->version);
}

/* ---- making one ---- */

/* The threads are over. */
static void free_file(void *arg)
{
    struct file *file = arg;

    drop(atomic_load(&file->now));
    drop(file->first);
    pl_free(file);
}

static int name_folder(struct pl_app *app, const char *path)
{
    ptrdiff_t slash = pl_str_rchr(pl_str_c(path), '/');
    struct pl_str folder = slash < 0    ? PL_STR(".")
                           : slash == 0 ? PL_STR("/")
                                        : pl_str(path, (size_t)slash);

    return pl_site_name_path(app->site, folder, PL_PATH_READ);
}

int pl_template_file_add(struct pl_app *app, const char *path,
                         struct pl_template_set *set)
{
    struct pl_template_version *version = new_version(set);
    struct file *file = version == NULL ? NULL : pl_calloc(1, sizeof(*file));
    struct pl_str copy = pl_arena_str(&app->site->arena, pl_str_c(path));

    if (file == NULL) {
        if (version != NULL)
            drop(version);
        return PL_ERR_NOMEM;
    }
    file->app = app;
    file->path = copy.data;
    file->first = version;
    atomic_init(&version->holds, 2);
    atomic_init(&file->now, version);
    if (pl_site_own(app->site, free_file, file) < 0)
        return PL_ERR_NOMEM;
    if (copy.data == NULL || name_folder(app, path) < 0)
        return PL_ERR_NOMEM;
    if (PL_WITH_RELOAD && PL_WITH_SHARE)
        pl_template_set_own(set, file);
    return 0;
}
