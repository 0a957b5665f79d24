/* test_proxy.c - connections that begin with a PROXY header: who may send one,
 * what the protocol behind it sees. On the real kernel, by socket pairs: their
 * peers are "unix:". */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/features.h"
#include "loop/scripted.h"
#include "net/proxy.h"

static uint64_t now_ns;
static struct pl_loop *loop;
static struct pl_net net;
static struct pl_listener *listener;
static struct pl_pool pool;
static struct pl_arena arena;
static struct pl_listen_group group;
static int door;

/* What the protocol behind the header has seen. */
static struct pl_conn *conn;
static char seen[1000], peer[PL_ADDR_TEXT], bound[PL_ADDR_TEXT];
static size_t nseen;
static bool has_header;
static int opens, ends;

static void on_opened(struct pl_conn *opened)
{
    struct pl_proxy_header header;
    struct pl_addr addr;

    conn = opened;
    opens++;
    if (pl_conn_peer(conn, &addr))
        pl_addr_format(&addr, peer);
    if (pl_conn_local(conn, &addr))
        pl_addr_format(&addr, bound);
    has_header = pl_proxy_header_of(conn, &header);
}

static size_t on_input(struct pl_conn *from, struct pl_str bytes)
{
    CHECK(nseen + bytes.len < sizeof(seen), "room");
    memcpy(seen + nseen, bytes.data, bytes.len);
    nseen += bytes.len;
    return bytes.len;
}

static void on_eof(struct pl_conn *from)
{
    pl_conn_close(from, 0);
}

static void on_drained(struct pl_conn *from)
{
}

static void on_timeout(struct pl_conn *from, enum pl_deadline_class class)
{
    fail_msg("the protocol set no deadline");
}

static void on_closed(struct pl_conn *from, int why)
{
    ends++;
}

static const struct pl_protocol protocol = {
    .name = "test",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .closed = on_closed,
};

static void turns(int n)
{
    while (n-- > 0)
        CHECK(pl_loop_step(loop, 0) >= 0, "turn");
}

static int make(void **state)
{
    const struct pl_loop_options how = {.clock = pl_fake_clock,
                                        .clock_arg = &now_ns};
    const struct pl_addr any = {.un = {.sun_family = AF_UNIX}};

    (void)state;
    now_ns = 1000000000;
    CHECK_INT(0, pl_loop_new(&how, &loop), "loop");
    CHECK_INT(0, pl_net_init(&net, loop, NULL), "net");
    door = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_INT(0, bind(door, &any.sa, sizeof(sa_family_t)), "any name");
    CHECK_INT(0, listen(door, 1), "door");
    CHECK_INT(
        0,
        pl_listener_start(&net, door, false, false, &protocol, NULL, &listener),
        "listener");
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    conn = NULL;
    nseen = 0;
    opens = ends = 0;
    peer[0] = bound[0] = '\0';
    return 0;
}

static void close_it(struct pl_conn *open, void *arg)
{
    pl_conn_close(open, 0);
}

static int end(void **state)
{
    (void)state;
    pl_net_each(&net, close_it, NULL);
    pl_listener_stop(listener);
    turns(3);
    CHECK_INT(opens, ends, "each was closed once");
    pl_net_fini(&net);
    pl_loop_free(loop); /* asserts that the pool got all back */
    close(door);
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
    return 0;
}

/* A client of a listener with those options; its descriptor. */
static int arrive(enum pl_proxy_use use, const char *trusted)
{
    struct pl_error error;
    int pair[2];

    group.options = (struct pl_listen_options){.proxy = use};
    CHECK_INT(0,
              pl_trust_parse(pl_str_c(trusted), &arena, &group.options.trusted,
                             &error),
              trusted);
    pl_listener_configure(listener, &group);
    CHECK_INT(0,
              socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                         pair),
              "pair");
    CHECK_INT(0, pl_conn_new(listener, pair[0]), "conn");
    turns(1);
    return pair[1];
}

static void say(int client, struct pl_str text)
{
    CHECK_INT(text.len, send(client, text.data, text.len, MSG_NOSIGNAL), "say");
    turns(2);
}

static void check_closed(int client, const char *what)
{
    char byte;

    turns(2);
    CHECK_INT(0, recv(client, &byte, 1, 0), what);
    close(client);
}

#define LINE "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"

static void check_client(const char *text, const char *what)
{
    CHECK_INT(1, opens, what);
    CHECK_STR(text, pl_str(seen, nseen), what);
    CHECK_STR("192.0.2.1:56324", pl_str_c(peer), what);
    CHECK_STR("198.51.100.7:443", pl_str_c(bound), what);
    CHECK(has_header, what);
}

static void test_proxy__header_and_bytes_in_one_piece(void **state)
{
    int client = arrive(PL_PROXY_REQUIRED, "unix:");

    (void)state;
    say(client, PL_STR(LINE "hello"));
    check_client("hello", "both");
    say(client, PL_STR(" and more"));
    CHECK_STR("hello and more", pl_str(seen, nseen), "more");
    close(client);
}

static void test_proxy__byte_by_byte(void **state)
{
    struct pl_str text = PL_STR(LINE "hello");
    int client = arrive(PL_PROXY_OPTIONAL, "::1 unix:");

    (void)state;
    for (size_t i = 0; i < text.len; i++)
        say(client, pl_str(text.data + i, 1));
    check_client("hello", "byte by byte");
    close(client);
}

static void test_proxy__optional_headers(void **state)
{
    struct pl_str text = PL_STR("PROX, hello");
    int client = arrive(PL_PROXY_OPTIONAL, "unix:");

    (void)state;
    for (size_t i = 0; i < text.len; i++)
        say(client, pl_str(text.data + i, 1));
    CHECK_STR("PROX, hello", pl_str(seen, nseen), "nothing is lost");
    CHECK(!has_header, "none");
    CHECK_STR("unix:", pl_str_c(peer), "the socket's");
    close(client);
}

static void test_proxy__who_is_not_trusted(void **state)
{
    int client = arrive(PL_PROXY_OPTIONAL, "0.0.0.0/0 ::/0");

    (void)state;
    CHECK_INT(1, opens, "optional: goes on at once");
    say(client, PL_STR(LINE));
    CHECK_STR(LINE, pl_str(seen, nseen), "its word counts for nothing");
    close(client);
    turns(2);
    client = arrive(PL_PROXY_REQUIRED, "0.0.0.0/0 ::/0");
    CHECK_INT(1, opens, "required: never gets in");
    check_closed(client, "closed");
}

static void test_proxy__garbage_is_closed(void **state)
{
    static const struct {
        enum pl_proxy_use use;
        const char *text;
    } garbage[] = {
        {PL_PROXY_REQUIRED, "GET / HTTP/1.1\r\n\r\n"},
        {PL_PROXY_REQUIRED, "\x16\x03\x01"},
        {PL_PROXY_REQUIRED, "PROXY TCP4 a b c d\r\n"},
        {PL_PROXY_OPTIONAL, "PROXY TCP4 a b c d\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(garbage); i++) {
        int client = arrive(garbage[i].use, "unix:");

        say(client, pl_str_c(garbage[i].text));
        check_closed(client, garbage[i].text);
        CHECK_INT(0, opens, garbage[i].text);
    }
    CHECK_INT(PL_COUNT(garbage), net.stats.refused, "counted");
}

static void test_proxy__time(void **state)
{
    int client = arrive(PL_PROXY_REQUIRED, "unix:");

    (void)state;
    for (int s = 0; s < 9; s++) {
        say(client, pl_str(&LINE[s], 1));
        now_ns += 1000000000;
        turns(2);
    }
    CHECK_INT(1, net.stats.open, "not yet");
    now_ns += 1500000000;
    turns(3);
    check_closed(client, "bytes now and then do not help");
}

static void test_proxy__ends_within_a_header(void **state)
{
    int client = arrive(PL_PROXY_REQUIRED, "unix:");

    (void)state;
    say(client, PL_STR("PROXY TC"));
    close(client);
    turns(3);
    CHECK_INT(0, net.stats.open, "closed");
    CHECK_INT(0, opens, "nobody came");
}

static void test_proxy__proxies_that_ask_themselves(void **state)
{
    int client = arrive(PL_PROXY_REQUIRED, "unix:");

    (void)state;
    say(client, PL_STR("PROXY UNKNOWN\r\nhello"));
    CHECK_STR("hello", pl_str(seen, nseen), "bytes");
    CHECK_STR("unix:", pl_str_c(peer), "the socket's");
    CHECK(!has_header, "nothing was said");
    close(client);
}

#define PROXY_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROXY_TEST(test_proxy__header_and_bytes_in_one_piece),
        PROXY_TEST(test_proxy__byte_by_byte),
        PROXY_TEST(test_proxy__optional_headers),
        PROXY_TEST(test_proxy__who_is_not_trusted),
        PROXY_TEST(test_proxy__garbage_is_closed),
        PROXY_TEST(test_proxy__time),
        PROXY_TEST(test_proxy__ends_within_a_header),
        PROXY_TEST(test_proxy__proxies_that_ask_themselves),
    };

    return PL_WITH_PROXY ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
