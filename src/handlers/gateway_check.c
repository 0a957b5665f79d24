/* gateway_check.c - asking the servers of a gateway whether they are well: one
 * GET each, on a connection of its own, with a time limit for all of it. */
#include "handlers/gateway_priv.h"

#include <stdio.h>

#include "base/str.h"

struct check {
    struct pl_fetch fetch;
    struct pl_fetch_options options;
    struct pl_gateway *gateway;
    struct pl_timer timer;
    unsigned which;
};

static struct pl_origin *origin_of(const struct check *check)
{
    return check->gateway->upstream.servers[check->which].origin;
}

/* why NULL: it is well. */
static void end(struct check *check, const char *why)
{
    struct pl_gateway *gateway = check->gateway;
    struct pl_clients *clients = check->fetch.clients;

    pl_timer_stop(pl_loop_wheel(clients->sockets->net->loop), &check->timer);
    pl_fetch_end(&check->fetch);
    pl_origin_set_checked(origin_of(check), why, gateway->check.rises,
                          gateway->check.falls);
    gateway->checking &= ~(UINT64_C(1) << check->which);
    pl_pool_put(clients->pool, check, sizeof(*check));
    pl_gateway_drop(gateway);
}

static void on_ready(struct pl_fetch *fetch)
{
    struct check *check = PL_CONTAINER_OF(fetch, struct check, fetch);
    const struct pl_gateway *gateway = check->gateway;
    struct pl_str host = gateway->check.host;
    char *room;
    size_t size;
    int len;

    if (host.data == NULL)
        host = gateway->host == PL_HOST_SAID ? gateway->host_text
                                             : origin_of(check)->host;
    size = gateway->check.path.len + host.len + 100;
    room = pl_fetch_reserve(fetch, size);
    if (room == NULL) /* its limit comes */
        return;
    len = snprintf(room, size,
                   "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n"
                   "User-Agent: perilune\r\nConnection: close\r\n\r\n",
                   PL_STR_ARG(gateway->check.path), PL_STR_ARG(host));
    pl_fetch_commit(fetch, (size_t)len);
    pl_fetch_sent(fetch);
}

static void on_head(struct pl_fetch *fetch)
{
    struct check *check = PL_CONTAINER_OF(fetch, struct check, fetch);
    const struct pl_gateway_check *rules = &check->gateway->check;
    unsigned status = fetch->parser->status;
    char why[40];

    if (status < 200)
        return;
    snprintf(why, sizeof(why), "its check was answered with %u", status);
    end(check, status >= rules->status_from && status <= rules->status_to
                   ? NULL
                   : why);
}

static void on_data(struct pl_fetch *fetch, struct pl_str bytes)
{
    (void)fetch;
    (void)bytes;
}

static void nothing(struct pl_fetch *fetch)
{
    (void)fetch;
}

static void on_failed(struct pl_fetch *fetch, int err, const char *why)
{
    char text[256];

    (void)err;
    snprintf(text, sizeof(text), "%s", why);
    end(PL_CONTAINER_OF(fetch, struct check, fetch), text);
}

static const struct pl_fetch_ops check_ops = {
    .ready = on_ready,
    .head = on_head,
    .data = on_data,
    .done = nothing,
    .room = nothing,
    .failed = on_failed,
};

static void on_late(struct pl_timer *timer)
{
    end(PL_CONTAINER_OF(timer, struct check, timer),
        "its check was not answered in time");
}

static void begin(struct pl_gateway *gateway, struct pl_clients *clients,
                  unsigned which)
{
    struct pl_loop *loop = clients->sockets->net->loop;
    struct check *check = pl_pool_get_zeroed(clients->pool, sizeof(*check));

    if (check == NULL)
        return;
    check->gateway = gateway;
    check->which = which;
    check->options = gateway->fetch;
    check->options.keep = 0;
    check->options.connect_ms = gateway->check.timeout_ms;
    pl_timer_init(&check->timer, on_late);
    if (pl_fetch_begin(&check->fetch, clients,
                       gateway->upstream.servers[which].origin, true,
                       &check_ops, &check->options) < 0) {
        pl_pool_put(clients->pool, check, sizeof(*check));
        return;
    }
    gateway->refs++;
    gateway->checking |= UINT64_C(1) << which;
    pl_timer_start(pl_loop_wheel(loop), &check->timer,
                   pl_now(loop) +
                       gateway->check.timeout_ms * UINT64_C(1000000));
}

void pl_gateway_check(struct pl_handler *handler)
{
    struct pl_gateway *gateway =
        PL_CONTAINER_OF(handler, struct pl_gateway, handler);
    struct pl_clients *clients = pl_clients_get();

    if (clients == NULL)
        return;
    for (unsigned i = 0; i < gateway->upstream.n; i++)
        if (!(gateway->checking >> i & 1))
            begin(gateway, clients, i);
}

uint32_t pl_gateway_check_ms(const struct pl_handler *handler)
{
    return PL_CONTAINER_OF(handler, struct pl_gateway, handler)
        ->check.interval_ms;
}
