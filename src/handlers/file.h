/* file.h - finding one file of the disk: which paths may be asked for, and what
 * symbolic links may do. Any thread. */
#ifndef PL_HANDLERS_FILE_H
#define PL_HANDLERS_FILE_H

#include <perilune.h>

#include "base/sys.h"

/* Symbolic links in a path are followed */
enum pl_file_links {
    PL_LINKS_INSIDE, /* where what they lead to lies below the root */
    PL_LINKS_OWNER,  /* where it belongs to the owner of the link */
    PL_LINKS_NONE,   /* never */
    PL_LINKS_ALL,    /* always; the path may be absolute and hold ".." */
};

/* "inside", "owner", "none", "all". */
bool pl_file_links_parse(struct pl_str name, enum pl_file_links *out);

/* Could this be the path of a file below a root? Not with an empty element
 * (a last one is allowed: "a/"), ".", ".." or NUL; with names that begin with
 * a dot only if dots is true, ".well-known" apart. */
bool pl_file_path_ok(struct pl_str path, bool dots);

/* Opens a regular file, or a folder (to know that it is one), for reading, and
 * fills *st. Never waits for the other end of a FIFO; with wait false, not for
 * a disk either: PL_ERR_AGAIN then. Returns the descriptor, or
 * PL_ERR_NOT_FOUND, PL_ERR_DENIED, PL_ERR_NO_FDS, PL_ERR_NOMEM, PL_ERR_IO. */
int pl_file_open(int dir, const char *path, enum pl_file_links links, bool wait,
                 struct stat *st);

/* What is there, by the same rules, without opening it: neither the right to
 * read it is needed nor anything but a name to wait for. 0 or as above. */
int pl_file_look(int dir, const char *path, enum pl_file_links links, bool wait,
                 struct stat *st);

/* A folder, as a place to begin at (O_PATH); negative as above. */
int pl_file_open_root(const char *path);

/* May every call for a file below it take as long as a network likes? */
bool pl_file_is_remote(int fd);

#endif
