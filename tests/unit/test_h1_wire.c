/* test_h1_wire.c - answers over HTTP/1: streams, files, ranges, conditions. */
#include "h1_world.h"

#include <sys/mman.h>
#include <unistd.h>

/* ---- streams ---- */

static void test_h1_wire__streams_are_chunked(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /stream?3 HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    next_answer(far);
    CHECK(answer.chunked && !answer.close, "chunked");
    CHECK_INT(3000, answer.len, "length");
    CHECK(answer.body[999] == 'a' && answer.body[1000] == 'b', "bytes");
    expect_answer(far, 200, "hello", "the next one");
}

static void test_h1_wire__streams_wait_for_slow_readers(void **state)
{
    int far = connect_far();
    size_t got = 0;

    (void)state;
    pl_script_window(script, far, 20000);
    request(far, "GET /stream?2000 HTTP/1.1\r\n" HOST "\r\n");
    CHECK(pushed < 300000, "congested");
    while (finished == 0 || pl_script_received(script, far).len > 0) {
        size_t len = pl_script_received(script, far).len;

        CHECK(pushed < got + 400000, "never far ahead of the reader");
        got += len;
        pl_script_take(script, far, len);
        settle();
    }
    CHECK(got > 2000000 && got < 2100000, "all of it");
    CHECK_INT(2000000, pushed, "all of it");
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "the next one");
}

static void test_h1_wire__a_broken_stream_has_no_end(void **state)
{
    int far = connect_far();
    struct pl_str rest;

    (void)state;
    request(far, "GET /break HTTP/1.1\r\n" HOST "\r\n");
    rest = pl_script_received(script, far);
    CHECK_INT(ANSWER_BAD, take_answer(&rest, false, true, &answer),
              "the client notices");
    CHECK(pl_script_finished(script, far), "closed");
}

static void test_h1_wire__declared_lengths_are_kept(void **state)
{
    int far = connect_far();
    struct pl_str rest;

    (void)state;
    request(far, "GET /declared?10 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "xxxxxxxxxx", "just so");
    CHECK(!answer.chunked, "no need");
    check_trace("k", "well");
    request(far, "GET /declared?11 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "xxxxxxxxxx", "too much is not sent");
    check_trace("L", "the handler is told");
    expect_closed(far, "it failed");
    far = connect_far();
    request(far, "GET /declared?9 HTTP/1.1\r\n" HOST "\r\n");
    rest = pl_script_received(script, far);
    CHECK_INT(ANSWER_BAD, take_answer(&rest, false, true, &answer),
              "the client notices");
    CHECK(pl_script_finished(script, far), "closed");
}

/* ---- large contents ---- */

static void check_large(int far, const char *what)
{
    next_answer(far);
    CHECK_INT(sizeof(large), answer.len, what);
    CHECK(memcmp(large, answer.body, sizeof(large)) == 0, what);
}

static void test_h1_wire__large_answers(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)), "file");
    request(far, "GET /large HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file?100 HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    check_large(far, "bytes");
    expect_answer(far, 200, "hello", "behind it");
    check_large(far, "file");
    next_answer(far);
    CHECK_INT(100, answer.len, "small file");
    CHECK(memcmp(large, answer.body, 100) == 0, "small file");
    expect_answer(far, 200, "hello", "behind it");
    CHECK_INT(3, content_released, "released");
    close(content_file);
}

static void test_h1_wire__large_answers_to_slow_readers(void **state)
{
    int far = connect_far();
    char *all = malloc(1 << 20);
    struct pl_str rest;
    size_t n = 0;

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)), "file");
    pl_script_window(script, far, 7000);
    request(far, "GET /large HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file HTTP/1.1\r\n" HOST "\r\n"
                 "GET / HTTP/1.1\r\n" HOST "\r\n");
    for (;;) {
        struct pl_str got = pl_script_received(script, far);

        if (got.len == 0)
            break;
        memcpy(all + n, got.data, got.len);
        n += got.len;
        pl_script_take(script, far, got.len);
        settle();
    }
    rest = pl_str(all, n);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(ANSWER_WHOLE, take_answer(&rest, false, false, &answer), "1");
        CHECK_INT(sizeof(large), answer.len, "length");
        CHECK(memcmp(large, answer.body, sizeof(large)) == 0, "bytes");
    }
    CHECK_INT(ANSWER_WHOLE, take_answer(&rest, false, false, &answer), "3");
    CHECK_INT(0, rest.len, "no more");
    CHECK_INT(2, content_released, "released");
    free(all);
    close(content_file);
}

static void test_h1_wire__a_large_answer_to_who_leaves(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    pl_script_window(script, far, 7000);
    request(far, "GET /large HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(0, content_released, "on its way");
    pl_script_reset(script, far);
    settle();
    CHECK_INT(1, content_released, "released");
    CHECK_INT(1, finished, "over");
}

/* Nothing of a file that is shorter than was said must pass as whole. */
static void test_h1_wire__a_file_that_shrank_closes(void **state)
{
    int far = connect_far();
    struct pl_str rest;

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(0, ftruncate(content_file, 50), "file");
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /file?100 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(far, 200, "hello", "the one before");
    expect_closed(far, "small");
    far = connect_far();
    request(far, "GET /file HTTP/1.1\r\n" HOST "\r\n");
    rest = pl_script_received(script, far);
    CHECK_INT(ANSWER_BAD, take_answer(&rest, false, true, &answer), "large");
    CHECK(pl_script_closed(script, far), "closed");
    CHECK_INT(2, content_released, "released");
    close(content_file);
}

/* ---- conditions and ranges ---- */

static void test_h1_wire__conditions(void **state)
{
    int far = connect_far();

    (void)state;
    request(far,
            "GET /tagged HTTP/1.1\r\n" HOST "If-None-Match: \"v1\"\r\n\r\n"
            "GET /tagged HTTP/1.1\r\n" HOST "If-Match: \"v2\"\r\n\r\n"
            "GET /tagged-stream HTTP/1.1\r\n" HOST
            "If-None-Match: \"v1\"\r\n\r\n"
            "GET /tagged-stream HTTP/1.1\r\n" HOST "If-Match: \"v2\"\r\n\r\n"
            "GET /tagged HTTP/1.1\r\n" HOST "\r\n");
    expect_status(far, 304, "not modified");
    expect_field("etag", "\"v1\"");
    expect_field("content-length", NULL);
    expect_status(far, 412, "failed");
    expect_field("content-length", "0");
    expect_status(far, 304, "of a stream");
    expect_status(far, 412, "of a stream");
    expect_field("content-length", "0");
    check_trace("kk", "its handler need not know");
    expect_answer(far, 200, "0123456789", "none");
    expect_open(far, "open");
}

static void test_h1_wire__ranges(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\n\r\n"
                 "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=10-\r\n\r\n"
                 "GET /tagged HTTP/1.1\r\n" HOST "Range: bytes=0-1,5-5\r\n\r\n"
                 "HEAD /tagged HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\n\r\n");
    expect_answer(far, 206, "234", "one");
    expect_field("content-range", "bytes 2-4/10");
    expect_status(far, 416, "none");
    expect_field("content-range", "bytes */10");
    next_answer(far);
    CHECK_INT(206, answer.status, "two");
    CHECK(pl_str_starts(answer_field(answer.head, "content-type"),
                        PL_STR("multipart/byteranges")),
          "two");
    CHECK(pl_str_find(pl_str(answer.body, answer.len),
                      PL_STR("bytes 5-5/10\r\n\r\n5\r\n")) > 0,
          "two");
    next_answer_to(far, true);
    CHECK_INT(200, answer.status, "HEAD knows no ranges");
    expect_open(far, "open");
}

static void test_h1_wire__ranges_of_a_file(void **state)
{
    int far = connect_far();

    (void)state;
    fill_large();
    content_file = memfd_create("test", 0);
    CHECK_INT(sizeof(large), write(content_file, large, sizeof(large)), "file");
    request(far, "GET /file HTTP/1.1\r\n" HOST "Range: bytes=100-50099\r\n\r\n"
                 "GET /file HTTP/1.1\r\n" HOST
                 "Range: bytes=0-19999,30000-49999\r\n\r\n");
    next_answer(far);
    CHECK_INT(50000, answer.len, "one");
    CHECK(memcmp(large + 100, answer.body, 50000) == 0, "one");
    next_answer(far);
    CHECK(answer.len > 40000 && answer.len < 40500, "two");
    expect_open(far, "open");
    close(content_file);
}

/* ---- results of handlers ---- */

static void test_h1_wire__results_are_answers(void **state)
{
    int far = connect_far();

    (void)state;
    request(far, "GET /result?404 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?204 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?8 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?9 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /result?0 HTTP/1.1\r\n" HOST "\r\n"
                 "GET /error HTTP/1.1\r\n" HOST "\r\n"
                 "GET /error HTTP/1.1\r\n" HOST "Accept: text/html\r\n\r\n");
    expect_answer(far, 404, "404 Not Found\n", "404");
    expect_status(far, 204, "204");
    expect_field("content-length", NULL);
    expect_status(far, 500, "PL_ERR_IO");
    expect_status(far, 404, "PL_ERR_NOT_FOUND");
    expect_answer(far, 200, "", "nothing");
    expect_answer(far, 403, "403 Forbidden: <no>\n", "text");
    next_answer(far);
    CHECK(pl_str_find(pl_str(answer.body, answer.len),
                      PL_STR("<p>&lt;no&gt;</p>")) > 0,
          "HTML");
    expect_open(far, "open");
}

static int own_fields(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    CHECK_INT(PL_ERR_DENIED,
              pl_response_set(res, PL_STR("Connection"), PL_STR("x")), "wire");
    CHECK_INT(PL_ERR_INVALID,
              pl_response_set(res, PL_STR("X"), PL_STR("a\r\nb")), "value");
    pl_response_set(res, PL_STR("X-frame-options"), PL_STR("DENY"));
    pl_response_set(res, PL_STR("Server"), PL_STR("mine"));
    pl_response_add(res, PL_STR("Set-Cookie"), PL_STR("a=1"));
    return pl_response_add(res, PL_STR("Set-Cookie"), PL_STR("b=2"));
}

static void test_h1_wire__fields_of_the_site(void **state)
{
    static const struct pl_header fields[] = {
        {.name = "X-Frame-Options",
         .name_len = 15,
         .value = "SAMEORIGIN",
         .value_len = 10},
        {.name = "X-B", .name_len = 3, .value = "b", .value_len = 1},
    };
    int far = connect_far();

    (void)state;
    settings.server = PL_STR("site");
    settings.headers = fields;
    settings.nheaders = 2;
    settings.headers_size = 15 + 10 + 4 + 3 + 1 + 4;
    add_route(GET, "/own", own_fields);
    request(far, "GET / HTTP/1.1\r\n" HOST "\r\n"
                 "GET /own HTTP/1.1\r\n" HOST "\r\n");
    next_answer(far);
    expect_field("server", "site");
    expect_field("x-frame-options", "SAMEORIGIN");
    expect_field("x-b", "b");
    next_answer(far);
    expect_field("server", "mine");
    expect_field("x-frame-options", "DENY");
    expect_field("x-b", "b");
    CHECK(pl_str_find(answer.head, PL_STR("SAMEORIGIN")) < 0, "once");
    CHECK(pl_str_find(answer.head, PL_STR("b=2")) > 0, "two cookies");
}

RUN_TESTS(BOTH(test_h1_wire__streams_are_chunked),
          WHOLE(test_h1_wire__streams_wait_for_slow_readers),
          BOTH(test_h1_wire__a_broken_stream_has_no_end),
          BOTH(test_h1_wire__declared_lengths_are_kept),
          BOTH(test_h1_wire__large_answers),
          WHOLE(test_h1_wire__large_answers_to_slow_readers),
          BOTH(test_h1_wire__a_large_answer_to_who_leaves),
          WHOLE(test_h1_wire__a_file_that_shrank_closes),
          BOTH(test_h1_wire__conditions), BOTH(test_h1_wire__ranges),
          BOTH(test_h1_wire__ranges_of_a_file),
          BOTH(test_h1_wire__results_are_answers),
          BOTH(test_h1_wire__fields_of_the_site))
