/* test_fcgi_faults.c - no memory at every place of a FastCGI request in turn:
 * an answer, an end without one, or the end of the connection; and others are
 * served. (Faults: -Dfaults=true.) */
#include "fcgi_world.h"

#include "base/faults.h"
#include "loop/scripted_priv.h"

/* The sockets in memory have no answer to a lack of it: they get theirs now. */
static void reserve_socket(void)
{
    struct pl_script_sock *sock = script->socks[client.far];

    CHECK_INT(0, pl_buf_reserve(&sock->in, 400000), "in");
    CHECK_INT(0, pl_buf_reserve(&sock->out, 400000), "out");
}

static void renew_client(void)
{
    if (pl_script_closed(script, client.far) ||
        pl_script_finished(script, client.far))
        client.far = connect_far();
    reserve_socket();
}

/* ---- what a web server may ask ---- */

static void get(void)
{
    say_get(1, GET_PARAMS("/") "HTTP_ACCEPT=*/*\nHTTP_X_SOME_THING=x\n");
}

static void get_in_pieces(void)
{
    struct pl_str pairs = pairs_of(GET_PARAMS("/"));

    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    for (size_t i = 0; i < pairs.len; i += 30)
        say_record(PL_FCGI_PARAMS, 1, pl_str_first(pl_str_skip(pairs, i), 30));
    say_record(PL_FCGI_PARAMS, 1, PL_STR(""));
    say_stdin(1, "");
}

static void get_by_script(void)
{
    say_get(1, "REQUEST_METHOD=GET\nSCRIPT_NAME=/\nSERVER_NAME=a\n");
}

static void get_many(void)
{
    for (unsigned id = 1; id <= 3; id++)
        say_get(id, GET_PARAMS("/tagged"));
}

static void get_large(void)
{
    say_get(1, GET_PARAMS("/large"));
}

static void get_stream(void)
{
    say_get(1, GET_PARAMS("/stream?3"));
}

static void get_broken(void)
{
    say_get(1, GET_PARAMS("/break"));
}

static void get_refused(void)
{
    say_get(1, "REQUEST_METHOD=\n");
}

static void post(void)
{
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(1, POST_PARAMS("/whole", "6"));
    say_stdin(1, "abc");
    say_stdin(1, "def");
    say_stdin(1, "");
}

static void authorize(void)
{
    say_begin(1, PL_FCGI_AUTHORIZER, PL_FCGI_KEEP_CONN);
    say_params(1, GET_PARAMS("/"));
}

static void abort_it(void)
{
    say_get(1, GET_PARAMS("/park"));
    settle();
    say_record(PL_FCGI_ABORT_REQUEST, 1, PL_STR(""));
}

static void ask_values(void)
{
    say_record(PL_FCGI_GET_VALUES, 0, pairs_of("FCGI_MPXS_CONNS=\n"));
}

static void close_it_now(void)
{
    say_begin(1, PL_FCGI_RESPONDER, 0);
    say_params(1, GET_PARAMS("/"));
    say_stdin(1, "");
}

static const struct {
    const char *what;
    void (*ask)(void);
} asked[] = {
    {"GET", get},
    {"GET in pieces", get_in_pieces},
    {"GET by its script", get_by_script},
    {"three at once", get_many},
    {"large content", get_large},
    {"a stream", get_stream},
    {"one that fails", get_broken},
    {"one that is refused", get_refused},
    {"POST", post},
    {"an authorizer", authorize},
    {"an abort", abort_it},
    {"values", ask_values},
    {"without keeping", close_it_now},
};

static void check_others(const char *what)
{
    forget();
    renew_client();
    say_get(9, GET_PARAMS("/"));
    expect_words(HELLO("9"), what);
}

static void test_fcgi_faults__without_memory(void **state)
{
    (void)state;
    fill_large();
    renew_client();
    for (size_t i = 0; i < PL_COUNT(asked); i++) {
        FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
            pl_pool_trim(pl_loop_pool(loop));
            asked[i].ask();
            settle();
            if (!pl_faults_hit())
                pl_faults_reset();
            check_others(asked[i].what);
            CHECK_INT(0, http.stats.open, asked[i].what);
        }
    }
}

RUN_TESTS(FCGI_WHOLE(test_fcgi_faults__without_memory))
