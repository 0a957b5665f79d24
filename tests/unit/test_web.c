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
    {"a cancelled task is joined",
     "pl.get('/', function() local t = pl.spawn(pl.sleep, 9) pl.sleep(0.001) "
     "t:cancel() t:join() end)",
     "", 500, "500 Internal Server Error\n"},
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

static void test_web__a_request_below_a_c_filter_ends_too(void **state)
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

RUN_TESTS(WEB_TEST(test_web__results_become_the_response),
          WEB_TEST(test_web__what_is_wrong_is_an_error_of_that_request),
          WEB_TEST(test_web__the_request_has_all_fields),
          WEB_TEST(test_web__values_of_a_request_are_its_own),
          WEB_TEST(test_web__filters_surround_handlers),
          WEB_TEST(test_web__c_and_lua_filters_mix),
          WEB_TEST(test_web__a_request_below_a_c_filter_ends_too),
          WEB_TEST(test_web__objects_end_with_their_request),
          WEB_TEST(test_web__tasks_outlive_their_request))
