#include "http/ws_handshake.h"

#include "base/error.h"
#include "base/features.h"
#include "base/log.h"
#include "base/sha1.h"
#include "base/str.h"
#include "http/again.h"
#include "http/request.h"
#include "http/uri.h"
#include "http/ws_deflate.h"

void pl_ws_accept_key(char out[PL_WS_ACCEPT], struct pl_str key)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[PL_WS_KEY + sizeof(magic) - 1];
    unsigned char digest[PL_SHA1_SIZE];

    memcpy(text, key.data, PL_WS_KEY);
    memcpy(text + PL_WS_KEY, magic, sizeof(magic) - 1);
    pl_sha1(digest, pl_str(text, sizeof(text)));
    pl_base64_encode(out, pl_str((const char *)digest, sizeof(digest)),
                     PL_BASE64_STANDARD);
}

/* Base64 of 16 bytes. */
static bool is_key(struct pl_str key)
{
    char bytes[PL_WS_KEY];

    return key.len == PL_WS_KEY &&
           pl_base64_decode(bytes, key, PL_BASE64_STANDARD) == 16;
}

/* ---- who may ---- */

struct origin {
    struct pl_str scheme, host;
    uint16_t port; /* never 0, but for schemes without one */
};

static bool parse_origin(struct pl_str text, struct origin *out)
{
    ptrdiff_t at = pl_str_find(text, PL_STR("://"));

    if (at <= 0)
        return false;
    out->scheme = pl_str_first(text, (size_t)at);
    if (pl_uri_parse_authority(pl_str_skip(text, (size_t)at + 3), &out->host,
                               &out->port) < 0)
        return false;
    if (out->port == 0)
        out->port = pl_str_ieq(out->scheme, PL_STR("https"))  ? 443
                    : pl_str_ieq(out->scheme, PL_STR("http")) ? 80
                                                              : 0;
    return true;
}

/* "https://a.example", "a.example", "*.example": any scheme and port if none is
 * said. */
static bool origin_is(const struct origin *origin, struct pl_str allowed)
{
    struct origin want;

    if (parse_origin(allowed, &want))
        return pl_str_ieq(want.scheme, origin->scheme) &&
               pl_str_ieq(want.host, origin->host) && want.port == origin->port;
    if (!pl_str_starts(allowed, PL_STR("*.")))
        return pl_str_ieq(allowed, origin->host);
    allowed = pl_str_skip(allowed, 1);
    return origin->host.len > allowed.len &&
           pl_str_ieq(allowed, pl_str_skip(origin->host,
                                           origin->host.len - allowed.len));
}

bool pl_ws_origin_allowed(struct pl_str text, struct pl_str origins,
                          struct pl_str host, uint16_t port)
{
    struct origin origin;
    struct pl_str one;

    if (pl_str_eq(origins, PL_STR("*")))
        return true;
    if (!parse_origin(text, &origin))
        return false;
    if (origins.data == NULL)
        return pl_str_ieq(origin.host, host) &&
               (port == 0 ? origin.port == 80 || origin.port == 443
                          : port == origin.port);
    while (pl_str_split(&origins, ' ', &one))
        if (one.len > 0 && origin_is(&origin, one))
            return true;
    return false;
}

static bool origin_is_good(struct pl_request *req,
                           const struct pl_ws_settings *settings)
{
    struct pl_str origin = pl_request_header_id(req, PL_HEADER_ORIGIN);
    uint16_t port;
    struct pl_str host = pl_request_host(req, &port);

    /* Without the field it is no browser, and nobody's cookies are at risk. */
    return origin.data == NULL ||
           pl_ws_origin_allowed(origin, settings->origins, host, port);
}

/* ---- what is asked for ---- */

static int refuse(int status, const char *text, const char **why)
{
    *why = text;
    return status;
}

/* Said in the log: behind a proxy that changes Host it is the site's fault. */
static int refuse_origin(struct pl_request *req, const char **why)
{
    struct pl_str origin = pl_request_header_id(req, PL_HEADER_ORIGIN);
    struct pl_str host = pl_request_header_id(req, PL_HEADER_HOST);

    pl_log(PL_LOG_INFO, "http",
           "websocket refused: this origin may not connect (see the option "
           "origins) origin=%.*s host=%.*s",
           PL_STR_ARG(origin), PL_STR_ARG(host));
    return refuse(403, "not from this origin", why);
}

/* By an extended CONNECT (RFC 8441), not by an upgrade. */
static bool is_stream(const struct pl_request *req)
{
    return PL_WITH_HTTP2 &&
           pl_str_ieq(req->connect_protocol, PL_STR("websocket"));
}

static bool asks_for_it(struct pl_request *req)
{
    struct pl_str upgrade = pl_request_header_id(req, PL_HEADER_UPGRADE);

    return is_stream(req) ||
           (req->upgrade && pl_header_list_has(upgrade, PL_STR("websocket")));
}

static int check(struct pl_request *req, const struct pl_ws_settings *settings,
                 const char **why)
{
    struct pl_str version =
        pl_request_header_id(req, PL_HEADER_SEC_WEBSOCKET_VERSION);

    if (!asks_for_it(req))
        return refuse(426, "this is for WebSocket", why);
    if (req->method != PL_METHOD_GET)
        return refuse(400, "a WebSocket begins with GET", why);
    if (!pl_str_eq(version, PL_STR("13")))
        return refuse(426, "this is for version 13 of WebSocket", why);
    if (!is_stream(req) &&
        !is_key(pl_request_header_id(req, PL_HEADER_SEC_WEBSOCKET_KEY)))
        return refuse(400, "a bad Sec-WebSocket-Key", why);
    if (!origin_is_good(req, settings))
        return refuse_origin(req, why);
    if (req->http->draining || req->wire == NULL)
        return refuse(503, "the server stops", why);
    return 0;
}

/* The first of ours that the client has: its number from 1; 0: none. */
static unsigned choose_protocol(struct pl_request *req, struct pl_str ours,
                                struct pl_str *chosen)
{
    struct pl_str theirs =
        pl_request_header(req, PL_STR("sec-websocket-protocol"));
    unsigned number = 0;

    while (theirs.data != NULL && pl_str_split(&ours, ' ', chosen)) {
        struct pl_str rest = theirs, name;

        number++;
        while (pl_header_list_next(&rest, &name)) /* in that case */
            if (name.len > 0 && pl_str_eq(name, *chosen))
                return number;
    }
    return 0;
}

/* What was agreed. */
struct terms {
    unsigned protocol;
    size_t extension; /* bytes of its field; 0: none */
    struct pl_ws_deflate_params params;
};

static int set_extension(struct pl_request *req,
                         const struct pl_ws_settings *settings,
                         struct terms *terms)
{
    struct pl_str name = PL_STR("Sec-WebSocket-Extensions");
    char answer[PL_WS_EXTENSION_MAX];

    if (settings->compress == PL_WS_PLAIN)
        return 0;
    terms->extension = pl_ws_extension_choose(
        pl_request_header(req, name), (enum pl_ws_compress)settings->compress,
        settings->window_bits, &terms->params, answer);
    if (terms->extension == 0)
        return 0;
    return pl_response_set(&req->response, name,
                           pl_str(answer, terms->extension));
}

/* Sockets without a context and with the largest windows share a packer. */
static int begin_packing(struct pl_ws *ws, const struct terms *terms)
{
    const struct pl_ws_deflate_params *params = &terms->params;
    struct pl_ws_packer *packer;

    if (terms->extension == 0)
        return 0;
    if (params->server_fresh && params->client_fresh &&
        params->server_bits == 15)
        return pl_ws_set_packer(ws, NULL);
    packer = pl_ws_packer_new(params);
    return packer == NULL ? PL_ERR_NOMEM : pl_ws_set_packer(ws, packer);
}

static int set_accept(struct pl_request *req)
{
    char accept[PL_WS_ACCEPT];

    pl_ws_accept_key(accept,
                     pl_request_header_id(req, PL_HEADER_SEC_WEBSOCKET_KEY));
    return pl_response_set(&req->response, PL_STR("Sec-WebSocket-Accept"),
                           pl_str(accept, sizeof(accept)));
}

static int set_fields(struct pl_request *req,
                      const struct pl_ws_settings *settings,
                      struct terms *terms)
{
    struct pl_response *res = &req->response;
    struct pl_str chosen;
    int err = is_stream(req) ? 0 : set_accept(req);

    terms->protocol = choose_protocol(req, settings->protocols, &chosen);
    if (err == 0 && terms->protocol > 0)
        err = pl_response_set(res, PL_STR("Sec-WebSocket-Protocol"), chosen);
    return err == 0 ? set_extension(req, settings, terms) : err;
}

int pl_ws_accept_request(struct pl_request *req,
                         const struct pl_ws_settings *settings,
                         struct pl_ws **ws, const char **why)
{
    struct terms terms = {.extension = 0};
    int status, err;

    if (pl_request_is_resumed(req) && req->websocket != NULL) {
        pl_request_goes_on(req);
        pl_ws_set(req->websocket, settings);
        *ws = req->websocket;
        return 0;
    }
    status = check(req, settings, why);
    if (status != 0)
        return status;
    err = set_fields(req, settings, &terms);
    if (err == 0)
        err = is_stream(req) ? pl_ws_over_stream(req, settings, ws)
                             : pl_ws_over_h1(req, settings, ws);
    if (err < 0)
        return refuse(err == PL_ERR_UNSUPPORTED ? 400 : 503, pl_err_text(err),
                      why);
    (*ws)->protocol = (uint8_t)terms.protocol;
    req->websocket = *ws;
    if (begin_packing(*ws, &terms) < 0) /* too late to say that we do not */
        pl_ws_close(*ws, PL_WS_ERROR, PL_STR("out of memory"));
    return 0;
}

struct pl_ws *pl_ws_adopt(struct pl_request *req)
{
    struct pl_ws *ws = req->websocket;

    req->websocket = NULL;
    return ws;
}

struct pl_str pl_ws_protocol(const struct pl_ws *ws)
{
    struct pl_str rest = ws->settings->protocols, name = {NULL, 0};

    for (unsigned i = 0; i < ws->protocol; i++)
        pl_str_split(&rest, ' ', &name);
    return name;
}
