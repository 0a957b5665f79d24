#include "net/proxy.h"

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "net/trust.h"

/* What pl_conn_more() leads to: a header that has been parsed once. */
struct pl_conn_origin {
    size_t len;
    char bytes[];
};

static size_t size_of(size_t len)
{
    return sizeof(struct pl_conn_origin) + len;
}

bool pl_proxy_header_of(const struct pl_conn *conn, struct pl_proxy_header *out)
{
    const struct pl_conn_more *more = pl_conn_more(conn);
    const char *why;
    size_t used;
    int err;

    if (more == NULL || more->origin == NULL)
        return false;
    err = pl_proxy_parse(pl_str(more->origin->bytes, more->origin->len), out,
                         &used, &why);
    PL_ASSERT(err == 0);
    return true;
}

void pl_proxy_forget(struct pl_conn *conn)
{
    struct pl_conn_more *more = pl_conn_more(conn);

    if (more == NULL || more->origin == NULL)
        return;
    pl_pool_put(pl_conn_net(conn)->pool, more->origin,
                size_of(more->origin->len));
    more->origin = NULL;
}

/* False: out of memory. */
static bool keep(struct pl_conn *conn, struct pl_str header)
{
    struct pl_conn_origin *origin =
        pl_pool_get(pl_conn_net(conn)->pool, size_of(header.len));

    if (origin == NULL)
        return false;
    origin->len = header.len;
    memcpy(origin->bytes, header.data, header.len);
    pl_conn_more(conn)->origin = origin;
    return true;
}

static void refuse(struct pl_conn *conn, int err, const char *why)
{
    char peer[PL_ADDR_TEXT] = "?";
    struct pl_addr addr;

    if (pl_conn_peer(conn, &addr))
        pl_addr_format(&addr, peer);
    pl_log(PL_LOG_WARN, "net", "PROXY header refused: %s peer=%s", why, peer);
    pl_conn_net(conn)->stats.refused++;
    pl_conn_close(conn, err);
}

/* ---- the protocol ---- */

static void on_opened(struct pl_conn *conn)
{
    const struct pl_listen_options *options = conn->listener->options;
    struct pl_addr addr;

    if (pl_conn_peer(conn, &addr) && pl_trust_has(options->trusted, &addr))
        pl_conn_deadline(conn, PL_DEADLINE_HEAD,
                         pl_conn_net(conn)->limits.head_ms);
    else if (options->proxy == PL_PROXY_OPTIONAL)
        pl_conn_proceed(conn);
    else
        refuse(conn, PL_ERR_DENIED, "the peer is not trusted");
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    const struct pl_listen_options *options = conn->listener->options;
    struct pl_proxy_header header;
    const char *why;
    size_t used;
    int err = pl_proxy_parse(bytes, &header, &used, &why);

    if (err == PL_ERR_AGAIN)
        return 0;
    if (err == PL_ERR_NOT_FOUND && options->proxy == PL_PROXY_OPTIONAL)
        err = 0;
    else if (err == 0 && !header.local &&
             !keep(conn, pl_str_first(bytes, used)))
        err = PL_ERR_NOMEM;
    if (err == 0)
        return used + pl_conn_proceed_with(conn, pl_str_skip(bytes, used));
    refuse(conn, err,
           err == PL_ERR_PROTO       ? why
           : err == PL_ERR_NOT_FOUND ? "there is none"
                                     : pl_err_text(err));
    return 0;
}

/* Whoever looks whether the port is open says nothing. */
static void on_eof(struct pl_conn *conn)
{
    pl_conn_close(conn, 0);
}

static void on_drained(struct pl_conn *conn)
{
    PL_ASSERT(conn->io == NULL); /* nothing has been written */
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    refuse(conn, PL_ERR_TIMEOUT, "it took too long");
}

static void on_closed(struct pl_conn *conn, int why)
{
}

const struct pl_protocol pl_proxy_protocol = {
    .name = "PROXY",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_eof,
    .closed = on_closed,
};
