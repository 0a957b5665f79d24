/* test_uri.c - request targets, paths and percent-encoding. */
#include "arena_world.h"

#include <stdlib.h>

#include "http/uri.h"

/* ---- targets ---- */

/* want: "scheme|host|port|path|query", "-" for absent; NULL: refused. */
static const struct {
    enum pl_method method;
    const char *target, *want;
} targets[] = {
    /* origin-form (RFC 9112, 3.2.1) */
    {PL_METHOD_GET, "/", "-|-|0|/|-"},
    {PL_METHOD_GET, "/a/b", "-|-|0|/a/b|-"},
    {PL_METHOD_GET, "/a?", "-|-|0|/a|"},
    {PL_METHOD_GET, "/a?b=c", "-|-|0|/a|b=c"},
    {PL_METHOD_GET, "/a?b?c", "-|-|0|/a|b?c"},
    {PL_METHOD_GET, "/?/", "-|-|0|/|/"},
    {PL_METHOD_GET, "//a/b", "-|-|0|//a/b|-"}, /* no network-path reference */
    {PL_METHOD_OPTIONS, "/a", "-|-|0|/a|-"},
    {PL_METHOD_UNKNOWN, "/a", "-|-|0|/a|-"},
    {PL_METHOD_GET, "", NULL},
    {PL_METHOD_GET, "a", NULL},
    {PL_METHOD_GET, "?a", NULL},
    {PL_METHOD_GET, "/a#b", NULL}, /* no fragment on the wire */
    {PL_METHOD_GET, "/a?b#c", NULL},
    /* absolute-form (RFC 9112, 3.2.2) */
    {PL_METHOD_GET, "http://a/b?c", "http|a|80|/b|c"},
    {PL_METHOD_GET, "https://a/b", "https|a|443|/b|-"},
    {PL_METHOD_GET, "HTTP://A.example:8080/", "HTTP|A.example|8080|/|-"},
    {PL_METHOD_GET, "http://a", "http|a|80|/|-"},
    {PL_METHOD_GET, "http://a?b", "http|a|80|/|b"},
    {PL_METHOD_GET, "http://a:/b", "http|a|80|/b|-"},
    {PL_METHOD_GET, "http://[::1]:81/", "http|[::1]|81|/|-"},
    {PL_METHOD_GET, "http://a//b", "http|a|80|//b|-"},
    {PL_METHOD_GET, "http:///b", NULL}, /* RFC 9110, 4.2.1: empty host */
    {PL_METHOD_GET, "http://", NULL},
    {PL_METHOD_GET, "http://:80/", NULL},
    {PL_METHOD_GET, "http:/a", NULL},
    {PL_METHOD_GET, "http:a", NULL},
    {PL_METHOD_GET, "ftp://a/b", NULL},
    {PL_METHOD_GET, "ws://a/b", NULL},
    {PL_METHOD_GET, "http://user@a/", NULL}, /* RFC 9110, 4.2.4 */
    {PL_METHOD_GET, "http://u:p@a/", NULL},
    {PL_METHOD_GET, "http://a/#b", NULL},
    {PL_METHOD_GET, "http://a:b/", NULL},
    /* asterisk-form (RFC 9112, 3.2.4) */
    {PL_METHOD_OPTIONS, "*", "-|-|0|*|-"},
    {PL_METHOD_OPTIONS, "http://a", "http|a|80|*|-"},
    {PL_METHOD_OPTIONS, "http://a/", "http|a|80|/|-"},
    {PL_METHOD_OPTIONS, "http://a?b", "http|a|80|/|b"},
    {PL_METHOD_GET, "*", NULL},
    {PL_METHOD_OPTIONS, "*a", NULL},
    /* authority-form (RFC 9112, 3.2.3; RFC 9110, 9.3.6) */
    {PL_METHOD_CONNECT, "a:443", "-|a|443|-|-"},
    {PL_METHOD_CONNECT, "[::1]:443", "-|[::1]|443|-|-"},
    {PL_METHOD_CONNECT, "a", NULL}, /* there is no default port */
    {PL_METHOD_CONNECT, "a:", NULL},
    {PL_METHOD_CONNECT, "/", NULL},
    {PL_METHOD_CONNECT, "*", NULL},
    {PL_METHOD_CONNECT, "http://a:1/", NULL},
    {PL_METHOD_GET, "a:443", NULL},
};

static const char *show(struct pl_str s)
{
    static char out[5][64];
    static unsigned next;
    char *text = out[next++ % PL_COUNT(out)];

    if (s.data == NULL)
        return "-";
    snprintf(text, sizeof(out[0]), "%.*s", PL_STR_ARG(s));
    return text;
}

static void test_uri__targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(targets); i++) {
        const char *target = targets[i].target;
        struct pl_uri uri;
        char got[400];
        int err =
            pl_uri_parse_target(pl_str_c(target), targets[i].method, &uri);

        CHECK_INT(targets[i].want == NULL ? PL_ERR_PROTO : 0, err, target);
        if (err < 0)
            continue;
        snprintf(got, sizeof(got), "%s|%s|%u|%s|%s", show(uri.scheme),
                 show(uri.host), uri.port, show(uri.path), show(uri.query));
        CHECK_STR(targets[i].want, pl_str_c(got), target);
    }
}

static const struct {
    const char *text, *host;
    int port; /* -1: refused */
} authorities[] = {
    {"a", "a", 0},
    {"a.example:8080", "a.example", 8080},
    {"127.0.0.1:1", "127.0.0.1", 1},
    {"a_b-c~.example", "a_b-c~.example", 0},
    {"a:", "a", 0}, /* RFC 3986, 3.2.3 */
    {"a:65535", "a", 65535},
    {"a:00080", "a", 80},
    {"[::1]", "[::1]", 0},
    {"[::1]:", "[::1]", 0},
    {"[2001:db8::1]:443", "[2001:db8::1]", 443},
    {"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", 0},
    {"", NULL, -1},
    {":80", NULL, -1},
    {"a:0", NULL, -1},
    {"a:65536", NULL, -1},
    {"a:99999999999999999999999", NULL, -1},
    {"a:-1", NULL, -1},
    {"a: 80", NULL, -1},
    {"a:80:80", NULL, -1},
    {"::1", NULL, -1},
    {"[::1", NULL, -1},
    {"[::1]80", NULL, -1},
    {"[]", NULL, -1},
    {"[1.2.3.4]", NULL, -1},
    {"[v1.a]", NULL, -1},
    {"[fe80::1%25eth0]", NULL, -1},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL, -1},
    {"a b", NULL, -1},
    {"a/b", NULL, -1},
    {"a@b", NULL, -1},
    {"a%41", NULL, -1},
    {"a\\b", NULL, -1},
    {"\xc3\xa4.example", NULL, -1},
    {"a,b", "a,b", 0}, /* sub-delims: legal, if odd */
};

static void test_uri__authorities(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(authorities); i++) {
        const char *text = authorities[i].text;
        struct pl_str host;
        uint16_t port;
        int err = pl_uri_parse_authority(pl_str_c(text), &host, &port);

        CHECK_INT(authorities[i].port < 0 ? PL_ERR_PROTO : 0, err, text);
        if (err < 0)
            continue;
        CHECK_STR(authorities[i].host, host, text);
        CHECK_INT(authorities[i].port, port, text);
    }
    for (int c = 0; c < 256; c++) { /* no byte may end a host unseen */
        char text[] = {'a', (char)c, 'b'};
        struct pl_str host;
        uint16_t port;

        if (pl_uri_parse_authority(pl_str(text, 3), &host, &port) == 0)
            CHECK(host.len == 3 && strchr("%/\\@?#[]: \t\r\n", c) == NULL &&
                      c > ' ' && c < 0x7f,
                  "no delimiter inside a host");
    }
}

/* ---- paths ---- */

static const struct {
    const char *raw, *want; /* NULL: refused */
} paths[] = {
    {"", "/"},
    {"/", "/"},
    {"/index.html", "/index.html"},
    {"/a/b/c", "/a/b/c"},
    {"/a/", "/a/"},
    {"/%41%62c", "/Abc"},
    {"/a%20b", "/a b"},
    {"/a+b", "/a+b"},           /* plus is a space in forms only */
    {"/%C3%A4", "/\xc3\xa4"},   /* UTF-8 */
    {"/\xc3\xa4", "/\xc3\xa4"}, /* raw, as some clients send it */
    {"/%ff%fe", "/\xff\xfe"},   /* bytes, whatever they mean */
    {"/100%25", "/100%"},       /* once */
    {"/%2541", "/%41"},         /* not twice */
    {"/a%0d%0ab", "/a\r\nb"},   /* escaped again where it is written */
    {"/a%3fb%23c", "/a?b#c"},   /* data after the split */
    {"/a;b=c", "/a;b=c"},       /* parameters mean nothing to us */
    {"/a//b", "/a//b"},         /* empty segments stay */
    {"//", "//"},
    {"//a", "//a"},
    /* encoded slashes stay encoded, in one spelling */
    {"/a%2Fb", "/a%2Fb"},
    {"/a%2fb", "/a%2Fb"},
    {"/%2F", "/%2F"},
    {"/..%2F..%2Fetc/passwd", "/..%2F..%2Fetc/passwd"},
    {"/a%2F../b", "/a%2F../b"},
    {"/a%2Fb/../c", "/c"},
    {"/a%252Fb", NULL}, /* would read as one */
    {"/a%252fb", NULL},
    {"/a%25%32%46b", NULL},
    {"/a%252", "/a%2"},
    {"/a%2Fb%2F%2f2F", "/a%2Fb%2F%2F2F"},
    {"/%2525", "/%25"},
    /* dot segments (RFC 3986, 5.2.4) */
    {"/.", "/"},
    {"/./", "/"},
    {"/./a", "/a"},
    {"/a/.", "/a/"},
    {"/a/./b", "/a/b"},
    {"/a/..", "/"},
    {"/a/../", "/"},
    {"/a/../b", "/b"},
    {"/a/b/../../c", "/c"},
    {"/a/b/c/./../../g", "/a/g"},
    {"/mid/content=5/../6", "/mid/6"},
    {"/a//../b", "/a/b"},
    {"//..", "/"},
    {"/a//../../b", "/b"},
    {"/%2e", "/"},
    {"/%2e%2E/a", NULL},
    {"/a/%2e%2e/b", "/b"},
    {"/a/.%2e/b", "/b"},
    {"/a/%2e./b", "/b"},
    {"/a/%252e%252e/b", "/a/%2e%2e/b"}, /* once */
    {"/.git/config", "/.git/config"},
    {"/...", "/..."},
    {"/..a", "/..a"},
    {"/a..", "/a.."},
    {"/a./b", "/a./b"},
    {"/a.b", "/a.b"},
    {"/. ", "/. "},
    {"/%20..", "/ .."},
    /* above the root */
    {"/..", NULL},
    {"/../", NULL},
    {"/../a", NULL},
    {"/./..", NULL},
    {"/a/../..", NULL},
    {"/a/../../b", NULL},
    {"//../..", NULL},
    {"/a/b/../../../etc/passwd", NULL},
    /* bad escapes */
    {"/%", NULL},
    {"/a%", NULL},
    {"/a%4", NULL},
    {"/a%4g", NULL},
    {"/a%g4", NULL},
    {"/a%%41", NULL},
    {"/a% 41", NULL},
    {"/a%u0041", NULL},
    {"/a%+1", NULL},
    /* NUL, backslash */
    {"/a%00b", NULL},
    {"/%00", NULL},
    {"/a%00.html", NULL},
    {"/a\\b", NULL},
    {"/..\\..\\etc", NULL},
    {"/\\", NULL},
    {"/a%5Cb", "/a\\b"},
    {"/..%5c..%5cetc", "/..\\..\\etc"}, /* one segment */
    /* not a path */
    {"a", NULL},
    {"*", NULL},
    {"%2Fa", NULL},
    {"../a", NULL},
};

/* What a decoded path promises: "/" first, no NUL, no dot segment. */
static void check_decoded(struct pl_str path, const char *what)
{
    struct pl_str rest = path, segment;

    CHECK(path.len > 0 && path.data[0] == '/', what);
    CHECK(pl_str_chr(path, '\0') < 0, what);
    while (pl_str_split(&rest, '/', &segment))
        CHECK(!pl_str_eq(segment, PL_STR(".")) &&
                  !pl_str_eq(segment, PL_STR("..")),
              what);
}

static void test_uri__paths_are_decoded_once_and_normalised(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(paths); i++) {
        struct pl_str got = {NULL, 0};
        int err = pl_uri_decode_path(pl_str_c(paths[i].raw), &arena, &got);

        CHECK_INT(paths[i].want == NULL ? PL_ERR_PROTO : 0, err, paths[i].raw);
        CHECK_STR(paths[i].want, got, paths[i].raw);
        if (err == 0)
            check_decoded(got, paths[i].raw);
    }
    CHECK_INT(PL_ERR_PROTO,
              pl_uri_decode_path(PL_STR("/a\0b"), &arena, &(struct pl_str){0}),
              "raw NUL");
}

static void test_uri__a_plain_path_is_not_copied(void **state)
{
    static const char text[] = "/assets/css/site-2026.min.css/and.more/to.come";

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++) {
        char *raw = malloc(len); /* exact: ASan sees a read beyond */
        struct pl_str got;

        memcpy(raw, text, len);
        CHECK_INT(0, pl_uri_decode_path(pl_str(raw, len), &arena, &got), text);
        CHECK(got.data == raw && got.len == len, "the same slice");
        free(raw);
    }
    CHECK(arena.blocks == NULL, "no memory was taken");
}

/* The word-wise scan sees an odd byte at every place of paths of every length,
 * and "/." across every border of two words. */
static void test_uri__odd_bytes_are_seen_everywhere(void **state)
{
    char text[40];
    struct pl_str got;

    (void)state;
    for (size_t len = 4; len <= sizeof(text); len++) {
        for (size_t at = 1; at < len; at++) {
            memset(text, 'x', len);
            text[0] = '/';
            text[at] = '\\';
            CHECK_INT(PL_ERR_PROTO,
                      pl_uri_decode_path(pl_str(text, len), &arena, &got),
                      "backslash");
            text[at] = '\0';
            CHECK_INT(PL_ERR_PROTO,
                      pl_uri_decode_path(pl_str(text, len), &arena, &got),
                      "NUL");
            text[at] = '%';
            CHECK_INT(PL_ERR_PROTO,
                      pl_uri_decode_path(pl_str(text, len), &arena, &got),
                      "bad escape");
            if (at + 3 > len)
                continue;
            memcpy(text + at, "/..", 3);
            CHECK_INT(0, pl_uri_decode_path(pl_str(text, len), &arena, &got),
                      "dots");
            check_decoded(got, text);
        }
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13; /* xorshift: the same cases in every run */
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Paths made of the pieces that matter, in any order. */
static void test_uri__no_mix_of_pieces_escapes(void **state)
{
    static const char *const pieces[] = {
        "/",   ".",   "..", "%2e", "%2E", "%2F", "%2f", "a",
        "%5c", "%25", "2F", "2e",  "%00", "//",  "/..", "%c0%ae",
    };
    uint32_t seed = 20261122;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        char raw[128] = "/", *copy;
        struct pl_str got;
        size_t len;

        for (uint32_t n = next_random(&seed) % 12; n > 0; n--)
            strcat(raw, pieces[next_random(&seed) % PL_COUNT(pieces)]);
        len = strlen(raw);
        copy = malloc(len);
        memcpy(copy, raw, len);
        if (pl_uri_decode_path(pl_str(copy, len), &arena, &got) == 0)
            check_decoded(got, raw);
        free(copy);
        pl_arena_fini(&arena);
    }
}

static void test_uri__no_memory_is_an_error(void **state)
{
    struct pl_account none;
    struct pl_arena empty;
    struct pl_str got;

    (void)state;
    pl_account_init(&none, NULL, 1);
    pl_arena_init(&empty, &pool, &none);
    CHECK_INT(PL_ERR_NOMEM, pl_uri_decode_path(PL_STR("/%41"), &empty, &got),
              "path");
    CHECK(pl_uri_decode(PL_STR("%41"), &empty, true).data == NULL, "component");
}

/* ---- components ---- */

static const struct {
    const char *raw, *form, *component; /* plus is a space, or not */
} components[] = {
    {"", "", ""},
    {"abc", "abc", "abc"},
    {"a+b", "a b", "a+b"},
    {"a%2Bb", "a+b", "a+b"},
    {"a%20b", "a b", "a b"},
    {"%41%4a%4A", "AJJ", "AJJ"},
    {"%C3%A4", "\xc3\xa4", "\xc3\xa4"},
    {"a%2Fb", "a/b", "a/b"},
    {"%", "%", "%"}, /* bad escapes stay */
    {"100%", "100%", "100%"},
    {"%4", "%4", "%4"},
    {"%zz", "%zz", "%zz"},
    {"%%41", "%A", "%A"},
    {"%4%41", "%4A", "%4A"},
    {"%2541", "%41", "%41"},
};

static void test_uri__components(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(components); i++) {
        struct pl_str raw = pl_str_c(components[i].raw);

        CHECK_STR(components[i].form, pl_uri_decode(raw, &arena, true),
                  raw.data);
        CHECK_STR(components[i].component, pl_uri_decode(raw, &arena, false),
                  raw.data);
        CHECK(pl_uri_decodes_to(raw, pl_str_c(components[i].form)), raw.data);
        CHECK(!pl_uri_decodes_to(raw, PL_STR("something else")), raw.data);
    }
    CHECK(pl_uri_decode(pl_str(NULL, 0), &arena, true).data == NULL, "absent");
    CHECK(pl_str_eq(pl_uri_decode(PL_STR("%00"), &arena, true), PL_STR("\0")),
          "NUL is data");
    CHECK(!pl_uri_decodes_to(PL_STR("ab"), PL_STR("a")), "longer");
    CHECK(!pl_uri_decodes_to(PL_STR("a"), PL_STR("ab")), "shorter");
    CHECK(!pl_uri_decodes_to(PL_STR("%41B"), PL_STR("A")), "longer, decoded");
}

static void test_uri__encoding_is_undone_by_decoding(void **state)
{
    char all[256];
    struct pl_buf buf;

    (void)state;
    for (int c = 0; c < 256; c++)
        all[c] = (char)c;
    pl_buf_init(&buf, &pool, NULL, 0);
    CHECK_INT(0, pl_uri_encode(pl_str(all, 256), "", &buf), "encode");
    for (size_t i = 0; i < buf.len; i++)
        CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789-._~%",
                     buf.data[i]) != NULL,
              "unreserved only");
    CHECK(pl_str_eq(pl_str(all, 256),
                    pl_uri_decode(pl_buf_str(&buf), &arena, true)),
          "round trip");
    buf.len = 0;
    pl_uri_encode(PL_STR("/a b/\xc3\xa4?\0"), "/", &buf);
    CHECK_STR("/a%20b/%C3%A4%3F%00", pl_buf_str(&buf), "keep");
    pl_buf_fini(&buf);
    pl_buf_init(&buf, &pool, NULL, 4);
    CHECK_INT(PL_ERR_LIMIT, pl_uri_encode(PL_STR("a  "), "", &buf), "limit");
    pl_buf_fini(&buf);
}

RUN_TESTS(ARENA_TEST(test_uri__targets), ARENA_TEST(test_uri__authorities),
          ARENA_TEST(test_uri__paths_are_decoded_once_and_normalised),
          ARENA_TEST(test_uri__a_plain_path_is_not_copied),
          ARENA_TEST(test_uri__odd_bytes_are_seen_everywhere),
          ARENA_TEST(test_uri__no_mix_of_pieces_escapes),
          ARENA_TEST(test_uri__no_memory_is_an_error),
          ARENA_TEST(test_uri__components),
          ARENA_TEST(test_uri__encoding_is_undone_by_decoding))
