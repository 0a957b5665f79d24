/* test_channel_threads.c - channels of several workers, each a thread with a
 * loop: one order for all, whoever comes and goes. Run under ASan and TSan. */
#include "bus_threads.h"

#include "share/presence.h"

/* Each publishes, by its own count, and has subscriptions by name and pattern
 * and one that is made again and again where the last one ended. All of them
 * must see the same: message n is the nth that was numbered. */
enum { MESSAGES = 2000, ALL = WORKERS * MESSAGES };

struct worker {
    struct peer peer;
    struct pl_subscription *exact, *pattern, *again;
    uint64_t at[3];
    int64_t next[3][WORKERS]; /* what each publisher says next */
    int64_t sent;
    unsigned turns;
    bool told;
};

static struct worker workers[WORKERS];
static atomic_int finished;
static _Atomic int64_t saw[ALL + 1]; /* by number: 1 + what it was */
static uint64_t base;

static void look(struct worker *worker, struct pl_subscription *sub, int which)
{
    struct pl_envelope *envelope;

    while ((envelope = pl_bus_take(sub)) != NULL) {
        const struct pl_message *message = envelope->message;
        int64_t was = 0, is = message->value.integer * WORKERS + message->from;

        worker->peer.wrong += message->number != ++worker->at[which];
        worker->peer.wrong +=
            message->value.integer != worker->next[which][message->from]++;
        if (!atomic_compare_exchange_strong(&saw[message->number - base], &was,
                                            is + 1))
            worker->peer.wrong += was != is + 1;
        pl_envelope_release(envelope);
    }
    worker->peer.wrong += sub->dropped != 0;
}

static struct pl_subscription *join(struct worker *worker, const char *name,
                                    bool replay)
{
    const struct pl_bus_options options = {
        .queue = PL_BUS_QUEUE_MAX, .replay = replay, .since = worker->at[2]};
    struct pl_subscription *sub = NULL;

    PL_ASSERT(pl_bus_subscribe(&worker->peer.member, pl_str_c(name), &options,
                               &sub) == 0);
    return sub;
}

static void say(struct worker *worker)
{
    struct pl_dict_user user = pl_member_user(&worker->peer.member);
    struct pl_datum value = integer(worker->sent++);
    uint64_t n;

    worker->peer.wrong +=
        pl_bus_send(share, &user, (int)worker->peer.member.id, PL_STR("room.c"),
                    &value, &n) < 2 * WORKERS;
}

static bool work(struct pl_hook *hook)
{
    struct worker *worker = PL_CONTAINER_OF(hook, struct worker, peer.hook);

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
            pl_loop_stop(worker->peer.loop);
    }
    return true;
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;

    open_peer(&worker->peer, (unsigned)(worker - workers));
    for (int i = 0; i < 3; i++)
        worker->at[i] = base;
    worker->exact = join(worker, "room.c", false);
    worker->pattern = join(worker, "room.*", false);
    worker->again = join(worker, "room.c", true);
    meet_peers(&worker->peer);
    run_peer(&worker->peer, work);
    close_peer(&worker->peer);
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
    make_share(WORKERS);
    declare_room();
    for (int i = 0; i < WORKERS; i++)
        start_peer(&workers[i].peer, run_worker);
    for (int i = 0; i < WORKERS; i++) {
        join_peer(&workers[i].peer, "all, once, in one order");
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
        struct pl_dict_user user = pl_member_user(&worker->peer.member);
        struct pl_datum value = integer(i);

        if (pl_channel_open(share, &user, pl_str_c(name), &rules, &channel) ==
            0)
            pl_channel_release(channel);
        if (sub == NULL)
            (void)pl_bus_subscribe(&worker->peer.member, pl_str_c(name),
                                   &options, &sub);
        for (int k = 0; k < 200; k++)
            (void)pl_bus_send(share, &user, 0, pl_str_c(name), &value,
                              &number_of);
        (void)pl_loop_step(worker->peer.loop, 0);
    }
    while (sub != NULL && (envelope = pl_bus_take(sub)) != NULL) {
        worker->peer.wrong += envelope->message->number <= last;
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
    struct pl_datum info = integer((int64_t)n);
    struct pl_presence *there[8] = {NULL};
    struct pl_channel *channel;

    for (unsigned i = 0; i < 200; i++) {
        struct pl_dict_user user = pl_member_user(&worker->peer.member);
        struct pl_presence **place = &there[i * (n + 3) % PL_COUNT(there)];

        if (*place != NULL)
            pl_presence_leave(*place);
        *place = NULL;
        if (pl_channel_open(share, &user, PL_STR("m"), &rules, &channel) < 0 ||
            pl_presence_join(&worker->peer.member, PL_STR("m"), PL_STR("name"),
                             &info, place) < 0) {
            worker->peer.wrong++;
            return;
        }
        pl_presence_each(channel, user.reader, look_at, &worker->peer.wrong);
        pl_channel_release(channel);
        (void)pl_loop_step(worker->peer.loop, 0);
    }
}

static void *run_guest(void *arg)
{
    struct worker *worker = arg;
    unsigned id = (unsigned)(worker - workers);

    for (unsigned i = 0; i < 60; i++) {
        open_peer(&worker->peer, id);
        churn(worker, i + id);
        mingle(worker, i + id);
        close_peer(&worker->peer);
    }
    return NULL;
}

static void test_channel__survives_those_who_come_and_go(void **state)
{
    (void)state;
    make_share(WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.told = false};
        start_peer(&workers[i].peer, run_guest);
    }
    for (int i = 0; i < WORKERS; i++)
        join_peer(&workers[i].peer, "in order");
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
    struct pl_datum value = integer(1);
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
        (void)pl_loop_step(worker->peer.loop, 0);
    (void)pl_loop_step(worker->peer.loop, 0);
    missed = sub->count == 0;
    pl_bus_cancel(sub);
    return missed;
}

static void test_channel__reaches_whom_it_counts(void **state)
{
    struct worker *worker = &workers[0];

    (void)state;
    *worker = (struct worker){.told = false};
    make_share(1);
    declare_room();
    open_peer(&worker->peer, 0);
    start_peer(&worker->peer, run_publisher);
    for (unsigned i = 1; i <= MEETINGS; i++)
        worker->peer.wrong += meet(worker, i);
    join_peer(&worker->peer, "messages that were counted and did not come");
    close_peer(&worker->peer);
    pl_share_free(share);
}

RUN_TESTS(cmocka_unit_test(test_channel__reaches_whom_it_counts),
          cmocka_unit_test(test_channel__is_the_same_for_all_workers),
          cmocka_unit_test(test_channel__survives_those_who_come_and_go))
