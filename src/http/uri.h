/* uri.h - request targets and percent-encoding (RFC 3986; RFC 9112, 3.2).
 *
 * Decoding happens once, and what two readers of one path could take for
 * different things has one answer here:
 *
 *  - "%2F" is data, not a border: it stays "%2F" in the decoded path (and "%2f"
 *    becomes it), so that an encoded slash can neither leave its segment nor
 *    pick another route. "%252F", which would decode to the same text, is
 *    refused: "%2F" in a decoded path is always an encoded slash.
 *  - "." and ".." are removed after decoding, "%2e%2e" included; a ".." above
 *    the root is refused, not clipped.
 *  - A raw "\" is no URI character, and some programs take it for "/":
 *    refused. "%5C" is unambiguous and becomes an ordinary "\".
 *  - NUL is refused, raw and encoded; so is a "%" without two hex digits.
 *  - Empty segments stay ("//" is not "/"): merging them would be a guess.
 *
 * A decoded path therefore begins with "/", holds no NUL and no segment "." or
 * "..". Other bytes, control characters and broken UTF-8 among them, may be
 * there: who writes a path into a field or a log escapes it again. */
#ifndef PL_HTTP_URI_H
#define PL_HTTP_URI_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/method.h"

/* Slices of the target (or constants: the path of "http://a" is "/"). */
struct pl_uri {
    struct pl_str scheme; /* "http", "https" in any case; absent: origin-form */
    struct pl_str host;   /* as in Host, "[::1]" with brackets; may be absent */
    struct pl_str path;   /* raw; "*" for OPTIONS *; absent for CONNECT */
    struct pl_str query;  /* raw, without "?"; absent if there is no "?" */
    uint16_t port;        /* the scheme's if none is given; 0 without host */
};

/* Takes apart a request target of any form that method may have: origin-form
 * ("/a?b"), absolute-form (http and https), asterisk-form (OPTIONS only),
 * authority-form (CONNECT only, with its port). A fragment is refused, user
 * information too (RFC 9110, 4.2.4). Returns 0 or PL_ERR_PROTO. */
int pl_uri_parse_target(struct pl_str target, enum pl_method method,
                        struct pl_uri *out);

/* "host", "host:port", "[v6]:port", as in Host. *port is 0 if none is given.
 * Refused: empty hosts, port 0, zone ids, and what the grammar would allow but
 * nobody sends and readers differ on: percent-encoding and IPvFuture. */
int pl_uri_parse_authority(struct pl_str authority, struct pl_str *host,
                           uint16_t *port);

/* Decodes and normalises a raw path as told above; an empty one is "/". Gives
 * raw itself when nothing had to change. Returns 0, PL_ERR_PROTO or
 * PL_ERR_NOMEM. */
int pl_uri_decode_path(struct pl_str raw, struct pl_arena *arena,
                       struct pl_str *out);

/* Decodes a component (query values, form fields, route parameters). Bad
 * escapes stay as they are, NUL may come out. Gives s itself when nothing had
 * to change; absent if s is or if out of memory. */
struct pl_str pl_uri_decode(struct pl_str s, struct pl_arena *arena,
                            bool plus_is_space);

/* The same into out, which has s.len bytes and may be s.data. Returns the
 * length. */
size_t pl_uri_decode_to(char *out, struct pl_str s, bool plus_is_space);

/* Does raw, decoded with "+" as space, equal text? Needs no memory. */
bool pl_uri_decodes_to(struct pl_str raw, struct pl_str text);

/* Appends s with every byte percent-encoded except the unreserved ones (RFC
 * 3986, 2.3) and those in keep (a C string, "/" for paths; may be "").
 * Returns 0 or the buffer's error. */
int pl_uri_encode(struct pl_str s, const char *keep, struct pl_buf *out);

/* The same into out, which has 3 * s.len bytes. Returns the length. */
size_t pl_uri_encode_to(char *out, struct pl_str s, const char *keep);

#endif
