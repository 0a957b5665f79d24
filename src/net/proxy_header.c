#include "net/proxy_header.h"

#include <arpa/inet.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/str.h"

/* As in the specification, 2.2. */
enum {
    V2_HEAD = 16,
    V2_INET = 12,
    V2_INET6 = 36,
    V2_UNIX = 216,
    UNIX_PATH = 108,
    ITEM_HEAD = 3,
    TLS_HEAD = 5,
    UNIQUE_ID_MAX = 128,
};

enum item {
    ALPN = 0x01,
    AUTHORITY = 0x02,
    CRC32C = 0x03,
    UNIQUE_ID = 0x05,
    TLS = 0x20,
    TLS_VERSION = 0x21,
    TLS_CN = 0x22,
    TLS_CIPHER = 0x23,
    TLS_SIGNATURE = 0x24,
    TLS_KEY = 0x25,
    NETNS = 0x30,
};

/* Bits of the first byte of a TLS item. */
enum { CLIENT_TLS = 1, CLIENT_CERT_NOW = 2, CLIENT_CERT_SESSION = 4 };

static int bad(const char **why, const char *text)
{
    *why = text;
    return PL_ERR_PROTO;
}

static unsigned u16_at(struct pl_str bytes, size_t at)
{
    return (unsigned)(unsigned char)bytes.data[at] << 8 |
           (unsigned char)bytes.data[at + 1];
}

static uint32_t u32_at(struct pl_str bytes, size_t at)
{
    return (uint32_t)u16_at(bytes, at) << 16 | u16_at(bytes, at + 2);
}

static void set_inet(struct pl_addr *out, const char *host, unsigned port)
{
    *out = (struct pl_addr){
        .v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)},
        .len = sizeof(out->v4)};
    memcpy(&out->v4.sin_addr, host, sizeof(out->v4.sin_addr));
}

static void set_inet6(struct pl_addr *out, const char *host, unsigned port)
{
    *out = (struct pl_addr){
        .v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)},
        .len = sizeof(out->v6)};
    memcpy(&out->v6.sin6_addr, host, sizeof(out->v6.sin6_addr));
}

/* ---- version 1: a line ---- */

static bool parse_port(struct pl_str text, unsigned *out)
{
    uint64_t number;

    if (text.len > 5 || (text.len > 1 && text.data[0] == '0') ||
        !pl_str_to_u64(text, &number) || number > UINT16_MAX)
        return false;
    *out = (unsigned)number;
    return true;
}

static bool parse_host(struct pl_str text, int family, char out[16])
{
    char host[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(host) || pl_str_chr(text, '\0') >= 0)
        return false;
    memcpy(host, text.data, text.len);
    host[text.len] = '\0';
    return inet_pton(family, host, out) == 1;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443" */
static int parse_line(struct pl_str line, struct pl_proxy_header *out,
                      const char **why)
{
    void (*set)(struct pl_addr *, const char *, unsigned) = set_inet;
    struct pl_str words[5];
    unsigned ports[2], n = 0;
    char hosts[2][16];
    int family = AF_INET;

    if (pl_str_eq(line, PL_STR("UNKNOWN")) ||
        pl_str_starts(line, PL_STR("UNKNOWN "))) {
        out->local = true;
        return 0;
    }
    while (n < PL_COUNT(words) && pl_str_split(&line, ' ', &words[n]))
        n++;
    if (n < PL_COUNT(words) || line.data != NULL)
        return bad(why, "a line has a family, two addresses and two ports");
    if (pl_str_eq(words[0], PL_STR("TCP6"))) {
        family = AF_INET6;
        set = set_inet6;
    } else if (!pl_str_eq(words[0], PL_STR("TCP4"))) {
        return bad(why, "unknown family");
    }
    for (unsigned i = 0; i < 2; i++)
        if (!parse_host(words[1 + i], family, hosts[i]) ||
            !parse_port(words[3 + i], &ports[i]))
            return bad(why, "malformed address");
    set(&out->peer, hosts[0], ports[0]);
    set(&out->bound, hosts[1], ports[1]);
    return 0;
}

static int parse_v1(struct pl_str bytes, struct pl_proxy_header *out,
                    size_t *used, const char **why)
{
    struct pl_str seen = pl_str_first(bytes, PL_PROXY_V1_MAX);
    ptrdiff_t end = pl_str_find(seen, PL_STR("\r\n"));

    if (end < 0)
        return seen.len < PL_PROXY_V1_MAX ? PL_ERR_AGAIN
                                          : bad(why, "the line has no end");
    *used = (size_t)end + 2;
    out->version = 1;
    return parse_line(pl_str(bytes.data + 6, (size_t)end - 6), out, why);
}

/* ---- version 2: items ---- */

/* Takes the first item off rest. False if it is cut. */
static bool next_item(struct pl_str *rest, uint8_t *type, struct pl_str *value)
{
    size_t len;

    if (rest->len < ITEM_HEAD)
        return false;
    *type = (uint8_t)rest->data[0];
    len = u16_at(*rest, 1);
    if (len > rest->len - ITEM_HEAD)
        return false;
    *value = pl_str(rest->data + ITEM_HEAD, len);
    *rest = pl_str_skip(*rest, ITEM_HEAD + len);
    return true;
}

struct pl_str pl_proxy_item(struct pl_str items, uint8_t type)
{
    struct pl_str value;
    uint8_t seen;

    while (next_item(&items, &seen, &value))
        if (seen == type)
            return value;
    return pl_str(NULL, 0);
}

/* Once only. */
static int keep(struct pl_str *to, struct pl_str value, const char **why)
{
    if (to->data != NULL)
        return bad(why, "an item is there twice");
    *to = value;
    return 0;
}

static struct pl_str *tls_place(struct pl_proxy_tls *tls, uint8_t type)
{
    switch (type) {
    case TLS_VERSION:
        return &tls->version;
    case TLS_CN:
        return &tls->cn;
    case TLS_CIPHER:
        return &tls->cipher;
    case TLS_SIGNATURE:
        return &tls->signature;
    case TLS_KEY:
        return &tls->key;
    default:
        return NULL;
    }
}

static int take_tls(struct pl_str value, struct pl_proxy_tls *tls,
                    const char **why)
{
    struct pl_str rest, item;
    uint8_t flags, type;

    if (value.len < TLS_HEAD)
        return bad(why, "a TLS item is too short");
    flags = (uint8_t)value.data[0];
    tls->used = (flags & CLIENT_TLS) != 0;
    tls->cert = (flags & (CLIENT_CERT_NOW | CLIENT_CERT_SESSION)) != 0;
    tls->verified = tls->cert && u32_at(value, 1) == 0;
    rest = pl_str_skip(value, TLS_HEAD);
    while (rest.len > 0) {
        struct pl_str *place;

        if (!next_item(&rest, &type, &item))
            return bad(why, "a TLS item is cut");
        place = tls_place(tls, type);
        if (place != NULL && keep(place, item, why) < 0)
            return PL_ERR_PROTO;
    }
    return 0;
}

/* Over the whole header, the sum itself taken as zeroes. */
static int check_sum(struct pl_str header, struct pl_str value,
                     const char **why)
{
    static const char zeroes[4];
    size_t at = (size_t)(value.data - header.data);
    uint32_t crc;

    if (value.len != sizeof(zeroes))
        return bad(why, "the checksum has a wrong length");
    crc = pl_crc32c(0, pl_str_first(header, at));
    crc = pl_crc32c(crc, pl_str(zeroes, sizeof(zeroes)));
    crc = pl_crc32c(crc, pl_str_skip(header, at + sizeof(zeroes)));
    return crc == u32_at(value, 0) ? 0 : bad(why, "the checksum is wrong");
}

/* Where an item is kept; two of them only until all are known. */
static struct pl_str *place_of(struct pl_proxy_header *out, struct pl_str *sum,
                               struct pl_str *tls, uint8_t type)
{
    switch (type) {
    case ALPN:
        return &out->alpn;
    case AUTHORITY:
        return &out->authority;
    case CRC32C:
        return sum;
    case UNIQUE_ID:
        return &out->unique_id;
    case TLS:
        return tls;
    case NETNS:
        return &out->netns;
    default:
        return NULL;
    }
}

static int take_items(struct pl_str header, struct pl_proxy_header *out,
                      const char **why)
{
    struct pl_str rest = out->items, value, sum = {NULL, 0}, tls = {NULL, 0};
    uint8_t type;
    int err = 0;

    while (rest.len > 0) {
        struct pl_str *place;

        if (!next_item(&rest, &type, &value))
            return bad(why, "an item is cut");
        place = place_of(out, &sum, &tls, type);
        if (place != NULL && keep(place, value, why) < 0)
            return PL_ERR_PROTO;
    }
    if (out->unique_id.len > UNIQUE_ID_MAX)
        return bad(why, "the unique id is too long");
    if (sum.data != NULL)
        err = check_sum(header, sum, why);
    if (err == 0 && tls.data != NULL)
        err = take_tls(tls, &out->tls, why);
    return err;
}

/* ---- version 2: addresses ---- */

/* A path ends with its first NUL; an abstract name (which begins with one) with
 * the last byte that is none. */
static void set_unix(struct pl_addr *out, const char *path)
{
    size_t len = strnlen(path, UNIX_PATH);

    if (len == 0) {
        for (len = UNIX_PATH; len > 0 && path[len - 1] == '\0'; len--)
            ;
    }
    *out = (struct pl_addr){.un = {.sun_family = AF_UNIX}};
    memcpy(out->un.sun_path, path, len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* How many bytes the addresses of a family and transport (a stream, or
 * datagrams) take; -1: unknown. */
static int address_size(uint8_t family)
{
    switch (family) {
    case 0x00:
        return 0;
    case 0x11:
    case 0x12:
        return V2_INET;
    case 0x21:
    case 0x22:
        return V2_INET6;
    case 0x31:
    case 0x32:
        return V2_UNIX;
    default:
        return -1;
    }
}

static void take_addresses(uint8_t family, struct pl_str bytes,
                           struct pl_proxy_header *out)
{
    const char *at = bytes.data;

    switch (family >> 4) {
    case 1:
        set_inet(&out->peer, at, u16_at(bytes, 8));
        set_inet(&out->bound, at + 4, u16_at(bytes, 10));
        break;
    case 2:
        set_inet6(&out->peer, at, u16_at(bytes, 32));
        set_inet6(&out->bound, at + 16, u16_at(bytes, 34));
        break;
    case 3:
        set_unix(&out->peer, at);
        set_unix(&out->bound, at + UNIX_PATH);
        break;
    default:
        break; /* those of the socket hold */
    }
}

static int take_v2(struct pl_str header, struct pl_proxy_header *out,
                   const char **why)
{
    uint8_t command = (uint8_t)header.data[12];
    uint8_t family = (uint8_t)header.data[13];
    int size = address_size(family);

    out->version = 2;
    if (command == 0x20) { /* LOCAL: what follows is to be skipped */
        out->local = true;
        return 0;
    }
    if (command != 0x21)
        return bad(why, "unknown version or command");
    if (size < 0)
        return bad(why, "unknown family or transport");
    if (header.len < V2_HEAD + (size_t)size)
        return bad(why, "the addresses are cut");
    take_addresses(family, pl_str_skip(header, V2_HEAD), out);
    out->items = pl_str_skip(header, V2_HEAD + (size_t)size);
    return take_items(header, out, why);
}

static int parse_v2(struct pl_str bytes, struct pl_proxy_header *out,
                    size_t *used, const char **why)
{
    size_t len;

    if (bytes.len < V2_HEAD)
        return PL_ERR_AGAIN;
    len = V2_HEAD + u16_at(bytes, 14);
    if (len > PL_PROXY_V2_MAX)
        return bad(why, "it is too long");
    if (bytes.len < len)
        return PL_ERR_AGAIN;
    *used = len;
    return take_v2(pl_str_first(bytes, len), out, why);
}

/* ---- both ---- */

/* 1 if bytes begin with mark, 0 if they may still come to, or -1. */
static int begins(struct pl_str bytes, struct pl_str mark)
{
    if (pl_str_starts(bytes, mark))
        return 1;
    return pl_str_starts(mark, bytes) ? 0 : -1;
}

int pl_proxy_parse(struct pl_str bytes, struct pl_proxy_header *out,
                   size_t *used, const char **why)
{
    int v1 = begins(bytes, PL_STR("PROXY "));
    int v2 = begins(bytes, PL_STR("\r\n\r\n\0\r\nQUIT\n"));

    *out = (struct pl_proxy_header){.version = 0};
    *used = 0;
    *why = "";
    if (v1 > 0)
        return parse_v1(bytes, out, used, why);
    if (v2 > 0)
        return parse_v2(bytes, out, used, why);
    return v1 == 0 || v2 == 0 ? PL_ERR_AGAIN : PL_ERR_NOT_FOUND;
}
