#include "lua/bytecode.h"

#include <string.h>

#include "base/sys.h"

/* A lua_Writer; ends the dump when there is no memory. */
static int append(lua_State *L, const void *bytes, size_t len, void *arg)
{
    struct pl_bytecode **code = arg, *more = *code;

    (void)L;
    if (more->len + len > more->room) {
        size_t room = 2 * (more->len + len);

        more = pl_realloc(more, sizeof(*more) + room);
        if (more == NULL)
            return 1;
        more->room = room;
        *code = more;
    }
    memcpy(more->bytes + more->len, bytes, len);
    more->len += len;
    return 0;
}

struct pl_bytecode *pl_bytecode_dump(lua_State *L, size_t guess)
{
    struct pl_bytecode *code = pl_malloc(sizeof(*code) + guess);

    if (code == NULL)
        return NULL;
    *code = (struct pl_bytecode){.room = guess};
    if (pl_lua_dump(L, append, &code) == 0)
        return code;
    pl_free(code);
    return NULL;
}
