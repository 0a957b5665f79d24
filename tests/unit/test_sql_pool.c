/* test_sql_pool.c - pools, links and leases, with a driver that does what the
 * statement says, and a clock by hand. */
#include "world.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/faults.h"
#include "base/str.h"
#include "sql/pool.h"

enum { SESSIONS = 64 };

/* ---- the driver ---- */

struct fake {
    struct pl_sql_session session;
    int gate[2]; /* a byte in it ends "wait" */
    unsigned number;
};

static struct fake *fakes[SESSIONS];
static unsigned opened, alive, stops, resets;
static int refused; /* how connecting fails; 0: it does not */
static bool locked; /* "lock" is BUSY */

static struct pl_sql_session *fake_open(const struct pl_sql_settings *settings)
{
    struct fake *fake = calloc(1, sizeof(*fake));

    CHECK_STR("fake:x", pl_str_c(settings->url), "its settings");
    CHECK(fake != NULL && opened < SESSIONS, "a session");
    CHECK_INT(0, pipe(fake->gate), "pipe");
    fake->session.fd = fake->gate[0];
    fake->number = opened;
    fakes[opened++] = fake;
    alive++;
    return &fake->session;
}

static void fake_close(struct pl_sql_session *session)
{
    struct fake *fake = (struct fake *)session;

    close(fake->gate[0]);
    close(fake->gate[1]);
    fakes[fake->number] = NULL;
    free(fake);
    alive--;
}

static void open_gate(unsigned number)
{
    CHECK_INT(1, write(fakes[number]->gate[1], "x", 1), "write");
    turn(2);
}

static enum pl_sql_next fail_call(struct pl_sql_call *call, int err)
{
    call->answer.failure.err = err;
    snprintf(call->answer.failure.text, sizeof(call->answer.failure.text),
             "as asked");
    return PL_SQL_DONE;
}

static enum pl_sql_next run_text(struct fake *fake, struct pl_sql_call *call)
{
    const char *text = call->text.data;

    if (strcmp(text, "wait") == 0)
        return PL_SQL_READ;
    if (strcmp(text, "lock") == 0 && locked) {
        fail_call(call, PL_ERR_BUSY);
        return PL_SQL_BUSY;
    }
    if (strcmp(text, "break") == 0) {
        fake->session.broken = true;
        return fail_call(call, PL_ERR_CLOSED);
    }
    if (strcmp(text, "begin") == 0)
        fake->session.inside = true;
    call->answer.failure.err = 0;
    call->answer.changes = fake->number;
    return PL_SQL_DONE;
}

static enum pl_sql_next fake_step(struct pl_sql_session *session,
                                  struct pl_sql_call *call, enum pl_sql_why why)
{
    struct fake *fake = (struct fake *)session;
    char c;

    if (why == PL_SQL_READY) {
        CHECK_INT(1, read(fake->gate[0], &c, 1), "the gate is open");
        call->answer.changes = fake->number;
        return PL_SQL_DONE;
    }
    if (why == PL_SQL_STOP) {
        stops++;
        return fail_call(call, PL_ERR_TIMEOUT);
    }
    if (call->kind == PL_SQL_CONNECT)
        return refused < 0 ? fail_call(call, refused) : PL_SQL_DONE;
    if (call->kind == PL_SQL_RESET) {
        resets++;
        session->inside = session->dirty = false;
        return PL_SQL_DONE;
    }
    return run_text(fake, call);
}

static const struct pl_sql_driver driver = {
    .name = "fake",
    .open = fake_open,
    .step = fake_step,
    .close = fake_close,
};

/* ---- the world ---- */

static struct pl_sql_pool *pool;

static struct pl_sql_options options_of(unsigned links)
{
    return (struct pl_sql_options){
        .driver = &driver,
        .settings = {.url = "fake:x", .connect_ms = 1000},
        .key = "x",
        .name = "x",
        .links = links,
        .queue = 3,
        .wait = 100 * MS,
        .timeout = 1000 * MS,
        .busy = 200 * MS,
        .idle = 5000 * MS,
    };
}

static int make_pool_world(void **state)
{
    const struct pl_loop_options options = {
        .backend = &pl_epoll,
        .clock = pl_fake_clock,
        .clock_arg = &clock_ns,
    };

    (void)state;
    clock_ns = 1000 * MS;
    opened = alive = stops = resets = 0;
    refused = 0;
    locked = false;
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), "sched");
    return 0;
}

static void open_pool(unsigned links)
{
    struct pl_sql_options options = options_of(links);

    pool = pl_sql_pool_open(&sched, &options);
    CHECK(pool != NULL, "a pool");
}

static int end_pool_world(void **state)
{
    pl_sql_pool_drop(pool);
    CHECK_INT(0, alive, "no session is left");
    return end_world(state);
}

#define POOL_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, make_pool_world, end_pool_world)

static void begin(struct pl_sql_op *op, struct pl_sql_lease *lease,
                  const char *text)
{
    struct pl_sql_order *order = NULL;

    CHECK_INT(0,
              pl_sql_order_fit(&order, PL_SQL_RUN, pl_str_c(text), 0, 0, 1000),
              "order");
    pl_sql_begin(op, pool, lease, order);
}

/* It is over, with that result. Returns the number of the session. */
static int64_t end(struct pl_sql_op *op, int result, const char *what)
{
    int64_t number = op->order == NULL ? -1 : op->order->call.answer.changes;

    CHECK_INT(PL_OP_DONE, op->op.state, what);
    CHECK_INT(result, op->op.result, what);
    pl_sql_order_free(op->order);
    return number;
}

static int64_t run(struct pl_sql_lease *lease, const char *text, int result)
{
    struct pl_sql_op op;

    begin(&op, lease, text);
    return end(&op, result, text);
}

static void check_pending(const struct pl_sql_op *op, const char *what)
{
    CHECK_INT(PL_OP_PENDING, op->op.state, what);
}

/* ---- tests ---- */

static void test_pool__answers_at_once_if_the_driver_does(void **state)
{
    (void)state;
    open_pool(2);
    CHECK_INT(0, run(NULL, "a", 0), "the first session");
    CHECK_INT(0, run(NULL, "b", 0), "the same again");
    CHECK_INT(1, opened, "one is enough");
    CHECK_INT(2, pl_sql_pool_stats(pool).at_once, "without waiting");
}

static void test_pool__is_one_for_a_key(void **state)
{
    struct pl_sql_options options = options_of(2);
    struct pl_sql_pool *other;

    (void)state;
    open_pool(2);
    other = pl_sql_pool_open(&sched, &options);
    CHECK(other == pool, "the same");
    options.key = "y";
    other = pl_sql_pool_open(&sched, &options);
    CHECK(other != pool, "another");
    pl_sql_pool_drop(other);
    pl_sql_pool_drop(pool);
    CHECK_INT(0, run(NULL, "a", 0), "the first is open still");
}

static void test_pool__serves_in_the_order_of_coming(void **state)
{
    struct pl_sql_op a, b, c, d;

    (void)state;
    open_pool(2);
    begin(&a, NULL, "wait");
    begin(&b, NULL, "wait");
    begin(&c, NULL, "wait");
    begin(&d, NULL, "now");
    CHECK_INT(2, opened, "as many as are allowed");
    CHECK_INT(2, pl_sql_pool_stats(pool).waiting, "the others wait");
    open_gate(1);
    CHECK_INT(1, end(&b, 0, "b"), "its session");
    check_pending(&d, "d comes after c");
    open_gate(1);
    CHECK_INT(1, end(&c, 0, "c"), "the session of b");
    CHECK_INT(1, end(&d, 0, "d"), "at once");
    open_gate(0);
    end(&a, 0, "a");
}

static void test_pool__limits_the_queue(void **state)
{
    struct pl_sql_op ops[5];

    (void)state;
    open_pool(1);
    for (int i = 0; i < 5; i++)
        begin(&ops[i], NULL, "wait");
    end(&ops[4], PL_ERR_BUSY, "three may wait");
    pass(101);
    for (int i = 1; i < 4; i++)
        end(&ops[i], PL_ERR_BUSY, "and not for long");
    open_gate(0);
    end(&ops[0], 0, "who has a link");
}

static void test_pool__stops_what_takes_too_long(void **state)
{
    struct pl_sql_op op;

    (void)state;
    open_pool(1);
    begin(&op, NULL, "wait");
    pass(1001);
    CHECK(op.order == NULL, "the link has it");
    end(&op, PL_ERR_TIMEOUT, "time-out");
    CHECK_INT(1, stops, "the driver was told");
    CHECK_INT(0, run(NULL, "now", 0), "the session is used again");
    CHECK_INT(1, pl_sql_pool_stats(pool).timeouts, "counted");
}

static void test_pool__cancels(void **state)
{
    struct pl_sql_op a, b;

    (void)state;
    open_pool(1);
    begin(&a, NULL, "wait");
    begin(&b, NULL, "wait");
    pl_op_cancel(&b.op);
    end(&b, PL_ERR_CANCELED, "in the queue");
    CHECK_INT(0, stops, "nothing was begun");
    pl_op_cancel(&a.op);
    end(&a, PL_ERR_CANCELED, "on its link");
    CHECK_INT(1, stops, "the driver was told");
    CHECK_INT(0, run(NULL, "now", 0), "the session is used again");
}

static void test_pool__replaces_what_is_broken(void **state)
{
    struct pl_sql_op op;

    (void)state;
    open_pool(1);
    begin(&op, NULL, "break");
    end(&op, PL_ERR_CLOSED, "broken");
    CHECK_INT(0, alive, "closed");
    CHECK_INT(1, run(NULL, "now", 0), "another one");
}

static void test_pool__pauses_after_a_failure_to_connect(void **state)
{
    (void)state;
    open_pool(2);
    refused = PL_ERR_REFUSED;
    run(NULL, "now", PL_ERR_REFUSED);
    CHECK_INT(1, opened, "one was tried");
    run(NULL, "now", PL_ERR_REFUSED);
    CHECK_INT(1, opened, "and no other so soon");
    refused = 0;
    pass(51);
    CHECK_INT(1, run(NULL, "now", 0), "later it is");
    CHECK_INT(1, pl_sql_pool_stats(pool).failed_connects, "counted");
}

static void test_pool__waits_for_a_lock(void **state)
{
    struct pl_sql_op op;

    (void)state;
    open_pool(2);
    locked = true;
    begin(&op, NULL, "lock");
    check_pending(&op, "locked out");
    pass(2);
    check_pending(&op, "still");
    locked = false;
    run(NULL, "now", 0); /* what has ended may have had the lock */
    end(&op, 0, "it has got it");
    locked = true;
    begin(&op, NULL, "lock");
    for (int i = 0; i < 300 && op.op.state == PL_OP_PENDING; i++)
        pass(1);
    end(&op, PL_ERR_BUSY, "not for ever");
    CHECK_INT(2, opened, "no session was lost");
}

static void test_pool__cancels_who_waits_for_a_lock(void **state)
{
    struct pl_sql_op op;

    (void)state;
    open_pool(1);
    locked = true;
    begin(&op, NULL, "lock");
    pl_op_cancel(&op.op);
    end(&op, PL_ERR_CANCELED, "locked out");
    CHECK_INT(1, stops, "the driver was told");
    CHECK_INT(0, run(NULL, "now", 0), "the session is used again");
}

static void test_pool__closes_what_is_idle(void **state)
{
    struct pl_sql_op a, b;

    (void)state;
    open_pool(2);
    begin(&a, NULL, "wait");
    begin(&b, NULL, "wait");
    open_gate(0);
    open_gate(1);
    end(&a, 0, "a");
    end(&b, 0, "b");
    pass(3000);
    run(NULL, "now", 0); /* the last used one: 1 */
    pass(2500);
    CHECK_INT(1, alive, "the other was too old");
    pass(3000);
    CHECK_INT(0, alive, "then this one");
    CHECK_INT(0, pl_sql_pool_stats(pool).idle, "counted");
}

static void test_lease__holds_one_link(void **state)
{
    struct pl_sql_lease lease = {.link = NULL};
    struct pl_sql_op op;

    (void)state;
    open_pool(2);
    CHECK_INT(0, run(&lease, "begin", 0), "its session");
    CHECK_INT(1, run(NULL, "now", 0), "not for others");
    CHECK_INT(0, run(&lease, "now", 0), "the same again");
    CHECK(pl_sql_lease_inside(&lease), "a transaction is open");
    begin(&op, &lease, "wait");
    run(&lease, "now", PL_ERR_BUSY);
    open_gate(0);
    end(&op, 0, "one after another");
    CHECK_INT(0, resets, "nothing was undone yet");
    pl_sql_lease_end(&lease);
    CHECK_INT(1, resets, "rolled back");
    CHECK_INT(0, run(NULL, "now", 0), "and for all again");
    pl_sql_lease_end(&lease); /* harmless */
}

static void test_lease__is_lost_with_its_call(void **state)
{
    struct pl_sql_lease lease = {.link = NULL};
    struct pl_sql_op op;

    (void)state;
    open_pool(1);
    run(&lease, "begin", 0);
    begin(&op, &lease, "wait");
    pass(1001);
    end(&op, PL_ERR_TIMEOUT, "time-out");
    CHECK_INT(1, resets, "rolled back");
    run(&lease, "now", PL_ERR_CLOSED);
    CHECK_INT(0, run(NULL, "now", 0), "others have the link");
}

static void test_lease__ends_before_its_call(void **state)
{
    struct pl_sql_lease lease = {.link = NULL};
    struct pl_sql_op op;

    (void)state;
    open_pool(1);
    run(&lease, "begin", 0);
    begin(&op, &lease, "wait");
    pl_sql_lease_end(&lease);
    end(&op, PL_ERR_CANCELED, "its user hears of it");
    CHECK_INT(0, run(NULL, "now", 0), "others have the link");
}

/* One of everything: at once, in the queue, with a lease. */
static void use_pool(void)
{
    struct pl_sql_options options = options_of(1);
    struct pl_sql_lease lease = {.link = NULL};
    struct pl_sql_order *orders[3] = {NULL};
    struct pl_sql_op ops[3];
    bool good = true;

    pool = pl_sql_pool_open(&sched, &options);
    for (int i = 0; i < 3; i++)
        good &= pl_sql_order_fit(&orders[i], PL_SQL_RUN,
                                 i == 1 ? PL_STR("begin") : PL_STR("wait"), 0,
                                 0, 1000) == 0;
    CHECK((pool != NULL && good) || pl_faults_hit(), "there was memory");
    if (pool == NULL || !good) {
        for (int i = 0; i < 3; i++)
            pl_sql_order_free(orders[i]);
        if (pool != NULL)
            pl_sql_pool_drop(pool);
        return;
    }
    for (int i = 0; i < 3; i++)
        pl_sql_begin(&ops[i], pool, i == 1 ? &lease : NULL, orders[i]);
    for (int i = 0; i < 200; i++)
        pass(20);
    pl_sql_lease_end(&lease);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(PL_OP_DONE, ops[i].op.state, "it ends, whatever fails");
        pl_sql_order_free(ops[i].order);
    }
    pl_sql_pool_drop(pool);
    turn(3);
    CHECK_INT(0, alive, "no session is left");
}

static void test_pool__survives_failures(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        opened = 0;
        use_pool();
    }
    FOR_EACH_FAULT (PL_SYS_epoll_ctl, ENOMEM) {
        opened = 0;
        use_pool();
    }
    pl_faults_reset();
    open_pool(1); /* for the end of the test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_pool__answers_at_once_if_the_driver_does),
        POOL_TEST(test_pool__is_one_for_a_key),
        POOL_TEST(test_pool__serves_in_the_order_of_coming),
        POOL_TEST(test_pool__limits_the_queue),
        POOL_TEST(test_pool__stops_what_takes_too_long),
        POOL_TEST(test_pool__cancels),
        POOL_TEST(test_pool__replaces_what_is_broken),
        POOL_TEST(test_pool__pauses_after_a_failure_to_connect),
        POOL_TEST(test_pool__waits_for_a_lock),
        POOL_TEST(test_pool__cancels_who_waits_for_a_lock),
        POOL_TEST(test_pool__closes_what_is_idle),
        POOL_TEST(test_lease__holds_one_link),
        POOL_TEST(test_lease__is_lost_with_its_call),
        POOL_TEST(test_lease__ends_before_its_call),
        POOL_TEST(test_pool__survives_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
