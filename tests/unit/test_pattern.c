/* test_pattern.c - patterns of topics: what they match, whom they reach; and
 * what bounds a subscription. */
#include "bus_world.h"

#include "share/pattern.h"

/* ---- patterns ---- */

static const struct {
    const char *pattern, *topic;
    bool matches;
} pairs[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "a.b", false},
    {"a.b", "a", false},
    {"a.*", "a.b", true},
    {"a.*", "a", false},
    {"a.*", "a.", true}, /* an empty token is one */
    {"a.*", "a.b.c", false},
    {"*", "a", true},
    {"*", "a.b", false},
    {"*.b", "a.b", true},
    {"*.b", "a.c", false},
    {"a.*.c", "a.b.c", true},
    {"a.*.c", "a.b.d", false},
    {"a.>", "a.b", true},
    {"a.>", "a.b.c.d", true},
    {"a.>", "a", false}, /* one or more */
    {">", "a", true},
    {">", "a.b.c", true},
    {"*.>", "a", false},
    {"*.>", "a.b", true},
    {"a*", "ab", false}, /* whole tokens only */
    {"a.>.c", "a.b.c", false},
    {"a.>.c", "a.>.c", true}, /* in the middle it is a token */
    {"a.**", "a.b", false},
};

static const struct {
    const char *name;
    bool is;
    unsigned literals;
} names[] = {
    {"a", false, 1},     {"a.b", false, 2}, {"*", true, 0},
    {">", true, 0},      {"a.*", true, 1},  {"a.b.>", true, 2},
    {"a.>.b", false, 3}, {"a*", false, 1},  {"a.*.b", true, 1},
    {"a..*", true, 2},   {"**", false, 1},
};

static void test_pattern__stands_for_whole_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(pairs); i++)
        CHECK_INT(pairs[i].matches,
                  pl_pattern_matches(pl_str_c(pairs[i].pattern),
                                     pl_str_c(pairs[i].topic)),
                  pairs[i].pattern);
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        struct pl_str name = pl_str_c(names[i].name);

        CHECK_INT(names[i].is, pl_is_pattern(name), names[i].name);
        CHECK_INT(names[i].literals, pl_pattern_literals(name), names[i].name);
    }
    CHECK_STR("a.b", pl_topic_prefix(PL_STR("a.b.c"), 2), "prefix");
    CHECK_STR("", pl_topic_prefix(PL_STR("a.b.c"), 0), "no prefix");
    CHECK_STR("a.b.c", pl_topic_prefix(PL_STR("a.b.c"), 9), "all of it");
}

/* ---- patterns in the bus ---- */

static void test_bus__patterns_reach_what_they_match(void **state)
{
    struct pl_subscription *one = subscribe("chat.*"), *any = subscribe(">");
    struct pl_subscription *exact = subscribe("chat.a");
    struct pl_subscription *deep = subscribe("chat.a.>");
    struct pl_subscription *again = subscribe("chat.*");

    (void)state;
    CHECK_INT(4, publish("chat.a", 1), "by name and by patterns");
    CHECK_INT(3, publish("chat.b", 2), "by patterns");
    CHECK_INT(1, publish("news", 3), "by one");
    CHECK_INT(2, publish("chat.a.b", 4), "further down");
    CHECK_INT(PL_ERR_INVALID, publish("chat.*", 5), "not to a pattern");
    turn();
    check_takes(one, "12");
    check_takes(again, "12");
    check_takes(any, "1234");
    check_takes(exact, "1");
    check_takes(deep, "4");
    pl_bus_cancel(one);
    CHECK_INT(2, publish("chat.c", 6), "one of two has gone");
    turn();
    check_takes(again, "6");
    pl_bus_cancel(again);
    pl_bus_cancel(deep);
    CHECK_INT(1, publish("chat.c", 7), "and the other");
    pl_bus_cancel(any);
    pl_bus_cancel(exact);
    CHECK_INT(0, pl_dict_stats(pl_share_topics(share)).keys, "nothing is left");
    CHECK_INT(0, atomic_load(pl_share_patterns(share)), "nothing is left");
}

static void test_bus__names_that_cannot_be(void **state)
{
    static char text[PL_DICT_KEY_MAX + 1];
    const struct pl_bus_options none = {.queue = 0}, again = {.replay = true};
    struct pl_subscription *sub;

    (void)state;
    memset(text, 'a', sizeof(text));
    CHECK_INT(
        PL_ERR_TOO_LONG,
        pl_bus_subscribe(&member, pl_str(text, sizeof(text)), &none, &sub),
        "too long");
    CHECK_INT(PL_ERR_INVALID,
              pl_bus_subscribe(&member, PL_STR(""), &none, &sub), "empty");
    CHECK_INT(PL_ERR_INVALID,
              pl_bus_subscribe(&member, PL_STR("a.*"), &again, &sub),
              "patterns have no numbers");
    CHECK_INT(PL_ERR_INVALID,
              pl_bus_subscribe(&member,
                               PL_STR("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16."
                                      "17.*"),
                               &none, &sub),
              "too deep");
    CHECK_INT(PL_ERR_INVALID, declare("a.>", (struct pl_channel_rules){0}),
              "no channel");
}

/* ---- what waits is bounded ---- */

static void test_bus__bytes_that_wait_are_bounded(void **state)
{
    char text[1000] = {0};
    const struct pl_datum large = {.type = PL_DATUM_STRING,
                                   {.bytes = pl_str(text, sizeof(text))}};
    struct pl_bus_options options = {.bytes = 5000};
    struct pl_subscription *drops = subscribe_with("t", &options), *closes;
    struct pl_dict_user user = pl_member_user(&member);

    (void)state;
    options.close = true;
    closes = subscribe_with("t", &options);
    for (int i = 0; i < 10; i++)
        CHECK_INT(2, pl_bus_publish(share, &user, 0, PL_STR("t"), &large), "");
    turn();
    CHECK(drops->bytes <= 5000 && drops->count == 4, "four fit");
    CHECK_INT(6, drops->dropped, "six are lost");
    CHECK(closes->closed && closes->count == 4, "ended");
    options.bytes = 500;
    options.close = false;
    pl_bus_cancel(closes);
    closes = subscribe_with("t", &options);
    CHECK_INT(2, pl_bus_publish(share, &user, 0, PL_STR("t"), &large), "");
    turn();
    CHECK_INT(0, closes->count, "too large for it");
    CHECK_INT(1, closes->dropped, "and said so");
    pl_bus_cancel(closes);
    pl_bus_cancel(drops);
}

static int notified;

static void count_notice(struct pl_subscription *sub)
{
    notified += *(int *)sub->arg;
}

static void test_bus__tells_who_does_not_wait(void **state)
{
    int step = 10;
    const struct pl_bus_options options = {.notify = count_notice,
                                           .arg = &step};
    struct pl_subscription *sub = subscribe_with("t", &options);

    (void)state;
    notified = 0;
    publish("t", 1);
    publish("t", 2);
    turn();
    CHECK_INT(20, notified, "each time");
    check_takes(sub, "12");
    pl_bus_cancel(sub);
}

RUN_TESTS(cmocka_unit_test(test_pattern__stands_for_whole_tokens),
          BUS_TEST(test_bus__patterns_reach_what_they_match),
          BUS_TEST(test_bus__names_that_cannot_be),
          BUS_TEST(test_bus__bytes_that_wait_are_bounded),
          BUS_TEST(test_bus__tells_who_does_not_wait))
