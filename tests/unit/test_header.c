/* test_header.c - field names with ids, valid names and values, lists. */
#include "check.h"

#include <stdlib.h>

#include "http/chars.h"
#include "http/header.h"

static void test_header__every_name_is_found_in_any_case(void **state)
{
    char text[64];

    (void)state;
    for (int id = 1; id < PL_HEADER_COUNT; id++) {
        struct pl_str name = pl_header_id_name((enum pl_header_id)id);

        CHECK_INT(id, pl_header_lookup(name), name.data);
        for (size_t upper = 0; upper < name.len; upper++) {
            memcpy(text, name.data, name.len);
            if (text[upper] >= 'a' && text[upper] <= 'z')
                text[upper] = (char)(text[upper] - 0x20);
            CHECK_INT(id, pl_header_lookup(pl_str(text, name.len)), name.data);
        }
        for (size_t i = 0; i < name.len; i++)
            if (text[i] >= 'a' && text[i] <= 'z')
                text[i] = (char)(text[i] - 0x20);
        CHECK_INT(id, pl_header_lookup(pl_str(text, name.len)), name.data);
    }
}

/* Also those that differ in the one bit which makes a letter lower case. */
static void test_header__no_other_name_is_taken_for_one(void **state)
{
    char text[64];

    (void)state;
    for (int id = 1; id < PL_HEADER_COUNT; id++) {
        struct pl_str name = pl_header_id_name((enum pl_header_id)id);

        for (size_t at = 0; at < name.len; at++) {
            for (int c = 0; c < 256; c++) {
                bool same = pl_ascii_lower((unsigned char)c) ==
                            (unsigned char)name.data[at];

                memcpy(text, name.data, name.len);
                text[at] = (char)c;
                if (!same)
                    CHECK((int)pl_header_lookup(pl_str(text, name.len)) != id,
                          name.data);
            }
        }
        CHECK((int)pl_header_lookup(pl_str_first(name, name.len - 1)) != id,
              "cut");
    }
}

static void test_header__unknown_names_have_no_id(void **state)
{
    static const char *const names[] = {
        "",
        "x",
        "hosts",
        "x-foo",
        "accept-charset",
        "dnt",
        "a-name-that-is-much-longer-than-any-that-the-server-knows-of",
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(names); i++)
        CHECK_INT(PL_HEADER_OTHER, pl_header_lookup(pl_str_c(names[i])),
                  names[i]);
    CHECK_INT(PL_HEADER_OTHER, pl_header_lookup(pl_str(NULL, 0)), "absent");
}

/* RFC 9110, 5.6.2 and 5.5, written out once more. */
static bool is_token(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void test_header__characters_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool value = c == '\t' || (c >= 0x20 && c != 0x7f);

        CHECK_INT(is_token(c), pl_header_name_valid(pl_str(text, 3)), "name");
        CHECK_INT(value, pl_header_value_valid(pl_str(text, 3)), "value");
        CHECK_INT(is_token(c), pl_char_is((char)c, PL_CHAR_TOKEN), "token");
        CHECK_INT(value && c > ' ' && c != '#',
                  pl_char_is((char)c, PL_CHAR_TARGET), "target");
    }
    CHECK(!pl_header_name_valid(PL_STR("")), "a name is not empty");
    CHECK(pl_header_value_valid(PL_STR("")), "a value may be");
    CHECK(pl_header_value_valid(pl_str(NULL, 0)), "or absent");
}

static const struct {
    const char *list, *want; /* elements, each followed by '|' */
} lists[] = {
    {"", ""},
    {"a", "a|"},
    {"a,b", "a|b|"},
    {" a ,\tb\t, c ", "a|b|c|"},
    {",, ,a,,", "a|"},
    {"\"a,b\", c", "\"a,b\"|c|"},
    {"\"a\\\",b\",c", "\"a\\\",b\"|c|"},
    {"x=\"open, c", "x=\"open, c|"},
    {"a\\,b", "a\\|b|"},
    {"\"\\", "\"\\|"},
};

static void test_header__lists_are_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(lists); i++) {
        struct pl_str rest = pl_str_c(lists[i].list), element;
        char got[64] = "";

        while (pl_header_list_next(&rest, &element)) {
            strncat(got, element.data, element.len);
            strcat(got, "|");
        }
        CHECK_STR(lists[i].want, pl_str_c(got), lists[i].list);
    }
    CHECK(pl_header_list_has(PL_STR("gzip, Chunked"), PL_STR("chunked")),
          "any case");
    CHECK(!pl_header_list_has(PL_STR("xchunked"), PL_STR("chunked")), "whole");
    CHECK(!pl_header_list_has(PL_STR("\"a, chunked\""), PL_STR("chunked")),
          "not in quotes");
}

static void test_header__words_are_compared_in_any_case(void **state)
{
    static const char *const words[] = {
        "te", "h2c", "gzip", "close", "keep-alive", "transfer-encoding"};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(words); i++) {
        struct pl_str want = pl_str_c(words[i]);
        char *text = malloc(want.len); /* its exact size, for ASan */

        for (size_t at = 0; at < want.len; at++) {
            memcpy(text, want.data, want.len);
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                CHECK_INT(pl_ascii_lower((unsigned char)c) ==
                              (unsigned char)want.data[at],
                          pl_header_word_is(pl_str(text, want.len), want),
                          words[i]);
            }
        }
        CHECK(!pl_header_word_is(pl_str(text, want.len - 1), want), "shorter");
        free(text);
    }
}

RUN_TESTS(cmocka_unit_test(test_header__every_name_is_found_in_any_case),
          cmocka_unit_test(test_header__no_other_name_is_taken_for_one),
          cmocka_unit_test(test_header__unknown_names_have_no_id),
          cmocka_unit_test(test_header__characters_are_those_of_the_rfc),
          cmocka_unit_test(test_header__lists_are_taken_apart),
          cmocka_unit_test(test_header__words_are_compared_in_any_case))
