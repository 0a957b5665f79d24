/* front.c - what the listener of a request says of it: is it secure, must the
 * client keep to that (HSTS, RFC 6797), or is it to come again with TLS? */
#include "base/features.h"
#include "base/str.h"
#include "http/request.h"
#include "net/tls.h"

enum { HTTPS = 443 };

/* "https://" host, a port that is not the usual one, and the target as it came.
 * An absent string: there is no host, or no memory. */
static struct pl_str https_url(struct pl_request *req, uint16_t port)
{
    struct pl_str host = pl_request_host(req, NULL);
    struct pl_str mark = req->query.data == NULL ? PL_STR("") : PL_STR("?");
    char text[8] = "";

    if (host.len == 0)
        return pl_str(NULL, 0);
    if (port != HTTPS) {
        text[0] = ':';
        text[1 + pl_u64_format(text + 1, port)] = '\0';
    }
    return pl_arena_printf(&req->arena, "https://%.*s%s%.*s%.*s%.*s",
                           PL_STR_ARG(host), text, PL_STR_ARG(req->raw_path),
                           PL_STR_ARG(mark), PL_STR_ARG(req->query));
}

PL_COLD void pl_request_send_away(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    struct pl_str url = https_url(req, req->https_port);

    if (url.data == NULL || pl_response_redirect(res, url, 308) < 0) {
        pl_response_reset(res);
        pl_response_error(res, 400, PL_STR("use https://"));
    }
    req->http->stats.refused++;
    pl_request_remote(req, NULL); /* for the log */
    pl_request_finish(req, 0);
}

static uint16_t local_port(const struct pl_conn *conn)
{
    struct pl_addr addr;

    return pl_conn_local(conn, &addr) ? (uint16_t)pl_addr_port(&addr) : HTTPS;
}

void pl_request_arrived_at(struct pl_request *req, const struct pl_conn *conn)
{
    req->secure = pl_conn_secure(conn);
    if (!PL_WITH_TLS)
        return;
    req->https_port = conn->listener->options->https_port;
    if (!conn->listener->more)
        return;
    if (req->secure)
        req->hsts_s = pl_conn_tls_options(conn)->hsts_s;
    else if (pl_conn_mistaken(conn))
        req->https_port = local_port(conn);
}

/* ---- what the connection has agreed on ---- */

struct tls {
    struct pl_request_tls shown;
    struct pl_tls_info info;
};

static void show(struct tls *tls)
{
    const struct pl_tls_info *info = &tls->info;

    tls->shown = (struct pl_request_tls){.version = info->version,
                                         .cipher = info->cipher,
                                         .sni = info->sni,
                                         .alpn = info->alpn,
                                         .resumed = info->resumed,
                                         .has_client = info->has_peer,
                                         .verified = info->verified,
                                         .error = info->why,
                                         .subject = info->subject,
                                         .issuer = info->issuer,
                                         .serial = info->serial,
                                         .fingerprint = info->fingerprint,
                                         .not_before = info->not_before,
                                         .not_after = info->not_after};
}

PL_COLD const struct pl_request_tls *pl_request_tls(struct pl_request *req)
{
    struct pl_conn *conn = NULL;
    struct tls *tls;

    if (!PL_WITH_TLS || req->tls != NULL)
        return req->tls;
    if (req->wire != NULL && req->wire->conn != NULL)
        conn = req->wire->conn(req);
    if (conn == NULL || !pl_conn_secure(conn))
        return NULL;
    tls = pl_arena_alloc(&req->arena, sizeof(*tls));
    if (tls == NULL || !pl_conn_tls_info(conn, &tls->info))
        return NULL;
    show(tls);
    req->tls = &tls->shown;
    return req->tls;
}

/* ---- HSTS ---- */

PL_COLD void pl_request_add_hsts(struct pl_request *req)
{
    static const struct pl_str name = {"Strict-Transport-Security", 25};
    struct pl_response *res = &req->response;
    struct pl_str value;

    if (pl_response_get(res, name).data != NULL)
        return;
    value = pl_arena_printf(&req->arena, "max-age=%llu",
                            (unsigned long long)req->hsts_s);
    if (value.data != NULL)
        pl_response_set(res, name, value);
}
