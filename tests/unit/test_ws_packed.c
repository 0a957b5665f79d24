/* test_ws_packed.c - messages packed by permessage-deflate: unpacked as they
 * come, a share in each turn, those of many sockets at once. What a peer may
 * send is in tests/conformance/websocket. */
#include "ws_world.h"

#include "http/ws_deflate.h"

#define TEXT(s) pl_str_c(s)

static struct pl_ws_options packing = {
    .size = sizeof(packing),
    .compress = PL_WS_PACKED,
    .compress_min = UINT32_MAX, /* answers are plain */
};

static int make_packing(void **state)
{
    make_ws(state);
    add_handler("/packed", echo, &packing);
    return 0;
}

MAKE_IN_PIECES(make_packing)

static int open_packed(void)
{
    int far = connect_far();

    request(far, "GET /packed HTTP/1.1\r\n" UPGRADE
                 "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    next_answer(far);
    CHECK_INT(101, answer.status, "/packed");
    return far;
}

/* data, packed; good until the next call. */
static struct pl_str packed(struct pl_str data)
{
    static const struct pl_ws_deflate_params params = {true, true, 15, 15};
    static char bytes[65536];
    struct pl_ws_packer *packer = pl_ws_packer_new(&params);
    struct pl_buf out;
    size_t len;

    CHECK(packer != NULL, "packer");
    pl_buf_init(&out, pl_loop_pool(loop), NULL, 0);
    CHECK_INT(0, pl_ws_pack(packer, data, &out), "pack");
    len = out.len;
    CHECK(len <= sizeof(bytes), "short");
    memcpy(bytes, out.data, len);
    pl_buf_fini(&out);
    pl_ws_packer_free(packer);
    return pl_str(bytes, len);
}

static void test_ws_packed__is_unpacked(void **state)
{
    int far = open_packed();

    (void)state;
    for (int i = 0; i < 3; i++) {
        send_frame(far, 0xc1, packed(TEXT("hello, hello, hello")));
        expect_text(far, "hello, hello, hello", "packed");
        send_text(far, "plain");
        expect_text(far, "plain", "not packed");
        send_frame(far, 0xc1, packed(TEXT("")));
        expect_text(far, "", "empty");
    }
}

/* Each message has a stream of its own until its end, whatever others do. */
static void test_ws_packed__messages_come_at_once(void **state)
{
    enum { MANY = 5 };
    int far[MANY];
    char text[MANY][64];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        far[i] = open_packed();
        snprintf(text[i], sizeof(text[i]), "%d abcabcabcabcabc %d", i, i);
    }
    for (int i = 0; i < MANY; i++) {
        struct pl_str all = packed(TEXT(text[i]));

        send_frame(far[i], 0x41, pl_str_first(all, all.len / 2));
    }
    for (int i = MANY - 1; i >= 0; i--) {
        struct pl_str all = packed(TEXT(text[i]));

        send_frame(far[i], 0x80, pl_str_skip(all, all.len / 2));
        expect_text(far[i], text[i], "its own");
    }
}

static const char zeros[1 << 20];

/* A kilobyte that becomes a megabyte does not hold the others up. */
static void test_ws_packed__large_ones_have_shares(void **state)
{
    int far = open_packed();
    unsigned turns = 0;

    (void)state;
    pl_script_window(script, far, 2 * sizeof(zeros));
    while (pl_script_received(script, far).len == 0) {
        if (turns++ == 0) {
            struct pl_str data = packed(pl_str(zeros, sizeof(zeros)));
            char head[8] = {(char)0xc2, (char)(0x80 | 126),
                            (char)(data.len >> 8), (char)data.len};

            CHECK(data.len < 2000, "a kilobyte");
            pl_script_send(script, far, pl_str(head, 8)); /* the key is 0 */
            pl_script_send(script, far, data);
        }
        CHECK(pl_loop_step(loop, 0) >= 0, "turn");
        CHECK(turns < 1000, "an answer");
    }
    CHECK(turns > sizeof(zeros) / 65536 / 2, "not in one turn");
    settle();
    expect_frame(far, 0x82, pl_str(zeros, sizeof(zeros)), "all of it");
}

/* Its end is not awaited. */
static void test_ws_packed__a_bomb_is_noticed_early(void **state)
{
    int far = open_packed();
    static char more[(1 << 20) + 1];

    (void)state;
    send_frame(far, 0x42, packed(pl_str(more, sizeof(more))));
    send_frame(far, 0x80, TEXT("")); /* some bytes are inside of the stream */
    expect_close(far, 1009, "a packed message is too long", "bomb");
}

static void test_ws_packed__text_is_checked(void **state)
{
    int far = open_packed();

    (void)state;
    send_frame(far, 0x41, packed(TEXT("never UTF-8: \xff\xff, more text")));
    send_frame(far, 0x80, TEXT(""));
    expect_close(far, 1007, "text that is not UTF-8", "text");
}

static void test_ws_packed__takes_no_memory_per_message(void **state)
{
    int far = open_packed();
    struct pl_str data = packed(pl_str(zeros, 20000));
    uint64_t before = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        if (i == 5)
            before = pl_loop_pool(loop)->mallocs;
        send_frame(far, 0xc2, data);
        expect_frame(far, 0x82, pl_str(zeros, 20000), "echo");
    }
    CHECK_INT(before, pl_loop_pool(loop)->mallocs, "steady");
}

/* Its stream goes with it. */
static void test_ws_packed__may_leave_in_a_message(void **state)
{
    int far = open_packed(), other = open_packed();

    (void)state;
    send_frame(far, 0x41, packed(TEXT("the first half of")));
    send_frame(other, 0x41, packed(TEXT("another")));
    pl_script_close(script, far);
    settle();
    send_frame(other, 0x80, TEXT(""));
    expect_text(other, "another", "the other");
}

#define PACKED(name) BOTH_WAYS(name, make_packing, end_http)
#define PACKED_WHOLE(name)                                                     \
    cmocka_unit_test_setup_teardown(name, make_packing, end_http)

RUN_TESTS(PACKED(test_ws_packed__is_unpacked),
          PACKED(test_ws_packed__messages_come_at_once),
          PACKED_WHOLE(test_ws_packed__large_ones_have_shares),
          PACKED(test_ws_packed__a_bomb_is_noticed_early),
          PACKED(test_ws_packed__text_is_checked),
          PACKED_WHOLE(test_ws_packed__takes_no_memory_per_message),
          PACKED(test_ws_packed__may_leave_in_a_message))
