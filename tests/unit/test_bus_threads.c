/* test_bus_threads.c - messages between workers, each a thread with a loop: in
 * order, none lost, none left over, whoever comes and goes. Run under ASan and
 * TSan. */
#include "bus_threads.h"

enum { MESSAGES = 4000 };

struct worker {
    struct peer peer;
    struct pl_subscription *sub, *guest, *late;
    int64_t next[WORKERS + 1], heard[WORKERS + 1]; /* by sender */
    int64_t sent;
    unsigned leads;
};

static struct worker workers[WORKERS];
static atomic_int done, leaving, leaders;

/* Each counts up for itself. */
static void check_order(struct worker *worker, struct pl_envelope *envelope,
                        int64_t *next)
{
    int from = envelope->message->from;

    worker->peer.wrong += envelope->message->value.integer != next[from]++;
    pl_envelope_release(envelope);
}

static void on_message(void *arg)
{
    struct worker *worker = arg;
    struct pl_envelope *envelope;

    while ((envelope = pl_member_next(&worker->peer.member)) != NULL)
        check_order(worker, envelope, worker->next);
}

static void on_lead(void *arg)
{
    struct worker *worker = arg;

    worker->leads++;
    worker->peer.wrong += atomic_fetch_add(&leaders, 1) != 0;
}

static void leave(struct worker *worker)
{
    if (worker->peer.member.leading)
        atomic_fetch_sub(&leaders, 1);
    close_peer(&worker->peer);
}

static int publish(struct pl_member *member, const char *topic, int64_t value)
{
    struct pl_dict_user user = pl_member_user(member);
    const struct pl_datum datum = integer(value);

    return pl_bus_publish(share, &user, (int)member->id, pl_str_c(topic),
                          &datum);
}

/* Sends until its messages are out or the receivers are full; and subscribes
 * and leaves, in the midst of it all. */
static void send_some(struct worker *worker)
{
    struct pl_member *me = &worker->peer.member;
    const struct pl_bus_options options = {.queue = 2};

    for (int i = 0; i < 50 && worker->sent < MESSAGES; i++) {
        struct pl_datum value = integer(worker->sent);

        if (pl_share_send(me->share, me->reader, (int)me->id, PL_SHARE_NOBODY,
                          &value) != 0)
            break;
        worker->peer.wrong +=
            publish(me, "order", worker->sent) < WORKERS; /* and guests */
        worker->sent++;
    }
    if (worker->guest != NULL) {
        pl_bus_cancel(worker->guest);
        worker->guest = NULL;
    } else if (pl_bus_subscribe(me, PL_STR("order"), &options,
                                &worker->guest) != 0) {
        worker->peer.wrong++;
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
    struct worker *worker = PL_CONTAINER_OF(hook, struct worker, peer.hook);
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
        pl_loop_stop(worker->peer.loop);
    return true;
}

static const struct pl_member_ops ops = {on_message, on_lead};

static void *run_worker(void *arg)
{
    const struct pl_bus_options large = {.queue = PL_BUS_QUEUE_MAX};
    struct worker *worker = arg;
    struct pl_member *me = &worker->peer.member;

    open_peer(&worker->peer, (unsigned)(worker - workers));
    PL_ASSERT(pl_bus_subscribe(me, PL_STR("order"), &large, &worker->sub) == 0);
    PL_ASSERT(pl_bus_subscribe(me, PL_STR("late"), &large, &worker->late) == 0);
    meet_peers(&worker->peer);
    pl_member_stand(me, &ops, worker);
    run_peer(&worker->peer, work);
    pl_bus_cancel(worker->sub);
    publish(me, "late", 1); /* nobody will look at these */
    return NULL;
}

static void start_workers(void *(*run)(void *worker))
{
    make_share(WORKERS);
    memset(workers, 0, sizeof(workers));
    atomic_store(&done, 0);
    atomic_store(&leaving, 0);
    atomic_store(&leaders, 0);
    for (int i = 0; i < WORKERS; i++)
        start_peer(&workers[i].peer, run);
}

static void test_bus__keeps_order_and_loses_nothing(void **state)
{
    unsigned leads = 0;

    (void)state;
    start_workers(run_worker);
    for (int i = 0; i < WORKERS; i++) {
        join_peer(&workers[i].peer, "in order, each once");
        leave(&workers[i]);
        leads += workers[i].leads;
    }
    CHECK(leads >= 1, "somebody has led");
    pl_share_free(share);
}

static void drop_message(void *arg)
{
    struct worker *worker = arg;

    pl_envelope_release(pl_member_next(&worker->peer.member));
}

static const struct pl_member_ops guest_ops = {drop_message, on_lead};

/* Workers come and go while others send to them: nothing is sent to who has
 * gone, and all is freed. */
enum { STAYS = 300 };

static bool stay(struct pl_hook *hook)
{
    struct worker *worker = PL_CONTAINER_OF(hook, struct worker, peer.hook);
    struct pl_datum value = integer(1);

    pl_share_send(share, worker->peer.member.reader, 0, PL_SHARE_NOBODY,
                  &value);
    publish(&worker->peer.member, "order", 1);
    if (worker->sent++ > (atomic_load(&leaving) > 0 ? STAYS : STAYS * 10))
        pl_loop_stop(worker->peer.loop);
    return true;
}

static void *run_guest(void *arg)
{
    const struct pl_bus_options small = {.queue = 8};
    struct worker *worker = arg;
    struct pl_member *me = &worker->peer.member;

    for (int i = 0; i < 20; i++) {
        open_peer(&worker->peer, (unsigned)(worker - workers));
        PL_ASSERT(pl_bus_subscribe(me, PL_STR("order"), &small, &worker->sub) ==
                  0);
        pl_member_stand(me, &guest_ops, worker);
        worker->sent = 0;
        run_peer(&worker->peer, stay);
        leave(worker);
    }
    atomic_fetch_add(&leaving, 1);
    return NULL;
}

static void test_bus__survives_those_who_leave(void **state)
{
    unsigned leads = 0;

    (void)state;
    start_workers(run_guest);
    for (int i = 0; i < WORKERS; i++) {
        join_peer(&workers[i].peer, "one leads at a time");
        leads += workers[i].leads;
    }
    CHECK(leads > 1, "and then another");
    CHECK_INT(PL_SHARE_NOBODY, atomic_load(pl_share_leader(share)),
              "nobody is left to lead");
    pl_share_free(share);
}

RUN_TESTS(cmocka_unit_test(test_bus__keeps_order_and_loses_nothing),
          cmocka_unit_test(test_bus__survives_those_who_leave))
