/* url.c - the parts of a URL, by the parser that connects: whoever looks at
 * them decides on what is really asked. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http.h"

static int fail(struct pl_error *error, CURLUcode code)
{
    if (code == CURLUE_OUT_OF_MEMORY)
        return PL_ERR_NOMEM;
    error->code = PL_ERR_INVALID;
    error->where[0] = '\0';
    strncpy(error->text, curl_url_strerror(code), sizeof(error->text) - 1);
    error->text[sizeof(error->text) - 1] = '\0';
    return PL_ERR_INVALID;
}

static CURLUcode get_text(CURLU *url, CURLUPart part, char *out, size_t size)
{
    char *text;
    CURLUcode code = curl_url_get(url, part, &text, CURLU_DEFAULT_PORT);

    if (code != CURLUE_OK)
        return code;
    if (strlen(text) >= size)
        code = CURLUE_BAD_HOSTNAME;
    else
        strcpy(out, text);
    curl_free(text);
    return code;
}

/* "[::1]" -> "::1" */
static void bare(char *host)
{
    size_t len = strlen(host);

    if (host[0] != '[' || len < 2)
        return;
    memmove(host, host + 1, len - 2);
    host[len - 2] = '\0';
}

/* NULL: there is none. */
static CURLUcode get_optional(CURLU *url, CURLUPart part, char **out)
{
    CURLUcode code = curl_url_get(url, part, out, CURLU_URLDECODE);

    if (code == CURLUE_NO_USER || code == CURLUE_NO_PASSWORD) {
        *out = NULL;
        return CURLUE_OK;
    }
    return code;
}

static CURLUcode take_apart(CURLU *url, struct pl_http_url *out)
{
    char port[8];
    CURLUcode code;

    if ((code = get_text(url, CURLUPART_SCHEME, out->scheme,
                         sizeof(out->scheme))) != CURLUE_OK)
        return code == CURLUE_BAD_HOSTNAME ? CURLUE_UNSUPPORTED_SCHEME : code;
    if (strcmp(out->scheme, "http") != 0 && strcmp(out->scheme, "https") != 0)
        return CURLUE_UNSUPPORTED_SCHEME;
    if ((code = get_text(url, CURLUPART_HOST, out->host, sizeof(out->host))) !=
            CURLUE_OK ||
        (code = get_text(url, CURLUPART_PORT, port, sizeof(port))) !=
            CURLUE_OK ||
        (code = get_optional(url, CURLUPART_USER, &out->user)) != CURLUE_OK ||
        (code = get_optional(url, CURLUPART_PASSWORD, &out->password)) !=
            CURLUE_OK)
        return code;
    bare(out->host);
    out->port = (uint16_t)strtoul(port, NULL, 10);
    curl_url_set(url, CURLUPART_USER, NULL, 0);
    curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    return curl_url_get(url, CURLUPART_URL, &out->whole, 0);
}

/* curl_free() is host->free(): see open_host() in http.c. */
void pl_http_url_fini(struct pl_http_url *url)
{
    curl_free(url->whole);
    curl_free(url->user);
    curl_free(url->password);
    url->whole = url->user = url->password = NULL;
}

int pl_http_url(const char *base, const char *text, struct pl_http_url *out,
                struct pl_error *error)
{
    CURLU *url = curl_url();
    CURLUcode code = CURLUE_OK;

    memset(out, 0, sizeof(*out));
    if (url == NULL)
        return PL_ERR_NOMEM;
    if (base != NULL)
        code = curl_url_set(url, CURLUPART_URL, base, 0);
    if (code == CURLUE_OK) /* what is relative is so to what was set before */
        code = curl_url_set(url, CURLUPART_URL, text, CURLU_URLENCODE);
    if (code == CURLUE_OK)
        code = take_apart(url, out);
    curl_url_cleanup(url);
    if (code == CURLUE_OK)
        return 0;
    pl_http_url_fini(out);
    return fail(error, code);
}
