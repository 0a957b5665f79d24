#include "http/query.h"

#include "base/str.h"
#include "http/uri.h"

bool pl_query_next(struct pl_str *rest, struct pl_str *name,
                   struct pl_str *value)
{
    struct pl_str pair = {NULL, 0};

    while (pair.len == 0)
        if (!pl_str_split(rest, '&', &pair))
            return false;
    *value = pair;
    pl_str_split(value, '=', name);
    if (value->data == NULL)
        *value = pl_str_skip(pair, pair.len);
    return true;
}

struct pl_str pl_query_get(struct pl_str query, struct pl_str name,
                           struct pl_arena *arena)
{
    struct pl_str found, value;

    while (pl_query_next(&query, &found, &value))
        if (pl_uri_decodes_to(found, name))
            return pl_uri_decode(value, arena, true);
    return pl_str(NULL, 0);
}
