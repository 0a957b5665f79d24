/* load.c - see load.h. What is read is one state of the file: it is asked for
 * its state before and after, and read again if that differs. */
#include "handlers/load.h"

#include <limits.h>

#include "base/error.h"
#include "base/str.h"
#include "http/h1_write.h"
#include "http/mime.h"

static const struct coding {
    struct pl_str suffix, name;
} codings[PL_FILE_VERSIONS] = {
    [PL_FILE_BR] = {PL_STR(".br"), PL_STR("br")},
    [PL_FILE_ZSTD] = {PL_STR(".zst"), PL_STR("zstd")},
    [PL_FILE_GZIP] = {PL_STR(".gz"), PL_STR("gzip")},
    [PL_FILE_PLAIN] = {PL_STR(""), {NULL, 0}},
};

enum {
    SUFFIX = 4, /* the longest */
    ATTEMPTS = 3,
    /* Two changes of a file within one tick of the clock that stamps it look
     * like one: what was changed this shortly before it was read may be
     * different the next time, in the same state. */
    TICK_NS = 100000000,
};

/* ---- roots ---- */

struct pl_file_root *pl_file_root_new(int fd, enum pl_file_links links,
                                      const char *index)
{
    static atomic_uint ids;
    struct pl_file_root *root = pl_malloc(sizeof(*root) + strlen(index) + 1);

    if (root == NULL) {
        if (fd >= 0)
            pl_sys_close(fd);
        return NULL;
    }
    *root =
        (struct pl_file_root){.refs = 1, .id = ++ids, .fd = fd, .links = links};
    root->index = strcpy((char *)(root + 1), index);
    return root;
}

PL_COLD struct pl_file_root *pl_file_root_open(const char *path,
                                               enum pl_file_links links,
                                               const char *index,
                                               struct pl_error *error)
{
    int fd = pl_file_open_root(path);
    struct pl_file_root *root;

    if (fd < 0) {
        pl_error_set(error, fd, path, "cannot serve files from '%s': %s", path,
                     strerror(errno));
        return NULL;
    }
    root = pl_file_root_new(fd, links, index);
    if (root == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    root->remote = pl_file_is_remote(fd);
    root->codings = true;
    return root;
}

void pl_file_root_drop(struct pl_file_root *root)
{
    if (--root->refs > 0)
        return;
    if (root->fd >= 0)
        pl_sys_close(root->fd);
    pl_free(root);
}

/* ---- states ---- */

static struct pl_file_state state_of(const struct stat *st)
{
    return (struct pl_file_state){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = (uint64_t)st->st_size,
        .modified_ns =
            (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .changed_ns =
            (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
    };
}

bool pl_file_is_state(const struct pl_file_state *state, const struct stat *st)
{
    struct pl_file_state now = state_of(st);

    return now.inode == state->inode && now.device == state->device &&
           now.size == state->size && now.modified_ns == state->modified_ns &&
           now.changed_ns == state->changed_ns;
}

/* A sibling that is older than its file was made of an earlier one. */
static bool is_sibling_of(const struct pl_file_state *plain,
                          const struct stat *st)
{
    return S_ISREG(st->st_mode) &&
           state_of(st).modified_ns >= plain->modified_ns;
}

/* ---- bytes ---- */

static int read_all(int fd, char *to, size_t len, bool wait)
{
    size_t done = 0;

    while (done < len) {
        struct iovec iov = {to + done, len - done};
        ssize_t n =
            pl_sys_preadv2(fd, &iov, 1, (off_t)done, wait ? 0 : RWF_NOWAIT);

        if (n == 0)
            return PL_ERR_STATE; /* shorter than it was */
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return wait ? PL_ERR_IO : PL_ERR_AGAIN;
    }
    return 0;
}

/* 0, PL_ERR_STATE if it changed while it was read, or another error. */
static int read_state(struct pl_file_version *version, bool wait)
{
    struct stat st;
    int err = read_all(version->fd, version->body, version->state.size, wait);

    if (err < 0)
        return err;
    if (pl_sys_fstat(version->fd, &st) < 0)
        return PL_ERR_IO;
    if (pl_file_is_state(&version->state, &st))
        return 0;
    version->state = state_of(&st);
    return PL_ERR_STATE;
}

/* Reads a small version, which then needs no descriptor any more. One that is
 * written all the time is left to be read when it is sent. */
static int read_body(struct pl_file_version *version, size_t most, bool wait)
{
    int err = PL_ERR_STATE;

    for (int i = 0; i < ATTEMPTS && err == PL_ERR_STATE; i++) {
        if (version->state.size > most)
            return 0;
        version->body = pl_malloc(PL_MAX(version->state.size, 1));
        if (version->body == NULL)
            return PL_ERR_NOMEM;
        err = read_state(version, wait);
        if (err == 0)
            break;
        pl_free(version->body);
        version->body = NULL;
    }
    if (err == 0) {
        pl_sys_close(version->fd);
        version->fd = -1;
    }
    return err == PL_ERR_STATE ? 0 : err;
}

/* ---- heads ---- */

static void add_header(struct pl_file_version *version, enum pl_header_id id,
                       struct pl_str name, struct pl_str value)
{
    version->headers[version->nheaders++] =
        (struct pl_header){.name = name.data,
                           .value = value.data,
                           .value_len = (uint32_t)value.len,
                           .name_len = (uint16_t)name.len,
                           .id = (uint8_t)id};
}

static void describe(struct pl_file_version *version, struct pl_str coding,
                     bool varies)
{
    const struct pl_file_state *state = &version->state;
    size_t len = pl_etag_make(version->etag_text, state->size,
                              state->modified_ns, state->inode, false);

    /* One before 1970 says that the date was lost. */
    version->last_modified =
        state->modified_ns < 0 ? -1 : state->modified_ns / 1000000000;
    version->etag = pl_str(version->etag_text, len);
    version->nheaders = 0;
    add_header(version, pl_header_lookup(PL_STR("Accept-Ranges")),
               PL_STR("Accept-Ranges"), PL_STR("bytes"));
    if (coding.data != NULL)
        add_header(version, pl_header_lookup(PL_STR("Content-Encoding")),
                   PL_STR("Content-Encoding"), coding);
    if (varies)
        add_header(version, pl_header_lookup(PL_STR("Vary")), PL_STR("Vary"),
                   PL_STR("Accept-Encoding"));
}

static int make_lines(struct pl_file_version *version, struct pl_str type)
{
    const struct pl_response res = {
        .headers = version->headers,
        .nheaders = version->nheaders,
        .type = type,
        .etag = version->etag,
        .last_modified = version->last_modified,
        .length = (int64_t)version->state.size,
    };
    size_t bound = pl_h1_ready_bound(&res);
    char *bare;

    version->lines = pl_malloc(2 * bound);
    if (version->lines == NULL)
        return PL_ERR_NOMEM;
    bare = version->lines + bound;
    version->ready.h1 =
        pl_str(version->lines, pl_h1_ready_write(version->lines, &res, false));
    version->ready.h1_bare = pl_str(bare, pl_h1_ready_write(bare, &res, true));
    return 0;
}

/* ---- one load ---- */

struct load {
    const struct pl_file_name *name;
    struct pl_file *file;
    int dir; /* where paths begin: root's or that of the folder */
    enum pl_file_links links;
    size_t most;
    bool wait;
    int64_t began; /* ns since 1970 */
};

/* Where the path of the file begins that is opened, behind the folder. */
static char *own_path(const struct load *load)
{
    const struct pl_str folder = load->name->folder;

    return load->file->path + (folder.data == NULL ? 0 : folder.len + 1);
}

static void set_path(struct pl_file *file, size_t at, struct pl_str tail)
{
    memcpy(file->path + at, tail.data, tail.len);
    file->path_len = at + tail.len;
    file->path[file->path_len] = '\0';
}

/* Opens what path says now as a version. Gives in *folder whether it is one. */
static int open_version(struct load *load, unsigned which, bool *folder)
{
    struct pl_file_version *version = &load->file->versions[which];
    struct stat st;
    int fd =
        pl_file_open(load->dir, own_path(load), load->links, load->wait, &st);

    if (fd < 0)
        return fd;
    *folder = S_ISDIR(st.st_mode);
    if (*folder ||
        (which != PL_FILE_PLAIN &&
         !is_sibling_of(&load->file->versions[PL_FILE_PLAIN].state, &st))) {
        pl_sys_close(fd);
        return PL_ERR_NOT_FOUND;
    }
    if (which == PL_FILE_PLAIN)
        load->file->remote = load->name->root->fd == AT_FDCWD
                                 ? pl_file_is_remote(fd)
                                 : load->name->root->remote;
    version->there = true;
    version->fd = fd;
    version->state = state_of(&st);
    return read_body(version, load->most, load->wait);
}

static int open_siblings(struct load *load)
{
    struct pl_file *file = load->file;
    size_t len = file->path_len;
    bool folder;
    int err = 0;

    for (unsigned i = 0; i < PL_FILE_PLAIN && err == 0; i++) {
        set_path(file, len, codings[i].suffix);
        err = open_version(load, i, &folder);
        if (err == PL_ERR_NOT_FOUND || err == PL_ERR_DENIED)
            err = 0;
        file->varies = file->varies || file->versions[i].there;
    }
    set_path(file, len, PL_STR(""));
    return err;
}

/* The first name of index that is a file. */
static int open_index(struct load *load)
{
    struct pl_str names = pl_str_c(load->name->root->index), name;
    struct pl_file *file = load->file;
    bool folder;

    while (pl_str_split(&names, ' ', &name)) {
        int err;

        if (name.len == 0)
            continue;
        set_path(file, file->dir_len, name);
        err = open_version(load, PL_FILE_PLAIN, &folder);
        if (err != PL_ERR_NOT_FOUND)
            return err;
        file->missing++;
    }
    return PL_ERR_NOT_FOUND;
}

static bool is_index(struct pl_str path)
{
    return path.len == 0 || path.data[path.len - 1] == '/';
}

static int open_plain(struct load *load)
{
    int err;

    if (is_index(load->name->path))
        return open_index(load);
    err = open_version(load, PL_FILE_PLAIN, &load->file->folder);
    return load->file->folder ? 0 : err;
}

/* Is what was read the only content that this state can have? */
static bool is_settled(const struct pl_file *file, int64_t began)
{
    for (unsigned i = 0; i < PL_FILE_VERSIONS; i++) {
        const struct pl_file_version *version = &file->versions[i];

        if (version->there && version->body != NULL &&
            began - version->state.changed_ns < TICK_NS)
            return false;
    }
    return true;
}

static int finish(struct pl_file *file)
{
    int err = 0;

    file->type = pl_mime_of(pl_str(file->path, file->path_len));
    for (unsigned i = 0; i < PL_FILE_VERSIONS && err == 0; i++) {
        struct pl_file_version *version = &file->versions[i];

        if (!version->there)
            continue;
        describe(version, codings[i].name, file->varies);
        err = make_lines(version, file->type);
        file->descriptors += version->fd >= 0;
        file->size += (version->body != NULL ? version->state.size : 0) +
                      2 * sizeof(version->ready) + 2 * version->ready.h1.len;
    }
    return err;
}

/* Room for folder, path, the longest name of index and a suffix. */
static size_t room_for(const struct pl_file_name *name)
{
    return name->folder.len + 1 + name->path.len + strlen(name->root->index) +
           SUFFIX + 1;
}

/* What is looked for, before anything is known of it. */
static void draft(struct pl_file *file, const struct pl_file_name *name)
{
    pl_zero(file, sizeof(*file));
    file->refs = 1;
    file->size = sizeof(*file) + room_for(name);
    for (unsigned i = 0; i < PL_FILE_VERSIONS; i++)
        file->versions[i].fd = -1;
    if (name->folder.data != NULL) {
        set_path(file, 0, name->folder);
        set_path(file, name->folder.len, PL_STR("/"));
    }
    set_path(file, file->path_len, name->path);
    file->dir_len = file->path_len;
}

static void clear(struct pl_file *file)
{
    for (unsigned i = 0; i < PL_FILE_VERSIONS; i++) {
        if (file->versions[i].fd >= 0)
            pl_sys_close(file->versions[i].fd);
        pl_free(file->versions[i].body);
        pl_free(file->versions[i].lines);
    }
}

/* Something is there: the draft becomes a file of its own. What is not there
 * costs no memory. */
static int keep_draft(struct load *load)
{
    size_t room = sizeof(*load->file) + room_for(load->name);
    struct pl_file *file = pl_malloc(room);

    if (file == NULL)
        return PL_ERR_NOMEM;
    memcpy(file, load->file, sizeof(*file) + load->file->path_len + 1);
    load->file = file;
    return 0;
}

static int open_dir(const struct pl_file_name *name, bool wait)
{
    char text[PATH_MAX];

    if (name->folder.data == NULL)
        return name->root->fd;
    if (!wait)
        return PL_ERR_AGAIN;
    memcpy(text, name->folder.data, name->folder.len);
    text[name->folder.len] = '\0';
    return pl_file_open_root(text);
}

/* ... and all that follows from it. */
static int complete(struct load *load)
{
    struct pl_file *file = load->file;
    int err = 0;

    if (file->folder)
        return 0;
    if (load->name->root->codings)
        err = open_siblings(load);
    if (err == 0)
        err = finish(file);
    file->settled = is_settled(file, load->began);
    return err;
}

static int load_into(struct load *load, struct pl_file *first)
{
    int err = open_plain(load);

    if (err == 0)
        err = keep_draft(load);
    if (err == 0)
        err = complete(load);
    if (err < 0) {
        clear(load->file);
        if (load->file != first)
            pl_free(load->file);
    }
    return err;
}

int pl_file_load(const struct pl_file_name *name, size_t most, bool wait,
                 struct pl_file **out)
{
    union {
        struct pl_file file;
        char room[sizeof(struct pl_file) + 3 * PATH_MAX];
    } first;
    struct load load = {.name = name,
                        .file = &first.file,
                        .most = most,
                        .wait = wait,
                        .began = (int64_t)pl_clock_wall()};
    int err;

    if (name->folder.len >= PATH_MAX || name->path.len >= PATH_MAX ||
        sizeof(first.file) + room_for(name) > sizeof(first))
        return PL_ERR_NOT_FOUND;
    load.links =
        name->folder.data == NULL ? name->root->links : PL_LINKS_INSIDE;
    load.dir = open_dir(name, wait);
    if (load.dir < 0 && load.dir != AT_FDCWD)
        return load.dir;
    draft(&first.file, name);
    err = load_into(&load, &first.file);
    if (name->folder.data != NULL)
        pl_sys_close(load.dir);
    if (err == 0)
        *out = load.file;
    return err;
}

void pl_file_free(struct pl_file *file)
{
    clear(file);
    pl_free(file);
}

/* ---- looking again ---- */

/* Is the file at path (with room for a suffix behind its len bytes) what this
 * version was made of? If there is none: is there still nothing? */
static bool is_version(const struct pl_file_name *name, char *path, size_t len,
                       const struct pl_file *file, unsigned which)
{
    const struct pl_file_version *version = &file->versions[which];
    int flags = name->root->links == PL_LINKS_NONE ? AT_SYMLINK_NOFOLLOW : 0;
    struct stat st;

    memcpy(path + len, codings[which].suffix.data, codings[which].suffix.len);
    path[len + codings[which].suffix.len] = '\0';
    if (pl_sys_fstatat(name->root->fd, path, &st, flags) < 0)
        return !version->there;
    if (version->there)
        return pl_file_is_state(&version->state, &st);
    return which != PL_FILE_PLAIN &&
           !is_sibling_of(&file->versions[PL_FILE_PLAIN].state, &st);
}

/* Has none of the names of index before this one come up? */
static bool is_first(const struct pl_file_name *name, char *path,
                     const struct pl_file *file)
{
    struct pl_str names = pl_str_c(name->root->index), one;
    unsigned left = file->missing;
    struct stat st;

    while (left > 0 && pl_str_split(&names, ' ', &one)) {
        if (one.len == 0)
            continue;
        left--;
        memcpy(path + file->dir_len, one.data, one.len);
        path[file->dir_len + one.len] = '\0';
        if (pl_sys_fstatat(name->root->fd, path, &st, 0) == 0 &&
            S_ISREG(st.st_mode))
            return false;
    }
    return true;
}

bool pl_file_is_current(const struct pl_file_name *name,
                        const struct pl_file *file)
{
    char path[2 * PATH_MAX];

    /* Whose a link is only a walk can say. */
    if (!file->settled || name->root->links == PL_LINKS_OWNER ||
        file->dir_len + strlen(name->root->index) + file->path_len + SUFFIX >=
            sizeof(path))
        return false;
    memcpy(path, file->path, file->path_len);
    if (!is_version(name, path, file->path_len, file, PL_FILE_PLAIN))
        return false;
    for (unsigned i = 0; i < PL_FILE_PLAIN && name->root->codings; i++)
        if (!is_version(name, path, file->path_len, file, i))
            return false;
    return is_first(name, path, file);
}
