/* gateway_response.c - the head that comes back.
 *
 * Fields go to the client but those of the connection, Content-Length (which
 * the wire writes), Date and Server (which are ours, as everywhere). Validators
 * stay plain fields: a gateway that keeps nothing must not evaluate conditions
 * (RFC 9110, 13.2.1), nor cut ranges out of what it has not got. */
#include "handlers/gateway_priv.h"

#include "base/error.h"
#include "base/str.h"
#include "http/status.h"
#include "http/url.h"
#include "http/wire.h"

/* ---- fields ---- */

static bool is_removed(const struct pl_gateway_fields *rules,
                       const struct pl_header *field)
{
    for (unsigned i = 0; i < rules->n; i++)
        if (pl_str_ieq(pl_header_name(&rules->list[i]), pl_header_name(field)))
            return true;
    return false;
}

static bool is_for_client(const struct pl_relay *relay,
                          const struct pl_header *fields, unsigned n,
                          const struct pl_header *field)
{
    switch (field->id) {
    case PL_HEADER_CONTENT_LENGTH:
    case PL_HEADER_DATE:
    case PL_HEADER_SERVER:
        return false;
    default:
        return !pl_gateway_is_hop(fields, n, field) &&
               !is_removed(&relay->gateway->response, field);
    }
}

struct pl_header *pl_relay_fields(struct pl_relay *relay, unsigned *n)
{
    const struct pl_h1_parser *parser = relay->fetch.parser;
    struct pl_str head = relay->fetch.head;
    struct pl_arena *arena = &relay->req->arena;
    char *copy = pl_arena_bytes(arena, head.len);
    struct pl_header *fields;
    unsigned kept = 0;

    if (copy == NULL)
        return NULL;
    memcpy(copy, head.data, head.len);
    fields = pl_h1_headers(parser, copy, arena);
    if (fields == NULL)
        return NULL;
    /* Which ones are the connection's is asked before any is moved. */
    for (unsigned i = 0; i < parser->nfields; i++)
        if (!is_for_client(relay, fields, parser->nfields, &fields[i]))
            fields[i].name = NULL;
    for (unsigned i = 0; i < parser->nfields; i++)
        if (fields[i].name != NULL)
            fields[kept++] = fields[i];
    *n = kept;
    return fields;
}

/* ---- Location and cookies ---- */

/* What is left of path when it begins with base, on a border of elements. */
static bool strip_base(struct pl_str path, struct pl_str base,
                       struct pl_str *rest)
{
    if (!pl_str_starts(path, base))
        return false;
    *rest = pl_str_skip(path, base.len);
    return rest->len == 0 || rest->data[0] == '/' || rest->data[0] == '?' ||
           rest->data[0] == '#';
}

/* As the client knows that path; path itself where it is not below base. */
static struct pl_str map_back(struct pl_relay *relay, struct pl_str path)
{
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_str rest, prefix = relay->prefix;

    if (prefix.len > 0 && prefix.data[prefix.len - 1] == '/')
        prefix.len--;
    if (!gateway->maps || !strip_base(path, gateway->base, &rest))
        return path;
    if (prefix.len + rest.len == 0)
        return PL_STR("/");
    return pl_arena_printf(&relay->req->arena, "%.*s%.*s", PL_STR_ARG(prefix),
                           PL_STR_ARG(rest));
}

/* "host:port" without the scheme's own port. */
static bool same_authority(struct pl_str a, struct pl_str b, struct pl_str port)
{
    if (a.len > b.len && pl_str_istarts(a, b))
        return pl_str_eq(pl_str_skip(a, b.len), port);
    if (b.len > a.len && pl_str_istarts(b, a))
        return pl_str_eq(pl_str_skip(b, a.len), port);
    return pl_str_ieq(a, b);
}

/* An absolute URL on the upstream, or on the host that it was asked as, leads
 * to us: as a path it keeps the client's scheme and host. */
static bool is_own_url(struct pl_relay *relay, const struct pl_url *url,
                       struct pl_str authority)
{
    struct pl_str port = pl_str_ieq(url->scheme, PL_STR("https"))
                             ? PL_STR(":443")
                             : PL_STR(":80");
    struct pl_str host = pl_request_header_id(relay->req, PL_HEADER_HOST);
    bool http = pl_str_ieq(url->scheme, PL_STR("https")) ||
                pl_str_ieq(url->scheme, PL_STR("http"));

    if (relay->req->authority.data != NULL)
        host = relay->req->authority;
    return http &&
           (same_authority(authority, relay->server->origin->host, port) ||
            same_authority(authority, host, port) ||
            (relay->gateway->host == PL_HOST_SAID &&
             same_authority(authority, relay->gateway->host_text, port)));
}

static struct pl_str rewrite_location(struct pl_relay *relay,
                                      struct pl_str value)
{
    struct pl_str rest = value;
    struct pl_url url;
    const char *end;

    if (pl_url_parse(value, &url) < 0)
        return value;
    if (url.scheme.data != NULL && url.host.data != NULL) {
        end = url.port.data != NULL ? url.port.data + url.port.len
                                    : url.host.data + url.host.len;
        if (!is_own_url(relay, &url,
                        pl_str(url.host.data, (size_t)(end - url.host.data))))
            return value;
        rest = pl_str(end, (size_t)(value.data + value.len - end));
        if (rest.len == 0 || rest.data[0] != '/')
            return value;
    } else if (url.host.data != NULL || !pl_str_starts(value, PL_STR("/"))) {
        return value;
    }
    if (pl_str_starts(rest, PL_STR("//"))) /* would name a host */
        return value;
    return map_back(relay, rest);
}

/* One attribute of a cookie, " Path=/x"; false: it is left out. */
static bool rewrite_attribute(struct pl_relay *relay, struct pl_str *part)
{
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_str word = pl_str_trim(*part);

    if (gateway->maps && pl_str_istarts(word, PL_STR("path=/")))
        *part =
            pl_arena_printf(&relay->req->arena, " Path=%.*s",
                            PL_STR_ARG(map_back(relay, pl_str_skip(word, 5))));
    if (!gateway->sets_cookie_domain ||
        !pl_str_istarts(word, PL_STR("domain=")))
        return true;
    *part = pl_arena_printf(&relay->req->arena, " Domain=%.*s",
                            PL_STR_ARG(gateway->cookie_domain));
    return gateway->cookie_domain.len > 0;
}

static struct pl_str rewrite_cookie(struct pl_relay *relay, struct pl_str value)
{
    struct pl_request *req = relay->req;
    struct pl_str rest = value, part;
    struct pl_buf out;
    bool first = true;

    pl_buf_init(&out, req->arena.pool, &req->account, 0);
    while (pl_str_split(&rest, ';', &part)) {
        if (!first && !rewrite_attribute(relay, &part))
            continue;
        if (!first)
            pl_buf_addc(&out, ';');
        pl_buf_add(&out, part);
        first = false;
    }
    if (out.err == 0)
        value = pl_arena_str(&req->arena, pl_buf_str(&out));
    pl_buf_fini(&out);
    return value;
}

static int rewrite(struct pl_relay *relay, struct pl_header *field)
{
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_str value = pl_header_value(field);

    if (field->id == PL_HEADER_LOCATION && gateway->rewrites_location)
        value = rewrite_location(relay, value);
    else if (field->id == PL_HEADER_SET_COOKIE && gateway->rewrites_cookies)
        value = rewrite_cookie(relay, value);
    if (value.data == NULL)
        return PL_ERR_NOMEM;
    field->value = value.data;
    field->value_len = (uint32_t)value.len;
    return 0;
}

/* ---- the response ---- */

static int add_rules(struct pl_relay *relay)
{
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_response *res = &relay->req->response;
    int err = 0;

    for (unsigned i = 0; i < gateway->response.n && err == 0; i++) {
        const struct pl_header *rule = &gateway->response.list[i];

        if (rule->value != NULL)
            err = pl_response_append(res, pl_header_name(rule),
                                     pl_header_value(rule));
    }
    if (err == 0 && gateway->via.data != NULL)
        err = pl_response_append(res, PL_STR("Via"),
                                 pl_arena_printf(&relay->req->arena, "1.1 %.*s",
                                                 PL_STR_ARG(gateway->via)));
    return err;
}

/* Filters may have set fields: those stay where the upstream says nothing. */
static int put_fields(struct pl_relay *relay, struct pl_header *fields,
                      unsigned n)
{
    struct pl_response *res = &relay->req->response;
    int err = 0;

    if (res->nheaders == 0) {
        res->headers = fields;
        res->nheaders = res->room = (uint16_t)n;
        res->lent = false;
        res->ready = NULL;
        return 0;
    }
    for (unsigned i = 0; i < n && err == 0; i++)
        err = pl_response_append(res, pl_header_name(&fields[i]),
                                 pl_header_value(&fields[i]));
    return err;
}

static unsigned take_type(struct pl_response *res, struct pl_header *fields,
                          unsigned n)
{
    unsigned kept = 0;

    res->type = (struct pl_str){NULL, 0};
    for (unsigned i = 0; i < n; i++) {
        if (fields[i].id == PL_HEADER_CONTENT_TYPE && res->type.data == NULL)
            res->type = pl_header_value(&fields[i]);
        else
            fields[kept++] = fields[i];
    }
    return kept;
}

int pl_relay_take_head(struct pl_relay *relay)
{
    struct pl_response *res = &relay->req->response;
    unsigned n;
    struct pl_header *fields = pl_relay_fields(relay, &n);
    int err = 0;

    if (fields == NULL)
        return PL_ERR_NOMEM;
    for (unsigned i = 0; i < n && err == 0; i++)
        err = rewrite(relay, &fields[i]);
    if (err < 0)
        return err;
    res->status = relay->fetch.parser->status;
    n = take_type(res, fields, n);
    err = put_fields(relay, fields, n);
    if (err == 0)
        err = add_rules(relay);
    res->length = relay->fetch.length;
    return err;
}

void pl_relay_inform(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    unsigned n;
    struct pl_header *fields;

    if (req->wire == NULL || req->wire->inform == NULL)
        return;
    fields = pl_relay_fields(relay, &n);
    if (fields != NULL)
        (void)req->wire->inform(req, relay->fetch.parser->status, fields, n);
}
