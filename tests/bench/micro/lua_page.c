/* lua_page.c - N requests for a dynamic page with ten expressions. */
#include "lua/site.h"
#include "request.h"

static const char site[] =
    "local pl = require 'perilune'\n"
    "user = { name = 'Selene <of the moon>', age = 4500000000, phase = 0.75,\n"
    "  home = 'Sea of Tranquility', likes = { 'tides', 'owls & cats' } }\n"
    "pl.pages('/', { root = '%s', check = false })\n";

/* The page of the benchmark beside nginx+Lua. */
static const char page[] =
    "<!doctype html>\n<title><%= user.name %></title>\n"
    "<h1>Hello, <%= req.args.name %>!</h1>\n"
    "<table>\n<tr><th>name<td><%= user.name %>\n"
    "<tr><th>age<td><%= user.age %>\n"
    "<tr><th>in a year<td><%= user.age + 1 %>\n"
    "<tr><th>phase<td><%= user.phase %>\n"
    "<tr><th>home<td><%= user.home %>\n</table>\n"
    "<p>likes <%= user.likes[1] %> and <%= user.likes[2] %>,\n"
    "<%= #user.likes %> things</p>\n";

static void write_page(const char *folder, char *path, size_t size)
{
    FILE *file;

    snprintf(path, size, "%s/page.lsp", folder);
    file = fopen(path, "w");
    PL_ASSERT(file != NULL && fputs(page, file) >= 0 && fclose(file) == 0);
}

static void load(struct bench *bench, struct pl_vm *vm, const char *folder)
{
    struct pl_vm_load load;
    char text[512];

    snprintf(text, sizeof(text), site, folder);
    pl_vm_load_text_begin(&load, vm, "=site.lua", pl_str_c(text));
    while (load.op.state != PL_OP_DONE)
        PL_ASSERT(pl_loop_step(bench->loop, 0) >= 0);
    PL_ASSERT(load.op.result == 0);
    PL_ASSERT(pl_vm_commit(vm, NULL) == 0);
}

static void run(long n, const char *folder)
{
    struct pl_vm_options options = {.workers = 1};
    struct bench bench;
    struct pl_op drained;
    struct pl_vm *vm;

    bench_open(&bench);
    PL_ASSERT(pl_vm_new(&bench.sched, &options, &vm, NULL) == 0);
    PL_ASSERT(pl_lua_site_open(vm, bench.site, NULL) == 0);
    load(&bench, vm, folder);
    bench_run(&bench, n,
              PL_STR("GET /page?name=moon HTTP/1.1\r\nHost: a\r\n\r\n"),
              PL_STR("owls &amp; cats,\n2 things</p>\n"));
    bench_hang_up(&bench);
    pl_vm_stop_begin(&drained, vm);
    while (drained.state != PL_OP_DONE)
        PL_ASSERT(pl_loop_step(bench.loop, 0) >= 0);
    pl_site_free(bench.site);
    pl_vm_free(vm);
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/bench-page-XXXXXX", path[64];

    PL_ASSERT(mkdtemp(folder) != NULL);
    write_page(folder, path, sizeof(path));
    run(argc > 1 ? atol(argv[1]) : 1000000, folder);
    PL_ASSERT(unlink(path) == 0 && rmdir(folder) == 0);
    return 0;
}
