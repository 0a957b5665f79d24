#include "http/form_header.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "base/utf8.h"
#include "http/header.h"
#include "http/media.h"

/* ---- parameters ---- */

struct param {
    struct pl_str name, value; /* value: without its quotes, not decoded */
};

/* The length of a quoted string from its first quote to its last, or 0. */
static size_t quoted_len(struct pl_str s)
{
    for (size_t at = 1; at < s.len; at++) {
        if (s.data[at] == '"')
            return at + 1;
        if (s.data[at] == '\\' && at + 1 < s.len &&
            (s.data[at + 1] == '"' || s.data[at + 1] == '\\'))
            at++;
    }
    return 0;
}

static struct pl_str skip_space(struct pl_str s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = pl_str_skip(s, 1);
    return s;
}

/* A token or a quoted string off the front of *rest. */
static bool take_value(struct pl_str *rest, struct pl_str *value)
{
    ptrdiff_t end;
    size_t len;

    if (rest->len > 0 && rest->data[0] == '"') {
        len = quoted_len(*rest);
        if (len == 0)
            return false;
        *value = pl_str(rest->data + 1, len - 2);
    } else {
        end = pl_str_chr(*rest, ';');
        len = end < 0 ? rest->len : (size_t)end;
        *value = pl_str_trim(pl_str_first(*rest, len));
        if (!pl_header_name_valid(*value)) /* the same set as a token's */
            return false;
    }
    *rest = skip_space(pl_str_skip(*rest, len));
    return true;
}

/* Takes the next parameter off *rest, which is empty or begins with ";".
 * Returns 1, 0 at the end, or PL_ERR_PROTO. */
static int next_param(struct pl_str *rest, struct param *param)
{
    ptrdiff_t equals;

    if (rest->len == 0)
        return 0;
    if (rest->data[0] != ';')
        return PL_ERR_PROTO;
    *rest = skip_space(pl_str_skip(*rest, 1));
    equals = pl_str_chr(*rest, '=');
    if (equals < 0)
        return PL_ERR_PROTO;
    param->name = pl_str_first(*rest, (size_t)equals);
    *rest = pl_str_skip(*rest, (size_t)equals + 1);
    if (!pl_header_name_valid(param->name) || !take_value(rest, &param->value))
        return PL_ERR_PROTO;
    return 1;
}

/* The parameters behind "type": from their first ";" on. */
static struct pl_str behind_type(struct pl_str text)
{
    ptrdiff_t semicolon = pl_str_chr(text, ';');

    return semicolon < 0 ? PL_STR("") : pl_str_skip(text, (size_t)semicolon);
}

/* ---- the boundary ---- */

/* bchars of RFC 2046; its last one is no space. */
static bool is_boundary(struct pl_str s)
{
    if (s.len == 0 || s.len > PL_BOUNDARY_MAX || s.data[s.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char lower = s.data[i] | 0x20;

        if (!pl_ascii_digit(s.data[i]) && !(lower >= 'a' && lower <= 'z') &&
            (s.data[i] == '\0' || strchr("'()+_,-./:=? ", s.data[i]) == NULL))
            return false;
    }
    return true;
}

int pl_form_boundary(struct pl_str content_type, struct pl_str *boundary)
{
    struct pl_str rest = behind_type(content_type), found = {NULL, 0};
    struct param param;
    int err;

    if (!pl_media_is(content_type, PL_STR("multipart/form-data")))
        return PL_ERR_UNSUPPORTED;
    while ((err = next_param(&rest, &param)) == 1) {
        if (!pl_str_ieq(param.name, PL_STR("boundary")))
            continue;
        if (found.data != NULL)
            return PL_ERR_PROTO;
        found = param.value;
    }
    if (err < 0 || !is_boundary(found))
        return PL_ERR_PROTO;
    *boundary = found;
    return 0;
}

/* ---- names ---- */

static int hex_digit(char c)
{
    if (pl_ascii_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%XX" at s stands for, or -1. */
static int escaped_byte(struct pl_str s)
{
    int high, low;

    if (s.len < 3 || s.data[0] != '%')
        return -1;
    high = hex_digit(s.data[1]);
    low = hex_digit(s.data[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Room was made: this cannot fail. */
static void put(struct pl_buf *out, char c)
{
    PL_ASSERT(out->len < out->cap);
    out->data[out->len++] = c;
}

/* What has been put behind from. */
static struct pl_str put_since(const struct pl_buf *out, size_t from)
{
    return pl_str(out->data + from, out->len - from);
}

/* A name as forms encode it: a browser writes %22 %0D %0A for what cannot stand
 * in quotes and every other byte as it is, "%" and "\" too (WHATWG HTML,
 * 4.10.21.8); others write \" and \\. */
static struct pl_str decode_name(struct pl_str raw, struct pl_buf *out)
{
    size_t from = out->len;

    for (size_t at = 0; at < raw.len; at++) {
        int byte = escaped_byte(pl_str_skip(raw, at));

        if (byte == '"' || byte == '\r' || byte == '\n') {
            put(out, (char)byte);
            at += 2;
        } else {
            if (raw.data[at] == '\\' && at + 1 < raw.len &&
                (raw.data[at + 1] == '"' || raw.data[at + 1] == '\\'))
                at++;
            put(out, raw.data[at]);
        }
    }
    return put_since(out, from);
}

static void put_latin1(struct pl_buf *out, unsigned byte)
{
    if (byte >= 0x80) {
        put(out, (char)(0xc0 | byte >> 6));
        byte = 0x80 | (byte & 0x3f);
    }
    put(out, (char)byte);
}

/* "utf-8'en'a%20b" (RFC 8187). */
static int decode_extended(struct pl_str raw, struct pl_buf *out,
                           struct pl_str *name)
{
    struct pl_str charset, language;
    size_t from = out->len;
    bool utf8;

    if (!pl_str_split(&raw, '\'', &charset) ||
        !pl_str_split(&raw, '\'', &language) || raw.data == NULL)
        return PL_ERR_PROTO;
    utf8 = pl_str_ieq(charset, PL_STR("utf-8"));
    if (!utf8 && !pl_str_ieq(charset, PL_STR("iso-8859-1")))
        return PL_ERR_PROTO;
    for (size_t at = 0; at < raw.len; at++) {
        int byte = (unsigned char)raw.data[at];

        if (byte == '%') {
            byte = escaped_byte(pl_str_skip(raw, at));
            at += 2;
        }
        if (byte <= 0) /* a bad escape, or NUL */
            return PL_ERR_PROTO;
        if (utf8)
            put(out, (char)byte);
        else
            put_latin1(out, (unsigned)byte);
    }
    *name = put_since(out, from);
    return pl_utf8_valid(*name) ? 0 : PL_ERR_PROTO;
}

/* Cut at a whole character. */
static struct pl_str shorten(struct pl_str s, size_t most)
{
    if (s.len <= most)
        return s;
    while (most > 0 && ((unsigned char)s.data[most] & 0xc0) == 0x80)
        most--;
    return pl_str_first(s, most);
}

static struct pl_str safe_name(struct pl_str raw, struct pl_buf *out)
{
    ptrdiff_t slash = pl_str_rchr(raw, '/');
    struct pl_str base = pl_str_skip(raw, (size_t)(slash + 1));
    size_t from = out->len;

    base = pl_str_skip(base, (size_t)(pl_str_rchr(base, '\\') + 1));
    base = shorten(base, PL_FILE_NAME_MAX);
    if (base.len == 0 || pl_str_eq(base, PL_STR(".")) ||
        pl_str_eq(base, PL_STR("..")))
        return raw.len == 0 ? pl_str(NULL, 0) : PL_STR("unnamed");
    for (size_t i = 0; i < base.len; i++) {
        unsigned char c = (unsigned char)base.data[i];

        put(out, c < ' ' || c == 0x7f ? '_' : (char)c);
    }
    return put_since(out, from);
}

/* ---- the field ---- */

struct names {
    struct pl_str name, filename, extended; /* raw; absent: not said */
};

static int collect_names(struct pl_str value, struct names *names)
{
    struct pl_str rest = behind_type(value), *place;
    struct param param;
    int err;

    while ((err = next_param(&rest, &param)) == 1) {
        if (pl_str_ieq(param.name, PL_STR("name")))
            place = &names->name;
        else if (pl_str_ieq(param.name, PL_STR("filename")))
            place = &names->filename;
        else if (pl_str_ieq(param.name, PL_STR("filename*")))
            place = &names->extended;
        else if (pl_str_ieq(param.name, PL_STR("name*")))
            return PL_ERR_PROTO;
        else
            continue;
        if (place->data != NULL)
            return PL_ERR_PROTO;
        *place = param.value;
    }
    if (names->name.data == NULL ||
        (names->filename.data != NULL && names->extended.data != NULL))
        return PL_ERR_PROTO;
    return err;
}

int pl_disposition_parse(struct pl_str value, struct pl_buf *out,
                         struct pl_disposition *disposition)
{
    struct names names = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    int err;

    *disposition = (struct pl_disposition){.name = {NULL, 0}};
    if (!pl_media_is(value, PL_STR("form-data")))
        return PL_ERR_PROTO;
    err = collect_names(value, &names);
    if (err < 0)
        return err;
    if (names.name.len > PL_PART_NAME_MAX)
        return PL_ERR_LIMIT;
    disposition->name = decode_name(names.name, out);
    if (names.filename.data != NULL)
        disposition->raw_filename = decode_name(names.filename, out);
    else if (names.extended.data != NULL)
        err = decode_extended(names.extended, out, &disposition->raw_filename);
    if (err == 0 && disposition->raw_filename.data != NULL)
        disposition->filename = safe_name(disposition->raw_filename, out);
    return err;
}
