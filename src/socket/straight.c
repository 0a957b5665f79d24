/* straight.c - sockets in straight lines, for C programs (perilune.h). */
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "socket/connect.h"
#include "task/fiber.h"

static struct pl_sockets *may_wait(void)
{
    struct pl_sockets *sockets = pl_on_fiber() ? pl_sockets_current() : NULL;

    return sockets == NULL || sockets->sched->lua_depth > 0 ? NULL : sockets;
}

/* ---- connecting ---- */

static void read_tls(const struct pl_tls_client *given,
                     struct pl_tls_client *tls, struct pl_secure_spec *spec)
{
    PL_OPTIONS_READ(tls, given);
    *spec = (struct pl_secure_spec){.insecure = tls->insecure,
                                    .ca = tls->ca,
                                    .cert = tls->cert,
                                    .key = tls->key,
                                    .alpn = tls->alpn};
}

static int read_address(const char *address, const char *bind,
                        struct pl_connect_spec *spec)
{
    int err =
        pl_target_parse(pl_str_c(address), PL_TARGET_TCP, &spec->target, NULL);

    if (err == 0 && spec->target.kind == PL_TARGET_UDP)
        err = PL_ERR_INVALID;
    if (err == 0 && bind != NULL) {
        err = pl_addr_parse(pl_str_c(bind), false, &spec->from, NULL);
        spec->has_from = true;
    }
    return err;
}

int pl_connect(struct pl_request *req, const char *address,
               const struct pl_connect_options *options,
               struct pl_socket **socket)
{
    struct pl_sockets *sockets = may_wait();
    struct pl_connect_spec spec = {.owner = pl_task_current()};
    struct pl_connect_options all;
    struct pl_secure_spec secure;
    struct pl_tls_client tls;
    struct pl_connect_op op;
    int err;

    (void)req;
    if (sockets == NULL)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&all, options);
    err = read_address(address, all.bind, &spec);
    if (err < 0)
        return err;
    spec.connect_ms = all.connect_ms != 0 ? all.connect_ms : PL_CONNECT_MS;
    spec.timeout_ms =
        all.timeout_ms != 0 ? all.timeout_ms : PL_SOCKET_TIMEOUT_MS;
    if (all.tls != NULL || spec.target.kind == PL_TARGET_TLS) {
        read_tls(all.tls, &tls, &secure);
        spec.secure = &secure;
        spec.name = tls.name;
    }
    pl_connect_begin(&op, sockets, &spec);
    err = pl_op_wait(&op.op);
    if (err == 0 && op.socket == NULL)
        err = PL_ERR_CLOSED;
    if (err == 0) {
        *socket = op.socket;
        op.socket->home = NULL;
    }
    return err;
}

/* ---- TLS in the middle ---- */

static int make_secure(struct pl_sockets *sockets, struct pl_socket *socket,
                       const struct pl_secure_spec *spec, const char *name)
{
    struct pl_secure_op secure;
    struct pl_socket_op op;
    int err;

    pl_secure_begin(&secure, sockets, spec);
    err = pl_op_wait(&secure.op);
    if (err < 0)
        return err;
    pl_socket_secure_begin(&op, socket, secure.secure, name);
    return pl_op_wait(&op.op);
}

int pl_socket_start_tls(struct pl_request *req, struct pl_socket *socket,
                        const char *name, const struct pl_tls_client *given)
{
    struct pl_sockets *sockets = may_wait();
    struct pl_secure_spec spec;
    struct pl_tls_client tls;

    (void)req;
    if (sockets == NULL)
        return PL_ERR_STATE;
    read_tls(given, &tls, &spec);
    if (name == NULL)
        name = tls.name;
    if (name == NULL && !spec.insecure)
        return PL_ERR_INVALID;
    return make_secure(sockets, socket, &spec, name);
}

int pl_socket_accept_tls(struct pl_request *req, struct pl_socket *socket,
                         const struct pl_tls_server *given)
{
    struct pl_sockets *sockets = may_wait();
    struct pl_tls_server tls;
    struct pl_secure_spec spec;

    (void)req;
    if (sockets == NULL)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&tls, given);
    if (tls.cert == NULL)
        return PL_ERR_INVALID;
    spec = (struct pl_secure_spec){.server = true,
                                   .ca = tls.ca,
                                   .cert = tls.cert,
                                   .key = tls.key,
                                   .alpn = tls.alpn};
    return make_secure(sockets, socket, &spec, NULL);
}

void pl_socket_keep(struct pl_socket *socket)
{
    pl_socket_set_owner(socket, NULL);
}

void pl_socket_set_timeout(struct pl_socket *socket, uint32_t ms)
{
    socket->timeout_ms = ms;
}

/* ---- reading ---- */

static int wait_for(struct pl_socket *socket, enum pl_socket_want want,
                    size_t n, struct pl_str mark)
{
    struct pl_socket_op op;

    if (may_wait() == NULL)
        return PL_ERR_STATE;
    pl_socket_read_begin(&op, socket, want, n, mark);
    return pl_op_wait(&op.op);
}

static void take(struct pl_socket *socket, char *to, size_t n, size_t skip)
{
    memcpy(to, pl_socket_peek(socket).data, n);
    pl_socket_take(socket, n + skip);
}

ssize_t pl_socket_read(struct pl_request *req, struct pl_socket *socket,
                       char *to, size_t n)
{
    int there = wait_for(socket, PL_SOCKET_SOME, 1, PL_STR(""));
    size_t part = PL_MIN(n, (size_t)PL_MAX(there, 0));

    (void)req;
    if (there <= 0)
        return there;
    take(socket, to, part, 0);
    return (ssize_t)part;
}

int pl_socket_read_exactly(struct pl_request *req, struct pl_socket *socket,
                           char *to, size_t n)
{
    size_t done = 0;

    (void)req;
    while (done < n) {
        size_t part = PL_MIN(n - done, (size_t)PL_SOCKET_BUFFER);
        int there = wait_for(socket, PL_SOCKET_EXACTLY, part, PL_STR(""));

        if (there <= 0)
            return there == 0 ? PL_ERR_EOF : there;
        take(socket, to + done, part, 0);
        done += part;
    }
    return 0;
}

ssize_t pl_socket_read_until(struct pl_request *req, struct pl_socket *socket,
                             struct pl_str mark, char *to, size_t size)
{
    size_t most = PL_MIN(size, (size_t)PL_SOCKET_BUFFER - mark.len), len;
    int there;

    (void)req;
    if (mark.len == 0 || mark.len >= PL_SOCKET_BUFFER)
        return PL_ERR_INVALID;
    there = wait_for(socket, PL_SOCKET_UNTIL, most + mark.len, mark);
    if (there <= 0)
        return there == 0 ? PL_ERR_EOF : there;
    len = (size_t)there - mark.len;
    take(socket, to, len, mark.len);
    return (ssize_t)len;
}

ssize_t pl_socket_read_line(struct pl_request *req, struct pl_socket *socket,
                            char *to, size_t size)
{
    size_t most = PL_MIN(size, (size_t)PL_SOCKET_BUFFER - 2), len;
    int there = wait_for(socket, PL_SOCKET_UNTIL, most + 2, PL_STR("\n"));
    struct pl_str bytes;

    (void)req;
    if (there == 0 || (there < 0 && there != PL_ERR_EOF))
        return there == 0 ? PL_ERR_EOF : there;
    bytes = pl_socket_peek(socket);
    if (there > 0)
        bytes = pl_str_first(bytes, (size_t)there - 1);
    len = bytes.len;
    if (there > 0 && len > 0 && bytes.data[len - 1] == '\r')
        len--;
    if (len > size)
        return PL_ERR_LIMIT;
    take(socket, to, len, bytes.len - len + (there > 0));
    return (ssize_t)len;
}

/* ---- writing ---- */

int pl_socket_write(struct pl_request *req, struct pl_socket *socket,
                    struct pl_str bytes)
{
    struct pl_socket_op op;
    int err = may_wait() == NULL ? PL_ERR_STATE : 0;

    (void)req;
    while (err == 0 && bytes.len > 0) {
        ssize_t n = pl_socket_write_some(socket, bytes);

        if (n >= 0) {
            bytes = pl_str_skip(bytes, (size_t)n);
        } else if (n != PL_ERR_AGAIN) {
            err = (int)n;
        } else {
            pl_socket_room_begin(&op, socket);
            err = pl_op_wait(&op.op);
        }
    }
    return err;
}

/* ---- who ---- */

static int format(bool known, const struct pl_addr *addr, char *out)
{
    _Static_assert((int)PL_ADDRESS_TEXT == (int)PL_ADDR_TEXT, "the same");
    if (!known)
        return PL_ERR_CLOSED;
    pl_addr_format(addr, out);
    return 0;
}

int pl_socket_remote(const struct pl_socket *socket, char out[PL_ADDRESS_TEXT])
{
    struct pl_addr addr;

    return format(pl_socket_peer_addr(socket, &addr), &addr, out);
}

int pl_socket_local(const struct pl_socket *socket, char out[PL_ADDRESS_TEXT])
{
    struct pl_addr addr;

    return format(pl_socket_own_addr(socket, &addr), &addr, out);
}
