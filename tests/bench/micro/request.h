/* request.h - one connection in memory on which a site answers requests: the
 * whole way from the bytes of a request to those of its response. */
#ifndef PL_BENCH_REQUEST_H
#define PL_BENCH_REQUEST_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"
#include "loop/scripted.h"
#include "net/listener.h"
#include "route/dispatch.h"
#include "route/site.h"

struct bench {
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_http http;
    struct pl_listener *listener;
    struct pl_site *site;
    int far;
};

static void bench_request(void *arg, struct pl_request *req)
{
    struct bench *bench = arg;

    pl_dispatch(bench->site->router, req);
}

static void bench_finished(void *arg, struct pl_request *req)
{
    (void)arg;
    (void)req;
}

static void bench_open(struct bench *bench)
{
    static const struct pl_http_ops ops = {.request = bench_request,
                                           .finished = bench_finished};
    struct pl_loop_options options = {.backend = &pl_scripted};
    int listener;

    PL_ASSERT(pl_loop_new(&options, &bench->loop) == 0);
    PL_ASSERT(pl_sched_init(&bench->sched, bench->loop, NULL) == 0);
    PL_ASSERT(pl_net_init(&bench->net, bench->loop, NULL) == 0);
    bench->site = pl_site_new();
    PL_ASSERT(bench->site != NULL);
    pl_http_init(&bench->http, &bench->net, &bench->sched, &bench->site->http,
                 &ops, bench);
    listener = pl_script_listen(pl_script_of(bench->loop));
    PL_ASSERT(pl_listener_start(&bench->net, listener, false, false,
                                &pl_h1_protocol, &bench->http,
                                &bench->listener) == 0);
    bench->far = pl_script_connect(pl_script_of(bench->loop), listener);
}

/* Sends a request and turns the loop until the response is there, which must
 * end with end. */
static void bench_ask(struct bench *bench, struct pl_str request,
                      struct pl_str end)
{
    struct pl_script *script = pl_script_of(bench->loop);
    struct pl_str got;

    pl_script_send(script, bench->far, request);
    for (;;) {
        PL_ASSERT(pl_loop_step(bench->loop, 0) >= 0);
        got = pl_script_received(script, bench->far);
        if (got.len > 0)
            break;
        sched_yield(); /* an offload thread has it: in the first only */
    }
    PL_ASSERT(pl_str_ends(got, end));
    pl_script_take(script, bench->far, got.len);
}

/* Asks n times and prints what one takes; memory is taken in the first only. */
static void bench_run(struct bench *bench, long n, struct pl_str request,
                      struct pl_str end)
{
    struct pl_pool *pool = pl_loop_pool(bench->loop);
    uint64_t start, mallocs;

    bench_ask(bench, request, end);
    mallocs = pool->mallocs;
    start = pl_clock_monotonic();
    for (long i = 0; i < n; i++)
        bench_ask(bench, request, end);
    printf("%.1f ns a request\n",
           (double)(pl_clock_monotonic() - start) / (double)n);
    PL_ASSERT(pool->mallocs == mallocs);
}

/* Closes the connection; what still runs on the loop ends. */
static void bench_hang_up(struct bench *bench)
{
    pl_script_close(pl_script_of(bench->loop), bench->far);
    while (bench->net.stats.open > 0)
        PL_ASSERT(pl_loop_step(bench->loop, 0) >= 0);
    pl_listener_stop(bench->listener);
    PL_ASSERT(pl_loop_step(bench->loop, 0) >= 0);
}

static void bench_close(struct bench *bench)
{
    pl_net_fini(&bench->net);
    pl_sched_fini(&bench->sched);
    pl_loop_free(bench->loop);
}

#endif
