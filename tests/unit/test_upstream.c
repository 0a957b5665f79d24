/* test_upstream.c - which server is chosen; what its health says. */
#include "check.h"

#include <stdio.h>

#include "base/str.h"
#include "client/upstream.h"

enum { SERVERS = 4 };

static struct pl_upstream_server servers[SERVERS];
static struct pl_clients nobody; /* has no stock of anything */
static struct pl_upstream upstream;

static const struct pl_origin_rules rules = {.max_failures = 2,
                                             .pause_ms = 1000};

static int make(void **state)
{
    (void)state;
    for (int i = 0; i < SERVERS; i++) {
        struct pl_origin_spec spec = {.url = {NULL, 0}};
        struct pl_str path;
        char url[40];

        snprintf(url, sizeof(url), "http://127.0.0.1:%d", 9001 + i);
        spec.url = pl_str_c(url);
        servers[i] = (struct pl_upstream_server){.weight = 1};
        CHECK_INT(0, pl_origin_get(&spec, &servers[i].origin, &path, NULL),
                  "origin");
        pl_origin_recovered(servers[i].origin);
        servers[i].origin->checked = PL_ORIGIN_UNCHECKED;
    }
    return 0;
}

static void begin(enum pl_balance balance)
{
    CHECK_INT(0, pl_upstream_init(&upstream, servers, SERVERS, balance, 0),
              "upstream");
}

static int end(void **state)
{
    (void)state;
    pl_upstream_fini(&upstream);
    return 0;
}

static int choose(uint64_t key, uint64_t tried)
{
    return pl_upstream_choose(&upstream, &nobody, key, tried, 1);
}

static void expect_turns(const char *want, const char *what)
{
    char got[100] = "";

    for (size_t i = 0; i < strlen(want); i++)
        got[i] = (char)('a' + choose(0, 0));
    CHECK_STR(want, pl_str_c(got), what);
}

static void test_upstream__takes_turns(void **state)
{
    (void)state;
    begin(PL_BALANCE_TURNS);
    expect_turns("abcdabcd", "equal");
    pl_upstream_fini(&upstream);
    servers[0].weight = 10;
    servers[1].weight = 4;
    servers[2].weight = servers[3].weight = 2;
    begin(PL_BALANCE_TURNS);
    expect_turns("abacadabaabacadaba", "spread, and by their divisor");
}

static void test_upstream__leaves_out(void **state)
{
    (void)state;
    servers[3].backup = true;
    begin(PL_BALANCE_TURNS);
    expect_turns("abcabc", "no backup");
    CHECK_INT(3, choose(0, 7), "but when all others were tried");
    CHECK_INT(PL_ERR_UNREACHABLE, choose(0, 15), "nobody is left");
    pl_origin_failed(servers[1].origin, &rules, 1, "test");
    CHECK(pl_origin_usable(servers[1].origin, 1), "one failure is none");
    pl_origin_failed(servers[1].origin, &rules, 1, "test");
    CHECK(!pl_origin_usable(servers[1].origin, 1000), "paused");
    CHECK(pl_origin_usable(servers[1].origin, 1001), "again");
    pl_origin_failed(servers[1].origin, &rules, 1001, "test");
    CHECK(!pl_origin_usable(servers[1].origin, 3000), "twice as long");
    for (int i = 0; i < 20; i++)
        CHECK(choose(0, 0) != 1, "paused ones have no turn");
    CHECK_INT(3, choose(0, 5), "a backup is better than a paused one");
    CHECK_INT(1, choose(0, 13), "but that is better than nobody");
    pl_origin_set_checked(servers[1].origin, "test", 1, 1);
    CHECK_INT(PL_ERR_UNREACHABLE, choose(0, 13), "its check says no");
    pl_origin_set_checked(servers[1].origin, NULL, 2, 1);
    CHECK(pl_origin_is_bad(servers[1].origin), "believed twice");
    pl_origin_set_checked(servers[1].origin, NULL, 2, 1);
    pl_origin_answered(servers[1].origin);
    CHECK_STR("up", pl_str_c(pl_origin_state(servers[1].origin, 1)), "up");
}

static void test_upstream__moves_few_keys(void **state)
{
    unsigned count[SERVERS] = {0}, moved = 0;

    (void)state;
    begin(PL_BALANCE_HASH);
    for (unsigned i = 0; i < 4000; i++) {
        char text[20];
        uint64_t key;
        int was, is;

        snprintf(text, sizeof(text), "key %u", i);
        key = pl_upstream_key(pl_str_c(text));
        was = choose(key, 0);
        is = choose(key, 1u << 2);
        count[was]++;
        moved += was != is;
        CHECK(was == 2 || was == is, "only the keys of who has gone");
    }
    CHECK_INT(count[2], moved, "all of these");
    for (int i = 0; i < SERVERS; i++)
        CHECK(count[i] > 700 && count[i] < 1300, "about as many each");
}

static void test_upstream__is_the_same_origin(void **state)
{
    struct pl_origin_spec spec = {.url = PL_STR("https://[::1]:8443/x/y")};
    struct pl_origin *first, *second;
    struct pl_str path;
    struct pl_error error;

    (void)state;
    CHECK_INT(0, pl_origin_get(&spec, &first, &path, &error), "a URL");
    CHECK_STR("/x/y", path, "path");
    CHECK_STR("https://[::1]:8443", first->url, "url");
    CHECK_STR("[::1]:8443", first->host, "host");
    CHECK(first->secure && first->target.port == 8443, "where");
    CHECK_INT(0, pl_origin_get(&spec, &second, &path, &error), "again");
    CHECK(first == second, "one");
    spec.tls.insecure = true;
    CHECK_INT(0, pl_origin_get(&spec, &second, &path, &error), "other TLS");
    CHECK(first != second, "two");
    begin(PL_BALANCE_LEAST);
    CHECK(choose(0, 0) != choose(0, 0), "equals take turns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_upstream__takes_turns, make, end),
        cmocka_unit_test_setup_teardown(test_upstream__leaves_out, make, end),
        cmocka_unit_test_setup_teardown(test_upstream__moves_few_keys, make,
                                        end),
        cmocka_unit_test_setup_teardown(test_upstream__is_the_same_origin, make,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
