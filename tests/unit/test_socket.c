/* test_socket.c - connections as streams in straight lines, on the scripted
 * backend: reading by kinds however bytes are cut, writing with back-pressure,
 * ends of all sorts. */
#include "net_world.h"

#include "socket/serve.h"

static struct pl_sockets sockets;
static struct pl_socket *near; /* its home */
static struct pl_socket_op reading, writing;
static int far;

static void accepted(void *arg, struct pl_socket *socket)
{
    (void)arg;
    pl_socket_set_home(socket, &near);
}

static const struct pl_service service = {.accepted = accepted};

static int make(void **state)
{
    make_net(state);
    pl_sockets_init(&sockets, &net, &sched, NULL);
    start_listening(&pl_service_protocol, (void *)&service);
    near = NULL;
    far = connect_far();
    CHECK(near != NULL, "accepted");
    return 0;
}

static int end(void **state)
{
    pl_sockets_fini(&sockets);
    return end_net(state);
}

static void read_until(const char *mark, size_t n)
{
    pl_socket_read_begin(&reading, near, PL_SOCKET_UNTIL, n, pl_str_c(mark));
}

static void read_exactly(size_t n)
{
    pl_socket_read_begin(&reading, near, PL_SOCKET_EXACTLY, n, PL_STR(""));
}

static void read_some(void)
{
    pl_socket_read_begin(&reading, near, PL_SOCKET_SOME, 1, PL_STR(""));
}

/* The read is over with result; if there is text, it is there and is taken. */
static void expect(int result, const char *text, const char *what)
{
    for (int i = 0; i < 2000 && reading.op.state != PL_OP_DONE; i++)
        turn(1);
    CHECK_INT(PL_OP_DONE, reading.op.state, what);
    CHECK_INT(result, reading.op.result, what);
    if (text == NULL)
        return;
    CHECK_STR(text, pl_str_first(pl_socket_peek(near), strlen(text)), what);
    pl_socket_take(near, strlen(text));
}

/* ---- reading ---- */

static const char words[] = "abc--\nline\r\n\nxy--z--rest";

static void read_all_kinds(const char *what)
{
    read_exactly(3);
    expect(3, "abc", what);
    read_until("--", 100);
    expect(2, "--", what);
    read_until("\n", 100);
    expect(1, "\n", what);
    read_until("\n", 100);
    expect(6, "line\r\n", what);
    read_until("\n", 100);
    expect(1, "\n", what);
    read_until("--", 100);
    expect(4, "xy--", what);
    read_until("--", 3);
    expect(3, "z--", what);
    read_until("nowhere", 3);
    expect(PL_ERR_LIMIT, NULL, what);
    read_until("nowhere", 100);
    expect(PL_ERR_EOF, NULL, what);
    read_exactly(5);
    expect(PL_ERR_EOF, NULL, what);
    read_exactly(4);
    expect(4, "rest", what);
    read_some();
    expect(0, NULL, what);
    read_exactly(1);
    expect(0, NULL, what);
    read_until("x", 1);
    expect(0, NULL, what);
}

static void test_socket__reads_the_same_however_it_is_cut(void **state)
{
    char what[40];

    (void)state;
    for (size_t chop = 0; chop <= sizeof(words); chop++) {
        snprintf(what, sizeof(what), "pieces of %zu", chop);
        pl_script_chop(script, chop);
        send_far(far, words);
        pl_script_finish(script, far);
        read_all_kinds(what);
        pl_socket_close(near);
        CHECK(near == NULL, "home");
        turn(2);
        far = connect_far();
    }
    pl_script_chop(script, 0);
}

static void test_socket__reads_nothing_unasked(void **state)
{
    unsigned before = pl_script_calls(script, "recv");

    (void)state;
    send_far(far, "unasked");
    pass(5);
    CHECK_INT(before, pl_script_calls(script, "recv"), "no recv");
    read_some();
    expect(7, "unasked", "asked");
    pass(5);
    CHECK(near->conn->io == NULL, "no buffer is left");
    send_far(far, "more");
    before = pl_script_calls(script, "recv");
    pass(5);
    CHECK_INT(before, pl_script_calls(script, "recv"), "not any more");
    read_exactly(4);
    expect(4, "more", "asked again");
}

/* Many small reads of one buffer move nothing and allocate nothing. */
static void test_socket__lines_cost_no_memory(void **state)
{
    static char lines[20001];
    struct pl_pool *pool = pl_loop_pool(loop);
    uint64_t mallocs = 0;

    (void)state;
    memset(lines, 'x', sizeof(lines) - 1);
    for (size_t i = 9; i < sizeof(lines); i += 10)
        lines[i] = '\n';
    lines[sizeof(lines) - 1] = '\0';
    for (int round = 0; round < 3; round++) {
        send_far(far, lines);
        for (int i = 0; i < 2000; i++) {
            read_until("\n", 100);
            expect(10, "xxxxxxxxx\n", "line");
        }
        if (round == 0)
            mallocs = pool->mallocs;
    }
    CHECK_INT(mallocs, pool->mallocs, "steady state");
    CHECK(near->conn->io == NULL, "no buffer is left");
}

/* What was taken was still in the buffer when more came, which then did not fit
 * into what a connection may hold. */
static void test_socket__reads_much_in_a_row(void **state)
{
    static char block[700000];
    size_t sent = 0;

    (void)state;
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 16; i++) {
        for (; sent < (size_t)(i + 3) * PL_SOCKET_BUFFER; sent += sizeof(block))
            pl_script_send(script, far, pl_str(block, sizeof(block)));
        read_exactly(PL_SOCKET_BUFFER - (size_t)i);
        for (int turns = 0; turns < 100; turns++)
            turn(reading.op.state != PL_OP_DONE);
        CHECK_INT(PL_SOCKET_BUFFER - i, reading.op.result, "read");
        pl_socket_take(near, (size_t)reading.op.result);
        if (near->conn->source.slot != 0) /* an event, not asked for */
            near->conn->source.ready(&near->conn->source, PL_READABLE);
    }
}

static void test_socket__one_reads_and_one_writes(void **state)
{
    struct pl_socket_op second;

    (void)state;
    read_some();
    pl_socket_read_begin(&second, near, PL_SOCKET_SOME, 1, PL_STR(""));
    CHECK_INT(PL_ERR_BUSY, second.op.result, "a second reader");
    CHECK_INT(5, pl_socket_write_some(near, PL_STR("wrote")), "write");
    turn(1);
    expect_far(far, "wrote", "meanwhile");
    pl_op_cancel(&reading.op);
    expect(PL_ERR_CANCELED, NULL, "canceled");
    read_some();
    send_far(far, "x");
    expect(1, "x", "goes on");
}

static void test_socket__times_out_and_goes_on(void **state)
{
    (void)state;
    near->timeout_ms = 10;
    read_exactly(4);
    send_far(far, "ab");
    pass(9);
    CHECK_INT(PL_OP_PENDING, reading.op.state, "not early");
    pass(2);
    expect(PL_ERR_TIMEOUT, NULL, "late");
    send_far(far, "cd");
    read_exactly(4);
    expect(4, "abcd", "nothing is lost");
}

/* ---- writing ---- */

static void fill(void)
{
    static char block[100000];

    while (pl_socket_write_some(near, pl_str(block, sizeof(block))) > 0)
        continue;
}

static void test_socket__writes_wait_for_room(void **state)
{
    (void)state;
    pl_script_window(script, far, 1000);
    fill();
    CHECK(pl_conn_queued(near->conn) <= 1 << 20, "bounded");
    pl_socket_room_begin(&writing, near);
    pass(5);
    CHECK_INT(PL_OP_PENDING, writing.op.state, "waits");
    pl_script_window(script, far, 10 << 20);
    pl_script_take(script, far, pl_script_received(script, far).len);
    pass(5);
    CHECK_INT(PL_OP_DONE, writing.op.state, "room");
    CHECK_INT(0, writing.op.result, "room");

    near->timeout_ms = 10;
    pl_script_window(script, far, 0);
    fill();
    pl_socket_room_begin(&writing, near);
    pass(20);
    CHECK_INT(PL_ERR_TIMEOUT, writing.op.result, "no room in time");
}

/* FIN comes behind all that was written; reading goes on. */
static void test_socket__shuts_down_one_side(void **state)
{
    static char block[3000];

    (void)state;
    pl_script_window(script, far, 1000);
    pl_socket_write_some(near, pl_str(block, sizeof(block)));
    pl_socket_shutdown(near);
    CHECK_INT(PL_ERR_CLOSED, pl_socket_write_some(near, PL_STR("x")), "over");
    pass(2);
    CHECK(!pl_script_finished(script, far), "not before the rest");
    for (int i = 0; i < 5; i++) {
        pl_script_take(script, far, pl_script_received(script, far).len);
        pl_script_window(script, far, 1000);
        pass(1);
    }
    CHECK(pl_script_finished(script, far), "FIN");
    send_far(far, "answer");
    pl_script_finish(script, far);
    read_exactly(6);
    expect(6, "answer", "still reads");
    read_some();
    expect(0, NULL, "the end");
}

/* ---- ends ---- */

static void test_socket__last_words_before_a_reset_are_read(void **state)
{
    (void)state;
    send_far(far, "bye\n");
    turn(2);
    pl_script_fail(script, "send", PL_ERR_CLOSED, 1);
    pl_socket_write_some(near, PL_STR("too late"));
    turn(2);
    CHECK_INT(PL_ERR_CLOSED, pl_socket_write_some(near, PL_STR("x")), "over");
    read_until("\n", 10);
    expect(4, "bye\n", "said before");
    pl_script_reset(script, far);
    read_some();
    expect(PL_ERR_CLOSED, NULL, "reset");
    CHECK(near->conn == NULL, "closed");
    read_some();
    expect(PL_ERR_CLOSED, NULL, "and stays so");
}

static void test_socket__closing_tells_who_waits(void **state)
{
    (void)state;
    pl_script_window(script, far, 1000);
    fill();
    read_some();
    pl_socket_room_begin(&writing, near);
    pl_socket_close(near);
    CHECK(near == NULL, "home");
    turn(2);
    CHECK_INT(PL_ERR_CLOSED, reading.op.result, "reader");
    CHECK_INT(PL_ERR_CLOSED, writing.op.result, "writer");
    CHECK_INT(1, sockets.leaving, "its output is on its way");
    pl_script_window(script, far, 10 << 20);
    pl_script_take(script, far, pl_script_received(script, far).len);
    pl_script_finish(script, far);
    pass(5);
    CHECK_INT(0, sockets.leaving, "has left");
    CHECK(pl_list_empty(&sockets.all), "nothing is left");
}

static void test_socket__the_end_of_the_server_is_told(void **state)
{
    (void)state;
    send_far(far, "last");
    read_exactly(5);
    turn(3);
    pl_sockets_drain(&sockets);
    expect(PL_ERR_STOPPING, NULL, "who waits");
    read_exactly(4);
    expect(4, "last", "what is there");
    read_some();
    expect(PL_ERR_STOPPING, NULL, "no more");
}

/* ---- owners ---- */

static int own(void *arg)
{
    (void)arg;
    pl_socket_set_owner(near, pl_task_current());
    return pl_fiber_sleep(5);
}

static void test_socket__ends_with_its_task(void **state)
{
    (void)state;
    CHECK_INT(0, pl_fiber_spawn(&sched, NULL, own, NULL, NULL), "task");
    pass(2);
    CHECK(near != NULL, "the task runs");
    pass(10);
    CHECK(near == NULL, "the task is over");
    CHECK(pl_script_finished(script, far), "closed");
}

#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(SOCKET_TEST(test_socket__reads_the_same_however_it_is_cut),
          SOCKET_TEST(test_socket__reads_nothing_unasked),
          SOCKET_TEST(test_socket__lines_cost_no_memory),
          SOCKET_TEST(test_socket__reads_much_in_a_row),
          SOCKET_TEST(test_socket__one_reads_and_one_writes),
          SOCKET_TEST(test_socket__times_out_and_goes_on),
          SOCKET_TEST(test_socket__writes_wait_for_room),
          SOCKET_TEST(test_socket__shuts_down_one_side),
          SOCKET_TEST(test_socket__last_words_before_a_reset_are_read),
          SOCKET_TEST(test_socket__closing_tells_who_waits),
          SOCKET_TEST(test_socket__the_end_of_the_server_is_told),
          SOCKET_TEST(test_socket__ends_with_its_task))
