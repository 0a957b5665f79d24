/* test_h1_conn.c - the life of an HTTP/1 connection: requests in a row,
 * time-outs, refusals, clients that leave, the end. */
#include "h1_world.h"

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

/* Who pipelines for ever takes a share of a turn, not all of it. */
static void test_h1_conn__a_long_burst_has_shares(void **state)
{
    int greedy = connect_far(), other = connect_far();

    (void)state;
    for (int i = 0; i < 200; i++)
        send_far(greedy, "GET / HTTP/1.1\r\n" HOST "\r\n");
    send_far(other, "GET / HTTP/1.1\r\n" HOST "\r\n");
    while (pl_script_received(script, other).len == 0)
        CHECK(pl_loop_step(loop, 0) >= 0, "turn");
    CHECK(finished <= 65, "a share, and the other's");
    expect_answer(other, 200, "hello", "the other");
    settle();
    for (int i = 0; i < 200; i++)
        expect_answer(greedy, 200, "hello", "answer");
    expect_open(greedy, "open");
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

static void test_h1_conn__head_ends_a_stream_without_end(void **state)
{
    int far = connect_far();

    (void)state;
    pushed = 0;
    request(far, "HEAD /stream?1000000000000 HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    next_answer_to(far, true);
    CHECK_INT(200, answer.status, "head");
    expect_answer(far, 200, "hello", "the next one");
    CHECK(pushed < 100000, "told when nobody listens any more");
    expect_open(far, "nothing is wrong");
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

static void test_h1_conn__half_closed_while_the_handler_waits(void **state)
{
    int far = connect_far();

    (void)state;
    send_far(far, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    pl_script_finish(script, far);
    settle();
    expect_open(far, "it waits");
    open_gate();
    expect_answer(far, 200, "parked", "answer");
    CHECK(answer.close, "said");
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
    int idle = connect_far(), busy, begun;

    (void)state;
    pass(500);
    busy = connect_far();
    begun = connect_far();
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

/* What is on its way when the server begins to end is answered. */
static void test_h1_conn__draining_waits_for_who_was_busy(void **state)
{
    int asked = connect_far(), fresh = connect_far(), quiet = connect_far();
    int halved = connect_far();

    (void)state;
    request(asked, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(asked, 200, "hello", "before");
    request(halved, "GET /halves HTTP/1.1\r\n" HOST "\r\n");
    pl_http_drain(&http);
    settle();
    request(asked, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(asked, 200, "hello", "asked before it could know");
    CHECK(answer.close, "said");
    expect_closed(asked, "closed");
    request(fresh, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(fresh, 200, "hello", "its first one");
    expect_closed(fresh, "closed");
    open_gate();
    expect_answer(halved, 200, "ab", "begun before");
    CHECK(!answer.close, "not said in time");
    request(halved, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(halved, 200, "hello", "so another one is answered");
    CHECK(answer.close, "said");
    expect_closed(halved, "closed");
    pass(499);
    expect_open(quiet, "it may still ask");
    pass(2);
    expect_closed(quiet, "it did not");
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

/* A head that waits for its body is on the account of the connection. */
static void test_h1_conn__heads_are_on_the_account(void **state)
{
    int far = connect_far();

    (void)state;
    net.limits.conn_memory = 200;
    request(far, "GET / HTTP/1.1\r\n" HOST "A: b\r\nC: d\r\nE: f\r\n\r\n");
    expect_answer(far, 200, "hello", "without a body");
    request(far, "POST /echo HTTP/1.1\r\n" HOST "A: b\r\nC: d\r\n"
                 "Content-Length: 1\r\n\r\nx");
    expect_status(far, 503, "with one");
    expect_closed(far, "closed");
    CHECK_INT(1, net.stats.limited, "counted");
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

RUN_TESTS(BOTH(test_h1_conn__keeps_the_connection),
          BOTH(test_h1_conn__closes_when_asked),
          WHOLE(test_h1_conn__answers_a_burst_in_one_send),
          BOTH(test_h1_conn__answers_in_order),
          WHOLE(test_h1_conn__a_long_burst_has_shares),
          BOTH(test_h1_conn__a_waiting_handler_holds_up_nobody_else),
          BOTH(test_h1_conn__a_slow_head_is_408),
          BOTH(test_h1_conn__idle_connections_are_closed),
          BOTH(test_h1_conn__a_waiting_handler_has_no_time_out),
          BOTH(test_h1_conn__a_slow_body_is_408),
          BOTH(test_h1_conn__a_slow_drain_closes),
          BOTH(test_h1_conn__head_is_get_without_body),
          BOTH(test_h1_conn__head_ends_a_stream_without_end),
          BOTH(test_h1_conn__http_1_0),
          BOTH(test_h1_conn__methods_and_paths_that_are_not_there),
          BOTH(test_h1_conn__refuses),
          BOTH(test_h1_conn__long_heads_are_refused),
          BOTH(test_h1_conn__a_reset_cancels_the_handler),
          BOTH(test_h1_conn__half_closed_clients_get_their_answer),
          BOTH(test_h1_conn__half_closed_while_the_handler_waits),
          BOTH(test_h1_conn__a_head_cut_off_is_closed),
          BOTH(test_h1_conn__a_client_that_leaves_a_stream),
          BOTH(test_h1_conn__upgrades), BOTH(test_h1_conn__draining),
          BOTH(test_h1_conn__draining_waits_for_who_was_busy),
          WHOLE(test_h1_conn__steady_state_needs_no_malloc),
          WHOLE(test_h1_conn__heads_are_on_the_account),
          WHOLE(test_h1_conn__idle_connections_own_nothing))
