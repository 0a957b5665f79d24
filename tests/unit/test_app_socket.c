/* test_app_socket.c - sockets of C programs (perilune.h): a service of its own,
 * connections to it, datagrams, and the connection of a request. */
#include "app_world.h"

#include <stdio.h>
#include <sys/stat.h>

static char path[60], address[80];

/* ---- a service: lines back in brackets ---- */

static void serve(struct pl_app *self, struct pl_socket *socket, void *arg)
{
    char line[100], out[120];
    ssize_t n;

    CHECK(self == app && arg == path, "as it was said");
    while ((n = pl_socket_read_line(NULL, socket, line, sizeof(line))) >= 0) {
        int len = snprintf(out, sizeof(out), "[%.*s]\n", (int)n, line);

        if (pl_socket_write(NULL, socket, pl_str(out, (size_t)len)) < 0)
            return;
    }
    if (n == PL_ERR_LIMIT)
        pl_socket_write(NULL, socket, PL_STR("too long\n"));
}

/* ---- handlers ---- */

static int talks(struct pl_request *req, struct pl_response *res, void *arg)
{
    char first[8], second[8], rest[8] = "", text[PL_ADDRESS_TEXT];
    struct pl_socket *socket;
    int err = pl_connect(req, address, NULL, &socket);
    ssize_t n;

    (void)arg;
    if (err < 0)
        return err;
    CHECK_INT(0, pl_socket_write(req, socket, PL_STR("one\r\ntwo\nlast")),
              "write");
    pl_socket_flush(socket);
    pl_socket_shutdown(socket);
    CHECK_INT(0, pl_socket_read_exactly(req, socket, first, 6), "exactly");
    CHECK_INT(4, pl_socket_read_until(req, socket, PL_STR("]\n"), second, 8),
              "until");
    n = pl_socket_read(req, socket, rest, sizeof(rest));
    CHECK_INT(0, pl_socket_remote(socket, text), "remote");
    CHECK_STR(address, pl_str_c(text), "remote");
    CHECK_INT(0, pl_socket_read(req, socket, rest, sizeof(rest)), "the end");
    CHECK_INT(PL_ERR_EOF, pl_socket_read_exactly(req, socket, rest, 1), "end");
    return pl_respondf(res, 200, NULL, "%.6s|%.4s|%.*s", first, second, (int)n,
                       rest);
}

static int fails(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_connect_options options = {.size = sizeof(options),
                                         .timeout_ms = 1};
    struct pl_socket *socket;
    char line[8];

    (void)arg;
    CHECK_INT(PL_ERR_NOT_FOUND, pl_connect(req, "unix:/none", NULL, &socket),
              "none");
    CHECK_INT(PL_ERR_INVALID, pl_connect(req, "nonsense", NULL, &socket),
              "nonsense");
    CHECK_INT(PL_ERR_INVALID, pl_connect(req, "udp://a:1", NULL, &socket),
              "datagrams");
    CHECK_INT(0, pl_connect(req, address, &options, &socket), "connect");
    CHECK_INT(PL_ERR_TIMEOUT, pl_socket_read(req, socket, line, 8), "silence");
    pl_socket_set_timeout(socket, 0);
    pl_socket_write(req, socket, PL_STR("too long for it\n"));
    CHECK_INT(PL_ERR_LIMIT,
              pl_socket_read_line(req, socket, line, sizeof(line)), "limit");
    CHECK_INT(PL_ERR_INVALID, pl_socket_start_tls(req, socket, NULL, NULL),
              "whose name?");
    pl_socket_close(socket);
    return pl_respond(res, 200, NULL, PL_STR("as expected"));
}

static struct pl_socket *kept;

static int keeps(struct pl_request *req, struct pl_response *res, void *arg)
{
    char line[8];
    ssize_t n;

    (void)arg;
    if (kept == NULL && pl_connect(req, address, NULL, &kept) == 0)
        pl_socket_keep(kept);
    pl_socket_write(req, kept, PL_STR("k\n"));
    n = pl_socket_read_line(req, kept, line, sizeof(line));
    return pl_respondf(res, 200, NULL, "%.*s", (int)n, line);
}

static int hijacks(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_socket *socket, *again;
    char line[20];
    ssize_t n;
    int err = pl_request_hijack(req, &socket);

    (void)arg;
    (void)res;
    if (err < 0)
        return err;
    CHECK_INT(PL_ERR_CLOSED, pl_request_hijack(req, &again), "once");
    n = pl_socket_read_line(req, socket, line, sizeof(line));
    pl_socket_write(req, socket, PL_STR("raw "));
    pl_socket_write(req, socket, pl_str(line, (size_t)n));
    return 404; /* nobody hears it */
}

static int datagrams(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_udp_options options = {
        .size = sizeof(options), .bind = "127.0.0.1:0", .timeout_ms = 1};
    char here[PL_ADDRESS_TEXT], from[PL_ADDRESS_TEXT], text[20];
    struct pl_udp *a, *b;
    ssize_t n, m;

    (void)arg;
    CHECK_INT(0, pl_udp_open(req, NULL, &options, &a), "bound");
    CHECK_INT(PL_ERR_TIMEOUT, pl_udp_receive(req, a, text, 20, NULL), "none");
    CHECK_INT(0, pl_udp_local(a, here), "local");
    CHECK_INT(0, pl_udp_open(req, here, NULL, &b), "connected");
    CHECK_INT(0, pl_udp_send(req, b, PL_STR("ping")), "send");
    n = pl_udp_receive(req, a, text, sizeof(text), from);
    CHECK_INT(4, n, "receive");
    CHECK_INT(0, pl_udp_send_to(req, a, from, PL_STR("pong!")), "send to");
    m = pl_udp_receive(req, b, text + 4, 3, NULL);
    pl_udp_close(b);
    return pl_respondf(res, 200, NULL, "%zd %zd %.7s", n, m, text);
}

/* ---- tests ---- */

static int make_app(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/pl-socket-%d", (int)getpid());
    snprintf(address, sizeof(address), "unix:%s", path);
    kept = NULL;
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    pl_app_get(app, "/talk", talks, NULL);
    pl_app_get(app, "/fail", fails, NULL);
    pl_app_get(app, "/keep", keeps, NULL);
    pl_app_get(app, "/hijack", hijacks, NULL);
    pl_app_get(app, "/udp", datagrams, NULL);
    CHECK_INT(0, pl_app_tcp(app, address, serve, path), "service");
    start_app();
    return 0;
}

static int end_app(void **state)
{
    struct stat st;

    (void)state;
    stop_app();
    CHECK(stat(path, &st) < 0, "the address is gone");
    return 0;
}

static void test_socket__talks_in_straight_lines(void **state)
{
    (void)state;
    check_body("[one]\n|[two|[last]\n", "/talk");
    check_body("as expected", "/fail");
    check_body("4 5 pingpon", "/udp");
}

static void test_socket__outlives_its_handler_if_kept(void **state)
{
    (void)state;
    check_body("[k]", "/keep");
    check_body("[k]", "/keep");
}

static void test_socket__is_taken_from_a_request(void **state)
{
    static const char text[] = "GET /hijack HTTP/1.1\r\nHost: a\r\n\r\nwords\n";
    int fd = open_conn();

    (void)state;
    send_all(fd, text, strlen(text));
    CHECK_STR("raw words", pl_str_c(read_answer(fd)), "raw");
}

static void test_socket__only_fibers_wait(void **state)
{
    struct pl_socket *socket;
    struct pl_udp *udp;

    (void)state;
    CHECK_INT(PL_ERR_STATE, pl_connect(NULL, address, NULL, &socket), "conn");
    CHECK_INT(PL_ERR_STATE, pl_udp_open(NULL, NULL, NULL, &udp), "udp");
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, make_app, end_app)

RUN_TESTS(SERVED(test_socket__talks_in_straight_lines),
          SERVED(test_socket__outlives_its_handler_if_kept),
          SERVED(test_socket__is_taken_from_a_request),
          SERVED(test_socket__only_fibers_wait))
