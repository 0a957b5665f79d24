/* lib_channel.c - pl.channel: history and presence of a topic.
 *
 * A channel is known to Lua by its name: it is looked up in each call, so that
 * a script which keeps the object of a channel keeps nothing of the process. */
#include "base/str.h"
#include "base/sys.h"
#include "lua/args.h"
#include "lua/datum.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "share/channel.h"
#include "share/presence.h"

static const char presence_name[] = "pl.presence";

/* natives.open(name, history, age in seconds, bytes, presence) -> true, or nil
 * and the error. Without history (nil): as it is. */
static int open_channel(lua_State *L)
{
    static const char call[] = "pl.channel";
    struct pl_member *member = pl_vm_check_member(L, call);
    struct pl_str name = pl_arg_str(L, 1, call, "the name");
    struct pl_channel_rules rules = {
        .history = (unsigned)lua_tointeger(L, 2),
        .age = (uint64_t)(lua_tonumber(L, 3) * 1e9),
        .bytes = (size_t)lua_tonumber(L, 4),
        .presence = lua_toboolean(L, 5),
    };
    struct pl_dict_user user = pl_member_user(member);
    struct pl_channel *channel;
    int err = 0;

    if (member->placed) /* else the site is only read */
        err = pl_channel_open(member->share, &user, name,
                              lua_isnoneornil(L, 2) ? NULL : &rules, &channel);
    if (err < 0)
        return pl_lua_push_failure(L, err, call);
    if (member->placed)
        pl_channel_release(channel);
    lua_pushboolean(L, 1);
    return 1;
}

/* HOLDS the channel of the first argument, or pushes nil and the error. */
static struct pl_channel *find(lua_State *L, struct pl_member *member,
                               const char *call)
{
    struct pl_str name = pl_arg_str(L, 1, call, "the name");
    struct pl_dict_user user = pl_member_user(member);
    struct pl_channel *channel;
    int err = pl_channel_open(member->share, &user, name, NULL, &channel);

    if (err == 0)
        return channel;
    pl_lua_push_failure(L, err, call);
    return NULL;
}

/* ---- history ---- */

/* natives.range(name) -> the first number that is remembered, and the last
 * that was given out */
static int range(lua_State *L)
{
    static const char call[] = "channel:history";
    struct pl_member *member = pl_vm_check_standing(L, call);
    struct pl_channel *channel = find(L, member, call);
    struct pl_dict_user user;
    uint64_t first, last;

    if (channel == NULL)
        return 2;
    user = pl_member_user(member);
    first = pl_channel_remembered(channel, &user);
    last = atomic_load(&channel->last);
    pl_channel_release(channel);
    lua_pushinteger(L, (lua_Integer)first);
    lua_pushinteger(L, (lua_Integer)last);
    return 2;
}

/* natives.read(name, number) -> the message with that number or the next one
 * that is there: value, number, when (seconds since 1970); or nothing */
static int read_message(lua_State *L)
{
    static const char call[] = "channel:history";
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_member *member = pl_vm_check_standing(L, call);
    struct pl_channel *channel = find(L, member, call);
    uint64_t number = (uint64_t)lua_tonumber(L, 2), age;
    struct pl_envelope *envelope;
    struct pl_message *message;

    if (channel == NULL)
        return 0;
    message = pl_channel_read(channel, member->reader, &number);
    pl_channel_release(channel);
    if (message == NULL)
        return 0;
    age = pl_now(member->loop) - message->time;
    envelope = pl_envelope_new(message, member);
    if (envelope == NULL)
        return luaL_error(L, "not enough memory");
    pl_vm_push_envelope(L, vm, envelope);
    lua_pushinteger(L, (lua_Integer)number);
    lua_pushnumber(L, (lua_Number)(pl_clock_wall() - age) / 1e9);
    return 3;
}

/* ---- presence ---- */

/* natives.join(name, who, info) -> presence, or nil and the error */
static int join(lua_State *L)
{
    static const char call[] = "channel:join";
    struct pl_member *member = pl_vm_check_standing(L, call);
    struct pl_str name = pl_arg_str(L, 1, call, "the name");
    struct pl_str who = pl_arg_str(L, 2, call, "the member");
    struct pl_lua_datum info = {.value = {.type = PL_DATUM_NONE}};
    struct pl_presence **out = lua_newuserdata(L, sizeof(struct pl_presence *));
    int err;

    *out = NULL;
    luaL_newmetatable(L, presence_name);
    lua_setmetatable(L, -2);
    if (!lua_isnil(L, 3))
        pl_lua_datum_read(L, 3, call, &info);
    err = pl_presence_join(member, name, who, &info.value, out);
    pl_lua_datum_done(&info);
    if (err < 0)
        return pl_lua_push_failure(L, err, call);
    lua_pushvalue(L, 4);
    lua_pushinteger(L, (lua_Integer)(*out)->id);
    return 2;
}

/* natives.leave(presence) */
static int leave(lua_State *L)
{
    struct pl_presence **at = luaL_checkudata(L, 1, presence_name);
    struct pl_presence *presence = *at;

    *at = NULL;
    if (presence != NULL)
        pl_presence_leave(presence);
    return 0;
}

/* Who is there is copied in a section, where nothing of Lua may run: into a
 * block of Lua's that was made before. Texts lie behind their record. */
struct entry {
    uint64_t id;
    unsigned worker;
    size_t name_len, size;
    struct pl_datum info;
};

struct roll {
    char *at;
    size_t room, need;
};

static size_t info_len(const struct pl_datum *info)
{
    return info->type == PL_DATUM_STRING || info->type == PL_DATUM_PACKED
               ? info->bytes.len
               : 0;
}

static bool copy_presence(void *arg, const struct pl_presence *there)
{
    struct roll *roll = arg;
    size_t text = there->name.len + info_len(&there->info);
    struct entry entry = {
        .id = there->id,
        .worker = there->worker,
        .name_len = there->name.len,
        .size = (sizeof(entry) + text + 15) / 16 * 16,
        .info = there->info,
    };

    roll->need += entry.size;
    if (roll->need <= roll->room) {
        memcpy(roll->at, &entry, sizeof(entry));
        memcpy(roll->at + sizeof(entry), there->text, text);
        roll->at += entry.size;
    }
    return true;
}

/* What it takes is in roll->need; nothing was copied if that is more than room.
 * False: nil and the error have been pushed. */
static bool call_roll(lua_State *L, struct roll *roll, void *block, size_t room)
{
    static const char call[] = "channel:members";
    struct pl_member *member = pl_vm_check_standing(L, call);
    struct pl_channel *channel = find(L, member, call);

    *roll = (struct roll){.at = block, .room = room};
    if (channel == NULL)
        return false;
    pl_presence_each(channel, member->reader, copy_presence, roll);
    pl_channel_release(channel);
    return true;
}

static void push_entry(lua_State *L, const struct entry *entry)
{
    const char *text = (const char *)(entry + 1);
    struct pl_datum info = entry->info;

    lua_createtable(L, 0, 4);
    pl_lua_set_integer(L, "id", (int64_t)entry->id);
    pl_lua_set_str(L, "name", pl_str(text, entry->name_len));
    pl_lua_set_integer(L, "worker", entry->worker);
    if (info_len(&info) > 0)
        info.bytes.data = text + entry->name_len;
    pl_lua_datum_push(L, &info); /* nil: nothing was said */
    lua_setfield(L, -2, "info");
}

/* natives.members(name) -> a list of { id, name, worker, info } */
static int members(lua_State *L)
{
    struct roll roll;
    char *block = NULL;
    size_t room = 0;

    if (!call_roll(L, &roll, NULL, 0))
        return 2;
    while (roll.need > room) {
        room = roll.need;
        block = lua_newuserdata(L, room);
        if (!call_roll(L, &roll, block, room))
            return 2;
    }
    lua_newtable(L);
    for (int i = 1; block != NULL && block < roll.at; i++) {
        const struct entry *entry = (const void *)block;

        push_entry(L, entry);
        lua_rawseti(L, -2, i);
        block += entry->size;
    }
    return 1;
}

const luaL_Reg pl_lua_channel[] = {
    {"open", open_channel}, {"range", range}, {"read", read_message},
    {"join", join},         {"leave", leave}, {"members", members},
    {NULL, NULL},
};
