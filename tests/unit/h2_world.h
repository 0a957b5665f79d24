/* h2_world.h - an HTTP/2 client for the site of h1_world.h: says frames, and
 * puts what comes back into words that can be compared:
 *
 *     S A       SETTINGS, its ACK        P P!      PING, its ACK
 *     H1=200    HEADERS of stream 1      D1=hello  DATA (D1#16384 if long)
 *     R1=CANCEL RST_STREAM               G1=CANCEL GOAWAY
 *     W0+10     WINDOW_UPDATE            "." behind a word: END_STREAM */
#ifndef PL_TESTS_H2_WORLD_H
#define PL_TESTS_H2_WORLD_H

#include "h1_world.h"

#include "http/h2.h"
#include "http/h2_frame.h"
#include "http/h2_hpack.h"

static struct {
    struct pl_pool pool;
    struct pl_account account;
    struct pl_h2_hpack *hpack;
    int far;
    char heard[65536]; /* what came, in words */
    size_t len;
    char fields[4096]; /* of the last HEADERS, "name: value\n" */
} client;

/* ---- frames to the server ---- */

PL_UNUSED static void say_frame(enum pl_h2_type type, unsigned flags,
                                uint32_t stream, struct pl_str payload)
{
    char head[PL_H2_FRAME_HEAD];

    pl_h2_put_head(head, payload.len, type, flags, stream);
    pl_script_send(script, client.far, pl_str(head, sizeof(head)));
    pl_script_send(script, client.far, payload);
}

PL_UNUSED static void say_number(enum pl_h2_type type, uint32_t stream,
                                 uint32_t value)
{
    char number[4];

    pl_h2_put_u32(number, value);
    say_frame(type, 0, stream, pl_str(number, 4));
}

/* A header block from "name: value" lines; returns it in a static buffer. */
PL_UNUSED static struct pl_str block_of(const char *lines)
{
    static char block[65536];
    struct pl_h2_field fields[300];
    struct pl_str rest = pl_str_c(lines), line;
    unsigned n = 0;
    ssize_t len;

    while (rest.len > 0 && pl_str_split(&rest, '\n', &line) && line.len > 0) {
        ptrdiff_t colon = pl_str_find(pl_str_skip(line, 1), PL_STR(":")) + 1;

        fields[n++] = (struct pl_h2_field){
            pl_str_first(line, (size_t)colon),
            pl_str_trim(pl_str_skip(line, (size_t)colon + 1))};
    }
    len = pl_h2_hpack_write(client.hpack, fields, n, block, sizeof(block));
    CHECK(len >= 0, "block");
    return pl_str(block, (size_t)len);
}

#define GET_LINES(path)                                                        \
    ":method: GET\n:scheme: http\n:authority: a\n:path: " path "\n"
#define POST_LINES(path)                                                       \
    ":method: POST\n:scheme: http\n:authority: a\n:path: " path "\n"

PL_UNUSED static void say_headers(uint32_t stream, const char *lines, bool end)
{
    say_frame(PL_H2_HEADERS, PL_H2_END_HEADERS | (end ? PL_H2_END_STREAM : 0),
              stream, block_of(lines));
}

PL_UNUSED static void say_data(uint32_t stream, const char *text, bool end)
{
    say_frame(PL_H2_DATA, end ? PL_H2_END_STREAM : 0, stream, pl_str_c(text));
}

/* ---- frames from it ---- */

PL_PRINTF(1, 2) static void hear(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    client.len += (size_t)vsnprintf(client.heard + client.len,
                                    sizeof(client.heard) - client.len, fmt, ap);
    va_end(ap);
    CHECK(client.len < sizeof(client.heard), "heard");
}

static void hear_headers(uint32_t stream, struct pl_str block)
{
    struct pl_str name, value;
    size_t at = 0;
    bool head = false;

    while (pl_h2_hpack_next(client.hpack, &block, &name, &value) > 0) {
        if (pl_str_eq(name, PL_STR(":status"))) {
            hear("H%u=%.*s", stream, PL_STR_ARG(value));
            head = true;
        }
        at += (size_t)snprintf(client.fields + at, sizeof(client.fields) - at,
                               "%.*s: %.*s\n", PL_STR_ARG(name),
                               PL_STR_ARG(value));
    }
    if (!head) /* trailers */
        hear("H%u", stream);
}

static void hear_frame(const struct pl_h2_frame *frame, struct pl_str payload)
{
    bool ack = frame->flags & PL_H2_ACK;

    switch (frame->type) {
    case PL_H2_SETTINGS:
        hear(ack ? "A" : "S");
        break;
    case PL_H2_PING:
        hear(ack ? "P!" : "P");
        break;
    case PL_H2_HEADERS:
        CHECK(frame->flags & PL_H2_END_HEADERS, "one frame");
        hear_headers(frame->stream, payload);
        hear("%s", frame->flags & PL_H2_END_STREAM ? "." : "");
        break;
    case PL_H2_DATA:
        if (payload.len > 30)
            hear("D%u#%zu", frame->stream, payload.len);
        else
            hear("D%u=%.*s", frame->stream, PL_STR_ARG(payload));
        hear("%s", frame->flags & PL_H2_END_STREAM ? "." : "");
        break;
    case PL_H2_WINDOW_UPDATE:
        hear("W%u+%u", frame->stream, pl_h2_u31(payload.data));
        break;
    case PL_H2_RST_STREAM:
        hear("R%u=%s", frame->stream, pl_h2_code_name(pl_h2_u32(payload.data)));
        break;
    case PL_H2_GOAWAY:
        hear("G%u=%s", pl_h2_u31(payload.data),
             pl_h2_code_name(pl_h2_u32(payload.data + 4)));
        break;
    default:
        fail_msg("a frame of type %u", frame->type);
    }
    hear(" ");
}

/* Takes all whole frames that have come. */
PL_UNUSED static void listen_to(void)
{
    struct pl_h2_frame frame;
    struct pl_str all;

    for (;;) {
        all = pl_script_received(script, client.far);
        if (all.len < PL_H2_FRAME_HEAD)
            return;
        pl_h2_frame_read(&frame, all.data);
        CHECK(frame.length <= PL_H2_FRAME_MAX, "frame");
        if (all.len < PL_H2_FRAME_HEAD + (size_t)frame.length)
            return;
        hear_frame(&frame, pl_str(all.data + PL_H2_FRAME_HEAD, frame.length));
        pl_script_take(script, client.far,
                       PL_H2_FRAME_HEAD + (size_t)frame.length);
        turn(1);
    }
}

/* All that has come, and what comes when it is taken, is these words. */
PL_UNUSED static void expect_words(const char *words, const char *what)
{
    char want[4096];

    settle();
    listen_to();
    settle();
    listen_to();
    snprintf(want, sizeof(want), "%s%s", words, *words != '\0' ? " " : "");
    CHECK_STR(want, pl_str(client.heard, client.len), what);
    client.len = 0;
}

PL_UNUSED static void forget_words(void)
{
    settle();
    listen_to();
    client.len = 0;
}

PL_UNUSED static void expect_line(const char *line)
{
    CHECK(strstr(client.fields, line) != NULL, line);
}

/* ---- connections ---- */

PL_UNUSED static void begin_client(void)
{
    client.far = connect_far();
    pl_script_send(script, client.far, PL_H2_PREFACE);
    say_frame(PL_H2_SETTINGS, 0, 0, PL_STR(""));
    expect_words("S W0+196609 A", "the server's part of the preface");
}

PL_UNUSED static int make_h2(void **state)
{
    make(state);
    pl_pool_init(&client.pool, NULL, 0);
    pl_account_init(&client.account, NULL, 0);
    client.hpack = pl_h2_hpack_new(&client.pool, &client.account);
    client.len = 0;
    return 0;
}

PL_UNUSED static int end_h2(void **state)
{
    pl_h2_hpack_free(client.hpack);
    CHECK_INT(0, client.account.used, "released");
    pl_pool_fini(&client.pool);
    return end_http(state);
}

MAKE_IN_PIECES(make_h2)
#define H2_BOTH(name) BOTH_WAYS(name, make_h2, end_h2)
#define H2_WHOLE(name) cmocka_unit_test_setup_teardown(name, make_h2, end_h2)

#endif
