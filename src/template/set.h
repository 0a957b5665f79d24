/* set.h - templates of files: one, and the partials that it names, from the
 * same folder.
 *
 * {{>head}} in site/page.mustache is site/head.mustache; a name may have
 * folders in it ("parts/head"), but leads nowhere else. What is not there may
 * be below a second folder, that of all templates. All files are read when the
 * set is made; nothing touches the disk later. Where a name comes from the
 * data, all templates of the folders are read. A set does not change: threads
 * may share it. */
#ifndef PL_TEMPLATE_SET_H
#define PL_TEMPLATE_SET_H

#include "template/template.h"

enum {
    PL_TEMPLATE_SET_MAX = 256, /* files */
    PL_TEMPLATE_LEVELS_MAX = 4 /* of folders that are looked through */
};

struct pl_template_set;

/* path is that of the main template. A partial that is not there shows nothing
 * (so says Mustache). May wait for the disk: for the time when a site is
 * loaded. NULL with *error, whose where is the file's line or path. */
struct pl_template_set *pl_template_set_load(const char *path,
                                             struct pl_error *error);

/* The same of a name (with its extension) below the folder root, where also
 * those partials may be that are not beside it. */
struct pl_template_set *pl_template_set_load_in(const char *root,
                                                const char *name,
                                                struct pl_error *error);

/* Would it be loaded as the same again? Asks the disk for each of its files. */
bool pl_template_set_is_current(const struct pl_template_set *set);

/* The same of a template that is in the program. COPIES. */
struct pl_template_set *pl_template_set_text(struct pl_str name,
                                             struct pl_str source,
                                             struct pl_error *error);
void pl_template_set_free(struct pl_template_set *set); /* may be NULL */

/* Something of whoever has made it; NULL at first. Before others use it. */
void pl_template_set_own(struct pl_template_set *set, void *owner);
void *pl_template_set_owner(const struct pl_template_set *set);

/* For pl_template_render(). */
const struct pl_template *
pl_template_set_main(const struct pl_template_set *set);
struct pl_partials pl_template_set_partials(const struct pl_template_set *set);

/* As pl_template_render() of its main template. */
int pl_template_set_render(const struct pl_template_set *set,
                           const struct pl_data *data, struct pl_buf *out,
                           struct pl_error *error);

#endif
