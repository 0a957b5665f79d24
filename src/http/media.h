/* media.h - media types with parameters (RFC 9110, 8.3 and 5.6.6):
 * "text/html; charset=utf-8; q=0.8". */
#ifndef PL_HTTP_MEDIA_H
#define PL_HTTP_MEDIA_H

#include "base/arena.h"

/* Cuts off what stands before the first ";", trimmed, and gives the rest. */
struct pl_str pl_media_split(struct pl_str text, struct pl_str *params);

/* Takes the next "name=value" off *params; value is raw: quotes and escapes are
 * still there. Empty and malformed pieces are passed over. False at the end. */
bool pl_params_next(struct pl_str *params, struct pl_str *name,
                    struct pl_str *value);

/* Is content_type, whatever its parameters, type ("text/html")? Any case. */
bool pl_media_is(struct pl_str content_type, struct pl_str type);

/* The value of a parameter (name in any case), quotes and escapes removed.
 * Absent if it is not there, or if out of memory, which only an escape needs.
 */
struct pl_str pl_media_param(struct pl_str content_type, struct pl_str name,
                             struct pl_arena *arena);

#endif
