/* static.h - files below a folder, as a mounted handler.
 *
 * Index files, types from the system's table, precompressed versions,
 * conditional and range requests (by http/semantics), never outside the root:
 * every path is opened with openat2(RESOLVE_BENEATH). Dot files are not served
 * unless asked, but ".well-known" is (RFC 8615). What is served often is kept
 * by the worker (files.h), and nothing is read from a disk on its loop.
 *
 *     names no regular file, or is too long    404 (fallback, not_found)
 *     "..", "//" or a link that leads outside  404
 *     may not be read                          403
 *     a folder without the slash at its end    301 to the path with it
 *     a folder without an index                whoever lists it, or 404
 *     no descriptor or memory left             503 */
#ifndef PL_HANDLERS_STATIC_H
#define PL_HANDLERS_STATIC_H

#include "base/error.h"
#include "handlers/files.h"
#include "http/handler.h"
#include "http/request.h"

/* Who answers for a folder that has no index: lists it, for example. */
struct pl_static_folder {
    /* path: below root, "" or with a slash at its end; whether there is such a
     * folder is not known. Must lead to one call of then->done(), with
     * PL_ERR_NOT_FOUND (nothing built) for what is to be answered as any path
     * that is not there. Root and path live as long as the request. */
    void (*start)(struct pl_static_folder *folder, struct pl_request *req,
                  const struct pl_file_root *root, struct pl_str path,
                  struct pl_then *then);
    void (*free)(struct pl_static_folder *folder);
};

struct pl_static_options {
    const char *root;       /* the folder */
    const char *index;      /* names with spaces between, the first that is
                               there; NULL: "index.html"; "": none */
    const char *fallback;   /* below root: for pages that are not there, but
                               made by a script in the browser; or NULL */
    const char *not_found;  /* below root: the content of a 404; or NULL */
    struct pl_str symlinks; /* see pl_file_links_parse(); absent: "inside" */
    struct pl_str cache;    /* "5s": how long a look at the disk is good;
                               absent: 1 s; "0": every request looks */
    uint64_t preload;       /* all files are read now, so many bytes at most;
                               0: they are not */
    bool dot_files;         /* serve names that begin with "." */
    bool no_precompressed;  /* a.js.br and the like are not versions */
    struct pl_static_folder *folder; /* TAKEN, also on failure; or NULL */
};

#define PL_STATIC_PRELOAD ((uint64_t)64 << 20) /* unless somebody says */

/* COPIES options; opens the root, once: a folder that takes its name later is
 * not seen. NULL with *error if it is no folder, an option makes no sense, or
 * out of memory. The handler does not change: workers may share it. */
struct pl_handler *pl_static_new(const struct pl_static_options *options,
                                 struct pl_error *error);

/* ---- a file from inside a handler ----
 *
 * Makes it the content of req's response, with its validators, and its type
 * unless the response has one. folder absent: the site chose the path. Else it
 * may come from a peer, and cannot leave folder; dot files are served. The disk
 * is looked at every time.
 *
 * 0, PL_ERR_NOT_FOUND (also what is no regular file), PL_ERR_DENIED,
 * PL_ERR_NO_FDS, PL_ERR_NOMEM, PL_ERR_IO or PL_ERR_STATE; the response is as it
 * was then, and a handler may return the error as its result. PL_ERR_AGAIN: the
 * disk has to be waited for, by pl_static_fetch() and then pl_static_take(). */
int pl_static_send(struct pl_request *req, struct pl_str folder,
                   struct pl_str path);
void pl_static_fetch(struct pl_file_op *op, struct pl_request *req,
                     struct pl_str folder, struct pl_str path);

/* op has completed with 0: its file becomes the content. */
int pl_static_take(struct pl_file_op *op, struct pl_request *req);

#endif
