#include "http/negotiate.h"

#include "base/check.h"
#include "base/str.h"
#include "http/header.h"
#include "http/media.h"

/* ---- elements with a weight ---- */

/* "text/html;level=1;q=0.5" */
struct choice {
    struct pl_str value, params; /* params may hold the weight, too */
    int quality;
};

/* qvalue (RFC 9110, 12.4.2): 0 to 1 with up to three decimals. ".2" is wrong,
 * but Java has sent it for decades. */
static bool parse_quality(struct pl_str s, int *quality)
{
    int value = 0, scale = PL_QUALITY_MAX;
    size_t at = 0;

    if (s.len > 0 && (s.data[0] == '0' || s.data[0] == '1'))
        value = (s.data[at++] - '0') * scale;
    if (at < s.len && s.data[at++] != '.')
        return false;
    for (; at < s.len; at++) {
        if (s.data[at] < '0' || s.data[at] > '9' || scale == 1)
            return false;
        scale /= 10;
        value += (s.data[at] - '0') * scale;
    }
    *quality = value;
    return s.len > 0 && value <= PL_QUALITY_MAX;
}

static bool is_weight(struct pl_str name)
{
    return pl_str_ieq(name, PL_STR("q"));
}

/* The weight among the parameters, which is PL_QUALITY_MAX if not said. */
static bool find_quality(struct pl_str params, int *quality)
{
    struct pl_str name, value;

    *quality = PL_QUALITY_MAX;
    while (pl_params_next(&params, &name, &value))
        if (is_weight(name))
            return parse_quality(value, quality);
    return true;
}

/* Takes the next well-formed element off the list. */
static bool next_choice(struct pl_str *rest, struct choice *out)
{
    struct pl_str element;

    while (pl_header_list_next(rest, &element)) {
        out->value = pl_media_split(element, &out->params);
        if (out->value.len > 0 && find_quality(out->params, &out->quality))
            return true;
    }
    return false;
}

static bool is_star(struct pl_str s)
{
    return pl_str_eq(s, PL_STR("*"));
}

/* ---- media types ---- */

static struct pl_str without_quotes(struct pl_str s)
{
    if (s.len >= 2 && s.data[0] == '"')
        return pl_str(s.data + 1, s.len - 2);
    return s;
}

static bool has_param(struct pl_str params, struct pl_str name,
                      struct pl_str value)
{
    struct pl_str found, its;

    while (pl_params_next(&params, &found, &its))
        if (pl_str_ieq(found, name))
            return pl_str_ieq(without_quotes(its), without_quotes(value));
    return false;
}

/* Does the offer have all parameters of the range (those before its weight)?
 * *count says how many there are. */
static bool match_params(struct pl_str range, struct pl_str offer, int *count)
{
    struct pl_str name, value;

    for (*count = 0; pl_params_next(&range, &name, &value); ++*count) {
        if (is_weight(name))
            break;
        if (!has_param(offer, name, value))
            return false;
    }
    return true;
}

/* How closely range fits the type: 0 not at all, 1 as any type, 2 as one of its
 * kind, 3 and more as itself with so many parameters. */
static int match_media(const struct choice *range, struct pl_str type,
                       struct pl_str params)
{
    struct pl_str kind = range->value;
    int count;

    if (is_star(kind) || pl_str_eq(kind, PL_STR("*/*")))
        return 1;
    if (pl_str_ieq(kind, type))
        return match_params(range->params, params, &count) ? 3 + count : 0;
    if (!pl_str_ends(kind, PL_STR("/*")))
        return 0;
    kind.len--; /* "text/" */
    return pl_str_istarts(type, kind) ? 2 : 0;
}

int pl_accept_quality(struct pl_str accept, struct pl_str type)
{
    struct pl_str params, essence = pl_media_split(type, &params);
    int best = 0, quality = 0;
    struct choice range;

    if (pl_str_trim(accept).len == 0)
        return PL_QUALITY_MAX;
    while (next_choice(&accept, &range)) {
        int fit = match_media(&range, essence, params);

        if (fit > best) {
            best = fit;
            quality = range.quality;
        }
    }
    return quality;
}

/* ---- content codings ---- */

/* "x-gzip" and "x-compress" are old names (RFC 9110, 8.4.1). */
static struct pl_str coding_name(struct pl_str coding)
{
    if (pl_str_ieq(coding, PL_STR("x-gzip")) ||
        pl_str_ieq(coding, PL_STR("x-compress")))
        return pl_str_skip(coding, 2);
    return coding;
}

int pl_accept_encoding_quality(struct pl_str field, struct pl_str coding)
{
    bool identity = pl_str_ieq(coding, PL_STR("identity"));
    int star = identity; /* 0.001: after all that is named */
    struct choice choice;

    if (field.data == NULL)
        return identity ? PL_QUALITY_MAX : 0;
    coding = coding_name(coding);
    while (next_choice(&field, &choice)) {
        if (pl_str_ieq(coding_name(choice.value), coding))
            return choice.quality;
        if (is_star(choice.value))
            star = choice.quality;
    }
    return star;
}

/* ---- languages ---- */

/* Is prefix the tag or its first subtags? */
static bool is_subtag_prefix(struct pl_str prefix, struct pl_str tag)
{
    return pl_str_istarts(tag, prefix) &&
           (tag.len == prefix.len || tag.data[prefix.len] == '-');
}

/* How closely range fits tag. A range narrower than the tag that is refused
 * (q=0) says nothing about the rest of the language. */
static size_t match_language(const struct choice *range, struct pl_str tag)
{
    enum { NONE, STAR, NARROWER, PREFIX }; /* plus the length of the prefix */

    if (is_star(range->value))
        return STAR;
    if (is_subtag_prefix(range->value, tag))
        return PREFIX + range->value.len;
    if (is_subtag_prefix(tag, range->value) && range->quality > 0)
        return NARROWER;
    return NONE;
}

int pl_accept_language_quality(struct pl_str field, struct pl_str tag)
{
    struct choice range;
    size_t best = 0;
    int quality = 0;

    if (pl_str_trim(field).len == 0)
        return PL_QUALITY_MAX;
    while (next_choice(&field, &range)) {
        size_t fit = match_language(&range, tag);

        /* Equals are ranges narrower than the tag: the best liked counts. */
        if (fit > best || (fit == best && range.quality > quality && fit > 0)) {
            best = fit;
            quality = range.quality;
        }
    }
    return quality;
}

/* ---- choosing ---- */

int pl_negotiate(enum pl_negotiation kind, struct pl_str field,
                 const struct pl_str *offers, size_t n)
{
    static int (*const quality_of[])(struct pl_str, struct pl_str) = {
        [PL_NEGOTIATE_TYPE] = pl_accept_quality,
        [PL_NEGOTIATE_ENCODING] = pl_accept_encoding_quality,
        [PL_NEGOTIATE_LANGUAGE] = pl_accept_language_quality,
    };
    int best = 0, index = PL_ERR_NOT_FOUND;

    PL_ASSERT((size_t)kind < PL_COUNT(quality_of));
    for (size_t i = 0; i < n; i++) {
        int quality = quality_of[kind](field, offers[i]);

        if (quality > best) {
            best = quality;
            index = (int)i;
        }
    }
    return index;
}
