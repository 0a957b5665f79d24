/* h2_head.c - see h2_head.h. What two readers could take for different things
 * is malformed, as in HTTP/1: the same bytes may go on over it. */
#include "http/h2_head.h"

#include "base/error.h"
#include "base/str.h"
#include "http/h1_scan.h"
#include "http/h2_limit.h"
#include "http/request.h"
#include "http/uri.h"

static void set_wrong(struct pl_h2_head *head, const char *why)
{
    if (head->wrong == NULL)
        head->wrong = why;
}

static struct pl_str keep(struct pl_h2_head *head, struct pl_str text)
{
    char *copy = pl_arena_bytes(&head->arena, text.len);

    if (copy == NULL)
        return pl_str(NULL, 0);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return pl_str(copy, text.len);
}

/* ---- pseudo fields (8.3.1; RFC 8441, 4) ---- */

static struct pl_str *pseudo_place(struct pl_h2_head *head, struct pl_str name)
{
    switch (name.len) {
    case 5:
        return pl_str_eq(name, PL_STR(":path")) ? &head->path : NULL;
    case 7:
        return pl_str_eq(name, PL_STR(":method"))   ? &head->method
               : pl_str_eq(name, PL_STR(":scheme")) ? &head->scheme
                                                    : NULL;
    case 9:
        return pl_str_eq(name, PL_STR(":protocol")) ? &head->protocol : NULL;
    case 10:
        return pl_str_eq(name, PL_STR(":authority")) ? &head->authority : NULL;
    default:
        return NULL;
    }
}

static int take_pseudo(struct pl_h2_head *head, enum pl_h2_part part,
                       struct pl_str name, struct pl_str value)
{
    struct pl_str *place = pseudo_place(head, name);

    if (part == PL_H2_TRAILERS)
        set_wrong(head, "a pseudo field in trailers");
    else if (place == NULL)
        set_wrong(head, "an unknown pseudo field");
    else if (head->ordinary)
        set_wrong(head, "a pseudo field behind others");
    else if (place->data != NULL)
        set_wrong(head, "a pseudo field twice");
    else {
        *place = keep(head, value);
        return place->data == NULL ? PL_ERR_NOMEM : 0;
    }
    return 0;
}

/* ---- ordinary fields (8.2) ---- */

static bool name_valid(struct pl_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] >= 'A' && name.data[i] <= 'Z')
            return false;
    return pl_header_name_valid(name);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool value_valid(struct pl_str value)
{
    if (value.len == 0)
        return true;
    return pl_h1_scan->value(value.data, 0, value.len) == value.len &&
           !is_space(value.data[0]) && !is_space(value.data[value.len - 1]);
}

/* The fields that mean something to the wire. */
static void note_field(struct pl_h2_head *head, enum pl_header_id id,
                       struct pl_str value)
{
    uint64_t length;

    switch (id) {
    case PL_HEADER_CONNECTION:
    case PL_HEADER_KEEP_ALIVE:
    case PL_HEADER_PROXY_CONNECTION:
    case PL_HEADER_TRANSFER_ENCODING:
    case PL_HEADER_UPGRADE:
        set_wrong(head, "a field of connections");
        break;
    case PL_HEADER_TE:
        if (!pl_header_word_is(value, PL_STR("trailers")))
            set_wrong(head, "TE with more than trailers");
        break;
    case PL_HEADER_CONTENT_LENGTH:
        if (!pl_str_to_u64(value, &length) || length > INT64_MAX)
            set_wrong(head, "malformed Content-Length");
        else if (head->has_length)
            set_wrong(head, "more than one Content-Length");
        else
            head->length = length;
        head->has_length = true;
        break;
    case PL_HEADER_EXPECT:
        head->expect = pl_header_word_is(value, PL_STR("100-continue"));
        break;
    case PL_HEADER_PRIORITY:
        head->priority = pl_h2_priority_parse(value);
        break;
    default:
        break;
    }
}

static int take_field(struct pl_h2_head *head, struct pl_str name,
                      struct pl_str value)
{
    struct pl_header *field = &head->fields[head->nfields];
    enum pl_header_id id = pl_header_lookup(name);
    struct pl_str known = pl_header_id_name(id);

    head->ordinary = true;
    if (id != PL_HEADER_OTHER && memcmp(known.data, name.data, name.len) == 0)
        name = known; /* in lower case, therefore */
    else if (!name_valid(name))
        set_wrong(head, "malformed field name");
    else
        name = keep(head, name);
    if (!value_valid(value))
        set_wrong(head, "malformed field value");
    note_field(head, id, value);
    value = keep(head, value);
    if (name.data == NULL || value.data == NULL)
        return PL_ERR_NOMEM;
    *field = (struct pl_header){.name = name.data,
                                .value = value.data,
                                .value_len = (uint32_t)value.len,
                                .name_len = (uint16_t)name.len,
                                .id = (uint8_t)id};
    head->nfields++;
    return 0;
}

/* ---- the whole ---- */

/* One more field; false if it does not fit the limits, and so is left out. */
static bool has_room(struct pl_h2_head *head, const struct pl_h1_limits *limits,
                     struct pl_str name, struct pl_str value)
{
    bool pseudo = name.len > 0 && name.data[0] == ':';

    head->size += name.len + value.len + PL_FIELD_COST;
    if (head->size > limits->head ||
        (!pseudo && head->nfields >= limits->headers) ||
        (pseudo && value.len > limits->line))
        head->large = true;
    return !head->large;
}

enum pl_h2_code pl_h2_head_read(struct pl_h2_head *head, enum pl_h2_part part,
                                struct pl_h2_hpack *hpack, struct pl_str block,
                                struct pl_http *http)
{
    const struct pl_h1_limits *limits = &http->settings->h1;
    struct pl_str name, value;
    int got;

    memset(head, 0, offsetof(struct pl_h2_head, fields));
    head->priority = PL_H2_PRIORITY_DEFAULT;
    pl_arena_init(&head->arena, http->net->pool, NULL);
    while ((got = pl_h2_hpack_next(hpack, &block, &name, &value)) > 0) {
        /* What goes on after that is no mistake. */
        if (head->size > 2 * (size_t)limits->head)
            return PL_H2_ENHANCE_YOUR_CALM;
        if (!has_room(head, limits, name, value) || part == PL_H2_NOBODYS)
            continue;
        got = name.len > 0 && name.data[0] == ':'
                  ? take_pseudo(head, part, name, value)
                  : take_field(head, name, value);
        if (got < 0)
            break;
    }
    return got == 0              ? PL_H2_NO_ERROR
           : got == PL_ERR_PROTO ? PL_H2_COMPRESSION_ERROR
           : got == PL_ERR_LIMIT ? PL_H2_ENHANCE_YOUR_CALM
                                 : PL_H2_INTERNAL_ERROR;
}

/* ---- a request ---- */

static const struct pl_header *find(const struct pl_h2_head *head,
                                    enum pl_header_id id, unsigned *count)
{
    const struct pl_header *found = NULL;

    *count = 0;
    for (unsigned i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == id) {
            found = &head->fields[i];
            ++*count;
        }
    }
    return found;
}

/* Whom it is for: one authority, which handlers find in Host. */
static const char *check_authority(struct pl_h2_head *head)
{
    struct pl_str authority = head->authority, host;
    const struct pl_header *field;
    uint16_t port;
    unsigned count;

    field = find(head, PL_HEADER_HOST, &count);
    if (count > 1)
        return "more than one Host";
    if (field == NULL && authority.data == NULL)
        return "neither :authority nor Host";
    if (field != NULL && authority.data != NULL &&
        !pl_str_ieq(authority, pl_header_value(field)))
        return "Host is not :authority";
    if (field != NULL)
        authority = pl_header_value(field);
    if (pl_uri_parse_authority(authority, &host, &port) < 0)
        return "malformed :authority";
    if (field == NULL)
        head->fields[head->nfields++] =
            (struct pl_header){.name = "host",
                               .value = authority.data,
                               .value_len = (uint32_t)authority.len,
                               .name_len = 4,
                               .id = PL_HEADER_HOST};
    return NULL;
}

/* What pseudo fields a request must have and what they may be. */
static const char *check_pseudo(const struct pl_h2_head *head)
{
    bool connect = pl_str_eq(head->method, PL_STR("CONNECT"));

    if (!pl_header_name_valid(head->method))
        return "no :method";
    if (head->protocol.data != NULL && !connect)
        return ":protocol without CONNECT";
    if (connect && head->protocol.data == NULL) /* 8.5 */
        return head->scheme.data != NULL || head->path.data != NULL
                   ? "CONNECT with :scheme or :path"
                   : NULL;
    if (!pl_header_name_valid(head->scheme))
        return "no :scheme";
    if (head->path.len == 0)
        return "no :path";
    if (pl_h1_scan->target(head->path.data, 0, head->path.len) !=
            head->path.len ||
        (head->path.data[0] != '/' && !pl_str_eq(head->path, PL_STR("*"))))
        return "malformed :path";
    return NULL;
}

const char *pl_h2_head_check(struct pl_h2_head *head)
{
    const char *wrong = head->wrong;

    if (head->large) /* some fields are not there */
        return wrong;
    if (wrong == NULL)
        wrong = check_pseudo(head);
    return wrong != NULL ? wrong : check_authority(head);
}

/* An extended CONNECT (RFC 8441) is routed as a GET, as the upgrade of HTTP/1
 * that it stands for. */
static void set_method(struct pl_request *req, const struct pl_h2_head *head)
{
    req->method = (uint8_t)pl_method_parse(head->method);
    req->method_name = head->method.data != NULL ? head->method : PL_STR("-");
    req->target = head->path.data != NULL ? head->path : PL_STR("-");
    req->connect_protocol = head->protocol;
    if (head->protocol.data != NULL)
        req->method = PL_METHOD_GET;
    else if (req->method == PL_METHOD_CONNECT)
        req->target = head->authority;
    req->head = req->method == PL_METHOD_HEAD;
}

struct pl_request *pl_h2_head_request(struct pl_h2_head *head,
                                      struct pl_http *http)
{
    size_t size = head->nfields * sizeof(*head->fields);
    struct pl_request *req = pl_request_new_in(http, &head->arena);

    if (req == NULL)
        return NULL;
    req->headers = pl_arena_alloc(&req->arena, size);
    if (req->headers == NULL) {
        pl_request_drop(req);
        return NULL;
    }
    memcpy(req->headers, head->fields, size);
    req->nheaders = (uint16_t)head->nfields;
    req->version = 20;
    set_method(req, head);
    return req;
}
