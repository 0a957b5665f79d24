/* test_epoll.c - the backend of Linux: real descriptors, the kernel's answers.
 *
 * How its events come is in test_scripted.c, beside the model of them. */
#include "check.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/faults.h"
#include "loop/loop.h"

#define MS UINT64_C(1000000)

struct probe {
    struct pl_source source;
    unsigned calls, events;
};

static void on_ready(struct pl_source *source, unsigned events)
{
    struct probe *probe = PL_CONTAINER_OF(source, struct probe, source);

    probe->calls++;
    probe->events = events;
}

static struct pl_loop *new_loop(void)
{
    struct pl_loop *loop = NULL;

    CHECK_INT(0, pl_loop_new(&(struct pl_loop_options){0}, &loop), "loop");
    return loop;
}

static void open_pair(int fds[2])
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

    CHECK_INT(0, socketpair(AF_UNIX, type, 0, fds), "pair");
}

static void init_probe(struct probe *probe, int fd)
{
    *probe = (struct probe){.source = {.ready = on_ready, .fd = fd}};
}

static void drop(struct pl_loop *loop, struct probe *probe)
{
    pl_loop_remove(loop, &probe->source, false);
    CHECK_INT(0, pl_loop_close_fd(loop, probe->source.fd), "close");
}

/* ---- what the kernel refuses ---- */

static void test_epoll__says_why_it_refuses_a_descriptor(void **state)
{
    struct pl_loop *loop = new_loop();
    FILE *file = tmpfile();
    int fds[2];
    struct probe regular, closed, first, second;

    (void)state;
    open_pair(fds);
    init_probe(&regular, fileno(file));
    init_probe(&closed, -1);
    init_probe(&first, fds[0]);
    init_probe(&second, fds[0]);
    CHECK_INT(PL_ERR_UNSUPPORTED,
              pl_loop_add(loop, &regular.source, PL_READABLE, PL_LEVEL),
              "a file");
    CHECK_INT(PL_ERR_INVALID, pl_loop_add(loop, &closed.source, 0, PL_EDGE),
              "no descriptor");
    CHECK_INT(0, pl_loop_add(loop, &first.source, 0, PL_EDGE), "a socket");
    CHECK_INT(PL_ERR_EXISTS, pl_loop_add(loop, &second.source, 0, PL_EDGE),
              "the same again");
    CHECK_INT(0, regular.source.slot + closed.source.slot + second.source.slot,
              "none of them took a slot");
    CHECK_INT(PL_ERR_INVALID, pl_loop_recv(loop, -1, fds, 1), "recv");
    CHECK_INT(PL_ERR_INVALID, pl_loop_accept(loop, -1), "accept");
    CHECK_INT(PL_ERR_INVALID, pl_loop_close_fd(loop, -1), "close");
    drop(loop, &first);
    close(fds[1]);
    fclose(file);
    pl_loop_free(loop);
}

/* ---- transfers ---- */

static void test_epoll__sends_and_receives(void **state)
{
    struct pl_loop *loop = new_loop();
    struct iovec iov[] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    char bytes[16] = "";
    int fds[2];

    (void)state;
    open_pair(fds);
    CHECK_INT(PL_ERR_AGAIN, pl_loop_recv(loop, fds[0], bytes, 16), "nothing");
    CHECK_INT(2, pl_loop_send(loop, fds[1], iov, 1), "one");
    CHECK_INT(5, pl_loop_send(loop, fds[1], iov, 3), "several");
    CHECK_INT(7, pl_loop_recv(loop, fds[0], bytes, 16), "all");
    CHECK_STR("ababcde", pl_str_c(bytes), "in order");
    CHECK_INT(0, pl_loop_shutdown(loop, fds[1]), "half close");
    CHECK_INT(0, pl_loop_recv(loop, fds[0], bytes, 16), "the end");
    CHECK_INT(2, pl_loop_send(loop, fds[0], iov, 1), "the other way");
    CHECK_INT(0, pl_loop_close_fd(loop, fds[1]), "close");
    /* No SIGPIPE either, which would end the test here. */
    CHECK_INT(PL_ERR_CLOSED, pl_loop_send(loop, fds[0], iov, 1), "one");
    CHECK_INT(PL_ERR_CLOSED, pl_loop_send(loop, fds[0], iov, 3), "several");
    CHECK_INT(0, pl_loop_close_fd(loop, fds[0]), "close");
    pl_loop_free(loop);
}

static void test_epoll__knows_what_the_peer_has_not_taken(void **state)
{
    struct pl_loop *loop = new_loop();
    struct iovec iov = {.iov_base = (char[]){"abc"}, .iov_len = 3};
    char to[8];
    int fds[2];

    (void)state;
    open_pair(fds);
    CHECK_INT(3, pl_loop_send(loop, fds[0], &iov, 1), "send");
    CHECK(pl_loop_unsent(loop, fds[0]) > 0, "on its way");
    CHECK_INT(3, pl_loop_recv(loop, fds[1], to, sizeof(to)), "recv");
    CHECK_INT(0, pl_loop_unsent(loop, fds[0]), "taken");
    CHECK_INT(0, pl_loop_close_fd(loop, fds[0]), "close");
    CHECK(pl_loop_unsent(loop, fds[0]) < 0, "closed");
    CHECK_INT(0, pl_loop_close_fd(loop, fds[1]), "close");
    pl_loop_free(loop);
}

static void test_epoll__sends_files(void **state)
{
    struct pl_loop *loop = new_loop();
    FILE *file = tmpfile();
    char bytes[16] = "";
    off_t off = 3;
    int fds[2];

    (void)state;
    open_pair(fds);
    CHECK(fputs("0123456789", file) > 0 && fflush(file) == 0, "a file");
    CHECK_INT(5, pl_loop_sendfile(loop, fds[0], fileno(file), &off, 5), "part");
    CHECK_INT(8, off, "moved on");
    CHECK_INT(2, pl_loop_sendfile(loop, fds[0], fileno(file), &off, 5), "rest");
    CHECK_INT(0, pl_loop_sendfile(loop, fds[0], fileno(file), &off, 5), "end");
    CHECK_INT(7, pl_loop_recv(loop, fds[1], bytes, 16), "arrived");
    CHECK_STR("3456789", pl_str_c(bytes), "what was asked for");
    fclose(file);
    close(fds[0]);
    close(fds[1]);
    pl_loop_free(loop);
}

/* ---- listeners ---- */

static int open_listener(struct sockaddr_in *addr)
{
    socklen_t len = sizeof(*addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *addr = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_INT(0, bind(fd, (struct sockaddr *)addr, len), "bind");
    CHECK_INT(0, listen(fd, 8), "listen");
    CHECK_INT(0, getsockname(fd, (struct sockaddr *)addr, &len), "name");
    return fd;
}

static int connect_to(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_INT(0, connect(fd, (const struct sockaddr *)addr, sizeof(*addr)),
              "connect");
    return fd;
}

static void test_epoll__accepted_descriptors_do_not_block_or_leak(void **state)
{
    struct pl_loop *loop = new_loop();
    struct sockaddr_in addr;
    struct probe probe;
    int peer, near;

    (void)state;
    init_probe(&probe, open_listener(&addr));
    CHECK_INT(0, pl_loop_add(loop, &probe.source, PL_READABLE, PL_LEVEL),
              "add");
    peer = connect_to(&addr);
    CHECK(pl_loop_step(loop, -1) > 0, "step");
    CHECK_INT(PL_READABLE, probe.events, "somebody waits");
    near = pl_loop_accept(loop, probe.source.fd);
    CHECK(near >= 0, "accepted");
    CHECK(fcntl(near, F_GETFL) & O_NONBLOCK, "non-blocking");
    CHECK(fcntl(near, F_GETFD) & FD_CLOEXEC, "close-on-exec");
    CHECK_INT(PL_ERR_AGAIN, pl_loop_accept(loop, probe.source.fd), "no more");
    CHECK_INT(0, pl_loop_step(loop, 0), "and quiet");
    close(near);
    close(peer);
    drop(loop, &probe);
    pl_loop_free(loop);
}

static void test_epoll__an_exclusive_listener_can_be_paused(void **state)
{
    struct pl_loop *loops[2] = {new_loop(), new_loop()};
    struct probe probes[2];
    struct sockaddr_in addr;
    int fd = open_listener(&addr), peer;

    (void)state;
    for (int i = 0; i < 2; i++) {
        init_probe(&probes[i], fd);
        CHECK_INT(
            0,
            pl_loop_add(loops[i], &probes[i].source, PL_READABLE, PL_EXCLUSIVE),
            "add");
    }
    CHECK_INT(0, pl_loop_modify(loops[0], &probes[0].source, 0, PL_EXCLUSIVE),
              "pause");
    peer = connect_to(&addr);
    CHECK(pl_loop_step(loops[1], -1) > 0, "the other loop");
    CHECK_INT(0, pl_loop_step(loops[0], 0), "not the paused one");
    CHECK_INT(
        0,
        pl_loop_modify(loops[0], &probes[0].source, PL_READABLE, PL_EXCLUSIVE),
        "resume");
    CHECK_INT(1, pl_loop_step(loops[0], -1), "hears at once");
    pl_loop_remove(loops[0], &probes[0].source, true);
    CHECK_INT(0, pl_loop_step(loops[0], 0), "removed");
    drop(loops[1], &probes[1]);
    close(peer);
    pl_loop_free(loops[0]);
    pl_loop_free(loops[1]);
}

/* ---- events and waking ---- */

static void test_epoll__delivers_more_events_than_a_batch(void **state)
{
    enum { PAIRS = 400 };
    static struct probe probes[2 * PAIRS];
    struct pl_loop *loop = new_loop();
    int fds[2], turns = 0, events = 0;

    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        open_pair(fds);
        for (int j = 0; j < 2; j++) {
            init_probe(&probes[2 * i + j], fds[j]);
            CHECK_INT(0,
                      pl_loop_add(loop, &probes[2 * i + j].source, 0, PL_EDGE),
                      "add");
        }
    }
    for (int n; (n = pl_loop_step(loop, 0)) > 0; turns++)
        events += n;
    CHECK_INT(2 * PAIRS, events, "each is writable");
    CHECK_INT((2 * PAIRS + 255) / 256, turns, "in batches");
    for (int i = 0; i < 2 * PAIRS; i++) {
        CHECK_INT(1, probes[i].calls, "each once");
        drop(loop, &probes[i]);
    }
    pl_loop_free(loop);
}

static void test_epoll__hears_a_pipe_whose_writer_is_gone(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    CHECK_INT(0, pipe(fds), "pipe");
    init_probe(&probe, fds[0]);
    CHECK_INT(0, pl_loop_add(loop, &probe.source, PL_READABLE, PL_LEVEL),
              "add");
    CHECK_INT(0, pl_loop_step(loop, 0), "quiet");
    close(fds[1]);
    CHECK_INT(1, pl_loop_step(loop, -1), "an event");
    CHECK_INT(PL_HANGUP, probe.events, "which is all that the kernel says");
    drop(loop, &probe);
    pl_loop_free(loop);
}

static struct pl_loop *signalled;

static void on_signal(int number)
{
    pl_loop_wake(signalled);
}

static void test_epoll__wakes_also_from_a_signal_handler(void **state)
{
    struct pl_loop *loop = new_loop();

    (void)state;
    signalled = loop;
    signal(SIGUSR1, on_signal);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j <= i; j++)
            raise(SIGUSR1);
        CHECK(pl_loop_step(loop, -1) >= 0, "woken");
        CHECK_INT(0, pl_loop_step(loop, 0), "once");
    }
    signal(SIGUSR1, SIG_DFL);
    pl_loop_free(loop);
}

static bool timer_fired;

static void on_timer(struct pl_timer *timer)
{
    CHECK(pl_clock_monotonic() >= timer->due, "never early");
    timer_fired = true;
}

static void test_epoll__timers_are_not_early(void **state)
{
    struct pl_loop *loop = new_loop();
    struct pl_timer timer;

    (void)state;
    pl_timer_init(&timer, on_timer);
    for (uint64_t us = 100; us < 6000; us += 700) {
        timer_fired = false;
        pl_timer_start(pl_loop_wheel(loop), &timer, pl_now(loop) + us * 1000);
        while (!timer_fired)
            CHECK(pl_loop_step(loop, -1) >= 0, "step");
    }
    CHECK(pl_loop_wall(loop) > 1600000000, "after 2020");
    pl_loop_free(loop);
}

/* ---- faults (in a build with -Dfaults=true) ---- */

static void test_epoll__opening_may_fail_at_each_call(void **state)
{
    static const struct {
        enum pl_sys_call call;
        int error, want;
    } faults[] = {
        {PL_SYS_malloc, ENOMEM, PL_ERR_NOMEM},
        {PL_SYS_epoll_create1, EMFILE, PL_ERR_NO_FDS},
        {PL_SYS_eventfd, EMFILE, PL_ERR_NO_FDS},
        {PL_SYS_epoll_ctl, ENOSPC, PL_ERR_LIMIT},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        FOR_EACH_FAULT (faults[i].call, faults[i].error) {
            struct pl_loop *loop = NULL;
            int fds[2], err;
            struct probe probe;

            open_pair(fds);
            init_probe(&probe, fds[0]);
            err = pl_loop_new(&(struct pl_loop_options){0}, &loop);
            if (err == 0) {
                err = pl_loop_add(loop, &probe.source, 0, PL_EDGE);
                pl_loop_remove(loop, &probe.source, false);
                pl_loop_free(loop);
            }
            CHECK_INT(pl_faults_hit() ? faults[i].want : 0, err, "the error");
            close(fds[0]);
            close(fds[1]);
        }
    }
}

static void test_epoll__repeats_what_a_signal_interrupts(void **state)
{
    struct pl_loop *loop = new_loop();
    struct iovec iov[] = {{"a", 1}, {"b", 1}};
    char bytes[8];
    int fds[2];

    (void)state;
    open_pair(fds);
    pl_faults_eintr(PL_SYS_send, 2);
    pl_faults_eintr(PL_SYS_sendmsg, 2);
    pl_faults_eintr(PL_SYS_recv, 2);
    pl_faults_eintr(PL_SYS_write, 2);
    CHECK_INT(1, pl_loop_send(loop, fds[0], iov, 1), "send");
    CHECK_INT(2, pl_loop_send(loop, fds[0], iov, 2), "sendmsg");
    CHECK_INT(3, pl_loop_recv(loop, fds[1], bytes, 8), "recv");
    pl_loop_wake(loop);
    CHECK(pl_loop_step(loop, -1) >= 0, "write");
    pl_faults_eintr(PL_SYS_epoll_wait, 1);
    CHECK_INT(0, pl_loop_step(loop, 0), "a wait ends with nothing");
    pl_faults_reset();
    close(fds[0]);
    close(fds[1]);
    pl_loop_free(loop);
}

RUN_TESTS(
    cmocka_unit_test(test_epoll__says_why_it_refuses_a_descriptor),
    cmocka_unit_test(test_epoll__sends_and_receives),
    cmocka_unit_test(test_epoll__knows_what_the_peer_has_not_taken),
    cmocka_unit_test(test_epoll__sends_files),
    cmocka_unit_test(test_epoll__accepted_descriptors_do_not_block_or_leak),
    cmocka_unit_test(test_epoll__an_exclusive_listener_can_be_paused),
    cmocka_unit_test(test_epoll__delivers_more_events_than_a_batch),
    cmocka_unit_test(test_epoll__hears_a_pipe_whose_writer_is_gone),
    cmocka_unit_test(test_epoll__wakes_also_from_a_signal_handler),
    cmocka_unit_test(test_epoll__timers_are_not_early),
    cmocka_unit_test(test_epoll__opening_may_fail_at_each_call),
    cmocka_unit_test(test_epoll__repeats_what_a_signal_interrupts))
