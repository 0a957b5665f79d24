/* test_loop.c - the turn of the loop, on the scripted backend: its order, its
 * slots, and when it may sleep. */
#include "check.h"

#include "base/check.h"
#include "base/sys.h"
#include "loop/scripted.h"

#define MS UINT64_C(1000000)

static uint64_t clock_ns;
static char trace[512]; /* one letter for each thing that happened */

static void trace_add(char c)
{
    size_t len = strlen(trace);

    PL_ASSERT(len + 1 < sizeof(trace));
    trace[len] = c;
    trace[len + 1] = 0;
}

static struct pl_loop *new_loop(void)
{
    struct pl_loop_options options = {
        .backend = &pl_scripted,
        .clock = pl_fake_clock,
        .wall = pl_fake_clock,
        .clock_arg = &clock_ns,
    };
    struct pl_loop *loop = NULL;

    clock_ns = 1000 * MS;
    trace[0] = 0;
    CHECK_INT(0, pl_loop_new(&options, &loop), "new loop");
    return loop;
}

/* A source that counts its calls and may act in them. */
struct probe {
    struct pl_source source;
    struct pl_loop *loop;
    int far;
    char name;
    unsigned calls, events;
    void (*then)(struct probe *probe);
    struct probe *other;
};

static void on_ready(struct pl_source *source, unsigned events)
{
    struct probe *probe = PL_CONTAINER_OF(source, struct probe, source);

    probe->calls++;
    probe->events = events;
    trace_add(probe->name ? probe->name : '.');
    if (probe->then != NULL)
        probe->then(probe);
}

static void open_probe(struct probe *probe, struct pl_loop *loop)
{
    probe->loop = loop;
    probe->source.ready = on_ready;
    probe->source.slot = 0;
    probe->source.fd = pl_script_pair(pl_script_of(loop), &probe->far);
    CHECK_INT(0, pl_loop_add(loop, &probe->source, 0, PL_EDGE), "add");
}

/* Opens, and lets the first event ("writable") pass. */
static void open_quiet(struct probe *probe, struct pl_loop *loop)
{
    open_probe(probe, loop);
    CHECK_INT(1, pl_loop_step(loop, 0), "writable");
    probe->calls = probe->events = 0;
    trace[0] = 0;
}

static void close_probe(struct probe *probe)
{
    int fd = probe->source.fd;

    pl_loop_remove(probe->loop, &probe->source, false);
    CHECK_INT(0, probe->source.slot, "in no loop");
    pl_loop_close_fd(probe->loop, fd);
}

static void feed(struct probe *probe)
{
    pl_script_send(pl_script_of(probe->loop), probe->far, PL_STR("x"));
}

static void test_loop__delivers_bytes_both_ways(void **state)
{
    struct pl_loop *loop = new_loop();
    struct pl_script *script = pl_script_of(loop);
    struct probe probe = {0};
    char bytes[16];
    struct iovec iov = {"pong", 4};

    (void)state;
    open_probe(&probe, loop);
    CHECK_INT(1, pl_loop_step(loop, 0), "writable at once");
    CHECK_INT(PL_WRITABLE, probe.events, "nothing else");
    CHECK_INT(0, pl_loop_step(loop, 0), "and then silence");
    pl_script_send(script, probe.far, PL_STR("ping"));
    CHECK_INT(1, pl_loop_step(loop, -1), "one event");
    CHECK_INT(PL_READABLE | PL_WRITABLE, probe.events, "the whole state");
    CHECK_INT(4, pl_loop_recv(loop, probe.source.fd, bytes, 16), "ping");
    CHECK_INT(4, pl_loop_send(loop, probe.source.fd, &iov, 1), "pong");
    CHECK_STR("pong", pl_script_received(script, probe.far), "sent");
    close_probe(&probe);
    CHECK(pl_script_closed(script, probe.far), "closed");
    pl_loop_free(loop);
}

/* ---- order ---- */

static void on_timer(struct pl_timer *timer)
{
    trace_add('t');
}

static bool on_hook(struct pl_hook *hook)
{
    trace_add('h');
    return false;
}

static void on_mail(struct pl_mail *mail)
{
    trace_add('m');
}

static void test_loop__a_turn_has_a_fixed_order(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe event = {.name = 'e'}, again = {.name = 'a'};
    struct pl_hook hook = {.run = on_hook};
    struct pl_mail mail = {.deliver = on_mail};
    struct pl_timer timer;

    (void)state;
    open_quiet(&event, loop);
    open_quiet(&again, loop);
    pl_loop_add_hook(loop, &hook);
    pl_timer_init(&timer, on_timer);
    pl_timer_start(pl_loop_wheel(loop), &timer, clock_ns);
    pl_loop_again(loop, &again.source, 0);
    feed(&event);
    pl_mailbox_send(pl_loop_mailbox(loop), &mail);
    CHECK_INT(4, pl_loop_step(loop, -1), "mail, event, again, timer");
    CHECK_STR("meath", pl_str_c(trace), "the order of the phases");
    close_probe(&event);
    close_probe(&again);
    pl_loop_remove_hook(&hook);
    pl_loop_free(loop);
}

/* ---- slots ---- */

static void close_other(struct probe *probe)
{
    if (probe->other->source.slot != 0)
        close_probe(probe->other);
}

static void test_loop__drops_events_of_a_source_closed_in_the_batch(void **s)
{
    struct pl_loop *loop = new_loop();
    struct probe a = {.then = close_other}, b = {.then = close_other};

    (void)s;
    a.other = &b;
    b.other = &a;
    open_probe(&a, loop);
    open_probe(&b, loop);
    pl_loop_step(loop, 0);
    CHECK_INT(1, a.calls, "the first");
    CHECK_INT(0, b.calls, "not the one that it closed");
    close_probe(&a);
    pl_loop_free(loop);
}

static struct probe heir = {.name = 'h'};

static void close_other_and_open_heir(struct probe *probe)
{
    int fd = probe->other->source.fd;
    uint32_t slot = probe->other->source.slot;

    if (slot == 0)
        return;
    close_probe(probe->other);
    open_probe(&heir, probe->loop);
    CHECK_INT(fd, heir.source.fd, "the kernel re-uses the number");
    CHECK_INT(slot, heir.source.slot, "and the loop the slot");
}

static void test_loop__the_heir_of_a_slot_hears_no_old_event(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe a = {.then = close_other_and_open_heir}, b = {0};

    (void)state;
    a.other = &b;
    open_quiet(&a, loop);
    open_quiet(&b, loop);
    feed(&a);
    feed(&b);
    CHECK_INT(2, pl_loop_step(loop, 0), "both were collected");
    CHECK_INT(0, heir.calls + b.calls, "but one of them is gone");
    pl_loop_step(loop, 0);
    CHECK_INT(1, heir.calls, "its own event");
    CHECK_INT(PL_WRITABLE, heir.events, "not the old one's");
    close_probe(&a);
    close_probe(&heir);
    pl_loop_free(loop);
}

static void test_loop__slots_are_dense_and_cost_no_malloc(void **state)
{
    enum { N = 1000 };
    static struct probe probes[N];
    struct pl_loop *loop = new_loop();
    uint64_t mallocs = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            open_probe(&probes[i], loop);
            CHECK(probes[i].source.slot >= 1 && probes[i].source.slot <= N,
                  "dense");
            CHECK(pl_loop_slot(loop, probes[i].source.slot) ==
                      &probes[i].source,
                  "found");
        }
        for (int i = 0; i < N; i++)
            close_probe(&probes[i]);
        if (round > 0)
            CHECK_INT(mallocs, pl_loop_pool(loop)->mallocs, "steady state");
        mallocs = pl_loop_pool(loop)->mallocs;
    }
    CHECK_INT((N + 256) / 256, mallocs, "one for 256 sources");
    CHECK(pl_loop_slot(loop, 0) == NULL, "0 is none");
    CHECK(pl_loop_slot(loop, 1) == NULL, "empty");
    CHECK(pl_loop_slot(loop, 1u << 31) == NULL, "far away");
    pl_loop_free(loop);
}

static void test_loop__a_refused_source_is_in_no_loop(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe probe = {0};
    struct pl_source twice = {.ready = on_ready};

    (void)state;
    probe.source.fd = 5;
    CHECK_INT(PL_ERR_INVALID, pl_loop_add(loop, &probe.source, 0, PL_EDGE),
              "not of this backend");
    CHECK_INT(0, probe.source.slot, "no slot");
    pl_loop_remove(loop, &probe.source, true); /* harmless */
    open_quiet(&probe, loop);
    twice.fd = probe.source.fd;
    CHECK_INT(PL_ERR_EXISTS, pl_loop_add(loop, &twice, 0, PL_EDGE), "twice");
    close_probe(&probe);
    pl_loop_free(loop);
}

static void test_loop__a_memory_limit_refuses_sources(void **state)
{
    struct pl_loop_options options = {.backend = &pl_scripted,
                                      .memory_limit = 5000};
    struct pl_loop *loop = NULL;
    static struct probe probes[300];
    int n = 0, err;

    (void)state;
    trace[0] = 0;
    CHECK_INT(0, pl_loop_new(&options, &loop), "new");
    do {
        probes[n].source = (struct pl_source){
            .ready = on_ready,
            .fd = pl_script_pair(pl_script_of(loop), &probes[n].far)};
        err = pl_loop_add(loop, &probes[n].source, 0, PL_EDGE);
        n++;
    } while (err == 0);
    CHECK_INT(PL_ERR_NOMEM, err, "refused");
    CHECK_INT(256, n, "one chunk fits; slot 0 is not used");
    for (int i = 0; i < n; i++)
        pl_loop_remove(loop, &probes[i].source, false);
    pl_loop_free(loop);
}

/* ---- the again list ---- */

static void ask_again(struct probe *probe)
{
    pl_loop_again(probe->loop, &probe->source, 0);
}

static void test_loop__again_is_once_a_turn(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe a = {.name = 'a', .then = ask_again};
    struct probe b = {.name = 'b', .then = ask_again};

    (void)state;
    open_quiet(&a, loop);
    close_probe(&a); /* takes the request of its first event along */
    CHECK_INT(0, pl_loop_step(loop, 0), "nothing is left");
    open_quiet(&a, loop);
    open_probe(&b, loop);
    trace[0] = 0;
    for (int i = 0; i < 3; i++)
        pl_loop_step(loop, -1);
    CHECK_STR("bababa", pl_str_c(trace), "b's event, then each once");
    close_probe(&a);
    close_probe(&b);
    pl_loop_free(loop);
}

static void test_loop__again_keeps_its_events(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe probe = {.name = 'p'};

    (void)state;
    open_quiet(&probe, loop);
    pl_loop_again(loop, &probe.source, PL_READABLE);
    pl_loop_again(loop, &probe.source, PL_HANGUP);
    CHECK_INT(1, pl_loop_step(loop, -1), "one call");
    CHECK_INT(PL_READABLE | PL_HANGUP, probe.events, "both");
    pl_loop_again(loop, &probe.source, 0);
    CHECK_INT(1, pl_loop_step(loop, -1), "one call");
    CHECK_INT(0, probe.events, "for nothing in particular");
    CHECK_INT(0, pl_loop_step(loop, 0), "done");
    close_probe(&probe);
    pl_loop_free(loop);
}

static void test_loop__a_queued_slot_may_be_dropped_and_reused(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};

    (void)state;
    open_quiet(&a, loop);
    open_quiet(&b, loop);
    pl_loop_again(loop, &a.source, 0);
    pl_loop_again(loop, &b.source, 0);
    close_probe(&a);
    open_probe(&c, loop); /* must not take the place of a in the list */
    CHECK(c.source.slot != 1, "the slot of a is not free yet");
    trace[0] = 0;
    pl_loop_step(loop, -1);
    CHECK_STR("cb", pl_str_c(trace), "c's event, b again, never a");
    close_probe(&b);
    open_quiet(&a, loop);
    close_probe(&a);
    close_probe(&c);
    pl_loop_free(loop);
}

/* ---- hooks ---- */

struct busy_hook {
    struct pl_hook hook;
    struct pl_loop *loop;
    int busy, runs;
    struct pl_hook *add, *drop;
};

static bool run_busy(struct pl_hook *hook)
{
    struct busy_hook *busy = PL_CONTAINER_OF(hook, struct busy_hook, hook);

    busy->runs++;
    if (busy->drop != NULL)
        pl_loop_remove_hook(busy->drop);
    if (busy->add != NULL)
        pl_loop_add_hook(busy->loop, busy->add);
    busy->add = busy->drop = NULL;
    return busy->busy-- > 0;
}

static void test_loop__a_busy_hook_does_not_starve_events(void **state)
{
    struct pl_loop *loop = new_loop();
    struct busy_hook busy = {.hook.run = run_busy, .busy = 1000};
    struct probe probe = {0};

    (void)state;
    open_quiet(&probe, loop);
    pl_loop_add_hook(loop, &busy.hook);
    for (int i = 1; i <= 5; i++) {
        feed(&probe);
        pl_loop_step(loop, -1);
        CHECK_INT(i, busy.runs, "one pass a turn");
        CHECK_INT(i, probe.calls, "and the event");
    }
    pl_loop_remove_hook(&busy.hook);
    close_probe(&probe);
    pl_loop_free(loop);
}

static void test_loop__hooks_may_add_and_remove_hooks(void **state)
{
    struct pl_loop *loop = new_loop();
    struct busy_hook a = {.hook.run = run_busy, .loop = loop};
    struct busy_hook b = {.hook.run = run_busy, .loop = loop};
    struct busy_hook c = {.hook.run = run_busy, .loop = loop};

    (void)state;
    a.drop = &b.hook; /* the next one */
    c.add = &b.hook;
    c.drop = &a.hook;
    pl_loop_add_hook(loop, &a.hook);
    pl_loop_add_hook(loop, &b.hook);
    pl_loop_add_hook(loop, &c.hook);
    pl_loop_step(loop, 0);
    CHECK_INT(111, a.runs * 100 + b.runs * 10 + c.runs, "b by c only");
    c.drop = &c.hook; /* itself */
    pl_loop_step(loop, 0);
    pl_loop_step(loop, 0);
    CHECK_INT(132, a.runs * 100 + b.runs * 10 + c.runs, "b goes on");
    pl_loop_remove_hook(&b.hook);
    pl_loop_remove_hook(&b.hook);
    pl_loop_free(loop);
}

/* ---- sleeping: what the backend is told ---- */

/* The scripted backend, with a look at the time-out of each wait. */
static struct pl_backend spying;
static int waited_ms;

static int spying_wait(void *state, int timeout_ms)
{
    waited_ms = timeout_ms;
    return pl_scripted.wait(state, timeout_ms);
}

static struct pl_loop *new_spied_loop(void)
{
    struct pl_loop_options options = {
        .backend = &spying, .clock = pl_fake_clock, .clock_arg = &clock_ns};
    struct pl_loop *loop = NULL;

    spying = pl_scripted;
    spying.wait = spying_wait;
    clock_ns = 1000 * MS;
    trace[0] = 0;
    CHECK_INT(0, pl_loop_new(&options, &loop), "new");
    return loop;
}

static int wait_of_step(struct pl_loop *loop, int limit)
{
    waited_ms = -2;
    CHECK(pl_loop_step(loop, limit) >= 0, "step");
    return waited_ms;
}

static void test_loop__waits_until_the_next_timer(void **state)
{
    struct pl_loop *loop = new_spied_loop();
    struct pl_timer timer;

    (void)state;
    pl_timer_init(&timer, on_timer);
    CHECK_INT(-1, wait_of_step(loop, -1), "no timer: for ever");
    CHECK_INT(7, wait_of_step(loop, 7), "no timer: as the caller says");
    pl_timer_start(pl_loop_wheel(loop), &timer, clock_ns + 20 * MS + 1);
    CHECK_INT(21, wait_of_step(loop, -1), "rounded up");
    CHECK_INT(0, wait_of_step(loop, 0), "the caller's limit is lower");
    clock_ns += 20 * MS;
    CHECK_INT(1, wait_of_step(loop, -1), "now is read again before a wait");
    CHECK_STR("", pl_str_c(trace), "not early");
    clock_ns += MS;
    pl_loop_step(loop, -1);
    CHECK_STR("t", pl_str_c(trace), "on time");
    pl_timer_start(pl_loop_wheel(loop), &timer, UINT64_MAX);
    CHECK(wait_of_step(loop, -1) > 1000000, "a wait has an end");
    pl_timer_stop(pl_loop_wheel(loop), &timer);
    pl_loop_free(loop);
}

static void test_loop__does_not_sleep_while_something_is_left(void **state)
{
    struct pl_loop *loop = new_spied_loop();
    struct busy_hook busy = {.hook.run = run_busy, .busy = 1};
    struct pl_mail mails[300];
    int got = 0;

    (void)state;
    pl_loop_add_hook(loop, &busy.hook);
    CHECK_INT(-1, wait_of_step(loop, -1), "idle");
    CHECK_INT(0, wait_of_step(loop, -1), "a hook was busy");
    CHECK_INT(-1, wait_of_step(loop, -1), "idle");
    for (size_t i = 0; i < PL_COUNT(mails); i++) {
        mails[i].deliver = on_mail;
        pl_mailbox_send(pl_loop_mailbox(loop), &mails[i]);
    }
    while (got < (int)PL_COUNT(mails)) {
        trace[0] = 0;
        CHECK_INT(0, wait_of_step(loop, -1), "mail is left");
        CHECK(strlen(trace) <= 256, "by pieces");
        got += (int)strlen(trace);
    }
    CHECK_INT(-1, wait_of_step(loop, -1), "idle");
    pl_loop_stop(loop);
    CHECK_INT(0, wait_of_step(loop, -1), "it is to stop");
    pl_loop_remove_hook(&busy.hook);
    pl_loop_free(loop);
}

static void stop_loop(struct probe *probe)
{
    if (probe->calls == 3)
        pl_loop_stop(probe->loop);
    else
        ask_again(probe);
}

static void test_loop__does_not_sleep_over_the_again_list(void **state)
{
    struct pl_loop *loop = new_spied_loop();
    struct probe probe = {.loop = loop, .source.ready = on_ready};

    (void)state;
    probe.source.fd =
        pl_script_pair(pl_loop_backend(loop, &spying), &probe.far);
    CHECK_INT(0, pl_loop_add(loop, &probe.source, 0, PL_LEVEL), "add");
    CHECK_INT(-1, wait_of_step(loop, -1), "idle");
    pl_loop_again(loop, &probe.source, 0);
    CHECK_INT(0, wait_of_step(loop, -1), "one is queued");
    CHECK_INT(1, probe.calls, "called");
    CHECK_INT(-1, wait_of_step(loop, -1), "idle");
    pl_loop_soon(loop);
    CHECK_INT(0, wait_of_step(loop, -1), "hooks are to run");
    CHECK_INT(-1, wait_of_step(loop, -1), "idle");
    close_probe(&probe);
    pl_loop_free(loop);
}

static void test_loop__runs_until_it_is_stopped(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe probe = {.then = stop_loop};

    (void)state;
    open_probe(&probe, loop);
    CHECK_INT(0, pl_loop_run(loop), "stopped");
    CHECK_INT(3, probe.calls, "by the third call");
    pl_loop_stop(loop);
    CHECK_INT(0, pl_loop_run(loop), "stopped before");
    pl_script_fail(pl_script_of(loop), "wait", PL_ERR_IO, 1);
    CHECK_INT(PL_ERR_IO, pl_loop_run(loop), "a wait that fails");
    close_probe(&probe);
    pl_loop_free(loop);
}

/* ---- time ---- */

static void test_loop__time_is_of_the_turn(void **state)
{
    struct pl_loop *loop = new_loop();

    (void)state;
    clock_ns += 5 * MS + 7;
    CHECK_INT(1000 * MS, pl_now(loop), "as it was");
    pl_loop_step(loop, 0);
    CHECK_INT(1005 * MS + 7, pl_now(loop), "read after the wait");
    CHECK_INT(1005, pl_now_ms(loop), "in ms");
    CHECK_INT(1, pl_loop_wall(loop), "the wall clock");
    clock_ns += 994 * MS;
    pl_loop_update_now(loop);
    CHECK_INT(1, pl_loop_wall(loop), "1.999 s");
    clock_ns += MS;
    pl_loop_update_now(loop);
    CHECK_INT(2, pl_loop_wall(loop), "the next second");
    pl_loop_free(loop);
}

static void take_2_ms(struct probe *probe)
{
    uint64_t from = pl_clock_monotonic();

    while (pl_clock_monotonic() - from < 2 * MS)
        clock_ns++;
}

static void note_now(struct probe *probe)
{
    CHECK_INT(clock_ns, pl_now(probe->loop), "read again after a long call");
}

static void test_loop__time_is_read_again_after_long_calls(void **state)
{
    struct pl_loop *loop = new_loop();
    struct probe slow = {.then = take_2_ms}, next = {.then = note_now};

    (void)state;
    open_probe(&slow, loop);
    open_probe(&next, loop);
    pl_loop_step(loop, 0);
    CHECK_INT(1, next.calls, "called");
    close_probe(&slow);
    close_probe(&next);
    pl_loop_free(loop);
}

RUN_TESTS(
    cmocka_unit_test(test_loop__delivers_bytes_both_ways),
    cmocka_unit_test(test_loop__a_turn_has_a_fixed_order),
    cmocka_unit_test(test_loop__drops_events_of_a_source_closed_in_the_batch),
    cmocka_unit_test(test_loop__the_heir_of_a_slot_hears_no_old_event),
    cmocka_unit_test(test_loop__slots_are_dense_and_cost_no_malloc),
    cmocka_unit_test(test_loop__a_refused_source_is_in_no_loop),
    cmocka_unit_test(test_loop__a_memory_limit_refuses_sources),
    cmocka_unit_test(test_loop__again_is_once_a_turn),
    cmocka_unit_test(test_loop__again_keeps_its_events),
    cmocka_unit_test(test_loop__a_queued_slot_may_be_dropped_and_reused),
    cmocka_unit_test(test_loop__a_busy_hook_does_not_starve_events),
    cmocka_unit_test(test_loop__hooks_may_add_and_remove_hooks),
    cmocka_unit_test(test_loop__waits_until_the_next_timer),
    cmocka_unit_test(test_loop__does_not_sleep_while_something_is_left),
    cmocka_unit_test(test_loop__does_not_sleep_over_the_again_list),
    cmocka_unit_test(test_loop__runs_until_it_is_stopped),
    cmocka_unit_test(test_loop__time_is_of_the_turn),
    cmocka_unit_test(test_loop__time_is_read_again_after_long_calls))
