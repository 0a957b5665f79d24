/* lib_dns.c - the C half of pl.dns (lua/perilune/lib/dns.lua).
 *
 * A resolver is kept by the VM, which closes it before it goes; what has been
 * asked belongs to the one who waits. */
#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "client/dns.h"
#include "client/dns_answer.h"
#include "client/public.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/lib_socket.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char resolver_name[] = "pl.dns.resolver";
static const char ask_name[] = "pl.dns.ask";

struct resolver {
    struct pl_lua_kept kept;
    struct pl_dns *dns; /* NULL: closed */
};

/* ---- resolvers ---- */

static struct resolver *check_resolver(lua_State *L, int index)
{
    return luaL_checkudata(L, index, resolver_name);
}

static void close_kept(struct pl_lua_kept *kept)
{
    struct resolver *resolver = PL_CONTAINER_OF(kept, struct resolver, kept);

    if (resolver->dns != NULL)
        pl_dns_free(resolver->dns);
    resolver->dns = NULL;
}

static int resolver_gc(lua_State *L)
{
    struct resolver *resolver = check_resolver(L, 1);

    pl_list_remove(&resolver->kept.node);
    close_kept(&resolver->kept);
    return 0;
}

/* resolver(servers or nil, file or nil, seconds, tries) -> resolver */
static int new_resolver(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    const struct pl_dns_config config = {
        .servers = luaL_optstring(L, 1, NULL),
        .file = luaL_optstring(L, 2, NULL),
        .timeout_ms = (uint32_t)(luaL_checknumber(L, 3) * 1000),
        .tries = (unsigned)luaL_checkinteger(L, 4),
    };
    struct resolver *resolver = lua_newuserdata(L, sizeof(*resolver));
    struct pl_error error;

    *resolver = (struct resolver){.kept = {.close = close_kept}};
    pl_list_init(&resolver->kept.node);
    luaL_setmetatable(L, resolver_name);
    if (pl_dns_new(vm->sched, &config, &resolver->dns, &error) < 0)
        return pl_lua_fail(L, "pl.dns: %s", error.text);
    pl_lua_keep(vm, &resolver->kept);
    return 1;
}

/* ---- questions ---- */

static struct pl_dns_op *check_ask(lua_State *L)
{
    return luaL_checkudata(L, 1, ask_name);
}

/* ask() -> ask: memory for a question */
static int new_ask(lua_State *L)
{
    struct pl_dns_op *ask = lua_newuserdata(L, sizeof(*ask));

    memset(ask, 0, sizeof(*ask));
    luaL_setmetatable(L, ask_name);
    return 1;
}

/* Of a task that has ended before it took the answer. */
static int ask_gc(lua_State *L)
{
    pl_dns_end(check_ask(L));
    return 0;
}

/* begin(ask, resolver, call, name, type or 0, seconds) -> 0 or PL_ERR_*; 0: the
 * addresses of a host */
static int begin(lua_State *L)
{
    struct pl_dns_op *ask = check_ask(L);
    struct resolver *resolver = check_resolver(L, 2);
    const char *call = luaL_checkstring(L, 3);
    struct pl_str name = pl_arg_str(L, 4, call, "the name");
    unsigned type = (unsigned)luaL_checkinteger(L, 5);
    uint64_t wait = (uint64_t)(luaL_checknumber(L, 6) * 1e9);
    struct pl_co *co = pl_co_may_wait(L, call);
    uint64_t due;

    if (resolver->dns == NULL) {
        lua_pushinteger(L, PL_ERR_CLOSED);
        return 1;
    }
    due = pl_now(co->task.sched->loop) + wait;
    if (type == 0)
        pl_dns_lookup_begin(ask, resolver->dns, name, due);
    else
        pl_dns_query_begin(ask, resolver->dns, name, type, due);
    return pl_co_wait(L, co, &ask->op, 1);
}

/* ---- answers ---- */

/* addresses(ask) -> list of texts */
static int addresses(lua_State *L)
{
    struct pl_dns_op *ask = check_ask(L);
    char text[PL_ADDR_TEXT];
    const struct pl_addr *list;
    unsigned n;

    lua_newtable(L);
    list = pl_dns_addrs(ask, &n);
    for (unsigned i = 0; i < n; i++) {
        lua_pushlstring(L, text, pl_addr_format_host(&list[i], text));
        lua_rawseti(L, -2, (int)i + 1);
    }
    pl_dns_end(ask);
    return 1;
}

static void set_address(lua_State *L, int family, struct pl_str data)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(family, data.data, text, sizeof(text));
    lua_pushstring(L, text);
    lua_setfield(L, -2, "address");
}

static void set_text(lua_State *L, const struct pl_dns_record *record)
{
    char *text = lua_newuserdata(L, record->data.len + 1);

    lua_pushlstring(L, text, pl_dns_record_text(record, text));
    lua_setfield(L, -3, "text");
    lua_pop(L, 1);
}

static void set_target(lua_State *L, unsigned type,
                       const struct pl_dns_record *record)
{
    lua_pushstring(L, record->name);
    lua_setfield(L, -2, "host");
    if (type == PL_DNS_MX || type == PL_DNS_SRV)
        pl_lua_set_integer(L, "priority", record->priority);
    if (type != PL_DNS_SRV)
        return;
    pl_lua_set_integer(L, "weight", record->weight);
    pl_lua_set_integer(L, "port", record->port);
}

static void push_record(lua_State *L, unsigned type,
                        const struct pl_dns_record *record)
{
    lua_createtable(L, 0, 4);
    pl_lua_set_integer(L, "ttl", record->ttl);
    switch (type) {
    case PL_DNS_A:
        set_address(L, AF_INET, record->data);
        break;
    case PL_DNS_AAAA:
        set_address(L, AF_INET6, record->data);
        break;
    case PL_DNS_TXT:
        set_text(L, record);
        break;
    default:
        set_target(L, type, record);
    }
}

/* records(ask, type) -> list of tables */
static int records(lua_State *L)
{
    struct pl_dns_op *ask = check_ask(L);
    unsigned type = (unsigned)luaL_checkinteger(L, 2);
    struct pl_dns_answer answer;
    struct pl_dns_record record;
    int n = 0;

    lua_newtable(L);
    /* What is malformed has not come so far. */
    (void)pl_dns_answer_open(&answer, pl_dns_message(ask), type);
    while (pl_dns_answer_next(&answer, &record) > 0) {
        push_record(L, type, &record);
        lua_rawseti(L, -2, ++n);
    }
    pl_dns_end(ask);
    return 1;
}

/* ---- addresses as text ---- */

static bool parse(const char *text, struct pl_addr *addr)
{
    *addr = (struct pl_addr){.len = sizeof(addr->v4)};
    if (inet_pton(AF_INET, text, &addr->v4.sin_addr) == 1) {
        addr->v4.sin_family = AF_INET;
        return true;
    }
    *addr = (struct pl_addr){.len = sizeof(addr->v6)};
    addr->v6.sin6_family = AF_INET6;
    return inet_pton(AF_INET6, text, &addr->v6.sin6_addr) == 1;
}

/* is_address(text): is it one in digits? */
static int is_address(lua_State *L)
{
    struct pl_addr addr;

    lua_pushboolean(L, parse(luaL_checkstring(L, 1), &addr));
    return 1;
}

/* is_public(text): is it an address of the Internet? */
static int is_public(lua_State *L)
{
    struct pl_addr addr;

    lua_pushboolean(L, parse(luaL_checkstring(L, 1), &addr) &&
                           pl_addr_is_public(&addr));
    return 1;
}

/* kept(resolver) -> how many answers it has */
static int kept(lua_State *L)
{
    const struct resolver *resolver = check_resolver(L, 1);

    lua_pushinteger(
        L, resolver->dns == NULL ? 0 : (lua_Integer)pl_dns_kept(resolver->dns));
    return 1;
}

/* open(): makes the types. */
static int open_dns(lua_State *L)
{
    pl_vm_type(L, resolver_name, resolver_gc);
    pl_vm_type(L, ask_name, ask_gc);
    return 0;
}

const luaL_Reg pl_lua_dns[] = {
    {"open", open_dns},       {"resolver", new_resolver},
    {"ask", new_ask},         {"begin", begin},
    {"records", records},     {"addresses", addresses},
    {"is_public", is_public}, {"is_address", is_address},
    {"kept", kept},           {NULL, NULL},
};
