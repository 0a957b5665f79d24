#include "handlers/files.h"

#include <limits.h>

#include "base/error.h"
#include "base/str.h"
#include "loop/offload.h"

#define SECOND ((uint64_t)1000000000)

enum {
    SWEEP_S = 10, /* between two looks at what nobody asks for */
    UNUSED_S = 60,
    KEY_MAX = 4 + 2 * PATH_MAX + 1,
};

/* ---- references ---- */

static void free_file(struct pl_file *file)
{
    struct pl_files *files = file->owner;

    if (files != NULL) {
        pl_account_release(&files->account, file->size);
        files->descriptors -= file->descriptors;
    }
    pl_file_free(file);
}

void pl_file_drop(struct pl_file *file)
{
    if (!file->fixed && --file->refs == 0)
        free_file(file);
}

PL_COLD static void drop_value(void *value, void *arg)
{
    (void)arg;
    pl_file_drop(value);
}

/* ---- life ---- */

PL_COLD static void on_sweep(struct pl_timer *timer)
{
    struct pl_files *files = PL_CONTAINER_OF(timer, struct pl_files, sweep);
    struct pl_loop *loop = files->sched->loop;
    struct pl_memo *memo = &files->memo;

    for (struct pl_table_walk at = {0}; pl_table_next(&memo->table, &at);) {
        const struct pl_memo_entry *entry = at.value;
        const struct pl_file *file = entry->value;

        if (!entry->pending && file->used + UNUSED_S * SECOND < pl_now(loop))
            pl_memo_invalidate(memo, entry->key);
    }
    if (memo->table.count > 0)
        pl_timer_start(pl_loop_wheel(loop), timer,
                       pl_now(loop) + SWEEP_S * SECOND);
}

void pl_files_limit(struct pl_files *files, size_t limit, unsigned descriptors)
{
    files->account.limit = limit;
    files->memo.options.limit = limit;
    files->most_descriptors = descriptors;
}

PL_COLD struct pl_files *pl_files_new(struct pl_sched *sched, size_t limit,
                                      unsigned descriptors)
{
    const struct pl_memo_options options = {.free = drop_value};
    struct pl_files *files = pl_calloc(1, sizeof(*files));

    if (files == NULL)
        return NULL;
    files->sched = sched;
    pl_account_init(&files->account, NULL, limit);
    pl_memo_init(&files->memo, &options, pl_loop_pool(sched->loop), NULL);
    pl_timer_init(&files->sweep, on_sweep);
    pl_files_limit(files, limit, descriptors);
    return files;
}

PL_COLD void pl_files_free(struct pl_files *files)
{
    if (files == NULL)
        return;
    pl_timer_stop(pl_loop_wheel(files->sched->loop), &files->sweep);
    pl_memo_fini(&files->memo);
    pl_free(files);
}

/* ---- keys: the root's id, the folder, NUL, the path ---- */

static struct pl_str key_of(const struct pl_file_name *name, char *out)
{
    char *at = mempcpy(out, &name->root->id, sizeof(name->root->id));

    if (name->folder.data != NULL)
        at = mempcpy(at, name->folder.data, name->folder.len);
    *at++ = '\0';
    if (name->path.len > 0)
        at = mempcpy(at, name->path.data, name->path.len);
    return pl_str(out, (size_t)(at - out));
}

static bool fits(const struct pl_file_name *name)
{
    return name->folder.len < PATH_MAX && name->path.len < PATH_MAX;
}

static struct pl_file_name name_of(struct pl_str key, struct pl_file_root *root)
{
    struct pl_file_name name = {.root = root};

    name.path = pl_str_skip(key, sizeof(root->id));
    pl_str_split(&name.path, '\0', &name.folder);
    if (name.folder.len == 0)
        name.folder.data = NULL;
    return name;
}

/* ---- keeping ---- */

static uint64_t now_of(const struct pl_files *files)
{
    return pl_now(files->sched->loop);
}

static bool is_kept(const struct pl_files *files)
{
    return files->account.limit > 0;
}

/* Takes a freshly loaded file into the accounts. False if it is not to be kept:
 * a folder, or too large. */
PL_COLD static bool adopt(struct pl_files *files, struct pl_file *file)
{
    struct pl_memo *memo = &files->memo;

    file->checked = file->used = now_of(files);
    if (file->folder || !is_kept(files) ||
        file->descriptors > files->most_descriptors)
        return false;
    while (files->descriptors + file->descriptors > files->most_descriptors &&
           pl_memo_evict(memo))
        ;
    while (pl_account_charge(&files->account, file->size) < 0)
        if (file->size > files->account.limit || !pl_memo_evict(memo))
            return false;
    file->owner = files;
    files->descriptors += file->descriptors;
    if (!files->sweep.armed)
        pl_timer_start(pl_loop_wheel(files->sched->loop), &files->sweep,
                       now_of(files) + SWEEP_S * SECOND);
    return true;
}

/* Another reference is the table's. */
static void keep(struct pl_files *files, struct pl_str key,
                 struct pl_file *file)
{
    if (!adopt(files, file))
        return;
    file->refs++;
    (void)pl_memo_put(&files->memo, key, file, file->size, 0);
}

/* What is kept under key; its reference is the table's. NULL: nothing, or it
 * is being loaded. */
static struct pl_file *find(const struct pl_files *files, struct pl_str key)
{
    struct pl_memo_entry *entry = pl_table_get(&files->memo.table, key);

    if (entry == NULL || entry->pending)
        return NULL;
    entry->used = true;
    return entry->value;
}

/* ---- now ---- */

static struct pl_file *use(struct pl_file *file, uint64_t now)
{
    file->used = now;
    file->refs++;
    return file;
}

struct pl_file *pl_files_peek(struct pl_files *files,
                              const struct pl_file_name *name, uint64_t now)
{
    char text[KEY_MAX];
    struct pl_file *file;

    if (files == NULL || !fits(name))
        return NULL;
    file = find(files, key_of(name, text));
    if (file == NULL || now - file->checked >= name->root->period)
        return NULL;
    return use(file, now);
}

/* Without waiting if somebody else can wait. Descriptors that are kept make
 * room for one that is needed. */
PL_COLD static int load(struct pl_http *http, const struct pl_file_name *name,
                        struct pl_file **out)
{
    bool offloaded = http->files != NULL && http->sched->offload != NULL;
    int err;

    if (offloaded && (name->root->remote || name->root->fd == AT_FDCWD))
        return PL_ERR_AGAIN;
    err = pl_file_load(name, PL_FILE_SMALL, !offloaded, out);
    if (err == PL_ERR_NO_FDS && http->files != NULL) {
        pl_memo_clear(&http->files->memo);
        err = pl_file_load(name, PL_FILE_SMALL, !offloaded, out);
    }
    return err;
}

/* The one that is kept, if it is still right. PL_ERR_AGAIN: not to be said
 * here. */
static int look(struct pl_files *files, const struct pl_file_name *name,
                struct pl_str key, struct pl_file **out)
{
    struct pl_file *file = find(files, key);

    if (file == NULL)
        return PL_ERR_NOT_FOUND;
    if (file->remote && files->sched->offload != NULL)
        return PL_ERR_AGAIN;
    if (!pl_file_is_current(name, file)) {
        pl_memo_invalidate(&files->memo, key);
        return PL_ERR_NOT_FOUND;
    }
    file->checked = now_of(files);
    *out = use(file, file->checked);
    return 0;
}

int pl_files_get(struct pl_http *http, const struct pl_file_name *name,
                 struct pl_file **out)
{
    struct pl_files *files = http->files;
    char text[KEY_MAX];
    struct pl_str key;
    int err;

    if (!fits(name))
        return PL_ERR_NOT_FOUND;
    if (files == NULL)
        return load(http, name, out);
    *out = pl_files_peek(files, name, now_of(files));
    if (*out != NULL)
        return 0;
    key = key_of(name, text);
    err = look(files, name, key, out);
    if (err != PL_ERR_NOT_FOUND)
        return err;
    err = load(http, name, out);
    if (err == 0)
        keep(files, key, *out);
    return err;
}

/* ---- on an offload thread ---- */

/* What is known is looked at first: NULL in file says that it is right. The
 * thread has name, known's state, file and nothing else. */
struct fetch {
    struct pl_offload_op offload;
    struct pl_files *files;
    struct pl_file_root *root;
    struct pl_memo_entry *entry; /* that waits to be filled */
    struct pl_file *known, *file;
};

PL_COLD static int work(void *arg)
{
    struct fetch *fetch = arg;
    struct pl_file_name name = name_of(fetch->entry->key, fetch->root);

    if (fetch->known != NULL && pl_file_is_current(&name, fetch->known))
        return 0;
    return pl_file_load(&name, PL_FILE_SMALL, true, &fetch->file);
}

/* The outcome for all who wait. */
static void settle(struct fetch *fetch, int err)
{
    struct pl_files *files = fetch->files;
    struct pl_memo_entry *entry = fetch->entry;
    struct pl_file *file = fetch->file;
    bool kept = true;

    if (err < 0) {
        pl_memo_fail(&files->memo, entry, err);
        return;
    }
    if (file == NULL) {
        file = fetch->known;
        file->refs++;
        file->checked = now_of(files);
    } else {
        kept = adopt(files, file);
    }
    pl_memo_fill(&files->memo, entry, file, file->size, 0);
    if (!kept && entry->listed)
        pl_memo_invalidate(&files->memo, entry->key);
}

static void end_fetch(struct fetch *fetch)
{
    if (fetch->known != NULL)
        pl_file_drop(fetch->known);
    pl_file_root_drop(fetch->root);
    pl_memo_release(&fetch->files->memo, fetch->entry);
    pl_free(fetch);
}

PL_COLD static void on_fetched(struct pl_op *op)
{
    struct fetch *fetch = PL_CONTAINER_OF(op, struct fetch, offload.op);
    int err = op->result;

    pl_offload_end(&fetch->offload);
    if (err == PL_ERR_NO_FDS)
        pl_memo_clear(&fetch->files->memo);
    settle(fetch, err == PL_ERR_LIMIT ? PL_ERR_NOMEM : err);
    end_fetch(fetch);
}

/* Fills entry, of which it has a reference, later. TAKES known (may be NULL).
 * PL_ERR_NOMEM: nothing was begun. */
static int begin_fetch(struct pl_files *files, struct pl_memo_entry *entry,
                       struct pl_file_root *root, struct pl_file *known)
{
    struct fetch *fetch = pl_calloc(1, sizeof(*fetch));

    if (fetch == NULL) {
        if (known != NULL)
            pl_file_drop(known);
        return PL_ERR_NOMEM;
    }
    entry->refs++;
    root->refs++;
    fetch->files = files;
    fetch->root = root;
    fetch->entry = entry;
    fetch->known = known;
    pl_offload_begin(&fetch->offload, files->sched, work, fetch, NULL);
    pl_op_then(&fetch->offload.op, on_fetched);
    return 0;
}

/* ---- waiting ---- */

static void on_filled(struct pl_memo_waiter *waiter, int err)
{
    struct pl_file_op *op = PL_CONTAINER_OF(waiter, struct pl_file_op, waiter);

    if (err == 0)
        op->file = use(op->entry->value, now_of(op->files));
    pl_memo_release(&op->files->memo, op->entry);
    op->entry = NULL;
    pl_op_complete(&op->op, err);
}

static void cancel_wait(struct pl_op *base)
{
    struct pl_file_op *op = PL_CONTAINER_OF(base, struct pl_file_op, op);

    pl_memo_unwait(&op->waiter);
    pl_memo_release(&op->files->memo, op->entry);
    op->entry = NULL;
    pl_op_complete(base, PL_ERR_CANCELED);
}

/* The entry for key, in which something is or will be; what is kept there and
 * has to be looked at again is *known (with a reference). */
static int enter(struct pl_files *files, struct pl_str key,
                 struct pl_memo_entry **entry, struct pl_file **known)
{
    *known = find(files, key);
    if (*known != NULL) {
        (*known)->refs++;
        pl_memo_invalidate(&files->memo, key);
    }
    return pl_memo_get(&files->memo, key, 0, entry);
}

PL_COLD void pl_file_begin(struct pl_file_op *op, struct pl_http *http,
                           const struct pl_file_name *name)
{
    struct pl_files *files = http->files;
    char text[KEY_MAX];
    struct pl_file *known;
    int got, err = 0;

    pl_op_init(&op->op, http->sched, cancel_wait);
    pl_op_begin(&op->op);
    op->files = files;
    op->entry = NULL;
    op->file = NULL;
    op->waiter.done = on_filled;
    pl_list_init(&op->waiter.node);
    got = enter(files, key_of(name, text), &op->entry, &known);
    if (got < 0) {
        if (known != NULL)
            pl_file_drop(known);
        pl_op_complete(&op->op, PL_ERR_NOMEM);
        return;
    }
    pl_memo_wait(op->entry, &op->waiter);
    if (got == PL_MEMO_MISS)
        err = begin_fetch(files, op->entry, name->root, known);
    if (err < 0)
        pl_memo_fail(&files->memo, op->entry, err);
}
