#include "socket/serve.h"

#include "base/check.h"

/* From here on the connection is that of its socket. */
static void on_opened(struct pl_conn *conn)
{
    const struct pl_service *service = conn->listener->arg;
    struct pl_sockets *sockets = pl_sockets_current();
    struct pl_socket *socket;

    PL_ASSERT(sockets != NULL);
    socket = pl_socket_new(sockets);
    if (socket == NULL) {
        pl_conn_close(conn, PL_ERR_NOMEM);
        return;
    }
    socket->served = true;
    pl_socket_attach(socket, conn);
    service->accepted(service->arg, socket);
}

/* One for which there was no memory. */
static void on_closed(struct pl_conn *conn, int why)
{
    (void)conn;
    (void)why;
}

const struct pl_protocol pl_service_protocol = {
    .name = "raw",
    .opened = on_opened,
    .closed = on_closed,
};

static void turn_away(void *arg, struct pl_socket *socket)
{
    (void)arg;
    pl_socket_close(socket);
}

const struct pl_service pl_service_nobody = {turn_away, NULL};
