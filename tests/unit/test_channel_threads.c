/* test_channel_threads.c - channels of several workers, each a thread with a
 * loop: one order for all, whoever comes and goes. Run under ASan and TSan. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/str.h"
#include "share/bus.h"
#include "share/door.h"
#include "share/presence.h"
#include "task/task.h"

static struct pl_share *share;

static struct pl_datum number(int64_t value)
{
    return (struct pl_datum){.type = PL_DATUM_INTEGER, {.integer = value}};
}

/* Each publishes, by its own count, and has subscriptions by name and pattern
 * and one that is made again and again where the last one ended. All of them
 * must see the same: message n is the nth that was numbered. */
enum { WORKERS = 4, MESSAGES = 2000, ALL = WORKERS * MESSAGES };

struct worker {
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_member member;
    struct pl_hook hook;
    struct pl_subscription *exact, *pattern, *again;
    uint64_t at[3];
    int64_t next[3][WORKERS]; /* what each publisher says next */
    int64_t sent;
    pthread_t thread;
    unsigned wrong, turns;
    bool told;
};

static struct worker workers[WORKERS];
static atomic_int joined, finished;
static _Atomic int64_t saw[ALL + 1]; /* by number: 1 + what it was */
static uint64_t base;

static void look(struct worker *worker, struct pl_subscription *sub, int which)
{
    struct pl_envelope *envelope;

    while ((envelope = pl_bus_take(sub)) != NULL) {
        const struct pl_message *message = envelope->message;
        int64_t was = 0, is = message->value.integer * WORKERS + message->from;

        worker->wrong += message->number != ++worker->at[which];
        worker->wrong +=
            message->value.integer != worker->next[which][message->from]++;
        if (!atomic_compare_exchange_strong(&saw[message->number - base], &was,
                                            is + 1))
            worker->wrong += was != is + 1;
        pl_envelope_release(envelope);
    }
    worker->wrong += sub->dropped != 0;
}

static struct pl_subscription *join(struct worker *worker, const char *name,
                                    bool replay)
{
    const struct pl_bus_options options = {
        .queue = PL_BUS_QUEUE_MAX, .replay = replay, .since = worker->at[2]};
    struct pl_subscription *sub = NULL;

    PL_ASSERT(
        pl_bus_subscribe(&worker->member, pl_str_c(name), &options, &sub) == 0);
    return sub;
}

static void say(struct worker *worker)
{
    struct pl_dict_user user = pl_member_user(&worker->member);
    struct pl_datum value = number(worker->sent++);
    uint64_t n;

    worker->wrong += pl_bus_send(share, &user, (int)worker->member.id,
                                 PL_STR("room.c"), &value, &n) < 2 * WORKERS;
}

static bool work(struct pl_hook *hook)
{
    struct worker *worker = PL_CONTAINER_OF(hook, struct worker, hook);

    look(worker, worker->exact, 0);
    look(worker, worker->pattern, 1);
    look(worker, worker->again, 2);
    if (++worker->turns % 7 == 0) { /* with something on its way, mostly */
        pl_bus_cancel(worker->again);
        worker->again = join(worker, "room.c", true);
    }
    for (int i = 0; i < 5 && worker->sent < MESSAGES; i++)
        say(worker);
    if (worker->at[0] == base + ALL && worker->at[1] == base + ALL &&
        worker->at[2] == base + ALL) {
        if (!worker->told)
            atomic_fetch_add(&finished, 1);
        worker->told = true;
        if (atomic_load(&finished) == WORKERS)
            pl_loop_stop(worker->loop);
    }
    return true;
}

static void *run_worker(void *arg)
{
    const struct pl_loop_options options = {.backend = NULL};
    struct worker *worker = arg;
    unsigned id = (unsigned)(worker - workers);

    PL_ASSERT(pl_loop_new(&options, &worker->loop) == 0);
    PL_ASSERT(pl_sched_init(&worker->sched, worker->loop, NULL) == 0);
    PL_ASSERT(pl_member_join(&worker->member, share, worker->loop, id, false) ==
              0);
    for (int i = 0; i < 3; i++)
        worker->at[i] = base;
    worker->exact = join(worker, "room.c", false);
    worker->pattern = join(worker, "room.*", false);
    worker->again = join(worker, "room.c", true);
    worker->hook.run = work;
    atomic_fetch_add(&joined, 1);
    while (atomic_load(&joined) < WORKERS)
        sched_yield();
    pl_loop_add_hook(worker->loop, &worker->hook);
    pl_loop_soon(worker->loop);
    pl_loop_run(worker->loop);
    pl_loop_remove_hook(&worker->hook);
    pl_member_leave(&worker->member);
    pl_sched_fini(&worker->sched);
    pl_loop_free(worker->loop);
    return NULL;
}

/* By a thread that is no worker. */
static void declare_room(void)
{
    const struct pl_channel_rules rules = {.history = ALL, .bytes = 8 << 20};
    struct pl_reader *reader = pl_epoch_join(pl_share_epoch(share));
    struct pl_dict_user user = {.reader = reader};
    struct pl_channel *channel;

    CHECK_INT(0,
              pl_channel_open(share, &user, PL_STR("room.c"), &rules, &channel),
              "room");
    base = channel->base;
    pl_channel_release(channel);
    pl_epoch_part(reader);
}

static void test_channel__is_the_same_for_all_workers(void **state)
{
    (void)state;
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, WORKERS), "workers");
    declare_room();
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(
            0,
            pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]),
            "thread");
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK_INT(0, workers[i].wrong, "all, once, in one order");
        CHECK_INT(base + ALL, workers[i].at[0], "to the last");
    }
    pl_share_free(share);
}

/* Rings that come round, channels that are made and swept, workers that come
 * and go: nobody reads what is not his, and all is freed. */
static void churn(struct worker *worker, unsigned n)
{
    const struct pl_channel_rules rules = {.history = 4, .bytes = 100000};
    const struct pl_bus_options options = {
        .queue = 8, .replay = n % 2 == 0, .close = n % 3 == 0};
    struct pl_subscription *sub = NULL;
    struct pl_envelope *envelope;
    struct pl_channel *channel;
    uint64_t number_of, last = 0;
    char name[16];

    snprintf(name, sizeof(name), "c%u", n % 5);
    for (int i = 0; i < 3; i++) {
        struct pl_dict_user user = pl_member_user(&worker->member);
        struct pl_datum value = number(i);

        if (pl_channel_open(share, &user, pl_str_c(name), &rules, &channel) ==
            0)
            pl_channel_release(channel);
        if (sub == NULL)
            (void)pl_bus_subscribe(&worker->member, pl_str_c(name), &options,
                                   &sub);
        for (int k = 0; k < 200; k++)
            (void)pl_bus_send(share, &user, 0, pl_str_c(name), &value,
                              &number_of);
        (void)pl_loop_step(worker->loop, 0);
    }
    while (sub != NULL && (envelope = pl_bus_take(sub)) != NULL) {
        worker->wrong += envelope->message->number <= last;
        last = envelope->message->number;
        pl_envelope_release(envelope);
    }
    if (sub != NULL && n % 4 != 0)
        pl_bus_cancel(sub);
}

static bool look_at(void *wrong, const struct pl_presence *there)
{
    *(unsigned *)wrong += there->name.len != 4 ||
                          memcmp(there->name.data, "name", 4) != 0 ||
                          there->worker >= WORKERS;
    return true;
}

/* Joins and leaves while others look. */
static void mingle(struct worker *worker, unsigned n)
{
    const struct pl_channel_rules rules = {.history = 1};
    struct pl_datum info = number((int64_t)n);
    struct pl_presence *there[8] = {NULL};
    struct pl_channel *channel;

    for (unsigned i = 0; i < 200; i++) {
        struct pl_dict_user user = pl_member_user(&worker->member);
        struct pl_presence **place = &there[i * (n + 3) % PL_COUNT(there)];

        if (*place != NULL)
            pl_presence_leave(*place);
        *place = NULL;
        if (pl_channel_open(share, &user, PL_STR("m"), &rules, &channel) < 0 ||
            pl_presence_join(&worker->member, PL_STR("m"), PL_STR("name"),
                             &info, place) < 0) {
            worker->wrong++;
            return;
        }
        pl_presence_each(channel, user.reader, look_at, &worker->wrong);
        pl_channel_release(channel);
        (void)pl_loop_step(worker->loop, 0);
    }
}

static void *run_guest(void *arg)
{
    const struct pl_loop_options options = {.backend = NULL};
    struct worker *worker = arg;
    unsigned id = (unsigned)(worker - workers);

    for (unsigned i = 0; i < 60; i++) {
        PL_ASSERT(pl_loop_new(&options, &worker->loop) == 0);
        PL_ASSERT(pl_member_join(&worker->member, share, worker->loop, id,
                                 false) == 0);
        churn(worker, i + id);
        mingle(worker, i + id);
        pl_member_leave(&worker->member);
        pl_loop_free(worker->loop);
    }
    return NULL;
}

static void test_channel__survives_those_who_come_and_go(void **state)
{
    (void)state;
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, WORKERS), "workers");
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.wrong = 0};
        CHECK_INT(
            0, pthread_create(&workers[i].thread, NULL, run_guest, &workers[i]),
            "thread");
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK_INT(0, workers[i].wrong, "in order");
    }
    CHECK(atomic_load(&pl_share_kept(share)->used) <= 5 * 100000, "bounded");
    pl_share_free(share);
}

/* Whom the publisher counts has the message when its bell has rung, however
 * the call that subscribes and the one that publishes meet. */
enum { MEETINGS = 3000 };

static atomic_uint opened, reached;

static void *run_publisher(void *arg)
{
    struct pl_reader *reader = pl_epoch_join(pl_share_epoch(share));
    struct pl_dict_user user = {.reader = reader};
    struct pl_datum value = number(1);
    uint64_t n;

    (void)arg;
    for (unsigned i = 1; i <= MEETINGS; i++) {
        while (atomic_load(&opened) < i)
            sched_yield();
        while (pl_bus_send(share, &user, 0, PL_STR("room.c"), &value, &n) == 0)
            ;
        atomic_store(&reached, i);
    }
    pl_epoch_part(reader);
    return NULL;
}

static unsigned meet(struct worker *worker, unsigned i)
{
    struct pl_subscription *sub;
    unsigned missed;

    atomic_store(&opened, i);
    sub = join(worker, i % 2 == 0 ? "room.c" : "room.*", false);
    while (atomic_load(&reached) < i)
        (void)pl_loop_step(worker->loop, 0);
    (void)pl_loop_step(worker->loop, 0);
    missed = sub->count == 0;
    pl_bus_cancel(sub);
    return missed;
}

static void test_channel__reaches_whom_it_counts(void **state)
{
    const struct pl_loop_options options = {.backend = NULL};
    struct worker *worker = &workers[0];

    (void)state;
    *worker = (struct worker){.wrong = 0};
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, 1), "workers");
    declare_room();
    CHECK_INT(0, pl_loop_new(&options, &worker->loop), "loop");
    CHECK_INT(0, pl_member_join(&worker->member, share, worker->loop, 0, false),
              "member");
    CHECK_INT(0, pthread_create(&worker->thread, NULL, run_publisher, NULL),
              "thread");
    for (unsigned i = 1; i <= MEETINGS; i++)
        worker->wrong += meet(worker, i);
    pthread_join(worker->thread, NULL);
    pl_member_leave(&worker->member);
    pl_loop_free(worker->loop);
    pl_share_free(share);
    CHECK_INT(0, worker->wrong, "messages that were counted and did not come");
}

RUN_TESTS(cmocka_unit_test(test_channel__reaches_whom_it_counts),
          cmocka_unit_test(test_channel__is_the_same_for_all_workers),
          cmocka_unit_test(test_channel__survives_those_who_come_and_go))
