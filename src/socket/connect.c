/* connect.c - the way to a connection.
 *
 *     PREPARE --> LOOK_UP --> TRY: a socket each --> won --> [AGREE] --> 0
 *      (TLS)         |         |                               |
 *        +-----------+---------+--- fails, is late, cancelled -+--> error
 *
 * Invariant: as long as the op is PENDING, exactly one step is on its way. Who
 * ends it early notes why in error.code; steps that are operations of their own
 * are cancelled, and end in their on_...(). */
#include "socket/connect.h"

#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"

/* ---- the end ---- */

/* won (or NULL) keeps its descriptor, which is watched no more. */
static void drop_tries(struct pl_connect_op *op,
                       const struct pl_connect_try *won)
{
    struct pl_loop *loop = op->sockets->net->loop;

    for (unsigned i = 0; i < op->begun; i++) {
        struct pl_connect_try *try = &op->tries[i];

        if (try->source.fd < 0)
            continue;
        pl_loop_remove(loop, &try->source, try == won);
        if (try != won)
            pl_loop_close_fd(loop, try->source.fd);
        try->source.fd = try == won ? try->source.fd : -1;
    }
}

static void complete(struct pl_connect_op *op, int result)
{
    struct pl_wheel *wheel = pl_loop_wheel(op->sockets->net->loop);

    pl_timer_stop(wheel, &op->next);
    pl_timer_stop(wheel, &op->limit);
    pl_op_complete(&op->op, result);
}

/* Of several causes the first is told: it is that of the best address. */
static void note(struct pl_connect_op *op, int err, const struct pl_addr *addr,
                 const char *why)
{
    char text[PL_ADDR_TEXT];

    if (op->error.code != 0)
        return;
    pl_addr_format(addr, text);
    pl_error_set(&op->error, err, text, "%s: %s", text, why);
}

static void fail(struct pl_connect_op *op, int err)
{
    drop_tries(op, NULL);
    if (op->error.code != err)
        pl_error_set(&op->error, err, "", "%s", pl_err_text(err));
    complete(op, err);
}

/* ---- success ---- */

/* TAKES fd, which is connected. */
static int make_socket(struct pl_connect_op *op, int fd)
{
    struct pl_socket *socket = pl_socket_new(op->sockets);
    int err = PL_ERR_NOMEM;

    if (socket == NULL) {
        pl_loop_close_fd(op->sockets->net->loop, fd);
        return err;
    }
    socket->timeout_ms = op->spec.timeout_ms;
    err = pl_conn_dialed(op->sockets->net, fd, &pl_socket_protocol, socket);
    if (err < 0) {
        pl_socket_free(socket);
        return err;
    }
    pl_socket_set_owner(socket, op->spec.owner);
    pl_socket_set_home(socket, &op->socket);
    return 0;
}

static void on_agreed(struct pl_op *agree)
{
    struct pl_connect_op *op = agree->arg;
    int err = agree->result;

    if (err == 0 && op->error.code == 0) {
        complete(op, 0);
        return;
    }
    if (op->error.code == 0)
        pl_error_set(&op->error, err, op->name, "TLS with %s: %s", op->name,
                     err == PL_ERR_PROTO || err == PL_ERR_CLOSED
                         ? pl_secure_reason(op->sockets)
                         : pl_err_text(err));
    if (op->socket != NULL)
        pl_socket_close(op->socket);
    complete(op, op->error.code);
}

static void win(struct pl_connect_op *op, struct pl_connect_try *won)
{
    int err;

    drop_tries(op, won);
    err = make_socket(op, won->source.fd);
    won->source.fd = -1;
    if (err < 0) {
        fail(op, err);
    } else if (op->spec.secure == NULL) {
        complete(op, 0);
    } else {
        pl_timer_stop(pl_loop_wheel(op->sockets->net->loop), &op->next);
        op->step = PL_CONNECT_AGREE;
        op->error.code = 0; /* of an address that was lost */
        pl_socket_secure_begin(&op->agree, op->socket, op->secure.secure,
                               op->name[0] == '\0' ? NULL : op->name);
        op->agree.op.arg = op;
        pl_op_then(&op->agree.op, on_agreed);
    }
}

/* ---- tries ---- */

static void begin_next(struct pl_connect_op *op);

static void lost(struct pl_connect_op *op, struct pl_connect_try *try,
                 int error_number)
{
    struct pl_loop *loop = op->sockets->net->loop;

    note(op, pl_err_from_errno(error_number), &op->addrs.list[try->which],
         strerror(error_number));
    pl_loop_remove(loop, &try->source, false);
    pl_loop_close_fd(loop, try->source.fd);
    try->source.fd = -1;
    op->pending--;
    begin_next(op);
}

static void on_answer(struct pl_source *source, unsigned events)
{
    struct pl_connect_try *try =
        PL_CONTAINER_OF(source, struct pl_connect_try, source);
    int error_number = 0;
    socklen_t len = sizeof(error_number);

    (void)events;
    if (pl_sys_getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error_number,
                          &len) < 0)
        error_number = errno;
    if (error_number == 0)
        win(try->connect, try);
    else
        lost(try->connect, try, error_number);
}

/* The descriptor, or -1 with errno. */
static int open_try(const struct pl_connect_op *op, const struct pl_addr *addr)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, saved;
    int fd = pl_sys_socket(addr->sa.sa_family, type, 0);

    if (fd < 0)
        return -1;
    if (op->spec.has_from &&
        pl_sys_bind(fd, &op->spec.from.sa, op->spec.from.len) < 0)
        goto fail;
    if (pl_sys_connect(fd, &addr->sa, addr->len) == 0 || errno == EINPROGRESS)
        return fd;
    if (errno == EAGAIN) /* a UNIX socket whose queue is full */
        errno = EBUSY;
fail:
    saved = errno;
    pl_sys_close(fd);
    errno = saved;
    return -1;
}

/* True if there is something to wait for. */
static bool begin_try(struct pl_connect_op *op, unsigned which)
{
    const struct pl_addr *addr = &op->addrs.list[which];
    struct pl_loop *loop = op->sockets->net->loop;
    struct pl_connect_try *try = &op->tries[which];
    int fd = open_try(op, addr), err;

    try->source = (struct pl_source){.ready = on_answer, .fd = fd};
    if (fd < 0) {
        note(op, pl_err_from_errno(errno), addr, strerror(errno));
        return false;
    }
    err = pl_loop_add(loop, &try->source, PL_WRITABLE, PL_LEVEL);
    if (err == 0)
        return true;
    note(op, err, addr, pl_err_text(err));
    pl_loop_close_fd(loop, fd);
    try->source.fd = -1;
    return false;
}

/* Until one is on its way, or all have failed. */
static void begin_next(struct pl_connect_op *op)
{
    struct pl_loop *loop = op->sockets->net->loop;

    pl_timer_stop(pl_loop_wheel(loop), &op->next);
    while (op->begun < op->addrs.n) {
        unsigned which = op->begun++;

        op->tries[which].connect = op;
        op->tries[which].which = which;
        if (!begin_try(op, which))
            continue;
        op->pending++;
        if (op->begun < op->addrs.n)
            pl_timer_start(pl_loop_wheel(loop), &op->next,
                           pl_now(loop) +
                               PL_CONNECT_NEXT_MS * (uint64_t)1000000);
        return;
    }
    if (op->pending == 0)
        fail(op, op->error.code);
}

static void on_next(struct pl_timer *timer)
{
    begin_next(PL_CONTAINER_OF(timer, struct pl_connect_op, next));
}

/* ---- the name ---- */

static const char *lookup_problem(int err)
{
    return err == PL_ERR_NOT_FOUND     ? "there is no such host"
           : err == PL_ERR_UNREACHABLE ? "no name server answers"
                                       : pl_err_text(err);
}

static void on_found(struct pl_op *lookup)
{
    struct pl_connect_op *op = lookup->arg;
    int err = op->error.code != 0 ? op->error.code : lookup->result;

    if (err == 0)
        op->addrs = *pl_lookup_addrs(&op->lookup);
    pl_lookup_end(&op->lookup);
    if (err == 0) {
        op->step = PL_CONNECT_TRY;
        begin_next(op);
        return;
    }
    pl_error_set(&op->error, err, op->spec.target.host, "%s: %s",
                 op->spec.target.host, lookup_problem(err));
    complete(op, err);
}

static void look_up(struct pl_connect_op *op)
{
    op->step = PL_CONNECT_LOOK_UP;
    pl_lookup_begin(&op->lookup, op->sockets->sched, op->sockets->names,
                    &op->spec.target);
    op->lookup.offload.op.arg = op;
    pl_op_then(&op->lookup.offload.op, on_found);
}

static void on_prepared(struct pl_op *secure)
{
    struct pl_connect_op *op = secure->arg;
    int err = op->error.code != 0 ? op->error.code : secure->result;

    if (err == 0) {
        look_up(op);
        return;
    }
    if (op->error.code != 0)
        pl_error_set(&op->error, err, "", "%s", pl_err_text(err));
    else
        op->error = op->secure.error;
    complete(op, err);
}

/* ---- begin, and early ends ---- */

static void end_early(struct pl_connect_op *op, int why)
{
    if (op->step == PL_CONNECT_TRY) {
        fail(op, why);
        return;
    }
    op->error.code = why;
    pl_error_set(&op->error, why, "", "%s", pl_err_text(why));
    pl_op_cancel(op->step == PL_CONNECT_PREPARE   ? &op->secure.op
                 : op->step == PL_CONNECT_LOOK_UP ? &op->lookup.offload.op
                                                  : &op->agree.op);
}

static void on_limit(struct pl_timer *timer)
{
    end_early(PL_CONTAINER_OF(timer, struct pl_connect_op, limit),
              PL_ERR_TIMEOUT);
}

static void cancel(struct pl_op *op)
{
    end_early(PL_CONTAINER_OF(op, struct pl_connect_op, op), PL_ERR_CANCELED);
}

void pl_connect_begin(struct pl_connect_op *op, struct pl_sockets *sockets,
                      const struct pl_connect_spec *spec)
{
    struct pl_loop *loop = sockets->net->loop;

    op->socket = NULL;
    op->error.code = 0;
    op->sockets = sockets;
    op->spec = *spec;
    op->begun = op->pending = 0;
    pl_op_init(&op->op, sockets->sched, cancel);
    pl_op_begin(&op->op);
    pl_timer_init(&op->next, on_next);
    pl_timer_init(&op->limit, on_limit);
    if (spec->connect_ms > 0)
        pl_timer_start(pl_loop_wheel(loop), &op->limit,
                       pl_now(loop) + spec->connect_ms * (uint64_t)1000000);
    if (spec->secure == NULL) {
        look_up(op);
        return;
    }
    snprintf(op->name, sizeof(op->name), "%s",
             spec->name != NULL ? spec->name : spec->target.host);
    op->step = PL_CONNECT_PREPARE;
    pl_secure_begin(&op->secure, sockets, spec->secure);
    op->secure.op.arg = op;
    pl_op_then(&op->secure.op, on_prepared);
}
