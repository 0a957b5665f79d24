/* site_file.h - the loader of Lua sites: one file, or a folder. */
#ifndef PL_APP_SITE_FILE_H
#define PL_APP_SITE_FILE_H

#include "server/generation.h"

struct pl_dialect;
struct pl_server;

struct pl_site_file {
    struct pl_loader loader;
    struct pl_server *server; /* for pl.stop(); may be NULL */
    char *script;             /* NULL: a folder without main.lua */
    char *folder;             /* of the script: first in package.path */
    char *root;               /* served at "/"; NULL: nothing is */
    bool content;             /* a folder of pages: lib/content.lua serves it */
    bool check;               /* ... which is to compile all of them */
    const struct pl_dialect *dialect; /* the script's; NULL: ours */
};

/* path names a Lua file or a folder:
 *
 *     FOLDER/main.lua      is run if it is there
 *     FOLDER/public_html/  is served at "/" if it is there: pages and files
 *                          (docs/content.md; without that feature only files)
 *     FOLDER/              is served itself if neither is; a folder that is
 *                          called public_html means the one above it
 *
 * With a dialect (BORROWED) it names a file in it, or a folder, which is left
 * to it. Returns 0 or PL_ERR_* with *error. COPIES path. */
int pl_site_file_init(struct pl_site_file *file, const char *path,
                      const struct pl_dialect *dialect, struct pl_error *error);
void pl_site_file_fini(struct pl_site_file *file);

#endif
