/* ws_straight.c - WebSockets for C programs (perilune.h): in straight lines on
 * a handler's fiber, or by functions that are called, each on a fiber of its
 * own. */
#include "base/error.h"
#include "base/log.h"
#include "base/options.h"
#include "base/str.h"
#include "http/request.h"
#include "http/ws_callbacks.h"
#include "http/ws_handshake.h"
#include "task/fiber.h"

static bool may_wait(void)
{
    return pl_on_fiber() && pl_sched_current()->lua_depth == 0;
}

/* ---- accepting ---- */

static uint32_t choose(uint64_t given, uint32_t preset)
{
    return given == 0            ? preset
           : given == UINT64_MAX ? 0
                                 : (uint32_t)PL_MIN(given, INT32_MAX);
}

void pl_ws_settings_read(struct pl_ws_settings *settings,
                         const struct pl_ws_options *options)
{
    struct pl_ws_options given;

    PL_OPTIONS_READ(&given, options);
    *settings = pl_ws_default_settings;
    if (given.max_message != 0)
        settings->max_message = PL_MIN(given.max_message, (uint64_t)SIZE_MAX);
    settings->ping_ms = choose(given.ping_ms, settings->ping_ms);
    settings->timeout_ms = choose(given.timeout_ms, settings->timeout_ms);
    settings->idle_ms = choose(given.idle_ms, settings->idle_ms);
    settings->close_ms = choose(given.close_ms, settings->close_ms);
    settings->compress = (uint8_t)given.compress;
    if (given.compress_min != 0)
        settings->compress_min = given.compress_min;
    if (given.window_bits >= 9 && given.window_bits <= 15)
        settings->window_bits = (uint8_t)given.window_bits;
    settings->protocols = pl_str_c(given.protocols);
    settings->origins = pl_str_c(given.origins);
}

/* Returns 0, or a status: then the answer has been built. */
static int accept_by(struct pl_request *req,
                     const struct pl_ws_settings *settings, struct pl_ws **ws)
{
    const char *why;
    int status = pl_ws_accept_request(req, settings, ws, &why), err;

    if (status == 0)
        return 0;
    err = pl_response_error(&req->response, status, pl_str_c(why));
    return err < 0 ? err : status;
}

int pl_ws_accept(struct pl_request *req, const struct pl_ws_options *options,
                 struct pl_ws **ws)
{
    struct pl_ws_settings *settings =
        pl_arena_alloc(&req->arena, sizeof(*settings));

    if (settings == NULL)
        return PL_ERR_NOMEM;
    pl_ws_settings_read(settings, options);
    return accept_by(req, settings, ws);
}

/* ---- in straight lines ---- */

int pl_ws_receive(struct pl_ws *ws, struct pl_ws_message *message)
{
    struct pl_ws_wait_op wait;
    int got, err;

    while ((got = pl_ws_take(ws, message)) == PL_ERR_AGAIN) {
        if (!may_wait())
            return PL_ERR_STATE;
        pl_ws_receive_begin(&wait, ws->http->sched, ws, 0);
        err = pl_op_wait(&wait.op);
        if (err < 0)
            return err;
    }
    return PL_MIN(got, 0);
}

int pl_ws_try_send(struct pl_ws *ws, enum pl_ws_kind kind, struct pl_str data)
{
    return pl_ws_write(ws, kind, data);
}

int pl_ws_send(struct pl_ws *ws, enum pl_ws_kind kind, struct pl_str data)
{
    struct pl_ws_wait_op wait;
    int err;

    while ((err = pl_ws_write(ws, kind, data)) == PL_ERR_AGAIN) {
        if (!may_wait())
            return PL_ERR_AGAIN;
        pl_ws_drain_begin(&wait, ws->http->sched, ws);
        err = pl_op_wait(&wait.op);
        if (err < 0)
            return err;
    }
    return err;
}

/* ---- by callbacks ---- */

static void failed(struct pl_ws *ws, int err)
{
    if (err != PL_ERR_CLOSED && err != PL_ERR_CANCELED)
        pl_log(PL_LOG_ERROR, "http", "a websocket's callback failed: %s",
               pl_err_text(err));
    (void)pl_ws_close(ws, PL_WS_ERROR, pl_str(NULL, 0));
}

/* Calls for each message that is there, and at the end for that. */
static int run(void *arg)
{
    struct pl_ws *ws = arg;
    const struct pl_ws_route *route =
        PL_CONTAINER_OF(ws->settings, struct pl_ws_route, settings);
    struct pl_ws_message message;
    struct pl_str reason;
    int got, err;

    while ((got = pl_ws_take(ws, &message)) == 1) {
        err = route->callbacks.message == NULL
                  ? 0
                  : route->callbacks.message(ws, &message, route->arg);
        if (err < 0)
            failed(ws, err);
    }
    ws->busy = false;
    if (got == PL_ERR_AGAIN)
        return 0;
    ws->reader = NULL;
    pl_ws_closed(ws, &reason);
    if (route->callbacks.close != NULL)
        route->callbacks.close(ws, ws->code, reason, route->arg);
    pl_ws_release(ws, PL_WS_NORMAL);
    return 0;
}

/* Something is new: a fiber looks at it, unless one does already. */
static void on_ready(struct pl_ws *ws)
{
    if (ws->busy)
        return;
    ws->busy = true;
    if (pl_fiber_spawn(ws->http->sched, NULL, run, ws, NULL) == 0)
        return;
    pl_log(PL_LOG_ERROR, "http", "no memory for a websocket's callback");
    ws->reader = NULL; /* nobody can be told of the end */
    pl_ws_release(ws, PL_WS_ERROR);
}

static const struct pl_ws_reader reader = {.ready = on_ready};

int pl_ws_serve(struct pl_request *req, struct pl_response *res, void *arg)
{
    const struct pl_ws_route *route = arg;
    struct pl_ws *ws;
    int err = accept_by(req, &route->settings, &ws);

    (void)res;
    if (err == 0 && route->callbacks.open != NULL)
        err = route->callbacks.open(ws, req, route->arg);
    if (err != 0)
        return err;
    pl_ws_adopt(req);
    ws->reader = &reader;
    if (ws->work != NULL || ws->state != PL_WS_OPEN)
        on_ready(ws);
    return 0;
}
