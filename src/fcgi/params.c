#include "fcgi/params.h"

#include <arpa/inet.h>

#include "base/error.h"
#include "base/str.h"
#include "http/h1_scan.h"
#include "http/request.h"
#include "http/uri.h"

/* Variables beside the fields: a web server has some 30 of its own, the rest is
 * what its operator adds. */
enum { VARIABLES_MAX = 256 };

/* What the request itself is made of. */
#define KNOWN_MAP(X)                                                           \
    X(CONTENT_LENGTH)                                                          \
    X(CONTENT_TYPE)                                                            \
    X(HTTPS)                                                                   \
    X(PATH_INFO)                                                               \
    X(QUERY_STRING)                                                            \
    X(REMOTE_ADDR)                                                             \
    X(REMOTE_PORT)                                                             \
    X(REQUEST_METHOD)                                                          \
    X(REQUEST_SCHEME)                                                          \
    X(REQUEST_URI)                                                             \
    X(SCRIPT_NAME)                                                             \
    X(SERVER_NAME)                                                             \
    X(SERVER_PORT)                                                             \
    X(SERVER_PROTOCOL)

enum known {
#define KNOWN(name) name,
    KNOWN_MAP(KNOWN)
#undef KNOWN
        KNOWN_COUNT
};

static const struct pl_str known_names[] = {
#define NAME(name) {#name, sizeof(#name) - 1},
    KNOWN_MAP(NAME)
#undef NAME
};

static const struct pl_str field_prefix = {"HTTP_", 5};

/* A request that is being made. */
struct making {
    struct pl_request *req;
    struct pl_fcgi_refusal *refusal;
    struct pl_str known[KNOWN_COUNT];
    char *names; /* room for those of the fields */
    size_t size; /* of the fields, as heads count it */
    bool host;
};

/* What is wrong first is said. */
static void refuse(struct making *making, int status, const char *why)
{
    if (making->refusal->status == 0)
        *making->refusal = (struct pl_fcgi_refusal){status, why};
}

static void add_variable(struct pl_request *req, struct pl_str name,
                         struct pl_str value)
{
    req->env[req->nenv++] = (struct pl_param){name, value};
}

/* ---- fields ---- */

/* Of the connection between client and web server, or said apart (4.1.2,
 * 4.1.3). */
static bool is_no_field(enum pl_header_id id)
{
    switch (id) {
    case PL_HEADER_CONNECTION:
    case PL_HEADER_CONTENT_LENGTH:
    case PL_HEADER_CONTENT_TYPE:
    case PL_HEADER_EXPECT:
    case PL_HEADER_HTTP2_SETTINGS:
    case PL_HEADER_KEEP_ALIVE:
    case PL_HEADER_PROXY_CONNECTION:
    case PL_HEADER_TE:
    case PL_HEADER_TRAILER:
    case PL_HEADER_TRANSFER_ENCODING:
    case PL_HEADER_UPGRADE:
        return true;
    default:
        return false;
    }
}

static void add_field(struct making *making, struct pl_str name,
                      enum pl_header_id id, struct pl_str value)
{
    struct pl_request *req = making->req;

    making->size += name.len + value.len + PL_FIELD_COST;
    req->headers[req->nheaders++] =
        (struct pl_header){.name = name.data,
                           .value = value.data,
                           .value_len = (uint32_t)value.len,
                           .name_len = (uint16_t)name.len,
                           .id = (uint8_t)id};
}

/* "ACCEPT_LANGUAGE" as the client has written it, as far as that is known: in
 * lower case, as in HTTP/2. */
static struct pl_str field_name(struct making *making, struct pl_str name)
{
    char *out = making->names;

    for (size_t i = 0; i < name.len; i++)
        out[i] = name.data[i] == '_'
                     ? '-'
                     : (char)pl_ascii_lower((unsigned char)name.data[i]);
    return pl_str(out, name.len);
}

static void check_host(struct making *making, struct pl_str value)
{
    struct pl_str host;
    uint16_t port;

    if (making->host)
        refuse(making, 400, "more than one HTTP_HOST");
    else if (value.len > 0 && pl_uri_parse_authority(value, &host, &port) < 0)
        refuse(making, 400, "malformed HTTP_HOST");
    making->host = true;
}

/* name: behind HTTP_. */
static void take_field(struct making *making, struct pl_str name,
                       struct pl_str value)
{
    enum pl_header_id id;

    value = pl_str_trim(value);
    name = field_name(making, name);
    id = pl_header_lookup(name);
    if (is_no_field(id))
        return;
    if (id != PL_HEADER_OTHER)
        name = pl_header_id_name(id);
    else if (name.len > UINT16_MAX || !pl_header_name_valid(name))
        refuse(making, 400, "malformed field name");
    else
        making->names += name.len;
    if (!pl_header_value_valid(value))
        refuse(making, 400, "malformed field value");
    if (id == PL_HEADER_HOST)
        check_host(making, value);
    if (making->refusal->status == 0)
        add_field(making, name, id, value);
}

/* ---- variables ---- */

static void take_known(struct making *making, const struct pl_fcgi_pair *pair)
{
    for (unsigned i = 0; i < KNOWN_COUNT; i++)
        if (pl_str_eq(known_names[i], pair->name))
            making->known[i] = pair->value;
}

static void take_pair(struct making *making, const struct pl_fcgi_pair *pair)
{
    if (pl_str_eq(pair->name, PL_STR("FCGI_ROLE")) ||
        pl_str_eq(pair->name, PL_STR("HTTP_PROXY")))
        return;
    add_variable(making->req, pair->name, pair->value);
    if (pl_str_starts(pair->name, field_prefix))
        take_field(making, pl_str_skip(pair->name, field_prefix.len),
                   pair->value);
    else
        take_known(making, pair);
}

/* ---- from variables to the request ---- */

/* What nobody has said of the target is made of what CGI says (3.3), where it
 * is decoded. */
static struct pl_str compose_target(struct making *making)
{
    const struct pl_str *known = making->known;
    struct pl_str parts[] = {known[SCRIPT_NAME], known[PATH_INFO]};
    size_t size =
        3 * (parts[0].len + parts[1].len) + known[QUERY_STRING].len + 2;
    char *out = pl_arena_bytes(&making->req->arena, size), *at = out;

    if (out == NULL)
        return pl_str(NULL, 0);
    if (parts[0].len == 0 && parts[1].len == 0)
        *at++ = '/';
    for (unsigned i = 0; i < PL_COUNT(parts); i++)
        at += pl_uri_encode_to(at, parts[i], "/:@!$&'()*+,;=");
    if (known[QUERY_STRING].len > 0) {
        *at++ = '?';
        memcpy(at, known[QUERY_STRING].data, known[QUERY_STRING].len);
        at += known[QUERY_STRING].len;
    }
    return pl_str(out, (size_t)(at - out));
}

static void set_target(struct making *making)
{
    struct pl_request *req = making->req;
    struct pl_str target = making->known[REQUEST_URI];

    if (target.len == 0)
        target = compose_target(making);
    if (target.data == NULL)
        refuse(making, 503, "out of memory");
    else if (target.len > req->settings->h1.line)
        refuse(making, 414, "the request target is too long");
    else if (pl_h1_scan->target(target.data, 0, target.len) != target.len)
        refuse(making, 400, "malformed request target");
    else
        req->target = target;
}

static void set_method(struct making *making)
{
    struct pl_request *req = making->req;
    struct pl_str method = making->known[REQUEST_METHOD];

    if (!pl_header_name_valid(method)) {
        refuse(making, 400, "no REQUEST_METHOD");
        return;
    }
    req->method_name = method;
    req->method = (uint8_t)pl_method_parse(method);
    req->head = req->method == PL_METHOD_HEAD;
}

static uint8_t version_of(struct pl_str protocol)
{
    static const struct {
        struct pl_str name;
        uint8_t version;
    } versions[] = {
        {{"HTTP/1.0", 8}, 10}, {{"HTTP/2.0", 8}, 20}, {{"HTTP/2", 6}, 20},
        {{"HTTP/3.0", 8}, 30}, {{"HTTP/3", 6}, 30},
    };

    for (size_t i = 0; i < PL_COUNT(versions); i++)
        if (pl_str_eq(protocol, versions[i].name))
            return versions[i].version;
    return 11; /* and what is included in pages: "INCLUDED" (4.1.16) */
}

static bool is_secure(const struct making *making)
{
    struct pl_str https = making->known[HTTPS];

    return (https.len > 0 && !pl_str_ieq(https, PL_STR("off"))) ||
           pl_str_ieq(making->known[REQUEST_SCHEME], PL_STR("https"));
}

static bool to_port(struct pl_str text, uint16_t *port)
{
    uint64_t number;

    if (!pl_str_to_u64(text, &number) || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* Whom it is for, if no field says it. */
static void set_authority(struct making *making)
{
    struct pl_request *req = making->req;
    struct pl_str host;
    uint16_t port;

    if (making->host ||
        pl_uri_parse_authority(making->known[SERVER_NAME], &host, &port) < 0)
        return;
    req->authority = host;
    if (to_port(making->known[SERVER_PORT], &port))
        req->host_port = port;
}

static bool to_addr(struct pl_str text, struct pl_addr *out)
{
    char host[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(host) || text.len == 0)
        return false;
    memcpy(host, text.data, text.len);
    host[text.len] = '\0';
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->sa.sa_family = AF_INET;
        out->len = sizeof(out->v4);
    } else if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->sa.sa_family = AF_INET6;
        out->len = sizeof(out->v6);
    }
    return out->len > 0;
}

/* The client of a UNIX socket has no address. */
static void set_remote(struct making *making)
{
    struct pl_request *req = making->req;
    struct pl_str text = making->known[REMOTE_ADDR];
    struct pl_addr addr;

    if (!to_addr(text, &addr))
        text = text.len == 0 ? PL_STR("") : PL_STR("unknown");
    else
        to_port(making->known[REMOTE_PORT], &req->remote_port);
    req->remote = text;
}

/* The fields that CGI keeps apart, and what they mean. */
static void set_body(struct making *making, enum pl_fcgi_role role)
{
    struct pl_request *req = making->req;
    struct pl_str type = making->known[CONTENT_TYPE];
    struct pl_str length = making->known[CONTENT_LENGTH];
    uint64_t number = 0;

    if (!pl_header_value_valid(type))
        refuse(making, 400, "malformed CONTENT_TYPE");
    else if (type.len > 0)
        add_field(making, PL_STR("content-type"), PL_HEADER_CONTENT_TYPE,
                  pl_str_trim(type));
    if (role == PL_FCGI_AUTHORIZER) { /* it is asked before the body is sent */
        req->body.length = 0;
        req->body.complete = true;
        return;
    }
    if (length.len == 0 || pl_str_eq(length, PL_STR("-1"))) /* -1: Caddy */
        return;
    if (!pl_str_to_u64(length, &number) || number > INT64_MAX) {
        refuse(making, 400, "malformed CONTENT_LENGTH");
        return;
    }
    req->body.length = (int64_t)number;
    add_field(making, PL_STR("content-length"), PL_HEADER_CONTENT_LENGTH,
              length);
}

static void set_all(struct making *making, enum pl_fcgi_role role)
{
    struct pl_request *req = making->req;

    set_body(making, role);
    set_method(making);
    set_target(making);
    set_authority(making);
    set_remote(making);
    req->version = version_of(making->known[SERVER_PROTOCOL]);
    req->secure = is_secure(making);
    if (making->size > req->settings->h1.head)
        refuse(making, 431, "the header fields are too large");
}

/* ---- the whole ---- */

/* What there is room to make for. */
struct count {
    unsigned variables, fields;
    size_t names; /* bytes of those of the fields */
};

/* False: the last one is cut off. */
static bool count_pairs(struct pl_str params, struct count *count)
{
    struct pl_fcgi_pair pair;
    size_t need;

    *count = (struct count){0};
    while (params.len > 0) {
        if (pl_fcgi_pair_read(&params, &pair, &need) < 0)
            return false;
        count->variables++;
        if (!pl_str_starts(pair.name, field_prefix))
            continue;
        count->fields++;
        count->names += pair.name.len - field_prefix.len;
    }
    return true;
}

/* Room for the fields and those of set_body(), for the variables and the role.
 */
static bool make_room(struct making *making, const struct count *count)
{
    struct pl_request *req = making->req;

    req->headers = pl_arena_alloc(&req->arena,
                                  (count->fields + 2) * sizeof(*req->headers));
    req->env =
        pl_arena_alloc(&req->arena, (count->variables + 1) * sizeof(*req->env));
    making->names = pl_arena_bytes(&req->arena, count->names);
    return req->headers != NULL && req->env != NULL && making->names != NULL;
}

/* params are the request's already. */
static void take_pairs(struct making *making, struct pl_str params,
                       enum pl_fcgi_role role)
{
    struct pl_fcgi_pair pair;
    size_t need;

    while (params.len > 0 && pl_fcgi_pair_read(&params, &pair, &need) == 0)
        take_pair(making, &pair);
    add_variable(making->req, PL_STR("FCGI_ROLE"),
                 role == PL_FCGI_AUTHORIZER ? PL_STR("AUTHORIZER")
                                            : PL_STR("RESPONDER"));
    set_all(making, role);
}

static void fill(struct making *making, struct pl_str params,
                 enum pl_fcgi_role role)
{
    struct pl_request *req = making->req;
    const struct pl_h1_limits *limits = &req->settings->h1;
    struct count count;
    struct pl_str own;

    if (!count_pairs(params, &count)) {
        refuse(making, 400, "the params are cut off");
        return;
    }
    if (count.fields > limits->headers ||
        count.variables - count.fields > VARIABLES_MAX) {
        refuse(making, 431, "there are too many params");
        return;
    }
    own = pl_arena_str(&req->arena, params);
    if (own.data == NULL || !make_room(making, &count))
        refuse(making, 503, "out of memory");
    else
        take_pairs(making, own, role);
}

struct pl_request *pl_fcgi_params_none(struct pl_http *http)
{
    struct pl_request *req = pl_request_new(http);

    if (req == NULL)
        return NULL;
    req->version = 11;
    req->method = PL_METHOD_UNKNOWN;
    req->method_name = req->target = req->path = PL_STR("-");
    return req;
}

struct pl_request *pl_fcgi_params_request(struct pl_http *http,
                                          struct pl_str params,
                                          enum pl_fcgi_role role,
                                          struct pl_fcgi_refusal *refusal)
{
    struct making making = {.req = pl_fcgi_params_none(http),
                            .refusal = refusal};

    *refusal = (struct pl_fcgi_refusal){0};
    if (making.req != NULL)
        fill(&making, params, role);
    return making.req;
}

/* ---- looking ---- */

bool pl_fcgi_params_addr(struct pl_request *req, struct pl_str host,
                         struct pl_str port, struct pl_addr *out)
{
    uint16_t number;

    if (!to_addr(pl_request_env(req, host), out))
        return false;
    if (!to_port(pl_request_env(req, port), &number))
        number = 0;
    if (out->sa.sa_family == AF_INET)
        out->v4.sin_port = htons(number);
    else
        out->v6.sin6_port = htons(number);
    return true;
}
