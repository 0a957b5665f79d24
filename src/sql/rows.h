/* rows.h - what a statement has found, packed: made by a driver on whatever
 * thread, read on the worker.
 *
 *     columns: for each: length, name        cells, row by row: type, value
 *
 * A length has 32 bits, a number 64, in the machine's order: the bytes never
 * leave the process. Inline, for drivers are linked to nothing of ours. */
#ifndef PL_SQL_ROWS_H
#define PL_SQL_ROWS_H

#include <perilune.h>
#include <string.h>

#include "base/compiler.h"

enum pl_sql_type {
    PL_SQL_NULL,
    PL_SQL_INTEGER, /* 64 bits */
    PL_SQL_REAL,
    PL_SQL_TEXT,
    PL_SQL_BLOB,
    PL_SQL_BOOL,
    PL_SQL_DECIMAL, /* a number as its text: exact */
};

/* Any thread. */
struct pl_sql_memory {
    void *(*malloc)(size_t size);
    void (*free)(void *block);
};

struct pl_sql_rows {
    char *data;
    size_t len, cap, limit; /* limit: 0 is none */
    size_t cells;           /* where they begin */
    unsigned columns;
    uint32_t count;
    int err; /* PL_ERR_NOMEM or PL_ERR_LIMIT: what follows is ignored */
};

PL_INLINE void pl_sql_rows_free(struct pl_sql_rows *rows,
                                const struct pl_sql_memory *memory)
{
    memory->free(rows->data);
    *rows = (struct pl_sql_rows){.limit = rows->limit};
}

/* ---- writing ---- */

static inline bool pl_sql_rows_grow(struct pl_sql_rows *rows,
                                    const struct pl_sql_memory *memory,
                                    size_t more)
{
    size_t cap = rows->cap == 0 ? 512 : rows->cap;
    char *data;

    if (rows->err == 0 && rows->limit > 0 && more > rows->limit - rows->len)
        rows->err = PL_ERR_LIMIT;
    if (rows->err < 0)
        return false;
    while (cap - rows->len < more)
        cap *= 2;
    data = memory->malloc(cap);
    if (data == NULL) {
        rows->err = PL_ERR_NOMEM;
        return false;
    }
    if (rows->len > 0)
        memcpy(data, rows->data, rows->len);
    memory->free(rows->data);
    rows->data = data;
    rows->cap = cap;
    return true;
}

PL_INLINE bool pl_sql_rows_reserve(struct pl_sql_rows *rows,
                                   const struct pl_sql_memory *memory,
                                   size_t more)
{
    return PL_LIKELY(rows->err == 0 && more <= rows->cap - rows->len &&
                     (rows->limit == 0 || more <= rows->limit - rows->len)) ||
           pl_sql_rows_grow(rows, memory, more);
}

PL_INLINE void pl_sql_rows_put(struct pl_sql_rows *rows, const void *data,
                               size_t len)
{
    if (len > 0)
        memcpy(rows->data + rows->len, data, len);
    rows->len += len;
}

/* The columns come first, one by one. */
PL_INLINE void pl_sql_rows_column(struct pl_sql_rows *rows,
                                  const struct pl_sql_memory *memory,
                                  const char *name)
{
    uint32_t len = (uint32_t)strlen(name);

    if (!pl_sql_rows_reserve(rows, memory, sizeof(len) + len))
        return;
    pl_sql_rows_put(rows, &len, sizeof(len));
    pl_sql_rows_put(rows, name, len);
    rows->columns++;
    rows->cells = rows->len;
}

PL_INLINE void pl_sql_rows_null(struct pl_sql_rows *rows,
                                const struct pl_sql_memory *memory)
{
    if (pl_sql_rows_reserve(rows, memory, 1))
        rows->data[rows->len++] = PL_SQL_NULL;
}

/* An INTEGER, BOOL (int64_t) or REAL (double). */
PL_INLINE void pl_sql_rows_number(struct pl_sql_rows *rows,
                                  const struct pl_sql_memory *memory,
                                  enum pl_sql_type type, const void *number)
{
    if (!pl_sql_rows_reserve(rows, memory, 1 + sizeof(int64_t)))
        return;
    rows->data[rows->len++] = (char)type;
    pl_sql_rows_put(rows, number, sizeof(int64_t));
}

/* A TEXT, BLOB or DECIMAL. */
PL_INLINE void pl_sql_rows_text(struct pl_sql_rows *rows,
                                const struct pl_sql_memory *memory,
                                enum pl_sql_type type, struct pl_str text)
{
    uint32_t len = (uint32_t)text.len;

    if (!pl_sql_rows_reserve(rows, memory, 1 + sizeof(len) + text.len))
        return;
    rows->data[rows->len++] = (char)type;
    pl_sql_rows_put(rows, &len, sizeof(len));
    pl_sql_rows_put(rows, text.data, text.len);
}

/* ---- reading ---- */

/* Takes a text with its length off the front of *at. */
PL_INLINE struct pl_str pl_sql_rows_take(const char **at)
{
    uint32_t len;
    const char *data = *at + sizeof(len);

    memcpy(&len, *at, sizeof(len));
    *at = data + len;
    return (struct pl_str){data, len};
}

#endif
