#include "share/door.h"

#include "base/buf.h"
#include "base/str.h"
#include "share/bus.h"
#include "share/pattern.h"
#include "share/topics.h"

/* Messages that are read before others have their turn. */
enum { BURST = 256 };

/* ---- reading ---- */

static bool is_placed(const struct pl_member *member)
{
    return pl_share_member(member->share, member->id) == member;
}

static void read_ring(struct pl_member *member, struct pl_door *door)
{
    struct pl_channel *channel = door->channel;

    for (int i = 0; i < BURST; i++) {
        uint64_t number = door->at + 1;
        struct pl_message *message =
            pl_channel_read(channel, member->reader, &number);
        struct pl_envelope *envelope;

        if (number > door->at + 1)
            pl_bus_lose(member, channel->name, number - door->at - 1);
        door->at = number - (message == NULL);
        if (message == NULL)
            return;
        envelope = pl_envelope_new(message, member);
        if (envelope == NULL) {
            pl_bus_lose(member, channel->name, 1);
            continue;
        }
        pl_bus_deliver(envelope);
        pl_envelope_release(envelope);
    }
    pl_epoch_enter(member->reader);
    if (is_placed(member)) /* else it ends: what is left is nobody's */
        pl_channel_ring(channel, member);
    pl_epoch_leave(member->reader);
}

/* ---- opening ---- */

/* TAKES the hold on channel. */
static struct pl_door *make_door(struct pl_member *member,
                                 struct pl_channel *channel, uint64_t at)
{
    struct pl_pool *pool = pl_loop_pool(member->loop);
    struct pl_door *door = pl_pool_get(pool, sizeof(*door));

    if (door != NULL) {
        *door = (struct pl_door){channel, at};
        if (pl_table_put(&member->doors, channel->name, door, NULL) == 0)
            return door;
        pl_pool_put(pool, door, sizeof(*door));
    }
    pl_channel_release(channel);
    return NULL;
}

static bool stop_at_first(struct pl_topic *topic, void *found)
{
    (void)topic;
    *(bool *)found = true;
    return false;
}

static bool is_reached(struct pl_member *member, struct pl_str name)
{
    bool found = false;

    pl_topic_each(member, name, stop_at_first, &found);
    return found;
}

/* Subscriptions that are there already have waited for the channel to be made:
 * all of it is new to them. */
static uint64_t beginning(struct pl_member *member, struct pl_channel *channel)
{
    return is_reached(member, channel->name) ? channel->base
                                             : atomic_load(&channel->last);
}

struct pl_door *pl_door_open(struct pl_member *member, struct pl_str name,
                             int *err)
{
    struct pl_door *door = pl_table_get(&member->doors, name);
    struct pl_dict_user user = pl_member_user(member);
    struct pl_channel *channel;

    *err = 0;
    if (door == NULL) {
        if (pl_channel_open(member->share, &user, name, NULL, &channel) < 0)
            return NULL;
        door = make_door(member, channel, beginning(member, channel));
    }
    if (door == NULL)
        *err = PL_ERR_NOMEM;
    else
        read_ring(member, door);
    return door;
}

/* Names may not be looked up while they are walked over: they are noted, each
 * behind its length. */
static void note_name(void *names, struct pl_str name)
{
    uint32_t len = (uint32_t)name.len;

    pl_buf_add(names, pl_str((const char *)&len, sizeof(len)));
    pl_buf_add(names, name);
}

int pl_doors_open(struct pl_member *member, struct pl_str pattern)
{
    struct pl_dict_user user = pl_member_user(member);
    struct pl_buf names;
    struct pl_str rest;
    uint32_t len;
    int err;

    pl_buf_init(&names, pl_loop_pool(member->loop), NULL, 0);
    pl_channel_each(member->share, &user, pattern, note_name, &names);
    err = names.err;
    for (rest = pl_buf_str(&names); err == 0 && rest.len > 0;) {
        memcpy(&len, rest.data, sizeof(len));
        rest = pl_str_skip(rest, sizeof(len));
        (void)pl_door_open(member, pl_str_first(rest, len), &err);
        rest = pl_str_skip(rest, len);
    }
    pl_buf_fini(&names);
    return err;
}

void pl_doors_read(struct pl_member *member, struct pl_str name)
{
    struct pl_door *door = pl_table_get(&member->doors, name);

    if (door != NULL)
        read_ring(member, door);
    if (!pl_is_pattern(name))
        return;
    for (struct pl_table_walk at = {0}; pl_table_next(&member->doors, &at);)
        if (pl_pattern_matches(name, at.key))
            read_ring(member, at.value);
}

/* ---- closing ---- */

static void close_door(struct pl_member *member, struct pl_door *door)
{
    pl_table_remove(&member->doors, door->channel->name);
    pl_channel_release(door->channel);
    pl_pool_put(pl_loop_pool(member->loop), door, sizeof(*door));
}

void pl_doors_close(struct pl_member *member, struct pl_str name)
{
    struct pl_door *door = pl_table_get(&member->doors, name);

    if (member->doors.count == 0)
        return;
    if (!pl_is_pattern(name)) {
        if (door != NULL && !is_reached(member, name))
            close_door(member, door);
        return;
    }
    for (struct pl_table_walk at = {0}; pl_table_next(&member->doors, &at);)
        if (pl_pattern_matches(name, at.key) && !is_reached(member, at.key))
            close_door(member, at.value);
}

/* ---- bells ---- */

void pl_door_on_bell(struct pl_mail *mail)
{
    struct pl_bell *bell = PL_CONTAINER_OF(mail, struct pl_bell, mail);
    struct pl_channel *channel = bell->channel;
    struct pl_member *member = bell->to;
    struct pl_door *door;

    atomic_store(&bell->rung, false); /* before the look: see the publisher */
    door = pl_table_get(&member->doors, channel->name);
    if (door == NULL && is_reached(member, channel->name)) {
        pl_channel_hold(channel);
        door = make_door(member, channel, channel->base);
    }
    if (door != NULL)
        read_ring(member, door);
    pl_channel_release(channel);
}
