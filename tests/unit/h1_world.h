/* h1_world.h - a site of handlers that do what handlers do, for the tests of
 * HTTP/1: nearly every one runs with whole reads, and byte by byte. */
#ifndef PL_TESTS_H1_WORLD_H
#define PL_TESTS_H1_WORLD_H

#include "bodies.h"
#include "http_world.h"

#define GET PL_METHOD_BIT(PL_METHOD_GET)
#define POST PL_METHOD_BIT(PL_METHOD_POST)

/* ---- handlers ---- */

static int say(struct pl_response *res, const char *text)
{
    return pl_response_bytes(res, pl_str_c(text), NULL, NULL);
}

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    return say(res, "hello");
}

/* Answers with the body, read in small pieces. */
static int echo(struct pl_request *req, struct pl_response *res, void *arg)
{
    size_t room = req->body.length >= 0 ? (size_t)req->body.length : 4096;
    char *all = pl_arena_bytes(&req->arena, room + 1);
    size_t len = 0;
    ssize_t n;

    for (;;) {
        n = pl_body_read(req, all + len, PL_MIN(room + 1 - len, 1000));
        if (n == 0)
            return pl_response_bytes(res, pl_str(all, len), NULL, NULL);
        if (n == PL_ERR_AGAIN)
            n = wait_body(req);
        else if (n > 0)
            len += (size_t)n;
        if (n < 0)
            return (int)n;
    }
}

/* ---- a handler that waits until the test says so ---- */

static struct pl_op gate;
static int gate_result;

static void cancel_gate(struct pl_op *op)
{
    pl_op_complete(op, PL_ERR_CANCELED);
}

static int wait_gate(struct pl_request *req)
{
    note('p');
    pl_op_init(&gate, req->http->sched, cancel_gate);
    pl_op_begin(&gate);
    gate_result = pl_op_wait(&gate);
    note(gate_result == PL_ERR_CANCELED ? 'x' : 'g');
    return gate_result;
}

static int park(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = wait_gate(req);

    return err < 0 ? err : say(res, "parked");
}

/* The first half has left when it waits. */
static int halves(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_response_set(res, PL_STR("Content-Length"), PL_STR("2"));

    if (err == 0)
        err = pl_response_push(res, PL_STR("a"));
    if (err == 0)
        err = wait_gate(req);
    return err < 0 ? err : pl_response_push(res, PL_STR("b"));
}

PL_UNUSED static void open_gate(void)
{
    pl_op_complete(&gate, 0);
    settle();
}

static int park_and_echo(struct pl_request *req, struct pl_response *res,
                         void *arg)
{
    int err = park(req, res, arg);

    return err < 0 ? err : echo(req, res, arg);
}

/* Reads all but a little of what is there, whenever something has come. */
static int stay_behind(struct pl_request *req, struct pl_response *res,
                       void *arg)
{
    struct pl_str some;
    int err = 0;

    while (err == 0 && !req->body.complete) {
        err = wait_body(req);
        if (err == 0)
            err = pl_body_peek(req, SIZE_MAX, &some);
        if (err == 0 && some.len > 100)
            pl_body_skip(req, some.len - 100);
        if (err == 0) /* what is left is there at once: let others run */
            err = pl_fiber_sleep(1);
    }
    return err < 0 ? err : say(res, "behind");
}

/* ---- streams: ?n pieces of 1000 bytes ---- */

static size_t pushed;

static int drain(struct pl_response *res)
{
    struct pl_drain_op wait;

    pl_response_drain_begin(&wait, res);
    return pl_op_wait(&wait.op);
}

static int stream(struct pl_request *req, struct pl_response *res, void *arg)
{
    char piece[1000];
    uint64_t n = 3;
    int err = 0;

    pl_str_to_u64(req->query, &n);
    for (uint64_t i = 0; i < n && err >= 0; i++) {
        memset(piece, 'a' + (int)(i % 26), sizeof(piece));
        err = pl_response_push(res, pl_str(piece, sizeof(piece)));
        if (err == PL_ERR_AGAIN)
            err = drain(res);
        if (err == 0)
            pushed += sizeof(piece);
    }
    return err;
}

static int break_stream(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    pl_response_push(res, PL_STR("abc"));
    return PL_ERR_IO;
}

/* Declares 10 bytes and says as many as the query. */
static int declared(struct pl_request *req, struct pl_response *res, void *arg)
{
    uint64_t n = 0;
    int err;

    pl_str_to_u64(req->query, &n);
    err = pl_response_set(res, PL_STR("Content-Length"), PL_STR("10"));
    for (; err == 0 && n > 0; n--)
        err = pl_response_push(res, PL_STR("x"));
    note(err == PL_ERR_LIMIT ? 'L' : 'k');
    return err;
}

/* A hint before, and a field behind it. */
static int with_trailer(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    struct pl_pair hint = {PL_STR("Link"), PL_STR("</a.css>")};
    int err = pl_response_informational(res, 103, &hint, 1);

    if (err == 0)
        err = pl_response_push(res, PL_STR("abc"));
    return err < 0 ? err
                   : pl_response_trailer(res, PL_STR("X-Sum"), PL_STR("7"));
}

/* ---- contents ---- */

static char large[300000];
static int content_released;

static void release_content(void *arg)
{
    content_released++;
}

static int send_large(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    return pl_response_bytes(res, pl_str(large, sizeof(large)), release_content,
                             NULL);
}

static int content_file = -1;

static int send_file(struct pl_request *req, struct pl_response *res, void *arg)
{
    uint64_t len = sizeof(large);

    pl_str_to_u64(req->query, &len);
    return pl_response_file(res, content_file, 0, len, release_content, NULL);
}

static int tagged(struct pl_request *req, struct pl_response *res, void *arg)
{
    pl_response_set(res, PL_STR("ETag"), PL_STR("\"v1\""));
    pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/plain"));
    return say(res, "0123456789");
}

static int tagged_stream(struct pl_request *req, struct pl_response *res,
                         void *arg)
{
    int err = pl_response_set(res, PL_STR("ETag"), PL_STR("\"v1\""));

    for (int i = 0; err == 0 && i < 3; i++)
        err = pl_response_push(res, PL_STR("abc"));
    note(err == 0 ? 'k' : 'E');
    return err;
}

PL_UNUSED static void fill_large(void)
{
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 7 + i / 251);
    content_released = 0;
}

/* ---- results ---- */

static int result(struct pl_request *req, struct pl_response *res, void *arg)
{
    uint64_t code = 0;

    pl_str_to_u64(req->query, &code);
    return code < 100 ? -(int)code : (int)code;
}

static int error_page(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    return pl_response_error(res, 403, PL_STR("<no>"));
}

PL_UNUSED static int make(void **state)
{
    make_http(state);
    add_route(GET, "/", hello);
    add_route(POST, "/", hello); /* does not read its body */
    add_route(POST, "/echo", echo);
    add_route(POST, "/whole", echo_whole);
    add_route(GET | POST, "/park", park);
    add_route(GET, "/halves", halves);
    add_route(POST, "/park-and-echo", park_and_echo);
    add_route(POST, "/behind", stay_behind);
    add_route(GET, "/stream", stream);
    add_route(GET, "/break", break_stream);
    add_route(GET, "/declared", declared);
    add_route(GET, "/trailer", with_trailer);
    add_route(GET, "/large", send_large);
    add_route(GET, "/file", send_file);
    add_route(GET, "/tagged", tagged);
    add_route(GET, "/tagged-stream", tagged_stream);
    add_route(GET, "/result", result);
    add_route(GET, "/error", error_page);
    pushed = 0;
    return 0;
}

#define HOST "Host: a\r\n"

MAKE_IN_PIECES(make)
#define BOTH(name) BOTH_WAYS(name, make, end_http)
#define WHOLE(name) cmocka_unit_test_setup_teardown(name, make, end_http)

#endif
