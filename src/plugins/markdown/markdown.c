/* markdown.c - what the plug-in offers: pl.markdown, on md4c. */
#include <md4c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/plugin.h"
#include "html.h"
#include "lua/plugin.h"

enum {
    TEXT_MAX = 16 << 20, /* bytes */
    /* What a text may become: HTML has few elements that are longer. */
    FACTOR = 16,
    LEAST = 64 * 1024,
};

static _Atomic(const struct pl_lua_host *) host;

static const struct pl_lua_host *get_host(void)
{
    return atomic_load_explicit(&host, memory_order_relaxed);
}

static const char call_name[] = "pl.markdown";

struct markdown {
    struct pl_markdown_options options;
    char *text;
    size_t len;
    struct pl_markdown_text out, title;
};

static int work(void *data)
{
    struct markdown *markdown = data;
    const struct pl_markdown_memory memory = {get_host()->malloc,
                                              get_host()->free};

    markdown->out.limit = markdown->len * FACTOR + LEAST;
    markdown->title.limit = markdown->len + 1;
    return pl_markdown_html(&memory, &markdown->options, markdown->text,
                            markdown->len, &markdown->out, &markdown->title);
}

static void push_text(lua_State *L, const struct pl_markdown_text *text)
{
    lua_pushlstring(L, text->len == 0 ? "" : text->data, text->len);
}

static int push(lua_State *L, void *data, int result)
{
    const struct markdown *markdown = data;

    if (result == PL_ERR_LIMIT)
        return get_host()->return_error(L, result, call_name,
                                        "the text becomes too long");
    if (result < 0)
        return get_host()->return_error(L, result, call_name, NULL);
    push_text(L, &markdown->out);
    if (markdown->title.len == 0)
        return 1;
    push_text(L, &markdown->title);
    return 2;
}

static void fini(void *data)
{
    struct markdown *markdown = data;

    get_host()->free(markdown->text);
    get_host()->free(markdown->out.data);
    get_host()->free(markdown->title.data);
}

/* Pushes a job for the arguments (text, flags, html, hard); its text is NULL
 * when there is no memory. */
static struct markdown *new_job(lua_State *L)
{
    static const struct pl_lua_job_type type = {call_name, work, push, fini};
    struct pl_str text = get_host()->arg_str(L, 1, call_name, "the text");
    struct markdown *markdown =
        get_host()->job_new(L, &type, sizeof(*markdown));

    markdown->options =
        (struct pl_markdown_options){(unsigned)lua_tointeger(L, 2),
                                     lua_toboolean(L, 3), lua_toboolean(L, 4)};
    markdown->text = get_host()->malloc(text.len + 1);
    if (markdown->text != NULL)
        memcpy(markdown->text, text.data, text.len);
    markdown->len = text.len;
    return markdown;
}

/* job(text, flags, html, hard) -> a job, or nil, err */
static int job(lua_State *L)
{
    if (lua_rawlen(L, 1) > TEXT_MAX)
        return get_host()->return_error(L, PL_ERR_LIMIT, call_name,
                                        "the text is too long");
    if (new_job(L)->text == NULL)
        return get_host()->return_error(L, PL_ERR_NOMEM, call_name, NULL);
    return 1;
}

/* now(text, flags, html, hard) -> html, title; or nil, err. For short texts:
 * what a thread would do is done here. */
static int now(lua_State *L)
{
    struct markdown *markdown = new_job(L);
    int result = markdown->text == NULL ? PL_ERR_NOMEM : work(markdown);
    int n = push(L, markdown, result);

    fini(markdown);
    memset(markdown, 0, sizeof(*markdown));
    return n;
}

/* flag(name) -> what md4c's parser has for it */
static int flag(lua_State *L)
{
    static const struct {
        const char *name;
        unsigned bits;
    } flags[] = {
        {"no_html", MD_FLAG_NOHTML},
        {"tables", MD_FLAG_TABLES},
        {"strikethrough", MD_FLAG_STRIKETHROUGH},
        {"tasks", MD_FLAG_TASKLISTS},
        {"autolinks", MD_FLAG_PERMISSIVEAUTOLINKS},
    };
    const char *name = luaL_checkstring(L, 1);

    for (size_t i = 0; i < PL_COUNT(flags); i++) {
        if (strcmp(flags[i].name, name) != 0)
            continue;
        lua_pushinteger(L, flags[i].bits);
        return 1;
    }
    return luaL_argerror(L, 1, "no such flag");
}

/* ---- what is offered ---- */

static const luaL_Reg natives[] = {
    {"flag", flag},
    {"job", job},
    {"now", now},
    {NULL, NULL},
};

static const struct pl_lua_offer offer = {natives, pl_lua_sources};

static void open_host(const void *table)
{
    atomic_store_explicit(&host, table, memory_order_relaxed);
}

static void name_libraries(char *out, size_t size)
{
    snprintf(out, size, "md4c");
}

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = sizeof(struct pl_lua_host),
    .offer_size = sizeof(struct pl_lua_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
