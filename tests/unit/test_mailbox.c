/* test_mailbox.c - mail between threads: order, no loss, wake-ups. Run under
 * TSan. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/check.h"
#include "loop/loop.h"

/* epoll, with a count of the wake-ups and of the turns. */
static struct pl_backend counting;
static atomic_uint wakes;
static unsigned turns;

static void counting_wake(void *state)
{
    atomic_fetch_add(&wakes, 1);
    pl_epoll.wake(state);
}

static int counting_wait(void *state, int timeout_ms)
{
    turns++;
    return pl_epoll.wait(state, timeout_ms);
}

static struct pl_loop *new_loop(void)
{
    struct pl_loop_options options = {.backend = &counting};
    struct pl_loop *loop = NULL;

    counting = pl_epoll;
    counting.wake = counting_wake;
    counting.wait = counting_wait;
    atomic_store(&wakes, 0);
    turns = 0;
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    return loop;
}

struct letter {
    struct pl_mail mail;
    int from, number;
};

static int expected[8]; /* next number of each sender */
static unsigned received;
static bool in_order;

static void on_letter(struct pl_mail *mail)
{
    struct letter *letter = PL_CONTAINER_OF(mail, struct letter, mail);

    in_order &= letter->number == expected[letter->from]++;
    received++;
}

static void expect_letters(void)
{
    memset(expected, 0, sizeof(expected));
    received = 0;
    in_order = true;
}

static void send(struct pl_loop *loop, struct letter *letter, int from,
                 int number)
{
    *letter = (struct letter){
        .mail.deliver = on_letter, .from = from, .number = number};
    pl_mailbox_send(pl_loop_mailbox(loop), &letter->mail);
}

/* ---- one thread ---- */

static void test_mailbox__keeps_order_over_its_borders(void **state)
{
    struct pl_loop *loop = new_loop();
    struct pl_mailbox *box = pl_loop_mailbox(loop);
    static struct letter letters[400];
    int sent = 0;

    (void)state;
    expect_letters();
    /* 0, 1, 2, ... waiting at a time, drained by all budgets. */
    for (int waiting = 0; waiting < 12; waiting++) {
        for (int budget = 1; budget < 4; budget++) {
            CHECK(pl_mailbox_empty(box), "empty");
            for (int i = 0; i < waiting; i++, sent++)
                send(loop, &letters[sent], 0, sent);
            for (int left = waiting; left > 0; left -= budget) {
                CHECK(!pl_mailbox_empty(box), "not empty");
                CHECK_INT(PL_MIN(left, budget), pl_mailbox_drain(box, budget),
                          "by the budget");
            }
            CHECK_INT(0, pl_mailbox_drain(box, budget), "all taken");
        }
    }
    CHECK_INT(sent, received, "each once");
    CHECK(in_order, "in order");
    pl_loop_free(loop);
}

static void test_mailbox__wakes_only_who_sleeps(void **state)
{
    struct pl_loop *loop = new_loop();
    struct pl_mailbox *box = pl_loop_mailbox(loop);
    struct letter letters[6];

    (void)state;
    expect_letters();
    send(loop, &letters[0], 0, 0);
    CHECK_INT(0, atomic_load(&wakes), "awake: no system call");
    CHECK(!pl_mailbox_sleep(box), "there is mail: stay awake");
    CHECK_INT(1, pl_mailbox_drain(box, 9), "take it");
    CHECK(pl_mailbox_sleep(box), "sleep");
    send(loop, &letters[1], 0, 1);
    CHECK_INT(1, atomic_load(&wakes), "asleep: woken");
    send(loop, &letters[2], 0, 2);
    CHECK_INT(1, atomic_load(&wakes), "once");
    pl_mailbox_awake(box);
    CHECK(pl_loop_step(loop, -1) >= 2, "the wait returns, mail is delivered");
    send(loop, &letters[3], 0, 3);
    CHECK_INT(1, atomic_load(&wakes), "awake again");
    CHECK_INT(1, pl_loop_step(loop, -1), "does not wait over mail");
    CHECK_INT(1, atomic_load(&wakes), "nor wake itself");
    CHECK(in_order && received == 4, "all, in order");
    pl_loop_free(loop);
}

static struct pl_loop *replying;
static struct letter *reply;

static void send_reply(struct pl_mail *mail)
{
    if (reply != NULL)
        send(replying, reply, 0, 0);
    reply = NULL;
}

/* deliver() may send the same piece on: it is out of the queue by then. */
static void test_mailbox__deliver_may_send(void **state)
{
    struct pl_loop *loop = new_loop();
    struct letter letter = {.mail.deliver = send_reply};

    (void)state;
    expect_letters();
    replying = loop;
    reply = &letter;
    pl_mailbox_send(pl_loop_mailbox(loop), &letter.mail);
    CHECK_INT(1, pl_mailbox_drain(pl_loop_mailbox(loop), 1), "the first");
    CHECK_INT(1, pl_mailbox_drain(pl_loop_mailbox(loop), 1), "the same, again");
    CHECK_INT(1, received, "as another letter");
    pl_loop_free(loop);
}

/* ---- many threads ---- */

enum { SENDERS = 8, LETTERS = 20000 };

struct sender {
    pthread_t thread;
    struct pl_loop *loop;
    int id, pause; /* gives up the processor after each pause letters */
    struct letter letters[LETTERS];
};

static struct sender senders[SENDERS];

static void *send_all(void *arg)
{
    struct sender *sender = arg;

    for (int i = 0; i < LETTERS; i++) {
        send(sender->loop, &sender->letters[i], sender->id, i);
        if (sender->pause > 0 && i % sender->pause == 0)
            sched_yield();
    }
    return NULL;
}

static void run_senders(int pause)
{
    struct pl_loop *loop = new_loop();

    expect_letters();
    for (int i = 0; i < SENDERS; i++) {
        senders[i].loop = loop;
        senders[i].id = i;
        senders[i].pause = pause;
        pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
    }
    /* A lost wake-up would leave this asleep for ever. */
    while (received < SENDERS * LETTERS)
        CHECK(pl_loop_step(loop, -1) >= 0, "step");
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    CHECK(in_order, "in the order of each sender");
    CHECK(pl_mailbox_empty(pl_loop_mailbox(loop)), "nothing more");
    CHECK(atomic_load(&wakes) <= turns, "at most one wake-up a turn");
    pl_loop_free(loop);
}

static void test_mailbox__loses_nothing_of_eight_senders(void **state)
{
    (void)state;
    run_senders(0);
}

static void test_mailbox__loses_nothing_when_often_asleep(void **state)
{
    (void)state;
    run_senders(1);
    run_senders(7);
}

/* The race for which the protocol was made, again and again: one sends at the
 * moment at which the other falls asleep. Sleeping with mail in the box is fine
 * only if a wake-up is on its way. */
enum { RACES = 20000 };

static atomic_uint begun, finished;

static void wait_until(atomic_uint *counter, unsigned value)
{
    for (unsigned spins = 0; atomic_load(counter) < value; spins++) {
        if (spins % 1000 == 999)
            sched_yield();
    }
}

static void spin(unsigned n)
{
    for (volatile unsigned i = 0; i < n; i++)
        continue;
}

static void *send_at_once(void *arg)
{
    static struct letter letters[RACES];

    for (unsigned race = 1; race <= RACES; race++) {
        wait_until(&begun, race);
        spin(race / 64 % 64); /* every offset between the two */
        send(arg, &letters[race - 1], 0, (int)race - 1);
        atomic_store(&finished, race);
    }
    return NULL;
}

static void test_mailbox__no_sleep_over_mail_without_a_wake(void **state)
{
    struct pl_loop *loop = new_loop();
    struct pl_mailbox *box = pl_loop_mailbox(loop);
    pthread_t thread;

    (void)state;
    expect_letters();
    atomic_store(&begun, 0);
    atomic_store(&finished, 0);
    pthread_create(&thread, NULL, send_at_once, loop);
    for (unsigned race = 1; race <= RACES; race++) {
        unsigned before = atomic_load(&wakes);
        bool asleep;

        atomic_store(&begun, race);
        spin(race % 64);
        asleep = pl_mailbox_sleep(box);
        wait_until(&finished, race);
        CHECK(!asleep || atomic_load(&wakes) > before, "woken");
        pl_mailbox_awake(box);
        CHECK_INT(1, pl_mailbox_drain(box, 9), "one letter");
    }
    pthread_join(thread, NULL);
    pl_loop_free(loop);
}

/* Two loops that send one letter to and fro: each hop is a sleep and a wake. */
enum { HOPS = 5000 };

struct player {
    struct pl_loop *loop;
    struct player *other;
    unsigned hops;
};

static struct player players[2];

static void on_ball(struct pl_mail *mail)
{
    /* Which of the two we are, the number of hops tells. */
    static atomic_uint hops;
    unsigned hop = atomic_fetch_add(&hops, 1);
    struct player *self = &players[hop % 2];

    self->hops++;
    if (hop + 1 < 2 * HOPS)
        pl_mailbox_send(pl_loop_mailbox(self->other->loop), mail);
    if (self->hops == HOPS)
        pl_loop_stop(self->loop);
}

static void *play(void *arg)
{
    pl_loop_run(((struct player *)arg)->loop);
    return NULL;
}

static void test_mailbox__two_sleepers_wake_each_other(void **state)
{
    struct pl_mail ball = {.deliver = on_ball};
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pl_loop_options options = {0};

        players[i].other = &players[1 - i];
        CHECK_INT(0, pl_loop_new(&options, &players[i].loop), "loop");
    }
    pl_mailbox_send(pl_loop_mailbox(players[0].loop), &ball);
    pthread_create(&thread, NULL, play, &players[1]);
    play(&players[0]);
    pthread_join(thread, NULL);
    CHECK_INT(2 * HOPS, players[0].hops + players[1].hops, "all hops");
    pl_loop_free(players[0].loop);
    pl_loop_free(players[1].loop);
}

static void *wake_up(void *arg)
{
    pl_loop_wake(arg);
    return NULL;
}

static void test_mailbox__a_wake_before_the_sleep_counts(void **state)
{
    struct pl_loop *loop = new_loop();
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 100; i++) {
        pthread_create(&thread, NULL, wake_up, loop);
        if (i % 2)
            pthread_join(thread, NULL);
        CHECK(pl_loop_step(loop, -1) >= 0, "woken before, or during");
        if (i % 2 == 0)
            pthread_join(thread, NULL);
    }
    pl_loop_free(loop);
}

RUN_TESTS(cmocka_unit_test(test_mailbox__keeps_order_over_its_borders),
          cmocka_unit_test(test_mailbox__wakes_only_who_sleeps),
          cmocka_unit_test(test_mailbox__deliver_may_send),
          cmocka_unit_test(test_mailbox__loses_nothing_of_eight_senders),
          cmocka_unit_test(test_mailbox__loses_nothing_when_often_asleep),
          cmocka_unit_test(test_mailbox__no_sleep_over_mail_without_a_wake),
          cmocka_unit_test(test_mailbox__two_sleepers_wake_each_other),
          cmocka_unit_test(test_mailbox__a_wake_before_the_sleep_counts))
