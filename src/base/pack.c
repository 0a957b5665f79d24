#include "base/pack.h"

#include <endian.h>
#include <math.h>

#include "base/str.h"

enum tag {
    TAG_STRING = 0x80, /* to TAG_NIL: its length is in the tag */
    TAG_NIL = 0xa0,
    TAG_FALSE,
    TAG_TRUE,
    TAG_NULL,
    TAG_INTEGER,
    TAG_DOUBLE,
    TAG_LONG_STRING,
    TAG_TABLE,
    TAG_LIST,
};

enum { SHORT_STRINGS = TAG_NIL - TAG_STRING, VARINT_MAX = 10 };

static const uint64_t NAN_BITS = UINT64_C(0x7ff8000000000000);

/* ---- writing ---- */

static void add_tag(struct pl_buf *out, enum tag tag)
{
    pl_buf_addc(out, (char)tag);
}

static void add_varint(struct pl_buf *out, uint64_t value)
{
    char bytes[VARINT_MAX];
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    pl_buf_add(out, pl_str(bytes, n));
}

void pl_pack_begin(struct pl_buf *out)
{
    pl_buf_addc(out, PL_PACK_VERSION);
}

void pl_pack_nil(struct pl_buf *out)
{
    add_tag(out, TAG_NIL);
}

void pl_pack_null(struct pl_buf *out)
{
    add_tag(out, TAG_NULL);
}

void pl_pack_bool(struct pl_buf *out, bool value)
{
    add_tag(out, value ? TAG_TRUE : TAG_FALSE);
}

void pl_pack_integer(struct pl_buf *out, int64_t value)
{
    if (value >= 0 && value < TAG_STRING) {
        pl_buf_addc(out, (char)value);
        return;
    }
    add_tag(out, TAG_INTEGER);
    add_varint(out, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void pl_pack_double(struct pl_buf *out, double value)
{
    uint64_t bits = NAN_BITS;

    if (!isnan(value))
        memcpy(&bits, &value, sizeof(bits));
    bits = htole64(bits);
    add_tag(out, TAG_DOUBLE);
    pl_buf_add(out, pl_str((const char *)&bits, sizeof(bits)));
}

void pl_pack_string(struct pl_buf *out, struct pl_str value)
{
    if (value.len < SHORT_STRINGS) {
        pl_buf_addc(out, (char)(TAG_STRING + value.len));
    } else {
        add_tag(out, TAG_LONG_STRING);
        add_varint(out, value.len);
    }
    pl_buf_add(out, value);
}

void pl_pack_table(struct pl_buf *out, size_t list, size_t pairs, bool marked)
{
    add_tag(out, marked && pairs == 0 ? TAG_LIST : TAG_TABLE);
    add_varint(out, list);
    if (!marked || pairs > 0)
        add_varint(out, pairs);
}

/* ---- reading ---- */

static size_t left(const struct pl_unpack *in)
{
    return (size_t)(in->end - in->at);
}

int pl_unpack_begin(struct pl_unpack *in, struct pl_str bytes)
{
    *in = (struct pl_unpack){bytes.data, bytes.data + bytes.len};
    if (left(in) == 0)
        return PL_ERR_PROTO;
    return *in->at++ == PL_PACK_VERSION ? 0 : PL_ERR_UNSUPPORTED;
}

int pl_unpack_end(const struct pl_unpack *in)
{
    return left(in) == 0 ? 0 : PL_ERR_PROTO;
}

static int read_varint(struct pl_unpack *in, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; left(in) > 0 && shift < 64; shift += 7) {
        uint64_t byte = (unsigned char)*in->at++;

        if (shift == 63 && byte > 1) /* does not fit */
            return PL_ERR_PROTO;
        *value |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte == 0 && shift > 0 ? PL_ERR_PROTO : 0;
    }
    return PL_ERR_PROTO;
}

static int read_integer(struct pl_unpack *in, struct pl_packed *value)
{
    uint64_t zigzag;
    int err = read_varint(in, &zigzag);

    if (err < 0)
        return err;
    value->type = PL_PACKED_INTEGER;
    value->integer = (int64_t)(zigzag >> 1 ^ (~(zigzag & 1) + 1));
    return value->integer >= 0 && value->integer < TAG_STRING ? PL_ERR_PROTO
                                                              : 0;
}

static int read_double(struct pl_unpack *in, struct pl_packed *value)
{
    uint64_t bits;

    if (left(in) < sizeof(bits))
        return PL_ERR_PROTO;
    memcpy(&bits, in->at, sizeof(bits));
    in->at += sizeof(bits);
    bits = le64toh(bits);
    value->type = PL_PACKED_DOUBLE;
    memcpy(&value->number, &bits, sizeof(bits));
    return isnan(value->number) && bits != NAN_BITS ? PL_ERR_PROTO : 0;
}

static int read_string(struct pl_unpack *in, struct pl_packed *value,
                       uint64_t len)
{
    if (len > left(in))
        return PL_ERR_PROTO;
    value->type = PL_PACKED_STRING;
    value->string = pl_str(in->at, (size_t)len);
    in->at += len;
    return 0;
}

static int read_long_string(struct pl_unpack *in, struct pl_packed *value)
{
    uint64_t len;
    int err = read_varint(in, &len);

    if (err < 0 || len < SHORT_STRINGS)
        return PL_ERR_PROTO;
    return read_string(in, value, len);
}

/* Each value takes a byte at least: so a few bytes cannot announce a table that
 * somebody would make room for. */
static int read_table(struct pl_unpack *in, struct pl_packed *value,
                      bool marked)
{
    uint64_t list, pairs = 0;

    if (read_varint(in, &list) < 0 || (!marked && read_varint(in, &pairs) < 0))
        return PL_ERR_PROTO;
    if (list > left(in) || pairs > (left(in) - list) / 2)
        return PL_ERR_PROTO;
    value->type = PL_PACKED_TABLE;
    value->table.list = (size_t)list;
    value->table.pairs = (size_t)pairs;
    value->table.marked = marked;
    return 0;
}

int pl_unpack_next(struct pl_unpack *in, struct pl_packed *value)
{
    unsigned tag;

    if (left(in) == 0)
        return PL_ERR_PROTO;
    tag = (unsigned char)*in->at++;
    if (tag < TAG_STRING) {
        value->type = PL_PACKED_INTEGER;
        value->integer = tag;
        return 0;
    }
    if (tag < TAG_NIL)
        return read_string(in, value, tag - TAG_STRING);
    switch (tag) {
    case TAG_NIL:
        value->type = PL_PACKED_NIL;
        return 0;
    case TAG_NULL:
        value->type = PL_PACKED_NULL;
        return 0;
    case TAG_FALSE:
    case TAG_TRUE:
        value->type = PL_PACKED_BOOL;
        value->boolean = tag == TAG_TRUE;
        return 0;
    case TAG_INTEGER:
        return read_integer(in, value);
    case TAG_DOUBLE:
        return read_double(in, value);
    case TAG_LONG_STRING:
        return read_long_string(in, value);
    case TAG_TABLE:
    case TAG_LIST:
        return read_table(in, value, tag == TAG_LIST);
    default:
        return PL_ERR_PROTO;
    }
}

bool pl_packed_is_item(const struct pl_packed *value)
{
    return value->type != PL_PACKED_NIL;
}

bool pl_packed_is_key(const struct pl_packed *value)
{
    return value->type == PL_PACKED_BOOL || value->type == PL_PACKED_INTEGER ||
           value->type == PL_PACKED_STRING ||
           (value->type == PL_PACKED_DOUBLE && !isnan(value->number));
}

/* ---- the whole ---- */

static int check_value(struct pl_unpack *in, struct pl_packed *value,
                       unsigned depth);

static int check_table(struct pl_unpack *in, const struct pl_packed *table,
                       unsigned depth)
{
    struct pl_packed value;
    int err = depth == PL_PACK_DEPTH ? PL_ERR_LIMIT : 0;

    for (size_t i = 0; i < table->table.list && err == 0; i++) {
        err = check_value(in, &value, depth + 1);
        if (err == 0 && !pl_packed_is_item(&value))
            err = PL_ERR_PROTO;
    }
    for (size_t i = 0; i < table->table.pairs && err == 0; i++) {
        err = pl_unpack_next(in, &value);
        if (err == 0 && !pl_packed_is_key(&value))
            err = PL_ERR_PROTO;
        if (err == 0)
            err = check_value(in, &value, depth + 1);
        if (err == 0 && !pl_packed_is_item(&value))
            err = PL_ERR_PROTO;
    }
    return err;
}

static int check_value(struct pl_unpack *in, struct pl_packed *value,
                       unsigned depth)
{
    struct pl_packed table;
    int err = pl_unpack_next(in, value);

    if (err < 0 || value->type != PL_PACKED_TABLE)
        return err;
    table = *value;
    return check_table(in, &table, depth);
}

int pl_pack_check(struct pl_str bytes)
{
    struct pl_packed value;
    struct pl_unpack in;
    int err = pl_unpack_begin(&in, bytes);

    if (err == 0)
        err = check_value(&in, &value, 0);
    return err == 0 ? pl_unpack_end(&in) : err;
}
