#include "base/uuid.h"

/* 8-4-4-4-12 digits: is there a hyphen in front of this byte? */
static bool follows_hyphen(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void pl_uuid_mark(uint8_t *bytes, int version)
{
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
}

void pl_uuid_write(char *out, const uint8_t *bytes)
{
    for (int i = 0; i < PL_UUID_BYTES; i++) {
        if (follows_hyphen(i))
            *out++ = '-';
        pl_hex_encode(out, (struct pl_str){(const char *)bytes + i, 1});
        out += 2;
    }
}

bool pl_uuid_read(struct pl_str text, uint8_t *bytes)
{
    const char *at = text.data;

    if (text.len != PL_UUID_LEN)
        return false;
    for (int i = 0; i < PL_UUID_BYTES; i++) {
        struct pl_str digits;

        if (follows_hyphen(i) && *at++ != '-')
            return false;
        digits = (struct pl_str){at, 2};
        if (pl_hex_decode((char *)bytes + i, digits) < 0)
            return false;
        at += 2;
    }
    return true;
}

void pl_uuid(char *out)
{
    uint8_t bytes[PL_UUID_BYTES];

    pl_random(bytes, sizeof(bytes));
    pl_uuid_mark(bytes, 4);
    pl_uuid_write(out, bytes);
    out[PL_UUID_LEN] = '\0';
}
