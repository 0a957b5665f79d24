/* test_loop.c - the turn of the loop, on the scripted backend. */
#include "check.h"

#include "loop/scripted.h"

static uint64_t clock_ns;

static struct pl_loop *new_loop(void)
{
    struct pl_loop_options options = {
        .backend = &pl_scripted,
        .clock = pl_fake_clock,
        .wall = pl_fake_clock,
        .clock_arg = &clock_ns,
    };
    struct pl_loop *loop = NULL;

    clock_ns = 1000000000;
    CHECK_INT(0, pl_loop_new(&options, &loop), "new loop");
    return loop;
}

/* A source that counts its calls and may act in them. */
struct probe {
    struct pl_source source;
    struct pl_loop *loop;
    unsigned calls, events;
    void (*then)(struct probe *probe);
    struct probe *other;
};

static void on_ready(struct pl_source *source, unsigned events)
{
    struct probe *probe = PL_CONTAINER_OF(source, struct probe, source);

    probe->calls++;
    probe->events = events;
    if (probe->then != NULL)
        probe->then(probe);
}

static void open_probe(struct probe *probe, struct pl_loop *loop, int *far)
{
    probe->loop = loop;
    probe->source.ready = on_ready;
    probe->source.fd = pl_script_pair(pl_script_of(loop), far);
    CHECK_INT(0, pl_loop_add(loop, &probe->source, 0, PL_EDGE), "add");
}

static void close_probe(struct probe *probe)
{
    int fd = probe->source.fd;

    pl_loop_remove(probe->loop, &probe->source, false);
    pl_loop_close_fd(probe->loop, fd);
}

static void test_loop__delivers_bytes_both_ways(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe probe = {0};
    char bytes[16];
    struct iovec iov = {"pong", 4};
    int far;

    (void)state;
    open_probe(&probe, loop, &far);
    CHECK_INT(1, pl_loop_step(loop, 0), "writable at once");
    CHECK_INT(PL_WRITABLE, probe.events, "nothing else");
    CHECK_INT(0, pl_loop_step(loop, 0), "and then silence");
    pl_script_send(pl_script_of(loop), far, PL_STR("ping"));
    CHECK_INT(1, pl_loop_step(loop, -1), "one event");
    CHECK_INT(PL_READABLE | PL_WRITABLE, probe.events, "the whole state");
    CHECK_INT(4, pl_loop_recv(loop, probe.source.fd, bytes, 16), "ping");
    CHECK_INT(4, pl_loop_send(loop, probe.source.fd, &iov, 1), "pong");
    CHECK_STR("pong", pl_script_received(pl_script_of(loop), far), "sent");
    close_probe(&probe);
    CHECK(pl_script_closed(pl_script_of(loop), far), "closed");
    pl_loop_free(loop);
}

RUN_TESTS(cmocka_unit_test(test_loop__delivers_bytes_both_ways))
