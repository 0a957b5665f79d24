/* test_h1_scan.c - every scanner of this machine against the character table:
 * all lengths, starts and byte values, in blocks of exactly the given size. */
#include "check.h"

#include <stdlib.h>

#include "http/chars.h"
#include "http/h1_scan.h"

enum { LONGEST = 100 };

static const enum pl_char_set sets[] = {PL_CHAR_TARGET, PL_CHAR_TOKEN,
                                        PL_CHAR_VALUE};

static size_t scan(const struct pl_h1_scanner *scanner, enum pl_char_set set,
                   const char *bytes, size_t from, size_t len)
{
    return (set == PL_CHAR_TARGET  ? scanner->target
            : set == PL_CHAR_TOKEN ? scanner->token
                                   : scanner->value)(bytes, from, len);
}

/* The answer by the table, a byte at a time. */
static size_t want(enum pl_char_set set, const char *bytes, size_t from,
                   size_t len)
{
    while (from < len && pl_char_is(bytes[from], set))
        from++;
    return from;
}

static void check_all(const char *bytes, size_t from, size_t len)
{
    const struct pl_h1_scanner *const *scanner;

    for (scanner = pl_h1_scanners(); *scanner != NULL; scanner++)
        for (size_t i = 0; i < PL_COUNT(sets); i++)
            CHECK_INT(want(sets[i], bytes, from, len),
                      scan(*scanner, sets[i], bytes, from, len),
                      (*scanner)->name);
}

/* Fills bytes with members of the sets, and one byte in rarity with any. */
static void fill(char *bytes, size_t len, int rarity)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = "abcXYZ019-._~!$%&'*+^`|"[rand() % 23];
        if (rand() % rarity == 0)
            bytes[i] = (char)rand();
    }
}

static void test_scan__all_agree_at_every_length_and_start(void **state)
{
    static const int rarities[] = {2, 10, 50, 1 << 20};

    (void)state;
    srand(1);
    for (size_t len = 0; len <= LONGEST; len++) {
        for (size_t i = 0; i < PL_COUNT(rarities); i++) {
            char *bytes = malloc(len > 0 ? len : 1);

            fill(bytes, len, rarities[i]);
            for (size_t from = 0; from <= len; from++)
                check_all(bytes, from, len);
            free(bytes);
        }
    }
}

static void test_scan__all_agree_on_every_byte_at_every_place(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < LONGEST; at++) {
            char *bytes = malloc(LONGEST);

            memset(bytes, 'a', LONGEST);
            bytes[at] = (char)c;
            check_all(bytes, 0, LONGEST);
            check_all(bytes, at, LONGEST);
            check_all(bytes + 1, 0, LONGEST - 1); /* odd alignment */
            check_all(bytes, at, at + 1);
            free(bytes);
        }
    }
}

static void test_scan__the_fastest_is_chosen(void **state)
{
    const struct pl_h1_scanner *const *last = pl_h1_scanners();

    (void)state;
    CHECK(pl_h1_scan == *last, "the first of the list");
    while (last[1] != NULL)
        last++;
    CHECK(*last == &pl_h1_scan_scalar, "plain C is the last resort");
}

RUN_TESTS(cmocka_unit_test(test_scan__all_agree_at_every_length_and_start),
          cmocka_unit_test(test_scan__all_agree_on_every_byte_at_every_place),
          cmocka_unit_test(test_scan__the_fastest_is_chosen))
