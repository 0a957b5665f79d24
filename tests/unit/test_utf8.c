/* test_utf8.c - exactly the well-formed byte sequences of RFC 3629 pass. */
#include "check.h"

#include "base/utf8.h"

static const struct {
    const char *what, *text;
    bool want;
} texts[] = {
    {"empty", "", true},
    {"ASCII", "0123456789abcdef, and a rest", true},
    {"two bytes", "01234567\xc2\x80 \xdf\xbf", true},
    {"three bytes", "\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf",
     true},
    {"four bytes", "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", true},
    {"continuation alone", "a\x80", false},
    {"overlong, two bytes", "\xc1\xbf", false},
    {"overlong, three bytes", "\xe0\x9f\xbf", false},
    {"overlong, four bytes", "\xf0\x8f\xbf\xbf", false},
    {"first surrogate", "\xed\xa0\x80", false},
    {"last surrogate", "\xed\xbf\xbf", false},
    {"above U+10FFFF", "\xf4\x90\x80\x80", false},
    {"five bytes", "\xf8\x88\x80\x80\x80", false},
    {"never a byte", "\xff", false},
    {"cut", "01234567\xe2\x82", false},
    {"interrupted", "\xe2\x82z", false},
};

static void test_utf8__valid_whole_and_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        struct pl_str text = pl_str_c(texts[i].text);
        struct pl_utf8 check = {0};
        bool ok = true;

        CHECK_INT(texts[i].want, pl_utf8_valid(text), texts[i].what);
        for (size_t j = 0; j < text.len && ok; j++)
            ok = pl_utf8_feed(&check, pl_str(text.data + j, 1));
        CHECK_INT(texts[i].want, ok && check.more == 0, texts[i].what);
    }
}

static void test_utf8__encode_and_decode_are_inverse(void **state)
{
    char bytes[4];
    uint32_t back;

    (void)state;
    for (uint32_t point = 0; point < 0x110400; point++) {
        size_t len = pl_utf8_encode(bytes, point);
        bool exists = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);

        CHECK_INT(exists, len > 0, "what exists has bytes");
        if (!exists)
            continue;
        CHECK_INT(len, pl_utf8_decode(pl_str(bytes, len), &back), "length");
        CHECK_INT(point, back, "point");
        for (size_t cut = 1; cut < len; cut++)
            CHECK_INT(PL_ERR_AGAIN, pl_utf8_decode(pl_str(bytes, cut), &back),
                      "cut");
    }
}

/* Against the definition: decode, encode, compare, for all that three bytes can
 * be. */
static void test_utf8__accepts_only_what_encode_makes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1 << 24; i += 3) {
        char in[3] = {(char)(i >> 16), (char)(i >> 8), (char)i}, out[4];
        uint32_t point;
        int n = pl_utf8_decode(pl_str(in, 3), &point);

        if (n > 0) {
            CHECK_INT(n, pl_utf8_encode(out, point), "length");
            CHECK(memcmp(in, out, (size_t)n) == 0, "bytes");
        } else {
            CHECK(n == PL_ERR_SYNTAX || (unsigned char)in[0] >= 0xf0, "cut");
        }
    }
}

RUN_TESTS(cmocka_unit_test(test_utf8__valid_whole_and_byte_by_byte),
          cmocka_unit_test(test_utf8__encode_and_decode_are_inverse),
          cmocka_unit_test(test_utf8__accepts_only_what_encode_makes))
