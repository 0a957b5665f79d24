/* fuzz_cgi_head.c - any bytes as what a script has printed: the head that is
 * found has its end where an empty line is, and one byte less has none. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "http/cgi_head.h"
#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t read_head(struct pl_str text)
{
    struct pl_pool pool;
    struct pl_request req = {.magic = PL_REQUEST_MAGIC};
    ssize_t used;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&req.arena, &pool, NULL);
    pl_response_reset(&req.response);
    used = pl_cgi_read_head(&req.response, text);
    if (used >= 0)
        PL_ASSERT(req.response.status == 0 || req.response.status >= 200);
    pl_arena_fini(&req.arena);
    pl_pool_fini(&pool);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str text = pl_str((const char *)data, size);
    ssize_t used = read_head(text);

    if (used < 0) {
        PL_ASSERT(used == PL_ERR_AGAIN || used == PL_ERR_PROTO);
        return 0;
    }
    PL_ASSERT(used > 1 && (size_t)used <= size && data[used - 1] == '\n');
    PL_ASSERT(read_head(pl_str_first(text, (size_t)used)) == used);
    PL_ASSERT(read_head(pl_str_first(text, (size_t)used - 1)) == PL_ERR_AGAIN);
    return 0;
}
