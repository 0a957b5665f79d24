/* fuzz_pack.c - any bytes as a packed value: what the reader takes is what the
 * writer writes, byte for byte, and Lua gets it back the same. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "lua/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy(struct pl_buf *out, const struct pl_packed *value)
{
    switch (value->type) {
    case PL_PACKED_NIL:
        pl_pack_nil(out);
        break;
    case PL_PACKED_NULL:
        pl_pack_null(out);
        break;
    case PL_PACKED_BOOL:
        pl_pack_bool(out, value->boolean);
        break;
    case PL_PACKED_INTEGER:
        pl_pack_integer(out, value->integer);
        break;
    case PL_PACKED_DOUBLE:
        pl_pack_double(out, value->number);
        break;
    case PL_PACKED_STRING:
        pl_pack_string(out, value->string);
        break;
    case PL_PACKED_TABLE:
        pl_pack_table(out, value->table.list, value->table.pairs,
                      value->table.marked);
        break;
    }
}

/* All values of bytes, in their order. */
static void check_same(struct pl_str bytes, struct pl_pool *pool)
{
    struct pl_packed value;
    struct pl_unpack in;
    struct pl_buf out;

    pl_buf_init(&out, pool, NULL, 0);
    pl_pack_begin(&out);
    PL_ASSERT(pl_unpack_begin(&in, bytes) == 0);
    while (pl_unpack_end(&in) < 0) {
        PL_ASSERT(pl_unpack_next(&in, &value) == 0);
        copy(&out, &value);
    }
    PL_ASSERT(pl_str_eq(pl_buf_str(&out), bytes));
    pl_buf_fini(&out);
}

/* Packs what is on top of the stack. */
static struct pl_str pack(lua_State *L, struct pl_buf *out)
{
    struct pl_error error;

    PL_ASSERT(pl_lua_pack(L, -1, out, &error) == 0);
    PL_ASSERT(pl_pack_check(pl_buf_str(out)) == 0);
    return pl_buf_str(out);
}

/* The order of pairs is Lua's, so that only the lengths must agree. */
static void check_lua(struct pl_str bytes, struct pl_pool *pool, bool whole)
{
    lua_State *L = luaL_newstate();
    struct pl_buf once, twice;

    pl_buf_init(&once, pool, NULL, 0);
    pl_buf_init(&twice, pool, NULL, 0);
    if (pl_lua_unpack(L, bytes) == 0) {
        PL_ASSERT(whole);
        PL_ASSERT(pl_lua_unpack(L, pack(L, &once)) == 0);
        PL_ASSERT(pack(L, &twice).len == once.len);
    }
    pl_buf_fini(&once);
    pl_buf_fini(&twice);
    lua_close(L);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str bytes = pl_str((const char *)data, size);
    bool whole = pl_pack_check(bytes) == 0;
    struct pl_pool pool;

    pl_pool_init(&pool, NULL, 0);
    if (whole)
        check_same(bytes, &pool);
    check_lua(bytes, &pool, whole);
    pl_pool_fini(&pool);
    return 0;
}
