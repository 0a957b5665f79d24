/* uri.c - request targets are cut here, decoded here, and nowhere else. */
#include "http/uri.h"

#include <arpa/inet.h>

#include "base/str.h"
#include "http/chars.h"

/* ---- targets ---- */

static bool is_reg_name(struct pl_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!pl_char_is(name.data[i], PL_CHAR_HOST))
            return false;
    return name.len > 0;
}

/* "[...]" around an IPv6 address without zone */
static bool is_ip_literal(struct pl_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (host.len < 4 || host.len - 2 >= sizeof(text))
        return false;
    memcpy(text, host.data + 1, host.len - 2);
    text[host.len - 2] = '\0';
    return strlen(text) == host.len - 2 && inet_pton(AF_INET6, text, &addr);
}

/* *port is left alone when text is empty: "host:" means the default. */
static bool parse_port(struct pl_str text, uint16_t *port)
{
    uint64_t value;

    if (text.len == 0)
        return true;
    if (!pl_str_to_u64(text, &value) || value == 0 || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

int pl_uri_parse_authority(struct pl_str authority, struct pl_str *host,
                           uint16_t *port)
{
    bool literal = authority.len > 0 && authority.data[0] == '[';
    ptrdiff_t end =
        literal ? pl_str_chr(authority, ']') + 1 : pl_str_chr(authority, ':');
    struct pl_str rest = {NULL, 0};

    *port = 0;
    *host = authority;
    if (end >= 0) {
        *host = pl_str_first(authority, (size_t)end);
        rest = pl_str_skip(authority, (size_t)end);
    }
    if (literal ? !is_ip_literal(*host) : !is_reg_name(*host))
        return PL_ERR_PROTO;
    if (rest.len == 0)
        return 0;
    if (rest.data[0] != ':' || !parse_port(pl_str_skip(rest, 1), port))
        return PL_ERR_PROTO;
    return 0;
}

static void split_query(struct pl_str s, struct pl_uri *out)
{
    out->query = s;
    pl_str_split(&out->query, '?', &out->path);
}

/* "http://host:port/path?query"; a scheme we do not serve is refused. */
static int parse_absolute(struct pl_str target, enum pl_method method,
                          struct pl_uri *out)
{
    bool tls = pl_str_istarts(target, PL_STR("https://"));
    struct pl_str rest, authority;
    size_t end = 0;

    if (!tls && !pl_str_istarts(target, PL_STR("http://")))
        return PL_ERR_PROTO;
    out->scheme = pl_str_first(target, tls ? 5 : 4);
    rest = pl_str_skip(target, out->scheme.len + 3);
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
        end++;
    authority = pl_str_first(rest, end);
    if (pl_uri_parse_authority(authority, &out->host, &out->port) < 0)
        return PL_ERR_PROTO;
    if (out->port == 0)
        out->port = tls ? 443 : 80;
    split_query(pl_str_skip(rest, end), out);
    if (out->path.len == 0) /* RFC 9112, 3.2.4: the whole server is meant */
        out->path = method == PL_METHOD_OPTIONS && out->query.data == NULL
                        ? PL_STR("*")
                        : PL_STR("/");
    return 0;
}

int pl_uri_parse_target(struct pl_str target, enum pl_method method,
                        struct pl_uri *out)
{
    *out = (struct pl_uri){0};
    if (target.len == 0 || pl_str_chr(target, '#') >= 0)
        return PL_ERR_PROTO;
    if (method == PL_METHOD_CONNECT) {
        int err = pl_uri_parse_authority(target, &out->host, &out->port);

        return err == 0 && out->port == 0 ? PL_ERR_PROTO : err;
    }
    if (target.data[0] == '/') {
        split_query(target, out);
        return 0;
    }
    if (pl_str_eq(target, PL_STR("*"))) {
        out->path = target;
        return method == PL_METHOD_OPTIONS ? 0 : PL_ERR_PROTO;
    }
    return parse_absolute(target, method, out);
}

/* ---- decoding ---- */

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = pl_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at s.data[at] ('%') stands for, or -1. */
static int escape_at(struct pl_str s, size_t at)
{
    int high, low;

    if (s.len - at < 3)
        return -1;
    high = hex_digit((unsigned char)s.data[at + 1]);
    low = hex_digit((unsigned char)s.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The top bit of each byte of word that equals c; exact, no false neighbours.
 */
PL_INLINE uint64_t bytes_equal(uint64_t word, unsigned char c)
{
    const uint64_t low7 = 0x7f7f7f7f7f7f7f7f;
    uint64_t x = word ^ (0x0101010101010101 * c);

    return ~(((x & low7) + low7) | x | low7);
}

PL_INLINE uint64_t load8(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* May these 8 bytes of a path, and the one before them, need work? */
PL_INLINE bool is_odd8(const char *at)
{
    uint64_t word = load8(at);

    return (bytes_equal(word, '%') | bytes_equal(word, '\\') |
            bytes_equal(word, '\0') |
            (bytes_equal(word, '.') & bytes_equal(load8(at - 1), '/'))) != 0;
}

/* Is path ("/...") in its decoded form already? False is only a suspicion:
 * "/.git" comes out of the long way unchanged. */
static bool is_plain(struct pl_str path)
{
    size_t i = 1;

    for (; i + 8 <= path.len; i += 8)
        if (is_odd8(path.data + i))
            return false;
    if (path.len > 8) /* the last 8 bytes, some of them for the second time */
        return i == path.len || !is_odd8(path.data + path.len - 8);
    for (; i < path.len; i++) {
        char c = path.data[i];

        if (c == '%' || c == '\\' || c == '\0' ||
            (c == '.' && path.data[i - 1] == '/'))
            return false;
    }
    return true;
}

/* Would c complete a "%2F" that is not an encoded slash? */
static bool is_false_slash(const char *out, size_t n, int c)
{
    return (c == 'F' || c == 'f') && n >= 2 && out[n - 1] == '2' &&
           out[n - 2] == '%';
}

/* Decodes raw into out, which has raw.len bytes; an encoded slash stays
 * encoded. */
static int decode_escapes(struct pl_str raw, char *out, size_t *len)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.len; i++) {
        int c = (unsigned char)raw.data[i];

        if (c == '\\')
            return PL_ERR_PROTO;
        if (c == '%') {
            c = escape_at(raw, i);
            i += 2;
        }
        if (c <= 0 || is_false_slash(out, n, c))
            return PL_ERR_PROTO;
        if (c == '/' && raw.data[i] != '/') {
            memcpy(out + n, "%2F", 3);
            n += 3;
        } else {
            out[n++] = (char)c;
        }
    }
    *len = n;
    return 0;
}

/* Removes "." and ".." in place (RFC 3986, 5.2.4, but refusing to climb above
 * the root). path begins with '/', and so does each segment here: what is
 * written is never longer than what was read. */
static int remove_dots(char *path, size_t *len)
{
    struct pl_str rest = {path, *len};
    size_t n = 0;

    while (rest.len > 0) {
        ptrdiff_t next = pl_str_chr(pl_str_skip(rest, 1), '/');
        struct pl_str segment =
            next < 0 ? rest : pl_str_first(rest, (size_t)next + 1);
        bool up = pl_str_eq(segment, PL_STR("/.."));

        rest = pl_str_skip(rest, segment.len);
        if (!up && !pl_str_eq(segment, PL_STR("/."))) {
            memmove(path + n, segment.data, segment.len);
            n += segment.len;
            continue;
        }
        if (up && n == 0)
            return PL_ERR_PROTO;
        while (up && path[--n] != '/')
            continue;
        if (rest.len == 0)
            path[n++] = '/';
    }
    *len = n;
    return 0;
}

int pl_uri_decode_path(struct pl_str raw, struct pl_arena *arena,
                       struct pl_str *out)
{
    size_t len = 0;
    char *path;
    int err;

    if (raw.len == 0) {
        *out = PL_STR("/");
        return 0;
    }
    if (raw.data[0] != '/')
        return PL_ERR_PROTO;
    if (PL_LIKELY(is_plain(raw))) {
        *out = raw;
        return 0;
    }
    path = pl_arena_bytes(arena, raw.len);
    if (path == NULL)
        return PL_ERR_NOMEM;
    err = decode_escapes(raw, path, &len);
    if (err == 0)
        err = remove_dots(path, &len);
    pl_arena_shrink(arena, path, raw.len, err < 0 ? 0 : len);
    if (err == 0)
        *out = pl_str(path, len);
    return err;
}

/* The next byte of a component at *at, which moves on. */
static inline char next_decoded(struct pl_str s, size_t *at, bool plus_is_space)
{
    char c = s.data[*at];
    int escaped;

    if (c == '+' && plus_is_space)
        c = ' ';
    if (c == '%' && (escaped = escape_at(s, *at)) >= 0) {
        c = (char)escaped;
        *at += 2;
    }
    *at += 1;
    return c;
}

size_t pl_uri_decode_to(char *out, struct pl_str s, bool plus_is_space)
{
    size_t at = 0, len = 0;

    while (at < s.len)
        out[len++] = next_decoded(s, &at, plus_is_space);
    return len;
}

struct pl_str pl_uri_decode(struct pl_str s, struct pl_arena *arena,
                            bool plus_is_space)
{
    size_t len;
    char *out;

    if (pl_str_chr(s, '%') < 0 && !(plus_is_space && pl_str_chr(s, '+') >= 0))
        return s;
    out = pl_arena_bytes(arena, s.len);
    if (out == NULL)
        return pl_str(NULL, 0);
    len = pl_uri_decode_to(out, s, plus_is_space);
    pl_arena_shrink(arena, out, s.len, len);
    return pl_str(out, len);
}

bool pl_uri_decodes_to(struct pl_str raw, struct pl_str text)
{
    size_t at = 0, i = 0;

    if (raw.len < text.len) /* decoding never makes longer */
        return false;
    while (at < raw.len && i < text.len)
        if (next_decoded(raw, &at, true) != text.data[i++])
            return false;
    return at == raw.len && i == text.len;
}

/* RFC 3986, 2.3 */
static bool is_unreserved(unsigned char c)
{
    unsigned char lower = pl_ascii_lower(c);

    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

size_t pl_uri_encode_to(char *out, struct pl_str s, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = out;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (is_unreserved(c) || (c != '\0' && strchr(keep, c) != NULL)) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return (size_t)(at - out);
}

/* In pieces, so that a limit of out is that of the result. */
PL_COLD int pl_uri_encode(struct pl_str s, const char *keep, struct pl_buf *out)
{
    enum { PIECE = 256 };
    char piece[3 * PIECE];

    while (s.len > 0 && out->err == 0) {
        size_t n = pl_uri_encode_to(piece, pl_str_first(s, PIECE), keep);

        pl_buf_add(out, pl_str(piece, n));
        s = pl_str_skip(s, PIECE);
    }
    return out->err;
}
