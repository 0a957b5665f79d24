/* lua_wait.c - one Lua task that waits N times, each time for an operation that
 * is done in the same turn of the loop. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/vm.h"
#include "lua/wait.h"

static struct pl_op soon, wait;

static void complete(struct pl_op *op)
{
    (void)op;
    pl_op_complete(&wait, 0);
}

/* soon() -> 0 */
static int soon_begin(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "soon");

    pl_op_init(&wait, co->task.sched, NULL);
    pl_op_begin(&wait);
    pl_op_init(&soon, co->task.sched, NULL);
    pl_op_begin(&soon);
    pl_op_complete(&soon, 0);
    pl_op_then(&soon, complete); /* from the run queue */
    return pl_co_wait(L, co, &wait, 0);
}

int main(int argc, char **argv)
{
    struct pl_loop_options options = {.backend = &pl_epoll};
    struct pl_vm_options vm_options = {.workers = 1};
    long n = argc > 1 ? atol(argv[1]) : 3000000;
    struct pl_vm_load load;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_vm *vm;
    uint64_t start;
    char code[128];

    PL_ASSERT(pl_loop_new(&options, &loop) == 0);
    PL_ASSERT(pl_sched_init(&sched, loop, NULL) == 0);
    PL_ASSERT(pl_vm_new(&sched, &vm_options, &vm, NULL) == 0);
    lua_pushcfunction(pl_vm_state(vm), soon_begin);
    lua_setglobal(pl_vm_state(vm), "soon");
    snprintf(code, sizeof(code),
             "for i = 1, %ld do if soon() < 0 then error() end end", n);
    start = pl_clock_monotonic();
    pl_vm_load_text_begin(&load, vm, "=bench", pl_str_c(code));
    while (load.op.state != PL_OP_DONE)
        pl_loop_step(loop, 0);
    printf("%.1f ns a wait\n",
           (double)(pl_clock_monotonic() - start) / (double)n);
    PL_ASSERT(load.error.code == 0);
    pl_vm_free(vm);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    return 0;
}
