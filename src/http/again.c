#include "http/again.h"

#include "base/str.h"
#include "socket/socket.h"
#include "http/retarget.h"

/* In the place of the last one if there is room: a connection that lives long
 * goes over often. */
static int keep_state(struct pl_again *again, struct pl_str state)
{
    if (state.len > again->room) {
        again->bytes = pl_arena_bytes(&again->req->arena, 2 * state.len);
        again->room = again->bytes == NULL ? 0 : 2 * state.len;
    }
    if (state.len > again->room)
        return PL_ERR_NOMEM;
    if (state.len > 0)
        memcpy(again->bytes, state.data, state.len);
    again->state = pl_str(again->bytes, state.len);
    return 0;
}

int pl_request_again(struct pl_request *req, struct pl_str state)
{
    struct pl_again *again = req->again;
    int err;

    if (again == NULL)
        again = pl_arena_alloc(&req->arena, sizeof(*again));
    if (again == NULL)
        return PL_ERR_NOMEM;
    if (req->again == NULL)
        *again = (struct pl_again){.req = req};
    req->again = again;
    err = keep_state(again, state);
    if (err < 0)
        return err;
    again->leaving = true;
    again->resumed = false;
    if (req->task != NULL)
        pl_task_cancel(req->task);
    return 0;
}

/* What it was given by the generation that it leaves. */
static void forget(struct pl_request *req)
{
    if (req->meter != NULL)
        pl_meter_end(req->meter);
    req->meter = NULL;
    req->settings = req->http->settings;
    req->limits = &req->settings->body;
    req->route = NULL;
    req->chain = NULL;
    req->finished = false;
    if (PL_WITH_REWRITE && req->rewrites > 0)
        pl_request_restore(req);
}

static void resume(struct pl_op *op)
{
    struct pl_request *req = PL_CONTAINER_OF(op, struct pl_again, op)->req;
    void (*drop)(void *generation) = req->drop_generation;
    void *old = req->generation;

    if (req->wire == NULL && req->websocket == NULL &&
        req->again->socket == NULL) { /* its client has left */
        pl_request_drop(req);
        return;
    }
    forget(req);
    req->again->resumed = true;
    req->http->ops->request(req->http->arg, req);
    if (drop != NULL)
        drop(old);
    pl_request_drop(req);
}

void pl_request_again_end(struct pl_request *req)
{
    if (PL_WITH_SOCKETS && req->again->socket != NULL)
        pl_socket_close(req->again->socket);
}

bool pl_request_leaves(struct pl_request *req)
{
    struct pl_again *again = req->again;
    uint32_t wires = (req->wire != NULL) + (req->ws_stream != NULL);

    if (!req->finished || req->holders > wires)
        return false;
    again->leaving = false;
    pl_request_hold(req);
    pl_op_init(&again->op, req->http->sched, NULL);
    pl_op_begin(&again->op);
    pl_op_complete(&again->op, 0);
    pl_op_then(&again->op, resume);
    return true;
}
