#include "base/buf.h"

#include <stdio.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

enum { SMALLEST = 256 };

void pl_buf_init(struct pl_buf *buf, struct pl_pool *pool,
                 struct pl_account *account, size_t limit)
{
    *buf = (struct pl_buf){.limit = limit, .pool = pool, .account = account};
}

static inline void release(struct pl_buf *buf)
{
    if (buf->data == NULL)
        return;
    pl_pool_put(buf->pool, buf->data, buf->cap);
    pl_account_release(buf->account, buf->cap);
}

void pl_buf_fini(struct pl_buf *buf)
{
    release(buf);
    buf->data = NULL;
    buf->len = buf->cap = 0;
    buf->err = 0;
}

static int move_to(struct pl_buf *buf, size_t cap)
{
    char *data;

    if (pl_account_charge(buf->account, cap) < 0)
        return PL_ERR_LIMIT;
    data = pl_pool_get(buf->pool, cap);
    if (data == NULL) {
        pl_account_release(buf->account, cap);
        return PL_ERR_NOMEM;
    }
    if (buf->len > 0)
        memcpy(data, buf->data, buf->len);
    release(buf);
    buf->data = data;
    buf->cap = cap;
    return 0;
}

/* Room for more bytes that count against the limit, and spare that do not. */
static int reserve(struct pl_buf *buf, size_t more, size_t spare)
{
    size_t need = buf->len + more, cap;

    if (buf->err < 0)
        return buf->err;
    if (need < more || need + spare < need ||
        (buf->limit != 0 && need > buf->limit))
        return buf->err = PL_ERR_LIMIT;
    need += spare;
    if (need <= buf->cap && buf->data != NULL)
        return 0;
    cap = PL_MAX(buf->cap + buf->cap / 2, SMALLEST);
    if (buf->limit != 0)
        cap = PL_MIN(cap, buf->limit);
    return buf->err = move_to(buf, pl_pool_round(PL_MAX(need, cap)));
}

int pl_buf_grow(struct pl_buf *buf, size_t more)
{
    return reserve(buf, more, 0);
}

int pl_buf_add(struct pl_buf *buf, struct pl_str bytes)
{
    if (PL_UNLIKELY(pl_buf_reserve(buf, bytes.len) < 0))
        return buf->err;
    if (bytes.len > 0)
        memcpy(buf->data + buf->len, bytes.data, bytes.len);
    buf->len += bytes.len;
    return 0;
}

int pl_buf_add_u64(struct pl_buf *buf, uint64_t value)
{
    char digits[20];

    return pl_buf_add(buf,
                      (struct pl_str){digits, pl_u64_format(digits, value)});
}

int pl_buf_vprintf(struct pl_buf *buf, const char *fmt, va_list ap)
{
    va_list again;
    int len;

    if (buf->err < 0)
        return buf->err;
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        return buf->err = PL_ERR_INVALID;
    if (reserve(buf, (size_t)len, 1) < 0) /* the NUL is not kept */
        return buf->err;
    vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
    buf->len += (size_t)len;
    return 0;
}

int pl_buf_printf(struct pl_buf *buf, const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    err = pl_buf_vprintf(buf, fmt, ap);
    va_end(ap);
    return err;
}

void pl_buf_consume(struct pl_buf *buf, size_t n)
{
    PL_ASSERT(n <= buf->len);
    buf->len -= n;
    if (buf->len > 0)
        memmove(buf->data, buf->data + n, buf->len);
}
