/* fuzz_h1_chunk.c - any bytes as a chunked body: whole and in pieces they must
 * give the same body and end at the same byte. The first byte says how to cut.
 */
#include "../unit/h1_feed.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct words outcome(struct pl_str input, size_t first, size_t step)
{
    struct words words = {NULL, 0, 0};

    feed_chunks(input, first, step, &words);
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
    struct pl_str input;
    struct words whole;

    if (size == 0)
        return 0;
    input = pl_str((const char *)data + 1, size - 1);
    whole = outcome(input, input.len, 1);
    compare(&whole, outcome(input, data[0], input.len + 1));
    compare(&whole, outcome(input, 0, data[0] + 1u));
    free(whole.data);
    return 0;
}
