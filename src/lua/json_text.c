#include "lua/json_text.h"

#include "base/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { ESCAPED_MAX = 6 }; /* "\u001f" */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* ---- scanning ---- */

/* Stands for itself in a JSON string: not '"', '\', a control or over ASCII. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte from p on that is not plain. */
static const char *plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');

    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: what is below a space includes all over ASCII. */
        __m128i special =
            _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                         _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                      _mm_cmpeq_epi8(bytes, slash)));
        int mask = _mm_movemask_epi8(special);

        if (mask != 0)
            return p + __builtin_ctz((unsigned)mask);
    }
#endif
    while (p < end && is_plain((unsigned char)*p))
        p++;
    return p;
}

static bool is_tail(const char *p)
{
    return ((unsigned char)*p & 0xc0) == 0x80;
}

int pl_utf8_length(const char *p, const char *end)
{
    unsigned char first, second;

    if (p == end)
        return 0;
    first = (unsigned char)p[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || end - p < 2 || !is_tail(p + 1))
        return 0;
    if (first < 0xe0)
        return 2;
    second = (unsigned char)p[1];
    if (first < 0xf0) {
        if (end - p < 3 || !is_tail(p + 2) ||
            (first == 0xe0 && second < 0xa0) ||
            (first == 0xed && second > 0x9f))
            return 0;
        return 3;
    }
    if (end - p < 4 || !is_tail(p + 2) || !is_tail(p + 3) || first > 0xf4 ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return 4;
}

/* From p on, up to the first byte that must be changed: plain or UTF-8. */
static const char *valid_end(const char *p, const char *end)
{
    int len;

    for (;;) {
        p = plain_end(p, end);
        if (p == end || (unsigned char)*p < 0x80)
            return p;
        len = pl_utf8_length(p, end);
        if (len == 0)
            return p;
        p += len;
    }
}

/* ---- quoting ---- */

static size_t escape_u16(char *out, unsigned code)
{
    static const char hex[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'u';
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[code >> (12 - 4 * i) & 15];
    return 6;
}

static size_t escape(char *out, unsigned char c)
{
    static const char names[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};

    if (names[c] == 0)
        return escape_u16(out, c);
    out[0] = '\\';
    out[1] = names[c];
    return 2;
}

/* Writes the character at *p, which may not stay as it is, moves *p behind it
 * and returns how many bytes it took; 0 if it is not UTF-8 and may not be
 * replaced. */
static size_t quote_special(char *out, const char **p, const char *end,
                            unsigned flags)
{
    unsigned char c = (unsigned char)**p;
    int len;

    if (c < 0x80) {
        ++*p;
        return escape(out, c);
    }
    len = pl_utf8_length(*p, end);
    if (len == 0) {
        ++*p;
        memcpy(out, replacement, 3);
        return flags & PL_JSON_REPLACE ? 3 : 0;
    }
    memcpy(out, *p, (size_t)len);
    *p += len;
    if ((flags & PL_JSON_HTML) && memcmp(out, "\xe2\x80", 2) == 0 &&
        (out[2] == '\xa8' || out[2] == '\xa9'))
        return escape_u16(out, out[2] == '\xa8' ? 0x2028 : 0x2029);
    return (size_t)len;
}

/* As plain_end, for text that is put into HTML. */
static const char *html_end(const char *p, const char *end)
{
    const char *stop = plain_end(p, end);

    while (p < stop && *p != '<' && *p != '>' && *p != '&')
        p++;
    return p;
}

int pl_json_quote(struct pl_buf *out, struct pl_str s, unsigned flags)
{
    const char *p = s.data, *end = s.data + s.len, *stop;
    size_t n;

    if (pl_buf_reserve(out, s.len + 2) < 0)
        return out->err;
    out->data[out->len++] = '"';
    while (p < end) {
        stop = flags & PL_JSON_HTML ? html_end(p, end) : valid_end(p, end);
        if (stop > p) {
            memcpy(out->data + out->len, p, (size_t)(stop - p));
            out->len += (size_t)(stop - p);
            p = stop;
            continue;
        }
        /* The rest, at its least, was reserved; a special may take more. */
        if (pl_buf_reserve(out, (size_t)(end - p) + ESCAPED_MAX + 1) < 0)
            return out->err;
        n = quote_special(out->data + out->len, &p, end, flags);
        if (n == 0)
            return PL_ERR_PROTO;
        out->len += n;
    }
    out->data[out->len++] = '"';
    return 0;
}

/* ---- unquoting ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hexadecimal digits at p, or -1. */
static int hex4(const char *p, const char *end)
{
    int code = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* "\uXXXX" with the digits at *p; half a surrogate pair needs the other one.
 * Returns the character, or -1 with *what set. */
static int unescape_unicode(const char **p, const char *end, unsigned flags,
                            const char **what)
{
    int code = hex4(*p, end), low;

    if (code < 0) {
        *what = "malformed \\u escape";
        return -1;
    }
    if (code < 0xd800 || code > 0xdfff) {
        *p += 4;
        return code;
    }
    low = end - *p >= 6 && (*p)[4] == '\\' && (*p)[5] == 'u' ? hex4(*p + 6, end)
                                                             : -1;
    if (code < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
        *p += 10;
        return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (flags & PL_JSON_REPLACE) {
        *p += 4;
        return 0xfffd;
    }
    *what = "half a surrogate pair";
    return -1;
}

/* The escape whose '\' is at *p; as unescape_unicode. */
static int unescape(const char **p, const char *end, unsigned flags,
                    const char **what)
{
    static const char values[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    const char *at = *p + 1;
    int code;

    if (at < end && *at == 'u') {
        at++;
        code = unescape_unicode(&at, end, flags, what);
    } else {
        code = at < end ? values[(unsigned char)*at++] : 0;
        if (code == 0) {
            *what = "unknown escape";
            code = -1;
        }
    }
    if (code >= 0)
        *p = at;
    return code;
}

/* What may not stand in a string as it is: a control, or not UTF-8. */
static const char *bad_byte(const char *p, const char *end)
{
    if (p == end)
        return "string without end";
    return (unsigned char)*p < 0x20 ? "control character in a string"
                                    : "invalid UTF-8";
}

/* The rest of the string, of which the first part is in scratch already. */
static int unquote_rest(const char **at, const char *end, unsigned flags,
                        struct pl_buf *scratch, const char **what)
{
    const char *p = *at, *stop = p;
    int code;

    for (;;) {
        stop = valid_end(p, end);
        pl_buf_add(scratch, pl_str(p, (size_t)(stop - p)));
        *at = p = stop;
        if (pl_buf_reserve(scratch, 4) < 0)
            return scratch->err;
        if (p < end && *p == '"') {
            *at = p + 1;
            return 0;
        }
        if (p < end && *p == '\\') {
            code = unescape(&p, end, flags, what);
            if (code < 0)
                return PL_ERR_PROTO;
        } else if (p < end && (unsigned char)*p >= 0x80 &&
                   (flags & PL_JSON_REPLACE)) {
            code = 0xfffd;
            p++;
        } else {
            *what = bad_byte(p, end);
            return PL_ERR_PROTO;
        }
        scratch->len += put_utf8(scratch->data + scratch->len, (unsigned)code);
    }
}

int pl_json_unquote(const char **at, const char *end, unsigned flags,
                    struct pl_buf *scratch, struct pl_str *out,
                    const char **what)
{
    const char *begin = *at, *stop = valid_end(begin, end);
    int err;

    if (PL_LIKELY(stop < end && *stop == '"')) {
        *at = stop + 1;
        *out = pl_str(begin, (size_t)(stop - begin));
        return 0;
    }
    if (scratch == NULL)
        return PL_ERR_AGAIN;
    *at = stop;
    scratch->len = 0;
    pl_buf_add(scratch, pl_str(begin, (size_t)(stop - begin)));
    err = unquote_rest(at, end, flags, scratch, what);
    if (err == 0)
        *out = pl_buf_str(scratch);
    return err;
}
