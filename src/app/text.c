/* text.c - texts inside of other texts, for C programs (perilune.h). */
#include "base/html.h"
#include "base/str.h"
#include "http/mime.h"
#include "http/request.h"
#include "http/uri.h"

static size_t escaped_len(struct pl_str text)
{
    size_t len = text.len;

    for (size_t i = 0; i < text.len; i++) {
        const char *entity = pl_html_entity(text.data[i]);

        if (entity != NULL)
            len += strlen(entity) - 1;
    }
    return len;
}

struct pl_str pl_escape(struct pl_request *req, struct pl_str text)
{
    char *out = pl_alloc(req, escaped_len(text) + 1), *at = out;

    if (out == NULL)
        return pl_str(NULL, 0);
    for (size_t i = 0; i < text.len; i++) {
        const char *entity = pl_html_entity(text.data[i]);

        if (entity != NULL)
            at = stpcpy(at, entity);
        else
            *at++ = text.data[i];
    }
    *at = '\0';
    return pl_str(out, (size_t)(at - out));
}

static struct pl_str finish(char *out, size_t len)
{
    out[len] = '\0';
    return pl_str(out, len);
}

struct pl_str pl_url_encode(struct pl_request *req, struct pl_str text)
{
    char *out = pl_alloc(req, 3 * text.len + 1);

    return out == NULL ? pl_str(NULL, 0)
                       : finish(out, pl_uri_encode_to(out, text, ""));
}

struct pl_str pl_url_decode(struct pl_request *req, struct pl_str text)
{
    char *out = pl_alloc(req, text.len + 1);

    return out == NULL ? pl_str(NULL, 0)
                       : finish(out, pl_uri_decode_to(out, text, false));
}

struct pl_str pl_mime_type(struct pl_str name)
{
    return pl_mime_of(name);
}
