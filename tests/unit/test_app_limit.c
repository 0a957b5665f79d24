/* test_app_limit.c - limits of clients in C programs. */
#include "app_world.h"

#include <sched.h>

#include "base/error.h"

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respond(res, 200, "text/plain", PL_STR("hello"));
}

static void get_expecting(int status, const char *path, const char *fields)
{
    CHECK_INT(status, status_of(ask("GET", path, fields, "")), path);
}

static void test_app_limit__lets_each_client_have_so_much(void **state)
{
    const struct pl_limit_options few = {.size = sizeof(few),
                                         .rate = "2/h",
                                         .message = "come tomorrow"},
                                  by_key = {.size = sizeof(by_key),
                                            .rate = "1/h",
                                            .status = 503,
                                            .key = "header:X-Key"},
                                  staff = {.size = sizeof(staff),
                                           .rate = "1/h",
                                           .allow = "127.0.0.0/8"};

    app = pl_app_new();
    pl_app_set(app, "workers", "2");
    pl_app_group_begin(app, "/staff");
    CHECK_INT(0, pl_app_limit(app, &staff), "allow");
    pl_app_get(app, "/a", hello, NULL);
    pl_app_group_end(app);
    pl_app_group_begin(app, "/key");
    CHECK_INT(0, pl_app_limit(app, &by_key), "key");
    pl_app_get(app, "/a", hello, NULL);
    pl_app_group_end(app);
    CHECK_INT(0, pl_app_limit(app, &few), "rate");
    pl_app_get(app, "/a", hello, NULL);
    start_app();
    CHECK_INT(PL_ERR_STATE, pl_app_limit(app, &few), "it runs");
    get_expecting(200, "/a", "");
    get_expecting(200, "/a", "");
    get_expecting(429, "/a", "");
    check_line("Retry-After: 1800", "in half an hour");
    CHECK(strstr(answer, "come tomorrow") != NULL, answer);
    for (int i = 0; i < 3; i++)
        get_expecting(200, "/staff/a", "");
    get_expecting(200, "/key/a", "X-Key: a\r\n");
    get_expecting(200, "/key/a", "X-Key: b\r\n");
    get_expecting(200, "/key/a", ""); /* by its address */
    get_expecting(503, "/key/a", "X-Key: a\r\n");
    check_line("Retry-After: 3600", "in an hour");
    get_expecting(503, "/key/a", "");
    stop_app();
}

static struct pl_str who(struct pl_request *req, void *arg)
{
    CHECK_STR("context", pl_str_c(arg), "arg");
    return pl_request_param(req, PL_STR("who"));
}

static void test_app_limit__goes_by_what_a_function_says(void **state)
{
    const struct pl_limit_options options = {.size = sizeof(options),
                                             .rate = "1/h",
                                             .key_of = who,
                                             .arg = "context"};

    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    CHECK_INT(0, pl_app_limit(app, &options), "function");
    pl_app_get(app, "/:who", hello, NULL);
    pl_app_get(app, "/", hello, NULL);
    start_app();
    get_expecting(200, "/ada", "");
    get_expecting(200, "/bob", "");
    get_expecting(429, "/ada", "");
    get_expecting(200, "/", "");
    get_expecting(200, "/", ""); /* nobody: not limited */
    stop_app();
}

/* ---- at a time ---- */

static atomic_bool open_now;
static atomic_int holding;

static int hold(struct pl_request *req, struct pl_response *res, void *arg)
{
    atomic_fetch_add(&holding, 1);
    while (!atomic_load(&open_now))
        pl_sleep(req, 1);
    return pl_respond(res, 200, "text/plain", PL_STR("held"));
}

static int send_request(const char *path)
{
    char head[200];
    int fd = open_conn();
    int n = snprintf(head, sizeof(head),
                     "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                     path);

    send_all(fd, head, (size_t)n);
    return fd;
}

static void test_app_limit__counts_requests_at_a_time(void **state)
{
    const struct pl_limit_options two = {.size = sizeof(two), .concurrent = 2};
    int held[2], status;

    app = pl_app_new();
    pl_app_set(app, "workers", "2");
    CHECK_INT(0, pl_app_limit(app, &two), "concurrent");
    pl_app_get(app, "/hold", hold, NULL);
    pl_app_get(app, "/a", hello, NULL);
    start_app();
    for (int i = 0; i < 2; i++) {
        held[i] = send_request("/hold");
        while (atomic_load(&holding) <= i)
            sched_yield();
    }
    get_expecting(429, "/a", "");
    check_line("Retry-After: 1", "a third one");
    atomic_store(&open_now, true);
    for (int i = 0; i < 2; i++)
        CHECK_INT(200, status_of(read_answer(held[i])), "held");
    while ((status = status_of(ask("GET", "/a", "", ""))) == 429)
        continue; /* until both are over */
    CHECK_INT(200, status, "there is room again");
    stop_app();
}

/* ---- waiting ---- */

/* A client that goes while it waits leaves nothing behind (run under ASan); one
 * that stays is answered. */
static void test_app_limit__lets_wait_for_a_token(void **state)
{
    const struct pl_limit_options slow = {.size = sizeof(slow),
                                          .rate = "1/50ms",
                                          .delay = "1h"},
                                  never = {.size = sizeof(never),
                                           .rate = "1/h",
                                           .delay = "10h"};
    int fd;

    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    pl_app_group_begin(app, "/never");
    pl_app_limit(app, &never);
    pl_app_get(app, "/a", hello, NULL);
    pl_app_group_end(app);
    CHECK_INT(0, pl_app_limit(app, &slow), "delay");
    pl_app_get(app, "/a", hello, NULL);
    start_app();
    for (int i = 0; i < 4; i++)
        get_expecting(200, "/a", "");
    get_expecting(200, "/never/a", "");
    fd = send_request("/never/a");
    get_expecting(200, "/a", "");
    close(fd);
    fd = send_request("/never/a"); /* waits still when the server stops */
    get_expecting(200, "/a", "");
    pl_app_stop(app);
    pl_app_stop(app);
    close(fd);
    pthread_join(runner, NULL);
    pl_app_free(app);
}

/* ---- what is wrong ---- */

static void refuse(const struct pl_limit_options *options, const char *why)
{
    app = pl_app_new();
    CHECK(pl_app_limit(app, options) < 0, why);
    if (strstr(pl_app_error(app), why) == NULL)
        fail_msg("no \"%s\" in \"%s\"", why, pl_app_error(app));
    pl_app_free(app);
}

#define REFUSE(why, ...)                                                       \
    refuse(                                                                    \
        &(const struct pl_limit_options){                                      \
            .size = sizeof(struct pl_limit_options), __VA_ARGS__},             \
        why)

static void test_app_limit__refuses_what_is_wrong(void **state)
{
    static const char *const rates[] = {
        "",     "10",   "/s",        "0/s",          "-1/s", "1/",
        "1/x",  "1/0s", "1.5/s",     "10/s/",        "a/s",  "1/900d",
        "2/1y", "1 /",  "9999999/s", "1000000/500ms"};

    REFUSE("a rate or concurrent", .burst = 0);
    for (size_t i = 0; i < PL_COUNT(rates); i++)
        REFUSE("is no rate", .rate = rates[i]);
    REFUSE("burst: more than", .rate = "1/d", .burst = 400);
    REFUSE("burst: without", .concurrent = 1, .burst = 1);
    REFUSE("delay: without", .concurrent = 1, .delay = "1s");
    REFUSE("delay: 'soon'", .rate = "1/s", .delay = "soon");
    REFUSE("concurrent: more", .concurrent = 1000001);
    REFUSE("ipv4: more", .rate = "1/s", .ipv4_bits = 33);
    REFUSE("ipv6: more", .rate = "1/s", .ipv6_bits = 129);
    REFUSE("key: 'nobody'", .rate = "1/s", .key = "nobody");
    REFUSE("key: 'header:'", .rate = "1/s", .key = "header:");
    REFUSE("key: 'header:a b'", .rate = "1/s", .key = "header:a b");
    REFUSE("key: a function", .rate = "1/s", .key = "all", .key_of = who);
    REFUSE("everybody", .rate = "1/s", .allow = "everybody");
    REFUSE("status: 400", .rate = "1/s", .status = 302);
    REFUSE("clients: more", .rate = "1/s", .clients = 20000000);
}

RUN_TESTS(cmocka_unit_test(test_app_limit__lets_each_client_have_so_much),
          cmocka_unit_test(test_app_limit__goes_by_what_a_function_says),
          cmocka_unit_test(test_app_limit__counts_requests_at_a_time),
          cmocka_unit_test(test_app_limit__lets_wait_for_a_token),
          cmocka_unit_test(test_app_limit__refuses_what_is_wrong))
