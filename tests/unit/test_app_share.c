/* test_app_share.c - dictionaries, topics and messages of a C program, on
 * several workers and from a thread that is none. */
#include "app_world.h"

#include <sched.h>

static struct pl_shared *shared;
static atomic_int heard, wrong, listening;

static int count(struct pl_request *req, struct pl_response *res, void *arg)
{
    int64_t sum = 0;
    int err = pl_shared_incr(shared, PL_STR("n"), 1, 0, 0, &sum);

    return err < 0 ? err : pl_respondf(res, 200, "text/plain", "%d", (int)sum);
}

/* Waits for three messages of any worker, the last of them after a timeout. */
static int listen_in(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_feed *feed;
    struct pl_str message;
    char all[64] = "";
    int err = pl_subscribe(PL_STR("news"), NULL, &feed);

    atomic_fetch_add(&listening, 1);
    for (int i = 0; i < 3 && err == 0; i++) {
        err = pl_feed_receive(req, feed, -1, &message);
        if (err == 0)
            strncat(all, message.data, message.len);
    }
    if (err == 0)
        err = pl_feed_receive(req, feed, 1, &message) == PL_ERR_TIMEOUT
                  ? 0
                  : PL_ERR_STATE;
    pl_feed_close(feed);
    if (pl_feed_receive(req, feed, -1, &message) != PL_ERR_CLOSED)
        err = PL_ERR_STATE;
    return err < 0 ? err : pl_respond(res, 200, "text/plain", pl_str_c(all));
}

/* Streams news for as long as there are any: the stop ends it whole. */
static int stream(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_feed *feed;
    struct pl_str message;
    int err = pl_subscribe(PL_STR("news"), NULL, &feed);

    atomic_fetch_add(&listening, 1);
    while (err == 0 && (err = pl_feed_receive(req, feed, -1, &message)) == 0)
        err = pl_response_write(res, message);
    return err == PL_ERR_STOPPING ? pl_response_write(res, PL_STR("end")) : err;
}

/* The same without news. */
static int tick(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err;

    atomic_fetch_add(&listening, 1);
    while ((err = pl_wait_stop(req, 1)) == 0 && !pl_stopping())
        ;
    return err < 0 ? err : pl_response_write(res, PL_STR("end"));
}

/* A stop waits for the answer of another. */
static int patient(struct pl_request *req, struct pl_response *res, void *arg)
{
    const struct pl_subscribe_options options = {.size = sizeof(options),
                                                 .through_stop = true};
    struct pl_feed *feed;
    struct pl_str message;
    int err = pl_subscribe(PL_STR("answer"), &options, &feed);

    atomic_fetch_add(&listening, 1);
    if (err == 0)
        err = pl_feed_receive(req, feed, -1, &message);
    return err < 0 ? err : pl_respond(res, 200, "text/plain", message);
}

static int tell(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_worker_send(app, PL_WORKER_ALL, PL_STR("hello"));
}

static void on_message(struct pl_app *self, int from, struct pl_str message,
                       void *arg)
{
    bool good = self == app && arg == &heard &&
                pl_str_eq(message, PL_STR("hello")) && pl_worker_id() >= 0;

    pl_sleep(NULL, 1);
    atomic_fetch_add(&wrong, !good);
    atomic_fetch_add(&heard, from < 0 ? 100 : 1);
}

static void make_app(void)
{
    static const struct pl_shared_options options = {
        .size = sizeof(options), .max = 1 << 20, .evict = true};

    app = pl_app_new();
    atomic_store(&heard, 0);
    atomic_store(&wrong, 0);
    atomic_store(&listening, 0);
    shared = pl_shared_open(app, "s", &options);
    CHECK(shared != NULL, "shared");
    CHECK(pl_shared_open(app, "s", NULL) != NULL, "again");
    pl_app_set(app, "workers", "4");
    pl_app_get(app, "/count", count, NULL);
    pl_app_get(app, "/listen", listen_in, NULL);
    pl_app_get(app, "/tell", tell, NULL);
    pl_app_get(app, "/stream", stream, NULL);
    pl_app_get(app, "/tick", tick, NULL);
    pl_app_get(app, "/patient", patient, NULL);
    pl_app_on_message(app, on_message, &heard);
}

static void test_app_share__values(void **state)
{
    struct pl_shared_stats stats = {.size = sizeof(stats)};
    struct pl_str key = PL_STR("k"), none = {NULL, 0};
    double number;
    int64_t integer;
    char to[8];

    (void)state;
    make_app();
    CHECK_INT(PL_ERR_NOT_FOUND, pl_shared_get(shared, key, to, 8), "none");
    CHECK_INT(0, pl_shared_set(shared, key, PL_STR("a long value"), 0), "set");
    CHECK_INT(12, pl_shared_get(shared, key, to, sizeof(to)), "the length");
    CHECK(memcmp(to, "a long v", 8) == 0, "what fits");
    CHECK_INT(PL_ERR_INVALID, pl_shared_get_integer(shared, key, &integer),
              "a string");
    CHECK_INT(PL_ERR_EXISTS, pl_shared_add(shared, key, PL_STR("x"), 0), "add");
    CHECK_INT(PL_ERR_STATE,
              pl_shared_cas(shared, key, PL_STR("y"), PL_STR("z")), "cas");
    CHECK_INT(0, pl_shared_cas(shared, key, PL_STR("a long value"), none),
              "away");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_shared_replace(shared, key, key, 0), "none");
    CHECK_INT(0, pl_shared_set_number(shared, key, 1.5, 0), "set");
    CHECK_INT(0, pl_shared_get_number(shared, key, &number), "get");
    CHECK(number == 1.5, "number");
    CHECK_INT(PL_ERR_INVALID, pl_shared_get(shared, key, to, 8), "no string");
    CHECK_INT(0, pl_shared_set_integer(shared, key, -7, PL_SHARED_FOREVER),
              "set");
    CHECK_INT(0, pl_shared_get_integer(shared, key, &integer), "get");
    CHECK_INT(-7, integer, "integer");
    CHECK_INT(0, pl_shared_expire(shared, key, 60000), "expire");
    CHECK_INT(PL_ERR_INVALID, pl_shared_set(shared, key, none, 0), "no value");
    pl_shared_stats(shared, &stats);
    CHECK(stats.keys == 1 && stats.max == 1 << 20 && stats.hits > 0, "stats");
    CHECK_INT(0, pl_shared_flush(shared), "flush");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_shared_delete(shared, key), "gone");
    CHECK_INT(PL_ERR_STATE, pl_worker_id(), "no worker");
    CHECK_INT(PL_ERR_STATE, pl_subscribe(key, NULL, NULL), "no task");
    pl_app_free(app);
}

struct seen {
    unsigned count, most, letters; /* bit i: the key 'a' + i */
};

static bool see(void *arg, struct pl_str key)
{
    struct seen *seen = arg;

    CHECK_INT(1, key.len, "a key");
    seen->letters |= 1u << (key.data[0] - 'a');
    return ++seen->count < seen->most;
}

static void test_app_share__keys_and_how_long_they_live(void **state)
{
    struct seen all = {.most = 100}, two = {.most = 2};
    uint64_t left = 0;

    (void)state;
    make_app();
    CHECK_INT(PL_ERR_NOT_FOUND, pl_shared_ttl(shared, PL_STR("a"), &left),
              "none");
    CHECK_INT(0, pl_shared_keys(shared, see, &all), "none");
    CHECK_INT(0, all.count, "none");
    for (char c = 'a'; c <= 'e'; c++)
        pl_shared_set_integer(shared, (struct pl_str){&c, 1}, c,
                              c == 'e' ? 60000 : 0);
    CHECK_INT(0, pl_shared_keys(shared, see, &all), "keys");
    CHECK_INT(5, all.count, "each once");
    CHECK_INT(0x1f, all.letters, "all of them");
    CHECK_INT(0, pl_shared_keys(shared, see, &two), "keys");
    CHECK_INT(2, two.count, "as many as one likes");
    CHECK_INT(0, pl_shared_ttl(shared, PL_STR("a"), &left), "ttl");
    CHECK(left == PL_SHARED_FOREVER, "for ever");
    CHECK_INT(0, pl_shared_ttl(shared, PL_STR("e"), &left), "ttl");
    CHECK(left > 0 && left <= 60000, "what is left");
    pl_app_free(app);
}

static void test_app_share__workers_count_together(void **state)
{
    int64_t sum = 0;

    (void)state;
    make_app();
    start_app();
    for (int i = 0; i < 20; i++)
        ask("GET", "/count", "", "");
    CHECK_INT(0, pl_shared_incr(shared, PL_STR("n"), 5, 0, 0, &sum), "a guest");
    CHECK_INT(25, sum, "all of them");
    stop_app();
}

enum { FEEDS = 6 };

static void test_app_share__feeds_get_what_is_published(void **state)
{
    static const char request[] =
        "GET /listen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    int conns[FEEDS];

    (void)state;
    make_app();
    start_app();
    CHECK_INT(0, pl_publish(app, PL_STR("news"), PL_STR("x")), "nobody");
    for (int i = 0; i < FEEDS; i++) {
        conns[i] = open_conn();
        send_all(conns[i], request, strlen(request));
    }
    while (atomic_load(&listening) < FEEDS)
        sched_yield();
    CHECK_INT(FEEDS, pl_publish(app, PL_STR("news"), PL_STR("a")), "all");
    pl_publish(app, PL_STR("news"), PL_STR("bc"));
    pl_publish(app, PL_STR("news"), PL_STR("d"));
    for (int i = 0; i < FEEDS; i++)
        CHECK_STR("abcd", body_of(read_answer(conns[i])), "in order");
    CHECK_INT(0, pl_publish(app, PL_STR("news"), PL_STR("e")), "all have gone");
    stop_app();
}

static void test_app_share__a_stop_ends_what_has_no_end(void **state)
{
    static const char *const requests[] = {
        "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /tick HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /patient HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    int conns[PL_COUNT(requests)];

    (void)state;
    make_app();
    start_app();
    for (size_t i = 0; i < PL_COUNT(requests); i++) {
        conns[i] = open_conn();
        send_all(conns[i], requests[i], strlen(requests[i]));
    }
    while (atomic_load(&listening) < (int)PL_COUNT(requests))
        sched_yield();
    CHECK(!pl_stopping(), "no worker's thread");
    pl_app_stop(app);
    CHECK(strstr(read_answer(conns[0]), "end\r\n0\r\n\r\n") != NULL, "whole");
    CHECK(strstr(read_answer(conns[1]), "end\r\n0\r\n\r\n") != NULL, "whole");
    CHECK_INT(1, pl_publish(app, PL_STR("answer"), PL_STR("yes")), "waits");
    CHECK_STR("yes", body_of(read_answer(conns[2])), "answered");
    stop_app();
}

static void test_app_share__messages_reach_all_workers(void **state)
{
    (void)state;
    make_app();
    CHECK_INT(0, pl_worker_count(app), "not yet");
    start_app();
    CHECK_INT(4, pl_worker_count(app), "workers");
    ask("GET", "/tell", "", "");
    while (atomic_load(&heard) < 4)
        sched_yield();
    CHECK_INT(0, pl_worker_send(app, 2, PL_STR("hello")), "from a guest");
    while (atomic_load(&heard) < 104)
        sched_yield();
    CHECK_INT(PL_ERR_NOT_FOUND, pl_worker_send(app, 4, PL_STR("hello")),
              "there is none");
    CHECK_INT(0, atomic_load(&wrong), "as they were sent");
    for (int i = 0; i < 100; i++) /* nobody may look at these any more */
        pl_worker_send(app, PL_WORKER_ALL, PL_STR("hello"));
    stop_app();
}

static void test_app_share__options_are_checked(void **state)
{
    const struct pl_shared_options small = {.size = sizeof(small), .max = 100};

    (void)state;
    make_app();
    CHECK(pl_shared_open(app, "s", &small) == NULL, "other options");
    CHECK(strstr(pl_app_error(app), "pl_shared_open(\"s\")") != NULL,
          pl_app_error(app));
    CHECK(pl_shared_open(app, "", NULL) == NULL, "no name");
    CHECK(pl_shared_open(app, "t", &small) == NULL, "too small");
    pl_app_free(app);
}

RUN_TESTS(cmocka_unit_test(test_app_share__values),
          cmocka_unit_test(test_app_share__keys_and_how_long_they_live),
          cmocka_unit_test(test_app_share__workers_count_together),
          cmocka_unit_test(test_app_share__feeds_get_what_is_published),
          cmocka_unit_test(test_app_share__a_stop_ends_what_has_no_end),
          cmocka_unit_test(test_app_share__messages_reach_all_workers),
          cmocka_unit_test(test_app_share__options_are_checked))
