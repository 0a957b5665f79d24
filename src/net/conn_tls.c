/* conn_tls.c - connections whose bytes are records: between conn.c (what comes)
 * and conn_out.c (what goes, by way of conn_tls_out.c) and the kernel.
 *
 *     recv --> inbox --whole records--> session --> plain --> protocol
 *                |a part of one: kept
 *     outbox, queue --> stage --> session --> records --send--> kernel
 *                                                |refused: PL_OUT_RECORDS, in
 *                                                |front of the queue
 *
 * Invariants: bytes that were encrypted leave before anything else, as the
 * order of records cannot be changed; a batch is at most what is encrypted and
 * not sent. Until the handshake is over conn->protocol is the one of this
 * file, so that the real one hears of connections that it can use only. */
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/conn_priv.h"
#include "net/conn_tls.h"

enum {
    STEPS = 8,           /* handshakes begun in a turn: each takes 0.5 ms */
    SESSION = 14 * 1024, /* what OpenSSL has of an idle one: 13.7 KiB */
};

/* ---- the worker's part ---- */

PL_COLD static int make_worker(struct pl_net *net,
                               const struct pl_tls_offer *offer)
{
    struct pl_tls_worker *worker;
    int err = PL_ERR_NOMEM;

    if (net->tls != NULL)
        return 0;
    worker = pl_calloc(1, sizeof(*worker));
    if (worker == NULL)
        return PL_ERR_NOMEM;
    worker->offer = offer;
    pl_list_init(&worker->waiting);
    worker->plain = pl_malloc(PL_NET_INBOX);
    worker->stage = pl_malloc(PL_TLS_BATCH);
    if (worker->plain != NULL && worker->stage != NULL)
        err = offer->io_open(&worker->io);
    if (err == 0) {
        net->tls = worker;
        return 0;
    }
    pl_free(worker->plain);
    pl_free(worker->stage);
    pl_free(worker);
    return err;
}

void pl_net_tls_fini(struct pl_net *net)
{
    struct pl_tls_worker *worker = net->tls;

    if (worker == NULL)
        return;
    worker->offer->io_close(&worker->io);
    pl_free(worker->plain);
    pl_free(worker->stage);
    pl_free(worker);
    net->tls = NULL;
}

struct pl_tls_stats pl_net_tls_stats(const struct pl_net *net)
{
    return net->tls == NULL ? (struct pl_tls_stats){0} : net->tls->stats;
}

/* ---- from the kernel ---- */

static void drop_rest(struct pl_conn *conn, struct pl_tls *tls)
{
    if (tls->rest != NULL)
        pl_pool_put(pl_conn_net(conn)->pool, tls->rest, tls->rest_size);
    tls->rest = NULL;
    tls->rest_len = tls->rest_size = 0;
}

/* Keeps the beginning of a record until the rest of it comes. */
static int keep_rest(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_tls *tls = pl_conn_tls(conn);

    if (bytes.len > tls->rest_size || bytes.len == 0)
        drop_rest(conn, tls);
    if (bytes.len == 0)
        return 0;
    if (tls->rest == NULL) {
        size_t size = pl_pool_round(bytes.len);

        tls->rest = pl_pool_get(pl_conn_net(conn)->pool, size);
        if (tls->rest == NULL)
            return PL_ERR_NOMEM;
        tls->rest_size = (uint32_t)size;
    }
    memcpy(tls->rest, bytes.data, bytes.len);
    tls->rest_len = (uint32_t)bytes.len;
    return 0;
}

/* One line for each kind of failure, as often as the log lets it. */
static void complain(const struct pl_conn *conn, const char *what)
{
    const char *reason = pl_conn_tls_worker(conn)->io.reason;
    char peer[PL_ADDR_TEXT] = "?";
    struct pl_addr addr;

    if (pl_conn_peer(conn, &addr))
        pl_addr_format(&addr, peer);
    pl_log(PL_LOG_INFO, "tls", "%s: %s peer=%s", what,
           reason == NULL ? "no reason given" : reason, peer);
}

/* Sends the alert, if there is one, and closes. */
static void fail(struct pl_conn *conn, int err)
{
    if (err != PL_ERR_NOMEM)
        complain(conn, pl_conn_tls(conn)->open ? "connection broken off"
                                               : "handshake failed");
    pl_conn_tls_send_records(conn);
    pl_conn_close(conn, err);
}

/* The handshake is over: whose connection it is. */
static void open_protocol(struct pl_conn *conn, struct pl_tls *tls)
{
    struct pl_tls_worker *worker = pl_conn_tls_worker(conn);
    int choice = worker->offer->alpn(tls->session);

    tls->open = true;
    worker->stats.handshakes++;
    worker->stats.resumed += worker->offer->resumed(tls->session);
    if (worker->offer->is_13(tls->session))
        worker->stats.v13++;
    else
        worker->stats.v12++;
    conn->protocol =
        choice < 0 ? tls->next : pl_tls_offered(tls->context, choice);
    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    conn->protocol->opened(conn);
}

/* Takes the records through the session. Gives in *len how many bytes came out
 * of them, and in *over if the peer sends no more. Returns 0, PL_ERR_AGAIN (the
 * handshake goes on) or another PL_ERR_*. */
static int decrypt(struct pl_conn *conn, struct pl_str records, size_t *len,
                   bool *over)
{
    struct pl_tls_worker *worker = pl_conn_tls_worker(conn);
    struct pl_tls *tls = pl_conn_tls(conn);
    ssize_t n = 1;
    int err;

    worker->io.in = records.data;
    worker->io.in_len = records.len;
    if (!tls->open) {
        err = worker->offer->handshake(tls->session);
        if (err < 0)
            return err;
    }
    while (n > 0 && *len < PL_NET_INBOX) {
        n = worker->offer->read(tls->session, worker->plain + *len,
                                PL_NET_INBOX - *len);
        *len += n > 0 ? (size_t)n : 0;
    }
    *over = n == 0;
    return n < 0 && n != PL_ERR_AGAIN ? (int)n : 0;
}

static void show_plain(struct pl_conn *conn, struct pl_str plain, bool over)
{
    struct pl_tls *tls = pl_conn_tls(conn);

    bool first = !tls->open;

    if (first)
        open_protocol(conn, tls);
    if (plain.len > 0 && !pl_conn_closed(conn))
        pl_conn_show_plain(conn, plain);
    if (over && !pl_conn_closed(conn)) {
        tls->ended = true;
        pl_conn_at_eof(conn);
    }
    if (first && tls->draining && !pl_conn_closed(conn) &&
        conn->protocol->drain != NULL)
        conn->protocol->drain(conn);
}

/* The first bytes of a peer that speaks HTTP without TLS (RFC 9112, 3: a method
 * begins with a letter; a record never does). */
static bool is_clear(struct pl_str bytes)
{
    return (bytes.data[0] >= 'A' && bytes.data[0] <= 'Z') ||
           (bytes.data[0] >= 'a' && bytes.data[0] <= 'z');
}

/* The connection goes on in the clear. Unless that was meant, too, the protocol
 * will not serve it. */
static void go_clear(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_tls *tls = pl_conn_tls(conn);

    if (conn->listener->options->speak != PL_SPEAK_AUTO) {
        pl_conn_tls_worker(conn)->stats.clear++;
        tls->clear = true;
    }
    drop_rest(conn, tls);
    conn->flags &= (uint16_t)~PL_CONN_SECURE;
    conn->protocol = tls->next;
    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    conn->protocol->opened(conn);
    if (!pl_conn_closed(conn))
        pl_conn_show_plain(conn, bytes);
}

/* OpenSSL's memory cannot be counted by connection: a fixed sum is charged for
 * as long as the session is there. */
static int begin_session(struct pl_conn *conn, struct pl_tls *tls,
                         const char *name)
{
    struct pl_account *account = pl_conn_account(conn);

    if (account == NULL || pl_account_charge(account, SESSION) < 0)
        return PL_ERR_NOMEM;
    tls->session = pl_tls_session(conn, tls->context, name);
    if (tls->session != NULL)
        return 0;
    pl_conn_release(conn, SESSION);
    return PL_ERR_NOMEM;
}

/* What has come, with what was kept before it, lies in the inbox. */
static void take(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_tls *tls = pl_conn_tls(conn);
    size_t whole, len = 0;
    bool over = false;
    int err = 0;

    if (tls->session == NULL && is_clear(bytes)) {
        go_clear(conn, bytes);
        return;
    }
    whole = pl_conn_tls_worker(conn)->offer->whole(bytes);
    if (whole > 0 && tls->session == NULL) {
        pl_conn_tls_worker(conn)->steps++;
        err = begin_session(conn, tls, NULL);
    }
    if (whole > 0 && err == 0)
        err = decrypt(conn, pl_str_first(bytes, whole), &len, &over);
    if (err < 0 && err != PL_ERR_AGAIN) {
        fail(conn, err);
        return;
    }
    if (keep_rest(conn, pl_str_skip(bytes, whole)) < 0 ||
        pl_conn_tls_send_records(conn) < 0) {
        pl_conn_close(conn, PL_ERR_CLOSED);
        return;
    }
    if (whole > 0 && err == 0)
        show_plain(conn, pl_str(pl_conn_tls_worker(conn)->plain, len), over);
}

static void wait_no_more(struct pl_tls *tls)
{
    if (!tls->waits)
        return;
    tls->waits = tls->granted = false;
    pl_list_remove(&tls->node);
}

/* Has this turn a step left for its handshake? The first is what takes time:
 * who has had it goes on, and no answer waits for the greetings of others.
 * Newcomers are seen first in a turn; were all steps theirs, one that waits
 * would do so while a flood goes on. So half of the steps are for those that
 * wait, in the order in which they came: of who comes again in the next turn,
 * the newest would be the first. */
static bool has_step(struct pl_tls_worker *worker, struct pl_tls *tls)
{
    bool shared = !pl_list_empty(&worker->waiting);

    if (tls->session != NULL || tls->granted ||
        (!tls->waits && worker->steps < (shared ? STEPS / 2 : STEPS))) {
        wait_no_more(tls);
        return true;
    }
    if (!tls->waits) {
        tls->waits = true;
        pl_list_push(&worker->waiting, &tls->node);
    }
    return false;
}

void pl_conn_tls_next_turn(struct pl_tls_worker *worker)
{
    struct pl_list *node;
    unsigned grants = 0;

    worker->steps = 0;
    PL_LIST_FOREACH (node, &worker->waiting) {
        PL_LIST_ENTRY(node, struct pl_tls, node)->granted = true;
        if (++grants == STEPS / 2)
            return;
    }
}

size_t pl_conn_tls_read(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    struct pl_tls *tls = pl_conn_tls(conn);
    size_t kept = tls->rest_len;
    ssize_t n = 0;

    if (!tls->open && !has_step(net->tls, tls))
        return PL_NET_BUDGET; /* the others first: conn comes again */
    if (tls->fed) {
        tls->fed = false;
    } else {
        n = pl_conn_receive(conn, net->inbox + kept, PL_NET_INBOX - kept);
        if (n <= 0)
            return 0;
    }
    if (kept > 0)
        memcpy(net->inbox, tls->rest, kept);
    if (kept + (size_t)n > 0)
        take(conn, pl_str(net->inbox, kept + (size_t)n));
    return (size_t)n;
}

/* ---- begin and end ---- */

static int begin(struct pl_conn *conn, struct pl_tls_context *context,
                 const struct pl_protocol *next)
{
    struct pl_net *net = pl_conn_net(conn);
    struct pl_conn_more *more = pl_conn_more(conn);
    struct pl_tls *tls;

    PL_ASSERT(more != NULL && more->tls == NULL);
    if (make_worker(net, pl_tls_context_offer(context)) < 0)
        return PL_ERR_NOMEM;
    tls = pl_pool_get_zeroed(net->pool, sizeof(*tls));
    if (tls == NULL)
        return PL_ERR_NOMEM;
    tls->context = context;
    tls->next = next;
    more->tls = tls;
    conn->protocol = &pl_tls_protocol;
    conn->flags |= PL_CONN_SECURE;
    pl_conn_deadline(conn, PL_DEADLINE_HEAD, net->limits.head_ms);
    return 0;
}

int pl_conn_tls_connect(struct pl_conn *conn, struct pl_tls_context *context,
                        const char *name, const struct pl_protocol *protocol)
{
    int err = begin(conn, context, protocol);
    struct pl_tls *tls = pl_conn_tls(conn);
    size_t len = 0;
    bool over = false;

    if (err == 0) {
        tls->known = true;
        err = begin_session(conn, tls, name);
        if (err == 0)
            err = decrypt(conn, PL_STR(""), &len, &over);
    }
    if (err == PL_ERR_AGAIN || err == 0) {
        int sent = pl_conn_tls_send_records(conn);

        err = sent < 0 ? sent : err;
    }
    if (err == 0)
        show_plain(conn, PL_STR(""), over);
    if (err < 0 && err != PL_ERR_AGAIN)
        pl_conn_close(conn, err);
    return pl_conn_closed(conn) ? PL_ERR_CLOSED : 0;
}

int pl_conn_tls_accept(struct pl_conn *conn, struct pl_tls_context *context,
                       const struct pl_protocol *protocol)
{
    int err = begin(conn, context, protocol);

    if (err == 0)
        pl_conn_tls(conn)->known = true;
    else
        pl_conn_close(conn, err);
    return err;
}

const char *pl_net_tls_reason(const struct pl_net *net)
{
    return net->tls == NULL ? NULL : net->tls->io.reason;
}

void pl_conn_tls_free(struct pl_conn *conn)
{
    struct pl_tls *tls = pl_conn_tls(conn);

    if (tls == NULL)
        return;
    wait_no_more(tls);
    if (tls->session != NULL) {
        pl_conn_tls_worker(conn)->offer->session_free(tls->session);
        pl_conn_release(conn, SESSION);
    }
    drop_rest(conn, tls);
    pl_conn_more(conn)->tls = NULL;
    pl_pool_put(pl_conn_net(conn)->pool, tls, sizeof(*tls));
}

/* ---- the protocol until the handshake is over ---- */

static void on_opened(struct pl_conn *conn)
{
    int err = begin(conn, conn->listener->tls, conn->listener->protocol);

    if (err < 0)
        pl_conn_close(conn, err);
}

/* Records that another protocol has found behind its own bytes; all others do
 * not come this way. */
static size_t on_input(struct pl_conn *conn, struct pl_str records)
{
    if (keep_rest(conn, records) < 0) {
        pl_conn_close(conn, PL_ERR_NOMEM);
        return records.len;
    }
    pl_conn_tls(conn)->fed = true;
    conn->flags |= PL_CONN_READABLE;
    pl_conn_again(conn);
    return records.len;
}

static void on_eof(struct pl_conn *conn)
{
    pl_conn_close(conn, PL_ERR_CLOSED);
}

static void on_drained(struct pl_conn *conn)
{
    (void)conn;
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_conn_tls_worker(conn)->io.reason = "it took too long";
    complain(conn, "handshake given up");
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

static void on_drain(struct pl_conn *conn)
{
    pl_conn_tls(conn)->draining = true;
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct pl_tls *tls = pl_conn_tls(conn);

    if (tls == NULL) /* there was no memory for it */
        return;
    pl_conn_tls_worker(conn)->stats.failed++;
    if (tls->known)
        tls->next->closed(conn, why);
}

const struct pl_protocol pl_tls_protocol = {
    .name = "TLS",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_drain,
    .closed = on_closed,
};

/* ---- what it is ---- */

bool pl_conn_truncated(const struct pl_conn *conn)
{
    const struct pl_tls *tls = pl_conn_tls(conn);

    return tls != NULL && tls->open && !tls->ended &&
           (conn->flags & PL_CONN_EOF) != 0;
}

bool pl_conn_mistaken(const struct pl_conn *conn)
{
    const struct pl_tls *tls = pl_conn_tls(conn);

    return tls != NULL && tls->clear;
}

const struct pl_tls_options *pl_conn_tls_options(const struct pl_conn *conn)
{
    const struct pl_tls *tls = pl_conn_tls(conn);

    return tls == NULL ? NULL : pl_tls_context_options(tls->context);
}

bool pl_conn_tls_info(const struct pl_conn *conn, struct pl_tls_info *info)
{
    const struct pl_tls *tls = pl_conn_tls(conn);

    memset(info, 0, sizeof(*info));
    if (tls == NULL || !tls->open || pl_conn_closed(conn))
        return false;
    pl_conn_tls_worker(conn)->offer->info(tls->session, info);
    info->alpn = conn->protocol->alpn == NULL ||
                         pl_conn_tls_worker(conn)->offer->alpn(tls->session) < 0
                     ? ""
                     : conn->protocol->alpn;
    return true;
}
