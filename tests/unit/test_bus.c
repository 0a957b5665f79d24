/* test_bus.c - messages of one worker to itself: who gets them, who loses them,
 * how to wait for them. Between workers: test_bus_threads.c. */
#include "bus_world.h"

static void test_bus__delivers_to_the_subscribers_of_a_topic(void **state)
{
    struct pl_subscription *a, *b, *other;

    (void)state;
    CHECK_INT(0, publish("t", 1), "nobody");
    a = subscribe("t");
    b = subscribe("t");
    other = subscribe("u");
    CHECK_INT(2, publish("t", 2), "two");
    CHECK(pl_bus_take(a) == NULL, "not at once");
    turn();
    check_takes(a, "2");
    check_takes(b, "2");
    CHECK(pl_bus_take(other) == NULL, "not of that topic");
    publish("t", 3);
    pl_bus_cancel(a); /* while a message is on its way */
    turn();
    check_takes(b, "3");
    publish("t", 4);
    pl_bus_cancel(b);
    turn();
    CHECK_INT(0, publish("t", 5), "nobody is left");
    CHECK_INT(1, pl_dict_stats(pl_share_topics(share)).keys, "one topic");
    pl_bus_cancel(other);
    CHECK_INT(0, pl_dict_stats(pl_share_topics(share)).keys, "no topic");
    CHECK_INT(0, atomic_load(&member.account.used), "nothing is charged");
}

static void test_bus__a_slow_reader_loses_the_oldest(void **state)
{
    const struct pl_bus_options lose = {.queue = 6};
    const struct pl_bus_options end_it = {.queue = 6, .close = true};
    struct pl_subscription *slow = subscribe_with("t", &lose);
    struct pl_subscription *strict = subscribe_with("t", &end_it);
    struct pl_receive_op receive;

    (void)state;
    for (int i = 0; i < 10; i++)
        publish("t", i);
    turn();
    CHECK_INT(4, slow->dropped, "dropped");
    check_takes(slow, "456789");
    check_takes(strict, "012345");
    pl_receive_begin(&receive, &sched, strict, 0);
    CHECK_INT(PL_ERR_CLOSED, receive.op.result, "and then it is closed");
    pl_bus_cancel(slow);
    pl_bus_cancel(strict);
}

static void test_bus__receiving_waits(void **state)
{
    struct pl_subscription *sub = subscribe("t");
    struct pl_receive_op one, two;

    (void)state;
    pl_receive_begin(&one, &sched, sub, 0);
    CHECK_INT(PL_OP_PENDING, one.op.state, "nothing there");
    pl_receive_begin(&two, &sched, sub, 0);
    CHECK_INT(PL_ERR_BUSY, two.op.result, "one at a time");
    publish("t", 1);
    turn();
    CHECK_INT(PL_OP_DONE, one.op.state, "woken");
    CHECK_INT(0, one.op.result, "a message");
    check_takes(sub, "1");
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

static void test_bus__a_stop_is_told_to_those_who_serve(void **state)
{
    const struct pl_bus_options serving = {.serves = true};
    struct pl_subscription *own = subscribe("t"), *theirs;
    struct pl_receive_op one, two;

    (void)state;
    CHECK_INT(0, pl_bus_subscribe(&member, PL_STR("t"), &serving, &theirs),
              "subscribe");
    pl_receive_begin(&one, &sched, own, 0);
    pl_receive_begin(&two, &sched, theirs, 0);
    pl_bus_drain(&member);
    CHECK_INT(PL_OP_PENDING, one.op.state, "of the site: it goes on");
    CHECK_INT(PL_ERR_STOPPING, two.op.result, "for a peer: told");
    publish("t", 1);
    turn();
    CHECK_INT(0, one.op.result, "a message");
    pl_receive_begin(&two, &sched, theirs, 0);
    CHECK_INT(0, two.op.result, "what comes is still given");
    check_takes(own, "1");
    check_takes(theirs, "1");
    pl_receive_begin(&two, &sched, theirs, 0);
    CHECK_INT(PL_ERR_STOPPING, two.op.result, "but not waited for");
    pl_bus_cancel(own);
    pl_bus_cancel(theirs);
}

static void test_bus__what_is_left_is_freed(void **state)
{
    static const char bytes[10000];
    const struct pl_datum value = {.type = PL_DATUM_STRING,
                                   {.bytes = {bytes, sizeof(bytes)}}};

    (void)state;
    subscribe("a");
    subscribe("a");
    subscribe("b");
    for (int i = 0; i < 20; i++) {
        publish("a", i);
        CHECK_INT(0, pl_share_send(share, member.reader, 0, 0, &value), "send");
    }
    turn();
    publish("b", 1); /* stays in the mailbox */
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

        failed |= publish("t", 1) != 1;
        turn();
        if (sub != NULL)
            pl_bus_cancel(sub);
        turn();
        CHECK(!failed || pl_faults_hit(), "done");
    }
}

RUN_TESTS(BUS_TEST(test_bus__delivers_to_the_subscribers_of_a_topic),
          BUS_TEST(test_bus__a_slow_reader_loses_the_oldest),
          BUS_TEST(test_bus__receiving_waits),
          BUS_TEST(test_bus__a_stop_is_told_to_those_who_serve),
          BUS_TEST(test_bus__what_is_left_is_freed),
          BUS_TEST(test_send__is_refused_when_too_much_is_on_its_way),
          BUS_TEST(test_bus__without_memory))
