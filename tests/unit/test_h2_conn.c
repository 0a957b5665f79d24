/* test_h2_conn.c - the life of an HTTP/2 connection: streams, bodies, windows,
 * time, drains, and what it costs. */
#include "h2_world.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- requests ---- */

static void test_h2_conn__answers(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/"), true);
    expect_words("H1=200 D1=hello.", "a small body with its head");
    expect_line("content-length: 5\n");
    expect_line("date: ");
    say_headers(3, GET_LINES("/result?204"), true);
    expect_words("H3=204.", "no body");
    say_headers(5, GET_LINES("/nowhere"), true);
    expect_words("H5=404 D5=404 Not Found\n.", "no route");
    say_headers(7, ":method: HEAD\n:scheme: http\n:authority: a\n:path: /\n",
                true);
    expect_words("H7=200.", "HEAD");
    expect_line("content-length: 5\n");
    CHECK_INT(4, finished, "requests");
    expect_open(client.far, "open");
}

static void test_h2_conn__answers_many_in_one_send(void **state)
{
    unsigned before;

    (void)state;
    begin_client();
    for (uint32_t id = 1; id < 65; id += 2)
        say_headers(id, GET_LINES("/"), true);
    before = pl_script_calls(script, "send");
    settle();
    CHECK_INT(1, pl_script_calls(script, "send") - before, "one send");
    CHECK_INT(32, finished, "requests");
    forget_words();
}

static void test_h2_conn__answers_out_of_order(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/park"), true);
    say_headers(3, GET_LINES("/"), true);
    expect_words("H3=200 D3=hello.", "the second one need not wait");
    open_gate();
    expect_words("H1=200 D1=parked.", "the first one");
}

static void test_h2_conn__takes_bodies(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, POST_LINES("/echo") "content-length: 6\n", false);
    expect_words("", "waits");
    say_data(1, "abc", false);
    say_frame(PL_H2_DATA, PL_H2_PADDED | PL_H2_END_STREAM, 1,
              pl_str("\3def\0\0\0", 7));
    expect_words("H1=200 D1=abcdef.", "padding is no content");
    say_headers(3, POST_LINES("/echo"), false);
    say_data(3, "abc", false);
    say_headers(3, "x-sum: 1\n", true);
    expect_words("H3=200 D3=abc.", "trailers end it");
    say_headers(5, POST_LINES("/echo"), true);
    expect_words("H5=200.", "no body");
}

static void test_h2_conn__an_unread_body_is_reset(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, POST_LINES("/"), false);
    expect_words("H1=200 D1=hello. R1=NO_ERROR", "8.1");
    say_data(1, "late", false);
    say_data(1, "later", true);
    say_headers(3, GET_LINES("/"), true);
    expect_words("H3=200 D3=hello.", "what was on its way is passed over");
}

static void test_h2_conn__continues(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, POST_LINES("/echo") "expect: 100-continue\n", false);
    expect_words("H1=100", "the handler reads");
    say_data(1, "abc", true);
    expect_words("H1=200 D1=abc.", "answer");
}

static void test_h2_conn__cuts_streams_off(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/break"), true);
    expect_words("H1=200 D1=abc R1=INTERNAL_ERROR", "a stream that fails");
    say_headers(3, GET_LINES("/declared?5"), true);
    expect_words("H3=200 D3=x D3=x D3=x D3=x D3=x R3=INTERNAL_ERROR",
                 "fewer than declared");
    say_headers(5, GET_LINES("/park"), true);
    expect_words("", "waits");
    say_number(PL_H2_RST_STREAM, 5, PL_H2_CANCEL);
    expect_words("", "no answer");
    CHECK_INT(PL_ERR_CANCELED, gate_result, "the handler is told");
}

static void test_h2_conn__hints_and_trailers(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/trailer"), true);
    expect_words("H1=103 H1=200 D1=abc H1.", "both");
    expect_line("x-sum: 7\n");
}

/* ---- windows ---- */

static void test_h2_conn__waits_for_windows(void **state)
{
    (void)state;
    fill_large();
    begin_client();
    say_headers(1, GET_LINES("/large"), true);
    expect_words("H1=200 D1#16384 D1#16384 D1#16384 D1#16383", "65535 bytes");
    CHECK_INT(0, content_released, "held");
    say_number(PL_H2_WINDOW_UPDATE, 1, 1000000);
    expect_words("", "the connection's window is closed, too");
    say_number(PL_H2_WINDOW_UPDATE, 0, 40);
    expect_words("D1#40", "forty more");
    say_number(PL_H2_WINDOW_UPDATE, 0, 300000 - 65535 - 41);
    settle();
    listen_to();
    CHECK(client.len > 6 && client.heard[client.len - 2] != '.', "not all");
    client.len = 0;
    say_number(PL_H2_WINDOW_UPDATE, 0, 1);
    settle();
    listen_to();
    CHECK_STR(". ", pl_str(client.heard + client.len - 2, 2), "the end");
    client.len = 0;
    CHECK_INT(1, content_released, "released");
}

static void test_h2_conn__small_windows(void **state)
{
    char one[6];

    (void)state;
    begin_client();
    pl_h2_put_setting(one, PL_H2_INITIAL_WINDOW_SIZE, 2);
    say_frame(PL_H2_SETTINGS, 0, 0, pl_str(one, 6));
    say_headers(1, GET_LINES("/"), true);
    expect_words("A H1=200 D1=he", "two bytes");
    pl_h2_put_setting(one, PL_H2_INITIAL_WINDOW_SIZE, 1);
    say_frame(PL_H2_SETTINGS, 0, 0, pl_str(one, 6));
    expect_words("A", "now it is negative (6.9.2)");
    say_number(PL_H2_WINDOW_UPDATE, 1, 1);
    expect_words("", "zero");
    pl_h2_put_setting(one, PL_H2_INITIAL_WINDOW_SIZE, 100);
    say_frame(PL_H2_SETTINGS, 0, 0, pl_str(one, 6));
    expect_words("A D1=llo.", "the rest");
}

static void test_h2_conn__streams_with_back_pressure(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/stream?1000"), true);
    settle();
    CHECK(pushed < 150000, "the handler waits");
    CHECK(pushed >= 65000, "the window is used");
    forget_words();
    say_number(PL_H2_WINDOW_UPDATE, 0, 2000000);
    say_number(PL_H2_WINDOW_UPDATE, 1, 2000000);
    settle();
    listen_to();
    settle();
    listen_to();
    CHECK_INT(1000000, pushed, "all of it");
    CHECK_STR(". ", pl_str(client.heard + client.len - 2, 2), "the end");
    client.len = 0;
}

/* A body that nobody reads closes its window; one that is read opens it. */
static void test_h2_conn__opens_windows_for_readers(void **state)
{
    static char piece[16384];

    (void)state;
    begin_client();
    memset(piece, 'x', sizeof(piece));
    say_headers(1, POST_LINES("/park-and-echo") "content-length: 65536\n",
                false);
    for (int i = 0; i < 3; i++)
        say_frame(PL_H2_DATA, 0, 1, pl_str(piece, sizeof(piece)));
    say_frame(PL_H2_DATA, 0, 1, pl_str(piece, sizeof(piece) - 1));
    expect_words("", "nothing is asked for");
    open_gate();
    settle();
    listen_to();
    CHECK(strstr(client.heard, "W1+") != NULL, "now it is");
    client.len = 0;
    say_data(1, "x", true);
    settle();
    listen_to();
    CHECK(strstr(client.heard, "H1=200 D1#16384") != NULL, "answer");
    client.len = 0;
}

static void test_h2_conn__the_urgent_first(void **state)
{
    (void)state;
    net.limits.conn_memory = 4 << 20;
    fill_large();
    begin_client();
    say_headers(1, GET_LINES("/large"), true);
    settle();
    say_headers(3, GET_LINES("/large") "priority: u=5\n", true);
    say_headers(5, GET_LINES("/large") "priority: u=1\n", true);
    forget_words();
    say_number(PL_H2_WINDOW_UPDATE, 1, 100000);
    say_number(PL_H2_WINDOW_UPDATE, 0, 16384);
    expect_words("D5#16384", "u=1");
    say_frame(PL_H2_PRIORITY_UPDATE, 0, 0, PL_STR("\0\0\0\3u=0"));
    say_number(PL_H2_WINDOW_UPDATE, 0, 16384);
    expect_words("D3#16384", "u=0 now");
    say_number(PL_H2_WINDOW_UPDATE, 0, 1000);
    expect_words("D3#1000", "one after the other");
}

/* Of more streams than are kept: the next ones to come are. */
static void test_h2_conn__what_is_urgent_may_be_said_before(void **state)
{
    (void)state;
    net.limits.conn_memory = 4 << 20;
    fill_large();
    begin_client();
    for (int id = 41; id > 1; id -= 2) {
        const char said[] = {0, 0, 0, (char)id, 'u', '=', id == 5 ? '0' : '6'};

        say_frame(PL_H2_PRIORITY_UPDATE, 0, 0, pl_str(said, sizeof(said)));
    }
    say_headers(1, GET_LINES("/large"), true);
    settle();
    say_headers(3, GET_LINES("/large") "priority: u=1\n", true);
    say_headers(5, GET_LINES("/large") "priority: u=7\n", true);
    say_headers(41, GET_LINES("/large") "priority: u=2\n", true);
    forget_words();
    say_number(PL_H2_WINDOW_UPDATE, 0, 16384);
    expect_words("D5#16384", "u=0, whatever its head has said");
    say_frame(PL_H2_RST_STREAM, 0, 5, PL_STR("\0\0\0\010"));
    say_number(PL_H2_WINDOW_UPDATE, 0, 16384);
    expect_words("D41#16384", "u=2: nothing was kept of it");
    say_frame(PL_H2_RST_STREAM, 0, 41, PL_STR("\0\0\0\010"));
    say_number(PL_H2_WINDOW_UPDATE, 0, 1000);
    expect_words("D3#1000", "u=6");
}

static void test_h2_conn__incremental_streams_take_turns(void **state)
{
    (void)state;
    net.limits.conn_memory = 4 << 20;
    fill_large();
    begin_client();
    say_number(PL_H2_WINDOW_UPDATE, 0, 32768);
    say_headers(1, GET_LINES("/large") "priority: i\n", true);
    say_headers(3, GET_LINES("/large") "priority: i\n", true);
    forget_words();
    say_number(PL_H2_WINDOW_UPDATE, 1, 100000);
    say_number(PL_H2_WINDOW_UPDATE, 3, 100000);
    say_number(PL_H2_WINDOW_UPDATE, 0, 4 * 16384);
    settle();
    listen_to();
    CHECK(strstr(client.heard, "D1#16384 D3#16384 D1#16384 D3#16384") != NULL ||
              strstr(client.heard, "D3#16384 D1#16384 D3#16384 D1#16384") !=
                  NULL,
          client.heard);
    client.len = 0;
}

/* ---- contents ---- */

static void test_h2_conn__requests_wait_for_less_content(void **state)
{
    (void)state;
    fill_large();
    begin_client();
    for (uint32_t id = 1; id < 9; id += 2)
        say_headers(id, GET_LINES("/large"), true);
    settle();
    listen_to();
    CHECK(strstr(client.heard, "H3=200") != NULL, "two of them");
    CHECK(strstr(client.heard, "H5=") == NULL, "have begun");
    client.len = 0;
    say_number(PL_H2_RST_STREAM, 5, PL_H2_CANCEL);
    say_number(PL_H2_WINDOW_UPDATE, 0, 1 << 20);
    for (uint32_t id = 1; id < 4; id += 2)
        say_number(PL_H2_WINDOW_UPDATE, id, 300000);
    settle();
    listen_to();
    CHECK(strstr(client.heard, "H7=200") != NULL, "the last one has begun");
    CHECK(strstr(client.heard, "H5=") == NULL, "that one was reset");
    client.len = 0;
}

static void test_h2_conn__may_leave_while_requests_wait(void **state)
{
    (void)state;
    fill_large();
    begin_client();
    for (uint32_t id = 1; id < 9; id += 2)
        say_headers(id, GET_LINES("/large"), true);
    settle();
    pl_script_close(script, client.far);
    settle();
    CHECK_INT(0, net.stats.open, "gone");
    client.len = 0;
}

/* Who sends without a pause takes a share of a turn, not all of it. */
static void test_h2_conn__a_long_burst_has_shares(void **state)
{
    (void)state;
    begin_client();
    for (uint32_t id = 1; id < 200; id += 2)
        say_headers(id, GET_LINES("/"), true);
    while (finished == 0)
        CHECK(pl_loop_step(loop, 0) >= 0, "turn");
    CHECK(finished <= 64, "a share");
    settle();
    CHECK_INT(100, finished, "all of them");
    forget_words();
}

static void test_h2_conn__sends_files(void **state)
{
    char path[] = "/tmp/h2-file-XXXXXX";

    (void)state;
    fill_large();
    content_file = mkstemp(path);
    unlink(path);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)),
              "write");
    begin_client();
    say_number(PL_H2_WINDOW_UPDATE, 0, 1000000);
    say_headers(1, GET_LINES("/file?20"), true);
    settle();
    CHECK_INT(1, content_released, "small");
    forget_words();
    say_headers(3, GET_LINES("/file?300000"), true);
    say_number(PL_H2_WINDOW_UPDATE, 3, 1000000);
    settle();
    listen_to();
    settle();
    listen_to();
    CHECK_STR(". ", pl_str(client.heard + client.len - 2, 2), "the end");
    CHECK_INT(2, content_released, "large");
    CHECK_INT(0, ftruncate(content_file, 100000), "truncate");
    client.len = 0;
    say_headers(5, GET_LINES("/file?300000"), true);
    say_number(PL_H2_WINDOW_UPDATE, 5, 1000000);
    settle();
    listen_to();
    CHECK(strstr(client.heard, "R5=INTERNAL_ERROR") != NULL, "it was cut");
    CHECK(!pl_script_finished(script, client.far), "only that stream ends");
    client.len = 0;
    close(content_file);
}

/* ---- time ---- */

static void fill_account(struct pl_conn *conn, void *arg)
{
    struct pl_account *account = pl_conn_account(conn);

    (void)arg;
    account->limit = account->used;
}

/* What it has sent before leaves no room for one more field in our table. */
static void test_h2_conn__a_full_account_is_the_peers_fault(void **state)
{
    (void)state;
    begin_client();
    pl_net_each(&net, fill_account, NULL);
    say_headers(1, GET_LINES("/") "x-new: yes\n", true);
    expect_words("G1=ENHANCE_YOUR_CALM", "no error of ours");
}

static void test_h2_conn__idle_connections_are_closed(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/"), true);
    expect_words("H1=200 D1=hello.", "answer");
    pass(59999);
    expect_words("", "not yet");
    pass(1);
    expect_words("G1=NO_ERROR", "said");
    expect_closed(client.far, "closed");
}

static void test_h2_conn__prefaces_have_a_time(void **state)
{
    (void)state;
    client.far = connect_far();
    pl_script_send(script, client.far, PL_STR("PRI * HTTP/2"));
    settle();
    pass(10000);
    settle();
    CHECK(pl_script_finished(script, client.far), "closed");
}

static void test_h2_conn__closed_windows_have_a_time(void **state)
{
    char one[6];

    (void)state;
    begin_client();
    pl_h2_put_setting(one, PL_H2_INITIAL_WINDOW_SIZE, 0);
    say_frame(PL_H2_SETTINGS, 0, 0, pl_str(one, 6));
    say_headers(1, GET_LINES("/"), true);
    expect_words("A H1=200", "head");
    for (int i = 0; i < 4; i++)
        pass(10000);
    expect_words("R1=ENHANCE_YOUR_CALM", "given up");
    expect_open(client.far, "the others go on");
}

static void test_h2_conn__slow_bodies_are_408(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, POST_LINES("/echo"), false);
    say_data(1, "a", false);
    settle();
    pass(10000);
    settle();
    listen_to();
    CHECK(strstr(client.heard, "H1=408") != NULL, client.heard);
    CHECK(strstr(client.heard, "R1=NO_ERROR") != NULL, client.heard);
    client.len = 0;
}

/* ---- drains ---- */

static void test_h2_conn__drains_in_two_steps(void **state)
{
    (void)state;
    begin_client();
    say_headers(1, GET_LINES("/park"), true);
    settle();
    pl_http_drain(&http);
    expect_words("G2147483647=NO_ERROR P", "first");
    say_headers(3, GET_LINES("/"), true);
    expect_words("H3=200 D3=hello.", "it was on its way");
    say_frame(PL_H2_PING, PL_H2_ACK, 0, PL_STR("perilune"));
    expect_words("G3=NO_ERROR", "second");
    say_headers(5, GET_LINES("/"), true);
    expect_words("", "not any more");
    open_gate();
    expect_words("H1=200 D1=parked.", "the last one");
    expect_closed(client.far, "closed");
}

/* ---- cost ---- */

static void one_h2_round(void)
{
    static const char *const paths[] = {
        GET_LINES("/"), GET_LINES("/result?404"), GET_LINES("/stream"),
        GET_LINES("/tagged") "if-none-match: \"v1\"\n"};

    begin_client();
    for (uint32_t i = 0; i < 40; i++) {
        say_headers(2 * i + 1, paths[i % PL_COUNT(paths)], true);
        forget_words();
    }
    say_headers(81, POST_LINES("/echo"), false);
    say_data(81, "abc", true);
    forget_words();
    pl_script_close(script, client.far);
    settle();
    pl_h2_hpack_free(client.hpack);
    client.hpack = pl_h2_hpack_new(&client.pool, &client.account);
}

static void test_h2_conn__steady_state_needs_no_malloc(void **state)
{
    struct pl_pool *pool = pl_loop_pool(loop);
    uint64_t mallocs;
    size_t used;

    (void)state;
    for (int i = 0; i < 5; i++)
        one_h2_round();
    mallocs = pool->mallocs;
    used = pool->account.used;
    for (int i = 0; i < 20; i++)
        one_h2_round();
    CHECK_INT(mallocs, pool->mallocs, "no malloc");
    CHECK_INT(used, pool->account.used, "all given back");
}

static void test_h2_conn__idle_connections_own_little(void **state)
{
    size_t before, script_own;
    int far;

    (void)state;
    one_h2_round();
    before = pl_loop_pool(loop)->account.used;
    far = connect_far(); /* buffers of the script's own */
    pl_script_send(script, far, PL_STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    settle();
    pl_script_take(script, far, pl_script_received(script, far).len);
    script_own = pl_loop_pool(loop)->account.used - before;
    before = pl_loop_pool(loop)->account.used;
    begin_client();
    say_headers(1,
                GET_LINES("/") "user-agent: Mozilla/5.0 (X11; Linux) Test/1.0\n"
                               "accept: */*\naccept-encoding: gzip, br\n",
                true);
    forget_words();
    CHECK(pl_loop_pool(loop)->account.used - before < 8192 + script_own,
          "8 KiB");
    print_message("idle: %zu bytes\n",
                  pl_loop_pool(loop)->account.used - before - script_own);
}

RUN_TESTS(H2_BOTH(test_h2_conn__answers),
          H2_WHOLE(test_h2_conn__answers_many_in_one_send),
          H2_BOTH(test_h2_conn__answers_out_of_order),
          H2_BOTH(test_h2_conn__takes_bodies),
          H2_BOTH(test_h2_conn__an_unread_body_is_reset),
          H2_BOTH(test_h2_conn__continues),
          H2_BOTH(test_h2_conn__cuts_streams_off),
          H2_BOTH(test_h2_conn__hints_and_trailers),
          H2_WHOLE(test_h2_conn__waits_for_windows),
          H2_BOTH(test_h2_conn__small_windows),
          H2_WHOLE(test_h2_conn__streams_with_back_pressure),
          H2_WHOLE(test_h2_conn__opens_windows_for_readers),
          H2_WHOLE(test_h2_conn__the_urgent_first),
          H2_WHOLE(test_h2_conn__what_is_urgent_may_be_said_before),
          H2_WHOLE(test_h2_conn__incremental_streams_take_turns),
          H2_WHOLE(test_h2_conn__requests_wait_for_less_content),
          H2_WHOLE(test_h2_conn__may_leave_while_requests_wait),
          H2_WHOLE(test_h2_conn__a_long_burst_has_shares),
          H2_WHOLE(test_h2_conn__sends_files),
          H2_WHOLE(test_h2_conn__a_full_account_is_the_peers_fault),
          H2_WHOLE(test_h2_conn__idle_connections_are_closed),
          H2_BOTH(test_h2_conn__prefaces_have_a_time),
          H2_BOTH(test_h2_conn__closed_windows_have_a_time),
          H2_WHOLE(test_h2_conn__slow_bodies_are_408),
          H2_BOTH(test_h2_conn__drains_in_two_steps),
          H2_WHOLE(test_h2_conn__steady_state_needs_no_malloc),
          H2_WHOLE(test_h2_conn__idle_connections_own_little))
