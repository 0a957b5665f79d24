#include "http/h2_priority.h"

#include "base/str.h"
#include "http/header.h"

/* Is member key, with "=value" or without? Parameters (";...") do not count. */
static bool is_key(struct pl_str member, struct pl_str key,
                   struct pl_str *value)
{
    struct pl_str name = {NULL, 0}, item = {NULL, 0};

    pl_str_split(&member, ';', &item);
    *value = pl_str_trim(item);
    pl_str_split(value, '=', &name);
    return pl_str_eq(name, key);
}

struct pl_h2_priority pl_h2_priority_parse(struct pl_str field)
{
    struct pl_h2_priority priority = PL_H2_PRIORITY_DEFAULT;
    struct pl_str member, value;

    while (pl_header_list_next(&field, &member)) {
        if (is_key(member, PL_STR("u"), &value) && value.len == 1 &&
            value.data[0] >= '0' && value.data[0] <= '7')
            priority.urgency = (uint8_t)(value.data[0] - '0');
        else if (is_key(member, PL_STR("i"), &value))
            priority.incremental =
                value.data == NULL || pl_str_eq(value, PL_STR("?1"));
    }
    return priority;
}

/* In its own place, in a free one, or in that of the stream that is to come
 * last. */
void pl_h2_early_keep(struct pl_h2_early *early, uint32_t id,
                      struct pl_h2_priority priority)
{
    struct pl_h2_early_place *place = &early->places[0];

    for (size_t i = 0; i < PL_COUNT(early->places); i++) {
        struct pl_h2_early_place *at = &early->places[i];

        if (at->id == id) {
            place = at;
            break;
        }
        if (place->id != 0 && (at->id == 0 || at->id > place->id))
            place = at;
    }
    if (place->id == 0 || place->id >= id)
        *place = (struct pl_h2_early_place){id, priority};
}

struct pl_h2_priority pl_h2_early_take(struct pl_h2_early *early, uint32_t id,
                                       struct pl_h2_priority priority)
{
    for (size_t i = 0; i < PL_COUNT(early->places); i++) {
        struct pl_h2_early_place *at = &early->places[i];

        if (at->id == id)
            priority = at->priority;
        if (at->id <= id)
            at->id = 0;
    }
    return priority;
}
