#include "base/utf8.h"

#include <string.h>

#include "base/compiler.h"

/* A character begins: what its first byte says about those after it (RFC 3629,
 * 4). Only the second byte may be narrower than 80..BF, and that is how
 * overlong forms and surrogates are kept out. */
static bool begin(struct pl_utf8 *check, unsigned char lead)
{
    check->low = 0x80;
    check->high = 0xbf;
    switch (lead) {
    case 0x00 ... 0x7f:
        return true;
    case 0xc2 ... 0xdf:
        check->more = 1;
        return true;
    case 0xe0 ... 0xef:
        check->more = 2;
        if (lead == 0xe0)
            check->low = 0xa0;
        else if (lead == 0xed)
            check->high = 0x9f;
        return true;
    case 0xf0 ... 0xf4:
        check->more = 3;
        if (lead == 0xf0)
            check->low = 0x90;
        else if (lead == 0xf4)
            check->high = 0x8f;
        return true;
    default:
        return false;
    }
}

static bool go_on(struct pl_utf8 *check, unsigned char c)
{
    if (c < check->low || c > check->high)
        return false;
    check->more--;
    check->low = 0x80;
    check->high = 0xbf;
    return true;
}

/* How many bytes at the front are ASCII for sure: whole words only. */
static size_t ascii_words(const char *at, size_t len)
{
    size_t n = 0;

    for (uint64_t word; len - n >= sizeof(word); n += sizeof(word)) {
        memcpy(&word, at + n, sizeof(word));
        if (word & 0x8080808080808080u)
            break;
    }
    return n;
}

bool pl_utf8_feed(struct pl_utf8 *check, struct pl_str bytes)
{
    size_t i = 0;

    while (i < bytes.len) {
        unsigned char c = (unsigned char)bytes.data[i];

        if (check->more > 0) {
            if (!go_on(check, c))
                return false;
        } else if (c < 0x80) {
            size_t n = ascii_words(bytes.data + i, bytes.len - i);

            if (n > 0) {
                i += n;
                continue;
            }
        } else if (!begin(check, c)) {
            return false;
        }
        i++;
    }
    return true;
}

bool pl_utf8_valid(struct pl_str s)
{
    struct pl_utf8 check = {0};

    return pl_utf8_feed(&check, s) && check.more == 0;
}

int pl_utf8_decode(struct pl_str s, uint32_t *point)
{
    static const unsigned char lead_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    struct pl_utf8 check = {0};
    unsigned char c = (unsigned char)s.data[0];
    uint32_t value;
    size_t i;

    if (!begin(&check, c))
        return PL_ERR_SYNTAX;
    value = c & lead_bits[check.more];
    for (i = 1; check.more > 0; i++) {
        if (i == s.len)
            return PL_ERR_AGAIN;
        c = (unsigned char)s.data[i];
        if (!go_on(&check, c))
            return PL_ERR_SYNTAX;
        value = value << 6 | (c & 0x3f);
    }
    *point = value;
    return (int)i;
}

size_t pl_utf8_encode(char *out, uint32_t point)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    for (size_t i = n; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[n] | point);
    return n;
}
