/* test_app_upstream.c - requests sent on to others, as C programs ask for it:
 * over HTTP and over FastCGI, to a thread of this process that answers all of
 * them alike. */
#include "app_world.h"

#include "base/faults.h"
#include "fcgi/record.h"

/* ---- who answers ---- */

static struct back {
    int door;
    char address[64];
    pthread_t thread;
    const char *end; /* of a request */
    size_t end_len;
    const char *say;
    size_t say_len;
    char asked[1 << 16]; /* the last request */
    size_t asked_len;
} back;

/* One connection, up to its end. */
static void serve(int fd)
{
    ssize_t n;

    back.asked_len = 0;
    while ((n = recv(fd, back.asked + back.asked_len,
                     sizeof(back.asked) - back.asked_len, 0)) > 0) {
        back.asked_len += (size_t)n;
        if (back.asked_len < back.end_len ||
            memcmp(back.asked + back.asked_len - back.end_len, back.end,
                   back.end_len) != 0)
            continue;
        send_all(fd, back.say, back.say_len);
        back.asked_len = 0;
    }
    close(fd);
}

static void *run_back(void *arg)
{
    int fd;

    (void)arg;
    while ((fd = accept(back.door, NULL, NULL)) >= 0)
        serve(fd);
    return NULL;
}

static void start_back(const char *form, struct pl_str end, struct pl_str say)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);

    back = (struct back){.end = end.data,
                         .end_len = end.len,
                         .say = say.data,
                         .say_len = say.len};
    back.door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(0, bind(back.door, (struct sockaddr *)&addr, len), "bind");
    CHECK_INT(0, listen(back.door, 8), "listen");
    CHECK_INT(0, getsockname(back.door, (struct sockaddr *)&addr, &len),
              "address");
    snprintf(back.address, sizeof(back.address), form, ntohs(addr.sin_port));
    CHECK_INT(0, pthread_create(&back.thread, NULL, run_back, NULL), "thread");
}

static void stop_back(void)
{
    shutdown(back.door, SHUT_RDWR);
    pthread_join(back.thread, NULL);
    close(back.door);
}

static bool was_asked(const char *text)
{
    return memmem(back.asked, sizeof(back.asked), text, strlen(text)) != NULL;
}

static void ask_often(int fd, int n)
{
    static const char head[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    char got[1000];

    while (n-- > 0) {
        send_all(fd, head, sizeof(head) - 1);
        CHECK(recv(fd, got, sizeof(got), 0) > 0, "answer");
    }
}

/* Neither server needs memory of malloc once it is warm. */
static void check_mallocs(void)
{
    int fd = open_conn();

    ask_often(fd, 50);
    pl_faults_reset();
    ask_often(fd, 200);
    CHECK_INT(0, pl_faults_count(PL_SYS_malloc), "mallocs");
    close(fd);
}

/* ---- HTTP ---- */

static void test_app__sends_on_over_http(void **state)
{
    const struct pl_proxy_server server = {.url = back.address};
    const struct pl_proxy_options options = {.size = sizeof(options),
                                             .servers = &server,
                                             .nservers = 1,
                                             .strip = true};

    (void)state;
    start_back("http://127.0.0.1:%d", PL_STR("\r\n\r\n"),
               PL_STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                      "X-Back: yes\r\n\r\nhello"));
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    CHECK_INT(0, pl_app_proxy(app, "/x", &options), pl_app_error(app));
    start_app();
    check_body("hello", "/x/y");
    check_line("X-Back: yes", "field");
    CHECK(was_asked("GET /y HTTP/1.1\r\n"), "path");
    check_mallocs();
    stop_app();
    stop_back();
}

/* ---- FastCGI ---- */

static struct pl_str fcgi_answer(char *out)
{
    static const char text[] = "Status: 201 Made\r\nX-Back: yes\r\n"
                               "Content-Length: 5\r\n\r\nhello";
    char *at = pl_fcgi_put_head(out, PL_FCGI_STDOUT, 1, sizeof(text) - 1);

    at = mempcpy(at, text, sizeof(text) - 1);
    at = pl_fcgi_put_end(at, 1, 0, PL_FCGI_REQUEST_COMPLETE);
    return pl_str(out, (size_t)(at - out));
}

static void test_app__sends_on_over_fastcgi(void **state)
{
    const struct pl_proxy_server server = {.url = back.address};
    const struct pl_pair params[] = {
        {PL_STR("APP"), PL_STR("mine")},
        {PL_STR("SERVER_SOFTWARE"), {NULL, 0}},
    };
    const struct pl_fastcgi_options options = {.size = sizeof(options),
                                               .servers = &server,
                                               .nservers = 1,
                                               .params = params,
                                               .nparams = 2,
                                               .keepalive = 4};
    static char bytes[512];

    (void)state;
    start_back("127.0.0.1:%d", PL_STR("\1\5\0\1\0\0\0\0"), fcgi_answer(bytes));
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    CHECK_INT(0, pl_app_fastcgi(app, "/x", &options), pl_app_error(app));
    start_app();
    CHECK_INT(201, status_of(ask("POST", "/x/y", "X-Own: 1\r\n", "body")),
              "status");
    CHECK_STR("hello", body_of(answer), "body");
    check_line("X-Back: yes", "field");
    CHECK(was_asked("\x09\2PATH_INFO/y"), "path");
    CHECK(was_asked("\3\4APPmine"), "own variable");
    CHECK(was_asked("\x0a\1HTTP_X_OWN1"), "field");
    CHECK(!was_asked("SERVER_SOFTWARE"), "taken out");
    CHECK(was_asked("\1\5\0\1\0\4\0\0body"), "body");
    check_mallocs();
    stop_app();
    stop_back();
}

static const struct {
    const char *what;
    struct pl_fastcgi_options options;
} mistakes[] = {
    {"no server", {.nservers = 0}},
    {"a URL", {.nservers = 1, .root = NULL, .balance = "what"}},
    {"no folder", {.nservers = 1, .root = "/no/such/folder"}},
    {"files of nowhere", {.nservers = 1, .files = true}},
    {"a fallback that is no script",
     {.nservers = 1, .root = "/", .fallback = "x.html"}},
    {"links", {.nservers = 1, .root = "/", .symlinks = "perhaps"}},
    {"a prefix for nothing", {.nservers = 1, .sendfile_prefix = "/x"}},
};

static void test_app__refuses_what_makes_no_sense(void **state)
{
    const struct pl_proxy_server server = {.url = "127.0.0.1:9000"};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(mistakes); i++) {
        struct pl_fastcgi_options options = mistakes[i].options;

        options.size = sizeof(options);
        options.servers = &server;
        app = pl_app_new();
        CHECK(pl_app_fastcgi(app, "/", &options) < 0, mistakes[i].what);
        CHECK(strstr(pl_app_error(app), "pl_app_fastcgi(\"/\"): ") != NULL,
              pl_app_error(app));
        pl_app_free(app);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app__sends_on_over_http),
        cmocka_unit_test(test_app__sends_on_over_fastcgi),
        cmocka_unit_test(test_app__refuses_what_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
