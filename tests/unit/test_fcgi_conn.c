/* test_fcgi_conn.c - the life of a FastCGI connection: requests, bodies, what
 * is malformed, time, drains, and what it costs. */
#include "fcgi_world.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- requests ---- */

static void test_fcgi_conn__answers(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/"));
    expect_words(HELLO("1"), "a small body with its head");
    say_get(1, GET_PARAMS("/result?204"));
    expect_words("O1=Status: 204 No Content~~" ENDED("1"), "the number again");
    say_get(65535, GET_PARAMS("/result?302"));
    expect_words("O65535=" HEAD("302 Found", "0") ENDED("65535"), "no body");
    say_get(2, "REQUEST_METHOD=HEAD\nREQUEST_URI=/\nHTTP_HOST=a\n");
    expect_words("O2=" HEAD("200 OK", "5") ENDED("2"), "HEAD");
    CHECK_INT(4, finished, "requests");
    expect_open(client.far, "open");
}

static void test_fcgi_conn__closes_unless_it_is_to_keep(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, 0);
    say_params(1, GET_PARAMS("/"));
    say_stdin(1, "");
    expect_words(HELLO("1"), "answer");
    expect_closed(client.far, "and the end");
}

static void test_fcgi_conn__an_idle_connection_has_nothing(void **state)
{
    struct pl_conn *conn;

    (void)state;
    say_get(1, GET_PARAMS("/"));
    forget();
    conn = PL_CONTAINER_OF(pl_loop_slot(loop, pl_loop_slots(loop)),
                           struct pl_conn, source);
    CHECK(conn->state == NULL, "no state");
    CHECK(conn->io == NULL, "no buffer");
}

static void test_fcgi_conn__answers_out_of_order(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/park"));
    say_get(2, GET_PARAMS("/"));
    expect_words(HELLO("2"), "the second one need not wait");
    open_gate();
    expect_words("O1=" HEAD("200 OK", "6") "parked" ENDED("1"), "the first");
}

static void test_fcgi_conn__many_in_one_send(void **state)
{
    unsigned before;

    (void)state;
    for (unsigned id = 1; id <= 32; id++)
        say_get(id, GET_PARAMS("/"));
    before = pl_script_calls(script, "send");
    settle();
    CHECK_INT(1, pl_script_calls(script, "send") - before, "one send");
    CHECK_INT(32, finished, "requests");
    forget();
}

static void test_fcgi_conn__params_in_pieces(void **state)
{
    struct pl_str pairs = pairs_of(GET_PARAMS("/") "HTTP_X=y\n");

    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    for (size_t i = 0; i < pairs.len; i += 7)
        say_padded(PL_FCGI_PARAMS, 1, pl_str_first(pl_str_skip(pairs, i), 7),
                   (unsigned)i % 256);
    expect_words("", "waits");
    say_padded(PL_FCGI_PARAMS, 1, PL_STR(""), 255);
    say_padded(PL_FCGI_STDIN, 1, PL_STR(""), 3);
    expect_words(HELLO("1"), "padding is nothing");
}

/* Nobody does it, but nothing forbids it (3.3). */
static void test_fcgi_conn__params_of_two_requests_at_once(void **state)
{
    struct pl_str pairs = pairs_of(GET_PARAMS("/"));

    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_begin(2, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    for (size_t i = 0; i < pairs.len; i += 20)
        for (unsigned id = 1; id <= 2; id++)
            say_record(PL_FCGI_PARAMS, id,
                       pl_str_first(pl_str_skip(pairs, i), 20));
    say_record(PL_FCGI_PARAMS, 2, PL_STR(""));
    expect_words(HELLO("2"), "the second");
    say_record(PL_FCGI_PARAMS, 1, PL_STR(""));
    expect_words(HELLO("1"), "the first");
}

/* ---- bodies ---- */

static void test_fcgi_conn__takes_bodies(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/echo", "6"));
    expect_words("", "waits");
    say_stdin(1, "abc");
    say_padded(PL_FCGI_STDIN, 1, PL_STR("def"), 5);
    say_stdin(1, "");
    expect_words("O1=" HEAD("200 OK", "6") "abcdef" ENDED("1"), "body");
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/echo", ""));
    say_stdin(1, "abc");
    say_stdin(1, "");
    expect_words("O1=" HEAD("200 OK", "3") "abc" ENDED("1"),
                 "nobody has said how long it is");
}

static void test_fcgi_conn__more_than_was_announced_is_no_body(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/echo", "2"));
    say_stdin(1, "abcdef");
    say_stdin(1, "");
    expect_words("O1=" HEAD("200 OK", "2") "ab" ENDED("1"), "RFC 3875, 4.2");
}

static void test_fcgi_conn__less_than_was_announced_is_broken(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/echo", "6"));
    say_stdin(1, "abc");
    say_stdin(1, "");
    hear_all();
    CHECK_INT(400, last_status, "the client has gone");
    forget_heard();
}

static void test_fcgi_conn__an_unread_body_is_passed_over(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/", "100"));
    expect_words(HELLO("1"), "answered before it has come");
    say_stdin(1, "late");
    say_stdin(1, "");
    say_get(1, GET_PARAMS("/"));
    expect_words(HELLO("1"), "the next one");
}

/* A body that nobody reads stops the connection in the end, and others only
 * then. */
static void test_fcgi_conn__waits_for_who_reads(void **state)
{
    static char piece[60000];

    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/park-and-echo", "600000"));
    for (int i = 0; i < 3; i++)
        say_record(PL_FCGI_STDIN, 1, pl_str(piece, sizeof(piece)));
    say_get(2, GET_PARAMS("/"));
    expect_words(HELLO("2"), "180000 bytes are no hindrance");
    for (int i = 0; i < 7; i++)
        say_record(PL_FCGI_STDIN, 1, pl_str(piece, sizeof(piece)));
    say_stdin(1, "");
    say_get(3, GET_PARAMS("/"));
    expect_words("", "600000 are");
    open_gate();
    hear_all();
    CHECK(strstr(client.heard, HELLO("3")) != NULL, "goes on");
    CHECK(strstr(client.heard, ENDED("1")) != NULL, "the first one, too");
    forget_heard();
}

/* ---- what ends early ---- */

static void test_fcgi_conn__aborts(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/park"));
    expect_words("", "waits");
    say_record(PL_FCGI_ABORT_REQUEST, 1, PL_STR(""));
    expect_words("E1=1", "5.4");
    CHECK_INT(PL_ERR_CANCELED, gate_result, "the handler is told");
    say_begin(2, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_record(PL_FCGI_ABORT_REQUEST, 2, PL_STR(""));
    expect_words("E2=1", "in its params");
    say_record(PL_FCGI_ABORT_REQUEST, 7, PL_STR(""));
    expect_words("", "nobody");
    expect_open(client.far, "open");
}

static void test_fcgi_conn__the_end_of_the_connection_aborts_all(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/park"));
    say_begin(2, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    expect_words("", "waits");
    pl_script_finish(script, client.far);
    settle();
    CHECK_INT(PL_ERR_CANCELED, gate_result, "the handler is told");
    CHECK_INT(1, finished, "and that is all");
}

static void test_fcgi_conn__cuts_streams_off(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/park"));
    say_get(2, GET_PARAMS("/break"));
    expect_words(
        "O2=Status: 200 OK~~ O2=abc X2=input/output error X2. O2. E2=1",
        "among others");
    open_gate();
    forget();
    say_get(3, GET_PARAMS("/declared?5"));
    hear_all();
    CHECK(strstr(client.heard, "E3") == NULL, "has no end");
    expect_closed(client.far, "but for that of the connection");
    forget_heard();
}

/* ---- large answers ---- */

static void expect_large(const char *what)
{
    ptrdiff_t head =
        pl_str_find(pl_str(client.out, client.out_len), PL_STR("\r\n\r\n")) + 4;

    CHECK_INT(sizeof(large), client.out_len - (size_t)head, what);
    CHECK(memcmp(client.out + head, large, sizeof(large)) == 0, what);
    CHECK(pl_str_ends(pl_str(client.heard, client.len), PL_STR("E1=0 ")), what);
    forget_heard();
}

static void test_fcgi_conn__sends_large_content(void **state)
{
    (void)state;
    fill_large();
    say_get(1, GET_PARAMS("/large"));
    hear_all();
    expect_large("from memory");
    CHECK_INT(1, content_released, "released");
}

static void make_content_file(void)
{
    FILE *file = tmpfile();

    CHECK(file != NULL, "file");
    fill_large();
    CHECK_INT(1, fwrite(large, sizeof(large), 1, file), "write");
    fflush(file);
    content_file = dup(fileno(file));
    fclose(file);
}

static void test_fcgi_conn__sends_files(void **state)
{
    (void)state;
    make_content_file();
    say_get(1, GET_PARAMS("/file"));
    hear_all();
    expect_large("a large one");
    say_get(1, GET_PARAMS("/file?1000"));
    hear_all();
    CHECK(strstr(client.heard, "O1#1") != NULL, "a small one with its head");
    CHECK_INT(2, content_released, "released");
    close(content_file);
    forget();
}

static void test_fcgi_conn__large_content_goes_in_turns(void **state)
{
    const char *first, *last;

    (void)state;
    fill_large();
    pl_script_window(script, client.far, 70000);
    net.limits.output_high = 60000;
    net.limits.output_low = 10000;
    say_get(1, GET_PARAMS("/large"));
    say_get(2, GET_PARAMS("/large"));
    for (int n = 0; n < 20; n++)
        hear_all();
    first = strstr(client.heard, "O2#65528");
    last = strstr(client.heard, "E1=0");
    CHECK(first != NULL && last != NULL && first < last, "one record each");
    forget_heard();
    CHECK_INT(2, content_released, "released");
}

static void test_fcgi_conn__streams(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/stream?2"));
    expect_words("O1=Status: 200 OK~~ O1#1000 O1#1000 O1. E1=0", "two pieces");
    say_get(1, GET_PARAMS("/declared?10"));
    hear_all();
    CHECK(strstr(client.heard, "Content-Length: 10~") != NULL, "length");
    CHECK(strstr(client.heard, "E1=0") != NULL, "whole");
    forget();
}

static void test_fcgi_conn__a_stream_waits_for_who_does_not_read(void **state)
{
    (void)state;
    pl_script_window(script, client.far, 5000);
    say_get(1, GET_PARAMS("/stream?600"));
    settle();
    CHECK(pushed < 400000, "the producer waits");
    for (int n = 0; n < 1000 && strstr(client.heard, "E1=0") == NULL; n++) {
        hear_all();
        if (client.len > 60000)
            forget_heard();
    }
    CHECK_INT(600000, pushed, "and goes on");
    forget_heard();
}

/* ---- authorizers ---- */

static void test_fcgi_conn__authorizes(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_AUTHORIZER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/whole", "100"));
    expect_words("O1=" HEAD("200 OK", "0") ENDED("1"),
                 "it is asked without the body (6.3)");
    say_begin(1, PL_FCGI_AUTHORIZER, PL_FCGI_KEEP_CONN);
    say_params(1, GET_PARAMS("/result?401"));
    say_stdin(1, "");
    hear_all();
    CHECK(strstr(client.heard, "Status: 401 ") != NULL, "refused");
    forget();
}

static void test_fcgi_conn__knows_no_other_role(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_FILTER, PL_FCGI_KEEP_CONN);
    say_params(1, GET_PARAMS("/"));
    say_record(PL_FCGI_DATA, 1, PL_STR("data"));
    say_stdin(1, "");
    expect_words("E1=0/UNKNOWN_ROLE", "filter");
    say_begin(2, 9, 0);
    expect_words("E2=0/UNKNOWN_ROLE", "no role");
    CHECK(pl_script_finished(script, client.far), "which was the last one");
}

/* ---- about the connection ---- */

static void test_fcgi_conn__says_what_it_can(void **state)
{
    (void)state;
    net.limits.max_conns = 100;
    say_record(PL_FCGI_GET_VALUES, 0,
               pairs_of("FCGI_MPXS_CONNS=\nFCGI_MAX_CONNS=\nSOMETHING=\n"
                        "FCGI_MAX_REQS=\nFCGI_MPXS_CONNS=\n"));
    expect_words("V=FCGI_MAX_CONNS:100,FCGI_MAX_REQS:12800,FCGI_MPXS_CONNS:1,",
                 "4.1");
    say_padded(PL_FCGI_GET_VALUES, 0, PL_STR(""), 7);
    expect_words("V=", "nothing");
    say_get(1, GET_PARAMS("/"));
    expect_words(HELLO("1"), "goes on");
}

static void test_fcgi_conn__unknown_types(void **state)
{
    (void)state;
    say_padded((enum pl_fcgi_type)12, 0, PL_STR("what?"), 3);
    expect_words("U12", "4.2");
    say_record((enum pl_fcgi_type)200, 0, PL_STR(""));
    expect_words("U200", "4.2");
    say_record((enum pl_fcgi_type)77, 5, PL_STR("of a request"));
    expect_words("", "passed over");
    say_get(1, GET_PARAMS("/"));
    expect_words(HELLO("1"), "goes on");
}

static void test_fcgi_conn__what_belongs_to_nobody_is_passed_over(void **state)
{
    (void)state;
    say_params(5, GET_PARAMS("/"));
    say_stdin(6, "text");
    say_stdin(6, "");
    say_record(PL_FCGI_DATA, 7, PL_STR("data"));
    say_get(1, GET_PARAMS("/"));
    expect_words(HELLO("1"), "3.3");
}

static void test_fcgi_conn__refuses_too_many_at_once(void **state)
{
    (void)state;
    for (unsigned id = 1; id <= 128; id++)
        say_begin(id, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    expect_words("", "128");
    say_begin(200, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    expect_words("E200=0/OVERLOADED", "one more");
    say_params(1, GET_PARAMS("/"));
    say_stdin(1, "");
    expect_words(HELLO("1"), "the others go on");
    say_get(200, GET_PARAMS("/"));
    expect_words(HELLO("200"), "there is room again");
}

/* ---- what is malformed ends the connection ---- */

static const struct {
    const char *what;
    struct pl_str bytes;
} malformed[] = {
#define BYTES(text)                                                            \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }
    {"version 0", BYTES("\0\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0")},
    {"version 2", BYTES("\2\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0")},
    {"HTTP", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
    {"a request 0", BYTES("\1\1\0\0\0\10\0\0\0\1\1\0\0\0\0\0")},
    {"a short BEGIN", BYTES("\1\1\0\1\0\7\1\0\0\1\1\0\0\0\0\0")},
    {"a long BEGIN", BYTES("\1\1\0\1\0\11\0\0\0\1\1\0\0\0\0\0\0")},
    {"BEGIN twice", BYTES("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
                          "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0")},
    {"params of 0", BYTES("\1\4\0\0\0\0\0\0")},
    {"a body before the params end",
     BYTES("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\5\0\1\0\0\0\0")},
    {"END_REQUEST", BYTES("\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0")},
    {"STDOUT", BYTES("\1\6\0\1\0\0\0\0")},
    {"STDERR", BYTES("\1\7\0\1\0\0\0\0")},
    {"GET_VALUES of a request", BYTES("\1\11\0\1\0\0\0\0")},
    {"GET_VALUES cut off", BYTES("\1\11\0\0\0\2\0\0\5\0")},
    {"GET_VALUES_RESULT", BYTES("\1\12\0\0\0\0\0\0")},
    {"UNKNOWN_TYPE", BYTES("\1\13\0\0\0\10\0\0\0\0\0\0\0\0\0\0")},
};

static void test_fcgi_conn__malformed_records_end_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(malformed); i++) {
        int far = connect_far();

        pl_script_send(script, far, malformed[i].bytes);
        settle();
        expect_closed(far, malformed[i].what);
    }
    CHECK_INT(0, finished, "no request");
    CHECK_INT(PL_COUNT(malformed), http.stats.refused, "counted");
}

static void test_fcgi_conn__params_behind_their_end(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/echo", "6"));
    say_params(1, "A=b\n");
    settle();
    expect_closed(client.far, "closed");
    CHECK_INT(1, finished, "its request hears of it");
}

/* ---- time ---- */

static void test_fcgi_conn__params_that_never_end(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/park"));
    say_begin(2, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    settle();
    pass(9000);
    expect_words("", "waits");
    pass(2000);
    hear_all();
    CHECK_INT(408, last_status, "no longer");
    CHECK(strstr(client.heard, "E2=0") != NULL, "of that request");
    forget();
    open_gate();
    hear_all();
    CHECK(strstr(client.heard, "E1=0") != NULL, "the other one goes on");
    forget();
}

static void test_fcgi_conn__a_record_that_never_ends(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/"));
    forget();
    pl_script_send(script, client.far, pl_str("\1\4\0\1\0\377\0\0abc", 11));
    settle();
    pass(11000);
    expect_closed(client.far, "closed");
}

static void test_fcgi_conn__a_body_that_never_comes(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/echo", "6"));
    settle();
    pass(11000);
    hear_all();
    CHECK_INT(408, last_status, "no longer");
    forget();
}

static void test_fcgi_conn__closes_idle_ones(void **state)
{
    (void)state;
    say_get(1, GET_PARAMS("/"));
    forget();
    pass(59000);
    expect_open(client.far, "waits");
    pass(2000);
    expect_closed(client.far, "no longer");
}

static void test_fcgi_conn__drains(void **state)
{
    int idle = client.far;

    (void)state;
    say_get(1, GET_PARAMS("/"));
    forget();
    client.far = connect_far();
    say_get(1, GET_PARAMS("/park"));
    settle();
    pl_http_drain(&http);
    settle();
    expect_open(idle, "a request may be on its way");
    pass(600);
    expect_closed(idle, "none was");
    open_gate();
    hear_all();
    CHECK(strstr(client.heard, "E1=0") != NULL, "the running one is answered");
    forget_heard();
    expect_closed(client.far, "and that was the last");
}

/* ---- memory ---- */

static void test_fcgi_conn__steady_state_takes_no_memory(void **state)
{
    uint64_t before;

    (void)state;
    for (int i = 0; i < 3; i++)
        say_get(1, GET_PARAMS("/") "HTTP_ACCEPT=*/*\nX=y\n");
    forget();
    before = net.pool->mallocs;
    for (int i = 0; i < 100; i++) {
        say_get(1, GET_PARAMS("/") "HTTP_ACCEPT=*/*\nX=y\n");
        forget();
    }
    CHECK_INT(before, net.pool->mallocs, "mallocs");
}

RUN_TESTS(FCGI_BOTH(test_fcgi_conn__answers),
          FCGI_BOTH(test_fcgi_conn__closes_unless_it_is_to_keep),
          FCGI_BOTH(test_fcgi_conn__an_idle_connection_has_nothing),
          FCGI_BOTH(test_fcgi_conn__answers_out_of_order),
          FCGI_WHOLE(test_fcgi_conn__many_in_one_send),
          FCGI_BOTH(test_fcgi_conn__params_in_pieces),
          FCGI_BOTH(test_fcgi_conn__params_of_two_requests_at_once),
          FCGI_BOTH(test_fcgi_conn__takes_bodies),
          FCGI_BOTH(test_fcgi_conn__more_than_was_announced_is_no_body),
          FCGI_BOTH(test_fcgi_conn__less_than_was_announced_is_broken),
          FCGI_BOTH(test_fcgi_conn__an_unread_body_is_passed_over),
          FCGI_WHOLE(test_fcgi_conn__waits_for_who_reads),
          FCGI_BOTH(test_fcgi_conn__aborts),
          FCGI_BOTH(test_fcgi_conn__the_end_of_the_connection_aborts_all),
          FCGI_BOTH(test_fcgi_conn__cuts_streams_off),
          FCGI_WHOLE(test_fcgi_conn__sends_large_content),
          FCGI_WHOLE(test_fcgi_conn__sends_files),
          FCGI_WHOLE(test_fcgi_conn__large_content_goes_in_turns),
          FCGI_BOTH(test_fcgi_conn__streams),
          FCGI_WHOLE(test_fcgi_conn__a_stream_waits_for_who_does_not_read),
          FCGI_BOTH(test_fcgi_conn__authorizes),
          FCGI_BOTH(test_fcgi_conn__knows_no_other_role),
          FCGI_BOTH(test_fcgi_conn__says_what_it_can),
          FCGI_BOTH(test_fcgi_conn__unknown_types),
          FCGI_BOTH(test_fcgi_conn__what_belongs_to_nobody_is_passed_over),
          FCGI_BOTH(test_fcgi_conn__refuses_too_many_at_once),
          FCGI_BOTH(test_fcgi_conn__malformed_records_end_it),
          FCGI_BOTH(test_fcgi_conn__params_behind_their_end),
          FCGI_BOTH(test_fcgi_conn__params_that_never_end),
          FCGI_BOTH(test_fcgi_conn__a_record_that_never_ends),
          FCGI_BOTH(test_fcgi_conn__a_body_that_never_comes),
          FCGI_BOTH(test_fcgi_conn__closes_idle_ones),
          FCGI_BOTH(test_fcgi_conn__drains),
          FCGI_WHOLE(test_fcgi_conn__steady_state_takes_no_memory))
