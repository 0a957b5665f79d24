/* cookie.h - cookies: reading Cookie, writing Set-Cookie (RFC 6265). */
#ifndef PL_HTTP_COOKIE_H
#define PL_HTTP_COOKIE_H

#include "base/buf.h"

/* Takes the next pair off the value of a Cookie field: raw slices, trimmed;
 * quotes stay, as they belong to the value. Pieces without "=" or without a
 * name are passed over. False at the end. */
bool pl_cookie_next(struct pl_str *rest, struct pl_str *name,
                    struct pl_str *value);

/* The first value under that name (case-sensitive): the one with the longest
 * path, as browsers send them in that order (5.4). Absent if there is none. */
struct pl_str pl_cookie_get(struct pl_str cookies, struct pl_str name);

/* All zero but name and value is a cookie for this host and session. */
struct pl_cookie {
    struct pl_str name, value;
    struct pl_str path, domain; /* absent: left out */
    bool has_expires, has_max_age;
    int64_t expires; /* seconds since 1970 */
    int64_t max_age; /* seconds; 0 and less: delete it */
    enum pl_same_site same_site;
    bool secure, http_only, partitioned;
};

/* Browsers drop what is longer. */
enum { PL_COOKIE_PAIR_MAX = 4096, PL_COOKIE_ATTRIBUTE_MAX = 1024 };

/* Appends the value of a Set-Cookie field. Returns 0, the buffer's error, or
 * PL_ERR_INVALID, and then nothing is appended: a name that is no token, a
 * value, path or domain with bytes that cannot be sent (4.1.1: values hold no
 * space, quote, comma, semicolon or backslash; encode them), something too
 * long, and what browsers would silently drop: SameSite=None or Partitioned
 * without Secure, "__Secure-" without Secure, "__Host-" without Secure and
 * Path=/ or with Domain (RFC 6265bis, 4.1.3). */
int pl_cookie_format(const struct pl_cookie *cookie, struct pl_buf *out);

#endif
