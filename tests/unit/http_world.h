/* http_world.h - a worker that answers HTTP/1, with the routes a test adds. */
#ifndef PL_TESTS_HTTP_WORLD_H
#define PL_TESTS_HTTP_WORLD_H

#include "net_world.h"

#include "answers.h"
#include "http/http.h"
#include "http/request.h"
#include "route/chain.h"
#include "route/dispatch.h"

static struct pl_http http;
static struct pl_http_settings settings;
static struct pl_router *router;
static struct answer answer; /* the last one taken */
static unsigned finished;    /* requests whose last holder has gone */
static int last_status;      /* of the last of them */
static size_t chop;          /* bytes a turn; 0: no limit */

static void on_request(void *arg, struct pl_request *req)
{
    (void)arg;
    pl_dispatch(router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    (void)arg;
    finished++;
    last_status = req->response.status;
}

static const struct pl_http_ops http_ops = {.request = on_request,
                                            .finished = on_finished};

PL_UNUSED static void add_route(unsigned methods, const char *pattern,
                                pl_handler_fn *fn)
{
    struct pl_route route = {
        .pattern = pattern,
        .methods = methods,
        .expires = -1,
        .chain = pl_chain_new(NULL, 0, pl_fiber_handler_new(fn, NULL, NULL))};

    CHECK_INT(0, pl_router_add(router, &route, NULL), pattern);
}

PL_UNUSED static int make_http(void **state)
{
    make_net(state);
    settings = pl_http_default_settings;
    settings.server = pl_str(NULL, 0);
    router = pl_router_new();
    pl_http_init(&http, &net, &sched, &settings, &http_ops, NULL);
    start_listening(&pl_h1_protocol, &http);
    finished = 0;
    last_status = 0;
    pl_script_chop(script, chop);
    return 0;
}

PL_UNUSED static int end_http(void **state)
{
    pl_net_each(&net, close_it, NULL);
    turn(5); /* whoever waited has heard that its client has gone */
    CHECK_INT(0, http.stats.open, "no request is left");
    pl_router_free(router);
    free(answer.body);
    answer = (struct answer){0};
    return end_net(state);
}

/* Turns until nothing happens any more; time stands still. */
PL_UNUSED static void settle(void)
{
    for (int quiet = 0, n = 0; quiet < 4; n++) {
        int done = pl_loop_step(loop, 0);

        CHECK(done >= 0 && n < 5000000, "turn");
        quiet = done == 0 ? quiet + 1 : 0;
    }
}

PL_UNUSED static void request(int far, const char *text)
{
    send_far(far, text);
    settle();
}

/* What has come begins with a whole response to a request of that method. */
PL_UNUSED static const struct answer *next_answer_to(int far, bool head)
{
    struct pl_str all = pl_script_received(script, far), rest = all;
    static char kept[16384];
    int got =
        take_answer(&rest, head, pl_script_finished(script, far), &answer);

    if (got != ANSWER_WHOLE)
        fail_msg("no whole response (%d): \"%.*s\"", got, PL_STR_ARG(all));
    CHECK(answer.head.len <= sizeof(kept), "head");
    memcpy(kept, answer.head.data, answer.head.len);
    answer.head.data = kept;
    pl_script_take(script, far, all.len - rest.len);
    return &answer;
}

PL_UNUSED static const struct answer *next_answer(int far)
{
    return next_answer_to(far, false);
}

PL_UNUSED static void expect_answer(int far, int status, const char *body,
                                    const char *what)
{
    next_answer(far);
    CHECK_INT(status, answer.status, what);
    CHECK_STR(body, pl_str(answer.body, answer.len), what);
}

PL_UNUSED static void expect_status(int far, int status, const char *what)
{
    next_answer(far);
    CHECK_INT(status, answer.status, what);
}

PL_UNUSED static void expect_field(const char *name, const char *value)
{
    CHECK_STR(value, answer_field(answer.head, name), name);
}

/* Nothing more has come, and the connection is open, or closed by us. */
PL_UNUSED static void expect_open(int far, const char *what)
{
    CHECK_STR("", pl_script_received(script, far), what);
    CHECK(!pl_script_finished(script, far), what);
}

PL_UNUSED static void expect_closed(int far, const char *what)
{
    CHECK_STR("", pl_script_received(script, far), what);
    CHECK(pl_script_finished(script, far), what);
    CHECK(!pl_script_was_reset(script, far), what);
}

/* Every test runs with whole reads and writes, and byte by byte: BOTH_WAYS
 * after this for its make. */
#define MAKE_IN_PIECES(make)                                                   \
    PL_UNUSED static int make##_in_pieces(void **state)                        \
    {                                                                          \
        chop = 1;                                                              \
        make(state);                                                           \
        chop = 0;                                                              \
        return 0;                                                              \
    }
#define BOTH_WAYS(name, make, end)                                             \
    cmocka_unit_test_setup_teardown(name, make, end),                          \
    {                                                                          \
#name " (byte by byte)", name, make##_in_pieces, end, NULL             \
    }

MAKE_IN_PIECES(make_http)
#define HTTP_TEST(name) BOTH_WAYS(name, make_http, end_http)
#define HTTP_TEST_WHOLE(name)                                                  \
    cmocka_unit_test_setup_teardown(name, make_http, end_http)

#endif
