/* test_h1_body.c - bodies of HTTP/1 requests: read, not read, too large,
 * broken.
 */
#include "h1_world.h"

/* ---- bodies ---- */

static void test_h1_body__reads_bodies(void **state)
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
static void test_h1_body__a_large_body_waits_for_its_reader(void **state)
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
test_h1_body__a_body_nobody_reads_fills_its_buffer_only(void **state)
{
    int far = connect_far();

    (void)state;
    send_far(far, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n"
                  "\r\n");
    for (int i = 0; i < 3; i++)
        pl_script_send(script, far, pl_str(large, sizeof(large)));
    settle();
    CHECK(pl_loop_pool(loop)->account.used < 3 << 20, "not all of it");
    for (int i = 0; i < 3; i++)
        pass(10000); /* it is us who do not read */
    CHECK(!pl_script_finished(script, far), "no time-out");
    open_gate();
    expect_answer(far, 200, "parked", "answer");
    CHECK(answer.close, "the rest is too much to read");
    pl_script_finish(script, far);
    settle();
    expect_closed(far, "closed");
}

static void test_h1_body__an_unread_body_is_drained(void **state)
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

static void test_h1_body__too_much_unread_body_closes(void **state)
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

static void test_h1_body__a_broken_body_is_an_error(void **state)
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

static void test_h1_body__bodies_have_a_limit(void **state)
{
    int far = connect_far();

    (void)state;
    settings.body.max_body = 10;
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

static void test_h1_body__says_continue_to_who_waits_for_it(void **state)
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

static void test_h1_body__no_continue_when_the_body_is_there(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "POST /echo HTTP/1.1\r\n" HOST
                 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    expect_answer(far, 200, "abc", "at once");
    expect_open(far, "open");
}

/* The time we did not read in is not the peer's. */
static void test_h1_body__a_peer_has_all_of_its_time(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    send_far(far, "POST /park-and-echo HTTP/1.1\r\n" HOST
                  "Content-Length: 75000\r\n\r\n");
    pl_script_send(script, far, pl_str(large, 70000));
    settle();
    pass(10000);
    pass(10000);
    pass(9900);
    open_gate();
    pass(9900);
    expect_open(far, "in time");
    pl_script_send(script, far, pl_str(large + 70000, 5000));
    settle();
    next_answer(far);
    CHECK_INT(75000, answer.len, "all of it");
}

/* What has been read does not stay in memory. */
static void test_h1_body__a_reader_may_stay_behind(void **state)
{
    int far = connect_far();

    (void)state;
    settings.request_memory = 300000;
    send_far(far,
             "POST /behind HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n");
    for (int i = 0; i < 90; i++) {
        pl_script_send(script, far, pl_str(large, 10000));
        pass(1);
    }
    pass(1);
    expect_answer(far, 200, "behind", "within the limit");
}

RUN_TESTS(BOTH(test_h1_body__reads_bodies),
          BOTH(test_h1_body__a_large_body_waits_for_its_reader),
          WHOLE(test_h1_body__a_body_nobody_reads_fills_its_buffer_only),
          BOTH(test_h1_body__an_unread_body_is_drained),
          BOTH(test_h1_body__too_much_unread_body_closes),
          BOTH(test_h1_body__a_broken_body_is_an_error),
          BOTH(test_h1_body__bodies_have_a_limit),
          BOTH(test_h1_body__says_continue_to_who_waits_for_it),
          WHOLE(test_h1_body__no_continue_when_the_body_is_there),
          WHOLE(test_h1_body__a_peer_has_all_of_its_time),
          WHOLE(test_h1_body__a_reader_may_stay_behind))
