/* fuzz_records.c - any bytes as what a FastCGI program answers: an exchange on
 * a scripted loop is told the same however they are cut, keeps its connection
 * only after a whole answer, and gives all memory back. The first byte says how
 * to cut, and what was asked. */
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "client/link.h"
#include "client/records.h"
#include "loop/scripted.h"
#include "net/conn_priv.h"
#include "socket/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the caller of the exchange was told. */
struct outcome {
    int status, err;
    unsigned nfields, heads, dones;
    int64_t length;
    bool kept;
    size_t len, errors;
    char body[8192];
};

static struct {
    uint64_t now;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_sockets sockets;
    struct pl_script *script;
    struct outcome *out;
    int far;
} world;

static void on_nothing(struct pl_fetch *fetch)
{
    (void)fetch;
}

static void on_head(struct pl_fetch *fetch)
{
    world.out->heads++;
    world.out->status = fetch->parser->status;
    world.out->nfields = fetch->parser->nfields;
    world.out->length = fetch->length;
    PL_ASSERT(world.out->status >= 200 && world.out->status <= 599);
    for (unsigned i = 0; i < fetch->parser->nfields; i++) {
        const struct pl_h1_field *field = &fetch->parser->fields[i];

        PL_ASSERT(field->value + (size_t)field->value_len <= fetch->head.len);
        PL_ASSERT(pl_header_name_valid(
            pl_str(fetch->head.data + field->name, field->name_len)));
        PL_ASSERT(pl_header_value_valid(
            pl_str(fetch->head.data + field->value, field->value_len)));
    }
}

static void on_data(struct pl_fetch *fetch, struct pl_str bytes)
{
    struct outcome *out = world.out;

    PL_ASSERT(out->heads == 1 && bytes.len > 0);
    PL_ASSERT(out->len + bytes.len <= sizeof(out->body));
    PL_ASSERT(fetch->length < 0 ||
              out->len + bytes.len <= (size_t)fetch->length);
    memcpy(out->body + out->len, bytes.data, bytes.len);
    out->len += bytes.len;
}

static void on_errors(struct pl_fetch *fetch, struct pl_str bytes)
{
    (void)fetch;
    world.out->errors += bytes.len;
}

static void on_done(struct pl_fetch *fetch)
{
    PL_ASSERT(world.out->heads == 1);
    world.out->dones++;
    pl_fetch_end(fetch);
}

static void on_failed(struct pl_fetch *fetch, int err, const char *why)
{
    (void)fetch;
    PL_ASSERT(err < 0 && why != NULL);
    world.out->err = err;
}

static const struct pl_fetch_ops ops = {
    .ready = on_nothing,
    .head = on_head,
    .data = on_data,
    .errors = on_errors,
    .done = on_done,
    .room = on_nothing,
    .failed = on_failed,
};
static const struct pl_fetch_options options = {
    .connect_ms = 1000,
    .keep = 2,
    .keep_ms = 1000,
    .limits = {8192, 512, 8},
};

static void turns(size_t n)
{
    while (n-- > 0)
        PL_ASSERT(pl_loop_step(world.loop, 0) >= 0);
}

static struct pl_stock *make_world(void)
{
    const struct pl_origin_spec spec = {.url = PL_STR("127.0.0.1:1"),
                                        .fastcgi = true};
    struct pl_loop_options loop = {.backend = &pl_scripted,
                                   .clock = pl_fake_clock,
                                   .clock_arg = &world.now};
    struct pl_origin *origin;
    struct pl_str path;

    pl_log_level = PL_LOG_LEVELS;
    world.now = 1000000000;
    PL_ASSERT(pl_loop_new(&loop, &world.loop) == 0);
    PL_ASSERT(pl_sched_init(&world.sched, world.loop, NULL) == 0);
    PL_ASSERT(pl_net_init(&world.net, world.loop, NULL) == 0);
    pl_sockets_init(&world.sockets, &world.net, &world.sched, NULL);
    world.script = pl_script_of(world.loop);
    PL_ASSERT(pl_origin_get(&spec, &origin, &path, NULL) == 0);
    return pl_stock_of(pl_clients_get(), origin);
}

static void end_world(void)
{
    pl_sockets_fini(&world.sockets);
    turns(8);
    PL_ASSERT(world.net.stats.open == 0);
    pl_net_fini(&world.net);
    pl_sched_fini(&world.sched);
    pl_loop_free(world.loop); /* asserts that all memory was given back */
}

/* An exchange that has its connection. */
static void begin(struct pl_fetch *fetch, struct pl_stock *stock, bool bodyless)
{
    struct pl_socket *socket = pl_socket_new(&world.sockets);
    int fd = pl_script_pair(world.script, &world.far);
    struct pl_link *link;

    PL_ASSERT(socket != NULL &&
              pl_conn_dialed(&world.net, fd, &pl_socket_protocol, socket) == 0);
    link = pl_link_new(stock, pl_socket_detach(socket));
    PL_ASSERT(link != NULL);
    *fetch = (struct pl_fetch){.ops = &ops,
                               .options = &options,
                               .clients = stock->clients,
                               .stock = stock,
                               .length = -1,
                               .bodyless = bodyless};
    pl_stock_enter(stock);
    pl_link_attach(link, fetch);
    PL_ASSERT(pl_fetch_begin_records(fetch, PL_STR("\1\1ab")) == 0);
    PL_ASSERT(pl_fetch_end_input(fetch) == 0);
    pl_fetch_sent(fetch);
    turns(2);
}

static void run(struct outcome *out, struct pl_str input, size_t step,
                bool bodyless)
{
    struct pl_stock *stock = make_world();
    struct pl_fetch fetch;

    memset(out, 0, sizeof(*out));
    world.out = out;
    begin(&fetch, stock, bodyless);
    while (input.len > 0) {
        pl_script_send(world.script, world.far, pl_str_first(input, step));
        input = pl_str_skip(input, step);
        turns(2);
    }
    out->kept = stock->nidle > 0;
    PL_ASSERT(!out->kept || out->dones == 1);
    PL_ASSERT(out->dones + (out->err < 0) <= 1);
    if (!pl_script_closed(world.script, world.far))
        pl_script_finish(world.script, world.far);
    turns(4);
    PL_ASSERT(out->dones + (out->err < 0) == 1);
    PL_ASSERT(stock->active == 0 && stock->nidle == 0);
    end_world();
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    PL_ASSERT(a->status == b->status && a->err == b->err);
    PL_ASSERT(a->nfields == b->nfields && a->heads == b->heads);
    PL_ASSERT(a->dones == b->dones && a->length == b->length);
    PL_ASSERT(a->errors == b->errors && a->len == b->len);
    PL_ASSERT(memcmp(a->body, b->body, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, pieces;
    struct pl_str input;
    bool bodyless;

    if (size < 2 || size > sizeof(whole.body))
        return 0;
    bodyless = data[0] & 1;
    input = pl_str((const char *)data + 1, size - 1);
    run(&whole, input, input.len, bodyless);
    run(&pieces, input, data[0] / 2 + 1u, bodyless);
    compare(&whole, &pieces);
    return 0;
}
