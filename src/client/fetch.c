#include "client/fetch.h"

#include "base/check.h"
#include "base/error.h"
#include "client/link.h"
#include "socket/connect.h"

/* On its way to a connection. Its memory stays until the operation is over,
 * which may be after the fetch has given up. */
struct pl_connecting {
    struct pl_connect_op op;
    struct pl_fetch *fetch; /* NULL: has given up */
    struct pl_stock *stock;
};

/* ---- the end ---- */

/* The exchange takes no place any more. */
static void leave(struct pl_fetch *fetch)
{
    struct pl_stock *stock = fetch->stock;

    fetch->stock = NULL;
    if (stock != NULL)
        pl_stock_leave(stock);
}

void pl_fetch_lost(struct pl_fetch *fetch, int err, const char *why)
{
    fetch->link = NULL;
    leave(fetch);
    fetch->ops->failed(fetch, err, why);
}

void pl_fetch_end(struct pl_fetch *fetch)
{
    struct pl_connecting *connecting = fetch->connecting;

    if (fetch->link != NULL)
        pl_link_release(fetch->link);
    fetch->connecting = NULL;
    if (connecting != NULL) {
        connecting->fetch = NULL;
        pl_op_cancel(&connecting->op.op);
    }
    leave(fetch);
}

/* ---- the beginning ---- */

static void drop_connecting(struct pl_connecting *connecting)
{
    if (connecting->op.socket != NULL)
        pl_socket_close(connecting->op.socket);
    pl_pool_put(connecting->stock->clients->pool, connecting,
                sizeof(*connecting));
}

/* The link of a socket that was opened; NULL: there is none after all. */
static struct pl_link *make_link(struct pl_connecting *connecting)
{
    struct pl_socket *socket = connecting->op.socket;
    struct pl_stock *stock = connecting->stock;
    struct pl_conn *conn;
    struct pl_link *link;

    if (socket == NULL)
        return NULL;
    if (stock->origin->target.port != 0)
        (void)pl_socket_nodelay(socket, true);
    conn = pl_socket_detach(socket);
    connecting->op.socket = NULL;
    if (conn == NULL)
        return NULL;
    link = pl_link_new(stock, conn);
    if (link == NULL)
        pl_conn_close(conn, PL_ERR_NOMEM);
    return link;
}

static void on_connected(struct pl_op *op)
{
    struct pl_connecting *connecting = op->arg;
    struct pl_fetch *fetch = connecting->fetch;
    struct pl_link *link = NULL;
    int err = op->result;

    if (fetch == NULL) {
        drop_connecting(connecting);
        return;
    }
    fetch->connecting = NULL;
    if (err == 0)
        link = make_link(connecting);
    if (link != NULL) {
        connecting->stock->stats.connects++;
        drop_connecting(connecting);
        pl_link_attach(link, fetch);
        fetch->ops->ready(fetch);
        return;
    }
    if (err == 0)
        err = PL_ERR_CLOSED;
    pl_fetch_lost(fetch, err,
                  connecting->op.error.code != 0 ? connecting->op.error.text
                                                 : pl_err_text(err));
    drop_connecting(connecting);
}

static int begin_connecting(struct pl_fetch *fetch)
{
    const struct pl_origin *origin = fetch->stock->origin;
    struct pl_clients *clients = fetch->clients;
    struct pl_connecting *connecting =
        pl_pool_get(clients->pool, sizeof(*connecting));
    struct pl_connect_spec spec = {
        .target = origin->target,
        .connect_ms = fetch->options->connect_ms,
        .secure = origin->secure ? &origin->tls : NULL,
        .name = origin->tls_name,
    };

    if (connecting == NULL)
        return PL_ERR_NOMEM;
    connecting->fetch = fetch;
    connecting->stock = fetch->stock;
    fetch->connecting = connecting;
    pl_connect_begin(&connecting->op, clients->sockets, &spec);
    connecting->op.op.arg = connecting;
    pl_op_then(&connecting->op.op, on_connected);
    return 0;
}

int pl_fetch_begin(struct pl_fetch *fetch, struct pl_clients *clients,
                   const struct pl_origin *origin, bool fresh,
                   const struct pl_fetch_ops *ops,
                   const struct pl_fetch_options *options)
{
    struct pl_stock *stock = pl_stock_of(clients, origin);
    int err;

    if (stock == NULL)
        return PL_ERR_NOMEM;
    *fetch = (struct pl_fetch){.ops = ops,
                               .options = options,
                               .clients = clients,
                               .stock = stock,
                               .length = -1};
    pl_stock_enter(stock);
    if (!fresh && !pl_list_empty(&stock->idle)) {
        pl_link_attach(PL_LIST_ENTRY(stock->idle.next, struct pl_link, node),
                       fetch);
        return 1;
    }
    err = begin_connecting(fetch);
    if (err < 0)
        leave(fetch);
    return err;
}

/* ---- the request ---- */

int pl_fetch_writev(struct pl_fetch *fetch, const struct iovec *pieces, int n)
{
    return fetch->link == NULL ? PL_ERR_CLOSED
                               : pl_conn_writev(fetch->link->conn, pieces, n);
}

int pl_fetch_write(struct pl_fetch *fetch, struct pl_str bytes)
{
    struct iovec piece = {(char *)bytes.data, bytes.len};

    return pl_fetch_writev(fetch, &piece, 1);
}

char *pl_fetch_reserve(struct pl_fetch *fetch, size_t size)
{
    return pl_conn_reserve(fetch->link->conn, size);
}

void pl_fetch_commit(struct pl_fetch *fetch, size_t used)
{
    pl_conn_commit(fetch->link->conn, used);
}

bool pl_fetch_congested(struct pl_fetch *fetch)
{
    return fetch->link != NULL && pl_conn_congested(fetch->link->conn);
}

void pl_fetch_sent(struct pl_fetch *fetch)
{
    fetch->sent = true;
}

/* ---- the response ---- */

void pl_fetch_pause(struct pl_fetch *fetch)
{
    if (fetch->link != NULL)
        pl_conn_pause(fetch->link->conn);
}

void pl_fetch_resume(struct pl_fetch *fetch)
{
    if (fetch->link != NULL)
        pl_conn_resume(fetch->link->conn);
}

bool pl_fetch_paused(const struct pl_fetch *fetch)
{
    return fetch->link != NULL &&
           (fetch->link->conn->flags & PL_CONN_PAUSED) != 0;
}

/* ---- what is no HTTP ---- */

void pl_fetch_raw(struct pl_fetch *fetch)
{
    fetch->raw = true;
    fetch->link->state = PL_LINK_CLOSE;
    fetch->link->keep = false;
}

void pl_fetch_shutdown(struct pl_fetch *fetch)
{
    if (fetch->link != NULL)
        pl_conn_end_output(fetch->link->conn);
}

struct pl_conn *pl_fetch_take(struct pl_fetch *fetch)
{
    struct pl_conn *conn = pl_link_take(fetch->link);

    fetch->link = NULL;
    leave(fetch);
    return conn;
}
