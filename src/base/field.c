#include "base/field.h"

#include "base/check.h"
#include "base/str.h"

/* By memcpy: a struct may be packed. */
#define LOAD(type, at)                                                         \
    ({                                                                         \
        type value_;                                                           \
        memcpy(&value_, (at), sizeof(value_));                                 \
        value_;                                                                \
    })

int64_t pl_field_int(const struct pl_field *field, const void *at)
{
    switch (field->size) {
    case 1:
        return LOAD(int8_t, at);
    case 2:
        return LOAD(int16_t, at);
    case 4:
        return LOAD(int32_t, at);
    default:
        PL_ASSERT(field->size == 8);
        return LOAD(int64_t, at);
    }
}

uint64_t pl_field_uint(const struct pl_field *field, const void *at)
{
    switch (field->size) {
    case 1:
        return LOAD(uint8_t, at);
    case 2:
        return LOAD(uint16_t, at);
    case 4:
        return LOAD(uint32_t, at);
    default:
        PL_ASSERT(field->size == 8);
        return LOAD(uint64_t, at);
    }
}

double pl_field_real(const struct pl_field *field, const void *at)
{
    if (field->size == sizeof(float))
        return (double)LOAD(float, at);
    PL_ASSERT(field->size == sizeof(double));
    return LOAD(double, at);
}

size_t pl_field_format_real(const struct pl_field *field, const void *at,
                            char out[PL_JSON_NUMBER_MAX])
{
    return field->size == sizeof(float)
               ? pl_json_format_float(out, LOAD(float, at))
               : pl_json_format_double(out, pl_field_real(field, at));
}

struct pl_str pl_field_str(const struct pl_field *field, const void *at)
{
    if (field->kind == PL_FIELD_STR)
        return LOAD(struct pl_str, at);
    if (field->kind == PL_FIELD_TEXT)
        return pl_str_c(LOAD(const char *, at));
    return pl_str(at, strnlen(at, field->size));
}

const void *pl_field_target(const struct pl_field *field, const void *at)
{
    const char *target = LOAD(const char *, at);

    return target == NULL ? NULL : target + field->type->offset;
}

size_t pl_field_count(const struct pl_field *field, const void *at)
{
    return LOAD(size_t, (const char *)at - field->offset + field->count);
}

const void *pl_field_item(const struct pl_field *field, const void *at,
                          size_t i)
{
    const char *first =
        field->kind == PL_FIELD_ARRAY ? LOAD(const char *, at) : at;

    return first + i * field->type->size + field->type->offset;
}
