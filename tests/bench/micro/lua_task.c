/* lua_task.c - N Lua functions, each as a task of its own that does not wait:
 * what every Lua handler costs before it does anything. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/sys.h"
#include "lua/coroutine.h"
#include "lua/vm.h"

static void run(struct pl_vm *vm, int function)
{
    struct pl_co *co = pl_co_new(vm, NULL, NULL);

    PL_ASSERT(co != NULL);
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, function);
    lua_pushinteger(co->L, 1);
    pl_co_start(co, 1);
}

int main(int argc, char **argv)
{
    struct pl_loop_options options = {.backend = &pl_epoll};
    struct pl_vm_options vm_options = {.workers = 1};
    long n = argc > 1 ? atol(argv[1]) : 3000000;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_vm *vm;
    uint64_t start, mallocs;
    lua_State *L;
    int function;

    PL_ASSERT(pl_loop_new(&options, &loop) == 0);
    PL_ASSERT(pl_sched_init(&sched, loop, NULL) == 0);
    PL_ASSERT(pl_vm_new(&sched, &vm_options, &vm, NULL) == 0);
    L = pl_vm_state(vm);
    PL_ASSERT(luaL_loadstring(L, "local value = ... return value") == 0);
    function = luaL_ref(L, LUA_REGISTRYINDEX);
    run(vm, function); /* makes the thread */
    mallocs = pl_loop_pool(loop)->mallocs;
    start = pl_clock_monotonic();
    for (long i = 0; i < n; i++)
        run(vm, function);
    printf("%.1f ns a task\n",
           (double)(pl_clock_monotonic() - start) / (double)n);
    PL_ASSERT(pl_loop_pool(loop)->mallocs == mallocs);
    pl_vm_free(vm);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    return 0;
}
