#include "client/public.h"

#include <string.h>

#include "base/compiler.h"

struct block {
    unsigned char bytes[16];
    unsigned bits;
};

/* clang-format off */
static const struct block special4[] = {
    {{0}, 8},                  /* this network */
    {{10}, 8},                 /* private */
    {{100, 64}, 10},           /* shared (RFC 6598) */
    {{127}, 8},                /* loopback */
    {{169, 254}, 16},          /* link-local; metadata of clouds */
    {{172, 16}, 12},           /* private */
    {{192, 0, 0}, 24},         /* protocol assignments */
    {{192, 0, 2}, 24},         /* documentation */
    {{192, 88, 99}, 24},       /* 6to4 relays */
    {{192, 168}, 16},          /* private */
    {{198, 18}, 15},           /* benchmarks */
    {{198, 51, 100}, 24},      /* documentation */
    {{203, 0, 113}, 24},       /* documentation */
    {{224}, 3},                /* multicast, reserved, broadcast */
};
/* Only 2000::/3 is given out; of that: */
static const struct block special6[] = {
    {{0x20, 0x01, 0}, 23},     /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff}, 20},        /* documentation */
};
/* These hold an IPv4 address behind so many bytes. */
static const struct holder {
    struct block block;
    unsigned at;
} holders[] = {
    {{{[10] = 0xff, [11] = 0xff}, 96}, 12},                /* mapped */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},                  /* NAT64 */
    {{{0x20, 0x02}, 16}, 2},                               /* 6to4 */
};
/* clang-format on */

static bool is_in(const unsigned char *bytes, const struct block *block)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;

    if (memcmp(bytes, block->bytes, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ block->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_in_any(const unsigned char *bytes, const struct block *blocks,
                      size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_in(bytes, &blocks[i]))
            return true;
    return false;
}

static bool is_public4(const unsigned char *bytes)
{
    return !is_in_any(bytes, special4, PL_COUNT(special4));
}

static bool is_public6(const unsigned char *bytes)
{
    for (size_t i = 0; i < PL_COUNT(holders); i++)
        if (is_in(bytes, &holders[i].block))
            return is_public4(bytes + holders[i].at);
    return bytes[0] >> 5 == 1 &&
           !is_in_any(bytes, special6, PL_COUNT(special6));
}

bool pl_addr_is_public(const struct pl_addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return is_public4((const void *)&addr->v4.sin_addr);
    case AF_INET6:
        return is_public6((const void *)&addr->v6.sin6_addr);
    default:
        return false;
    }
}
