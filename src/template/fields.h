/* fields.h - C structs as the data of a template, described by tables:
 *
 *     struct entry { struct pl_str name; uint64_t size; bool folder; };
 *     struct page { struct entry *entries; size_t nentries; };
 *
 *     static const struct pl_field entry_fields[] = {
 *         PL_FIELD(STR, struct entry, name),
 *         PL_FIELD(U64, struct entry, size),
 *         PL_FIELD(BOOL, struct entry, folder),
 *         {0},
 *     };
 *     static const struct pl_field entry = PL_FIELD_OF(struct entry,
 *                                                      entry_fields);
 *     static const struct pl_field page_fields[] = {
 *         PL_FIELD_LIST("entries", struct page, entries, nentries, &entry),
 *         {0},
 *     };
 *
 * and struct pl_data data = pl_fields_data(&page_type, &page). Nothing is
 * copied: the struct stays as it is until the rendering is over. */
#ifndef PL_TEMPLATE_FIELDS_H
#define PL_TEMPLATE_FIELDS_H

#include "template/template.h"

enum pl_field_kind {
    PL_FIELD_NONE,
    PL_FIELD_STR,    /* struct pl_str; absent or empty: false */
    PL_FIELD_TEXT,   /* const char *; NULL or empty: false */
    PL_FIELD_BOOL,   /* bool */
    PL_FIELD_U64,    /* uint64_t; always true, also 0 */
    PL_FIELD_I64,    /* int64_t */
    PL_FIELD_INT,    /* int */
    PL_FIELD_STRUCT, /* a struct of `type` at this place */
    PL_FIELD_PTR,    /* a pointer to a struct of `type`; NULL: false */
    PL_FIELD_ARRAY,  /* a pointer to elements of `type`, size_t of them */
};

struct pl_field {
    const char *name;
    enum pl_field_kind kind;
    size_t offset;
    size_t count;                  /* ARRAY: the offset of the number */
    size_t size;                   /* of an element of this type */
    const struct pl_field *type;   /* STRUCT, PTR, ARRAY */
    const struct pl_field *fields; /* of a type; ends with name NULL */
};

#define PL_FIELD(kind_, of, member)                                            \
    {                                                                          \
        .name = #member, .kind = PL_FIELD_##kind_,                             \
        .offset = offsetof(of, member)                                         \
    }
#define PL_FIELD_LIST(name_, of, member, number, type_)                        \
    {                                                                          \
        .name = name_, .kind = PL_FIELD_ARRAY, .offset = offsetof(of, member), \
        .count = offsetof(of, number), .type = (type_)                         \
    }
#define PL_FIELD_SUB(kind_, name_, of, member, type_)                          \
    {                                                                          \
        .name = name_, .kind = PL_FIELD_##kind_,                               \
        .offset = offsetof(of, member), .type = (type_)                        \
    }

/* The type of a struct, and that of elements which are struct pl_str. */
#define PL_FIELD_OF(of, fields_)                                               \
    {                                                                          \
        .kind = PL_FIELD_STRUCT, .size = sizeof(of), .fields = (fields_)       \
    }
extern const struct pl_field pl_field_strings;

/* BORROWS at, a struct of that type. */
struct pl_data pl_fields_data(const struct pl_field *type, const void *at);

#endif
