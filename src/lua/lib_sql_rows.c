/* lib_sql_rows.c - rows that a query has found (sql/rows.h) as Lua values. */
#include <stdio.h>
#include <stdlib.h>

#include "lua/lib_sql.h"

struct reader {
    lua_State *L;
    const struct pl_lua_base *base;
    const char *at;
    int columns; /* stack index of the first column's name */
    int n;
    int null; /* stack index of what stands for NULL */
};

void pl_lua_push_int64(lua_State *L, int64_t integer, bool exact)
{
    const int64_t most = (int64_t)1 << 53;
    char text[24];

    if (!PL_LUAJIT) {
        lua_pushinteger(L, (lua_Integer)integer);
    } else if (!exact || (integer >= -most && integer <= most)) {
        lua_pushnumber(L, (lua_Number)integer);
    } else {
        snprintf(text, sizeof(text), "%lld", (long long)integer);
        lua_pushstring(L, text);
    }
}

static void push_decimal(struct reader *reader, struct pl_str text)
{
    lua_pushlstring(reader->L, text.data, text.len);
    if (reader->base->decimals) {
        lua_pushnumber(reader->L, strtod(lua_tostring(reader->L, -1), NULL));
        lua_remove(reader->L, -2);
    }
}

/* Takes one cell, and pushes it. */
static void push_cell(struct reader *reader)
{
    enum pl_sql_type type = (enum pl_sql_type) * reader->at++;
    struct pl_str text;
    int64_t integer;
    double real;

    switch (type) {
    case PL_SQL_NULL:
        lua_pushvalue(reader->L, reader->null);
        return;
    case PL_SQL_REAL:
        memcpy(&real, reader->at, sizeof(real));
        reader->at += sizeof(real);
        lua_pushnumber(reader->L, real);
        return;
    case PL_SQL_INTEGER:
    case PL_SQL_BOOL:
        memcpy(&integer, reader->at, sizeof(integer));
        reader->at += sizeof(integer);
        if (type == PL_SQL_BOOL)
            lua_pushboolean(reader->L, integer != 0);
        else
            pl_lua_push_int64(reader->L, integer, reader->base->text_integers);
        return;
    case PL_SQL_DECIMAL:
        push_decimal(reader, pl_sql_rows_take(&reader->at));
        return;
    default:
        text = pl_sql_rows_take(&reader->at);
        lua_pushlstring(reader->L, text.data, text.len);
    }
}

/* A table by the columns' names. Of equal ones the last wins. */
static void push_row(struct reader *reader)
{
    lua_State *L = reader->L;

    lua_createtable(L, 0, reader->n);
    for (int i = 0; i < reader->n; i++) {
        lua_pushvalue(L, reader->columns + i);
        push_cell(reader);
        lua_rawset(L, -3);
    }
}

/* (query, base, null): what they all are given. */
static const struct pl_sql_rows *open_rows(lua_State *L, struct reader *reader)
{
    const struct pl_lua_query *query = pl_lua_check_query(L, 1);
    const struct pl_sql_rows *rows = &query->order->call.answer.rows;

    lua_settop(L, 3);
    *reader = (struct reader){.L = L,
                              .base = lua_touserdata(L, 2),
                              .at = rows->data,
                              .columns = 4,
                              .n = (int)rows->columns,
                              .null = 3};
    luaL_checkstack(L, reader->n + 6, "too many columns");
    for (int i = 0; i < reader->n; i++) {
        struct pl_str name = pl_sql_rows_take(&reader->at);

        lua_pushlstring(L, name.data, name.len);
    }
    return rows;
}

/* rows(query, base, null) -> list of rows, number of them, list of columns */
int pl_lua_sql_rows(lua_State *L)
{
    struct reader reader;
    const struct pl_sql_rows *rows = open_rows(L, &reader);

    lua_createtable(L, (int)rows->count, 0);
    for (uint32_t i = 0; i < rows->count; i++) {
        push_row(&reader);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_pushinteger(L, (lua_Integer)rows->count);
    lua_createtable(L, reader.n, 0);
    for (int i = 0; i < reader.n; i++) {
        lua_pushvalue(L, reader.columns + i);
        lua_rawseti(L, -2, i + 1);
    }
    return 3;
}

/* first(query, base, null) -> the first row, or nil */
int pl_lua_sql_first(lua_State *L)
{
    struct reader reader;

    if (open_rows(L, &reader)->count == 0)
        return 0;
    push_row(&reader);
    return 1;
}

/* value(query, base, null) -> the first cell of the first row, or nil */
int pl_lua_sql_value(lua_State *L)
{
    struct reader reader;

    if (open_rows(L, &reader)->count == 0 || reader.n == 0)
        return 0;
    push_cell(&reader);
    return 1;
}
