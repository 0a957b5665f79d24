/* gateway_request.c - the head that goes to the upstream.
 *
 * The path is the one that was routed: what another reader of it could take for
 * a path above it is refused, so that no rule of the site is gone around. It is
 * sent as it came if nothing was taken out of it, else written anew. */
#include "handlers/gateway_priv.h"

#include "base/check.h"
#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "http/uri.h"
#include "net/conn.h"

/* ---- the target ---- */

/* The bytes of a border of elements at path.data + at; 0: there is none. An
 * encoded slash, which stays "%2F" in a decoded path, is one for servers that
 * decode it, and "\" for others. */
static size_t border_at(struct pl_str path, size_t at)
{
    if (path.data[at] == '/' || path.data[at] == '\\')
        return 1;
    return pl_str_starts(pl_str_skip(path, at), PL_STR("%2F")) ? 3 : 0;
}

/* Does any server see "." or ".." in it? Some leave out what follows ";" in an
 * element: for them "..;x" is "..". */
static bool has_dots(struct pl_str path)
{
    size_t at = 0;

    while (at < path.len) {
        size_t end = at, dots = 0;

        while (end < path.len && border_at(path, end) == 0)
            end++;
        while (at + dots < end && path.data[at + dots] == '.')
            dots++;
        if ((dots == 1 || dots == 2) &&
            (at + dots == end || path.data[at + dots] == ';'))
            return true;
        at = end == path.len ? end : end + border_at(path, end);
    }
    return false;
}

/* The value of the escape at raw.data, "%2f"; an encoded slash is '/'. */
static char escape_of(struct pl_str raw)
{
    uint64_t value = 0;

    (void)pl_str_to_u64_hex(pl_str_first(pl_str_skip(raw, 1), 2), &value);
    return (char)value;
}

/* Can the raw path be sent as it came? Decoded it is the path, of which nothing
 * was taken out, and which no handler before this one has changed; and its
 * prefix is written as in the decoded one. */
static bool is_straight(const struct pl_request *req, size_t prefix)
{
    struct pl_str raw = req->raw_path, rest = req->path;

    if (raw.len < prefix || memcmp(raw.data, rest.data, prefix) != 0)
        return false;
    while (raw.len > 0 && rest.len > 0) {
        char c = raw.data[0] == '%' ? escape_of(raw) : raw.data[0];
        bool slash = raw.data[0] == '%' && c == '/';

        if ((unsigned char)raw.data[0] <= ' ' || raw.data[0] == 0x7f ||
            (slash ? !pl_str_starts(rest, PL_STR("%2F")) : rest.data[0] != c))
            return false;
        raw = pl_str_skip(raw, raw.data[0] == '%' ? 3 : 1);
        rest = pl_str_skip(rest, slash ? 3 : 1);
    }
    return raw.len == 0 && rest.len == 0;
}

/* How much of the decoded path belongs to the mount. */
static size_t prefix_len(const struct pl_request *req)
{
    if (req->rest.data == NULL)
        return req->path.len;
    return req->path.len - req->rest.len - (req->path.len > req->rest.len);
}

/* A decoded path as a target has it; out has three times its length. */
static size_t encode_path(char *out, struct pl_str path)
{
    static const char plain[] = "/!$&'()*+,;=:@"; /* RFC 3986, 3.3 */
    char *at = out;
    ptrdiff_t slash;

    while ((slash = pl_str_find(path, PL_STR("%2F"))) >= 0) {
        at += pl_uri_encode_to(at, pl_str_first(path, (size_t)slash), plain);
        at = mempcpy(at, "%2F", 3);
        path = pl_str_skip(path, (size_t)slash + 3);
    }
    return (size_t)(at - out) + pl_uri_encode_to(at, path, plain);
}

/* What the upstream sees of the path, into out, which has room for it. */
static char *put_path(char *out, struct pl_relay *relay, size_t prefix)
{
    struct pl_request *req = relay->req;
    const struct pl_gateway *gateway = relay->gateway;
    bool straight = is_straight(req, prefix);
    struct pl_str from = straight ? req->raw_path : req->path;
    bool whole = prefix == req->path.len;
    char *at = out;

    relay->prefix = pl_str_first(from, prefix);
    if (gateway->maps) {
        from = pl_str_skip(from, prefix);
        at = mempcpy(at, gateway->base.data, gateway->base.len);
    }
    if (!straight)
        at += encode_path(at, from);
    else if (from.len > 0)
        at = mempcpy(at, from.data, from.len);
    if (at == out || (whole && gateway->maps && gateway->base_slash))
        *at++ = '/';
    return at;
}

static char *put_query(char *at, struct pl_str query)
{
    if (query.data == NULL)
        return at;
    *at++ = '?';
    return query.len > 0 ? mempcpy(at, query.data, query.len) : at;
}

static int make_target(struct pl_relay *relay, const char **why)
{
    struct pl_request *req = relay->req;
    size_t size = relay->gateway->base.len + 3 * req->path.len +
                  req->raw_path.len + req->query.len + 2;
    char *out, *at;

    if (pl_str_eq(req->target, PL_STR("*"))) {
        relay->target = req->target;
        return 0;
    }
    if (has_dots(req->path)) {
        *why = "this path means different things to different servers";
        return 400;
    }
    out = pl_arena_bytes(&req->arena, size);
    if (out == NULL)
        return 503;
    at = put_query(put_path(out, relay, prefix_len(req)), req->query);
    relay->target = pl_str(out, (size_t)(at - out));
    return 0;
}

/* ---- what else is decided before the first attempt ---- */

static bool has_field(const struct pl_request *req, enum pl_header_id id)
{
    for (unsigned i = 0; i < req->nheaders; i++)
        if (req->headers[i].id == id)
            return true;
    return false;
}

static enum pl_relay_body body_of(const struct pl_request *req)
{
    const struct pl_body *body = &req->body;
    if (req->connect_protocol.data != NULL)
        return PL_RELAY_NO_BODY; /* RAW, when it has agreed */
    if (body->complete && pl_body_waiting(body).len == 0 &&
        !has_field(req, PL_HEADER_CONTENT_LENGTH) &&
        !has_field(req, PL_HEADER_TRANSFER_ENCODING))
        return PL_RELAY_NO_BODY;
    if (body->complete && req->trailers == NULL)
        return PL_RELAY_WHOLE;
    return body->length >= 0 ? PL_RELAY_LENGTH : PL_RELAY_CHUNKED;
}

/* Only what was agreed on may be said to the upstream. */
static bool wants_tunnel(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;

    if (!relay->gateway->tunnels)
        return false;
    if (req->connect_protocol.data != NULL)
        return pl_str_ieq(req->connect_protocol, PL_STR("websocket"));
    return req->upgrade && req->method == PL_METHOD_GET &&
           relay->mode == PL_RELAY_NO_BODY && req->wire != NULL &&
           req->wire->hijack != NULL;
}

static uint64_t make_key(struct pl_relay *relay)
{
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_request *req = relay->req;
    struct pl_str text;

    switch (gateway->key) {
    case PL_KEY_HEADER:
        text = pl_request_header(req, gateway->key_name);
        break;
    case PL_KEY_COOKIE:
        text = pl_request_cookie(req, gateway->key_name);
        break;
    case PL_KEY_PATH:
        text = req->path;
        break;
    default:
        text = pl_request_remote(req, NULL);
        break;
    }
    /* Without the field clients are told apart by their address. */
    if (text.len == 0)
        text = pl_request_remote(req, NULL);
    return pl_upstream_key(text);
}

/* May what the request says of those before be passed on? */
static bool is_believed(struct pl_request *req)
{
    struct pl_conn *conn = req->wire == NULL || req->wire->conn == NULL
                               ? NULL
                               : req->wire->conn(req);

    return PL_WITH_PROXY && req->http->trusting && conn != NULL &&
           pl_conn_trusted(conn);
}

/* Somebody before us reads the body, or has read a part of it. */
static bool is_spent(const struct pl_body *body)
{
    return body->use > PL_BODY_WHOLE ||
           (body->use == PL_BODY_WHOLE && !body->complete) ||
           body->received != pl_body_waiting(body).len;
}

int pl_relay_prepare(struct pl_relay *relay, const char **why)
{
    struct pl_request *req = relay->req;
    int status;

    relay->believed = is_believed(req);
    status = relay->gateway->wire->prepare(relay, why);
    if (status != 0)
        return status;
    if (is_spent(&req->body))
        return 500;
    if (relay->gateway->upstream.balance == PL_BALANCE_HASH && relay->key == 0)
        relay->key = make_key(relay);
    return 0;
}

static int prepare(struct pl_relay *relay, const char **why)
{
    struct pl_request *req = relay->req;
    int status = make_target(relay, why);

    if (status != 0)
        return status;
    relay->mode = body_of(req);
    relay->upgrade = wants_tunnel(relay);
    if (req->connect_protocol.data != NULL && !relay->upgrade) {
        *why = "this protocol is not sent on";
        return 501;
    }
    relay->expecting = relay->mode > PL_RELAY_WHOLE && req->version >= 11 &&
                       req->body.received == 0 &&
                       has_field(req, PL_HEADER_EXPECT);
    return 0;
}

/* ---- fields ---- */

static bool is_removed(const struct pl_gateway_fields *rules,
                       const struct pl_header *field)
{
    for (unsigned i = 0; i < rules->n; i++)
        if (pl_str_ieq(pl_header_name(&rules->list[i]), pl_header_name(field)))
            return true;
    return false;
}

/* An upstream for which fields become variables (CGI and its kin) takes "_" for
 * "-": to it X_Real_IP says what X-Real-IP says. word is in lower case. */
static bool reads_as(struct pl_str name, struct pl_str word)
{
    if (name.len != word.len)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((name.data[i] == '_' ? '-' : name.data[i] | 0x20) != word.data[i])
            return false;
    return true;
}

/* From anybody but proxies that are believed it may be a lie. */
bool pl_gateway_tells_who_asks(const struct pl_header *field)
{
    static const struct pl_str names[] = {
        PL_STR("x-forwarded-for"),    PL_STR("x-forwarded-proto"),
        PL_STR("x-forwarded-host"),   PL_STR("x-forwarded-port"),
        PL_STR("x-forwarded-prefix"), PL_STR("x-forwarded-server"),
        PL_STR("x-forwarded-scheme"), PL_STR("x-real-ip")};

    if (field->id == PL_HEADER_FORWARDED ||
        field->id == PL_HEADER_X_FORWARDED_FOR ||
        field->id == PL_HEADER_X_FORWARDED_PROTO)
        return true;
    for (size_t i = 0; field->id == PL_HEADER_OTHER && i < PL_COUNT(names); i++)
        if (reads_as(pl_header_name(field), names[i]))
            return true;
    return false;
}

/* Is it one of those that put_x_forwarded(), put_forwarded() write, or spelt so
 * that it only reads like one? */
static bool is_written(unsigned say, const struct pl_header *field)
{
    struct pl_str name = pl_header_name(field);

    if (field->id == PL_HEADER_FORWARDED)
        return (say & PL_SAY_FORWARDED) != 0;
    return pl_str_chr(name, '_') >= 0 ||
           ((say & PL_SAY_X_FORWARDED) != 0 &&
            (field->id != PL_HEADER_OTHER ||
             pl_header_word_is(name, PL_STR("x-forwarded-host"))));
}

/* Does the relay say this itself, or not at all? */
static bool is_ours(const struct pl_relay *relay, const struct pl_header *field)
{
    const struct pl_gateway *gateway = relay->gateway;

    switch (field->id) {
    case PL_HEADER_HOST:
    case PL_HEADER_CONTENT_LENGTH:
    case PL_HEADER_EXPECT:
    case PL_HEADER_HTTP2_SETTINGS:
        return true;
    case PL_HEADER_COOKIE: /* HTTP/2 takes them apart */
        return relay->req->version >= 20;
    case PL_HEADER_SEC_WEBSOCKET_KEY:
        return relay->req->connect_protocol.data != NULL;
    default:
        break;
    }
    if (gateway->say != 0 && pl_gateway_tells_who_asks(field))
        return !relay->believed || is_written(gateway->say, field);
    if (gateway->via.data != NULL &&
        pl_header_word_is(pl_header_name(field), PL_STR("via")))
        return true;
    /* As a variable it is HTTP_PROXY, through which programs send what they
     * ask of others (CVE-2016-5385). */
    return pl_header_word_is(pl_header_name(field), PL_STR("proxy"));
}

static bool is_hop_field(enum pl_header_id id)
{
    return pl_header_is_framing(id) && id != PL_HEADER_DATE;
}

bool pl_gateway_is_hop(const struct pl_header *fields, unsigned n,
                       const struct pl_header *field)
{
    if (is_hop_field(field->id))
        return true;
    for (unsigned i = 0; i < n; i++)
        if (fields[i].id == PL_HEADER_CONNECTION &&
            pl_header_list_has(pl_header_value(&fields[i]),
                               pl_header_name(field)))
            return true;
    return false;
}

/* ---- writing: into room that was measured before ---- */

struct out {
    char *at, *end;
};

static void put(struct out *out, struct pl_str text)
{
    PL_ASSERT(text.len <= (size_t)(out->end - out->at));
    if (text.len > 0)
        out->at = mempcpy(out->at, text.data, text.len);
}

static void put_line(struct out *out, struct pl_str name, struct pl_str value)
{
    put(out, name);
    put(out, PL_STR(": "));
    put(out, value);
    put(out, PL_STR("\r\n"));
}

/* The address that has sent us the request: the client's, or of the proxy
 * before us. */
static struct pl_str sender(struct pl_request *req, char text[PL_ADDR_TEXT])
{
    struct pl_addr addr;

    if (req->wire == NULL || !req->wire->peer(req, &addr) ||
        addr.sa.sa_family == AF_UNIX)
        return PL_STR("");
    return pl_str(text, pl_addr_format_host(&addr, text));
}

struct pl_str pl_gateway_host(struct pl_request *req)
{
    return req->authority.data != NULL
               ? req->authority
               : pl_request_header_id(req, PL_HEADER_HOST);
}

static void put_x_forwarded(struct out *out, const struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    char text[PL_ADDR_TEXT];
    struct pl_str before = {NULL, 0}, from = sender(req, text);
    struct pl_str host = pl_gateway_host(req);

    if (relay->believed) {
        before = pl_request_header_id(req, PL_HEADER_X_FORWARDED_FOR);
        if (pl_request_header(req, PL_STR("x-forwarded-host")).len > 0)
            host = pl_request_header(req, PL_STR("x-forwarded-host"));
    }
    put(out, PL_STR("X-Forwarded-For: "));
    put(out, before);
    if (before.len > 0)
        put(out, PL_STR(", "));
    put(out, from.len > 0 ? from : PL_STR("unknown"));
    put(out, PL_STR("\r\n"));
    put_line(out, PL_STR("X-Forwarded-Proto"), pl_request_scheme(req));
    if (host.len > 0)
        put_line(out, PL_STR("X-Forwarded-Host"), host);
}

/* RFC 7239. Only what is a host and a port may stand between the quotes. */
static bool is_quotable(struct pl_str host)
{
    return host.len > 0 && pl_str_chr(host, '"') < 0 &&
           pl_str_chr(host, '\\') < 0;
}

static void put_forwarded(struct out *out, const struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    char text[PL_ADDR_TEXT];
    struct pl_str before = {NULL, 0}, from = sender(req, text);
    struct pl_str host = pl_gateway_host(req);
    bool v6 = pl_str_chr(from, ':') >= 0;

    if (relay->believed)
        before = pl_request_header_id(req, PL_HEADER_FORWARDED);
    put(out, PL_STR("Forwarded: "));
    put(out, before);
    put(out, before.len > 0 ? PL_STR(", for=") : PL_STR("for="));
    put(out, v6 ? PL_STR("\"[") : PL_STR(""));
    put(out, from.len > 0 ? from : PL_STR("unknown"));
    put(out, v6 ? PL_STR("]\"") : PL_STR(""));
    put(out, PL_STR(";proto="));
    put(out, pl_request_scheme(req));
    if (is_quotable(host)) {
        put(out, PL_STR(";host=\""));
        put(out, host);
        put(out, PL_STR("\""));
    }
    put(out, PL_STR("\r\n"));
}

static void put_via(struct out *out, struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str before = pl_request_header(req, PL_STR("via"));

    put(out, PL_STR("Via: "));
    put(out, before);
    put(out, before.len > 0 ? PL_STR(", ") : PL_STR(""));
    put(out, req->version >= 30   ? PL_STR("3 ")
             : req->version >= 20 ? PL_STR("2 ")
             : req->version == 11 ? PL_STR("1.1 ")
                                  : PL_STR("1.0 "));
    put(out, relay->gateway->via);
    put(out, PL_STR("\r\n"));
}

static struct pl_str host_for(struct pl_relay *relay)
{
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_str host = pl_gateway_host(relay->req);

    if (gateway->host == PL_HOST_SAID)
        return gateway->host_text;
    return gateway->host == PL_HOST_KEPT && host.len > 0
               ? host
               : relay->server->origin->host;
}

static void put_body(struct out *out, struct pl_relay *relay)
{
    const struct pl_body *body = &relay->req->body;
    char digits[24];
    uint64_t length = relay->mode == PL_RELAY_WHOLE ? pl_body_waiting(body).len
                                                    : (uint64_t)body->length;

    if (relay->mode == PL_RELAY_CHUNKED)
        put_line(out, PL_STR("Transfer-Encoding"), PL_STR("chunked"));
    else if (relay->mode == PL_RELAY_WHOLE || relay->mode == PL_RELAY_LENGTH)
        put_line(out, PL_STR("Content-Length"),
                 pl_str(digits, pl_u64_format(digits, length)));
    if (relay->expecting)
        put_line(out, PL_STR("Expect"), PL_STR("100-continue"));
}

/* Of an extended CONNECT there is no key, and none is needed there. */
static void put_upgrade(struct out *out, struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    unsigned char random[16];

    put(out, PL_STR("Connection: Upgrade\r\n"));
    if (req->connect_protocol.data == NULL) {
        put_line(out, PL_STR("Upgrade"),
                 pl_request_header_id(req, PL_HEADER_UPGRADE));
        return;
    }
    pl_random(random, sizeof(random));
    pl_base64_encode(relay->ws_key, pl_str((char *)random, sizeof(random)),
                     PL_BASE64_STANDARD);
    put_line(out, PL_STR("Upgrade"), PL_STR("websocket"));
    put_line(out, PL_STR("Sec-WebSocket-Key"),
             pl_str(relay->ws_key, sizeof(relay->ws_key)));
}

static void put_fields(struct out *out, struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    const struct pl_gateway_fields *rules = &relay->gateway->request;

    for (unsigned i = 0; i < req->nheaders; i++) {
        const struct pl_header *field = &req->headers[i];

        if (is_ours(relay, field) ||
            pl_gateway_is_hop(req->headers, req->nheaders, field) ||
            is_removed(rules, field))
            continue;
        put_line(out, pl_header_name(field), pl_header_value(field));
    }
    for (unsigned i = 0; i < rules->n; i++)
        if (rules->list[i].value != NULL)
            put_line(out, pl_header_name(&rules->list[i]),
                     pl_header_value(&rules->list[i]));
}

static void put_head(struct out *out, struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    const struct pl_gateway *gateway = relay->gateway;
    struct pl_str te = pl_request_header_id(req, PL_HEADER_TE);

    put(out,
        req->connect_protocol.data != NULL ? PL_STR("GET") : req->method_name);
    put(out, PL_STR(" "));
    put(out, relay->target);
    put(out, PL_STR(" HTTP/1.1\r\n"));
    put_line(out, PL_STR("Host"), host_for(relay));
    if (relay->upgrade) {
        put_upgrade(out, relay);
    } else if (pl_header_list_has(te, PL_STR("trailers"))) {
        relay->wants_trailers = true;
        put(out, PL_STR("Connection: TE\r\nTE: trailers\r\n"));
    }
    put_fields(out, relay);
    if (req->version >= 20 &&
        pl_request_header_id(req, PL_HEADER_COOKIE).len > 0)
        put_line(out, PL_STR("Cookie"),
                 pl_request_header_id(req, PL_HEADER_COOKIE));
    if (gateway->say & PL_SAY_X_FORWARDED)
        put_x_forwarded(out, relay);
    if (gateway->say & PL_SAY_FORWARDED)
        put_forwarded(out, relay);
    if (gateway->via.data != NULL)
        put_via(out, relay);
    put_body(out, relay);
    put(out, PL_STR("\r\n"));
}

/* No head is larger: each field of the request is written twice at most (its
 * Host thrice), and OURS is what is added beside. */
enum { OURS = 1024 };

static size_t bound_of(const struct pl_relay *relay)
{
    const struct pl_request *req = relay->req;
    const struct pl_gateway *gateway = relay->gateway;
    size_t size = OURS + relay->target.len + req->method_name.len +
                  gateway->request_size + gateway->via.len +
                  gateway->host_text.len + 4 * req->authority.len +
                  relay->server->origin->host.len;

    for (unsigned i = 0; i < req->nheaders; i++) {
        const struct pl_header *field = &req->headers[i];
        size_t copies = field->id == PL_HEADER_HOST ? 4 : 2;

        size += copies * (field->name_len + field->value_len + 4u);
    }
    return size;
}

static int write_head(struct pl_relay *relay)
{
    size_t bound = bound_of(relay);
    char *room = pl_fetch_reserve(&relay->fetch, bound);
    struct out out;

    if (room != NULL) {
        out = (struct out){room, room + bound};
        put_head(&out, relay);
        pl_fetch_commit(&relay->fetch, (size_t)(out.at - room));
        return 0;
    }
    room = pl_arena_bytes(&relay->req->arena, bound);
    if (room == NULL)
        return PL_ERR_NOMEM;
    out = (struct out){room, room + bound};
    put_head(&out, relay);
    return pl_fetch_write(&relay->fetch, pl_str(room, (size_t)(out.at - room)));
}

const struct pl_gateway_wire pl_gateway_http = {
    .prepare = prepare,
    .write_head = write_head,
    .write_piece = pl_relay_write_piece,
    .write_end = pl_relay_write_end,
    .take_head = pl_relay_take_head,
};
