/* proxy_header.h - the header of the PROXY protocol, versions 1 and 2: bytes to
 * who the client of a proxy is.
 *
 * Pure: no socket, no state, no memory. After haproxy's
 * doc/proxy-protocol.txt; where that leaves a choice, this is strict: what two
 * readers could take for different things (an item twice, a number with leading
 * zeroes) is refused. */
#ifndef PL_NET_PROXY_HEADER_H
#define PL_NET_PROXY_HEADER_H

#include "net/addr.h"

enum {
    PL_PROXY_V1_MAX = 107,        /* of a line, CRLF included */
    PL_PROXY_V2_MAX = 16 + 16384, /* ours: far beyond what proxies send */
};

/* What the proxy says of the TLS connection that it ends. */
struct pl_proxy_tls {
    bool used;     /* the client came by TLS */
    bool cert;     /* ... with a certificate, now or when the session began */
    bool verified; /* ... which the proxy has found good */
    struct pl_str version, cipher, cn, signature, key;
};

/* The texts point into the header; absent: not said. */
struct pl_proxy_header {
    uint8_t version;            /* 1, 2 */
    bool local;                 /* the proxy itself asks (LOCAL, UNKNOWN) */
    struct pl_addr peer, bound; /* len 0: those of the socket hold */
    struct pl_str alpn, authority, unique_id, netns;
    struct pl_proxy_tls tls;
    struct pl_str items; /* all of them, for pl_proxy_item() */
};

/* Returns 0 with *used, PL_ERR_AGAIN: more is needed, PL_ERR_NOT_FOUND: this is
 * no such header, or PL_ERR_PROTO: a bad one, *why saying for people what is
 * wrong. */
int pl_proxy_parse(struct pl_str bytes, struct pl_proxy_header *out,
                   size_t *used, const char **why);

/* The value of the first item of that type (PP2_TYPE_...); absent: none. */
struct pl_str pl_proxy_item(struct pl_str items, uint8_t type);

#endif
