#include "handlers/listing_read.h"

#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/utf8.h"

enum { DIRENTS = 32 << 10 };

/* Where the folder is, for what has to be opened by its path. */
struct walk {
    struct pl_folder *folder;
    const char *path;
    int root, fd;
    enum pl_file_links links;
    bool dots;
};

/* ---- names ---- */

/* Which of several README files is shown: the first of these. */
static int readme_rank(struct pl_str name)
{
    static const char *const names[] = {"readme.md", "readme.txt", "readme"};

    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (pl_str_ieq(name, pl_str_c(names[i])))
            return (int)i;
    return (int)PL_COUNT(names);
}

/* A regular file or a folder below root: a descriptor, or PL_ERR_*. */
static int open_named(const struct walk *walk, struct pl_str name,
                      struct stat *st)
{
    char path[PATH_MAX];
    int n =
        snprintf(path, sizeof(path), "%s%.*s", walk->path, PL_STR_ARG(name));

    if (n < 0 || (size_t)n >= sizeof(path))
        return PL_ERR_NOT_FOUND;
    return pl_file_open(walk->root, path, walk->links, true, st);
}

/* ---- entries ---- */

static bool take_state(const struct stat *st, struct pl_listing_entry *entry)
{
    entry->folder = S_ISDIR(st->st_mode);
    entry->size = (uint64_t)st->st_size;
    entry->modified = st->st_mtim.tv_sec;
    return entry->folder || S_ISREG(st->st_mode);
}

/* Fills entry; false: it is not for peers. Of a symbolic link that may be
 * followed, what it leads to counts. */
static bool look_at(const struct walk *walk, const char *name,
                    struct pl_listing_entry *entry)
{
    struct stat st;
    int fd;

    if (pl_sys_fstatat(walk->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false; /* gone meanwhile */
    if (S_ISLNK(st.st_mode)) {
        fd = open_named(walk, entry->name, &st);
        if (fd < 0)
            return false;
        pl_sys_close(fd);
    }
    return take_state(&st, entry);
}

static int add(struct walk *walk, const char *name)
{
    struct pl_folder *folder = walk->folder;
    struct pl_listing_entry entry = {.name = pl_str_c(name)};

    if (!look_at(walk, name, &entry))
        return 0;
    entry.name = pl_arena_str(&folder->arena, entry.name);
    if (entry.name.data == NULL)
        return PL_ERR_NOMEM;
    if (!entry.folder &&
        readme_rank(entry.name) < readme_rank(folder->readme_name))
        folder->readme_name = entry.name;
    folder->modified = PL_MAX(folder->modified, entry.modified);
    folder->count++;
    return pl_buf_add(&folder->list,
                      pl_str((const char *)&entry, sizeof(entry)));
}

static int add_all(struct walk *walk, const char *dirents, size_t len)
{
    int err = 0;

    for (size_t at = 0; at < len && err == 0;) {
        const struct dirent64 *one = (const void *)(dirents + at);
        const char *name = one->d_name;

        at += one->d_reclen;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            (name[0] == '.' && !walk->dots))
            continue;
        if (walk->folder->count == PL_LISTING_ENTRIES) {
            walk->folder->truncated = true;
            break;
        }
        err = add(walk, name);
    }
    return err;
}

static int read_entries(struct walk *walk)
{
    char *dirents = pl_malloc(DIRENTS);
    int err = dirents == NULL ? PL_ERR_NOMEM : 0;
    ssize_t n = 1;

    while (err == 0 && n > 0 && !walk->folder->truncated) {
        n = pl_sys_getdents64(walk->fd, dirents, DIRENTS);
        if (n < 0)
            err = pl_err_from_errno(errno);
        else
            err = add_all(walk, dirents, (size_t)n);
    }
    pl_free(dirents);
    walk->folder->entries = (void *)walk->folder->list.data;
    return err;
}

/* ---- the README ---- */

static size_t read_whole(int fd, char *to, size_t len)
{
    size_t done = 0;
    ssize_t n;

    while (done < len) {
        n = pl_sys_read(fd, to + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    return done;
}

/* One that cannot be read or is no text is not shown. */
static void read_readme(struct walk *walk)
{
    struct pl_folder *folder = walk->folder;
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    int fd = folder->readme_name.len == 0
                 ? PL_ERR_NOT_FOUND
                 : open_named(walk, folder->readme_name, &st);

    if (fd < 0)
        return;
    if (S_ISREG(st.st_mode))
        text = pl_arena_bytes(&folder->arena, PL_LISTING_README_MAX + 1);
    if (text != NULL)
        len = read_whole(fd, text, PL_LISTING_README_MAX + 1);
    pl_sys_close(fd);
    if (len > PL_LISTING_README_MAX) {
        folder->readme_cut = true;
        len = PL_LISTING_README_MAX;
        /* Back to the end of a character. */
        for (int i = 0; i < 4 && !pl_utf8_valid(pl_str(text, len)); i++)
            len--;
    }
    if (len > 0 && pl_utf8_valid(pl_str(text, len)))
        folder->readme = pl_str(text, len);
}

/* ---- all of it ---- */

int pl_folder_open(struct pl_folder *folder, struct pl_pool *pool, int root,
                   enum pl_file_links links, const char *path, bool dots)
{
    struct walk walk = {folder, path, root, -1, links, dots};
    struct stat st;
    int err;

    *folder = (struct pl_folder){.count = 0};
    pl_arena_init(&folder->arena, pool, NULL);
    pl_buf_init(&folder->list, pool, NULL, 0);
    walk.fd =
        pl_file_open(root, path[0] == '\0' ? "." : path, links, true, &st);
    if (walk.fd < 0)
        return walk.fd;
    folder->modified = st.st_mtim.tv_sec;
    err = S_ISDIR(st.st_mode) ? read_entries(&walk) : PL_ERR_NOT_FOUND;
    if (err == 0)
        read_readme(&walk);
    pl_sys_close(walk.fd);
    return err;
}

void pl_folder_close(struct pl_folder *folder)
{
    pl_buf_fini(&folder->list);
    pl_arena_fini(&folder->arena);
}

/* ---- order ---- */

static bool is_digit(struct pl_str s, size_t at)
{
    return at < s.len && pl_ascii_digit(s.data[at]);
}

/* The number at *at, without its leading zeros; *at goes behind it. */
static struct pl_str take_number(struct pl_str s, size_t *at)
{
    size_t begin;

    while (is_digit(s, *at) && s.data[*at] == '0' && is_digit(s, *at + 1))
        (*at)++;
    begin = *at;
    while (is_digit(s, *at))
        (*at)++;
    return pl_str(s.data + begin, *at - begin);
}

/* "b2" < "B10" < "c" */
static int compare_names(struct pl_str a, struct pl_str b)
{
    size_t i = 0, j = 0;

    while (i < a.len && j < b.len) {
        int difference;

        if (is_digit(a, i) && is_digit(b, j)) {
            struct pl_str m = take_number(a, &i), n = take_number(b, &j);

            difference = m.len != n.len ? (m.len < n.len ? -1 : 1)
                                        : memcmp(m.data, n.data, m.len);
        } else {
            difference = pl_ascii_lower((unsigned char)a.data[i++]) -
                         pl_ascii_lower((unsigned char)b.data[j++]);
        }
        if (difference != 0)
            return difference;
    }
    if (i < a.len || j < b.len)
        return i < a.len ? 1 : -1;
    return pl_str_cmp(a, b); /* "a1" and "A01": some order, always the same */
}

static int by_name(const void *left, const void *right)
{
    const struct pl_listing_entry *a = left, *b = right;

    if (a->folder != b->folder)
        return a->folder ? -1 : 1;
    return compare_names(a->name, b->name);
}

static int by_name_down(const void *left, const void *right)
{
    const struct pl_listing_entry *a = left, *b = right;

    return a->folder != b->folder ? by_name(a, b) : by_name(b, a);
}

/* Folders have no size. */
static int by_size(const void *left, const void *right)
{
    const struct pl_listing_entry *a = left, *b = right;

    if (a->folder || b->folder || a->size == b->size)
        return by_name(a, b);
    return a->size < b->size ? -1 : 1;
}

static int by_size_down(const void *left, const void *right)
{
    const struct pl_listing_entry *a = left, *b = right;

    if (a->folder || b->folder || a->size == b->size)
        return by_name(a, b);
    return a->size < b->size ? 1 : -1;
}

static int by_time(const void *left, const void *right)
{
    const struct pl_listing_entry *a = left, *b = right;

    if (a->folder != b->folder || a->modified == b->modified)
        return by_name(a, b);
    return a->modified < b->modified ? -1 : 1;
}

static int by_time_down(const void *left, const void *right)
{
    const struct pl_listing_entry *a = left, *b = right;

    if (a->folder != b->folder || a->modified == b->modified)
        return by_name(a, b);
    return a->modified < b->modified ? 1 : -1;
}

void pl_folder_sort(struct pl_folder *folder, enum pl_listing_sort by,
                    bool descending)
{
    static int (*const orders[][2])(const void *left, const void *right) = {
        [PL_LISTING_NAME] = {by_name, by_name_down},
        [PL_LISTING_SIZE] = {by_size, by_size_down},
        [PL_LISTING_TIME] = {by_time, by_time_down},
    };

    if (folder->count > 0)
        qsort(folder->entries, folder->count, sizeof(*folder->entries),
              orders[by][descending]);
}
