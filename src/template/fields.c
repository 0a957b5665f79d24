#include "template/fields.h"

#include <inttypes.h>

#include "base/str.h"

const struct pl_field pl_field_strings = PL_FIELD_ITEM(STR, struct pl_str);

/* A datum is an address and what is there: a field, or a type. */
static const struct pl_field *as(struct pl_template_value value)
{
    return value.as;
}

static const void *pointer(struct pl_template_value value)
{
    const void *target;

    memcpy(&target, value.at, sizeof(target));
    return target;
}

/* The struct itself, whatever leads to it; at NULL: it is none. */
static struct pl_template_value resolve(struct pl_template_value value)
{
    const struct pl_field *field = as(value);

    if (field->kind == PL_FIELD_PTR)
        return (struct pl_template_value){pointer(value), field->type};
    if (field->kind == PL_FIELD_STRUCT && field->type != NULL)
        return (struct pl_template_value){value.at, field->type};
    if (field->kind == PL_FIELD_STRUCT)
        return value;
    return (struct pl_template_value){NULL, NULL};
}

static bool get(void *arg, struct pl_template_value value, struct pl_str name,
                struct pl_template_value *out)
{
    const struct pl_field *field;

    value = resolve(value);
    if (value.at == NULL)
        return false;
    for (field = as(value)->fields; field->name != NULL; field++) {
        if (!pl_str_eq(pl_str_c(field->name), name))
            continue;
        *out = (struct pl_template_value){
            (const char *)value.at + field->offset, field};
        return true;
    }
    return false;
}

static struct pl_str text(void *arg, struct pl_template_value value,
                          struct pl_buf *scratch)
{
    switch (as(value)->kind) {
    case PL_FIELD_STR:
        return *(const struct pl_str *)value.at;
    case PL_FIELD_TEXT:
        return pl_str_c(pointer(value));
    case PL_FIELD_BOOL:
        return *(const bool *)value.at ? PL_STR("true") : PL_STR("false");
    case PL_FIELD_U64:
        pl_buf_add_u64(scratch, *(const uint64_t *)value.at);
        break;
    case PL_FIELD_I64:
        pl_buf_printf(scratch, "%" PRIi64, *(const int64_t *)value.at);
        break;
    case PL_FIELD_INT:
        pl_buf_printf(scratch, "%d", *(const int *)value.at);
        break;
    default: /* structs and lists have no text */
        break;
    }
    return pl_buf_str(scratch);
}

static enum pl_template_kind kind(void *arg, struct pl_template_value value)
{
    bool is = true;

    switch (as(value)->kind) {
    case PL_FIELD_STR:
        is = ((const struct pl_str *)value.at)->len > 0;
        break;
    case PL_FIELD_TEXT:
        is = pl_str_c(pointer(value)).len > 0;
        break;
    case PL_FIELD_BOOL:
        is = *(const bool *)value.at;
        break;
    case PL_FIELD_PTR:
        is = pointer(value) != NULL;
        break;
    case PL_FIELD_ARRAY:
        return PL_TEMPLATE_LIST;
    default:
        break;
    }
    return is ? PL_TEMPLATE_TRUE : PL_TEMPLATE_FALSE;
}

static bool item(void *arg, struct pl_template_value list, size_t index,
                 struct pl_template_value *out)
{
    const struct pl_field *field = as(list), *type = field->type;
    const char *start = (const char *)list.at - field->offset;
    size_t count;

    memcpy(&count, start + field->count, sizeof(count));
    if (index >= count)
        return false;
    *out = (struct pl_template_value){
        (const char *)pointer(list) + index * type->size, type};
    return true;
}

struct pl_data pl_fields_data(const struct pl_field *type, const void *at)
{
    static const struct pl_data_ops ops = {
        .get = get, .kind = kind, .item = item, .text = text};

    return (struct pl_data){&ops, NULL, {at, type}};
}
