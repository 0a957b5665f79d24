#include "share/presence.h"

#include "base/pack.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/bus.h"

/* ---- telling ---- */

static void pack_value(struct pl_buf *out, const struct pl_datum *value)
{
    switch (value->type) {
    case PL_DATUM_BOOL:
        pl_pack_bool(out, value->boolean);
        break;
    case PL_DATUM_INTEGER:
        pl_pack_integer(out, value->integer);
        break;
    case PL_DATUM_DOUBLE:
        pl_pack_double(out, value->number);
        break;
    case PL_DATUM_STRING:
        pl_pack_string(out, value->bytes);
        break;
    default: /* packed: without the version, which stands at the beginning */
        pl_buf_add(out, pl_str_skip(value->bytes, 1));
    }
}

/* Without memory nobody is told; who asks who is there sees it all the same. */
static void tell(const struct pl_presence *presence, struct pl_str event)
{
    struct pl_channel *channel = presence->channel;
    struct pl_member *member = presence->member;
    struct pl_pool *pool = pl_loop_pool(member->loop);
    struct pl_dict_user user = pl_member_user(member);
    bool info = presence->info.type != PL_DATUM_NONE;
    struct pl_datum value = {.type = PL_DATUM_PACKED};
    struct pl_buf topic, out;
    uint64_t number;

    if (!channel->rules.presence)
        return;
    pl_buf_init(&topic, pool, NULL, 0);
    pl_buf_init(&out, pool, NULL, 0);
    pl_buf_add(&topic, channel->name);
    pl_buf_add(&topic, PL_STR(".presence"));
    pl_pack_begin(&out);
    pl_pack_table(&out, 0, info ? 4 : 3, false);
    pl_pack_string(&out, PL_STR("event"));
    pl_pack_string(&out, event);
    pl_pack_string(&out, PL_STR("id"));
    pl_pack_integer(&out, (int64_t)presence->id);
    pl_pack_string(&out, PL_STR("name"));
    pl_pack_string(&out, presence->name);
    if (info) {
        pl_pack_string(&out, PL_STR("info"));
        pack_value(&out, &presence->info);
    }
    value.bytes = pl_buf_str(&out);
    if (topic.err == 0 && out.err == 0)
        (void)pl_bus_send(member->share, &user, (int)member->id,
                          pl_buf_str(&topic), &value, &number);
    pl_buf_fini(&topic);
    pl_buf_fini(&out);
}

/* ---- joining and leaving ---- */

static bool has_bytes(const struct pl_datum *value)
{
    return value->type == PL_DATUM_STRING || value->type == PL_DATUM_PACKED;
}

static struct pl_presence *make(struct pl_member *member, struct pl_str name,
                                const struct pl_datum *info)
{
    size_t len = has_bytes(info) ? info->bytes.len : 0;
    size_t size = sizeof(struct pl_presence) + name.len + len;
    struct pl_presence *presence = pl_malloc(size);

    if (presence == NULL)
        return NULL;
    *presence = (struct pl_presence){.member = member,
                                     .id = pl_share_next_id(member->share),
                                     .worker = member->id,
                                     .name = pl_str(presence->text, name.len),
                                     .info = *info,
                                     .size = size};
    memcpy(presence->text, name.data, name.len);
    if (has_bytes(info))
        presence->info.bytes = pl_str(
            memcpy(presence->text + name.len, info->bytes.data, len), len);
    return presence;
}

static struct pl_presence *_Atomic *room_of(struct pl_presence *presence)
{
    return &presence->channel->rooms[presence->member->id];
}

int pl_presence_join(struct pl_member *member, struct pl_str channel,
                     struct pl_str name, const struct pl_datum *info,
                     struct pl_presence **out)
{
    struct pl_dict_user user = pl_member_user(member);
    struct pl_presence *presence, *older;
    int err;

    if (name.len == 0)
        return PL_ERR_INVALID;
    if (name.len > PL_PRESENCE_NAME ||
        (has_bytes(info) && info->bytes.len > PL_PRESENCE_INFO))
        return PL_ERR_TOO_LONG;
    presence = make(member, name, info);
    if (presence == NULL)
        return PL_ERR_NOMEM;
    err = pl_channel_open(member->share, &user, channel, NULL,
                          &presence->channel);
    if (err < 0) {
        pl_free(presence);
        return err;
    }
    older = atomic_load(room_of(presence));
    atomic_init(&presence->older, older);
    if (older != NULL)
        older->newer = presence;
    atomic_store(room_of(presence), presence);
    pl_list_push(&member->presences, &presence->node);
    tell(presence, PL_STR("join"));
    *out = presence;
    return 0;
}

static void free_presence(struct pl_retired *retired)
{
    pl_free(PL_CONTAINER_OF(retired, struct pl_presence, retired));
}

void pl_presence_leave(struct pl_presence *presence)
{
    struct pl_member *member = presence->member;
    struct pl_presence *older = atomic_load(&presence->older);

    if (older != NULL)
        older->newer = presence->newer;
    if (presence->newer != NULL)
        atomic_store(&presence->newer->older, older);
    else
        atomic_store(room_of(presence), older);
    pl_list_remove(&presence->node);
    tell(presence, PL_STR("leave"));
    pl_channel_release(presence->channel);
    pl_epoch_retire(member->reader, &presence->retired, free_presence,
                    presence->size);
}

void pl_presence_fini(struct pl_member *member)
{
    while (!pl_list_empty(&member->presences))
        pl_presence_leave(
            PL_LIST_ENTRY(member->presences.next, struct pl_presence, node));
}

/* ---- looking ---- */

void pl_presence_each(struct pl_channel *channel, struct pl_reader *reader,
                      bool (*see)(void *arg, const struct pl_presence *there),
                      void *arg)
{
    unsigned workers = pl_share_workers(channel->share);
    bool more = true;

    pl_epoch_enter(reader);
    for (unsigned i = 0; more && i < workers; i++) {
        const struct pl_presence *at = atomic_load(&channel->rooms[i]);

        for (; more && at != NULL; at = atomic_load(&at->older))
            more = see(arg, at);
    }
    pl_epoch_leave(reader);
}
