/* fetch_world.h - an exchange with a kept connection on the scripted backend,
 * which notes what its caller is told. */
#ifndef TEST_FETCH_WORLD_H
#define TEST_FETCH_WORLD_H

#include "net_world.h"

#include "client/link.h"
#include "socket/socket.h"

static struct pl_sockets sockets;
static struct pl_clients *clients;
static struct pl_origin *origin;
static struct pl_fetch fetch;
static struct pl_link *connection;
static int far;
static char told[512];
static bool ends; /* when it is done */
static size_t pause_at;

static void tell(const char *word, int number)
{
    size_t len = strlen(told);

    snprintf(told + len, sizeof(told) - len, "%s%.0d", word, number);
}

static void on_ready(struct pl_fetch *it)
{
    (void)it;
    tell("ready ", 0);
}

static void on_head(struct pl_fetch *it)
{
    tell("", it->parser->status);
    tell(" ", 0);
    if (it->parser->status == 101)
        pl_fetch_raw(it);
}

/* Pieces are joined: how they come is not told. */
static void on_data(struct pl_fetch *it, struct pl_str bytes)
{
    size_t len = strlen(told);

    memcpy(told + len, bytes.data, bytes.len);
    told[len + bytes.len] = '\0';
    if (pause_at > 0 && strlen(told) >= pause_at)
        pl_fetch_pause(it);
}

static void on_done(struct pl_fetch *it)
{
    tell(" done", 0);
    if (ends)
        pl_fetch_end(it);
}

static void on_room(struct pl_fetch *it)
{
    (void)it;
    tell("room ", 0);
}

static void on_failed(struct pl_fetch *it, int err, const char *why)
{
    (void)it;
    (void)why;
    tell(" failed", err);
}

static void on_errors(struct pl_fetch *it, struct pl_str bytes)
{
    size_t len = strlen(told);

    (void)it;
    snprintf(told + len, sizeof(told) - len, "(%.*s)", PL_STR_ARG(bytes));
}

static const struct pl_fetch_ops ops = {
    .ready = on_ready,
    .head = on_head,
    .data = on_data,
    .done = on_done,
    .errors = on_errors,
    .room = on_room,
    .failed = on_failed,
};
static const struct pl_fetch_options options = {
    .connect_ms = 1000,
    .keep = 2,
    .keep_ms = 1000,
    .limits = {8192, 8192, 100},
};

/* A connection that was opened, and is idle. */
static void open_link(void)
{
    struct pl_stock *stock = pl_stock_of(clients, origin);
    struct pl_socket *socket = pl_socket_new(&sockets);
    int fd = pl_script_pair(script, &far);
    struct pl_fetch first = {.ops = &ops,
                             .options = &options,
                             .clients = clients,
                             .complete = true,
                             .sent = true};

    CHECK_INT(0, pl_conn_dialed(&net, fd, &pl_socket_protocol, socket), "conn");
    connection = pl_link_new(stock, pl_socket_detach(socket));
    CHECK(connection != NULL, "link");
    pl_link_attach(connection, &first);
    connection->state = PL_LINK_OVER; /* of that first exchange */
    connection->keep = true;
    pl_link_release(connection);
}

static void begin_fetch(void)
{
    told[0] = '\0';
    CHECK_INT(1, pl_fetch_begin(&fetch, clients, origin, false, &ops, &options),
              "a kept connection");
}

static int make_fetch(void **state, const struct pl_origin_spec *spec)
{
    struct pl_str path;

    make_net(state);
    pl_sockets_init(&sockets, &net, &sched, NULL);
    clients = pl_clients_get();
    CHECK_INT(0, pl_origin_get(spec, &origin, &path, NULL), "origin");
    ends = true;
    pause_at = 0;
    open_link();
    return 0;
}

static int end_fetch(void **state)
{
    pl_fetch_end(&fetch);
    pl_sockets_fini(&sockets);
    return end_net(state);
}

static unsigned idle(void)
{
    return pl_stock_of(clients, origin)->nidle;
}

/* Sends answer, cut in pieces of chop bytes (0: in one), and lets it be read.
 * finishes: the other side closes behind it. */
PL_UNUSED static void answer_with(struct pl_str answer, size_t chop,
                                  bool finishes)
{
    pl_script_chop(script, chop);
    pl_script_send(script, far, answer);
    if (finishes)
        pl_script_finish(script, far);
    turn(400);
    pl_script_chop(script, 0);
}

#endif
