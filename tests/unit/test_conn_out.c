/* test_conn_out.c - the output of connections to peers that read as they like:
 * order, back-pressure, limits, and who owns what was given. */
#include "conn_world.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef PL_TEST_TLS
enum { LARGE_SENDS = 2 }; /* a batch of records each */
#else
enum { LARGE_SENDS = 1 };
#endif

/* ---- writing ---- */

static void test_conn_out__writes_of_a_burst_leave_in_one_send(void **state)
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
    CHECK(has_no_buffer(last), "no buffer of its own");
}

static void test_conn_out__the_outbox_changes_hands(void **state)
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
static void test_conn_out__the_owner_may_die(void **state)
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

static void
test_conn_out__what_the_kernel_refuses_is_queued_in_order(void **state)
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
    CHECK(has_no_buffer(last), "nothing is left");
    CHECK_INT(PL_DEADLINE_NONE, last->class, "no time-out is left");
}

static void test_conn_out__more_than_the_outbox_is_gathered(void **state)
{
    int far = connect_far();
    unsigned before = count("send");

    (void)state;
    fill_big();
    CHECK_INT(0, pl_conn_write(last, pl_str(big, 10)), "head");
    CHECK_INT(0, pl_conn_write(last, pl_str(big + 10, 100000)), "large");
    CHECK_INT(LARGE_SENDS, count("send") - before, "at once");
    check_stream(far, big, 100010, "in order");
    CHECK(pl_conn_reserve(last, PL_NET_OUTBOX + 1) == NULL, "too large");
}

static void test_conn_out__congestion_is_told_once(void **state)
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

static void test_conn_out__references_are_released_once(void **state)
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

static void test_conn_out__a_failing_send_releases_too(void **state)
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

static void test_conn_out__files_are_sent_behind_their_head(void **state)
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
    CHECK(has_no_buffer(last), "nothing is left");
    free(want);
    close(file);
}

static void test_conn_out__a_file_that_shrank_closes(void **state)
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
static void test_conn_out__files_have_a_budget(void **state)
{
    int file = memfd_create("test", 0), far = connect_far();
    size_t before;

    (void)state;
    released = 0;
    CHECK_INT(0, ftruncate(file, 8 * PL_NET_PUSH), "file");
    pl_script_window(script, far, 16 * PL_NET_PUSH);
    CHECK_INT(0, write_file(last, file, 0, 8 * PL_NET_PUSH), "file");
    CHECK(pl_script_received(script, far).len <= 2 * PL_NET_PUSH, "a share");
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

static void test_conn_out__queued_output_is_limited(void **state)
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
static void test_conn_out__refused_writes_leave_no_trace(void **state)
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
static void test_conn_out__a_broken_stream_is_closed(void **state)
{
    int far = connect_far();

    (void)state;
    fill_big();
    pl_script_window(script, far, 100);
    CHECK_INT(PL_ERR_CLOSED, pl_conn_write(last, pl_str(big, 2 << 20)), "copy");
    CHECK_INT(PL_ERR_LIMIT, why, "why");
}

RUN_TESTS(CONN_TEST(test_conn_out__writes_of_a_burst_leave_in_one_send),
          CONN_TEST(test_conn_out__the_outbox_changes_hands),
          CONN_TEST(test_conn_out__the_owner_may_die),
          CONN_TEST(test_conn_out__what_the_kernel_refuses_is_queued_in_order),
          CONN_TEST(test_conn_out__more_than_the_outbox_is_gathered),
          CONN_TEST(test_conn_out__congestion_is_told_once),
          CONN_TEST(test_conn_out__references_are_released_once),
          CONN_TEST(test_conn_out__a_failing_send_releases_too),
          CONN_TEST(test_conn_out__files_are_sent_behind_their_head),
          CONN_TEST(test_conn_out__a_file_that_shrank_closes),
          CONN_TEST(test_conn_out__files_have_a_budget),
          CONN_TEST(test_conn_out__queued_output_is_limited),
          CONN_TEST(test_conn_out__refused_writes_leave_no_trace),
          CONN_TEST(test_conn_out__a_broken_stream_is_closed))
