/* test_method.c - method names and their numbers. */
#include "check.h"

#include "http/method.h"

static void test_method__names_and_numbers_agree(void **state)
{
    (void)state;
    for (int i = 0; i < PL_METHOD_COUNT; i++) {
        struct pl_str name = pl_method_name((enum pl_method)i);

        CHECK_INT(i, pl_method_parse(name), name.data);
    }
    CHECK_STR("GET", pl_method_name(PL_METHOD_GET), "GET");
    CHECK_STR(NULL, pl_method_name(PL_METHOD_UNKNOWN), "unknown");
}

/* Methods are case-sensitive (RFC 9110, 9.1). */
static void test_method__others_are_unknown(void **state)
{
    static const char *const others[] = {
        "",     "G",    "GE",    "get",     "Get",     "GETS",    "GEX", "PUX",
        "POSX", "HEAX", "PATCX", "DELETEE", "OPTIONX", "CONNECX", "PRI",
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(others); i++)
        CHECK_INT(PL_METHOD_UNKNOWN, pl_method_parse(pl_str_c(others[i])),
                  others[i]);
}

RUN_TESTS(cmocka_unit_test(test_method__names_and_numbers_agree),
          cmocka_unit_test(test_method__others_are_unknown))
