#include "http/range.h"

#include "base/str.h"
#include "http/header.h"

/* ---- reading ---- */

/* Digits to a number; one too large for 64 bits is as good as the largest. */
static bool parse_pos(struct pl_str s, uint64_t *out)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    if (!pl_str_to_u64(s, out))
        *out = UINT64_MAX;
    return s.len > 0;
}

/* One range-spec (RFC 9110, 14.1.1) to what it means for size bytes; len is 0
 * when it cannot be satisfied. False when it is malformed. */
static bool parse_spec(struct pl_str spec, uint64_t size, struct pl_range *out)
{
    struct pl_str last_text = spec, first_text;
    uint64_t first, last = UINT64_MAX;

    pl_str_split(&last_text, '-', &first_text);
    if (last_text.data == NULL)
        return false;
    if (first_text.len == 0) { /* "-N": the last N bytes */
        if (!parse_pos(last_text, &last))
            return false;
        last = PL_MIN(last, size);
        *out = (struct pl_range){size - last, last};
        return true;
    }
    if (!parse_pos(first_text, &first) ||
        (last_text.len > 0 && !parse_pos(last_text, &last)) || last < first)
        return false;
    *out = (struct pl_range){first, 0};
    if (first < size)
        out->len = PL_MIN(last, size - 1) - first + 1;
    return true;
}

/* Do a and b overlap (gap 0) or touch (gap 1)? Both end within a size, which is
 * below 2^63 for all that can be stored: the sums cannot overflow. */
static bool is_near(struct pl_range a, struct pl_range b, unsigned gap)
{
    return a.first < b.first + b.len + gap && b.first < a.first + a.len + gap;
}

static struct pl_range join(struct pl_range a, struct pl_range b)
{
    uint64_t first = PL_MIN(a.first, b.first);
    uint64_t end = PL_MAX(a.first + a.len, b.first + b.len);

    return (struct pl_range){first, end - first};
}

/* Adds range to the *n in out, which are apart from each other; those it meets
 * become one with it, at the place of the first. Returns how many it overlaps.
 */
static unsigned add_range(struct pl_range *out, unsigned *n,
                          struct pl_range range)
{
    unsigned place = *n, kept = 0, overlaps = 0;

    for (unsigned i = 0; i < *n; i++)
        overlaps += is_near(out[i], range, 0);
    for (unsigned i = 0; i < *n; i++) {
        if (!is_near(out[i], range, 1)) {
            out[kept++] = out[i];
            continue;
        }
        range = join(range, out[i]);
        if (place == *n)
            place = kept++;
    }
    if (place == *n)
        place = kept++;
    out[place] = range;
    *n = kept;
    return overlaps;
}

enum pl_range_result pl_range_parse(struct pl_str field, uint64_t size,
                                    struct pl_range *out, unsigned max,
                                    unsigned *n)
{
    unsigned specs = 0, overlaps = 0;
    bool empty_suffix = false;
    struct pl_str spec;

    *n = 0;
    max = PL_MIN(max, PL_RANGE_MAX);
    if (!pl_str_istarts(field, PL_STR("bytes=")))
        return PL_RANGE_WHOLE;
    field = pl_str_skip(field, 6);
    while (pl_header_list_next(&field, &spec)) {
        struct pl_range range;

        if (++specs > max || !parse_spec(spec, size, &range))
            return PL_RANGE_WHOLE;
        if (range.len > 0)
            overlaps += add_range(out, n, range);
        else if (size == 0 && spec.data[0] == '-')
            empty_suffix = true;
    }
    /* The last bytes of nothing are satisfiable (14.1.2), but no Content-Range
     * can say so: the whole nothing is sent. */
    if (specs == 0 || overlaps > PL_RANGE_OVERLAPS || empty_suffix)
        return PL_RANGE_WHOLE;
    return *n > 0 ? PL_RANGE_PARTS : PL_RANGE_UNSATISFIABLE;
}

size_t pl_content_range_format(char *out, const struct pl_range *range,
                               uint64_t size)
{
    char *at = out;

    at = mempcpy(at, "bytes ", 6);
    if (range == NULL) {
        *at++ = '*';
    } else {
        at += pl_u64_format(at, range->first);
        *at++ = '-';
        at += pl_u64_format(at, range->first + range->len - 1);
    }
    *at++ = '/';
    at += pl_u64_format(at, size);
    return (size_t)(at - out);
}

/* ---- multipart/byteranges ---- */

/* The line break before a delimiter belongs to it (RFC 2046, 5.1.1); before the
 * first it is an empty preamble, which keeps all heads alike. */
#define DELIMITER "\r\n--"
#define TYPE "\r\nContent-Type: "
#define RANGE "\r\nContent-Range: "
#define HEAD_END "\r\n\r\n"
#define BODY_END "--\r\n"

void pl_multipart_init(struct pl_multipart *mp, struct pl_str content_type,
                       uint64_t size,
                       const unsigned char random[PL_MULTIPART_RANDOM])
{
    for (size_t i = 0; i < PL_MULTIPART_RANDOM; i++) {
        mp->boundary[2 * i] = "0123456789abcdef"[random[i] >> 4];
        mp->boundary[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    mp->content_type = content_type;
    mp->size = size;
}

uint64_t pl_multipart_length(const struct pl_multipart *mp,
                             const struct pl_range *ranges, unsigned n)
{
    const size_t delimiter = sizeof(DELIMITER) - 1 + PL_MULTIPART_BOUNDARY_LEN;
    uint64_t length = delimiter + sizeof(BODY_END) - 1;
    char text[PL_CONTENT_RANGE_MAX];

    for (unsigned i = 0; i < n; i++) {
        length += delimiter + sizeof(RANGE) - 1 + sizeof(HEAD_END) - 1;
        length += pl_content_range_format(text, &ranges[i], mp->size);
        if (mp->content_type.data != NULL)
            length += sizeof(TYPE) - 1 + mp->content_type.len;
        length += ranges[i].len;
    }
    return length;
}

static void add_delimiter(const struct pl_multipart *mp, struct pl_buf *out)
{
    pl_buf_add(out, PL_STR(DELIMITER));
    pl_buf_add(out, pl_str(mp->boundary, PL_MULTIPART_BOUNDARY_LEN));
}

int pl_multipart_type(const struct pl_multipart *mp, struct pl_buf *out)
{
    pl_buf_add(out, PL_STR("multipart/byteranges; boundary="));
    return pl_buf_add(out, pl_str(mp->boundary, PL_MULTIPART_BOUNDARY_LEN));
}

int pl_multipart_head(const struct pl_multipart *mp,
                      const struct pl_range *range, struct pl_buf *out)
{
    char text[PL_CONTENT_RANGE_MAX];

    add_delimiter(mp, out);
    if (mp->content_type.data != NULL) {
        pl_buf_add(out, PL_STR(TYPE));
        pl_buf_add(out, mp->content_type);
    }
    pl_buf_add(out, PL_STR(RANGE));
    pl_buf_add(out,
               pl_str(text, pl_content_range_format(text, range, mp->size)));
    return pl_buf_add(out, PL_STR(HEAD_END));
}

int pl_multipart_end(const struct pl_multipart *mp, struct pl_buf *out)
{
    add_delimiter(mp, out);
    return pl_buf_add(out, PL_STR(BODY_END));
}
