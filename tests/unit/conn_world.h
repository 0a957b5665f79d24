/* conn_world.h - connections of a protocol that the tests drive. */
#ifndef PL_TESTS_CONN_WORLD_H
#define PL_TESTS_CONN_WORLD_H

#include "net_world.h"

#include "net/conn_priv.h"
#ifdef PL_TEST_TLS
#include "tls_loopback.h"
#endif

static struct pl_conn *last; /* the newest */
static char seen[4096];      /* what input() was shown and took, terminated */
static size_t nseen;
static int why;        /* what closed() was told */
static unsigned calls; /* of input() */

/* What input() does; NULL: takes everything. */
static size_t (*use)(struct pl_conn *conn, struct pl_str bytes);
static void (*at_eof)(struct pl_conn *conn);

static void on_opened(struct pl_conn *conn)
{
    last = conn;
    note('o');
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    size_t used = use == NULL ? bytes.len : use(conn, bytes);

    calls++;
    if (nseen + used < sizeof(seen))
        memcpy(seen + nseen, bytes.data, used);
    nseen += used;
    return used;
}

static void on_eof(struct pl_conn *conn)
{
    note('e');
    if (at_eof != NULL)
        at_eof(conn);
}

static void on_drained(struct pl_conn *conn)
{
    (void)conn;
    note('d');
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)conn, (void)class;
    note('t');
}

static void on_closed(struct pl_conn *conn, int reason)
{
    (void)conn;
    why = reason;
    note('c');
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

PL_UNUSED static int make(void **state)
{
    make_net(state);
    last = NULL;
    use = NULL;
    at_eof = NULL;
    nseen = 0;
    calls = 0;
    why = 1;
    memset(seen, 0, sizeof(seen));
#ifdef PL_TEST_TLS
    start_loopback(&protocol);
#else
    start_listening(&protocol, NULL);
#endif
    return 0;
}

PL_UNUSED static int end(void **state)
{
#ifdef PL_TEST_TLS
    end_net(state);
    end_loopback();
    return 0;
#else
    return end_net(state);
#endif
}

PL_UNUSED static unsigned count(const char *call)
{
    return pl_script_calls(script, call);
}

PL_UNUSED static void check_seen(const char *want, const char *what)
{
    CHECK_STR(want, pl_str(seen, nseen), what);
    nseen = 0;
}

PL_UNUSED static int write_text(struct pl_conn *conn, const char *text)
{
    return pl_conn_write(conn, pl_str_c(text));
}

/* Bytes that can be told from each other. */
static char big[3 << 20];

PL_UNUSED static void fill_big(void)
{
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
}

/* Takes what comes, until nothing does, and compares it with want. */
PL_UNUSED static void check_stream(int far, const char *want, size_t len,
                                   const char *what)
{
    size_t at = 0;

    for (int idle = 0; idle < 3; idle++) {
        struct pl_str got = pl_script_received(script, far);

        if (got.len > 0)
            idle = 0;
        CHECK(at + got.len <= len, what);
        CHECK(memcmp(want + at, got.data, got.len) == 0, what);
        at += got.len;
        pl_script_take(script, far, got.len);
        turn(1);
    }
    CHECK_INT(len, at, what);
}

#define CONN_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

#endif
