/* tls_loopback.h - a TLS that leaves the bytes as they are and is agreed on at
 * once: what connections promise must hold with a layer below, too. */
#ifndef PL_TESTS_TLS_LOOPBACK_H
#define PL_TESTS_TLS_LOOPBACK_H

#include "net_world.h"

#include <stdlib.h>

#include "base/sys.h"
#include "net/conn_tls.h"

static struct pl_tls_context *loopback;
static const struct pl_protocol *above;

static int lb_set_new(const struct pl_tls_setup *setup, void **out,
                      struct pl_error *error)
{
    (void)setup, (void)error;
    *out = (void *)&loopback;
    return 0;
}

static void lb_nothing(void *ptr)
{
    (void)ptr;
}

static int lb_io_open(struct pl_tls_io *io)
{
    *io = (struct pl_tls_io){.out_room = 1 << 20};
    io->out = pl_malloc(io->out_room);
    return io->out == NULL ? PL_ERR_NOMEM : 0;
}

static void lb_io_close(struct pl_tls_io *io)
{
    pl_free(io->out);
}

static size_t lb_whole(struct pl_str bytes)
{
    return bytes.len;
}

static void *lb_session_new(void *set, struct pl_tls_io *io, const char *name)
{
    (void)set, (void)name;
    return io;
}

static int lb_handshake(void *session)
{
    (void)session;
    return 0;
}

static ssize_t lb_read(void *session, char *to, size_t room)
{
    struct pl_tls_io *io = session;
    size_t len = PL_MIN(room, io->in_len);

    if (len == 0)
        return PL_ERR_AGAIN;
    memcpy(to, io->in, len);
    io->in += len;
    io->in_len -= len;
    return (ssize_t)len;
}

static int lb_write(void *session, const char *bytes, size_t len)
{
    struct pl_tls_io *io = session;

    CHECK(len <= io->out_room - io->out_len, "a batch at most");
    memcpy(io->out + io->out_len, bytes, len);
    io->out_len += len;
    return 0;
}

static int lb_alpn(void *session)
{
    (void)session;
    return PL_TLS_NO_ALPN;
}

static bool lb_resumed(void *session)
{
    (void)session;
    return false;
}

static const struct pl_tls_offer lb_offer = {
    .set_new = lb_set_new,
    .set_drop = lb_nothing,
    .io_open = lb_io_open,
    .io_close = lb_io_close,
    .whole = lb_whole,
    .session_new = lb_session_new,
    .session_free = lb_nothing,
    .handshake = lb_handshake,
    .read = lb_read,
    .write = lb_write,
    .finish = lb_nothing,
    .alpn = lb_alpn,
    .resumed = lb_resumed,
    .is_13 = lb_resumed,
};

static void lb_opened(struct pl_conn *conn)
{
    pl_conn_tls_connect(conn, loopback, NULL, above);
}

static const struct pl_protocol lb_protocol = {.opened = lb_opened};

static void start_loopback(const struct pl_protocol *protocol)
{
    static const struct pl_tls_options options;

    above = protocol;
    CHECK_INT(
        0,
        pl_tls_context_make(&lb_offer, &options, true, NULL, &loopback, NULL),
        "context");
    start_listening(&lb_protocol, NULL);
    listener->more = true;
}

static void end_loopback(void)
{
    pl_tls_context_free(loopback);
}

#endif
