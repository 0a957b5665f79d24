/* rows.c - what PostgreSQL answers, as typed cells: its text form, read by the
 * types of pg_type.dat, whose numbers never change. */
#include <stdlib.h>

#include "plugins/postgres/postgres.h"

enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_OID = 26,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_NUMERIC = 1700,
};

void pl_postgres_put_columns(const PGresult *res, struct pl_sql_rows *rows)
{
    int n = PQnfields(res);

    for (int i = 0; i < n; i++)
        pl_sql_rows_column(rows, pl_postgres_memory, PQfname(res, i));
}

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* "\x0a1b": the form since 9.0; the older one stays text. */
static void put_bytes(struct pl_sql_rows *rows, struct pl_str text)
{
    uint32_t len = (uint32_t)(text.len - 2) / 2;

    if (text.len < 2 || text.data[0] != '\\' || text.data[1] != 'x') {
        pl_sql_rows_text(rows, pl_postgres_memory, PL_SQL_BLOB, text);
        return;
    }
    if (!pl_sql_rows_reserve(rows, pl_postgres_memory, 1 + sizeof(len) + len))
        return;
    rows->data[rows->len++] = PL_SQL_BLOB;
    pl_sql_rows_put(rows, &len, sizeof(len));
    for (size_t i = 2; i + 1 < text.len; i += 2)
        rows->data[rows->len++] =
            (char)(digit(text.data[i]) << 4 | digit(text.data[i + 1]));
}

static void put_cell(struct pl_sql_rows *rows, Oid type, struct pl_str text)
{
    int64_t integer;
    double real;

    switch (type) {
    case TYPE_BOOL:
        integer = text.data[0] == 't';
        pl_sql_rows_number(rows, pl_postgres_memory, PL_SQL_BOOL, &integer);
        break;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
        integer = strtoll(text.data, NULL, 10);
        pl_sql_rows_number(rows, pl_postgres_memory, PL_SQL_INTEGER, &integer);
        break;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        real = strtod(text.data, NULL); /* "Infinity" and "NaN", too */
        pl_sql_rows_number(rows, pl_postgres_memory, PL_SQL_REAL, &real);
        break;
    case TYPE_BYTEA:
        put_bytes(rows, text);
        break;
    default:
        pl_sql_rows_text(rows, pl_postgres_memory,
                         type == TYPE_NUMERIC ? PL_SQL_DECIMAL : PL_SQL_TEXT,
                         text);
    }
}

void pl_postgres_put_rows(const PGresult *res, struct pl_sql_rows *rows)
{
    int n = PQntuples(res), columns = PQnfields(res);

    for (int row = 0; row < n && rows->err == 0; row++) {
        for (int i = 0; i < columns; i++) {
            struct pl_str text = {PQgetvalue(res, row, i),
                                  (size_t)PQgetlength(res, row, i)};

            if (PQgetisnull(res, row, i))
                pl_sql_rows_null(rows, pl_postgres_memory);
            else
                put_cell(rows, PQftype(res, i), text);
        }
        rows->count++;
    }
}
