/* input.c - records that come, and which request they belong to.
 *
 * Content is taken as it comes: a record need not be there as a whole, but for
 * those of a fixed form and questions. What belongs to no request (any more) is
 * passed over (3.3). A head that no web server may send ends the connection:
 * nobody knows where the next one begins. */
#include "base/error.h"
#include "base/str.h"
#include "fcgi/state.h"

typedef void on_record(struct pl_fcgi *fcgi,
                       const struct pl_fcgi_record *record,
                       struct pl_str content);

/* ---- BEGIN_REQUEST, ABORT_REQUEST ---- */

static void refuse_begin(struct pl_fcgi *fcgi, uint16_t id, bool keep,
                         enum pl_fcgi_status status)
{
    char out[PL_FCGI_SMALL];

    fcgi->last = fcgi->last || !keep;
    fcgi->unread = true; /* its params are on their way */
    pl_fcgi_say_records(fcgi, out, pl_fcgi_put_end(out, id, 0, status));
}

static void on_begin(struct pl_fcgi *fcgi, const struct pl_fcgi_record *record,
                     struct pl_str content)
{
    struct pl_fcgi_begin begin;
    bool keep;

    if (pl_fcgi_stream_find(fcgi, record->id) != NULL) {
        pl_fcgi_fail(fcgi, "a request begins that has begun");
        return;
    }
    pl_fcgi_begin_read(&begin, content.data);
    keep = begin.flags & PL_FCGI_KEEP_CONN;
    if (begin.role != PL_FCGI_RESPONDER && begin.role != PL_FCGI_AUTHORIZER)
        refuse_begin(fcgi, record->id, keep, PL_FCGI_UNKNOWN_ROLE);
    else if (pl_fcgi_stream_open(fcgi, record->id, &begin) == NULL)
        refuse_begin(fcgi, record->id, keep, PL_FCGI_OVERLOADED);
}

static void on_abort(struct pl_fcgi *fcgi, const struct pl_fcgi_record *record,
                     struct pl_str content)
{
    struct pl_fcgi_stream *stream = pl_fcgi_stream_find(fcgi, record->id);

    if (stream != NULL)
        pl_fcgi_stream_abort(stream);
}

/* ---- about the connection ---- */

enum { VALUE_MAX = 20, VALUES = 3 };

static const struct pl_str value_names[VALUES] = {
    {"FCGI_MAX_CONNS", 14}, {"FCGI_MAX_REQS", 13}, {"FCGI_MPXS_CONNS", 15}};

/* What each is; 0: there is no answer to it. */
static uint64_t value_of(const struct pl_fcgi *fcgi, unsigned which)
{
    uint64_t conns = pl_conn_net(fcgi->conn)->limits.max_conns;

    return which == 0 ? conns : which == 1 ? conns * PL_FCGI_STREAMS : 1;
}

static char *put_values(const struct pl_fcgi *fcgi, char *out, unsigned asked)
{
    char text[VALUE_MAX];

    for (unsigned i = 0; i < VALUES; i++) {
        uint64_t value = value_of(fcgi, i);

        if ((asked & 1u << i) && value > 0)
            out = pl_fcgi_put_pair(out, value_names[i],
                                   pl_str(text, pl_u64_format(text, value)));
    }
    return out;
}

/* 4.1: names that nobody knows are left out of the answer. */
static void on_get_values(struct pl_fcgi *fcgi,
                          const struct pl_fcgi_record *record,
                          struct pl_str content)
{
    char out[PL_FCGI_HEAD + VALUES * 64], *end;
    struct pl_fcgi_pair pair;
    unsigned asked = 0;
    size_t need;

    while (content.len > 0) {
        if (pl_fcgi_pair_read(&content, &pair, &need) < 0) {
            pl_fcgi_fail(fcgi, "malformed GET_VALUES");
            return;
        }
        for (unsigned i = 0; i < VALUES; i++)
            if (pl_str_eq(pair.name, value_names[i]))
                asked |= 1u << i;
    }
    end = put_values(fcgi, out + PL_FCGI_HEAD, asked);
    pl_fcgi_put_head(out, PL_FCGI_GET_VALUES_RESULT, 0,
                     (size_t)(end - out) - PL_FCGI_HEAD);
    pl_fcgi_say_records(fcgi, out, end);
}

/* 4.2. Of a request: it is a part of it that we do not know. */
static void on_unknown(struct pl_fcgi *fcgi,
                       const struct pl_fcgi_record *record,
                       struct pl_str content)
{
    char out[PL_FCGI_SMALL];

    if (record->id == 0)
        pl_fcgi_say_records(fcgi, out,
                            pl_fcgi_put_unknown_type(out, record->type));
}

/* The Filter's (6.4), which is no role of ours. */
static void on_data(struct pl_fcgi *fcgi, const struct pl_fcgi_record *record,
                    struct pl_str content)
{
}

/* ---- PARAMS ---- */

static size_t params_max(const struct pl_fcgi *fcgi)
{
    return pl_fcgi_http(fcgi)->settings->h1.head + (size_t)PL_FCGI_OWN_PARAMS;
}

static void keep_params(struct pl_fcgi_stream *stream, struct pl_str piece)
{
    if (stream->large)
        return;
    if (stream->params.len + piece.len > params_max(stream->fcgi) ||
        pl_buf_add(&stream->params, piece) < 0) {
        stream->large = true;
        pl_buf_fini(&stream->params);
    }
}

/* What is usual: all of them in one record that is there, and their end behind
 * it. Gives what was used, 0 if it is not so. */
static size_t params_at_once(struct pl_fcgi_stream *stream,
                             const struct pl_fcgi_record *record,
                             struct pl_str bytes)
{
    struct pl_fcgi *fcgi = stream->fcgi;
    size_t at = PL_FCGI_HEAD + (size_t)record->length + record->padding;
    struct pl_fcgi_record next;

    if (record->length == 0 || bytes.len < at + PL_FCGI_HEAD ||
        stream->params.len > 0 || stream->large ||
        record->length > params_max(fcgi))
        return 0;
    pl_fcgi_record_read(&next, bytes.data + at);
    if (pl_fcgi_record_check(&next) < 0 || next.type != PL_FCGI_PARAMS ||
        next.id != record->id || next.length > 0)
        return 0;
    fcgi->pad_left = next.padding;
    pl_fcgi_stream_begin(stream,
                         pl_str(bytes.data + PL_FCGI_HEAD, record->length));
    return at + PL_FCGI_HEAD;
}

/* The head of a record has come. Returns what was used. */
static size_t on_params(struct pl_fcgi *fcgi,
                        const struct pl_fcgi_record *record,
                        struct pl_str bytes)
{
    struct pl_fcgi_stream *stream = pl_fcgi_stream_find(fcgi, record->id);
    size_t used = 0;

    if (stream != NULL && stream->stage != PL_FCGI_IN_PARAMS) {
        pl_fcgi_fail(fcgi, "params behind their end");
        return bytes.len;
    }
    if (stream != NULL)
        used = params_at_once(stream, record, bytes);
    if (used > 0)
        return used;
    fcgi->left = record->length;
    fcgi->pad_left = record->padding;
    if (stream != NULL && record->length == 0)
        pl_fcgi_stream_begin(stream, pl_buf_str(&stream->params));
    return PL_FCGI_HEAD;
}

/* ---- STDIN ---- */

void pl_fcgi_start(struct pl_fcgi *fcgi)
{
    struct pl_fcgi_stream *stream = fcgi->starting;

    fcgi->starting = NULL;
    pl_request_begin(stream->req);
}

/* What is beyond the length that was announced is none of the body (RFC 3875,
 * 4.2). */
static void body_data(struct pl_fcgi_stream *stream, struct pl_str piece)
{
    struct pl_request *req = stream->req;
    int64_t length;

    stream->seen += piece.len;
    if (req == NULL || req->body.complete)
        return;
    length = req->body.length;
    if (length >= 0 && stream->seen > (uint64_t)length)
        piece.len -= (size_t)(stream->seen - (uint64_t)length);
    pl_body_feed(req, piece);
    if (length >= 0 && stream->seen >= (uint64_t)length)
        pl_body_end(req, 0);
    if (pl_body_full(&req->body) && pl_fcgi_is_full(stream->fcgi))
        pl_conn_pause(stream->fcgi->conn);
}

static void body_over(struct pl_fcgi_stream *stream)
{
    struct pl_request *req = stream->req;

    stream->stage = PL_FCGI_READ;
    if (req == NULL || req->body.complete)
        return;
    pl_body_end(req, req->body.length > 0 &&
                             stream->seen < (uint64_t)req->body.length
                         ? PL_ERR_CLOSED
                         : 0);
}

static size_t on_stdin(struct pl_fcgi *fcgi,
                       const struct pl_fcgi_record *record, struct pl_str bytes)
{
    struct pl_fcgi_stream *stream = pl_fcgi_stream_find(fcgi, record->id);

    if (stream != NULL && stream->stage == PL_FCGI_IN_PARAMS) {
        pl_fcgi_fail(fcgi, "a body before the end of the params");
        return bytes.len;
    }
    fcgi->left = record->length;
    fcgi->pad_left = record->padding;
    if (stream != NULL && stream->stage == PL_FCGI_IN_BODY &&
        record->length == 0)
        body_over(stream);
    return PL_FCGI_HEAD;
}

/* ---- any record ---- */

/* A part of the content of a stream, or of what is passed over. */
static size_t content_input(struct pl_fcgi *fcgi, struct pl_str bytes)
{
    struct pl_str piece = pl_str_first(bytes, fcgi->left);
    struct pl_fcgi_stream *stream =
        piece.len > 0 ? pl_fcgi_stream_find(fcgi, fcgi->record.id) : NULL;
    size_t pad;

    fcgi->left -= (uint32_t)piece.len;
    if (stream != NULL && fcgi->record.type == PL_FCGI_PARAMS)
        keep_params(stream, piece);
    else if (stream != NULL && fcgi->record.type == PL_FCGI_STDIN &&
             stream->stage == PL_FCGI_IN_BODY)
        body_data(stream, piece);
    pad = PL_MIN(bytes.len - piece.len, fcgi->pad_left);
    fcgi->pad_left -= (uint32_t)pad;
    return piece.len + pad;
}

/* What an application takes. */
static const struct kind {
    on_record *handle;
    bool whole; /* it looks at the content */
} kinds[] = {
    [PL_FCGI_BEGIN_REQUEST] = {on_begin, true},
    [PL_FCGI_ABORT_REQUEST] = {on_abort, false},
    [PL_FCGI_DATA] = {on_data, false},
    [PL_FCGI_GET_VALUES] = {on_get_values, true},
    [PL_FCGI_UNKNOWN_TYPE] = {NULL, false},
};

/* Everything but PARAMS and STDIN. */
static size_t on_other(struct pl_fcgi *fcgi,
                       const struct pl_fcgi_record *record, struct pl_str bytes)
{
    static const struct kind unknown = {on_unknown, false};
    const struct kind *kind = record->type < PL_COUNT(kinds) && record->type > 0
                                  ? &kinds[record->type]
                                  : &unknown;
    size_t content = kind->whole ? record->length : 0;

    if (kind->handle == NULL) {
        pl_fcgi_fail(fcgi, "a record that applications send");
        return bytes.len;
    }
    if (bytes.len < PL_FCGI_HEAD + content)
        return 0;
    fcgi->left = record->length - (uint32_t)content;
    fcgi->pad_left = record->padding;
    kind->handle(fcgi, record, pl_str(bytes.data + PL_FCGI_HEAD, content));
    return PL_FCGI_HEAD + content;
}

size_t pl_fcgi_input(struct pl_fcgi *fcgi, struct pl_str bytes)
{
    struct pl_fcgi_record record;

    if (fcgi->left + fcgi->pad_left > 0)
        return content_input(fcgi, bytes);
    if (bytes.len < PL_FCGI_HEAD)
        return 0;
    pl_fcgi_record_read(&record, bytes.data);
    if (pl_fcgi_record_check(&record) < 0) {
        pl_fcgi_fail(fcgi, "a malformed record");
        return bytes.len;
    }
    if (fcgi->starting != NULL &&
        (record.id != fcgi->starting->id || record.type != PL_FCGI_STDIN))
        pl_fcgi_start(fcgi);
    if (fcgi->conn->flags & (PL_CONN_CLOSED | PL_CONN_FINISHING))
        return bytes.len;
    fcgi->record = record;
    switch (record.type) {
    case PL_FCGI_PARAMS:
        return on_params(fcgi, &record, bytes);
    case PL_FCGI_STDIN:
        return on_stdin(fcgi, &record, bytes);
    default:
        return on_other(fcgi, &record, bytes);
    }
}
