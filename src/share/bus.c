/* bus.c - topics and subscriptions.
 *
 * Two tables: the worker's own, from a topic to its subscriptions; and one of
 * the process, a dictionary from a topic to as many counts as there are
 * workers, by which a publisher finds the workers to send to. A subscription is
 * entered into the first before the second and leaves in the opposite order, so
 * that a count never stands for nobody who would take the message. */
#include "share/bus.h"

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"

enum { WORKERS_MAX = 1024, RING_FIRST = 4 };

/* In member->topics. */
struct pl_topic {
    struct pl_list subs;
    struct pl_str name;
    char text[];
};

/* ---- the counts of the process ---- */

static struct pl_datum counts_of(uint32_t *counts, unsigned n)
{
    return (struct pl_datum){
        .type = PL_DATUM_STRING,
        {.bytes = pl_str((const char *)counts, n * sizeof(*counts))}};
}

/* Adds by to the count of this worker. When all are 0 the topic goes. */
static int count_topic(struct pl_member *member, struct pl_str topic, int by)
{
    struct pl_dict *dict = pl_share_topics(member->share);
    struct pl_dict_user user = pl_member_user(member);
    unsigned n = pl_share_workers(member->share);
    uint32_t counts[WORKERS_MAX], all;
    struct pl_datum there, to;
    int err = dict == NULL ? PL_ERR_NOMEM : PL_ERR_STATE;

    while (err == PL_ERR_STATE) {
        memset(counts, 0, n * sizeof(counts[0]));
        pl_dict_get(dict, &user, topic, &there);
        if (there.type == PL_DATUM_STRING)
            memcpy(counts, there.bytes.data, there.bytes.len);
        pl_epoch_leave(user.reader);
        counts[member->id] += (uint32_t)by;
        all = 0;
        for (unsigned i = 0; i < n; i++)
            all |= counts[i];
        to = counts_of(counts, n);
        if (all == 0)
            to.type = PL_DATUM_NONE;
        err = pl_dict_swap(dict, &user, topic, &there, &to);
    }
    return err;
}

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
    return envelope;
}

/* Wakes, but runs nobody: what the waiter does comes from the run queue. So the
 * list of subscriptions does not change while they are told. */
static void deliver_to(struct pl_subscription *sub,
                       struct pl_envelope *envelope)
{
    if (sub->closed)
        return;
    if (sub->count == sub->size && !grow(sub)) {
        sub->dropped++;
        if (sub->close) {
            sub->closed = true;
            return;
        }
        if (sub->count == 0) /* not even the first place */
            return;
        pl_envelope_release(pl_bus_take(sub));
    }
    pl_envelope_keep(envelope);
    sub->ring[(sub->first + sub->count++) % sub->size] = envelope;
    wake(sub, 0);
}

static void on_published(struct pl_mail *mail)
{
    struct pl_envelope *envelope =
        PL_CONTAINER_OF(mail, struct pl_envelope, mail);
    struct pl_topic *topic =
        pl_table_get(&envelope->to->topics, envelope->message->topic);
    struct pl_list *node;

    if (topic != NULL)
        PL_LIST_FOREACH (node, &topic->subs)
            deliver_to(PL_LIST_ENTRY(node, struct pl_subscription, node),
                       envelope);
    pl_envelope_release(envelope);
}

/* ---- subscribing ---- */

/* The worker's topic of that name, made if need be. */
static struct pl_topic *get_topic(struct pl_member *member, struct pl_str name)
{
    struct pl_pool *pool = pl_loop_pool(member->loop);
    struct pl_topic *topic = pl_table_get(&member->topics, name);

    if (topic != NULL)
        return topic;
    topic = pl_pool_get(pool, sizeof(*topic) + name.len);
    if (topic == NULL)
        return NULL;
    pl_list_init(&topic->subs);
    memcpy(topic->text, name.data, name.len);
    topic->name = pl_str(topic->text, name.len);
    if (pl_table_put(&member->topics, topic->name, topic, NULL) == 0)
        return topic;
    pl_pool_put(pool, topic, sizeof(*topic) + name.len);
    return NULL;
}

static void put_topic(struct pl_member *member, struct pl_topic *topic)
{
    if (!pl_list_empty(&topic->subs))
        return;
    pl_table_remove(&member->topics, topic->name);
    pl_pool_put(pl_loop_pool(member->loop), topic,
                sizeof(*topic) + topic->name.len);
}

static void free_subscription(struct pl_subscription *sub)
{
    struct pl_pool *pool = pl_loop_pool(sub->member->loop);
    struct pl_envelope *envelope;

    while ((envelope = pl_bus_take(sub)) != NULL)
        pl_envelope_release(envelope);
    if (sub->ring != NULL)
        pl_pool_put(pool, sub->ring, sub->size * sizeof(sub->ring[0]));
    pl_list_remove(&sub->node);
    put_topic(sub->member, sub->topic);
    pl_pool_put(pool, sub, sizeof(*sub));
}

int pl_bus_subscribe(struct pl_member *member, struct pl_str topic,
                     const struct pl_bus_options *options,
                     struct pl_subscription **out)
{
    struct pl_pool *pool = pl_loop_pool(member->loop);
    unsigned limit = options->queue == 0 ? PL_BUS_QUEUE : options->queue;
    struct pl_subscription *sub;
    int err;

    if (topic.len > PL_DICT_KEY_MAX)
        return PL_ERR_TOO_LONG;
    if (topic.len == 0 || !member->placed || limit > PL_BUS_QUEUE_MAX)
        return PL_ERR_INVALID;
    sub = pl_pool_get(pool, sizeof(*sub));
    if (sub == NULL)
        return PL_ERR_NOMEM;
    *sub = (struct pl_subscription){
        .member = member, .limit = limit, .close = options->close};
    sub->topic = get_topic(member, topic);
    if (sub->topic == NULL) {
        pl_pool_put(pool, sub, sizeof(*sub));
        return PL_ERR_NOMEM;
    }
    pl_list_push(&sub->topic->subs, &sub->node);
    err = count_topic(member, topic, 1);
    if (err < 0)
        free_subscription(sub);
    else
        *out = sub;
    return err;
}

/* Without memory the count stays, too high: publishers go on sending what
 * nobody takes. */
void pl_bus_cancel(struct pl_subscription *sub)
{
    (void)count_topic(sub->member, sub->topic->name, -1);
    wake(sub, PL_ERR_CLOSED);
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
    pl_table_fini(&member->topics);
}

/* ---- receiving ---- */

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

/* The workers that have subscriptions, as bits; how many workers, and how many
 * subscriptions in *subs. */
static unsigned find_receivers(struct pl_share *share,
                               const struct pl_dict_user *user,
                               struct pl_str topic, uint32_t *counts)
{
    struct pl_dict *dict = pl_share_topics(share);
    struct pl_datum there;
    unsigned workers = 0;

    pl_dict_get(dict, user, topic, &there);
    if (there.type == PL_DATUM_STRING) {
        memcpy(counts, there.bytes.data, there.bytes.len);
        for (unsigned i = 0; i < pl_share_workers(share); i++)
            workers += counts[i] > 0;
    }
    pl_epoch_leave(user->reader);
    return workers;
}

int pl_bus_publish(struct pl_share *share, const struct pl_dict_user *user,
                   int from, struct pl_str topic, const struct pl_datum *value)
{
    uint32_t counts[WORKERS_MAX];
    struct pl_message *message;
    unsigned workers, number = 0, subs = 0;

    if (pl_share_topics(share) == NULL)
        return PL_ERR_NOMEM;
    workers = find_receivers(share, user, topic, counts);
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
