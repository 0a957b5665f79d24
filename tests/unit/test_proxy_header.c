/* test_proxy_header.c - PROXY headers, whole and byte by byte. */
#include "check.h"

#include "base/crc32c.h"
#include "net/proxy_header.h"

static struct pl_proxy_header header;
static const char *why;

/* Every part of bytes must ask for more; then the result of the whole, to which
 * what follows makes no difference. */
static int parse(struct pl_str bytes)
{
    static char more[PL_PROXY_V2_MAX + 64];
    size_t used;
    int err;

    for (size_t i = 0; i < bytes.len; i++) {
        err = pl_proxy_parse(pl_str_first(bytes, i), &header, &used, &why);
        if (err != PL_ERR_AGAIN)
            return err;
    }
    memcpy(more, bytes.data, bytes.len);
    memcpy(more + bytes.len, "GET / HTTP/1.1", 14);
    err = pl_proxy_parse(pl_str(more, bytes.len + 14), &header, &used, &why);
    if (err == 0)
        CHECK_INT(bytes.len, used, "used");
    return err;
}

static void check_addr(const char *want, const struct pl_addr *addr,
                       const char *what)
{
    char text[PL_ADDR_TEXT];

    pl_addr_format(addr, text);
    CHECK_STR(want, pl_str_c(addr->len == 0 ? "" : text), what);
}

/* ---- version 1 ---- */

#define HOST6 "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
#define HOST6_LONG "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define TEN "xxxxxxxxxx"
#define NINETY TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    const char *line;
    int want;
    const char *peer, *bound;
} lines[] = {
    {"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", 0, "192.0.2.1:56324",
     "198.51.100.7:443"},
    {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", 0,
     "255.255.255.255:65535", "255.255.255.255:65535"},
    {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", 0, "0.0.0.0:0", "0.0.0.0:0"},
    {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", 0, "[2001:db8::1]:1", "[::1]:2"},
    {"PROXY TCP6 " HOST6_LONG " " HOST6_LONG " 65535 65535\r\n", 0,
     "[" HOST6_LONG "]:65535", "[" HOST6_LONG "]:65535"},
    {"PROXY UNKNOWN\r\n", 0, "", ""},
    {"PROXY UNKNOWN " HOST6_LONG " " HOST6_LONG " 65535 65535\r\n", 0, "", ""},
    {"PROXY UNKNOWN any thing\r\n", 0, "", ""},
    {"PROXY UNKNOWNS\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4\t192.0.2.1 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 +1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.1 198.51.100.7 1 \r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 192.0.2 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP4 ::1 ::1 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP6 [::1] [::1] 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY TCP6 fe80::1%lo ::1 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY tcp4 192.0.2.1 198.51.100.7 1 2\r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY \r\n", PL_ERR_PROTO, NULL, NULL},
    {"PROXY " NINETY "xxxxxxxxx\r\n", PL_ERR_PROTO, NULL, NULL}, /* 107 */
    {"PROXY UNKNOWN " TEN TEN TEN TEN TEN TEN TEN TEN TEN "x\r\n", 0, "", ""},
    {"PROXY UNKNOWN " TEN TEN TEN TEN TEN TEN TEN TEN TEN "xx\r\n",
     PL_ERR_PROTO, NULL, NULL}, /* 108 */
    {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", PL_ERR_AGAIN, NULL, NULL},
    {"PROXX", PL_ERR_NOT_FOUND, NULL, NULL},
    {"GET / HTTP/1.1\r\n", PL_ERR_NOT_FOUND, NULL, NULL},
    {"PRI * HTTP/2.0\r\n", PL_ERR_NOT_FOUND, NULL, NULL},
    {"\r\n\r\nGET", PL_ERR_NOT_FOUND, NULL, NULL},
    {"\x16\x03\x01", PL_ERR_NOT_FOUND, NULL, NULL},
};

static void test_proxy_header__lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(lines); i++) {
        const char *line = lines[i].line;

        if (lines[i].want == PL_ERR_AGAIN) {
            size_t used;

            CHECK_INT(PL_ERR_AGAIN,
                      pl_proxy_parse(pl_str_c(line), &header, &used, &why),
                      line);
            continue;
        }
        CHECK_INT(lines[i].want, parse(pl_str_c(line)), line);
        CHECK_INT(lines[i].want == PL_ERR_PROTO, why[0] != '\0', line);
        if (lines[i].want < 0)
            continue;
        CHECK_INT(1, header.version, line);
        CHECK_INT(lines[i].peer[0] == '\0', header.local, line);
        check_addr(lines[i].peer, &header.peer, line);
        check_addr(lines[i].bound, &header.bound, line);
    }
}

/* ---- version 2 ---- */

static char bytes[PL_PROXY_V2_MAX + 16];
static size_t len;

static void begin(int command, int family)
{
    memcpy(bytes, "\r\n\r\n\0\r\nQUIT\n", 12);
    bytes[12] = (char)command;
    bytes[13] = (char)family;
    len = 16;
}

static void add(const void *from, size_t n)
{
    memcpy(bytes + len, from, n);
    len += n;
}

/* type, length, value; n may lie about value's length. */
static void item(int type, size_t n, const char *value)
{
    const char head[] = {(char)type, (char)(n >> 8), (char)n};

    add(head, 3);
    add(value, strlen(value));
}

static int end(void)
{
    bytes[14] = (char)((len - 16) >> 8);
    bytes[15] = (char)(len - 16);
    return parse(pl_str(bytes, len));
}

static const char inet[] = "\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbb";

static void begin_inet(void)
{
    begin(0x21, 0x11);
    add(inet, 12);
}

static void test_proxy_header__families(void **state)
{
    char paths[216] = "/run/a";

    (void)state;
    for (int transport = 1; transport <= 2; transport++) {
        begin(0x21, 0x10 | transport);
        add(inet, 12);
        CHECK_INT(0, end(), "inet");
        CHECK_INT(2, header.version, "version");
        CHECK(!header.local, "a client");
        check_addr("192.0.2.1:56324", &header.peer, "peer");
        check_addr("198.51.100.7:443", &header.bound, "bound");
        begin(0x21, 0x20 | transport);
        add("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        add("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        add("\x00\x01\xff\xff", 4);
        CHECK_INT(0, end(), "inet6");
        check_addr("[2001:db8::1]:1", &header.peer, "peer");
        check_addr("[::1]:65535", &header.bound, "bound");
        begin(0x21, 0x30 | transport);
        memset(paths + 108, 'x', 108); /* not terminated */
        add(paths, 216);
        CHECK_INT(0, end(), "unix");
        check_addr("unix:/run/a", &header.peer, "peer");
        CHECK_INT(offsetof(struct sockaddr_un, sun_path) + 108,
                  header.bound.len, "bound");
    }
    begin(0x21, 0x31);
    memset(paths, 0, 216);
    memcpy(paths, "\0name", 5);
    add(paths, 216);
    CHECK_INT(0, end(), "abstract");
    CHECK_INT(offsetof(struct sockaddr_un, sun_path) + 5, header.peer.len,
              "abstract");
    CHECK_INT(offsetof(struct sockaddr_un, sun_path), header.bound.len,
              "unnamed");
}

static void test_proxy_header__proxies_that_ask_themselves(void **state)
{
    (void)state;
    begin(0x20, 0x00);
    CHECK_INT(0, end(), "LOCAL");
    CHECK(header.local && header.peer.len == 0, "LOCAL");
    begin(0x20, 0x11); /* whatever comes with it is skipped */
    add("nonsense", 8);
    CHECK_INT(0, end(), "LOCAL with bytes");
    CHECK(header.local && header.items.len == 0, "LOCAL with bytes");
    begin(0x21, 0x00);
    item(0x02, 1, "a");
    CHECK_INT(0, end(), "UNSPEC");
    CHECK(!header.local && header.peer.len == 0, "UNSPEC");
    CHECK_STR("a", header.authority, "its items");
}

static void test_proxy_header__heads_that_are_refused(void **state)
{
    static const int heads[][2] = {
        {0x11, 0x11}, {0x31, 0x11}, {0x22, 0x11}, {0x2f, 0x00}, {0x21, 0x10},
        {0x21, 0x13}, {0x21, 0x01}, {0x21, 0x41}, {0x21, 0xf1}, {0x00, 0x00},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++) {
        char what[20];

        snprintf(what, sizeof(what), "%02x %02x", heads[i][0], heads[i][1]);
        begin(heads[i][0], heads[i][1]);
        add(inet, 12);
        CHECK_INT(PL_ERR_PROTO, end(), what);
    }
    begin(0x21, 0x11);
    add(inet, 11);
    CHECK_INT(PL_ERR_PROTO, end(), "addresses are cut");
    begin(0x21, 0x21);
    add(inet, 12);
    CHECK_INT(PL_ERR_PROTO, end(), "of another family");
}

static void test_proxy_header__items(void **state)
{
    (void)state;
    begin_inet();
    item(0x01, 2, "h2");
    item(0x02, 11, "example.org");
    item(0x04, 3, "???");
    item(0x05, 4, "\x01\x02\x03\x04");
    item(0x30, 3, "net");
    item(0xea, 0, "");
    item(0xeb, 1, "v");
    CHECK_INT(0, end(), "items");
    CHECK_STR("h2", header.alpn, "alpn");
    CHECK_STR("example.org", header.authority, "authority");
    CHECK_STR("\x01\x02\x03\x04", header.unique_id, "unique id");
    CHECK_STR("net", header.netns, "namespace");
    CHECK_STR("", pl_proxy_item(header.items, 0xea), "empty");
    CHECK_STR("v", pl_proxy_item(header.items, 0xeb), "unknown");
    CHECK_STR(NULL, pl_proxy_item(header.items, 0xec), "absent");
    CHECK(!header.tls.used, "no TLS");
}

static const struct {
    const char *what;
    int type;
    size_t said;
    const char *value;
} broken[] = {
    {"value is cut", 0x02, 5, "abc"},
    {"TLS is too short", 0x20, 4, "abcd"},
    {"item in TLS is cut", 0x20, 7, "\x01\x01\x01\x01\x01\x21\x01"},
    {"value in TLS is cut", 0x20, 9, "\x01\x01\x01\x01\x01\x21\x01\x01x"},
    {"checksum is short", 0x03, 3, "abc"},
    {"checksum is wrong", 0x03, 4, "abcd"},
};

static void test_proxy_header__broken_items_are_refused(void **state)
{
    char long_id[130];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(broken); i++) {
        begin_inet();
        item(broken[i].type, broken[i].said, broken[i].value);
        CHECK_INT(PL_ERR_PROTO, end(), broken[i].what);
    }
    begin_inet();
    add("\x02", 1);
    CHECK_INT(PL_ERR_PROTO, end(), "a type alone");
    begin_inet();
    item(0x02, 1, "a");
    item(0x02, 1, "a");
    CHECK_INT(PL_ERR_PROTO, end(), "twice");
    begin_inet();
    item(0xea, 1, "a");
    item(0xea, 1, "a");
    CHECK_INT(0, end(), "twice, unknown");
    memset(long_id, 'i', 129);
    long_id[129] = '\0';
    begin_inet();
    item(0x05, 129, long_id);
    CHECK_INT(PL_ERR_PROTO, end(), "129 bytes of id");
    begin_inet();
    item(0x05, 128, long_id + 1);
    CHECK_INT(0, end(), "128 bytes of id");
}

/* flags, verify and then items */
static void tls_item(const char *head)
{
    static const char items[] = "\x21\x00\x07TLSv1.3\x23\x00\x03"
                                "AES\x22\x00\x02me\x25\x00\x01k\x99\x00\x00";
    char both[64];

    memcpy(both, head, 5);
    memcpy(both + 5, items, sizeof(items) - 1);
    add("\x20\x00", 2);
    bytes[len++] = (char)(5 + sizeof(items) - 1);
    add(both, 5 + sizeof(items) - 1);
}

static void test_proxy_header__tls(void **state)
{
    static const struct {
        const char *head;
        bool used, cert, verified;
    } heads[] = {
        {"\x00\x00\x00\x00\x00", false, false, false},
        {"\x01\x00\x00\x00\x01", true, false, false},
        {"\x03\x00\x00\x00\x00", true, true, true},
        {"\x05\x00\x00\x00\x00", true, true, true},
        {"\x07\x00\x00\x00\x01", true, true, false},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++) {
        begin_inet();
        tls_item(heads[i].head);
        CHECK_INT(0, end(), "TLS");
        CHECK_INT(heads[i].used, header.tls.used, "used");
        CHECK_INT(heads[i].cert, header.tls.cert, "certificate");
        CHECK_INT(heads[i].verified, header.tls.verified, "verified");
        CHECK_STR("TLSv1.3", header.tls.version, "version");
        CHECK_STR("AES", header.tls.cipher, "cipher");
        CHECK_STR("me", header.tls.cn, "cn");
        CHECK_STR("k", header.tls.key, "key");
        CHECK_STR(NULL, header.tls.signature, "signature");
    }
}

static void test_proxy_header__checksums(void **state)
{
    uint32_t crc;
    size_t at;

    (void)state;
    begin_inet();
    item(0x02, 1, "a");
    at = len + 3;
    add("\x03\x00\x04\x00\x00\x00\x00", 7);
    item(0x04, 2, "xx");
    bytes[14] = 0;
    bytes[15] = (char)(len - 16);
    crc = pl_crc32c(0, pl_str(bytes, len));
    for (int i = 0; i < 4; i++)
        bytes[at + (size_t)i] = (char)(crc >> (24 - 8 * i));
    CHECK_INT(0, end(), "checksum");
    CHECK_STR("a", header.authority, "authority");
    for (size_t i = 16; i < len; i++) {
        bytes[i] ^= 1; /* no byte of it may change */
        CHECK(end() < 0, "a bit flipped");
        bytes[i] ^= 1;
    }
}

static void test_proxy_header__length(void **state)
{
    (void)state;
    begin_inet();
    add("\x04\x3f\xf1", 3); /* with the head of 15 bytes: 16384 */
    len += 0x3ff1;
    CHECK_INT(PL_PROXY_V2_MAX, len, "the longest");
    CHECK_INT(0, end(), "the longest");
    begin_inet();
    bytes[14] = 0x40;
    bytes[15] = 0x01;
    CHECK_INT(PL_ERR_PROTO, parse(pl_str(bytes, len)), "longer");
}

RUN_TESTS(cmocka_unit_test(test_proxy_header__lines),
          cmocka_unit_test(test_proxy_header__families),
          cmocka_unit_test(test_proxy_header__proxies_that_ask_themselves),
          cmocka_unit_test(test_proxy_header__heads_that_are_refused),
          cmocka_unit_test(test_proxy_header__items),
          cmocka_unit_test(test_proxy_header__broken_items_are_refused),
          cmocka_unit_test(test_proxy_header__tls),
          cmocka_unit_test(test_proxy_header__checksums),
          cmocka_unit_test(test_proxy_header__length))
