/* test_app_channel.c - channels of a C program: what is remembered comes as
 * events, in whatever worker; who is there is seen by all. */
#include "app_world.h"

#include <sched.h>

static const struct pl_channel_options room_options = {
    .size = sizeof(room_options), .history = 3, .presence = true};

static int watch(struct pl_request *req, struct pl_response *res, void *arg)
{
    static const struct pl_subscribe_options all = {.size = sizeof(all),
                                                    .replay = true};
    struct pl_event_stream *stream;
    int err = pl_channel_join(PL_STR("room"), PL_STR("ada"), PL_STR("x"));

    if (err == 0)
        err = pl_events_begin(res, NULL, &stream);
    return err < 0 ? err : pl_events_subscribe(stream, PL_STR("room"), &all);
}

static int any(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_event_stream *stream;
    int err = pl_events_begin(res, NULL, &stream);

    return err < 0 ? err : pl_events_subscribe(stream, PL_STR("*"), NULL);
}

static bool count_member(void *arg, const struct pl_channel_member *member)
{
    *(int *)arg += pl_str_eq(member->name, PL_STR("ada")) &&
                   pl_str_eq(member->info, PL_STR("x")) && member->worker >= 0;
    return true;
}

static int members(void)
{
    int n = 0;

    CHECK_INT(0, pl_channel_members(app, PL_STR("room"), count_member, &n),
              "room");
    return n;
}

static void start(void)
{
    app = pl_app_new();
    pl_app_set(app, "workers", "3");
    pl_app_get(app, "/watch", watch, NULL);
    pl_app_get(app, "/any", any, NULL);
    CHECK_INT(PL_ERR_STATE, pl_app_channel(app, PL_STR("room"), &room_options),
              "not yet");
    start_app();
    CHECK_INT(0, pl_app_channel(app, PL_STR("room"), &room_options), "room");
}

/* Reads until all of text has come. */
static void expect_text(int conn, const char *text)
{
    static char got[8192];
    size_t len = 0;

    do {
        ssize_t n = read(conn, got + len, sizeof(got) - 1 - len);

        CHECK(n > 0, text);
        len += (size_t)n;
        got[len] = '\0';
    } while (strstr(got, text) == NULL);
}

static int open_stream(const char *target, uint64_t last)
{
    char request[256];
    int conn = open_conn();

    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: a\r\nLast-Event-ID: %llu\r\n\r\n",
             target, (unsigned long long)last);
    send_all(conn, request, strlen(request));
    return conn;
}

static void test_app_channel__events_go_on_where_they_ended(void **state)
{
    int conns[4], all;

    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        char digit = (char)('0' + i);

        CHECK_INT(0,
                  pl_publish(app, PL_STR("room"), (struct pl_str){&digit, 1}),
                  "kept");
    }
    for (int i = 0; i < 4; i++) {
        conns[i] = open_stream("/watch", 0);
        expect_text(conns[i], "data: 4\n");
    }
    while (members() < 4)
        sched_yield();
    all = open_stream("/any", 0);
    expect_text(all, "\r\n\r\n");
    while (pl_publish(app, PL_STR("room"), PL_STR("more")) < 5)
        sched_yield();
    for (int i = 0; i < 4; i++) {
        expect_text(conns[i], "data: more\n");
        close(conns[i]);
    }
    expect_text(all, "data: more\n");
    while (members() > 0)
        sched_yield();
    close(all);
    stop_app();
}

static void test_app_channel__misuse_is_an_error(void **state)
{
    struct pl_channel_options other = room_options;
    int n = 0;

    (void)state;
    start();
    other.history = 4;
    CHECK_INT(PL_ERR_EXISTS, pl_app_channel(app, PL_STR("room"), &other),
              "other options");
    CHECK_INT(PL_ERR_INVALID, pl_app_channel(app, PL_STR("a.*"), NULL),
              "a pattern");
    CHECK_INT(PL_ERR_INVALID, pl_publish(app, PL_STR("a.*"), PL_STR("x")),
              "a pattern");
    CHECK_INT(PL_ERR_STATE,
              pl_channel_join(PL_STR("room"), PL_STR("a"), PL_STR("")),
              "not in a handler");
    CHECK_INT(PL_ERR_NOT_FOUND,
              pl_channel_members(app, PL_STR("nowhere"), count_member, &n),
              "none");
    stop_app();
}

RUN_TESTS(cmocka_unit_test(test_app_channel__events_go_on_where_they_ended),
          cmocka_unit_test(test_app_channel__misuse_is_an_error))
