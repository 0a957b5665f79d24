/* lib_auth.c - the C halves of pl.basic, pl.keys, pl.session, pl.csrf and
 * pl.jwt: who a request is from, and texts that clients bring back. */
#include "base/buf.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/basic.h"
#include "filters/keys.h"
#include "http/ws_handshake.h"
#include "lua/filter.h"
#include "lua/json_priv.h"
#include "lua/pack.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

static const char keys_meta[] = "pl.keys";

static struct pl_request *request(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_REQUEST);
}

static int refuse_call(lua_State *L, const char *call,
                       const struct pl_error *error)
{
    return pl_lua_fail(L, "%s: %s%s%s", call, error->where,
                       error->where[0] == '\0' ? "" : ": ", error->text);
}

/* The plug-in; raises what it lacks. */
static const struct pl_auth_offer *load(lua_State *L, const char *call)
{
    struct pl_error error = {.code = 0};
    const struct pl_auth_offer *auth = pl_auth_load(&error);

    if (auth == NULL)
        refuse_call(L, call, &error);
    return auth;
}

/* ---- basic ---- */

/* The table at index, name = secret, into users. Its keys and values have been
 * checked. */
static int add_users(lua_State *L, int index, struct pl_users *users,
                     struct pl_error *error)
{
    struct pl_str name, secret;
    int err = 0;

    lua_pushnil(L);
    while (err == 0 && lua_next(L, index) != 0) {
        name.data = lua_tolstring(L, -2, &name.len);
        secret.data = lua_tolstring(L, -1, &secret.len);
        err = pl_users_add(users, name, secret, "", error);
        lua_pop(L, 1);
    }
    return err;
}

/* basic(call, realm or nil, file or nil, users or nil, cache in ms) -> filter
 */
static int new_basic(lua_State *L)
{
    const char *call = lua_tostring(L, 1);
    struct pl_site *site = pl_vm_upvalue(L)->site;
    struct pl_basic_want want = {.cache_ms = (uint64_t)lua_tonumber(L, 5)};
    struct pl_error error = {.code = 0};
    struct pl_filter *filter;

    want.realm.data = lua_tolstring(L, 2, &want.realm.len);
    want.file = lua_tostring(L, 3);
    if (want.file != NULL &&
        pl_site_name_path(site, pl_str_c(want.file), PL_PATH_READ) < 0)
        return pl_lua_fail(L, "%s: out of memory", call);
    if (want.file == NULL) {
        want.users = pl_users_new(load(L, call));
        if (want.users == NULL)
            return pl_lua_fail(L, "%s: out of memory", call);
        if (add_users(L, 4, want.users, &error) < 0) {
            pl_users_free(want.users);
            return refuse_call(L, call, &error);
        }
    }
    filter = pl_basic_new(&want, &error);
    if (filter == NULL)
        return refuse_call(L, call, &error);
    pl_lua_filter_push(L, site, filter, call);
    return 1;
}

/* credentials(req) -> name, password; or nothing */
static int credentials(lua_State *L)
{
    struct pl_str user, password;

    if (!pl_credentials(request(L), &user, &password))
        return 0;
    pl_lua_push_str(L, user);
    pl_lua_push_str(L, password);
    return 2;
}

/* challenge(call, realm) -> the value of WWW-Authenticate */
static int basic_challenge(lua_State *L)
{
    const char *call = lua_tostring(L, 1);
    struct pl_str realm = pl_arg_str(L, 2, call, "the realm");
    char text[PL_CHALLENGE_MAX];

    if (!pl_basic_challenge(text, realm))
        return pl_lua_fail(L,
                           "%s: the realm has control characters, or more "
                           "than %d bytes",
                           call, PL_REALM_MAX);
    lua_pushstring(L, text);
    return 1;
}

/* ---- who it is ---- */

/* user(req) -> name, or nil */
static int get_user(lua_State *L)
{
    pl_lua_push_str(L, request(L)->user);
    return 1;
}

/* set_user(req, name) */
static int set_user(lua_State *L)
{
    struct pl_request *req = request(L);

    if (pl_auth_admit(req, pl_arg_str(L, 2, "req.user", "the name")) < 0)
        return pl_lua_no_memory(L, "req.user");
    return 0;
}

/* refuse(req, challenge): answers 401, and counts it if something was said */
static int refuse(lua_State *L)
{
    struct pl_request *req = request(L);
    struct pl_str challenge = pl_arg_str(L, 2, "res:status", "the challenge");

    if (lua_toboolean(L, 3))
        req->http->stats.denied++;
    if (pl_auth_refuse(req, challenge) < 0)
        return pl_lua_no_memory(L, "res:status");
    return 0;
}

/* forged(req): counts a cookie or token that was not one of ours */
static int count_forged(lua_State *L)
{
    request(L)->http->stats.forged++;
    return 0;
}

/* origin_allowed(req, origin, origins or nil): may a page of that origin send
 * something here? Without a list: only one of this host. */
static int origin_allowed(lua_State *L)
{
    struct pl_request *req = request(L);
    struct pl_str origin = pl_arg_str(L, 2, "pl.csrf", "the origin");
    struct pl_str origins = {NULL, 0}, host;
    uint16_t port;

    if (!lua_isnoneornil(L, 3))
        origins = pl_arg_str(L, 3, "pl.csrf", "option 'origins'");
    host = pl_request_host(req, &port);
    lua_pushboolean(L,
                    pl_ws_origin_allowed(origin, pl_str(NULL, 0), host, port) ||
                        (origins.data != NULL &&
                         pl_ws_origin_allowed(origin, origins, host, port)));
    return 1;
}

/* ---- the head of the response ---- */

/* unsent(req or res) -> req, or nil: the head has left */
static int unsent(lua_State *L)
{
    bool response = luaL_testudata(L, 1, "pl.response") != NULL;
    struct pl_request *req =
        pl_web_check(L, 1, response ? PL_WEB_RESPONSE : PL_WEB_REQUEST);
    struct pl_web *web = req->lua;

    if (req->response.started)
        lua_pushnil(L);
    else
        pl_web_push_objects(L, req, web->outer, false);
    return 1;
}

/* drop_cookie(req, name): takes back a Set-Cookie of that name */
static int drop_cookie(lua_State *L)
{
    struct pl_response *res = &request(L)->response;
    struct pl_str name = pl_arg_str(L, 2, "req.session", "the name"), value;
    unsigned kept = 0;

    for (unsigned i = 0; i < res->nheaders && !res->lent; i++) {
        value = pl_header_value(&res->headers[i]);
        if (res->headers[i].id != PL_HEADER_SET_COOKIE ||
            !pl_str_starts(value, name) ||
            !pl_str_starts(pl_str_skip(value, name.len), PL_STR("=")))
            res->headers[kept++] = res->headers[i];
    }
    if (!res->lent)
        res->nheaders = (uint16_t)kept;
    return 0;
}

/* ---- keys ---- */

struct keys {
    struct pl_keys *keys;
};

static int keys_gc(lua_State *L)
{
    struct keys *keys = lua_touserdata(L, 1);

    pl_keys_free(keys->keys);
    keys->keys = NULL;
    return 0;
}

/* new_keys(call, purpose, secrets) -> keys. The list has been checked. */
static int new_keys(lua_State *L)
{
    const char *call = lua_tostring(L, 1);
    const struct pl_auth_offer *auth = load(L, call);
    struct pl_str purpose = pl_arg_str(L, 2, call, "the purpose");
    struct pl_str secrets[PL_KEYS_MAX + 1];
    unsigned n = (unsigned)PL_MIN(lua_rawlen(L, 3), PL_COUNT(secrets));
    struct keys *keys = lua_newuserdata(L, sizeof(*keys));
    struct pl_error error = {.code = 0};

    keys->keys = NULL;
    if (luaL_newmetatable(L, keys_meta)) {
        lua_pushcfunction(L, keys_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    for (unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (int)i + 1);
        secrets[i].data = lua_tolstring(L, -1, &secrets[i].len);
        lua_pop(L, 1); /* the list keeps it */
    }
    keys->keys = pl_keys_new(auth, secrets, n, purpose, &error);
    return keys->keys == NULL ? refuse_call(L, call, &error) : 1;
}

typedef int make_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str text, uint64_t expires, struct pl_buf *out);
typedef int open_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str token, uint64_t now, struct pl_buf *out);

static const struct pl_keys *check_keys(lua_State *L)
{
    const struct keys *keys = luaL_checkudata(L, 1, keys_meta);

    return keys->keys;
}

/* (keys, label, text, expires) -> token; raises when out of memory */
static int make(lua_State *L, make_fn *fn)
{
    const struct pl_keys *keys = check_keys(L);
    struct pl_str label = pl_arg_str(L, 2, "pl.keys", "the label");
    struct pl_str text = pl_arg_str(L, 3, "pl.keys", "the text");
    uint64_t expires = (uint64_t)lua_tonumber(L, 4);
    struct pl_json_scratch *scratch = pl_json_scratch_take(L);
    int err = fn(keys, label, text, expires, &scratch->buf);

    if (err == 0)
        lua_pushlstring(L, scratch->buf.data, scratch->buf.len);
    pl_json_scratch_give(scratch);
    return err < 0 ? pl_lua_no_memory(L, "pl.keys") : 1;
}

/* (keys, label, token) -> text; or nil, whether it is one of ours that is too
 * old */
static int open_token(lua_State *L, open_fn *fn)
{
    const struct pl_keys *keys = check_keys(L);
    struct pl_str label = pl_arg_str(L, 2, "pl.keys", "the label");
    struct pl_str token = pl_arg_str(L, 3, "pl.keys", "the token");
    struct pl_json_scratch *scratch = pl_json_scratch_take(L);
    int64_t now = pl_loop_wall(pl_vm_upvalue(L)->sched->loop);
    int err = fn(keys, label, token, (uint64_t)now, &scratch->buf);

    if (err == 0)
        lua_pushlstring(L, pl_buf_str(&scratch->buf).data, scratch->buf.len);
    pl_json_scratch_give(scratch);
    if (err == 0)
        return 1;
    if (err == PL_ERR_NOMEM)
        return pl_lua_no_memory(L, "pl.keys");
    lua_pushnil(L);
    lua_pushboolean(L, err == PL_ERR_TIMEOUT);
    return 2;
}

static int seal(lua_State *L)
{
    return make(L, pl_keys_seal);
}

static int sign(lua_State *L)
{
    return make(L, pl_keys_sign);
}

static int unseal(lua_State *L)
{
    return open_token(L, pl_keys_unseal);
}

static int verify(lua_State *L)
{
    return open_token(L, pl_keys_verify);
}

/* ---- what a session holds ---- */

/* pack(value) -> bytes; or nil, what cannot be packed */
static int pack(lua_State *L)
{
    struct pl_json_scratch *scratch;
    struct pl_error error = {.code = 0};
    int err;

    lua_settop(L, 1);
    scratch = pl_json_scratch_take(L);
    err = pl_lua_pack(L, 1, &scratch->buf, &error);
    if (err == 0)
        lua_pushlstring(L, scratch->buf.data, scratch->buf.len);
    pl_json_scratch_give(scratch);
    if (err == 0)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, error.text);
    return 2;
}

/* unpack(bytes) -> value, or nil */
static int unpack(lua_State *L)
{
    if (pl_lua_unpack(L, pl_arg_str(L, 1, "req.session", "the bytes")) < 0)
        lua_pushnil(L);
    return 1;
}

const luaL_Reg pl_lua_auth[] = {
    {"basic", new_basic},
    {"credentials", credentials},
    {"challenge", basic_challenge},
    {"user", get_user},
    {"set_user", set_user},
    {"refuse", refuse},
    {"forged", count_forged},
    {"origin_allowed", origin_allowed},
    {"unsent", unsent},
    {"drop_cookie", drop_cookie},
    {"new_keys", new_keys},
    {"seal", seal},
    {"unseal", unseal},
    {"sign", sign},
    {"verify", verify},
    {"pack", pack},
    {"unpack", unpack},
    {NULL, NULL},
};
