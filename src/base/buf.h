/* buf.h - a growing byte buffer with a limit, in blocks of the worker's pool.
 *
 * Once an append is refused the buffer stays failed (err) and ignores further
 * appends, so that a chain of them needs one check at its end. */
#ifndef PL_BASE_BUF_H
#define PL_BASE_BUF_H

#include <perilune.h>
#include <string.h>

#include "base/pool.h"

struct pl_buf {
    char *data;
    size_t len, cap;
    size_t limit; /* largest len; 0 = unlimited */
    struct pl_pool *pool;
    struct pl_account *account; /* may be NULL */
    int err;                    /* 0, PL_ERR_LIMIT or PL_ERR_NOMEM */
};

/* Allocates nothing yet. Borrows pool and account. */
void pl_buf_init(struct pl_buf *buf, struct pl_pool *pool,
                 struct pl_account *account, size_t limit);
void pl_buf_fini(struct pl_buf *buf); /* may be used again afterwards */

int pl_buf_grow(struct pl_buf *buf, size_t more); /* for pl_buf_reserve */

/* Makes room for more bytes behind len. Returns 0 or the error. */
PL_INLINE int pl_buf_reserve(struct pl_buf *buf, size_t more)
{
    if (PL_LIKELY(more < buf->cap - buf->len && buf->err == 0 &&
                  (buf->limit == 0 || more <= buf->limit - buf->len)))
        return 0;
    return pl_buf_grow(buf, more);
}

/* Appends; returns 0 or the error. bytes may not lie in buf itself. */
int pl_buf_add(struct pl_buf *buf, struct pl_str bytes);

PL_INLINE int pl_buf_addc(struct pl_buf *buf, char c)
{
    if (PL_UNLIKELY(pl_buf_reserve(buf, 1) < 0))
        return buf->err;
    buf->data[buf->len++] = c;
    return 0;
}

int pl_buf_add_u64(struct pl_buf *buf, uint64_t value);
int pl_buf_printf(struct pl_buf *buf, const char *fmt, ...) PL_PRINTF(2, 3);
int pl_buf_vprintf(struct pl_buf *buf, const char *fmt, va_list ap);

/* Drops the first n bytes (moves the rest to the front). */
void pl_buf_consume(struct pl_buf *buf, size_t n);

PL_INLINE struct pl_str pl_buf_str(const struct pl_buf *buf)
{
    return (struct pl_str){buf->data == NULL ? "" : buf->data, buf->len};
}

#endif
