/* fuzz_uri.c - any bytes as a request target: what comes out of it keeps the
 * promises of uri.h. The first byte picks the method. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "http/chars.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct pl_str part, struct pl_str whole)
{
    return part.data == NULL ||
           (part.data >= whole.data &&
            part.data + part.len <= whole.data + whole.len);
}

static void check_host(struct pl_str host)
{
    PL_ASSERT(host.len > 0);
    for (size_t i = 0; i < host.len; i++)
        PL_ASSERT(pl_char_is(host.data[i], PL_CHAR_HOST) ||
                  (host.data[0] == '[' && strchr("[]:", host.data[i])));
}

static void check_target(struct pl_str target, enum pl_method method,
                         struct pl_uri *uri)
{
    if (pl_uri_parse_target(target, method, uri) < 0) {
        uri->path = pl_str(NULL, 0);
        return;
    }
    PL_ASSERT(is_inside(uri->scheme, target) && is_inside(uri->host, target) &&
              is_inside(uri->query, target));
    PL_ASSERT((uri->path.data == NULL) == (method == PL_METHOD_CONNECT));
    PL_ASSERT(pl_str_chr(uri->path, '?') < 0);
    if (uri->host.data != NULL)
        check_host(uri->host);
    else
        PL_ASSERT(uri->port == 0 && uri->scheme.data == NULL);
}

static void check_path(struct pl_str raw, struct pl_arena *arena)
{
    struct pl_str path, rest, segment;

    if (pl_uri_decode_path(raw, arena, &path) < 0)
        return;
    PL_ASSERT(path.len > 0 && path.len <= PL_MAX(raw.len, 1));
    PL_ASSERT(path.data[0] == '/' && pl_str_chr(path, '\0') < 0);
    PL_ASSERT(raw.len == 0 || pl_str_chr(raw, '\\') < 0);
    rest = path;
    while (pl_str_split(&rest, '/', &segment))
        PL_ASSERT(!pl_str_eq(segment, PL_STR(".")) &&
                  !pl_str_eq(segment, PL_STR("..")));
    if (path.data == raw.data)
        PL_ASSERT(path.len == raw.len && pl_str_chr(raw, '%') < 0);
}

static void check_component(struct pl_str raw, struct pl_pool *pool,
                            struct pl_arena *arena)
{
    struct pl_str text = pl_uri_decode(raw, arena, true);
    struct pl_buf buf;

    PL_ASSERT(text.len <= raw.len && pl_uri_decodes_to(raw, text));
    pl_buf_init(&buf, pool, NULL, 0);
    PL_ASSERT(pl_uri_encode(text, "", &buf) == 0);
    PL_ASSERT(pl_str_eq(pl_uri_decode(pl_buf_str(&buf), arena, true), text));
    pl_buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_arena arena;
    struct pl_pool pool;
    struct pl_str input;
    struct pl_uri uri;

    if (size == 0)
        return 0;
    input = pl_str((const char *)data + 1, size - 1);
    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    check_target(input, data[0] % (PL_METHOD_COUNT + 1), &uri);
    check_path(uri.path, &arena);
    check_path(input, &arena);
    check_component(input, &pool, &arena);
    pl_arena_fini(&arena);
    PL_ASSERT(pool.account.used == 0);
    pl_pool_fini(&pool);
    return 0;
}
