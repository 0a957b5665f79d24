/* fuzz_range.c - any bytes as Range, If-* fields and dates. The first byte
 * scales the size of the representation. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/etag.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_apart(struct pl_range a, struct pl_range b)
{
    return a.first + a.len < b.first || b.first + b.len < a.first;
}

static void check_ranges(struct pl_str field, uint64_t size)
{
    struct pl_range out[PL_RANGE_MAX];
    char text[PL_CONTENT_RANGE_MAX];
    unsigned n;
    enum pl_range_result result =
        pl_range_parse(field, size, out, PL_RANGE_MAX, &n);

    PL_ASSERT(n <= PL_RANGE_MAX);
    if (result != PL_RANGE_PARTS)
        return;
    PL_ASSERT(n > 0);
    for (unsigned i = 0; i < n; i++) {
        PL_ASSERT(out[i].len > 0 && out[i].first < size &&
                  out[i].len <= size - out[i].first);
        for (unsigned j = 0; j < i; j++)
            PL_ASSERT(is_apart(out[i], out[j]));
        PL_ASSERT(pl_content_range_format(text, &out[i], size) <= sizeof(text));
    }
}

static void check_tags(struct pl_str list)
{
    const char *at = list.data;
    struct pl_str tag;

    while (pl_etag_next(&list, &tag)) {
        PL_ASSERT(pl_etag_valid(tag) && tag.data >= at);
        PL_ASSERT(pl_etag_matches_weak(tag, tag));
        at = tag.data + tag.len;
    }
}

static void check_conditions(struct pl_str field)
{
    struct pl_conditional in = {
        .if_match = field, .etag = PL_STR("\"a\""), .last_modified = 784111777};

    for (in.method = 0; in.method <= PL_METHOD_COUNT; in.method++) {
        in.if_match = in.if_modified_since = field;
        in.if_none_match = in.if_unmodified_since = pl_str(NULL, 0);
        PL_ASSERT(pl_conditional_evaluate(&in) <= PL_PRECONDITION_FAILED);
        in.if_none_match = in.if_unmodified_since = field;
        in.if_match = in.if_modified_since = pl_str(NULL, 0);
        PL_ASSERT(pl_conditional_evaluate(&in) <= PL_PRECONDITION_FAILED);
    }
    pl_if_range_matches(field, in.etag, in.last_modified, INT64_MAX);
}

static void check_date(struct pl_str field)
{
    char text[PL_HTTP_DATE_LEN];
    int64_t when, again = -1;

    if (!pl_http_date_parse_at(field, 1800000000, &when))
        return;
    pl_http_date_format(text, when);
    PL_ASSERT(pl_http_date_parse(pl_str(text, PL_HTTP_DATE_LEN), &again));
    PL_ASSERT(again == when || when > 253402300799); /* leap second of 9999 */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str field;

    if (size == 0)
        return 0;
    field = pl_str((const char *)data + 1, size - 1);
    check_ranges(field, (UINT64_C(1) << data[0] % 63) - (data[0] & 1));
    check_tags(field);
    check_conditions(field);
    check_date(field);
    return 0;
}
