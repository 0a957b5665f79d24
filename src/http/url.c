#include "http/url.h"

#include <arpa/inet.h>

#include "base/str.h"

/* ---- characters (RFC 3986, 2 and 3) ---- */

enum {
    UNRESERVED = 1, /* 2.3 */
    SUB_DELIM = 2,  /* 2.2 */
    COLON = 4,
    AT = 8,
    SLASH = 16,
    QUESTION = 32,
    BRACKET = 64, /* "[" and "]" */
    HIGH = 128,   /* bytes of UTF-8 */
    USER = UNRESERVED | SUB_DELIM | COLON | HIGH,
    NAME = UNRESERVED | SUB_DELIM,
    PATH = UNRESERVED | SUB_DELIM | COLON | AT | SLASH | HIGH,
    QUERY = PATH | QUESTION | BRACKET
};

static unsigned set_of(unsigned char c)
{
    unsigned char lower = pl_ascii_lower(c);

    if (pl_ascii_digit((char)c) || (lower >= 'a' && lower <= 'z'))
        return UNRESERVED;
    if (c >= 0x80)
        return HIGH;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
        return UNRESERVED;
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=':
        return SUB_DELIM;
    case ':':
        return COLON;
    case '@':
        return AT;
    case '/':
        return SLASH;
    case '?':
        return QUESTION;
    case '[':
    case ']':
        return BRACKET;
    default:
        return 0;
    }
}

/* The byte of the escape at the front of s ("%41"), or -1. */
static int escape_of(struct pl_str s)
{
    uint64_t byte;

    if (s.len < 3 || s.data[0] != '%' ||
        !pl_str_to_u64_hex(pl_str(s.data + 1, 2), &byte))
        return -1;
    return (int)byte;
}

/* Are all characters of s in set, or escaped? */
static bool is_made_of(struct pl_str s, unsigned set)
{
    for (size_t i = 0; i < s.len; i++)
        if ((set_of((unsigned char)s.data[i]) & set) == 0) {
            if (escape_of(pl_str_skip(s, i)) < 0)
                return false;
            i += 2;
        }
    return true;
}

/* ---- taking apart ---- */

static bool is_scheme(struct pl_str s)
{
    unsigned char first =
        s.len > 0 ? pl_ascii_lower((unsigned char)*s.data) : 0;

    if (first < 'a' || first > 'z')
        return false;
    for (size_t i = 1; i < s.len; i++) {
        unsigned char c = pl_ascii_lower((unsigned char)s.data[i]);

        if (!(c >= 'a' && c <= 'z') && !pl_ascii_digit((char)c) && c != '+' &&
            c != '-' && c != '.')
            return false;
    }
    return true;
}

static bool is_ipv6(struct pl_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (host.len < 4 || host.len - 2 >= sizeof(text) ||
        host.data[host.len - 1] != ']')
        return false;
    memcpy(text, host.data + 1, host.len - 2);
    text[host.len - 2] = '\0';
    return strlen(text) == host.len - 2 && inet_pton(AF_INET6, text, &addr);
}

static bool is_host(struct pl_str host)
{
    return pl_str_starts(host, PL_STR("[")) ? is_ipv6(host)
                                            : is_made_of(host, NAME);
}

static bool is_port(struct pl_str port)
{
    uint64_t number;

    return port.len == 0 ||
           (pl_str_to_u64(port, &number) && number <= UINT16_MAX);
}

/* "user@host:port" */
static bool parse_authority(struct pl_str text, struct pl_url *out)
{
    ptrdiff_t at = pl_str_chr(text, '@'), end;

    if (at >= 0) {
        out->user = pl_str_first(text, (size_t)at);
        text = pl_str_skip(text, (size_t)at + 1);
    }
    end = pl_str_starts(text, PL_STR("[")) ? pl_str_chr(text, ']') + 1
                                           : pl_str_chr(text, ':');
    out->host = text;
    if (end > 0 || (end == 0 && text.data[0] == ':')) {
        out->host = pl_str_first(text, (size_t)end);
        text = pl_str_skip(text, (size_t)end);
        if (text.len > 0 && text.data[0] != ':')
            return false;
        if (text.len > 0)
            out->port = pl_str_skip(text, 1);
    }
    return is_made_of(out->user, USER) && is_host(out->host) &&
           is_port(out->port);
}

/* Cuts text at the first c; what follows it goes to *rest. */
static struct pl_str cut(struct pl_str text, char c, struct pl_str *rest)
{
    ptrdiff_t at = pl_str_chr(text, c);

    if (at < 0)
        return text;
    *rest = pl_str_skip(text, (size_t)at + 1);
    return pl_str_first(text, (size_t)at);
}

int pl_url_parse(struct pl_str text, struct pl_url *out)
{
    struct pl_str rest;
    ptrdiff_t colon, slash;

    *out = (struct pl_url){0};
    rest = cut(cut(text, '#', &out->fragment), '?', &out->query);
    colon = pl_str_chr(rest, ':');
    slash = pl_str_chr(rest, '/');
    /* A relative path has no colon in its first segment (4.2). */
    if (colon >= 0 && (slash < 0 || colon < slash)) {
        out->scheme = pl_str_first(rest, (size_t)colon);
        rest = pl_str_skip(rest, (size_t)colon + 1);
        if (!is_scheme(out->scheme))
            return PL_ERR_SYNTAX;
    }
    if (pl_str_starts(rest, PL_STR("//"))) {
        struct pl_str authority = pl_str_skip(rest, 2);

        slash = pl_str_chr(authority, '/');
        rest =
            pl_str_skip(authority, slash < 0 ? authority.len : (size_t)slash);
        authority = pl_str_first(authority, authority.len - rest.len);
        if (!parse_authority(authority, out))
            return PL_ERR_SYNTAX;
    }
    out->path = rest.data == NULL ? PL_STR("") : rest;
    return is_made_of(out->path, PATH) && is_made_of(out->query, QUERY) &&
                   is_made_of(out->fragment, QUERY)
               ? 0
               : PL_ERR_SYNTAX;
}

/* ---- putting together ---- */

static char *put(char *at, struct pl_str s)
{
    if (s.len > 0)
        memmove(at, s.data, s.len); /* s may be the result so far */
    return at + s.len;
}

static char *put_c(char *at, char c)
{
    *at = c;
    return at + 1;
}

/* "scheme://user@host:port" */
static char *put_front(char *at, const struct pl_url *url)
{
    if (url->scheme.data != NULL)
        at = put_c(put(at, url->scheme), ':');
    if (url->host.data == NULL)
        return at;
    at = put(at, PL_STR("//"));
    if (url->user.data != NULL)
        at = put_c(put(at, url->user), '@');
    at = put(at, url->host);
    if (url->port.data != NULL)
        at = put(put_c(at, ':'), url->port);
    return at;
}

/* "?query#fragment" */
static char *put_end(char *at, struct pl_str query, struct pl_str fragment)
{
    if (query.data != NULL)
        at = put(put_c(at, '?'), query);
    if (fragment.data != NULL)
        at = put(put_c(at, '#'), fragment);
    return at;
}

/* What must stand before the path so that it is read as one. */
static struct pl_str guard_of(const struct pl_url *url)
{
    ptrdiff_t colon = pl_str_chr(url->path, ':');
    ptrdiff_t slash = pl_str_chr(url->path, '/');

    if (url->host.data == NULL && pl_str_starts(url->path, PL_STR("//")))
        return PL_STR("/.");
    if (url->host.data == NULL && url->scheme.data == NULL && colon >= 0 &&
        (slash < 0 || colon < slash))
        return PL_STR("./");
    return PL_STR("");
}

size_t pl_url_write(char *out, const struct pl_url *url)
{
    char *at = put(put(put_front(out, url), guard_of(url)), url->path);

    return (size_t)(put_end(at, url->query, url->fragment) - out);
}

/* ---- dot segments (5.2.4) ---- */

/* The length without its last segment and the "/" before that. */
static size_t without_last(const char *path, size_t n)
{
    while (n > 0 && path[--n] != '/')
        continue;
    return n;
}

/* In place: what is written is never longer than what has been read. */
static size_t remove_dots(char *path, size_t len)
{
    struct pl_str in = {path, len};
    size_t n = 0;

    while (in.len > 0) {
        if (pl_str_starts(in, PL_STR("../"))) {
            in = pl_str_skip(in, 3);
        } else if (pl_str_starts(in, PL_STR("./")) ||
                   pl_str_starts(in, PL_STR("/./"))) {
            in = pl_str_skip(in, 2);
        } else if (pl_str_eq(in, PL_STR("/."))) {
            in = PL_STR("/");
        } else if (pl_str_starts(in, PL_STR("/../"))) {
            in = pl_str_skip(in, 3);
            n = without_last(path, n);
        } else if (pl_str_eq(in, PL_STR("/.."))) {
            in = PL_STR("/");
            n = without_last(path, n);
        } else if (pl_str_eq(in, PL_STR(".")) || pl_str_eq(in, PL_STR(".."))) {
            break;
        } else {
            ptrdiff_t next = pl_str_chr(pl_str_skip(in, 1), '/');
            size_t segment = next < 0 ? in.len : (size_t)next + 1;

            memmove(path + n, in.data, segment);
            n += segment;
            in = pl_str_skip(in, segment);
        }
    }
    return n;
}

/* ---- resolving (5.2.2, 5.2.3) ---- */

/* Writes the path of ref, or what it means below base's. Returns the end. */
static char *put_merged(char *at, const struct pl_url *base, struct pl_str path)
{
    ptrdiff_t slash = pl_str_rchr(base->path, '/');

    if (pl_str_starts(path, PL_STR("/")))
        return put(at, path);
    if (base->host.data != NULL && base->path.len == 0)
        return put(put_c(at, '/'), path);
    return put(put(at, pl_str_first(base->path, (size_t)(slash + 1))), path);
}

size_t pl_url_resolve(char *out, const struct pl_url *base,
                      const struct pl_url *ref)
{
    struct pl_url url = ref->scheme.data != NULL ? *ref : *base;
    struct pl_str query = ref->query;
    char *path, *at;

    if (ref->scheme.data == NULL && ref->host.data != NULL) {
        url = *ref;
        url.scheme = base->scheme;
    }
    /* Room for the "/." that the path may turn out to need. */
    path = put_front(out, &url) + 2;
    if (ref->scheme.data != NULL || ref->host.data != NULL)
        at = put(path, ref->path);
    else if (ref->path.len > 0)
        at = put_merged(path, base, ref->path);
    else
        at = put(path, base->path);
    if (ref->scheme.data == NULL && ref->host.data == NULL &&
        ref->path.len == 0) {
        if (query.data == NULL)
            query = base->query;
    } else {
        at = path + remove_dots(path, (size_t)(at - path));
    }
    url.path = pl_str(path, (size_t)(at - path));
    at = put(put(path - 2, guard_of(&url)), url.path);
    return (size_t)(put_end(at, query, ref->fragment) - out);
}

/* ---- one spelling (6.2.2, 6.2.3) ---- */

/* "%7E" becomes "~", "%c3" and the byte 0xC3 become "%C3". */
static char *put_escaped(char *at, struct pl_str s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        int escape = escape_of(pl_str_skip(s, i));
        unsigned char c =
            escape < 0 ? (unsigned char)s.data[i] : (unsigned char)escape;
        unsigned set = set_of(c);

        i += escape < 0 ? 0 : 2;
        if (set == UNRESERVED || (escape < 0 && set != HIGH)) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return at;
}

unsigned pl_url_default_port(struct pl_str scheme)
{
    static const struct {
        struct pl_str scheme;
        unsigned port;
    } known[] = {
        {PL_STR("http"), 80}, {PL_STR("https"), 443}, {PL_STR("ws"), 80},
        {PL_STR("wss"), 443}, {PL_STR("ftp"), 21},
    };

    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (pl_str_ieq(scheme, known[i].scheme))
            return known[i].port;
    return 0;
}

static bool is_default_port(const struct pl_url *url)
{
    uint64_t port;

    return url->port.len == 0 || (pl_str_to_u64(url->port, &port) &&
                                  port == pl_url_default_port(url->scheme));
}

/* Lower case, but for the digits of escapes. */
static void lower_host(char *from, const char *end)
{
    for (; from < end; from++) {
        if (*from == '%')
            from += 2;
        else
            *from = (char)pl_ascii_lower((unsigned char)*from);
    }
}

size_t pl_url_normalise(char *out, const struct pl_url *url)
{
    struct pl_url shown = {.host = url->host};
    char *at = out, *path;

    if (url->scheme.data != NULL) {
        pl_str_lower(out, url->scheme);
        at = put_c(out + url->scheme.len, ':');
        shown.scheme = url->scheme;
    }
    if (url->host.data != NULL) {
        char *host;

        at = put(at, PL_STR("//"));
        if (url->user.data != NULL)
            at = put_c(put_escaped(at, url->user), '@');
        host = at;
        at = put_escaped(at, url->host);
        lower_host(host, at);
        if (!is_default_port(url))
            at = put(put_c(at, ':'), url->port);
    }
    path = at + 2; /* as in pl_url_resolve() */
    at = put_escaped(path, url->path);
    /* Below nothing that is known, ".." means something. */
    if (url->scheme.data != NULL || pl_str_starts(url->path, PL_STR("/")))
        at = path + remove_dots(path, (size_t)(at - path));
    if (at == path && url->host.data != NULL)
        at = put_c(at, '/');
    shown.path = pl_str(path, (size_t)(at - path));
    at = put(put(path - 2, guard_of(&shown)), shown.path);
    if (url->query.data != NULL)
        at = put_escaped(put_c(at, '?'), url->query);
    if (url->fragment.data != NULL)
        at = put_escaped(put_c(at, '#'), url->fragment);
    return (size_t)(at - out);
}
