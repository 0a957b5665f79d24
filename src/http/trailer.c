#include "http/trailer.h"

#include "base/error.h"
#include "base/str.h"
#include "http/request.h"

enum { TRAILERS_MAX = 64, FIRST_ROOM = 4 };

/* Framing, routing, conditions and other controls of a request, who asks, how a
 * response is kept, what a content is: a receiver must know it before. */
static const char *const forbidden[] = {
    "age",
    "authentication-info",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "warning",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
};

bool pl_trailer_permitted(struct pl_str name)
{
    for (size_t i = 0; i < PL_COUNT(forbidden); i++)
        if (pl_header_word_is(name, pl_str_c(forbidden[i])))
            return false;
    return true;
}

static struct pl_header *find(const struct pl_trailers *list,
                              struct pl_str name)
{
    for (unsigned i = 0; list != NULL && i < list->n; i++)
        if (pl_str_ieq(pl_header_name(&list->fields[i]), name))
            return &list->fields[i];
    return NULL;
}

/* A place more in *list, which is made if need be. */
static struct pl_header *add(struct pl_arena *arena, struct pl_trailers **list)
{
    unsigned room = *list == NULL ? FIRST_ROOM : (*list)->room;
    struct pl_header *fields;

    if (*list == NULL) {
        *list = pl_arena_alloc(arena, sizeof(**list));
        if (*list == NULL)
            return NULL;
        **list = (struct pl_trailers){.fields = NULL};
    }
    if ((*list)->n == (*list)->room) {
        room = (*list)->room == 0 ? FIRST_ROOM : room * 2;
        fields = pl_arena_alloc(arena, room * sizeof(*fields));
        if (fields == NULL)
            return NULL;
        if ((*list)->n > 0)
            memcpy(fields, (*list)->fields, (*list)->n * sizeof(*fields));
        (*list)->fields = fields;
        (*list)->room = room;
    }
    return &(*list)->fields[(*list)->n];
}

/* COPIES name and value; value may be absent. The place counts from now on. */
static int fill(struct pl_arena *arena, struct pl_trailers **list,
                struct pl_str name, struct pl_str value)
{
    struct pl_header *field = add(arena, list);
    struct pl_str copy = pl_arena_str(arena, name);

    if (value.data != NULL) {
        value = pl_arena_str(arena, value);
        if (value.data == NULL)
            return PL_ERR_NOMEM;
    }
    if (field == NULL || copy.data == NULL)
        return PL_ERR_NOMEM;
    *field = (struct pl_header){.name = copy.data,
                                .value = value.data,
                                .value_len = (uint32_t)value.len,
                                .name_len = (uint16_t)copy.len,
                                .id = (uint8_t)pl_header_lookup(copy)};
    (*list)->n++;
    return 0;
}

/* ---- of a request ---- */

int pl_trailer_receive(struct pl_request *req, struct pl_str name,
                       struct pl_str value)
{
    if (!pl_trailer_permitted(name))
        return 0;
    if (req->trailers != NULL && req->trailers->n >= req->settings->h1.headers)
        return PL_ERR_LIMIT;
    return fill(&req->arena, &req->trailers, name, value);
}

int pl_trailer_receive_lines(struct pl_request *req, struct pl_str lines)
{
    int err = 0;

    while (err == 0 && lines.len > 2) {
        size_t end = (size_t)pl_str_chr(lines, '\r');
        struct pl_str line = pl_str_first(lines, end);
        size_t colon = (size_t)pl_str_chr(line, ':');

        err = pl_trailer_receive(req, pl_str_first(line, colon),
                                 pl_str_trim(pl_str_skip(line, colon + 1)));
        lines = pl_str_skip(lines, end + 2);
    }
    return err;
}

struct pl_str pl_request_trailer(const struct pl_request *req,
                                 struct pl_str name)
{
    const struct pl_header *field = find(req->trailers, name);

    return field != NULL ? pl_header_value(field) : pl_str(NULL, 0);
}

bool pl_request_trailer_at(const struct pl_request *req, unsigned index,
                           struct pl_str *name, struct pl_str *value)
{
    if (req->trailers == NULL || index >= req->trailers->n)
        return false;
    *name = pl_header_name(&req->trailers->fields[index]);
    *value = pl_header_value(&req->trailers->fields[index]);
    return true;
}

/* ---- of a response ---- */

int pl_response_trailer(struct pl_response *res, struct pl_str name,
                        struct pl_str value)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    struct pl_header *there = find(res->trailers, name);

    if (res->ended || req->finished)
        return PL_ERR_STATE;
    if (name.len > UINT16_MAX || value.len > UINT32_MAX ||
        !pl_header_name_valid(name) ||
        (value.data != NULL && !pl_header_value_valid(value)))
        return PL_ERR_INVALID;
    if (!pl_trailer_permitted(name))
        return PL_ERR_DENIED;
    if (there == NULL && res->trailers != NULL &&
        res->trailers->n >= TRAILERS_MAX)
        return PL_ERR_LIMIT;
    if (there == NULL)
        return fill(&req->arena, &res->trailers, name, value);
    if (value.data != NULL)
        value = pl_arena_str(&req->arena, value);
    there->value = value.data;
    there->value_len = (uint32_t)value.len;
    return 0;
}

void pl_trailer_announce(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    const struct pl_trailers *list = res->trailers;
    struct pl_buf names;

    pl_buf_init(&names, req->arena.pool, &req->account, 0);
    for (unsigned i = 0; i < list->n; i++) {
        if (i > 0)
            pl_buf_add(&names, PL_STR(", "));
        pl_buf_add(&names, pl_header_name(&list->fields[i]));
    }
    if (names.err == 0) /* without memory they come unannounced */
        (void)pl_response_append(res, PL_STR("Trailer"), pl_buf_str(&names));
    pl_buf_fini(&names);
}
