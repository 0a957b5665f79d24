/* fuzz_luapat.c - any bytes as a pattern (the first line) and a text, and what
 * it captures in URLs and other texts. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "handlers/expansion.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 100000 };

static bool is_inside(struct pl_str part, struct pl_str text)
{
    return part.data >= text.data &&
           part.data + part.len <= text.data + text.len;
}

/* What comes out can be sent as a field and asked for as a path, and stays on
 * this host. */
static void check_url(struct pl_arena *arena, const char *to,
                      const struct pl_luapat *pattern,
                      const struct pl_luapat_match *match)
{
    struct pl_expansion expansion;
    struct pl_str url;

    if (pl_expansion_read(&expansion, arena, pl_str_c(to), true, pattern,
                          NULL) < 0 ||
        pl_expansion_make(&expansion, match, arena, &url) < 0)
        return;
    PL_ASSERT(url.len > 0);
    for (size_t i = 0; i < url.len; i++)
        PL_ASSERT(url.data[i] > ' ' && url.data[i] < 127 &&
                  url.data[i] != '\\');
    if (expansion.absolute)
        PL_ASSERT(pl_str_starts(url, PL_STR("https://a.")) &&
                  pl_str_chr(pl_str_skip(url, 8), '@') < 0);
    else
        PL_ASSERT(url.data[0] == '/' && (url.len == 1 || url.data[1] != '/'));
}

static void check_match(const struct pl_luapat *pattern, struct pl_str text,
                        const struct pl_luapat_match *match)
{
    static const char *const urls[] = {"%1", "/%1", "/a?b=%1&c=%0", "/%0#%1",
                                       "https://a.%1.example/"};
    struct pl_arena arena;
    struct pl_pool pool;

    PL_ASSERT(match->count == pl_luapat_captures(pattern));
    for (unsigned i = 0; i <= match->count; i++)
        PL_ASSERT(is_inside(match->parts[i], text));
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    for (size_t i = 0; i < PL_COUNT(urls); i++)
        check_url(&arena, urls[i], pattern, match);
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str text = pl_str((const char *)data, size), written;
    struct pl_luapat_match match;
    struct pl_luapat *pattern;
    uint64_t steps = STEPS;
    int got;

    if (size == 0)
        return 0;
    pl_str_split(&text, '\n', &written);
    if (text.data == NULL)
        text = PL_STR("");
    pattern = pl_luapat_new(written, NULL);
    if (pattern == NULL)
        return 0;
    got = pl_luapat_find(pattern, text, 0, &steps, &match);
    PL_ASSERT(got == 0 || got == 1 || (got == PL_ERR_LIMIT && steps == 0));
    if (got == 1)
        check_match(pattern, text, &match);
    pl_luapat_free(pattern);
    return 0;
}
