/* lib_hijack.c - req:hijack() (lua/perilune/lib/hijack.lua). */
#include "http/again.h"
#include "http/hijack.h"
#include "lua/lib_socket.h"
#include "lua/move.h"
#include "lua/parts.h"
#include "lua/wait.h"
#include "lua/web_priv.h"

/* wait(req) -> 0 or PL_ERR_CANCELED: until nobody reads the connection. */
static int wait_turn(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "req:hijack");

    pl_web_check(L, 1, PL_WEB_REQUEST);
    pl_sleep_begin(&co->own.sleep, co->task.sched,
                   pl_now(co->task.sched->loop));
    return pl_co_wait(L, co, &co->own.sleep.op, 0);
}

/* take(req) -> 0, handle, whether an older generation has had it, what that has
 * left as its state; or PL_ERR_* */
static int take(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_socket **home = pl_lua_new_socket(L), *socket;
    int err = pl_hijack(req, &socket);

    lua_pushinteger(L, err);
    if (err < 0)
        return 1;
    pl_socket_set_home(socket, home);
    pl_socket_set_owner(socket, pl_task_current());
    lua_insert(L, -2);
    lua_pushboolean(L, req->again != NULL);
    if (req->again == NULL)
        return 3;
    pl_vm_push_packed(L, req->again->state);
    return 4;
}

const luaL_Reg pl_lua_hijack[] = {
    {"wait", wait_turn},
    {"take", take},
    {NULL, NULL},
};
