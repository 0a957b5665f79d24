#include "handlers/script.h"

#include <limits.h>

#include "base/str.h"

/* The next of some names, with spaces between. */
static bool next_name(struct pl_str *names, struct pl_str *name)
{
    while (pl_str_split(names, ' ', name))
        if (name->len > 0)
            return true;
    return false;
}

bool pl_script_is_one(const struct pl_script_folder *folder, struct pl_str name)
{
    struct pl_str rest = folder->suffixes, suffix;

    name = pl_str_skip(name, (size_t)(pl_str_rchr(name, '/') + 1));
    while (next_name(&rest, &suffix))
        if (name.len > suffix.len &&
            pl_str_ieq(pl_str_skip(name, name.len - suffix.len), suffix))
            return true;
    return false;
}

/* Is path below one of the closed folders? */
static bool is_closed(const struct pl_script_folder *folder, struct pl_str path)
{
    struct pl_str rest = folder->closed, name;

    while (next_name(&rest, &name))
        if (path.len > name.len && pl_str_starts(path, name) &&
            path.data[name.len] == '/')
            return true;
    return false;
}

/* What is there: 0 and *st, or an error. Who cannot look believes that all is
 * there, and a file. */
static int look(const struct pl_script_folder *folder, struct pl_str dir,
                struct pl_str leaf, bool wait, struct stat *st)
{
    char text[PATH_MAX];

    if (folder->blind) {
        st->st_mode = S_IFREG;
        return 0;
    }
    if (dir.len + leaf.len >= sizeof(text))
        return PL_ERR_NOT_FOUND;
    memcpy(text, dir.data, dir.len);
    if (leaf.len > 0)
        memcpy(text + dir.len, leaf.data, leaf.len);
    text[dir.len + leaf.len] = '\0';
    return pl_file_look(folder->fd, text, folder->links, wait, st);
}

static int found(struct pl_script *out, struct pl_str dir, struct pl_str leaf,
                 struct pl_str info)
{
    *out = (struct pl_script){PL_SCRIPT_RUN, dir, leaf, info};
    return 0;
}

static int fall_back(const struct pl_script_folder *folder,
                     struct pl_script *out)
{
    if (folder->fallback.data == NULL)
        return PL_ERR_NOT_FOUND;
    return found(out, PL_STR(""), folder->fallback, PL_STR(""));
}

/* The first name of index that is there. */
static int find_index(const struct pl_script_folder *folder, struct pl_str path,
                      bool wait, struct pl_script *out)
{
    struct pl_str rest = folder->index, name;
    struct stat st;

    while (next_name(&rest, &name)) {
        bool script = pl_script_is_one(folder, name);
        int err;

        if (script ? is_closed(folder, path) : !folder->files)
            continue;
        err = look(folder, path, name, wait, &st);
        if (err < 0 && err != PL_ERR_NOT_FOUND)
            return err;
        if (err < 0 || !S_ISREG(st.st_mode))
            continue;
        out->kind = PL_SCRIPT_FILE;
        return script ? found(out, path, name, PL_STR("")) : 0;
    }
    return fall_back(folder, out);
}

/* What is no script by its name. */
static int find_other(const struct pl_script_folder *folder, struct pl_str path,
                      bool wait, struct pl_script *out)
{
    struct stat st;
    int err;

    if (path.len > 0 && !pl_file_path_ok(path, false))
        return PL_ERR_NOT_FOUND;
    if (path.len == 0 || path.data[path.len - 1] == '/')
        return find_index(folder, path, wait, out);
    if (folder->blind)
        return fall_back(folder, out);
    err = look(folder, path, PL_STR(""), wait, &st);
    if (err < 0 && err != PL_ERR_NOT_FOUND)
        return err;
    if (err < 0 || (S_ISREG(st.st_mode) && !folder->files))
        return fall_back(folder, out);
    out->kind = S_ISREG(st.st_mode) ? PL_SCRIPT_FILE : PL_SCRIPT_SLASH;
    return 0;
}

int pl_script_find(const struct pl_script_folder *folder, struct pl_str path,
                   bool wait, struct pl_script *out)
{
    struct pl_str rest = path, part;
    struct stat st;
    int err;

    while (pl_str_split(&rest, '/', &part)) {
        struct pl_str name =
            pl_str(path.data, (size_t)(part.data + part.len - path.data));

        if (!pl_script_is_one(folder, part))
            continue;
        if (!pl_file_path_ok(name, false) || is_closed(folder, name))
            return PL_ERR_NOT_FOUND;
        /* Where it is missing nothing can lie below it. */
        err = look(folder, name, PL_STR(""), wait, &st);
        if (err < 0)
            return err;
        if (S_ISREG(st.st_mode))
            return found(out, name, PL_STR(""), pl_str_skip(path, name.len));
    }
    return find_other(folder, path, wait, out);
}
