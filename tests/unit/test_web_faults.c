/* test_web_faults.c - no memory at every place of a request in turn: 500 or 503
 * for that one (or its connection is closed), and the site goes on. (Faults:
 * -Dfaults=true.) */
#include "lua/vm_priv.h" /* before the vm of lua_world.h */

#include "web_world.h"

#include "base/faults.h"
#include "loop/scripted_priv.h"

static const char text[] =
    "pl.use(function(req, res, next) req.own = {} next() "
    "if req.path ~= '/stream' then res:header('x-a', 'b') end end)\n"
    "pl.get('/text/:id', function(req) return req.args.a .. req.params.id .. "
    "req.headers.host .. req:arg('a') end)\n"
    "pl.get('/json', function(_, res) res:json({a = {1, 2}}) "
    "res:cookie('a', 'b') end)\n"
    "pl.get('/long', function() return ('x'):rep(9000) end)\n"
    "pl.get('/stream', function(_, res) res:write('a') pl.sleep(0) "
    "res:write('b') end)\n"
    "pl.get('/defer', function() pl.defer(function() end) pcall(error, 'e') "
    "end)\n"
    "pl.get('/all', function() pl.all {function() pl.sleep(0) end, "
    "function() end} end)\n"
    "pl.get('/file', function(_, res) "
    "return res:send_file('/etc/hostname') end)\n"
    "pl.post('/body', function(req) return req:body() .. req:form().a end)\n"
    "pl.rewrite('^/old/(.*)$', '/text/%1')\n"
    "pl.rewrite('^/made/(.*)$', function(req, captures) "
    "return '/text/' .. captures[1] end)\n"
    "pl.rewrite('^/form$', { to = '/body', when = { post = { a = 'b' } } })\n"
    "pl.get('/ok', function() return 'ok' end)\n";

static const char *const requests[] = {
    "GET /text/x?a=b%20c HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /json HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /long HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /defer HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /all HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /file HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b",
    "GET /old/x?a=b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /made/x?a=b HTTP/1.1\r\nHost: a\r\n\r\n",
    ("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
     "Content-Type: application/x-www-form-urlencoded\r\n\r\na=b"),
};

/* Objects, threads and blocks that are kept for the next request would hide
 * most places. */
static void drop_spare(void)
{
    pl_co_trim(vm, 0);
    pl_web_trim(vm, 0);
    pl_vm_collect(vm, LUA_GCCOLLECT);
    pl_pool_trim(pl_loop_pool(loop));
}

/* The sockets in memory have no answer to a lack of it: they get theirs now. */
static void reserve_socket(void)
{
    struct pl_script_sock *sock = pl_script_of(loop)->socks[far];

    CHECK_INT(0, pl_buf_reserve(&sock->in, sizeof(answer)), "in");
    CHECK_INT(0, pl_buf_reserve(&sock->out, sizeof(answer)), "out");
}

static void check_failed(const char *got, const char *what)
{
    if (got[0] == '\0')
        CHECK(pl_script_closed(pl_script_of(loop), far), what);
    else if (strncmp(got, "HTTP/1.1 200 ", 13) != 0 &&
             strncmp(got, "HTTP/1.1 500 ", 13) != 0)
        check_answer(got, 503, NULL, what);
}

static void test_web_faults__without_memory(void **state)
{
    (void)state;
    serve(text);
    reserve_socket();
    for (size_t i = 0; i < PL_COUNT(requests); i++) {
        FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
            drop_spare();
            send_text(requests[i]);
            pass(1);
            pass(1);
            if (!pl_faults_hit()) { /* it needed no more */
                check_answer(received(), 200, NULL, requests[i]);
                continue;
            }
            check_failed(received(), requests[i]);
            CHECK_INT(0, http.stats.open, "no request is left");
            renew_client();
            reserve_socket();
            check_answer(ask("GET /ok"), 200, "ok", requests[i]);
            reports[0] = '\0';
        }
    }
}

/* Without the JIT: after an allocation has failed, Debian 12's LuaJIT may jump
 * to machine code that is not there (as in LuaJIT/LuaJIT issues 52 and 1247).
 */
int main(void)
{
    const struct CMUnitTest tests[] = {
        WEB_TEST(test_web_faults__without_memory)};

    setenv("PL_TEST_JIT", "off", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
