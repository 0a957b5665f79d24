/* script.h - which program below a folder a path is for: "a/b.php/c/d" is the
 * script a/b.php, and /c/d is for it to understand.
 *
 * Only a regular file that is there is ever named, and only if the path says
 * itself that it is a script: "photo.jpg/x.php" is nothing, whatever the
 * photo has in it. */
#ifndef PL_HANDLERS_SCRIPT_H
#define PL_HANDLERS_SCRIPT_H

#include "base/error.h"
#include "handlers/file.h"

/* Texts are BORROWED; those with several names have spaces between. */
struct pl_script_folder {
    int fd;
    bool remote; /* of a network: not to be asked on a loop */
    bool blind;  /* its files are on another machine: nobody looks */
    bool files;  /* what is no script may be served, too */
    enum pl_file_links links;
    struct pl_str suffixes; /* of scripts: ".php" */
    struct pl_str index;    /* names for "folder/" */
    struct pl_str fallback; /* the script for what is not there; absent: none */
    struct pl_str closed;   /* folders in which nothing is a script */
};

enum pl_script_kind {
    PL_SCRIPT_RUN,
    PL_SCRIPT_FILE,  /* a file, to be served as it is */
    PL_SCRIPT_SLASH, /* a folder, whose path has no slash at its end */
};

struct pl_script {
    enum pl_script_kind kind;
    struct pl_str dir,
        leaf;           /* RUN: its name below the folder is both of them */
    struct pl_str info; /* what follows it in the path: "", or "/..." */
};

/* path is what follows the prefix of a mount. With wait false: PL_ERR_AGAIN if
 * a disk would have to be waited for. Returns 0, or PL_ERR_NOT_FOUND and other
 * errors of pl_file_open(). out has slices of path and of folder's texts. Any
 * thread. */
int pl_script_find(const struct pl_script_folder *folder, struct pl_str path,
                   bool wait, struct pl_script *out);

/* Has name the suffix of a script, and something before it? In any case: what
 * is a script on one disk must not be a text on another. */
bool pl_script_is_one(const struct pl_script_folder *folder,
                      struct pl_str name);

#endif
