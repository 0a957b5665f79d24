/* json_build.c - writing JSON value by value, and C structs as a whole.
 *
 * A failure stays: whatever is added later does nothing and returns the same
 * error, so a chain of calls needs one look at its end. */
#include "base/json_build.h"

#include <math.h>

#include "base/field.h"
#include "base/json_number.h"
#include "base/json_read.h"
#include "base/str.h"

enum { INDENT = 2 };

PL_COLD static int fail(struct pl_json_builder *json, int err, const char *what)
{
    json->err = err;
    json->what = what;
    return err;
}

/* NULL is a builder for which there was no memory. */
PL_INLINE int failure(const struct pl_json_builder *json)
{
    return PL_UNLIKELY(json == NULL) ? PL_ERR_NOMEM : json->err;
}

/* After something was written. */
static int done(struct pl_json_builder *json)
{
    if (PL_UNLIKELY(json->out->err < 0))
        return fail(json, json->out->err, pl_err_text(json->out->err));
    return 0;
}

void pl_json_builder_init(struct pl_json_builder *json, struct pl_buf *out,
                          unsigned flags)
{
    *json = (struct pl_json_builder){.out = out, .flags = flags};
}

int pl_json_builder_result(struct pl_json_builder *json)
{
    if (failure(json) == 0 && (json->depth > 0 || !json->more))
        return fail(json, PL_ERR_STATE, "the value is not complete");
    return failure(json);
}

/* ---- between values ---- */

static bool in_object(const struct pl_json_builder *json)
{
    unsigned level = json->depth - 1;

    return json->depth > 0 && (json->objects[level / 64] >> level % 64 & 1);
}

static void new_line(struct pl_json_builder *json)
{
    if (json->flags & PL_JSON_PRETTY)
        pl_json_newline(json->out, (size_t)json->depth * INDENT);
}

/* Before an item of an array, or before a key. */
static void begin_item(struct pl_json_builder *json)
{
    if (json->more)
        pl_buf_addc(json->out, ',');
    new_line(json);
    json->more = true;
}

/* Before a value: it has to be its turn. */
static int begin_value(struct pl_json_builder *json)
{
    int err = failure(json);

    if (PL_UNLIKELY(err < 0))
        return err;
    if (in_object(json)) {
        if (!json->named)
            return fail(json, PL_ERR_STATE, "a value without a key");
        json->named = false;
    } else if (json->depth > 0) {
        begin_item(json);
    } else {
        if (json->more)
            return fail(json, PL_ERR_STATE, "more than one value");
        json->more = true;
    }
    return 0;
}

int pl_json_key(struct pl_json_builder *json, struct pl_str key)
{
    int err = failure(json);

    if (err < 0)
        return err;
    if (!in_object(json) || json->named)
        return fail(json, PL_ERR_STATE, "a key where no key may be");
    begin_item(json);
    json->named = true;
    pl_json_quote(json->out, key, json->flags | PL_JSON_REPLACE);
    pl_buf_add(json->out,
               json->flags & PL_JSON_PRETTY ? PL_STR(": ") : PL_STR(":"));
    return done(json);
}

/* ---- arrays and objects ---- */

static int begin_level(struct pl_json_builder *json, bool object)
{
    int err = begin_value(json);
    unsigned level;

    if (err < 0)
        return err;
    level = json->depth;
    if (level == PL_JSON_DEPTH)
        return fail(json, PL_ERR_LIMIT, "nesting too deep");
    if (object)
        json->objects[level / 64] |= (uint64_t)1 << level % 64;
    else
        json->objects[level / 64] &= ~((uint64_t)1 << level % 64);
    json->depth++;
    json->more = false;
    pl_buf_addc(json->out, object ? '{' : '[');
    return done(json);
}

int pl_json_begin_object(struct pl_json_builder *json)
{
    return begin_level(json, true);
}

int pl_json_begin_array(struct pl_json_builder *json)
{
    return begin_level(json, false);
}

int pl_json_end(struct pl_json_builder *json)
{
    int err = failure(json);
    bool object, any;

    if (err < 0)
        return err;
    object = in_object(json);
    any = json->more;
    if (json->depth == 0 || json->named)
        return fail(json, PL_ERR_STATE, "an end where nothing may end");
    json->depth--;
    json->more = true;
    if (any)
        new_line(json);
    pl_buf_addc(json->out, object ? '}' : ']');
    return done(json);
}

/* ---- values ---- */

static int add_text(struct pl_json_builder *json, struct pl_str text)
{
    int err = begin_value(json);

    if (err < 0)
        return err;
    pl_buf_add(json->out, text);
    return done(json);
}

int pl_json_add_str(struct pl_json_builder *json, struct pl_str value)
{
    int err;

    if (value.data == NULL)
        return pl_json_add_null(json);
    err = begin_value(json);
    if (err < 0)
        return err;
    pl_json_quote(json->out, value, json->flags | PL_JSON_REPLACE);
    return done(json);
}

int pl_json_add_i64(struct pl_json_builder *json, int64_t value)
{
    char text[PL_JSON_NUMBER_MAX];

    return add_text(json, pl_str(text, pl_json_format_i64(text, value)));
}

int pl_json_add_u64(struct pl_json_builder *json, uint64_t value)
{
    char text[PL_JSON_NUMBER_MAX];

    return add_text(json, pl_str(text, pl_u64_format(text, value)));
}

static int add_not_finite(struct pl_json_builder *json)
{
    int err = failure(json);

    if (err < 0)
        return err;
    return json->flags & PL_JSON_NAN_NULL
               ? pl_json_add_null(json)
               : fail(json, PL_ERR_INVALID, "a number that is not finite");
}

int pl_json_add_double(struct pl_json_builder *json, double value)
{
    char text[PL_JSON_NUMBER_MAX];

    if (!isfinite(value))
        return add_not_finite(json);
    return add_text(json, pl_str(text, pl_json_format_double(text, value)));
}

int pl_json_add_bool(struct pl_json_builder *json, bool value)
{
    return add_text(json, value ? PL_STR("true") : PL_STR("false"));
}

int pl_json_add_null(struct pl_json_builder *json)
{
    return add_text(json, PL_STR("null"));
}

int pl_json_add_raw(struct pl_json_builder *json, struct pl_str text)
{
    if (failure(json) == 0 && text.len == 0)
        return fail(json, PL_ERR_INVALID, "an empty text");
    return add_text(json, text);
}

/* ---- values that were read ---- */

static int add_number(struct pl_json_builder *json, const struct pl_json *value)
{
    if (value->form == PL_JSON_FORM_I64)
        return pl_json_add_i64(json, value->i64);
    if (value->form == PL_JSON_FORM_U64)
        return pl_json_add_u64(json, value->u64);
    return pl_json_add_double(json, value->real);
}

/* Recurses at most PL_JSON_DEPTH deep, as the functions below. */
int pl_json_add_value(struct pl_json_builder *json, const struct pl_json *value)
{
    switch (pl_json_type(value)) {
    case PL_JSON_BOOL:
        return pl_json_add_bool(json, value->boolean);
    case PL_JSON_NUMBER:
        return add_number(json, value);
    case PL_JSON_STRING:
        return pl_json_add_str(json, pl_json_str(value));
    case PL_JSON_ARRAY:
    case PL_JSON_OBJECT:
        break;
    default:
        return pl_json_add_null(json);
    }
    begin_level(json, value->type == PL_JSON_OBJECT);
    for (const struct pl_json *item = pl_json_first(value);
         item != NULL && failure(json) == 0; item = pl_json_next(item)) {
        if (item->member)
            pl_json_key(json, pl_json_name(item));
        pl_json_add_value(json, item);
    }
    return pl_json_end(json);
}

/* ---- structs ---- */

static int add_field(struct pl_json_builder *json, const struct pl_field *field,
                     const char *at);

static int add_real(struct pl_json_builder *json, const struct pl_field *field,
                    const char *at)
{
    char text[PL_JSON_NUMBER_MAX];

    if (!isfinite(pl_field_real(field, at)))
        return add_not_finite(json);
    return add_text(json, pl_str(text, pl_field_format_real(field, at, text)));
}

static int add_members(struct pl_json_builder *json,
                       const struct pl_field *fields, const char *at)
{
    pl_json_begin_object(json);
    for (; fields->name != NULL && failure(json) == 0; fields++) {
        if (fields->kind == PL_FIELD_LAMBDA)
            continue;
        pl_json_key(json, pl_str_c(fields->name));
        add_field(json, fields, at + fields->offset);
    }
    return pl_json_end(json);
}

static int add_elements(struct pl_json_builder *json,
                        const struct pl_field *field, const char *at)
{
    size_t n = pl_field_count(field, at);

    pl_json_begin_array(json);
    for (size_t i = 0; i < n && failure(json) == 0; i++)
        add_field(json, field->type, pl_field_item(field, at, i));
    return pl_json_end(json);
}

/* at: where it is; NULL: nowhere. */
static int add_field(struct pl_json_builder *json, const struct pl_field *field,
                     const char *at)
{
    if (at == NULL)
        return pl_json_add_null(json);
    switch (field->kind) {
    case PL_FIELD_STR:
    case PL_FIELD_TEXT:
    case PL_FIELD_CHARS:
        return pl_json_add_str(json, pl_field_str(field, at));
    case PL_FIELD_BOOL:
        return pl_json_add_bool(json, *(const bool *)at);
    case PL_FIELD_INT:
        return pl_json_add_i64(json, pl_field_int(field, at));
    case PL_FIELD_UINT:
        return pl_json_add_u64(json, pl_field_uint(field, at));
    case PL_FIELD_REAL:
        return add_real(json, field, at);
    case PL_FIELD_STRUCT:
        return add_members(
            json, field->type != NULL ? field->type->fields : field->fields,
            at);
    case PL_FIELD_PTR:
        return add_field(json, field->type, pl_field_target(field, at));
    case PL_FIELD_ARRAY:
    case PL_FIELD_INLINE:
        return add_elements(json, field, at);
    case PL_FIELD_LAMBDA: /* of templates */
    case PL_FIELD_NONE:
        break;
    }
    return failure(json) < 0
               ? failure(json)
               : fail(json, PL_ERR_INVALID, "a field without a kind");
}

int pl_json_add_struct(struct pl_json_builder *json,
                       const struct pl_field *type, const void *data)
{
    return add_field(json, type,
                     data == NULL ? NULL : (const char *)data + type->offset);
}

/* ---- the text ---- */

const char *pl_json_builder_error(const struct pl_json_builder *json)
{
    if (json == NULL)
        return pl_err_text(PL_ERR_NOMEM);
    return json->err < 0 ? json->what : "";
}

struct pl_str pl_json_builder_str(const struct pl_json_builder *json)
{
    bool whole = failure(json) == 0 && json->depth == 0 && json->more;

    return whole ? pl_buf_str(json->out) : pl_str(NULL, 0);
}

void pl_json_builder_clear(struct pl_json_builder *json)
{
    if (json == NULL)
        return;
    if (json->out->err < 0)
        pl_buf_fini(json->out);
    json->out->len = 0;
    pl_json_builder_init(json, json->out, json->flags);
}
