/* set.h - templates of files: one, and the partials that it names, from the
 * same folder.
 *
 * {{>head}} in site/page.mustache is site/head.mustache; a name may have
 * folders in it ("parts/head"), but leads nowhere else. All files are read when
 * the set is made; nothing touches the disk later. Dynamic names find what some
 * template of the set names, too. A set does not change: threads may share it.
 */
#ifndef PL_TEMPLATE_SET_H
#define PL_TEMPLATE_SET_H

#include "template/template.h"

enum { PL_TEMPLATE_SET_MAX = 256 }; /* files */

struct pl_template_set;

/* path is that of the main template. A partial that is not there shows nothing
 * (so says Mustache). May wait for the disk: for the time when a site is
 * loaded. NULL with *error, whose where is the file's line or path. */
struct pl_template_set *pl_template_set_load(const char *path,
                                             struct pl_error *error);

/* The same of a template that is in the program. COPIES. */
struct pl_template_set *pl_template_set_text(struct pl_str name,
                                             struct pl_str source,
                                             struct pl_error *error);
void pl_template_set_free(struct pl_template_set *set); /* may be NULL */

/* As pl_template_render() of its main template. */
int pl_template_set_render(const struct pl_template_set *set,
                           const struct pl_data *data, struct pl_buf *out,
                           struct pl_error *error);

#endif
