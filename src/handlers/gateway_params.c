/* gateway_params.c - what a program is told of a request: the variables of CGI
 * (RFC 3875, 4.1), those that web servers have added since, and the fields.
 *
 * A variable is told once: what the site says itself takes the place of ours.
 * They are not those of http/env.c, which say how a request came to us: here a
 * script is chosen, its body may have been unpacked, and whom a client pretends
 * to be is not passed on. */
#include "base/error.h"
#include "base/str.h"
#include "fcgi/record.h"
#include "handlers/gateway_fcgi.h"
#include "http/env.h"
#include "http/wire.h"

enum { FIELD_MAX = 256 }; /* bytes of a name that becomes a variable's */

static int add(struct pl_buf *out, struct pl_str name, struct pl_str value)
{
    size_t size;

    if (value.len > PL_FCGI_PAIR_MAX)
        return PL_ERR_LIMIT;
    size = pl_fcgi_pair_size(name.len, value.len);
    if (pl_buf_reserve(out, size) == 0) {
        pl_fcgi_put_pair(out->data + out->len, name, value);
        out->len += size;
    }
    return out->err;
}

/* ---- what does not change ---- */

static bool is_own(const struct pl_gateway_fields *own, struct pl_str name)
{
    for (unsigned i = 0; i < own->n; i++)
        if (pl_str_eq(pl_header_name(&own->list[i]), name))
            return true;
    return false;
}

int pl_gateway_make_constant(struct pl_gateway *gateway,
                             const struct pl_pair *own, size_t n)
{
    struct pl_gateway_fcgi *fcgi = gateway->fcgi;
    const struct pl_pair usual[] = {
        {PL_STR("GATEWAY_INTERFACE"), PL_STR("CGI/1.1")},
        {PL_STR("SERVER_SOFTWARE"), PL_STR("perilune/" PL_VERSION)},
        /* PHP built with --enable-force-cgi-redirect asks for it. */
        {PL_STR("REDIRECT_STATUS"), PL_STR("200")},
        {PL_STR("DOCUMENT_ROOT"), fcgi->root},
    };
    struct pl_buf out;

    pl_buf_init(&out, &gateway->pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(usual); i++)
        if (usual[i].value.data != NULL && !is_own(&fcgi->own, usual[i].name))
            add(&out, usual[i].name, usual[i].value);
    for (size_t i = 0; i < n; i++)
        if (own[i].value.data != NULL)
            add(&out, own[i].name, own[i].value);
    fcgi->constant = pl_arena_str(&gateway->arena, pl_buf_str(&out));
    pl_buf_fini(&out);
    return fcgi->constant.data == NULL || out.err < 0 ? PL_ERR_NOMEM : 0;
}

/* ---- the request ---- */

size_t pl_gateway_prefix_len(const struct pl_request *req)
{
    if (req->rest.data == NULL)
        return req->path.len;
    return req->path.len - req->rest.len - (req->path.len > req->rest.len);
}

static void put(struct pl_relay *relay, struct pl_str name, struct pl_str value)
{
    if (!is_own(&relay->gateway->fcgi->own, name))
        add(relay->pairs, name, value);
}

/* Unless it is absent. */
static void put_known(struct pl_relay *relay, struct pl_str name,
                      struct pl_str value)
{
    if (value.data != NULL)
        put(relay, name, value);
}

static void put_number(struct pl_relay *relay, struct pl_str name, uint64_t n)
{
    char digits[24];

    put(relay, name, pl_str(digits, pl_u64_format(digits, n)));
}

/* Four texts as one, in the arena; the pairs fail if there is no memory. */
static struct pl_str join(struct pl_relay *relay, struct pl_str a,
                          struct pl_str b, struct pl_str c, struct pl_str d)
{
    const struct pl_str parts[] = {a, b, c, d};
    char *text =
             pl_arena_bytes(&relay->req->arena, a.len + b.len + c.len + d.len),
         *at = text;

    if (text == NULL) {
        relay->pairs->err = PL_ERR_NOMEM;
        return PL_STR("");
    }
    for (size_t i = 0; i < PL_COUNT(parts); i++)
        if (parts[i].len > 0)
            at = mempcpy(at, parts[i].data, parts[i].len);
    return pl_str(text, (size_t)(at - text));
}

/* The parts of the URL: script, what follows it, and both as they came. */
static void put_path(struct pl_relay *relay)
{
    static const struct pl_str slash = PL_STR("/"), none = {NULL, 0};
    const struct pl_gateway_fcgi *fcgi = relay->gateway->fcgi;
    const struct pl_script *script = relay->script;
    struct pl_request *req = relay->req;
    struct pl_str name = pl_str_first(req->path, pl_gateway_prefix_len(req));
    struct pl_str info = script->info;

    if (fcgi->chooses) {
        put(relay, PL_STR("SCRIPT_FILENAME"),
            join(relay, fcgi->root, slash, script->dir, script->leaf));
        name = join(relay, name, slash, script->dir, script->leaf);
    }
    put(relay, PL_STR("SCRIPT_NAME"), name);
    put(relay, PL_STR("DOCUMENT_URI"), join(relay, name, info, none, none));
    if (info.len == 0 && fcgi->chooses)
        return;
    put(relay, PL_STR("PATH_INFO"), info);
    if (fcgi->root.data != NULL)
        put(relay, PL_STR("PATH_TRANSLATED"),
            join(relay, fcgi->root, info, none, none));
}

/* The target as the client has sent it; of one with a host what follows that.
 */
static void put_target(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str target = req->target, query = req->query;

    if (!pl_str_starts(target, PL_STR("/")))
        target =
            join(relay, req->raw_path, query.data == NULL ? query : PL_STR("?"),
                 query, pl_str(NULL, 0));
    put(relay, PL_STR("REQUEST_URI"), target);
    put(relay, PL_STR("QUERY_STRING"), query.data == NULL ? PL_STR("") : query);
    put(relay, PL_STR("REQUEST_METHOD"), req->method_name);
    put(relay, PL_STR("SERVER_PROTOCOL"),
        req->version >= 30   ? PL_STR("HTTP/3.0")
        : req->version >= 20 ? PL_STR("HTTP/2.0")
        : req->version == 11 ? PL_STR("HTTP/1.1")
                             : PL_STR("HTTP/1.0"));
}

/* ---- both ends ---- */

static void put_server(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str scheme = pl_request_scheme(req);
    bool secure = pl_str_eq(scheme, PL_STR("https"));
    struct pl_str host = pl_request_host(req, NULL);
    char text[PL_ADDR_TEXT];
    struct pl_addr addr;
    bool known = req->wire != NULL && req->wire->local(req, &addr) &&
                 addr.sa.sa_family != AF_UNIX;
    struct pl_str own = {NULL, 0};

    if (known)
        own = pl_str(text, pl_addr_format_host(&addr, text));
    put_known(relay, PL_STR("SERVER_ADDR"), own);
    put(relay, PL_STR("SERVER_NAME"),
        host.len > 0  ? host
        : own.len > 0 ? own
                      : PL_STR("localhost"));
    put_number(relay, PL_STR("SERVER_PORT"),
               known    ? pl_addr_port(&addr)
               : secure ? 443
                        : 80);
    put(relay, PL_STR("REQUEST_SCHEME"), scheme);
    if (secure)
        put(relay, PL_STR("HTTPS"), PL_STR("on"));
}

/* The scheme of the credentials, which are still a field as well: PHP reads
 * them itself. */
static struct pl_str auth_type(struct pl_request *req)
{
    struct pl_str rest = pl_request_header_id(req, PL_HEADER_AUTHORIZATION),
                  scheme = {NULL, 0};

    (void)pl_str_split(&rest, ' ', &scheme);
    return scheme;
}

static void put_client(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    uint16_t port = 0;
    struct pl_str from = pl_request_remote(req, &port);

    put(relay, PL_STR("REMOTE_ADDR"), from.len > 0 ? from : PL_STR("unix:"));
    if (port != 0)
        put_number(relay, PL_STR("REMOTE_PORT"), port);
    if (req->user.data == NULL)
        return;
    put(relay, PL_STR("REMOTE_USER"), req->user);
    put_known(relay, PL_STR("AUTH_TYPE"), auth_type(req));
}

static void put_body(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;

    put_known(relay, PL_STR("CONTENT_TYPE"),
              pl_request_header_id(req, PL_HEADER_CONTENT_TYPE));
    if (relay->mode == PL_RELAY_WHOLE)
        put_number(relay, PL_STR("CONTENT_LENGTH"),
                   pl_body_waiting(&req->body).len);
    else if (relay->mode == PL_RELAY_LENGTH)
        put_number(relay, PL_STR("CONTENT_LENGTH"), (uint64_t)req->body.length);
}

/* ---- fields ---- */

/* Is it told in another way, or not at all? */
static bool is_left_out(const struct pl_relay *relay,
                        const struct pl_header *field)
{
    switch (field->id) {
    case PL_HEADER_HOST:
    case PL_HEADER_CONTENT_TYPE:
    case PL_HEADER_CONTENT_LENGTH:
    case PL_HEADER_EXPECT:
    case PL_HEADER_HTTP2_SETTINGS:
        return true;
    default:
        break;
    }
    return field->name_len > FIELD_MAX ||
           (pl_gateway_tells_who_asks(field) && !relay->believed) ||
           pl_gateway_is_hop(relay->req->headers, relay->req->nheaders, field);
}

static bool same_name(const struct pl_header *a, const struct pl_header *b)
{
    return a->id == b->id && (a->id != PL_HEADER_OTHER ||
                              pl_str_ieq(pl_header_name(a), pl_header_name(b)));
}

/* Has a field of that name come before the i-th, or comes one behind it? */
static bool is_repeated(const struct pl_request *req, unsigned i, bool before)
{
    unsigned from = before ? 0 : i + 1, to = before ? i : req->nheaders;

    for (; from < to; from++)
        if (same_name(&req->headers[from], &req->headers[i]))
            return true;
    return false;
}

static void put_fields(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str host = pl_gateway_host(req);
    char text[PL_ENV_FRONT + FIELD_MAX];

    if (host.len > 0)
        put(relay, PL_STR("HTTP_HOST"), host);
    for (unsigned i = 0; i < req->nheaders; i++) {
        const struct pl_header *field = &req->headers[i];
        struct pl_str name, value = pl_header_value(field);

        if (is_left_out(relay, field) || is_repeated(req, i, true))
            continue;
        name = pl_env_variable(text, pl_header_name(field));
        if (name.data == NULL)
            continue;
        if (is_repeated(req, i, false))
            value = pl_request_header(req, pl_header_name(field));
        put(relay, name, value);
    }
}

int pl_relay_make_params(struct pl_relay *relay)
{
    struct pl_buf *pairs = pl_request_buf(relay->req);

    if (pairs == NULL)
        return PL_ERR_NOMEM;
    relay->pairs = pairs;
    put_target(relay);
    put_path(relay);
    put_body(relay);
    put_server(relay);
    put_client(relay);
    put_fields(relay);
    pl_buf_add(pairs, relay->gateway->fcgi->constant);
    return pairs->err;
}
