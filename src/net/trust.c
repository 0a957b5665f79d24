#include "net/trust.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"

static unsigned width(sa_family_t family)
{
    return family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
}

/* Are all bits behind the first ones zero? */
static bool is_first(const struct pl_trust_range *range)
{
    for (unsigned bit = range->bits; bit < width(range->family); bit++)
        if (range->first[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

static bool parse_bits(struct pl_str text, struct pl_trust_range *out)
{
    uint64_t bits = width(out->family);

    if (text.data != NULL &&
        (!pl_str_to_u64(text, &bits) || bits > width(out->family)))
        return false;
    out->bits = (uint8_t)bits;
    return true;
}

/* Returns what is wrong with word, or NULL. */
static const char *parse_range(struct pl_str word, struct pl_trust_range *out)
{
    char host[INET6_ADDRSTRLEN];
    struct pl_str bits = word, first;

    *out = (struct pl_trust_range){.family = AF_UNIX};
    if (pl_str_eq(word, PL_STR("unix:")))
        return NULL;
    pl_str_split(&bits, '/', &first);
    if (first.len >= sizeof(host) || pl_str_chr(first, '\0') >= 0)
        return "is no address";
    memcpy(host, first.data, first.len);
    host[first.len] = '\0';
    if (inet_pton(AF_INET, host, out->first) == 1)
        out->family = AF_INET;
    else if (inet_pton(AF_INET6, host, out->first) == 1)
        out->family = AF_INET6;
    else
        return "is no address like \"10.0.0.0/8\", \"::1\" or \"unix:\"";
    if (!parse_bits(bits, out))
        return "has no such number of bits";
    return is_first(out) ? NULL : "has bits set behind its first ones";
}

bool pl_trust_valid(struct pl_str list)
{
    struct pl_trust_range range;
    struct pl_str word;

    while (pl_str_split(&list, ' ', &word))
        if (word.len > 0 && parse_range(word, &range) != NULL)
            return false;
    return true;
}

static unsigned count_words(struct pl_str list)
{
    struct pl_str word;
    unsigned n = 0;

    while (pl_str_split(&list, ' ', &word))
        n += word.len > 0;
    return n;
}

static size_t size_of(unsigned count)
{
    return sizeof(struct pl_trust) + count * sizeof(struct pl_trust_range);
}

int pl_trust_parse(struct pl_str list, struct pl_arena *arena,
                   const struct pl_trust **out, struct pl_error *error)
{
    unsigned count = count_words(list);
    struct pl_trust *made = pl_arena_zeroed(arena, size_of(count));
    struct pl_str word;

    if (made == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    while (pl_str_split(&list, ' ', &word)) {
        const char *why;

        if (word.len == 0)
            continue;
        why = parse_range(word, &made->ranges[made->count++]);
        if (why != NULL)
            return pl_error_set(error, PL_ERR_INVALID, "", "trusted: '%.*s' %s",
                                PL_STR_ARG(word), why);
    }
    *out = made;
    return 0;
}

const struct pl_trust *pl_trust_copy(struct pl_arena *arena,
                                     const struct pl_trust *trust)
{
    struct pl_trust *copy = pl_arena_alloc(arena, size_of(trust->count));

    if (copy != NULL)
        memcpy(copy, trust, size_of(trust->count));
    return copy;
}

static bool is_in(const struct pl_trust_range *range, sa_family_t family,
                  const uint8_t *host)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;

    return range->family == family && memcmp(range->first, host, whole) == 0 &&
           (rest == 0 ||
            (range->first[whole] ^ host[whole]) >> (8 - rest) == 0);
}

bool pl_trust_has(const struct pl_trust *trust, const struct pl_addr *addr)
{
    sa_family_t family = addr->sa.sa_family;
    const uint8_t *host = (const uint8_t *)&addr->v4.sin_addr;

    if (family == AF_INET6) {
        host = addr->v6.sin6_addr.s6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr)) {
            family = AF_INET;
            host += 12;
        }
    }
    for (unsigned i = 0; trust != NULL && i < trust->count; i++)
        if (is_in(&trust->ranges[i], family, host))
            return true;
    return false;
}

size_t pl_trust_format(const struct pl_trust_range *range, char *out)
{
    char host[INET6_ADDRSTRLEN];

    if (range->family == AF_UNIX)
        return (size_t)snprintf(out, PL_ADDR_TEXT, "unix:");
    inet_ntop(range->family, range->first, host, sizeof(host));
    if (range->bits == width(range->family))
        return (size_t)snprintf(out, PL_ADDR_TEXT, "%s", host);
    return (size_t)snprintf(out, PL_ADDR_TEXT, "%s/%u", host, range->bits);
}

bool pl_trust_eq(const struct pl_trust *a, const struct pl_trust *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        const struct pl_trust_range *one = &a->ranges[i],
                                    *other = &b->ranges[i];

        if (one->family != other->family || one->bits != other->bits ||
            memcmp(one->first, other->first, sizeof(one->first)) != 0)
            return false;
    }
    return true;
}
