/* connection.h - one connection of a whole worker on a scripted loop, for fuzz
 * targets: handlers that do what handlers do, and a client of which the first
 * bytes of the input say how the rest is cut, how fast it reads, how time
 * passes and how it leaves. All memory must be given back. */
#ifndef PL_TESTS_FUZZ_CONNECTION_H
#define PL_TESTS_FUZZ_CONNECTION_H

#include "../unit/answers.h"
#include "../unit/bodies.h"

#include "base/check.h"
#include "base/log.h"
#include "filters/coders.h"
#include "http/http.h"
#include "http/request.h"
#include "loop/scripted.h"
#include "route/chain.h"
#include "route/dispatch.h"
#include "task/fiber.h"

enum { MS = 1000000, REQUESTS = 4096, MAX_UPLOAD = 200000 };

/* ---- handlers ---- */

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    pl_response_set(res, PL_STR("ETag"), PL_STR("\"1\""));
    return pl_response_bytes(res, PL_STR("hello, world"), NULL, NULL);
}

/* Sends the body back while it comes. Whatever was said before it broke off
 * cannot be taken back: so it is whole, as far as this stream goes. */
static int stream(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_drain_op drain;
    char piece[700];
    ssize_t n;
    int err;

    while ((n = pl_body_read(req, piece, sizeof(piece))) != 0) {
        if (n == PL_ERR_AGAIN) {
            if (wait_body(req) < 0)
                return 0;
            continue;
        }
        if (n < 0)
            return 0;
        err = pl_response_push(res, pl_str(piece, (size_t)n));
        if (err == PL_ERR_AGAIN) {
            pl_response_drain_begin(&drain, res);
            err = pl_op_wait(&drain.op);
        }
        if (err < 0)
            return 0;
    }
    return pl_response_push(res, PL_STR("."));
}

static int nap(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_fiber_sleep(20);

    return err < 0 ? err : 204;
}

static char large[70000];

static int send_large(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    pl_response_set(res, PL_STR("ETag"), PL_STR("\"2\""));
    return pl_response_bytes(res, pl_str(large, sizeof(large)), NULL, NULL);
}

static int pass_on(struct pl_request *req, struct pl_response *res,
                   const struct pl_next *next, void *arg)
{
    return pl_next(req, next);
}

/* ---- the worker ---- */

static struct {
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_http http;
    struct pl_http_settings settings;
    struct pl_router *router;
    struct pl_listener *listener;
    struct pl_script *script;
    uint64_t now;
    int listen_fd;
    bool heads[REQUESTS]; /* which requests were HEAD, in their order */
    unsigned finished;
} world;

static void on_request(void *arg, struct pl_request *req)
{
    (void)arg;
    pl_dispatch(world.router, req);
}

/* Requests may end in another order than they came in. */
static void on_finished(void *arg, struct pl_request *req)
{
    uint64_t step = 0x9e3779b97f4a7c15u, id = world.http.id_seed + step;
    unsigned n = 0;

    (void)arg;
    for (; id != req->id; id += step)
        n++;
    if (n < REQUESTS)
        world.heads[n] = req->head;
    world.finished++;
}

static const struct pl_http_ops ops = {.request = on_request,
                                       .finished = on_finished};

static bool http2;                                           /* is spoken */
static const struct pl_protocol *protocol = &pl_h1_protocol; /* of listeners */
static struct pl_filter *around; /* of all routes; or NULL. BORROWED */

static void add(const char *pattern, pl_handler_fn *fn, bool filtered)
{
    struct pl_filter *filter = pl_fiber_filter_new(pass_on, NULL, NULL);
    struct pl_route route = {
        .pattern = pattern,
        .methods = PL_METHODS_ANY & ~PL_METHOD_BIT(PL_METHOD_DELETE),
        .expires = -1,
        .chain = pl_chain_new(&filter, filtered,
                              pl_fiber_handler_new(fn, NULL, NULL))};

    if (!filtered)
        pl_filter_drop(filter);
    if (around != NULL)
        PL_ASSERT(pl_chain_wrap(&route.chain, around) == 0);
    PL_ASSERT(pl_router_add(world.router, &route, NULL) == 0);
}

static void make_world(void)
{
    struct pl_loop_options options = {.backend = &pl_scripted,
                                      .clock = pl_fake_clock,
                                      .clock_arg = &world.now};

    pl_log_level = PL_LOG_LEVELS;
    world.now = (uint64_t)1000 * MS;
    world.finished = 0;
    PL_ASSERT(pl_loop_new(&options, &world.loop) == 0);
    PL_ASSERT(pl_sched_init(&world.sched, world.loop, NULL) == 0);
    PL_ASSERT(pl_net_init(&world.net, world.loop, NULL) == 0);
    world.settings = pl_http_default_settings;
    world.settings.body.max_body = 10000;
    world.settings.body.max_upload = MAX_UPLOAD;
    world.settings.h2.on = http2;
    world.router = pl_router_new();
    add("/", hello, false);
    add("/e", echo_whole, true);
    add("/s", stream, false);
    add("/n", nap, true);
    add("/l", send_large, false);
    pl_http_init(&world.http, &world.net, &world.sched, &world.settings, &ops,
                 NULL);
    world.script = pl_script_of(world.loop);
    world.listen_fd = pl_script_listen(world.script);
    PL_ASSERT(pl_listener_start(&world.net, world.listen_fd, false, false,
                                protocol, &world.http, &world.listener) == 0);
}

static void turns(int n)
{
    while (n-- > 0)
        PL_ASSERT(pl_loop_step(world.loop, 0) >= 0);
}

static void pass(uint64_t ms)
{
    world.now += ms * MS;
    turns(3);
}

static void end_world(int far)
{
    if (!pl_script_closed(world.script, far))
        pl_script_reset(world.script, far);
    pl_listener_stop(world.listener);
    turns(8);
    PL_ASSERT(world.net.stats.open == 0 && world.http.stats.open == 0);
    PL_ASSERT(world.finished == world.http.stats.requests);
    pl_router_free(world.router);
    pl_coders_free(world.http.coders);
    pl_net_fini(&world.net);
    pl_sched_fini(&world.sched);
    pl_loop_free(world.loop); /* asserts that all memory was given back */
}

/* ---- the client ---- */

static uint32_t dice;

static uint32_t roll(uint32_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % sides;
}

/* Everything that has come, kept together. */
static struct received {
    char *data;
    size_t len, room;
} all;

static void take(int far)
{
    struct pl_str got = pl_script_received(world.script, far);

    if (all.len + got.len > all.room) {
        all.room = (all.len + got.len) * 2;
        all.data = realloc(all.data, all.room);
    }
    if (got.len > 0)
        memcpy(all.data + all.len, got.data, got.len);
    all.len += got.len;
    pl_script_take(world.script, far, got.len);
}

/* Does what the input says, behind those bytes. Returns whether what came may
 * have been cut off: it is in all. */
static bool run_client(const uint8_t *data, size_t size, struct pl_str first)
{
    static const uint16_t windows[] = {1, 100, 5000, 60000};
    struct pl_str rest;
    uint8_t how, most;
    bool slow, leaves, cut;
    int far;

    most = data[0];
    how = data[1];
    dice = data[2];
    slow = how & 4;
    leaves = how & 8;
    rest = pl_str((const char *)data + 3, size - 3);
    make_world();
    all.len = 0;
    far = pl_script_connect(world.script, world.listen_fd);
    pl_script_window(world.script, far, windows[how & 3] + 100u * (how >> 6));
    pl_script_send(world.script, far, first);
    while (rest.len > 0) {
        struct pl_str part = pl_str_first(rest, 1 + roll(most + 1u));

        pl_script_send(world.script, far, part);
        rest = pl_str_skip(rest, part.len);
        turns(1 + (int)roll(3));
        if (!slow || roll(4) == 0)
            take(far);
        if ((how & 16) && roll(8) == 0)
            pass(roll(3) == 0 ? 11000 : 25);
    }
    if (how & 32)
        pl_script_finish(world.script, far);
    if (leaves)
        pl_script_reset(world.script, far);
    for (int quiet = 0; quiet < 6; quiet++) {
        size_t before = all.len;

        pass(10);
        take(far);
        quiet = all.len > before ? 0 : quiet;
    }
    cut = leaves || !pl_script_finished(world.script, far);
    end_world(far);
    return cut;
}

#endif
