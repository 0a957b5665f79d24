/* test_base64.c - RFC 4648: its examples, every byte, and nothing else. */
#include "check.h"

#include <stdlib.h>

static const struct {
    const char *what, *text, *bytes; /* bytes NULL: refused */
    enum pl_base64 form;
} cases[] = {
    {"RFC 4648, 10", "", "", PL_BASE64_STANDARD},
    {"RFC 4648, 10", "Zg==", "f", PL_BASE64_STANDARD},
    {"RFC 4648, 10", "Zm8=", "fo", PL_BASE64_STANDARD},
    {"RFC 4648, 10", "Zm9v", "foo", PL_BASE64_STANDARD},
    {"RFC 4648, 10", "Zm9vYg==", "foob", PL_BASE64_STANDARD},
    {"RFC 4648, 10", "Zm9vYmE=", "fooba", PL_BASE64_STANDARD},
    {"RFC 4648, 10", "Zm9vYmFy", "foobar", PL_BASE64_STANDARD},
    {"letters 62 and 63", "+/+/", "\xfb\xff\xbf", PL_BASE64_STANDARD},
    {"letters 62 and 63", "-_-_", "\xfb\xff\xbf", PL_BASE64_URL},
    {"unpadded", "Zg", "f", PL_BASE64_URL},
    {"unpadded", "Zm8", "fo", PL_BASE64_URL},
    {"padding missing", "Zg", NULL, PL_BASE64_STANDARD},
    {"padding missing", "Zg=", NULL, PL_BASE64_STANDARD},
    {"padding alone", "====", NULL, PL_BASE64_STANDARD},
    {"padding alone", "=", NULL, PL_BASE64_URL},
    {"too much padding", "Zm9v====", NULL, PL_BASE64_STANDARD},
    {"too much padding", "Z===", NULL, PL_BASE64_STANDARD},
    {"half padding", "Zg=", NULL, PL_BASE64_URL},
    {"padding inside", "Zg==Zg==", NULL, PL_BASE64_STANDARD},
    {"one letter", "Z", NULL, PL_BASE64_URL},
    {"one letter", "Zm9vZ", NULL, PL_BASE64_URL},
    {"unused bits", "Zh==", NULL, PL_BASE64_STANDARD},
    {"unused bits", "Zm9=", NULL, PL_BASE64_STANDARD},
    {"unused bits", "Zh", NULL, PL_BASE64_URL},
    {"other alphabet", "-_-_", NULL, PL_BASE64_STANDARD},
    {"other alphabet", "+/+/", NULL, PL_BASE64_URL},
    {"space", "Zm9v ", NULL, PL_BASE64_URL},
    {"line end", "Zm9v\nYmFy", NULL, PL_BASE64_STANDARD},
    {"no ASCII", "Zm9\xff", NULL, PL_BASE64_STANDARD},
};

static void test_base64__examples(void **state)
{
    char out[64];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_str text = pl_str_c(cases[i].text);
        ptrdiff_t n = pl_base64_decode(out, text, cases[i].form);

        if (cases[i].bytes == NULL) {
            CHECK_INT(PL_ERR_SYNTAX, n, cases[i].what);
            continue;
        }
        CHECK_STR(cases[i].bytes, pl_str(out, (size_t)n), cases[i].what);
        n = (ptrdiff_t)pl_base64_encode(out, pl_str_c(cases[i].bytes),
                                        cases[i].form);
        CHECK_STR(cases[i].text, pl_str(out, (size_t)n), cases[i].what);
    }
    CHECK_INT(1, pl_base64_decode(out, PL_STR("Zg=="), PL_BASE64_URL),
              "URL form reads padding");
}

/* Buffers of exactly the promised size: the sanitizer watches their ends. */
static void test_base64__round_trip_in_the_promised_room(void **state)
{
    (void)state;
    for (size_t len = 1; len < 300; len++) {
        enum pl_base64 form = len % 2 ? PL_BASE64_URL : PL_BASE64_STANDARD;
        char *in = malloc(len), *text = malloc(pl_base64_room(len)), *out;
        struct pl_str encoded;

        for (size_t i = 0; i < len; i++)
            in[i] = (char)(i * 37 + len);
        encoded = pl_str(text, pl_base64_encode(text, pl_str(in, len), form));
        out = malloc(pl_base64_decoded_room(encoded.len));
        CHECK_INT(len, pl_base64_decode(out, encoded, form), "length");
        CHECK(memcmp(out, in, len) == 0, "bytes");
        CHECK_INT(len, pl_base64_decode(text, encoded, form), "in place");
        CHECK(memcmp(text, in, len) == 0, "bytes in place");
        free(in);
        free(out);
        free(text);
    }
}

/* Whatever four characters say, encoding their bytes says it again. */
static void test_base64__one_spelling(void **state)
{
    char in[4], out[4], again[4];

    (void)state;
    srand(2);
    for (int i = 0; i < 300000; i++) {
        ptrdiff_t n;

        for (size_t j = 0; j < 4; j++)
            in[j] = "ABgz09+/=-_\n"[rand() % 12];
        n = pl_base64_decode(out, pl_str(in, 4), PL_BASE64_STANDARD);
        if (n < 0)
            continue;
        pl_base64_encode(again, pl_str(out, (size_t)n), PL_BASE64_STANDARD);
        CHECK(memcmp(in, again, 4) == 0, "the same");
    }
}

static void test_hex__strict(void **state)
{
    char out[8];

    (void)state;
    pl_hex_encode(out, PL_STR("\x00\x7f\xab\xff"));
    CHECK_STR("007fabff", pl_str(out, 8), "encode");
    CHECK_INT(3, pl_hex_decode(out, PL_STR("aBC0ff")), "decode");
    CHECK_STR("\xab\xc0\xff", pl_str(out, 3), "decode");
    CHECK_INT(0, pl_hex_decode(out, PL_STR("")), "empty");
    CHECK_INT(PL_ERR_SYNTAX, pl_hex_decode(out, PL_STR("abc")), "odd");
    CHECK_INT(PL_ERR_SYNTAX, pl_hex_decode(out, PL_STR("0x")), "prefix");
    CHECK_INT(PL_ERR_SYNTAX, pl_hex_decode(out, PL_STR(" 1")), "space");
    CHECK_INT(PL_ERR_SYNTAX, pl_hex_decode(out, PL_STR("g0")), "letter");
}

RUN_TESTS(cmocka_unit_test(test_base64__examples),
          cmocka_unit_test(test_base64__round_trip_in_the_promised_room),
          cmocka_unit_test(test_base64__one_spelling),
          cmocka_unit_test(test_hex__strict))
