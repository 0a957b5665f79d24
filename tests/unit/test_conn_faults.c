/* test_conn_faults.c - a worker on the real kernel of which every call fails in
 * turn: nothing crashes, nothing leaks, and no answer is ever wrong.
 *
 * In a build without -Dfaults=true each scene runs once, and must succeed. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "answers.h"
#include "base/faults.h"
#include "base/log.h"
#include "http/h2_frame.h"
#include "http/http.h"
#include "http/request.h"
#include "loop/scripted.h"
#include "route/dispatch.h"
#include "route/site.h"
#include "task/fiber.h"

/* A worker in the order in which it is made; taken down in the reverse one. */
static struct world {
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_http http;
    struct pl_site *site;
    struct pl_listen_group *group;
    struct pl_listener *listener;
    bool has_sched, has_net;
    int client; /* -1: none */
} world;

static uint64_t now_ns;
static int file; /* 100000 bytes */
static char content[100000];

/* ---- handlers ---- */

static int echo(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_body_op wait;
    int err;

    while ((err = pl_body_whole(req)) == PL_ERR_AGAIN) {
        pl_body_wait_begin(&wait, req);
        err = pl_op_wait(&wait.op);
        if (err < 0)
            return err;
    }
    if (err < 0)
        return err;
    return pl_response_bytes(res, pl_body_text(req), NULL, NULL);
}

static int stream(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_drain_op wait;
    int err = 0;

    for (int i = 0; i < 20 && err == 0; i++) {
        err = pl_response_push(res, pl_str(content + i * 5000, 5000));
        if (err == PL_ERR_AGAIN) {
            pl_response_drain_begin(&wait, res);
            err = pl_op_wait(&wait.op);
        }
    }
    return err;
}

static int send_file(struct pl_request *req, struct pl_response *res, void *arg)
{
    uint64_t len = sizeof(content);
    int err = pl_response_set(res, PL_STR("ETag"), PL_STR("\"1\""));

    pl_str_to_u64(req->query, &len);
    return err < 0 ? err : pl_response_file(res, file, 0, len, NULL, NULL);
}

static int send_bytes(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    return pl_response_bytes(res, pl_str(content, sizeof(content)), NULL, NULL);
}

static int pass_on(struct pl_request *req, struct pl_response *res,
                   const struct pl_next *next, void *arg)
{
    int result = pl_next(req, next);
    int err = pl_response_set(res, PL_STR("X-Passed"), PL_STR("yes"));

    return result < 0 || err == PL_ERR_STATE ? result : err;
}

/* ---- the worker ---- */

static void on_request(void *arg, struct pl_request *req)
{
    pl_dispatch(world.site->router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    (void)arg, (void)req;
}

static const struct pl_http_ops ops = {.request = on_request,
                                       .finished = on_finished};

static int add(const char *pattern, pl_handler_fn *fn)
{
    struct pl_handler *handler = pl_fiber_handler_new(fn, NULL, NULL);

    if (handler == NULL)
        return PL_ERR_NOMEM;
    return pl_site_route(world.site, PL_METHODS_ANY, pl_str_c(pattern), false,
                         handler, NULL, "test", NULL);
}

static int make_site(void)
{
    struct pl_filter *filter;
    int err;

    world.site = pl_site_new();
    if (world.site == NULL)
        return PL_ERR_NOMEM;
    err = pl_site_add_header(world.site, PL_STR("X-A"), PL_STR("b"), "test",
                             NULL);
    if (err < 0)
        return err;
    filter = pl_fiber_filter_new(pass_on, NULL, NULL);
    if (filter == NULL)
        return PL_ERR_NOMEM;
    err = pl_site_use(world.site, filter, NULL);
    if (err == 0)
        err = add("/echo", echo);
    if (err == 0)
        err = add("/stream", stream);
    if (err == 0)
        err = add("/file", send_file);
    if (err == 0)
        err =
            pl_site_enter(world.site, PL_STR(""), PL_STR("/in"), "test", NULL);
    return err < 0 ? err : add("/:bytes", send_bytes);
}

static int make_worker(void)
{
    struct pl_loop_options options = {.clock = pl_fake_clock,
                                      .clock_arg = &now_ns};
    int err = pl_loop_new(&options, &world.loop);

    if (err < 0)
        return err;
    err = pl_sched_init(&world.sched, world.loop, NULL);
    world.has_sched = err == 0;
    if (err == 0) {
        err = pl_net_init(&world.net, world.loop, NULL);
        world.has_net = err == 0;
    }
    if (err == 0)
        err = make_site();
    if (err == 0)
        pl_http_init(&world.http, &world.net, &world.sched, &world.site->http,
                     &ops, NULL);
    return err;
}

static int make_listener(void)
{
    const struct pl_listen_options options = {.sockets = 1};
    struct pl_addr addr;
    int err = pl_addr_parse(PL_STR("127.0.0.1:0"), false, &addr, NULL);

    if (err == 0)
        err = pl_listen_open(&addr, &options, &world.group, NULL);
    if (err == 0)
        err = pl_listener_start(&world.net, world.group->fds[0], false, true,
                                &pl_h1_protocol, &world.http, &world.listener);
    if (err < 0)
        return err;
    /* The client's own calls are not to fail. */
    world.client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(world.client >= 0, "client");
    return connect(world.client, &world.group->addr.sa, world.group->addr.len) <
                   0
               ? PL_ERR_CLOSED
               : 0;
}

static void close_it(struct pl_conn *conn, void *arg)
{
    (void)arg;
    pl_conn_close(conn, 0);
}

static void turns(int n)
{
    while (n-- > 0)
        pl_loop_step(world.loop, 0);
}

static void end_world(void)
{
    if (world.client >= 0)
        close(world.client);
    if (world.has_net) {
        pl_net_each(&world.net, close_it, NULL);
        if (world.listener != NULL)
            pl_listener_stop(world.listener);
        turns(20);
        pl_net_fini(&world.net);
    }
    pl_listen_close(world.group);
    pl_site_free(world.site);
    if (world.has_sched)
        pl_sched_fini(&world.sched);
    if (world.loop != NULL)
        pl_loop_free(world.loop);
}

/* ---- the client ---- */

static const char requests[] =
    "GET /in/x HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\n0\r\n\r\n"
    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=1-5,9-30000\r\n\r\n"
    "GET /file?1000 HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"
    "GET /nothing HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"
    "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
enum { REQUESTS = 8 };

/* ---- HTTP/2: the same, as frames ---- */

static char frames[4096];
enum { STREAMS = 6 };

static char *put_field(char *out, const char *name, const char *value)
{
    *out++ = 0; /* a literal that no table keeps */
    *out++ = (char)strlen(name);
    out = stpcpy(out, name);
    *out++ = (char)strlen(value);
    return stpcpy(out, value);
}

static char *put_request(char *out, uint32_t id, const char *method,
                         const char *path)
{
    char *block = out + PL_H2_FRAME_HEAD, *end = block;
    bool body = strcmp(method, "POST") == 0;

    end = put_field(end, ":method", method);
    end = put_field(end, ":scheme", "http");
    end = put_field(end, ":authority", "a");
    end = put_field(end, ":path", path);
    pl_h2_put_head(out, (size_t)(end - block), PL_H2_HEADERS,
                   PL_H2_END_HEADERS | (body ? 0 : PL_H2_END_STREAM), id);
    if (!body)
        return end;
    end = pl_h2_put_head(end, 5, PL_H2_DATA, PL_H2_END_STREAM, id);
    return stpcpy(end, "abcde");
}

static struct pl_str make_frames(void)
{
    char *end = frames;

    memcpy(end, PL_H2_PREFACE.data, PL_H2_PREFACE_LEN);
    end = pl_h2_put_head(end + PL_H2_PREFACE_LEN, PL_H2_SETTING, PL_H2_SETTINGS,
                         0, 0);
    end = pl_h2_put_setting(end, PL_H2_INITIAL_WINDOW_SIZE, 1 << 20);
    end = pl_h2_put_number(end, PL_H2_WINDOW_UPDATE, 0, 1 << 20);
    end = put_request(end, 1, "GET", "/in/x");
    end = put_request(end, 3, "POST", "/echo");
    end = put_request(end, 5, "GET", "/stream");
    end = put_request(end, 7, "GET", "/file");
    end = put_request(end, 9, "GET", "/file?1000");
    end = put_request(end, 11, "GET", "/nothing");
    return pl_str(frames, (size_t)(end - frames));
}

/* Every frame is well-formed; how many streams have ended. */
static int check_frames(struct pl_str bytes, bool eof)
{
    struct pl_h2_frame frame;
    int ended = 0;

    while (bytes.len >= PL_H2_FRAME_HEAD) {
        pl_h2_frame_read(&frame, bytes.data);
        CHECK_INT(PL_H2_NO_ERROR, pl_h2_frame_check(&frame), "well-formed");
        CHECK(frame.type <= PL_H2_CONTINUATION, "known");
        bytes = pl_str_skip(bytes, PL_H2_FRAME_HEAD + (size_t)frame.length);
        ended += frame.type <= PL_H2_HEADERS &&
                 (frame.flags & PL_H2_END_STREAM) != 0;
    }
    CHECK(bytes.len == 0 || eof || pl_faults_hit(), "cut only by a close");
    return ended;
}

static char received[1 << 20];

/* Talks until the server closes, or nothing happens any more; the bytes that
 * have come. *eof: the server has closed. */
static struct pl_str talk(struct pl_str words, bool *eof)
{
    size_t sent = 0, got = 0;

    *eof = false;
    for (int quiet = 0; quiet < 30 && !*eof; quiet++) {
        ssize_t n;

        if (quiet % 10 == 9)
            now_ns += 2000000000; /* accepting may have been paused */
        if (sent < words.len) {
            size_t part = PL_MIN(words.len - sent, 97);

            n = send(world.client, words.data + sent, part, MSG_NOSIGNAL);
            sent = n > 0 ? sent + (size_t)n : words.len;
            quiet = 0;
        }
        pl_loop_step(world.loop, 0);
        while ((n = recv(world.client, received + got, sizeof(received) - got,
                         MSG_DONTWAIT)) > 0) {
            got += (size_t)n;
            quiet = 0;
        }
        *eof = n == 0 || (n < 0 && errno == ECONNRESET);
    }
    return pl_str(received, got);
}

/* Every answer is well-formed; only the last may be cut, by a close. Returns
 * how many are whole. */
static int check_answers(struct pl_str bytes, bool eof)
{
    struct answer answer = {0};
    int n = 0, got = ANSWER_PART;

    while (bytes.len > 0) {
        struct pl_str before = bytes;

        got = take_answer(&bytes, false, false, &answer);
        if (got != ANSWER_WHOLE)
            break;
        n++;
        CHECK(!answer.to_eof, "every answer has a length");
        if (answer.status == 200 && answer.len == sizeof(content))
            CHECK(memcmp(answer.body, content, answer.len) == 0, "content");
        CHECK(answer.status >= 100 && answer.status < 600, before.data);
    }
    free(answer.body);
    CHECK(got != ANSWER_BAD, "well-formed");
    CHECK(bytes.len == 0 || eof || pl_faults_hit(), "cut only by a close");
    return n;
}

static void scene_of(bool http2)
{
    struct pl_str bytes = {NULL, 0};
    bool eof = false;
    int err, n = 0;

    now_ns = 1000000000;
    world = (struct world){.client = -1};
    err = make_worker();
    if (err == 0)
        err = make_listener();
    if (err == 0) {
        bytes = talk(http2 ? make_frames() : PL_STR(requests), &eof);
        n = http2 ? check_frames(bytes, eof) : check_answers(bytes, eof);
    }
    if (!pl_faults_hit()) {
        CHECK_INT(0, err, "nothing fails of itself");
        CHECK_INT(http2 ? STREAMS : REQUESTS, n, "all answers");
        CHECK(eof != http2, "closed, by who was asked to");
    }
    end_world();
}

static void scene(void)
{
    scene_of(false);
}

static void scene_http2(void)
{
    scene_of(true);
}

static unsigned open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        closedir(dir);
    return n;
}

static int make_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)(i * 7 + i / 251);
    file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    CHECK_INT(sizeof(content), write(file, content, sizeof(content)), "file");
    pl_log_level = PL_LOG_LEVELS; /* thousands of lines would tell nothing */
    return 0;
}

static int close_file(void **state)
{
    (void)state;
    pl_faults_reset();
    close(file);
    return 0;
}

/* ---- each call of each kind ---- */

static const struct {
    enum pl_sys_call call;
    int error;
} faults[] PL_UNUSED = {
    {PL_SYS_malloc, ENOMEM},
    {PL_SYS_mmap, ENOMEM},
    {PL_SYS_mprotect, ENOMEM},
    {PL_SYS_recv, ECONNRESET},
    {PL_SYS_recv, EINTR},
    {PL_SYS_recv, EAGAIN},
    {PL_SYS_sendmsg, EPIPE},
    {PL_SYS_sendmsg, ENOBUFS},
    {PL_SYS_sendfile, EIO},
    {PL_SYS_pread, EIO},
    {PL_SYS_pread, EINTR},
    {PL_SYS_accept4, EMFILE},
    {PL_SYS_accept4, ECONNABORTED},
    {PL_SYS_epoll_create1, EMFILE},
    {PL_SYS_epoll_ctl, ENOSPC},
    {PL_SYS_epoll_wait, EINTR},
    {PL_SYS_eventfd, EMFILE},
    {PL_SYS_socket, EMFILE},
    {PL_SYS_bind, EADDRINUSE},
    {PL_SYS_listen, EADDRINUSE},
    {PL_SYS_setsockopt, ENOPROTOOPT},
    {PL_SYS_getsockname, ENOBUFS},
    {PL_SYS_getpeername, ENOTCONN},
    {PL_SYS_shutdown, ENOTCONN},
    {PL_SYS_close, EIO},
};

static void test_conn_faults__every_call_may_fail(void **state)
{
    unsigned before = open_files();

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++)
        FOR_EACH_FAULT (faults[i].call, faults[i].error)
            scene();
    CHECK_INT(before, open_files(), "no descriptor was lost");
}

static void test_conn_faults__every_call_of_http2_may_fail(void **state)
{
    unsigned before = open_files();

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++)
        FOR_EACH_FAULT (faults[i].call, faults[i].error)
            scene_http2();
    CHECK_INT(before, open_files(), "no descriptor was lost");
}

/* Not recv and sendmsg: that a short one has emptied or filled the socket is
 * what epoll promises, and what saves a call per request (epoll(7)). */
static void test_conn_faults__files_may_come_in_pieces(void **state)
{
    static const enum pl_sys_call calls[] = {PL_SYS_sendfile, PL_SYS_pread};
    static const size_t sizes[] = {1, 7, 1000};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        for (size_t j = 0; j < PL_COUNT(sizes); j++) {
            pl_faults_reset();
            pl_faults_shorten(calls[i], sizes[j]);
            scene();
        }
    }
}

RUN_TESTS(
    cmocka_unit_test_setup_teardown(test_conn_faults__every_call_may_fail,
                                    make_file, close_file),
    cmocka_unit_test_setup_teardown(
        test_conn_faults__every_call_of_http2_may_fail, make_file, close_file),
    cmocka_unit_test_setup_teardown(test_conn_faults__files_may_come_in_pieces,
                                    make_file, close_file))
