/* counter.c - a native module: a handler and a method of requests that count,
 * and a count that outlives the code.
 *
 *     cc -shared -fPIC counter.c -o counter.so
 */
#include <perilune.h>
#include <stdlib.h>

PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);

/* What a worker has counted; its version comes first, so that code which knows
 * another one sees that it does not know this. */
enum { VERSION = 1 };

struct counter {
    int version;
    uint64_t count;
};

/* A former generation hands its counter on, and both use it until that one has
 * nothing left to do. */
int on_load(void *ctx, struct pl_module_params *params, int reload)
{
    struct counter *counter = params->state;
    const char *start = pl_module_option(params, "start");

    (void)ctx;
    if (reload && counter->version == VERSION)
        return 0;
    counter = malloc(sizeof(*counter));
    if (counter == NULL)
        return PL_ERR_NOMEM;
    counter->version = VERSION;
    counter->count = start == NULL ? 0 : strtoull(start, NULL, 10);
    params->state = counter;
    return 0;
}

int on_unload(void *ctx, struct pl_module_params *params, int reload)
{
    (void)ctx;
    (void)reload;
    if (!params->shared)
        free(params->state);
    return 0;
}

/* What to build anew with another text, while the server runs. */
#ifndef GREETING
#define GREETING "visit"
#endif

/* pl.get("/", pl.handler "visit"): on a fiber, so it may wait. */
PL_HANDLER(visit)
{
    struct pl_module_params *params = arg;
    struct counter *counter = params->state;
    unsigned long long count = ++counter->count;
    int err = pl_sleep(req, 1);

    return err < 0 ? err
                   : pl_respondf(res, 200, "text/plain",
                                 GREETING " %llu of worker %u\n", count,
                                 params->worker);
}

/* req:visits(add) -> number: the same in a handler of Lua. */
PL_LUA_METHOD(visits)
{
    struct pl_module_params *params = arg;
    struct counter *counter = params->state;
    double add = 0;

    (void)req;
    if (pl_lua_args(call) > 0 && !pl_lua_arg_number(call, 1, &add))
        return PL_ERR_INVALID;
    if (add < 0)
        return PL_ERR_INVALID; /* nil, err */
    counter->count += (uint64_t)add;
    return pl_lua_return_number(call, (double)counter->count);
}
