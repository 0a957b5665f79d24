/* test_events.c - server-sent events: their text, and the life of a stream of
 * them. */
#include "h1_world.h"

#include "http/events.h"

#define GET_EVENTS "GET /events HTTP/1.1\r\n" HOST "\r\n"

/* ---- the text ---- */

#define NONE                                                                   \
    {                                                                          \
        NULL, 0                                                                \
    }

static const struct {
    const char *what;
    struct pl_event event;
    const char *want; /* NULL: PL_ERR_INVALID */
} texts[] = {
    {"one line", {.data = PL_STR("a")}, "data: a\n\n"},
    {"an empty text is a message", {.data = PL_STR("")}, "data: \n\n"},
    {"no data", {.id = PL_STR("7")}, "id: 7\n\n"},
    {"all of it",
     {PL_STR("a"), PL_STR("tick"), PL_STR("7"), 2500},
     "retry: 2500\nid: 7\nevent: tick\ndata: a\n\n"},
    {"LF", {.data = PL_STR("a\nb")}, "data: a\ndata: b\n\n"},
    {"CR", {.data = PL_STR("a\rb")}, "data: a\ndata: b\n\n"},
    {"CRLF", {.data = PL_STR("a\r\nb")}, "data: a\ndata: b\n\n"},
    {"LF CR", {.data = PL_STR("a\n\rb")}, "data: a\ndata: \ndata: b\n\n"},
    {"CR at the end", {.data = PL_STR("a\r")}, "data: a\ndata: \n\n"},
    {"line ends alone",
     {.data = PL_STR("\r\n\n")},
     "data: \ndata: \ndata: \n\n"},
    {"leading space", {.data = PL_STR(" a")}, "data:  a\n\n"},
    {"what looks like a field",
     {.data = PL_STR("a\nid: 3\n\ndata: b")},
     "data: a\ndata: id: 3\ndata: \ndata: data: b\n\n"},
    {"an id that is empty", {.id = PL_STR("")}, "id: \n\n"},
    {"an empty type is the usual one",
     {PL_STR("a"), PL_STR(""), NONE, 0},
     "data: a\n\n"},
    {"LF in an id", {.id = PL_STR("1\n2")}, NULL},
    {"CR in an id", {.id = PL_STR("1\r2")}, NULL},
    {"NUL in an id", {.id = PL_STR("1\0002")}, NULL},
    {"LF in a type", {.type = PL_STR("a\ndata: b")}, NULL},
    {"CR in a type", {.type = PL_STR("a\r")}, NULL},
};

static void test_events__are_written_as_clients_read_them(void **state)
{
    struct pl_buf out;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        int want = texts[i].want == NULL ? PL_ERR_INVALID : 0;

        pl_buf_init(&out, net.pool, NULL, 0);
        CHECK_INT(want, pl_event_format(&out, &texts[i].event), texts[i].what);
        if (want == 0)
            CHECK_STR(texts[i].want, pl_buf_str(&out), texts[i].what);
        pl_buf_fini(&out);
    }
}

static void test_events__comments_keep_their_lines_to_themselves(void **state)
{
    struct pl_buf out;

    (void)state;
    pl_buf_init(&out, net.pool, NULL, 0);
    CHECK_INT(0, pl_event_format_comment(&out, PL_STR("a\ndata: b")), "lines");
    CHECK_STR(": a\n: data: b\n\n", pl_buf_str(&out), "lines");
    pl_buf_fini(&out);
}

/* ---- the stream ---- */

static struct pl_event_stream *stream_of;
static struct pl_events_options options;
static int ended_with;

/* Sends an event for each second that passes. */
static int tick(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_event event = {.data = PL_STR("tick")};
    int err = pl_events_begin(res, &options, &stream_of);

    while (err == 0) {
        err = pl_events_send(stream_of, &event);
        if (err == 0)
            err = pl_fiber_sleep(1000);
    }
    ended_with = err;
    return err;
}

/* Says nothing of its own. */
static int silent(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_events_begin(res, &options, &stream_of);

    if (err == 0)
        err = pl_fiber_sleep(1000000);
    ended_with = err;
    return err;
}

static int last_seen(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_events_begin(res, &options, &stream_of);
    struct pl_event event = {.data = PL_STR("none")};

    if (pl_events_last_id(stream_of).data != NULL)
        event.data = pl_events_last_id(stream_of);
    return err < 0 ? err : pl_events_send(stream_of, &event);
}

static void begin_world(int (*handler)(struct pl_request *,
                                       struct pl_response *, void *))
{
    options = (struct pl_events_options){.size = sizeof(options)};
    ended_with = 0;
    add_route(GET, "/events", handler);
}

/* What has come since, without the chunks' frames. */
static void expect_bytes(int far, const char *want, const char *what)
{
    struct pl_str got = pl_script_received(script, far);

    CHECK_STR(want, got, what);
    pl_script_take(script, far, got.len);
}

static void skip_head(int far)
{
    struct pl_str all = pl_script_received(script, far);
    ptrdiff_t end = pl_str_find(all, PL_STR("\r\n\r\n"));

    CHECK(end > 0, "a head");
    pl_script_take(script, far, (size_t)end + 4);
}

static void test_events__nobody_may_keep_or_change_them(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(last_seen);
    request(far, GET_EVENTS);
    next_answer(far);
    CHECK_INT(200, answer.status, "status");
    expect_field("content-type", "text/event-stream");
    expect_field("cache-control", "no-store, no-transform");
    expect_field("x-accel-buffering", "no");
    CHECK_STR(":\n\ndata: none\n\n", pl_str(answer.body, answer.len), "body");
}

static void test_events__hand_on_what_was_seen_last(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(last_seen);
    options.retry_ms = 2000;
    request(far,
            "GET /events HTTP/1.1\r\n" HOST "Last-Event-ID: room/17\r\n\r\n");
    expect_answer(far, 200, "retry: 2000\n\ndata: room/17\n\n", "body");
}

static void test_events__go_out_as_they_are_sent(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(tick);
    request(far, GET_EVENTS);
    skip_head(far);
    expect_bytes(far, "3\r\n:\n\n\r\nc\r\ndata: tick\n\n\r\n", "at once");
    pass(1000);
    settle();
    expect_bytes(far, "c\r\ndata: tick\n\n\r\n", "a second later");
}

static void test_events__a_silent_stream_is_kept_open(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(silent);
    options.ping_ms = 5000;
    request(far, GET_EVENTS);
    skip_head(far);
    expect_bytes(far, "3\r\n:\n\n\r\n", "the beginning");
    pass(4999);
    settle();
    expect_bytes(far, "", "not yet");
    pass(1);
    settle();
    expect_bytes(far, "3\r\n:\n\n\r\n", "a comment");
    pass(5000);
    settle();
    expect_bytes(far, "3\r\n:\n\n\r\n", "and again");
}

static void test_events__who_speaks_needs_no_comments(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(tick);
    options.ping_ms = 1500;
    request(far, GET_EVENTS);
    skip_head(far);
    for (int i = 0; i < 5; i++) {
        pl_script_take(script, far, pl_script_received(script, far).len);
        pass(1000);
        settle();
        expect_bytes(far, "c\r\ndata: tick\n\n\r\n", "events only");
    }
}

static void test_events__a_client_that_leaves_ends_the_handler(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(silent);
    request(far, GET_EVENTS);
    CHECK_INT(1, http.stats.open, "open");
    pl_script_finish(script, far);
    settle();
    CHECK_INT(PL_ERR_CANCELED, ended_with, "no write was needed");
    CHECK_INT(0, http.stats.open, "over");
}

static void test_events__a_client_that_left_before_gets_none(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(silent);
    send_far(far, GET_EVENTS);
    pl_script_finish(script, far);
    settle();
    CHECK(ended_with < 0, "over");
    CHECK_INT(0, http.stats.open, "over");
}

static void test_events__a_stop_ends_them_whole(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(silent);
    request(far, GET_EVENTS);
    pl_http_drain(&http);
    settle();
    next_answer(far);
    CHECK_STR(":\n\n", pl_str(answer.body, answer.len), "with a last chunk");
    CHECK_INT(PL_ERR_CANCELED, ended_with, "at once");
    expect_open(far, "nothing has said so");
    pass(501);
    expect_closed(far, "closed");
}

static void test_events__begun_during_a_stop_end_at_once(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(silent);
    send_far(far, GET_EVENTS);
    http.draining = true;
    settle();
    expect_answer(far, 200, ":\n\n", "clients come again");
    expect_closed(far, "closed");
}

static void test_events__a_head_is_a_head(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(tick);
    request(far, "HEAD /events HTTP/1.1\r\n" HOST "\r\n");
    next_answer_to(far, true);
    CHECK_INT(200, answer.status, "status");
    expect_field("content-type", "text/event-stream");
    CHECK_INT(PL_ERR_CLOSED, ended_with, "nobody listens");
    expect_open(far, "the connection stays");
}

static void test_events__wait_for_slow_readers(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(tick);
    pl_script_window(script, far, 0);
    options.ping_ms = 1000;
    request(far, GET_EVENTS);
    for (int second = 0; second < 29; second++) {
        pass(1000);
        settle();
    }
    CHECK_INT(1, http.stats.open, "open");
    pass(2000); /* beyond the time-out of a write */
    settle();
    CHECK_INT(0, http.stats.open, "it reads nothing");
}

static int begin_late(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    say(res, "body");
    CHECK_INT(PL_ERR_STATE, pl_events_begin(res, NULL, &stream_of),
              "a body was given");
    return 0;
}

static void test_events__are_all_of_a_response(void **state)
{
    int far = connect_far();

    (void)state;
    begin_world(begin_late);
    request(far, GET_EVENTS);
    expect_answer(far, 200, "body", "as it was");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WHOLE(test_events__are_written_as_clients_read_them),
        WHOLE(test_events__comments_keep_their_lines_to_themselves),
        BOTH(test_events__nobody_may_keep_or_change_them),
        BOTH(test_events__hand_on_what_was_seen_last),
        WHOLE(test_events__go_out_as_they_are_sent),
        WHOLE(test_events__a_silent_stream_is_kept_open),
        WHOLE(test_events__who_speaks_needs_no_comments),
        BOTH(test_events__a_client_that_leaves_ends_the_handler),
        WHOLE(test_events__a_client_that_left_before_gets_none),
        WHOLE(test_events__a_stop_ends_them_whole),
        WHOLE(test_events__begun_during_a_stop_end_at_once),
        BOTH(test_events__a_head_is_a_head),
        WHOLE(test_events__wait_for_slow_readers),
        BOTH(test_events__are_all_of_a_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
