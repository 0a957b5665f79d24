/* web_upload.c - bodies in parts and into files, from Lua. The loops, and what
 * users see, are in lua/perilune/lib/upload.lua, which is loaded when a site
 * first uses them. Each function here does one step.
 *
 * Lua has numbers for what C has pointers to: of the current part, and of the
 * sinks of the request. A number that is no longer right is found out. */
#include "base/str.h"
#include "http/form.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

enum { READ_MAX = 1 << 20 };

static struct pl_request *self(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_REQUEST);
}

static int push_code(lua_State *L, int code)
{
    lua_pushinteger(L, code);
    return 1;
}

/* A size as options have it: nil (then it is without), a string with a unit, or
 * a number. Raises. */
static uint64_t size_arg(lua_State *L, int index, const char *call,
                         const char *what, uint64_t without)
{
    struct pl_str text;
    uint64_t size;

    if (!lua_toboolean(L, index))
        return without;
    text = pl_arg_str(L, index, call, what);
    if (!pl_str_to_size(text, &size))
        pl_lua_fail(L, "%s: %s: '%s' is no size like \"1m\"", call, what,
                    lua_tostring(L, index));
    return size;
}

/* ---- parts ---- */

/* upload.begin(req, max_parts, max_size, max_total, whole) -> 0 or a code;
 * whole: max_total is max_body, unless it is given */
static int begin(lua_State *L)
{
    struct pl_request *req = self(L);
    const struct pl_body_limits *site = req->limits;
    uint64_t total = lua_toboolean(L, 5) ? site->max_body : 0;
    struct pl_form_limits limits = {
        .max_parts =
            lua_isnumber(L, 2) ? (uint32_t)lua_tonumber(L, 2) : site->max_parts,
        .max_size = size_arg(L, 3, "req:parts", "max_size", 0),
        .max_total = size_arg(L, 4, "req:parts", "max_total", total)};

    return push_code(L, pl_form_begin(req, &limits));
}

/* upload.next(req) -> 1, 0 at the end, or a code */
static int next(lua_State *L)
{
    return push_code(L, pl_form_next(self(L)));
}

static void push_headers(lua_State *L, const struct pl_form_data *form)
{
    char lower[UINT8_MAX];
    struct pl_str name, value;

    lua_createtable(L, 0, (int)form->nfields);
    for (unsigned i = form->nfields; i-- > 0;) { /* the first one counts */
        pl_form_data_field(form, i, &name, &value);
        name = pl_str_first(name, sizeof(lower));
        pl_str_lower(lower, name);
        lua_pushlstring(L, lower, name.len);
        pl_lua_push_str(L, value);
        lua_rawset(L, -3);
    }
    luaL_setmetatable(L, "pl.headers");
}

/* upload.describe(req) -> number, name, filename, raw_filename, type, headers
 * of the current part */
static int describe(lua_State *L)
{
    const struct pl_part *part = self(L)->part;

    lua_pushinteger(L, (lua_Integer)part->number);
    pl_lua_push_str(L, part->form.names.name);
    pl_lua_push_str(L, part->form.names.filename);
    pl_lua_push_str(L, part->form.names.raw_filename);
    pl_lua_push_str(L, part->form.type);
    push_headers(L, &part->form);
    return 6;
}

/* The request of the part whose number is the second argument. */
static struct pl_request *current_part(lua_State *L)
{
    struct pl_request *req = self(L);

    if (req->part == NULL || lua_tointeger(L, 2) != req->part->number)
        pl_lua_fail(L, "part used after the next one was asked for");
    return req;
}

/* upload.read(req, number, n) -> the next bytes of it; "" at its end; or a
 * code */
static int read_part(lua_State *L)
{
    struct pl_request *req = current_part(L);
    lua_Integer n =
        pl_arg_integer(L, 3, "part:read", "the number of bytes", 1, READ_MAX);
    struct pl_str there;
    int err = pl_form_peek(req, (size_t)n, &there);

    if (err < 0)
        return push_code(L, err);
    lua_pushlstring(L, there.data, there.len); /* may raise: skip after it */
    pl_form_skip(req, there.len);
    return 1;
}

/* upload.skip(req, number) -> 0 at its end, or a code */
static int skip_part(lua_State *L)
{
    struct pl_request *req = current_part(L);
    struct pl_str there;
    int err;

    while ((err = pl_form_peek(req, SIZE_MAX, &there)) == 0 && there.len > 0)
        pl_form_skip(req, there.len);
    return push_code(L, err);
}

/* upload.wrong(req) -> what is malformed, or nil */
static int wrong(lua_State *L)
{
    lua_pushstring(L, pl_form_wrong(self(L)));
    return 1;
}

/* ---- files ---- */

static struct pl_sink *sink_arg(lua_State *L, struct pl_request *req, int index)
{
    lua_Number number = lua_tonumber(L, index);
    struct pl_sink *sink =
        number >= 1 ? pl_sink_find(req, (uint64_t)number) : NULL;

    if (sink == NULL)
        pl_lua_fail(L, "no such file of this request");
    return sink;
}

/* upload.open(req, path or nil, mode, exclusive, sync) -> sink */
static int open_sink(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_temp_spec spec = {.folder = req->settings->temp_folder,
                                .target = lua_tostring(L, 2),
                                .mode = (mode_t)lua_tointeger(L, 3),
                                .exclusive = lua_toboolean(L, 4),
                                .sync = lua_toboolean(L, 5)};
    struct pl_sink *sink = pl_sink_new(req, &spec);

    if (sink == NULL)
        return pl_lua_no_memory(L, NULL);
    lua_pushinteger(L, (lua_Integer)sink->number);
    return 1;
}

/* upload.status(req, sink) -> 0, or a code: AGAIN while it is busy */
static int status(lua_State *L)
{
    struct pl_request *req = self(L);

    return push_code(L, pl_sink_status(sink_arg(L, req, 2)));
}

/* upload.size(req, sink) -> bytes */
static int size(lua_State *L)
{
    struct pl_request *req = self(L);

    lua_pushinteger(L, (lua_Integer)pl_sink_size(sink_arg(L, req, 2)));
    return 1;
}

/* upload.close(req, sink) */
static int close_sink(lua_State *L)
{
    struct pl_request *req = self(L);

    pl_sink_close(sink_arg(L, req, 2));
    return 0;
}

/* upload.store(req, sink, number): the rest of the part; upload.save(req,
 * sink): the rest of the body, and keeps it. 0, or a code. */
static int store(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_sink *sink = sink_arg(L, req, 2);

    lua_remove(L, 2);
    return push_code(L, pl_form_store(current_part(L), sink));
}

static int save(lua_State *L)
{
    struct pl_request *req = self(L);

    return push_code(L, pl_body_save(req, sink_arg(L, req, 2)));
}

/* upload.write(req, sink, text), .copy(req, sink, from), .keep(req, sink),
 * .fetch(req, sink, at, n): begin to do so. AGAIN, or a code. */
static int write_sink(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str text = pl_arg_str(L, 3, "file:save", "the text");

    return push_code(L, pl_sink_write(sink_arg(L, req, 2), text));
}

static int copy_sink(lua_State *L)
{
    struct pl_request *req = self(L);

    return push_code(L, pl_sink_copy(sink_arg(L, req, 2), sink_arg(L, req, 3)));
}

static int keep_sink(lua_State *L)
{
    struct pl_request *req = self(L);

    return push_code(L, pl_sink_keep(sink_arg(L, req, 2)));
}

static int fetch(lua_State *L)
{
    struct pl_request *req = self(L);

    return push_code(L, pl_sink_fetch(sink_arg(L, req, 2),
                                      (uint64_t)lua_tonumber(L, 3),
                                      (size_t)lua_tonumber(L, 4)));
}

/* upload.fetched(req, sink) -> what was read */
static int fetched(lua_State *L)
{
    struct pl_request *req = self(L);

    pl_lua_push_str(L, pl_buf_str(&sink_arg(L, req, 2)->out));
    return 1;
}

/* ---- the body ---- */

/* upload.limit(req, max): no more of it from here on. 0 or a code. */
static int limit(lua_State *L)
{
    struct pl_request *req = self(L);

    return push_code(L,
                     pl_body_limit(req, size_arg(L, 2, "req:save", "max", 0)));
}

/* upload.limit_part(req, number, max): no more of the part from here on */
static int limit_part(lua_State *L)
{
    struct pl_request *req = current_part(L);

    pl_form_limit(req, size_arg(L, 3, "part:save", "max", 0));
    return 0;
}

/* upload.discard(req) -> 0 or a code; upload.received(req) -> bytes so far */
static int discard(lua_State *L)
{
    return push_code(L, pl_body_discard(self(L)));
}

static int received(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)self(L)->body.received);
    return 1;
}

/* upload.limits(req, size) -> size as a number (max_body if it is nil), what
 * of a file stays in memory, and most fields of a form */
static int limits(lua_State *L)
{
    struct pl_request *req = self(L);
    uint64_t most =
        size_arg(L, 2, "part:text", "the limit", req->limits->max_body);

    lua_pushinteger(L, (lua_Integer)most);
    lua_pushinteger(L, (lua_Integer)req->limits->spool);
    lua_pushinteger(L, (lua_Integer)req->limits->max_fields);
    return 3;
}

const luaL_Reg pl_lua_upload[] = {
    {"begin", begin},       {"next", next},       {"describe", describe},
    {"read", read_part},    {"skip", skip_part},  {"wrong", wrong},
    {"open", open_sink},    {"status", status},   {"size", size},
    {"close", close_sink},  {"store", store},     {"save", save},
    {"write", write_sink},  {"copy", copy_sink},  {"keep", keep_sink},
    {"fetch", fetch},       {"fetched", fetched}, {"limit", limit},
    {"limits", limits},     {"discard", discard}, {"limit_part", limit_part},
    {"received", received}, {NULL, NULL},
};
