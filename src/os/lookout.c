#include "os/lookout.h"

#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

enum { ROOM = 16 };

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *bytes = pl_malloc(size);

    return bytes == NULL ? NULL : memcpy(bytes, text, size);
}

/* ---- the list ---- */

static void free_spots(struct pl_lookout_spot *spots, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        pl_free(spots[i].name);
    pl_free(spots);
}

void pl_lookout_fini(struct pl_lookout *lookout)
{
    for (unsigned i = 0; i < lookout->nfiles; i++)
        pl_free(lookout->files[i].path);
    pl_free(lookout->files);
    free_spots(lookout->spots, lookout->nspots);
    *lookout =
        (struct pl_lookout){.notify = lookout->notify, .base = lookout->base};
}

/* Room for one more of size bytes: the list, or NULL. */
static void *grow(void *list, unsigned n, unsigned *room, size_t size)
{
    unsigned more = *room == 0 ? ROOM : 2 * *room;

    if (n < *room)
        return list;
    list = pl_realloc(list, more * size);
    if (list != NULL)
        *room = more;
    return list;
}

struct pl_lookout_file *pl_lookout_find(const struct pl_lookout *lookout,
                                        const char *path)
{
    for (unsigned i = 0; i < lookout->nfiles; i++)
        if (strcmp(lookout->files[i].path, path) == 0)
            return &lookout->files[i];
    return NULL;
}

int pl_lookout_add(struct pl_lookout *lookout, const char *path,
                   const struct pl_stamp *stamp)
{
    struct pl_lookout_file *files;
    char *name;

    if (pl_lookout_find(lookout, path) != NULL)
        return 0;
    files =
        grow(lookout->files, lookout->nfiles, &lookout->room, sizeof(*files));
    if (files == NULL)
        return PL_ERR_NOMEM;
    lookout->files = files;
    name = copy(path);
    if (name == NULL)
        return PL_ERR_NOMEM;
    files[lookout->nfiles++] =
        (struct pl_lookout_file){.path = name, .stamp = *stamp};
    return 0;
}

/* ---- spots ---- */

/* File systems on which others write without our kernel's knowing: networks,
 * folders of another machine or a program. */
static bool is_remote(const char *folder)
{
    static const uint32_t types[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x01021997, /* 9P */
        0x65735546, /* FUSE */
        0x786f4256, /* VirtualBox */
        0x00c36400, /* Ceph */
        0x5346414f, /* AFS */
    };
    struct statfs fs = {.f_type = 0};
    int fd = pl_sys_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return false;
    if (pl_sys_fstatfs(fd, &fs) < 0)
        fs.f_type = 0;
    pl_sys_close(fd);
    for (size_t i = 0; i < PL_COUNT(types); i++)
        if ((uint32_t)fs.f_type == types[i])
            return true;
    return false;
}

static void fail(struct pl_lookout *lookout, int err)
{
    lookout->deaf = true;
    if (lookout->err == 0)
        lookout->err = err;
}

static void add_spot(struct pl_lookout *lookout, unsigned file, int watch,
                     const char *name)
{
    struct pl_lookout_spot *spots = grow(lookout->spots, lookout->nspots,
                                         &lookout->spots_room, sizeof(*spots));
    char *own = copy(name);

    if (spots != NULL)
        lookout->spots = spots;
    if (spots == NULL || own == NULL) {
        pl_free(own);
        fail(lookout, PL_ERR_NOMEM);
        return;
    }
    spots[lookout->nspots++] = (struct pl_lookout_spot){watch, file, own};
}

/* Splits path, whose memory is used: the folder, "." or "/" at the least, and
 * the name in it. False: there is nothing above it. */
static bool split(char *path, const char **folder, const char **name)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL || slash[1] == '\0')
        return false;
    *name = slash + 1;
    *folder = slash == path ? "/" : path;
    *slash = '\0';
    return true;
}

/* The name of path in its folder, or what is missing of the way there. */
static void watch_path(struct pl_lookout *lookout, unsigned file,
                       const char *path)
{
    char place[PATH_MAX + 2];
    const char *folder, *name;
    int watch = PL_ERR_NOT_FOUND;

    if (snprintf(place, sizeof(place), "%s%s", path[0] == '/' ? "" : "./",
                 path) >= (int)sizeof(place)) {
        fail(lookout, PL_ERR_INVALID);
        return;
    }
    while (watch < 0 && watch != PL_ERR_LIMIT && split(place, &folder, &name)) {
        watch = pl_notify_add(lookout->notify, folder, 0);
        lookout->deaf |= watch >= 0 && is_remote(folder);
    }
    if (watch < 0)
        fail(lookout, watch);
    else
        add_spot(lookout, file, watch, name);
}

/* May a part of a path come to be another folder while what is in the old one
 * stays as it is, so that nothing is heard there? */
static bool may_move(const struct pl_lookout *lookout, struct pl_str part)
{
    return part.data[0] != '/' ||
           (lookout->base != NULL && part.len > strlen(lookout->base) &&
            pl_str_starts(part, pl_str_c(lookout->base)));
}

/* The folders of path that are links, or may move. Returns whether there is a
 * link, of which path itself may be one. */
static bool watch_parts(struct pl_lookout *lookout, unsigned file,
                        const char *path)
{
    char part[PATH_MAX];
    bool any = false;
    struct stat st;
    size_t len = strlen(path);

    for (size_t i = 1; i <= len && i < sizeof(part); i++) {
        bool link;

        if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
            continue;
        link = pl_sys_fstatat(AT_FDCWD, part, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISLNK(st.st_mode);
        any |= link;
        if (i < len && (link || may_move(lookout, pl_str(part, i))))
            watch_path(lookout, file, part);
    }
    return any;
}

static void find_spots(struct pl_lookout *lookout, unsigned file)
{
    const char *path = lookout->files[file].path;
    char real[PATH_MAX];

    watch_path(lookout, file, path);
    if (watch_parts(lookout, file, path) && pl_sys_realpath(path, real) != NULL)
        watch_path(lookout, file, real);
}

void pl_lookout_leave(struct pl_lookout *lookout)
{
    for (unsigned i = 0; i < lookout->nspots && lookout->notify != NULL; i++)
        pl_notify_remove(lookout->notify, lookout->spots[i].watch);
    free_spots(lookout->spots, lookout->nspots);
    lookout->spots = NULL;
    lookout->nspots = lookout->spots_room = 0;
}

static bool is_used(const struct pl_lookout *lookout, int watch)
{
    for (unsigned i = 0; i < lookout->nspots; i++)
        if (lookout->spots[i].watch == watch)
            return true;
    return false;
}

/* ---- looking ---- */

static void look_at(struct pl_lookout_file *file)
{
    file->seen = pl_stamp_read(file->path);
    /* A change within one tick of the clock shows by the event alone. */
    file->changed =
        file->seen.there && (!pl_stamp_eq(&file->seen, &file->stamp) ||
                             (file->heard && file->stamp.recent));
}

void pl_lookout_look(struct pl_lookout *lookout)
{
    struct pl_lookout_spot *before = lookout->spots;
    unsigned n = lookout->nspots;

    lookout->spots = NULL;
    lookout->nspots = lookout->spots_room = 0;
    lookout->changed = false;
    lookout->deaf = lookout->notify == NULL;
    lookout->err = 0;
    for (unsigned i = 0; i < lookout->nfiles; i++) {
        if (lookout->notify != NULL)
            find_spots(lookout, i);
        look_at(&lookout->files[i]); /* behind it: what comes now is heard */
        lookout->changed |= lookout->files[i].changed;
    }
    for (unsigned i = 0; i < n && lookout->notify != NULL; i++)
        if (!is_used(lookout, before[i].watch))
            pl_notify_remove(lookout->notify, before[i].watch);
    free_spots(before, n);
}

/* ---- hearing ---- */

static bool is_about(const struct pl_lookout_spot *spot,
                     const struct pl_notify_event *event)
{
    return event->watch < 0 || /* some were lost */
           (spot->watch == event->watch &&
            (event->name.len == 0 || /* of the folder itself */
             pl_str_eq(event->name, pl_str_c(spot->name))));
}

bool pl_lookout_hear(struct pl_lookout *lookout,
                     const struct pl_notify_event *event)
{
    bool any = false;

    for (unsigned i = 0; i < lookout->nspots; i++) {
        if (!is_about(&lookout->spots[i], event))
            continue;
        lookout->files[lookout->spots[i].file].heard = true;
        any = true;
    }
    return any;
}
