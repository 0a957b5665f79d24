/* test_h1_parse.c - request heads: what is accepted, what is refused, and that
 * neither depends on how the bytes arrive. */
#include "check.h"

#include "h1_feed.h"
#include "http/h1_scan.h"

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END "\r\n"
#define VALUE(value) GET HOST "X: " value "\r\n" END
#define HOST_IS(value) GET "Host: " value "\r\n" END
#define LENGTH_IS(value) POST HOST "Content-Length: " value "\r\n" END
#define CODING_IS(value) POST HOST "Transfer-Encoding: " value "\r\n" END
#define OK "GET / 1.1 keep-alive"
#define BAD_METHOD "400 malformed method"
#define BAD_TARGET "400 malformed request target"
#define BAD_VERSION "400 malformed HTTP version"
#define BAD_NAME "400 malformed field name"
#define BAD_HOST "400 malformed Host"
#define BAD_LENGTH "400 malformed Content-Length"
#define BAD_CODING "400 malformed Transfer-Encoding"
#define CONTROL "400 control character in a field value"

static const struct {
    const char *what; /* with the section of RFC 9112 if no other is named */
    struct pl_str input;
    const char *want; /* of describe_head() */
} heads[] = {
    /* -- the request line -- */
    {"smallest request (3)", PL_STR(GET HOST END), OK},
    {"HTTP/1.0 without Host", PL_STR("GET / HTTP/1.0\r\n\r\n"),
     "GET / 1.0 close"},
    {"what follows is not looked at", PL_STR(GET HOST END "\0\n\r\x01"), OK},
    {"higher minor (9110, 2.5)", PL_STR("GET / HTTP/1.9\r\n" HOST END), OK},
    {"absolute-form (3.2.2)", PL_STR("GET http://a/b?c HTTP/1.1\r\n" HOST END),
     "GET http://a/b?c 1.1 keep-alive"},
    {"asterisk-form (3.2.4)", PL_STR("OPTIONS * HTTP/1.1\r\n" HOST END),
     "OPTIONS * 1.1 keep-alive"},
    {"authority-form (3.2.3)", PL_STR("CONNECT a:1 HTTP/1.1\r\n" HOST END),
     "CONNECT a:1 1.1 keep-alive"},
    {"unknown method (3.1)", PL_STR("BREW /pot HTTP/1.1\r\n" HOST END),
     "BREW /pot 1.1 keep-alive"},
    {"methods are tokens (9110, 9.1)", PL_STR("M-#! / HTTP/1.1\r\n" HOST END),
     "M-#! / 1.1 keep-alive"},
    {"bytes from 0x80 in the target",
     PL_STR("GET /\xc3\xa4\xff HTTP/1.1\r\n" HOST END),
     "GET /\xc3\xa4\xff 1.1 keep-alive"},
    {"leading empty line (2.2)", PL_STR("\r\n" GET HOST END), OK},
    {"four of them", PL_STR("\r\n\r\n\r\n\r\n" GET HOST END), OK},
    {"five of them", PL_STR("\r\n\r\n\r\n\r\n\r\n" GET HOST END),
     "400 too many empty lines"},
    {"leading LF", PL_STR("\n" GET HOST END), BAD_METHOD},
    {"leading CR", PL_STR("\rGET / HTTP/1.1\r\n" HOST END),
     "400 CR without LF"},
    {"leading space", PL_STR(" " GET HOST END), BAD_METHOD},
    {"leading NUL", PL_STR("\0" GET HOST END), BAD_METHOD},
    {"no method", PL_STR("/ HTTP/1.1\r\n" HOST END), BAD_METHOD},
    {"method is no token", PL_STR("G(T / HTTP/1.1\r\n" HOST END), BAD_METHOD},
    {"method beyond ASCII", PL_STR("G\xcbT / HTTP/1.1\r\n" HOST END),
     BAD_METHOD},
    {"TLS on a plain port", PL_STR("\x16\x03\x01\x02\x00"), BAD_METHOD},
    {"method of 32 bytes (3)",
     PL_STR("ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB / HTTP/1.1\r\n" HOST END),
     "ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB / 1.1 keep-alive"},
    {"method of 33 bytes (3)", PL_STR("ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC"),
     "501 method too long"},
    {"tab for the first space (3)", PL_STR("GET\t/ HTTP/1.1\r\n" HOST END),
     BAD_METHOD},
    {"only a method", PL_STR("GET\r\n\r\n"), BAD_METHOD},
    {"two spaces before the target", PL_STR("GET  / HTTP/1.1\r\n" HOST END),
     BAD_TARGET},
    {"no target", PL_STR("GET HTTP/1.1\r\n" HOST END), BAD_TARGET},
    {"HTTP/0.9 (no version)", PL_STR("GET /\r\n"), BAD_TARGET},
    {"LF in the request line", PL_STR("GET /\nHTTP/1.1\r\n"), BAD_TARGET},
    {"tab in the target", PL_STR("GET /\ta HTTP/1.1\r\n"), BAD_TARGET},
    {"tab before the version", PL_STR("GET /\tHTTP/1.1\r\n"), BAD_TARGET},
    {"NUL in the target", PL_STR("GET /a\0b HTTP/1.1\r\n"), BAD_TARGET},
    {"DEL in the target", PL_STR("GET /a\x7f HTTP/1.1\r\n"), BAD_TARGET},
    {"fragment (9110, 4.2.5)", PL_STR("GET /a#b HTTP/1.1\r\n"), BAD_TARGET},
    {"space in the target", PL_STR("GET /a b HTTP/1.1\r\n"), BAD_VERSION},
    {"two spaces before the version", PL_STR("GET /  HTTP/1.1\r\n"),
     BAD_VERSION},
    {"space behind the version", PL_STR("GET / HTTP/1.1 \r\n"), BAD_VERSION},
    {"no version", PL_STR("GET / \r\n"), BAD_VERSION},
    {"lower-case version (2.3)", PL_STR("GET / http/1.1\r\n"), BAD_VERSION},
    {"HTTP/1.1x", PL_STR("GET / HTTP/1.1x\r\n"), BAD_VERSION},
    {"HTTP/1.10", PL_STR("GET / HTTP/1.10\r\n"), BAD_VERSION},
    {"HTTP/1,1", PL_STR("GET / HTTP/1,1\r\n"), BAD_VERSION},
    {"HTTP/11.1", PL_STR("GET / HTTP/11.1\r\n"), BAD_VERSION},
    {"HTTP/1.", PL_STR("GET / HTTP/1.\r\n"), BAD_VERSION},
    {"HTTP/+1.1", PL_STR("GET / HTTP/+1.1\r\n"), BAD_VERSION},
    {"HTTP/2", PL_STR("GET / HTTP/2\r\n"), BAD_VERSION},
    {"other protocol", PL_STR("GET / ICY/1.1\r\n"), BAD_VERSION},
    {"HTTP/2.0 (9110, 15.6.6)", PL_STR("GET / HTTP/2.0\r\n" HOST END),
     "505 unsupported HTTP version"},
    {"HTTP/0.9 by name", PL_STR("GET / HTTP/0.9\r\n" END),
     "505 unsupported HTTP version"},
    {"preface of HTTP/2 (9113, 3.4)",
     PL_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
     "505 unsupported HTTP version"},
    {"LF for CRLF (2.2)", PL_STR("GET / HTTP/1.1\n" HOST END), BAD_VERSION},
    {"CR for CRLF (2.2)", PL_STR("GET / HTTP/1.1\rHost: a\r\n" END),
     BAD_VERSION},

    /* -- fields: lines and names (5) -- */
    {"space before the first field (2.2)", PL_STR(GET " Host: a\r\n" END),
     "400 white space before the first field"},
    {"tab before the first field (2.2)", PL_STR(GET "\tHost: a\r\n" END),
     "400 white space before the first field"},
    {"obs-fold with a space (5.2)", PL_STR(GET HOST "X: a\r\n b\r\n" END),
     "400 obsolete line folding"},
    {"obs-fold with a tab (5.2)", PL_STR(GET HOST "\tb\r\n" END),
     "400 obsolete line folding"},
    {"space before the colon (5.1)", PL_STR(GET "Host : a\r\n" END),
     "400 white space before the colon"},
    {"tab before the colon (5.1)", PL_STR(GET "Host\t: a\r\n" END),
     "400 white space before the colon"},
    {"empty name", PL_STR(GET HOST ": a\r\n" END), "400 empty field name"},
    {"no colon", PL_STR(GET HOST "Garbage\r\n" END), BAD_NAME},
    {"no colon, nor CR", PL_STR(GET HOST "Garbage\n" END), BAD_NAME},
    {"NUL in a name", PL_STR(GET HOST "X\0Y: a\r\n" END), BAD_NAME},
    {"name beyond ASCII", PL_STR(GET HOST "X\xe9: a\r\n" END), BAD_NAME},
    {"quotes in a name", PL_STR(GET HOST "\"X\": a\r\n" END), BAD_NAME},
    {"CR in a name", PL_STR(GET HOST "X\r: a\r\n" END), BAD_NAME},
    {"all of a token's marks", PL_STR(GET HOST "!#$%&'*+-.^_`|~: a\r\n" END),
     OK},
    {"LF for the empty line (2.2)", PL_STR(GET HOST "\n"), BAD_NAME},
    {"CR for the empty line (2.2)", PL_STR(GET HOST "\rGET "),
     "400 CR without LF"},

    /* -- fields: values (9110, 5.5) -- */
    {"no white space", PL_STR(GET "Host:a\r\n" END), OK},
    {"a lot of it", PL_STR(GET "Host: \t a \t \r\n" END), OK},
    {"empty value", PL_STR(VALUE("")), OK},
    {"value of white space", PL_STR(VALUE(" \t ")), OK},
    {"tab in a value", PL_STR(VALUE("a\tb")), OK},
    {"bytes from 0x80 in a value", PL_STR(VALUE("\x80\xff")), OK},
    {"LF for CRLF (2.2)", PL_STR(GET HOST "X: a\nY: b\r\n" END),
     "400 LF without CR"},
    {"bare CR in a value (2.2)", PL_STR(VALUE("a\rb")), "400 CR without LF"},
    {"CR CR LF", PL_STR(VALUE("a\r")), "400 CR without LF"},
    {"NUL in a value", PL_STR(VALUE("a\0b")), "400 NUL in a field value"},
    {"NUL first in a value", PL_STR(VALUE("\0")), "400 NUL in a field value"},
    {"SOH in a value", PL_STR(VALUE("\x01")), CONTROL},
    {"vertical tab in a value", PL_STR(VALUE("a\vb")), CONTROL},
    {"form feed in a value", PL_STR(VALUE("a\fb")), CONTROL},
    {"ESC in a value", PL_STR(VALUE("\x1b[31m")), CONTROL},
    {"DEL in a value", PL_STR(VALUE("a\x7f")), CONTROL},

    /* -- Host (3.2; 9110, 7.2) -- */
    {"no Host", PL_STR(GET END), "400 no Host"},
    {"two equal Hosts", PL_STR(GET HOST HOST END), "400 more than one Host"},
    {"two Hosts in HTTP/1.0",
     PL_STR("GET / HTTP/1.0\r\n" HOST "hOST: b\r\n" END),
     "400 more than one Host"},
    {"empty Host: URI without authority", PL_STR(HOST_IS("")), OK},
    {"name and port", PL_STR(HOST_IS("www.a-b_c.example:8080")), OK},
    {"IPv4 and port", PL_STR(HOST_IS("127.0.0.1:80")), OK},
    {"IPv6", PL_STR(HOST_IS("[::1]")), OK},
    {"IPv6 and port", PL_STR(HOST_IS("[2001:db8::192.0.2.1]:443")), OK},
    {"empty port (3986, 3.2.3)", PL_STR(HOST_IS("a:")), OK},
    {"highest port", PL_STR(HOST_IS("a:65535")), OK},
    {"percent-encoded name", PL_STR(HOST_IS("a%20b")), OK},
    {"sub-delims (3986, 3.2.2)", PL_STR(HOST_IS("a!$&'()*+,;=b~")), OK},
    {"port 65536", PL_STR(HOST_IS("a:65536")), BAD_HOST},
    {"port with six digits", PL_STR(HOST_IS("a:000080")), BAD_HOST},
    {"port that is no number", PL_STR(HOST_IS("a:b")), BAD_HOST},
    {"port with a sign", PL_STR(HOST_IS("a:-1")), BAD_HOST},
    {"two ports", PL_STR(HOST_IS("a:1:2")), BAD_HOST},
    {"only a port", PL_STR(HOST_IS(":80")), BAD_HOST},
    {"userinfo (9110, 4.2.4)", PL_STR(HOST_IS("u@a")), BAD_HOST},
    {"userinfo with a password", PL_STR(HOST_IS("u:p@a")), BAD_HOST},
    {"space in Host", PL_STR(HOST_IS("a b")), BAD_HOST},
    {"list in Host", PL_STR(HOST_IS("a, b")), BAD_HOST},
    {"path in Host", PL_STR(HOST_IS("a/b")), BAD_HOST},
    {"query in Host", PL_STR(HOST_IS("a?b")), BAD_HOST},
    {"backslash in Host", PL_STR(HOST_IS("a\\b")), BAD_HOST},
    {"scheme in Host", PL_STR(HOST_IS("http://a")), BAD_HOST},
    {"Host beyond ASCII", PL_STR(HOST_IS("\xc3\xa4")), BAD_HOST},
    {"bad percent-encoding", PL_STR(HOST_IS("a%2")), BAD_HOST},
    {"worse percent-encoding", PL_STR(HOST_IS("a%zz")), BAD_HOST},
    {"IPv6 not closed", PL_STR(HOST_IS("[::1")), BAD_HOST},
    {"IPv6 empty", PL_STR(HOST_IS("[]")), BAD_HOST},
    {"IPv6 malformed", PL_STR(HOST_IS("[:::1]")), BAD_HOST},
    {"IPv6 and more", PL_STR(HOST_IS("[::1]a")), BAD_HOST},
    {"IPv6 with a zone (6874)", PL_STR(HOST_IS("[fe80::1%25eth0]")), BAD_HOST},
    {"IPv6 much too long",
     PL_STR(HOST_IS("[0000000000000000000000000000000000000000000000000::1]")),
     BAD_HOST},
    {"IPvFuture", PL_STR(HOST_IS("[v1.a]")), BAD_HOST},
    {"bad Host in HTTP/1.0", PL_STR("GET / HTTP/1.0\r\nHost: a b\r\n" END),
     BAD_HOST},

    /* -- Content-Length (6.2; 9110, 8.6) -- */
    {"length", PL_STR(LENGTH_IS("5")), "POST / 1.1 keep-alive length=5"},
    {"length 0", PL_STR(LENGTH_IS("0")), "POST / 1.1 keep-alive length=0"},
    {"leading zeros", PL_STR(LENGTH_IS("0010")),
     "POST / 1.1 keep-alive length=10"},
    {"length with white space", PL_STR(LENGTH_IS("\t 5 ")),
     "POST / 1.1 keep-alive length=5"},
    {"length of a GET", PL_STR(GET HOST "Content-Length: 3\r\n" END),
     OK " length=3"},
    {"length in HTTP/1.0",
     PL_STR("POST / HTTP/1.0\r\ncontent-length: 5\r\n" END),
     "POST / 1.0 close length=5"},
    {"largest", PL_STR(LENGTH_IS("9223372036854775807")),
     "POST / 1.1 keep-alive length=9223372036854775807"},
    {"beyond signed 64 bits", PL_STR(LENGTH_IS("9223372036854775808")),
     BAD_LENGTH},
    {"beyond 64 bits", PL_STR(LENGTH_IS("18446744073709551621")), BAD_LENGTH},
    {"empty length", PL_STR(LENGTH_IS("")), BAD_LENGTH},
    {"plus", PL_STR(LENGTH_IS("+5")), BAD_LENGTH},
    {"minus", PL_STR(LENGTH_IS("-5")), BAD_LENGTH},
    {"space in the number", PL_STR(LENGTH_IS("5 5")), BAD_LENGTH},
    {"hexadecimal", PL_STR(LENGTH_IS("0x5")), BAD_LENGTH},
    {"hexadecimal digits", PL_STR(LENGTH_IS("5a")), BAD_LENGTH},
    {"decimal point", PL_STR(LENGTH_IS("5.0")), BAD_LENGTH},
    {"quoted", PL_STR(LENGTH_IS("\"5\"")), BAD_LENGTH},
    {"list of equal lengths (6.3)", PL_STR(LENGTH_IS("5, 5")), BAD_LENGTH},
    {"trailing comma", PL_STR(LENGTH_IS("5,")), BAD_LENGTH},
    {"two equal lengths (6.3)",
     PL_STR(POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END),
     "400 more than one Content-Length"},
    {"two different lengths (6.3)",
     PL_STR(POST HOST "Content-Length: 5\r\ncontent-length: 6\r\n" END),
     "400 more than one Content-Length"},
    {"underscore is another name",
     PL_STR(POST HOST "Content_Length: x\r\n" END), "POST / 1.1 keep-alive"},

    /* -- Transfer-Encoding (6.1, 6.3) -- */
    {"chunked", PL_STR(CODING_IS("chunked")), "POST / 1.1 keep-alive chunked"},
    {"any case", PL_STR(CODING_IS("ChunkeD")), "POST / 1.1 keep-alive chunked"},
    {"length, then coding",
     PL_STR(POST HOST
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
     "400 both Content-Length and Transfer-Encoding"},
    {"coding, then length",
     PL_STR(POST HOST
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END),
     "400 both Content-Length and Transfer-Encoding"},
    {"coding in HTTP/1.0",
     PL_STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END),
     "400 Transfer-Encoding in HTTP/1.0"},
    {"two codings",
     PL_STR(POST HOST "Transfer-Encoding: chunked\r\n"
                      "Transfer-Encoding: chunked\r\n" END),
     "400 more than one Transfer-Encoding"},
    {"known nowhere, then chunked", PL_STR(CODING_IS("frob, chunked")),
     "501 unknown transfer coding"},
    {"gzip, chunked", PL_STR(CODING_IS("gzip,chunked")),
     "501 unknown transfer coding"},
    {"chunked is not last", PL_STR(CODING_IS("chunked, gzip")), BAD_CODING},
    {"no chunked at all", PL_STR(CODING_IS("gzip")), BAD_CODING},
    {"identity", PL_STR(CODING_IS("identity")), BAD_CODING},
    {"chunked twice", PL_STR(CODING_IS("chunked, chunked")), BAD_CODING},
    {"chunked, other, chunked", PL_STR(CODING_IS("chunked, a, chunked")),
     BAD_CODING},
    {"xchunked", PL_STR(CODING_IS("xchunked")), BAD_CODING},
    {"chunkedx", PL_STR(CODING_IS("chunkedx")), BAD_CODING},
    {"quoted", PL_STR(CODING_IS("\"chunked\"")), BAD_CODING},
    {"with a parameter", PL_STR(CODING_IS("chunked;a=b")), BAD_CODING},
    {"empty", PL_STR(CODING_IS("")), BAD_CODING},
    {"trailing comma", PL_STR(CODING_IS("chunked,")), BAD_CODING},
    {"leading comma", PL_STR(CODING_IS(",chunked")), BAD_CODING},
    {"hidden by a control character", PL_STR(CODING_IS("\vchunked")), CONTROL},
    {"with a no-break space",
     PL_STR(CODING_IS("\xa0"
                      "chunked")),
     BAD_CODING},

    /* -- Connection, Upgrade, Expect -- */
    {"close (9.6)", PL_STR(GET HOST "Connection: close\r\n" END),
     "GET / 1.1 close"},
    {"any case", PL_STR(GET HOST "connection: CLOSE\r\n" END),
     "GET / 1.1 close"},
    {"close in a list", PL_STR(GET HOST "Connection: TE ,, close\r\n" END),
     "GET / 1.1 close"},
    {"close wins in a list",
     PL_STR(GET HOST "Connection: keep-alive, close\r\n" END),
     "GET / 1.1 close"},
    {"close wins in several fields",
     PL_STR(GET HOST "Connection: close\r\nConnection: keep-alive\r\n" END),
     "GET / 1.1 close"},
    {"not an option of its own", PL_STR(GET HOST "Connection: closed\r\n" END),
     OK},
    {"keep-alive in HTTP/1.0 (9.3)",
     PL_STR("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END),
     "GET / 1.0 keep-alive"},
    {"both in HTTP/1.0",
     PL_STR("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END),
     "GET / 1.0 close"},
    {"upgrade (9110, 7.8)",
     PL_STR(GET HOST "Connection: keep-alive, Upgrade\r\n"
                     "Upgrade: websocket\r\n" END),
     OK " upgrade"},
    {"upgrade not in Connection", PL_STR(GET HOST "Upgrade: h2c\r\n" END), OK},
    {"upgrade only in Connection",
     PL_STR(GET HOST "Connection: upgrade\r\n" END), OK},
    {"upgrade in HTTP/1.0",
     PL_STR("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n" END),
     "GET / 1.0 close"},
    {"expect (9110, 10.1.1)",
     PL_STR(POST HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n" END),
     "POST / 1.1 keep-alive length=1 continue"},
    {"expect, chunked",
     PL_STR(POST HOST "Transfer-Encoding: chunked\r\n"
                      "Expect: 100-continue\r\n" END),
     "POST / 1.1 keep-alive chunked continue"},
    {"expect without a body", PL_STR(GET HOST "Expect: 100-continue\r\n" END),
     OK},
    {"expect in HTTP/1.0",
     PL_STR("POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
            "Content-Length: 1\r\n" END),
     "POST / 1.0 close length=1"},
    {"other expectation", PL_STR(POST HOST "Expect: 200-ok\r\n" END),
     "417 unknown expectation"},
    {"empty expectation", PL_STR(POST HOST "Expect: \r\n" END),
     "417 unknown expectation"},

    /* -- incomplete -- */
    {"nothing", PL_STR(""), "again"},
    {"half an empty line", PL_STR("\r"), "again"},
    {"half a method", PL_STR("GE"), "again"},
    {"no target yet", PL_STR("GET "), "again"},
    {"half a target", PL_STR("GET /a"), "again"},
    {"no version yet", PL_STR("GET / "), "again"},
    {"half a version", PL_STR("GET / HTTP/1"), "again"},
    {"half a line end", PL_STR("GET / HTTP/1.1\r"), "again"},
    {"no field yet", PL_STR(GET), "again"},
    {"half a name", PL_STR(GET "Ho"), "again"},
    {"no value yet", PL_STR(GET "Host: "), "again"},
    {"half a value", PL_STR(GET "Host: a"), "again"},
    {"half a field's end", PL_STR(GET "Host: a\r"), "again"},
    {"half an end", PL_STR(GET HOST "\r"), "again"},
};

/* What the parser says about input given in pieces; the caller frees. */
static char *outcome(struct pl_str input, const struct pl_h1_limits *limits,
                     size_t first, size_t step, bool with_fields)
{
    static struct pl_h1_parser parser;
    struct words words = {NULL, 0, 0};
    int result = feed_head(&parser, limits, input, first, step);

    describe_head(&parser, input, result, &words);
    if (with_fields)
        describe_fields(&parser, input, &words);
    return words.data;
}

static void check_outcome(const char *want, struct pl_str input,
                          const struct pl_h1_limits *limits, const char *what)
{
    char *got = outcome(input, limits, input.len, 1, false);

    CHECK_STR(want, pl_str_c(got), what);
    free(got);
}

/* In one piece, byte by byte, and cut in two everywhere: always the same. */
static void check_pieces(struct pl_str input, const struct pl_h1_limits *limits,
                         const char *what)
{
    char *whole = outcome(input, limits, input.len, 1, true);

    for (size_t cut = 0; cut <= input.len; cut++) {
        size_t step = cut == input.len ? 1 : input.len;
        size_t first = cut == input.len ? 0 : cut;
        char *got = outcome(input, limits, first, step, true);

        CHECK_STR(whole, pl_str_c(got), what);
        free(got);
    }
    free(whole);
}

static void test_h1_parse__accepts_and_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++)
        check_outcome(heads[i].want, heads[i].input, &pl_h1_default_limits,
                      heads[i].what);
}

static void test_h1_parse__pieces_make_no_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++)
        check_pieces(heads[i].input, &pl_h1_default_limits, heads[i].what);
}

/* Cut short, no head is refused that would not have been as a whole. */
static void test_h1_parse__waits_for_what_may_still_come(void **state)
{
    static const char good[] = "\r\nPOST /a HTTP/1.1\r\nHost: a:1\r\nX:\r\n"
                               "Content-Length: 12\r\nExpect: 100-continue\r\n"
                               "Connection: close\r\n\r\n";

    (void)state;
    for (size_t len = 0; len < sizeof(good) - 1; len++)
        check_outcome("again", pl_str(good, len), &pl_h1_default_limits, "cut");
    check_outcome("POST /a 1.1 close length=12 continue", pl_str_c(good),
                  &pl_h1_default_limits, "whole");
}

static void test_h1_parse__every_scanner_parses_alike(void **state)
{
    const struct pl_h1_scanner *chosen = pl_h1_scan;
    const struct pl_h1_scanner *const *scanner;

    (void)state;
    for (scanner = pl_h1_scanners(); *scanner != NULL; scanner++) {
        pl_h1_scan = *scanner;
        test_h1_parse__accepts_and_refuses(state);
    }
    pl_h1_scan = chosen;
}

static void test_h1_parse__gives_fields_and_length(void **state)
{
    static const char input[] = "\r\nGET /x HTTP/1.1\r\nHOST:a\r\nX-Empty: \r\n"
                                "cookie: \t a=b; c \t\r\n\r\nrest";
    static struct pl_h1_parser parser;
    struct words words = {NULL, 0, 0};

    (void)state;
    CHECK_INT(0,
              feed_head(&parser, &pl_h1_default_limits, pl_str_c(input), 0, 1),
              "parsed");
    CHECK_INT(sizeof(input) - 1 - 4, parser.head_len, "length");
    describe_fields(&parser, pl_str_c(input), &words);
    CHECK(strncmp(words.data, "[1 HOST=a][0 X-Empty=][16 cookie=a=b; c]", 40) ==
              0,
          words.data);
    free(words.data);
    CHECK_INT(0, pl_h1_parse_head(&parser, pl_str_c(input)), "stays parsed");
}

static void test_h1_parse__copies_fields_to_the_arena(void **state)
{
    static const char input[] = GET "Host: a\r\nX-Y:  z\r\n\r\n";
    static struct pl_h1_parser parser;
    struct pl_pool pool;
    struct pl_arena arena;
    struct pl_header *headers;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    feed_head(&parser, &pl_h1_default_limits, pl_str_c(input), 1000, 1);
    headers = pl_h1_headers(&parser, input, &arena);
    CHECK_INT(PL_HEADER_HOST, headers[0].id, "id");
    CHECK_STR("Host", pl_header_name(&headers[0]), "first name");
    CHECK_STR("a", pl_header_value(&headers[0]), "first value");
    CHECK_STR("X-Y", pl_header_name(&headers[1]), "second name");
    CHECK_STR("z", pl_header_value(&headers[1]), "second value");
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
}

/* What had been read before a refusal is told, for the log. */
static void test_h1_parse__tells_where_it_refused(void **state)
{
    static struct pl_h1_parser parser;
    struct pl_str input = PL_STR("GET /x HTTP/1.1\r\nHost: a b\r\n");

    (void)state;
    feed_head(&parser, &pl_h1_default_limits, input, 1000, 1);
    CHECK_INT(2, parser.target_len, "target");
    CHECK_INT(23, parser.pos, "position of the value");
    CHECK_INT(PL_ERR_PROTO, pl_h1_parse_head(&parser, input), "stays refused");

    input = PL_STR("GET /\x01 HTTP/1.1\r\n");
    feed_head(&parser, &pl_h1_default_limits, input, 1000, 1);
    CHECK_INT(3, parser.method_len, "method");
    CHECK_INT(0, parser.target_len, "no target");
    CHECK_INT(5, parser.pos, "position of the byte");
}

/* ---- limits (DESIGN 8) ---- */

static const struct pl_h1_limits small = {40, 30, 3};

static const struct {
    const char *what, *input, *want;
} limited[] = {
    {"line of 41 bytes", "GET /345678901234567890123456789 HTTP/1.0\r\n\r\n",
     "414 request line too long"},
    {"line of 40 bytes, exactly",
     "GET /34567890123456789012345678 HTTP/1.0\r\n\r\n",
     "GET /34567890123456789012345678 1.0 close"},
    {"empty lines do not count",
     "\r\n\r\nGET /34567890123456789012345678 HTTP/1.0\r\n\r\n",
     "GET /34567890123456789012345678 1.0 close"},
    {"long before its end", "GET /34567890123456789012345678901234567890",
     "414 request line too long"},
    {"fields of 30 bytes, exactly",
     GET "Host: a\r\nX: 2345678901234567\r\n\r\n", OK},
    {"fields of 31 bytes", GET "Host: a\r\nX: 23456789012345678\r\n\r\n",
     "431 header fields too large"},
    {"long name", GET "X123456789012345678901234567890123",
     "431 header fields too large"},
    {"long value", GET "X: 456789012345678901234567890123",
     "431 header fields too large"},
    {"long white space",
     GET "X:                                 ", "431 header fields too large"},
    {"three fields", GET "Host:\r\nA:\r\nB:\r\n\r\n", OK},
    {"four fields", GET "Host:\r\nA:\r\nB:\r\nC", "431 too many header fields"},
};

static void test_h1_parse__limits_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(limited); i++) {
        check_outcome(limited[i].want, pl_str_c(limited[i].input), &small,
                      limited[i].what);
        check_pieces(pl_str_c(limited[i].input), &small, limited[i].what);
    }
}

/* Around every limit, and for limits so low that several meet. */
static void test_h1_parse__limits_do_not_depend_on_pieces(void **state)
{
    static const char head[] =
        "GETTHISVERYLONGMETHODWHICHGOESONANDON /target HTTP/1.1\r\n"
        "Host: a\r\nName: value \r\n\r\n";
    struct pl_h1_limits limits = {0, 30, 3};

    (void)state;
    for (limits.line = 0; limits.line < 60; limits.line++) {
        check_pieces(pl_str_c(head), &limits, "long method");
        check_pieces(pl_str_c(head + 30), &limits, "line");
    }
    for (limits.head = 0; limits.head < 30; limits.head++)
        for (limits.headers = 0; limits.headers < 3; limits.headers++)
            check_pieces(pl_str_c(head + 30), &limits, "fields");
}

/* The peer never ends its line: refused when the limit is passed. */
static void test_h1_parse__endless_input_is_refused_early(void **state)
{
    static const struct {
        const char *begin;
        uint32_t limit;
        int status;
    } endless[] = {
        {"", PL_H1_MAX_METHOD, 501}, {"GET /", 8192, 414},
        {GET "", 32768, 431},        {GET "X:", 32768, 431},
        {GET "X: ", 32768, 431},
    };
    static struct pl_h1_parser parser;
    static char bytes[70000];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(endless); i++) {
        struct pl_str begin = pl_str_c(endless[i].begin);

        memset(bytes, i == 3 ? ' ' : 'a', sizeof(bytes));
        memcpy(bytes, begin.data, begin.len);
        CHECK_INT(PL_ERR_PROTO,
                  feed_head(&parser, &pl_h1_default_limits,
                            pl_str(bytes, sizeof(bytes)), 1000, 1000),
                  begin.data);
        CHECK_INT(endless[i].status, parser.refusal.status, begin.data);
        CHECK(parser.pos <= endless[i].limit + begin.len + 2, "early");
    }
}

/* A name's length is kept in 16 bits. */
static void test_h1_parse__names_beyond_64k_are_refused(void **state)
{
    static const struct pl_h1_limits huge = {8192, 1 << 20, 100};
    static struct pl_h1_parser parser;
    static char bytes[sizeof(GET) + 70000];
    struct pl_str input = {bytes, sizeof(bytes)};

    (void)state;
    memset(bytes, 'a', sizeof(bytes));
    memcpy(bytes, GET, sizeof(GET) - 1);
    bytes[sizeof(GET) - 1 + UINT16_MAX] = ':';
    CHECK_INT(PL_ERR_AGAIN, feed_head(&parser, &huge, input, 9999, 9999),
              "65535 bytes");
    bytes[sizeof(GET) - 1 + UINT16_MAX] = 'a';
    bytes[sizeof(GET) + UINT16_MAX] = ':';
    CHECK_INT(PL_ERR_PROTO, feed_head(&parser, &huge, input, 9999, 9999),
              "65536 bytes");
    CHECK_INT(431, parser.refusal.status, "status");
}

RUN_TESTS(cmocka_unit_test(test_h1_parse__accepts_and_refuses),
          cmocka_unit_test(test_h1_parse__pieces_make_no_difference),
          cmocka_unit_test(test_h1_parse__waits_for_what_may_still_come),
          cmocka_unit_test(test_h1_parse__every_scanner_parses_alike),
          cmocka_unit_test(test_h1_parse__gives_fields_and_length),
          cmocka_unit_test(test_h1_parse__copies_fields_to_the_arena),
          cmocka_unit_test(test_h1_parse__tells_where_it_refused),
          cmocka_unit_test(test_h1_parse__limits_are_exact),
          cmocka_unit_test(test_h1_parse__limits_do_not_depend_on_pieces),
          cmocka_unit_test(test_h1_parse__endless_input_is_refused_early),
          cmocka_unit_test(test_h1_parse__names_beyond_64k_are_refused))
