/* template_file.h - templates of C programs that are files, and change while
 * they are served.
 *
 * Once a second at most, when it is used, a thread looks whether the files are
 * still what was read, and reads them anew if not. Requests never wait for
 * that: they are filled from what was read last, which stays as long as one of
 * them uses it. What cannot be read or compiled is logged, and changes nothing.
 */
#ifndef PL_APP_TEMPLATE_FILE_H
#define PL_APP_TEMPLATE_FILE_H

#include "app/app.h"
#include "template/set.h"

/* The template that set, which pl_template_set_load() has made of path, stands
 * for from now on. TAKES set, also on failure: it lives as long as the site,
 * which lets the folder of path be read in a sandbox. 0 or PL_ERR_NOMEM. */
int pl_template_file_add(struct pl_app *app, const char *path,
                         struct pl_template_set *set);

/* What was read last, for as long as somebody holds it. */
struct pl_template_version;

struct pl_template_use {
    struct pl_template_version *version; /* NULL: set is no file */
    const struct pl_template_set *set;
};

/* On a worker's thread. set: what the program knows. 0, and then
 * pl_template_file_end(); or PL_ERR_NOMEM. */
int pl_template_file_begin(const struct pl_template_set *set,
                           struct pl_template_use *use);
void pl_template_file_end(struct pl_template_use *use);

#endif
