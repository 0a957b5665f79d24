#include "socket/target.h"

#include <arpa/inet.h>

#include "base/str.h"

static const struct {
    struct pl_str name;
    int kind;
} schemes[] = {
    {{"tcp://", 6}, PL_TARGET_TCP},
    {{"tls://", 6}, PL_TARGET_TLS},
    {{"udp://", 6}, PL_TARGET_UDP},
};

/* An address in digits: nobody need look it up. */
static void recognise(struct pl_target *target)
{
    struct pl_addr *addr = &target->addr;

    *addr = (struct pl_addr){
        .v4 = {.sin_family = AF_INET, .sin_port = htons(target->port)},
        .len = sizeof(addr->v4)};
    target->known = inet_pton(AF_INET, target->host, &addr->v4.sin_addr) == 1;
    if (target->known)
        return;
    *addr = (struct pl_addr){
        .v6 = {.sin6_family = AF_INET6, .sin6_port = htons(target->port)},
        .len = sizeof(addr->v6)};
    target->known = inet_pton(AF_INET6, target->host, &addr->v6.sin6_addr) == 1;
}

static int bad(struct pl_str text, struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "'%.*s' is not host:port, [address]:port or unix:/path",
                        PL_STR_ARG(text));
}

/* Gives the host without brackets; false if it cannot be one. */
static bool take_host(struct pl_str host, char *out)
{
    bool bracketed = host.len > 0 && host.data[0] == '[';

    if (bracketed && (host.len < 3 || host.data[host.len - 1] != ']'))
        return false;
    if (bracketed)
        host = pl_str(host.data + 1, host.len - 2);
    if (host.len == 0 || host.len > PL_HOST_MAX ||
        bracketed != (pl_str_chr(host, ':') >= 0))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];

        if (c <= ' ' || c == 0x7f || c == '/' || c == '@' || c == '[')
            return false;
    }
    memcpy(out, host.data, host.len);
    out[host.len] = '\0';
    return true;
}

int pl_target_parse(struct pl_str text, int plain, struct pl_target *out,
                    struct pl_error *error)
{
    struct pl_str rest = text;
    ptrdiff_t colon;
    uint64_t port;

    *out = (struct pl_target){.kind = plain};
    for (size_t i = 0; i < PL_COUNT(schemes); i++) {
        if (!pl_str_starts(text, schemes[i].name))
            continue;
        out->kind = schemes[i].kind;
        rest = pl_str_skip(text, schemes[i].name.len);
    }
    if (pl_str_starts(rest, PL_STR("unix:"))) {
        out->known = true;
        return pl_addr_parse(rest, false, &out->addr, error);
    }
    colon = pl_str_rchr(rest, ':');
    if (colon < 0 || !take_host(pl_str_first(rest, (size_t)colon), out->host) ||
        !pl_str_to_u64(pl_str_skip(rest, (size_t)colon + 1), &port) ||
        port == 0 || port > 65535)
        return bad(text, error);
    out->port = (uint16_t)port;
    recognise(out);
    return 0;
}
