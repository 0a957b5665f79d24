/* pack_json.h - packed values as JSON: for those who get what Lua has published
 * and know no tables. */
#ifndef PL_BASE_PACK_JSON_H
#define PL_BASE_PACK_JSON_H

#include "base/buf.h"

/* Appends the JSON of a packed value. A table is an array if it is a list, else
 * an object, in which number keys are texts; text that is not UTF-8 gets
 * U+FFFD, and a number that is not finite is null. Returns 0, the error of out,
 * or PL_ERR_* of pack.h: what is in out then is of no use. */
int pl_pack_to_json(struct pl_str packed, struct pl_buf *out);

#endif
