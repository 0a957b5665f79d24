/* lib_sql.h - what the two files of pl.sql share. */
#ifndef PL_LUA_LIB_SQL_H
#define PL_LUA_LIB_SQL_H

#include "lua/lib_socket.h"
#include "lua/vm_priv.h"
#include "sql/pool.h"

/* A userdata: a database as this VM has it. */
struct pl_lua_base {
    struct pl_sql_pool *pool; /* NULL: closed */
    struct pl_lua_kept kept;
    unsigned active;    /* calls that are under way */
    bool closed;        /* when the last of them is over, so is it */
    bool text_integers; /* those that Lua's numbers cannot hold are strings */
    bool decimals;      /* decimals are numbers */
};

/* A userdata. It ends with the task that has begun to use it, at the latest. */
struct pl_lua_lease {
    struct pl_sql_lease lease;
    struct pl_task_defer defer;
    struct pl_task *task; /* NULL: defer is not registered */
};

struct pl_lua_query {
    struct pl_sql_op op;
    struct pl_sql_order *order; /* between ask() and begin(), and after end() */
    struct pl_lua_base *base;
    struct pl_lua_lease *lease;
};

struct pl_lua_query *pl_lua_check_query(lua_State *L, int index);

/* Those beyond 2^53 are strings in LuaJIT, if exact. */
void pl_lua_push_int64(lua_State *L, int64_t integer, bool exact);

/* Functions of Lua: what a query has found. */
int pl_lua_sql_rows(lua_State *L);
int pl_lua_sql_first(lua_State *L);
int pl_lua_sql_value(lua_State *L);

#endif
