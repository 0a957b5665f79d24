/* forwarded.h - what proxies say of a client in the fields of a request:
 * Forwarded (RFC 7239), X-Forwarded-For and its kin. Pure.
 *
 * Each proxy adds at the right who has asked it, so the list is read from the
 * right: as long as a hop is trusted, its word for the one before it counts.
 * The client is the rightmost hop that is not trusted; what stands left of it
 * may be invented. */
#ifndef PL_HTTP_FORWARDED_H
#define PL_HTTP_FORWARDED_H

#include "base/arena.h"
#include "net/trust.h"

#define PL_FORWARDED_MAP(X) /* name, field */                                  \
    X(FORWARDED, "forwarded")                                                  \
    X(FOR, "x-forwarded-for")                                                  \
    X(PROTO, "x-forwarded-proto")                                              \
    X(HOST, "x-forwarded-host")                                                \
    X(PORT, "x-forwarded-port")                                                \
    X(REAL_IP, "x-real-ip")

enum pl_forwarded_field {
#define PL_FORWARDED_ENUM(name, field) PL_FORWARDED_##name,
    PL_FORWARDED_MAP(PL_FORWARDED_ENUM)
#undef PL_FORWARDED_ENUM
        PL_FORWARDED_COUNT
};

/* Sets of them. A proxy passes on what it does not know of, so only what all of
 * a site's proxies set themselves may be believed. */
#define PL_FORWARDED_BIT(name) (1u << PL_FORWARDED_##name)
#define PL_FORWARDED_NONE (1u << PL_FORWARDED_COUNT)
#define PL_FORWARDED_USUAL (PL_FORWARDED_BIT(FOR) | PL_FORWARDED_BIT(PROTO))

/* "x-forwarded-for x-forwarded-proto", in any case; "": none. Returns 0, or
 * PL_ERR_INVALID with *error: at most one may say who the client is. */
int pl_forwarded_fields(struct pl_str words, unsigned *out,
                        struct pl_error *error);

/* The same, only looked at. */
bool pl_forwarded_valid(struct pl_str words);

struct pl_hop {
    struct pl_str node;  /* an address without port and brackets, or "unknown",
                            or a name of the proxy's own ("_hidden") */
    struct pl_addr addr; /* len 0: it is none */
    uint16_t port;       /* 0: not said */
    struct pl_str proto, host; /* absent: not said */
};

/* Takes the first element off the value of a Forwarded field. Returns 1, 0 at
 * the end, PL_ERR_PROTO or PL_ERR_NOMEM. Texts point into the field or, if
 * something in them was escaped, into arena. */
int pl_forwarded_next(struct pl_str *rest, struct pl_arena *arena,
                      struct pl_hop *out);

/* An element of X-Forwarded-For: an address, with brackets and a port or
 * without. */
bool pl_hop_parse(struct pl_str text, struct pl_hop *out);

/* The client by a whole field, whose sender is trusted. Returns 1, 0 if the
 * list is empty, PL_ERR_PROTO or PL_ERR_NOMEM. */
int pl_forwarded_client(struct pl_str field, const struct pl_trust *trust,
                        struct pl_arena *arena, struct pl_hop *out);

/* The same for X-Forwarded-For; *hops: how many stand right of the client. */
int pl_forwarded_for_client(struct pl_str field, const struct pl_trust *trust,
                            struct pl_hop *out, unsigned *hops);

/* The element of a list so many from the right; the leftmost if there are not
 * as many. Absent if the list is empty. */
struct pl_str pl_forwarded_from_right(struct pl_str list, unsigned hops);

#endif
