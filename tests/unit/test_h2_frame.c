/* test_h2_frame.c - HTTP/2 without a connection: frames, windows, rates,
 * priorities, header compression. */
#include "check.h"

#include "base/error.h"
#include "http/h2_flow.h"
#include "http/h2_frame.h"
#include "http/h2_hpack.h"
#include "http/h2_limit.h"
#include "http/h2_priority.h"

/* ---- frames ---- */

static void test_h2_frame__reads_what_it_writes(void **state)
{
    char bytes[PL_H2_FRAME_HEAD];
    struct pl_h2_frame frame;

    (void)state;
    pl_h2_put_head(bytes, 16384, PL_H2_CONTINUATION, 0x85, 0x7ffffffd);
    pl_h2_frame_read(&frame, bytes);
    CHECK_INT(16384, frame.length, "length");
    CHECK_INT(PL_H2_CONTINUATION, frame.type, "type");
    CHECK_INT(0x85, frame.flags, "flags");
    CHECK_INT(0x7ffffffd, frame.stream, "stream");
    bytes[5] = (char)0xff;
    pl_h2_frame_read(&frame, bytes);
    CHECK_INT(0x7ffffffd, frame.stream, "the reserved bit is nothing");
}

static const struct {
    const char *what;
    struct pl_h2_frame frame; /* length, stream, type, flags */
    enum pl_h2_code want;
} frames[] = {
    {"DATA", {10, 1, PL_H2_DATA, 0}, PL_H2_NO_ERROR},
    {"DATA on 0", {10, 0, PL_H2_DATA, 0}, PL_H2_PROTOCOL_ERROR},
    {"large DATA", {16384, 1, PL_H2_DATA, 0}, PL_H2_NO_ERROR},
    {"too large DATA", {16385, 1, PL_H2_DATA, 0}, PL_H2_FRAME_SIZE_ERROR},
    {"SETTINGS", {12, 0, PL_H2_SETTINGS, 0}, PL_H2_NO_ERROR},
    {"SETTINGS on 1", {12, 1, PL_H2_SETTINGS, 0}, PL_H2_PROTOCOL_ERROR},
    {"odd SETTINGS", {13, 0, PL_H2_SETTINGS, 0}, PL_H2_FRAME_SIZE_ERROR},
    {"ACK", {0, 0, PL_H2_SETTINGS, PL_H2_ACK}, PL_H2_NO_ERROR},
    {"full ACK", {6, 0, PL_H2_SETTINGS, PL_H2_ACK}, PL_H2_FRAME_SIZE_ERROR},
    {"PING", {8, 0, PL_H2_PING, 0}, PL_H2_NO_ERROR},
    {"short PING", {7, 0, PL_H2_PING, 0}, PL_H2_FRAME_SIZE_ERROR},
    {"WINDOW_UPDATE", {4, 0, PL_H2_WINDOW_UPDATE, 0}, PL_H2_NO_ERROR},
    {"... of 1", {4, 1, PL_H2_WINDOW_UPDATE, 0}, PL_H2_NO_ERROR},
    {"GOAWAY", {20, 0, PL_H2_GOAWAY, 0}, PL_H2_NO_ERROR},
    {"short GOAWAY", {7, 0, PL_H2_GOAWAY, 0}, PL_H2_FRAME_SIZE_ERROR},
    {"unknown", {1000, 7, 0x42, 0xff}, PL_H2_NO_ERROR},
    {"large unknown", {20000, 7, 0x42, 0}, PL_H2_FRAME_SIZE_ERROR},
};

static void test_h2_frame__checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(frames); i++)
        CHECK_INT(frames[i].want, pl_h2_frame_check(&frames[i].frame),
                  frames[i].what);
}

static void strips(const char *want, enum pl_h2_type type, unsigned flags,
                   const char *bytes, size_t len)
{
    struct pl_h2_frame frame = {.type = (uint8_t)type, .flags = (uint8_t)flags};
    struct pl_str payload = pl_str(bytes, len);
    bool good = pl_h2_frame_strip(&frame, &payload);

    CHECK_INT(want != NULL, good, want == NULL ? "refused" : want);
    if (want != NULL)
        CHECK_STR(want, payload, want);
}

static void test_h2_frame__takes_padding_off(void **state)
{
    const unsigned both = PL_H2_PADDED | PL_H2_PRIORITIZED;

    (void)state;
    strips("abc", PL_H2_DATA, 0, "abc", 3);
    strips("abc", PL_H2_DATA, PL_H2_PADDED, "\2abc\0\0", 6);
    strips("", PL_H2_DATA, PL_H2_PADDED, "\3\0\0\0", 4);
    strips(NULL, PL_H2_DATA, PL_H2_PADDED, "\4\0\0\0", 4);
    strips(NULL, PL_H2_DATA, PL_H2_PADDED, "", 0);
    strips("x", PL_H2_HEADERS, both, "\1\0\0\0\0\7x\0", 8);
    strips(NULL, PL_H2_HEADERS, both, "\1\0\0\0\0", 5);
    strips("12345", PL_H2_DATA, PL_H2_PRIORITIZED, "12345", 5);
}

/* ---- windows ---- */

static void test_h2_flow__windows(void **state)
{
    struct pl_h2_window window = {PL_H2_WINDOW};

    (void)state;
    CHECK(pl_h2_window_use(&window, 65535), "all of it");
    CHECK(!pl_h2_window_use(&window, 1), "no more");
    CHECK(pl_h2_window_move(&window, -10), "negative");
    CHECK_INT(0, pl_h2_window_room(&window), "no room");
    CHECK(pl_h2_window_move(&window, INT32_MAX), "to 2^31 - 11");
    CHECK(!pl_h2_window_move(&window, 11), "overflow");
    CHECK_INT(INT32_MAX - 10, window.left, "as it was");
}

static void test_h2_flow__opens_in_large_steps(void **state)
{
    struct pl_h2_window window = {1000};

    (void)state;
    CHECK_INT(0, pl_h2_window_open(&window, 1000), "it is open");
    window.left = 501;
    CHECK_INT(0, pl_h2_window_open(&window, 1000), "not yet");
    window.left = 500;
    CHECK_INT(500, pl_h2_window_open(&window, 1000), "half of it");
    CHECK_INT(1000, window.left, "opened");
    window.left = 0;
    CHECK_INT(2, pl_h2_window_open(&window, 2), "who is blocked is let go");
    window.left = 0;
    CHECK_INT(0, pl_h2_window_open(&window, 0), "nothing is wanted");
}

/* ---- rates ---- */

static void test_h2_limit__rates(void **state)
{
    struct pl_h2_rate rate = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        CHECK(!pl_h2_rate_over(&rate, 1000 + (unsigned)i, 10, 1000), "ten");
    CHECK(pl_h2_rate_over(&rate, 1999, 10, 1000), "eleven");
    CHECK(!pl_h2_rate_over(&rate, 2000, 10, 1000), "another second");
    rate = (struct pl_h2_rate){.since = UINT32_MAX - 10, .count = 10};
    CHECK(pl_h2_rate_over(&rate, (uint64_t)UINT32_MAX + 5, 10, 1000),
          "the clock wraps");
}

/* ---- priorities ---- */

static const struct {
    const char *field;
    uint8_t urgency;
    bool incremental;
} priorities[] = {
    {"", 3, false},
    {"u=0", 0, false},
    {"u=7, i", 7, true},
    {"i", 3, true},
    {"i=?1", 3, true},
    {"i=?0", 3, false},
    {"u=8", 3, false},
    {"u=-1", 3, false},
    {"u=12", 3, false},
    {"u", 3, false},
    {"u=1;x=2, i;y", 1, true},
    {"U=1", 3, false},
    {"u=1,u=5", 5, false},
    {" u=2 ,\ti ", 2, true},
    {"foo=\"u=1\"", 3, false},
    {"i, u=6, z=9", 6, true},
};

static void test_h2_priority__parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(priorities); i++) {
        struct pl_h2_priority got =
            pl_h2_priority_parse(pl_str_c(priorities[i].field));

        CHECK_INT(priorities[i].urgency, got.urgency, priorities[i].field);
        CHECK_INT(priorities[i].incremental, got.incremental,
                  priorities[i].field);
    }
}

/* ---- header compression ---- */

static struct pl_pool pool;
static struct pl_account account;

static void test_h2_hpack__reads_what_it_writes(void **state)
{
    static char block[200000], large[60000];
    struct pl_h2_field fields[100];
    struct pl_h2_hpack *hpack;
    struct pl_str name, value, rest;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_account_init(&account, NULL, 0);
    memset(large, '\1', sizeof(large)); /* has the longest of Huffman's codes */
    for (unsigned i = 0; i < 100; i++)
        fields[i] = (struct pl_h2_field){PL_STR("x-field"),
                                         i % 7 == 0 ? pl_str(large, i * 100)
                                                    : PL_STR("value")};
    hpack = pl_h2_hpack_new(&pool, &account);
    CHECK(hpack != NULL, "new");
    for (unsigned n = 0; n < 100; n += 33) {
        size_t bound = pl_h2_hpack_bound(fields, n);
        ssize_t len;

        CHECK(bound <= sizeof(block), "bound");
        len = pl_h2_hpack_write(hpack, fields, n, block, bound);
        CHECK(len >= 0, "written");
        rest = pl_str(block, (size_t)len);
        for (unsigned i = 0; i < n; i++) {
            CHECK_INT(1, pl_h2_hpack_next(hpack, &rest, &name, &value), "one");
            CHECK(pl_str_eq(name, fields[i].name), "name");
            CHECK(pl_str_eq(value, fields[i].value), "value");
        }
        CHECK_INT(0, pl_h2_hpack_next(hpack, &rest, &name, &value), "end");
    }
    rest = PL_STR("\x80");
    CHECK_INT(PL_ERR_PROTO, pl_h2_hpack_next(hpack, &rest, &name, &value),
              "index zero");
    pl_h2_hpack_free(hpack);
    CHECK_INT(0, account.used, "released");
    pl_pool_fini(&pool);
}

static void test_h2_hpack__memory_is_on_the_account(void **state)
{
    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t limit = 64; limit < 8192; limit += 64) {
        struct pl_h2_hpack *hpack;

        pl_account_init(&account, NULL, limit);
        hpack = pl_h2_hpack_new(&pool, &account);
        CHECK(account.used <= limit, "within");
        pl_h2_hpack_free(hpack);
        CHECK_INT(0, account.used, "released");
    }
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_h2_frame__reads_what_it_writes),
          cmocka_unit_test(test_h2_frame__checks),
          cmocka_unit_test(test_h2_frame__takes_padding_off),
          cmocka_unit_test(test_h2_flow__windows),
          cmocka_unit_test(test_h2_flow__opens_in_large_steps),
          cmocka_unit_test(test_h2_limit__rates),
          cmocka_unit_test(test_h2_priority__parses),
          cmocka_unit_test(test_h2_hpack__reads_what_it_writes),
          cmocka_unit_test(test_h2_hpack__memory_is_on_the_account))
