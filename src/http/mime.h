/* mime.h - the media type of a file by its name.
 *
 * The system's table (/etc/mime.types) is read once, before the workers start,
 * and never changes afterwards: they share it without locks. What it does not
 * name, or all of it where it does not exist, is looked up in a built-in table
 * of the types of the web. */
#ifndef PL_HTTP_MIME_H
#define PL_HTTP_MIME_H

#include <perilune.h>

#define PL_MIME_DEFAULT PL_STR("application/octet-stream")
#define PL_MIME_SYSTEM_PATH "/etc/mime.types"

/* Reads a table of lines "type ext ext ...", replacing the one read before;
 * while nobody looks up. Returns 0 or PL_ERR_*, and then lookups use the
 * built-in table alone. */
int pl_mime_load(const char *path);

/* Forgets what was loaded, likewise. */
void pl_mime_unload(void);

/* The type for the extension of the last segment of path, in any case;
 * PL_MIME_DEFAULT if it has none or an unknown one. Types of text come with
 * "; charset=utf-8". Lives until pl_mime_unload(). */
struct pl_str pl_mime_of(struct pl_str path);

/* The usual extension for a type without parameters, in any case, without dot:
 * "jpg" for "image/jpeg". Absent if there is none. Lives as long. */
struct pl_str pl_mime_extension(struct pl_str type);

#endif
