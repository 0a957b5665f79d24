#include "http/hijack.h"

#include "base/features.h"
#include "http/again.h"
#include "task/fiber.h"

/* The one that the handler before has left. */
static struct pl_socket *take_resumed(struct pl_request *req)
{
    struct pl_socket *socket = req->again->socket;

    req->again->socket = NULL;
    socket->home = NULL;
    pl_request_goes_on(req);
    return socket;
}

int pl_hijack(struct pl_request *req, struct pl_socket **out)
{
    struct pl_sockets *sockets = pl_sockets_current();
    struct pl_socket *socket;
    struct pl_conn *conn;
    int err;

    if (pl_request_is_resumed(req) && req->again->socket != NULL) {
        *out = take_resumed(req);
        return 0;
    }
    if (req->wire == NULL)
        return PL_ERR_CLOSED;
    if (!PL_WITH_SOCKETS || sockets == NULL || req->wire->hijack == NULL)
        return PL_ERR_UNSUPPORTED;
    socket = pl_socket_new(sockets);
    if (socket == NULL)
        return PL_ERR_NOMEM;
    err = req->wire->hijack(req, &conn);
    if (err < 0) {
        pl_socket_free(socket);
        return err;
    }
    socket->served = true;
    pl_socket_attach(socket, conn);
    *out = socket;
    return 0;
}

int pl_request_hijack(struct pl_request *req, struct pl_socket **socket)
{
    int err = pl_on_fiber() ? pl_fiber_sleep(0) : PL_ERR_STATE;

    if (err == 0)
        err = pl_hijack(req, socket);
    if (err == 0)
        pl_socket_set_owner(*socket, pl_task_current());
    return err;
}
