/* test_public.c - addresses of the Internet, and others. */
#include "check.h"

#include <arpa/inet.h>

#include "client/public.h"

static const struct {
    const char *text;
    bool want;
} cases[] = {
    {"8.8.8.8", true},
    {"1.0.0.0", true},
    {"9.255.255.255", true},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.128.0.0", true},
    {"126.255.255.255", true},
    {"128.0.0.1", true},
    {"172.15.255.255", true},
    {"172.32.0.0", true},
    {"192.167.255.255", true},
    {"192.169.0.0", true},
    {"198.17.255.255", true},
    {"198.20.0.0", true},
    {"223.255.255.255", true},
    {"0.0.0.0", false},
    {"0.255.255.255", false},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"100.64.0.0", false},
    {"100.127.255.255", false},
    {"127.0.0.1", false},
    {"127.255.255.255", false},
    {"169.254.169.254", false},
    {"172.16.0.0", false},
    {"172.31.255.255", false},
    {"192.0.0.1", false},
    {"192.0.2.1", false},
    {"192.88.99.1", false},
    {"192.168.0.1", false},
    {"198.18.0.0", false},
    {"198.19.255.255", false},
    {"198.51.100.1", false},
    {"203.0.113.1", false},
    {"224.0.0.1", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"2001:4860:4860::8888", true},
    {"2400::1", true},
    {"2002:808:808::1", true}, /* 6to4 of 8.8.8.8 */
    {"::ffff:8.8.8.8", true},
    {"64:ff9b::8.8.8.8", true},
    {"::", false},
    {"::1", false},
    {"::8.8.8.8", false}, /* what was once called compatible */
    {"::ffff:10.0.0.1", false},
    {"64:ff9b::10.0.0.1", false},
    {"64:ff9b:1::8.8.8.8", false},
    {"2002:a00:1::1", false}, /* 6to4 of 10.0.0.1 */
    {"2001::1", false},
    {"2001:1ff::1", false},
    {"2001:200::1", true},
    {"2001:db8::1", false},
    {"3fff::1", false},
    {"fc00::1", false},
    {"fd12::1", false},
    {"fe80::1", false},
    {"ff02::1", false},
};

static void test_public__tells_addresses_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_addr addr = {.len = sizeof(addr.v4)};

        addr.v4.sin_family = AF_INET;
        if (inet_pton(AF_INET, cases[i].text, &addr.v4.sin_addr) != 1) {
            addr = (struct pl_addr){.len = sizeof(addr.v6)};
            addr.v6.sin6_family = AF_INET6;
            assert_int_equal(
                1, inet_pton(AF_INET6, cases[i].text, &addr.v6.sin6_addr));
        }
        CHECK_INT(cases[i].want, pl_addr_is_public(&addr), cases[i].text);
    }
}

static void test_public__no_socket_of_a_file_is(void **state)
{
    struct pl_addr addr = {.len = sizeof(addr.un)};

    (void)state;
    addr.un.sun_family = AF_UNIX;
    CHECK(!pl_addr_is_public(&addr), "UNIX");
}

RUN_TESTS(cmocka_unit_test(test_public__tells_addresses_apart),
          cmocka_unit_test(test_public__no_socket_of_a_file_is))
