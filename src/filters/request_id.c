#include "filters/request_id.h"

#include <string.h>

#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/around.h"
#include "http/chars.h"
#include "net/conn.h"

/* Never changes: workers may share it. */
struct ids {
    struct pl_filter filter;
    struct pl_str name;
    char text[];
};

static const struct ids *ids_of(struct pl_filter *filter)
{
    return PL_CONTAINER_OF(filter, struct ids, filter);
}

/* What goes into logs and fields of others is a word. */
static bool is_id(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '"' ||
            s.data[i] == '\\')
            return false;
    return s.len > 0 && s.len <= PL_REQUEST_ID_MOST;
}

/* Did it come from a proxy that may say such things (pl.set { trusted })? */
static bool is_trusted(struct pl_request *req)
{
    struct pl_conn *conn =
        !PL_WITH_PROXY || req->wire == NULL || req->wire->conn == NULL
            ? NULL
            : req->wire->conn(req);

    return conn != NULL && pl_conn_trusted(conn);
}

static struct pl_str own_id(struct pl_request *req)
{
    char id[PL_REQUEST_ID_LEN];

    pl_request_id(req, id);
    return pl_arena_str(&req->arena, pl_str(id, sizeof(id)));
}

/* The one field of that name in the request. */
static int put(struct pl_request *req, struct pl_str name, struct pl_str id)
{
    struct pl_header *fields = pl_arena_alloc(
        &req->arena, (req->nheaders + 1u) * sizeof(struct pl_header));
    unsigned n = 0;

    name = pl_arena_str(&req->arena, name);
    if (fields == NULL || id.data == NULL || name.data == NULL)
        return PL_ERR_NOMEM;
    for (unsigned i = 0; i < req->nheaders; i++)
        if (!pl_str_ieq(pl_header_name(&req->headers[i]), name))
            fields[n++] = req->headers[i];
    fields[n++] = (struct pl_header){.name = name.data,
                                     .value = id.data,
                                     .value_len = (uint32_t)id.len,
                                     .name_len = (uint16_t)name.len,
                                     .id = (uint8_t)pl_header_lookup(name)};
    req->headers = fields;
    req->nheaders = (uint16_t)n;
    return 0;
}

static void set(struct pl_filter *filter, struct pl_request *req)
{
    struct pl_str name = ids_of(filter)->name;

    pl_around_set(&req->response, name, pl_request_header(req, name));
}

static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    struct pl_str name = ids_of(filter)->name;
    struct pl_str said = pl_request_header(req, name);
    int err = 0;

    if (!is_id(said) || !is_trusted(req))
        err = put(req, name, own_id(req));
    if (err < 0)
        then->done(then, req, err);
    else
        pl_around_start(filter, req, next, then, set);
}

static void free_filter(struct pl_filter *filter)
{
    pl_free(PL_CONTAINER_OF(filter, struct ids, filter));
}

struct pl_filter *pl_request_id_new(const char *header, struct pl_error *error)
{
    struct pl_str name =
        header == NULL ? PL_STR("X-Request-Id") : pl_str_c(header);
    struct ids *ids;

    if (!pl_header_name_valid(name) || name.len > 64 ||
        pl_header_is_framing(pl_header_lookup(name))) {
        pl_error_set(error, PL_ERR_INVALID, "",
                     "header: not a possible name of a field");
        return NULL;
    }
    ids = pl_calloc(1, sizeof(*ids) + name.len);
    if (ids == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    memcpy(ids->text, name.data, name.len);
    ids->name = pl_str(ids->text, name.len);
    ids->filter = (struct pl_filter){
        .kind = "request_id", .refs = 1, .start = start, .free = free_filter};
    return &ids->filter;
}
