/* fuzz_ws.c - any bytes as what a client says on a WebSocket that echoes: whole
 * and in pieces the server must say the same, in frames that are well-formed,
 * and close at the same byte. The first byte says how to cut, and whether
 * messages may be packed. */
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http.h"
#include "http/ws.h"
#include "loop/scripted.h"
#include "task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pl_loop *loop;
static struct pl_sched sched;
static struct pl_net net;
static struct pl_http http;

/* ---- a transport that keeps what is said ---- */

struct link {
    struct pl_buf out;
    size_t fed; /* bytes when it was finished */
    bool finished;
};

static int link_write(void *arg, const struct iovec *pieces, int n)
{
    struct link *link = arg;

    for (int i = 0; i < n; i++)
        pl_buf_add(&link->out, pl_str(pieces[i].iov_base, pieces[i].iov_len));
    return 0;
}

static int link_write_ref(void *arg, struct pl_str bytes,
                          void (*release)(void *arg), void *release_arg)
{
    struct link *link = arg;

    pl_buf_add(&link->out, bytes);
    release(release_arg);
    return 0;
}

static bool link_congested(void *arg)
{
    (void)arg;
    return false;
}

static void link_ignore(void *arg)
{
    (void)arg;
}

static void link_deadline(void *arg, uint32_t ms)
{
    (void)arg, (void)ms;
}

static void link_finish(void *arg)
{
    ((struct link *)arg)->finished = true;
}

static void link_close(void *arg, int why)
{
    (void)why;
    link_finish(arg);
}

static bool link_peer(void *arg, struct pl_addr *addr)
{
    (void)arg, (void)addr;
    return false;
}

static const struct pl_ws_transport transport = {
    .write = link_write,
    .write_ref = link_write_ref,
    .congested = link_congested,
    .pause = link_ignore,
    .resume = link_ignore,
    .deadline = link_deadline,
    .finish = link_finish,
    .close = link_close,
    .peer = link_peer,
};

/* ---- what echoes ---- */

static void on_ready(struct pl_ws *ws)
{
    struct pl_ws_message message;

    while (pl_ws_take(ws, &message) == 1) {
        PL_ASSERT(message.kind != PL_WS_TEXT || pl_utf8_valid(message.data));
        PL_ASSERT(message.data.len <= ws->settings->max_message);
        (void)pl_ws_write(ws, message.kind, message.data);
    }
}

static const struct pl_ws_reader reader = {.ready = on_ready};

/* Shows input as a connection does: first bytes at once, then step by step; and
 * what was not used again with what follows. */
static struct link outcome(struct pl_str input, size_t first, size_t step,
                           bool packs)
{
    static const struct pl_ws_settings settings = {.max_message = 5000,
                                                   .compress_min = 8};
    struct link link = {.fed = 0};
    struct pl_ws *ws;
    size_t used = 0, shown = PL_MIN(first, input.len);

    pl_buf_init(&link.out, net.pool, NULL, 0);
    ws = pl_ws_new(&http, &transport, &link, &settings);
    PL_ASSERT(ws != NULL);
    if (packs)
        PL_ASSERT(pl_ws_set_packer(ws, NULL) == 0);
    ws->reader = &reader;
    for (;;) {
        size_t n = pl_ws_input(ws, pl_str(input.data + used, shown - used));

        PL_ASSERT(n <= shown - used);
        used += n;
        if (link.finished || shown == input.len)
            break;
        shown = PL_MIN(shown + step, input.len);
    }
    pl_ws_eof(ws);
    pl_ws_gone(ws, 0);
    pl_ws_release(ws, PL_WS_NORMAL);
    return link;
}

/* ---- looking ---- */

static uint64_t length_of(const uint8_t *at, unsigned n)
{
    uint64_t len = 0;

    for (unsigned i = 0; i < n; i++)
        len = len << 8 | at[i];
    return len;
}

static void check_close(struct pl_str data)
{
    if (data.len == 0)
        return;
    PL_ASSERT(data.len >= 2);
    PL_ASSERT(
        pl_ws_code_valid((unsigned)length_of((const uint8_t *)data.data, 2)));
}

/* Takes one frame off; returns its opcode. */
static unsigned check_frame(struct pl_str *out, bool packs)
{
    const uint8_t *at = (const uint8_t *)out->data;
    unsigned more, opcode = at[0] & 15;
    uint64_t len;

    PL_ASSERT(out->len >= 2 && (at[0] & 0xb0) == 0x80 && at[1] < 128);
    PL_ASSERT(!(at[0] & 0x40) || (packs && opcode < 3));
    PL_ASSERT(opcode == 1 || opcode == 2 || (opcode >= 8 && opcode <= 10));
    more = at[1] == 127 ? 8 : at[1] == 126 ? 2 : 0;
    PL_ASSERT(out->len >= 2 + more);
    len = more == 0 ? at[1] : length_of(at + 2, more);
    *out = pl_str_skip(*out, 2 + more);
    PL_ASSERT(len <= out->len);
    if (opcode == PL_WS_OP_CLOSE)
        check_close(pl_str_first(*out, (size_t)len));
    *out = pl_str_skip(*out, (size_t)len);
    return opcode;
}

static void check_frames(struct pl_str out, bool packs)
{
    while (out.len > 0)
        PL_ASSERT(check_frame(&out, packs) != PL_WS_OP_CLOSE || out.len == 0);
}

static void compare(const struct link *want, struct link got)
{
    PL_ASSERT(want->out.len == got.out.len &&
              (got.out.len == 0 ||
               memcmp(want->out.data, got.out.data, got.out.len) == 0));
    pl_buf_fini(&got.out);
}

static uint64_t stopped(void *arg)
{
    (void)arg;
    return 1000000000;
}

static void make_world(void)
{
    static const struct pl_loop_options options = {.backend = &pl_scripted,
                                                   .clock = stopped};

    pl_log_level = PL_LOG_ERROR;
    PL_ASSERT(pl_loop_new(&options, &loop) == 0);
    PL_ASSERT(pl_sched_init(&sched, loop, NULL) == 0);
    PL_ASSERT(pl_net_init(&net, loop, NULL) == 0);
    pl_http_init(&http, &net, &sched, &pl_http_default_settings, NULL, NULL);
}

static void end_world(void)
{
    PL_ASSERT(http.ws_packer == NULL);
    pl_net_fini(&net);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str input;
    struct link whole;
    bool packs;

    if (size == 0)
        return 0;
    make_world();
    input = pl_str((const char *)data + 1, size - 1);
    packs = (data[0] & 1) != 0;
    whole = outcome(input, input.len, 1, packs);
    check_frames(pl_buf_str(&whole.out), packs);
    compare(&whole, outcome(input, data[0], input.len + 1, packs));
    compare(&whole, outcome(input, 0, data[0] / 2 + 1u, packs));
    compare(&whole, outcome(input, 0, 1, packs));
    pl_buf_fini(&whole.out);
    end_world();
    return 0;
}
