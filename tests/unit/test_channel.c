/* test_channel.c - channels: numbers, what is remembered, who is there. */
#include "bus_world.h"

#include "base/pack.h"
#include "share/presence.h"

/* ---- channels ---- */

static void test_channel__numbers_its_messages(void **state)
{
    struct pl_subscription *sub;
    struct pl_envelope *envelope;
    uint64_t before = 0;

    (void)state;
    CHECK_INT(0, publish("t", 1), "no channel");
    CHECK_INT(0, last_number, "no number");
    CHECK_INT(0, declare("c", (struct pl_channel_rules){.history = 3}), "made");
    sub = subscribe("c");
    for (int i = 0; i < 3; i++) {
        CHECK_INT(1, publish("c", i), "kept");
        CHECK(last_number > 0 && (i == 0 || last_number == before + 1), "next");
        before = last_number;
    }
    turn();
    for (int i = 0; i < 3; i++) {
        envelope = pl_bus_take(sub);
        CHECK_INT(before - 2 + (uint64_t)i, envelope->message->number, "same");
        pl_envelope_release(envelope);
    }
    pl_bus_cancel(sub);
}

static void test_channel__remembers_the_last_ones(void **state)
{
    struct pl_subscription *sub;
    uint64_t first;

    (void)state;
    declare("c", (struct pl_channel_rules){.history = 3});
    sub = subscribe_since("c", 0);
    check_takes(sub, "");
    pl_bus_cancel(sub);
    publish("c", 1);
    first = last_number;
    for (int i = 2; i <= 5; i++)
        publish("c", i);
    sub = subscribe_since("c", 0);
    check_takes(sub, "345");
    CHECK_INT(0, sub->dropped, "nothing was asked for that is gone");
    publish("c", 6);
    turn();
    check_takes(sub, "6");
    pl_bus_cancel(sub);
    sub = subscribe_since("c", first + 3);
    check_takes(sub, "56");
    pl_bus_cancel(sub);
    sub = subscribe_since("c", first);
    check_takes(sub, "456");
    CHECK_INT(2, sub->dropped, "2 and 3 are gone");
    pl_bus_cancel(sub);
    sub = subscribe_since("c", last_number);
    check_takes(sub, "");
    pl_bus_cancel(sub);
    sub = subscribe_since("c", UINT64_MAX - 1);
    check_takes(sub, "");
    pl_bus_cancel(sub);
    sub = subscribe("c");
    check_takes(sub, "");
    pl_bus_cancel(sub);
}

static void test_channel__what_is_on_its_way_comes_once(void **state)
{
    struct pl_subscription *before, *after;

    (void)state;
    declare("c", (struct pl_channel_rules){.history = 9});
    before = subscribe("c");
    publish("c", 1);
    publish("c", 2);
    after = subscribe_since("c", 0); /* the bell has rung, nobody has heard */
    publish("c", 3);
    turn();
    check_takes(before, "123");
    check_takes(after, "123");
    pl_bus_cancel(before);
    pl_bus_cancel(after);
}

static void test_channel__forgets_by_age(void **state)
{
    struct pl_subscription *sub;

    (void)state;
    declare("c", (struct pl_channel_rules){.history = 9, .age = 1});
    publish("c", 1);
    turn(); /* by more than a nanosecond */
    sub = subscribe_since("c", 0);
    check_takes(sub, "");
    pl_bus_cancel(sub);
    publish("c", 2);
    CHECK(atomic_load(&pl_share_kept(share)->used) < 500, "and drops it");
}

static void test_channel__forgets_by_size(void **state)
{
    static char text[10000];
    const struct pl_datum large = {.type = PL_DATUM_STRING,
                                   {.bytes = pl_str(text, sizeof(text))}};
    struct pl_dict_user user = pl_member_user(&member);
    struct pl_subscription *sub;
    uint64_t n;

    (void)state;
    declare("c", (struct pl_channel_rules){.history = 99, .bytes = 50000});
    for (int i = 0; i < 300; i++)
        CHECK_INT(0, pl_bus_send(share, &user, 0, PL_STR("c"), &large, &n), "");
    CHECK(atomic_load(&pl_share_kept(share)->used) <= 50000, "bounded");
    sub = subscribe_since("c", 0);
    CHECK_INT(4, sub->count, "what fits");
    pl_bus_cancel(sub);
    declare("d", (struct pl_channel_rules){.history = 99, .bytes = 5000});
    CHECK_INT(PL_ERR_LIMIT,
              pl_bus_send(share, &user, 0, PL_STR("d"), &large, &n),
              "too large");
}

static void test_channel__a_worker_that_lags_loses_and_knows(void **state)
{
    struct pl_subscription *sub;
    unsigned got = 0;
    struct pl_envelope *envelope;
    enum { SENT = 1000 };

    (void)state;
    declare("c", (struct pl_channel_rules){.history = 3});
    sub = subscribe_with("c", &(struct pl_bus_options){.queue = SENT});
    for (int i = 0; i < SENT; i++)
        publish("c", i);
    turn();
    turn();
    while ((envelope = pl_bus_take(sub)) != NULL) {
        got++;
        if (sub->count == 0)
            CHECK_INT(SENT - 1, envelope->message->value.integer, "the newest");
        pl_envelope_release(envelope);
    }
    CHECK(got >= PL_CHANNEL_SLACK, "as many as the ring holds");
    CHECK_INT(SENT, got + sub->dropped, "counted");
    pl_bus_cancel(sub);
}

static void test_channel__is_what_was_declared_first(void **state)
{
    const struct pl_channel_rules rules = {.history = 3};

    (void)state;
    CHECK_INT(0, declare("c", rules), "first");
    CHECK_INT(0, declare("c", rules), "the same");
    CHECK_INT(PL_ERR_EXISTS, declare("c", (struct pl_channel_rules){0}),
              "another");
    CHECK_INT(PL_ERR_INVALID, declare("", rules), "no name");
    CHECK_INT(PL_ERR_INVALID,
              declare("d", (struct pl_channel_rules){.history = 1 << 20}),
              "too much");
}

static void test_channel__may_be_made_after_its_subscribers(void **state)
{
    struct pl_subscription *exact = subscribe("c"), *pattern = subscribe(">");
    struct pl_subscription *late;

    (void)state;
    publish("c", 1);
    turn();
    declare("c", (struct pl_channel_rules){.history = 3});
    publish("c", 2);
    late = subscribe("c"); /* before the bell is heard */
    publish("c", 3);
    turn();
    check_takes(exact, "123");
    check_takes(pattern, "123");
    check_takes(late, "3");
    pl_bus_cancel(exact);
    pl_bus_cancel(late);
    publish("c", 4);
    turn();
    check_takes(pattern, "4");
    pl_bus_cancel(pattern);
    publish("c", 5);
    turn();
    pattern = subscribe("*");
    publish("c", 6);
    turn();
    check_takes(pattern, "6");
    pl_bus_cancel(pattern);
}

static void test_channel__idle_ones_make_room(void **state)
{
    struct pl_subscription *sub;
    char name[32];
    int made = 0, err = 0;

    (void)state;
    declare("kept", (struct pl_channel_rules){.history = 3});
    publish("kept", 1);
    declare("heard", (struct pl_channel_rules){0});
    sub = subscribe("heard");
    for (int i = 0; i < PL_CHANNELS + 100 && err == 0; i++, made++) {
        snprintf(name, sizeof(name), "c%d", i);
        err = declare(name, (struct pl_channel_rules){0});
        if (i % 1000 == 0)
            turn(); /* garbage is collected */
    }
    CHECK_INT(0, err, "room for all");
    CHECK(atomic_load(pl_share_channel_count(share)) <= PL_CHANNELS, "bounded");
    CHECK_INT(PL_ERR_EXISTS, declare("kept", (struct pl_channel_rules){0}),
              "has something to remember");
    publish("heard", 7);
    turn();
    check_takes(sub, "7");
    pl_bus_cancel(sub);
}

static void test_channel__without_memory(void **state)
{
    const struct pl_bus_options again = {.replay = true}, once = {.queue = 8};

    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_subscription *sub = NULL, *all = NULL;
        bool failed = declare("c", (struct pl_channel_rules){.history = 9}) < 0;

        failed |= publish("c", 1) < 0; /* counts may have stayed too high */
        failed |= pl_bus_subscribe(&member, PL_STR("c"), &again, &sub) < 0;
        failed |= pl_bus_subscribe(&member, PL_STR("*"), &once, &all) < 0;
        failed |= declare("d", (struct pl_channel_rules){.history = 9}) < 0;
        failed |= publish("c", 2) < 2;
        failed |= publish("d", 3) < 1;
        turn();
        if (sub != NULL)
            pl_bus_cancel(sub);
        if (all != NULL)
            pl_bus_cancel(all);
        turn();
        CHECK(!failed || pl_faults_hit(), "done");
    }
}

/* ---- presence ---- */

static struct pl_presence *enter(const char *name)
{
    const struct pl_datum none = {.type = PL_DATUM_NONE};
    struct pl_presence *presence = NULL;

    CHECK_INT(0,
              pl_presence_join(&member, PL_STR("c"), pl_str_c(name), &none,
                               &presence),
              name);
    return presence;
}

static char roll[64];

static bool note_first(void *arg, const struct pl_presence *there)
{
    size_t *n = arg;

    roll[(*n)++] = there->name.data[0];
    return *n < sizeof(roll);
}

static void check_roll(const char *want)
{
    struct pl_dict_user user = pl_member_user(&member);
    struct pl_channel *channel;
    size_t n = 0;

    CHECK_INT(0, pl_channel_open(share, &user, PL_STR("c"), NULL, &channel),
              "c");
    pl_presence_each(channel, user.reader, note_first, &n);
    pl_channel_release(channel);
    CHECK_STR(want, pl_str(roll, n), "who is there");
}

static void test_presence__comes_and_goes(void **state)
{
    struct pl_presence *a, *b, *c;
    struct pl_subscription *sub;
    struct pl_envelope *envelope;

    (void)state;
    declare("c", (struct pl_channel_rules){.presence = true});
    sub = subscribe("c.presence");
    check_roll("");
    a = enter("a");
    b = enter("b");
    c = enter("c");
    check_roll("cba");
    pl_presence_leave(b);
    check_roll("ca");
    pl_presence_leave(c);
    check_roll("a");
    b = enter("b");
    check_roll("ba");
    CHECK(b->id > a->id, "of its own");
    pl_presence_leave(a);
    check_roll("b");
    turn();
    CHECK_INT(7, sub->count, "all of it was told");
    envelope = pl_bus_take(sub);
    CHECK_INT(0, pl_pack_check(envelope->message->value.bytes), "a table");
    CHECK(pl_str_find(envelope->message->value.bytes, PL_STR("join")) > 0, "a");
    pl_envelope_release(envelope);
    pl_bus_cancel(sub); /* b leaves with the worker */
}

static void test_presence__what_cannot_be(void **state)
{
    static char text[PL_PRESENCE_INFO + 1];
    const struct pl_datum none = {.type = PL_DATUM_NONE};
    const struct pl_datum large = {.type = PL_DATUM_STRING,
                                   {.bytes = pl_str(text, sizeof(text))}};
    struct pl_presence *presence;

    (void)state;
    CHECK_INT(
        PL_ERR_NOT_FOUND,
        pl_presence_join(&member, PL_STR("c"), PL_STR("a"), &none, &presence),
        "no channel");
    declare("c", (struct pl_channel_rules){0});
    CHECK_INT(
        PL_ERR_INVALID,
        pl_presence_join(&member, PL_STR("c"), PL_STR(""), &none, &presence),
        "no name");
    CHECK_INT(PL_ERR_TOO_LONG,
              pl_presence_join(&member, PL_STR("c"),
                               pl_str(text, PL_PRESENCE_NAME + 1), &none,
                               &presence),
              "name");
    CHECK_INT(
        PL_ERR_TOO_LONG,
        pl_presence_join(&member, PL_STR("c"), PL_STR("a"), &large, &presence),
        "info");
}

RUN_TESTS(BUS_TEST(test_channel__numbers_its_messages),
          BUS_TEST(test_channel__remembers_the_last_ones),
          BUS_TEST(test_channel__what_is_on_its_way_comes_once),
          BUS_TEST(test_channel__forgets_by_age),
          BUS_TEST(test_channel__forgets_by_size),
          BUS_TEST(test_channel__a_worker_that_lags_loses_and_knows),
          BUS_TEST(test_channel__is_what_was_declared_first),
          BUS_TEST(test_channel__may_be_made_after_its_subscribers),
          BUS_TEST(test_channel__idle_ones_make_room),
          BUS_TEST(test_channel__without_memory),
          BUS_TEST(test_presence__comes_and_goes),
          BUS_TEST(test_presence__what_cannot_be))
