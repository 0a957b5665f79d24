/* trust.h - whose word is taken for who the client is: a list of addresses.
 *
 * Whoever may send a PROXY header or a Forwarded field can claim to be anybody,
 * so nobody may unless the site says so. */
#ifndef PL_NET_TRUST_H
#define PL_NET_TRUST_H

#include "base/arena.h"
#include "net/addr.h"

struct pl_trust_range {
    sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX: all of these */
    uint8_t bits;
    uint8_t first[16]; /* 4 of them for AF_INET; 0 behind the bits */
};

struct pl_trust {
    unsigned count;
    struct pl_trust_range ranges[];
};

/* Reads words with spaces between: "127.0.0.1", "10.0.0.0/8", "::1",
 * "fd00::/8", and "unix:" for whoever may connect to a UNIX socket. GIVES *out
 * in arena. Returns 0, PL_ERR_NOMEM, or PL_ERR_INVALID with *error naming the
 * word. */
int pl_trust_parse(struct pl_str list, struct pl_arena *arena,
                   const struct pl_trust **out, struct pl_error *error);

/* The same, only looked at. */
bool pl_trust_valid(struct pl_str list);

/* COPIES; NULL when out of memory. */
const struct pl_trust *pl_trust_copy(struct pl_arena *arena,
                                     const struct pl_trust *trust);

/* The same list? Either may be NULL. */
bool pl_trust_eq(const struct pl_trust *a, const struct pl_trust *b);

/* trust may be NULL: nobody. An IPv4 address in IPv6 (::ffff:127.0.0.1) is the
 * IPv4 address, and in no range of IPv6. */
bool pl_trust_has(const struct pl_trust *trust, const struct pl_addr *addr);

/* "10.0.0.0/8"; returns the length. out has PL_ADDR_TEXT bytes and is
 * terminated. */
size_t pl_trust_format(const struct pl_trust_range *range, char *out);

#endif
