/* test_ws_topics.c - sockets that listen to topics: who gets what, who leaves
 * while it is being sent, who is too slow; and all of it while memory fails. */
#include "ws_world.h"

#include "base/faults.h"
#include "handlers/ws_topics.h"
#include "http/ws_deflate.h"
#include "share/bus.h"

static const char zeros[40000];
static struct pl_share *share;
static struct pl_member member;

static int on_enter(struct pl_ws *ws, struct pl_request *req, void *arg)
{
    bool drop = pl_str_eq(req->query, PL_STR("drop"));

    (void)arg;
    return pl_ws_subscribe(ws, PL_STR("room"), drop);
}

static int on_word(struct pl_ws *ws, const struct pl_ws_message *message,
                   void *arg)
{
    (void)arg;
    if (pl_str_eq(message->data, PL_STR("leave")))
        return pl_ws_unsubscribe(ws, PL_STR("room"));
    if (pl_str_eq(message->data, PL_STR("again")))
        return pl_ws_subscribe(ws, PL_STR("room"), false);
    if (pl_str_eq(message->data, PL_STR("more")))
        return pl_ws_subscribe(ws, PL_STR("other"), false);
    return pl_ws_send(ws, message->kind, message->data);
}

static struct pl_ws_route room = {
    .callbacks = {.open = on_enter, .message = on_word}};

static int make_topics(void **state)
{
    make_ws(state);
    pl_ws_settings_read(&room.settings, NULL);
    add_handler("/room", pl_ws_serve, &room);
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, 1), "workers");
    CHECK_INT(0, pl_member_join(&member, share, loop, 0, false), "join");
    return 0;
}

static int end_topics(void **state)
{
    pl_net_each(&net, close_it, NULL);
    settle();
    CHECK_INT(0, http.ws_topics.count, "no topic is left");
    CHECK_INT(0, member.topics.count, "and no subscription");
    pl_member_leave(&member);
    end_http(state);
    pl_share_free(share);
    return 0;
}

static int publish(const char *topic, struct pl_str text)
{
    const struct pl_datum value = {.type = PL_DATUM_STRING, {.bytes = text}};
    struct pl_dict_user user = pl_member_user(&member);
    int n = pl_bus_publish(share, &user, 0, pl_str_c(topic), &value);

    settle();
    return n;
}

static void test_ws_topics__reach_who_listens(void **state)
{
    int a = open_ws("/room"), b = open_ws("/room"), c = open_ws("/callbacks");

    (void)state;
    for (int i = 0; i < 40; i++)
        CHECK_INT(1, publish("room", i % 2 ? PL_STR("odd") : PL_STR("even")),
                  "one subscription");
    for (int i = 0; i < 40; i++) {
        expect_text(a, i % 2 ? "odd" : "even", "a");
        expect_text(b, i % 2 ? "odd" : "even", "b");
    }
    publish("room", PL_STR("\xff"));
    expect_frame(a, 0x82, PL_STR("\xff"), "binary");
    expect_frame(b, 0x82, PL_STR("\xff"), "binary");
    expect_open(c, "does not listen");
    CHECK_INT(0, publish("other", PL_STR("x")), "nobody");
}

static void test_ws_topics__are_left(void **state)
{
    int a = open_ws("/room"), b = open_ws("/room");

    (void)state;
    send_text(a, "again"); /* changes nothing */
    send_text(a, "more");
    publish("room", PL_STR("1"));
    expect_text(a, "1", "once");
    expect_text(b, "1", "b");
    send_text(a, "leave");
    publish("room", PL_STR("2"));
    expect_open(a, "has left");
    expect_text(b, "2", "b");
    publish("other", PL_STR("3"));
    expect_text(a, "3", "the other topic");
    send_close(b, 1000);
    expect_close(b, 1000, "", "closed");
    CHECK_INT(0, publish("room", PL_STR("4")), "nobody listens");
    send_text(a, "again");
    publish("room", PL_STR("5"));
    expect_text(a, "5", "is back");
}

/* More sockets than a turn serves: this is one turn later. */
enum { MANY = 1200 };
static int fars[MANY];

static void publish_to_many(void)
{
    struct pl_datum value = {.type = PL_DATUM_STRING, {.bytes = PL_STR("x")}};
    struct pl_dict_user user;

    for (int i = 0; i < MANY; i++)
        fars[i] = open_ws("/room");
    user = pl_member_user(&member);
    CHECK_INT(1, pl_bus_publish(share, &user, 0, PL_STR("room"), &value),
              "publish");
    turn(1);
}

/* Some of them leave meanwhile. */
static void test_ws_topics__reach_many(void **state)
{
    (void)state;
    publish_to_many();
    CHECK_STR("", pl_script_received(script, fars[MANY - 1]), "not yet");
    for (int i = 0; i < MANY; i += 3)
        pl_script_close(script, fars[i]);
    settle();
    for (int i = 0; i < MANY; i++)
        if (i % 3 != 0)
            expect_text(fars[i], "x", "all");
    publish("room", PL_STR("y"));
    for (int i = 0; i < MANY; i++)
        if (i % 3 != 0)
            expect_text(fars[i], "y", "all, again");
}

static void test_ws_topics__go_while_they_send(void **state)
{
    (void)state;
    publish_to_many();
    for (int i = 0; i < MANY; i++)
        pl_script_close(script, fars[i]);
    settle();
    CHECK_INT(0, http.ws_topics.count, "gone");
}

/* One with a small window, which reads nothing from now on. */
static int open_slow(const char *line)
{
    int far = connect_far();

    request(far, line);
    expect_status(far, 101, line);
    pl_script_window(script, far, 1000);
    return far;
}

static void test_ws_topics__are_bounded_for_the_slow(void **state)
{
    static char text[20000];
    int slow = open_slow("GET /room HTTP/1.1\r\n" UPGRADE "\r\n");
    int drop = open_slow("GET /room?drop HTTP/1.1\r\n" UPGRADE "\r\n");
    int fast = open_ws("/room");
    size_t before = pl_loop_pool(loop)->account.used, grown;

    (void)state;
    for (int i = 0; i < 50; i++) {
        memset(text, 'a' + i % 26, sizeof(text));
        publish("room", pl_str(text, sizeof(text)));
        expect_frame(fast, 0x81, pl_str(text, sizeof(text)), "fast");
    }
    grown = pl_loop_pool(loop)->account.used - before;
    CHECK(grown < 600000, "what waits is there once");
    for (int i = 0; i < 400; i++) {
        pl_script_take(script, drop, pl_script_received(script, drop).len);
        settle();
    }
    publish("room", PL_STR("now"));
    expect_text(drop, "now", "listens again");
    CHECK(pl_script_received(script, slow).len > 0, "has something to read");
    for (int i = 0; i < 400; i++) {
        struct pl_str got = pl_script_received(script, slow);

        if (pl_str_ends(got, PL_STR("\x88\x0a\x03\xf5too slow")))
            return;
        pl_script_take(script, slow, got.len);
        settle();
    }
    fail_msg("the slow one is closed with 1013");
}

/* ---- packed ---- */

static void test_ws_topics__are_packed_once(void **state)
{
    static char text[5000];
    int a, b, plain = open_ws("/room");
    struct pl_str one, two;

    (void)state;
    memset(text, 'x', sizeof(text));
    room.settings.compress = PL_WS_PACKED;
    a = connect_far();
    b = connect_far();
    for (int i = 0; i < 2; i++) {
        request(i == 0 ? a : b,
                "GET /room HTTP/1.1\r\n" UPGRADE
                "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        expect_status(i == 0 ? a : b, 101, "packs");
    }
    publish("room", pl_str(text, sizeof(text)));
    one = pl_script_received(script, a);
    two = pl_script_received(script, b);
    CHECK(one.len > 2 && one.len < 100, "packed");
    CHECK_INT(0xc1, (uint8_t)one.data[0], "RSV1");
    CHECK(pl_str_eq(one, two), "the same");
    expect_frame(plain, 0x81, pl_str(text, sizeof(text)), "not packed");
    CHECK_INT(2, http.ws_packing, "share a packer");
    pl_script_close(script, a);
    pl_script_close(script, b);
    settle();
    CHECK(http.ws_packer == NULL, "which goes with the last");
}

/* ---- without memory ----
 *
 * The scripted kernel needs memory itself: so these sockets lie over a
 * transport that takes everything. */

static bool finished_link;

static int take_all(void *link, const struct iovec *pieces, int n)
{
    (void)link, (void)pieces, (void)n;
    return 0;
}

static int take_ref(void *link, struct pl_str bytes, void (*release)(void *arg),
                    void *arg)
{
    (void)link, (void)bytes;
    release(arg);
    return 0;
}

static bool is_free(void *link)
{
    (void)link;
    return false;
}

static void ignore(void *link)
{
    (void)link;
}

static void ignore_deadline(void *link, uint32_t ms)
{
    (void)link, (void)ms;
}

static void finish_link(void *link)
{
    (void)link;
    finished_link = true;
}

static void close_link(void *link, int why)
{
    (void)why;
    finish_link(link);
}

static bool no_peer(void *link, struct pl_addr *addr)
{
    (void)link, (void)addr;
    return false;
}

static const struct pl_ws_transport transport = {
    .write = take_all,
    .write_ref = take_ref,
    .congested = is_free,
    .pause = ignore,
    .resume = ignore,
    .pass = ignore,
    .deadline = ignore_deadline,
    .finish = finish_link,
    .close = close_link,
    .peer = no_peer,
};

static void echo_all(struct pl_ws *ws)
{
    struct pl_ws_message message;

    while (pl_ws_take(ws, &message) == 1)
        (void)pl_ws_write(ws, message.kind, message.data);
}

static const struct pl_ws_reader echoes = {.ready = echo_all};

/* A masked frame, by a mask of zeros. */
static void input(struct pl_ws *ws, unsigned first, struct pl_str data)
{
    static char frame[sizeof(zeros) + PL_WS_HEAD_MAX];
    size_t head = pl_ws_frame_write(frame, (enum pl_ws_opcode)(first & 15),
                                    false, data.len);

    frame[0] = (char)first;
    frame[1] = (char)(frame[1] | 0x80);
    memset(frame + head, 0, 4);
    if (data.len > 0)
        memcpy(frame + head + 4, data.data, data.len);
    if (!finished_link)
        pl_ws_input(ws, pl_str(frame, head + 4 + data.len));
}

/* A socket comes, listens, answers and is closed; whatever needs memory may not
 * get it. own: has a packer of its own. */
static void scene(bool own)
{
    static const struct pl_ws_deflate_params params = {false, false, 12, 12};
    static const struct pl_ws_settings sizes = {.max_message = 1 << 20,
                                                .compress_min = 1};
    struct pl_ws *ws = pl_ws_new(&http, &transport, &http, &sizes);
    struct pl_ws_packer *packer = NULL;

    if (ws == NULL)
        return;
    finished_link = false;
    if (own)
        packer = pl_ws_packer_new(&params);
    if (!own || packer != NULL)
        (void)pl_ws_set_packer(ws, packer);
    ws->reader = &echoes;
    (void)pl_ws_listen(ws, &member, PL_STR("room"), false);
    publish("room", pl_str(zeros, 600));
    input(ws, 0x81, PL_STR("hello"));
    input(ws, 0x82, pl_str(zeros, sizeof(zeros)));
    input(ws, 0xc1, PL_STR("\xf2\x48\xcd\xc9\xc9\x07\x00")); /* Hello */
    input(ws, 0x88,
          PL_STR("\x03\xe8"
                 "done"));
    settle();
    pl_ws_eof(ws);
    pl_ws_gone(ws, 0);
    pl_ws_release(ws, PL_WS_NORMAL);
    settle();
}

static void test_ws_topics__survive_without_memory(void **state)
{
    (void)state;
    for (int own = 0; own < 2; own++) {
        size_t before;

        scene(own); /* what stays is there */
        before = pl_loop_pool(loop)->account.used;
        FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
            pl_pool_trim(pl_loop_pool(loop));
            scene(own);
            CHECK_INT(0, http.ws_topics.count, "no topic is left");
            CHECK(http.ws_packer == NULL, "no packer is left");
            CHECK_INT(before, pl_loop_pool(loop)->account.used, "no memory");
        }
    }
}

#define TOPIC_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, make_topics, end_topics)

RUN_TESTS(TOPIC_TEST(test_ws_topics__reach_who_listens),
          TOPIC_TEST(test_ws_topics__are_left),
          TOPIC_TEST(test_ws_topics__reach_many),
          TOPIC_TEST(test_ws_topics__go_while_they_send),
          TOPIC_TEST(test_ws_topics__are_bounded_for_the_slow),
          TOPIC_TEST(test_ws_topics__are_packed_once),
          TOPIC_TEST(test_ws_topics__survive_without_memory))
