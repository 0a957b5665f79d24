/* gateway_sendfile.c - a script that names a file instead of sending it, by
 * X-Sendfile (a path of the disk) or X-Accel-Redirect (a path of the site): we
 * send it, with all that belongs to a file. Only what lies below the folder
 * that the site has named for it is ever sent. */
#include "base/error.h"
#include "base/str.h"
#include "handlers/gateway_fcgi.h"
#include "handlers/static.h"
#include "http/uri.h"

/* Stands behind the relay, in the request's arena. */
struct sending {
    struct pl_then then; /* the relay is over */
    struct pl_then *next;
    struct pl_file_op fetch;
    struct pl_request *req;
    struct pl_str folder, path;
};

static void conclude(struct sending *sending, int err)
{
    struct pl_request *req = sending->req;
    struct pl_response *res = &req->response;

    if (err < 0 && !res->started) {
        pl_response_reset(res);
        err = pl_response_error(res, pl_err_status(err), pl_str(NULL, 0));
    }
    sending->next->done(sending->next, req, err);
}

static void on_fetched(struct pl_op *op)
{
    struct sending *sending = PL_CONTAINER_OF(op, struct sending, fetch.op);
    struct pl_request *req = sending->req;
    int err = op->result;

    if (err == 0)
        err = pl_static_take(&sending->fetch, req);
    conclude(sending, err);
    pl_request_drop(req);
}

static void on_relay_over(struct pl_then *then, struct pl_request *req,
                          int result)
{
    struct sending *sending = PL_CONTAINER_OF(then, struct sending, then);
    struct pl_response *res = &req->response;
    int err;

    /* The relay has failed, and has answered that. */
    if (result != 0 || res->error_page) {
        sending->next->done(sending->next, req, result);
        return;
    }
    err = pl_static_send(req, sending->folder, sending->path);
    if (err != PL_ERR_AGAIN) {
        conclude(sending, err);
        return;
    }
    pl_request_hold(req);
    pl_static_fetch(&sending->fetch, req, sending->folder, sending->path);
    pl_op_then(&sending->fetch.op, on_fetched);
}

/* ---- what the answer says ---- */

static struct pl_str value_of(const struct pl_response *res, struct pl_str name)
{
    for (unsigned i = 0; i < res->nheaders; i++)
        if (pl_header_word_is(pl_header_name(&res->headers[i]), name))
            return pl_header_value(&res->headers[i]);
    return pl_str(NULL, 0);
}

/* path without base and the slashes behind it; absent: it is not below base. */
static struct pl_str below(struct pl_str path, struct pl_str base)
{
    while (base.len > 0 && base.data[base.len - 1] == '/')
        base.len--;
    if (!pl_str_starts(path, base) || path.len == base.len ||
        path.data[base.len] != '/')
        return pl_str(NULL, 0);
    path = pl_str_skip(path, base.len);
    while (pl_str_starts(path, PL_STR("/")))
        path = pl_str_skip(path, 1);
    return path;
}

/* What the answer names, below the folder for it; false: nothing. *path is
 * absent if it may not be sent. */
static bool read_fields(struct pl_relay *relay, struct pl_str *path)
{
    const struct pl_gateway_fcgi *fcgi = relay->gateway->fcgi;
    struct pl_request *req = relay->req;
    struct pl_str plain = value_of(&req->response, PL_STR("x-sendfile"));
    struct pl_str named = value_of(&req->response, PL_STR("x-accel-redirect"));
    struct pl_str rest = named, raw;

    *path = pl_str(NULL, 0);
    if (plain.data == NULL && named.data == NULL)
        return false;
    if (fcgi->sendfile.data == NULL)
        return true;
    if (plain.data != NULL)
        *path = below(plain, fcgi->sendfile);
    else if (fcgi->sendfile_prefix.data != NULL &&
             pl_str_split(&rest, '?', &raw) &&
             pl_uri_decode_path(raw, &req->arena, path) == 0)
        *path = below(*path, fcgi->sendfile_prefix);
    return true;
}

/* Those that speak to a server before the script, and of the body that is not
 * sent. */
static bool is_for_us(struct pl_str name)
{
    static const char *const names[] = {"x-sendfile", "etag", "last-modified",
                                        "accept-ranges", "content-range"};

    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (pl_header_word_is(name, pl_str_c(names[i])))
            return true;
    return false;
}

/* Those of a file that is not sent stay; "X-Accel-..." never does. */
static void remove_fields(struct pl_response *res, bool file)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < res->nheaders; i++) {
        struct pl_str name = pl_header_name(&res->headers[i]);

        if (!pl_str_istarts(name, PL_STR("x-accel-")) &&
            !(file && is_for_us(name)))
            res->headers[kept++] = res->headers[i];
    }
    res->nheaders = (uint16_t)kept;
}

int pl_relay_take_sendfile(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_response *res = &req->response;
    struct sending *sending;
    struct pl_str path;
    bool named = read_fields(relay, &path);

    remove_fields(res, named);
    if (!named)
        return 0;
    if (path.data == NULL || path.len == 0) {
        pl_relay_fail(relay, 502, "it names a file that may not be sent");
        return 0;
    }
    sending = pl_arena_zeroed(&req->arena, sizeof(*sending));
    if (sending == NULL)
        return PL_ERR_NOMEM;
    sending->then.done = on_relay_over;
    sending->next = relay->then;
    sending->req = req;
    sending->folder = relay->gateway->fcgi->sendfile;
    sending->path = path;
    relay->then = &sending->then;
    relay->silent = true;
    res->length = -1;
    return 0;
}
