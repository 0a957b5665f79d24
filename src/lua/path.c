#include "lua/path.h"

#include <stdio.h>

#include "base/str.h"

enum { KEY_SHOWN = 40 }; /* bytes of a key */

static bool is_name(struct pl_str key)
{
    bool letter = false;

    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.data[i];

        letter =
            (pl_ascii_lower(c) >= 'a' && pl_ascii_lower(c) <= 'z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return key.len > 0 && key.len <= KEY_SHOWN;
}

/* ".key", "[\"odd key\"]" or "[3]"; returns the new length. */
static size_t add_step(lua_State *L, const struct pl_lua_level *level,
                       char *path, size_t len)
{
    struct pl_str key = {"?", 1};
    char step[KEY_SHOWN + 24];
    size_t n;

    if (level->key == 0) {
        snprintf(step, sizeof(step), "[%lld]", (long long)level->index);
    } else if (lua_type(L, level->key) == LUA_TNUMBER) {
        snprintf(step, sizeof(step), "[%.14g]", lua_tonumber(L, level->key));
    } else {
        if (lua_type(L, level->key) == LUA_TSTRING)
            key.data = lua_tolstring(L, level->key, &key.len);
        if (is_name(key))
            snprintf(step, sizeof(step), "%s%.*s", len > 0 ? "." : "",
                     PL_STR_ARG(key));
        else
            snprintf(step, sizeof(step), "[\"%.*s\"]", KEY_SHOWN, key.data);
    }
    n = strlen(step);
    if (len + n >= PL_LUA_PATH_MAX)
        return len;
    memcpy(path + len, step, n + 1);
    return len + n;
}

static size_t add_path(lua_State *L, const struct pl_lua_level *level,
                       char *path)
{
    if (level == NULL)
        return 0;
    return add_step(L, level, path, add_path(L, level->up, path));
}

void pl_lua_path(lua_State *L, const struct pl_lua_level *level,
                 char path[PL_LUA_PATH_MAX])
{
    path[0] = '\0';
    add_path(L, level, path);
}
