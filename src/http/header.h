/* header.h - header fields: one compact form for all wires, names with ids. */
#ifndef PL_HTTP_HEADER_H
#define PL_HTTP_HEADER_H

#include <perilune.h>

#include "base/compiler.h"

/* Names that the server itself looks at or writes often; lower case. A new one
 * is a new line here and nothing else. */
/* clang-format off */
#define PL_HEADER_MAP(X) \
    X(HOST, "host") \
    X(CONNECTION, "connection") \
    X(CONTENT_LENGTH, "content-length") \
    X(CONTENT_TYPE, "content-type") \
    X(TRANSFER_ENCODING, "transfer-encoding") \
    X(TE, "te") \
    X(TRAILER, "trailer") \
    X(UPGRADE, "upgrade") \
    X(EXPECT, "expect") \
    X(KEEP_ALIVE, "keep-alive") \
    X(PROXY_CONNECTION, "proxy-connection") \
    X(ACCEPT, "accept") \
    X(ACCEPT_ENCODING, "accept-encoding") \
    X(ACCEPT_LANGUAGE, "accept-language") \
    X(AUTHORIZATION, "authorization") \
    X(COOKIE, "cookie") \
    X(USER_AGENT, "user-agent") \
    X(REFERER, "referer") \
    X(ORIGIN, "origin") \
    X(RANGE, "range") \
    X(IF_RANGE, "if-range") \
    X(IF_MATCH, "if-match") \
    X(IF_NONE_MATCH, "if-none-match") \
    X(IF_MODIFIED_SINCE, "if-modified-since") \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since") \
    X(X_FORWARDED_FOR, "x-forwarded-for") \
    X(X_FORWARDED_PROTO, "x-forwarded-proto") \
    X(FORWARDED, "forwarded") \
    X(CACHE_CONTROL, "cache-control") \
    X(CONTENT_ENCODING, "content-encoding") \
    X(CONTENT_RANGE, "content-range") \
    X(ACCEPT_RANGES, "accept-ranges") \
    X(DATE, "date") \
    X(SERVER, "server") \
    X(ETAG, "etag") \
    X(LAST_MODIFIED, "last-modified") \
    X(LOCATION, "location") \
    X(SET_COOKIE, "set-cookie") \
    X(VARY, "vary") \
    X(ALLOW, "allow") \
    X(EXPIRES, "expires") \
    X(WWW_AUTHENTICATE, "www-authenticate") \
    X(X_REQUEST_ID, "x-request-id") \
    X(HTTP2_SETTINGS, "http2-settings") \
    X(PRIORITY, "priority") \
    X(SEC_WEBSOCKET_KEY, "sec-websocket-key") \
    X(SEC_WEBSOCKET_VERSION, "sec-websocket-version")
/* clang-format on */

enum pl_header_id {
    PL_HEADER_OTHER,
#define PL_HEADER_ENUM(id, name) PL_HEADER_##id,
    PL_HEADER_MAP(PL_HEADER_ENUM)
#undef PL_HEADER_ENUM
        PL_HEADER_COUNT
};

_Static_assert(PL_HEADER_COUNT <= 255, "an id is one byte");

/* Bytes that a field of a peer counts for beside its text, whatever the wire:
 * small ones cost us more than their sender. */
enum { PL_FIELD_COST = 64 };

/* A field of a request or response; points into the owner's arena. */
struct pl_header {
    const char *name, *value; /* name in the case it was given */
    uint32_t value_len;
    uint16_t name_len;
    uint8_t id; /* enum pl_header_id */
};

_Static_assert(sizeof(struct pl_header) == 24, "kept small: one per field");

PL_INLINE struct pl_str pl_header_name(const struct pl_header *header)
{
    return (struct pl_str){header->name, header->name_len};
}

PL_INLINE struct pl_str pl_header_value(const struct pl_header *header)
{
    return (struct pl_str){header->value, header->value_len};
}

/* The id of a name in any case; PL_HEADER_OTHER if it has none. */
enum pl_header_id pl_header_lookup(struct pl_str name);

/* Is text want, in any case? want is of lower-case letters, digits and '-', as
 * all names and most keywords are: this is faster than pl_str_ieq(). */
bool pl_header_word_is(struct pl_str text, struct pl_str want);

/* The lower-case name of an id. */
struct pl_str pl_header_id_name(enum pl_header_id id);

/* Is it a token (RFC 9110, 5.6.2)? A value without CR, LF, NUL and other
 * control characters except tab (5.5)? */
bool pl_header_name_valid(struct pl_str name);
bool pl_header_value_valid(struct pl_str value);

/* Fields that the wire makes: whoever else could set them could break framing.
 */
bool pl_header_is_framing(enum pl_header_id id);

/* Does a comma-separated list contain token, in any case (RFC 9110, 5.6.1)? */
bool pl_header_list_has(struct pl_str list, struct pl_str token);

/* Takes the next element off a comma-separated list, trimmed; empty elements
 * are passed over, quoted strings kept whole. False at the end. */
bool pl_header_list_next(struct pl_str *rest, struct pl_str *element);

#endif
