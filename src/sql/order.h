/* order.h - a call (driver.h) together with its memory: one block for the text,
 * the values and their bytes. It outlives who has given it, if that leaves
 * before the driver is through with it. */
#ifndef PL_SQL_ORDER_H
#define PL_SQL_ORDER_H

#include "sql/driver.h"

extern const struct pl_sql_memory pl_sql_memory;

/* Filled by the functions below: the values in their order, then it is ready.
 */
struct pl_sql_order {
    struct pl_sql_call call; /* the first member */
    size_t size, used;       /* of the bytes behind the values */
    unsigned room;           /* values that there is room for */
    char *bytes;
    struct pl_sql_value values[];
};

/* Makes *order (NULL: there is none yet) fit for a call with so many values and
 * bytes of texts in all, the statement's own included; what it was is
 * forgotten, but the memory of its rows is used again. limit: most bytes of an
 * answer. Returns 0 or PL_ERR_NOMEM (*order is as it was). */
int pl_sql_order_fit(struct pl_sql_order **order, enum pl_sql_kind kind,
                     struct pl_str text, unsigned values, size_t bytes,
                     size_t limit);

/* The next value. Copies. */
void pl_sql_order_add(struct pl_sql_order *order,
                      const struct pl_sql_value *value);

/* May be NULL. */
void pl_sql_order_free(struct pl_sql_order *order);

/* A failure that did not come from a driver. */
void pl_sql_fail(struct pl_sql_order *order, int err, const char *fmt, ...)
    PL_PRINTF(3, 4);

#endif
