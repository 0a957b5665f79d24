#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"

static int set_unix(struct pl_str path, struct pl_addr *out,
                    struct pl_error *error)
{
    *out = (struct pl_addr){.un = {.sun_family = AF_UNIX}};
    if (path.len == 0 || path.len >= sizeof(out->un.sun_path) ||
        pl_str_chr(path, '\0') >= 0)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "a UNIX socket path has 1 to %zu bytes, no NUL",
                            sizeof(out->un.sun_path) - 1);
    memcpy(out->un.sun_path, path.data, path.len);
    out->len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    if (path.data[0] == '@') { /* all bytes of len are its name */
        out->un.sun_path[0] = '\0';
        out->len--;
    }
    return 0;
}

static void set_v4(struct pl_addr *out, struct in_addr host, uint16_t port)
{
    *out = (struct pl_addr){.v4 = {.sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr = host},
                            .len = sizeof(out->v4)};
}

static void set_v6(struct pl_addr *out, struct in6_addr host, uint32_t scope,
                   uint16_t port)
{
    *out = (struct pl_addr){.v6 = {.sin6_family = AF_INET6,
                                   .sin6_port = htons(port),
                                   .sin6_addr = host,
                                   .sin6_scope_id = scope},
                            .len = sizeof(out->v6)};
}

static void set_found(struct pl_addr *out, const struct addrinfo *found,
                      uint16_t port)
{
    if (found->ai_family == AF_INET) {
        set_v4(out, ((struct sockaddr_in *)found->ai_addr)->sin_addr, port);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)found->ai_addr;

        set_v6(out, v6->sin6_addr, v6->sin6_scope_id, port);
    }
}

/* Of several addresses the first of the wanted family, else the first. */
static int look_up(const char *host, uint16_t port, bool v6,
                   struct pl_addr *out, struct pl_error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found, *at;
    int err = pl_sys_getaddrinfo(host, NULL, &hints, &found);

    if (err != 0)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "cannot look up host '%s': %s", host,
                            gai_strerror(err));
    for (at = found; at != NULL; at = at->ai_next)
        if (at->ai_family == (v6 ? AF_INET6 : AF_INET))
            break;
    set_found(out, at != NULL ? at : found, port);
    freeaddrinfo(found);
    return 0;
}

/* Also with a zone: "fe80::1%eth0". */
static int set_bracketed(const char *host, uint16_t port, struct pl_addr *out,
                         struct pl_error *error)
{
    struct addrinfo hints = {.ai_family = AF_INET6,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;

    if (pl_sys_getaddrinfo(host, NULL, &hints, &found) != 0)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "'%s' is not an IPv6 address", host);
    set_found(out, found, port);
    freeaddrinfo(found);
    return 0;
}

static int set_host(struct pl_str host, uint16_t port, bool bracketed, bool v6,
                    struct pl_addr *out, struct pl_error *error)
{
    char text[256];
    struct in_addr v4_host = {.s_addr = INADDR_ANY};

    if (host.len >= sizeof(text) || pl_str_chr(host, '\0') >= 0)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "not a possible host name");
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (bracketed)
        return set_bracketed(text, port, out, error);
    if (host.len == 0 || strcmp(text, "*") == 0) {
        if (v6)
            set_v6(out, in6addr_any, 0, port);
        else
            set_v4(out, v4_host, port);
        return 0;
    }
    if (inet_pton(AF_INET, text, &v4_host) != 1)
        return look_up(text, port, v6, out, error);
    set_v4(out, v4_host, port);
    return 0;
}

int pl_addr_parse(struct pl_str text, bool v6, struct pl_addr *out,
                  struct pl_error *error)
{
    struct pl_str host = {"", 0}, port = text;
    bool bracketed = text.len > 0 && text.data[0] == '[';
    ptrdiff_t colon = pl_str_rchr(text, ':');
    uint64_t number;

    if (pl_str_starts(text, PL_STR("unix:")))
        return set_unix(pl_str_skip(text, 5), out, error);
    if (colon >= 0) {
        host = pl_str_first(text, (size_t)colon);
        port = pl_str_skip(text, (size_t)colon + 1);
    }
    if (bracketed) {
        if (host.len < 2 || host.data[host.len - 1] != ']')
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "'%.*s' is not [address]:port",
                                PL_STR_ARG(text));
        host = pl_str(host.data + 1, host.len - 2);
    } else if (pl_str_chr(host, ':') >= 0) {
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "'%.*s': write an IPv6 address as [address]:port",
                            PL_STR_ARG(text));
    }
    if (!pl_str_to_u64(port, &number) || number > 65535)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "'%.*s' is not a port (0 to 65535)",
                            PL_STR_ARG(port));
    return set_host(host, (uint16_t)number, bracketed, v6, out, error);
}

size_t pl_addr_format_host(const struct pl_addr *addr, char *out)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &addr->v4.sin_addr, out, PL_ADDR_TEXT);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &addr->v6.sin6_addr, out, PL_ADDR_TEXT);
        break;
    default:
        memcpy(out, "unix:", 6);
    }
    return strlen(out);
}

uint16_t pl_addr_port(const struct pl_addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return ntohs(addr->v4.sin_port);
    case AF_INET6:
        return ntohs(addr->v6.sin6_port);
    default:
        return 0;
    }
}

/* The kernel need not terminate a path, and gives none for a socket that has
 * no name. */
static size_t path_len(const struct pl_addr *addr)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t room = addr->len <= head
                      ? 0
                      : PL_MIN(addr->len - head, sizeof(addr->un.sun_path));

    if (room > 0 && addr->un.sun_path[0] == '\0')
        return room; /* abstract */
    return strnlen(addr->un.sun_path, room);
}

/* "unix:/path", "unix:@name" */
static int format_unix(const struct pl_addr *addr, char *out)
{
    size_t len = path_len(addr);

    memcpy(out, "unix:", 5);
    memcpy(out + 5, addr->un.sun_path, len);
    for (size_t i = 5; i < 5 + len; i++)
        if (out[i] == '\0')
            out[i] = '@';
    out[5 + len] = '\0';
    return (int)(5 + len);
}

/* Of a link-local address: "%eth0". */
static const char *zone_of(const struct pl_addr *addr,
                           char out[IF_NAMESIZE + 1])
{
    out[0] = '%';
    out[1] = '\0';
    return addr->v6.sin6_scope_id != 0 &&
                   if_indextoname(addr->v6.sin6_scope_id, out + 1) != NULL
               ? out
               : "";
}

size_t pl_addr_format(const struct pl_addr *addr, char *out)
{
    char host[PL_ADDR_TEXT], zone[IF_NAMESIZE + 1];
    int len;

    pl_addr_format_host(addr, host);
    if (addr->sa.sa_family == AF_INET6)
        len = snprintf(out, PL_ADDR_TEXT, "[%.46s%s]:%u", host,
                       zone_of(addr, zone), pl_addr_port(addr));
    else if (addr->sa.sa_family == AF_INET)
        len = snprintf(out, PL_ADDR_TEXT, "%s:%u", host, pl_addr_port(addr));
    else
        len = format_unix(addr, out);
    return (size_t)len;
}

bool pl_addr_eq(const struct pl_addr *a, const struct pl_addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    switch (a->sa.sa_family) {
    case AF_INET:
        return a->v4.sin_port == b->v4.sin_port &&
               a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    case AF_INET6:
        return a->v6.sin6_port == b->v6.sin6_port &&
               a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
                      sizeof(a->v6.sin6_addr)) == 0;
    default:
        return pl_str_eq(pl_str(a->un.sun_path, path_len(a)),
                         pl_str(b->un.sun_path, path_len(b)));
    }
}

static bool is_in(const struct pl_addr *addr, uint32_t first, uint32_t mask)
{
    uint32_t v4;

    if (addr->sa.sa_family == AF_INET)
        v4 = addr->v4.sin_addr.s_addr;
    else if (addr->sa.sa_family == AF_INET6 &&
             IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr))
        memcpy(&v4, addr->v6.sin6_addr.s6_addr + 12, sizeof(v4));
    else
        return false;
    return (ntohl(v4) & mask) == first;
}

bool pl_addr_is_loopback(const struct pl_addr *addr)
{
    return is_in(addr, 0x7f000000, 0xff000000) ||
           (addr->sa.sa_family == AF_INET6 &&
            IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr));
}

bool pl_addr_is_any(const struct pl_addr *addr)
{
    return is_in(addr, 0, UINT32_MAX) ||
           (addr->sa.sa_family == AF_INET6 &&
            IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr));
}

void pl_addr_set_loopback(struct pl_addr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        addr->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (addr->sa.sa_family == AF_INET6)
        addr->v6.sin6_addr = in6addr_loopback;
}
