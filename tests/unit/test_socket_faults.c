/* test_socket_faults.c - a connection opened, used and closed on the real
 * kernel, with every call failing in turn: an error or the right bytes, and
 * nothing is left behind.
 *
 * In a build without -Dfaults=true each scene runs once, and must succeed. */
#include "check.h"

#include <dirent.h>
#include <unistd.h>

#include "base/faults.h"
#include "socket/connect.h"
#include "socket/udp.h"
#include "task/fiber.h"

static struct pl_loop *loop;
static struct pl_sched sched;
static struct pl_net net;
static struct pl_sockets sockets;
static int listener;
static char address[PL_ADDR_TEXT];

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    CHECK(dir != NULL, "fds");
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void open_listener(void)
{
    struct pl_addr addr = {
        .v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
        .len = sizeof(addr.v4)};

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(listener >= 0, "socket");
    CHECK_INT(0, bind(listener, &addr.sa, addr.len), "bind");
    CHECK_INT(0, listen(listener, 5), "listen");
    CHECK_INT(0, getsockname(listener, &addr.sa, &addr.len), "name");
    pl_addr_format(&addr, address);
}

/* ---- a world without faults ---- */

static int make(void **state)
{
    (void)state;
    CHECK_INT(0, pl_loop_new(&(struct pl_loop_options){.backend = NULL}, &loop),
              "loop");
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), "sched");
    CHECK_INT(0, pl_net_init(&net, loop, NULL), "net");
    pl_sockets_init(&sockets, &net, &sched, NULL);
    open_listener();
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(listener);
    pl_sockets_fini(&sockets);
    pl_net_fini(&net);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    return 0;
}

/* ---- scenes: each on a fiber, 0 or PL_ERR_* ---- */

static int talk(void *arg)
{
    struct pl_connect_options options = {
        .size = sizeof(options), .connect_ms = 1000, .timeout_ms = 1000};
    struct pl_socket *socket;
    char text[8];
    int peer, err = pl_connect(NULL, address, &options, &socket);

    (void)arg;
    if (err < 0)
        return err;
    peer = accept(listener, NULL, NULL);
    CHECK(peer >= 0, "accept");
    CHECK_INT(6, send(peer, "answer", 6, 0), "send");
    err = pl_socket_write(NULL, socket, PL_STR("question"));
    pl_socket_flush(socket);
    if (err == 0)
        err = pl_socket_read_exactly(NULL, socket, text, 6);
    if (err == 0)
        CHECK_STR("answer", pl_str(text, 6), "the right bytes");
    close(peer);
    return err;
}

static int exchange(void *arg)
{
    struct pl_udp_options options = {
        .size = sizeof(options), .timeout_ms = 1000, .bind = "127.0.0.1:0"};
    char here[PL_ADDRESS_TEXT], text[8];
    struct pl_udp *a, *b;
    ssize_t n = 0;
    int err = pl_udp_open(NULL, NULL, &options, &a);

    (void)arg;
    if (err == 0)
        err = pl_udp_local(a, here);
    if (err == 0)
        err = pl_udp_open(NULL, here, NULL, &b);
    if (err == 0)
        err = pl_udp_send(NULL, b, PL_STR("words"));
    if (err == 0)
        n = pl_udp_receive(NULL, a, text, sizeof(text), NULL);
    if (err == 0 && n > 0)
        CHECK_STR("words", pl_str(text, (size_t)n), "the right bytes");
    return err < 0 ? err : (int)PL_MIN(n, 0);
}

/* Connections whose scene has failed before it took them. */
static void drain(void)
{
    int peer;

    while ((peer = accept(listener, NULL, NULL)) >= 0)
        close(peer);
}

static int play(int (*scene)(void *arg))
{
    struct pl_join_op join;
    int err;

    drain();
    err = pl_fiber_spawn(&sched, NULL, scene, NULL, &join);
    if (err < 0)
        return err;
    while (join.op.state != PL_OP_DONE)
        pl_loop_step(loop, 100);
    for (int i = 0; i < 3; i++)
        pl_loop_step(loop, 0);
    return join.op.result;
}

static const struct {
    enum pl_sys_call call;
    int error;
} faults[] PL_UNUSED = {
    {PL_SYS_malloc, ENOMEM},       {PL_SYS_socket, EMFILE},
    {PL_SYS_connect, ENETUNREACH}, {PL_SYS_getsockopt, ENOBUFS},
    {PL_SYS_epoll_ctl, ENOMEM},    {PL_SYS_recv, ECONNRESET},
    {PL_SYS_send, EPIPE},          {PL_SYS_bind, EADDRINUSE},
    {PL_SYS_sendto, ENOBUFS},      {PL_SYS_recvfrom, ECONNREFUSED},
    {PL_SYS_getsockname, ENOBUFS}, {PL_SYS_shutdown, ENOTCONN},
};

static void each_call_fails(int (*scene)(void *arg))
{
    int before;

    play(scene); /* what is kept for good is there now */
    before = count_fds();
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        FOR_EACH_FAULT (faults[i].call, faults[i].error) {
            int err = play(scene);

            CHECK(err == 0 || pl_faults_hit(), "a reason to fail");
        }
    }
    pl_faults_reset();
    for (int i = 0; i < 100 && !pl_list_empty(&sockets.all); i++)
        pl_loop_step(loop, 10);
    CHECK(pl_list_empty(&sockets.all), "no socket is left");
    CHECK(pl_list_empty(&sockets.datagrams), "no datagrams are left");
    CHECK(count_fds() <= before, "no descriptor is left");
    CHECK_INT(0, play(scene), "it works again");
}

static void test_socket__each_call_fails(void **state)
{
    (void)state;
    each_call_fails(talk);
}

static void test_udp__each_call_fails(void **state)
{
    (void)state;
    each_call_fails(exchange);
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(FAULT_TEST(test_socket__each_call_fails),
          FAULT_TEST(test_udp__each_call_fails))
