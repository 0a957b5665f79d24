#include "http/conditional.h"

#include "base/str.h"
#include "http/date.h"
#include "http/etag.h"

typedef bool matcher(struct pl_str a, struct pl_str b);

/* Does the list, or "*", name the representation? */
static bool names_it(struct pl_str list, const struct pl_conditional *in,
                     matcher *matches)
{
    struct pl_str etag;

    if (in->missing)
        return false;
    if (pl_str_eq(pl_str_trim(list), PL_STR("*")))
        return true;
    while (pl_etag_next(&list, &etag))
        if (matches(etag, in->etag))
            return true;
    return false;
}

/* Was it modified after the date of field? unknown when field is no date or the
 * representation has none: the condition is then ignored. */
static bool modified_since(struct pl_str field, const struct pl_conditional *in,
                           bool unknown)
{
    int64_t date;

    if (in->last_modified < 0 || in->missing ||
        !pl_http_date_parse(field, &date))
        return unknown;
    return in->last_modified > date;
}

/* Steps 1 and 2: does the client still know what it is about to change? */
static bool may_change(const struct pl_conditional *in)
{
    if (in->if_match.data != NULL)
        return names_it(in->if_match, in, pl_etag_matches_strong);
    return in->if_unmodified_since.data == NULL ||
           !modified_since(in->if_unmodified_since, in, false);
}

/* Steps 3 and 4: is there something that the client does not have? */
static bool is_news(const struct pl_conditional *in, bool reads)
{
    if (in->if_none_match.data != NULL)
        return !names_it(in->if_none_match, in, pl_etag_matches_weak);
    return !reads || in->if_modified_since.data == NULL ||
           modified_since(in->if_modified_since, in, true);
}

enum pl_precondition pl_conditional_evaluate(const struct pl_conditional *in)
{
    bool reads = in->method == PL_METHOD_GET || in->method == PL_METHOD_HEAD;

    if (in->method == PL_METHOD_CONNECT || in->method == PL_METHOD_OPTIONS ||
        in->method == PL_METHOD_TRACE)
        return PL_PROCEED; /* they neither select nor change (13.2.1) */
    if (!may_change(in))
        return PL_PRECONDITION_FAILED;
    if (!is_news(in, reads))
        return reads ? PL_NOT_MODIFIED : PL_PRECONDITION_FAILED;
    return PL_PROCEED;
}

bool pl_if_range_matches(struct pl_str if_range, struct pl_str etag,
                         int64_t last_modified, int64_t now)
{
    int64_t date;

    if (if_range.data == NULL)
        return true;
    if (pl_etag_valid(if_range))
        return pl_etag_matches_strong(if_range, etag);
    return last_modified >= 0 && last_modified < now &&
           pl_http_date_parse(if_range, &date) && date == last_modified;
}
