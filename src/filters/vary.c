#include "filters/vary.h"

#include "base/str.h"
#include "http/request.h"

/* All fields of that name as one list, in the arena. */
static struct pl_str join(struct pl_response *res, struct pl_arena *arena)
{
    struct pl_str all = {NULL, 0};

    for (unsigned i = 0; i < res->nheaders; i++) {
        struct pl_str value = pl_header_value(&res->headers[i]);

        if (res->headers[i].id != PL_HEADER_VARY)
            continue;
        all = all.data == NULL
                  ? value
                  : pl_arena_printf(arena, "%.*s, %.*s", PL_STR_ARG(all),
                                    PL_STR_ARG(value));
    }
    return all;
}

int pl_vary_add(struct pl_response *res, struct pl_str name)
{
    struct pl_arena *arena =
        &PL_CONTAINER_OF(res, struct pl_request, response)->arena;
    struct pl_str said = join(res, arena);

    if (pl_header_list_has(said, name) || pl_header_list_has(said, PL_STR("*")))
        return 0;
    if (said.len > 0)
        name = pl_arena_printf(arena, "%.*s, %.*s", PL_STR_ARG(said),
                               PL_STR_ARG(name));
    return name.data == NULL ? PL_ERR_NOMEM
                             : pl_response_set(res, PL_STR("Vary"), name);
}
