/* request.c - one request, in libcurl's options.
 *
 * What the environment of the process says (http_proxy, .netrc, ...) is not
 * asked: a request is what the site says, and nothing else. */
#include <string.h>

#include "base/str.h"
#include "http.h"

#define SET(transfer, option, value)                                           \
    (curl_easy_setopt((transfer)->easy, option, value) == CURLE_OK)

static bool append(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);

    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool set_fields(struct pl_http_transfer *transfer,
                       const struct pl_http_spec *spec)
{
    for (unsigned i = 0; i < spec->nfields; i++)
        if (!append(&transfer->fields, spec->fields[i]))
            return false;
    return SET(transfer, CURLOPT_HTTPHEADER, transfer->fields);
}

static bool set_where(struct pl_http_transfer *transfer,
                      const struct pl_http_spec *spec)
{
    const char *at = spec->addresses;

    for (; at != NULL && *at != '\0'; at += strlen(at) + 1)
        if (!append(&transfer->addresses, at))
            return false;
    /* Names are looked up by us, and told anew with each request. What waits
     * for a place in the pool finds them there still. */
    return SET(transfer, CURLOPT_RESOLVE, transfer->addresses) &&
           SET(transfer, CURLOPT_DNS_CACHE_TIMEOUT, 600L) &&
           SET(transfer, CURLOPT_URL, spec->url) &&
           SET(transfer, CURLOPT_PROTOCOLS_STR, "http,https") &&
           SET(transfer, CURLOPT_PROXY,
               spec->proxy == NULL ? "" : spec->proxy) &&
           SET(transfer, CURLOPT_NOPROXY, "") &&
           SET(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
           SET(transfer, CURLOPT_UNIX_SOCKET_PATH, spec->socket);
}

/* The method is what the site says, whatever libcurl calls it. */
static bool set_body(struct pl_http_transfer *transfer,
                     const struct pl_http_spec *spec)
{
    if (strcmp(spec->method, "HEAD") == 0 && !SET(transfer, CURLOPT_NOBODY, 1L))
        return false;
    if (!SET(transfer, CURLOPT_CUSTOMREQUEST, spec->method))
        return false;
    if (spec->streams)
        return SET(transfer, CURLOPT_UPLOAD, 1L) &&
               SET(transfer, CURLOPT_INFILESIZE_LARGE,
                   (curl_off_t)spec->length);
    if (spec->body.data == NULL)
        return true;
    return SET(transfer, CURLOPT_POST, 1L) &&
           SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE,
               (curl_off_t)spec->body.len) &&
           SET(transfer, CURLOPT_POSTFIELDS, spec->body.data);
}

static bool set_trust(struct pl_http_transfer *transfer,
                      const struct pl_http_spec *spec)
{
    long verify = spec->insecure ? 0 : 1;

    return SET(transfer, CURLOPT_SSL_VERIFYPEER, verify) &&
           SET(transfer, CURLOPT_SSL_VERIFYHOST, verify * 2) &&
           SET(transfer, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           (spec->ca == NULL || SET(transfer, CURLOPT_CAINFO, spec->ca)) &&
           (spec->cert == NULL || SET(transfer, CURLOPT_SSLCERT, spec->cert)) &&
           (spec->key == NULL || SET(transfer, CURLOPT_SSLKEY, spec->key));
}

static bool set_login(struct pl_http_transfer *transfer,
                      const struct pl_http_spec *spec)
{
    if (spec->user == NULL && spec->password == NULL)
        return true;
    return SET(transfer, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) &&
           SET(transfer, CURLOPT_USERNAME,
               spec->user == NULL ? "" : spec->user) &&
           SET(transfer, CURLOPT_PASSWORD,
               spec->password == NULL ? "" : spec->password);
}

/* HTTP/2 without TLS: libcurl 7.88 breaks a kept connection off when it is told
 * again that the server knows it, so each request has one of its own. */
static bool set_version(struct pl_http_transfer *transfer,
                        const struct pl_http_spec *spec)
{
    if (spec->version == 1)
        return SET(transfer, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    if (spec->version == 2 && strncmp(spec->url, "http:", 5) == 0)
        return SET(transfer, CURLOPT_HTTP_VERSION,
                   CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE) &&
               SET(transfer, CURLOPT_FRESH_CONNECT, 1L) &&
               SET(transfer, CURLOPT_FORBID_REUSE, 1L);
    return SET(transfer, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
}

/* libcurl counts a stall in whole seconds. */
static bool set_limits(struct pl_http_transfer *transfer,
                       const struct pl_http_spec *spec)
{
    long stall = (long)((spec->stall_ms + 999) / 1000);

    return SET(transfer, CURLOPT_CONNECTTIMEOUT_MS,
               spec->connect_ms == 0
                   ? (long)INT32_MAX
                   : (long)PL_MIN(spec->connect_ms, (uint32_t)INT32_MAX)) &&
           SET(transfer, CURLOPT_LOW_SPEED_LIMIT, stall > 0 ? 1L : 0L) &&
           SET(transfer, CURLOPT_LOW_SPEED_TIME, stall);
}

static bool set_codings(struct pl_http_transfer *transfer,
                        const struct pl_http_spec *spec)
{
    return SET(transfer, CURLOPT_ACCEPT_ENCODING, spec->decode ? "" : NULL) &&
           set_version(transfer, spec);
}

static bool set_cookies(struct pl_http_transfer *transfer,
                        const struct pl_http_spec *spec)
{
    if (spec->jar == NULL)
        return true;
    return SET(transfer, CURLOPT_SHARE, pl_http_jar_share(spec->jar)) &&
           SET(transfer, CURLOPT_COOKIEFILE, "");
}

int pl_http_set_request(struct pl_http_transfer *transfer,
                        const struct pl_http_spec *spec)
{
    transfer->max_head = spec->max_head;
    return set_fields(transfer, spec) && set_where(transfer, spec) &&
                   set_body(transfer, spec) && set_trust(transfer, spec) &&
                   set_login(transfer, spec) && set_limits(transfer, spec) &&
                   set_codings(transfer, spec) && set_cookies(transfer, spec)
               ? 0
               : PL_ERR_NOMEM;
}
