/* test_trust.c - lists of addresses: read, written, asked. */
#include "arena_world.h"

#include "net/trust.h"

static struct pl_error error;

static int make(void **state)
{
    error = (struct pl_error){0};
    return make_arena(state);
}

static const struct pl_trust *list(const char *text)
{
    const struct pl_trust *trust = NULL;

    CHECK_INT(0, pl_trust_parse(pl_str_c(text), &arena, &trust, &error), text);
    return trust;
}

static const struct {
    const char *list, *host; /* of a peer at port 1; "unix:x" */
    bool want;
} questions[] = {
    {"127.0.0.1", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.2", false},
    {"127.0.0.1", "[::ffff:127.0.0.1]", true},
    {"127.0.0.1", "[::1]", false},
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "9.255.255.255", false},
    {"192.168.128.0/17", "192.168.128.1", true},
    {"192.168.128.0/17", "192.168.127.255", false},
    {"192.0.2.254/31", "192.0.2.255", true},
    {"192.0.2.254/31", "192.0.2.253", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "[::1]", false},
    {"0.0.0.0/0", "[::ffff:1.2.3.4]", true},
    {"::/0", "[2001:db8::1]", true},
    {"::/0", "1.2.3.4", false},
    {"::/0", "[::ffff:1.2.3.4]", false},
    {"::1", "[::1]", true},
    {"::1", "[::2]", false},
    {"fd00::/8", "[fdff::1]", true},
    {"fd00::/8", "[fe00::1]", false},
    {"2001:db8::/33", "[2001:db8:7fff::]", true},
    {"2001:db8::/33", "[2001:db8:8000::]", false},
    {"unix:", "unix:x", true},
    {"unix:", "127.0.0.1", false},
    {"127.0.0.1", "unix:x", false},
    {"::1  127.0.0.1 unix: ", "127.0.0.1", true},
    {"::1  127.0.0.1 unix: ", "unix:y", true},
    {"", "127.0.0.1", false},
};

static void test_trust__who_is_in_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(questions); i++) {
        const char *host = questions[i].host;
        struct pl_addr addr;
        char text[80];

        snprintf(text, sizeof(text), "%s%s", host,
                 strncmp(host, "unix:", 5) == 0 ? "" : ":1");
        CHECK_INT(0, pl_addr_parse(pl_str_c(text), false, &addr, &error), text);
        snprintf(text, sizeof(text), "%s in '%s'", host, questions[i].list);
        CHECK_INT(questions[i].want,
                  pl_trust_has(list(questions[i].list), &addr), text);
        CHECK(!pl_trust_has(NULL, &addr), "nobody");
    }
}

static void test_trust__bad_words_are_named(void **state)
{
    static const char *const words[] = {"localhost",
                                        "10.0.0.1/8",
                                        "10.0.0.0/33",
                                        "10.0.0.0/",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/8/",
                                        "10.0/8",
                                        "::1/129",
                                        "::1/0",
                                        "[::1]",
                                        "127.0.0.1:80",
                                        "unix:/x",
                                        "127.0.0.1/32/32",
                                        "fe80::1%lo",
                                        "10.0.0.0,::1",
                                        "*",
                                        "::ffff:1.2.3.4/95"};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(words); i++) {
        const struct pl_trust *trust = NULL;
        char text[80];

        snprintf(text, sizeof(text), "::1 %s 127.0.0.1", words[i]);
        CHECK_INT(PL_ERR_INVALID,
                  pl_trust_parse(pl_str_c(text), &arena, &trust, &error), text);
        CHECK(trust == NULL, "nothing is given");
        CHECK(strstr(error.text, words[i]) != NULL, error.text);
    }
}

static void test_trust__is_written_as_it_is_read(void **state)
{
    static const char words[] =
        "127.0.0.1 10.0.0.0/8 ::1 2001:db8::/33 unix: 0.0.0.0/0 ::/0";
    const struct pl_trust *trust = list(words);
    const struct pl_trust *copy = pl_trust_copy(&arena, trust);
    char text[200] = "", one[PL_ADDR_TEXT];

    (void)state;
    CHECK_INT(7, copy->count, "ranges");
    for (unsigned i = 0; i < copy->count; i++) {
        size_t len = pl_trust_format(&copy->ranges[i], one);

        CHECK_INT(strlen(one), len, "length");
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
                 i > 0 ? " " : "", one);
    }
    CHECK_STR(words, pl_str_c(text), "words");
}

#define TRUST_TEST(name) cmocka_unit_test_setup_teardown(name, make, end_arena)

RUN_TESTS(TRUST_TEST(test_trust__who_is_in_it),
          TRUST_TEST(test_trust__bad_words_are_named),
          TRUST_TEST(test_trust__is_written_as_it_is_read))
