/* hello_c.c - N requests that a C function answers with a constant: hello from
 * C. */
#include "request.h"

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)req;
    (void)arg;
    return pl_respond(res, 200, "text/plain", PL_STR("Hello, World!"));
}

int main(int argc, char **argv)
{
    struct bench bench;

    bench_open(&bench);
    PL_ASSERT(pl_site_route(bench.site, PL_METHODS_ANY, PL_STR("/"), false,
                            pl_fiber_handler_new(hello, NULL, NULL), NULL, "",
                            NULL) == 0);
    bench_run(&bench, argc > 1 ? atol(argv[1]) : 1000000,
              PL_STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
              PL_STR("\r\nHello, World!"));
    bench_hang_up(&bench);
    pl_site_free(bench.site);
    bench_close(&bench);
    return 0;
}
