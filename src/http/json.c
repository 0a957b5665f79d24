/* json.c - JSON of a request and its response, for C programs (perilune.h): the
 * builder and the reader of base, on the request's memory, or on their own. */
#include "base/check.h"
#include "base/json_build.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"

/* ---- builders ---- */

/* A builder without a request. */
struct own_builder {
    struct pl_json_builder json;
    struct pl_buf text;
    struct pl_pool pool;
};

struct pl_json_builder *pl_json_builder_new(struct pl_request *req,
                                            unsigned flags)
{
    struct pl_json_builder *json;
    struct own_builder *own;
    struct pl_buf *text;

    if (req == NULL) {
        own = pl_malloc(sizeof(*own));
        if (own == NULL)
            return NULL;
        pl_pool_init(&own->pool, NULL, 0);
        pl_buf_init(&own->text, &own->pool, NULL, 0);
        pl_json_builder_init(&own->json, &own->text, flags);
        return &own->json;
    }
    json = pl_arena_alloc(&req->arena, sizeof(*json));
    text = json == NULL ? NULL : pl_request_buf(req);
    if (text == NULL)
        return NULL;
    pl_json_builder_init(json, text, flags);
    return json;
}

void pl_json_builder_free(struct pl_json_builder *json)
{
    struct own_builder *own = (struct own_builder *)(void *)json;

    if (json == NULL || json->out != &own->text)
        return; /* the request's goes with it */
    pl_buf_fini(&own->text);
    pl_pool_fini(&own->pool);
    pl_free(own);
}

/* ---- responses ---- */

static int log_failure(const struct pl_json_builder *json, int err)
{
    if (err < 0)
        pl_log(PL_LOG_ERROR, "app", "cannot write JSON: %s",
               pl_json_builder_error(json));
    return err;
}

static void set_type(struct pl_response *res)
{
    if (res->type.data == NULL)
        res->type = PL_STR("application/json");
}

static int respond(struct pl_response *res, int status, struct pl_str text)
{
    int err = pl_response_status(res, status);

    if (err < 0)
        return err;
    set_type(res);
    return pl_response_bytes(res, text, NULL, NULL);
}

int pl_respond_json(struct pl_response *res, int status,
                    const struct pl_field *type, const void *data)
{
    struct pl_json_builder json;
    /* What was said before may be in res->text. */
    int err = pl_response_bytes(res, PL_STR(""), NULL, NULL);

    if (err < 0)
        return err;
    res->text.len = 0;
    pl_json_builder_init(&json, &res->text, 0);
    pl_json_add_struct(&json, type, data);
    err = log_failure(&json, pl_json_builder_result(&json));
    return err < 0 ? err : respond(res, status, pl_buf_str(&res->text));
}

int pl_respond_json_built(struct pl_response *res, int status,
                          struct pl_json_builder *json)
{
    int err = log_failure(json, pl_json_builder_result(json));

    return err < 0 ? err : respond(res, status, pl_buf_str(json->out));
}

int pl_response_write_json(struct pl_response *res,
                           struct pl_json_builder *json)
{
    int err = log_failure(json, json == NULL ? PL_ERR_NOMEM : json->err);

    if (err < 0)
        return err;
    if (!res->started)
        set_type(res);
    err = pl_response_write(res, pl_buf_str(json->out));
    json->out->len = 0;
    return err;
}

/* ---- reading ---- */

#define DOCUMENT_MAGIC 0x6a736f6eu /* "json" */

/* Values without a request. */
struct document {
    uint32_t magic;
    struct pl_pool pool;
    struct pl_arena strings;
    struct pl_buf nodes;
};

static void free_document(struct document *document)
{
    pl_buf_fini(&document->nodes);
    pl_arena_fini(&document->strings);
    pl_pool_fini(&document->pool);
    pl_free(document);
}

/* Reads text, and puts behind the nodes one more: whom they belong to, for
 * pl_json_free(). */
static int read_nodes(struct pl_str text, const struct pl_json_options *options,
                      struct pl_buf *nodes, struct pl_arena *strings,
                      struct document *owner, struct pl_json_error *error)
{
    struct pl_json end = {.type = PL_JSON_NONE, .data = (const char *)owner};
    int err = pl_json_read(text, options, nodes, strings, error);

    return err < 0 ? err
                   : pl_buf_add(nodes, pl_str((const char *)&end, sizeof(end)));
}

static int fail(struct pl_json_error *error, int err)
{
    if (error != NULL)
        *error = (struct pl_json_error){
            .code = err, .line = 1, .column = 1, .text = pl_err_text(err)};
    return err;
}

static int parse_own(struct pl_str text, const struct pl_json_options *options,
                     const struct pl_json **value, struct pl_json_error *error)
{
    struct document *document = pl_malloc(sizeof(*document));
    int err;

    if (document == NULL)
        return fail(error, PL_ERR_NOMEM);
    document->magic = DOCUMENT_MAGIC;
    pl_pool_init(&document->pool, NULL, 0);
    pl_arena_init(&document->strings, &document->pool, NULL);
    pl_buf_init(&document->nodes, &document->pool, NULL, 0);
    err = read_nodes(text, options, &document->nodes, &document->strings,
                     document, error);
    if (err < 0)
        free_document(document);
    else
        *value = (const struct pl_json *)(void *)document->nodes.data;
    return err;
}

int pl_json_parse(struct pl_request *req, struct pl_str text,
                  const struct pl_json_options *options,
                  const struct pl_json **value, struct pl_json_error *error)
{
    struct pl_buf *nodes;
    int err;

    if (req == NULL)
        return parse_own(text, options, value, error);
    nodes = pl_request_buf(req);
    if (nodes == NULL)
        return fail(error, PL_ERR_NOMEM);
    err = read_nodes(text, options, nodes, &req->arena, NULL, error);
    if (err < 0)
        pl_buf_fini(nodes);
    else
        *value = (const struct pl_json *)(void *)nodes->data;
    return err;
}

int pl_request_json(struct pl_request *req,
                    const struct pl_json_options *options,
                    const struct pl_json **value, struct pl_json_error *error)
{
    struct pl_str body;
    int err = pl_request_body(req, &body);

    return err < 0 ? fail(error, err)
                   : pl_json_parse(req, body, options, value, error);
}

void pl_json_free(const struct pl_json *value)
{
    const struct pl_json *end;
    struct document *document;

    if (value == NULL)
        return;
    end = value + (pl_json_first(value) == NULL ? 1 : value->nodes);
    document = (struct document *)(uintptr_t)end->data;
    if (document == NULL)
        return; /* the request's go with it */
    PL_CHECK(document, DOCUMENT_MAGIC);
    document->magic = 0;
    free_document(document);
}
