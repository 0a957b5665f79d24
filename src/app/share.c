/* share.c - what workers share, for C programs (perilune.h): dictionaries,
 * topics and messages of share/ under their public names. Who is told of
 * messages is in app_tasks.c.
 *
 * A thread that is no worker takes part for the time of one call. */
#include "app/app.h"
#include "base/check.h"
#include "base/features.h"
#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/bus.h"
#include "task/fiber.h"

/* ---- dictionaries ---- */

struct pl_shared {
    struct pl_shared *next;
    struct pl_share *share;
    struct pl_dict *dict;
};

struct pl_shared *pl_shared_open(struct pl_app *app, const char *name,
                                 const struct pl_shared_options *options)
{
    struct pl_shared_options given;
    struct pl_dict_options made;
    struct pl_error error = {.text = "out of memory"};
    struct pl_shared *shared = NULL;

    if (app->running)
        return NULL;
    if (!PL_WITH_SHARE) {
        pl_app_note(app, PL_ERR_UNSUPPORTED, "pl_shared_open", name,
                    PL_WITHOUT PL_FEATURE_SHARE);
        return NULL;
    }
    PL_OPTIONS_READ(&given, options);
    made = (struct pl_dict_options){
        .max = given.max != 0 ? given.max : PL_SHARE_DICT_MAX,
        .ttl = given.ttl_ms * 1000000,
        .evict = given.evict,
    };
    shared = pl_malloc(sizeof(*shared));
    if (shared != NULL && pl_share_dict(app->server.share, pl_str_c(name),
                                        options == NULL ? NULL : &made,
                                        &shared->dict, &error) == 0) {
        shared->share = app->server.share;
        shared->next = app->shared;
        app->shared = shared;
        return shared;
    }
    pl_free(shared);
    pl_app_note(app, PL_ERR_INVALID, "pl_shared_open", name, error.text);
    return NULL;
}

void pl_app_forget_shared(struct pl_app *app)
{
    struct pl_shared *shared;

    while ((shared = app->shared) != NULL) {
        app->shared = shared->next;
        pl_free(shared);
    }
}

static int begin(const struct pl_shared *shared, struct pl_guest *guest)
{
    return PL_WITH_SHARE ? pl_guest_begin(guest, shared->share)
                         : PL_ERR_UNSUPPORTED;
}

static int end(struct pl_guest *guest, int err)
{
    pl_guest_end(guest);
    return err;
}

static uint64_t in_ns(uint64_t ttl_ms)
{
    return ttl_ms == 0                      ? PL_DICT_DEFAULT
           : ttl_ms >= UINT64_MAX / 1000000 ? PL_DICT_FOREVER
                                            : ttl_ms * 1000000;
}

static struct pl_datum string_of(struct pl_str value)
{
    return (struct pl_datum){.type = value.data == NULL ? PL_DATUM_NONE
                                                        : PL_DATUM_STRING,
                             {.bytes = value}};
}

ssize_t pl_shared_get(struct pl_shared *shared, struct pl_str key, char *to,
                      size_t size)
{
    ssize_t result = PL_ERR_INVALID;
    struct pl_datum value;
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    pl_dict_get(shared->dict, &guest.user, key, &value);
    if (value.type == PL_DATUM_NONE) {
        result = PL_ERR_NOT_FOUND;
    } else if (value.type == PL_DATUM_STRING) {
        memcpy(to, value.bytes.data, PL_MIN(size, value.bytes.len));
        result = (ssize_t)value.bytes.len;
    }
    pl_epoch_leave(guest.user.reader);
    end(&guest, 0);
    return result;
}

/* The number that is there. */
static int get_number(struct pl_shared *shared, struct pl_str key,
                      struct pl_datum *value)
{
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    pl_dict_get(shared->dict, &guest.user, key, value);
    pl_epoch_leave(guest.user.reader);
    if (value->type == PL_DATUM_NONE)
        err = PL_ERR_NOT_FOUND;
    else if (value->type != PL_DATUM_INTEGER && value->type != PL_DATUM_DOUBLE)
        err = PL_ERR_INVALID;
    return end(&guest, err);
}

int pl_shared_get_number(struct pl_shared *shared, struct pl_str key,
                         double *value)
{
    struct pl_datum there;
    int err = get_number(shared, key, &there);

    if (err == 0)
        *value = there.type == PL_DATUM_INTEGER ? (double)there.integer
                                                : there.number;
    return err;
}

int pl_shared_get_integer(struct pl_shared *shared, struct pl_str key,
                          int64_t *value)
{
    struct pl_datum there;
    int err = get_number(shared, key, &there);

    if (err == 0 && there.type != PL_DATUM_INTEGER)
        err = PL_ERR_INVALID;
    if (err == 0)
        *value = there.integer;
    return err;
}

static int put(struct pl_shared *shared, struct pl_str key,
               const struct pl_datum *value, enum pl_dict_mode mode,
               uint64_t ttl_ms)
{
    const struct pl_dict_put how = {mode, in_ns(ttl_ms)};
    struct pl_guest guest;
    int err =
        value->type == PL_DATUM_NONE ? PL_ERR_INVALID : begin(shared, &guest);

    if (err < 0)
        return err;
    return end(&guest,
               pl_dict_put(shared->dict, &guest.user, key, value, &how));
}

int pl_shared_set(struct pl_shared *shared, struct pl_str key,
                  struct pl_str value, uint64_t ttl_ms)
{
    const struct pl_datum datum = string_of(value);

    return put(shared, key, &datum, PL_DICT_SET, ttl_ms);
}

int pl_shared_set_number(struct pl_shared *shared, struct pl_str key,
                         double value, uint64_t ttl_ms)
{
    const struct pl_datum datum = {.type = PL_DATUM_DOUBLE, {.number = value}};

    return put(shared, key, &datum, PL_DICT_SET, ttl_ms);
}

int pl_shared_set_integer(struct pl_shared *shared, struct pl_str key,
                          int64_t value, uint64_t ttl_ms)
{
    const struct pl_datum datum = {.type = PL_DATUM_INTEGER,
                                   {.integer = value}};

    return put(shared, key, &datum, PL_DICT_SET, ttl_ms);
}

int pl_shared_add(struct pl_shared *shared, struct pl_str key,
                  struct pl_str value, uint64_t ttl_ms)
{
    const struct pl_datum datum = string_of(value);

    return put(shared, key, &datum, PL_DICT_ADD, ttl_ms);
}

int pl_shared_replace(struct pl_shared *shared, struct pl_str key,
                      struct pl_str value, uint64_t ttl_ms)
{
    const struct pl_datum datum = string_of(value);

    return put(shared, key, &datum, PL_DICT_REPLACE, ttl_ms);
}

int pl_shared_incr(struct pl_shared *shared, struct pl_str key, int64_t by,
                   int64_t init, uint64_t ttl_ms, int64_t *sum)
{
    struct pl_datum value = {.type = PL_DATUM_INTEGER, {.integer = by}};
    const struct pl_datum first = {.type = PL_DATUM_INTEGER, {.integer = init}};
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    err = pl_dict_incr(shared->dict, &guest.user, key, &value, &first,
                       in_ns(ttl_ms));
    if (err == 0 && sum != NULL)
        *sum = value.type == PL_DATUM_INTEGER ? value.integer
                                              : (int64_t)value.number;
    return end(&guest, err);
}

int pl_shared_cas(struct pl_shared *shared, struct pl_str key,
                  struct pl_str expected, struct pl_str value)
{
    const struct pl_datum from = string_of(expected), to = string_of(value);
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    return end(&guest,
               pl_dict_swap(shared->dict, &guest.user, key, &from, &to));
}

int pl_shared_delete(struct pl_shared *shared, struct pl_str key)
{
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    return end(&guest, pl_dict_delete(shared->dict, &guest.user, key));
}

int pl_shared_expire(struct pl_shared *shared, struct pl_str key,
                     uint64_t ttl_ms)
{
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    return end(&guest,
               pl_dict_expire(shared->dict, &guest.user, key, in_ns(ttl_ms)));
}

int pl_shared_ttl(struct pl_shared *shared, struct pl_str key, uint64_t *ttl_ms)
{
    uint64_t left = 0;
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    err = end(&guest, pl_dict_ttl(shared->dict, &guest.user, key, &left));
    if (err == 0)
        *ttl_ms = left == PL_DICT_FOREVER ? PL_SHARED_FOREVER
                                          : (left + 999999) / 1000000;
    return err;
}

struct seeing {
    bool (*fn)(void *arg, struct pl_str key);
    void *arg;
    bool enough;
};

static void see_key(void *arg, struct pl_str key)
{
    struct seeing *seeing = arg;

    if (!seeing->enough)
        seeing->enough = !seeing->fn(seeing->arg, key);
}

int pl_shared_keys(struct pl_shared *shared,
                   bool (*fn)(void *arg, struct pl_str key), void *arg)
{
    struct seeing seeing = {fn, arg, false};
    size_t at = 0;
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    while (!seeing.enough &&
           pl_dict_walk(shared->dict, &guest.user, &at, see_key, &seeing))
        ;
    return end(&guest, 0);
}

int pl_shared_flush(struct pl_shared *shared)
{
    struct pl_guest guest;
    int err = begin(shared, &guest);

    if (err < 0)
        return err;
    pl_dict_flush(shared->dict, &guest.user);
    return end(&guest, 0);
}

void pl_shared_stats(struct pl_shared *shared, struct pl_shared_stats *stats)
{
    const struct pl_dict_stats now = pl_dict_stats(shared->dict);
    const struct pl_shared_stats full = {
        .size = stats->size,
        .keys = now.keys,
        .used = now.used,
        .max = now.limit,
        .hits = now.hits,
        .misses = now.misses,
        .evicted = now.evicted,
        .expired = now.expired,
        .refused = now.refused,
    };

    memcpy(stats, &full, PL_MIN(stats->size, sizeof(full)));
}

/* ---- topics ---- */

/* A subscription of a task; it goes when the task ends. */
struct pl_feed {
    struct pl_subscription *sub; /* NULL: closed */
    struct pl_envelope *last;    /* what the caller may be looking at: */
    struct pl_str text;          /* its value as text, */
    struct pl_buf scratch;       /* ... which may lie here */
    struct pl_pool *pool;
};

int pl_publish(struct pl_app *app, struct pl_str topic, struct pl_str message)
{
    const struct pl_datum value = string_of(message);
    const struct pl_shared any = {.share = app->server.share};
    struct pl_guest guest;
    int err = message.data == NULL ? PL_ERR_INVALID : begin(&any, &guest);

    if (err < 0)
        return err;
    return end(&guest,
               pl_bus_publish(any.share, &guest.user, guest.id, topic, &value));
}

static void drop_last(struct pl_feed *feed)
{
    if (feed->last != NULL)
        pl_envelope_release(feed->last);
    feed->last = NULL;
    pl_buf_fini(&feed->scratch);
}

void pl_feed_close(struct pl_feed *feed)
{
    drop_last(feed);
    if (feed->sub != NULL)
        pl_bus_cancel(feed->sub);
    feed->sub = NULL;
}

static void end_feed(void *arg)
{
    struct pl_feed *feed = arg;

    pl_feed_close(feed);
    pl_pool_put(feed->pool, feed, sizeof(*feed));
}

int pl_subscribe(struct pl_str topic,
                 const struct pl_subscribe_options *options,
                 struct pl_feed **out)
{
    struct pl_member *member = pl_member_current();
    struct pl_subscribe_options given;
    struct pl_bus_options made;
    struct pl_feed *feed;
    int err;

    if (!PL_WITH_SHARE)
        return PL_ERR_UNSUPPORTED;
    if (member == NULL || pl_task_current() == NULL)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, options);
    made = (struct pl_bus_options){
        .queue = given.queue,
        .close = given.close,
        .bytes = given.queue_bytes,
        .replay = given.replay,
        .since = given.since,
        .serves = pl_task_current()->serves && !given.through_stop,
    };
    feed = pl_pool_get(pl_loop_pool(member->loop), sizeof(*feed));
    if (feed == NULL)
        return PL_ERR_NOMEM;
    *feed = (struct pl_feed){.pool = pl_loop_pool(member->loop)};
    pl_buf_init(&feed->scratch, feed->pool, NULL, 0);
    err = pl_bus_subscribe(member, topic, &made, &feed->sub);
    if (err == 0)
        err = pl_defer(end_feed, feed);
    if (err < 0)
        end_feed(feed);
    else
        *out = feed;
    return err;
}

/* The next message as text, if there is one: 0 or PL_ERR_NOMEM. */
static int take(struct pl_feed *feed)
{
    feed->last = pl_bus_take(feed->sub);
    return feed->last == NULL ? 0
                              : pl_datum_text(&feed->last->message->value,
                                              &feed->scratch, &feed->text);
}

int pl_feed_receive(struct pl_request *req, struct pl_feed *feed, int64_t ms,
                    struct pl_str *message)
{
    struct pl_sched *sched = pl_on_fiber() ? pl_sched_current() : NULL;
    struct pl_receive_op receive;
    uint64_t due = 0;
    int err = 0;

    (void)req;
    if (sched == NULL || sched->lua_depth > 0)
        return PL_ERR_STATE;
    if (ms >= 0)
        due = pl_now(sched->loop) + (uint64_t)ms * 1000000;
    drop_last(feed);
    while (err == 0 && feed->sub != NULL && feed->last == NULL) {
        err = take(feed);
        if (err < 0 || feed->last != NULL)
            break;
        pl_receive_begin(&receive, sched, feed->sub, due);
        err = pl_op_wait(&receive.op);
    }
    if (err == 0 && feed->last == NULL)
        return PL_ERR_CLOSED;
    if (err == 0)
        *message = feed->text;
    return err;
}

struct pl_str pl_feed_topic(const struct pl_feed *feed)
{
    return feed->last == NULL ? pl_str(NULL, 0) : feed->last->message->topic;
}

uint64_t pl_feed_number(const struct pl_feed *feed)
{
    return feed->last == NULL ? 0 : feed->last->message->number;
}

uint64_t pl_feed_dropped(const struct pl_feed *feed)
{
    return feed->sub == NULL ? 0 : feed->sub->dropped;
}

/* ---- workers ---- */

int pl_worker_id(void)
{
    const struct pl_member *member = pl_member_current();

    return member == NULL ? PL_ERR_STATE : (int)member->id;
}

unsigned pl_worker_count(const struct pl_app *app)
{
    return app->server.nworkers;
}

int pl_worker_send(struct pl_app *app, int to, struct pl_str message)
{
    const struct pl_datum value = string_of(message);
    const struct pl_shared any = {.share = app->server.share};
    struct pl_guest guest;
    int err = message.data == NULL || to < PL_WORKER_ALL ? PL_ERR_INVALID
                                                         : begin(&any, &guest);

    if (err < 0)
        return err;
    return end(&guest, pl_share_send(any.share, guest.user.reader, guest.id, to,
                                     &value));
}
