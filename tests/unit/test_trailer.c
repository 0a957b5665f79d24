/* test_trailer.c - fields behind a body, and heads before the head. */
#include "h1_world.h"

#include "http/trailer.h"

#define CHUNKED "Transfer-Encoding: chunked\r\n"

/* ---- which ---- */

static const struct {
    const char *name;
    bool permitted;
} names[] = {
    {"Server-Timing", true},
    {"ETag", true},
    {"Digest", true},
    {"Repr-Digest", true},
    {"X-Anything", true},
    {"grpc-status", true},
    {"Content-Length", false},
    {"transfer-encoding", false},
    {"HOST", false},
    {"Trailer", false},
    {"Content-Type", false},
    {"Content-Encoding", false},
    {"Set-Cookie", false},
    {"Authorization", false},
    {"Cache-Control", false},
    {"Location", false},
    {"TE", false},
    {"Expect", false},
    {"If-None-Match", false},
    {"Connection", false},
};

static void test_trailer__some_fields_mean_nothing_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(names); i++)
        CHECK_INT(names[i].permitted,
                  pl_trailer_permitted(pl_str_c(names[i].name)), names[i].name);
}

/* ---- of a request ---- */

/* Answers with the trailers as "name=value;". */
static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str name, value, list = PL_STR("");
    char some[64];
    ssize_t n;

    while ((n = pl_request_read(req, some, sizeof(some))) > 0)
        ;
    if (n < 0)
        return (int)n;
    for (unsigned i = 0; pl_request_trailer_at(req, i, &name, &value); i++)
        list = pl_arena_printf(&req->arena, "%.*s%.*s=%.*s;", PL_STR_ARG(list),
                               PL_STR_ARG(name), PL_STR_ARG(value));
    return pl_response_bytes(res, list, NULL, NULL);
}

static const struct {
    const char *what, *lines;
    const char *want;
} received[] = {
    {"none", "", ""},
    {"one", "X-Sum: 5\r\n", "X-Sum=5;"},
    {"several, as they came", "B: 1\r\nA: 2\r\nB: 3\r\n", "B=1;A=2;B=3;"},
    {"trimmed", "A: \t b c \t\r\n", "A=b c;"},
    {"empty", "A:\r\nB: \r\n", "A=;B=;"},
    {"a colon in a value", "A: b:c\r\n", "A=b:c;"},
    {"not permitted: dropped",
     "Host: evil\r\nA: b\r\nContent-Length: 7\r\nAuthorization: x\r\n", "A=b;"},
};

static void test_trailer__of_a_request_can_be_read(void **state)
{
    (void)state;
    add_route(POST, "/show", show);
    for (size_t i = 0; i < PL_COUNT(received); i++) {
        int far = connect_far();

        send_far(far, "POST /show HTTP/1.1\r\n" HOST CHUNKED
                      "\r\n3\r\nabc\r\n0\r\n");
        send_far(far, received[i].lines);
        request(far, "\r\n"
                     "GET / HTTP/1.1\r\n" HOST "\r\n");
        expect_answer(far, 200, received[i].want, received[i].what);
        expect_answer(far, 200, "hello", "the next request");
    }
}

static void test_trailer__of_a_request_are_limited_in_number(void **state)
{
    int far = connect_far();

    (void)state;
    add_route(POST, "/show", show);
    send_far(far, "POST /show HTTP/1.1\r\n" HOST CHUNKED "\r\n0\r\n");
    for (unsigned i = 0; i < settings.h1.headers + 1; i++)
        send_far(far, "A: b\r\n");
    request(far, "\r\n");
    expect_status(far, 413, "too many");
}

/* ---- of a response ---- */

static int sum(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_response_trailer(res, PL_STR("X-Sum"), pl_str(NULL, 0));

    if (err == 0)
        err = pl_response_trailer(res, PL_STR("X-Never"), pl_str(NULL, 0));
    if (err == 0)
        err = pl_response_push(res, PL_STR("abc"));
    if (err == 0)
        err = pl_response_trailer(res, PL_STR("X-Late"), PL_STR("late"));
    if (err == 0)
        err = pl_response_trailer(res, PL_STR("x-sum"), PL_STR("1"));
    if (err == 0)
        err = pl_response_trailer(res, PL_STR("X-Sum"), PL_STR("3"));
    return err;
}

static void test_trailer__of_a_stream_follow_it(void **state)
{
    int far = connect_far();
    struct pl_str all;

    (void)state;
    add_route(GET, "/sum", sum);
    request(far, "GET /sum HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    all = pl_script_received(script, far);
    CHECK(pl_str_find(all, PL_STR("\r\nTrailer: X-Sum, X-Never\r\n")) > 0,
          "announced");
    CHECK(pl_str_find(all, PL_STR("\r\n\r\n3\r\nabc\r\n0\r\n"
                                  "X-Sum: 3\r\nX-Late: late\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\n")) > 0,
          "behind the last chunk, in front of the next response");
}

static int declared_sum(struct pl_request *req, struct pl_response *res,
                        void *arg)
{
    pl_response_set(res, PL_STR("Content-Length"), PL_STR("3"));
    return sum(req, res, arg);
}

static void test_trailer__need_chunks(void **state)
{
    static const char *const requests[] = {
        "GET /declared-sum HTTP/1.1\r\n" HOST "\r\n",
        "GET /sum HTTP/1.0\r\n\r\n",
    };

    (void)state;
    add_route(GET, "/sum", sum);
    add_route(GET, "/declared-sum", declared_sum);
    for (size_t i = 0; i < PL_COUNT(requests); i++) {
        int far = connect_far();
        struct pl_str all;

        request(far, requests[i]);
        all = pl_script_received(script, far);
        CHECK(pl_str_find(all, PL_STR("X-Sum")) < 0, requests[i]);
        CHECK(pl_str_ends(all, PL_STR("\r\n\r\nabc")), requests[i]);
    }
}

static int misuse(struct pl_request *req, struct pl_response *res, void *arg)
{
    char name[] = "X-00";
    int err = 0;

    CHECK_INT(PL_ERR_DENIED,
              pl_response_trailer(res, PL_STR("Content-Length"), PL_STR("1")),
              "framing");
    CHECK_INT(PL_ERR_INVALID,
              pl_response_trailer(res, PL_STR("a b"), PL_STR("1")), "name");
    CHECK_INT(PL_ERR_INVALID,
              pl_response_trailer(res, PL_STR("a"), PL_STR("1\r\nb: c")),
              "value");
    for (int i = 0; i < 99 && err == 0; i++) {
        name[2] = (char)('0' + i / 10);
        name[3] = (char)('0' + i % 10);
        err = pl_response_trailer(res, pl_str_c(name), PL_STR("1"));
    }
    CHECK_INT(PL_ERR_LIMIT, err, "too many");
    return say(res, "done");
}

static void test_trailer__misuse_is_an_error(void **state)
{
    int far = connect_far();

    (void)state;
    add_route(GET, "/misuse", misuse);
    request(far, "GET /misuse HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "done", "a whole body has no trailers");
    CHECK(pl_str_find(answer.head, PL_STR("railer")) < 0, "nor announces any");
}

/* ---- before the head ---- */

static int hint(struct pl_request *req, struct pl_response *res, void *arg)
{
    static const struct pl_pair links[] = {
        {PL_STR("Link"), PL_STR("</a.css>; rel=preload; as=style")},
        {PL_STR("Link"), PL_STR("</b.js>; rel=preload; as=script")},
    };
    static const struct pl_pair length = {PL_STR("Content-Length"),
                                          PL_STR("1")};
    int err = pl_response_informational(res, 103, links, PL_COUNT(links));

    if (err < 0)
        return err;
    CHECK_INT(PL_ERR_INVALID, pl_response_informational(res, 101, NULL, 0),
              "101");
    CHECK_INT(PL_ERR_INVALID, pl_response_informational(res, 100, NULL, 0),
              "100");
    CHECK_INT(PL_ERR_INVALID, pl_response_informational(res, 200, NULL, 0),
              "200");
    CHECK_INT(PL_ERR_DENIED, pl_response_informational(res, 103, &length, 1),
              "framing");
    err = park(req, res, arg);
    if (err == 0)
        err = pl_response_send(res);
    CHECK_INT(PL_ERR_STATE, pl_response_informational(res, 103, links, 1),
              "the head has left");
    return err;
}

#define HINTS                                                                  \
    "HTTP/1.1 103 Early Hints\r\n"                                             \
    "Link: </a.css>; rel=preload; as=style\r\n"                                \
    "Link: </b.js>; rel=preload; as=script\r\n\r\n"

static void test_inform__hints_leave_at_once(void **state)
{
    int far = connect_far();
    struct pl_str got;

    (void)state;
    add_route(GET, "/hint", hint);
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /hint HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "the answer before");
    got = pl_script_received(script, far);
    CHECK_STR(HINTS, got, "before the handler is done");
    pl_script_take(script, far, got.len);
    pl_op_complete(&gate, 0);
    settle();
    got = pl_script_received(script, far);
    CHECK(pl_str_starts(got, PL_STR("HTTP/1.1 200 OK\r\n")), "the response");
}

static void test_inform__old_clients_are_told_nothing(void **state)
{
    int far = connect_far();

    (void)state;
    add_route(GET, "/hint", hint);
    request(far, "GET /hint HTTP/1.0\r\n\r\n");
    CHECK_STR("", pl_script_received(script, far), "no 1xx in HTTP/1.0");
    pl_op_complete(&gate, 0);
    settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WHOLE(test_trailer__some_fields_mean_nothing_there),
        BOTH(test_trailer__of_a_request_can_be_read),
        BOTH(test_trailer__of_a_request_are_limited_in_number),
        BOTH(test_trailer__of_a_stream_follow_it),
        BOTH(test_trailer__need_chunks),
        BOTH(test_trailer__misuse_is_an_error),
        BOTH(test_inform__hints_leave_at_once),
        WHOLE(test_inform__old_clients_are_told_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
