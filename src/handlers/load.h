/* load.h - what a path leads to, as it was at one moment: the file and its
 * precompressed siblings, small ones read into memory, with the lines of their
 * heads.
 *
 * A pl_file never changes, but for its reference count and the marks of the
 * worker it belongs to. Loading and checking run on any thread; they may wait
 * for the disk only if told so. */
#ifndef PL_HANDLERS_LOAD_H
#define PL_HANDLERS_LOAD_H

#include <stdatomic.h>

#include "base/error.h"
#include "handlers/file.h"
#include "http/etag.h"
#include "http/response.h"

struct pl_files;

/* Where paths begin, and how they are taken. Any thread may hold one. */
struct pl_file_root {
    atomic_uint refs;
    uint32_t id;  /* in keys: no two roots of a process have the same */
    int fd;       /* AT_FDCWD: the site chooses the paths */
    bool remote;  /* no call is made on a loop */
    bool codings; /* a.js.br, a.js.zst and a.js.gz are versions of a.js */
    enum pl_file_links links;
    uint64_t period;   /* ns for which a look at the disk is good; 0: none */
    const char *index; /* names of the file for "folder/", spaces between */
};

/* TAKES fd. NULL when out of memory. */
struct pl_file_root *pl_file_root_new(int fd, enum pl_file_links links,
                                      const char *index);
/* The same of a folder, with codings but no period. NULL with *error. */
struct pl_file_root *pl_file_root_open(const char *path,
                                       enum pl_file_links links,
                                       const char *index,
                                       struct pl_error *error);
void pl_file_root_drop(struct pl_file_root *root);

/* Something to look up. With a folder the path is below it, and cannot leave
 * it whatever root says. Neither has a NUL; both are borrowed. */
struct pl_file_name {
    struct pl_file_root *root;
    struct pl_str folder; /* absent: below root->fd */
    struct pl_str path;   /* "" or ends with "/": the index of a folder */
};

/* What tells two states of a file apart. */
struct pl_file_state {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* since 1970 */
};

/* The versions of a file, best first where a client likes them the same. */
enum {
    PL_FILE_BR,
    PL_FILE_ZSTD,
    PL_FILE_GZIP,
    PL_FILE_PLAIN,
    PL_FILE_VERSIONS
};

struct pl_file_version {
    struct pl_file_state state;
    bool there;
    int fd;                /* -1: body is all of it */
    char *body;            /* NULL: read fd */
    int64_t last_modified; /* seconds since 1970; -1: not known */
    struct pl_str etag;    /* in etag_text */
    char etag_text[PL_ETAG_MAX];
    uint16_t nheaders;
    struct pl_header headers[3]; /* Accept-Ranges, Content-Encoding, Vary */
    struct pl_ready ready;
    char *lines; /* of ready */
};

struct pl_file {
    unsigned refs;
    bool fixed;  /* lives as long as the site: refs is not used */
    bool folder; /* and nothing else: redirect to the path with a slash */
    bool remote;
    bool settled; /* an equal state means equal bytes */
    bool varies;  /* there is more than the plain version */
    int err;      /* of a fixed one: what to answer instead */
    struct pl_file_version versions[PL_FILE_VERSIONS];
    struct pl_str type;
    struct pl_files *owner; /* whose memory it counts as; or NULL */
    size_t size;            /* in memory */
    unsigned descriptors;   /* that are open */
    unsigned missing;       /* names of index that come before this one */
    uint64_t checked, used; /* ns, of the worker's clock */
    size_t dir_len;         /* of path: what the names of index follow */
    size_t path_len;
    char path[]; /* below root->fd (or folder/...), NUL behind it */
};

/* Files up to this are kept in memory as a whole: to copy one costs a fourth
 * less than sendfile() does up to here (docs/performance). */
enum { PL_FILE_SMALL = 92 * 1024 };

/* GIVES *out with one reference. most: the largest body that is read. Returns
 * 0, PL_ERR_AGAIN (wait is false, and the disk would be waited for), or as
 * pl_file_open(); a folder without an index is PL_ERR_NOT_FOUND. */
int pl_file_load(const struct pl_file_name *name, size_t most, bool wait,
                 struct pl_file **out);

/* Would it be loaded as the same again? May wait, unless it was asked a moment
 * ago. */
bool pl_file_is_current(const struct pl_file_name *name,
                        const struct pl_file *file);

/* Is this the state of st? */
bool pl_file_is_state(const struct pl_file_state *state, const struct stat *st);

/* Closes and frees; nobody has a reference. */
void pl_file_free(struct pl_file *file);

#endif
