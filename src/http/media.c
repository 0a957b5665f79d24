#include "http/media.h"

#include "base/str.h"
#include "http/header.h"

struct pl_str pl_media_split(struct pl_str text, struct pl_str *params)
{
    struct pl_str type = {NULL, 0};

    *params = text;
    pl_str_split(params, ';', &type);
    return pl_str_trim(type);
}

/* The length of the piece that s begins with: up to a ";" outside of a quoted
 * string, or to the end. */
static size_t piece_len(struct pl_str s)
{
    bool quoted = false;
    size_t at;

    for (at = 0; at < s.len && (quoted || s.data[at] != ';'); at++) {
        if (s.data[at] == '"')
            quoted = !quoted;
        else if (s.data[at] == '\\' && quoted && at + 1 < s.len)
            at++;
    }
    return at;
}

/* A quoted string as a whole: nothing follows its closing quote, and that one
 * is not escaped (RFC 9110, 5.6.4). */
static bool is_quoted(struct pl_str s)
{
    size_t at = 1;

    if (s.len < 2 || s.data[0] != '"')
        return false;
    while (at < s.len && s.data[at] != '"')
        at += s.data[at] == '\\' ? 2 : 1;
    return at == s.len - 1;
}

bool pl_params_next(struct pl_str *params, struct pl_str *name,
                    struct pl_str *value)
{
    while (params->len > 0) {
        size_t len = piece_len(*params);

        *value = pl_str_trim(pl_str_first(*params, len));
        *params = pl_str_skip(*params, len + 1);
        pl_str_split(value, '=', name);
        if (value->data != NULL && pl_header_name_valid(*name) &&
            (is_quoted(*value) || pl_header_name_valid(*value)))
            return true;
    }
    return false;
}

bool pl_media_is(struct pl_str content_type, struct pl_str type)
{
    struct pl_str params;

    return pl_str_ieq(pl_media_split(content_type, &params), type);
}

static struct pl_str unquote(struct pl_str s, struct pl_arena *arena)
{
    size_t len = 0;
    char *out;

    if (!is_quoted(s))
        return s;
    s = pl_str(s.data + 1, s.len - 2);
    if (pl_str_chr(s, '\\') < 0)
        return s;
    out = pl_arena_bytes(arena, s.len);
    if (out == NULL)
        return pl_str(NULL, 0);
    for (size_t at = 0; at < s.len; at++) {
        at += s.data[at] == '\\'; /* never the last: is_quoted() has seen it */
        out[len++] = s.data[at];
    }
    pl_arena_shrink(arena, out, s.len, len);
    return pl_str(out, len);
}

struct pl_str pl_media_param(struct pl_str content_type, struct pl_str name,
                             struct pl_arena *arena)
{
    struct pl_str rest, found, value;

    pl_media_split(content_type, &rest);
    while (pl_params_next(&rest, &found, &value))
        if (pl_str_ieq(found, name))
            return unquote(value, arena);
    return pl_str(NULL, 0);
}
