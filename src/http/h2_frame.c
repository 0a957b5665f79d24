#include "http/h2_frame.h"

#include "base/str.h"

uint16_t pl_h2_u16(const char *bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;

    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t pl_h2_u32(const char *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap32(value);
}

uint32_t pl_h2_u31(const char *bytes)
{
    return pl_h2_u32(bytes) & INT32_MAX;
}

void pl_h2_frame_read(struct pl_h2_frame *frame, const char *bytes)
{
    frame->length = pl_h2_u32(bytes) >> 8;
    frame->type = (uint8_t)bytes[3];
    frame->flags = (uint8_t)bytes[4];
    frame->stream = pl_h2_u31(bytes + 5);
}

/* ---- what each type prescribes ---- */

enum where { ANYWHERE, ON_STREAM, ON_CONNECTION };

static const struct rule {
    uint8_t where;    /* enum where */
    uint8_t least;    /* bytes of payload */
    uint8_t exact;    /* 0: any number */
    uint8_t multiple; /* 0: of nothing */
} rules[] = {
    [PL_H2_DATA] = {.where = ON_STREAM},
    [PL_H2_HEADERS] = {.where = ON_STREAM},
    /* A wrong length is an error of its stream only (6.3): see the caller. */
    [PL_H2_PRIORITY] = {.where = ON_STREAM},
    [PL_H2_RST_STREAM] = {.where = ON_STREAM, .exact = 4},
    [PL_H2_SETTINGS] = {.where = ON_CONNECTION, .multiple = PL_H2_SETTING},
    [PL_H2_PUSH_PROMISE] = {.where = ON_STREAM},
    [PL_H2_PING] = {.where = ON_CONNECTION, .exact = PL_H2_PING_LEN},
    [PL_H2_GOAWAY] = {.where = ON_CONNECTION, .least = 8},
    [PL_H2_WINDOW_UPDATE] = {.where = ANYWHERE, .exact = 4},
    [PL_H2_CONTINUATION] = {.where = ON_STREAM},
    [PL_H2_PRIORITY_UPDATE] = {.where = ON_CONNECTION, .least = 4},
};

enum pl_h2_code pl_h2_frame_check(const struct pl_h2_frame *frame)
{
    struct rule rule = {0};

    if (frame->type < PL_COUNT(rules))
        rule = rules[frame->type];
    if (frame->length > PL_H2_FRAME_MAX)
        return PL_H2_FRAME_SIZE_ERROR;
    if ((rule.where == ON_STREAM && frame->stream == 0) ||
        (rule.where == ON_CONNECTION && frame->stream != 0))
        return PL_H2_PROTOCOL_ERROR;
    if (frame->length < rule.least ||
        (rule.exact != 0 && frame->length != rule.exact) ||
        (rule.multiple != 0 && frame->length % rule.multiple != 0))
        return PL_H2_FRAME_SIZE_ERROR;
    if (frame->type == PL_H2_SETTINGS && (frame->flags & PL_H2_ACK) &&
        frame->length > 0)
        return PL_H2_FRAME_SIZE_ERROR;
    return PL_H2_NO_ERROR;
}

bool pl_h2_frame_strip(const struct pl_h2_frame *frame, struct pl_str *payload)
{
    bool padded = frame->flags & PL_H2_PADDED;
    size_t front = padded ? 1 : 0, back = 0;

    if (frame->type == PL_H2_HEADERS && (frame->flags & PL_H2_PRIORITIZED))
        front += 5;
    if (payload->len < front)
        return false;
    if (padded)
        back = (unsigned char)payload->data[0];
    if (back > payload->len - front)
        return false;
    *payload = pl_str(payload->data + front, payload->len - front - back);
    return true;
}

/* ---- writing ---- */

char *pl_h2_put_u32(char *out, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

char *pl_h2_put_setting(char *out, enum pl_h2_setting id, uint32_t value)
{
    *out++ = 0;
    *out++ = (char)id;
    return pl_h2_put_u32(out, value);
}

char *pl_h2_put_head(char *out, size_t length, enum pl_h2_type type,
                     unsigned flags, uint32_t stream)
{
    out = pl_h2_put_u32(out, (uint32_t)length << 8 | (uint32_t)type);
    *out++ = (char)flags;
    return pl_h2_put_u32(out, stream);
}

char *pl_h2_put_number(char *out, enum pl_h2_type type, uint32_t stream,
                       uint32_t value)
{
    return pl_h2_put_u32(pl_h2_put_head(out, 4, type, 0, stream), value);
}

const char *pl_h2_code_name(uint32_t code)
{
    static const char *const names[] = {"NO_ERROR",
                                        "PROTOCOL_ERROR",
                                        "INTERNAL_ERROR",
                                        "FLOW_CONTROL_ERROR",
                                        "SETTINGS_TIMEOUT",
                                        "STREAM_CLOSED",
                                        "FRAME_SIZE_ERROR",
                                        "REFUSED_STREAM",
                                        "CANCEL",
                                        "COMPRESSION_ERROR",
                                        "CONNECT_ERROR",
                                        "ENHANCE_YOUR_CALM",
                                        "INADEQUATE_SECURITY",
                                        "HTTP_1_1_REQUIRED"};

    return code < PL_COUNT(names) ? names[code] : "unknown";
}
