/* test_web_site.c - what a site says of itself, what works when, and what it
 * costs in memory. */
#include "web_world.h"

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
     "auth, body_rate, body_spool, budget, cache_control, compress, cors, "
     "csrf, expires, limit, max_body, max_form_fields, max_parts, max_upload, "
     "request_id, security_headers, session, use)"},
    {"pl.post('/', {zzz = 1}, print)",
     "pl.post: unknown option 'zzz' (there are auth, body_rate, "
     "body_spool, budget, cache_control, compress, cors, csrf, expires, "
     "limit, max_body, max_form_fields, max_parts, max_upload, request_id, "
     "security_headers, session, use)"},
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
     "pl.group: unknown option 'auht'; did you mean 'auth'? (there are auth, "
     "body_rate, "
     "body_spool, budget, cache_control, compress, cors, csrf, expires, "
     "limit, max_body, max_form_fields, max_parts, max_upload, request_id, "
     "security_headers, session, use)"},
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
    {"pl.listen {':80', mode = '1777'}",
     "pl.listen: mode must be from 0 to 0777"},
    {"pl.listen {':80', mode = 640}", "pl.listen: option 'mode' must be a "
                                      "string of octal digits like \"640\""},
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

static void test_web_site__says_what_is_wrong_with_a_site(void **state)
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

static void test_web_site__routes(void **state)
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

static void test_web_site__everything_works_in_every_phase(void **state)
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

static void test_web_site__steady_state_takes_no_memory_of_c(void **state)
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

RUN_TESTS(WEB_TEST(test_web_site__says_what_is_wrong_with_a_site),
          WEB_TEST(test_web_site__routes),
          WEB_TEST(test_web_site__everything_works_in_every_phase),
          WEB_TEST(test_web_site__steady_state_takes_no_memory_of_c))
