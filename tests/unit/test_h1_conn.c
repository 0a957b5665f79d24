/* test_h1_conn.c - HTTP/1 from socket to handler and back. Nearly every test
 * runs twice: with whole reads, and byte by byte. */
#include "http_world.h"

#include <sys/mman.h>
#include <unistd.h>

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

static int wait_body(struct pl_request *req)
{
    struct pl_body_op wait;

    pl_body_wait_begin(&wait, req);
    return pl_op_wait(&wait.op);
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

/* The same at once, within the limit of the request. */
static int echo_whole(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    int err;

    while ((err = pl_body_whole(req)) == PL_ERR_AGAIN)
        if ((err = wait_body(req)) < 0)
            break;
    if (err < 0)
        return err;
    return pl_response_bytes(res, pl_buf_str(&req->body.whole), NULL, NULL);
}

/* ---- a handler that waits until the test says so ---- */

static struct pl_op gate;
static int gate_result;

static void cancel_gate(struct pl_op *op)
{
    pl_op_complete(op, PL_ERR_CANCELED);
}

static int park(struct pl_request *req, struct pl_response *res, void *arg)
{
    note('p');
    pl_op_init(&gate, req->http->sched, cancel_gate);
    pl_op_begin(&gate);
    gate_result = pl_op_wait(&gate);
    note(gate_result == PL_ERR_CANCELED ? 'x' : 'g');
    return gate_result < 0 ? gate_result : say(res, "parked");
}

static void open_gate(void)
{
    pl_op_complete(&gate, 0);
    settle();
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
    return err;
}

static void fill_large(void)
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

static int make(void **state)
{
    make_http(state);
    add_route(GET, "/", hello);
    add_route(POST, "/", hello); /* does not read its body */
    add_route(POST, "/echo", echo);
    add_route(POST, "/whole", echo_whole);
    add_route(GET | POST, "/park", park);
    add_route(GET, "/stream", stream);
    add_route(GET, "/break", break_stream);
    add_route(GET, "/declared", declared);
    add_route(GET, "/large", send_large);
    add_route(GET, "/file", send_file);
    add_route(GET, "/tagged", tagged);
    add_route(GET, "/tagged-stream", tagged_stream);
    add_route(GET, "/result", result);
    add_route(GET, "/error", error_page);
    pushed = 0;
    return 0;
}

static int make_pieces(void **state)
{
    chop = 1;
    make(state);
    chop = 0;
    return 0;
}

#define HOST "Host: a\r\n"

/* ---- requests in a row ---- */

static void test_h1_conn__keeps_the_connection(void **state)
{
    int far = connect_far();

    (void)state;
    for (int i = 0; i < 3; i++) {
        request(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
        expect_answer(far, 200, "hello", "answer");
        expect_field("content-length", "5");
        CHECK(!answer.close, "keep-alive is the default");
        CHECK(answer_field(answer.head, "date").len == 29, "date");
        expect_open(far, "open");
    }
    CHECK_INT(3, finished, "requests");
    CHECK_INT(1, net.stats.open, "connection");
}

static void test_h1_conn__closes_when_asked(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    expect_answer(far, 200, "hello", "answer");
    CHECK(answer.close, "said");
    expect_closed(far, "done");
}

static void test_h1_conn__answers_a_burst_in_one_send(void **state)
{
    int far = connect_far();
    unsigned before;

    (void)state;
    for (int i = 0; i < 16; i++)
        send_far(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
    before = pl_script_calls(script, "send");
    settle();
    CHECK_INT(1, pl_script_calls(script, "send") - before, "one send");
    for (int i = 0; i < 16; i++)
        expect_answer(far, 200, "hello", "answer");
    expect_open(far, "open");
}

static void test_h1_conn__answers_in_order(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /park HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                 "GET /result?404 HTTP/1.1\r\n" HOST "\r\n");
    expect_open(far, "the first one waits, and so do the others");
    open_gate();
    expect_answer(far, 200, "parked", "1");
    expect_answer(far, 200, "hello", "2");
    expect_answer(far, 200, "abc", "3");
    expect_status(far, 404, "4");
    expect_open(far, "open");
}

static void test_h1_conn__a_waiting_handler_holds_up_nobody_else(void **state)
{
    int slow = connect_far(), other = connect_far();

    (void)state;
    request(slow, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    request(other, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(other, 200, "hello", "other");
    open_gate();
    expect_answer(slow, 200, "parked", "slow");
}

/* ---- bodies ---- */

static void test_h1_conn__reads_bodies(void **state)
{
    int far = connect_far();

    (void)state;
    request(far,
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde"
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"
            "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: t\r\n\r\n"
            "POST /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "abcde", "length");
    expect_answer(far, 200, "", "length 0");
    expect_answer(far, 200, "abc0123456789", "chunked");
    expect_answer(far, 200, "", "none");
    expect_open(far, "open");
}

/* Larger than what the body buffers: the wire stops reading meanwhile. */
static void test_h1_conn__a_large_body_waits_for_its_reader(void **state)
{
    int far = connect_far();
    char head[100];

    (void)state;
    fill_large();
    snprintf(head, sizeof(head),
             "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
             sizeof(large));
    send_far(far, head);
    pl_script_send(script, far, pl_str(large, sizeof(large)));
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
    next_answer(far);
    CHECK_INT(sizeof(large), answer.len, "length");
    CHECK(memcmp(large, answer.body, answer.len) == 0, "bytes");
    expect_answer(far, 200, "hello", "the next one");
}

static void
test_h1_conn__a_body_nobody_reads_fills_its_buffer_only(void **state)
{
    int far = connect_far();

    (void)state;
    send_far(far, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n"
                  "\r\n");
    for (int i = 0; i < 3; i++)
        pl_script_send(script, far, pl_str(large, sizeof(large)));
    settle();
    CHECK(pl_loop_pool(loop)->account.used < 3 << 20, "not all of it");
    pass(20000); /* it is us who do not read */
    CHECK(!pl_script_finished(script, far), "no time-out");
    open_gate();
    expect_answer(far, 200, "parked", "answer");
    CHECK(answer.close, "the rest is too much to read");
    pl_script_finish(script, far);
    settle();
    expect_closed(far, "closed");
}

static void test_h1_conn__an_unread_body_is_drained(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");
    expect_answer(far, 200, "hello", "before the body has come");
    CHECK(!answer.close, "small enough");
    request(far, "abc");
    request(far, "deGET /result?404 HTTP/1.1\r\n" HOST "\r\n");
    expect_status(far, 404, "the next one");
    request(far, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n");
    expect_answer(far, 200, "hello", "chunked");
    request(far, "0\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "the next one");
    expect_open(far, "open");
}

static void test_h1_conn__too_much_unread_body_closes(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    expect_answer(far, 200, "hello", "answer");
    CHECK(answer.close, "said");
    expect_closed(far, "not read");
    pl_script_finish(script, far);
    settle();

    far = connect_far();
    request(far,
            "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    expect_answer(far, 200, "hello", "nobody knows how long");
    CHECK(!answer.close, "perhaps it is small");
    send_far(far, "100000\r\n");
    pl_script_send(script, far, pl_str(large, 270000));
    settle();
    expect_closed(far, "it was not");
}

static void test_h1_conn__a_broken_body_is_an_error(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST /echo HTTP/1.1\r\n" HOST
                 "Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    expect_status(far, 400, "no chunk");
    CHECK(answer.close, "nothing behind it can be trusted");
    expect_closed(far, "closed");

    far = connect_far();
    request(far, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabc");
    pl_script_finish(script, far);
    settle();
    expect_status(far, 400, "cut off");
    expect_closed(far, "closed");
}

static void test_h1_conn__bodies_have_a_limit(void **state)
{
    int far = connect_far();

    (void)state;
    settings.max_body = 10;
    request(far, "POST /whole HTTP/1.1\r\n" HOST
                 "Content-Length: 10\r\n\r\n0123456789");
    expect_answer(far, 200, "0123456789", "just so");
    request(far, "POST /whole HTTP/1.1\r\n" HOST
                 "Content-Length: 11\r\n\r\n01234567890");
    expect_status(far, 413, "announced");
    far = connect_far();
    request(far,
            "POST /whole HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
            "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n");
    expect_status(far, 413, "found out");
}

static void test_h1_conn__says_continue_to_who_waits_for_it(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST /echo HTTP/1.1\r\n" HOST
                 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    expect_status(far, 100, "the handler reads");
    expect_open(far, "and waits");
    request(far, "abc");
    expect_answer(far, 200, "abc", "answer");
    request(far, "POST / HTTP/1.1\r\n" HOST
                 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    expect_answer(far, 200, "hello", "no 100: the handler does not read");
    CHECK(answer.close, "who knows whether the body will come");
    pl_script_finish(script, far);
    settle();
    expect_closed(far, "closed");
}

static void test_h1_conn__no_continue_when_the_body_is_there(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST /echo HTTP/1.1\r\n" HOST
                 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    expect_answer(far, 200, "abc", "at once");
    expect_open(far, "open");
}

/* ---- time ---- */

static void test_h1_conn__a_slow_head_is_408(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET / HTTP/1.1\r\nHo");
    pass(9000);
    request(far, "st: a\r\n");
    pass(999);
    expect_open(far, "not yet");
    pass(1);
    settle();
    expect_status(far, 408, "too slow");
    CHECK(answer.close, "said");
    expect_closed(far, "closed");
}

static void test_h1_conn__idle_connections_are_closed(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "answer");
    pass(59999);
    expect_open(far, "not yet");
    pass(1);
    expect_closed(far, "without a word");
}

static void test_h1_conn__a_waiting_handler_has_no_time_out(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    pass(1000000);
    open_gate();
    expect_answer(far, 200, "parked", "answer");
    pass(59999);
    expect_open(far, "idle from now on");
    pass(1);
    expect_closed(far, "idle for too long");
}

static void test_h1_conn__a_slow_body_is_408(void **state)
{
    int far = connect_far();

    (void)state;
    request(far,
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    for (int i = 0; i < 3; i++) { /* 500 bytes a second do */
        pl_script_send(script, far, pl_str(large, 5000));
        settle();
        pass(10000);
        expect_open(far, "fast enough");
    }
    pl_script_send(script, far, pl_str(large, 4999));
    settle();
    pass(10000);
    settle();
    expect_status(far, 408, "too slow");
    expect_closed(far, "closed");
}

static void test_h1_conn__a_slow_drain_closes(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");
    expect_answer(far, 200, "hello", "answer");
    pass(10000);
    expect_closed(far, "the body did not come");
}

/* ---- methods and versions ---- */

static void test_h1_conn__head_is_get_without_body(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "HEAD / HTTP/1.1\r\n" HOST "\r\n"
                 "HEAD /large HTTP/1.1\r\n" HOST "\r\n"
                 "HEAD /stream HTTP/1.1\r\n" HOST "\r\n"
                 "HEAD /declared?10 HTTP/1.1\r\n" HOST "\r\n"
                 "HEAD /result?404 HTTP/1.1\r\n" HOST "\r\n"
                 "HEAD /error HTTP/1.1\r\n" HOST "\r\n");
    next_answer_to(far, true);
    expect_field("content-length", "5");
    next_answer_to(far, true);
    expect_field("content-length", "300000");
    next_answer_to(far, true);
    CHECK_INT(200, answer.status, "stream");
    next_answer_to(far, true);
    expect_field("content-length", "10");
    next_answer_to(far, true);
    CHECK_INT(404, answer.status, "result");
    next_answer_to(far, true);
    CHECK_INT(403, answer.status, "page");
    expect_open(far, "nothing between them");
}

static void test_h1_conn__http_1_0(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET / HTTP/1.0\r\n\r\n");
    expect_answer(far, 200, "hello", "answer");
    CHECK(answer.close, "said");
    expect_closed(far, "the default of 1.0");

    far = connect_far();
    request(far, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect_answer(far, 200, "hello", "answer");
    expect_field("connection", "keep-alive");
    request(far, "GET /stream?2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    next_answer(far);
    CHECK(!answer.chunked, "1.0 knows no chunks");
    CHECK(answer.to_eof && answer.close, "the end ends it");
    CHECK_INT(2000, answer.len, "length");
    expect_closed(far, "closed");
}

static void test_h1_conn__methods_and_paths_that_are_not_there(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
                 "DELETE / HTTP/1.1\r\n" HOST "\r\n"
                 "OPTIONS /stream HTTP/1.1\r\n" HOST "\r\n"
                 "BREW / HTTP/1.1\r\n" HOST "\r\n"
                 "GET http://a/ HTTP/1.1\r\n" HOST "\r\n"
                 "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    expect_status(far, 404, "path");
    expect_status(far, 405, "method");
    expect_field("allow", "GET, HEAD, POST, OPTIONS");
    expect_status(far, 204, "options");
    expect_field("allow", "GET, HEAD, OPTIONS");
    expect_status(far, 501, "unknown");
    expect_answer(far, 200, "hello", "absolute target");
    expect_status(far, 204, "the server");
    expect_open(far, "open");
}

static const struct {
    const char *what, *head;
    int status;
} refusals[] = {
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two Hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
    {"obs-fold", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
    {"blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"both lengths",
     "POST / HTTP/1.1\r\n" HOST
     "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"odd length", "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n",
     400},
    {"unknown coding",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     501},
    {"version 2", "GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"unknown expectation", "GET / HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n", 417},
    {"bad escape", "GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400},
    {"above the root", "GET /../../etc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 501},
};

static void test_h1_conn__refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(refusals); i++) {
        int far = connect_far();

        request(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
        expect_answer(far, 200, "hello", "the one before");
        request(far, refusals[i].head);
        expect_status(far, refusals[i].status, refusals[i].what);
        pl_script_close(script, far);
        settle();
    }
}

static void test_h1_conn__long_heads_are_refused(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    memset(large, 'x', 40000);
    send_far(far, "GET /");
    pl_script_send(script, far, pl_str(large, 9000));
    settle();
    expect_status(far, 414, "line");
    pl_script_close(script, far);
    far = connect_far();
    send_far(far, "GET / HTTP/1.1\r\n" HOST "X: ");
    pl_script_send(script, far, pl_str(large, 33000));
    settle();
    expect_status(far, 431, "fields");
}

/* ---- clients that leave ---- */

static void test_h1_conn__a_reset_cancels_the_handler(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    check_trace("p", "it waits");
    pl_script_reset(script, far);
    settle();
    check_trace("x", "canceled");
    CHECK_INT(1, finished, "over");
    CHECK_INT(0, net.stats.open, "closed");
}

static void test_h1_conn__half_closed_clients_get_their_answer(void **state)
{
    int far = connect_far();

    (void)state;
    send_far(far, "GET /park HTTP/1.1\r\n" HOST "\r\n"
                  "GET / HTTP/1.1\r\n" HOST "\r\n");
    pl_script_finish(script, far);
    settle();
    expect_open(far, "it waits");
    open_gate();
    expect_answer(far, 200, "parked", "the first");
    expect_answer(far, 200, "hello", "the second");
    expect_closed(far, "and no more will come");
}

static void test_h1_conn__a_head_cut_off_is_closed(void **state)
{
    int far = connect_far();

    (void)state;
    send_far(far, "GET / HTTP/1.1\r\n" HOST "\r\nGET / HT");
    pl_script_finish(script, far);
    settle();
    expect_answer(far, 200, "hello", "the first");
    expect_closed(far, "at once");
}

static void test_h1_conn__a_client_that_leaves_a_stream(void **state)
{
    int far = connect_far();

    (void)state;
    pl_script_window(script, far, 1000);
    request(far, "GET /stream?1000 HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(0, finished, "it waits for room");
    pl_script_reset(script, far);
    settle();
    CHECK_INT(1, finished, "canceled");
}

/* ---- streams ---- */

static void test_h1_conn__streams_are_chunked(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /stream?3 HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    next_answer(far);
    CHECK(answer.chunked && !answer.close, "chunked");
    CHECK_INT(3000, answer.len, "length");
    CHECK(answer.body[999] == 'a' && answer.body[1000] == 'b', "bytes");
    expect_answer(far, 200, "hello", "the next one");
}

static void test_h1_conn__streams_wait_for_slow_readers(void **state)
{
    int far = connect_far();
    size_t got = 0;

    (void)state;
    pl_script_window(script, far, 20000);
    request(far, "GET /stream?2000 HTTP/1.1\r\n" HOST "\r\n");
    CHECK(pushed < 300000, "congested");
    while (finished == 0 || pl_script_received(script, far).len > 0) {
        size_t len = pl_script_received(script, far).len;

        CHECK(pushed < got + 400000, "never far ahead of the reader");
        got += len;
        pl_script_take(script, far, len);
        settle();
    }
    CHECK(got > 2000000 && got < 2100000, "all of it");
    CHECK_INT(2000000, pushed, "all of it");
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "the next one");
}

static void test_h1_conn__a_broken_stream_has_no_end(void **state)
{
    int far = connect_far();
    struct pl_str rest;

    (void)state;
    request(far, "GET /break HTTP/1.1\r\n" HOST "\r\n");
    rest = pl_script_received(script, far);
    CHECK_INT(ANSWER_BAD, take_answer(&rest, false, true, &answer),
              "the client notices");
    CHECK(pl_script_finished(script, far), "closed");
}

static void test_h1_conn__declared_lengths_are_kept(void **state)
{
    int far = connect_far();
    struct pl_str rest;

    (void)state;
    request(far, "GET /declared?10 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "xxxxxxxxxx", "just so");
    CHECK(!answer.chunked, "no need");
    check_trace("k", "well");
    request(far, "GET /declared?11 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "xxxxxxxxxx", "too much is not sent");
    check_trace("L", "the handler is told");
    expect_closed(far, "it failed");
    far = connect_far();
    request(far, "GET /declared?9 HTTP/1.1\r\n" HOST "\r\n");
    rest = pl_script_received(script, far);
    CHECK_INT(ANSWER_BAD, take_answer(&rest, false, true, &answer),
              "the client notices");
    CHECK(pl_script_finished(script, far), "closed");
}

/* ---- large contents ---- */

static void check_large(int far, const char *what)
{
    next_answer(far);
    CHECK_INT(sizeof(large), answer.len, what);
    CHECK(memcmp(large, answer.body, sizeof(large)) == 0, what);
}

static void test_h1_conn__large_answers(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)), "file");
    request(far, "GET /large HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file?100 HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    check_large(far, "bytes");
    expect_answer(far, 200, "hello", "behind it");
    check_large(far, "file");
    next_answer(far);
    CHECK_INT(100, answer.len, "small file");
    CHECK(memcmp(large, answer.body, 100) == 0, "small file");
    expect_answer(far, 200, "hello", "behind it");
    CHECK_INT(3, content_released, "released");
    close(content_file);
}

static void test_h1_conn__large_answers_to_slow_readers(void **state)
{
    int far = connect_far();
    char *all = malloc(1 << 20);
    struct pl_str rest;
    size_t n = 0;

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)), "file");
    pl_script_window(script, far, 7000);
    request(far, "GET /large HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    for (;;) {
        struct pl_str got = pl_script_received(script, far);

        if (got.len == 0)
            break;
        memcpy(all + n, got.data, got.len);
        n += got.len;
        pl_script_take(script, far, got.len);
        settle();
    }
    rest = pl_str(all, n);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(ANSWER_WHOLE, take_answer(&rest, false, false, &answer), "1");
        CHECK_INT(sizeof(large), answer.len, "length");
        CHECK(memcmp(large, answer.body, sizeof(large)) == 0, "bytes");
    }
    CHECK_INT(ANSWER_WHOLE, take_answer(&rest, false, false, &answer), "3");
    CHECK_INT(0, rest.len, "no more");
    CHECK_INT(2, content_released, "released");
    free(all);
    close(content_file);
}

static void test_h1_conn__a_large_answer_to_who_leaves(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    pl_script_window(script, far, 7000);
    request(far, "GET /large HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(0, content_released, "on its way");
    pl_script_reset(script, far);
    settle();
    CHECK_INT(1, content_released, "released");
    CHECK_INT(1, finished, "over");
}

/* Nothing of a file that is shorter than was said must pass as whole. */
static void test_h1_conn__a_file_that_shrank_closes(void **state)
{
    int far = connect_far();
    struct pl_str rest;

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(0, ftruncate(content_file, 50), "file");
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file?100 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "the one before");
    expect_closed(far, "small");
    far = connect_far();
    request(far, "GET /file HTTP/1.1\r\n" HOST "\r\n");
    rest = pl_script_received(script, far);
    CHECK_INT(ANSWER_BAD, take_answer(&rest, false, true, &answer), "large");
    CHECK(pl_script_closed(script, far), "closed");
    CHECK_INT(2, content_released, "released");
    close(content_file);
}

/* ---- conditions and ranges ---- */

static void test_h1_conn__conditions(void **state)
{
    int far = connect_far();

    (void)state;
    request(far,
            "GET /tagged HTTP/1.1\r\n" HOST "If-None-Match: \"v1\"\r\n\r\n"
            "GET /tagged HTTP/1.1\r\n" HOST "If-Match: \"v2\"\r\n\r\n"
            "GET /tagged-stream HTTP/1.1\r\n" HOST
            "If-None-Match: \"v1\"\r\n\r\n"
            "GET /tagged-stream HTTP/1.1\r\n" HOST "If-Match: \"v2\"\r\n\r\n"
            "GET /tagged HTTP/1.1\r\n" HOST "\r\n");
    expect_status(far, 304, "not modified");
    expect_field("etag", "\"v1\"");
    expect_field("content-length", NULL);
    expect_status(far, 412, "failed");
    expect_field("content-length", "0");
    expect_status(far, 304, "of a stream");
    expect_status(far, 412, "of a stream");
    expect_field("content-length", "0");
    expect_answer(far, 200, "0123456789", "none");
    expect_open(far, "open");
}

static void test_h1_conn__ranges(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\n\r\n"
                 "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=10-\r\n\r\n"
                 "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=0-1,5-5\r\n\r\n"
                 "HEAD /tagged HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\n\r\n");
    expect_answer(far, 206, "234", "one");
    expect_field("content-range", "bytes 2-4/10");
    expect_status(far, 416, "none");
    expect_field("content-range", "bytes */10");
    next_answer(far);
    CHECK_INT(206, answer.status, "two");
    CHECK(pl_str_starts(answer_field(answer.head, "content-type"),
                        PL_STR("multipart/byteranges")),
          "two");
    CHECK(pl_str_find(pl_str(answer.body, answer.len),
                      PL_STR("bytes 5-5/10\r\n\r\n5\r\n")) > 0,
          "two");
    next_answer_to(far, true);
    CHECK_INT(200, answer.status, "HEAD knows no ranges");
    expect_open(far, "open");
}

static void test_h1_conn__ranges_of_a_file(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)), "file");
    request(far, "GET /file HTTP/1.1\r\n" HOST "Range: bytes=100-50099\r\n\r\n"
                 "GET /file HTTP/1.1\r\n" HOST
                 "Range: bytes=0-19999,30000-49999\r\n\r\n");
    next_answer(far);
    CHECK_INT(50000, answer.len, "one");
    CHECK(memcmp(large + 100, answer.body, 50000) == 0, "one");
    next_answer(far);
    CHECK(answer.len > 40000 && answer.len < 40500, "two");
    expect_open(far, "open");
    close(content_file);
}

/* ---- results of handlers ---- */

static void test_h1_conn__results_are_answers(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /result?404 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?204 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?8 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?9 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?0 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /error HTTP/1.1\r\n" HOST "\r\n"
                 "GET /error HTTP/1.1\r\n" HOST "Accept: text/html\r\n\r\n");
    expect_answer(far, 404, "404 Not Found\n", "404");
    expect_status(far, 204, "204");
    expect_field("content-length", NULL);
    expect_status(far, 500, "PL_ERR_IO");
    expect_status(far, 404, "PL_ERR_NOT_FOUND");
    expect_answer(far, 200, "", "nothing");
    expect_answer(far, 403, "403 Forbidden: <no>\n", "text");
    next_answer(far);
    CHECK(pl_str_find(pl_str(answer.body, answer.len),
                      PL_STR("<p>&lt;no&gt;</p>")) > 0,
          "HTML");
    expect_open(far, "open");
}

static int own_fields(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    CHECK_INT(PL_ERR_DENIED,
              pl_response_set(res, PL_STR("Connection"), PL_STR("x")), "wire");
    CHECK_INT(PL_ERR_INVALID,
              pl_response_set(res, PL_STR("X"), PL_STR("a\r\nb")), "value");
    pl_response_set(res, PL_STR("X-frame-options"), PL_STR("DENY"));
    pl_response_set(res, PL_STR("Server"), PL_STR("mine"));
    pl_response_add(res, PL_STR("Set-Cookie"), PL_STR("a=1"));
    return pl_response_add(res, PL_STR("Set-Cookie"), PL_STR("b=2"));
}

static void test_h1_conn__fields_of_the_site(void **state)
{
    static const struct pl_header fields[] = {
        {.name = "X-Frame-Options",
         .name_len = 15,
         .value = "SAMEORIGIN",
         .value_len = 10},
        {.name = "X-B", .name_len = 3, .value = "b", .value_len = 1},
    };
    int far = connect_far();

    (void)state;
    settings.server = PL_STR("site");
    settings.headers = fields;
    settings.nheaders = 2;
    settings.headers_size = 15 + 10 + 4 + 3 + 1 + 4;
    add_route(GET, "/own", own_fields);
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /own HTTP/1.1\r\n" HOST "\r\n");
    next_answer(far);
    expect_field("server", "site");
    expect_field("x-frame-options", "SAMEORIGIN");
    expect_field("x-b", "b");
    next_answer(far);
    expect_field("server", "mine");
    expect_field("x-frame-options", "DENY");
    expect_field("x-b", "b");
    CHECK(pl_str_find(answer.head, PL_STR("SAMEORIGIN")) < 0, "once");
    CHECK(pl_str_find(answer.head, PL_STR("b=2")) > 0, "two cookies");
}

/* ---- leaving HTTP ---- */

static size_t shout_input(struct pl_conn *conn, struct pl_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i] & ~0x20;

        pl_conn_write(conn, pl_str(&c, 1));
    }
    return bytes.len;
}

static void shout_eof(struct pl_conn *conn)
{
    pl_conn_finish(conn, false);
}

static void shout_closed(struct pl_conn *conn, int why)
{
    CHECK(conn->state == &finished, "its state");
    note('c');
}

static const struct pl_protocol shout = {
    .name = "shout",
    .input = shout_input,
    .eof = shout_eof,
    .closed = shout_closed,
};

static int upgrade(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_response_set(res, PL_STR("X-Accept"), PL_STR("yes"));

    return err < 0 ? err : req->wire->upgrade(req, &shout, &finished);
}

static void test_h1_conn__upgrades(void **state)
{
    int far = connect_far();

    (void)state;
    add_route(GET, "/shout", upgrade);
    request(far, "GET /shout HTTP/1.1\r\n" HOST "\r\n");
    expect_status(far, 501, "nobody asked");
    request(far, "GET /shout HTTP/1.1\r\n" HOST
                 "Connection: Upgrade\r\nUpgrade: shout\r\n\r\nab");
    expect_status(far, 101, "switched");
    expect_field("connection", "Upgrade");
    expect_field("upgrade", "shout");
    expect_field("x-accept", "yes");
    expect_field("content-length", NULL);
    expect_far(far, "AB", "what came with the head");
    CHECK_INT(2, finished, "the request is over");
    CHECK_INT(101, last_status, "for the log");
    request(far, "cd");
    expect_far(far, "CD", "and from now on");
    pass(1000000);
    expect_open(far, "no deadline of HTTP's is left");
    pl_script_finish(script, far);
    settle();
    check_trace("c", "closed");
}

/* ---- stopping ---- */

static void test_h1_conn__draining(void **state)
{
    int idle = connect_far(), busy = connect_far(), begun = connect_far();

    (void)state;
    request(busy, "GET /park HTTP/1.1\r\n" HOST "\r\n"
                  "GET / HTTP/1.1\r\n" HOST "\r\n");
    request(begun, "GET / HTTP/1.1\r\n");
    pl_http_drain(&http);
    settle();
    expect_closed(idle, "at once");
    expect_open(busy, "in progress");
    expect_open(begun, "begun");
    request(begun, HOST "\r\n");
    expect_answer(begun, 200, "hello", "still answered");
    CHECK(answer.close, "said");
    expect_closed(begun, "closed");
    open_gate();
    expect_answer(busy, 200, "parked", "still answered");
    CHECK(answer.close, "said");
    settle();
    expect_closed(busy, "the second one was not begun");
}

/* ---- memory ---- */

static const char *const usual[] = {
    "GET / HTTP/1.1\r\n" HOST "\r\n",
    "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=1-2,4-5\r\n\r\n",
    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde",
    "POST /whole HTTP/1.1\r\n" HOST
    "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "GET /stream?300 HTTP/1.1\r\n" HOST "\r\n",
    "GET /large HTTP/1.1\r\n" HOST "\r\n",
    "GET /nothing HTTP/1.1\r\n" HOST "\r\n",
};

/* One connection, one request of each kind; the far end takes all of it. The
 * window keeps the script's own buffers within the pool. */
static void one_round(void)
{
    int far = connect_far();
    size_t len;

    pl_script_window(script, far, 50000);
    for (size_t i = 0; i < PL_COUNT(usual); i++) {
        request(far, usual[i]);
        while ((len = pl_script_received(script, far).len) > 0) {
            pl_script_take(script, far, len);
            settle();
        }
    }
    pl_script_close(script, far);
    settle();
}

static void test_h1_conn__steady_state_needs_no_malloc(void **state)
{
    struct pl_pool *pool = pl_loop_pool(loop);
    uint64_t mallocs;
    size_t used;

    (void)state;
    for (int i = 0; i < 5; i++)
        one_round();
    mallocs = pool->mallocs;
    used = pool->account.used;
    for (int i = 0; i < 50; i++)
        one_round();
    CHECK_INT(mallocs, pool->mallocs, "no malloc");
    CHECK_INT(used, pool->account.used, "all given back");
}

static void test_h1_conn__idle_connections_own_nothing(void **state)
{
    size_t before, conns = 0;
    int far;

    (void)state;
    one_round();
    far = connect_far();
    pl_script_close(script, far);
    settle();
    before = pl_loop_pool(loop)->account.used;
    pl_script_connect(script, listen_fd); /* buffers of the script's own */
    conns = pl_loop_pool(loop)->account.used - before;
    turn(1);
    CHECK_INT(64, pl_loop_pool(loop)->account.used - before - conns,
              "a line of memory");
}

/* ---- all of them ---- */

#define BOTH(name)                                                             \
    cmocka_unit_test_setup_teardown(name, make, end_http),                     \
    {                                                                          \
#name " (byte by byte)", name, make_pieces, end_http, NULL             \
    }
#define WHOLE(name) cmocka_unit_test_setup_teardown(name, make, end_http)

RUN_TESTS(BOTH(test_h1_conn__keeps_the_connection),
          BOTH(test_h1_conn__closes_when_asked),
          WHOLE(test_h1_conn__answers_a_burst_in_one_send),
          BOTH(test_h1_conn__answers_in_order),
          BOTH(test_h1_conn__a_waiting_handler_holds_up_nobody_else),
          BOTH(test_h1_conn__reads_bodies),
          BOTH(test_h1_conn__a_large_body_waits_for_its_reader),
          WHOLE(test_h1_conn__a_body_nobody_reads_fills_its_buffer_only),
          BOTH(test_h1_conn__an_unread_body_is_drained),
          BOTH(test_h1_conn__too_much_unread_body_closes),
          BOTH(test_h1_conn__a_broken_body_is_an_error),
          BOTH(test_h1_conn__bodies_have_a_limit),
          BOTH(test_h1_conn__says_continue_to_who_waits_for_it),
          WHOLE(test_h1_conn__no_continue_when_the_body_is_there),
          BOTH(test_h1_conn__a_slow_head_is_408),
          BOTH(test_h1_conn__idle_connections_are_closed),
          BOTH(test_h1_conn__a_waiting_handler_has_no_time_out),
          BOTH(test_h1_conn__a_slow_body_is_408),
          BOTH(test_h1_conn__a_slow_drain_closes),
          BOTH(test_h1_conn__head_is_get_without_body),
          BOTH(test_h1_conn__http_1_0),
          BOTH(test_h1_conn__methods_and_paths_that_are_not_there),
          BOTH(test_h1_conn__refuses),
          BOTH(test_h1_conn__long_heads_are_refused),
          BOTH(test_h1_conn__a_reset_cancels_the_handler),
          BOTH(test_h1_conn__half_closed_clients_get_their_answer),
          BOTH(test_h1_conn__a_head_cut_off_is_closed),
          BOTH(test_h1_conn__a_client_that_leaves_a_stream),
          BOTH(test_h1_conn__streams_are_chunked),
          WHOLE(test_h1_conn__streams_wait_for_slow_readers),
          BOTH(test_h1_conn__a_broken_stream_has_no_end),
          BOTH(test_h1_conn__declared_lengths_are_kept),
          BOTH(test_h1_conn__large_answers),
          WHOLE(test_h1_conn__large_answers_to_slow_readers),
          BOTH(test_h1_conn__a_large_answer_to_who_leaves),
          WHOLE(test_h1_conn__a_file_that_shrank_closes),
          BOTH(test_h1_conn__conditions), BOTH(test_h1_conn__ranges),
          BOTH(test_h1_conn__ranges_of_a_file),
          BOTH(test_h1_conn__results_are_answers),
          BOTH(test_h1_conn__fields_of_the_site), BOTH(test_h1_conn__upgrades),
          BOTH(test_h1_conn__draining),
          WHOLE(test_h1_conn__steady_state_needs_no_malloc),
          WHOLE(test_h1_conn__idle_connections_own_nothing))
