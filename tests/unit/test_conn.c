/* test_conn.c - connections whose peer does everything: sends in pieces, leaves
 * early, stays silent. Their output is in test_conn_out.c. */
#include "conn_world.h"

/* ---- reading ---- */

static void test_conn__a_short_read_is_the_last(void **state)
{
    int far = connect_far();
    unsigned before = count("recv");

    (void)state;
    send_far(far, "hello");
    turn(3);
    check_seen("hello", "bytes");
    CHECK_INT(1, count("recv") - before, "one recv, no second for EAGAIN");
    send_far(far, "again");
    turn(1);
    check_seen("again", "the next event");
    CHECK_INT(2, count("recv") - before, "one more");
    check_trace("o", "nothing else");
}

/* They come as one event, and then silence. */
static void test_conn__a_fin_with_data_is_seen(void **state)
{
    int far = connect_far();

    (void)state;
    send_far(far, "bye");
    pl_script_finish(script, far);
    turn(1);
    check_seen("bye", "bytes");
    check_trace("oe", "the end");
    CHECK(!pl_conn_closed(last), "half closed: we may still write");
    CHECK_INT(0, write_text(last, "ok"), "write");
    turn(1);
    expect_far(far, "ok", "answer");
    pl_conn_finish(last, false);
    turn(1);
    check_trace("c", "closed");
    CHECK(pl_script_closed(script, far), "closed");
    CHECK(!pl_script_was_reset(script, far), "no reset");
}

static void test_conn__a_reset_closes(void **state)
{
    int far = connect_far();

    (void)state;
    pl_script_reset(script, far);
    turn(1);
    check_trace("oc", "closed");
    CHECK_INT(PL_ERR_CLOSED, why, "why");
}

/* One peer that sends without end does not keep the others waiting. */
static void test_conn__reading_has_a_budget(void **state)
{
    int greedy = connect_far(), modest;
    size_t before;

    (void)state;
    modest = connect_far();
    pl_script_send(script, greedy, pl_str(big, 10 * PL_NET_BUDGET));
    send_far(modest, "x");
    for (int i = 1; i <= 10; i++) {
        before = nseen;
        turn(1);
        CHECK_INT(PL_NET_BUDGET + (i == 1), nseen - before, "one share a turn");
    }
    turn(2);
    CHECK_INT(10 * PL_NET_BUDGET + 1, nseen, "and all in the end");
}

static size_t use_and_close(struct pl_conn *conn, struct pl_str bytes)
{
    pl_conn_close(conn, 0);
    return bytes.len;
}

static void test_conn__one_that_is_over_at_once_is_never_watched(void **state)
{
    unsigned adds = count("add");
    int far = pl_script_connect(script, listen_fd);

    (void)state;
    use = use_and_close;
    send_far(far, "all of it");
    turn(1);
    check_seen("all of it", "read in the turn that accepted it");
    check_trace("oc", "closed");
    CHECK(pl_script_closed(script, far), "closed");
    CHECK_INT(adds, count("add"), "the kernel was not told");
    CHECK_INT(0, count("remove"), "nor that it has gone");

    use = NULL;
    far = pl_script_connect(script, listen_fd);
    send_far(far, "a");
    turn(1);
    CHECK_INT(adds + 1, count("add"), "one that stays is watched");
    send_far(far, "b");
    turn(1);
    check_seen("ab", "and heard of");
    CHECK_INT(adds + 1, count("add"), "once");
}

static void test_conn__one_that_cannot_be_watched_is_closed(void **state)
{
    int far = pl_script_connect(script, listen_fd);

    (void)state;
    pl_script_fail(script, "add", PL_ERR_LIMIT, 1);
    turn(1);
    check_trace("oc", "closed");
    CHECK_INT(PL_ERR_LIMIT, why, "why");
    CHECK(pl_script_closed(script, far), "closed");
    CHECK_INT(1, net.stats.refused, "and accepting pauses");
    pass(1000);
    far = pl_script_connect(script, listen_fd);
    send_far(far, "x");
    turn(2);
    check_seen("x", "for a while");
}

/* More of them in one turn than can be remembered. */
enum { MANY = PL_NET_FRESH + 20 };

static void test_conn__many_are_accepted_in_a_turn(void **state)
{
    unsigned adds = count("add");

    (void)state;
    for (int i = 0; i < MANY; i++)
        pl_script_send(script, pl_script_connect(script, listen_fd),
                       PL_STR("x"));
    turn(4);
    CHECK_INT(MANY, nseen, "all are read");
    CHECK_INT(adds + MANY, count("add"), "and watched");
    nseen = 0;
}

/* Takes whole lines only. */
static size_t use_lines(struct pl_conn *conn, struct pl_str bytes)
{
    (void)conn;
    return (size_t)(pl_str_rchr(bytes, '\n') + 1);
}

static void test_conn__unused_input_is_kept(void **state)
{
    int far = connect_far();

    (void)state;
    use = use_lines;
    send_far(far, "one\ntw");
    turn(1);
    check_seen("one\n", "the whole line");
    CHECK_INT(2, pl_conn_kept(last), "the rest");
    send_far(far, "o");
    turn(1);
    CHECK_INT(3, pl_conn_kept(last), "more of it");
    send_far(far, "\n");
    turn(1);
    check_seen("two\n", "shown with what follows");
    CHECK_INT(0, pl_conn_kept(last), "nothing");
    CHECK(has_no_buffer(last), "an idle connection owns no buffer");
}

static void test_conn__unused_input_byte_by_byte(void **state)
{
    int far;

    (void)state;
    use = use_lines;
    pl_script_chop(script, 1);
    far = connect_far();
    send_far(far, "one\ntwo\nthree\n");
    pl_script_finish(script, far);
    turn(20);
    check_seen("one\ntwo\nthree\n", "all lines");
    check_trace("oe", "the end");
}

/* A protocol that never gets enough: the connection's memory is limited. */
static size_t use_nothing(struct pl_conn *conn, struct pl_str bytes)
{
    (void)conn, (void)bytes;
    return 0;
}

static void test_conn__kept_input_is_limited(void **state)
{
    int far = connect_far();

    (void)state;
    use = use_nothing;
    pl_script_send(script, far, pl_str(big, 2 << 20));
    turn(64);
    check_trace("oc", "closed");
    CHECK_INT(PL_ERR_LIMIT, why, "why");
}

static size_t use_and_pause(struct pl_conn *conn, struct pl_str bytes)
{
    pl_conn_pause(conn);
    return PL_MIN(bytes.len, 3);
}

static void test_conn__pausing_leaves_the_rest(void **state)
{
    int far = connect_far();
    unsigned before = count("recv");

    (void)state;
    use = use_and_pause;
    send_far(far, "abcdefg");
    turn(2);
    check_seen("abc", "first");
    send_far(far, "hij");
    turn(2);
    CHECK_INT(1, count("recv") - before, "not read while paused");
    pl_conn_resume(last);
    turn(1);
    check_seen("def", "shown again without an event");
    use = NULL;
    pl_conn_resume(last);
    turn(1);
    check_seen("ghij", "kept, and then what has come since");
    pl_script_finish(script, far);
    turn(1);
    check_trace("oe", "the end");
}

static void test_conn__an_end_while_paused_waits(void **state)
{
    int far = connect_far();

    (void)state;
    use = use_and_pause;
    send_far(far, "abcdef");
    pl_script_finish(script, far);
    turn(2);
    check_trace("o", "not yet");
    use = NULL;
    pl_conn_resume(last);
    turn(1);
    check_trace("e", "after the rest");
    check_seen("abcdef", "the rest");
}

/* ---- the end ---- */

static void test_conn__finishes_when_the_output_has_gone(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    pl_conn_write(last, pl_str(big, 5000));
    pl_conn_finish(last, false);
    CHECK(!pl_conn_closed(last), "output waits");
    send_far(far, "ignored");
    check_stream(far, big, 5000, "all");
    CHECK(pl_script_finished(script, far), "our FIN");
    check_seen("", "input is not shown any more");
}

static void test_conn__finishes_at_once_when_all_is_said(void **state)
{
    int far = connect_far();

    (void)state;
    write_text(last, "bye");
    pl_conn_finish(last, false);
    CHECK(pl_conn_closed(last), "closed");
    CHECK_INT(0, why, "why");
    turn(1);
    expect_far(far, "bye", "the last word");
    CHECK(!pl_script_was_reset(script, far), "no reset");
}

static void test_conn__lingers_for_the_peers_fin(void **state)
{
    int far = connect_far();

    (void)state;
    write_text(last, "no");
    pl_conn_finish(last, true);
    turn(1);
    expect_far(far, "no", "the last word");
    CHECK(pl_script_finished(script, far), "our FIN");
    CHECK(!pl_conn_closed(last), "listening");
    CHECK_INT(PL_ERR_CLOSED, write_text(last, "x"), "no more");
    send_far(far, "still sending");
    turn(1);
    check_seen("", "ignored");
    CHECK(!pl_conn_closed(last), "listening");
    pl_script_finish(script, far);
    turn(1);
    check_trace("oc", "closed");
    CHECK(!pl_script_was_reset(script, far), "no reset");
}

static void test_conn__lingers_for_a_limited_time(void **state)
{
    int far = connect_far();

    (void)state;
    pl_conn_finish(last, true);
    for (int i = 0; i < 4; i++) {
        send_far(far, "x");
        pass(1000);
        CHECK(!pl_script_closed(script, far), "listening");
    }
    send_far(far, "x");
    pass(1001);
    check_trace("oc", "closed");
    CHECK_INT(PL_ERR_TIMEOUT, why, "why");
}

/* Finishing with unread input must not reset: the peer would lose the answer.
 */
static size_t finish_early(struct pl_conn *conn, struct pl_str bytes)
{
    (void)bytes;
    write_text(conn, "enough");
    pl_conn_finish(conn, false);
    return 2;
}

static void test_conn__finishing_with_input_left_lingers(void **state)
{
    int far = connect_far();

    (void)state;
    use = finish_early;
    pl_script_send(script, far, pl_str(big, 3 * PL_NET_INBOX));
    turn(6);
    expect_far(far, "enough", "answer");
    CHECK(pl_script_finished(script, far), "our FIN");
    pl_script_finish(script, far);
    turn(2);
    CHECK(pl_script_closed(script, far), "closed");
    CHECK(!pl_script_was_reset(script, far), "no reset");
    CHECK_INT(1, calls, "input is not shown any more");
}

/* The same with input that was kept: shown from the connection's buffer. */
static void test_conn__finishing_inside_kept_input(void **state)
{
    int far = connect_far();

    (void)state;
    use = use_nothing;
    send_far(far, "abc");
    turn(1);
    use = finish_early;
    send_far(far, "def");
    turn(2);
    expect_far(far, "enough", "answer");
    CHECK(!pl_script_closed(script, far), "who knows what is still coming");
    pl_script_finish(script, far);
    turn(1);
    check_trace("oc", "closed");
}

static size_t close_inside(struct pl_conn *conn, struct pl_str bytes)
{
    char first = bytes.data[0];

    pl_conn_close(conn, PL_ERR_PROTO);
    CHECK_INT(first, bytes.data[0], "what is shown stays until we return");
    CHECK(pl_conn_closed(conn), "and so does the connection");
    CHECK_INT(PL_ERR_CLOSED, write_text(conn, "x"), "no more");
    pl_conn_pause(conn);
    pl_conn_resume(conn);
    pl_conn_finish(conn, true);
    pl_conn_deadline(conn, PL_DEADLINE_IDLE, 1);
    pl_conn_close(conn, 0);
    return bytes.len;
}

static void test_conn__closing_inside_input(void **state)
{
    int far = connect_far();

    (void)state;
    use = close_inside;
    send_far(far, "abc");
    turn(1);
    check_trace("oc", "closed once");
    CHECK_INT(PL_ERR_PROTO, why, "the first reason");
    CHECK(pl_script_closed(script, far), "closed");
}

static void test_conn__closing_inside_kept_input(void **state)
{
    int far = connect_far();

    (void)state;
    use = use_nothing;
    send_far(far, "abc");
    turn(1);
    use = close_inside;
    send_far(far, "def");
    turn(1);
    check_trace("oc", "closed once");
}

static void close_now(struct pl_conn *conn)
{
    pl_conn_close(conn, 0);
}

static void test_conn__closing_at_the_end(void **state)
{
    int far = connect_far();

    (void)state;
    at_eof = close_now;
    send_far(far, "a");
    pl_script_finish(script, far);
    turn(2);
    check_trace("oec", "closed once");
}

/* ---- time ---- */

static void test_conn__tells_the_protocol_of_time_outs(void **state)
{
    (void)state;
    connect_far();
    pl_conn_deadline(last, PL_DEADLINE_IDLE, 1000);
    pass(999);
    check_trace("o", "not yet");
    pass(1);
    check_trace("t", "the protocol decides");
    CHECK(!pl_conn_closed(last), "it did nothing");
    pass(5000);
    check_trace("", "and has no deadline any more");
    pl_conn_deadline(last, PL_DEADLINE_IDLE, 1000);
    pl_conn_deadline(last, PL_DEADLINE_NONE, 0);
    pass(5000);
    check_trace("", "taken back");
    CHECK_INT(1, net.stats.timed_out, "counted");
}

/* While output waits the peer has write_ms to take some of it; then the
 * protocol's own deadline goes on. */
static void test_conn__a_peer_that_does_not_read_is_closed(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    pl_conn_deadline(last, PL_DEADLINE_IDLE, 10000);
    pl_conn_write(last, pl_str(big, 5000));
    turn(1);
    pass(29999);
    check_trace("o", "its time has not come");
    pl_script_take(script, far, 1000);
    pass(1);
    pass(29999);
    check_trace("", "it took some");
    pass(30000);
    check_trace("c", "it took none");
    CHECK_INT(PL_ERR_TIMEOUT, why, "why");
}

/* It empties the kernel's buffer, but not so far that more would fit in. */
static void test_conn__a_peer_that_reads_slowly_is_kept(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    pl_conn_write(last, pl_str(big, 5000));
    turn(1);
    for (int i = 0; i < 6; i++) {
        pass(14000);
        pl_script_take(script, far, 50);
    }
    check_trace("o", "it took some");
    CHECK_INT(0, net.stats.timed_out, "not late");
    pass(15000);
    pass(15000);
    check_trace("c", "it took no more");
    CHECK_INT(PL_ERR_TIMEOUT, why, "why");
    CHECK_INT(1, net.stats.timed_out, "counted");
}

static void
test_conn__a_queue_that_cannot_be_asked_for_is_given_up(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    pl_conn_write(last, pl_str(big, 5000));
    turn(1);
    pl_script_fail(script, "unsent", PL_ERR_IO, 1);
    pass(15000);
    check_trace("oc", "closed");
}

static void test_conn__deadlines_wait_for_the_output(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    pl_conn_write(last, pl_str(big, 5000));
    turn(1);
    pl_conn_deadline(last, PL_DEADLINE_IDLE, 1000);
    pass(5000);
    check_trace("o", "not while output waits");
    check_stream(far, big, 5000, "all");
    pass(999);
    check_trace("", "all of its time, from then on");
    pass(1);
    check_trace("t", "due");
}

/* ---- accepting ---- */

static void test_conn__accepting_pauses_at_the_limit(void **state)
{
    int far[4];

    (void)state;
    net.limits.max_conns = 2;
    for (int i = 0; i < 4; i++)
        far[i] = pl_script_connect(script, listen_fd);
    turn(3);
    CHECK_INT(2, net.stats.open, "limit");
    pl_script_reset(script, far[0]);
    turn(3);
    CHECK_INT(2, net.stats.open, "another one, as soon as one has gone");
    check_trace("ooco", "in this order");
    pl_conn_close(last, 0);
    turn(2);
    CHECK_INT(2, net.stats.open, "and the last");
}

static void test_conn__accepting_pauses_without_descriptors(void **state)
{
    (void)state;
    pl_script_fail(script, "accept", PL_ERR_NO_FDS, 1);
    pl_script_connect(script, listen_fd);
    turn(3);
    CHECK_INT(0, net.stats.open, "paused");
    CHECK_INT(1, count("accept"), "it looks away");
    pass(1000);
    CHECK_INT(1, net.stats.open, "later");
}

static void test_conn__a_peer_that_went_away_is_passed_over(void **state)
{
    (void)state;
    pl_script_fail(script, "accept", PL_ERR_CLOSED, 2);
    connect_far();
    CHECK_INT(1, net.stats.open, "the next one");
}

static void test_conn__connections_outlive_their_listener(void **state)
{
    int far = connect_far();

    (void)state;
    pl_listener_stop(listener);
    listener = NULL;
    send_far(far, "x");
    turn(1);
    check_seen("x", "still there");
}

/* Thousands of connections, and no malloc after the first ones. */
static void test_conn__steady_state_needs_no_malloc(void **state)
{
    struct pl_pool *pool = pl_loop_pool(loop);
    uint64_t before = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        int far = pl_script_connect(script, listen_fd);

        use = i % 2 ? use_lines : NULL;
        turn(1);
        send_far(far, "abc");
        turn(1);
        write_text(last, "answer");
        turn(1);
        pl_conn_close(last, 0);
        pl_script_close(script, far);
        turn(1);
        trace[0] = '\0';
        if (i == 50)
            before = pool->mallocs;
    }
    CHECK_INT(before, pool->mallocs, "steady");
}

RUN_TESTS(CONN_TEST(test_conn__a_short_read_is_the_last),
          CONN_TEST(test_conn__a_fin_with_data_is_seen),
          CONN_TEST(test_conn__a_reset_closes),
          CONN_TEST(test_conn__reading_has_a_budget),
          CONN_TEST(test_conn__unused_input_is_kept),
          CONN_TEST(test_conn__unused_input_byte_by_byte),
          CONN_TEST(test_conn__kept_input_is_limited),
          CONN_TEST(test_conn__pausing_leaves_the_rest),
          CONN_TEST(test_conn__an_end_while_paused_waits),
          CONN_TEST(test_conn__finishes_when_the_output_has_gone),
          CONN_TEST(test_conn__finishes_at_once_when_all_is_said),
          CONN_TEST(test_conn__lingers_for_the_peers_fin),
          CONN_TEST(test_conn__lingers_for_a_limited_time),
          CONN_TEST(test_conn__finishing_with_input_left_lingers),
          CONN_TEST(test_conn__finishing_inside_kept_input),
          CONN_TEST(test_conn__closing_inside_input),
          CONN_TEST(test_conn__closing_inside_kept_input),
          CONN_TEST(test_conn__closing_at_the_end),
          CONN_TEST(test_conn__one_that_is_over_at_once_is_never_watched),
          CONN_TEST(test_conn__one_that_cannot_be_watched_is_closed),
          CONN_TEST(test_conn__many_are_accepted_in_a_turn),
          CONN_TEST(test_conn__tells_the_protocol_of_time_outs),
          CONN_TEST(test_conn__a_peer_that_reads_slowly_is_kept),
          CONN_TEST(test_conn__a_queue_that_cannot_be_asked_for_is_given_up),
          CONN_TEST(test_conn__a_peer_that_does_not_read_is_closed),
          CONN_TEST(test_conn__deadlines_wait_for_the_output),
          CONN_TEST(test_conn__accepting_pauses_at_the_limit),
          CONN_TEST(test_conn__accepting_pauses_without_descriptors),
          CONN_TEST(test_conn__a_peer_that_went_away_is_passed_over),
          CONN_TEST(test_conn__connections_outlive_their_listener),
          CONN_TEST(test_conn__steady_state_needs_no_malloc))
