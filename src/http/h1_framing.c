/* h1_framing.c - where a request ends, whom it is for and what comes after it.
 *
 * The rules are those of RFC 9112, 6.3 without its leniencies: a server that
 * guesses reads another request than the proxy before it. */
#include "http/h1_priv.h"

#include <arpa/inet.h>

#include "base/str.h"
#include "http/chars.h"

enum seen {
    HOST = 1,
    LENGTH = 2,
    CODING = 4,
    EXPECT = 8,
    UPGRADE = 16,           /* the field */
    WANTS_UPGRADE = 32,     /* Connection: upgrade */
    WANTS_CLOSE = 64,       /* Connection: close */
    WANTS_KEEP_ALIVE = 128, /* Connection: keep-alive */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* ---- Host (RFC 9112, 3.2; RFC 3986, 3.2.2) ---- */

/* The length of the reg-name or IPv4 address that s begins with. */
static size_t reg_name_len(struct pl_str s)
{
    size_t at = 0;

    for (;;) {
        while (at < s.len && pl_char_is(s.data[at], PL_CHAR_HOST))
            at++;
        if (s.len - at < 3 || s.data[at] != '%' || !is_hex(s.data[at + 1]) ||
            !is_hex(s.data[at + 2]))
            return at;
        at += 3;
    }
}

/* The length of the "[v6]" that s begins with; 0 if it is none. IPvFuture is
 * refused: nobody can serve it. (A NUL cannot be in s: it is a field value.) */
static size_t literal_len(struct pl_str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    ptrdiff_t end = pl_str_chr(s, ']');
    size_t len = (size_t)end - 1; /* between the brackets */

    if (end < 3 || len >= sizeof(text))
        return 0;
    memcpy(text, s.data + 1, len);
    text[len] = '\0';
    if (inet_pton(AF_INET6, text, &addr) != 1)
        return 0;
    return (size_t)end + 1;
}

/* Empty, or of a colon and up to five digits, the number below 65536. */
static bool port_valid(struct pl_str s)
{
    uint64_t port;

    if (s.len <= 1)
        return s.len == 0 || s.data[0] == ':';
    return s.data[0] == ':' && s.len <= 6 &&
           pl_str_to_u64(pl_str_skip(s, 1), &port) && port <= UINT16_MAX;
}

/* An empty Host is what a client sends whose URI has no authority. */
static bool host_valid(struct pl_str s)
{
    size_t len;

    if (s.len == 0)
        return true;
    len = s.data[0] == '[' ? literal_len(s) : reg_name_len(s);
    return len > 0 && port_valid(pl_str_skip(s, len));
}

static int frame_host(struct pl_h1_parser *parser, struct pl_str value)
{
    if (parser->seen & HOST)
        return pl_h1_refuse(parser, 400, "more than one Host");
    if (!host_valid(value))
        return pl_h1_refuse(parser, 400, "malformed Host");
    parser->seen |= HOST;
    return 0;
}

/* ---- the body (RFC 9112, 6) ---- */

static int frame_length(struct pl_h1_parser *parser, struct pl_str value)
{
    if (parser->seen & LENGTH)
        return pl_h1_refuse(parser, 400, "more than one Content-Length");
    /* Many parsers keep it in a signed 64-bit number: a larger one is refused
     * because they would read another. */
    if (!pl_str_to_u64(value, &parser->content_length) ||
        parser->content_length > INT64_MAX)
        return pl_h1_refuse(parser, 400, "malformed Content-Length");
    parser->has_length = true;
    parser->seen |= LENGTH;
    return 0;
}

/* A body whose last coding is not chunked has no end (6.3): 400. Codings that
 * we do not know before it (6.1): 501. */
static int refuse_coding(struct pl_h1_parser *parser, struct pl_str value)
{
    struct pl_str element, last = {NULL, 0};
    unsigned others = 0, chunked = 0;

    while (pl_header_list_next(&value, &element)) {
        last = element;
        if (pl_header_word_is(element, PL_STR("chunked")))
            chunked++;
        else
            others++;
    }
    if (others > 0 && chunked == 1 &&
        pl_header_word_is(last, PL_STR("chunked")))
        return pl_h1_refuse(parser, 501, "unknown transfer coding");
    return pl_h1_refuse(parser, 400, "malformed Transfer-Encoding");
}

static int frame_coding(struct pl_h1_parser *parser, struct pl_str value)
{
    if (parser->seen & CODING)
        return pl_h1_refuse(parser, 400, "more than one Transfer-Encoding");
    if (parser->minor == 0)
        return pl_h1_refuse(parser, 400, "Transfer-Encoding in HTTP/1.0");
    if (!pl_header_word_is(value, PL_STR("chunked")))
        return refuse_coding(parser, value);
    parser->chunked = true;
    parser->seen |= CODING;
    return 0;
}

/* ---- what else the peer wants ---- */

/* The bit of a connection option (RFC 9110, 7.6.1); 0 if it is not ours. */
static unsigned option_bit(struct pl_str option)
{
    switch (option.len) {
    case 5:
        return pl_header_word_is(option, PL_STR("close")) ? WANTS_CLOSE : 0;
    case 7:
        return pl_header_word_is(option, PL_STR("upgrade")) ? WANTS_UPGRADE : 0;
    case 10:
        return pl_header_word_is(option, PL_STR("keep-alive"))
                   ? WANTS_KEEP_ALIVE
                   : 0;
    default:
        return 0;
    }
}

static void frame_connection(struct pl_h1_parser *parser, struct pl_str value)
{
    unsigned bits = option_bit(value); /* nearly always there is but one */
    struct pl_str option;

    while (bits == 0 && pl_header_list_next(&value, &option))
        parser->seen |= (uint8_t)option_bit(option);
    parser->seen |= (uint8_t)bits;
}

static int frame_expect(struct pl_h1_parser *parser, struct pl_str value)
{
    if (!pl_header_word_is(value, PL_STR("100-continue")))
        return pl_h1_refuse(parser, 417, "unknown expectation");
    parser->seen |= EXPECT;
    return 0;
}

int pl_h1_frame_field(struct pl_h1_parser *parser,
                      const struct pl_h1_field *field, const char *bytes)
{
    struct pl_str value = {bytes + field->value, field->value_len};

    switch (field->id) {
    case PL_HEADER_HOST:
        return frame_host(parser, value);
    case PL_HEADER_CONTENT_LENGTH:
        return frame_length(parser, value);
    case PL_HEADER_TRANSFER_ENCODING:
        return frame_coding(parser, value);
    case PL_HEADER_CONNECTION:
        frame_connection(parser, value);
        return 0;
    case PL_HEADER_EXPECT:
        return frame_expect(parser, value);
    default:
        parser->seen |= UPGRADE;
        return 0;
    }
}

static int refuse_both(struct pl_h1_parser *parser)
{
    return pl_h1_refuse(parser, 400,
                        "both Content-Length and Transfer-Encoding");
}

int pl_h1_frame_end(struct pl_h1_parser *parser)
{
    unsigned seen = parser->seen;
    bool is_11 = parser->minor == 1;

    if (is_11 && !(seen & HOST))
        return pl_h1_refuse(parser, 400, "no Host");
    if ((seen & LENGTH) && (seen & CODING))
        return refuse_both(parser);
    parser->keep_alive =
        !(seen & WANTS_CLOSE) && (is_11 || (seen & WANTS_KEEP_ALIVE));
    /* HTTP/1.0 knows neither (RFC 9110, 7.8 and 10.1.1), and nobody waits for
     * leave to send nothing. */
    parser->upgrade = is_11 && (seen & WANTS_UPGRADE) && (seen & UPGRADE);
    parser->expect_continue = is_11 && (seen & EXPECT) &&
                              (parser->chunked || parser->content_length > 0);
    return 0;
}

/* ---- of a response ---- */

int pl_h1_frame_answer_field(struct pl_h1_parser *parser,
                             const struct pl_h1_field *field, const char *bytes)
{
    switch (field->id) {
    case PL_HEADER_HOST:
    case PL_HEADER_EXPECT:
        return 0; /* they mean nothing here */
    default:
        return pl_h1_frame_field(parser, field, bytes);
    }
}

int pl_h1_frame_answer_end(struct pl_h1_parser *parser)
{
    unsigned seen = parser->seen;

    if ((seen & LENGTH) && (seen & CODING))
        return refuse_both(parser);
    parser->keep_alive = !(seen & WANTS_CLOSE) &&
                         (parser->minor == 1 || (seen & WANTS_KEEP_ALIVE));
    parser->upgrade = (seen & WANTS_UPGRADE) && (seen & UPGRADE);
    return 0;
}
