/* test_id.c - ids differ, and read back what was written. */
#include "check.h"

#include "base/id.h"

static void test_id__each_is_new(void **state)
{
    struct pl_ids a, b;
    uint64_t first;

    (void)state;
    pl_ids_init(&a);
    pl_ids_init(&b);
    CHECK(a.next != b.next, "two workers");
    first = pl_ids_next(&a);
    CHECK_INT(first + 1, pl_ids_next(&a), "counts up");
    a.next = UINT64_MAX;
    CHECK(pl_ids_next(&a) == UINT64_MAX && pl_ids_next(&a) == 0, "goes round");
}

static void test_id__text(void **state)
{
    char text[PL_ID_LEN];
    uint64_t id = 1;

    (void)state;
    pl_id_format(text, 0x0123456789abcdef);
    CHECK_STR("0123456789abcdef", pl_str(text, PL_ID_LEN), "format");
    CHECK(pl_id_parse(pl_str(text, PL_ID_LEN), &id), "parse");
    CHECK(id == 0x0123456789abcdef, "the same");
    CHECK(!pl_id_parse(PL_STR("0123456789abcde"), &id), "short");
    CHECK(!pl_id_parse(PL_STR("0123456789abcdef0"), &id), "long");
    CHECK(!pl_id_parse(PL_STR("0123456789abcdeg"), &id), "no digit");
    pl_id_format(text, 0);
    CHECK_STR("0000000000000000", pl_str(text, PL_ID_LEN), "zero");
}

RUN_TESTS(cmocka_unit_test(test_id__each_is_new),
          cmocka_unit_test(test_id__text))
