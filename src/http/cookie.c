#include "http/cookie.h"

#include "base/str.h"
#include "http/date.h"
#include "http/header.h"

bool pl_cookie_next(struct pl_str *rest, struct pl_str *name,
                    struct pl_str *value)
{
    struct pl_str pair;

    while (pl_str_split(rest, ';', &pair)) {
        *value = pair;
        pl_str_split(value, '=', name);
        if (value->data == NULL)
            continue;
        *name = pl_str_trim(*name);
        *value = pl_str_trim(*value);
        if (name->len > 0)
            return true;
    }
    return false;
}

struct pl_str pl_cookie_get(struct pl_str cookies, struct pl_str name)
{
    struct pl_str found, value;

    while (pl_cookie_next(&cookies, &found, &value))
        if (pl_str_eq(found, name))
            return value;
    return pl_str(NULL, 0);
}

/* ---- writing ---- */

/* *cookie-octet, or the same in quotes (RFC 6265, 4.1.1) */
static bool is_value(struct pl_str s)
{
    if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"')
        s = pl_str(s.data + 1, s.len - 2);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' ||
            c == '\\')
            return false;
    }
    return true;
}

/* Path begins with "/", or browsers take the default path instead (5.2.4). */
static bool is_path(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c < ' ' || c >= 0x7f || c == ';')
            return false;
    }
    return s.len > 0 && s.len <= PL_COOKIE_ATTRIBUTE_MAX && s.data[0] == '/';
}

static bool is_domain(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = pl_ascii_lower((unsigned char)s.data[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
            c != '.' && c != '_')
            return false;
    }
    return s.len > 0 && s.len <= 255;
}

/* What a name promises, the rest of the cookie has to keep. Browsers compare
 * the prefixes in any case. */
static bool keeps_promises(const struct pl_cookie *cookie)
{
    if (pl_str_istarts(cookie->name, PL_STR("__Host-")))
        return cookie->secure && cookie->domain.data == NULL &&
               pl_str_eq(cookie->path, PL_STR("/"));
    if (pl_str_istarts(cookie->name, PL_STR("__Secure-")) ||
        cookie->same_site == PL_SAME_SITE_NONE || cookie->partitioned)
        return cookie->secure;
    return true;
}

static bool is_valid(const struct pl_cookie *cookie)
{
    return pl_header_name_valid(cookie->name) && is_value(cookie->value) &&
           cookie->name.len + cookie->value.len <= PL_COOKIE_PAIR_MAX &&
           (cookie->path.data == NULL || is_path(cookie->path)) &&
           (cookie->domain.data == NULL || is_domain(cookie->domain)) &&
           keeps_promises(cookie);
}

static void add_attribute(struct pl_buf *out, struct pl_str name,
                          struct pl_str value)
{
    pl_buf_add(out, name);
    pl_buf_add(out, value);
}

static void add_lifetime(const struct pl_cookie *cookie, struct pl_buf *out)
{
    char text[PL_HTTP_DATE_LEN];
    size_t len;

    if (cookie->has_expires) {
        pl_http_date_format(text, cookie->expires);
        add_attribute(out, PL_STR("; Expires="),
                      pl_str(text, PL_HTTP_DATE_LEN));
    }
    if (cookie->has_max_age) { /* the grammar has no sign: 0 deletes as well */
        len = pl_u64_format(text, (uint64_t)PL_MAX(cookie->max_age, 0));
        add_attribute(out, PL_STR("; Max-Age="), pl_str(text, len));
    }
}

int pl_cookie_format(const struct pl_cookie *cookie, struct pl_buf *out)
{
    static const struct pl_str same_site[] = {
        [PL_SAME_SITE_UNSET] = PL_STR(""),
        [PL_SAME_SITE_LAX] = PL_STR("; SameSite=Lax"),
        [PL_SAME_SITE_STRICT] = PL_STR("; SameSite=Strict"),
        [PL_SAME_SITE_NONE] = PL_STR("; SameSite=None"),
    };

    if (!is_valid(cookie))
        return PL_ERR_INVALID;
    pl_buf_add(out, cookie->name);
    add_attribute(out, PL_STR("="), cookie->value);
    if (cookie->path.data != NULL)
        add_attribute(out, PL_STR("; Path="), cookie->path);
    if (cookie->domain.data != NULL)
        add_attribute(out, PL_STR("; Domain="), cookie->domain);
    add_lifetime(cookie, out);
    pl_buf_add(out, same_site[cookie->same_site]);
    if (cookie->secure)
        pl_buf_add(out, PL_STR("; Secure"));
    if (cookie->http_only)
        pl_buf_add(out, PL_STR("; HttpOnly"));
    if (cookie->partitioned)
        pl_buf_add(out, PL_STR("; Partitioned"));
    return out->err;
}
