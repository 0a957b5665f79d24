#include "http/h2_hpack.h"

#include <nghttp2/nghttp2.h>

#include "base/error.h"
#include "base/str.h"
#include "http/h2.h"

struct pl_h2_hpack {
    struct pl_pool *pool;
    struct pl_account *account;
    nghttp2_mem mem;
    nghttp2_hd_deflater *out; /* of what we send */
    nghttp2_hd_inflater *in;
};

/* ---- memory ---- */

/* In front of each block: nghttp2 does not say how large it was. */
union size {
    size_t bytes;
    max_align_t align;
};

static void *hpack_malloc(size_t size, void *arg)
{
    struct pl_h2_hpack *hpack = arg;
    size_t bytes = pl_pool_round(sizeof(union size) + size);
    union size *block;

    if (pl_account_charge(hpack->account, bytes) < 0)
        return NULL;
    block = pl_pool_get(hpack->pool, bytes);
    if (block == NULL) {
        pl_account_release(hpack->account, bytes);
        return NULL;
    }
    block->bytes = bytes;
    return block + 1;
}

static void hpack_free(void *ptr, void *arg)
{
    struct pl_h2_hpack *hpack = arg;
    union size *block = ptr;
    size_t bytes;

    if (ptr == NULL)
        return;
    block--;
    bytes = block->bytes;
    pl_pool_put(hpack->pool, block, bytes);
    pl_account_release(hpack->account, bytes);
}

static void *hpack_calloc(size_t n, size_t size, void *arg)
{
    void *block = hpack_malloc(n * size, arg);

    if (block != NULL)
        memset(block, 0, n * size);
    return block;
}

static void *hpack_realloc(void *ptr, size_t size, void *arg)
{
    size_t had =
        ptr == NULL ? 0 : ((union size *)ptr)[-1].bytes - sizeof(union size);
    void *block;

    if (size <= had)
        return ptr;
    block = hpack_malloc(size, arg);
    if (block == NULL)
        return NULL;
    if (had > 0)
        memcpy(block, ptr, had);
    hpack_free(ptr, arg);
    return block;
}

struct pl_h2_hpack *pl_h2_hpack_new(struct pl_pool *pool,
                                    struct pl_account *account)
{
    struct pl_h2_hpack *hpack;

    if (pl_account_charge(account, sizeof(*hpack)) < 0)
        return NULL;
    hpack = pl_pool_get_zeroed(pool, sizeof(*hpack));
    if (hpack == NULL) {
        pl_account_release(account, sizeof(*hpack));
        return NULL;
    }
    hpack->pool = pool;
    hpack->account = account;
    hpack->mem = (nghttp2_mem){hpack, hpack_malloc, hpack_free, hpack_calloc,
                               hpack_realloc};
    if (nghttp2_hd_inflate_new2(&hpack->in, &hpack->mem) == 0 &&
        nghttp2_hd_deflate_new2(&hpack->out, PL_H2_TABLE, &hpack->mem) == 0)
        return hpack;
    pl_h2_hpack_free(hpack);
    return NULL;
}

void pl_h2_hpack_free(struct pl_h2_hpack *hpack)
{
    struct pl_account *account;

    if (hpack == NULL)
        return;
    account = hpack->account;
    if (hpack->in != NULL)
        nghttp2_hd_inflate_del(hpack->in);
    if (hpack->out != NULL)
        nghttp2_hd_deflate_del(hpack->out);
    pl_pool_put(hpack->pool, hpack, sizeof(*hpack));
    pl_account_release(account, sizeof(*hpack));
}

/* nghttp2 got no memory: was that because the connection may hold no more?
 * refused: how often it had been told so before. */
static int no_memory(const struct pl_h2_hpack *hpack, uint64_t refused)
{
    return hpack->account->refused > refused ? PL_ERR_LIMIT : PL_ERR_NOMEM;
}

/* ---- in ---- */

int pl_h2_hpack_next(struct pl_h2_hpack *hpack, struct pl_str *block,
                     struct pl_str *name, struct pl_str *value)
{
    uint64_t refused = hpack->account->refused;
    nghttp2_nv field;
    int flags = 0;
    ssize_t used = nghttp2_hd_inflate_hd2(
        hpack->in, &field, &flags, (const uint8_t *)block->data, block->len, 1);

    if (used < 0)
        return used == NGHTTP2_ERR_NOMEM ? no_memory(hpack, refused)
                                         : PL_ERR_PROTO;
    *block = pl_str_skip(*block, (size_t)used);
    if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        *name = pl_str((const char *)field.name, field.namelen);
        *value = pl_str((const char *)field.value, field.valuelen);
        return 1;
    }
    nghttp2_hd_inflate_end_headers(hpack->in);
    return 0;
}

/* ---- out ---- */

/* A length takes at most 6 bytes, and text is written plainly where Huffman's
 * code would be longer. Two changes of the table's size may come first. */
size_t pl_h2_hpack_bound(const struct pl_h2_field *fields, unsigned n)
{
    size_t bound = 12;

    for (unsigned i = 0; i < n; i++)
        bound += 12 + fields[i].name.len + fields[i].value.len;
    return bound;
}

ssize_t pl_h2_hpack_write(struct pl_h2_hpack *hpack,
                          const struct pl_h2_field *fields, unsigned n,
                          char *out, size_t room)
{
    enum { AT_ONCE = 16 }; /* this may run on the stack of a fiber */
    nghttp2_nv list[AT_ONCE];
    size_t total = 0;

    /* A header block is the concatenation of its fields. */
    for (unsigned from = 0, part; from < n; from += part) {
        ssize_t len;

        part = PL_MIN(n - from, (unsigned)AT_ONCE);
        for (unsigned i = 0; i < part; i++)
            list[i] = (nghttp2_nv){
                .name = (uint8_t *)fields[from + i].name.data,
                .value = (uint8_t *)fields[from + i].value.data,
                .namelen = fields[from + i].name.len,
                .valuelen = fields[from + i].value.len,
                .flags = NGHTTP2_NV_FLAG_NONE,
            };
        len = nghttp2_hd_deflate_hd(hpack->out, (uint8_t *)out + total,
                                    room - total, list, part);
        if (len < 0)
            return PL_ERR_NOMEM;
        total += (size_t)len;
    }
    return (ssize_t)total;
}

int pl_h2_hpack_resize(struct pl_h2_hpack *hpack, uint32_t size)
{
    uint64_t refused = hpack->account->refused;

    return nghttp2_hd_deflate_change_table_size(
               hpack->out, PL_MIN(size, (uint32_t)PL_H2_TABLE)) == 0
               ? 0
               : no_memory(hpack, refused);
}

const char *pl_h2_library(void)
{
    return nghttp2_version(0)->version_str;
}
