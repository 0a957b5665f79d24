/* test_h1_answer.c - heads of responses: what is read, and what is refused,
 * whole and byte by byte. */
#include "check.h"

#include "base/str.h"
#include "http/h1_parse.h"

static struct pl_h1_parser parser;

/* Each byte in a call of its own when bytewise; as after the last call. */
static int parse(struct pl_str text, bool bytewise)
{
    int err = PL_ERR_AGAIN;

    pl_h1_parser_init(&parser, &pl_h1_default_limits);
    if (!bytewise)
        return pl_h1_parse_answer(&parser, text);
    for (size_t i = 0; i <= text.len && err == PL_ERR_AGAIN; i++)
        err = pl_h1_parse_answer(&parser, pl_str_first(text, i));
    return err;
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *what, *text;
    int want;
} heads[] = {
    {"smallest", "HTTP/1.1 200\r\n\r\n", 0},
    {"empty reason", "HTTP/1.1 204 \r\n\r\n", 0},
    {"reason with spaces", "HTTP/1.0 404 Not at all\r\n\r\n", 0},
    {"a length", OK "Content-Length: 5\r\n\r\n", 0},
    {"chunked", OK "Transfer-Encoding: chunked\r\n\r\n", 0},
    {"any status", "HTTP/1.1 999 x\r\n\r\n", 0},
    {"Host means nothing", OK "Host: a\r\nHost: b b\r\n\r\n", 0},
    {"Expect means nothing", OK "Expect: the worst\r\n\r\n", 0},
    {"cut in the version", "HTTP/1.", PL_ERR_AGAIN},
    {"cut in the status", "HTTP/1.1 20", PL_ERR_AGAIN},
    {"cut behind the status", "HTTP/1.1 200", PL_ERR_AGAIN},
    {"cut in the reason", "HTTP/1.1 200 O", PL_ERR_AGAIN},
    {"cut behind CR", "HTTP/1.1 200 OK\r", PL_ERR_AGAIN},
    {"cut in a field", OK "X: y", PL_ERR_AGAIN},
    {"cut at the end", OK "X: y\r\n\r", PL_ERR_AGAIN},
    {"a line before it", "\r\n" OK "\r\n", PL_ERR_PROTO},
    {"no HTTP", "ICY 200 OK\r\n\r\n", PL_ERR_PROTO},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", PL_ERR_PROTO},
    {"two digits", "HTTP/1.1 20 OK\r\n\r\n", PL_ERR_PROTO},
    {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", PL_ERR_PROTO},
    {"a status below 100", "HTTP/1.1 099 OK\r\n\r\n", PL_ERR_PROTO},
    {"two spaces", "HTTP/1.1  200 OK\r\n\r\n", PL_ERR_PROTO},
    {"bare LF", "HTTP/1.1 200 OK\n\r\n", PL_ERR_PROTO},
    {"bare CR", "HTTP/1.1 200 OK\rX\n\r\n", PL_ERR_PROTO},
    {"NUL in the reason", "HTTP/1.1 200 \1\r\n\r\n", PL_ERR_PROTO},
    {"folding", OK "X: y\r\n z\r\n\r\n", PL_ERR_PROTO},
    {"two lengths", OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
     PL_ERR_PROTO},
    {"a list of lengths", OK "Content-Length: 1, 1\r\n\r\n", PL_ERR_PROTO},
    {"length and coding",
     OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     PL_ERR_PROTO},
    {"chunked twice", OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
     PL_ERR_PROTO},
    {"coding in HTTP/1.0",
     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", PL_ERR_PROTO},
};

static void test_h1_answer__reads_and_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++) {
        struct pl_str text = pl_str_c(heads[i].text);

        CHECK_INT(heads[i].want, parse(text, false), heads[i].what);
        CHECK_INT(heads[i].want, parse(text, true), heads[i].what);
    }
}

static void test_h1_answer__tells_what_follows(void **state)
{
    (void)state;
    CHECK_INT(0,
              parse(PL_STR(OK "Content-Length: 5\r\nX: y\r\n\r\nbody"), false),
              "a length");
    CHECK_INT(200, parser.status, "status");
    CHECK(parser.has_length && parser.content_length == 5, "length");
    CHECK(parser.keep_alive && !parser.upgrade, "kept");
    CHECK_INT(sizeof(OK "Content-Length: 5\r\nX: y\r\n\r\n") - 1,
              parser.head_len, "where the body begins");
    CHECK_INT(2, parser.nfields, "fields");
    parse(PL_STR(OK "Connection: close\r\n\r\n"), true);
    CHECK(!parser.keep_alive, "close");
    parse(PL_STR("HTTP/1.0 200 OK\r\n\r\n"), true);
    CHECK(!parser.keep_alive, "HTTP/1.0");
    parse(PL_STR("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"), true);
    CHECK(parser.keep_alive, "HTTP/1.0 that keeps");
    parse(PL_STR("HTTP/1.1 101 x\r\nConnection: Upgrade\r\n"
                 "Upgrade: websocket\r\n\r\n"),
          true);
    CHECK(parser.upgrade && parser.status == 101, "upgrade");
}

static void test_h1_answer__has_limits(void **state)
{
    static char text[70000];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "HTTP/1.1 200 ", 13);
    CHECK_INT(PL_ERR_PROTO, parse(pl_str(text, sizeof(text)), false), "line");
    memcpy(text, OK "X: ", sizeof(OK) + 2);
    CHECK_INT(PL_ERR_PROTO, parse(pl_str(text, sizeof(text)), false), "head");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h1_answer__reads_and_refuses),
        cmocka_unit_test(test_h1_answer__tells_what_follows),
        cmocka_unit_test(test_h1_answer__has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
