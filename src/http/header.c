/* header.c - ids of field names, and the grammar all fields share.
 *
 * Names are found by a small open hash table, filled before main. Its hash
 * takes the length and four bytes at either end, which tells all names of the
 * list apart from nearly everything else; a hit is then compared in words. */
#include "http/header.h"

#include "base/str.h"
#include "http/h1_scan.h"

#define ROW(id, name) [PL_HEADER_##id] = PL_STR(name),
static const struct pl_str names[PL_HEADER_COUNT] = {
    [PL_HEADER_OTHER] = {"", 0}, PL_HEADER_MAP(ROW)};
#undef ROW

enum { SLOTS = 256, LONGEST = 32 };
_Static_assert(PL_HEADER_COUNT < SLOTS / 2, "a free slot ends every search");

static uint8_t slots[SLOTS]; /* of ids; PL_HEADER_OTHER is a free one */

PL_INLINE uint64_t load64(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

PL_INLINE uint32_t load32(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Of a name in any case. Setting the bit of lower case makes different names
 * equal at worst; the comparison behind it is exact. */
PL_INLINE unsigned slot_of(const char *name, size_t len)
{
    uint32_t first, last;

    if (PL_LIKELY(len >= 4)) {
        first = load32(name);
        last = load32(name + len - 4);
    } else {
        first = (unsigned char)name[0];
        last = (unsigned char)name[len - 1];
    }
    first |= 0x20202020;
    last |= 0x20202020;
    return ((first + last * 5 + (uint32_t)len) * 0x9e3779b1u) >> 24;
}

/* want is lower case. Its letters, and nothing else in it, have bit 0x40:
 * there, and only there, bit 0x20 of the other does not count. */
PL_INLINE bool same_word(uint64_t word, uint64_t want)
{
    return (word | (want & 0x4040404040404040) >> 1) == want;
}

/* Both are len bytes long; the last words overlap those before. */
PL_INLINE bool same_text(const char *name, const char *want, size_t len)
{
    size_t at = 0;

    if (len >= 8) {
        for (; at + 8 < len; at += 8)
            if (!same_word(load64(name + at), load64(want + at)))
                return false;
        return same_word(load64(name + len - 8), load64(want + len - 8));
    }
    if (len >= 4)
        return same_word(load32(name), load32(want)) &&
               same_word(load32(name + len - 4), load32(want + len - 4));
    while (at < len &&
           same_word((unsigned char)name[at], (unsigned char)want[at]))
        at++;
    return at == len;
}

enum pl_header_id pl_header_lookup(struct pl_str name)
{
    unsigned slot;
    uint8_t id;

    if (PL_UNLIKELY(name.len == 0 || name.len > LONGEST))
        return PL_HEADER_OTHER;
    slot = slot_of(name.data, name.len);
    while ((id = slots[slot]) != PL_HEADER_OTHER) {
        if (names[id].len == name.len &&
            same_text(name.data, names[id].data, name.len))
            break;
        slot = (slot + 1) % SLOTS;
    }
    return (enum pl_header_id)id;
}

bool pl_header_word_is(struct pl_str text, struct pl_str want)
{
    return text.len == want.len && same_text(text.data, want.data, want.len);
}

__attribute__((constructor)) static void fill_slots(void)
{
    for (unsigned id = 1; id < PL_HEADER_COUNT; id++) {
        unsigned slot = slot_of(names[id].data, names[id].len);

        while (slots[slot] != PL_HEADER_OTHER)
            slot = (slot + 1) % SLOTS;
        slots[slot] = (uint8_t)id;
    }
}

struct pl_str pl_header_id_name(enum pl_header_id id)
{
    return id < PL_HEADER_COUNT ? names[id] : names[PL_HEADER_OTHER];
}

bool pl_header_name_valid(struct pl_str name)
{
    return name.len > 0 && name.len <= UINT16_MAX &&
           pl_h1_scan->token(name.data, 0, name.len) == name.len;
}

bool pl_header_value_valid(struct pl_str value)
{
    return value.len == 0 ||
           pl_h1_scan->value(value.data, 0, value.len) == value.len;
}

/* The length of the element that list begins with: up to a comma outside of a
 * quoted string (RFC 9110, 5.6.4), or to the end. */
static size_t element_len(struct pl_str list)
{
    bool quoted = false;
    size_t at;

    for (at = 0; at < list.len; at++) {
        char c = list.data[at];

        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted && at + 1 < list.len)
            at++;
        else if (c == ',' && !quoted)
            break;
    }
    return at;
}

bool pl_header_list_next(struct pl_str *rest, struct pl_str *element)
{
    while (rest->len > 0) {
        size_t len = element_len(*rest);

        *element = pl_str_trim(pl_str_first(*rest, len));
        *rest = pl_str_skip(*rest, len + 1);
        if (element->len > 0)
            return true;
    }
    return false;
}

bool pl_header_list_has(struct pl_str list, struct pl_str token)
{
    struct pl_str element;

    while (pl_header_list_next(&list, &element))
        if (pl_str_ieq(element, token))
            return true;
    return false;
}

bool pl_header_is_framing(enum pl_header_id id)
{
    switch (id) {
    case PL_HEADER_CONNECTION:
    case PL_HEADER_TRANSFER_ENCODING:
    case PL_HEADER_KEEP_ALIVE:
    case PL_HEADER_PROXY_CONNECTION:
    case PL_HEADER_UPGRADE:
    case PL_HEADER_TE:
    case PL_HEADER_TRAILER:
    case PL_HEADER_DATE:
        return true;
    default:
        return false;
    }
}
