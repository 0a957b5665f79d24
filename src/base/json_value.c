/* json_value.c - looking at the values that json_read.c has made (perilune.h).
 *
 * A missing value (NULL) is like one of another type everywhere, so that a
 * chain of calls needs one look at its end. */
#include "base/json_read.h"
#include "base/str.h"

enum pl_json_type pl_json_type(const struct pl_json *value)
{
    return value == NULL ? PL_JSON_NONE : (enum pl_json_type)value->type;
}

static bool is(const struct pl_json *value, enum pl_json_type type)
{
    return value != NULL && value->type == type;
}

/* ---- arrays and objects ---- */

static bool is_container(const struct pl_json *value)
{
    return is(value, PL_JSON_ARRAY) || is(value, PL_JSON_OBJECT);
}

size_t pl_json_count(const struct pl_json *value)
{
    return is_container(value) ? value->len : 0;
}

const struct pl_json *pl_json_first(const struct pl_json *value)
{
    if (!is_container(value) || value->len == 0)
        return NULL;
    return value + (value->type == PL_JSON_OBJECT ? 2 : 1);
}

const struct pl_json *pl_json_next(const struct pl_json *value)
{
    if (value == NULL || value->last)
        return NULL;
    return value + (is_container(value) ? value->nodes : 1) + value->member;
}

struct pl_str pl_json_name(const struct pl_json *value)
{
    return value == NULL || !value->member ? pl_str(NULL, 0)
                                           : pl_json_str(value - 1);
}

const struct pl_json *pl_json_at(const struct pl_json *array, size_t index)
{
    const struct pl_json *item = NULL;

    if (!is(array, PL_JSON_ARRAY) || index >= array->len)
        return NULL;
    if (array->nodes == (size_t)array->len + 1) /* none takes more than one */
        return array + 1 + index;
    for (item = array + 1; index > 0; index--)
        item = pl_json_next(item);
    return item;
}

const struct pl_json *pl_json_get(const struct pl_json *object,
                                  struct pl_str name)
{
    const struct pl_json *found = NULL;

    if (!is(object, PL_JSON_OBJECT))
        return NULL;
    for (const struct pl_json *member = pl_json_first(object); member != NULL;
         member = pl_json_next(member))
        if (pl_str_eq(pl_json_name(member), name))
            found = member;
    return found;
}

/* ---- JSON pointers (RFC 6901) ---- */

/* A token of a pointer, in which ~0 is "~" and ~1 is "/". */
static bool token_is(struct pl_str token, struct pl_str name)
{
    size_t n = 0;

    for (size_t i = 0; i < token.len; i++, n++) {
        char c = token.data[i];

        if (c == '~') {
            i++;
            if (i == token.len || (token.data[i] | 1) != '1')
                return false; /* no pointer: nothing is called so */
            c = token.data[i] == '0' ? '~' : '/';
        }
        if (n == name.len || name.data[n] != c)
            return false;
    }
    return n == name.len;
}

static const struct pl_json *find_member(const struct pl_json *object,
                                         struct pl_str token)
{
    const struct pl_json *found = NULL;

    for (const struct pl_json *member = pl_json_first(object); member != NULL;
         member = pl_json_next(member))
        if (token_is(token, pl_json_name(member)))
            found = member;
    return found;
}

static const struct pl_json *find_item(const struct pl_json *array,
                                       struct pl_str token)
{
    uint64_t index;

    if (!pl_str_to_u64(token, &index) || index > SIZE_MAX ||
        (token.len > 1 && token.data[0] == '0'))
        return NULL;
    return pl_json_at(array, (size_t)index);
}

const struct pl_json *pl_json_find(const struct pl_json *value,
                                   struct pl_str pointer)
{
    struct pl_str token;

    if (pointer.len == 0)
        return value;
    if (!pl_str_split(&pointer, '/', &token) || token.len > 0)
        return NULL; /* it begins with "/" */
    while (value != NULL && pl_str_split(&pointer, '/', &token))
        value = is(value, PL_JSON_OBJECT) ? find_member(value, token)
                                          : find_item(value, token);
    return value;
}

/* ---- scalars ---- */

struct pl_str pl_json_str(const struct pl_json *value)
{
    return is(value, PL_JSON_STRING) ? pl_str(value->data, value->len)
                                     : pl_str(NULL, 0);
}

bool pl_json_to_bool(const struct pl_json *value, bool *out)
{
    if (!is(value, PL_JSON_BOOL))
        return false;
    *out = value->boolean;
    return true;
}

bool pl_json_to_double(const struct pl_json *value, double *out)
{
    if (!is(value, PL_JSON_NUMBER))
        return false;
    *out = value->form == PL_JSON_FORM_I64   ? (double)value->i64
           : value->form == PL_JSON_FORM_U64 ? (double)value->u64
                                             : value->real;
    return true;
}

bool pl_json_to_i64(const struct pl_json *value, int64_t *out)
{
    if (!is(value, PL_JSON_NUMBER) || value->form == PL_JSON_FORM_U64)
        return false;
    if (value->form == PL_JSON_FORM_I64) {
        *out = value->i64;
        return true;
    }
    /* 1.0 and 1e3: integers too, as far as a double tells all of them. */
    if (!(value->real >= -0x1p53 && value->real <= 0x1p53) ||
        value->real != (double)(int64_t)value->real)
        return false;
    *out = (int64_t)value->real;
    return true;
}

bool pl_json_to_u64(const struct pl_json *value, uint64_t *out)
{
    int64_t number;

    if (is(value, PL_JSON_NUMBER) && value->form == PL_JSON_FORM_U64) {
        *out = value->u64;
        return true;
    }
    if (!pl_json_to_i64(value, &number) || number < 0)
        return false;
    *out = (uint64_t)number;
    return true;
}
