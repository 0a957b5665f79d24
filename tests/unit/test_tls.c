/* test_tls.c - two connections of one worker speak TLS with each other, by the
 * real plug-in; the test carries the records, in pieces as it likes, loses
 * them, and makes memory fail. */
#include "net_world.h"

#include <stdlib.h>

#include "base/faults.h"
#include "net/conn_tls.h"

/* One end: what its protocol has seen. */
struct end {
    struct pl_conn *conn;
    char seen[1 << 20];
    size_t nseen;
    bool opened, eof, closed;
    int why;
};

static struct end ends[2]; /* server, client */
static struct pl_tls_context *contexts[2];
static int fars[2];
static size_t piece; /* bytes carried at a time; 0: all that there are */
static char text[200000];

static struct end *end_of(const struct pl_conn *conn)
{
    return &ends[conn == ends[1].conn];
}

static void on_opened(struct pl_conn *conn)
{
    if (conn->listener == listener)
        ends[0].conn = conn;
    end_of(conn)->opened = true;
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    struct end *end = end_of(conn);

    CHECK(end->nseen + bytes.len <= sizeof(end->seen), "room");
    memcpy(end->seen + end->nseen, bytes.data, bytes.len);
    end->nseen += bytes.len;
    return bytes.len;
}

static void on_eof(struct pl_conn *conn)
{
    end_of(conn)->eof = true;
}

static void on_drained(struct pl_conn *conn)
{
    (void)conn;
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct end *end = end_of(conn);

    end->closed = true;
    end->why = why;
}

static const struct pl_protocol plain = {
    .name = "test",
    .alpn = "test/1",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .closed = on_closed,
};

/* ---- the wire between them ---- */

static bool carry(int from, int to)
{
    struct pl_str got = pl_script_received(script, fars[from]);
    size_t len = piece == 0 ? got.len : PL_MIN(got.len, piece);

    if (len == 0)
        return false;
    pl_script_send(script, fars[to], pl_str_first(got, len));
    pl_script_take(script, fars[from], len);
    return true;
}

/* Until neither says any more. */
static void talk(void)
{
    for (int quiet = 0; quiet < 4; quiet++) {
        bool there = carry(0, 1), back = carry(1, 0);

        if (there || back)
            quiet = 0;
        turn(1);
    }
}

/* ---- life ---- */

static int make_contexts(const struct pl_tls_options *server)
{
    static const struct pl_protocol *const offers[] = {&plain, NULL};
    static const struct pl_tls_options client = {.insecure = true};
    int err = pl_tls_context_new(server, false, offers, &contexts[0], NULL);

    return err < 0
               ? err
               : pl_tls_context_new(&client, true, offers, &contexts[1], NULL);
}

static int make_with(void **state, const struct pl_tls_options *options)
{
    make_net(state);
    memset(ends, 0, sizeof(ends));
    memset(contexts, 0, sizeof(contexts));
    piece = 0;
    if (make_contexts(options) < 0)
        skip(); /* -Dtls=disabled */
    start_listening(&plain, NULL);
    CHECK_INT(0, pl_listener_secure(listener, contexts[0]), "listener");
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7 + i / 251);
    return 0;
}

static int make(void **state)
{
    static const struct pl_tls_options dev = {.dev = true};

    return make_with(state, &dev);
}

static int end(void **state)
{
    end_net(state);
    for (int i = 0; i < 2; i++)
        pl_tls_context_free(contexts[i]);
    return 0;
}

static void on_dialed(struct pl_conn *conn)
{
    ends[1].conn = conn;
    pl_conn_tls_connect(conn, contexts[1], "localhost", &plain);
}

static const struct pl_protocol dialing = {.opened = on_dialed,
                                           .closed = on_closed};

static void dial(void)
{
    int fd = pl_script_pair(script, &fars[1]);

    pl_conn_dialed(&net, fd, &dialing, NULL);
}

static void shake_hands(void)
{
    fars[0] = pl_script_connect(script, listen_fd);
    dial();
    talk();
}

/* from says len bytes, and the other end sees them. */
static void say(int from, size_t len)
{
    struct end *to = &ends[!from];

    to->nseen = 0;
    CHECK_INT(0, pl_conn_write(ends[from].conn, pl_str(text, len)), "write");
    talk();
    CHECK_INT(len, to->nseen, "all of it");
    CHECK(memcmp(text, to->seen, len) == 0, "as it was said");
}

/* ---- tests ---- */

static void test_tls__carries_bytes_both_ways(void **state)
{
    static const size_t pieces[] = {0, 1, 5, 1000, 16409};
    struct pl_tls_info info;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(pieces); i++) {
        memset(ends, 0, sizeof(ends));
        piece = pieces[i];
        shake_hands();
        for (int from = 0; from < 2; from++) {
            CHECK(ends[from].opened, "opened");
            CHECK(pl_conn_tls_info(ends[from].conn, &info), "info");
            CHECK_STR("TLSv1.3", pl_str_c(info.version), "version");
            CHECK_STR("test/1", pl_str_c(info.alpn), "protocol");
            say(from, 1);
            say(from, piece == 1 ? 3000 : sizeof(text));
        }
        pl_conn_finish(ends[1].conn, false);
        talk();
        CHECK(ends[0].eof && ends[1].closed, "goodbye");
        CHECK(!pl_conn_truncated(ends[0].conn), "as it should be");
        pl_conn_close(ends[0].conn, 0);
        turn(1);
    }
    CHECK_INT(10, pl_net_tls_stats(&net).handshakes, "counted");
}

static void test_tls__an_idle_connection_has_no_buffers(void **state)
{
    (void)state;
    shake_hands();
    say(1, 5000);
    CHECK(pl_conn_more(ends[0].conn)->tls->rest == NULL, "nothing of a record");
    CHECK(has_no_buffer(ends[0].conn), "no buffers");
    CHECK(pl_conn_account(ends[0].conn)->used > 13 << 10,
          "OpenSSL's session is charged");
}

/* Where the kept one is, what is in it, and that it is used until it is old. */
static void test_tls__a_certificate_for_development_is_kept(void **state)
{
    static const struct pl_tls_options dev = {.dev = true};
    struct pl_error error = {.code = 0};
    struct pl_tls_context *context;
    struct pl_str first, again;
    char path[300];

    (void)state;
    snprintf(path, sizeof(path), "%s/perilune/dev.pem",
             getenv("XDG_DATA_HOME"));
    CHECK_INT(0, pl_tls_read_file(path, &first, &error), error.text);
    CHECK(strstr(first.data, "PRIVATE KEY") != NULL, "with its key");
    for (int i = 0; i < 2; i++) {
        CHECK_INT(0, pl_tls_context_new(&dev, false, NULL, &context, &error),
                  error.text);
        pl_tls_context_free(context);
        CHECK_INT(0, pl_tls_read_file(path, &again, &error), error.text);
        CHECK_INT(i == 0, pl_str_eq(first, again), "until it is of no use");
        pl_tls_wipe(again);
        CHECK_INT(0, truncate(path, 100), "broken");
    }
    pl_tls_wipe(first);
}

static void test_tls__many_writes_are_one_send(void **state)
{
    unsigned before;

    (void)state;
    shake_hands();
    before = pl_script_calls(script, "send");
    for (int i = 0; i < 100; i++)
        CHECK_INT(0, pl_conn_write(ends[0].conn, pl_str(text + i, 1)), "one");
    turn(1);
    CHECK_INT(1, pl_script_calls(script, "send") - before, "one send");
    CHECK(pl_script_received(script, fars[0]).len < 130, "one record");
}

static void test_tls__a_slow_peer_gets_all_in_order(void **state)
{
    (void)state;
    shake_hands();
    pl_script_window(script, fars[0], 1000);
    say(0, sizeof(text));
    CHECK(has_no_buffer(ends[0].conn), "nothing is left");
}

static void test_tls__an_end_without_goodbye_is_noticed(void **state)
{
    (void)state;
    shake_hands();
    pl_script_finish(script, fars[0]);
    turn(2);
    CHECK(ends[0].eof && pl_conn_truncated(ends[0].conn), "cut off");
}

static void test_tls__a_changed_record_ends_the_connection(void **state)
{
    struct pl_str got;
    char bad[200];

    (void)state;
    shake_hands();
    CHECK_INT(0, pl_conn_write(ends[1].conn, pl_str(text, 100)), "write");
    turn(1);
    got = pl_script_received(script, fars[1]);
    memcpy(bad, got.data, got.len);
    bad[20] ^= 1;
    pl_script_send(script, fars[0], pl_str(bad, got.len));
    turn(2);
    CHECK(ends[0].closed && ends[0].nseen == 0, "nothing of it was seen");
    CHECK_INT(PL_ERR_PROTO, ends[0].why, "why");
    CHECK(pl_script_received(script, fars[0]).len > 0, "an alert");
}

static void test_tls__a_handshake_has_a_time_limit(void **state)
{
    (void)state;
    fars[0] = pl_script_connect(script, listen_fd);
    turn(1);
    CHECK_INT(1, net.stats.open, "accepted");
    pl_script_send(script, fars[0], PL_STR("\x16\x03\x01\x01"));
    pass(net.limits.head_ms + 1);
    CHECK_INT(0, net.stats.open, "closed");
    CHECK_INT(1, pl_net_tls_stats(&net).failed, "counted");
    CHECK(!ends[0].opened && !ends[0].closed, "nobody has heard of it");
}

/* Of many that begin at once, some must wait for the next turn. */
static void test_tls__a_turn_has_few_handshakes(void **state)
{
    enum { MANY = 20 };
    struct pl_str hello;
    int far[MANY];
    unsigned answered = 0;

    (void)state;
    shake_hands();
    dial();
    hello = pl_script_received(script, fars[1]);
    for (int i = 0; i < MANY; i++)
        far[i] = pl_script_connect(script, listen_fd);
    turn(1);
    for (int i = 0; i < MANY; i++)
        pl_script_send(script, far[i], hello);
    turn(1);
    for (int i = 0; i < MANY; i++)
        answered += pl_script_received(script, far[i]).len > 0;
    CHECK(answered > 0 && answered < MANY, "some");
    turn(4);
    for (int i = 0; i < MANY; i++)
        CHECK(pl_script_received(script, far[i]).len > 0, "all");
}

/* More come in each turn than have steps, and nobody waits for ever. */
static void test_tls__a_flood_keeps_no_handshake_waiting(void **state)
{
    enum { FIRST = 20, EACH = 10, TURNS = 6 };
    struct pl_str hello;
    int far[FIRST + TURNS * EACH];
    unsigned n = 0;

    (void)state;
    shake_hands();
    dial();
    hello = pl_script_received(script, fars[1]);
    while (n < FIRST)
        far[n++] = pl_script_connect(script, listen_fd);
    turn(1);
    for (unsigned i = 0; i < FIRST; i++)
        pl_script_send(script, far[i], hello);
    for (unsigned i = 0; i < TURNS; i++) {
        turn(1);
        for (unsigned end = n + EACH; n < end; n++) {
            far[n] = pl_script_connect(script, listen_fd);
            pl_script_send(script, far[n], hello);
        }
    }
    for (unsigned i = 0; i < FIRST; i++)
        CHECK(pl_script_received(script, far[i]).len > 0, "an early one");
    CHECK_INT(0, pl_script_received(script, far[n - 1]).len, "a late one");
    turn(1); /* all are accepted */
}

/* Only the first step of a handshake waits: who was answered is let in before
 * all who want an answer, those seen earlier in the turn, too. */
static void test_tls__a_handshake_that_was_answered_goes_on(void **state)
{
    enum { WAITING = 20, MORE = 10 };
    char hello[2048];
    int far[WAITING + MORE];
    size_t len;

    (void)state;
    for (unsigned i = 0; i < PL_COUNT(far); i++)
        far[i] = pl_script_connect(script, listen_fd);
    fars[0] = pl_script_connect(script, listen_fd);
    dial();
    len = pl_script_received(script, fars[1]).len;
    CHECK(len <= sizeof(hello), "room");
    memcpy(hello, pl_script_received(script, fars[1]).data, len);
    turn(1);
    carry(1, 0);
    turn(1);
    for (unsigned i = 0; i < WAITING; i++)
        pl_script_send(script, far[i], pl_str(hello, len));
    CHECK(carry(0, 1), "it was answered");
    turn(1);
    for (unsigned i = WAITING; i < PL_COUNT(far); i++)
        pl_script_send(script, far[i], pl_str(hello, len));
    carry(1, 0);
    turn(1);
    CHECK(ends[0].opened, "it is open");
    CHECK_INT(0, pl_script_received(script, far[PL_COUNT(far) - 1]).len,
              "others wait");
    turn(8);
}

static void test_tls__survives_a_lack_of_memory(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        memset(ends, 0, sizeof(ends));
        shake_hands();
        if (ends[0].opened && ends[1].opened && !pl_conn_closed(ends[0].conn) &&
            !pl_conn_closed(ends[1].conn))
            pl_conn_write(ends[0].conn, pl_str(text, 100000));
        talk();
        if (ends[1].nseen > 0)
            CHECK(memcmp(text, ends[1].seen, ends[1].nseen) == 0, "right");
        pl_faults_reset();
        pl_net_each(&net, close_it, NULL);
        turn(3);
    }
}

/* What cannot be made leaves nothing behind. */
static void test_tls__a_context_needs_memory(void **state)
{
    static const struct pl_tls_options dev = {.dev = true};

    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_error error = {.code = 0};
        struct pl_tls_context *context = NULL;
        int err = pl_tls_context_new(&dev, false, NULL, &context, &error);

        CHECK(err == 0 || (pl_faults_hit() && error.text[0] != '\0'),
              error.text);
        pl_tls_context_free(context);
    }
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(TLS_TEST(test_tls__carries_bytes_both_ways),
          TLS_TEST(test_tls__an_idle_connection_has_no_buffers),
          TLS_TEST(test_tls__a_certificate_for_development_is_kept),
          TLS_TEST(test_tls__many_writes_are_one_send),
          TLS_TEST(test_tls__a_slow_peer_gets_all_in_order),
          TLS_TEST(test_tls__an_end_without_goodbye_is_noticed),
          TLS_TEST(test_tls__a_changed_record_ends_the_connection),
          TLS_TEST(test_tls__a_handshake_has_a_time_limit),
          TLS_TEST(test_tls__a_turn_has_few_handshakes),
          TLS_TEST(test_tls__a_flood_keeps_no_handshake_waiting),
          TLS_TEST(test_tls__a_handshake_that_was_answered_goes_on),
          TLS_TEST(test_tls__a_context_needs_memory),
          TLS_TEST(test_tls__survives_a_lack_of_memory))
