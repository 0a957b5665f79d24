/* compiled.c - the library's files as bytecode, made once per process.
 *
 * Whichever VM first loads a file leaves what the compiler made of it to all
 * that come later, on any thread: those of other workers and generations. It
 * is never freed, nor is the text of core/. Bytecode is not put into the
 * program at build time, because it belongs to one version of a shared library.
 */
#include <stdatomic.h>
#include <string.h>
#include <zlib.h>

#include "base/sys.h"
#include "lua/bytecode.h"
#include "lua/library.h"
#include "lua/vm_priv.h"

/* ---- to bytecode ---- */

static void keep(lua_State *L, const struct pl_lua_source *source)
{
    _Atomic(void *) *slot = &pl_lua_compiled[source - pl_lua_sources];
    /* NULL: no memory, so the next VM compiles, too. */
    struct pl_bytecode *code = pl_bytecode_dump(L, source->len);
    void *none = NULL;

    if (!atomic_compare_exchange_strong_explicit(
            slot, &none, code, memory_order_release, memory_order_relaxed))
        pl_free(code);
}

/* ---- from text ---- */

static _Atomic(char *) core_text; /* unpacked by whoever comes first */

/* Gives the text, from malloc; NULL: out of memory. dictionary may be NULL. */
static char *unpack(const struct pl_lua_source *source, const char *dictionary)
{
    char *text = pl_malloc(source->len);
    z_stream z = {.next_in = (Bytef *)source->packed,
                  .avail_in = source->packed_len,
                  .next_out = (Bytef *)text,
                  .avail_out = source->len};
    int status = text == NULL ? Z_MEM_ERROR : inflateInit2(&z, -MAX_WBITS);

    if (status == Z_OK) {
        if (dictionary != NULL)
            inflateSetDictionary(&z, (const Bytef *)dictionary,
                                 pl_lua_core.len);
        status = inflate(&z, Z_FINISH);
        inflateEnd(&z);
    }
    if (status == Z_STREAM_END)
        return text;
    pl_free(text);
    return NULL;
}

static const char *unpack_core(void)
{
    char *text = atomic_load_explicit(&core_text, memory_order_acquire);
    char *other = NULL;

    if (text != NULL)
        return text;
    text = unpack(&pl_lua_core, NULL);
    if (text == NULL || atomic_compare_exchange_strong_explicit(
                            &core_text, &other, text, memory_order_acq_rel,
                            memory_order_acquire))
        return text;
    pl_free(text);
    return other;
}

int pl_lua_compile_source(lua_State *L, const struct pl_lua_source *source)
{
    const char *core = unpack_core();
    char *own = NULL;
    int status;

    if (core != NULL && source->packed != NULL)
        own = unpack(source, core);
    if (core == NULL || (source->packed != NULL && own == NULL))
        return luaL_error(L, "%s: out of memory", source->path + 1);
    status = luaL_loadbuffer(L, (own != NULL ? own : core) + source->from,
                             source->len, source->path);
    pl_free(own);
    return status;
}

/* ---- from either ---- */

void pl_lua_load_source(lua_State *L, const struct pl_lua_source *source)
{
    const struct pl_bytecode *code = atomic_load_explicit(
        &pl_lua_compiled[source - pl_lua_sources], memory_order_acquire);
    int status = code != NULL
                     ? luaL_loadbuffer(L, code->bytes, code->len, source->path)
                     : pl_lua_compile_source(L, source);

    if (status != 0)
        lua_error(L);
    if (code == NULL)
        keep(L, source);
}
