#include "template/tag.h"

#include "base/str.h"

static bool is_blank(char c)
{
    return pl_tag_is_space(c) || c == '\n' || c == '\r';
}

static void trim(struct pl_str source, struct pl_tag *tag)
{
    const char *at = source.data + tag->name;

    while (tag->length > 0 && is_blank(*at)) {
        at++;
        tag->name++;
        tag->length--;
    }
    while (tag->length > 0 && is_blank(at[tag->length - 1]))
        tag->length--;
}

/* By the sign behind the opening delimiter; VALUE if it is none. */
static enum pl_tag_kind kind_of(char sign)
{
    switch (sign) {
    case '!':
        return PL_TAG_COMMENT;
    case '=':
        return PL_TAG_DELIMITERS;
    case '#':
        return PL_TAG_SECTION;
    case '^':
        return PL_TAG_INVERTED;
    case '/':
        return PL_TAG_CLOSE;
    case '>':
        return PL_TAG_PARTIAL;
    case '<':
        return PL_TAG_PARENT;
    case '$':
        return PL_TAG_BLOCK;
    case '&':
    case '{':
        return PL_TAG_RAW;
    default:
        return PL_TAG_VALUE;
    }
}

/* Only the content of names is checked: no spaces, not empty. */
static int check_name(struct pl_str source, struct pl_tag *tag,
                      const char **what)
{
    const char *name = source.data + tag->name;

    if ((tag->kind == PL_TAG_PARTIAL || tag->kind == PL_TAG_PARENT ||
         tag->kind == PL_TAG_CLOSE) &&
        tag->length > 0 && name[0] == '*') {
        tag->dynamic = true;
        tag->name++;
        tag->length--;
        trim(source, tag);
        name = source.data + tag->name;
    }
    *what = "a tag without a name";
    if (tag->length == 0)
        return PL_ERR_SYNTAX;
    *what = "a name with a space in it";
    for (uint32_t i = 0; i < tag->length; i++)
        if (is_blank(name[i]))
            return PL_ERR_SYNTAX;
    return 1;
}

/* How the tag is closed: by the delimiter, in {{{x}}} and {{=x x=}} with a
 * second sign before it. */
static ptrdiff_t find_end(struct pl_str text, char sign,
                          const struct pl_delimiters *delimiters)
{
    char mark = sign == '{' ? '}' : sign == '=' ? '=' : '\0';
    struct pl_str rest = text;
    ptrdiff_t at;

    while ((at = pl_str_find(rest, delimiters->close)) >= 0) {
        size_t place = (size_t)at + (size_t)(rest.data - text.data);

        if (mark == '\0')
            return (ptrdiff_t)place;
        if (place > 0 && text.data[place - 1] == mark)
            return (ptrdiff_t)place - 1;
        rest = pl_str_skip(rest, (size_t)at + 1);
    }
    return -1;
}

int pl_tag_next(struct pl_str source, uint32_t from,
                const struct pl_delimiters *delimiters, struct pl_tag *tag,
                const char **what)
{
    struct pl_str rest = pl_str_skip(source, from);
    ptrdiff_t at = pl_str_find(rest, delimiters->open);
    char sign;

    if (at < 0)
        return 0;
    *tag = (struct pl_tag){.start = from + (uint32_t)at};
    tag->name = tag->start + (uint32_t)delimiters->open.len;
    rest = pl_str_skip(source, tag->name);
    sign = rest.len > 0 ? rest.data[0] : '\0';
    tag->kind = kind_of(sign);
    if (tag->kind != PL_TAG_VALUE) {
        tag->name++;
        rest = pl_str_skip(rest, 1);
    }
    at = find_end(rest, sign, delimiters);
    *what = "a tag that is not closed";
    if (at < 0)
        return PL_ERR_SYNTAX;
    tag->length = (uint32_t)at;
    tag->end = tag->name + tag->length + (uint32_t)delimiters->close.len +
               (sign == '{' || sign == '=' ? 1 : 0);
    trim(source, tag);
    if (tag->kind == PL_TAG_COMMENT || tag->kind == PL_TAG_DELIMITERS)
        return 1;
    return check_name(source, tag, what);
}

uint32_t pl_tag_skip_line(struct pl_str source, uint32_t at)
{
    uint32_t place = at;

    while (place < source.len && pl_tag_is_space(source.data[place]))
        place++;
    if (place == source.len)
        return place;
    if (source.data[place] == '\r' && place + 1 < source.len)
        place++;
    return source.data[place] == '\n' ? place + 1 : at;
}

bool pl_tag_line_ends(struct pl_str source, uint32_t at)
{
    uint32_t next = pl_tag_skip_line(source, at);

    return next != at || at == source.len;
}

size_t pl_template_delimiters(struct pl_str text, struct pl_delimiters *out)
{
    struct pl_str *const places[] = {&out->open, &out->close};
    size_t at = 0;

    for (unsigned i = 0; i < PL_COUNT(places); i++) {
        size_t begin;

        while (at < text.len && is_blank(text.data[at]))
            at++;
        begin = at;
        while (at < text.len && !is_blank(text.data[at]) &&
               text.data[at] != '=')
            at++;
        *places[i] = pl_str(text.data + begin, at - begin);
        if (at == begin)
            return 0;
    }
    return at;
}
