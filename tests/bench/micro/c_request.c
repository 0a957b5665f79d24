/* c_request.c - N requests that a C function on a fiber answers: what
 * lua_request.c is compared with. */
#include "request.h"

static int echo(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str name = pl_request_arg(req, PL_STR("name"));
    struct pl_str text =
        pl_arena_printf(&req->arena, "Hello, %.*s!", PL_STR_ARG(name));

    (void)arg;
    pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/plain"));
    return pl_response_bytes(res, text, NULL, NULL);
}

int main(int argc, char **argv)
{
    struct bench bench;

    bench_open(&bench);
    PL_ASSERT(pl_site_route(bench.site, PL_METHODS_ANY, PL_STR("/echo"), false,
                            pl_fiber_handler_new(echo, NULL, NULL), NULL, "",
                            NULL) == 0);
    bench_run(&bench, argc > 1 ? atol(argv[1]) : 1000000,
              PL_STR("GET /echo?name=moon HTTP/1.1\r\nHost: a\r\n\r\n"),
              PL_STR("\r\nHello, moon!"));
    bench_hang_up(&bench);
    pl_site_free(bench.site);
    bench_close(&bench);
    return 0;
}
