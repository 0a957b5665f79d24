/* lib_page.c - the C half of dynamic pages (lib/page.lua): what a page puts out
 * goes straight into the text of the response, and its files are read without
 * holding the worker.
 *
 * Values are escaped on their way into the text: no Lua string is made of them.
 * A text that grows beyond SPILL is handed to Lua in pieces, which its own
 * memory limit minds; so a page of any length takes no more of the request's
 * memory. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/html.h"
#include "base/str.h"
#include "handlers/load.h"
#include "http/mime.h"
#include "http/status.h"
#include "lua/chunks.h"
#include "lua/job.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

enum {
    SPILL = 64 << 10,    /* bytes of the response's text */
    LONGEST = 64 << 20,  /* page that is put out, unless it streams */
    SOURCE_MAX = 1 << 20 /* bytes of a file of pages */
};

/* ---- where the output goes ---- */

static struct pl_request *request_of(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_RESPONSE);
}

/* Has the page answered in another way, by res:redirect() or the like? What it
 * puts out then is dropped. */
static bool is_answered(const struct pl_response *res)
{
    return res->content != PL_CONTENT_NONE && !res->started;
}

/* Pushes the table of pieces; [0] is how long they are. */
static void push_pieces(lua_State *L, struct pl_request *req)
{
    if (pl_web_push_table(L, req, PL_WEB_SLOT_PAGE))
        return;
    lua_newtable(L);
    lua_pushinteger(L, 0);
    lua_rawseti(L, -2, 0);
    pl_web_keep_table(L, req, PL_WEB_SLOT_PAGE);
}

/* The string on top is a further piece of the page. */
static void add_piece(lua_State *L, struct pl_request *req)
{
    size_t len = lua_rawlen(L, -1), before;
    int piece = lua_gettop(L);

    push_pieces(L, req);
    lua_rawgeti(L, -1, 0);
    before = (size_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (len > LONGEST - before)
        pl_lua_fail(L, "the page is longer than %d MiB", LONGEST >> 20);
    lua_pushinteger(L, (lua_Integer)(before + len));
    lua_rawseti(L, -2, 0);
    lua_pushvalue(L, piece);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
    lua_settop(L, piece - 1);
}

PL_COLD static void spill(lua_State *L, struct pl_request *req)
{
    struct pl_buf *text = &req->response.text;

    if (text->len == 0)
        return;
    lua_pushlstring(L, text->data, text->len);
    text->len = 0;
    add_piece(L, req);
}

/* What does not fit: the text is spilled, and long bytes go by themselves. */
PL_COLD static void add_long(lua_State *L, struct pl_request *req,
                             struct pl_str bytes)
{
    spill(L, req);
    if (bytes.len >= SPILL) {
        lua_pushlstring(L, bytes.data, bytes.len);
        add_piece(L, req);
    } else if (pl_buf_add(&req->response.text, bytes) < 0) {
        pl_buf_fini(&req->response.text); /* clears the error */
        pl_lua_no_memory(L, "write");
    }
}

static inline void add(lua_State *L, struct pl_request *req,
                       struct pl_str bytes)
{
    struct pl_buf *text = &req->response.text;

    if (bytes.len == 0)
        return;
    if (PL_UNLIKELY(text->len + bytes.len > SPILL ||
                    pl_buf_reserve(text, bytes.len) < 0)) {
        text->err = 0;
        add_long(L, req, bytes);
        return;
    }
    memcpy(text->data + text->len, bytes.data, bytes.len);
    text->len += bytes.len;
}

static const bool is_special[256] = {
    ['&'] = true, ['<'] = true, ['>'] = true, ['"'] = true, ['\''] = true};

/* Up to this, room is made for the worst that escaping can do. */
enum { SHORT = 256, ENTITY = 6 };

static void add_escaped_long(lua_State *L, struct pl_request *req,
                             struct pl_str bytes)
{
    size_t from = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        if (PL_LIKELY(!is_special[(unsigned char)bytes.data[i]]))
            continue;
        add(L, req, pl_str(bytes.data + from, i - from));
        add(L, req, pl_str_c(pl_html_entity(bytes.data[i])));
        from = i + 1;
    }
    add(L, req, pl_str_skip(bytes, from));
}

static inline void add_escaped(lua_State *L, struct pl_request *req,
                               struct pl_str bytes)
{
    struct pl_buf *text = &req->response.text;
    const char *at = bytes.data, *end = bytes.data + bytes.len;
    char *out;

    if (PL_UNLIKELY(bytes.len > SHORT || text->len > SPILL - SHORT * ENTITY ||
                    text->cap - text->len <= bytes.len * ENTITY)) {
        add_escaped_long(L, req, bytes);
        return;
    }
    for (out = text->data + text->len; at < end; at++) {
        if (PL_LIKELY(!is_special[(unsigned char)*at]))
            *out++ = *at;
        else
            out = stpcpy(out, pl_html_entity(*at));
    }
    text->len = (size_t)(out - text->data);
}

/* ---- values ---- */

/* A whole number, which needs no string of Lua. */
static bool add_whole(lua_State *L, struct pl_request *req, int index)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest;
    bool negative;

#if PL_LUAJIT
    lua_Number number = lua_tonumber(L, index);

    if (!(number > -0x1p53 && number < 0x1p53) ||
        number != (lua_Number)(int64_t)number ||
        (number == 0 && signbit(number)))
        return false;
    negative = number < 0;
    rest = (uint64_t)(negative ? -number : number);
    if (rest >= 100000000000000) /* "%.14g" has an exponent */
        return false;
#else
    lua_Integer number = lua_tointeger(L, index);

    if (!lua_isinteger(L, index))
        return false;
    negative = number < 0;
    rest = negative ? 0 - (uint64_t)number : (uint64_t)number;
#endif
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (negative)
        *--at = '-';
    add(L, req, pl_str(at, (size_t)(digits + sizeof(digits) - at)));
    return true;
}

/* What is no string, as tostring() shows it. */
static void add_other(lua_State *L, struct pl_request *req, int index,
                      bool escaped)
{
    struct pl_str bytes;

    if (lua_type(L, index) == LUA_TNUMBER && add_whole(L, req, index))
        return;
    bytes.data = luaL_tolstring(L, index, &bytes.len);
    if (escaped)
        add_escaped(L, req, bytes);
    else
        add(L, req, bytes);
    lua_pop(L, 1);
}

static inline void add_value(lua_State *L, struct pl_request *req, int index,
                             bool escaped)
{
    struct pl_str bytes;

    if (lua_type(L, index) != LUA_TSTRING) {
        add_other(L, req, index, escaped);
        return;
    }
    bytes.data = lua_tolstring(L, index, &bytes.len);
    if (escaped)
        add_escaped(L, req, bytes);
    else
        add(L, req, bytes);
}

/* put(res, text, value, text, value, ...): texts as they are (page_code.lua has
 * written them), values escaped */
static int put(lua_State *L)
{
    struct pl_request *req = request_of(L);
    int top = lua_gettop(L);

    if (is_answered(&req->response))
        return 0;
    for (int i = 2; i <= top; i++) {
        struct pl_str text = {NULL, 0};

        text.data = luaL_checklstring(L, i, &text.len);
        add(L, req, text);
        if (++i <= top)
            add_value(L, req, i, true);
    }
    return 0;
}

/* raw(res, ...): all as it is */
static int raw(lua_State *L)
{
    struct pl_request *req = request_of(L);
    int top = lua_gettop(L);

    if (is_answered(&req->response))
        return 0;
    for (int i = 2; i <= top; i++)
        add_value(L, req, i, false);
    return 0;
}

/* ---- the page as a whole ---- */

static void drop_text(lua_State *L, struct pl_request *req)
{
    int top = lua_gettop(L);

    req->response.text.len = 0;
    if (pl_web_push_table(L, req, PL_WEB_SLOT_PAGE)) {
        lua_newtable(L);
        lua_pushinteger(L, 0);
        lua_rawseti(L, -2, 0);
        pl_web_keep_table(L, req, PL_WEB_SLOT_PAGE);
    }
    lua_settop(L, top);
}

/* begin(res): nothing has been put out */
static int begin(lua_State *L)
{
    struct pl_request *req = request_of(L);
    struct pl_response *res = &req->response;

    if (res->started)
        return pl_lua_fail(L, "a page: the response has been sent already");
    if (res->content != PL_CONTENT_NONE) {
        pl_response_release(res);
        res->content = PL_CONTENT_NONE;
        res->length = -1;
    }
    drop_text(L, req);
    return 0;
}

/* Pushes what has been put out, and is kept no longer. */
static void push_text(lua_State *L, struct pl_request *req)
{
    struct pl_buf *text = &req->response.text;
    luaL_Buffer all;
    int pieces, n;

    if (!pl_web_push_table(L, req, PL_WEB_SLOT_PAGE)) {
        lua_pushlstring(L, text->data == NULL ? "" : text->data, text->len);
        text->len = 0;
        return;
    }
    spill(L, req);
    pieces = lua_gettop(L);
    n = (int)lua_rawlen(L, pieces);
    luaL_buffinit(L, &all);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, pieces, i);
        luaL_addvalue(&all);
    }
    luaL_pushresult(&all);
    drop_text(L, req);
}

/* take(res) -> what has been put out so far; none of it is left */
static int take(lua_State *L)
{
    push_text(L, request_of(L));
    return 1;
}

static void set_type(lua_State *L, struct pl_request *req, int index)
{
    struct pl_response *res = &req->response;
    struct pl_str type = {NULL, 0};

    if (res->type.data != NULL || lua_isnoneornil(L, index))
        return;
    type.data = lua_tolstring(L, index, &type.len);
    if (pl_response_type(res, type) == PL_ERR_NOMEM)
        pl_lua_no_memory(L, "write");
}

/* leave(res, type) -> what has been put out, to be sent now; none of it is left
 */
static int leave(lua_State *L)
{
    struct pl_request *req = request_of(L);

    if (!req->response.started)
        set_type(L, req, 2);
    push_text(L, req);
    return 1;
}

/* finish(res, type) -> true: it is the body of the response. false: that has
 * started, so the rest is to be pushed. */
static int finish(lua_State *L)
{
    struct pl_request *req = request_of(L);
    struct pl_response *res = &req->response;

    lua_pushboolean(L, !res->started);
    if (res->started || is_answered(res))
        return 1;
    set_type(L, req, 2);
    if (pl_web_push_table(L, req, PL_WEB_SLOT_PAGE)) {
        push_text(L, req);
        pl_web_set_body(L, req, lua_gettop(L), "page");
    } else {
        pl_response_bytes(res, pl_buf_str(&res->text), NULL, NULL);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- files ---- */

static const char root_name[] = "pl.page.root";

static struct pl_file_root *check_root(lua_State *L)
{
    return *(struct pl_file_root **)luaL_checkudata(L, 1, root_name);
}

static void drop_root(void *root)
{
    pl_file_root_drop(root);
}

/* root(path) -> where paths of pages begin, as long as the site is there; or
 * nil, a text */
PL_COLD static int open_root(lua_State *L)
{
    struct pl_site *site = pl_vm_upvalue(L)->site;
    struct pl_str path = {NULL, 0};
    struct pl_file_root **root;
    int fd, err;

    path.data = luaL_checklstring(L, 1, &path.len);
    root = lua_newuserdata(L, sizeof(struct pl_file_root *));
    luaL_setmetatable(L, root_name);
    fd = pl_file_open_root(path.data);
    if (fd < 0) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot open the folder '%s': %s", path.data,
                        pl_err_text(fd));
        return 2;
    }
    *root = pl_file_root_new(fd, PL_LINKS_INSIDE, "");
    err = *root == NULL ? PL_ERR_NOMEM : 0;
    if (err == 0) {
        (*root)->remote = pl_file_is_remote(fd);
        err = pl_site_own(site, drop_root, *root);
    }
    if (err == 0)
        err = pl_site_name_path(site, path, PL_PATH_READ);
    return err < 0 ? pl_lua_no_memory(L, "pl.pages") : 1;
}

/* What is known of a file, as a string of Lua: compared, never looked into. */
struct state {
    struct pl_file_state file;
    bool settled; /* an equal state means equal bytes */
};

/* TAKES file. -> text, state; or nil, a code: LIMIT is too long */
static int push_file(lua_State *L, struct pl_file *file)
{
    const struct pl_file_version *plain = &file->versions[PL_FILE_PLAIN];
    struct state state;
    int err = file->folder          ? PL_ERR_NOT_FOUND
              : plain->body == NULL ? PL_ERR_LIMIT
                                    : 0;

    if (err < 0) {
        pl_file_free(file);
        lua_pushnil(L);
        lua_pushinteger(L, err);
        return 2;
    }
    pl_zero(&state, sizeof(state));
    state.file = plain->state;
    state.settled = file->settled;
    lua_pushlstring(L, plain->body, plain->state.size);
    pl_file_free(file);
    lua_pushlstring(L, (const char *)&state, sizeof(state));
    return 2;
}

struct reading {
    struct pl_file_root *root;
    struct pl_file *file;
    char *path;
    size_t len;
};

static int read_work(void *data)
{
    struct reading *reading = data;
    const struct pl_file_name name = {
        .root = reading->root, .path = pl_str(reading->path, reading->len)};

    return pl_file_load(&name, SOURCE_MAX, true, &reading->file);
}

static int read_push(lua_State *L, void *data, int result)
{
    struct reading *reading = data;
    struct pl_file *file = reading->file;

    if (result < 0) {
        lua_pushnil(L);
        lua_pushinteger(L, result);
        return 2;
    }
    reading->file = NULL;
    return push_file(L, file);
}

static void read_fini(void *data)
{
    struct reading *reading = data;

    if (reading->file != NULL)
        pl_file_free(reading->file);
    if (reading->root != NULL)
        pl_file_root_drop(reading->root);
    pl_free(reading->path);
}

static struct pl_str check_path(lua_State *L)
{
    struct pl_str path = {NULL, 0};

    path.data = luaL_checklstring(L, 2, &path.len);
    return path;
}

/* load_job(root, path): gives what load() does */
static int load_job(lua_State *L)
{
    static const struct pl_lua_job_type type = {"pl.pages", read_work,
                                                read_push, read_fini};
    struct pl_file_root *root = check_root(L);
    struct pl_str path = check_path(L);
    struct reading *reading = pl_lua_job_new(L, &type, sizeof(*reading));

    reading->path = pl_malloc(path.len + 1);
    if (reading->path == NULL)
        return luaL_error(L, "not enough memory");
    memcpy(reading->path, path.data, path.len + 1);
    reading->len = path.len;
    reading->root = root;
    root->refs++;
    return 1;
}

/* load(root, path [, dots]) -> text, state; or nil, a code: AGAIN says that
 * load_job() is to wait for the disk. dots: names may begin with one. */
static int load(lua_State *L)
{
    const struct pl_file_name name = {.root = check_root(L),
                                      .path = check_path(L)};
    bool wait = pl_vm_upvalue(L)->sched->offload == NULL;
    struct pl_file *file = NULL;
    int err = PL_ERR_NOT_FOUND;

    if (name.root->remote && !wait)
        err = PL_ERR_AGAIN;
    else if (pl_file_path_ok(name.path, lua_toboolean(L, 3)) &&
             !pl_str_ends(name.path, PL_STR("/")))
        err = pl_file_load(&name, SOURCE_MAX, wait, &file);
    if (err == 0)
        return push_file(L, file);
    lua_pushnil(L);
    lua_pushinteger(L, err);
    return 2;
}

/* is_current(root, path, state): would load() give the same? Asked a moment
 * after the file was looked at; false where asking could take long. */
static int is_current(lua_State *L)
{
    const struct pl_file_root *root = check_root(L);
    const char *path = luaL_checkstring(L, 2);
    struct state state;
    struct stat st;
    size_t len;
    const char *bytes = luaL_checklstring(L, 3, &len);

    PL_ASSERT(len == sizeof(state));
    memcpy(&state, bytes, sizeof(state));
    lua_pushboolean(L, !root->remote && state.settled &&
                           pl_sys_fstatat(root->fd, path, &st, 0) == 0 &&
                           pl_file_is_state(&state.file, &st));
    return 1;
}

/* is_same(state, state): of the same file, which has not been touched */
static int is_same(lua_State *L)
{
    struct state states[2];

    for (int i = 0; i < 2; i++) {
        size_t len;
        const char *bytes = luaL_checklstring(L, 1 + i, &len);

        PL_ASSERT(len == sizeof(states[i]));
        memcpy(&states[i], bytes, len);
    }
    lua_pushboolean(L, memcmp(&states[0].file, &states[1].file,
                              sizeof(states[0].file)) == 0);
    return 1;
}

/* modified(state) -> seconds since 1970, and the nanoseconds behind them */
static int modified(lua_State *L)
{
    struct state state;
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    int64_t rest;

    PL_ASSERT(len == sizeof(state));
    memcpy(&state, bytes, sizeof(state));
    rest = state.file.modified_ns % 1000000000;
    if (rest < 0) /* before 1970 */
        rest += 1000000000;
    lua_pushinteger(
        L, (lua_Integer)((state.file.modified_ns - rest) / 1000000000));
    lua_pushinteger(L, (lua_Integer)rest);
    return 2;
}

/* type_of(name) -> the media type of what a file holds, by its name */
static int type_of(lua_State *L)
{
    pl_lua_push_str(L, pl_mime_of(pl_str_c(luaL_checkstring(L, 1))));
    return 1;
}

/* is_edited(): do people work at the site's files now? */
static int is_edited(lua_State *L)
{
    lua_pushboolean(L, pl_vm_upvalue(L)->options.edited);
    return 1;
}

/* note(path): who watches the files is to look out for this one */
static int note(lua_State *L)
{
    const struct pl_vm_options *options = &pl_vm_upvalue(L)->options;

    if (options->edited && options->chunks != NULL)
        pl_chunks_note_alone(options->chunks, luaL_checkstring(L, 1));
    return 0;
}

/* reason(code) -> "Not Found"; or "" */
static int reason(lua_State *L)
{
    pl_lua_push_str(L, pl_status_reason((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* keep_alive(res, on): false ends the connection behind this response */
static int keep_alive(lua_State *L)
{
    request_of(L)->last = !lua_toboolean(L, 2);
    return 0;
}

/* open(c): makes the type of roots, adds c.run_job and what is no function. */
static int open_page(lua_State *L)
{
    lua_settop(L, 1);
    luaL_newmetatable(L, root_name);
    lua_settop(L, 1);
    pl_lua_job_open(L, pl_vm_upvalue(L));
    return 0;
}

const luaL_Reg pl_lua_page[] = {
    {"open", open_page},
    {"put", put},
    {"raw", raw},
    {"begin", begin},
    {"take", take},
    {"leave", leave},
    {"finish", finish},
    {"root", open_root},
    {"load", load},
    {"load_job", load_job},
    {"type_of", type_of},
    {"is_current", is_current},
    {"note", note},
    {"reason", reason},
    {"keep_alive", keep_alive},
    {"is_edited", is_edited},
    {"is_same", is_same},
    {"modified", modified},
    {NULL, NULL},
};
