/* fuzz_form.c - any bytes as a query string or form body, a Cookie field, a
 * Content-Type and the fields of negotiation. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "http/cookie.h"
#include "http/media.h"
#include "http/negotiate.h"
#include "http/query.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool walker(struct pl_str *rest, struct pl_str *name,
                    struct pl_str *value);

/* Pairs lie one behind the other, inside the input, and come to an end. */
static void check_walk(struct pl_str input, walker *next)
{
    const char *at = input.data, *end = input.data + input.len;
    struct pl_str rest = input, name, value;

    while (next(&rest, &name, &value)) {
        PL_ASSERT(name.data >= at && name.data + name.len <= value.data);
        at = value.data + value.len;
        PL_ASSERT(at <= end);
    }
    PL_ASSERT(!next(&rest, &name, &value));
}

/* Every pair but those behind another of the same name is found by it. */
static void check_gets(struct pl_str input, struct pl_arena *arena)
{
    struct pl_str rest = input, name, value;

    for (int i = 0; i < 20 && pl_query_next(&rest, &name, &value); i++) {
        struct pl_str decoded = pl_uri_decode(name, arena, true);

        PL_ASSERT(pl_uri_decodes_to(name, decoded));
        PL_ASSERT(pl_query_get(input, decoded, arena).data != NULL);
    }
    rest = input;
    for (int i = 0; i < 20 && pl_cookie_next(&rest, &name, &value); i++)
        PL_ASSERT(pl_cookie_get(input, name).data != NULL);
}

/* What pl_cookie_format() lets through, pl_cookie_next() reads back. */
static void check_set_cookie(struct pl_str input, struct pl_pool *pool)
{
    size_t half = input.len / 2;
    struct pl_cookie cookie = {.name = pl_str_first(input, half),
                               .value = pl_str_skip(input, half)};
    struct pl_str rest, name, value;
    struct pl_buf buf;

    pl_buf_init(&buf, pool, NULL, 0);
    if (pl_cookie_format(&cookie, &buf) == 0) {
        rest = pl_buf_str(&buf);
        PL_ASSERT(pl_cookie_next(&rest, &name, &value));
        PL_ASSERT(pl_str_eq(name, cookie.name) &&
                  pl_str_eq(value, cookie.value));
        PL_ASSERT(!pl_cookie_next(&rest, &name, &value));
    }
    pl_buf_fini(&buf);
}

static void check_negotiation(struct pl_str input)
{
    static const struct pl_str offers[] = {PL_STR("text/html;charset=utf-8"),
                                           PL_STR("gzip"), PL_STR("identity"),
                                           PL_STR("en-GB")};

    for (int kind = 0; kind <= PL_NEGOTIATE_LANGUAGE; kind++) {
        int best = pl_negotiate((enum pl_negotiation)kind, input, offers,
                                PL_COUNT(offers));

        PL_ASSERT(best == PL_ERR_NOT_FOUND ||
                  (best >= 0 && best < (int)PL_COUNT(offers)));
    }
    for (size_t i = 0; i < PL_COUNT(offers); i++) {
        int quality = pl_accept_quality(input, offers[i]);

        PL_ASSERT(quality >= 0 && quality <= PL_QUALITY_MAX);
        quality = pl_accept_quality(offers[i], input);
        PL_ASSERT(quality >= 0 && quality <= PL_QUALITY_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str input = pl_str(size == 0 ? "" : (const char *)data, size);
    struct pl_str params;
    struct pl_arena arena;
    struct pl_pool pool;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    check_walk(input, pl_query_next);
    check_walk(input, pl_cookie_next);
    pl_media_split(input, &params);
    if (params.data != NULL)
        check_walk(params, pl_params_next);
    check_gets(input, &arena);
    pl_media_param(input, PL_STR("boundary"), &arena);
    check_set_cookie(input, &pool);
    check_negotiation(input);
    pl_arena_fini(&arena);
    PL_ASSERT(pool.account.used == 0);
    pl_pool_fini(&pool);
    return 0;
}
