/* bus_world.h - one worker on this thread, for the tests of topics. */
#ifndef PL_TESTS_BUS_WORLD_H
#define PL_TESTS_BUS_WORLD_H

#include "datums.h"

#include "base/check.h"
#include "base/faults.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/bus.h"
#include "share/door.h"
#include "task/task.h"

static struct pl_share *share;
static struct pl_loop *loop;
static struct pl_sched sched;
static struct pl_member member;

PL_UNUSED static int make(void **state)
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

PL_UNUSED static int end(void **state)
{
    (void)state;
    pl_member_leave(&member);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    pl_share_free(share);
    return 0;
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

static uint64_t last_number; /* of what was published last */

PL_UNUSED static int publish(const char *topic, int64_t value)
{
    struct pl_dict_user user = pl_member_user(&member);
    const struct pl_datum datum = integer(value);

    return pl_bus_send(share, &user, 0, pl_str_c(topic), &datum, &last_number);
}

PL_UNUSED static int declare(const char *name, struct pl_channel_rules rules)
{
    struct pl_dict_user user = pl_member_user(&member);
    struct pl_channel *channel;
    int err = pl_channel_open(share, &user, pl_str_c(name), &rules, &channel);

    if (err == 0)
        pl_channel_release(channel);
    return err;
}

PL_UNUSED static struct pl_subscription *
subscribe_with(const char *topic, const struct pl_bus_options *options)
{
    struct pl_subscription *sub = NULL;

    CHECK_INT(0, pl_bus_subscribe(&member, pl_str_c(topic), options, &sub),
              topic);
    return sub;
}

PL_UNUSED static struct pl_subscription *subscribe(const char *topic)
{
    const struct pl_bus_options options = {.queue = 0};

    return subscribe_with(topic, &options);
}

PL_UNUSED static struct pl_subscription *subscribe_since(const char *topic,
                                                         uint64_t since)
{
    const struct pl_bus_options options = {.replay = true, .since = since};

    return subscribe_with(topic, &options);
}

PL_UNUSED static void turn(void)
{
    CHECK(pl_loop_step(loop, 0) >= 0, "turn");
}

/* What waits, as digits. */
PL_UNUSED static void check_takes(struct pl_subscription *sub, const char *want)
{
    struct pl_envelope *envelope;
    char got[64];
    size_t n = 0;

    while (n + 1 < sizeof(got) && (envelope = pl_bus_take(sub)) != NULL) {
        got[n++] = (char)('0' + envelope->message->value.integer);
        pl_envelope_release(envelope);
    }
    CHECK_STR(want, pl_str(got, n), "taken");
}

#endif
