/* bus.c - subscriptions, their queues, and publishing to them.
 *
 * A subscription is counted for all before it is entered into the worker's
 * index, and leaves in the opposite order: what is sent to it in between comes
 * as mail, after the call. With channels it first notes how far their rings
 * have come, is counted then, and reads on from there when it is entered.
 * Publishers look at the counts before a message goes into the ring, for their
 * answer, and after it, to ring: so who is counted gets the message, and who
 * comes a moment too late for that gets it as well or not at all, never
 * twice. */
#include "share/bus.h"

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/door.h"
#include "share/pattern.h"
#include "share/topics.h"

enum { RING_FIRST = 4 };

/* ---- queues ---- */

static void wake(struct pl_subscription *sub, int result)
{
    struct pl_receive_op *receive = sub->waiter;

    if (receive == NULL)
        return;
    sub->waiter = NULL;
    receive->sub = NULL;
    pl_timer_stop(pl_loop_wheel(sub->member->loop), &receive->timer);
    pl_op_complete(&receive->op, result);
}

/* One more place; false if there may be none. */
static bool grow(struct pl_subscription *sub)
{
    struct pl_pool *pool = pl_loop_pool(sub->member->loop);
    unsigned size = sub->size == 0 ? RING_FIRST : sub->size * 2;
    struct pl_envelope **ring;

    size = PL_MIN(size, sub->limit);
    if (size == sub->size)
        return false;
    ring = pl_pool_get(pool, size * sizeof(*ring));
    if (ring == NULL)
        return false;
    for (unsigned i = 0; i < sub->count; i++)
        ring[i] = sub->ring[(sub->first + i) % sub->size];
    if (sub->ring != NULL)
        pl_pool_put(pool, sub->ring, sub->size * sizeof(*ring));
    sub->ring = ring;
    sub->first = 0;
    sub->size = size;
    return true;
}

struct pl_envelope *pl_bus_take(struct pl_subscription *sub)
{
    struct pl_envelope *envelope;

    if (sub->count == 0)
        return NULL;
    envelope = sub->ring[sub->first];
    sub->first = (sub->first + 1) % sub->size;
    sub->count--;
    sub->bytes -= envelope->message->charge;
    return envelope;
}

/* Room for one more of that size: the oldest go. False: it has to close, or
 * there is no place at all. */
static bool make_room(struct pl_subscription *sub, size_t size)
{
    bool full = sub->count == sub->size && !grow(sub);

    full = full || (sub->most > 0 && sub->bytes + size > sub->most);
    if (!full)
        return true;
    if (sub->close) {
        sub->closed = true;
        return false;
    }
    while (sub->count > 0 &&
           (sub->count == sub->size ||
            (sub->most > 0 && sub->bytes + size > sub->most))) {
        sub->dropped++;
        pl_envelope_release(pl_bus_take(sub));
    }
    return sub->size > 0 && (sub->most == 0 || size <= sub->most);
}

static void enqueue(struct pl_subscription *sub, struct pl_envelope *envelope)
{
    pl_envelope_keep(envelope);
    sub->ring[(sub->first + sub->count++) % sub->size] = envelope;
    sub->bytes += envelope->message->charge;
}

/* Wakes, but runs nobody: what the waiter does comes from the run queue. So the
 * list of subscriptions does not change while they are told. */
static void deliver_to(struct pl_subscription *sub,
                       struct pl_envelope *envelope)
{
    if (sub->closed)
        return;
    if (make_room(sub, envelope->message->charge))
        enqueue(sub, envelope);
    else
        sub->dropped++;
    if (sub->closed || sub->count > 0)
        wake(sub, 0);
    if (sub->notify != NULL)
        sub->notify(sub);
}

static bool deliver_to_topic(struct pl_topic *topic, void *envelope)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &topic->subs)
        deliver_to(PL_LIST_ENTRY(node, struct pl_subscription, node), envelope);
    return true;
}

void pl_bus_deliver(struct pl_envelope *envelope)
{
    pl_topic_each(envelope->to, envelope->message->topic, deliver_to_topic,
                  envelope);
}

static bool lose_in_topic(struct pl_topic *topic, void *n)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &topic->subs) {
        struct pl_subscription *sub =
            PL_LIST_ENTRY(node, struct pl_subscription, node);

        sub->dropped += *(uint64_t *)n;
        sub->closed = sub->closed || sub->close;
        if (sub->closed)
            wake(sub, 0);
    }
    return true;
}

void pl_bus_lose(struct pl_member *member, struct pl_str topic, uint64_t n)
{
    pl_topic_each(member, topic, lose_in_topic, &n);
}

static void on_published(struct pl_mail *mail)
{
    struct pl_envelope *envelope =
        PL_CONTAINER_OF(mail, struct pl_envelope, mail);

    pl_bus_deliver(envelope);
    pl_envelope_release(envelope);
}

/* ---- subscribing ---- */

static void free_subscription(struct pl_subscription *sub)
{
    struct pl_pool *pool = pl_loop_pool(sub->member->loop);
    struct pl_envelope *envelope;

    while ((envelope = pl_bus_take(sub)) != NULL)
        pl_envelope_release(envelope);
    if (sub->ring != NULL)
        pl_pool_put(pool, sub->ring, sub->size * sizeof(sub->ring[0]));
    pl_pool_put(pool, sub, sizeof(*sub));
}

/* The last of its subscriptions has gone, and perhaps the last reason to read
 * a channel. */
static void end_topic(struct pl_member *member, struct pl_topic *topic)
{
    char text[PL_DICT_KEY_MAX];
    struct pl_str name = pl_str(memcpy(text, topic->name.data, topic->name.len),
                                topic->name.len);

    pl_topic_put(member, topic);
    pl_doors_close(member, name);
}

static struct pl_subscription *make(struct pl_member *member,
                                    const struct pl_bus_options *options)
{
    struct pl_subscription *sub =
        pl_pool_get(pl_loop_pool(member->loop), sizeof(*sub));

    if (sub != NULL)
        *sub = (struct pl_subscription){
            .member = member,
            .limit = options->queue == 0 ? PL_BUS_QUEUE : options->queue,
            .most = options->bytes,
            .close = options->close,
            .serves = options->serves,
            .notify = options->notify,
            .arg = options->arg};
    return sub;
}

/* What the channel remembers behind number since, up to where the worker has
 * come. These do not count against the queue's limits. */
static void replay(struct pl_subscription *sub, struct pl_door *door,
                   uint64_t since)
{
    struct pl_dict_user user = pl_member_user(sub->member);
    uint64_t first = pl_channel_remembered(door->channel, &user), number;
    size_t most = sub->most;

    number = PL_MAX(first, since + 1);
    if (since >= door->channel->base && number > since + 1)
        sub->dropped += number - since - 1;
    if (number > door->at)
        return;
    sub->limit = (unsigned)PL_MAX(sub->limit, door->at - number + 1);
    sub->most = 0;
    for (; number <= door->at; number++) {
        struct pl_message *message =
            pl_channel_read(door->channel, user.reader, &number);
        struct pl_envelope *envelope;

        if (message == NULL)
            break;
        envelope = pl_envelope_new(message, sub->member);
        if (envelope == NULL) {
            sub->dropped++;
            continue;
        }
        if (number <= door->at)
            deliver_to(sub, envelope);
        pl_envelope_release(envelope);
    }
    sub->most = most == 0 ? 0 : PL_MAX(most, sub->bytes);
}

/* Channels that are made from now on ring, once the subscription counts. */
static int open_doors(struct pl_member *member, struct pl_str name,
                      struct pl_door **door)
{
    int err = 0;

    *door = NULL;
    if (pl_share_channels(member->share, false) == NULL)
        return 0;
    if (pl_is_pattern(name))
        err = pl_doors_open(member, name);
    else
        *door = pl_door_open(member, name, &err);
    return err;
}

/* Counts it, enters it into the index, and gives it what it wants of the past
 * and what has come since its doors were opened. */
static int enter(struct pl_subscription *sub, struct pl_str name,
                 const struct pl_bus_options *options)
{
    struct pl_member *member = sub->member;
    struct pl_door *door;
    int err = open_doors(member, name, &door);

    if (err == 0)
        err = pl_topic_count(member, name, 1);
    if (err < 0)
        return err;
    sub->topic = pl_topic_get(member, name);
    if (sub->topic == NULL) {
        (void)pl_topic_count(member, name, -1);
        return PL_ERR_NOMEM;
    }
    pl_list_push(&sub->topic->subs, &sub->node);
    if (options->replay && door != NULL)
        replay(sub, door, options->since);
    pl_doors_read(member, name);
    return 0;
}

int pl_bus_subscribe(struct pl_member *member, struct pl_str name,
                     const struct pl_bus_options *options,
                     struct pl_subscription **out)
{
    struct pl_subscription *sub;
    int err = pl_topic_check(name);

    if (err < 0)
        return err;
    if (!member->placed || options->queue > PL_BUS_QUEUE_MAX ||
        (options->replay && pl_is_pattern(name)))
        return PL_ERR_INVALID;
    sub = make(member, options);
    if (sub == NULL)
        return PL_ERR_NOMEM;
    err = enter(sub, name, options);
    if (err < 0) {
        pl_doors_close(member, name);
        free_subscription(sub);
        return err;
    }
    *out = sub;
    return 0;
}

/* Without memory the count stays, too high: publishers go on sending what
 * nobody takes. */
void pl_bus_cancel(struct pl_subscription *sub)
{
    struct pl_member *member = sub->member;
    struct pl_topic *topic = sub->topic;

    (void)pl_topic_count(member, topic->name, -1);
    wake(sub, PL_ERR_CLOSED);
    pl_list_remove(&sub->node);
    if (pl_list_empty(&topic->subs))
        end_topic(member, topic);
    free_subscription(sub);
}

void pl_bus_fini(struct pl_member *member)
{
    for (struct pl_table_walk at = {0}; pl_table_next(&member->topics, &at);) {
        struct pl_topic *topic = at.value;
        struct pl_list *node, *tmp;

        /* The last one takes the topic along. */
        PL_LIST_FOREACH_SAFE (node, tmp, &topic->subs) {
            bool last = tmp == &topic->subs;

            pl_bus_cancel(PL_LIST_ENTRY(node, struct pl_subscription, node));
            if (last)
                break;
        }
    }
    PL_ASSERT(member->doors.count == 0 && member->patterns.count == 0);
    pl_table_fini(&member->topics);
    pl_table_fini(&member->patterns);
    pl_table_fini(&member->doors);
}

/* ---- receiving ---- */

static bool stops(const struct pl_subscription *sub)
{
    return sub->serves && sub->member->draining;
}

static void drain_topic(struct pl_topic *topic)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &topic->subs) {
        struct pl_subscription *sub =
            PL_LIST_ENTRY(node, struct pl_subscription, node);

        if (sub->serves)
            wake(sub, PL_ERR_STOPPING);
    }
}

PL_COLD void pl_bus_drain(struct pl_member *member)
{
    member->draining = true;
    for (struct pl_table_walk at = {0}; pl_table_next(&member->topics, &at);)
        drain_topic(at.value);
}

void pl_bus_finish(struct pl_subscription *sub)
{
    sub->closed = true;
    wake(sub, 0);
}

static void cancel_receive(struct pl_op *op)
{
    struct pl_receive_op *receive =
        PL_CONTAINER_OF(op, struct pl_receive_op, op);

    wake(receive->sub, PL_ERR_CANCELED);
}

static void on_timeout(struct pl_timer *timer)
{
    struct pl_receive_op *receive =
        PL_CONTAINER_OF(timer, struct pl_receive_op, timer);

    wake(receive->sub, PL_ERR_TIMEOUT);
}

void pl_receive_begin(struct pl_receive_op *receive, struct pl_sched *sched,
                      struct pl_subscription *sub, uint64_t due)
{
    int now = sub->count > 0        ? 0
              : sub->closed         ? PL_ERR_CLOSED
              : sub->waiter != NULL ? PL_ERR_BUSY
              : stops(sub)          ? PL_ERR_STOPPING
                                    : PL_ERR_AGAIN;

    pl_op_init(&receive->op, sched, cancel_receive);
    pl_op_begin(&receive->op);
    pl_timer_init(&receive->timer, on_timeout);
    receive->sub = sub;
    if (now != PL_ERR_AGAIN) {
        pl_op_complete(&receive->op, now);
        return;
    }
    sub->waiter = receive;
    if (due != 0)
        pl_timer_start(pl_loop_wheel(sub->member->loop), &receive->timer, due);
}

/* ---- publishing ---- */

/* Wakes the workers that have somebody who listens. */
static void ring_all(struct pl_channel *channel,
                     const struct pl_dict_user *user)
{
    struct pl_share *share = channel->share;
    uint32_t counts[PL_TOPICS_WORKERS];

    if (pl_topic_receivers(share, user, channel->name, counts) == 0)
        return;
    pl_epoch_enter(user->reader);
    for (unsigned i = 0; i < pl_share_workers(share); i++) {
        struct pl_member *member =
            counts[i] > 0 ? pl_share_member(share, i) : NULL;

        if (member != NULL)
            pl_channel_ring(channel, member);
    }
    pl_epoch_leave(user->reader);
}

/* Returns how many were there before it, and get it for sure. */
static int publish_kept(struct pl_channel *channel,
                        const struct pl_dict_user *user, int from,
                        const struct pl_datum *value, uint64_t *number)
{
    uint32_t counts[PL_TOPICS_WORKERS], subs = 0;
    int err;

    (void)pl_topic_receivers(channel->share, user, channel->name, counts);
    err = pl_channel_put(channel, user, from, value, number);
    if (err < 0)
        return err;
    ring_all(channel, user);
    for (unsigned i = 0; i < pl_share_workers(channel->share); i++)
        subs += counts[i];
    return (int)subs;
}

static int publish_once(struct pl_share *share, const struct pl_dict_user *user,
                        int from, struct pl_str topic,
                        const struct pl_datum *value)
{
    uint32_t counts[PL_TOPICS_WORKERS];
    struct pl_message *message;
    unsigned workers, number = 0, subs = 0;

    workers = pl_topic_receivers(share, user, topic, counts);
    if (workers == 0)
        return 0;
    message = pl_message_new(workers, from, topic, value);
    if (message == NULL)
        return PL_ERR_NOMEM;
    pl_epoch_enter(user->reader);
    for (unsigned i = 0; i < pl_share_workers(share); i++) {
        struct pl_member *member =
            counts[i] > 0 ? pl_share_member(share, i) : NULL;

        if (member != NULL &&
            pl_message_address(message, number++, member) == 0)
            subs += counts[i];
    }
    pl_message_post(message, on_published);
    pl_epoch_leave(user->reader);
    return (int)subs;
}

int pl_bus_send(struct pl_share *share, const struct pl_dict_user *user,
                int from, struct pl_str topic, const struct pl_datum *value,
                uint64_t *number)
{
    struct pl_channel *channel;
    int result;

    *number = 0;
    if (pl_is_pattern(topic))
        return PL_ERR_INVALID;
    if (pl_share_topics(share) == NULL)
        return PL_ERR_NOMEM;
    if (pl_channel_open(share, user, topic, NULL, &channel) < 0)
        return publish_once(share, user, from, topic, value);
    result = publish_kept(channel, user, from, value, number);
    pl_channel_release(channel);
    return result;
}

int pl_bus_publish(struct pl_share *share, const struct pl_dict_user *user,
                   int from, struct pl_str topic, const struct pl_datum *value)
{
    uint64_t number;

    return pl_bus_send(share, user, from, topic, value, &number);
}
