/* test_ws.c - the life of a WebSocket, whole and byte by byte: messages,
 * closing, pings, time-outs, back-pressure. What a peer may send is in
 * tests/conformance/websocket. */
#include "ws_world.h"

#define TEXT(s) pl_str_c(s)

/* ---- messages ---- */

static void test_ws__echoes(void **state)
{
    static const char *const paths[] = {"/echo", "/callbacks"};
    static char large[200000];

    (void)state;
    memset(large, 'x', sizeof(large));
    for (size_t i = 0; i < PL_COUNT(paths); i++) {
        int far = open_ws(paths[i]);

        send_text(far, "hello");
        expect_text(far, "hello", "text");
        send_frame(far, 0x82, TEXT("\xff\x01"));
        expect_frame(far, 0x82, TEXT("\xff\x01"), "binary");
        send_text(far, "");
        expect_text(far, "", "empty");
        send_frame(far, 0x82, pl_str(large, 70000));
        expect_frame(far, 0x82, pl_str(large, 70000), "large");
        expect_open(far, "open");
    }
}

static void test_ws__answers_a_burst(void **state)
{
    int far = open_ws("/callbacks");
    unsigned before;

    (void)state;
    before = pl_script_calls(script, "send");
    for (int i = 0; i < 16; i++)
        pl_script_send(script, far, PL_STR("\x81\x81\0\0\0\0a"));
    settle();
    CHECK_INT(1, pl_script_calls(script, "send") - before, "one send");
    for (int i = 0; i < 16; i++)
        expect_text(far, "a", "answer");
}

static void test_ws__joins_fragments(void **state)
{
    int far = open_ws("/echo");

    (void)state;
    send_frame(far, 0x01, TEXT("one "));
    send_frame(far, 0x89, TEXT("ping"));
    expect_frame(far, 0x8a, TEXT("ping"), "pong between fragments");
    send_frame(far, 0x00, TEXT("two "));
    send_frame(far, 0x00, TEXT(""));
    send_frame(far, 0x80, TEXT("three"));
    expect_text(far, "one two three", "joined");
}

static void test_ws__callbacks_never_overlap(void **state)
{
    int far = open_ws("/callbacks");

    (void)state;
    send_text(far, "sleep");
    send_frame(far, 0x89, TEXT("there?"));
    expect_frame(far, 0x8a, TEXT("there?"), "pings are answered meanwhile");
    send_text(far, "next");
    expect_open(far, "the first one sleeps");
    check_trace("om", "one");
    pass(1000);
    settle();
    expect_text(far, "sleep", "first");
    expect_text(far, "next", "second");
    check_trace("m", "two");
}

static void test_ws__has_idle_size(void **state)
{
    int far = open_ws("/callbacks");
    size_t before = pl_loop_pool(loop)->account.used, used;

    (void)state;
    open_ws("/callbacks");
    used = pl_loop_pool(loop)->account.used - before;
    CHECK(used <= 192, "an idle socket with its connection");
    send_text(far, "x");
    expect_text(far, "x", "echo");
    CHECK_INT(before + used, pl_loop_pool(loop)->account.used, "and again");
}

static const char zeros[20000];

static void test_ws__takes_no_memory_per_message(void **state)
{
    int far = open_ws("/callbacks");
    uint64_t before = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        if (i == 5)
            before = pl_loop_pool(loop)->mallocs;
        send_frame(far, 0x82, pl_str(zeros, sizeof(zeros)));
        expect_frame(far, 0x82, pl_str(zeros, sizeof(zeros)), "echo");
    }
    CHECK_INT(before, pl_loop_pool(loop)->mallocs, "steady");
}

/* ---- closing ---- */

static void test_ws__is_closed_by_the_peer(void **state)
{
    int far = open_ws("/echo");

    (void)state;
    send_frame(far, 0x88, TEXT("\x03\xe9going"));
    expect_close(far, 1001, "", "the same code");
    check_trace("c", "told");
    expect_closed(far, "FIN");
    CHECK_INT(101, last_status, "status");
}

static void test_ws__tells_the_callback_why(void **state)
{
    int far = open_ws("/callbacks");

    (void)state;
    send_frame(far, 0x88, TEXT("\x0f\xa1why"));
    expect_close(far, 4001, "", "the same code");
    CHECK_INT(4001, closed_by, "code");
    CHECK_STR("why", pl_str_c(closed_text), "reason");
    check_trace("oc", "once");
    expect_closed(far, "FIN");

    far = open_ws("/callbacks");
    send_frame(far, 0x88, TEXT(""));
    expect_frame(far, 0x88, TEXT(""), "no code");
    CHECK_INT(PL_WS_NO_CODE, closed_by, "code");

    far = open_ws("/callbacks");
    pl_script_close(script, far);
    settle();
    CHECK_INT(PL_WS_ABNORMAL, closed_by, "gone");
    check_trace("ococ", "once each");
}

static void test_ws__closes_by_itself(void **state)
{
    int far = open_ws("/callbacks");

    (void)state;
    send_text(far, "close");
    expect_close(far, 4000, "bye", "ours");
    CHECK_INT(4000, closed_by, "told at once");
    send_text(far, "too late");
    expect_open(far, "not answered; waits for the close frame");
    send_close(far, 4000);
    expect_closed(far, "FIN");

    far = open_ws("/callbacks");
    send_text(far, "close");
    expect_close(far, 4000, "bye", "ours");
    pass(16000);
    settle();
    CHECK(pl_script_finished(script, far) || pl_script_was_reset(script, far),
          "too late");
}

static void test_ws__closes_when_a_callback_fails(void **state)
{
    int far = open_ws("/callbacks");

    (void)state;
    fail_at = 2;
    send_text(far, "fine");
    expect_text(far, "fine", "first");
    send_text(far, "not");
    expect_close(far, 1011, "", "ours");
    CHECK_INT(1011, closed_by, "told");
}

static int leave(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_ws_message message;
    struct pl_ws *ws;
    int err = pl_ws_accept(req, NULL, &ws);

    (void)res;
    if (err == 0)
        err = pl_ws_receive(ws, &message);
    return err == 0 ? *(int *)arg : err;
}

static void test_ws__ends_with_its_handler(void **state)
{
    static int results[] = {0, PL_ERR_IO};
    static const unsigned codes[] = {1000, 1011};

    (void)state;
    add_handler("/leave0", leave, &results[0]);
    add_handler("/leave1", leave, &results[1]);
    for (int i = 0; i < 2; i++) {
        int far = open_ws(i == 0 ? "/leave0" : "/leave1");

        send_text(far, "go");
        expect_close(far, codes[i], "", "closed");
        send_close(far, codes[i]);
        expect_closed(far, "FIN");
    }
    CHECK_INT(2, finished, "requests");
}

static void test_ws__says_goodbye_when_the_server_stops(void **state)
{
    int far = open_ws("/callbacks"), straight = open_ws("/echo");

    (void)state;
    pl_http_drain(&http);
    settle();
    expect_close(far, 1001, "the server stops", "callbacks");
    expect_close(straight, 1001, "the server stops", "straight");
    CHECK_INT(1001, closed_by, "told");
    send_close(far, 1001);
    send_close(straight, 1001);
    expect_closed(far, "FIN");
    expect_closed(straight, "FIN");
}

/* ---- time ---- */

/* Until the deadlines of a class that has become shorter are in order. */
static void let_pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 100)
        pass(100);
    settle();
}

static void test_ws__pings_who_is_silent(void **state)
{
    int far;

    (void)state;
    options.ping_ms = 2000;
    options.timeout_ms = 2000;
    far = open_ws("/with");
    let_pass(1800);
    expect_open(far, "not yet");
    let_pass(1000);
    expect_frame(far, 0x89, TEXT(""), "ping");
    send_frame(far, 0x8a, TEXT(""));
    let_pass(1500);
    expect_open(far, "answered");
    let_pass(1000);
    expect_frame(far, 0x89, TEXT(""), "again");
    let_pass(2600);
    CHECK(pl_script_finished(script, far) || pl_script_was_reset(script, far),
          "given up");
    check_trace("c", "told");
}

static void test_ws__closes_who_is_idle(void **state)
{
    int far;

    (void)state;
    options.idle_ms = 4000;
    far = open_ws("/with");
    let_pass(3000);
    send_text(far, "x");
    expect_text(far, "x", "alive");
    let_pass(3500);
    expect_open(far, "alive still");
    let_pass(2000);
    expect_close(far, 1001, "idle", "closed");
}

static void test_ws__closes_who_sends_too_slowly(void **state)
{
    int far = open_ws("/echo");

    (void)state;
    pl_script_send(script, far, PL_STR("\x82\xfe\x10\x00\0\0\0\0abc"));
    for (int i = 0; i < 200 && pl_script_received(script, far).len == 0; i++) {
        pl_script_send(script, far, PL_STR("x"));
        let_pass(100);
    }
    expect_close(far, 1008, "a frame comes too slowly", "closed");
}

/* ---- limits ---- */

static void test_ws__limits_messages(void **state)
{
    int far;

    (void)state;
    options.max_message = 10;
    far = open_ws("/with");
    send_text(far, "0123456789");
    expect_text(far, "0123456789", "just");
    pl_script_send(script, far, PL_STR("\x81\x8b\0\0\0\0"));
    settle();
    expect_close(far, 1009, "a message is too long", "at its head");
    far = open_ws("/with");
    send_frame(far, 0x01, TEXT("012345"));
    send_frame(far, 0x80, TEXT("67890"));
    expect_close(far, 1009, "a message is too long", "in fragments");
}

static void test_ws__limits_control_frames(void **state)
{
    int far = open_ws("/echo");

    (void)state;
    for (int i = 0; i < 500; i++) {
        send_frame(far, 0x89, TEXT(""));
        expect_frame(far, 0x8a, TEXT(""), "pong");
    }
    send_frame(far, 0x8a, TEXT(""));
    expect_close(far, 1008, "too many control frames", "flood");
}

/* No length limits them. */
static void test_ws__limits_empty_fragments(void **state)
{
    int far = open_ws("/echo");

    (void)state;
    send_frame(far, 0x01, TEXT("a"));
    for (int i = 0; i < 500; i++)
        send_frame(far, 0x00, TEXT(""));
    expect_open(far, "so many are allowed");
    send_frame(far, 0x00, TEXT(""));
    expect_close(far, 1008, "too many empty fragments", "flood");
}

/* Who sends without a pause takes a share of a turn, not all of it. */
static void test_ws__a_long_burst_has_shares(void **state)
{
    int far = open_ws("/callbacks");

    (void)state;
    for (int i = 0; i < 200; i++)
        pl_script_send(script, far, PL_STR("\x81\x81\0\0\0\0a"));
    while (pl_script_received(script, far).len == 0)
        CHECK(pl_loop_step(loop, 0) >= 0, "turn");
    CHECK(pl_script_received(script, far).len < 3 * 150, "a share");
    settle();
    for (int i = 0; i < 200; i++)
        expect_text(far, "a", "answer");
}

/* ---- back-pressure ---- */

static int flooding; /* messages sent */
static struct pl_ws *flooder;

static int flood(struct pl_request *req, struct pl_response *res, void *arg)
{
    static char data[10000];
    struct pl_ws *ws;
    int err = pl_ws_accept(req, NULL, &ws);

    (void)res, (void)arg;
    flooder = ws;
    for (flooding = 0; err == 0 && flooding < 1000; flooding++)
        err = pl_ws_send(ws, PL_WS_BINARY, pl_str(data, sizeof(data)));
    return err;
}

static void test_ws__waits_for_slow_peers(void **state)
{
    int far, before;

    (void)state;
    add_handler("/flood", flood, NULL);
    far = connect_far();
    pl_script_window(script, far, 50000);
    request(far, "GET /flood HTTP/1.1\r\n" UPGRADE "\r\n");
    expect_status(far, 101, "handshake");
    before = flooding;
    CHECK(before > 10 && before < 100, "waits");
    CHECK_INT(PL_ERR_AGAIN, pl_ws_try_send(flooder, PL_WS_TEXT, PL_STR("x")),
              "try");
    for (int i = 0; i < 1000 && flooding < 1000; i++) {
        pl_script_take(script, far, pl_script_received(script, far).len);
        settle();
    }
    CHECK_INT(1000, flooding, "goes on");
}

/* ---- the handshake ---- */

static const struct {
    const char *what, *head;
    int status;
} handshakes[] = {
    {"good", "GET /echo HTTP/1.1\r\n" UPGRADE, 101},
    {"no upgrade", "GET /echo HTTP/1.1\r\nHost: a\r\n", 426},
    {"another one",
     "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
     "Upgrade: other\r\n",
     426},
    {"another version",
     "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
     426},
    {"no key",
     "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
     400},
    {"a short key",
     "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n",
     400},
    {"HTTP/1.0", "GET /echo HTTP/1.0\r\n" UPGRADE, 426},
    {"its own origin", "GET /echo HTTP/1.1\r\n" UPGRADE "Origin: http://a\r\n",
     101},
    {"another origin", "GET /echo HTTP/1.1\r\n" UPGRADE "Origin: http://b\r\n",
     403},
};

static void test_ws__shakes_hands(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(handshakes); i++) {
        int far = connect_far();
        char text[512];

        snprintf(text, sizeof(text), "%s\r\n", handshakes[i].head);
        request(far, text);
        expect_status(far, handshakes[i].status, handshakes[i].what);
        if (answer.status == 101) {
            expect_field("sec-websocket-accept",
                         "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            expect_field("upgrade", "websocket");
        } else if (answer.status == 426) {
            expect_field("sec-websocket-version", "13");
        }
    }
}

static const struct {
    const char *origin, *origins, *host;
    uint16_t port;
    bool want;
} origins[] = {
    {"http://a.example", NULL, "a.example", 0, true},
    {"https://A.example", NULL, "a.EXAMPLE", 0, true},
    {"https://a.example", NULL, "a.example", 443, true},
    {"http://a.example:8080", NULL, "a.example", 8080, true},
    {"http://a.example:8080", NULL, "a.example", 0, false},
    {"http://a.example", NULL, "a.example", 8080, false},
    {"http://b.example", NULL, "a.example", 0, false},
    {"http://a.example.evil", NULL, "a.example", 0, false},
    {"null", NULL, "a.example", 0, false},
    {"", NULL, "a.example", 0, false},
    {"http://[::1]:80", NULL, "[::1]", 0, true},
    {"null", "*", "a.example", 0, true},
    {"https://b.example", "https://b.example c.example", "a", 0, true},
    {"http://b.example", "https://b.example c.example", "a", 0, false},
    {"https://b.example:444", "https://b.example c.example", "a", 0, false},
    {"http://c.example:99", "https://b.example c.example", "a", 0, true},
    {"https://a", "https://b.example", "a", 0, false},
    {"https://x.d.example", "*.d.example", "a", 0, true},
    {"https://d.example", "*.d.example", "a", 0, false},
    {"https://xd.example", "*.d.example", "a", 0, false},
};

static void test_ws__knows_origins(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(origins); i++)
        CHECK_INT(origins[i].want,
                  pl_ws_origin_allowed(TEXT(origins[i].origin),
                                       TEXT(origins[i].origins),
                                       TEXT(origins[i].host), origins[i].port),
                  origins[i].origin);
}

static void test_ws__chooses_a_subprotocol(void **state)
{
    static const struct {
        const char *offers, *want;
    } cases[] = {
        {"", NULL},
        {"Sec-WebSocket-Protocol: three\r\n", NULL},
        {"Sec-WebSocket-Protocol: two\r\n", "two"},
        {"Sec-WebSocket-Protocol: two, one\r\n", "one"},
        {"Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: two\r\n", "two"},
        {"Sec-WebSocket-Protocol: ONE\r\n", NULL},
    };

    (void)state;
    options.protocols = "one two";
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        int far = connect_far();
        char text[512];

        snprintf(text, sizeof(text), "GET /with HTTP/1.1\r\n" UPGRADE "%s\r\n",
                 cases[i].offers);
        request(far, text);
        expect_status(far, 101, cases[i].offers);
        CHECK_STR(cases[i].want,
                  answer_field(answer.head, "sec-websocket-protocol"),
                  cases[i].offers);
    }
}

#define WHOLE_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, make_ws, end_http)

RUN_TESTS(WS_TEST(test_ws__echoes), WHOLE_TEST(test_ws__answers_a_burst),
          WS_TEST(test_ws__joins_fragments),
          WS_TEST(test_ws__callbacks_never_overlap),
          WHOLE_TEST(test_ws__has_idle_size),
          WHOLE_TEST(test_ws__takes_no_memory_per_message),
          WS_TEST(test_ws__is_closed_by_the_peer),
          WS_TEST(test_ws__tells_the_callback_why),
          WS_TEST(test_ws__closes_by_itself),
          WS_TEST(test_ws__closes_when_a_callback_fails),
          WS_TEST(test_ws__ends_with_its_handler),
          WS_TEST(test_ws__says_goodbye_when_the_server_stops),
          WHOLE_TEST(test_ws__pings_who_is_silent),
          WHOLE_TEST(test_ws__closes_who_is_idle),
          WHOLE_TEST(test_ws__closes_who_sends_too_slowly),
          WS_TEST(test_ws__limits_messages),
          WHOLE_TEST(test_ws__limits_control_frames),
          WHOLE_TEST(test_ws__limits_empty_fragments),
          WHOLE_TEST(test_ws__a_long_burst_has_shares),
          WHOLE_TEST(test_ws__waits_for_slow_peers),
          WS_TEST(test_ws__shakes_hands), WHOLE_TEST(test_ws__knows_origins),
          WS_TEST(test_ws__chooses_a_subprotocol))
