/* test_forwarded.c - what proxies say of clients: the grammar of RFC 7239, and
 * whose word counts. */
#include "arena_world.h"

#include "http/forwarded.h"

static const struct pl_trust *trust;

static int make(void **state)
{
    make_arena(state);
    CHECK_INT(
        0, pl_trust_parse(PL_STR("10.0.0.0/8 fd00::/8"), &arena, &trust, NULL),
        "trust");
    return 0;
}

/* ---- elements ---- */

/* What an element says, as "node|address|port|proto|host"; "-": not said. */
static void describe(const struct pl_hop *hop, char out[400])
{
    struct pl_str proto = hop->proto.data ? hop->proto : PL_STR("-");
    struct pl_str host = hop->host.data ? hop->host : PL_STR("-");
    char addr[PL_ADDR_TEXT] = "-";

    if (hop->addr.len > 0)
        pl_addr_format_host(&hop->addr, addr);
    snprintf(out, 400, "%.*s|%s|%u|%.*s|%.*s", PL_STR_ARG(hop->node), addr,
             hop->port, PL_STR_ARG(proto), PL_STR_ARG(host));
}

static const struct {
    const char *field, *want; /* elements with spaces between; NULL: refused */
} fields[] = {
    {"", ""},
    {" , ,, ", ""},
    {"for=192.0.2.43", "192.0.2.43|192.0.2.43|0|-|-"},
    {"For=192.0.2.43", "192.0.2.43|192.0.2.43|0|-|-"},
    {"for=192.0.2.43, for=198.51.100.17",
     "192.0.2.43|192.0.2.43|0|-|- 198.51.100.17|198.51.100.17|0|-|-"},
    {"for=192.0.2.60;proto=http;by=203.0.113.43",
     "192.0.2.60|192.0.2.60|0|http|-"},
    {"for=\"192.0.2.60:47011\"", "192.0.2.60|192.0.2.60|47011|-|-"},
    {"for=\"[2001:db8:cafe::17]:4711\"",
     "2001:db8:cafe::17|2001:db8:cafe::17|4711|-|-"},
    {"for=\"[2001:db8:cafe::17]\"",
     "2001:db8:cafe::17|2001:db8:cafe::17|0|-|-"},
    {"for=unknown", "unknown|-|0|-|-"},
    {"for=\"unknown:80\"", "unknown|-|80|-|-"},
    {"for=_hidden", "_hidden|-|0|-|-"},
    {"for=\"_gazonk.2-x:_obf\"", "_gazonk.2-x|-|0|-|-"},
    {"for=\"192.0.2.1:_obf\"", "192.0.2.1|192.0.2.1|0|-|-"},
    {"proto=https;host=a.example", "unknown|-|0|https|a.example"},
    {"host=\"a.example:8443\"", "unknown|-|0|-|a.example:8443"},
    {"for=1.2.3.4;secret=\"a,b;c\"", "1.2.3.4|1.2.3.4|0|-|-"},
    {"for=1.2.3.4; proto=https ;;", "1.2.3.4|1.2.3.4|0|https|-"},
    {"for=\"1.2.\\3.4\"", "1.2.3.4|1.2.3.4|0|-|-"},
    {"host=\"a\\\"b\"", "unknown|-|0|-|a\"b"},
    {"for=1.2.3.4,", "1.2.3.4|1.2.3.4|0|-|-"},
    {"by=_a", "unknown|-|0|-|-"},
    {"for", NULL},
    {"for=", NULL},
    {"for=;", NULL},
    {"=1.2.3.4", NULL},
    {"for =1.2.3.4", NULL},
    {"for= 1.2.3.4", NULL},
    {"for=1.2.3.4 for=1.2.3.4", NULL},
    {"for=1.2.3.4;for=1.2.3.4", NULL},
    {"for=1.2.3.4;FOR=1.2.3.4", NULL},
    {"for=\"1.2.3.4", NULL},
    {"for=\"1.2.3.4\\", NULL},
    {"for=\"1.2.3.4\"x", NULL},
    {"for=1.2.3.256", NULL},
    {"for=1.2.3", NULL},
    {"for=\"1.2.3.4:65536\"", NULL},
    {"for=\"1.2.3.4:\"", NULL},
    {"for=\"1.2.3.4:_\"", NULL},
    {"for=1.2.3.4:80", NULL}, /* a colon needs quotes */
    {"for=[::1]", NULL},
    {"for=\"::1\"", NULL},
    {"for=\"[::1\"", NULL},
    {"for=\"[::1]x\"", NULL},
    {"for=\"[]\"", NULL},
    {"for=\"[1.2.3.4]\"", NULL},
    {"for=\"_a b\"", NULL},
    {"for=_a!", NULL},
    {"for=_", NULL},
    {"for=name", NULL},
    {"for=\"\"", NULL},
};

static void test_forwarded__grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(fields); i++) {
        struct pl_str rest = pl_str_c(fields[i].field);
        char got[1000] = "";
        struct pl_hop hop;
        int err;

        while ((err = pl_forwarded_next(&rest, &arena, &hop)) > 0) {
            if (got[0] != '\0')
                strcat(got, " ");
            describe(&hop, got + strlen(got));
        }
        CHECK_INT(fields[i].want == NULL ? PL_ERR_PROTO : 0, err,
                  fields[i].field);
        if (err == 0)
            CHECK_STR(fields[i].want, pl_str_c(got), fields[i].field);
    }
}

static const struct {
    const char *text, *want;
} hops[] = {
    {"192.0.2.1", "192.0.2.1|192.0.2.1|0|-|-"},
    {"192.0.2.1:80", "192.0.2.1|192.0.2.1|80|-|-"},
    {"2001:DB8::1", "2001:DB8::1|2001:db8::1|0|-|-"},
    {"[::1]", "::1|::1|0|-|-"},
    {"[::1]:80", "::1|::1|80|-|-"},
    {"::ffff:1.2.3.4", "::ffff:1.2.3.4|::ffff:1.2.3.4|0|-|-"},
    {"", NULL},
    {"unknown", NULL},
    {"_hidden", NULL},
    {"192.0.2.1:", NULL},
    {"192.0.2.1:x", NULL},
    {"192.0.2.1 ", NULL},
    {"\"192.0.2.1\"", NULL},
    {"fe80::1%lo", NULL},
    {"[::1", NULL},
    {"localhost", NULL},
};

static void test_forwarded__addresses_of_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(hops); i++) {
        struct pl_hop hop;
        char got[400];
        bool good = pl_hop_parse(pl_str_c(hops[i].text), &hop);

        CHECK_INT(hops[i].want != NULL, good, hops[i].text);
        if (!good)
            continue;
        describe(&hop, got);
        CHECK_STR(hops[i].want, pl_str_c(got), hops[i].text);
    }
}

/* ---- whose word counts ---- */

static const struct {
    const char *field;
    int got;
    const char *node;
} clients[] = {
    {"", 0, NULL},
    {"for=192.0.2.1", 1, "192.0.2.1"},
    {"for=192.0.2.1, for=10.0.0.1", 1, "192.0.2.1"},
    {"for=192.0.2.9, for=192.0.2.1, for=10.0.0.1, for=\"[fd00::1]\"", 1,
     "192.0.2.1"},
    {"for=10.0.0.2, for=10.0.0.1", 1, "10.0.0.2"},
    {"for=10.0.0.2, for=_hidden, for=10.0.0.1", 1, "_hidden"},
    {"for=192.0.2.1, for=unknown", 1, "unknown"},
    {"for=192.0.2.1, proto=https", 1, "unknown"},
    {"nonsense, for=192.0.2.1", PL_ERR_PROTO, NULL},
    {"for=\"192.0.2.9, for=192.0.2.1", PL_ERR_PROTO, NULL},
};

static void test_forwarded__the_rightmost_that_is_not_trusted(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(clients); i++) {
        const char *what = clients[i].field;
        struct pl_hop hop;

        CHECK_INT(clients[i].got,
                  pl_forwarded_client(pl_str_c(what), trust, &arena, &hop),
                  what);
        if (clients[i].got > 0)
            CHECK_STR(clients[i].node, hop.node, what);
    }
}

static const struct {
    const char *list;
    int got;
    const char *node;
    unsigned hops;
} lists[] = {
    {"", 0, NULL, 0},
    {" , ", 0, NULL, 0},
    {"192.0.2.1", 1, "192.0.2.1", 0},
    {"192.0.2.1, 10.0.0.1", 1, "192.0.2.1", 1},
    {"192.0.2.9,192.0.2.1 ,10.0.0.1,, fd00::1", 1, "192.0.2.1", 2},
    {"10.0.0.2, 10.0.0.1", 1, "10.0.0.2", 1},
    {"10.0.0.2", 1, "10.0.0.2", 0},
    {"nonsense, 192.0.2.1", 1, "192.0.2.1", 0},
    {"192.0.2.1, nonsense", PL_ERR_PROTO, NULL, 0},
    {"192.0.2.1, nonsense, 10.0.0.1", PL_ERR_PROTO, NULL, 0},
};

static void test_forwarded__lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(lists); i++) {
        const char *what = lists[i].list;
        struct pl_hop hop;
        unsigned right;

        CHECK_INT(lists[i].got,
                  pl_forwarded_for_client(pl_str_c(what), trust, &hop, &right),
                  what);
        if (lists[i].got <= 0)
            continue;
        CHECK_STR(lists[i].node, hop.node, what);
        CHECK_INT(lists[i].hops, right, what);
    }
}

static void test_forwarded__from_the_right(void **state)
{
    struct pl_str list = PL_STR("a , b,c");

    (void)state;
    CHECK_STR("c", pl_forwarded_from_right(list, 0), "last");
    CHECK_STR("b", pl_forwarded_from_right(list, 1), "one before");
    CHECK_STR("a", pl_forwarded_from_right(list, 2), "first");
    CHECK_STR("a", pl_forwarded_from_right(list, 9), "beyond");
    CHECK_STR("", pl_forwarded_from_right(PL_STR(""), 0), "empty");
    CHECK_STR("", pl_forwarded_from_right(PL_STR("a,"), 0), "empty one");
    CHECK_STR(NULL, pl_forwarded_from_right(pl_str(NULL, 0), 1), "none");
}

static void test_forwarded__which_fields(void **state)
{
    struct pl_error error = {0};
    unsigned bits = 0;

    (void)state;
    CHECK_INT(0, pl_forwarded_fields(PL_STR("Forwarded"), &bits, &error),
              "one");
    CHECK_INT(PL_FORWARDED_BIT(FORWARDED), bits, "one");
    CHECK_INT(0,
              pl_forwarded_fields(PL_STR(" x-forwarded-proto  X-Forwarded-For"),
                                  &bits, &error),
              "two");
    CHECK_INT(PL_FORWARDED_USUAL, bits, "two");
    CHECK_INT(0, pl_forwarded_fields(PL_STR(""), &bits, &error), "none");
    CHECK_INT(PL_FORWARDED_NONE, bits, "none");
    CHECK_INT(PL_ERR_INVALID,
              pl_forwarded_fields(PL_STR("x-forwarded"), &bits, &error),
              "unknown");
    CHECK(strstr(error.text, "'x-forwarded'") != NULL, error.text);
    CHECK(!pl_forwarded_valid(PL_STR("forwarded x-real-ip")), "two sources");
    CHECK(pl_forwarded_valid(PL_STR("x-real-ip x-forwarded-host")), "one");
}

#define FORWARDED_TEST(name)                                                   \
    cmocka_unit_test_setup_teardown(name, make, end_arena)

RUN_TESTS(FORWARDED_TEST(test_forwarded__grammar),
          FORWARDED_TEST(test_forwarded__addresses_of_lists),
          FORWARDED_TEST(test_forwarded__the_rightmost_that_is_not_trusted),
          FORWARDED_TEST(test_forwarded__lists),
          FORWARDED_TEST(test_forwarded__from_the_right),
          FORWARDED_TEST(test_forwarded__which_fields))
