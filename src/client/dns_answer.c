#include "client/dns_answer.h"

#include <ctype.h>
#include <string.h>

#include "base/compiler.h"
#include "base/str.h"
#include "client/dns.h"

enum { HEADER = 12, FIXED = 10 };

/* ---- numbers; the caller has looked whether they are there ---- */

static unsigned get16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* ---- names ---- */

static size_t put_byte(char *out, unsigned char byte)
{
    if (isalnum(byte) || byte == '-' || byte == '_') {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    out[1] = (char)('0' + byte / 100);
    out[2] = (char)('0' + byte / 10 % 10);
    out[3] = (char)('0' + byte % 10);
    return 4;
}

/* A place in a name; what follows is read there. */
struct place {
    size_t at;
    size_t limit;  /* a pointer must lead below it, so there is an end */
    size_t behind; /* the name, where it was begun; 0: not known yet */
};

/* A pointer (RFC 1035, 4.1.4). */
static bool follow(const struct pl_dns_answer *answer, struct place *place)
{
    if (answer->len - place->at < 2)
        return false;
    if (place->behind == 0)
        place->behind = place->at + 2;
    place->at = get16(answer->bytes + place->at) & 0x3fff;
    if (place->at >= place->limit)
        return false;
    place->limit = place->at;
    return true;
}

/* The length of the next label, behind all pointers at it; -1: there is none.
 */
static int next_label(const struct pl_dns_answer *answer, struct place *place)
{
    size_t len;

    while (place->at < answer->len && answer->bytes[place->at] >= 0xc0)
        if (!follow(answer, place))
            return -1;
    if (place->at >= answer->len)
        return -1;
    len = answer->bytes[place->at++];
    return len > 63 || answer->len - place->at < len ? -1 : (int)len;
}

static size_t put_label(char *out, const unsigned char *bytes, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++)
        used += put_byte(out + used, bytes[i]);
    return used;
}

/* Reads the name at *at, which moves behind it; out (NULL: it is skipped) is
 * PL_DNS_NAME_TEXT long: a name has at most 255 bytes. */
static bool read_name(const struct pl_dns_answer *answer, size_t *at, char *out)
{
    struct place place = {.at = *at, .limit = *at};
    size_t used = 0, bytes = 0;
    int len;

    while ((len = next_label(answer, &place)) > 0) {
        bytes += (size_t)len + 1;
        if (bytes + 1 > 255)
            return false;
        if (out != NULL && used > 0)
            out[used++] = '.';
        if (out != NULL)
            used +=
                put_label(out + used, answer->bytes + place.at, (size_t)len);
        place.at += (size_t)len;
    }
    if (out != NULL)
        out[used] = '\0';
    *at = place.behind == 0 ? place.at : place.behind;
    return len == 0;
}

/* ---- records ---- */

int pl_dns_answer_open(struct pl_dns_answer *answer, struct pl_str bytes,
                       unsigned type)
{
    unsigned questions;

    *answer = (struct pl_dns_answer){.bytes = (const void *)bytes.data,
                                     .len = bytes.len,
                                     .at = HEADER,
                                     .type = type};
    if (bytes.len == 0)
        return 0; /* there is no such record */
    if (bytes.len < HEADER)
        return PL_ERR_PROTO;
    questions = get16(answer->bytes + 4);
    answer->left = get16(answer->bytes + 6);
    for (; questions > 0; questions--) {
        if (!read_name(answer, &answer->at, NULL) ||
            answer->len - answer->at < 4)
            return PL_ERR_PROTO;
        answer->at += 4;
    }
    return 0;
}

/* The name in the data, behind so many bytes of numbers: it ends with them. */
static bool read_target(const struct pl_dns_answer *answer, size_t from,
                        size_t numbers, struct pl_dns_record *record)
{
    size_t at = from + numbers;

    return record->data.len > numbers && read_name(answer, &at, record->name) &&
           at == from + record->data.len;
}

/* TXT: pieces, each behind its length. */
static bool is_text(struct pl_str data)
{
    size_t at = 0;

    while (at < data.len)
        at += (unsigned char)data.data[at] + 1u;
    return at == data.len;
}

/* Of the record that answer has just come to the end of. */
static bool read_data(const struct pl_dns_answer *answer,
                      struct pl_dns_record *record)
{
    size_t from = answer->at - record->data.len;
    const unsigned char *data = answer->bytes + from;

    record->name[0] = '\0';
    record->priority = record->weight = record->port = 0;
    switch (answer->type) {
    case PL_DNS_A:
        return record->data.len == sizeof(struct in_addr);
    case PL_DNS_AAAA:
        return record->data.len == sizeof(struct in6_addr);
    case PL_DNS_CNAME:
    case PL_DNS_NS:
    case PL_DNS_PTR:
        return read_target(answer, from, 0, record);
    case PL_DNS_TXT:
        return is_text(record->data);
    case PL_DNS_MX:
        if (!read_target(answer, from, 2, record))
            return false;
        record->priority = (uint16_t)get16(data);
        return true;
    case PL_DNS_SRV:
        if (!read_target(answer, from, 6, record))
            return false;
        record->priority = (uint16_t)get16(data);
        record->weight = (uint16_t)get16(data + 2);
        record->port = (uint16_t)get16(data + 4);
        return true;
    default:
        return true;
    }
}

/* The next record of any type; its class is IN, as the question's. */
static int next_any(struct pl_dns_answer *answer, unsigned *type,
                    struct pl_dns_record *record)
{
    const unsigned char *fixed;
    size_t len;

    if (answer->left == 0)
        return 0;
    answer->left--;
    if (!read_name(answer, &answer->at, NULL) ||
        answer->len - answer->at < FIXED)
        return PL_ERR_PROTO;
    fixed = answer->bytes + answer->at;
    answer->at += FIXED;
    len = get16(fixed + 8);
    if (answer->len - answer->at < len)
        return PL_ERR_PROTO;
    *type = get16(fixed);
    record->ttl = get32(fixed + 4);
    if (record->ttl > INT32_MAX) /* RFC 2181, 8 */
        record->ttl = 0;
    record->data = pl_str((const char *)fixed + FIXED, len);
    answer->at += len;
    return 1;
}

int pl_dns_answer_next(struct pl_dns_answer *answer,
                       struct pl_dns_record *record)
{
    unsigned type;
    int more;

    do {
        more = next_any(answer, &type, record);
        if (more <= 0)
            return more;
    } while (type != answer->type);
    return read_data(answer, record) ? 1 : PL_ERR_PROTO;
}

size_t pl_dns_record_text(const struct pl_dns_record *record, char *out)
{
    const char *data = record->data.data;
    size_t used = 0;

    for (size_t at = 0; at < record->data.len;) {
        size_t len = (unsigned char)data[at];

        memcpy(out + used, data + at + 1, len);
        used += len;
        at += len + 1;
    }
    return used;
}

int64_t pl_dns_answer_ttl(struct pl_str bytes, unsigned type)
{
    struct pl_dns_answer answer;
    struct pl_dns_record record;
    int64_t least = PL_ERR_NOT_FOUND;
    unsigned any;
    int more = pl_dns_answer_open(&answer, bytes, type);

    while (more >= 0 && (more = next_any(&answer, &any, &record)) > 0) {
        if (any == type && !read_data(&answer, &record))
            return PL_ERR_PROTO;
        if (least < 0 || record.ttl < least)
            least = record.ttl;
    }
    return more < 0 ? more : least;
}
