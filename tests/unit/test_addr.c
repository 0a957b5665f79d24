/* test_addr.c - addresses from text and back. */
#include "check.h"

#include "net/addr.h"

static const struct {
    const char *text;
    bool v6;
    const char *want; /* NULL: refused */
} addresses[] = {
    {"8080", false, "0.0.0.0:8080"},
    {":8080", false, "0.0.0.0:8080"},
    {"*:8080", false, "0.0.0.0:8080"},
    {":8080", true, "[::]:8080"},
    {"*:0", true, "[::]:0"},
    {"127.0.0.1:65535", false, "127.0.0.1:65535"},
    {"127.0.0.1:80", true, "127.0.0.1:80"},
    {"[::1]:80", false, "[::1]:80"},
    {"[::]:80", false, "[::]:80"},
    {"[2001:DB8::1]:80", false, "[2001:db8::1]:80"},
    {"localhost:80", false, "127.0.0.1:80"},
    {"unix:/run/site.sock", false, "unix:/run/site.sock"},
    {"unix:x", false, "unix:x"},
    {"unix:@name", false, "unix:@name"},
    {"[fe80::1%lo]:80", false, "[fe80::1%lo]:80"},
    {"", false, NULL},
    {":", false, NULL},
    {"host", false, NULL},
    {"127.0.0.1", false, NULL},
    {":65536", false, NULL},
    {":-1", false, NULL},
    {":8o", false, NULL},
    {"::1:80", false, NULL},
    {"[::1]", false, NULL},
    {"[::1]80", false, NULL},
    {"[]:80", false, NULL},
    {"[127.0.0.1]:80", false, NULL},
    {"[::g]:80", false, NULL},
    {"[fe80::1%no-such-interface]:80", false, NULL},
    {"unix:", false, NULL},
    {"no host.invalid:80", false, NULL},
};

static void test_addr__parses_and_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(addresses); i++) {
        const char *what = addresses[i].text;
        struct pl_error error = {0};
        char text[PL_ADDR_TEXT];
        struct pl_addr addr;
        int err = pl_addr_parse(pl_str_c(what), addresses[i].v6, &addr, &error);

        CHECK_INT(addresses[i].want == NULL, err < 0, what);
        if (err < 0) {
            CHECK(error.text[0] != '\0', what);
            continue;
        }
        CHECK_INT(strlen(addresses[i].want), pl_addr_format(&addr, text), what);
        CHECK_STR(addresses[i].want, pl_str_c(text), what);
    }
}

static void test_addr__refuses_what_is_too_long(void **state)
{
    char text[600] = "unix:/";
    struct pl_addr addr;
    struct pl_str nul = PL_STR("unix:a\0b");

    (void)state;
    memset(text + 6, 'a', 101);
    CHECK_INT(0, pl_addr_parse(pl_str_c(text), false, &addr, NULL), "102");
    CHECK_INT(5 + 102, pl_addr_format(&addr, (char[PL_ADDR_TEXT]){0}), "102");
    memset(text + 6, 'a', 107);
    CHECK_INT(PL_ERR_INVALID, pl_addr_parse(pl_str_c(text), false, &addr, NULL),
              "108");
    memset(text, 'a', 580);
    memcpy(text + 580, ":80", 4);
    CHECK_INT(PL_ERR_INVALID, pl_addr_parse(pl_str_c(text), false, &addr, NULL),
              "host");
    CHECK_INT(PL_ERR_INVALID, pl_addr_parse(nul, false, &addr, NULL), "NUL");
}

/* The kernel gives paths without a NUL at their end, and peers without one. */
static void test_addr__formats_what_the_kernel_gives(void **state)
{
    struct pl_addr addr = {.un = {.sun_family = AF_UNIX}};
    char text[PL_ADDR_TEXT];

    (void)state;
    addr.len = offsetof(struct sockaddr_un, sun_path);
    addr.un.sun_path[0] = 'x'; /* not part of it */
    CHECK_INT(5, pl_addr_format(&addr, text), "no name");
    CHECK_STR("unix:", pl_str_c(text), "no name");
    memset(addr.un.sun_path, 'p', sizeof(addr.un.sun_path));
    addr.len = sizeof(addr.un);
    CHECK_INT(5 + 108, pl_addr_format(&addr, text), "not terminated");
    CHECK_INT(5, pl_addr_format_host(&addr, text), "host");
    CHECK_INT(0, pl_addr_port(&addr), "no port");
}

static void test_addr__compares(void **state)
{
    static const char *const all[] = {
        ":80",      ":81",      "127.0.0.1:80", "[::]:80",
        "[::1]:80", "[::1]:81", "unix:/a",      "unix:/ab",
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(all); i++) {
        for (size_t j = 0; j < PL_COUNT(all); j++) {
            struct pl_addr a, b;

            CHECK_INT(0, pl_addr_parse(pl_str_c(all[i]), false, &a, NULL), "a");
            CHECK_INT(0, pl_addr_parse(pl_str_c(all[j]), false, &b, NULL), "b");
            CHECK_INT(i == j, pl_addr_eq(&a, &b), all[i]);
        }
    }
}

static void test_addr__knows_its_own_machine(void **state)
{
    static const struct {
        const char *text;
        bool loopback, any;
        const char *local; /* as a loopback address */
    } cases[] = {
        {"127.0.0.1:80", true, false, "127.0.0.1:80"},
        {"127.9.9.9:80", true, false, "127.0.0.1:80"},
        {"128.0.0.1:80", false, false, "127.0.0.1:80"},
        {":80", false, true, "127.0.0.1:80"},
        {"[::1]:80", true, false, "[::1]:80"},
        {"[::]:80", false, true, "[::1]:80"},
        {"[2001:db8::1]:80", false, false, "[::1]:80"},
        {"[::ffff:127.0.0.1]:80", true, false, "[::1]:80"},
        {"[::ffff:0.0.0.0]:80", false, true, "[::1]:80"},
        {"[::ffff:192.0.2.1]:80", false, false, "[::1]:80"},
        {"unix:/a", false, false, "unix:/a"},
    };
    char text[PL_ADDR_TEXT];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_addr addr;

        CHECK_INT(0, pl_addr_parse(pl_str_c(cases[i].text), false, &addr, NULL),
                  cases[i].text);
        CHECK_INT(cases[i].loopback, pl_addr_is_loopback(&addr), cases[i].text);
        CHECK_INT(cases[i].any, pl_addr_is_any(&addr), cases[i].text);
        pl_addr_set_loopback(&addr);
        pl_addr_format(&addr, text);
        CHECK_STR(cases[i].local, pl_str_c(text), cases[i].text);
    }
}

RUN_TESTS(cmocka_unit_test(test_addr__parses_and_formats),
          cmocka_unit_test(test_addr__refuses_what_is_too_long),
          cmocka_unit_test(test_addr__formats_what_the_kernel_gives),
          cmocka_unit_test(test_addr__compares),
          cmocka_unit_test(test_addr__knows_its_own_machine))
