/* test_crc32c.c - the vectors of RFC 3720, B.4. */
#include "check.h"

#include "base/crc32c.h"
#include "base/str.h"

static void test_crc32c__vectors(void **state)
{
    char bytes[32];

    (void)state;
    CHECK_INT(0, pl_crc32c(0, PL_STR("")), "nothing");
    CHECK_INT(0xe3069283, pl_crc32c(0, PL_STR("123456789")), "check");
    memset(bytes, 0, sizeof(bytes));
    CHECK_INT(0x8a9136aa, pl_crc32c(0, pl_str(bytes, 32)), "zeroes");
    memset(bytes, 0xff, sizeof(bytes));
    CHECK_INT(0x62a8ab43, pl_crc32c(0, pl_str(bytes, 32)), "ones");
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    CHECK_INT(0x46dd794e, pl_crc32c(0, pl_str(bytes, 32)), "ascending");
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)(31 - i);
    CHECK_INT(0x113fdb5c, pl_crc32c(0, pl_str(bytes, 32)), "descending");
}

static void test_crc32c__goes_on(void **state)
{
    struct pl_str text = PL_STR("123456789");

    (void)state;
    for (size_t i = 0; i <= text.len; i++)
        CHECK_INT(0xe3069283,
                  pl_crc32c(pl_crc32c(0, pl_str_first(text, i)),
                            pl_str_skip(text, i)),
                  "in two pieces");
}

RUN_TESTS(cmocka_unit_test(test_crc32c__vectors),
          cmocka_unit_test(test_crc32c__goes_on))
