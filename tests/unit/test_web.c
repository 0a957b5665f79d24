/* test_web.c - requests, responses, filters and routes as Lua sees them. */
#include "web_world.h"

#include "base/sys.h"

/* ---- results of handlers ---- */

static const char results_site[] =
    "pl.get('/text', function() return 'plain' end)\n"
    "pl.get('/html', function() return '<p>' end)\n"
    "pl.get('/empty', function() return '' end)\n"
    "pl.get('/nothing', function() end)\n"
    "pl.get('/nil', function() return nil end)\n"
    "pl.get('/nilnil', function() return nil, nil end)\n"
    "pl.get('/json', function() return {a = {1, 2}} end)\n"
    "pl.get('/status', function() return 204 end)\n"
    "pl.get('/missing', function() return 404 end)\n"
    "pl.get('/both', function() return 201, 'made' end)\n"
    "pl.get('/three', function() return 203, {}, {['x-a'] = '1', "
    "['set-cookie'] = {'a=1', 'b=2'}} end)\n"
    "pl.get('/number', function() return 200, 42 end)\n"
    "pl.get('/long', function() return ('x'):rep(10000) end)\n"
    "pl.get('/own', function(_, res) res:header('content-type', 'a/b') "
    "return '<' end)\n"
    "pl.get('/res', function(_, res) res:status(202) res:send('sent') end)\n"
    "pl.get('/vararg', function(...) local _, res = ... "
    "res:send(select('#', ...) .. '') end)\n";

static const struct {
    const char *path;
    int status;
    const char *field, *body;
} results[] = {
    {"/text", 200, "Content-Type: text/plain; charset=utf-8\r\n", "plain"},
    {"/html", 200, "Content-Type: text/html; charset=utf-8\r\n", "<p>"},
    {"/empty", 200, "Content-Length: 0\r\n", "\r\n\r\n"},
    {"/nothing", 200, "Content-Length: 0\r\n", "\r\n\r\n"},
    {"/nil", 200, "Content-Length: 0\r\n", "\r\n\r\n"},
    {"/nilnil", 200, "Content-Length: 0\r\n", "\r\n\r\n"},
    {"/json", 200, "Content-Type: application/json\r\n", "{\"a\":[1,2]}"},
    {"/status", 204, "\r\n", "\r\n\r\n"},
    {"/missing", 404, "\r\n", "404 Not Found\n"},
    {"/both", 201, "text/plain", "made"},
    {"/three", 203, "set-cookie: a=1\r\nset-cookie: b=2\r\n", "{}"},
    {"/three", 203, "x-a: 1\r\n", "{}"},
    {"/number", 200, "text/plain", "42"},
    {"/long", 200, "Content-Length: 10000\r\n", "xxx"},
    {"/own", 200, "Content-Type: a/b\r\n", "<"},
    {"/res", 202, "text/plain", "sent"},
    {"/vararg", 200, "text/plain", "2"},
};

static void test_web__results_become_the_response(void **state)
{
    (void)state;
    serve(results_site);
    for (int round = 0; round < 2; round++) { /* with pooled objects, too */
        for (size_t i = 0; i < PL_COUNT(results); i++) {
            char line[64];
            const char *got;

            snprintf(line, sizeof(line), "GET %s", results[i].path);
            got = ask(line);
            check_answer(got, results[i].status, results[i].body,
                         results[i].path);
            check_has(got, results[i].field, results[i].path);
        }
    }
    no_reports("results");
}

/* What a handler returns, and what the log says of it; all are 500. */
static const struct {
    const char *code, *report;
} wrong_results[] = {
    {"return function() end", "a body is a string or a table, not a function"},
    {"return true", "a body is a string or a table, not a boolean"},
    {"return 99", "a status is a whole number from 200 to 999"},
    {"return 200.5", "a status is a whole number"},
    {"return 1000", "a status is a whole number"},
    {"return 0/0", "a status is a whole number"},
    {"return 0", "a status is a whole number"},
    {"return 200, 'x', 'y'", "headers are a table"},
    {"return 200, 'x', { 'y' }", "names of headers are strings"},
    {"return 200, 'x', { y = {{}} }", "values of a field are strings"},
    {"return 200, 'x', { date = 'y' }", "\"date\": the server makes this"},
    {"return 200, 'x', { y = 'a\\nb' }", "\"y\": not a valid name or value"},
    {"return { [{}] = 1 }", "test:1: the result of a handler: "},
    {"return nil, 'why'", "why"},
    {"error('boo')", "test:1: boo\nstack traceback:"},
    {"error({})", "table: 0x"},
    {"error(nil)", "nil"},
    {"local x = nil; x()", "test:1: attempt to call local 'x'"},
    {"req.header('a')", "test:1: a request is needed, not a string (methods "
                        "are called with a colon: req:header(...))"},
    {"res.header(req)", "test:1: a response is needed, not a userdata"},
    {"req:header()", "test:1: req:header: the name must be a string, not nil"},
    {"req:arg({})", "test:1: req:arg: the name must be a string, not a table"},
    {"req:read(0)", "test:1: req:read: the number of bytes must be a whole "
                    "number from 1 to 1048576"},
    {"req.path = 'x'", "test:1: req.path cannot be set"},
    {"req.tls = 'x'", "test:1: req.tls cannot be set"},
    {"res.status = 200", "test:1: res.status cannot be set"},
    {"res:status(100)", "test:1: res:status: the status must be a whole "
                        "number from 200 to 999"},
    {"res:status('x')", "test:1: res:status: the status must be a number, not "
                        "a string"},
    {"res:header('a b', 'c')", "test:1: res:header: \"a b\": not a valid"},
    {"res:header('connection', 'x')",
     "test:1: res:header: \"connection\": the server makes this field itself"},
    {"res:header('a', function() end)", "test:1: res:header: \"a\": not a"},
    {"res:header('a', {{}})", "test:1: res:header: values of a field are"},
    {"res:add_header('a')", "test:1: res:add_header: the value must be"},
    {"res:redirect('/a\\n')", "test:1: res:redirect: a location has no"},
    {"res:redirect('/a', 200)", "test:1: res:redirect: the status must be a "
                                "whole number from 300 to 399"},
    {"res:cookie('a', ';')", "test:1: res:cookie: \"a\": not a valid name"},
    {"res:cookie('a', 'b', {htp_only = true})",
     "test:1: res:cookie: unknown option 'htp_only'; did you mean "
     "'http_only'?"},
    {"res:cookie('a', 'b', {same_site = 'x'})", "same_site is lax, strict"},
    {"res:cookie('a', 'b', {max_age = 'x'})",
     "test:1: res:cookie: option 'max_age' must be a number"},
    {"res:write({})", "test:1: res:write: strings and numbers are written, "
                      "not a table"},
    {"res:send()", "test:1: res:send: a body is a string or a table, not nil"},
    {"res:json({[{}] = 1})", "test:1: res:json: "},
    {"res:send_file()", "test:1: res:send_file: the path must be a string"},
    {"res:send_file('a', 1)", "test:1: res:send_file: the root must be"},
    {"res:send('x') res:write('y')", "test:1: res:write: the body was given"},
    {"res:header('content-length', '1') res:write('y', 'z')",
     "test:1: res:write: more than content-length says"},
    {"pl.get('/y', function() end)", "test:1: pl.get: only while the site is "
                                     "loaded"},
    {"pl.use(function() end)", "test:1: pl.use: only while the site is"},
    {"pl.set {}", "test:1: pl.set: only while the site is loaded"},
    {"pl.listen ':80'", "test:1: pl.listen: only while the site is loaded"},
};

static void test_web__what_is_wrong_is_an_error_of_that_request(void **state)
{
    char text[512];

    (void)state;
    serve("code = nil pl.get('/x', function(req, res) local run = code "
          "code = nil return run(req, res) end) "
          "pl.get('/ok', function() return 'ok' end)");
    for (size_t i = 0; i < PL_COUNT(wrong_results); i++) {
        const char *code = wrong_results[i].code, *got;
        bool started = strstr(code, "content-length") != NULL;

        snprintf(text, sizeof(text),
                 "code = assert((loadstring or load)([[local req, res = ... "
                 "%s]], '=test'))",
                 code);
        run_ok(text, code);
        got = ask("GET /x");
        if (started) {
            CHECK(pl_script_closed(pl_script_of(loop), far), code);
            renew_client();
        } else {
            check_answer(got, 500, "500 Internal Server Error\n", code);
        }
        /* Lua 5.4 has other words for the same */
        if (strstr(code, "x()") == NULL && strcmp(code, "error(nil)") != 0)
            check_reports(wrong_results[i].report, code);
        reports[0] = '\0';
        check_answer(ask("GET /ok"), 200, "ok", code);
    }
}

/* ---- the request ---- */

/* Each must be true in a handler of GET /a%20b/7?n=1&n=2&m=%C3%A9&e=&=z. */
static const char *const truths[] = {
    "req.method == 'GET'",
    "req.path == '/a b/7'",
    "req.raw_path == '/a%20b/7'",
    "req.query == 'n=1&n=2&m=%C3%A9&e=&=z'",
    "req.host == 'site.example'",
    "req.scheme == 'http'",
    "req.version == '1.1'",
    "req.remote == ''",
    "req.remote_port == 0",
    "#req.id == 16 and req.id == req.id",
    "req.tls == nil",
    "req.unknown == nil",
    "req.args.n == '1' and req.args.m == '\\195\\169' and req.args.e == ''",
    "req.args[''] == 'z' and req.args.x == nil",
    "req.args == req.args",
    "req:arg('n') == '1' and req:arg('x') == nil",
    "table.concat(req:all('n'), ',') == '1,2' and #req:all('x') == 0",
    "req.params.id == '7' and req:param('id') == '7'",
    "req:param('x') == nil",
    "req.headers.host == 'site.example:81' and req.headers.HOST",
    "req.headers['X-Two'] == 'a, b' and req:header('x-tWO') == 'a, b'",
    "req.headers[1] == nil and req.headers.nosuch == nil",
    "req:header('nosuch') == nil",
    "req.cookies.a == '1' and req.cookies.b == '2' and not req.cookies.c",
    "req:cookie('b') == '2' and req:cookie('c') == nil",
    "tostring(req) == 'pl.request: GET /a b/7'",
    "tostring(res) == 'pl.response'",
    "getmetatable(req) == 'pl.request'",
    "res:status() == 200",
    "res:header('x') == nil",
    "req:body() == '' and req:read() == nil and next(req:form()) == nil",
    "select('#', req:json()) == 2 and select(2, req:json()).code == 'proto'",
};

static void test_web__the_request_has_all_fields(void **state)
{
    char text[16 * 1024] = "local truths = {\n";

    (void)state;
    for (size_t i = 0; i < PL_COUNT(truths); i++) {
        strcat(text, "function(req, res) return ");
        strcat(text, truths[i]);
        strcat(text, " end,\n");
    }
    strcat(text, "}\npl.get('/a b/:id', function(req, res)\n"
                 "for i = 1, #truths do\n"
                 "if not truths[i](req, res) then return i .. '' end end\n"
                 "return 'all true' end)");
    serve(text);
    for (int i = 0; i < 2; i++) {
        send_text("GET /a%20b/7?n=1&n=2&m=%C3%A9&e=&=z HTTP/1.1\r\n"
                  "Host: site.example:81\r\nX-Two: a\r\nx-two: b\r\n"
                  "Cookie: a=1; b=2\r\n\r\n");
        check_answer(received(), 200, "all true", "truths");
    }
    no_reports("truths");
}

static void test_web__values_of_a_request_are_its_own(void **state)
{
    (void)state;
    serve("pl.use(function(req, _, next) note(req.user) req.user = 'u' "
          "req[1] = false next() note(req.user, req.seen) end)\n"
          "pl.get('/', function(req) note(req.user, req[1]) req.seen = true "
          "end)");
    ask("GET /");
    check_noted("nil u false u true", "set by a filter");
    ask("GET /");
    check_noted("nil u false u true", "and gone with the request");
}

/* ---- filters ---- */

static const struct {
    const char *what, *site, *noted;
    int status;
    const char *body;
} chains[] = {
    {"order",
     "local function f(n) pl.use(function(_, _, next) note(n) next() note(-n) "
     "end) end f(1) f(2) pl.get('/', function() note('h') return 'x' end)",
     "1 2 h -2 -1", 200, "x"},
    {"early answer",
     "pl.use(function() return 403, 'no' end) "
     "pl.get('/', function() note('never') end)",
     "", 403, "no"},
    {"after the handler",
     "pl.use(function(_, res, next) next() note(res:status()) "
     "res:status(201) res:header('x-a', 'b') return 'other' end) "
     "pl.get('/', function() return 'x' end)",
     "200", 201, "other"},
    {"nothing said", "pl.use(function() end) pl.get('/', print)", "", 200,
     "\r\n\r\n"},
    {"next() twice",
     "pl.use(function(_, _, next) next() note(pcall(next)) end) "
     "pl.get('/', function() return 'x' end)",
     "false test:1: next: may be called once, and not after its filter has "
     "returned",
     200, "x"},
    {"next() later",
     "local kept pl.use(function(_, _, next) kept = next next() end) "
     "pl.use(function(_, _, next) next() note((pcall(kept))) end) "
     "pl.get('/', function() return 'x' end)",
     "false", 200, "x"},
    {"error in the handler",
     "pl.use(function(_, res, next) next() note(res:status()) end) "
     "pl.get('/', function() error('e') end)",
     "500", 500, "500 Internal Server Error\n"},
    {"error is replaced",
     "pl.use(function(_, res, next) next() if res:status() >= 500 then "
     "return 503, 'sorry' end end) pl.get('/', function() error('e') end)",
     "", 503, "sorry"},
    {"error in a filter below",
     "pl.use(function(_, res, next) next() note(res:status()) end) "
     "pl.use(function() error('e') end) pl.get('/', print)",
     "500", 500, "500 Internal Server Error\n"},
    {"error after next()",
     "pl.use(function(_, _, next) next() error('e') end) "
     "pl.get('/', function() return 'x' end)",
     "", 500, "500 Internal Server Error\n"},
    {"waiting above and below",
     "pl.use(function(_, _, next) pl.sleep(0.001) next() pl.sleep(0.001) "
     "note('after') end) pl.get('/', function() pl.sleep(0.001) "
     "return 'x' end)",
     "after", 200, "x"},
    {"nested groups",
     "local function f(n) pl.use(function(_, _, next) note(n) next() end) end "
     "f(1) pl.group('/g', function() f(2) pl.group('/h', function() f(3) "
     "pl.get('/x', print) end) f(4) end) f(5) "
     "pl.get('/', function() return 'x' end)",
     "1 5", 200, "x"},
    {"filters of a group",
     "local function f(n) pl.use(function(_, _, next) note(n) next() end) end "
     "f(1) pl.group('', function() f(2) pl.group('', function() f(3) "
     "pl.get('/', function() return 'x' end) end) f(4) end) f(5)",
     "1 2 3", 200, "x"},
    {"a mount below", /* not Lua: a C handler */
     "pl.use(function(_, res, next) next() note(res:status()) end) "
     "pl.static('/', {root = '/nosuch' and '/proc/self/fdinfo'})",
     "404", 404, "404 Not Found\n"},
    {"next() with a limit",
     "pl.use(function(_, _, next) local _, err = pl.timeout(0.002, next) "
     "return 504, err.code end) "
     "pl.get('/', function() pl.defer(function() note('deferred') end) "
     "pl.sleep(10) end)",
     "deferred", 504, "timeout"},
    {"defer of a filter and its handler",
     "pl.use(function(_, _, next) pl.defer(function() note('f') end) next() "
     "end) pl.get('/', function() pl.defer(function() note('h') end) "
     "return 'x' end)",
     "h f", 200, "x"},
    {"a peer's fault passes through",
     "pl.use(function(_, res, next) next() note(res:status()) end) "
     "pl.get('/', function(req) return req:json() end)",
     "400", 400, "400 Bad Request\n"},
};

static void test_web__filters_surround_handlers(void **state)
{
    for (size_t i = 0; i < PL_COUNT(chains); i++) {
        char got[sizeof(answer)];

        if (i > 0)
            make_web_world(state);
        serve(chains[i].site);
        strcpy(got, ask("GET /"));
        pass(3);
        strcat(got, received());
        pass(3);
        strcat(got, received());
        pass(3);
        strcat(got, received());
        check_answer(got, chains[i].status, chains[i].body, chains[i].what);
        check_noted(chains[i].noted, chains[i].what);
        if (strstr(chains[i].what, "error") == NULL)
            no_reports(chains[i].what);
        else
            check_reports("test:1: e", chains[i].what);
        if (i + 1 < PL_COUNT(chains))
            end_web_world(state);
    }
}

/* A filter that is not Lua: what is below it has a task of its own. */
static void pass_on(struct pl_filter *filter, struct pl_request *req,
                    const struct pl_next *next, struct pl_then *then)
{
    (void)filter;
    pl_next_start(next, req, then);
}

static int wait_for_next(struct pl_request *req, struct pl_response *res,
                         const struct pl_next *next, void *arg)
{
    (void)res;
    (void)arg;
    return pl_next(req, next);
}

static void keep_filter(struct pl_filter *filter)
{
    filter->refs = 1;
}

static void test_web__c_and_lua_filters_mix(void **state)
{
    static struct pl_filter plain = {
        .kind = "c", .refs = 1, .start = pass_on, .free = keep_filter};

    (void)state;
    pl_site_use(site, &plain, NULL);
    run_ok("local first = true pl.use(function(req, _, next) req.a = 1 next() "
           "note('f') end)",
           "filter");
    pl_site_use(site, pl_fiber_filter_new(wait_for_next, NULL, NULL), NULL);
    serve("kept = nil pl.get('/', function(req) kept = req note(req.a) "
          "pl.sleep(0) return 'x' end) "
          "pl.get('/late', function() return tostring(pcall(function() "
          "return kept.path end)) end)");
    ask("GET /");
    pass(2);
    check_noted("1 f", "one request object in both");
    ask("GET /late");
    pass(2);
    check_noted("f", "late");
    no_reports("mixed");
}

static void test_bug_request_below_a_c_filter_stays_attached(void **state)
{
    (void)state;
    pl_site_use(site, pl_fiber_filter_new(wait_for_next, NULL, NULL), NULL);
    serve("pl.get('/', function(req) kept = req return 'x' end) "
          "pl.get('/late', function() "
          "return select(2, pcall(function() return kept.path end)) end)");
    ask("GET /");
    check_has(ask("GET /late"),
              "test:1: request used after its response was sent", "late");
}

/* ---- after the end ---- */

static const char *const uses[] = {
    "k.method",
    "k.path",
    "k.args",
    "k.headers",
    "k.id",
    "k.remote",
    "k.unknown",
    "k:header('a')",
    "k:arg('a')",
    "k:all('a')",
    "k:param('a')",
    "k:cookie('a')",
    "k:body()",
    "k:read()",
    "k:chunks()",
    "k:json()",
    "k:form()",
    "tostring(k)",
    "(function() k.x = 1 end)()",
    "r:status()",
    "r:status(200)",
    "r:header('a')",
    "r:header('a', 'b')",
    "r:send('a')",
    "r:add_header('a', 'b')",
    "r:cookie('a', 'b')",
    "r:redirect('/')",
    "r:json({})",
    "r:write('a')",
    "r:flush()",
    "r:send_file('a')",
};

static void test_web__objects_end_with_their_request(void **state)
{
    char text[512];

    (void)state;
    serve("pl.use(function(req, res, next) k, r, n = req, res, next "
          "kargs = req.args next() end) "
          "pl.get('/', function() return 'x' end)");
    ask("GET /?a=b");
    for (size_t i = 0; i < PL_COUNT(uses); i++) {
        snprintf(text, sizeof(text),
                 "local ok, err = pcall(function() return %s end) "
                 "note(ok, (err:gsub('^re%%a+ ', '')))",
                 uses[i]);
        run_ok(text, uses[i]);
        check_noted(uses[i][0] == 'r' ? "false test:1: response used after its "
                                        "response was sent"
                                      : "false test:1: request used after its "
                                        "response was sent",
                    uses[i]);
    }
    run_ok("note(pcall(n)) note(kargs.a)", "next and a table");
    check_noted("false test:1: request used after its response was sent b",
                "what was taken out stays");
    check_answer(ask("GET /"), 200, "x", "others go on");
}

static void test_web__tasks_outlive_their_request(void **state)
{
    (void)state;
    serve("pl.post('/wait', function(req, res)\n"
          "  pl.spawn(function() note(select(2, pcall(req.body, req))) end)\n"
          "  pl.spawn(function() note((pcall(req.read, req))) end)\n"
          "  pl.sleep(0.002) return 'x' end)\n"
          "pl.get('/write', function(_, res)\n"
          "  pl.spawn(function() pl.sleep(0.002) "
          "note(pcall(res.write, res, 'y')) end)\n"
          "  return 'x' end)\n"
          "pl.get('/next', function() end)\n");
    send_text("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    pass(5);
    check_answer(received(), 200, "x", "the body is not read");
    check_has(noted, "false", "the second reader is refused");
    check_has(noted, "request used after its response was sent",
              "the first is told");
    noted[0] = '\0';
    renew_client();
    check_answer(ask("GET /write"), 200, "x", "write");
    pass(5);
    check_noted("false test:6: response used after its response was sent",
                "write");
}

/* ---- bodies and streams ---- */

static void test_web__bodies_arrive_in_pieces(void **state)
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

static void test_web__streams(void **state)
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

static void
test_web__a_broken_stream_is_cut_whatever_a_filter_does(void **state)
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

static void test_web__writers_wait_for_readers(void **state)
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

static void test_web__a_client_that_leaves_ends_its_task(void **state)
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

static void test_bug_cookie_leaves_the_body_alone(void **state)
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

static void test_web__fields_are_set_added_and_removed(void **state)
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

static void test_web__files_are_sent(void **state)
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

/* ---- what a site says of itself ---- */

static const struct {
    const char *text, *error;
} wrong_sites[] = {
    {"pl.get()", "pl.get: the path must be a string, not nil"},
    {"pl.get({}, print)", "pl.get: the path must be a string, not a table"},
    {"pl.get('/')", "pl.get: a function is needed, not a nil"},
    {"pl.get('/', 1, print)", "pl.get: options must be a table, not a number"},
    {"pl.get('x', print)", "pl.get: route pattern 'x': must begin with '/'"},
    {"pl.get('/', {expire = 1}, print)",
     "pl.get: unknown option 'expire'; did you mean 'expires'? (there are "
     "cache_control, expires, max_body)"},
    {"pl.post('/', {zzz = 1}, print)",
     "pl.post: unknown option 'zzz' (there are cache_control, expires, "
     "max_body)"},
    {"pl.get('/', {expires = {}}, print)",
     "pl.get: option 'expires' must be a string like \"10s\" or seconds"},
    {"pl.get('/', {expires = 'soon'}, print)",
     "pl.get: expires: 'soon' is not a duration (\"1h\")"},
    {"pl.get('/', {max_body = 'much'}, print)",
     "pl.get: max_body: 'much' is no size like \"1m\""},
    {"pl.get('/', {max_body = -1}, print)",
     "pl.get: option 'max_body' must be a string like \"1m\" or bytes"},
    {"pl.get('/', {cache_control = 'a\\n'}, print)",
     "pl.get: cache_control is not a header value"},
    {"pl.route('GET FETCH', '/', print)", "pl.route: 'FETCH' is not a method"},
    {"pl.route(' ', '/', print)", "pl.route: a method is needed"},
    {"pl.route(1, '/', print)",
     "pl.route: the list of methods must be a string, not a number"},
    {"pl.use()", "pl.use: a function is needed, not a nil"},
    {"pl.host('', print)", "pl.host: the name is empty"},
    {"pl.host('a b', print)", "pl.host: 'a b' is not a host name (\"name\" or "
                              "\"*.name\", without a port)"},
    {"pl.group('x', print)", "pl.group: prefix 'x' must begin with '/'"},
    {"pl.group('/x', {auht = 1}, print)",
     "pl.group: unknown option 'auht' (there are cache_control, expires, "
     "max_body)"},
    {"pl.group('/x', function() pl.get('y', print) end)",
     "pl.get: route pattern 'y': must begin with '/'"},
    {"pl.static('/')", "pl.static: option 'root' must be a string, not nil"},
    {"pl.static('/', {root = 1})", "pl.static: option 'root' must be a string"},
    {"pl.static('/', {root = '/no/such'})",
     "pl.static: cannot serve files from '/no/such': No such file or "
     "directory"},
    {"pl.static('/', {root = '/', dotfiles = true})",
     "pl.static: unknown option 'dotfiles'; did you mean 'dot_files'?"},
    {"pl.static('/', {root = '/', index = 1})",
     "pl.static: option 'index' must be a string"},
    {"pl.listen()", "pl.listen: an address is needed, as in { \":8080\" }"},
    {"pl.listen {}", "pl.listen: an address is needed, as in { \":8080\" }"},
    {"pl.listen(1)", "pl.listen: options must be a table, not a number"},
    {"pl.listen {80}", "pl.listen: the address must be a string, not a number"},
    {"pl.listen {':80', ':80'}", "pl.listen: ':80' is already taken (test:1)"},
    {"pl.listen {':80', backlogs = 1}",
     "pl.listen: unknown option 'backlogs'; did you mean 'backlog'?"},
    {"pl.listen {':80', backlog = -1}",
     "pl.listen: option 'backlog' must be a whole number from 0 to 65535"},
    {"pl.listen {':80', mode = 4096}",
     "pl.listen: mode must be from 0 to 0777"},
    {"pl.set()", "pl.set: a table is needed, as in { max_body = \"1m\" }"},
    {"pl.set {'x'}",
     "pl.set: the name of a setting must be a string, not a number"},
    {"pl.set {worker = 1}",
     "pl.set: unknown setting 'worker'; did you mean 'workers'?"},
    {"pl.set {workers = {}}", "pl.set: workers must be a string, a number, "
                              "true or false, not a table"},
    {"pl.set {headers = 1}", "pl.set: headers must be a table"},
    {"pl.set {headers = {a = {}}}",
     "pl.set: headers: 'a' must be a string, not a table"},
    {"pl.set {headers = {['a b'] = 'c'}}",
     "pl.set: not a possible header field: 'a b'"},
    {"pl.set {headers = {date = 'c'}}",
     "pl.set: field 'date' cannot be set for all responses: the server makes "
     "it itself"},
};

static void test_web__says_what_is_wrong_with_a_site(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(wrong_sites); i++) {
        const char *text = wrong_sites[i].text;

        CHECK(run(text) != 0, text);
        CHECK_STR("test:1", pl_str_c(load.error.where), text);
        if (strncmp(load.error.text, wrong_sites[i].error,
                    strlen(wrong_sites[i].error)) != 0)
            fail_msg("%s: want \"%s\", got \"%s\"", text, wrong_sites[i].error,
                     load.error.text);
    }
    run_ok("pl.get('/', function() return 'ok' end)", "scopes are closed");
    check_answer(ask("GET /"), 200, "ok", "scopes are closed");
}

static const struct {
    const char *line;
    int status;
    const char *body;
} routes[] = {
    {"GET /m", 200, "any"},
    {"PUT /m", 200, "any"},
    {"GET /two", 200, "two"},
    {"POST /two", 200, "two"},
    {"PUT /two", 405, "405 Method Not Allowed\n"},
    {"PATCH /p", 200, "patch"},
    {"DELETE /p", 200, "delete"},
    {"HEAD /get", 200, "\r\n\r\n"},
    {"OPTIONS /o", 200, "own"},
    {"GET /admin/x", 200, "group"},
    {"GET /admin/deep/x", 200, "deep"},
    {"GET /files/a/b", 200, "a/b"},
    {"GET /x", 404, "404 Not Found\n"},
};

static void test_web__routes(void **state)
{
    const char *got;

    (void)state;
    serve("local function say(text) return function() return text end end\n"
          "pl.any('/m', say 'any') pl.route('GET  post', '/two', say 'two')\n"
          "pl.patch('/p', say 'patch') pl.delete('/p', say 'delete')\n"
          "pl.get('/get', say 'get') pl.options('/o', say 'own')\n"
          "pl.group('/admin', {expires = 60}, function()\n"
          "  pl.get('/x', say 'group')\n"
          "  pl.group('/deep', {cache_control = 'private'}, function()\n"
          "    pl.get('/x', {expires = false}, say 'deep') end) end)\n"
          "pl.get('/files/*rest', function(req) return req.params.rest end)\n"
          "pl.host('b.example', function() pl.get('/h', say 'b') end)\n"
          "pl.host('*.c.example', function() pl.get('/h', say 'c') end)\n"
          "pl.get('/h', say 'all')\n"
          "pl.set {headers = {['x-z'] = 1, ['x-b'] = 'y'}}");
    for (size_t i = 0; i < PL_COUNT(routes); i++)
        check_answer(ask(routes[i].line), routes[i].status, routes[i].body,
                     routes[i].line);
    got = ask("GET /admin/x");
    check_has(got, "Cache-Control: max-age=60\r\n", "of the group");
    check_has(got, "x-b: y\r\nx-z: 1\r\n", "of all responses");
    got = ask("GET /admin/deep/x");
    check_has(got, "Cache-Control: private\r\n", "of the inner group");
    CHECK(strstr(got, "Expires") == NULL, "left out");
    send_text("GET /h HTTP/1.1\r\nHost: b.example\r\n\r\n");
    check_answer(received(), 200, "b", "host");
    send_text("GET /h HTTP/1.1\r\nHost: x.c.example:80\r\n\r\n");
    check_answer(received(), 200, "c", "hosts below");
    check_answer(ask("GET /h"), 200, "all", "all others");
}

/* ---- phases ---- */

static const char phases[] =
    "local function all_of_pl(where) return function()\n"
    "  local t = pl.spawn(function() pl.sleep(0.001) return 1 end)\n"
    "  local n = {pl.all { function() return t:join() end,\n"
    "    function() pl.sleep(0.001) return 2 end }}\n"
    "  local i = pl.race { function() pl.sleep(9) end, function() end }\n"
    "  local _, err = pl.timeout(0.001, pl.sleep, 9)\n"
    "  note(where, n[1], n[2], i, err.code, pl.env('NO_SUCH', 'e'),\n"
    "    pl.json.encode{pl.json.null}, require('cjson').encode{1}) end end\n"
    "pl.on('start', all_of_pl 'start') pl.on('stop', all_of_pl 'stop')\n"
    "pl.get('/', function() all_of_pl('request')() return 'x' end)\n"
    "pl.every(0.01, all_of_pl 'timer')\n"
    "local _, err = pl.timeout(0.001, pl.sleep, 9) note('load', err.code)\n";

static void test_web__everything_works_in_every_phase(void **state)
{
    static struct pl_join_op done;
    int i;

    (void)state;
    run_ok(phases, "phases");
    check_noted("load timeout", "while it is loaded");
    commit();
    for (i = 0; i < 9; i++)
        pass(1);
    check_noted("start 1 2 2 timeout e [null] [1]", "start");
    for (i = 0; i < 6; i++)
        pass(1);
    check_noted("timer 1 2 2 timeout e [null] [1]", "timer");
    ask("GET /");
    for (i = 0; i < 4; i++)
        pass(1);
    check_answer(received(), 200, "x", "request");
    check_noted("request 1 2 2 timeout e [null] [1]", "request");
    CHECK_INT(0, pl_vm_emit(vm, "stop", &done), "stop");
    for (i = 0; i < 4; i++)
        pass(1);
    check_has(noted, "stop 1 2 2 timeout e [null] [1]", "stop");
    no_reports("phases");
}

/* ---- memory ---- */

static void test_web__steady_state_takes_no_memory_of_c(void **state)
{
    static const char *const requests[] = {
        "GET /",      "GET /both",   "GET /chain/x?a=b", "GET /json",
        "GET /error", "GET /nosuch", "GET /sleep",
    };
    uint64_t mallocs = 0;
    uint64_t threads = 0;

    (void)state;
    serve("pl.get('/', function() return 'x' end)\n"
          "pl.get('/both', function(_, res) res:header('a', 'b') end)\n"
          "pl.get('/json', function() return {1} end)\n"
          "pl.get('/error', function(req) return req:json() end)\n"
          "pl.get('/sleep', function() pl.sleep(0) return 'x' end)\n"
          "pl.group('/chain', function() pl.use(function(req, res, next) "
          "req.own = req.args.a next() res:header('c', 'd') end) "
          "pl.get('/:id', function(req) return req.own .. req.params.id end) "
          "end)");
    for (int round = 0; round < 20; round++) {
        if (round == 10) {
            mallocs = pl_loop_pool(loop)->mallocs;
            threads = pl_vm_stats(vm).threads;
        }
        for (size_t i = 0; i < PL_COUNT(requests); i++) {
            ask(requests[i]);
            pass(1);
            received();
        }
    }
    CHECK_INT(mallocs, pl_loop_pool(loop)->mallocs, "blocks of the pool");
    CHECK_INT(threads, pl_vm_stats(vm).threads, "Lua threads");
    no_reports("steady");
}

RUN_TESTS(WEB_TEST(test_web__results_become_the_response),
          WEB_TEST(test_web__what_is_wrong_is_an_error_of_that_request),
          WEB_TEST(test_web__the_request_has_all_fields),
          WEB_TEST(test_web__values_of_a_request_are_its_own),
          WEB_TEST(test_web__filters_surround_handlers),
          WEB_TEST(test_web__c_and_lua_filters_mix),
          WEB_TEST(test_bug_request_below_a_c_filter_stays_attached),
          WEB_TEST(test_web__objects_end_with_their_request),
          WEB_TEST(test_web__tasks_outlive_their_request),
          WEB_TEST(test_web__bodies_arrive_in_pieces),
          WEB_TEST(test_web__streams),
          WEB_TEST(test_web__a_broken_stream_is_cut_whatever_a_filter_does),
          WEB_TEST(test_web__writers_wait_for_readers),
          WEB_TEST(test_web__a_client_that_leaves_ends_its_task),
          WEB_TEST(test_bug_cookie_leaves_the_body_alone),
          WEB_TEST(test_web__fields_are_set_added_and_removed),
          WEB_TEST(test_web__files_are_sent),
          WEB_TEST(test_web__says_what_is_wrong_with_a_site),
          WEB_TEST(test_web__routes),
          WEB_TEST(test_web__everything_works_in_every_phase),
          WEB_TEST(test_web__steady_state_takes_no_memory_of_c))
