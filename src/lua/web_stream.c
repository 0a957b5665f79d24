/* web_stream.c - from Lua: server-sent events, early hints, trailers. What
 * users see is in lua/perilune/lib/stream.lua, which is loaded when a site
 * first uses one of them. Each function here does one step. */
#include "base/str.h"
#include "http/events.h"
#include "http/trailer.h"
#include "base/features.h"
#include "http/again.h"
#include "lua/json.h"
#include "lua/move.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

enum { FIELDS_MAX = 100 };

static struct pl_request *self(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_RESPONSE);
}

static int push_code(lua_State *L, int code)
{
    lua_pushinteger(L, code);
    return 1;
}

static struct pl_str text_at(lua_State *L, int index)
{
    struct pl_str text = {NULL, 0};

    if (lua_isstring(L, index))
        text.data = lua_tolstring(L, index, &text.len);
    return text;
}

/* ---- events ---- */

/* A duration as options have it; nil: without. Raises. */
static uint64_t ms_arg(lua_State *L, int index, const char *name,
                       uint64_t without)
{
    uint64_t ms;

    if (lua_isnil(L, index))
        return without;
    if (!pl_str_to_ms(text_at(L, index), &ms))
        pl_lua_fail(L,
                    "res:events: option '%s': '%s' is no duration like "
                    "\"3s\"",
                    name, lua_tostring(L, index));
    return ms;
}

/* stream.begin(res, retry, ping) -> 0 or a code */
static int begin(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_event_stream *stream;
    struct pl_events_options options = {
        .size = sizeof(options),
        .retry_ms = ms_arg(L, 2, "retry", 0),
        .ping_ms = ms_arg(L, 3, "ping", 0),
    };

    if (!lua_isnil(L, 3) && options.ping_ms == 0)
        options.ping_ms = UINT64_MAX;
    return push_code(L, pl_events_begin(&req->response, &options, &stream));
}

/* stream.resumed(res) -> whether an older generation began it, and what that
 * has left as its state */
static int resumed(lua_State *L)
{
    const struct pl_request *req = self(L);

    lua_pushboolean(L, req->again != NULL);
    if (req->again == NULL)
        return 1;
    pl_vm_push_packed(L, req->again->state);
    return 2;
}

/* The result of a push: 1 if others should run now. */
static int push_pace(lua_State *L, struct pl_request *req, int result)
{
    if (result == 0 && pl_loop_is_late(req->http->net->loop))
        result = 1;
    return push_code(L, result);
}

/* A table goes as JSON. *text is freed before anything is raised. */
static struct pl_str data_at(lua_State *L, int index, struct pl_buf *text)
{
    struct pl_error error;

    if (!lua_istable(L, index))
        return text_at(L, index);
    if (pl_lua_json_encode(L, index, text, &error) < 0) {
        pl_buf_fini(text);
        pl_lua_fail(L, "events:send: %s", error.text);
    }
    return pl_buf_str(text);
}

/* stream.send(res, data, type, id, retry in ms) -> 0, AGAIN, 1 or a code. JSON
 * is written into the response's text, which nothing else uses now. */
static int send_event(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_buf *text = &req->response.text;
    struct pl_event event = {.type = text_at(L, 3),
                             .id = text_at(L, 4),
                             .retry_ms = (uint64_t)lua_tonumber(L, 5)};

    text->len = 0;
    event.data = data_at(L, 2, text);
    return push_pace(L, req, pl_event_push(req->response.events, &event));
}

/* stream.comment(res, text) -> the same */
static int comment(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str text = pl_arg_str(L, 2, "events:comment", "the text");

    return push_pace(L, req, pl_event_push_comment(req->response.events, text));
}

/* stream.last_id(res) -> string or nil */
static int last_id(lua_State *L)
{
    pl_lua_push_str(L, pl_events_last_id(self(L)->response.events));
    return 1;
}

/* ---- before and behind the response ---- */

/* stream.inform(res, call, status, { name, value, name, value, ... }, n) -> 0
 * or a code */
static int inform(lua_State *L)
{
    struct pl_request *req = self(L);
    const char *call = lua_tostring(L, 2);
    int status = (int)pl_arg_integer(L, 3, call, "the status", 102, 199);
    struct pl_pair fields[FIELDS_MAX];
    int n = (int)lua_tointeger(L, 5) / 2, err;

    if (n > FIELDS_MAX)
        return pl_lua_fail(L, "%s: more than %d fields", call, FIELDS_MAX);
    for (int i = 0; i < n; i++) { /* the table keeps the strings */
        lua_rawgeti(L, 4, 2 * i + 1);
        lua_rawgeti(L, 4, 2 * i + 2);
        fields[i] = (struct pl_pair){text_at(L, -2), text_at(L, -1)};
        lua_pop(L, 2);
    }
    err = pl_response_informational(&req->response, status, fields, (size_t)n);
    if (err == PL_ERR_CLOSED || err == 0)
        return push_code(L, err);
    if (err == PL_ERR_INVALID || err == PL_ERR_DENIED)
        return pl_lua_fail(L, "%s: %s", call,
                           err == PL_ERR_DENIED
                               ? "the server makes this field itself"
                               : "not a valid name or value");
    return pl_lua_fail(L, "%s: %s", call,
                       err == PL_ERR_STATE
                           ? "the response has been sent already"
                           : pl_err_text(err));
}

/* res:trailer(name [, value]) */
static int trailer(lua_State *L)
{
    static const char call[] = "res:trailer";
    struct pl_request *req = self(L);
    struct pl_str name = pl_arg_str(L, 2, call, "the name");
    struct pl_str value = {NULL, 0};
    int err;

    if (!lua_isnoneornil(L, 3))
        value = pl_arg_str(L, 3, call, "the value");
    err = pl_response_trailer(&req->response, name, value);
    if (err == PL_ERR_DENIED)
        return pl_lua_fail(L, "res:trailer: \"%s\" means nothing behind a body",
                           lua_tostring(L, 2));
    return err < 0 ? pl_web_field_failed(L, req, call, name, err) : 0;
}

/* req.trailers: by lower-case name, as req.headers; nil before the end of the
 * body */
static int trailers(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_str name, value;

    if (!req->body.complete || (req->body.use == PL_BODY_READ &&
                                pl_body_waiting(&req->body).len > 0)) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    for (unsigned i = 0; pl_request_trailer_at(req, i, &name, &value); i++) {
        char *lower = pl_arena_bytes(&req->arena, name.len);

        if (lower == NULL)
            return pl_lua_no_memory(L, NULL);
        pl_str_lower(lower, name);
        lua_pushlstring(L, lower, name.len);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) { /* the first one counts */
            lua_pop(L, 1);
            pl_lua_push_str(L, value);
            lua_rawset(L, -3);
        } else {
            lua_pop(L, 2);
        }
    }
    luaL_setmetatable(L, "pl.headers");
    return 1;
}

const luaL_Reg pl_lua_stream[] = {
    {"begin", begin},
    {"send", send_event},
    {"comment", comment},
    {"last_id", last_id},
    {"inform", inform},
    {"trailer", trailer},
    {"trailers", trailers},
    {PL_WITH_RELOAD ? "resumed" : NULL, PL_WITH_RELOAD ? resumed : NULL},
    {NULL, NULL},
};
