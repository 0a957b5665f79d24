/* fuzz_h1_head.c - any bytes as a request head: whole and in pieces they must
 * mean the same, to every scanner. The first byte says how to cut and which
 * limits hold. */
#include "../unit/h1_feed.h"

#include "base/check.h"
#include "http/h1_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct words outcome(struct pl_str input,
                            const struct pl_h1_limits *limits, size_t first,
                            size_t step)
{
    static struct pl_h1_parser parser;
    struct words words = {NULL, 0, 0};
    int result = feed_head(&parser, limits, input, first, step);

    describe_head(&parser, input, result, &words);
    describe_fields(&parser, input, &words);
    PL_ASSERT(result != 0 || parser.head_len <= input.len);
    return words;
}

static void compare(const struct words *want, struct words got)
{
    PL_ASSERT(want->len == got.len &&
              memcmp(want->data, got.data, got.len) == 0);
    free(got.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pl_h1_limits tight = {48, 64, 4};
    const struct pl_h1_limits *limits = &pl_h1_default_limits;
    const struct pl_h1_scanner *const *scanner;
    struct pl_str input;
    struct words whole;
    size_t cut;

    if (size == 0)
        return 0;
    input = pl_str((const char *)data + 1, size - 1);
    if (data[0] & 1)
        limits = &tight;
    cut = data[0] / 2;
    pl_h1_scan = &pl_h1_scan_scalar;
    whole = outcome(input, limits, input.len, 1);
    for (scanner = pl_h1_scanners(); *scanner != NULL; scanner++) {
        pl_h1_scan = *scanner;
        compare(&whole, outcome(input, limits, input.len, 1));
        compare(&whole, outcome(input, limits, cut, input.len + 1));
        compare(&whole, outcome(input, limits, 0, cut + 1));
    }
    free(whole.data);
    return 0;
}
