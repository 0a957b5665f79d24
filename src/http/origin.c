#include "http/origin.h"

#include "base/features.h"
#include "base/str.h"
#include "http/forwarded.h"
#include "http/request.h"
#include "http/uri.h"
#include "net/proxy.h"
#include "net/tls.h"

static struct pl_str field_of(struct pl_request *req, unsigned fields,
                              unsigned bit, struct pl_str name)
{
    return fields & bit ? pl_request_header(req, name) : pl_str(NULL, 0);
}

#define FIELD(req, fields, NAME, name)                                         \
    field_of(req, fields, PL_FORWARDED_BIT(NAME), PL_STR(name))

/* got: as pl_forwarded_client() returns it. */
static void set_remote(struct pl_request *req, int got,
                       const struct pl_hop *hop)
{
    char text[PL_ADDR_TEXT];

    if (got == 0)
        return; /* the proxy itself asks */
    req->remote = pl_str(NULL, 0);
    req->remote_port = got < 0 ? 0 : hop->port;
    if (got > 0 && hop->addr.len > 0) /* one way to write each address */
        req->remote = pl_arena_str(
            &req->arena, pl_str(text, pl_addr_format_host(&hop->addr, text)));
    else if (got > 0)
        req->remote = hop->node;
    if (req->remote.data == NULL)
        req->remote = PL_STR("unknown");
}

static void set_scheme(struct pl_request *req, struct pl_str scheme)
{
    if (pl_str_ieq(scheme, PL_STR("https")))
        req->secure = true;
    else if (pl_str_ieq(scheme, PL_STR("http")))
        req->secure = false;
}

static void set_host(struct pl_request *req, struct pl_str text)
{
    struct pl_str host;
    uint16_t port;

    if (text.len == 0 || pl_uri_parse_authority(text, &host, &port) < 0)
        return;
    req->host_name = host;
    req->host_port = port;
}

static void set_port(struct pl_request *req, struct pl_str text)
{
    uint64_t port;

    if (text.len == 0 || !pl_str_to_u64(text, &port) || port == 0 ||
        port > UINT16_MAX)
        return;
    pl_request_host(req, NULL); /* takes the port of the Host field first */
    req->host_port = (uint16_t)port;
}

static void take_forwarded(struct pl_request *req, struct pl_str field,
                           const struct pl_trust *trust)
{
    struct pl_hop hop;
    int got = pl_forwarded_client(field, trust, &req->arena, &hop);

    set_remote(req, got, &hop);
    if (got <= 0)
        return;
    set_scheme(req, hop.proto);
    set_host(req, hop.host);
}

/* The client by X-Real-IP, or by X-Forwarded-For: then *hops tells which
 * elements of the others are its. */
static void take_address(struct pl_request *req, unsigned fields,
                         const struct pl_trust *trust, unsigned *hops)
{
    struct pl_str list = FIELD(req, fields, FOR, "x-forwarded-for");
    struct pl_str one = FIELD(req, fields, REAL_IP, "x-real-ip");
    struct pl_hop hop;

    if (list.data != NULL)
        set_remote(req, pl_forwarded_for_client(list, trust, &hop, hops), &hop);
    else if (one.data != NULL)
        set_remote(req, pl_hop_parse(one, &hop) ? 1 : PL_ERR_PROTO, &hop);
}

static void take_fields(struct pl_request *req, unsigned fields,
                        const struct pl_trust *trust)
{
    struct pl_str forwarded = FIELD(req, fields, FORWARDED, "forwarded");
    unsigned hops = 0;

    if (forwarded.data != NULL)
        take_forwarded(req, forwarded, trust);
    take_address(req, fields, trust, &hops);
    set_scheme(req, pl_forwarded_from_right(
                        FIELD(req, fields, PROTO, "x-forwarded-proto"), hops));
    set_host(req, pl_forwarded_from_right(
                      FIELD(req, fields, HOST, "x-forwarded-host"), hops));
    set_port(req, pl_forwarded_from_right(
                      FIELD(req, fields, PORT, "x-forwarded-port"), hops));
}

/* ---- what a PROXY header said ---- */

static bool header_of(struct pl_request *req, struct pl_proxy_header *header)
{
    struct pl_conn *conn =
        !PL_WITH_PROXY || req->wire == NULL || req->wire->conn == NULL
            ? NULL
            : req->wire->conn(req);

    return conn != NULL && pl_proxy_header_of(conn, header);
}

bool pl_request_proxy(struct pl_request *req, struct pl_proxy_info *info)
{
    struct pl_proxy_header header;
    struct pl_proxy_info out;
    char text[PL_ADDR_TEXT];

    if (!header_of(req, &header))
        return false;
    out = (struct pl_proxy_info){
        .size = info->size,
        .version = header.version,
        .port = header.bound.len > 0 ? pl_addr_port(&header.bound) : 0,
        .alpn = header.alpn,
        .authority = header.authority,
        .unique_id = header.unique_id,
        .netns = header.netns,
        .tls = header.tls.used,
        .tls_certificate = header.tls.cert,
        .tls_verified = header.tls.verified,
        .tls_version = header.tls.version,
        .tls_cipher = header.tls.cipher,
        .tls_cn = header.tls.cn,
        .tls_signature = header.tls.signature,
        .tls_key = header.tls.key,
    };
    if (header.bound.len > 0 && header.bound.sa.sa_family != AF_UNIX)
        memcpy(out.address, text, pl_addr_format_host(&header.bound, text));
    memcpy(info, &out, PL_MIN(info->size, sizeof(out)));
    return true;
}

struct pl_str pl_request_proxy_item(struct pl_request *req, uint8_t type)
{
    struct pl_proxy_header header;

    return header_of(req, &header) ? pl_proxy_item(header.items, type)
                                   : pl_str(NULL, 0);
}

/* Does a field say so? Only where its word counts. */
static bool is_forwarded(struct pl_request *req)
{
    struct pl_conn *conn = req->wire == NULL || req->wire->conn == NULL
                               ? NULL
                               : req->wire->conn(req);

    if (conn == NULL || !pl_conn_trusted(conn) ||
        conn->listener->options->forwarded == PL_FORWARDED_NONE)
        return false;
    return pl_request_header(req, PL_STR("forwarded")).data != NULL ||
           pl_request_header(req, PL_STR("x-forwarded-for")).data != NULL ||
           pl_request_header(req, PL_STR("x-real-ip")).data != NULL;
}

bool pl_request_is_proxied(struct pl_request *req)
{
    struct pl_proxy_header header;

    return PL_WITH_PROXY && (header_of(req, &header) || is_forwarded(req));
}

/* ---- at the beginning of a request ---- */

void pl_request_ask_proxies(struct pl_request *req)
{
    struct pl_conn *conn =
        req->wire->conn == NULL ? NULL : req->wire->conn(req);
    const struct pl_listen_options *options;
    struct pl_proxy_header header;

    if (conn == NULL)
        return;
    options = conn->listener->options;
    if (pl_proxy_header_of(conn, &header) && header.tls.used)
        req->secure = true;
    if (options->forwarded != PL_FORWARDED_NONE && pl_conn_trusted(conn))
        take_fields(req,
                    options->forwarded == 0 ? PL_FORWARDED_USUAL
                                            : options->forwarded,
                    options->trusted);
    /* It came to the proxy as it should; unless it is our own port that it took
     * for one without TLS. */
    if (req->secure && !(PL_WITH_TLS && pl_conn_mistaken(conn)))
        req->https_port = 0;
}
