#include "template/fields.h"

#include <inttypes.h>
#include <math.h>

#include "base/field.h"
#include "base/str.h"

const struct pl_field pl_field_strings = PL_FIELD_ITEM(STR, struct pl_str);

/* A datum is an address and what is there: a field, or a type. */
static const struct pl_field *as(struct pl_template_value value)
{
    return value.as;
}

/* What a pointer leads to; at NULL: nothing. */
static struct pl_template_value follow(struct pl_template_value value)
{
    while (value.at != NULL && as(value)->kind == PL_FIELD_PTR)
        value = (struct pl_template_value){pl_field_target(as(value), value.at),
                                           as(value)->type};
    return value;
}

/* The fields of the struct that value is or leads to; NULL if it does not. */
static const struct pl_field *fields_of(struct pl_template_value value)
{
    if (value.at == NULL || as(value)->kind != PL_FIELD_STRUCT)
        return NULL;
    return as(value)->type != NULL ? as(value)->type->fields
                                   : as(value)->fields;
}

static bool get(void *arg, struct pl_template_value value, struct pl_str name,
                struct pl_template_value *out)
{
    const struct pl_field *field;

    value = follow(value);
    field = fields_of(value);
    for (; field != NULL && field->name != NULL; field++) {
        if (!pl_str_eq(pl_str_c(field->name), name))
            continue;
        *out = (struct pl_template_value){
            (const char *)value.at + field->offset, field};
        return true;
    }
    return false;
}

static struct pl_str text_of_real(struct pl_template_value real,
                                  struct pl_buf *scratch)
{
    double value = pl_field_real(as(real), real.at);
    char text[PL_JSON_NUMBER_MAX];

    if (isnan(value))
        return PL_STR("nan");
    if (isinf(value))
        return value < 0 ? PL_STR("-inf") : PL_STR("inf");
    pl_buf_add(scratch,
               pl_str(text, pl_field_format_real(as(real), real.at, text)));
    return pl_buf_str(scratch);
}

static struct pl_str text(void *arg, struct pl_template_value value,
                          struct pl_buf *scratch)
{
    value = follow(value);
    if (value.at == NULL)
        return PL_STR("");
    switch (as(value)->kind) {
    case PL_FIELD_STR:
    case PL_FIELD_TEXT:
    case PL_FIELD_CHARS:
        return pl_field_str(as(value), value.at);
    case PL_FIELD_BOOL:
        return *(const bool *)value.at ? PL_STR("true") : PL_STR("false");
    case PL_FIELD_UINT:
        pl_buf_add_u64(scratch, pl_field_uint(as(value), value.at));
        break;
    case PL_FIELD_INT:
        pl_buf_printf(scratch, "%" PRIi64, pl_field_int(as(value), value.at));
        break;
    case PL_FIELD_REAL:
        return text_of_real(value, scratch);
    default: /* structs and lists have no text */
        break;
    }
    return pl_buf_str(scratch);
}

static enum pl_template_kind kind(void *arg, struct pl_template_value value)
{
    bool is = true;

    value = follow(value);
    if (value.at == NULL)
        return PL_TEMPLATE_FALSE;
    switch (as(value)->kind) {
    case PL_FIELD_STR:
    case PL_FIELD_TEXT:
    case PL_FIELD_CHARS:
        is = pl_field_str(as(value), value.at).len > 0;
        break;
    case PL_FIELD_BOOL:
        is = *(const bool *)value.at;
        break;
    case PL_FIELD_ARRAY:
    case PL_FIELD_INLINE:
        return PL_TEMPLATE_LIST;
    case PL_FIELD_LAMBDA:
        return *(pl_lambda_fn *const *)value.at == NULL ? PL_TEMPLATE_FALSE
                                                        : PL_TEMPLATE_LAMBDA;
    default:
        break;
    }
    return is ? PL_TEMPLATE_TRUE : PL_TEMPLATE_FALSE;
}

static bool item(void *arg, struct pl_template_value list, size_t index,
                 struct pl_template_value *out)
{
    const struct pl_field *field;

    list = follow(list);
    field = as(list);
    if (index >= pl_field_count(field, list.at))
        return false;
    *out = (struct pl_template_value){pl_field_item(field, list.at, index),
                                      field->type};
    return true;
}

/* ---- lambdas ---- */

struct pl_lambda {
    struct pl_template_call *call;
    struct pl_buf *out;
};

struct pl_str pl_lambda_text(const struct pl_lambda *lambda)
{
    return lambda->call->source;
}

int pl_lambda_write(struct pl_lambda *lambda, struct pl_str text)
{
    return pl_buf_add(lambda->out, text);
}

int pl_lambda_writef(struct pl_lambda *lambda, const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    err = pl_buf_vprintf(lambda->out, fmt, ap);
    va_end(ap);
    return err;
}

int pl_lambda_render(struct pl_lambda *lambda, struct pl_str text,
                     struct pl_str *shown)
{
    return lambda->call->source.data == NULL
               ? PL_ERR_STATE
               : pl_template_call_render(lambda->call, text, shown);
}

static int call(void *arg, struct pl_template_call *call, struct pl_buf *out,
                struct pl_error *error)
{
    struct pl_template_value value = follow(call->lambda);
    pl_lambda_fn *const *fn = value.at;
    struct pl_lambda lambda = {call, out};
    int err = (*fn)(&lambda, (const char *)value.at - as(value)->offset);

    if (err < 0 && error != NULL && error->code != err)
        pl_error_set(error, err, "", "a lambda has failed: %s",
                     pl_err_text(err));
    return err < 0                     ? err
           : err == PL_LAMBDA_TEMPLATE ? PL_TEMPLATE_MADE
                                       : PL_TEMPLATE_SHOWN;
}

struct pl_data pl_fields_data(const struct pl_field *type, const void *at)
{
    static const struct pl_data_ops ops = {
        .get = get, .kind = kind, .item = item, .text = text, .call = call};

    return (struct pl_data){
        &ops, NULL, {(const char *)at + type->offset, type}};
}
