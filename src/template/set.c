#include "template/set.h"

#include <dirent.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/table.h"

static const char extension[] = ".mustache";

/* A file that changed so short a time ago can change once more and look the
 * same: clocks of file systems tick that slowly. */
enum { TICK_NS = 100 * 1000 * 1000 };

/* What was looked at, and how it was. */
struct look {
    struct look *next;
    const char *path;
    bool there;
    struct stat st;
};

struct pl_template_set {
    struct pl_pool pool;
    struct pl_arena arena; /* paths, looks */
    struct look *looks;
    bool settled;             /* the same state is the same text */
    int64_t began;            /* ns since 1970 */
    struct pl_table partials; /* keys lie in the templates that name them */
    struct pl_template *templates[PL_TEMPLATE_SET_MAX]; /* the main one first */
    unsigned count;
    struct pl_str folder;   /* with its slash; absent: no files */
    struct pl_str root;     /* the same, of all templates; absent: none */
    struct pl_error *error; /* while loading */
    void *owner;
};

static int no_memory(struct pl_template_set *set)
{
    return pl_error_set(set->error, PL_ERR_NOMEM, "", "out of memory");
}

static int no_memory_if(struct pl_template_set *set, bool is)
{
    return is ? no_memory(set) : 0;
}

/* ---- what was looked at ---- */

/* st: NULL if it is not there. */
static int note(struct pl_template_set *set, const char *path,
                const struct stat *st)
{
    struct look *look = pl_arena_alloc(&set->arena, sizeof(*look));
    int64_t changed;

    if (look == NULL)
        return no_memory(set);
    *look =
        (struct look){.next = set->looks, .path = path, .there = st != NULL};
    if (st != NULL) {
        look->st = *st;
        changed =
            st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
        set->settled = set->settled && set->began - changed >= TICK_NS;
    }
    set->looks = look;
    return 0;
}

static bool is_same(const struct look *look)
{
    struct stat st;

    if (pl_sys_fstatat(AT_FDCWD, look->path, &st, 0) < 0)
        return !look->there && (errno == ENOENT || errno == ENOTDIR);
    return look->there && st.st_dev == look->st.st_dev &&
           st.st_ino == look->st.st_ino && st.st_size == look->st.st_size &&
           st.st_mtim.tv_sec == look->st.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == look->st.st_mtim.tv_nsec &&
           st.st_ctim.tv_sec == look->st.st_ctim.tv_sec &&
           st.st_ctim.tv_nsec == look->st.st_ctim.tv_nsec;
}

bool pl_template_set_is_current(const struct pl_template_set *set)
{
    const struct look *look = set->looks;

    while (look != NULL && is_same(look))
        look = look->next;
    return look == NULL && set->settled;
}

/* ---- reading ---- */

static int fill(int fd, struct pl_buf *out)
{
    ssize_t n;

    do {
        if (pl_buf_reserve(out, 4096) < 0)
            return out->err;
        n = pl_sys_read(fd, out->data + out->len, 4096);
        if (n > 0)
            out->len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? pl_err_from_errno(errno) : 0;
}

static int read_open(struct pl_template_set *set, const char *path, int fd,
                     struct pl_buf *out)
{
    struct stat st;

    if (pl_sys_fstat(fd, &st) < 0)
        return pl_err_from_errno(errno);
    return note(set, path, &st) < 0 ? PL_ERR_NOMEM : fill(fd, out);
}

/* missing: the file need not be there. */
static int read_file(struct pl_template_set *set, const char *path,
                     bool missing, struct pl_buf *out)
{
    int fd = pl_sys_open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC, 0);
    int err = fd < 0 ? pl_err_from_errno(errno) : read_open(set, path, fd, out);

    if (fd >= 0)
        pl_sys_close(fd);
    if (err == PL_ERR_NOT_FOUND && missing && note(set, path, NULL) < 0)
        return PL_ERR_NOMEM;
    if (err < 0 && !(missing && err == PL_ERR_NOT_FOUND))
        pl_error_set(set->error, err, path, "cannot read the template: %s",
                     pl_err_text(err));
    return err;
}

/* ---- the set ---- */

static bool name_ok(struct pl_str name)
{
    struct pl_str part;

    if (pl_str_chr(name, '\0') >= 0)
        return false;
    while (pl_str_split(&name, '/', &part))
        if (part.len == 0 || part.data[0] == '.')
            return false;
    return true;
}

static int add(struct pl_template_set *set, struct pl_str path,
               struct pl_str source)
{
    struct pl_template *template;

    if (set->count == PL_TEMPLATE_SET_MAX)
        return pl_error_set(set->error, PL_ERR_LIMIT, path.data,
                            "more than %d templates", PL_TEMPLATE_SET_MAX);
    template = pl_template_new(path, source, set->error);
    if (template == NULL)
        return set->error == NULL ? PL_ERR_SYNTAX : set->error->code;
    set->templates[set->count++] = template;
    return 0;
}

static int load(struct pl_template_set *set, struct pl_str path, bool missing)
{
    struct pl_buf text;
    int err;

    if (path.data == NULL)
        return no_memory(set);
    /* One more: what is read in steps asks for room to see the end. */
    pl_buf_init(&text, &set->pool, NULL, PL_TEMPLATE_SOURCE_MAX + 4096);
    err = read_file(set, path.data, missing, &text);
    if (err == 0)
        err = add(set, path, pl_buf_str(&text));
    pl_buf_fini(&text);
    return err;
}

static int load_partial(struct pl_template_set *set, struct pl_str folder,
                        struct pl_str name)
{
    return load(set,
                pl_arena_printf(&set->arena, "%.*s%.*s%s", PL_STR_ARG(folder),
                                PL_STR_ARG(name), extension),
                true);
}

/* A name in some template: its file becomes part of the set, once. */
static int see(void *arg, struct pl_str name)
{
    struct pl_template_set *set = arg;
    int err;

    if (!name_ok(name) || pl_table_get(&set->partials, name) != NULL)
        return 0;
    err = load_partial(set, set->folder, name);
    if (err == PL_ERR_NOT_FOUND && set->root.len > 0)
        err = load_partial(set, set->root, name);
    if (err == PL_ERR_NOT_FOUND)
        return 0;
    if (err == 0 && pl_table_put(&set->partials, name,
                                 set->templates[set->count - 1], NULL) < 0)
        err = no_memory(set);
    return err;
}

/* ---- names that come from the data ---- */

/* See a name that nobody has said yet: what is wrong with its file does not
 * keep the others from being used. */
static int try_to_see(void *arg, struct pl_str name)
{
    struct pl_template_set *set = arg;
    struct pl_error *error = set->error, fault = {.code = 0};
    int err;

    set->error = &fault;
    err = see(set, name);
    set->error = error;
    if (err == PL_ERR_NOMEM || err == PL_ERR_LIMIT)
        return pl_error_set(error, err, fault.where, "%s", fault.text);
    if (err < 0)
        pl_log(PL_LOG_WARN, "template", "not used: %s: %s", fault.where,
               fault.text);
    return 0;
}

static int scan(struct pl_template_set *set, struct pl_str base,
                struct pl_str below, unsigned level);

/* An entry of the folder below, from base on. */
static int scan_entry(struct pl_template_set *set, struct pl_str base,
                      struct pl_str below, const struct dirent *entry,
                      unsigned level)
{
    struct pl_str name = pl_str_c(entry->d_name), path;
    bool file = pl_str_ends(name, pl_str_c(extension));

    if (entry->d_name[0] == '.' ||
        (!file && entry->d_type != DT_DIR && entry->d_type != DT_LNK &&
         entry->d_type != DT_UNKNOWN))
        return 0;
    if (file)
        name.len -= sizeof(extension) - 1;
    path = pl_arena_printf(&set->arena, "%.*s%.*s%s", PL_STR_ARG(below),
                           PL_STR_ARG(name), file ? "" : "/");
    if (path.data == NULL)
        return no_memory(set);
    return file ? try_to_see(set, path) : scan(set, base, path, level + 1);
}

static int scan_open(struct pl_template_set *set, struct pl_str base,
                     struct pl_str below, DIR *folder, unsigned level)
{
    const struct dirent *entry;
    int err = 0;

    while (err == 0 && (entry = pl_sys_readdir(folder)) != NULL)
        err = scan_entry(set, base, below, entry, level);
    return err;
}

/* All templates of a folder. What is none, or cannot be read, has none. */
static int scan(struct pl_template_set *set, struct pl_str base,
                struct pl_str below, unsigned level)
{
    struct pl_str path =
        pl_arena_printf(&set->arena, "%s%.*s", base.len > 0 ? base.data : "./",
                        PL_STR_ARG(below));
    struct stat st;
    DIR *folder;
    int fd, err = 0;

    if (path.data == NULL)
        return no_memory(set);
    if (level > PL_TEMPLATE_LEVELS_MAX)
        return 0;
    fd = pl_sys_open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (pl_sys_fstat(fd, &st) == 0)
        err = note(set, path.data, &st);
    folder = err < 0 ? NULL : pl_sys_fdopendir(fd);
    if (folder == NULL) {
        pl_sys_close(fd);
        return err;
    }
    err = scan_open(set, base, below, folder, level);
    closedir(folder);
    return err;
}

static int scan_all(struct pl_template_set *set)
{
    int err = scan(set, set->folder, PL_STR(""), 1);

    if (err == 0 && set->root.len > 0)
        err = scan(set, set->root, PL_STR(""), 1);
    return err;
}

/* All partials of all templates, also of those that come in doing so. */
static int load_partials(struct pl_template_set *set)
{
    unsigned named = PL_TEMPLATE_SET_MAX; /* the others came by scanning */
    int err = 0;

    for (unsigned i = 0; err == 0 && i < set->count; i++) {
        err = pl_template_partials(set->templates[i],
                                   i < named ? see : try_to_see, set);
        if (err == 0 && named == PL_TEMPLATE_SET_MAX &&
            pl_template_is_dynamic(set->templates[i])) {
            named = set->count;
            err = scan_all(set);
        }
    }
    return err;
}

static struct pl_template_set *new_set(struct pl_error *error)
{
    struct pl_template_set *set = pl_calloc(1, sizeof(*set));

    if (set == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    pl_pool_init(&set->pool, NULL, 0);
    pl_arena_init(&set->arena, &set->pool, NULL);
    pl_table_init(&set->partials, &set->pool, NULL);
    set->error = error;
    set->settled = true;
    set->began = (int64_t)pl_clock_wall();
    return set;
}

/* set, or NULL if err says that it is not whole. */
static struct pl_template_set *finish(struct pl_template_set *set, int err)
{
    set->error = NULL; /* it is the caller's */
    if (err == 0)
        return set;
    pl_template_set_free(set);
    return NULL;
}

static struct pl_template_set *load_all(struct pl_template_set *set,
                                        struct pl_str path)
{
    int err = no_memory_if(set, path.data == NULL);

    if (err == 0) {
        set->folder = pl_arena_str(
            &set->arena,
            pl_str_first(path, (size_t)(pl_str_rchr(path, '/') + 1)));
        err = no_memory_if(set, set->folder.data == NULL);
    }
    if (pl_str_eq(set->folder, set->root))
        set->root.len = 0;
    if (err == 0)
        err = load(set, path, false);
    if (err == 0)
        err = load_partials(set);
    return finish(set, err);
}

struct pl_template_set *pl_template_set_load(const char *path,
                                             struct pl_error *error)
{
    struct pl_template_set *set = new_set(error);

    return set == NULL
               ? NULL
               : load_all(set, pl_arena_str(&set->arena, pl_str_c(path)));
}

struct pl_template_set *pl_template_set_load_in(const char *root,
                                                const char *name,
                                                struct pl_error *error)
{
    struct pl_template_set *set = new_set(error);

    if (set == NULL)
        return NULL;
    set->root = pl_arena_printf(&set->arena, "%s/", root);
    return load_all(set, pl_arena_printf(&set->arena, "%s/%s", root, name));
}

struct pl_template_set *pl_template_set_text(struct pl_str name,
                                             struct pl_str source,
                                             struct pl_error *error)
{
    struct pl_template_set *set = new_set(error);

    return set == NULL ? NULL : finish(set, add(set, name, source));
}

void pl_template_set_free(struct pl_template_set *set)
{
    if (set == NULL)
        return;
    for (unsigned i = 0; i < set->count; i++)
        pl_template_free(set->templates[i]);
    pl_table_fini(&set->partials);
    pl_arena_fini(&set->arena);
    pl_pool_fini(&set->pool);
    pl_free(set);
}

void pl_template_set_own(struct pl_template_set *set, void *owner)
{
    set->owner = owner;
}

void *pl_template_set_owner(const struct pl_template_set *set)
{
    return set->owner;
}

/* ---- rendering ---- */

static const struct pl_template *find(void *arg, struct pl_str name)
{
    const struct pl_template_set *set = arg;

    return pl_table_get(&set->partials, name);
}

const struct pl_template *
pl_template_set_main(const struct pl_template_set *set)
{
    return set->templates[0];
}

struct pl_partials pl_template_set_partials(const struct pl_template_set *set)
{
    return (struct pl_partials){find, (void *)(uintptr_t)set};
}

int pl_template_set_render(const struct pl_template_set *set,
                           const struct pl_data *data, struct pl_buf *out,
                           struct pl_error *error)
{
    struct pl_partials partials = pl_template_set_partials(set);

    return pl_template_render(set->templates[0], data, &partials, out, error);
}
