/* addr.h - addresses to listen on and of peers: text to sockaddr and back. */
#ifndef PL_NET_ADDR_H
#define PL_NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct pl_addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    };
    socklen_t len;
};

enum { PL_ADDR_TEXT = 128 }; /* room for any formatted address */

/* Understands "8080", ":8080", "*:8080", "127.0.0.1:8080", "host:8080",
 * "[::1]:8080", "[::]:8080", "[fe80::1%eth0]:8080", "unix:/path" and
 * "unix:@name" (abstract: without a file). Without a host: 0.0.0.0, or :: if v6
 * is set. A host name is looked up (blocking: for start-up only). Port 0 lets
 * the kernel choose. Returns 0 or PL_ERR_INVALID/NOT_FOUND with *error (may be
 * NULL) saying what is wrong. */
int pl_addr_parse(struct pl_str text, bool v6, struct pl_addr *out,
                  struct pl_error *error);

/* "127.0.0.1:8080", "[::1]:8080", "unix:/path"; returns the length. out has
 * PL_ADDR_TEXT bytes and is terminated. */
size_t pl_addr_format(const struct pl_addr *addr, char *out);

/* The host alone ("127.0.0.1", "::1", "unix:"), and the port (0 for UNIX). */
size_t pl_addr_format_host(const struct pl_addr *addr, char *out);
uint16_t pl_addr_port(const struct pl_addr *addr);

/* Does it mean this machine alone, or all of its addresses? Never for UNIX. */
bool pl_addr_is_loopback(const struct pl_addr *addr);
bool pl_addr_is_any(const struct pl_addr *addr);

/* The loopback address of its family; the port stays. */
void pl_addr_set_loopback(struct pl_addr *addr);

bool pl_addr_eq(const struct pl_addr *a, const struct pl_addr *b);

#endif
