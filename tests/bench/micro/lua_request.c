/* lua_request.c - N requests that a Lua function answers: hello from Lua. */
#include "lua/site.h"
#include "request.h"

static const char site[] = "local pl = require 'perilune'\n"
                           "pl.get('/echo', function(req)\n"
                           "  return 'Hello, ' .. req.args.name .. '!'\n"
                           "end)\n";

static void load(struct bench *bench, struct pl_vm *vm)
{
    struct pl_vm_load load;

    pl_vm_load_text_begin(&load, vm, "=site.lua", pl_str_c(site));
    while (load.op.state != PL_OP_DONE)
        PL_ASSERT(pl_loop_step(bench->loop, 0) >= 0);
    PL_ASSERT(load.op.result == 0);
    PL_ASSERT(pl_vm_commit(vm, NULL) == 0);
}

int main(int argc, char **argv)
{
    struct pl_vm_options options = {.workers = 1};
    struct bench bench;
    struct pl_op drained;
    struct pl_vm *vm;

    bench_open(&bench);
    PL_ASSERT(pl_vm_new(&bench.sched, &options, &vm, NULL) == 0);
    PL_ASSERT(pl_lua_site_open(vm, bench.site, NULL) == 0);
    load(&bench, vm);
    bench_run(&bench, argc > 1 ? atol(argv[1]) : 1000000,
              PL_STR("GET /echo?name=moon HTTP/1.1\r\nHost: a\r\n\r\n"),
              PL_STR("\r\nHello, moon!"));
    bench_hang_up(&bench);
    pl_vm_stop_begin(&drained, vm);
    while (drained.state != PL_OP_DONE)
        PL_ASSERT(pl_loop_step(bench.loop, 0) >= 0);
    pl_site_free(bench.site);
    pl_vm_free(vm);
    bench_close(&bench);
    return 0;
}
