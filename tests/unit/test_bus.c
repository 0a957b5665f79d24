/* test_bus.c - messages between workers, each a thread with a loop: in order,
 * none lost, none left over, whoever comes and goes. Run under ASan and TSan.
 */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/faults.h"
#include "share/bus.h"
#include "task/task.h"

static struct pl_datum number(int64_t value)
{
    return (struct pl_datum){.type = PL_DATUM_INTEGER, {.integer = value}};
}

static int publish(struct pl_member *member, const char *topic, int64_t value)
{
    struct pl_dict_user user = pl_member_user(member);
    const struct pl_datum datum = number(value);

    return pl_bus_publish(member->share, &user, (int)member->id,
                          pl_str_c(topic), &datum);
}

/* ---- one worker, on this thread ---- */

static struct pl_share *share;
static struct pl_loop *loop;
static struct pl_sched sched;
static struct pl_member member;

static int make(void **state)
{
    const struct pl_loop_options options = {.backend = NULL};

    (void)state;
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, 1), "workers");
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), "sched");
    CHECK_INT(0, pl_member_join(&member, share, loop, 0, false), "join");
    return 0;
}

static int end(void **state)
{
    (void)state;
    pl_member_leave(&member);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    pl_share_free(share);
    return 0;
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

static struct pl_subscription *subscribe(const char *topic, unsigned queue,
                                         bool close)
{
    const struct pl_bus_options options = {.queue = queue, .close = close};
    struct pl_subscription *sub = NULL;

    CHECK_INT(0, pl_bus_subscribe(&member, pl_str_c(topic), &options, &sub),
              topic);
    return sub;
}

static void turn(void)
{
    CHECK(pl_loop_step(loop, 0) >= 0, "turn");
}

static void check_takes(struct pl_subscription *sub, int64_t want,
                        const char *what)
{
    struct pl_envelope *envelope = pl_bus_take(sub);

    CHECK(envelope != NULL, what);
    CHECK_INT(want, envelope->message->value.integer, what);
    pl_envelope_release(envelope);
}

static void test_bus__delivers_to_the_subscribers_of_a_topic(void **state)
{
    struct pl_subscription *a, *b, *other;

    (void)state;
    CHECK_INT(0, publish(&member, "t", 1), "nobody");
    a = subscribe("t", 0, false);
    b = subscribe("t", 0, false);
    other = subscribe("u", 0, false);
    CHECK_INT(2, publish(&member, "t", 2), "two");
    CHECK(pl_bus_take(a) == NULL, "not at once");
    turn();
    check_takes(a, 2, "the first");
    check_takes(b, 2, "the second");
    CHECK(pl_bus_take(other) == NULL, "not of that topic");
    publish(&member, "t", 3);
    pl_bus_cancel(a); /* while a message is on its way */
    turn();
    check_takes(b, 3, "who stays");
    publish(&member, "t", 4);
    pl_bus_cancel(b);
    turn();
    CHECK_INT(0, publish(&member, "t", 5), "nobody is left");
    CHECK_INT(1, pl_dict_stats(pl_share_topics(share)).keys, "one topic");
    pl_bus_cancel(other);
    CHECK_INT(0, pl_dict_stats(pl_share_topics(share)).keys, "no topic");
    CHECK_INT(0, atomic_load(&member.account.used), "nothing is charged");
}

static void test_bus__a_slow_reader_loses_the_oldest(void **state)
{
    struct pl_subscription *slow = subscribe("t", 6, false);
    struct pl_subscription *strict = subscribe("t", 6, true);
    struct pl_receive_op receive;

    (void)state;
    for (int i = 0; i < 10; i++)
        publish(&member, "t", i);
    turn();
    CHECK_INT(4, slow->dropped, "dropped");
    for (int i = 4; i < 10; i++)
        check_takes(slow, i, "the newest");
    for (int i = 0; i < 6; i++)
        check_takes(strict, i, "the first");
    pl_receive_begin(&receive, &sched, strict, 0);
    CHECK_INT(PL_ERR_CLOSED, receive.op.result, "and then it is closed");
    pl_bus_cancel(slow);
    pl_bus_cancel(strict);
}

static void test_bus__receiving_waits(void **state)
{
    struct pl_subscription *sub = subscribe("t", 0, false);
    struct pl_receive_op one, two;

    (void)state;
    pl_receive_begin(&one, &sched, sub, 0);
    CHECK_INT(PL_OP_PENDING, one.op.state, "nothing there");
    pl_receive_begin(&two, &sched, sub, 0);
    CHECK_INT(PL_ERR_BUSY, two.op.result, "one at a time");
    publish(&member, "t", 1);
    turn();
    CHECK_INT(PL_OP_DONE, one.op.state, "woken");
    CHECK_INT(0, one.op.result, "a message");
    check_takes(sub, 1, "it");
    pl_receive_begin(&one, &sched, sub, pl_now(loop) + 1);
    while (one.op.state != PL_OP_DONE)
        pl_loop_step(loop, 10);
    CHECK_INT(PL_ERR_TIMEOUT, one.op.result, "in vain");
    pl_receive_begin(&one, &sched, sub, 0);
    pl_op_cancel(&one.op);
    CHECK_INT(PL_ERR_CANCELED, one.op.result, "canceled");
    pl_receive_begin(&one, &sched, sub, 0);
    pl_bus_cancel(sub);
    CHECK_INT(PL_ERR_CLOSED, one.op.result, "closed");
}

static void test_bus__what_is_left_is_freed(void **state)
{
    static const char bytes[10000];
    const struct pl_datum value = {.type = PL_DATUM_STRING,
                                   {.bytes = {bytes, sizeof(bytes)}}};

    (void)state;
    subscribe("a", 0, false);
    subscribe("a", 0, false);
    subscribe("b", 0, false);
    for (int i = 0; i < 20; i++) {
        publish(&member, "a", i);
        CHECK_INT(0, pl_share_send(share, member.reader, 0, 0, &value), "send");
    }
    turn();
    publish(&member, "b", 1); /* stays in the mailbox */
}

static void test_send__is_refused_when_too_much_is_on_its_way(void **state)
{
    static const char bytes[100000];
    const struct pl_datum value = {.type = PL_DATUM_STRING,
                                   {.bytes = {bytes, sizeof(bytes)}}};
    int sent = 0, err;

    (void)state;
    while ((err = pl_share_send(share, member.reader, 0, 0, &value)) == 0)
        sent++;
    CHECK_INT(PL_ERR_LIMIT, err, "full");
    CHECK(sent > 70 && sent < 90, "by bytes");
    CHECK_INT(PL_ERR_LIMIT,
              pl_share_send(share, member.reader, 0, PL_SHARE_NOBODY, &value),
              "for all");
    CHECK_INT(PL_ERR_NOT_FOUND,
              pl_share_send(share, member.reader, 0, 7, &value), "nobody");
    turn();
    pl_envelope_release(pl_member_next(&member));
    CHECK_INT(0, pl_share_send(share, member.reader, 0, 0, &value), "room");
}

static void test_bus__without_memory(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        const struct pl_bus_options options = {.queue = 8};
        struct pl_subscription *sub = NULL;
        bool failed = pl_bus_subscribe(&member, PL_STR("t"), &options, &sub);

        failed |= publish(&member, "t", 1) != 1;
        turn();
        if (sub != NULL)
            pl_bus_cancel(sub);
        turn();
        CHECK(!failed || pl_faults_hit(), "done");
    }
}

/* ---- many workers ---- */

enum { WORKERS = 4, MESSAGES = 4000 };

struct worker {
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_member member;
    struct pl_hook hook;
    struct pl_subscription *sub, *guest, *late;
    pthread_t thread;
    int64_t next[WORKERS + 1], heard[WORKERS + 1]; /* by sender */
    int64_t sent;
    unsigned wrong, leads;
};

static struct worker workers[WORKERS];
static atomic_int joined, done, leaving, leaders;

/* Each counts up for itself. */
static void check_order(struct worker *worker, struct pl_envelope *envelope,
                        int64_t *next)
{
    int from = envelope->message->from;

    worker->wrong += envelope->message->value.integer != next[from]++;
    pl_envelope_release(envelope);
}

static void on_message(void *arg)
{
    struct worker *worker = arg;
    struct pl_envelope *envelope;

    while ((envelope = pl_member_next(&worker->member)) != NULL)
        check_order(worker, envelope, worker->next);
}

static void on_lead(void *arg)
{
    struct worker *worker = arg;

    worker->leads++;
    worker->wrong += atomic_fetch_add(&leaders, 1) != 0;
}

static void leave(struct worker *worker)
{
    if (worker->member.leading)
        atomic_fetch_sub(&leaders, 1);
    pl_member_leave(&worker->member);
}

/* Sends until its messages are out or the receivers are full; and subscribes
 * and leaves, in the midst of it all. */
static void send_some(struct worker *worker)
{
    struct pl_member *me = &worker->member;
    const struct pl_bus_options options = {.queue = 2};

    for (int i = 0; i < 50 && worker->sent < MESSAGES; i++) {
        struct pl_datum value = number(worker->sent);

        if (pl_share_send(me->share, me->reader, (int)me->id, PL_SHARE_NOBODY,
                          &value) != 0)
            break;
        worker->wrong +=
            publish(me, "order", worker->sent) < WORKERS; /* and guests */
        worker->sent++;
    }
    if (worker->guest != NULL) {
        pl_bus_cancel(worker->guest);
        worker->guest = NULL;
    } else if (pl_bus_subscribe(me, PL_STR("order"), &options,
                                &worker->guest) != 0) {
        worker->wrong++;
    }
}

static bool heard_all(const int64_t *next)
{
    for (int i = 0; i < WORKERS; i++)
        if (next[i] < MESSAGES)
            return false;
    return true;
}

static bool work(struct pl_hook *hook)
{
    struct worker *worker = PL_CONTAINER_OF(hook, struct worker, hook);
    struct pl_envelope *envelope;

    while ((envelope = pl_bus_take(worker->sub)) != NULL)
        check_order(worker, envelope, worker->heard);
    if (worker->sent < MESSAGES) {
        send_some(worker);
        atomic_fetch_add(&done, worker->sent == MESSAGES);
        return true;
    }
    if (heard_all(worker->next) && heard_all(worker->heard) &&
        atomic_load(&done) == WORKERS)
        pl_loop_stop(worker->loop);
    return true;
}

static const struct pl_member_ops ops = {on_message, on_lead};

static void *run_worker(void *arg)
{
    const struct pl_loop_options options = {.backend = NULL};
    const struct pl_bus_options large = {.queue = PL_BUS_QUEUE_MAX};
    struct worker *worker = arg;
    unsigned id = (unsigned)(worker - workers);

    PL_ASSERT(pl_loop_new(&options, &worker->loop) == 0);
    PL_ASSERT(pl_sched_init(&worker->sched, worker->loop, NULL) == 0);
    PL_ASSERT(pl_member_join(&worker->member, share, worker->loop, id, false) ==
              0);
    PL_ASSERT(pl_bus_subscribe(&worker->member, PL_STR("order"), &large,
                               &worker->sub) == 0);
    PL_ASSERT(pl_bus_subscribe(&worker->member, PL_STR("late"), &large,
                               &worker->late) == 0);
    worker->hook.run = work;
    atomic_fetch_add(&joined, 1);
    while (atomic_load(&joined) < WORKERS)
        pl_loop_step(worker->loop, 1);
    pl_member_stand(&worker->member, &ops, worker);
    pl_loop_add_hook(worker->loop, &worker->hook);
    pl_loop_soon(worker->loop);
    pl_loop_run(worker->loop);
    pl_loop_remove_hook(&worker->hook);
    pl_bus_cancel(worker->sub);
    publish(&worker->member, "late", 1); /* nobody will look at these */
    return NULL;
}

static void start_workers(void)
{
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, WORKERS), "workers");
    memset(workers, 0, sizeof(workers));
    atomic_store(&joined, 0);
    atomic_store(&done, 0);
    atomic_store(&leaders, 0);
}

static void end_worker(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    leave(worker);
    pl_loop_free(worker->loop);
}

static void test_bus__keeps_order_and_loses_nothing(void **state)
{
    unsigned leads = 0;

    (void)state;
    start_workers();
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(
            0,
            pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]),
            "thread");
    for (int i = 0; i < WORKERS; i++) {
        end_worker(&workers[i]);
        CHECK_INT(0, workers[i].wrong, "in order, each once");
        leads += workers[i].leads;
    }
    CHECK(leads >= 1, "somebody has led");
    pl_share_free(share);
}

static void drop_message(void *arg)
{
    struct worker *worker = arg;

    pl_envelope_release(pl_member_next(&worker->member));
}

static const struct pl_member_ops guest_ops = {drop_message, on_lead};

/* Workers come and go while others send to them: nothing is sent to who has
 * gone, and all is freed. */
enum { STAYS = 300 };

static bool stay(struct pl_hook *hook)
{
    struct worker *worker = PL_CONTAINER_OF(hook, struct worker, hook);
    struct pl_datum value = number(1);

    pl_share_send(share, worker->member.reader, 0, PL_SHARE_NOBODY, &value);
    publish(&worker->member, "order", 1);
    if (worker->sent++ > (atomic_load(&leaving) > 0 ? STAYS : STAYS * 10))
        pl_loop_stop(worker->loop);
    return true;
}

static void *run_guest(void *arg)
{
    const struct pl_loop_options options = {.backend = NULL};
    const struct pl_bus_options small = {.queue = 8};
    struct worker *worker = arg;
    unsigned id = (unsigned)(worker - workers);

    for (int i = 0; i < 20; i++) {
        PL_ASSERT(pl_loop_new(&options, &worker->loop) == 0);
        PL_ASSERT(pl_sched_init(&worker->sched, worker->loop, NULL) == 0);
        PL_ASSERT(pl_member_join(&worker->member, share, worker->loop, id,
                                 false) == 0);
        PL_ASSERT(pl_bus_subscribe(&worker->member, PL_STR("order"), &small,
                                   &worker->sub) == 0);
        pl_member_stand(&worker->member, &guest_ops, worker);
        worker->sent = 0;
        worker->hook.run = stay;
        pl_loop_add_hook(worker->loop, &worker->hook);
        pl_loop_soon(worker->loop);
        pl_loop_run(worker->loop);
        pl_loop_remove_hook(&worker->hook);
        leave(worker);
        pl_sched_fini(&worker->sched);
        pl_loop_free(worker->loop);
    }
    atomic_fetch_add(&leaving, 1);
    return NULL;
}

static void test_bus__survives_those_who_leave(void **state)
{
    unsigned leads = 0;

    (void)state;
    start_workers();
    atomic_store(&leaving, 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(
            0, pthread_create(&workers[i].thread, NULL, run_guest, &workers[i]),
            "thread");
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK_INT(0, workers[i].wrong, "one leads at a time");
        leads += workers[i].leads;
    }
    CHECK(leads > 1, "and then another");
    CHECK_INT(PL_SHARE_NOBODY, atomic_load(pl_share_leader(share)),
              "nobody is left to lead");
    pl_share_free(share);
}

RUN_TESTS(BUS_TEST(test_bus__delivers_to_the_subscribers_of_a_topic),
          BUS_TEST(test_bus__a_slow_reader_loses_the_oldest),
          BUS_TEST(test_bus__receiving_waits),
          BUS_TEST(test_bus__what_is_left_is_freed),
          BUS_TEST(test_send__is_refused_when_too_much_is_on_its_way),
          BUS_TEST(test_bus__without_memory),
          cmocka_unit_test(test_bus__keeps_order_and_loses_nothing),
          cmocka_unit_test(test_bus__survives_those_who_leave))
