/* gateway_fcgi.c - requests sent on to FastCGI programs: pl.fastcgi,
 * pl_app_fastcgi.
 *
 *     path -> script, file, folder      (script.h; on an offload thread where
 *        |                               the disk has to be waited for)
 *        v
 *     gather: a body whose length nobody has said, as CGI must say it
 *        |
 *        v
 *     relay (gateway.c): params, body ->   <- head, body, errors
 *
 * All that has to do with servers, time, bodies and the end is the relay's, as
 * it is of a proxy. */
#include "handlers/gateway_fcgi.h"

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "client/records.h"
#include "handlers/answer.h"

enum {
    LINE_MAX_LEN = 2048, /* of what a script says of errors; longer are cut */
    LINES_MAX = 100,     /* of a request */
};

/* ---- what a relay does differently ---- */

static bool has_field(struct pl_request *req, enum pl_header_id id)
{
    return pl_request_header_id(req, id).data != NULL;
}

/* Bodies whose length is not known have been gathered before. */
static enum pl_relay_body body_of(struct pl_request *req)
{
    if (!req->body.complete)
        return PL_RELAY_LENGTH;
    return pl_body_waiting(&req->body).len > 0 ||
                   has_field(req, PL_HEADER_CONTENT_LENGTH) ||
                   has_field(req, PL_HEADER_TRANSFER_ENCODING)
               ? PL_RELAY_WHOLE
               : PL_RELAY_NO_BODY;
}

static int prepare(struct pl_relay *relay, const char **why)
{
    (void)why;
    relay->mode = body_of(relay->req);
    switch (pl_relay_make_params(relay)) {
    case 0:
        return 0;
    case PL_ERR_LIMIT:
        return 431;
    default:
        return 503;
    }
}

static int write_head(struct pl_relay *relay)
{
    return pl_fetch_begin_records(&relay->fetch, pl_buf_str(relay->pairs));
}

static int write_piece(struct pl_relay *relay, struct pl_str piece)
{
    return pl_fetch_write_input(&relay->fetch, piece);
}

static int write_end(struct pl_relay *relay)
{
    return pl_fetch_end_input(&relay->fetch);
}

static int take_head(struct pl_relay *relay)
{
    int err = pl_relay_take_head(relay);

    return err < 0 ? err : pl_relay_take_sendfile(relay);
}

/* ---- what it says of errors ---- */

static void log_line(struct pl_relay *relay)
{
    struct pl_str line = pl_str_trim(pl_buf_str(relay->errors));
    char id[PL_REQUEST_ID_LEN];

    relay->errors->len = 0;
    if (pl_str_ends(line, PL_STR("\r")))
        line.len--;
    if (line.len == 0 || relay->lines > LINES_MAX)
        return;
    if (++relay->lines > LINES_MAX)
        line = PL_STR("... and more");
    pl_request_id(relay->req, id);
    pl_log_each(PL_LOG_WARN, "handlers",
                "fastcgi: %.*s server=%.*s request=%.16s", PL_STR_ARG(line),
                PL_STR_ARG(relay->server->origin->url), id);
}

static void errors(struct pl_relay *relay, struct pl_str bytes)
{
    if (relay->errors == NULL)
        relay->errors = pl_request_buf(relay->req);
    if (relay->errors == NULL)
        return;
    while (bytes.len > 0) {
        size_t room = LINE_MAX_LEN - relay->errors->len;
        struct pl_str part = pl_str_first(bytes, room);
        ptrdiff_t end = pl_str_chr(part, '\n');

        if (end >= 0)
            part.len = (size_t)end;
        if (pl_buf_add(relay->errors, part) < 0)
            return;
        bytes = pl_str_skip(bytes, part.len + (end >= 0));
        if (end >= 0 || part.len == room)
            log_line(relay);
    }
}

static void over(struct pl_relay *relay)
{
    if (relay->errors != NULL && relay->errors->len > 0)
        log_line(relay);
}

static const struct pl_gateway_wire wire = {
    .prepare = prepare,
    .write_head = write_head,
    .write_piece = write_piece,
    .write_end = write_end,
    .take_head = take_head,
    .errors = errors,
    .over = over,
};

/* ---- before it ---- */

/* A request that has no relay yet; in its arena. */
struct visit {
    struct pl_gateway *gateway;
    struct pl_request *req;
    struct pl_then *then;
    struct pl_script script;
    struct pl_offload_op look;
    struct pl_body_op body;
};

static void end(struct visit *visit, int result)
{
    visit->then->done(visit->then, visit->req, result);
}

static void refuse(struct visit *visit, int status)
{
    end(visit,
        pl_response_error(&visit->req->response, status, pl_str(NULL, 0)));
}

static void gather(struct visit *visit);

static void on_body(struct pl_op *op)
{
    struct visit *visit = PL_CONTAINER_OF(op, struct visit, body.op);
    struct pl_request *req = visit->req;

    if (op->result < 0)
        end(visit, op->result);
    else
        gather(visit);
    pl_request_drop(req);
}

/* Also one that is there already, as it may be too large to be one. What
 * somebody before us reads as a whole may not be in memory. */
static bool must_gather(const struct visit *visit)
{
    const struct pl_body *body = &visit->req->body;

    if (body->use == PL_BODY_WHOLE)
        return true;
    if (body->complete && body->received == 0)
        return false;
    return visit->gateway->fcgi->gathers || body->length < 0 ||
           body->decoder != NULL;
}

/* Goes on to the relay when the body is there, or may come piece by piece. */
static void gather(struct visit *visit)
{
    struct pl_request *req = visit->req;
    int err = must_gather(visit) ? pl_body_whole(req) : 0;

    if (err == PL_ERR_AGAIN) {
        pl_request_hold(req);
        pl_body_wait_begin(&visit->body, req);
        pl_op_then(&visit->body.op, on_body);
    } else if (err < 0) {
        refuse(visit, pl_err_status(err));
    } else {
        pl_relay_start(visit->gateway, req, visit->then, &visit->script);
    }
}

static void proceed(struct visit *visit, int err)
{
    struct pl_handler *files = visit->gateway->fcgi->files;
    struct pl_request *req = visit->req;

    if (err < 0)
        refuse(visit, pl_err_status(err));
    else if (visit->script.kind == PL_SCRIPT_SLASH)
        end(visit, pl_file_redirect(req));
    else if (visit->script.kind == PL_SCRIPT_FILE)
        files->start(files, req, visit->then);
    else
        gather(visit);
}

/* The request waits meanwhile, whatever its peer does: nobody else has visit.
 */
static int look(void *arg)
{
    struct visit *visit = arg;

    return pl_script_find(&visit->gateway->fcgi->folder, visit->req->rest, true,
                          &visit->script);
}

static void on_looked(struct pl_op *op)
{
    struct visit *visit = PL_CONTAINER_OF(op, struct visit, look.op);
    struct pl_request *req = visit->req;
    int err = op->result;

    pl_offload_end(&visit->look);
    proceed(visit, err == PL_ERR_LIMIT ? PL_ERR_BUSY : err);
    pl_request_drop(req);
}

static void choose(struct visit *visit)
{
    const struct pl_script_folder *folder = &visit->gateway->fcgi->folder;
    struct pl_request *req = visit->req;
    struct pl_sched *sched = req->http->sched;
    int err = PL_ERR_AGAIN;

    if (!folder->remote || sched->offload == NULL)
        err = pl_script_find(folder, req->rest, sched->offload == NULL,
                             &visit->script);
    if (err != PL_ERR_AGAIN) {
        proceed(visit, err);
        return;
    }
    pl_request_hold(req);
    pl_offload_begin(&visit->look, sched, look, visit, NULL);
    pl_op_then(&visit->look.op, on_looked);
}

/* One program has all paths: what follows the prefix is for it to understand.
 */
static void pass_all(struct visit *visit)
{
    struct pl_request *req = visit->req;

    visit->script = (struct pl_script){
        .kind = PL_SCRIPT_RUN,
        .info = pl_str_skip(req->path, pl_gateway_prefix_len(req)),
    };
    gather(visit);
}

static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    struct visit *visit = pl_arena_zeroed(&req->arena, sizeof(*visit));

    if (visit == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    visit->gateway = PL_CONTAINER_OF(handler, struct pl_gateway, handler);
    visit->req = req;
    visit->then = then;
    if (req->connect_protocol.data != NULL)
        refuse(visit, 501); /* there is no way back for a second stream */
    else if (!visit->gateway->fcgi->chooses)
        pass_all(visit);
    /* "//" before the mount would be another host in a Location. */
    else if (pl_str_find(req->path, PL_STR("//")) >= 0 &&
             req->rest.data == NULL)
        refuse(visit, 404);
    else if (req->rest.data == NULL)
        end(visit, pl_file_redirect(req));
    else
        choose(visit);
}

void pl_gateway_fcgi_init(struct pl_gateway *gateway)
{
    gateway->wire = &wire;
    gateway->handler = (struct pl_handler){
        .kind = "fastcgi", .start = start, .free = pl_gateway_free};
}

void pl_gateway_fcgi_free(struct pl_gateway_fcgi *fcgi)
{
    if (fcgi->files != NULL)
        fcgi->files->free(fcgi->files);
    if (fcgi->folder.fd >= 0)
        pl_sys_close(fcgi->folder.fd);
    pl_free(fcgi);
}
