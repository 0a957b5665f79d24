#include "handlers/tree.h"

#include <limits.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/table.h"

struct pl_file_tree {
    struct pl_pool pool; /* of table and arena */
    struct pl_arena arena;
    struct pl_table table; /* path -> struct pl_file; a file may have several */
    struct pl_file **files;
    size_t count, room;
};

struct walk {
    struct pl_file_tree *tree;
    struct pl_file_root *root;
    struct pl_error *error;
    bool dots;
    uint64_t left; /* bytes that may still be read */
    int depth;
    size_t len;
    char path[PATH_MAX]; /* below the root, len bytes */
};

static int fail(struct walk *walk, int err, const char *why)
{
    return pl_error_set(walk->error, err, "", "cannot preload '%.*s': %s",
                        (int)PL_MIN(walk->len, 256), walk->path, why);
}

static int no_memory(struct walk *walk)
{
    return fail(walk, PL_ERR_NOMEM, "out of memory");
}

/* ---- entries ---- */

static int put(struct walk *walk, struct pl_str path, struct pl_file *file)
{
    struct pl_file_tree *tree = walk->tree;

    path = pl_arena_str(&tree->arena, path);
    if (path.data == NULL || pl_table_put(&tree->table, path, file, NULL) < 0)
        return no_memory(walk);
    return 0;
}

/* TAKES file. */
static int add(struct walk *walk, struct pl_file *file)
{
    struct pl_file_tree *tree = walk->tree;

    if (tree->count == tree->room) {
        size_t room = PL_MAX(2 * tree->room, (size_t)64);
        struct pl_file **grown =
            pl_realloc(tree->files, room * sizeof(struct pl_file *));

        if (grown == NULL) {
            pl_file_free(file);
            return no_memory(walk);
        }
        tree->files = grown;
        tree->room = room;
    }
    file->fixed = true;
    tree->files[tree->count++] = file;
    return put(walk, pl_str(walk->path, walk->len), file);
}

/* One that may not be read is known all the same: 403, as from the disk. */
static int add_denied(struct walk *walk)
{
    struct pl_file *file = pl_calloc(1, sizeof(*file));

    if (file == NULL)
        return no_memory(walk);
    for (unsigned i = 0; i < PL_FILE_VERSIONS; i++)
        file->versions[i].fd = -1;
    file->err = PL_ERR_DENIED;
    return add(walk, file);
}

/* ---- folders ---- */

static int read_folder(struct walk *walk, int fd);

/* The path with a slash means the first name of index that is there. */
static int add_index(struct walk *walk)
{
    struct pl_str names = pl_str_c(walk->root->index), name;
    size_t len = walk->len;

    while (pl_str_split(&names, ' ', &name)) {
        struct pl_file *file;

        if (name.len == 0 || len + name.len >= sizeof(walk->path))
            continue;
        memcpy(walk->path + len, name.data, name.len);
        file =
            pl_file_tree_find(walk->tree, pl_str(walk->path, len + name.len));
        if (file != NULL && !file->folder)
            return put(walk, pl_str(walk->path, len), file);
    }
    return 0;
}

static int enter(struct walk *walk)
{
    struct stat st;
    size_t len = walk->len;
    int fd, err;

    if (walk->depth == PL_TREE_DEPTH || len + 2 > sizeof(walk->path))
        return fail(walk, PL_ERR_LIMIT, "too many folders in one another");
    walk->path[len] = '\0';
    fd = pl_file_open(walk->root->fd, len == 0 ? "." : walk->path,
                      walk->root->links, true, &st);
    if (fd == PL_ERR_DENIED || fd == PL_ERR_NOT_FOUND)
        return 0; /* what is in it cannot be served */
    if (fd < 0)
        return fail(walk, fd, pl_err_text(fd));
    if (len > 0)
        walk->path[walk->len++] = '/';
    walk->depth++;
    err = read_folder(walk, fd);
    walk->depth--;
    pl_sys_close(fd);
    if (err == 0)
        err = add_index(walk);
    walk->len = len;
    return err;
}

static int load_file(struct walk *walk, struct pl_file **file)
{
    const struct pl_file_name name = {.root = walk->root,
                                      .path = pl_str(walk->path, walk->len)};
    int err = pl_file_load(&name, SIZE_MAX, true, file);

    if (err == PL_ERR_DENIED)
        return add_denied(walk);
    if (err == PL_ERR_NOT_FOUND) /* a FIFO, a link to nowhere: 404 */
        return 0;
    if (err < 0)
        return fail(walk, err, pl_err_text(err));
    if ((*file)->descriptors > 0 || (*file)->size > walk->left) {
        err = fail(walk, PL_ERR_LIMIT,
                   (*file)->descriptors > 0
                       ? "it changes while it is read"
                       : "there is more than the limit of preload");
        pl_file_free(*file);
        return err;
    }
    walk->left -= (*file)->size;
    return add(walk, *file);
}

static int read_name(struct walk *walk, struct pl_str name)
{
    struct pl_file *file = NULL;
    size_t len = walk->len;
    int err;

    if (!pl_file_path_ok(name, walk->dots))
        return 0;
    if (len + name.len + 1 >= sizeof(walk->path))
        return 0; /* nobody can ask for it */
    memcpy(walk->path + len, name.data, name.len);
    walk->len += name.len;
    err = load_file(walk, &file);
    if (err == 0 && file != NULL && file->folder)
        err = enter(walk);
    walk->len = len;
    return err;
}

/* In any order: what has to come after all names of a folder does. */
static int read_folder(struct walk *walk, int fd)
{
    union {
        struct dirent64 first;
        char bytes[4096];
    } batch;

    for (;;) {
        ssize_t n = pl_sys_getdents64(fd, batch.bytes, sizeof(batch));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(walk, PL_ERR_IO, strerror(errno));
        if (n == 0)
            return 0;
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(batch.bytes + at);
            int err = read_name(walk, pl_str_c(entry->d_name));

            if (err < 0)
                return err;
            at += entry->d_reclen;
        }
    }
}

/* ---- life ---- */

void pl_file_tree_free(struct pl_file_tree *tree)
{
    if (tree == NULL)
        return;
    for (size_t i = 0; i < tree->count; i++)
        pl_file_free(tree->files[i]);
    pl_free(tree->files);
    pl_table_fini(&tree->table);
    pl_arena_fini(&tree->arena);
    pl_pool_fini(&tree->pool);
    pl_free(tree);
}

int pl_file_tree_load(struct pl_file_root *root, bool dots, uint64_t limit,
                      struct pl_file_tree **out, struct pl_error *error)
{
    struct pl_file_tree *tree = pl_calloc(1, sizeof(*tree));
    struct walk *walk = pl_calloc(1, sizeof(*walk));
    int err = PL_ERR_NOMEM;

    if (tree != NULL && walk != NULL) {
        pl_pool_init(&tree->pool, NULL, 0);
        pl_arena_init(&tree->arena, &tree->pool, NULL);
        pl_table_init(&tree->table, &tree->pool, NULL);
        *walk = (struct walk){.tree = tree,
                              .root = root,
                              .error = error,
                              .dots = dots,
                              .left = limit};
        err = enter(walk);
    } else {
        pl_error_set(error, err, "", "out of memory");
        pl_free(tree);
        tree = NULL;
    }
    pl_free(walk);
    if (err == 0)
        *out = tree;
    else
        pl_file_tree_free(tree);
    return err;
}

struct pl_file *pl_file_tree_find(const struct pl_file_tree *tree,
                                  struct pl_str path)
{
    return pl_table_get(&tree->table, path);
}
