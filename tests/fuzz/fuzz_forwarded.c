/* fuzz_forwarded.c - any bytes as a Forwarded or X-Forwarded-For field: nothing
 * is read beyond them, and the client is never a trusted hop that has an
 * untrusted one before it. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_trusted(const struct pl_trust *trust, const struct pl_hop *hop)
{
    return hop->addr.len > 0 && pl_trust_has(trust, &hop->addr);
}

static void check_field(struct pl_str field, const struct pl_trust *trust,
                        struct pl_arena *arena)
{
    struct pl_str rest = field;
    struct pl_hop hop, client;
    bool all = true;
    int got;

    while ((got = pl_forwarded_next(&rest, arena, &hop)) > 0) {
        PL_ASSERT(hop.node.len > 0);
        all = all && is_trusted(trust, &hop);
    }
    PL_ASSERT(got == 0 || got == PL_ERR_PROTO);
    PL_ASSERT((pl_forwarded_client(field, trust, arena, &client) < 0) ==
              (got < 0));
    if (got == 0 && !all)
        PL_ASSERT(!is_trusted(trust, &client));
}

static void check_list(struct pl_str list, const struct pl_trust *trust)
{
    struct pl_hop client;
    unsigned hops;
    struct pl_str word;

    if (pl_forwarded_for_client(list, trust, &client, &hops) <= 0)
        return;
    word = pl_forwarded_from_right(list, hops);
    PL_ASSERT(word.data >= list.data &&
              word.data + word.len <= list.data + list.len);
    PL_ASSERT(client.addr.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str field = pl_str((const char *)data, size);
    const struct pl_trust *trust;
    struct pl_arena arena;
    struct pl_pool pool;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    PL_ASSERT(pl_trust_parse(PL_STR("10.0.0.0/8 ::1"), &arena, &trust, NULL) ==
              0);
    check_field(field, trust, &arena);
    check_list(field, trust);
    pl_trust_valid(field);
    pl_forwarded_valid(field);
    pl_arena_fini(&arena);
    PL_ASSERT(pool.account.used == 0);
    pl_pool_fini(&pool);
    return 0;
}
