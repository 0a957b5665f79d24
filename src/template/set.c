#include "template/set.h"

#include "base/arena.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/table.h"

static const char extension[] = ".mustache";

struct pl_template_set {
    struct pl_pool pool;
    struct pl_arena arena;    /* paths */
    struct pl_table partials; /* keys lie in the templates that name them */
    struct pl_template *templates[PL_TEMPLATE_SET_MAX]; /* the main one first */
    unsigned count;
    struct pl_str folder;   /* with its slash; absent: no files */
    struct pl_error *error; /* while loading */
};

static int no_memory(struct pl_template_set *set)
{
    return pl_error_set(set->error, PL_ERR_NOMEM, "", "out of memory");
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

/* missing: the file need not be there. */
static int read_file(struct pl_template_set *set, const char *path,
                     bool missing, struct pl_buf *out)
{
    int fd = pl_sys_open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC, 0);
    int err = fd < 0 ? pl_err_from_errno(errno) : fill(fd, out);

    if (fd >= 0)
        pl_sys_close(fd);
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

/* A name in some template: its file becomes part of the set, once. */
static int see(void *arg, struct pl_str name)
{
    struct pl_template_set *set = arg;
    int err;

    if (!name_ok(name) || pl_table_get(&set->partials, name) != NULL)
        return 0;
    err =
        load(set,
             pl_arena_printf(&set->arena, "%.*s%.*s%s", PL_STR_ARG(set->folder),
                             PL_STR_ARG(name), extension),
             true);
    if (err == PL_ERR_NOT_FOUND)
        return 0;
    if (err == 0 && pl_table_put(&set->partials, name,
                                 set->templates[set->count - 1], NULL) < 0)
        err = no_memory(set);
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

struct pl_template_set *pl_template_set_load(const char *path,
                                             struct pl_error *error)
{
    struct pl_template_set *set = new_set(error);
    struct pl_str folder = pl_str_c(path);
    int err;

    if (set == NULL)
        return NULL;
    folder.len = (size_t)(pl_str_rchr(folder, '/') + 1);
    set->folder = pl_arena_str(&set->arena, folder);
    err = set->folder.data == NULL
              ? no_memory(set)
              : load(set, pl_arena_str(&set->arena, pl_str_c(path)), false);
    for (unsigned i = 0; err == 0 && i < set->count; i++)
        err = pl_template_partials(set->templates[i], see, set);
    return finish(set, err);
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

/* ---- rendering ---- */

static const struct pl_template *find(void *arg, struct pl_str name)
{
    const struct pl_template_set *set = arg;

    return pl_table_get(&set->partials, name);
}

int pl_template_set_render(const struct pl_template_set *set,
                           const struct pl_data *data, struct pl_buf *out,
                           struct pl_error *error)
{
    struct pl_partials partials = {find, (void *)(uintptr_t)set};

    return pl_template_render(set->templates[0], data, &partials, out, error);
}
