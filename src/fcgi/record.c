#include "fcgi/record.h"

#include "base/error.h"
#include "base/str.h"

static uint16_t read_u16(const char *bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;

    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(const char *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap32(value);
}

static char *put_u16(char *out, unsigned value)
{
    *out++ = (char)(value >> 8);
    *out++ = (char)value;
    return out;
}

static char *put_u32(char *out, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

/* What is reserved at the end of a body. */
static char *put_reserved(char *out, size_t n)
{
    memset(out, 0, n);
    return out + n;
}

/* ---- heads ---- */

void pl_fcgi_record_read(struct pl_fcgi_record *record, const char *bytes)
{
    record->version = (uint8_t)bytes[0];
    record->type = (uint8_t)bytes[1];
    record->id = read_u16(bytes + 2);
    record->length = read_u16(bytes + 4);
    record->padding = (uint8_t)bytes[6];
}

enum about { ANYTHING, REQUEST, CONNECTION };

static const struct rule {
    uint8_t about; /* enum about */
    bool fixed;    /* PL_FCGI_BODY bytes */
} rules[] = {
    [PL_FCGI_BEGIN_REQUEST] = {REQUEST, true},
    [PL_FCGI_ABORT_REQUEST] = {REQUEST, false},
    [PL_FCGI_END_REQUEST] = {REQUEST, true},
    [PL_FCGI_PARAMS] = {REQUEST, false},
    [PL_FCGI_STDIN] = {REQUEST, false},
    [PL_FCGI_STDOUT] = {REQUEST, false},
    [PL_FCGI_STDERR] = {REQUEST, false},
    [PL_FCGI_DATA] = {REQUEST, false},
    [PL_FCGI_GET_VALUES] = {CONNECTION, false},
    [PL_FCGI_GET_VALUES_RESULT] = {CONNECTION, false},
    [PL_FCGI_UNKNOWN_TYPE] = {CONNECTION, true},
};

int pl_fcgi_record_check(const struct pl_fcgi_record *record)
{
    struct rule rule = {ANYTHING, false};

    if (record->type < PL_COUNT(rules))
        rule = rules[record->type];
    if (record->version != PL_FCGI_VERSION ||
        (rule.about == REQUEST && record->id == 0) ||
        (rule.about == CONNECTION && record->id != 0) ||
        (rule.fixed && record->length != PL_FCGI_BODY))
        return PL_ERR_PROTO;
    return 0;
}

char *pl_fcgi_put_head(char *out, enum pl_fcgi_type type, unsigned id,
                       size_t length)
{
    *out++ = PL_FCGI_VERSION;
    *out++ = (char)type;
    out = put_u16(out, id);
    out = put_u16(out, (unsigned)length);
    return put_reserved(out, 2); /* the first is: no padding */
}

/* ---- bodies ---- */

void pl_fcgi_begin_read(struct pl_fcgi_begin *begin, const char *body)
{
    begin->role = read_u16(body);
    begin->flags = (uint8_t)body[2];
}

void pl_fcgi_end_read(struct pl_fcgi_end *end, const char *body)
{
    end->app_status = read_u32(body);
    end->status = (uint8_t)body[4];
}

char *pl_fcgi_put_begin(char *out, unsigned id, enum pl_fcgi_role role,
                        unsigned flags)
{
    out = pl_fcgi_put_head(out, PL_FCGI_BEGIN_REQUEST, id, PL_FCGI_BODY);
    out = put_u16(out, role);
    *out++ = (char)flags;
    return put_reserved(out, 5);
}

char *pl_fcgi_put_end(char *out, unsigned id, uint32_t app_status,
                      enum pl_fcgi_status status)
{
    out = pl_fcgi_put_head(out, PL_FCGI_END_REQUEST, id, PL_FCGI_BODY);
    out = put_u32(out, app_status);
    *out++ = (char)status;
    return put_reserved(out, 3);
}

char *pl_fcgi_put_unknown_type(char *out, unsigned type)
{
    out = pl_fcgi_put_head(out, PL_FCGI_UNKNOWN_TYPE, 0, PL_FCGI_BODY);
    *out++ = (char)type;
    return put_reserved(out, 7);
}

/* ---- name-value pairs ---- */

/* A length is one byte below 128, or four of which the first has its highest
 * bit set (3.4). */
enum { SHORT_MAX = 127 };
#define LONG_BIT UINT32_C(0x80000000)

/* Gives the length that is written at *at, and moves that on. False if it is
 * cut off. */
static bool read_length(struct pl_str bytes, size_t *at, size_t *length)
{
    size_t left = bytes.len - *at;
    const char *from = bytes.data + *at;

    if (left == 0)
        return false;
    if ((unsigned char)*from <= SHORT_MAX) {
        *length = (unsigned char)*from;
        *at += 1;
        return true;
    }
    if (left < 4)
        return false;
    *length = read_u32(from) & ~LONG_BIT;
    *at += 4;
    return true;
}

int pl_fcgi_pair_read(struct pl_str *rest, struct pl_fcgi_pair *pair,
                      size_t *need)
{
    size_t at = 0, name, value;

    if (!read_length(*rest, &at, &name) || !read_length(*rest, &at, &value)) {
        *need = rest->len + 1;
        return PL_ERR_AGAIN;
    }
    /* Each is below 2 GiB: the sum fits in any size_t of 64 bits. */
    if (rest->len - at < name + value) {
        *need = at + name + value;
        return PL_ERR_AGAIN;
    }
    pair->name = pl_str(rest->data + at, name);
    pair->value = pl_str(rest->data + at + name, value);
    *rest = pl_str_skip(*rest, at + name + value);
    return 0;
}

_Static_assert(sizeof(size_t) >= 8, "two lengths and their heads fit");

static size_t length_size(size_t length)
{
    return length <= SHORT_MAX ? 1 : 4;
}

static char *put_length(char *out, size_t length)
{
    if (length <= SHORT_MAX) {
        *out++ = (char)length;
        return out;
    }
    return put_u32(out, (uint32_t)length | LONG_BIT);
}

size_t pl_fcgi_pair_size(size_t name, size_t value)
{
    return length_size(name) + length_size(value) + name + value;
}

char *pl_fcgi_put_pair(char *out, struct pl_str name, struct pl_str value)
{
    out = put_length(out, name.len);
    out = put_length(out, value.len);
    if (name.len > 0) /* an absent text has no bytes to copy from */
        memcpy(out, name.data, name.len);
    out += name.len;
    if (value.len > 0)
        memcpy(out, value.data, value.len);
    return out + value.len;
}
