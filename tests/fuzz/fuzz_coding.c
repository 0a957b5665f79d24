/* fuzz_coding.c - a request with a body in a content coding, for a route that
 * compresses what it answers. See connection.h for how it is sent and read.
 *
 * The fourth byte chooses (enum below); what is behind it is the text, or what
 * is said to be a coded one. Whatever arrives: an answer in a coding can be
 * decoded to its end, and what zlib has packed comes back as it was. */
#include "connection.h"

#include <zlib.h>

#include "filters/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STREAMED = 1,  /* to a handler that sends back what it reads, at once */
    AS_IT_IS = 2,  /* the text is sent as what is coded */
    DEFLATE = 4,   /* of zlib, not gzip */
    CHUNKED = 8,   /* not with a length */
    ACCEPTED = 16, /* the answer may be coded */
    IN_TWO = 32,   /* members, one behind the other */
    LONG = 64,     /* the text again and again: beyond all limits */
    UNREAD = 128,  /* to a handler that answers at length, and reads nothing */
    TIMES = 60,
};

static uint8_t how;
static struct pl_pool pool;
static struct pl_buf text, body, input, content;

/* ---- what is sent ---- */

/* Appends one member. */
static void pack(struct pl_str part)
{
    z_stream z = {.next_in = (Bytef *)part.data, .avail_in = (uInt)part.len};
    size_t room = part.len + part.len / 8 + 100;
    int bits = how & DEFLATE ? 15 : 15 + 16;

    PL_ASSERT(pl_buf_reserve(&body, room) == 0);
    z.next_out = (Bytef *)body.data + body.len;
    z.avail_out = (uInt)room;
    PL_ASSERT(deflateInit2(&z, 1, Z_DEFLATED, bits, 8, 0) == Z_OK);
    PL_ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    body.len += room - z.avail_out;
}

static void make_body(struct pl_str part)
{
    struct pl_str all_of_it;

    for (int n = how & LONG ? TIMES : 1; n > 0; n--)
        PL_ASSERT(pl_buf_add(&text, part) == 0);
    all_of_it = pl_buf_str(&text);
    if (how & AS_IT_IS) {
        PL_ASSERT(pl_buf_add(&body, all_of_it) == 0);
        return;
    }
    pack(how & IN_TWO ? pl_str_first(all_of_it, text.len / 2) : all_of_it);
    if (how & IN_TWO)
        pack(pl_str_skip(all_of_it, text.len / 2));
}

static const char *target(void)
{
    if (how & UNREAD)
        return "/l";
    return how & STREAMED ? "/s" : "/e";
}

/* Behind the bytes that say how it is sent. */
static void make_request(void)
{
    pl_buf_printf(&input,
                  "POST %s HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\n%s",
                  target(), how & DEFLATE ? "deflate" : "gzip",
                  how & ACCEPTED ? "Accept-Encoding: gzip\r\n" : "");
    if (how & CHUNKED && body.len > 0)
        pl_buf_printf(&input, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                      body.len);
    else
        pl_buf_printf(&input, "Content-Length: %zu\r\n\r\n", body.len);
    pl_buf_add(&input, pl_buf_str(&body));
    if (how & CHUNKED && body.len > 0)
        pl_buf_add(&input, PL_STR("\r\n0\r\n\r\n"));
    PL_ASSERT(input.err == 0);
}

/* ---- what comes back ---- */

/* All of it, and nothing behind it. */
static void unpack(struct pl_str packed)
{
    z_stream z = {.next_in = (Bytef *)packed.data,
                  .avail_in = (uInt)packed.len};
    size_t room = 2 * MAX_UPLOAD;

    PL_ASSERT(pl_buf_reserve(&content, room) == 0);
    z.next_out = (Bytef *)content.data;
    z.avail_out = (uInt)room;
    PL_ASSERT(inflateInit2(&z, 15 + 16) == Z_OK);
    PL_ASSERT(inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0);
    inflateEnd(&z);
    content.len = room - z.avail_out;
}

/* A stream that breaks off has said a part of the text, without the point. */
static bool is_echo(struct pl_str got)
{
    struct pl_str want = pl_buf_str(&text);

    if (how & STREAMED && got.len == want.len + 1)
        got.len -= got.data[want.len] == '.';
    else if (how & STREAMED)
        want = pl_str_first(want, PL_MIN(want.len, got.len));
    return pl_str_eq(got, want);
}

static void check_content(void)
{
    struct pl_str got = pl_buf_str(&content);

    if (how & UNREAD)
        PL_ASSERT(pl_str_eq(got, pl_str(large, sizeof(large))));
    else if (!(how & AS_IT_IS))
        PL_ASSERT(is_echo(got));
    else
        PL_ASSERT(got.len <= MAX_UPLOAD + 1);
}

static void check_answer(const struct answer *answer)
{
    struct pl_str coding = answer_field(answer->head, "content-encoding");
    struct pl_str bytes = pl_str(answer->body, answer->len);

    content.len = 0;
    PL_ASSERT(coding.data == NULL || how & ACCEPTED);
    if (coding.data == NULL)
        PL_ASSERT(pl_buf_add(&content, bytes) == 0);
    else
        unpack(bytes);
    if (answer->status == 200)
        check_content();
}

static void check_answers(bool cut)
{
    struct pl_str rest = pl_str(all.data, all.len);
    struct answer answer = {0};

    while (rest.len > 0) {
        int got = take_answer(&rest, false, false, &answer);

        if (got == ANSWER_PART && (answer.to_eof || cut))
            break;
        PL_ASSERT(got == ANSWER_WHOLE);
        if (answer.status >= 200)
            check_answer(&answer);
    }
    free(answer.body);
}

static void each_buffer(void (*act)(struct pl_buf *buf))
{
    act(&text);
    act(&body);
    act(&input);
    act(&content);
}

static void begin(struct pl_buf *buf)
{
    pl_buf_init(buf, &pool, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pl_compress_options options = {
        .size = sizeof(options), .min = 1, .encodings = "gzip", .types = "*"};

    if (size < 4)
        return 0;
    how = data[3];
    http2 = false;
    pl_pool_init(&pool, NULL, 0);
    each_buffer(begin);
    make_body(pl_str((const char *)data + 4, size - 4));
    pl_buf_add(&input, pl_str((const char *)data, 3));
    make_request();
    around = pl_compress_new(&options, NULL);
    PL_ASSERT(around != NULL);
    check_answers(
        run_client((const uint8_t *)input.data, input.len, PL_STR("")));
    pl_filter_drop(around);
    each_buffer(pl_buf_fini);
    pl_pool_fini(&pool);
    return 0;
}
