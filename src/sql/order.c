#include "sql/order.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/sys.h"

enum { ROWS_KEPT = 64 * 1024, ROOM_STEP = 8 };

static void *allocate(size_t size)
{
    return pl_malloc(size);
}

const struct pl_sql_memory pl_sql_memory = {allocate, pl_free};

void pl_sql_order_free(struct pl_sql_order *order)
{
    if (order == NULL)
        return;
    pl_sql_rows_free(&order->call.answer.rows, &pl_sql_memory);
    pl_free(order);
}

/* An empty one that is large enough, in the place of *order. */
static int make_room(struct pl_sql_order **order, unsigned values, size_t size)
{
    unsigned room = (values | (ROOM_STEP - 1)) + 1;
    struct pl_sql_order *made;

    if (*order != NULL && (*order)->room >= values && (*order)->size >= size)
        return 0;
    size = (size | 255) + 1;
    made = pl_malloc(sizeof(*made) + room * sizeof(*made->values) + size);
    if (made == NULL)
        return PL_ERR_NOMEM;
    pl_sql_order_free(*order);
    made->call.answer.rows = (struct pl_sql_rows){.data = NULL};
    made->room = room;
    made->size = size;
    made->bytes = (char *)(made->values + room);
    *order = made;
    return 0;
}

static struct pl_str copy(struct pl_sql_order *order, struct pl_str text)
{
    char *to = order->bytes + order->used;

    PL_ASSERT(text.len < order->size - order->used);
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    order->used += text.len + 1;
    return (struct pl_str){to, text.len};
}

int pl_sql_order_fit(struct pl_sql_order **order, enum pl_sql_kind kind,
                     struct pl_str text, unsigned values, size_t bytes,
                     size_t limit)
{
    struct pl_sql_rows rows;

    if (make_room(order, values, text.len + bytes + values + 1) < 0)
        return PL_ERR_NOMEM;
    if ((*order)->call.answer.rows.cap > ROWS_KEPT)
        pl_sql_rows_free(&(*order)->call.answer.rows, &pl_sql_memory);
    rows = (*order)->call.answer.rows;
    (*order)->call = (struct pl_sql_call){
        .kind = kind,
        .values = (*order)->values,
        .answer = {.rows = {.data = rows.data, .cap = rows.cap, .limit = limit},
                   .changes = -1},
    };
    (*order)->used = 0;
    (*order)->call.text = copy(*order, text);
    return 0;
}

void pl_sql_order_add(struct pl_sql_order *order,
                      const struct pl_sql_value *value)
{
    struct pl_sql_value *to = &order->values[order->call.nvalues++];

    PL_ASSERT(order->call.nvalues <= order->room);
    *to = *value;
    if (value->type == PL_SQL_TEXT || value->type == PL_SQL_BLOB ||
        value->type == PL_SQL_DECIMAL)
        to->text = copy(order, value->text);
}

void pl_sql_fail(struct pl_sql_order *order, int err, const char *fmt, ...)
{
    struct pl_sql_failure *failure = &order->call.answer.failure;
    va_list ap;

    failure->err = err;
    failure->state[0] = '\0';
    va_start(ap, fmt);
    vsnprintf(failure->text, sizeof(failure->text), fmt, ap);
    va_end(ap);
}
