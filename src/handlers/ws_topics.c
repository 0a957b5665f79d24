/* ws_topics.c - from a topic's subscription to the sockets that listen.
 *
 *     HEARING --a message--> SENDING: some sockets a turn --all--> HEARING
 *        \----the last socket leaves: the topic goes----/
 *
 * Sending may close any socket, and who is told of that may subscribe and
 * unsubscribe: a place that is left while its topic sends only loses its
 * socket, and goes when the topic is through. */
#include "handlers/ws_topics.h"

#include "base/error.h"
#include "base/features.h"
#include "base/list.h"
#include "base/str.h"
#include "base/utf8.h"
#include "http/http.h"
#include "share/bus.h"

enum {
    BURST = 16, /* messages that are sent together */
    SLICE = 512 /* sockets in a turn */
};

/* In http->ws_topics. */
struct topic {
    struct pl_http *http;
    struct pl_subscription *sub; /* NULL: the last socket has left */
    struct pl_receive_op receive;
    struct pl_list places;
    unsigned live;  /* places with a socket */
    bool sending;   /* not hearing, */
    bool busy;      /* ... and a slice is being sent to */
    unsigned count; /* of frames */
    struct pl_ws_shared *frames[BURST];
    struct pl_list *at, *last; /* whom to send to next, and last */
    struct pl_timer next;      /* the next slice */
    struct pl_str name;
    char text[];
};

/* A socket among those of a topic. */
struct pl_ws_place {
    struct pl_list node;
    struct pl_ws_place *next; /* of the socket */
    struct topic *topic;
    struct pl_ws *ws; /* NULL: has left */
    bool drop;
};

static struct pl_pool *pool_of(const struct topic *topic)
{
    return topic->http->net->pool;
}

/* ---- the end ---- */

static void free_place(struct pl_ws_place *place)
{
    pl_list_remove(&place->node);
    pl_pool_put(pool_of(place->topic), place, sizeof(*place));
}

static void free_topic(struct topic *topic)
{
    pl_pool_put(pool_of(topic), topic, sizeof(*topic) + topic->name.len);
}

static void end_sending(struct topic *topic)
{
    struct pl_list *node, *tmp;

    topic->sending = false;
    pl_timer_stop(pl_loop_wheel(topic->http->net->loop), &topic->next);
    while (topic->count > 0)
        pl_ws_shared_drop(topic->frames[--topic->count]);
    PL_LIST_FOREACH_SAFE (node, tmp, &topic->places) {
        struct pl_ws_place *place =
            PL_LIST_ENTRY(node, struct pl_ws_place, node);

        if (place->ws == NULL)
            free_place(place);
    }
}

/* Nobody listens any more. While it hears, its receiver is told, and frees it.
 */
static void end_topic(struct topic *topic)
{
    struct pl_subscription *sub = topic->sub;
    bool hearing = !topic->sending;

    if (topic->sending)
        end_sending(topic);
    topic->sub = NULL;
    pl_table_remove(&topic->http->ws_topics, topic->name);
    if (topic->http->ws_topics.count == 0)
        pl_table_fini(&topic->http->ws_topics);
    pl_bus_cancel(sub);
    if (!hearing)
        free_topic(topic);
}

static void leave(struct pl_ws_place *place)
{
    struct topic *topic = place->topic;

    place->ws = NULL;
    topic->live--;
    if (!topic->sending)
        free_place(place);
    if (topic->live == 0 && !topic->busy)
        end_topic(topic);
}

static void on_left(struct pl_ws *ws)
{
    struct pl_ws_place *place;

    while ((place = ws->places) != NULL) {
        ws->places = place->next;
        leave(place);
    }
}

/* ---- messages ---- */

/* NULL: there is no memory for it, and nobody gets the message. */
static struct pl_ws_shared *frame_of(const struct topic *topic,
                                     const struct pl_datum *value)
{
    struct pl_ws_shared *frame = NULL;
    struct pl_buf scratch;
    struct pl_str text;

    pl_buf_init(&scratch, pool_of(topic), NULL, 0);
    if (pl_datum_text(value, &scratch, &text) == 0)
        frame = pl_ws_shared_new(
            pool_of(topic), pl_utf8_valid(text) ? PL_WS_TEXT : PL_WS_BINARY,
            text);
    pl_buf_fini(&scratch);
    return frame;
}

/* Takes what has come, but not too much at once. */
static void take_messages(struct topic *topic)
{
    struct pl_envelope *envelope;

    while (topic->count < BURST &&
           (envelope = pl_bus_take(topic->sub)) != NULL) {
        struct pl_ws_shared *frame = frame_of(topic, &envelope->message->value);

        pl_envelope_release(envelope);
        if (frame != NULL)
            topic->frames[topic->count++] = frame;
    }
}

/* ---- sending ---- */

static void send_to(const struct topic *topic, struct pl_ws_place *place)
{
    for (unsigned i = 0; i < topic->count && place->ws != NULL; i++) {
        struct pl_ws *ws = place->ws;

        if (pl_ws_write_shared(ws, topic->frames[i]) == PL_ERR_AGAIN &&
            !place->drop)
            pl_ws_close(ws, PL_WS_TRY_LATER, PL_STR("too slow"));
    }
}

static void on_received(struct pl_op *op);

static void hear(struct topic *topic)
{
    pl_receive_begin(&topic->receive, topic->http->sched, topic->sub, 0);
    pl_op_then(&topic->receive.op, on_received);
}

static void send_slice(struct topic *topic)
{
    struct pl_loop *loop = topic->http->net->loop;
    bool more = true;

    topic->busy = true;
    for (int i = 0; more && i < SLICE; i++) {
        struct pl_list *node = topic->at;

        send_to(topic, PL_LIST_ENTRY(node, struct pl_ws_place, node));
        more = node != topic->last;
        topic->at = node->next;
    }
    topic->busy = false;
    if (topic->live == 0) {
        end_topic(topic);
    } else if (more) {
        pl_timer_start(pl_loop_wheel(loop), &topic->next, pl_now(loop));
        pl_loop_soon(loop);
    } else {
        end_sending(topic);
        hear(topic);
    }
}

static void on_next(struct pl_timer *timer)
{
    send_slice(PL_CONTAINER_OF(timer, struct topic, next));
}

static void on_received(struct pl_op *op)
{
    struct topic *topic = PL_CONTAINER_OF(op, struct topic, receive.op);

    if (topic->sub == NULL) {
        free_topic(topic);
        return;
    }
    take_messages(topic);
    topic->sending = true;
    topic->at = topic->places.next;
    topic->last = topic->places.prev;
    send_slice(topic);
}

/* ---- subscribing ---- */

static int new_topic(struct pl_http *http, struct pl_member *member,
                     struct pl_str name, struct topic **out)
{
    /* The limit of a worker's mail comes first. */
    static const struct pl_bus_options options = {.queue = PL_BUS_QUEUE_MAX};
    struct topic *topic =
        pl_pool_get(http->net->pool, sizeof(*topic) + name.len);
    int err = PL_ERR_NOMEM;

    if (topic == NULL)
        return err;
    *topic = (struct topic){.http = http};
    memcpy(topic->text, name.data, name.len);
    topic->name = pl_str(topic->text, name.len);
    pl_list_init(&topic->places);
    pl_timer_init(&topic->next, on_next);
    if (http->ws_topics.pool == NULL)
        pl_table_init(&http->ws_topics, http->net->pool, NULL);
    err = pl_bus_subscribe(member, name, &options, &topic->sub);
    if (err < 0)
        goto fail;
    err = pl_table_put(&http->ws_topics, topic->name, topic, NULL);
    if (err < 0)
        goto fail_bus;
    http->ws_left = on_left;
    hear(topic);
    *out = topic;
    return 0;
fail_bus:
    pl_bus_cancel(topic->sub);
fail:
    free_topic(topic);
    return err;
}

/* Where the socket's place of that topic hangs; NULL at the end: none. */
static struct pl_ws_place **find(struct pl_ws *ws, struct pl_str name)
{
    struct pl_ws_place **at = &ws->places;

    while (*at != NULL && !pl_str_eq((*at)->topic->name, name))
        at = &(*at)->next;
    return at;
}

int pl_ws_listen(struct pl_ws *ws, struct pl_member *member, struct pl_str name,
                 bool drop)
{
    struct pl_ws_place *place;
    struct topic *topic;
    int err = 0;

    if (!PL_WITH_SHARE)
        return PL_ERR_UNSUPPORTED;
    place = *find(ws, name);
    if (ws->state != PL_WS_OPEN)
        return PL_ERR_CLOSED;
    if (place != NULL) {
        place->drop = drop;
        return 0;
    }
    topic = pl_table_get(&ws->http->ws_topics, name);
    if (topic == NULL)
        err = new_topic(ws->http, member, name, &topic);
    if (err < 0)
        return err;
    place = pl_pool_get(pool_of(topic), sizeof(*place));
    if (place == NULL) {
        if (topic->live == 0 && !topic->busy)
            end_topic(topic);
        return PL_ERR_NOMEM;
    }
    *place = (struct pl_ws_place){
        .next = ws->places, .topic = topic, .ws = ws, .drop = drop};
    pl_list_push(&topic->places, &place->node);
    ws->places = place;
    topic->live++;
    return 0;
}

int pl_ws_unsubscribe(struct pl_ws *ws, struct pl_str name)
{
    struct pl_ws_place **at = find(ws, name), *place = *at;

    if (!PL_WITH_SHARE || place == NULL)
        return PL_ERR_NOT_FOUND;
    *at = place->next;
    leave(place);
    return 0;
}

int pl_ws_subscribe(struct pl_ws *ws, struct pl_str topic, bool drop)
{
    struct pl_member *member = pl_member_current();

    return member == NULL ? PL_ERR_STATE
                          : pl_ws_listen(ws, member, topic, drop);
}
