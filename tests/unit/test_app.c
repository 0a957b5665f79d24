/* test_app.c - a C program's application, served in this process over real
 * sockets: what perilune.h promises of it. */
#include "app_world.h"

#include <sys/un.h>

#include "base/faults.h"

/* ---- handlers ---- */

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respond(res, 200, "text/plain", pl_str_c(arg));
}

/* What the request says of itself. */
static int tell(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_builder *text = pl_builder_new(req);
    struct pl_str name, value;
    char id[PL_REQUEST_ID_LEN + 1] = "";
    uint16_t port, host_port;

#define TELL(what, s) pl_builder_addf(text, what "=%.*s\n", PL_STR_ARG(s))
    TELL("method", pl_request_method(req));
    TELL("path", pl_request_path(req));
    TELL("raw_path", pl_request_raw_path(req));
    TELL("query", pl_request_query(req));
    TELL("host", pl_request_host(req, &host_port));
    TELL("scheme", pl_request_scheme(req));
    TELL("id", pl_request_param(req, PL_STR("id")));
    TELL("rest", pl_request_param(req, PL_STR("rest")));
    TELL("arg", pl_request_arg(req, PL_STR("a")));
    TELL("cookie", pl_request_cookie(req, PL_STR("c")));
    TELL("field", pl_request_header(req, PL_STR("x-field")));
    TELL("remote", pl_request_remote(req, &port));
    for (unsigned i = 0; pl_request_header_at(req, i, &name, &value); i++)
        pl_builder_addf(text, "%u:%.*s ", i, PL_STR_ARG(name));
    pl_request_id(req, id);
    pl_builder_addf(text, "\nversion=%d port=%d host_port=%d id=%d app=%d\n",
                    pl_request_version(req), port > 0, host_port,
                    (int)strspn(id, "0123456789abcdef") >= PL_REQUEST_ID_LEN,
                    pl_request_app(req) == app);
    pl_builder_addc(text, '.');
    pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/plain"));
    return pl_response_bytes(res, pl_builder_str(text), NULL, NULL);
}

static int result(struct pl_request *req, struct pl_response *res, void *arg)
{
    return atoi(pl_request_arg(req, PL_STR("n")).data);
}

static int echo(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str body, again;
    int err = pl_request_body(req, &body);

    if (err < 0)
        return err;
    CHECK_INT(0, pl_request_body(req, &again), "twice");
    CHECK(pl_str_eq(body, again), "the same");
    return pl_respond(res, 200, "text/plain", body);
}

static int form(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str a = pl_request_form_arg(req, PL_STR("a"));

    return a.data == NULL ? 422 : pl_respond(res, 200, "text/plain", a);
}

/* Sums the bytes of a body of any length. */
static int sum(struct pl_request *req, struct pl_response *res, void *arg)
{
    unsigned char piece[1000];
    unsigned long bytes = 0, total = 0;
    ssize_t n;

    while ((n = pl_request_read(req, (char *)piece, sizeof(piece))) > 0) {
        bytes += (unsigned long)n;
        for (ssize_t i = 0; i < n; i++)
            total += piece[i];
    }
    if (n < 0)
        return (int)n;
    return pl_respondf(res, 200, "text/plain", "%lu %lu", bytes, total);
}

static int stream(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/x"));

    for (int i = 0; i < 3 && err == 0; i++) {
        struct pl_str line = pl_printf(req, "line %d\n", i);

        err = pl_response_write(res, line);
        if (err == 0)
            err = pl_response_flush(res);
        if (err == 0)
            err = pl_sleep(req, 1);
    }
    return err;
}

static int flood(struct pl_request *req, struct pl_response *res, void *arg)
{
    static const char block[10000];
    int err = 0;

    for (int i = 0; i < 80 && err == 0; i++)
        err = pl_response_write(res, pl_str(block, sizeof(block)));
    return err;
}

static int types(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)req;
    (void)arg;
    CHECK_INT(PL_ERR_INVALID, pl_respond(res, 200, "a\r\nb: c", PL_STR("x")),
              "two lines");
    return pl_respond(res, 200, "text/x-last", PL_STR("typed"));
}

static int cookie(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_cookie_options options = {.size = sizeof(options),
                                        .path = "/",
                                        .max_age = 60,
                                        .same_site = PL_SAME_SITE_STRICT,
                                        .secure = true,
                                        .http_only = true};
    struct pl_cookie_options gone = {.size = sizeof(gone), .max_age = -1};

    pl_response_cookie(res, PL_STR("a"), PL_STR("1"), &options);
    pl_response_cookie(res, PL_STR("b"), PL_STR("2"), NULL);
    pl_response_cookie(res, PL_STR("c"), PL_STR(""), &gone);
    CHECK_INT(PL_ERR_INVALID,
              pl_response_cookie(res, PL_STR("d"), PL_STR("x y"), NULL), "bad");
    return 0;
}

static int send_file(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_response_send_file(res, arg, pl_request_arg(req, PL_STR("name")));
}

static int move(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_response_redirect(res, PL_STR("/there?x=1"), 308);
}

static int teapot(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respond_error(res, 418, "no coffee");
}

static int bad_field(struct pl_request *req, struct pl_response *res, void *arg)
{
    CHECK_INT(PL_ERR_INVALID,
              pl_response_set(res, PL_STR("X"), PL_STR("a\r\nb")), "CR LF");
    CHECK_INT(PL_ERR_DENIED,
              pl_response_set(res, PL_STR("Connection"), PL_STR("close")),
              "framing");
    pl_response_add(res, PL_STR("X-Two"), PL_STR("1"));
    pl_response_add(res, PL_STR("X-Two"), PL_STR("2"));
    CHECK_STR("1", pl_response_get(res, PL_STR("x-two")), "get");
    return pl_response_status(res, 201);
}

static int run_filter(struct pl_request *req, struct pl_response *res,
                      const struct pl_next *next, void *arg)
{
    int err;

    if (pl_request_arg(req, PL_STR("stop")).data != NULL)
        return pl_respond(res, 403, "text/plain", PL_STR("stopped"));
    err = pl_next(req, next);
    pl_response_add(res, PL_STR("X-Filter"), pl_str_c(arg));
    return err;
}

/* ---- the application of most tests ---- */

static int make_app(void **state)
{
    (void)state;
    app = pl_app_new();
    CHECK(app != NULL, "app");
    pl_app_set(app, "workers", "2");
    pl_app_set(app, "max_body", "1k");
    pl_app_set_header(app, "X-Every", "one");
    pl_app_get(app, "/hello", hello, (void *)"hello");
    pl_app_post(app, "/hello", hello, (void *)"posted");
    pl_app_put(app, "/m", hello, (void *)"put");
    pl_app_patch(app, "/m", hello, (void *)"patch");
    pl_app_delete(app, "/m", hello, (void *)"delete");
    pl_app_head(app, "/m", hello, (void *)"head");
    pl_app_options(app, "/m", hello, (void *)"options");
    pl_app_any(app, "/any", hello, (void *)"any");
    pl_app_route(app, "GET  PUT", "/two", hello, (void *)"two");
    pl_app_get(app, "/tell/:id/*rest", tell, NULL);
    pl_app_get(app, "/result", result, NULL);
    pl_app_post(app, "/echo", echo, NULL);
    pl_app_post(app, "/form", form, NULL);
    pl_app_post(app, "/sum", sum, NULL);
    pl_app_get(app, "/stream", stream, NULL);
    pl_app_get(app, "/flood", flood, NULL);
    pl_app_get(app, "/types", types, NULL);
    pl_app_get(app, "/cookie", cookie, NULL);
    pl_app_get(app, "/file", send_file, (void *)"/etc");
    pl_app_get(app, "/anyfile", send_file, NULL);
    pl_app_get(app, "/nowhere", send_file, (void *)"/nowhere/at/all");
    pl_app_get(app, "/move", move, NULL);
    pl_app_get(app, "/teapot", teapot, NULL);
    pl_app_get(app, "/fields", bad_field, NULL);
    pl_app_static(app, "/etc", "/etc", NULL);
    pl_app_group_begin(app, "/group");
    pl_app_use(app, run_filter, (void *)"outer");
    pl_app_get(app, "/a", hello, (void *)"grouped");
    pl_app_group_begin(app, "/deep");
    pl_app_use(app, run_filter, (void *)"inner");
    pl_app_get(app, "/b", hello, (void *)"deep");
    pl_app_group_end(app);
    pl_app_group_end(app);
    pl_app_host_begin(app, "a.example");
    pl_app_get(app, "/host", hello, (void *)"of a.example");
    pl_app_host_end(app);
    pl_app_host_begin(app, "b.example");
    pl_app_get(app, "/host", hello, (void *)"of b.example");
    pl_app_host_end(app);
    CHECK_STR("", pl_str_c(pl_app_error(app)), "error");
    start_app();
    return 0;
}

static int end_app(void **state)
{
    (void)state;
    stop_app();
    return 0;
}

static void test_app__routes_by_method(void **state)
{
    static const struct {
        const char *method, *target;
        int status;
        const char *body;
    } cases[] = {
        {"GET", "/hello", 200, "hello"},
        {"POST", "/hello", 200, "posted"},
        {"PUT", "/m", 200, "put"},
        {"PATCH", "/m", 200, "patch"},
        {"DELETE", "/m", 200, "delete"},
        {"HEAD", "/m", 200, ""},
        {"OPTIONS", "/m", 200, "options"},
        {"GET", "/m", 405, NULL},
        {"TRACE", "/any", 200, "any"},
        {"GET", "/any", 200, "any"},
        {"PUT", "/two", 200, "two"},
        {"POST", "/two", 405, NULL},
        {"GET", "/none", 404, NULL},
        {"GET", "/host", 200, "of a.example"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        ask(cases[i].method, cases[i].target, "", "");
        CHECK_INT(cases[i].status, status_of(answer), cases[i].target);
        if (cases[i].body != NULL)
            CHECK_STR(cases[i].body, body_of(answer), cases[i].target);
        check_line("X-Every: one", cases[i].target);
    }
}

static void test_app__tells_all_of_a_request(void **state)
{
    (void)state;
    ask("GET", "/tell/4%322/x%20y/z?a=%41&b",
        "X-Field: 1\r\nX-FIELD: 2\r\nCookie: c=3\r\n", "");
    CHECK_STR("method=GET\npath=/tell/422/x y/z\nraw_path=/tell/4%322/x%20y/z\n"
              "query=a=%41&b\nhost=a.example\nscheme=http\nid=422\n"
              "rest=x y/z\narg=A\ncookie=3\nfield=1, 2\nremote=127.0.0.1\n"
              "0:Host 1:Connection 2:Content-Length 3:X-Field 4:X-FIELD "
              "5:Cookie \nversion=11 port=1 host_port=80 id=1 app=1\n.",
              body_of(answer), "all");
}

static void test_app__results_become_statuses(void **state)
{
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        {"/result?n=0", 200},   {"/result?n=204", 204}, {"/result?n=404", 404},
        {"/result?n=599", 599}, {"/result?n=-3", 413},  {"/result?n=-11", 403},
        {"/result?n=-4", 503},  {"/teapot", 418},       {"/fields", 201},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++)
        CHECK_INT(cases[i].status,
                  status_of(ask("GET", cases[i].target, "", "")),
                  cases[i].target);
    check_line("X-Two: 1\r\nX-Two: 2", "both");
    CHECK(strstr(ask("GET", "/teapot", "", ""), "no coffee") != NULL, "detail");
    CHECK_INT(308, status_of(ask("GET", "/move", "", "")), "redirect");
    check_line("Location: /there?x=1", "redirect");
}

static void test_app__reads_bodies(void **state)
{
    static char big[500000];
    char want[64];

    (void)state;
    CHECK_STR("some text", body_of(ask("POST", "/echo", "", "some text")),
              "echo");
    CHECK_STR("", body_of(ask("POST", "/echo", "", "")), "empty");
    memset(big, 'a', 2000);
    CHECK_INT(413, status_of(ask("POST", "/echo", "", big)), "max_body");
    memset(big, 'a', sizeof(big) - 1);
    snprintf(want, sizeof(want), "%zu %zu", sizeof(big) - 1,
             'a' * (sizeof(big) - 1));
    CHECK_STR(want, body_of(ask("POST", "/sum", "", big)), "sum");
    CHECK_STR("x y",
              body_of(ask("POST", "/form",
                          "Content-Type: "
                          "application/x-www-form-urlencoded\r\n",
                          "b=1&a=x+%79")),
              "form");
    CHECK_INT(
        422, status_of(ask("POST", "/form", "Content-Type: text/x\r\n", "a=1")),
        "no form");
}

static void test_app__writes_streams(void **state)
{
    (void)state;
    ask("GET", "/stream", "", "");
    check_line("Transfer-Encoding: chunked", "stream");
    CHECK_STR("7\r\nline 0\n\r\n7\r\nline 1\n\r\n7\r\nline 2\n\r\n0\r\n\r\n",
              body_of(answer), "stream");
    ask("GET", "/flood", "", "");
    CHECK(answer_len > 800000, "flood");
    CHECK_INT(0, memcmp("0\r\n\r\n", answer + answer_len - 5, 5), "whole");
}

static void test_app__checks_the_type_of_an_answer(void **state)
{
    (void)state;
    ask("GET", "/types", "", "");
    check_line("Content-Type: text/x-last", "the last one that is good");
    CHECK_STR("typed", body_of(answer), "body");
}

static void test_app__sets_cookies(void **state)
{
    (void)state;
    ask("GET", "/cookie", "", "");
    check_line("Set-Cookie: a=1; Path=/; Max-Age=60; SameSite=Strict; Secure; "
               "HttpOnly",
               "all options");
    check_line("Set-Cookie: b=2", "none");
    check_line("Set-Cookie: c=; Max-Age=0", "deleted");
    CHECK(strstr(answer, "d=") == NULL, "refused");
}

static void test_app__sends_files(void **state)
{
    (void)state;
    CHECK_INT(200, status_of(ask("GET", "/file?name=passwd", "", "")), "file");
    CHECK(strstr(answer, "root:") != NULL, "file");
    CHECK_INT(404, status_of(ask("GET", "/file?name=../etc/passwd", "", "")),
              "..");
    CHECK_INT(404, status_of(ask("GET", "/nowhere?name=x", "", "")), "no root");
    CHECK_INT(200,
              status_of(ask("GET", "/anyfile?name=/etc/../etc/passwd", "", "")),
              "the program's choice");
    CHECK_INT(200, status_of(ask("GET", "/etc/passwd", "", "")), "static");
    CHECK_INT(301, status_of(ask("GET", "/etc", "", "")), "static folder");
}

static void test_app__filters_surround_their_group(void **state)
{
    (void)state;
    check_body("grouped", "/group/a");
    check_line("X-Filter: outer", "outer");
    CHECK(strstr(answer, "inner") == NULL, "only outer");
    check_body("deep", "/group/deep/b");
    check_line("X-Filter: inner\r\nX-Filter: outer", "inside out");
    check_body("stopped", "/group/a?stop=1");
    CHECK(strstr(ask("GET", "/hello", "", ""), "X-Filter") == NULL, "outside");
}

static void test_app__is_fixed_while_it_runs(void **state)
{
    (void)state;
    CHECK_INT(PL_ERR_STATE, pl_app_get(app, "/late", hello, NULL), "route");
    CHECK_INT(PL_ERR_STATE, pl_app_set(app, "workers", "1"), "set");
    CHECK_INT(PL_ERR_STATE, pl_app_listen(app, ":0"), "listen");
    CHECK_INT(PL_ERR_STATE, pl_app_group_begin(app, "/g"), "group");
    CHECK_INT(1, pl_app_run(app), "run");
    CHECK(pl_cache_new(app, NULL) == NULL, "cache");
    CHECK_STR("", pl_str_c(pl_app_error(app)), "not a failure of it");
}

/* ---- before and after ---- */

static void test_app__refuses_to_run_after_a_failure(void **state)
{
    static const struct {
        const char *what, *says;
    } cases[] = {
        {"pattern", "pl_app_get(\"no-slash\")"},
        {"method", "pl_app_route(\"GET get\")"},
        {"setting", "pl_app_set(\"max_bdy\")"},
        {"own setting", "pl_app_set(\"signals\")"},
        {"folder", "pl_app_static(\"/x\")"},
        {"end", "pl_app_group_end"},
        {"open", "pl_app_run"},
        {"host", "pl_app_host_begin(\"a b\")"},
        {"wrong end", "pl_app_host_end"},
        {"header", "pl_app_set_header(\"Connection\")"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        app = pl_app_new();
        switch (i) {
        case 0:
            pl_app_get(app, "no-slash", hello, NULL);
            pl_app_get(app, "nor-this", hello, NULL); /* the first counts */
            break;
        case 1:
            pl_app_route(app, "GET get", "/", hello, NULL);
            break;
        case 2:
            pl_app_set(app, "max_bdy", "1m");
            break;
        case 3:
            pl_app_set(app, "signals", "perhaps");
            break;
        case 4:
            pl_app_static(app, "/x", "/nowhere/at/all", NULL);
            break;
        case 5:
            pl_app_group_end(app);
            break;
        case 6:
            pl_app_group_begin(app, "/x");
            break;
        case 7:
            pl_app_host_begin(app, "a b");
            break;
        case 8:
            pl_app_group_begin(app, "/x");
            pl_app_host_end(app);
            break;
        default:
            pl_app_set_header(app, "Connection", "close");
        }
        CHECK_INT(3, pl_app_run(app), cases[i].what);
        if (strstr(pl_app_error(app), cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].what, pl_app_error(app));
        pl_app_free(app);
    }
}

static void test_app__says_that_an_address_is_taken(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char address[32];

    (void)state;
    CHECK_INT(0, bind(fd, (struct sockaddr *)&addr, len), "bind");
    CHECK_INT(0, listen(fd, 1), "listen");
    CHECK_INT(0, getsockname(fd, (struct sockaddr *)&addr, &len), "port");
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(addr.sin_port));
    app = pl_app_new();
    pl_app_listen(app, address);
    CHECK_INT(4, pl_app_run(app), "taken");
    pl_app_free(app);
    close(fd);
}

static void test_app__runs_one_at_a_time(void **state)
{
    struct pl_app *second = pl_app_new();

    (void)state;
    app = pl_app_new();
    start_app();
    CHECK_INT(1, pl_app_run(second), "while another one runs");
    stop_app();
    pl_app_stop(second);
    CHECK_INT(0, pl_app_run(second), "afterwards");
    pl_app_free(second);
}

static void test_app__can_be_stopped_before_it_runs(void **state)
{
    (void)state;
    app = pl_app_new();
    pl_app_listen(app, "127.0.0.1:0");
    pl_app_stop(app);
    CHECK_INT(0, pl_app_run(app), "exit code");
    pl_app_free(app);
    pl_app_free(NULL);
}

static int stop_itself(struct pl_request *req, struct pl_response *res,
                       void *arg)
{
    pl_app_stop(pl_request_app(req));
    return pl_respond(res, 200, "text/plain", PL_STR("last words"));
}

static void test_app__can_be_stopped_by_a_handler(void **state)
{
    (void)state;
    app = pl_app_new();
    pl_app_get(app, "/stop", stop_itself, NULL);
    start_app();
    check_body("last words", "/stop");
    pthread_join(runner, NULL);
    CHECK_INT(0, exit_code, "exit code");
    pl_app_free(app);
}

/* Sends the same request n times on one connection. */
static void ask_often(int fd, int n)
{
    static const char head[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    char got[1024];

    while (n-- > 0) {
        send_all(fd, head, sizeof(head) - 1);
        CHECK(recv(fd, got, sizeof(got), 0) > 0, "answer");
    }
}

static void test_app__requests_need_no_malloc(void **state)
{
    int fd = open_conn();

    (void)state;
    ask_often(fd, 50);
    pl_faults_reset();
    ask_often(fd, 200);
    CHECK_INT(0, pl_faults_count(PL_SYS_malloc), "mallocs");
    close(fd);
}

static void test_app__listens_on_unix_sockets(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/perilune-app-XXXXXX", address[128];
    static const char head[] = "GET /hello HTTP/1.0\r\n\r\n";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    CHECK(mkdtemp(folder) != NULL, "folder");
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", folder);
    snprintf(address, sizeof(address), "unix:%s", addr.sun_path);
    app = pl_app_new();
    pl_app_get(app, "/hello", hello, (void *)"by path");
    pl_app_listen(app, address);
    start_app();
    CHECK_INT(0, pl_app_port(app), "no port");
    CHECK_INT(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
              "connect");
    send_all(fd, head, sizeof(head) - 1);
    CHECK_STR("by path", body_of(read_answer(fd)), "answer");
    stop_app();
    CHECK_INT(0, rmdir(folder), "the socket is gone");
}

static void count(void *state)
{
    ++*(int *)state;
}

static void test_app__frees_its_state(void **state)
{
    int first = 0, second = 0;

    (void)state;
    app = pl_app_new();
    pl_app_set_state(app, &first, count);
    CHECK(pl_app_state(app) == &first, "state");
    pl_app_set_state(app, &second, count);
    CHECK_INT(1, first, "replaced");
    pl_app_free(app);
    CHECK_INT(1, second, "freed");
}

/* A caller that was compiled when the options ended earlier. */
static void test_app__takes_shorter_options(void **state)
{
    struct pl_app_static_options options = {
        .size = offsetof(struct pl_app_static_options, expires),
        .index = "none",
        .expires = "not read",
    };

    (void)state;
    app = pl_app_new();
    CHECK_INT(0, pl_app_static(app, "/", "/etc", &options), "short");
    options.size = sizeof(options);
    CHECK_INT(PL_ERR_INVALID, pl_app_static(app, "/x", "/etc", &options),
              "whole");
    pl_app_free(app);
}

static void stop_at_once(struct pl_app *self, void *arg)
{
    pl_app_stop(self);
}

/* Whichever call fails while it starts: it says so and leaves nothing. */
static void start_and_stop(void)
{
    struct pl_cache_options options = {.size = sizeof(options)};
    int code;

    app = pl_app_new();
    if (app == NULL) {
        CHECK(pl_faults_hit(), "new");
        return;
    }
    if (pl_cache_new(app, &options) == NULL)
        CHECK(pl_faults_hit(), "cache");
    pl_app_set(app, "workers", "2");
    pl_app_set_header(app, "X-Every", "one");
    pl_app_host_begin(app, "a.example");
    pl_app_use(app, run_filter, NULL);
    pl_app_get(app, "/", hello, NULL);
    pl_app_static(app, "/etc", "/etc", NULL);
    if (pl_app_host_end(app) < 0)
        CHECK(pl_faults_hit(), "host");
    pl_app_listen(app, "127.0.0.1:0");
    pl_app_on_start(app, stop_at_once, NULL);
    code = pl_app_run(app);
    CHECK(code == 0 || pl_faults_hit(), pl_app_error(app));
    pl_app_free(app);
}

static void test_app__survives_failing_calls(void **state)
{
    static const struct {
        enum pl_sys_call call;
        int error;
    } faults[] = {
        {PL_SYS_malloc, ENOMEM},     {PL_SYS_eventfd, EMFILE},
        {PL_SYS_socket, EMFILE},     {PL_SYS_bind, EACCES},
        {PL_SYS_listen, EADDRINUSE}, {PL_SYS_epoll_create1, EMFILE},
        {PL_SYS_epoll_ctl, ENOSPC},  {PL_SYS_open, EMFILE},
        {PL_SYS_thread, EAGAIN},     {PL_SYS_mmap, ENOMEM},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++)
        FOR_EACH_FAULT (faults[i].call, faults[i].error) {
            start_and_stop();
        }
    pl_faults_reset();
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, make_app, end_app)

RUN_TESTS(SERVED(test_app__routes_by_method),
          SERVED(test_app__tells_all_of_a_request),
          SERVED(test_app__results_become_statuses),
          SERVED(test_app__reads_bodies), SERVED(test_app__writes_streams),
          SERVED(test_app__checks_the_type_of_an_answer),
          SERVED(test_app__sets_cookies), SERVED(test_app__sends_files),
          SERVED(test_app__filters_surround_their_group),
          SERVED(test_app__is_fixed_while_it_runs),
          SERVED(test_app__requests_need_no_malloc),
          cmocka_unit_test(test_app__listens_on_unix_sockets),
          cmocka_unit_test(test_app__refuses_to_run_after_a_failure),
          cmocka_unit_test(test_app__says_that_an_address_is_taken),
          cmocka_unit_test(test_app__runs_one_at_a_time),
          cmocka_unit_test(test_app__can_be_stopped_before_it_runs),
          cmocka_unit_test(test_app__can_be_stopped_by_a_handler),
          cmocka_unit_test(test_app__frees_its_state),
          cmocka_unit_test(test_app__takes_shorter_options),
          cmocka_unit_test(test_app__survives_failing_calls))
