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
