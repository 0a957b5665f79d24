/* test_straight.c - waiting in straight lines, and the toolbox of C programs:
 * perilune.h, on workers that serve real sockets. */
#include "app_world.h"

#include <fcntl.h>

/* What happened, in order: one letter each. Written by one worker, read when
 * that has ended. */
static char trace[64];
static struct pl_cache *cache;
static _Atomic int made, freed, gate_passed;
static int gate; /* eventfd: what waits for it goes on when the test says so */

static void note(void *arg)
{
    strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
}

/* ---- waiting ---- */

static int sleeps(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_sleep(req, 1);

    return err < 0 ? err : pl_respond(res, 200, NULL, PL_STR("slept"));
}

static int waits_fd(struct pl_request *req, struct pl_response *res, void *arg)
{
    int fds[2], none, readable;

    CHECK_INT(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK), "pipe");
    none = pl_wait_fd(req, fds[0], PL_READABLE, 1);
    CHECK_INT(1, write(fds[1], "x", 1), "write");
    readable = pl_wait_fd(req, fds[0], PL_READABLE, -1);
    close(fds[0]);
    close(fds[1]);
    return pl_respondf(res, 200, NULL, "%d %d", none == PL_ERR_TIMEOUT,
                       readable == PL_READABLE);
}

/* Two pipes, of which the second has something to read. */
static int waits_many(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    int a[2], b[2], late, any, twice, refused;
    struct pl_wait_item items[2];

    CHECK_INT(0, pipe2(a, O_CLOEXEC | O_NONBLOCK), "pipe");
    CHECK_INT(0, pipe2(b, O_CLOEXEC | O_NONBLOCK), "pipe");
    CHECK_INT(1, write(b[1], "x", 1), "write");
    items[0] = (struct pl_wait_item){.fd = a[0], .events = PL_READABLE};
    items[1] = (struct pl_wait_item){.fd = b[0], .events = PL_READABLE};
    any = pl_wait_any(req, items, 2, -1);
    CHECK_INT(0, items[0].revents, "not this one");
    CHECK_INT(PL_READABLE, items[1].revents, "this one");
    late = pl_wait_all(req, items, 2, 1);
    CHECK_INT(PL_READABLE, items[1].revents, "was ready");
    CHECK_INT(1, write(a[1], "x", 1), "write");
    CHECK_INT(2, pl_wait_all(req, items, 2, -1), "both");
    items[1].fd = a[0];
    twice = pl_wait_any(req, items, 2, -1);
    close(b[0]);
    items[1].fd = b[0];
    refused = pl_wait_any(req, items, 2, -1);
    CHECK_INT(PL_ERR_INVALID, pl_wait_any(req, items, 0, -1), "nothing");
    close(a[0]);
    close(a[1]);
    close(b[1]);
    return pl_respondf(res, 200, NULL, "%d %s %s %s", any, pl_err_name(late),
                       pl_err_name(twice), pl_err_name(refused));
}

static int twice(void *arg)
{
    int *number = arg;
    int err = pl_sleep(NULL, 1);

    *number *= 2;
    return err < 0 ? err : *number == 6 ? PL_ERR_IO : *number;
}

static int all(struct pl_request *req, struct pl_response *res, void *arg)
{
    int numbers[] = {1, 2, 3};
    struct pl_call calls[] = {{.fn = twice, .arg = &numbers[0]},
                              {.fn = twice, .arg = &numbers[1]},
                              {.fn = twice, .arg = &numbers[2]}};
    int err = pl_all(req, calls, PL_COUNT(calls));

    CHECK_INT(0, pl_all(req, NULL, 0), "of nothing");
    return pl_respondf(res, 200, NULL, "%s: %d %d %d", pl_err_name(err),
                       calls[0].result, calls[1].result, calls[2].result);
}

static int blocks(void *arg)
{
    *(int *)arg = pl_sleep(NULL, 1); /* no fiber here */
    return 7;
}

static int offloads(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = 0, result = pl_offload(req, blocks, &err);

    return pl_respondf(res, 200, NULL, "%d %s", result, pl_err_name(err));
}

static int cleans_up(void *arg)
{
    int err;

    pl_defer(note, (void *)"c");
    while ((err = pl_sleep(NULL, 3600 * 1000)) == 0)
        continue;
    note(err == PL_ERR_CANCELED ? "x" : "?");
    return err;
}

/* The letters in the order in which they must happen. */
static int defers(struct pl_request *req, struct pl_response *res, void *arg)
{
    pl_request_defer(req, note, (void *)"f");
    pl_request_defer(req, note, (void *)"e");
    pl_defer(note, (void *)"d");
    CHECK_INT(0, pl_spawn(req, cleans_up, NULL), "spawn");
    pl_sleep(req, 1);
    note("b");
    return pl_respond(res, 200, NULL, PL_STR("deferred"));
}

static int goes_on(void *arg)
{
    uint64_t count;
    int err = pl_wait_fd(NULL, gate, PL_READABLE, -1);

    gate_passed = err == PL_READABLE;
    return read(gate, &count, sizeof(count)) < 0 ? PL_ERR_IO : 0;
}

static int detaches(struct pl_request *req, struct pl_response *res, void *arg)
{
    CHECK_INT(0, pl_spawn(NULL, goes_on, NULL), "spawn");
    return pl_respond(res, 200, NULL, PL_STR("gone on"));
}

static int asks_gate(struct pl_request *req, struct pl_response *res, void *arg)
{
    while (!gate_passed)
        pl_sleep(req, 1);
    return pl_respond(res, 200, NULL, PL_STR("passed"));
}

/* ---- the toolbox ---- */

static bool add_up(void *arg, struct pl_str key, void *value)
{
    *(long *)arg += *(int *)value;
    return true;
}

static bool stop_at_once(void *arg, struct pl_str key, void *value)
{
    ++*(long *)arg;
    return false;
}

static int tables(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_hash *hash = pl_hash_new(arg == NULL ? req : NULL);
    int one = 1, two = 2;
    long sum = 0, shown = 0;
    char key[20];

    for (int i = 0; i < 1000; i++)
        CHECK_INT(0,
                  pl_hash_put(hash,
                              pl_str(key, (size_t)snprintf(key, sizeof(key),
                                                           "key %d", i)),
                              &one),
                  "put");
    pl_hash_put(hash, PL_STR("key 7"), &two);
    CHECK_INT(PL_ERR_INVALID, pl_hash_put(hash, PL_STR("a"), NULL), "NULL");
    CHECK(pl_hash_get(hash, PL_STR("key 7")) == &two, "replaced");
    CHECK(pl_hash_remove(hash, PL_STR("key 8")) == &one, "removed");
    CHECK(pl_hash_remove(hash, PL_STR("key 8")) == NULL, "no more");
    CHECK(pl_hash_get(hash, PL_STR("key 8")) == NULL, "removed");
    pl_hash_put(hash, PL_STR(""), &two);
    pl_hash_each(hash, add_up, &sum);
    pl_hash_each(hash, stop_at_once, &shown);
    if (arg != NULL)
        pl_hash_free(hash);
    return pl_respondf(res, 200, NULL, "%ld %ld", sum, shown);
}

static int memory(struct pl_request *req, struct pl_response *res, void *arg)
{
    char *bytes = pl_alloc(req, 100000);
    struct pl_str copy = pl_strdup(req, pl_str("abcdef", 3));

    memset(bytes, 1, 100000);
    CHECK_INT(0, (uintptr_t)bytes % 16, "aligned");
    CHECK_INT(0, copy.data[3], "terminated");
    return pl_respond(res, 200, NULL, pl_printf(req, "%s-%d", copy.data, 1));
}

static int too_much(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_builder *text = pl_builder_new(req);
    int err = 0;

    while (err == 0)
        err = pl_builder_add(text, PL_STR("0123456789012345678901234567890"));
    CHECK(pl_builder_str(text).data == NULL, "failed");
    return pl_response_bytes(res, PL_STR("limited"), NULL, NULL);
}

/* ---- cache ---- */

static int make_value(struct pl_request *req, struct pl_str key, void *arg,
                      void **value, size_t *cost)
{
    struct pl_str *text;

    if (pl_str_eq(key, PL_STR("bad")))
        return PL_ERR_NOT_FOUND;
    made++;
    pl_sleep(req, 5);
    text = malloc(sizeof(*text) + key.len);
    text->data = (char *)(text + 1);
    text->len = key.len;
    memcpy(text + 1, key.data, key.len);
    *value = text;
    *cost = 10;
    return 0;
}

static void free_value(void *value, void *arg)
{
    freed++;
    free(value);
}

static int cached(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str key = pl_request_arg(req, PL_STR("key"));
    void *value;
    int err = pl_cache_get(req, cache, key, &value);

    if (err < 0)
        return err;
    if (pl_request_arg(req, PL_STR("forget")).data != NULL)
        pl_cache_forget(cache, key); /* the value stays while we use it */
    return pl_response_bytes(res, *(struct pl_str *)value, NULL, NULL);
}

static int asks_cache(void *arg)
{
    void *value;
    int err = pl_cache_get(NULL, cache, PL_STR("together"), &value);

    return err < 0 ? err : (int)((struct pl_str *)value)->len;
}

/* Three ask for one value that takes a while to make. */
static int flight(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_call calls[] = {
        {.fn = asks_cache}, {.fn = asks_cache}, {.fn = asks_cache}};
    int before = made;

    CHECK_INT(0, pl_all(req, calls, 3), "all");
    return pl_respondf(res, 200, NULL, "%d made: %d %d %d", made - before,
                       calls[0].result, calls[1].result, calls[2].result);
}

/* More than a connection may hold, in one call. */
enum { LARGE = 6 << 20 };

static int large(struct pl_request *req, struct pl_response *res, void *arg)
{
    static char bytes[LARGE];

    return pl_response_write(res, (struct pl_str){bytes, sizeof(bytes)});
}

/* ---- tests ---- */

static int make_app(void **state)
{
    struct pl_cache_options options = {
        .size = sizeof(options),
        .limit = 30,
        .create = make_value,
        .free_value = free_value,
    };

    (void)state;
    trace[0] = '\0';
    made = freed = gate_passed = 0;
    gate = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    app = pl_app_new();
    cache = pl_cache_new(app, &options);
    CHECK(cache != NULL, "cache");
    pl_app_set(app, "workers", "1");
    pl_app_set(app, "request_memory", "1m");
    pl_app_get(app, "/sleep", sleeps, NULL);
    pl_app_get(app, "/fd", waits_fd, NULL);
    pl_app_get(app, "/fds", waits_many, NULL);
    pl_app_get(app, "/all", all, NULL);
    pl_app_get(app, "/offload", offloads, NULL);
    pl_app_get(app, "/defer", defers, NULL);
    pl_app_get(app, "/detach", detaches, NULL);
    pl_app_get(app, "/gate", asks_gate, NULL);
    pl_app_get(app, "/hash", tables, NULL);
    pl_app_get(app, "/own-hash", tables, (void *)"");
    pl_app_get(app, "/memory", memory, NULL);
    pl_app_get(app, "/too-much", too_much, NULL);
    pl_app_get(app, "/cache", cached, NULL);
    pl_app_get(app, "/flight", flight, NULL);
    pl_app_get(app, "/large", large, NULL);
    start_app();
    return 0;
}

static int end_app(void **state)
{
    (void)state;
    stop_app();
    close(gate);
    CHECK_INT(made, freed, "values");
    return 0;
}

static void test_straight__waits(void **state)
{
    (void)state;
    check_body("slept", "/sleep");
    check_body("1 1", "/fd");
    check_body("1 PL_ERR_TIMEOUT PL_ERR_EXISTS PL_ERR_INVALID", "/fds");
    check_body("PL_ERR_IO: 2 4 -8", "/all");
    check_body("7 PL_ERR_STATE", "/offload");
}

static void test_straight__a_large_write_waits_for_its_reader(void **state)
{
    static const char request[] = "GET /large HTTP/1.0\r\n\r\n";
    static char bytes[64 * 1024];
    size_t all = 0;
    ssize_t n;
    int fd = open_conn();

    (void)state;
    send_all(fd, request, sizeof(request) - 1);
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        all += (size_t)n;
    close(fd);
    CHECK(all > LARGE && all < LARGE + 1000, "all of it, and a head");
}

/* b: the handler ends. x, c: what it has spawned is cancelled and cleans up. d:
 * the handler's own; e, f: the request's. */
static void test_straight__ends_in_order(void **state)
{
    (void)state;
    check_body("deferred", "/defer");
    stop_app();
    CHECK_STR("bxcdef", pl_str_c(trace), "order");
    make_app(state);
}

static void test_straight__detached_tasks_go_on(void **state)
{
    uint64_t one = 1;

    (void)state;
    check_body("gone on", "/detach");
    CHECK_INT(0, gate_passed, "waits");
    CHECK_INT(8, write(gate, &one, 8), "open");
    check_body("passed", "/gate");
    check_body("gone on", "/detach"); /* the end of the worker cancels it */
}

static void test_straight__only_fibers_wait(void **state)
{
    struct pl_call call = {.fn = blocks};
    struct pl_wait_item item = {.events = PL_READABLE};
    void *value;

    (void)state;
    CHECK_INT(PL_ERR_STATE, pl_sleep(NULL, 1), "sleep");
    CHECK_INT(PL_ERR_STATE, pl_wait_fd(NULL, 0, PL_READABLE, 0), "fd");
    CHECK_INT(PL_ERR_STATE, pl_wait_any(NULL, &item, 1, 0), "any");
    CHECK_INT(PL_ERR_STATE, pl_wait_all(NULL, &item, 1, 0), "all");
    CHECK_INT(PL_ERR_STATE, pl_spawn(NULL, blocks, NULL), "spawn");
    CHECK_INT(PL_ERR_STATE, pl_all(NULL, &call, 1), "all");
    CHECK_INT(PL_ERR_STATE, pl_offload(NULL, blocks, NULL), "offload");
    CHECK_INT(PL_ERR_STATE, pl_defer(note, NULL), "defer");
    CHECK_INT(PL_ERR_STATE, pl_cache_get(NULL, cache, PL_STR("a"), &value),
              "cache");
    pl_cache_forget(cache, PL_STR("a")); /* of no worker */
}

static void test_straight__toolbox_holds_what_it_is_given(void **state)
{
    (void)state;
    check_body("1002 1", "/hash");
    check_body("1002 1", "/own-hash");
    check_body("abc-1", "/memory");
    check_body("limited", "/too-much");
}

static void test_straight__caches_make_a_value_once(void **state)
{
    (void)state;
    check_body("1 made: 8 8 8", "/flight");
    check_body("0 made: 8 8 8", "/flight");
    CHECK_INT(404, status_of(ask("GET", "/cache?key=bad", "", "")), "bad");
    check_body("a", "/cache?key=a");
    check_body("a", "/cache?key=a&forget=1");
    CHECK_INT(2, made, "so far");
    check_body("a", "/cache?key=a");
    CHECK_INT(3, made, "after it was forgotten");
    check_body("b", "/cache?key=b");
    check_body("c", "/cache?key=c");
    check_body("d", "/cache?key=d");
    CHECK(freed >= 2, "over the limit");
}

/* Who makes a value is given up: one who waits for it makes it. */
static void test_straight__caches_outlive_their_maker(void **state)
{
    int fd = open_conn();
    const char *head = "GET /cache?key=slow HTTP/1.1\r\nHost: a\r\n\r\n";

    (void)state;
    send_all(fd, head, strlen(head));
    shutdown(fd, SHUT_RDWR);
    close(fd);
    check_body("slow", "/cache?key=slow");
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, make_app, end_app)

RUN_TESTS(SERVED(test_straight__waits),
          SERVED(test_straight__a_large_write_waits_for_its_reader),
          SERVED(test_straight__ends_in_order),
          SERVED(test_straight__detached_tasks_go_on),
          SERVED(test_straight__only_fibers_wait),
          SERVED(test_straight__toolbox_holds_what_it_is_given),
          SERVED(test_straight__caches_make_a_value_once),
          SERVED(test_straight__caches_outlive_their_maker))
