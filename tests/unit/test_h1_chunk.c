/* test_h1_chunk.c - chunked bodies: what comes out, what is refused, and that
 * neither depends on how the bytes arrive (RFC 9112, 7.1). */
#include "check.h"

#include "h1_feed.h"

#define LAST "0\r\n\r\n"
#define BAD_SIZE "|400 malformed chunk size "
#define BAD_END "|400 malformed line end in a chunked body "
#define BAD_EXT "|400 malformed chunk extension "
#define BAD_TRAILER "|400 malformed trailer "

static const struct {
    const char *what;
    struct pl_str input;
    const char *want; /* of feed_chunks(): body|result, bytes used */
} bodies[] = {
    {"empty body", PL_STR(LAST), "|end 5"},
    {"one chunk", PL_STR("5\r\nhello\r\n" LAST), "hello|end 15"},
    {"two chunks", PL_STR("1\r\na\r\n2\r\nbc\r\n" LAST), "abc|end 18"},
    {"what follows is left", PL_STR(LAST "GET / HTTP/1.1\r\n"), "|end 5"},
    {"data is not looked at", PL_STR("4\r\n\r\n0\r\r\n" LAST),
     "\r\n0\r|end 14"},
    {"hexadecimal, any case", PL_STR("0aA\r\n"), "|again 5"},
    {"ten bytes", PL_STR("a\r\n0123456789\r\n00\r\n\r\n"), "0123456789|end 21"},
    {"leading zeros up to 16 digits",
     PL_STR("0000000000000001\r\nx\r\n0000000000000000\r\n\r\n"), "x|end 41"},
    {"17 digits", PL_STR("00000000000000001\r\n"),
     "|400 chunk size too large 17"},
    {"largest size", PL_STR("7fffffffffffffff\r\nabc"), "abc|again 21"},
    {"beyond signed 64 bits", PL_STR("8000000000000000\r\n"), BAD_SIZE "17"},
    {"beyond 64 bits", PL_STR("10000000000000000\r\n"),
     "|400 chunk size too large 17"},
    {"no size", PL_STR("\r\n"), BAD_SIZE "1"},
    {"no digits", PL_STR(";a\r\n"), BAD_SIZE "1"},
    {"minus", PL_STR("-1\r\n"), BAD_SIZE "1"},
    {"plus", PL_STR("+1\r\n"), BAD_SIZE "1"},
    {"0x", PL_STR("0x5\r\n"), BAD_SIZE "2"},
    {"not hexadecimal", PL_STR("5g\r\n"), BAD_SIZE "2"},
    {"leading space", PL_STR(" 5\r\n"), BAD_SIZE "1"},
    {"trailing space", PL_STR("5 \r\n"), BAD_SIZE "3"},
    {"trailing tab", PL_STR("5\t\r\n"), BAD_SIZE "3"},
    {"two sizes", PL_STR("5 5\r\n"), BAD_SIZE "3"},
    {"comma", PL_STR("5,\r\n"), BAD_SIZE "2"},
    {"NUL behind the size", PL_STR("5\0\r\n"), BAD_SIZE "2"},
    {"LF for CRLF behind the size", PL_STR("5\nhello"), BAD_SIZE "2"},
    {"CR for CRLF behind the size", PL_STR("5\rhello"), BAD_END "3"},
    {"LF for CRLF behind the last", PL_STR("0\n\n"), BAD_SIZE "2"},
    {"data longer than its size", PL_STR("3\r\nabcd\r\n"), "abc" BAD_END "7"},
    {"LF behind the data", PL_STR("3\r\nabc\n"), "abc" BAD_END "7"},
    {"CR behind the data", PL_STR("3\r\nabc\r0"), "abc" BAD_END "8"},
    {"no line end behind the data", PL_STR("3\r\nabc0\r\n"), "abc" BAD_END "7"},

    /* extensions (7.1.1) */
    {"extension", PL_STR("1;a=b\r\nx\r\n" LAST), "x|end 15"},
    {"several", PL_STR("1;a;b=c;d=\"e\"\r\nx\r\n" LAST), "x|end 23"},
    {"white space around them", PL_STR("1 \t; a = b \r\nx\r\n" LAST),
     "x|end 21"},
    {"of the last chunk", PL_STR("0;a=b\r\n\r\n"), "|end 9"},
    {"CRLF-like in quotes", PL_STR("1;a=\"0;\\\"\\\\\"\r\nx\r\n" LAST),
     "x|end 22"},
    {"line end in quotes", PL_STR("1;a=\"\r\nx\r\n" LAST), BAD_EXT "6"},
    {"escaped line end in quotes", PL_STR("1;a=\"\\\r\n\"\r\nx"), BAD_EXT "7"},
    {"LF in an extension", PL_STR("1;a\nx"), BAD_EXT "4"},
    {"NUL in an extension", PL_STR("1;a\0\r\n"), BAD_EXT "4"},
    {"control character in quotes", PL_STR("1;a=\"\x01\"\r\n"), BAD_EXT "6"},
    {"CR in an extension", PL_STR("1;a\rb\r\n"), BAD_END "5"},

    /* trailers (7.1.2) */
    {"trailer", PL_STR("0\r\nA: b\r\n\r\n"), "|end 11"},
    {"trailers", PL_STR("0\r\nA: b\r\nC:\r\n\r\n"), "|end 15"},
    {"framing in trailers is dropped", PL_STR("0\r\nContent-Length: 5\r\n\r\n"),
     "|end 24"},
    {"no colon", PL_STR("0\r\nA\r\n\r\n"), BAD_TRAILER "5"},
    {"space before the colon", PL_STR("0\r\nA : b\r\n\r\n"), BAD_TRAILER "5"},
    {"empty name", PL_STR("0\r\n: b\r\n\r\n"), BAD_TRAILER "4"},
    {"obs-fold", PL_STR("0\r\nA: b\r\n c\r\n\r\n"), BAD_TRAILER "10"},
    {"leading space", PL_STR("0\r\n A: b\r\n\r\n"), BAD_TRAILER "4"},
    {"LF for CRLF", PL_STR("0\r\nA: b\n\r\n"), BAD_TRAILER "8"},
    {"CR in a value", PL_STR("0\r\nA: b\rc\r\n\r\n"), BAD_END "9"},
    {"NUL in a value", PL_STR("0\r\nA: \0\r\n\r\n"), BAD_TRAILER "7"},
    {"LF for the empty line", PL_STR("0\r\n\n"), BAD_TRAILER "4"},
    {"CR for the empty line", PL_STR("0\r\n\rG"), BAD_END "5"},

    /* incomplete */
    {"nothing", PL_STR(""), "|again 0"},
    {"half a size", PL_STR("5"), "|again 1"},
    {"half a chunk", PL_STR("5\r\nhel"), "hel|again 6"},
    {"no end of the data", PL_STR("5\r\nhello"), "hello|again 8"},
    {"no last chunk", PL_STR("5\r\nhello\r\n"), "hello|again 10"},
    {"no end of the trailers", PL_STR("0\r\n"), "|again 3"},
};

static char *outcome(struct pl_str input, size_t first, size_t step)
{
    struct words words = {NULL, 0, 0};

    feed_chunks(input, first, step, &words);
    return words.data;
}

static void check_pieces(struct pl_str input, const char *what)
{
    char *whole = outcome(input, input.len, 1);

    for (size_t cut = 0; cut <= input.len; cut++) {
        char *got = cut == input.len ? outcome(input, 0, 1)
                                     : outcome(input, cut, input.len);

        CHECK_STR(whole, pl_str_c(got), what);
        free(got);
    }
    free(whole);
}

static void test_h1_chunk__accepts_and_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(bodies); i++) {
        char *got = outcome(bodies[i].input, bodies[i].input.len, 1);

        CHECK_STR(bodies[i].want, pl_str_c(got), bodies[i].what);
        free(got);
    }
}

static void test_h1_chunk__pieces_make_no_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(bodies); i++)
        check_pieces(bodies[i].input, bodies[i].what);
}

static void test_h1_chunk__data_is_not_copied(void **state)
{
    struct pl_str input = PL_STR("5\r\nhello\r\n" LAST), data;
    struct pl_h1_chunk chunk;
    size_t used;

    (void)state;
    pl_h1_chunk_init(&chunk);
    CHECK_INT(0, pl_h1_chunk_parse(&chunk, input, &used, &data), "data");
    CHECK(data.data == input.data + 3 && data.len == 5 && used == 8, "inside");
    input = pl_str_skip(input, used);
    CHECK_INT(1, pl_h1_chunk_parse(&chunk, input, &used, &data), "end");
    CHECK_INT(input.len, used, "all of it");
    CHECK_INT(1, pl_h1_chunk_parse(&chunk, input, &used, &data), "stays ended");
    CHECK_INT(0, used, "and takes nothing");
}

/* Gives the parser what fmt prints with n bytes of filling. */
static int feed_filled(struct pl_h1_chunk *chunk, const char *fmt, int n)
{
    char *filling = malloc((size_t)n + 1), *text = NULL;
    struct pl_str rest, data;
    size_t used;
    int len, result;

    memset(filling, 'x', (size_t)n);
    filling[n] = '\0';
    len = asprintf(&text, fmt, filling);
    rest = pl_str(text, (size_t)len);
    do {
        result = pl_h1_chunk_parse(chunk, rest, &used, &data);
        rest = pl_str_skip(rest, used);
    } while (result == 0 && rest.len > 0);
    free(filling);
    free(text);
    return result;
}

static const struct {
    const char *what, *fmt;
    int overhead; /* counted bytes beside the filling */
    int status;
} limited[] = {
    {"extension", "1;%s\r\nx\r\n" LAST, 1, 400},
    {"quoted extension", "0;a=\"%s\"\r\n\r\n", 5, 400},
    {"trailer name", "0\r\nx%s:\r\n\r\n", 3, 431},
    {"trailer value", "0\r\nx:%s\r\n\r\n", 3, 431},
};

static void test_h1_chunk__extras_are_limited(void **state)
{
    struct pl_h1_chunk chunk;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(limited); i++) {
        int most = PL_H1_CHUNK_EXTRA - limited[i].overhead;

        pl_h1_chunk_init(&chunk);
        CHECK_INT(1, feed_filled(&chunk, limited[i].fmt, most),
                  limited[i].what);
        pl_h1_chunk_init(&chunk);
        CHECK_INT(PL_ERR_PROTO, feed_filled(&chunk, limited[i].fmt, most + 1),
                  limited[i].what);
        CHECK_INT(limited[i].status, chunk.refusal.status, limited[i].what);
    }
}

/* One-byte chunks with extensions are an attack, signed blocks are not. */
static void test_h1_chunk__data_earns_extras_back(void **state)
{
    struct pl_h1_chunk chunk;
    int i, result = 0;

    (void)state;
    pl_h1_chunk_init(&chunk);
    for (i = 0; i < 1000; i++)
        CHECK_INT(
            0, feed_filled(&chunk, "400;chunk-signature=aaaa\r\n%s\r\n", 1024),
            "signed");
    pl_h1_chunk_init(&chunk);
    for (i = 0; i < 1000 && result == 0; i++)
        result = feed_filled(&chunk, "1;aaaaaaaaaaaaaaaaaaaaaaaa\r\n%s\r\n", 1);
    CHECK_INT(PL_ERR_PROTO, result, "attack");
}

RUN_TESTS(cmocka_unit_test(test_h1_chunk__accepts_and_refuses),
          cmocka_unit_test(test_h1_chunk__pieces_make_no_difference),
          cmocka_unit_test(test_h1_chunk__data_is_not_copied),
          cmocka_unit_test(test_h1_chunk__extras_are_limited),
          cmocka_unit_test(test_h1_chunk__data_earns_extras_back))
