/* admin_generation.c - the generations of a worker, and what keeps each of them
 * alive; on its thread. */
#include "base/str.h"
#include "http/request.h"
#include "lua/vm.h"
#include "server/admin_priv.h"

/* Who wants all of them asks for requests. */
enum { KEEPERS = 10 };

static const char *stage_of(const struct pl_generation *gen)
{
    static const char *const stages[] = {
        [PL_GENERATION_LOADING] = "loading",
        [PL_GENERATION_SERVING] = "serving",
        [PL_GENERATION_RETIRED] = "retired",
        [PL_GENERATION_ENDING] = "ending",
        [PL_GENERATION_CLOSING] = "closing",
    };

    return stages[gen->stage];
}

/* The worker's own reference is that of the one that serves. */
static uint64_t requests_of(const struct pl_generation *gen)
{
    return gen->refs - (gen->stage == PL_GENERATION_SERVING);
}

static void tell_keepers(const struct pl_generation *gen, uint64_t now,
                         struct pl_json_builder *json)
{
    unsigned left = KEEPERS;
    struct pl_list *node;

    pl_admin_array(json, "kept_by");
    PL_LIST_FOREACH (node, &gen->worker->http.requests) {
        struct pl_request *req = PL_LIST_ENTRY(node, struct pl_request, node);

        if (req->generation != gen || left == 0)
            continue;
        left--;
        pl_admin_tell_request(req, now, json);
    }
    pl_json_end(json);
}

/* Until what is left of it is cut off. */
static double time_left(const struct pl_generation *gen, uint64_t now)
{
    bool limited = gen->stage == PL_GENERATION_RETIRED && gen->timer.armed;

    return limited && gen->timer.due > now
               ? (double)(gen->timer.due - now) / 1e9
               : 0;
}

static void tell_generation(const struct pl_generation *gen,
                            struct pl_json_builder *json)
{
    uint64_t now = pl_now(gen->worker->loop);

    pl_json_begin_object(json);
    pl_admin_u64(json, "generation", gen->id);
    pl_admin_str(json, "stage", stage_of(gen));
    pl_admin_double(json, "age_s", (double)(now - gen->began) / 1e9);
    pl_admin_u64(json, "requests", requests_of(gen));
    if (gen->vm != NULL) {
        struct pl_vm_stats stats = pl_vm_stats(gen->vm);

        pl_admin_u64(json, "tasks", stats.tasks);
        pl_admin_u64(json, "lua_bytes", stats.bytes);
    }
    if (gen->stage != PL_GENERATION_SERVING) {
        pl_admin_double(json, "left_s", time_left(gen, now));
        tell_keepers(gen, now, json);
    }
    pl_json_end(json);
}

/* Those that were never committed are nobody's, and have no number. */
void pl_admin_tell_generations(const struct pl_worker *worker,
                               struct pl_json_builder *json)
{
    struct pl_list *node;

    pl_admin_array(json, "generations");
    PL_LIST_FOREACH (node, &worker->retired) {
        const struct pl_generation *gen =
            PL_LIST_ENTRY(node, struct pl_generation, node);

        if (gen->id != 0)
            tell_generation(gen, json);
    }
    if (worker->generation != NULL)
        tell_generation(worker->generation, json);
    pl_json_end(json);
}
