#include "base/pack_json.h"

#include "base/json_build.h"
#include "base/json_number.h"
#include "base/pack.h"
#include "base/str.h"

static int add_key(struct pl_json_builder *json, const struct pl_packed *key)
{
    char text[PL_JSON_NUMBER_MAX];

    switch (key->type) {
    case PL_PACKED_STRING:
        return pl_json_key(json, key->string);
    case PL_PACKED_INTEGER:
        return pl_json_key(
            json, pl_str(text, pl_json_format_i64(text, key->integer)));
    case PL_PACKED_DOUBLE:
        return pl_json_key(
            json, pl_str(text, pl_json_format_double(text, key->number)));
    default: /* pl_packed_is_key(): no other */
        return pl_json_key(json,
                           key->boolean ? PL_STR("true") : PL_STR("false"));
    }
}

static int add_value(struct pl_unpack *in, struct pl_json_builder *json);

/* The list of a table that has pairs, too, is of pairs like them. */
static int add_table(struct pl_unpack *in, struct pl_json_builder *json,
                     const struct pl_packed *table)
{
    bool object = table->table.pairs > 0 ||
                  (table->table.list == 0 && !table->table.marked);
    size_t all = table->table.list + table->table.pairs;
    int err = object ? pl_json_begin_object(json) : pl_json_begin_array(json);

    for (size_t i = 1; i <= all && err == 0; i++) {
        struct pl_packed key = {.type = PL_PACKED_INTEGER,
                                .integer = (int64_t)i};

        if (i > table->table.list)
            err = pl_unpack_next(in, &key);
        if (err == 0 && object)
            err = pl_packed_is_key(&key) ? add_key(json, &key) : PL_ERR_PROTO;
        if (err == 0)
            err = add_value(in, json);
    }
    return err < 0 ? err : pl_json_end(json);
}

/* As deep as PL_JSON_DEPTH, which the builder sees to. */
static int add_value(struct pl_unpack *in, struct pl_json_builder *json)
{
    struct pl_packed value;
    int err = pl_unpack_next(in, &value);

    if (err < 0)
        return err;
    switch (value.type) {
    case PL_PACKED_BOOL:
        return pl_json_add_bool(json, value.boolean);
    case PL_PACKED_INTEGER:
        return pl_json_add_i64(json, value.integer);
    case PL_PACKED_DOUBLE:
        return pl_json_add_double(json, value.number);
    case PL_PACKED_STRING:
        return pl_json_add_str(json, value.string);
    case PL_PACKED_TABLE:
        return add_table(in, json, &value);
    default:
        return pl_json_add_null(json);
    }
}

int pl_pack_to_json(struct pl_str packed, struct pl_buf *out)
{
    struct pl_json_builder json;
    struct pl_unpack in;
    int err = pl_unpack_begin(&in, packed);

    if (err < 0)
        return err;
    pl_json_builder_init(&json, out, PL_JSON_NAN_NULL);
    err = add_value(&in, &json);
    if (err == 0)
        err = pl_unpack_end(&in);
    return err < 0 ? err : pl_json_builder_result(&json);
}
