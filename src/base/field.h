/* field.h - what the tables of perilune.h (struct pl_field) say of a C struct,
 * for whoever shows one: templates and JSON.
 *
 * at is the address of the member itself: that of the struct and field->offset,
 * which is 0 for most types. A table that does not fit its struct is the
 * program's bug. */
#ifndef PL_BASE_FIELD_H
#define PL_BASE_FIELD_H

#include <perilune.h>

#include "base/json_number.h"

/* INT, UINT, REAL: of field->size bytes. */
int64_t pl_field_int(const struct pl_field *field, const void *at);
uint64_t pl_field_uint(const struct pl_field *field, const void *at);
double pl_field_real(const struct pl_field *field, const void *at);

/* REAL, if it is finite: as pl_json_format_double() or _float() does. */
size_t pl_field_format_real(const struct pl_field *field, const void *at,
                            char out[PL_JSON_NUMBER_MAX]);

/* STR, TEXT, CHARS. */
struct pl_str pl_field_str(const struct pl_field *field, const void *at);

/* PTR: the value of field->type that it leads to; NULL: none. */
const void *pl_field_target(const struct pl_field *field, const void *at);

/* ARRAY, INLINE: how many elements, and element number i. */
size_t pl_field_count(const struct pl_field *field, const void *at);
const void *pl_field_item(const struct pl_field *field, const void *at,
                          size_t i);

#endif
