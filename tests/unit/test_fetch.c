/* test_fetch.c - exchanges on the scripted backend: what callers are told,
 * however the bytes are cut, and which connections are kept. */
#include "fetch_world.h"

static int make(void **state)
{
    const struct pl_origin_spec spec = {.url = PL_STR("http://127.0.0.1:1")};

    return make_fetch(state, &spec);
}

static void begin(void)
{
    begin_fetch();
    CHECK_INT(0, pl_fetch_write(&fetch, PL_STR("GET / HTTP/1.1\r\n\r\n")),
              "request");
    pl_fetch_sent(&fetch);
}

/* ---- what is told ---- */

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *what, *bytes;
    bool finishes; /* the other side closes behind it */
    const char *want;
    unsigned kept;
} answers[] = {
    {"a length", OK "Content-Length: 5\r\n\r\nhello", false, "200 hello done",
     1},
    {"nothing", OK "Content-Length: 0\r\n\r\n", false, "200  done", 1},
    {"chunks",
     OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
        "0\r\n\r\n",
     false, "200 hello done", 1},
    {"to the end", OK "\r\nhello", true, "200 hello done", 0},
    {"no content", "HTTP/1.1 204 No\r\n\r\n", false, "204  done", 1},
    {"hints",
     "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\n\r\n" OK
     "Content-Length: 1\r\n\r\nx",
     false, "100 103 200 x done", 1},
    {"close", OK "Connection: close\r\nContent-Length: 1\r\n\r\nx", false,
     "200 x done", 0},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false,
     "200 x done", 0},
    {"closed with it", OK "Content-Length: 1\r\n\r\nx", true, "200 x done", 0},
    {"more than an answer", OK "Content-Length: 1\r\n\r\nxyz", false,
     "200 x done", 0},
    {"raw", "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nab",
     true, "101 ab done", 0},
    {"two lengths", OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", false,
     " failed-2", 0},
    {"a 101 that upgrades to nothing", "HTTP/1.1 101 x\r\n\r\n", false,
     " failed-2", 0},
    {"bad chunk", OK "Transfer-Encoding: chunked\r\n\r\nx", false,
     "200  failed-2", 0},
    {"broken off", OK "Content-Length: 9\r\n\r\nx", true, "200 x failed-7", 0},
    {"half a head", OK "Content-Len", true, " failed-7", 0},
    {"no word", "", true, " failed-7", 0},
};

static void test_fetch__tells_the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(answers); i++) {
        for (size_t chop = 0; chop < 4; chop++) {
            if (idle() == 0)
                open_link();
            begin();
            pl_script_chop(script, chop);
            send_far(far, answers[i].bytes);
            if (answers[i].finishes)
                pl_script_finish(script, far);
            turn(400);
            CHECK_STR(answers[i].want, pl_str_c(told), answers[i].what);
            CHECK_INT(answers[i].kept, idle(), answers[i].what);
            pl_fetch_end(&fetch);
            pl_script_chop(script, 0);
            turn(3);
        }
    }
}

/* ---- connections ---- */

static void test_fetch__closes_what_speaks_unasked(void **state)
{
    (void)state;
    send_far(far, OK);
    turn(3);
    CHECK_INT(0, idle(), "whose answer would that be?");
    CHECK(pl_script_closed(script, far), "closed");
}

static void test_fetch__sees_an_idle_end(void **state)
{
    (void)state;
    pl_script_finish(script, far);
    turn(3);
    CHECK_INT(0, idle(), "gone");
}

static void test_fetch__keeps_no_half_of_an_exchange(void **state)
{
    (void)state;
    begin();
    send_far(far, OK "Content-Length: 9\r\n\r\nx");
    turn(3);
    pl_fetch_end(&fetch);
    turn(3);
    CHECK_INT(0, idle(), "a body is on its way");
    CHECK(pl_script_closed(script, far), "closed");
}

static void test_fetch__may_be_paused(void **state)
{
    (void)state;
    pause_at = sizeof("200 12345") - 1;
    pl_script_chop(script, 1);
    begin();
    send_far(far, OK "Content-Length: 9\r\n\r\n123456789");
    turn(200);
    CHECK_STR("200 12345", pl_str_c(told), "paused");
    pause_at = 0;
    pl_fetch_resume(&fetch);
    turn(50);
    CHECK_STR("200 123456789 done", pl_str_c(told), "resumed");
    pl_script_chop(script, 0);
}

static void test_fetch__hears_of_a_reset(void **state)
{
    (void)state;
    begin();
    pl_script_reset(script, far);
    turn(3);
    CHECK_STR(" failed-7", pl_str_c(told), "reset");
    CHECK_INT(0, pl_stock_active(clients, origin), "no place is taken");
}

static struct pl_waiter waiter;
static unsigned looks;

static bool look(struct pl_waiter *it)
{
    looks++;
    pl_clients_unwait(clients, it);
    return true;
}

static void test_fetch__frees_a_place_for_who_waits(void **state)
{
    (void)state;
    begin();
    waiter = (struct pl_waiter){.look = look, .group = &waiter};
    pl_clients_wait(clients, &waiter);
    turn(3);
    CHECK_INT(0, looks, "nothing is free");
    CHECK_INT(1, pl_clients_waiting(clients, &waiter), "waits");
    send_far(far, OK "Content-Length: 0\r\n\r\n");
    turn(3);
    CHECK_INT(1, looks, "now");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end_fetch)
    const struct CMUnitTest tests[] = {
        TEST(test_fetch__tells_the_same_however_it_is_cut),
        TEST(test_fetch__closes_what_speaks_unasked),
        TEST(test_fetch__sees_an_idle_end),
        TEST(test_fetch__keeps_no_half_of_an_exchange),
        TEST(test_fetch__may_be_paused),
        TEST(test_fetch__hears_of_a_reset),
        TEST(test_fetch__frees_a_place_for_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
