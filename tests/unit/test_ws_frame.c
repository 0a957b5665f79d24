/* test_ws_frame.c - heads of frames, masks, close codes: what is taken, what is
 * refused, and as soon as the bytes say so. */
#include "check.h"

#include "base/error.h"
#include "base/sha1.h"
#include "http/ws_frame.h"

#define KEY "\x01\x02\x03\x04"

static const struct {
    const char *what;
    struct pl_str input;
    bool packed; /* RSV1 is allowed */
    int want;
    size_t after; /* bytes by which it is refused */
    uint64_t len;
} heads[] = {
    {"text", PL_STR("\x81\x85" KEY), false, 0, 0, 5},
    {"empty", PL_STR("\x82\x80" KEY), false, 0, 0, 0},
    {"a fragment", PL_STR("\x01\x85" KEY), false, 0, 0, 5},
    {"the rest", PL_STR("\x80\x85" KEY), false, 0, 0, 5},
    {"125", PL_STR("\x82\xfd" KEY), false, 0, 0, 125},
    {"126", PL_STR("\x82\xfe\x00\x7e" KEY), false, 0, 0, 126},
    {"65535", PL_STR("\x82\xfe\xff\xff" KEY), false, 0, 0, 65535},
    {"65536", PL_STR("\x82\xff\0\0\0\0\0\1\0\0" KEY), false, 0, 0, 65536},
    {"2^63 - 1", PL_STR("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" KEY), false,
     0, 0, INT64_MAX},
    {"ping", PL_STR("\x89\x80" KEY), false, 0, 0, 0},
    {"packed", PL_STR("\xc1\x85" KEY), true, 0, 0, 5},

    {"no mask", PL_STR("\x81\x05"), false, PL_ERR_PROTO, 2, 0},
    {"RSV1", PL_STR("\xc1\x85"), false, PL_ERR_PROTO, 2, 0},
    {"RSV1 of a fragment behind the first", PL_STR("\xc0\x85"), true,
     PL_ERR_PROTO, 2, 0},
    {"RSV1 of a ping", PL_STR("\xc9\x85"), true, PL_ERR_PROTO, 2, 0},
    {"RSV2", PL_STR("\xa1\x85"), true, PL_ERR_PROTO, 2, 0},
    {"RSV3", PL_STR("\x91\x85"), true, PL_ERR_PROTO, 2, 0},
    {"opcode 3", PL_STR("\x83\x85"), false, PL_ERR_PROTO, 2, 0},
    {"opcode 7", PL_STR("\x87\x85"), false, PL_ERR_PROTO, 2, 0},
    {"opcode 11", PL_STR("\x8b\x85"), false, PL_ERR_PROTO, 2, 0},
    {"opcode 15", PL_STR("\x8f\x85"), false, PL_ERR_PROTO, 2, 0},
    {"a ping in fragments", PL_STR("\x09\x80"), false, PL_ERR_PROTO, 2, 0},
    {"a long ping", PL_STR("\x89\xfe"), false, PL_ERR_PROTO, 2, 0},
    {"125 in two bytes", PL_STR("\x81\xfe\x00\x7d"), false, PL_ERR_PROTO, 4, 0},
    {"65535 in eight", PL_STR("\x81\xff\0\0\0\0\0\0\xff\xff"), false,
     PL_ERR_PROTO, 10, 0},
    {"2^63", PL_STR("\x81\xff\x80\0\0\0\0\0\0\0"), false, PL_ERR_PROTO, 10, 0},
};

static void test_ws_frame__parses_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++) {
        struct pl_str input = heads[i].input;
        size_t last = heads[i].want == 0 ? input.len : heads[i].after;
        struct pl_ws_frame frame;
        const char *why = NULL;

        for (size_t n = 0; n < last; n++)
            CHECK_INT(PL_ERR_AGAIN,
                      pl_ws_frame_parse(&frame, pl_str_first(input, n),
                                        heads[i].packed, &why),
                      heads[i].what);
        CHECK_INT(heads[i].want,
                  pl_ws_frame_parse(&frame, input, heads[i].packed, &why),
                  heads[i].what);
        if (heads[i].want < 0) {
            CHECK(why != NULL, heads[i].what);
            continue;
        }
        CHECK_INT(input.len, frame.size, heads[i].what);
        CHECK_INT(heads[i].len, frame.len, heads[i].what);
        CHECK(memcmp(frame.key, KEY, 4) == 0, heads[i].what);
        CHECK_INT(input.data[0] & 15, frame.opcode, heads[i].what);
        CHECK_INT((input.data[0] & 0x80) != 0, frame.fin, heads[i].what);
        CHECK_INT(heads[i].packed, frame.packed, heads[i].what);
    }
}

/* What is written reads back, with a mask bit and key put in. */
static void test_ws_frame__writes_heads(void **state)
{
    static const uint64_t lengths[] = {0,     1,     125,   126,      127,
                                       65535, 65536, 65537, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(lengths); i++) {
        char out[PL_WS_HEAD_MAX];
        struct pl_ws_frame frame;
        const char *why;
        size_t size = pl_ws_frame_write(out, PL_WS_OP_TEXT, i % 2, lengths[i]);

        out[1] = (char)(out[1] | 0x80);
        memcpy(out + size, KEY, 4);
        CHECK_INT(0,
                  pl_ws_frame_parse(&frame, pl_str(out, size + 4), true, &why),
                  "read back");
        CHECK_INT(lengths[i], frame.len, "length");
        CHECK(frame.fin && frame.packed == (i % 2 == 1), "bits");
        CHECK_INT(PL_WS_OP_TEXT, frame.opcode, "opcode");
    }
}

/* Every length, phase and alignment, against one byte at a time. */
static void test_ws_frame__masks_at_any_place(void **state)
{
    static const uint8_t key[4] = {0x12, 0xf4, 0x9a, 0x01};
    char in[300], out[300], want[300];

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (char)(i * 31 + 7);
    for (size_t len = 0; len < 200; len++) {
        for (size_t at = 0; at < 8; at++) {
            size_t from = (len + at) % 13, to = (len * 3 + at) % 17;

            memset(out, 0x55, sizeof(out));
            memcpy(want, out, sizeof(out));
            for (size_t i = 0; i < len; i++)
                want[to + i] = (char)(in[from + i] ^ key[(at + i) & 3]);
            pl_ws_mask(out + to, in + from, len, key, at);
            CHECK(memcmp(want, out, sizeof(out)) == 0, "masked");
            pl_ws_mask(out + to, out + to, len, key, at);
            CHECK(memcmp(in + from, out + to, len) == 0, "in place, and back");
        }
    }
}

static void test_ws_frame__knows_close_codes(void **state)
{
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008,
                                    1009, 1010, 1011, 1012, 1013, 1014,
                                    3000, 3999, 4000, 4999};
    static const unsigned bad[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                                   1016, 1100, 2000, 2999, 5000, 65535};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(good); i++)
        CHECK(pl_ws_code_valid(good[i]), "good");
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        CHECK(!pl_ws_code_valid(bad[i]), "bad");
}

/* FIPS 180-4's examples, and both sizes of the padding. */
static void test_ws_frame__hashes(void **state)
{
    static const struct {
        const char *text, *want;
    } sums[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"0123456789012345678901234567890123456789012345678901234",
         "9f3a4ce7f66b1b74c34da2c5d732c39f81e0f8df"},
    };
    unsigned char digest[PL_SHA1_SIZE];
    char text[2 * PL_SHA1_SIZE + 1] = "";

    (void)state;
    for (size_t i = 0; i < PL_COUNT(sums); i++) {
        pl_sha1(digest, pl_str_c(sums[i].text));
        pl_hex_encode(text, pl_str((const char *)digest, sizeof(digest)));
        CHECK_STR(sums[i].want, pl_str_c(text), sums[i].text);
    }
}

RUN_TESTS(cmocka_unit_test(test_ws_frame__parses_heads),
          cmocka_unit_test(test_ws_frame__writes_heads),
          cmocka_unit_test(test_ws_frame__masks_at_any_place),
          cmocka_unit_test(test_ws_frame__knows_close_codes),
          cmocka_unit_test(test_ws_frame__hashes))
