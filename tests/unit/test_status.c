/* test_status.c - the registry of status codes (RFC 9110, 15). */
#include "check.h"

#include "http/status.h"

static void test_status__reasons_are_the_registered_ones(void **state)
{
    static const struct {
        int status;
        const char *want;
    } cases[] = {
        {100, "Continue"},
        {103, "Early Hints"},
        {200, "OK"},
        {206, "Partial Content"},
        {226, "IM Used"},
        {308, "Permanent Redirect"},
        {404, "Not Found"},
        {413, "Content Too Large"},
        {418, "I'm a teapot"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {506, "Variant Also Negotiates"},
        {511, "Network Authentication Required"},
        {0, ""},
        {-1, ""},
        {299, ""},
        {306, ""},
        {427, ""},
        {509, ""},
        {999, ""},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++)
        CHECK_STR(cases[i].want, pl_status_reason(cases[i].status),
                  cases[i].want);
}

static void test_status__who_has_a_body(void **state)
{
    (void)state;
    for (int status = 100; status < 600; status++)
        CHECK_INT(!(status < 200 || status == 204 || status == 304),
                  pl_status_has_body(status), "RFC 9110, 6.4.1");
}

RUN_TESTS(cmocka_unit_test(test_status__reasons_are_the_registered_ones),
          cmocka_unit_test(test_status__who_has_a_body))
