/* lib_magnet.c - the C half of pl.magnet (lua/perilune/lib/magnet.lua): what a
 * script prints, and the variables that it asks for.
 *
 * Both belong to the request of the task that runs, whichever function asks: a
 * script may keep functions in _G, and a later one calls them.
 *
 * What is printed gathers in the text of the response. Beyond SPILL the
 * response becomes a stream, and print() waits for its client; where it cannot
 * wait, it goes on gathering. */
#include <stdlib.h>

#include "base/str.h"
#include "http/cgi_head.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

/* Also: where the head of a script has its end, at the latest. */
enum { SPILL = 64 << 10 };

/* What its variables say of a script; all are absent where a web server has
 * said which one it is. */
struct script {
    struct pl_str filename, name;
    struct pl_str info; /* absent: there is none */
    struct pl_str root;
};

/* A script that answers a request; in its arena. */
struct run {
    struct pl_request *req;
    struct script script;
    bool headed; /* the head was read, and leaves */
    size_t sent; /* bytes of the text: its head, and what has left */
};

/* ---- whose ---- */

static struct pl_request *request_of(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_RESPONSE);
}

/* The run of the task, or of one that waits for it; NULL: there is none. */
static struct run *current(lua_State *L)
{
    const struct pl_task *task = pl_task_current();
    struct pl_request *req;
    struct run *run;

    while (task != NULL && task->owner == NULL)
        task = task->parent;
    req = task == NULL ? NULL : task->owner;
    if (req == NULL || req->lua == NULL ||
        !pl_web_push_table(L, req, PL_WEB_SLOT_RUN))
        return NULL;
    run = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return run;
}

static struct pl_str copy(lua_State *L, struct pl_request *req, int index)
{
    struct pl_str text = {NULL, 0};

    if (lua_isnoneornil(L, index))
        return text;
    text.data = luaL_checklstring(L, index, &text.len);
    text = pl_arena_str(&req->arena, text);
    if (text.data == NULL)
        pl_lua_no_memory(L, "pl.magnet");
    return text;
}

/* asked() -> does the command line say that the site is one of magnet's? and
 * the file that it names, or nil for a folder */
static int asked(lua_State *L)
{
    const struct pl_vm_options *options = &pl_vm_upvalue(L)->options;

    lua_pushboolean(L, options->dialect != NULL);
    lua_pushstring(L, options->script); /* NULL: nil */
    return 2;
}

/* named(req) -> the file that a web server says is to answer; or nil */
static int named(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);

    if (req->env == NULL) /* nobody has said anything */
        return 0;
    pl_lua_push_str(L, pl_request_env(req, PL_STR("SCRIPT_FILENAME")));
    return 1;
}

/* begin(res [, filename, name, info, root]): a script answers it, and has these
 * variables */
static int begin(lua_State *L)
{
    struct pl_request *req = request_of(L);
    struct run *run = pl_arena_alloc(&req->arena, sizeof(*run));

    if (run == NULL)
        return pl_lua_no_memory(L, "pl.magnet");
    *run = (struct run){.req = req,
                        .script = {.filename = copy(L, req, 2),
                                   .name = copy(L, req, 3),
                                   .info = copy(L, req, 4),
                                   .root = copy(L, req, 5)}};
    req->response.text.len = 0;
    lua_pushlightuserdata(L, run);
    pl_web_keep_table(L, req, PL_WEB_SLOT_RUN);
    return 0;
}

/* objects() -> req, res of the run; or nothing */
static int objects(lua_State *L)
{
    const struct run *run = current(L);

    if (run == NULL)
        return 0;
    pl_web_push_objects(L, run->req, NULL, true);
    return 2;
}

/* ---- output ---- */

static void add(lua_State *L, struct pl_buf *text, struct pl_str bytes)
{
    if (pl_buf_add(text, bytes) == 0)
        return;
    pl_buf_fini(text); /* clears the error */
    pl_lua_no_memory(L, "print");
}

/* put(at, ...) -> 0: all values from the at-th on are in the text; n: there is
 * no room for the n-th, send the text; nil: no script answers here */
static int put(lua_State *L)
{
    struct run *run = current(L);
    int top = lua_gettop(L), at = (int)lua_tointeger(L, 1);
    struct pl_buf *text;

    if (run == NULL)
        return 0;
    text = &run->req->response.text;
    for (; at < top; at++) {
        struct pl_str bytes;

        bytes.data = luaL_tolstring(L, at + 1, &bytes.len);
        if (text->len + bytes.len > SPILL && pl_co_can_wait(L)) {
            lua_pushinteger(L, at);
            return 1;
        }
        add(L, text, bytes);
        lua_pop(L, 1);
    }
    lua_pushinteger(L, 0);
    return 1;
}

static const char *fault_of(ssize_t result)
{
    return result == PL_ERR_AGAIN
               ? "there is no empty line behind the head that was printed"
               : "what was printed does not begin with a head (Content-Type: "
                 "text/html, say, and an empty line)";
}

/* The head, at the beginning of the text: its length, or a negative code. */
static ssize_t read_head(lua_State *L, struct pl_response *res)
{
    ssize_t used = pl_cgi_read_head(res, pl_buf_str(&res->text));

    if (used == PL_ERR_NOMEM)
        pl_lua_no_memory(L, "print");
    return used;
}

/* Before anything leaves: the head, which has its end in the first SPILL bytes.
 * Returns how many of value are now in the text. */
static size_t send_head(lua_State *L, struct run *run, struct pl_str value)
{
    struct pl_response *res = &run->req->response;
    size_t room = SPILL - PL_MIN(res->text.len, (size_t)SPILL);
    struct pl_str some = pl_str_first(value, room);
    ssize_t used;

    add(L, &res->text, some);
    used = read_head(L, res);
    if (used < 0)
        pl_lua_fail(L, "print: %s", fault_of(used));
    run->headed = true;
    run->sent = (size_t)used;
    return some.len;
}

/* The next piece: of the text, or of the value when that has gone. */
static int send_piece(struct run *run, struct pl_str value, size_t *from)
{
    struct pl_response *res = &run->req->response;
    struct pl_str rest = pl_str_skip(pl_buf_str(&res->text), run->sent);

    if (rest.len > 0) {
        rest = pl_str_first(rest, SPILL);
        run->sent += rest.len;
    } else {
        rest = pl_str_first(pl_str_skip(value, *from), SPILL);
        *from += rest.len;
    }
    return pl_response_push(res, rest);
}

/* push(res, at, from, ...) -> as res:write(), for a piece of the text and then
 * of the at-th value (0: of none), from that byte on; and, unless all of it has
 * left, the byte to go on from */
static int push(lua_State *L)
{
    struct pl_request *req = request_of(L);
    struct run *run = current(L);
    int at = (int)lua_tointeger(L, 2), result;
    size_t from = (size_t)lua_tointeger(L, 3);
    struct pl_str value = {NULL, 0};

    if (at > 0)
        value.data = luaL_tolstring(L, at + 3, &value.len);
    if (!run->headed)
        from += send_head(L, run, value);
    result = send_piece(run, value, &from);
    if (result == 0 && pl_loop_is_late(req->http->net->loop))
        result = 1;
    lua_pushinteger(L, result);
    if (run->sent < req->response.text.len || from < value.len) {
        lua_pushinteger(L, (lua_Integer)from);
        return 2;
    }
    req->response.text.len = run->sent = 0;
    return 1;
}

/* finish(res) -> true: it is over, and all of it is the response; false: some
 * of it has left, so the rest is to be pushed; or nil, what is wrong with it */
static int finish(lua_State *L)
{
    struct pl_response *res = &request_of(L)->response;
    bool answered = res->content != PL_CONTENT_NONE;
    ssize_t used;

    lua_pushboolean(L, !res->started);
    if (answered || (res->text.len == 0 && res->status != 0))
        return 1; /* by the objects of perilune, if it has not left */
    lua_pushnil(L);
    lua_pushliteral(L, "nothing was printed");
    if (res->text.len == 0)
        return 2;
    used = read_head(L, res);
    if (used < 0) {
        lua_pop(L, 1);
        lua_pushstring(L, fault_of(used));
        return 2;
    }
    pl_response_bytes(res, pl_str_skip(pl_buf_str(&res->text), (size_t)used),
                      NULL, NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- variables ---- */

/* Those of the script itself; false: a web server has said them, if anybody. */
static bool get_own(const struct script *script, struct pl_str name,
                    struct pl_str *value)
{
    const struct {
        struct pl_str name, value;
    } own[] = {
        {PL_STR("SCRIPT_FILENAME"), script->filename},
        {PL_STR("SCRIPT_NAME"), script->name},
        {PL_STR("PATH_INFO"), script->info},
        {PL_STR("DOCUMENT_ROOT"), script->root},
    };

    for (size_t i = 0; script->name.data != NULL && i < PL_COUNT(own); i++) {
        if (pl_str_eq(own[i].name, name)) {
            *value = own[i].value;
            return true;
        }
    }
    return false;
}

/* getenv(name) -> of the request that a script answers; else of the process */
static int get_variable(lua_State *L)
{
    struct run *run = current(L);
    struct pl_str name = {NULL, 0}, value = {NULL, 0};

    name.data = luaL_checklstring(L, 1, &name.len);
    if (run != NULL && !get_own(&run->script, name, &value))
        value = pl_request_env(run->req, name);
    if (value.data != NULL)
        pl_lua_push_str(L, value);
    else
        lua_pushstring(L, getenv(name.data)); /* NULL: nil */
    return 1;
}

const luaL_Reg pl_lua_magnet[] = {
    {"asked", asked},   {"named", named},
    {"begin", begin},   {"objects", objects},
    {"put", put},       {"push", push},
    {"finish", finish}, {"getenv", get_variable},
    {NULL, NULL},
};
