/* compress.c - the filter: which responses are compressed, and into what. How
 * they are sent then is in compress_wire.c. */
#include "filters/compress_priv.h"

#include <string.h>

#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/decode.h"
#include "filters/vary.h"
#include "http/conditional.h"
#include "http/negotiate.h"
#include "http/status.h"

/* ---- may it be compressed? ---- */

/* The file that the content is, as it lies on the disk; or NULL. */
static const struct pl_file_version *file_of(const struct pl_response *res)
{
    const struct pl_file *file = res->file_of;
    const struct pl_file_version *version;

    if (file == NULL)
        return NULL;
    version = &file->versions[PL_FILE_PLAIN];
    if (res->length != (int64_t)version->state.size)
        return NULL;
    if (res->content == PL_CONTENT_BYTES)
        return res->bytes.data == version->body ? version : NULL;
    return res->content == PL_CONTENT_FILE && version->body == NULL &&
                   res->file == version->fd && res->file_off == 0
               ? version
               : NULL;
}

/* Is it one that made.h can make something of? */
static bool is_keepable(const struct pl_request *req,
                        const struct pl_file_version *version)
{
    const struct pl_file *file = req->response.file_of;

    return version != NULL && (file->settled || file->fixed) &&
           version->state.size <= PL_MADE_MAX &&
           req->settings->file_cache > 0 && req->http->sched->offload != NULL;
}

static bool is_of_a_length(const struct pl_compress *options,
                           const struct pl_request *req)
{
    const struct pl_response *res = &req->response;

    switch (res->content) {
    case PL_CONTENT_FILE:
        if (!is_keepable(req, file_of(res)))
            return false;
        break;
    case PL_CONTENT_STREAM:
        if (res->length < 0)
            return true;
        break;
    case PL_CONTENT_NONE: /* a HEAD that tells what a GET would bring */
        if (!req->head)
            return false;
        break;
    default:
        break;
    }
    return res->length >= (int64_t)options->min;
}

/* What perilune says for its own streams of events is said to those between
 * (http/events.c). */
static bool is_fixed(const struct pl_response *res)
{
    struct pl_str said = pl_response_get(res, PL_STR("Cache-Control"));

    if (said.data == NULL)
        said = res->cache_control;
    return res->events == NULL &&
           pl_header_list_has(said, PL_STR("no-transform"));
}

/* Says something of the bytes that would not hold. */
static bool has_digest(const struct pl_response *res)
{
    return pl_response_says_name(res, PL_STR("Repr-Digest")) ||
           pl_response_says_name(res, PL_STR("Content-Digest")) ||
           pl_response_says_name(res, PL_STR("Digest")) ||
           pl_response_says_name(res, PL_STR("Content-MD5"));
}

/* Would it be compressed for a client that takes it? */
static bool is_negotiable(const struct pl_compress *options,
                          const struct pl_request *req)
{
    const struct pl_response *res = &req->response;
    int status = res->status == 0 ? 200 : res->status;

    return pl_status_has_body(status) && status != 206 && status != 416 &&
           is_of_a_length(options, req) &&
           pl_compress_type_is(pl_str_c(options->types), res->type) &&
           !pl_response_says(res, PL_HEADER_CONTENT_ENCODING) &&
           !pl_response_says(res, PL_HEADER_CONTENT_RANGE) && !is_fixed(res) &&
           !has_digest(res);
}

/* The coding that the client likes best; NULL: none, or none more than what is
 * there. */
static const struct pl_codec *negotiate(const struct pl_compress *options,
                                        struct pl_request *req)
{
    int best =
        pl_negotiate(PL_NEGOTIATE_ENCODING,
                     pl_request_header_id(req, PL_HEADER_ACCEPT_ENCODING),
                     options->offers, options->ncodecs + 1);

    return best < 0 || best == (int)options->ncodecs ? NULL
                                                     : options->codecs[best];
}

/* ---- when the response is about to leave ---- */

/* The same state, not the same bytes (RFC 9110, 8.8.1). */
static int weaken(struct pl_response *res, struct pl_arena *arena)
{
    if (res->etag.len == 0 || pl_str_starts(res->etag, PL_STR("W/")))
        return 0;
    res->etag = pl_arena_printf(arena, "W/%.*s", PL_STR_ARG(res->etag));
    return res->etag.data == NULL ? PL_ERR_NOMEM : 0;
}

/* What is sent as it is because there was no thread for it, or no gain. */
static bool is_left_alone(const struct pl_coding *coding)
{
    const struct pl_made *made =
        coding->made == NULL ? NULL : coding->made->value;

    return made == NULL ? coding->req->response.content == PL_CONTENT_FILE
                        : made->len == 0;
}

/* A page that is going to get a script (--dev). */
static bool is_edited(const struct pl_request *req)
{
    return req->wire->edits &&
           pl_str_istarts(req->response.type, PL_STR("text/html"));
}

static void choose(struct pl_coder *coder, struct pl_request *req)
{
    struct pl_coding *coding = PL_CONTAINER_OF(coder, struct pl_coding, coder);
    const struct pl_compress *options = coding->options;
    struct pl_response *res = &req->response;

    if (req->wire == NULL || is_edited(req) || !is_negotiable(options, req) ||
        pl_vary_add(res, PL_STR("Accept-Encoding")) < 0)
        return;
    coding->codec = negotiate(options, req);
    if (coding->codec == NULL || is_left_alone(coding) ||
        pl_response_set(res, PL_STR("Accept-Ranges"), pl_str(NULL, 0)) < 0 ||
        weaken(res, &req->arena) < 0)
        return;
    res->coded = true;
    if (res->content == PL_CONTENT_STREAM || res->content == PL_CONTENT_NONE) {
        res->content = PL_CONTENT_STREAM;
        res->length = -1;
    }
    coding->wish = (struct pl_codec_wish){.level = options->level,
                                          .frugal = res->events != NULL};
    pl_coding_begin(coding);
}

/* ---- when the handler is done ---- */

static void finish(struct pl_coding *coding, int result)
{
    coding->outer->done(coding->outer, coding->req, result);
}

static void on_made(struct pl_op *op)
{
    struct pl_coding *coding = PL_CONTAINER_OF(op, struct pl_coding, making.op);
    struct pl_request *req = coding->req;

    coding->made = op->result < 0 ? NULL : coding->making.entry;
    finish(coding, 0);
    pl_request_drop(req);
}

/* The semantics will answer by a 304 or 412: the content is not needed. */
static bool is_decided(struct pl_request *req)
{
    const struct pl_response *res = &req->response;
    const struct pl_conditional in = {
        .method = (enum pl_method)req->method,
        .if_none_match = pl_request_header_id(req, PL_HEADER_IF_NONE_MATCH),
        .if_modified_since =
            pl_request_header_id(req, PL_HEADER_IF_MODIFIED_SINCE),
        .etag = res->etag,
        .last_modified = res->last_modified,
    };

    return pl_conditional_evaluate(&in) != PL_PROCEED;
}

/* Fetches what was made of a file, which may have to be made first. Returns
 * true if it goes on later. */
static bool fetch(struct pl_coding *coding, struct pl_request *req)
{
    const struct pl_compress *options = coding->options;
    const struct pl_file_version *version = file_of(&req->response);
    const struct pl_codec *codec;

    if (req->wire == NULL || is_edited(req) || !is_keepable(req, version) ||
        !is_negotiable(options, req) || is_decided(req))
        return false;
    codec = negotiate(options, req);
    if (codec == NULL)
        return false;
    coding->made = pl_made_peek(req->http->coders, version, codec);
    if (coding->made != NULL)
        return false;
    pl_request_hold(req);
    pl_made_begin(&coding->making, req, version, codec);
    pl_op_then(&coding->making.op, on_made);
    return true;
}

static void done(struct pl_then *then, struct pl_request *req, int result)
{
    struct pl_coding *coding = PL_CONTAINER_OF(then, struct pl_coding, then);
    struct pl_response *res = &req->response;

    if (res->coder == &coding->coder && !res->started && result == 0 &&
        res->file_of != NULL && fetch(coding, req))
        return;
    finish(coding, result);
}

/* ---- the filter ---- */

static struct pl_coding *make_coding(const struct pl_compress *options,
                                     struct pl_request *req,
                                     struct pl_then *then)
{
    struct pl_coding *coding = pl_arena_alloc(&req->arena, sizeof(*coding));

    if (coding == NULL || pl_coders_get(req->http) == NULL ||
        pl_request_defer(req, pl_coding_fini, coding) < 0)
        return NULL;
    memset(coding, 0, sizeof(*coding));
    coding->coder = (struct pl_coder){choose, pl_coding_drained};
    coding->then.done = done;
    coding->outer = then;
    coding->options = options;
    coding->req = req;
    pl_buf_init(&coding->backlog, req->arena.pool, &req->account, 0);
    return coding;
}

static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    const struct pl_compress *options =
        PL_CONTAINER_OF(filter, struct pl_compress, filter);
    struct pl_response *res = &req->response;
    struct pl_coding *coding = NULL;

    if (res->started) { /* it goes on (http/again.h), with the coding it has */
        pl_next_start(next, req, then);
        return;
    }
    if (!options->raw_requests && pl_decode_begin(req) < 0) {
        then->done(then, req, 0);
        return;
    }
    if (!options->off)
        coding = make_coding(options, req, then);
    /* Without memory it is sent as it is. */
    res->coder = coding == NULL ? NULL : &coding->coder;
    pl_next_start(next, req, coding == NULL ? then : &coding->then);
}

static void free_filter(struct pl_filter *filter)
{
    pl_free(PL_CONTAINER_OF(filter, struct pl_compress, filter));
}

/* ---- options ---- */

static bool add_codec(struct pl_compress *self, struct pl_str name,
                      struct pl_error *error)
{
    const struct pl_codec *codec = pl_codec_load(name, error);

    if (codec == NULL)
        return false;
    for (unsigned i = 0; i < self->ncodecs; i++)
        if (self->codecs[i] == codec)
            return true;
    self->codecs[self->ncodecs++] = codec;
    return true;
}

/* Those that are named; or all that there are. */
static bool add_codecs(struct pl_compress *self, const char *names,
                       struct pl_error *error)
{
    struct pl_str rest = pl_str_c(names), name;

    if (names == NULL) {
        (void)add_codec(self, PL_STR("br"), NULL);
        (void)add_codec(self, PL_STR("zstd"), NULL);
        return add_codec(self, PL_STR("gzip"), error);
    }
    while (pl_str_split(&rest, ' ', &name))
        if (name.len > 0 && !add_codec(self, name, error))
            return false;
    if (self->ncodecs == 0)
        pl_error_set(error, PL_ERR_INVALID, "", "encodings: the list is empty");
    return self->ncodecs > 0;
}

/* Who only takes such bodies has use for all codings, too. */
static bool configure(struct pl_compress *self,
                      const struct pl_compress_options *options,
                      struct pl_error *error)
{
    self->off = options->off;
    self->raw_requests = options->raw_requests;
    self->min = options->min == 0 ? PL_COMPRESS_MIN : options->min;
    self->level = (int)options->level;
    if (options->level > 9) {
        pl_error_set(error, PL_ERR_INVALID, "", "level: 1 to 9 is possible");
        return false;
    }
    if ((!self->off || !self->raw_requests) &&
        !add_codecs(self, options->encodings, error))
        return false;
    for (unsigned i = 0; i < self->ncodecs; i++)
        self->offers[i] = pl_str_c(self->codecs[i]->name);
    self->offers[self->ncodecs] = PL_STR("identity");
    return true;
}

struct pl_filter *pl_compress_new(const struct pl_compress_options *given,
                                  struct pl_error *error)
{
    struct pl_compress_options options;
    struct pl_compress *self;
    const char *types;

    PL_OPTIONS_READ(&options, given);
    types = options.types == NULL ? pl_compress_types : options.types;
    self = pl_calloc(1, sizeof(*self) + strlen(types) + 1);
    if (self == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    strcpy(self->types, types);
    self->filter = (struct pl_filter){
        .kind = "compress", .refs = 1, .start = start, .free = free_filter};
    if (configure(self, &options, error))
        return &self->filter;
    pl_free(self);
    return NULL;
}
