/* test_web_answer.c - bodies, streams, fields and files as Lua sees them, and
 * clients that leave. */
#include "web_world.h"

/* ---- bodies and streams ---- */

static void test_web_answer__bodies_arrive_in_pieces(void **state)
{
    (void)state;
    serve("pl.post('/body', function(req) return req:body() .. req:body() end)"
          "pl.post('/read', function(req) local t = {} for c in req:chunks(3) "
          "do t[#t + 1] = c end return table.concat(t, '|') end)\n"
          "pl.post('/json', function(req) return req:json() end)\n"
          "pl.post('/form', function(req) local f = req:form() "
          "return f.a .. f.b end)\n"
          "pl.post('/strict', function(req) return req:form() end)\n"
          "pl.post('/small', {max_body = 3}, function(req) "
          "return req:body() end)\n"
          "pl.post('/caught', {max_body = 3}, function(req) "
          "local _, err = pcall(req.body, req) "
          "return 200, err.code .. err.status end)\n");
    pl_script_chop(pl_script_of(loop), 5);
    send_text("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    pass(1);
    send_text("abcdefghi");
    turn(30);
    check_answer(received(), 200, "abcdefghiabcdefghi", "whole, and again");
    pl_script_chop(pl_script_of(loop), 0);
    check_answer(post("/read", "abcdefgh"), 200, "abc|def|gh", "read");
    check_answer(post("/json", "{\"a\": 1}"), 200, "{\"a\":1}", "json");
    check_answer(post("/json", "{"), 400, "400 Bad Request\n", "no json");
    check_answer(post("/form", "a=%31&b=2&a=3"), 200, "12", "form");
    send_text("POST /strict HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n"
              "Content-Length: 1\r\n\r\na");
    check_answer(received(), 415, NULL, "another type");
    check_answer(post("/small", "abc"), 200, "abc", "as much as it may");
    check_answer(post("/caught", "abcd"), 200, "limit413", "caught");
    renew_client();
    check_answer(post("/small", "abcd"), 413, NULL, "too large");
    no_reports("the client's faults are not the site's");
    renew_client();
    send_text("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    pl_script_finish(pl_script_of(loop), far);
    turn(5);
    no_reports("broken off");
    renew_client();
    send_text("POST /body HTTP/1.1\r\nHost: a\r\n"
              "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    check_answer(received(), 400, NULL, "bad framing");
    no_reports("bad framing");
    renew_client();
}

static void test_web_answer__streams(void **state)
{
    const char *got;

    (void)state;
    serve("pl.get('/s', function(_, res) res:header('x-a', 'b') "
          "res:write('one', 1) pl.sleep(0.002) return res:write('two') end)\n"
          "pl.get('/cut', function(_, res) res:write('one') "
          "error('middle') end)\n"
          "pl.get('/known', function(_, res) "
          "res:header('content-length', 3) res:write('abc') end)\n");
    got = ask("GET /s");
    check_has(got, "Transfer-Encoding: chunked\r\n", "chunked");
    check_has(got, "x-a: b\r\n", "its field");
    check_has(got, "4\r\none1\r\n", "the first piece leaves");
    pass(3);
    CHECK_STR("3\r\ntwo\r\n0\r\n\r\n", pl_str_c(received()), "the rest");
    check_answer(ask("GET /known"), 200, "\r\n\r\nabc", "of known length");
    no_reports("streams");
    got = ask("GET /cut");
    check_has(got, "3\r\none\r\n", "what was written");
    CHECK(strstr(got, "0\r\n\r\n") == NULL, "not ended as if it were whole");
    CHECK(pl_script_finished(pl_script_of(loop), far), "cut");
    check_has(reports, "test:2: middle", "logged");
    CHECK(strstr(strstr(reports, "middle") + 1, "middle") == NULL, "once");
    reports[0] = '\0';
    renew_client();
}

static void test_web_answer__filters_cannot_mend_a_stream(void **state)
{
    (void)state;
    serve("pl.use(function(_, _, next) note((pcall(next))) end) "
          "pl.get('/', function(_, res) res:write('one') error('mid') end)");
    ask("GET /");
    check_noted("false", "the filter is told");
    check_reports("mid", "logged");
    CHECK(pl_script_finished(pl_script_of(loop), far), "cut");
    renew_client();
}

static void test_web_answer__writers_wait_for_readers(void **state)
{
    (void)state;
    serve("pl.get('/', function(_, res) pl.defer(function() note('d') end) "
          "local piece = ('x'):rep(65536) local n = 0 "
          "while true do n = n + 1 local ok, err = res:write(piece) "
          "if not ok then note(err.code) return end "
          "if n > 100 then return end end end)");
    pl_script_window(pl_script_of(loop), far, 1000);
    ask("GET /");
    CHECK_INT(1, http.stats.open, "it waits");
    check_noted("", "it waits");
    pl_script_reset(pl_script_of(loop), far);
    turn(5);
    check_noted("closed d", "the client has gone; its defers run");
    CHECK_INT(0, http.stats.open, "over");
    no_reports("a client that leaves");
    renew_client();
}

/* Each waits; then the client leaves. */
static const char *const waits[] = {
    "pl.sleep(100)",
    "req:body()",
    "req:read()",
    "while true do res:write('x') pl.sleep(1) end",
    "pl.all { function() pl.sleep(100) end, function() pl.sleep(200) end }",
    "pcall(pl.sleep, 100) pl.sleep(100)",
};

static void test_web_answer__a_client_that_leaves_ends_its_task(void **state)
{
    char text[512];

    (void)state;
    serve("code = nil pl.post('/', function(req, res) "
          "pl.defer(function() pl.sleep(0.001) note('d', req.method) end) "
          "code(req, res) note('never') end)");
    for (size_t i = 0; i < PL_COUNT(waits); i++) {
        snprintf(text, sizeof(text),
                 "code = assert((loadstring or load)([[local req, res = ... "
                 "%s]], '=test'))",
                 waits[i]);
        run_ok(text, waits[i]);
        send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
        CHECK_INT(1, http.stats.open, waits[i]);
        pl_script_reset(pl_script_of(loop), far);
        for (int ms = 0; ms < 4; ms++)
            pass(1);
        check_noted("d POST", waits[i]);
        CHECK_INT(0, http.stats.open, waits[i]);
        no_reports(waits[i]);
        renew_client();
    }
}

/* ---- responses ---- */

static void test_web_answer__a_cookie_leaves_the_body_alone(void **state)
{
    const char *got;

    (void)state;
    serve("pl.get('/', function(_, res) res:json({a = 1}) "
          "res:cookie('n', 'v', {path = '/p', max_age = 5, secure = true, "
          "same_site = 'none', http_only = false}) "
          "note(pcall(res.json, res, {[{}] = 1})) end)\n"
          "pl.get('/again', function(_, res) res:json({a = ('x'):rep(20)}) "
          "pcall(res.json, res, {('y'):rep(5000), print}) end)");
    got = ask("GET /");
    check_has(got, "Set-Cookie: n=v; Path=/p; Max-Age=5; SameSite=None; Secure",
              "cookie");
    check_answer(ask("GET /again"), 200, "\r\n\r\n",
                 "a body that failed is none");
}

static void test_web_answer__fields_are_set_added_and_removed(void **state)
{
    const char *got;

    (void)state;
    serve("pl.get('/', function(_, res) res:header('x-a', '1') "
          "res:header('X-A', '2') res:add_header('x-a', '3') "
          "res:header('x-b', {'4', '5'}) res:header('x-c', '6') "
          "res:header('x-c', nil) res:header('x-d', false) "
          "res:header('x-e', 7) note(res:header('x-A')) "
          "res:header('cache-control', 'no-store') end)\n"
          "pl.get('/r', function(_, res) res:redirect('/there', 303) end)\n"
          "pl.get('/s', function(_, res) res:redirect('/there') end)");
    got = ask("GET /");
    check_has(got,
              "X-A: 2\r\nx-a: 3\r\nx-b: 4\r\nx-b: 5\r\nx-e: 7\r\n"
              "cache-control: no-store\r\n",
              "fields");
    CHECK(strstr(got, "x-c") == NULL && strstr(got, "x-d") == NULL, "removed");
    check_noted("2", "the first");
    got = ask("GET /r");
    check_answer(got, 303, NULL, "redirect");
    check_has(got, "Location: /there\r\n", "location");
    check_answer(ask("GET /s"), 302, NULL, "redirect");
}

static void test_web_answer__files_are_sent(void **state)
{
    const char *got;

    (void)state;
    serve("pl.get('/etc', function(_, res) "
          "return res:send_file('/etc/hostname') end)\n"
          "pl.get('/no', function(_, res) return res:send_file('/no/f') end)\n"
          "pl.get('/err', function(_, res) "
          "local ok, err = res:send_file('/etc') "
          "return 200, tostring(ok) .. err.code .. err.status end)\n"
          "pl.get('/root/*p', function(req, res) "
          "return res:send_file(req.params.p, '/etc') end)\n"
          "pl.get('/up', function(_, res) "
          "return res:send_file('../etc/hostname', '/etc') end)\n"
          "pl.get('/noroot', function(_, res) "
          "return res:send_file('a', '/nosuch') end)\n");
    got = ask("GET /etc");
    check_answer(got, 200, NULL, "a file");
    check_has(got, "Last-Modified: ", "its validators");
    check_answer(ask("GET /root/hostname"), 200, NULL, "below a root");
    check_answer(ask("GET /up"), 404, NULL, "not outside of it");
    check_answer(ask("GET /no"), 404, NULL, "no such file");
    check_answer(ask("GET /noroot"), 404, NULL, "no such root");
    check_answer(ask("GET /err"), 200, "nilnot_found404", "nil, err");
    no_reports("files");
}

RUN_TESTS(WEB_TEST(test_web_answer__bodies_arrive_in_pieces),
          WEB_TEST(test_web_answer__streams),
          WEB_TEST(test_web_answer__filters_cannot_mend_a_stream),
          WEB_TEST(test_web_answer__writers_wait_for_readers),
          WEB_TEST(test_web_answer__a_client_that_leaves_ends_its_task),
          WEB_TEST(test_web_answer__a_cookie_leaves_the_body_alone),
          WEB_TEST(test_web_answer__fields_are_set_added_and_removed),
          WEB_TEST(test_web_answer__files_are_sent))
