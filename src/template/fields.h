/* fields.h - C structs as the data of a template, described by the tables of
 * perilune.h (struct pl_field):
 *
 *     struct pl_data data = pl_fields_data(&page_type, &page);
 *
 * Nothing is copied: the struct stays as it is until the rendering is over. */
#ifndef PL_TEMPLATE_FIELDS_H
#define PL_TEMPLATE_FIELDS_H

#include "template/template.h"

/* The type of elements which are struct pl_str. */
extern const struct pl_field pl_field_strings;

/* BORROWS at, a struct of that type. */
struct pl_data pl_fields_data(const struct pl_field *type, const void *at);

#endif
