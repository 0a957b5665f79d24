/* socket.c - reading and writing a connection in straight lines.
 *
 * The connection is paused unless somebody reads. Its input stays in its own
 * buffer (pl_conn_rest), of which the first socket->taken bytes are taken
 * already: they are given back together, when more is to be read, so that
 * reading many lines from one buffer does not move the rest for each. */
#include "socket/socket.h"

#include <limits.h>
#include <netinet/tcp.h>

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "socket/secure.h"
#include "socket/udp.h"

#define SOCKET_MAGIC 0x6b636f73u /* "sock" */

static _Thread_local struct pl_sockets *current;

/* ---- a worker's ---- */

void pl_sockets_init(struct pl_sockets *sockets, struct pl_net *net,
                     struct pl_sched *sched, struct pl_offload *names)
{
    *sockets = (struct pl_sockets){.net = net, .sched = sched, .names = names};
    pl_list_init(&sockets->all);
    pl_list_init(&sockets->datagrams);
    pl_list_init(&sockets->secures);
    current = sockets;
}

void pl_sockets_fini(struct pl_sockets *sockets)
{
    struct pl_list *node, *tmp;

    if (sockets->clients != NULL)
        sockets->end_clients(sockets->clients);
    PL_LIST_FOREACH_SAFE (node, tmp, &sockets->all) {
        struct pl_socket *socket = PL_LIST_ENTRY(node, struct pl_socket, node);
        struct pl_conn *conn = socket->conn;

        if (!socket->detached)
            pl_socket_close(socket);
        if (conn != NULL)
            pl_conn_close(conn, PL_ERR_CANCELED);
    }
    pl_udp_close_all(sockets);
    pl_free(sockets->scratch);
    pl_secure_free_all(sockets);
    if (current == sockets)
        current = NULL;
}

char *pl_sockets_scratch(struct pl_sockets *sockets)
{
    if (sockets->scratch == NULL)
        sockets->scratch = pl_malloc(PL_SOCKETS_SCRATCH);
    return sockets->scratch;
}

struct pl_sockets *pl_sockets_current(void)
{
    return current;
}

/* ---- operations ---- */

static struct pl_socket_op **place_of(struct pl_socket_op *op)
{
    return op->want == PL_SOCKET_ROOM ? &op->socket->writer
                                      : &op->socket->reader;
}

static void finish(struct pl_socket_op *op, int result)
{
    struct pl_conn *conn = op->socket->conn;

    *place_of(op) = NULL;
    pl_timer_stop(pl_loop_wheel(op->op.sched->loop), &op->timer);
    if (op->want != PL_SOCKET_ROOM && conn != NULL)
        pl_conn_pause(conn);
    if (op->want == PL_SOCKET_SECRECY && conn != NULL && result < 0)
        pl_conn_close(conn, result); /* nobody can use it as it is */
    pl_op_complete(&op->op, result);
}

static void on_late(struct pl_timer *timer)
{
    finish(PL_CONTAINER_OF(timer, struct pl_socket_op, timer), PL_ERR_TIMEOUT);
}

static void cancel(struct pl_op *op)
{
    finish(PL_CONTAINER_OF(op, struct pl_socket_op, op), PL_ERR_CANCELED);
}

static void begin(struct pl_socket_op *op, struct pl_socket *socket)
{
    struct pl_sched *sched = socket->sockets->sched;

    op->socket = socket;
    op->seen = 0;
    pl_op_init(&op->op, sched, cancel);
    pl_op_begin(&op->op);
    pl_timer_init(&op->timer, on_late);
}

/* It has to wait. */
static void enter(struct pl_socket_op *op)
{
    struct pl_socket *socket = op->socket;
    struct pl_loop *loop = op->op.sched->loop;

    *place_of(op) = op;
    if (socket->timeout_ms > 0)
        pl_timer_start(pl_loop_wheel(loop), &op->timer,
                       pl_now(loop) + socket->timeout_ms * (uint64_t)1000000);
}

/* ---- reading ---- */

/* Why there will be no more than there is; PL_ERR_AGAIN: there may be. */
static int end_of(const struct pl_socket *socket)
{
    if (socket->conn == NULL && socket->why < 0)
        return socket->why;
    if (socket->conn == NULL || socket->eof)
        return 0;
    return socket->served && socket->sockets->stopping ? PL_ERR_STOPPING
                                                       : PL_ERR_AGAIN;
}

/* What is wanted is not all there. */
static int not_yet(const struct pl_socket_op *op, size_t len)
{
    int end = end_of(op->socket);

    return end == 0 && len > 0 ? PL_ERR_EOF : end;
}

static int judge_mark(struct pl_socket_op *op, struct pl_str bytes)
{
    size_t from = op->seen < op->mark.len ? 0 : op->seen - op->mark.len + 1;
    size_t limit = PL_MIN(bytes.len, op->n);
    const char *at = limit <= from ? NULL
                                   : memmem(bytes.data + from, limit - from,
                                            op->mark.data, op->mark.len);

    if (at != NULL)
        return (int)(at - bytes.data) + (int)op->mark.len;
    op->seen = limit;
    return bytes.len >= op->n ? PL_ERR_LIMIT : not_yet(op, bytes.len);
}

/* The result if the reader can go on with these bytes, else PL_ERR_AGAIN. */
static int judge(struct pl_socket_op *op, struct pl_str bytes)
{
    switch (op->want) {
    case PL_SOCKET_EXACTLY:
        return bytes.len >= op->n ? (int)op->n : not_yet(op, bytes.len);
    case PL_SOCKET_UNTIL:
        return judge_mark(op, bytes);
    default:
        return bytes.len > 0 ? (int)PL_MIN(bytes.len, (size_t)INT_MAX)
                             : end_of(op->socket);
    }
}

static void tell_reader(struct pl_socket *socket, struct pl_str bytes)
{
    int result = judge(socket->reader, bytes);

    if (result != PL_ERR_AGAIN)
        finish(socket->reader, result);
}

void pl_socket_read_begin(struct pl_socket_op *op, struct pl_socket *socket,
                          enum pl_socket_want want, size_t n,
                          struct pl_str mark)
{
    int result;

    PL_ASSERT(n <= PL_SOCKET_BUFFER);
    op->want = want;
    op->n = n;
    op->mark = mark;
    begin(op, socket);
    if (socket->reader != NULL) {
        pl_op_complete(&op->op, PL_ERR_BUSY);
        return;
    }
    result = judge(op, pl_socket_peek(socket));
    if (result != PL_ERR_AGAIN) {
        pl_op_complete(&op->op, result);
        return;
    }
    /* Before more is read behind it: the buffer holds what is wanted. */
    if (socket->taken > 0)
        pl_conn_consume(socket->conn, socket->taken);
    socket->taken = 0;
    enter(op);
    pl_conn_resume(socket->conn);
}

struct pl_str pl_socket_peek(const struct pl_socket *socket)
{
    return socket->conn == NULL
               ? pl_str(NULL, 0)
               : pl_str_skip(pl_conn_rest(socket->conn), socket->taken);
}

void pl_socket_take(struct pl_socket *socket, size_t n)
{
    size_t kept = pl_conn_kept(socket->conn);

    PL_ASSERT(n <= kept - socket->taken && socket->reader == NULL);
    socket->taken += n;
    if (n > 0 && socket->taken == kept) {
        pl_conn_consume(socket->conn, kept);
        socket->taken = 0;
    }
}

/* ---- writing ---- */

ssize_t pl_socket_write_some(struct pl_socket *socket, struct pl_str bytes)
{
    struct pl_conn *conn = socket->conn;
    size_t most, part;
    int err;

    if (conn == NULL)
        return socket->why < 0 ? socket->why : PL_ERR_CLOSED;
    if (pl_conn_congested(conn))
        return PL_ERR_AGAIN;
    most = PL_MIN((size_t)PL_SOCKET_SLICE,
                  pl_conn_net(conn)->limits.conn_memory / 4);
    part = PL_MIN(bytes.len, most);
    err = pl_conn_write(conn, pl_str_first(bytes, part));
    return err < 0 ? err : (ssize_t)part;
}

void pl_socket_room_begin(struct pl_socket_op *op, struct pl_socket *socket)
{
    struct pl_conn *conn = socket->conn;

    op->want = PL_SOCKET_ROOM;
    begin(op, socket);
    if (socket->writer != NULL)
        pl_op_complete(&op->op, PL_ERR_BUSY);
    else if (conn == NULL)
        pl_op_complete(&op->op, socket->why < 0 ? socket->why : PL_ERR_CLOSED);
    else if (!pl_conn_congested(conn))
        pl_op_complete(&op->op, 0);
    else
        enter(op);
}

void pl_socket_flush(struct pl_socket *socket)
{
    if (socket->conn != NULL)
        pl_conn_flush(socket->conn);
}

void pl_socket_shutdown(struct pl_socket *socket)
{
    if (socket->conn != NULL)
        pl_conn_end_output(socket->conn);
}

/* ---- secrecy ---- */

static int may_secure(struct pl_socket *socket)
{
    struct pl_conn *conn = socket->conn;

    if (conn == NULL)
        return socket->why < 0 ? socket->why : PL_ERR_CLOSED;
    if (socket->reader != NULL || socket->writer != NULL)
        return PL_ERR_BUSY;
    if (pl_conn_secure(conn) || pl_conn_more(conn) == NULL)
        return PL_ERR_STATE;
    if (pl_socket_peek(socket).len > 0)
        return PL_ERR_PROTO;
    pl_conn_flush(conn);
    return pl_conn_closed(conn)       ? PL_ERR_CLOSED
           : pl_conn_queued(conn) > 0 ? PL_ERR_BUSY
                                      : 0;
}

void pl_socket_secure_begin(struct pl_socket_op *op, struct pl_socket *socket,
                            const struct pl_secure *secure, const char *name)
{
    int err;

    op->want = PL_SOCKET_SECRECY;
    begin(op, socket);
    err = may_secure(socket);
    if (err < 0) {
        pl_op_complete(&op->op, err);
        return;
    }
    enter(op);
    pl_conn_resume(socket->conn);
    pl_secure_start(secure, socket->conn, name); /* may be over by then */
}

/* ---- the connection's protocol ---- */

/* Also when a handshake is over. */
static void on_opened(struct pl_conn *conn)
{
    struct pl_socket *socket = conn->state;

    if (socket->conn == NULL)
        pl_socket_attach(socket, conn);
    else if (socket->reader != NULL)
        finish(socket->reader, 0);
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_socket *socket = conn->state;

    if (socket->reader != NULL)
        tell_reader(socket, bytes);
    else
        pl_conn_pause(conn);
    return 0; /* it is kept, and taken when the reader runs */
}

static void on_eof(struct pl_conn *conn)
{
    struct pl_socket *socket = conn->state;

    socket->eof = true;
    if (socket->reader != NULL)
        tell_reader(socket, pl_socket_peek(socket));
}

static void on_drained(struct pl_conn *conn)
{
    struct pl_socket *socket = conn->state;

    if (socket->writer != NULL)
        finish(socket->writer, 0);
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct pl_socket *socket = conn->state;
    int result = why < 0 ? why : PL_ERR_CLOSED;

    socket->conn = NULL;
    socket->why = result;
    socket->taken = 0;
    if (socket->reader != NULL)
        finish(socket->reader, result);
    if (socket->writer != NULL)
        finish(socket->writer, result);
    if (socket->detached) {
        socket->sockets->leaving--;
        pl_socket_free(socket);
    }
}

const struct pl_protocol pl_socket_protocol = {
    .name = "raw",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .closed = on_closed,
    .reads_on = true,
};

/* ---- life ---- */

struct pl_socket *pl_socket_new(struct pl_sockets *sockets)
{
    struct pl_socket *socket =
        pl_pool_get_zeroed(sockets->net->pool, sizeof(*socket));

    if (socket == NULL)
        return NULL;
    socket->magic = SOCKET_MAGIC;
    socket->sockets = sockets;
    socket->timeout_ms = PL_SOCKET_TIMEOUT_MS;
    pl_list_push(&sockets->all, &socket->node);
    return socket;
}

void pl_socket_free(struct pl_socket *socket)
{
    PL_CHECK(socket, SOCKET_MAGIC);
    PL_ASSERT(socket->conn == NULL);
    pl_socket_set_owner(socket, NULL);
    pl_list_remove(&socket->node);
    socket->magic = 0;
    pl_pool_put(socket->sockets->net->pool, socket, sizeof(*socket));
}

void pl_socket_attach(struct pl_socket *socket, struct pl_conn *conn)
{
    PL_CHECK(socket, SOCKET_MAGIC);
    socket->conn = conn;
    socket->eof = (conn->flags & PL_CONN_EOF) != 0;
    conn->protocol = &pl_socket_protocol;
    conn->state = socket;
    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    pl_conn_pause(conn);
}

struct pl_conn *pl_socket_detach(struct pl_socket *socket)
{
    struct pl_conn *conn = socket->conn;

    PL_CHECK(socket, SOCKET_MAGIC);
    PL_ASSERT(socket->reader == NULL && socket->writer == NULL &&
              socket->taken == 0);
    if (socket->home != NULL)
        *socket->home = NULL;
    socket->conn = NULL;
    if (conn != NULL)
        conn->state = NULL;
    pl_socket_free(socket);
    return conn;
}

void pl_socket_set_home(struct pl_socket *socket, struct pl_socket **home)
{
    socket->home = home;
    *home = socket;
}

static void on_owner_ends(void *arg)
{
    struct pl_socket *socket = arg;

    socket->owner = NULL;
    pl_socket_close(socket);
}

void pl_socket_set_owner(struct pl_socket *socket, struct pl_task *owner)
{
    if (socket->owner != NULL)
        pl_task_undefer(socket->owner, &socket->defer);
    socket->owner = owner;
    if (owner != NULL)
        pl_task_defer(owner, &socket->defer, on_owner_ends, socket);
}

void pl_socket_close(struct pl_socket *socket)
{
    PL_CHECK(socket, SOCKET_MAGIC);
    if (socket->home != NULL)
        *socket->home = NULL;
    socket->home = NULL;
    pl_socket_set_owner(socket, NULL);
    if (socket->reader != NULL)
        finish(socket->reader, PL_ERR_CLOSED);
    if (socket->writer != NULL)
        finish(socket->writer, PL_ERR_CLOSED);
    if (socket->conn == NULL) {
        pl_socket_free(socket);
        return;
    }
    socket->detached = true;
    socket->sockets->leaving++;
    pl_conn_finish(socket->conn, false); /* on_closed() frees it */
}

void pl_sockets_drain(struct pl_sockets *sockets)
{
    struct pl_list *node;

    sockets->stopping = true;
    PL_LIST_FOREACH (node, &sockets->all) {
        struct pl_socket *socket = PL_LIST_ENTRY(node, struct pl_socket, node);

        if (socket->reader != NULL)
            tell_reader(socket, pl_socket_peek(socket));
    }
    pl_udp_drain(sockets);
}

/* ---- the rest ---- */

static int set(struct pl_socket *socket, int level, int name, int value)
{
    if (socket->conn == NULL)
        return PL_ERR_CLOSED;
    return pl_sys_setsockopt(socket->conn->source.fd, level, name, &value,
                             sizeof(value)) < 0
               ? pl_err_from_errno(errno)
               : 0;
}

int pl_socket_nodelay(struct pl_socket *socket, bool on)
{
    return set(socket, IPPROTO_TCP, TCP_NODELAY, on);
}

int pl_socket_keepalive(struct pl_socket *socket, unsigned seconds)
{
    int err = set(socket, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);

    if (err == 0 && seconds > 0)
        err = set(socket, IPPROTO_TCP, TCP_KEEPIDLE, (int)seconds);
    if (err == 0 && seconds > 0)
        err = set(socket, IPPROTO_TCP, TCP_KEEPINTVL,
                  PL_MAX((int)seconds / 4, 1));
    return err;
}

bool pl_socket_peer_addr(const struct pl_socket *socket, struct pl_addr *addr)
{
    return socket->conn != NULL && pl_conn_peer(socket->conn, addr);
}

bool pl_socket_own_addr(const struct pl_socket *socket, struct pl_addr *addr)
{
    return socket->conn != NULL && pl_conn_local(socket->conn, addr);
}
