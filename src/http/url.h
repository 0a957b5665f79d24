/* url.h - URLs of any scheme: taken apart, put together, resolved against each
 * other (RFC 3986). Request targets are uri.h's.
 *
 * What two readers of one URL could take for different things is refused, not
 * guessed: control characters, spaces, "\" and other characters that no URL
 * has, a "%" without two hex digits, two "@" in an authority, ports above
 * 65535, and zone ids. Two liberties, both harmless and common: bytes of UTF-8
 * outside of host and scheme, and "[" and "]" in a query or fragment. */
#ifndef PL_HTTP_URL_H
#define PL_HTTP_URL_H

#include <perilune.h>

/* Slices of the text. A component that is not there is absent; path is there
 * always, but may be "". */
struct pl_url {
    struct pl_str scheme; /* without ":" */
    struct pl_str user;   /* user information, without "@" */
    struct pl_str host;   /* with the brackets of an IPv6 address; may be "" */
    struct pl_str port;   /* digits; may be "" */
    struct pl_str path;   /* raw, as all that follows */
    struct pl_str query;  /* without "?" */
    struct pl_str fragment; /* without "#" */
};

/* Takes apart a URL or a reference that is relative to one. Returns 0 or
 * PL_ERR_SYNTAX. */
int pl_url_parse(struct pl_str text, struct pl_url *out);

/* The scheme's port: 80, 443, ...; 0 for schemes not known here. */
unsigned pl_url_default_port(struct pl_str scheme);

/* Each writes to out and returns the length. */

/* Puts the components together (5.3); a path that would read as something else
 * gets "/." or "./" in front. out: the components' bytes and PL_URL_MARKS. */
enum { PL_URL_MARKS = 16 };
size_t pl_url_write(char *out, const struct pl_url *url);

/* What ref means on a page at base, which has a scheme (5.2.2). out: the bytes
 * of both and PL_URL_MARKS. */
size_t pl_url_resolve(char *out, const struct pl_url *base,
                      const struct pl_url *ref);

/* One spelling for URLs that mean the same (6.2.2, 6.2.3): scheme and host in
 * lower case, escapes in upper case and only where needed, no "." and ".."
 * segments, no port that is the scheme's, "/" for the empty path of a URL with
 * a host. out: three times the components' bytes and PL_URL_MARKS. */
size_t pl_url_normalise(char *out, const struct pl_url *url);

#endif
