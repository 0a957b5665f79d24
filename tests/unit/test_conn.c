/* test_conn.c - connections against a peer that does everything: sends in
 * pieces, reads slowly, leaves early. All of it on sockets in memory. */
#include "net_world.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/conn_priv.h"

/* ---- a protocol that the tests drive ---- */

static struct pl_conn *last; /* the newest */
static char seen[4096];      /* what input() was shown and took, terminated */
static size_t nseen;
static int why;        /* what closed() was told */
static unsigned calls; /* of input() */

/* What input() does; NULL: takes everything. */
static size_t (*use)(struct pl_conn *conn, struct pl_str bytes);
static void (*at_eof)(struct pl_conn *conn);

static void on_opened(struct pl_conn *conn)
{
    last = conn;
    note('o');
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    size_t used = use == NULL ? bytes.len : use(conn, bytes);

    calls++;
    if (nseen + used < sizeof(seen))
        memcpy(seen + nseen, bytes.data, used);
    nseen += used;
    return used;
}

static void on_eof(struct pl_conn *conn)
{
    note('e');
    if (at_eof != NULL)
        at_eof(conn);
}

static void on_drained(struct pl_conn *conn)
{
    (void)conn;
    note('d');
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)conn, (void)class;
    note('t');
}

static void on_closed(struct pl_conn *conn, int reason)
{
    (void)conn;
    why = reason;
    note('c');
}

static const struct pl_protocol protocol = {
    .name = "test",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .closed = on_closed,
};

static int make(void **state)
{
    make_net(state);
    last = NULL;
    use = NULL;
    at_eof = NULL;
    nseen = 0;
    calls = 0;
    why = 1;
    memset(seen, 0, sizeof(seen));
    start_listening(&protocol, NULL);
    return 0;
}

static unsigned count(const char *call)
{
    return pl_script_calls(script, call);
}

static void check_seen(const char *want, const char *what)
{
    CHECK_STR(want, pl_str(seen, nseen), what);
    nseen = 0;
}

static int write_text(struct pl_conn *conn, const char *text)
{
    return pl_conn_write(conn, pl_str_c(text));
}

/* Bytes that can be told from each other. */
static char big[3 << 20];

static void fill_big(void)
{
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
}

/* Takes what comes, until nothing does, and compares it with want. */
static void check_stream(int far, const char *want, size_t len,
                         const char *what)
{
    size_t at = 0;

    for (int idle = 0; idle < 3; idle++) {
        struct pl_str got = pl_script_received(script, far);

        if (got.len > 0)
            idle = 0;
        CHECK(at + got.len <= len, what);
        CHECK(memcmp(want + at, got.data, got.len) == 0, what);
        at += got.len;
        pl_script_take(script, far, got.len);
        turn(1);
    }
    CHECK_INT(len, at, what);
}

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
    CHECK(last->io == NULL, "an idle connection owns no buffer");
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

/* ---- writing ---- */

static void test_conn__writes_of_a_burst_leave_in_one_send(void **state)
{
    int far = connect_far();
    unsigned before = count("send");
    struct iovec pieces[] = {
        {(char *)"c", 1}, {(char *)"", 0}, {(char *)"de", 2}};

    (void)state;
    CHECK_INT(0, write_text(last, "a"), "write");
    CHECK_INT(0, write_text(last, "b"), "write");
    CHECK_INT(0, pl_conn_writev(last, pieces, 3), "writev");
    CHECK_INT(0, write_text(last, ""), "nothing");
    CHECK_INT(5, pl_conn_queued(last), "waiting");
    turn(1);
    expect_far(far, "abcde", "together");
    CHECK_INT(1, count("send") - before, "one send");
    CHECK(last->io == NULL, "no buffer of its own");
}

static void test_conn__the_outbox_changes_hands(void **state)
{
    int far[2];
    struct pl_conn *conn[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        far[i] = connect_far();
        conn[i] = last;
    }
    write_text(conn[0], "a");
    write_text(conn[1], "x");
    write_text(conn[0], "b");
    write_text(conn[1], "y");
    pl_conn_flush(conn[1]);
    expect_far(far[1], "xy", "flushed");
    turn(1);
    expect_far(far[0], "ab", "its own bytes in order");
}

/* The owner's send fails while another connection wants the outbox. */
static void test_conn__the_owner_may_die(void **state)
{
    int far[2];
    struct pl_conn *conn[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        far[i] = connect_far();
        conn[i] = last;
    }
    write_text(conn[0], "a");
    pl_script_fail(script, "send", PL_ERR_CLOSED, 1);
    CHECK_INT(0, write_text(conn[1], "x"), "the other goes on");
    CHECK(pl_conn_closed(conn[0]), "the owner has gone");
    CHECK_INT(PL_ERR_CLOSED, write_text(conn[0], "b"), "too late");
    turn(1);
    expect_far(far[1], "x", "the other goes on");
    check_trace("ooc", "one was closed");
}

static void test_conn__what_the_kernel_refuses_is_queued_in_order(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    CHECK_INT(0, pl_conn_write(last, pl_str(big, 700)), "fits");
    pl_conn_flush(last);
    CHECK_INT(0, pl_conn_write(last, pl_str(big + 700, 700)), "half fits");
    pl_conn_flush(last);
    CHECK_INT(400, pl_conn_queued(last), "queued");
    for (size_t at = 1400; at < 100 * 1000; at += 100)
        CHECK_INT(0, pl_conn_write(last, pl_str(big + at, 100)), "queued");
    CHECK_INT(0, pl_conn_write(last, pl_str(big + 100000, 100000)), "large");
    check_stream(far, big, 200000, "in order");
    CHECK(last->io == NULL, "nothing is left");
    CHECK_INT(PL_DEADLINE_NONE, last->class, "no time-out is left");
}

static void test_conn__more_than_the_outbox_is_gathered(void **state)
{
    int far = connect_far();
    unsigned before = count("send");

    (void)state;
    fill_big();
    CHECK_INT(0, pl_conn_write(last, pl_str(big, 10)), "head");
    CHECK_INT(0, pl_conn_write(last, pl_str(big + 10, 100000)), "large");
    CHECK_INT(1, count("send") - before, "one send, at once");
    check_stream(far, big, 100010, "in order");
    CHECK(pl_conn_reserve(last, PL_NET_OUTBOX + 1) == NULL, "too large");
}

static void test_conn__congestion_is_told_once(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 1000);
    CHECK(!pl_conn_congested(last), "empty");
    pl_conn_write(last, pl_str(big, 300000));
    CHECK(pl_conn_congested(last), "above output_high");
    check_trace("o", "not yet");
    pl_script_window(script, far, 239000); /* above output_low after these */
    pl_script_take(script, far, 1000);
    turn(2);
    CHECK(pl_conn_queued(last) <= net.limits.output_low, "fallen");
    check_trace("d", "drained");
    CHECK(!pl_conn_congested(last), "no longer");
    check_stream(far, big + 1000, 299000, "all");
    check_trace("", "not again");
}

/* ---- who owns what ---- */

static int released;

static void release(void *arg)
{
    released++;
    CHECK(arg == (void *)&released, "its argument");
}

static int write_ref(struct pl_conn *conn, size_t len)
{
    return pl_conn_write_ref(conn, pl_str(big, len), release, &released);
}

static void check_released(int n, const char *what)
{
    CHECK_INT(n, released, what);
    released = 0;
}

static void test_conn__references_are_released_once(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    released = 0;
    CHECK_INT(0, write_ref(last, 10), "small");
    check_released(1, "copied");
    CHECK_INT(0, write_ref(last, 100000), "large");
    check_released(1, "sent at once");
    turn(1);
    pl_script_take(script, far, 100010);
    pl_script_window(script, far, 30000);
    CHECK_INT(0, write_ref(last, 100000), "too large");
    check_released(0, "on its way");
    CHECK_INT(0, write_ref(last, 0), "nothing");
    check_released(1, "nothing");
    check_stream(far, big, 100000, "all");
    check_released(1, "when it has gone");
    CHECK_INT(0, write_ref(last, 100000), "again");
    pl_conn_close(last, 0);
    check_released(1, "dropped by close");
    CHECK_INT(PL_ERR_CLOSED, write_ref(last, 10), "closed");
    check_released(1, "closed");
    CHECK_INT(PL_ERR_CLOSED, write_ref(last, 100000), "closed");
    check_released(1, "closed");
}

static void test_conn__a_failing_send_releases_too(void **state)
{
    (void)state;
    connect_far();
    released = 0;
    pl_script_fail(script, "send", PL_ERR_IO, 1);
    CHECK_INT(PL_ERR_CLOSED, write_ref(last, 100000), "failed");
    check_released(1, "once");
    CHECK_INT(PL_ERR_IO, why, "why");
}

static int temporary(size_t size)
{
    int file = memfd_create("test", 0);

    fill_big();
    CHECK_INT(size, write(file, big, size), "file");
    return file;
}

static int write_file(struct pl_conn *conn, int file, uint64_t off,
                      uint64_t len)
{
    return pl_conn_write_file(conn, file, off, len, release, &released);
}

static void test_conn__files_are_sent_behind_their_head(void **state)
{
    int file = temporary(1 << 20), far = connect_far();
    char *want = malloc(300100);

    (void)state;
    released = 0;
    memcpy(want, "head", 4);
    memcpy(want + 4, big + 1000, 300000);
    memcpy(want + 300004, "tail", 4);
    pl_script_window(script, far, 100000);
    write_text(last, "head");
    CHECK_INT(0, write_file(last, file, 1000, 300000), "file");
    check_released(0, "on its way");
    write_text(last, "tail");
    check_stream(far, want, 300008, "in order");
    check_released(1, "when it has gone");
    CHECK_INT(0, write_file(last, file, 0, 0), "nothing");
    check_released(1, "nothing");
    CHECK(last->io == NULL, "nothing is left");
    free(want);
    close(file);
}

static void test_conn__a_file_that_shrank_closes(void **state)
{
    int file = temporary(1000), far = connect_far();

    (void)state, (void)far;
    released = 0;
    CHECK_INT(PL_ERR_CLOSED, write_file(last, file, 0, 2000), "too short");
    check_released(1, "once");
    check_trace("oc", "closed");
    CHECK_INT(PL_ERR_IO, why, "why");
    CHECK_INT(PL_ERR_CLOSED, write_file(last, file, 0, 10), "closed");
    check_released(1, "closed");
    close(file);
}

/* A large file to a fast reader does not keep the others waiting either. */
static void test_conn__files_have_a_budget(void **state)
{
    int file = memfd_create("test", 0), far = connect_far();
    size_t before;

    (void)state;
    released = 0;
    CHECK_INT(0, ftruncate(file, 8 * PL_NET_PUSH), "file");
    pl_script_window(script, far, 16 * PL_NET_PUSH);
    CHECK_INT(0, write_file(last, file, 0, 8 * PL_NET_PUSH), "file");
    for (int i = 0; i < 6; i++) {
        before = pl_script_received(script, far).len;
        turn(1);
        CHECK(pl_script_received(script, far).len - before <= 2 * PL_NET_PUSH,
              "a share a turn");
    }
    turn(4);
    CHECK_INT(8 * PL_NET_PUSH, pl_script_received(script, far).len, "all");
    check_released(1, "once");
    close(file);
}

static void test_conn__queued_output_is_limited(void **state)
{
    int far = connect_far();
    size_t total = 100, sizes[] = {100, 5000, 70000};
    int err = 0;

    (void)state;
    fill_big();
    pl_script_window(script, far, 100);
    pl_conn_write(last, pl_str(big, total));
    pl_conn_flush(last);
    for (unsigned i = 0; err == 0; i++) {
        size_t len = sizes[i % 3];

        err = pl_conn_write(last, pl_str(big + total, len));
        total += err == 0 ? len : 0;
        CHECK(total < 2 << 20, "limited");
    }
    CHECK_INT(PL_ERR_LIMIT, err, "limit");
    CHECK(!pl_conn_closed(last), "the caller decides");
    released = 0;
    CHECK(write_ref(last, 1000000) == 0, "references cost little");
    pl_conn_close(last, 0);
    check_released(1, "once");
    (void)far;
}

/* What was not queued whole was not queued at all. */
static void test_conn__refused_writes_leave_no_trace(void **state)
{
    int far = connect_far();
    size_t total = 100;

    (void)state;
    fill_big();
    pl_script_window(script, far, 100);
    pl_conn_write(last, pl_str(big, total));
    pl_conn_flush(last);
    for (int refused = 0; refused < 3;) {
        if (pl_conn_write(last, pl_str(big + total, 300000)) == 0)
            total += 300000;
        else
            refused++;
    }
    check_stream(far, big, total, "only what was taken");
}

/* A part had gone before the limit was met: the stream is broken. */
static void test_conn__a_broken_stream_is_closed(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 100);
    CHECK_INT(PL_ERR_CLOSED, pl_conn_write(last, pl_str(big, 2 << 20)), "copy");
    CHECK_INT(PL_ERR_LIMIT, why, "why");
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

#define CONN_TEST(name) cmocka_unit_test_setup_teardown(name, make, end_net)

RUN_TESTS(CONN_TEST(test_conn__a_short_read_is_the_last),
          CONN_TEST(test_conn__a_fin_with_data_is_seen),
          CONN_TEST(test_conn__a_reset_closes),
          CONN_TEST(test_conn__reading_has_a_budget),
          CONN_TEST(test_conn__unused_input_is_kept),
          CONN_TEST(test_conn__unused_input_byte_by_byte),
          CONN_TEST(test_conn__kept_input_is_limited),
          CONN_TEST(test_conn__pausing_leaves_the_rest),
          CONN_TEST(test_conn__an_end_while_paused_waits),
          CONN_TEST(test_conn__writes_of_a_burst_leave_in_one_send),
          CONN_TEST(test_conn__the_outbox_changes_hands),
          CONN_TEST(test_conn__the_owner_may_die),
          CONN_TEST(test_conn__what_the_kernel_refuses_is_queued_in_order),
          CONN_TEST(test_conn__more_than_the_outbox_is_gathered),
          CONN_TEST(test_conn__congestion_is_told_once),
          CONN_TEST(test_conn__references_are_released_once),
          CONN_TEST(test_conn__a_failing_send_releases_too),
          CONN_TEST(test_conn__files_are_sent_behind_their_head),
          CONN_TEST(test_conn__a_file_that_shrank_closes),
          CONN_TEST(test_conn__files_have_a_budget),
          CONN_TEST(test_conn__queued_output_is_limited),
          CONN_TEST(test_conn__refused_writes_leave_no_trace),
          CONN_TEST(test_conn__a_broken_stream_is_closed),
          CONN_TEST(test_conn__finishes_when_the_output_has_gone),
          CONN_TEST(test_conn__finishes_at_once_when_all_is_said),
          CONN_TEST(test_conn__lingers_for_the_peers_fin),
          CONN_TEST(test_conn__lingers_for_a_limited_time),
          CONN_TEST(test_conn__finishing_with_input_left_lingers),
          CONN_TEST(test_conn__finishing_inside_kept_input),
          CONN_TEST(test_conn__closing_inside_input),
          CONN_TEST(test_conn__closing_inside_kept_input),
          CONN_TEST(test_conn__closing_at_the_end),
          CONN_TEST(test_conn__tells_the_protocol_of_time_outs),
          CONN_TEST(test_conn__a_peer_that_does_not_read_is_closed),
          CONN_TEST(test_conn__deadlines_wait_for_the_output),
          CONN_TEST(test_conn__accepting_pauses_at_the_limit),
          CONN_TEST(test_conn__accepting_pauses_without_descriptors),
          CONN_TEST(test_conn__a_peer_that_went_away_is_passed_over),
          CONN_TEST(test_conn__connections_outlive_their_listener),
          CONN_TEST(test_conn__steady_state_needs_no_malloc))
