#include "base/json_text.h"

#include "base/str.h"
#include "base/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    ESCAPED_MAX = 6, /* "\u001f" */
    SLACK = 16,      /* what copy_plain may write too much */
    PIECE = 256      /* how much is unescaped at a time */
};

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* ---- scanning: 16, 8, 4, then single bytes ---- */

/* 1: stands for itself in a JSON string, unlike '"', '\', a control and what
 * is beyond ASCII. */
static const unsigned char plain[256] = {
    [0x20 ... '!'] = 1, ['#' ... '['] = 1, [']' ... 0x7f] = 1};

/* Which of 8 bytes are not plain: a non-zero value's lowest set bit is bit 7 of
 * the first one (above it there may be false ones). */
static inline uint64_t special_of_8(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;

    return (word | (word - ones * 0x20) | ((word ^ ones * '"') - ones) |
            ((word ^ ones * '\\') - ones)) &
           ones * 0x80;
}

static uint64_t load_8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word)
                                                  : word;
}

/* The same of the 4 at p, as if spaces came after them. */
static inline uint64_t special_of_4(const char *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof(word));
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        word = __builtin_bswap32(word);
    return special_of_8((uint64_t)0x20202020 << 32 | word);
}

#ifdef __SSE2__
static unsigned special_of_16(__m128i bytes)
{
    /* Signed: what is below a space includes all beyond ASCII. */
    __m128i special = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));

    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(special);
}
#endif

/* The first byte from p on that is not plain. Writes what is before it to to,
 * where there is room for (end - p) + SLACK bytes; or nothing if to is NULL. */
PL_INLINE const char *scan(char *to, const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned special = special_of_16(bytes);

        if (to != NULL) {
            _mm_storeu_si128((__m128i *)(void *)to, bytes);
            to += 16;
        }
        if (special != 0)
            return p + __builtin_ctz(special);
    }
#endif
    for (; end - p >= 8; p += 8) {
        uint64_t special = special_of_8(load_8(p));

        if (to != NULL) {
            memcpy(to, p, 8);
            to += 8;
        }
        if (special != 0)
            return p + __builtin_ctzll(special) / 8;
    }
    if (end - p >= 4) {
        uint64_t special = special_of_4(p);

        if (to != NULL) {
            memcpy(to, p, 4);
            to += 4;
        }
        if (special != 0)
            return p + __builtin_ctzll(special) / 8;
        p += 4;
    }
    for (; p < end && plain[(unsigned char)*p]; p++)
        if (to != NULL)
            *to++ = *p;
    return p;
}

static const char *plain_end(const char *p, const char *end)
{
    return scan(NULL, p, end);
}

static const char *copy_plain(char *to, const char *p, const char *end)
{
    return scan(to, p, end);
}

/* The length of the character at p, or 0 if it is not UTF-8. */
static int utf8_length(const char *p, const char *end)
{
    uint32_t point;
    int len = pl_utf8_decode(pl_str(p, (size_t)(end - p)), &point);

    return len > 0 ? len : 0;
}

/* The end of the characters beyond ASCII that begin at p; p if there is none.
 */
static inline const char *wide_end(const char *p, const char *end)
{
    int len = 1;

    while (p < end && (unsigned char)*p >= 0x80 && len > 0) {
        len = utf8_length(p, end);
        p += len;
    }
    return p;
}

/* From p on, up to the first byte that must be changed: plain or UTF-8. */
static const char *valid_end(const char *p, const char *end)
{
    const char *begin;

    do {
        begin = plain_end(p, end);
        p = wide_end(begin, end);
    } while (p > begin);
    return p;
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

/* U+2028 and U+2029 end a line in old JavaScript. */
static bool is_line_end(const char *p, int len)
{
    return len == 3 && memcmp(p, "\xe2\x80", 2) == 0 &&
           (p[2] == '\xa8' || p[2] == '\xa9');
}

/* Writes the special character at *p, moves *p behind it and returns how many
 * bytes it took; 0 if it is not UTF-8 and may not be replaced. */
static size_t quote_special(char *out, const char **p, const char *end,
                            unsigned flags)
{
    unsigned char c = (unsigned char)*(*p)++;
    int len;

    if (c < 0x80)
        return escape(out, c);
    len = utf8_length(*p - 1, end);
    if (len == 0) {
        memcpy(out, replacement, 3);
        return flags & PL_JSON_REPLACE ? 3 : 0;
    }
    if ((flags & PL_JSON_HTML) && is_line_end(*p - 1, len)) {
        *p += 2;
        return escape_u16(out, (*p)[-1] == '\xa8' ? 0x2028 : 0x2029);
    }
    memcpy(out, *p - 1, (size_t)len);
    *p += len - 1;
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

/* Appends what from p on may stay as it is; room for it was made. Copies while
 * it scans where the buffer is a little larger than that. */
static const char *quote_plain(struct pl_buf *out, const char *p,
                               const char *end, unsigned flags)
{
    char *to = out->data + out->len;
    const char *stop;

    if ((flags & PL_JSON_HTML) ||
        out->cap - out->len < (size_t)(end - p) + SLACK) {
        stop = flags & PL_JSON_HTML ? html_end(p, end) : valid_end(p, end);
        memcpy(to, p, (size_t)(stop - p));
        out->len += (size_t)(stop - p);
        return stop;
    }
    do {
        stop = copy_plain(to, p, end);
        to += stop - p;
        p = wide_end(stop, end);
        memcpy(to, stop, (size_t)(p - stop));
        to += p - stop;
    } while (p > stop);
    out->len = (size_t)(to - out->data);
    return p;
}

int pl_json_quote(struct pl_buf *out, struct pl_str s, unsigned flags)
{
    const char *p = s.data, *end = s.data + s.len;
    size_t n;

    if (pl_buf_reserve(out, s.len + 2) < 0)
        return out->err;
    out->data[out->len++] = '"';
    while ((p = quote_plain(out, p, end, flags)) < end) {
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

int pl_json_newline(struct pl_buf *out, size_t n)
{
    if (pl_buf_reserve(out, n + 1) < 0)
        return out->err;
    out->data[out->len] = '\n';
    memset(out->data + out->len + 1, ' ', n);
    out->len += n + 1;
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

/* Reads what stands at *p and is neither valid nor the end, and appends it. */
static int unquote_special(const char **p, const char *end, unsigned flags,
                           struct pl_buf *scratch, const char **what)
{
    int point = 0xfffd;

    if (*p < end && **p == '\\') {
        point = unescape(p, end, flags, what);
        if (point < 0)
            return PL_ERR_PROTO;
    } else if (*p < end && (unsigned char)**p >= 0x80 &&
               (flags & PL_JSON_REPLACE)) {
        ++*p;
    } else {
        *what = bad_byte(*p, end);
        return PL_ERR_PROTO;
    }
    scratch->len +=
        pl_utf8_encode(scratch->data + scratch->len, (uint32_t)point);
    return 0;
}

/* The rest of the string, of which the first part is in scratch already. */
static int unquote_rest(const char **at, const char *end, unsigned flags,
                        struct pl_buf *scratch, const char **what)
{
    for (;;) {
        const char *p = *at, *stop = p + PL_MIN(end - p, PIECE);
        int err;

        if (pl_buf_reserve(scratch, PIECE + SLACK) < 0)
            return scratch->err;
        *at = copy_plain(scratch->data + scratch->len, p, stop);
        scratch->len += (size_t)(*at - p);
        if (*at == stop && stop < end)
            continue;
        if (*at < end && (unsigned char)**at >= 0x80) {
            p = *at;
            *at = wide_end(p, end);
            if (*at > p) {
                pl_buf_add(scratch, pl_str(p, (size_t)(*at - p)));
                continue;
            }
        }
        if (*at < end && **at == '"') {
            ++*at;
            return 0;
        }
        err = unquote_special(at, end, flags, scratch, what);
        if (err < 0)
            return err;
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
