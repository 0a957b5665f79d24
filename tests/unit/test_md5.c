/* test_md5.c - MD5: the sums of RFC 1321, A.5, and each length around a block.
 */
#include "check.h"

#include "base/md5.h"

static struct pl_str hex(struct pl_str text)
{
    static char digits[2 * PL_MD5_SIZE];
    unsigned char out[PL_MD5_SIZE];

    pl_md5(out, text);
    pl_hex_encode(digits, pl_str((const char *)out, sizeof(out)));
    return pl_str(digits, sizeof(digits));
}

static const struct {
    const char *text, *sum;
} sums[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"1234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890",
     "57edf4a22be3c955ac49da2e2107b67a"},
};

static void test_md5__sums(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(sums); i++)
        CHECK_STR(sums[i].sum, hex(pl_str_c(sums[i].text)), sums[i].text);
    CHECK_STR(sums[0].sum, hex(pl_str(NULL, 0)), "absent");
}

/* The sum of all sums; by another implementation. */
static void test_md5__each_length(void **state)
{
    enum { LENGTHS = 200 };
    unsigned char all[LENGTHS][PL_MD5_SIZE];
    char text[LENGTHS];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t n = 0; n < LENGTHS; n++)
        pl_md5(all[n], pl_str(text, n));
    CHECK_STR("9370237cf2c013418ada10f8f1b5210b",
              hex(pl_str((const char *)all, sizeof(all))), "all");
}

RUN_TESTS(cmocka_unit_test(test_md5__sums),
          cmocka_unit_test(test_md5__each_length))
