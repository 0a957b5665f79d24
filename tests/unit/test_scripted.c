/* test_scripted.c - the sockets in memory behave as the kernel's.
 *
 * Each scene runs twice: on a connection over the loopback under epoll, and on
 * the scripted backend. Both must give the trace that the scene names:
 *
 *     RWPH  the events of one call: readable, writable, peer closed, hang-up
 *     -     a turn without an event
 *     3     bytes moved;  0 end of stream;  A PL_ERR_AGAIN;  C PL_ERR_CLOSED */
#include "check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "loop/scripted.h"

struct world {
    struct pl_loop *loop;
    struct pl_script *script; /* NULL: real sockets */
    struct pl_source source;  /* our side of the connection */
    int far;                  /* the other: a descriptor, or a number */
    size_t unread;            /* sent to us and not read yet */
    char trace[128];
};

static void note(struct world *world, const char *text)
{
    PL_ASSERT(strlen(world->trace) + strlen(text) + 2 < sizeof(world->trace));
    if (world->trace[0] != 0)
        strcat(world->trace, " ");
    strcat(world->trace, text);
}

static void note_result(struct world *world, ssize_t n)
{
    char text[32];

    if (n >= 0)
        snprintf(text, sizeof(text), "%zd", n);
    else if (n == PL_ERR_AGAIN || n == PL_ERR_CLOSED)
        snprintf(text, sizeof(text), n == PL_ERR_AGAIN ? "A" : "C");
    else
        snprintf(text, sizeof(text), "%s", pl_err_name((int)n));
    note(world, text);
}

static void on_ready(struct pl_source *source, unsigned events)
{
    struct world *world = PL_CONTAINER_OF(source, struct world, source);
    char text[8] = "", *at = text;

    if (events & PL_READABLE)
        *at++ = 'R';
    if (events & PL_WRITABLE)
        *at++ = 'W';
    if (events & PL_PEER_CLOSED)
        *at++ = 'P';
    if (events & PL_HANGUP)
        *at++ = 'H';
    *at = 0;
    note(world, text);
}

/* ---- the two worlds ---- */

/* The loopback delivers within the call; were it ever to take longer, these
 * wait for the state that the scene is about. */
static void wait_for_unread(struct world *world)
{
    int n = 0;

    while (world->script == NULL && (size_t)n != world->unread) {
        CHECK_INT(0, ioctl(world->source.fd, FIONREAD, &n), "FIONREAD");
        sched_yield();
    }
}

static struct tcp_info tcp_state(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    CHECK_INT(0, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), "info");
    return info;
}

static void wait_for_state(struct world *world, int one, int other)
{
    int now = -1;

    while (world->script == NULL && now != one && now != other) {
        now = tcp_state(world->source.fd).tcpi_state;
        sched_yield();
    }
}

static int real_listener(struct sockaddr_in *addr)
{
    socklen_t len = sizeof(*addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *addr = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(fd >= 0, "socket");
    CHECK_INT(0, bind(fd, (struct sockaddr *)addr, len), "bind");
    CHECK_INT(0, listen(fd, 8), "listen");
    CHECK_INT(0, getsockname(fd, (struct sockaddr *)addr, &len), "name");
    return fd;
}

static int real_connect(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_INT(0, connect(fd, (const struct sockaddr *)addr, sizeof(*addr)),
              "connect");
    return fd;
}

static void open_tcp(struct world *world)
{
    struct sockaddr_in addr;
    int listener = real_listener(&addr);

    world->far = real_connect(&addr);
    world->source.fd = pl_loop_accept(world->loop, listener);
    CHECK(world->source.fd >= 0, "accepted");
    CHECK_INT(0, pl_loop_close_fd(world->loop, listener), "close");
}

/* TCP goes on moving bytes after a send was refused; this pair does not. */
static void open_local(struct world *world)
{
    int fds[2];

    CHECK_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
              "pair");
    world->source.fd = fds[0];
    world->far = fds[1];
}

/* A connection; not watched yet. */
static void open_world(struct world *world, const struct pl_backend *backend,
                       bool local)
{
    struct pl_loop_options options = {.backend = backend};

    memset(world, 0, sizeof(*world));
    world->source.ready = on_ready;
    CHECK_INT(0, pl_loop_new(&options, &world->loop), "loop");
    if (backend == &pl_scripted) {
        world->script = pl_script_of(world->loop);
        world->source.fd = pl_script_pair(world->script, &world->far);
        pl_script_window(world->script, world->far, 32768);
    } else if (local) {
        open_local(world);
    } else {
        open_tcp(world);
    }
}

static void close_world(struct world *world)
{
    pl_loop_remove(world->loop, &world->source, false);
    CHECK_INT(0, pl_loop_close_fd(world->loop, world->source.fd), "close");
    if (world->script == NULL && world->far >= 0)
        close(world->far);
    pl_loop_free(world->loop);
}

static void watch(struct world *world, unsigned events, enum pl_watch_mode mode)
{
    if (world->source.slot == 0)
        CHECK_INT(0, pl_loop_add(world->loop, &world->source, events, mode),
                  "add");
    else
        CHECK_INT(0, pl_loop_modify(world->loop, &world->source, events, mode),
                  "modify");
}

static void turn(struct world *world)
{
    size_t before = strlen(world->trace);

    CHECK(pl_loop_step(world->loop, 0) >= 0, "step");
    if (strlen(world->trace) == before)
        note(world, "-");
}

static void watch_edge(struct world *world)
{
    watch(world, 0, PL_EDGE);
    turn(world);
}

static void far_send(struct world *world, const char *text)
{
    if (world->script != NULL)
        pl_script_send(world->script, world->far, pl_str_c(text));
    else
        CHECK_INT(strlen(text), send(world->far, text, strlen(text), 0),
                  "send");
    world->unread += strlen(text);
    wait_for_unread(world);
}

static void far_finish(struct world *world)
{
    if (world->script != NULL)
        pl_script_finish(world->script, world->far);
    else
        shutdown(world->far, SHUT_WR);
    wait_for_state(world, TCP_CLOSE_WAIT, TCP_CLOSE);
}

static void far_reset(struct world *world)
{
    struct linger now = {1, 0};

    if (world->script != NULL) {
        pl_script_reset(world->script, world->far);
        return;
    }
    setsockopt(world->far, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(world->far);
    world->far = -1;
    wait_for_state(world, TCP_CLOSE, TCP_CLOSE);
}

static void far_close(struct world *world)
{
    if (world->script != NULL) {
        pl_script_close(world->script, world->far);
        return;
    }
    close(world->far);
    world->far = -1;
    wait_for_state(world, TCP_CLOSE_WAIT, TCP_CLOSE);
}

static void far_take_all(struct world *world)
{
    static char bytes[65536];

    if (world->script != NULL)
        pl_script_take(world->script, world->far,
                       pl_script_received(world->script, world->far).len);
    else
        while (recv(world->far, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            continue;
}

static void near_recv(struct world *world, size_t len)
{
    char bytes[64];
    ssize_t n = pl_loop_recv(world->loop, world->source.fd, bytes, len);

    if (n > 0)
        world->unread -= (size_t)n;
    note_result(world, n);
}

static ssize_t try_send(struct world *world, const void *bytes, size_t len)
{
    struct iovec iov = {(void *)bytes, len};

    return pl_loop_send(world->loop, world->source.fd, &iov, 1);
}

static void near_send(struct world *world, const char *text)
{
    note_result(world, try_send(world, text, strlen(text)));
}

static void near_shutdown(struct world *world)
{
    note_result(world, pl_loop_shutdown(world->loop, world->source.fd));
    wait_for_state(world, TCP_FIN_WAIT2, TCP_CLOSE);
}

static void near_fill(struct world *world)
{
    static const char bytes[4096];

    while (try_send(world, bytes, sizeof(bytes)) > 0)
        continue;
    note_result(world, try_send(world, bytes, sizeof(bytes)));
}

/* ---- the scenes ---- */

static void quiet_after_add(struct world *world)
{
    watch_edge(world);
    turn(world);
    near_recv(world, 9);
    turn(world);
}

static void bytes_before_add(struct world *world)
{
    far_send(world, "abc");
    watch_edge(world);
    turn(world);
}

static void each_arrival_once(struct world *world)
{
    watch_edge(world);
    far_send(world, "abc");
    turn(world);
    turn(world);
    far_send(world, "def"); /* while the first is unread */
    far_send(world, "g");   /* two arrivals, one event */
    turn(world);
    turn(world);
    near_recv(world, 4);
    turn(world); /* a rest is no news */
    near_recv(world, 64);
    near_recv(world, 64);
    turn(world);
}

static void fin_with_bytes(struct world *world)
{
    watch_edge(world);
    far_send(world, "abc");
    far_finish(world);
    turn(world);
    near_recv(world, 2);
    turn(world);
    near_recv(world, 9);
    near_recv(world, 9);
    near_recv(world, 9);
    turn(world);
    near_send(world, "still writable");
}

static void fin_alone(struct world *world)
{
    watch_edge(world);
    far_finish(world);
    turn(world);
    near_recv(world, 9);
    turn(world);
    near_shutdown(world);
    turn(world);
    turn(world);
}

static void shutdown_then_fin(struct world *world)
{
    watch_edge(world);
    near_send(world, "bye");
    near_shutdown(world);
    turn(world);
    near_send(world, "more");
    turn(world);
    far_send(world, "abc");
    turn(world);
    far_finish(world);
    turn(world);
    near_recv(world, 9);
    near_recv(world, 9);
    turn(world);
}

static void reset_alone(struct world *world)
{
    watch_edge(world);
    far_reset(world);
    turn(world);
    near_recv(world, 9);
    near_recv(world, 9);
    near_send(world, "x");
    turn(world);
}

static void reset_after_bytes(struct world *world)
{
    watch_edge(world);
    far_send(world, "abc");
    far_reset(world);
    turn(world);
    near_recv(world, 9);
    near_recv(world, 9);
    near_recv(world, 9);
    turn(world);
}

static void reset_then_send(struct world *world)
{
    watch_edge(world);
    far_reset(world);
    turn(world);
    near_send(world, "x");
    near_recv(world, 9);
    turn(world);
}

static void close_with_unread(struct world *world)
{
    watch_edge(world);
    near_send(world, "hello");
    far_close(world);
    turn(world);
    near_recv(world, 9);
    near_recv(world, 9);
    turn(world);
}

static void send_after_close(struct world *world)
{
    watch_edge(world);
    far_close(world);
    turn(world);
    near_send(world, "hello"); /* goes out, and is answered by a reset */
    wait_for_state(world, TCP_CLOSE, TCP_CLOSE);
    turn(world);
    near_send(world, "x");
    near_recv(world, 9);
    near_recv(world, 9);
    turn(world);
}

static void recv_after_close(struct world *world)
{
    watch_edge(world);
    far_close(world);
    near_send(world, "hello");
    wait_for_state(world, TCP_CLOSE, TCP_CLOSE);
    turn(world);
    near_recv(world, 9); /* the FIN came first: no error is reported */
    near_recv(world, 9);
    near_send(world, "x");
    near_shutdown(world);
}

static void shutdown_after_reset(struct world *world)
{
    watch_edge(world);
    far_reset(world);
    turn(world);
    near_shutdown(world);
    near_recv(world, 9);
    near_recv(world, 9);
    turn(world);
}

static void full_and_drained(struct world *world)
{
    watch_edge(world);
    near_fill(world);
    turn(world);
    far_take_all(world);
    turn(world);
    turn(world);
    near_send(world, "there is room");
}

static void level_repeats(struct world *world)
{
    far_send(world, "abc");
    watch(world, PL_READABLE, PL_LEVEL);
    turn(world);
    turn(world);
    near_recv(world, 2);
    turn(world);
    near_recv(world, 2);
    turn(world);
    watch(world, PL_WRITABLE, PL_LEVEL);
    turn(world);
    turn(world);
    watch(world, 0, PL_LEVEL);
    far_send(world, "abc");
    turn(world);
    watch(world, PL_READABLE | PL_PEER_CLOSED, PL_LEVEL);
    turn(world);
    far_finish(world);
    turn(world);
    near_recv(world, 9);
    turn(world);
}

static void level_always_hears_hangup(struct world *world)
{
    watch(world, 0, PL_LEVEL);
    turn(world);
    far_reset(world);
    turn(world);
    turn(world);
}

static void kept_fd_is_silent(struct world *world)
{
    watch_edge(world);
    pl_loop_remove(world->loop, &world->source, true);
    far_send(world, "abc");
    turn(world);
    watch_edge(world);
}

static const struct {
    const char *what, *trace;
    void (*play)(struct world *world);
} scenes[] = {
    {"quiet after add", "W - A -", quiet_after_add},
    {"bytes before add", "RW -", bytes_before_add},
    {"each arrival once", "W RW - RW - 4 - 3 A -", each_arrival_once},
    {"FIN with bytes", "W RWP 2 - 1 0 0 - 14", fin_with_bytes},
    {"FIN alone", "W RWP 0 - 0 RWPH -", fin_alone},
    {"shutdown, then FIN", "W 3 0 W C - RW RWPH 3 0 -", shutdown_then_fin},
    {"reset", "W RWPH C 0 C -", reset_alone},
    {"reset after bytes", "W RWPH 3 C 0 -", reset_after_bytes},
    {"reset, then send", "W RWPH C 0 -", reset_then_send},
    {"closed with unread bytes", "W 5 RWPH C 0 -", close_with_unread},
    {"send after close", "W RWP 5 RWPH C 0 0 -", send_after_close},
    {"recv after close", "W 5 RWPH 0 0 C C", recv_after_close},
    {"shutdown after reset", "W RWPH C C 0 RWPH", shutdown_after_reset},
    {"full and drained", "W A - W - 13", full_and_drained},
    {"level repeats", "R R 2 R 1 - W W - R RP 3 RP", level_repeats},
    {"level hears hang-up", "- H H", level_always_hears_hangup},
    {"removed, descriptor kept", "W - RW", kept_fd_is_silent},
};

static void play_all(const struct pl_backend *backend)
{
    for (size_t i = 0; i < PL_COUNT(scenes); i++) {
        struct world world;
        char what[64];

        open_world(&world, backend, scenes[i].play == full_and_drained);
        scenes[i].play(&world);
        snprintf(what, sizeof(what), "%s: %s", backend->name, scenes[i].what);
        CHECK_STR(scenes[i].trace, pl_str_c(world.trace), what);
        close_world(&world);
    }
}

static void test_scripted__the_kernel_plays_the_scenes(void **state)
{
    (void)state;
    play_all(&pl_epoll);
}

static void test_scripted__plays_them_the_same(void **state)
{
    (void)state;
    play_all(&pl_scripted);
}

/* ---- what only the script has ---- */

static void test_scripted__chops_what_arrives_and_leaves(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, &pl_scripted, false);
    watch_edge(&world);
    pl_script_chop(world.script, 2);
    far_send(&world, "abcde");
    far_finish(&world);
    for (int i = 0; i < 3; i++) {
        turn(&world);
        near_recv(&world, 64);
        near_recv(&world, 64);
    }
    turn(&world);
    CHECK_STR("W RW 2 A RW 2 A RWP 1 0 -", pl_str_c(world.trace), "input");
    world.trace[0] = 0;
    for (int i = 0; i < 2; i++) {
        near_send(&world, "xyz");
        near_send(&world, "xyz");
        turn(&world);
    }
    turn(&world);
    CHECK_STR("2 A RWP 2 A RWP -", pl_str_c(world.trace), "output");
    CHECK_STR("xyxy", pl_script_received(world.script, world.far), "sent");
    pl_script_chop(world.script, 0);
    near_send(&world, "the rest goes at once");
    CHECK_INT(25, pl_script_received(world.script, world.far).len, "all");
    close_world(&world);
}

static void test_scripted__a_listener_is_level_triggered(void **state)
{
    struct world world;
    struct pl_source listener = {.ready = on_ready};
    int first, second, near;

    (void)state;
    open_world(&world, &pl_scripted, false);
    world.trace[0] = 0;
    listener.fd = pl_script_listen(world.script);
    pl_loop_remove(world.loop, &world.source, true);
    pl_loop_close_fd(world.loop, world.source.fd);
    world.source.fd = listener.fd;
    watch(&world, PL_READABLE, PL_LEVEL);
    turn(&world);
    first = pl_script_connect(world.script, listener.fd);
    second = pl_script_connect(world.script, listener.fd);
    pl_script_send(world.script, first, PL_STR("early"));
    turn(&world);
    near = pl_loop_accept(world.loop, listener.fd);
    CHECK(near >= 0, "the first");
    turn(&world);
    CHECK(!pl_script_closed(world.script, second), "it only waits");
    CHECK(pl_loop_accept(world.loop, listener.fd) > near, "the second");
    note_result(&world, pl_loop_accept(world.loop, listener.fd));
    turn(&world);
    CHECK_STR("- R R A -", pl_str_c(world.trace), "while one waits");
    CHECK_INT(5, pl_loop_recv(world.loop, near, (char[8]){0}, 8), "early");
    CHECK_INT(3, pl_script_calls(world.script, "accept"), "counted");
    close_world(&world);
}

static void test_scripted__tells_how_our_side_closed(void **state)
{
    struct world world;
    int far, fd;

    (void)state;
    open_world(&world, &pl_scripted, false);
    fd = pl_script_pair(world.script, &far);
    pl_script_send(world.script, far, PL_STR("unread"));
    CHECK(!pl_script_finished(world.script, far), "open");
    CHECK_INT(0, pl_loop_shutdown(world.loop, fd), "shutdown");
    CHECK(pl_script_finished(world.script, far), "half closed");
    CHECK(!pl_script_closed(world.script, far), "but not closed");
    CHECK_INT(0, pl_loop_close_fd(world.loop, fd), "close");
    CHECK(pl_script_closed(world.script, far), "closed");
    CHECK(pl_script_was_reset(world.script, far), "over unread bytes");
    CHECK_INT(PL_ERR_INVALID, pl_loop_close_fd(world.loop, fd), "once");

    fd = pl_script_pair(world.script, &far);
    CHECK_INT(0, pl_loop_close_fd(world.loop, fd), "close");
    CHECK(!pl_script_was_reset(world.script, far), "cleanly");
    pl_script_send(world.script, far, PL_STR("late"));
    CHECK(pl_script_was_reset(world.script, far), "too late");
    close_world(&world);
}

static void test_scripted__fails_and_counts_as_told(void **state)
{
    struct world world;
    FILE *file = tmpfile();
    off_t off = 2;

    (void)state;
    open_world(&world, &pl_scripted, false);
    watch_edge(&world);
    pl_script_fail(world.script, "send", PL_ERR_CLOSED, 2);
    near_send(&world, "abc");
    near_send(&world, "abc");
    near_send(&world, "abc");
    CHECK_STR("W C C 3", pl_str_c(world.trace), "two of three");
    CHECK_INT(3, pl_script_calls(world.script, "send"), "counted all");
    CHECK_INT(1, pl_script_calls(world.script, "add"), "counted");
    CHECK_INT(0, pl_script_calls(world.script, "modify"), "none");

    CHECK(file != NULL && fputs("0123456789", file) > 0 && fflush(file) == 0,
          "a file");
    pl_script_window(world.script, world.far, 8);
    CHECK_INT(
        5,
        pl_loop_sendfile(world.loop, world.source.fd, fileno(file), &off, 100),
        "as much as fits");
    CHECK_INT(7, off, "moved on");
    CHECK_STR("abc23456", pl_script_received(world.script, world.far), "sent");
    pl_script_take(world.script, world.far, 8);
    CHECK_INT(
        3,
        pl_loop_sendfile(world.loop, world.source.fd, fileno(file), &off, 100),
        "the rest");
    CHECK_INT(
        0,
        pl_loop_sendfile(world.loop, world.source.fd, fileno(file), &off, 100),
        "its end");
    fclose(file);
    close_world(&world);
}

RUN_TESTS(cmocka_unit_test(test_scripted__the_kernel_plays_the_scenes),
          cmocka_unit_test(test_scripted__plays_them_the_same),
          cmocka_unit_test(test_scripted__chops_what_arrives_and_leaves),
          cmocka_unit_test(test_scripted__a_listener_is_level_triggered),
          cmocka_unit_test(test_scripted__tells_how_our_side_closed),
          cmocka_unit_test(test_scripted__fails_and_counts_as_told))
