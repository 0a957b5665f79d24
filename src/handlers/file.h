/* file.h - one file of the disk: found below a root, and made an answer.
 *
 * These calls may wait for a cold disk (see static.h). */
#ifndef PL_HANDLERS_FILE_H
#define PL_HANDLERS_FILE_H

#include "http/request.h"

enum pl_file_reach {
    PL_FILE_BENEATH,  /* links that stay below the root are followed */
    PL_FILE_LINKS,    /* all links are followed */
    PL_FILE_ANYWHERE, /* the path may be absolute and hold ".." */
};

/* What was found; the caller closes fd, or gives it away. */
struct pl_file {
    int fd;
    bool folder;
    uint64_t size, inode;
    int64_t modified_ns; /* since 1970 */
};

/* Could this be the path of a file below a root? Not with an empty element
 * (a last one is allowed: "a/"), ".", ".." or NUL; with names that begin with
 * a dot only if dots is true, ".well-known" apart. */
bool pl_file_path_ok(struct pl_str path, bool dots);

/* Opens a regular file, or a folder (to know that it is one), for reading.
 * Never waits for the other end of a FIFO. Returns 0 and GIVES out->fd, or
 * PL_ERR_NOT_FOUND, PL_ERR_DENIED, PL_ERR_NO_FDS, PL_ERR_NOMEM, PL_ERR_IO. */
int pl_file_open(int root, const char *path, enum pl_file_reach reach,
                 struct pl_file *out);

/* Makes a regular file the content of req's response. TAKES file->fd, also on
 * failure. name: whose extension tells the type, if the response has none. */
int pl_file_answer(struct pl_request *req, const struct pl_file *file,
                   struct pl_str name);

#endif
