/* fuzz_url.c - any two texts (cut at the first line end) as a base and a
 * reference: what url.c takes apart it puts together again, results are URLs,
 * and one spelling is one. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As large as url.h says, and no byte larger: ASan watches. */
static char *buffer(size_t size)
{
    char *out = malloc(size + PL_URL_MARKS);

    PL_ASSERT(out != NULL);
    return out;
}

static void check_round_trip(struct pl_str text, const struct pl_url *url)
{
    char *out = buffer(text.len);
    size_t n = pl_url_write(out, url);
    struct pl_url again;

    /* "/." or "./" may have come in front of the path. */
    PL_ASSERT(pl_url_parse(pl_str(out, n), &again) == 0);
    PL_ASSERT(pl_str_eq(again.scheme, url->scheme));
    PL_ASSERT((again.host.data == NULL) == (url->host.data == NULL));
    PL_ASSERT(pl_str_ends(again.path, url->path));
    PL_ASSERT(pl_str_eq(pl_str(out, n), text));
    free(out);
}

static void check_normal(struct pl_str text, const struct pl_url *url)
{
    char *once = buffer(3 * text.len), *twice;
    size_t n = pl_url_normalise(once, url), m;
    struct pl_url again;

    PL_ASSERT(pl_url_parse(pl_str(once, n), &again) == 0);
    PL_ASSERT((again.host.data == NULL) == (url->host.data == NULL));
    PL_ASSERT((again.scheme.data == NULL) == (url->scheme.data == NULL));
    twice = buffer(3 * n);
    m = pl_url_normalise(twice, &again);
    PL_ASSERT(pl_str_eq(pl_str(twice, m), pl_str(once, n)));
    free(twice);
    free(once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str rest = {(const char *)data, size}, text, other;
    struct pl_url base, ref, seen;
    char *out;
    size_t n;

    if (size == 0)
        return 0;
    other = rest;
    pl_str_split(&other, '\n', &text);
    if (pl_url_parse(text, &base) < 0)
        return 0;
    check_round_trip(text, &base);
    check_normal(text, &base);
    if (base.scheme.data == NULL || other.data == NULL ||
        pl_url_parse(other, &ref) < 0)
        return 0;
    out = buffer(text.len + other.len);
    n = pl_url_resolve(out, &base, &ref);
    PL_ASSERT(pl_url_parse(pl_str(out, n), &seen) == 0);
    PL_ASSERT(seen.scheme.data != NULL);
    free(out);
    return 0;
}
