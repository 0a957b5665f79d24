#include "http/form.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "http/request.h"

static int make(struct pl_request *req)
{
    struct pl_part *part = pl_arena_zeroed(&req->arena, sizeof(*part));
    struct pl_str type = pl_request_header_id(req, PL_HEADER_CONTENT_TYPE);
    int err;

    if (part == NULL)
        return PL_ERR_NOMEM;
    err = pl_form_data_init(&part->form, type, req->arena.pool, &req->account);
    if (err < 0)
        return err;
    part->req = req;
    req->part = part;
    return 0;
}

int pl_form_begin(struct pl_request *req, const struct pl_form_limits *limits)
{
    int err = req->part != NULL ? PL_ERR_STATE : 0;

    if (err == 0)
        err = pl_body_use(req, PL_BODY_PARTS);
    if (err == 0)
        err = make(req);
    if (err < 0)
        return err;
    req->part->form.max_parts = limits->max_parts;
    req->part->max_size = limits->max_size;
    return pl_body_limit(req, limits->max_total);
}

void pl_form_end(struct pl_request *req)
{
    if (req->part != NULL)
        pl_form_data_fini(&req->part->form);
}

/* ---- steps ---- */

/* What comes next, where nothing is known: data become known and stay, all else
 * is taken from the body. */
static int advance(struct pl_part *part)
{
    struct pl_body *body = &part->req->body;
    size_t used;
    int event = pl_form_data_step(&part->form, pl_body_waiting(body), &used);

    if (event == PL_FORM_DATA)
        part->known = used;
    else
        pl_body_skip(part->req, used);
    if (event != PL_ERR_AGAIN)
        return event;
    event = pl_body_need_more(body);
    if (event == PL_ERR_EOF) {
        part->form.wrong = "it ends before its last boundary";
        event = PL_ERR_PROTO;
    }
    return event;
}

static void begin_part(struct pl_part *part)
{
    part->open = true;
    part->size = 0;
    part->limit = part->max_size;
    part->number++;
}

int pl_form_next(struct pl_request *req)
{
    struct pl_part *part = req->part;
    int event = part->err;

    while (event >= 0 && !part->over) {
        pl_body_skip(req, part->known);
        part->known = 0;
        event = advance(part);
        if (event == PL_FORM_PART) {
            begin_part(part);
            return 1;
        }
        if (event == PL_FORM_PART_END)
            part->open = false;
        part->over = event == PL_FORM_END;
    }
    return PL_MIN(event, 0);
}

void pl_form_limit(struct pl_request *req, uint64_t max)
{
    struct pl_part *part = req->part;

    if (max != 0 && (part->limit == 0 || part->limit - part->size > max))
        part->limit = part->size + max;
}

/* Makes some of the part's data known. 0: they are, or it is at its end. */
static int look(struct pl_part *part)
{
    int event = 0;

    if (part->err < 0 || !part->open)
        return part->err;
    if (part->known == 0)
        event = advance(part);
    if (event == PL_FORM_PART_END)
        part->open = false;
    if (part->limit != 0 && part->size + part->known > part->limit) {
        part->form.wrong = "too large a part";
        part->known = 0;
        part->err = event = PL_ERR_LIMIT;
    }
    return PL_MIN(event, 0);
}

int pl_form_peek(struct pl_request *req, size_t n, struct pl_str *bytes)
{
    struct pl_part *part = req->part;
    int err = look(part);

    *bytes = pl_str_first(pl_body_waiting(&req->body),
                          err < 0 ? 0 : PL_MIN(part->known, n));
    return err;
}

static void taken(struct pl_part *part, size_t n)
{
    part->known -= n;
    part->size += n;
}

void pl_form_skip(struct pl_request *req, size_t n)
{
    PL_ASSERT(n <= req->part->known);
    taken(req->part, n);
    pl_body_skip(req, n);
}

/* Is it better to wait until the buffer is full, so that a peer which sends
 * little by little does not make as many writes? */
static bool should_wait(const struct pl_part *part)
{
    const struct pl_body *body = &part->req->body;
    size_t waiting = pl_body_waiting(body).len;

    return !body->complete && waiting < body->high &&
           waiting - part->known < part->form.delimiter_len;
}

int pl_form_store(struct pl_request *req, struct pl_sink *sink)
{
    struct pl_part *part = req->part;
    struct pl_body *body = &req->body;
    size_t n;
    int err = pl_sink_status(sink);

    if (err == 0)
        err = body->err;
    if (err == 0)
        err = look(part);
    if (err < 0 || part->known == 0)
        return err;
    if (should_wait(part)) {
        part->known = 0; /* more will be, when it is looked for again */
        body->least = body->high;
        return PL_ERR_AGAIN;
    }
    n = part->known;
    err = pl_sink_take(sink, n);
    if (err == PL_ERR_AGAIN)
        taken(part, n);
    return err;
}

const char *pl_form_wrong(const struct pl_request *req)
{
    return req->part == NULL ? NULL : req->part->form.wrong;
}
