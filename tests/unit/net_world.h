/* net_world.h - a worker with connections and a listener, on a scripted loop.
 *
 * The protocol of the listener is `protocol`, set by the test before it
 * connects. Every test ends with all memory given back. */
#ifndef PL_TESTS_NET_WORLD_H
#define PL_TESTS_NET_WORLD_H

#include "world.h"

#include "net/conn_priv.h"

static struct pl_net net;
static struct pl_listener *listener;
static struct pl_script *script;
static int listen_fd;

PL_UNUSED static void start_listening(const struct pl_protocol *protocol,
                                      void *arg)
{
    CHECK_INT(0,
              pl_listener_start(&net, listen_fd, false, false, protocol, arg,
                                &listener),
              "listener");
}

PL_UNUSED static int make_net(void **state)
{
    make_world(state);
    CHECK_INT(0, pl_net_init(&net, loop, NULL), "net");
    script = pl_script_of(loop);
    listen_fd = pl_script_listen(script);
    listener = NULL;
    return 0;
}

/* With TLS its account stays, as OpenSSL's session is charged to it. */
PL_UNUSED static bool has_no_buffer(const struct pl_conn *conn)
{
    const struct pl_conn_io *io = conn->io;

    return io == NULL || ((conn->flags & PL_CONN_SECURE) && io->head == NULL &&
                          io->in.data == NULL);
}

PL_UNUSED static void close_it(struct pl_conn *conn, void *arg)
{
    (void)arg;
    pl_conn_close(conn, 0);
}

/* Nothing is left over, whatever the test has done. */
PL_UNUSED static int end_net(void **state)
{
    pl_net_each(&net, close_it, NULL);
    if (listener != NULL)
        pl_listener_stop(listener);
    turn(3);
    pl_net_fini(&net);
    return end_world(state); /* asserts that all memory was given back */
}

/* A connection from a new far end, accepted. */
PL_UNUSED static int connect_far(void)
{
    int far = pl_script_connect(script, listen_fd);

    turn(1);
    return far;
}

PL_UNUSED static void send_far(int far, const char *text)
{
    pl_script_send(script, far, pl_str_c(text));
}

/* What has come is text, and is taken. */
PL_UNUSED static void expect_far(int far, const char *text, const char *what)
{
    CHECK_STR(text, pl_script_received(script, far), what);
    pl_script_take(script, far, strlen(text));
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, make_net, end_net)

#endif
