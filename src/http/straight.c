/* straight.c - reading a body and writing a stream in straight lines, for C
 * programs (perilune.h). The handler's fiber waits where body.h and response.h
 * say PL_ERR_AGAIN. */
#include "base/error.h"
#include "base/str.h"
#include "http/media.h"
#include "http/query.h"
#include "http/request.h"
#include "task/fiber.h"

static bool may_wait(void)
{
    return pl_on_fiber() && pl_sched_current()->lua_depth == 0;
}

/* ---- the request's body ---- */

int pl_body_wait(struct pl_request *req)
{
    struct pl_body_op wait;

    if (!may_wait())
        return PL_ERR_STATE;
    pl_body_wait_begin(&wait, req);
    return pl_op_wait(&wait.op);
}

ssize_t pl_request_read(struct pl_request *req, char *to, size_t n)
{
    ssize_t got;
    int err;

    while ((got = pl_body_read(req, to, n)) == PL_ERR_AGAIN)
        if ((err = pl_body_wait(req)) < 0)
            return err;
    return got;
}

int pl_request_body(struct pl_request *req, struct pl_str *body)
{
    int err, wait_err;

    while ((err = pl_body_whole(req)) == PL_ERR_AGAIN)
        if ((wait_err = pl_body_wait(req)) < 0)
            return wait_err;
    if (err == 0)
        *body = pl_body_text(req);
    return err;
}

struct pl_str pl_request_form_arg(struct pl_request *req, struct pl_str name)
{
    struct pl_str type = pl_request_header_id(req, PL_HEADER_CONTENT_TYPE);
    struct pl_str body;

    if (!pl_media_is(type, PL_STR("application/x-www-form-urlencoded")) ||
        pl_request_body(req, &body) < 0)
        return pl_str(NULL, 0);
    return pl_query_get(body, name, &req->arena);
}

/* ---- the response as a stream ---- */

int pl_response_pace(struct pl_response *res, int err)
{
    struct pl_drain_op wait;

    if (err == 0 && may_wait() && pl_loop_is_late(pl_sched_current()->loop))
        return pl_fiber_sleep(0); /* nobody else has run for long */
    if (err != PL_ERR_AGAIN || !may_wait())
        return err;
    pl_response_drain_begin(&wait, res);
    return pl_op_wait(&wait.op);
}

int pl_response_write(struct pl_response *res, struct pl_str bytes)
{
    size_t most = may_wait() ? PL_RESPONSE_PIECE : SIZE_MAX;
    struct pl_str piece;
    int err;

    do {
        piece = pl_str_first(bytes, most);
        bytes = pl_str_skip(bytes, piece.len);
        err = pl_response_pace(res, pl_response_push(res, piece));
    } while (err == 0 && bytes.len > 0);
    return err;
}

int pl_response_flush(struct pl_response *res)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    int err = pl_response_push(res, PL_STR(""));

    if (req->wire != NULL && (err == 0 || err == PL_ERR_AGAIN))
        req->wire->flush(req);
    return err == PL_ERR_AGAIN ? 0 : err;
}
