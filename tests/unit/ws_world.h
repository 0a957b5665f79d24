/* ws_world.h - WebSockets of handlers in C, and a client for them. */
#ifndef PL_TESTS_WS_WORLD_H
#define PL_TESTS_WS_WORLD_H

#include "http_world.h"

#include "http/ws_callbacks.h"
#include "http/ws_handshake.h"

/* ---- the client ---- */

/* A masked frame: first is its first byte. */
PL_UNUSED static void send_frame(int far, unsigned first, struct pl_str data)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    static char frame[2 << 20];
    size_t head = pl_ws_frame_write(frame, (enum pl_ws_opcode)(first & 15),
                                    false, data.len);

    frame[0] = (char)first;
    frame[1] = (char)(frame[1] | 0x80);
    memcpy(frame + head, key, 4);
    pl_ws_mask(frame + head + 4, data.data, data.len, key, 0);
    pl_script_send(script, far, pl_str(frame, head + 4 + data.len));
    settle();
}

PL_UNUSED static void send_text(int far, const char *text)
{
    send_frame(far, 0x81, pl_str_c(text));
}

/* The next frame that has come is this one. */
PL_UNUSED static void expect_frame(int far, unsigned first, struct pl_str want,
                                   const char *what)
{
    struct pl_str got = pl_script_received(script, far), data;
    size_t head, len;

    if (got.len < 2)
        fail_msg("%s: no frame, only %zu bytes", what, got.len);
    CHECK_INT(first, (uint8_t)got.data[0], what);
    len = (uint8_t)got.data[1];
    head = len < 126 ? 2 : len == 126 ? 4 : 10;
    if (head > 2)
        for (size_t i = 2, n = len = 0; n < head - 2; i++, n++)
            len = len << 8 | (uint8_t)got.data[i];
    CHECK(got.len >= head + len, what);
    data = pl_str(got.data + head, len);
    if (!pl_str_eq(data, want))
        fail_msg("%s: want \"%.*s\", got \"%.*s\"", what, PL_STR_ARG(want),
                 PL_STR_ARG(data));
    pl_script_take(script, far, head + len);
}

PL_UNUSED static void expect_text(int far, const char *text, const char *what)
{
    expect_frame(far, 0x81, pl_str_c(text), what);
}

PL_UNUSED static void expect_close(int far, unsigned code, const char *reason,
                                   const char *what)
{
    char data[125] = {(char)(code >> 8), (char)code};

    memcpy(data + 2, reason, strlen(reason));
    expect_frame(far, 0x88, pl_str(data, 2 + strlen(reason)), what);
}

PL_UNUSED static void send_close(int far, unsigned code)
{
    char data[2] = {(char)(code >> 8), (char)code};

    send_frame(far, 0x88, pl_str(data, 2));
}

#define UPGRADE                                                                \
    "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                 \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* A socket of that path, open. */
PL_UNUSED static int open_ws(const char *path)
{
    int far = connect_far();
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" UPGRADE "\r\n", path);
    request(far, text);
    next_answer(far);
    CHECK_INT(101, answer.status, path);
    return far;
}

/* ---- handlers ---- */

static int echo(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_ws_message message;
    struct pl_ws *ws;
    int err = pl_ws_accept(req, arg, &ws);

    (void)res;
    while (err == 0 && (err = pl_ws_receive(ws, &message)) == 0)
        err = pl_ws_send(ws, message.kind, message.data);
    note(err == PL_ERR_CLOSED ? 'c' : 'e');
    return err;
}

static unsigned closed_by; /* the code that the last socket was closed with */
static char closed_text[128];
static int fail_at; /* the number of the message whose callback fails */
static int messages;

static int on_open(struct pl_ws *ws, struct pl_request *req, void *arg)
{
    (void)arg;
    note('o');
    pl_ws_set_state(ws, (void *)(uintptr_t)req->path.len);
    return 0;
}

static int on_message(struct pl_ws *ws, const struct pl_ws_message *message,
                      void *arg)
{
    (void)arg;
    note('m');
    if (++messages == fail_at)
        return PL_ERR_INVALID;
    if (pl_str_eq(message->data, PL_STR("sleep")))
        pl_sleep(NULL, 1000);
    if (pl_str_eq(message->data, PL_STR("close")))
        return pl_ws_close(ws, 4000, PL_STR("bye"));
    return pl_ws_send(ws, message->kind, message->data);
}

static void on_close(struct pl_ws *ws, unsigned code, struct pl_str reason,
                     void *arg)
{
    (void)arg;
    note('c');
    CHECK(pl_ws_state(ws) != NULL, "the state is there");
    closed_by = code;
    snprintf(closed_text, sizeof(closed_text), "%.*s", PL_STR_ARG(reason));
}

static struct pl_ws_route by_callbacks = {
    .callbacks = {.open = on_open, .message = on_message, .close = on_close}};

static void add_handler(const char *pattern, pl_handler_fn *fn, void *arg)
{
    struct pl_route route = {
        .pattern = pattern,
        .methods = PL_METHOD_BIT(PL_METHOD_GET),
        .expires = -1,
        .chain = pl_chain_new(NULL, 0, pl_fiber_handler_new(fn, arg, NULL))};

    CHECK_INT(0, pl_router_add(router, &route, NULL), pattern);
}

static struct pl_ws_options options = {.size = sizeof(options)};

PL_UNUSED static int make_ws(void **state)
{
    make_http(state);
    options = (struct pl_ws_options){.size = sizeof(options)};
    pl_ws_settings_read(&by_callbacks.settings, NULL);
    add_handler("/echo", echo, NULL);
    add_handler("/with", echo, &options);
    add_handler("/callbacks", pl_ws_serve, &by_callbacks);
    closed_by = 0;
    closed_text[0] = '\0';
    fail_at = messages = 0;
    return 0;
}

MAKE_IN_PIECES(make_ws)
#define WS_TEST(name) BOTH_WAYS(name, make_ws, end_http)

#endif
