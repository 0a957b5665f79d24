/* static.h - files below a folder, as a mounted handler.
 *
 * Index files, types from the system's table, conditional and range requests
 * (by http/semantics), never outside the root: every path is opened with
 * openat2(RESOLVE_BENEATH). Dot files are not served unless asked, but
 * ".well-known" is (RFC 8615).
 *
 *     names no regular file, or is too long    404
 *     "..", "//" or a link that leads outside  404
 *     may not be read                          403
 *     a folder without the slash at its end    301 to the path with it
 *     no descriptor or memory left             503
 *
 * Opening a file and asking for its state wait for the disk where the kernel
 * has forgotten them: the worker stands still for that long. */
#ifndef PL_HANDLERS_STATIC_H
#define PL_HANDLERS_STATIC_H

#include "base/error.h"
#include "http/handler.h"
#include "http/request.h"

struct pl_static_options {
    const char *root;  /* the folder */
    const char *index; /* NULL: "index.html"; "": none */
    bool dot_files;    /* serve names that begin with "." */
    bool follow_links; /* symbolic links may leave the root */
};

/* COPIES options; opens the root, once: a folder that takes its name later is
 * not seen. NULL with *error if it is no folder or out of memory. The handler
 * does not change: workers may share it. */
struct pl_handler *pl_static_new(const struct pl_static_options *options,
                                 struct pl_error *error);

/* Makes the file the content of req's response, with its validators, and its
 * type unless the response has one. A folder that is not PL_STATIC_ANYWHERE is
 * a root that path, which may then come from a peer, cannot leave; dot files
 * are served.
 *
 * Returns 0, PL_ERR_NOT_FOUND (also what is no regular file), PL_ERR_DENIED,
 * PL_ERR_NO_FDS, PL_ERR_NOMEM, PL_ERR_IO or PL_ERR_STATE; the response is as it
 * was then, and a handler may return the error as its result. */
int pl_static_send(struct pl_request *req, int folder, struct pl_str path);

enum { PL_STATIC_ANYWHERE = -100 }; /* AT_FDCWD: the site chose the path */

#endif
