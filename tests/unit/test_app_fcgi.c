/* test_app_fcgi.c - a C program behind a web server: what its handlers see, and
 * what they log. */
#include "app_world.h"

#include "fcgi/record.h"

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str script = pl_request_env(req, PL_STR("SCRIPT_FILENAME"));
    struct pl_str none = pl_request_env(req, PL_STR("NOTHING"));
    struct pl_str name, value;
    unsigned n = 0;

    (void)arg;
    while (pl_request_env_at(req, n, &name, &value))
        n++;
    pl_app_log(PL_LOG_INFO, "all is well");
    pl_app_log(PL_LOG_WARN, "careful: %d", 7);
    return pl_respondf(res, 200, "text/plain", "%.*s %d %u", PL_STR_ARG(script),
                       none.data != NULL, n);
}

/* A whole request on a connection that is not kept. */
static size_t put_request(char *out)
{
    static const struct pl_str params[][2] = {
        {{"REQUEST_METHOD", 14}, {"GET", 3}},
        {{"SCRIPT_FILENAME", 15}, {"/srv/a.lua", 10}},
        {{"REQUEST_URI", 11}, {"/show", 5}},
    };
    char *at = pl_fcgi_put_begin(out, 1, PL_FCGI_RESPONDER, 0), *head = at;

    at += PL_FCGI_HEAD;
    for (size_t i = 0; i < PL_COUNT(params); i++)
        at = pl_fcgi_put_pair(at, params[i][0], params[i][1]);
    pl_fcgi_put_head(head, PL_FCGI_PARAMS, 1,
                     (size_t)(at - head) - PL_FCGI_HEAD);
    at = pl_fcgi_put_head(at, PL_FCGI_PARAMS, 1, 0);
    return (size_t)(pl_fcgi_put_head(at, PL_FCGI_STDIN, 1, 0) - out);
}

static void read_all(int fd)
{
    ssize_t n;

    answer_len = 0;
    while ((n = recv(fd, answer + answer_len, sizeof(answer) - answer_len, 0)) >
           0)
        answer_len += (size_t)n;
}

/* What has come on a stream, in out. */
static struct pl_str stream(enum pl_fcgi_type type, char *out)
{
    struct pl_str rest = pl_str(answer, answer_len);
    struct pl_fcgi_record record;
    size_t len = 0;

    while (rest.len >= PL_FCGI_HEAD) {
        pl_fcgi_record_read(&record, rest.data);
        rest = pl_str_skip(rest, PL_FCGI_HEAD);
        CHECK(rest.len >= record.length, "whole");
        if (record.type == type) {
            memcpy(out + len, rest.data, record.length);
            len += record.length;
        }
        rest = pl_str_skip(rest, (size_t)record.length + record.padding);
    }
    return pl_str(out, len);
}

static void test_app_fcgi__a_request(void **state)
{
    const struct pl_app_listen_options options = {.size = sizeof(options),
                                                  .protocol = "fastcgi"};
    char bytes[1024], out[1024], head[] = "Status: 200 OK\r\n";
    int fd;

    (void)state;
    app = pl_app_new();
    pl_app_get(app, "/show", show, NULL);
    start_app_with(&options);
    fd = open_conn();
    send_all(fd, bytes, put_request(bytes));
    read_all(fd);
    close(fd);
    stop_app();
    CHECK(pl_str_starts(stream(PL_FCGI_STDOUT, out), pl_str_c(head)), "head");
    CHECK(pl_str_ends(stream(PL_FCGI_STDOUT, out), PL_STR("/srv/a.lua 0 4")),
          "its variables, and its role");
    CHECK_STR("careful: 7\n", stream(PL_FCGI_STDERR, out),
              "what it has logged");
}

RUN_TESTS(cmocka_unit_test(test_app_fcgi__a_request))
