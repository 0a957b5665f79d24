/* channel.c - channels, who is in them, and streams of events from them,
 * for C programs (perilune.h). */
#include "app/app.h"
#include "base/features.h"
#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/events.h"
#include "share/pattern.h"
#include "share/presence.h"

/* ---- channels ---- */

/* A channel in the hands of who calls, whatever thread that is. */
struct use {
    struct pl_guest guest;
    struct pl_channel *channel;
};

/* Rules are NULL for the channel as it is. After 0 call end(). */
static int begin(struct pl_app *app, struct pl_str name,
                 const struct pl_channel_rules *rules, struct use *use)
{
    int err;

    if (!PL_WITH_SHARE)
        return PL_ERR_UNSUPPORTED;
    err = pl_guest_begin(&use->guest, app->server.share);
    if (err < 0)
        return err;
    err = pl_channel_open(app->server.share, &use->guest.user, name, rules,
                          &use->channel);
    if (err < 0)
        pl_guest_end(&use->guest);
    return err;
}

static void end(struct use *use)
{
    pl_channel_release(use->channel);
    pl_guest_end(&use->guest);
}

int pl_app_channel(struct pl_app *app, struct pl_str name,
                   const struct pl_channel_options *options)
{
    struct pl_channel_options given;
    struct pl_channel_rules rules;
    struct use use;
    int err;

    if (PL_WITH_SHARE && pl_share_workers(app->server.share) == 0)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, options);
    rules = (struct pl_channel_rules){.history = given.history,
                                      .age = given.history_age_ms * 1000000,
                                      .bytes = given.history_bytes,
                                      .presence = given.presence};
    err = begin(app, name, &rules, &use);
    if (err == 0)
        end(&use);
    return err;
}

/* ---- presence ---- */

static void leave(void *presence)
{
    pl_presence_leave(presence);
}

int pl_channel_join(struct pl_str channel, struct pl_str name,
                    struct pl_str info)
{
    struct pl_member *member = pl_member_current();
    const struct pl_datum datum = {.type = info.data == NULL ? PL_DATUM_NONE
                                                             : PL_DATUM_STRING,
                                   {.bytes = info}};
    struct pl_presence *presence;
    int err;

    if (!PL_WITH_SHARE)
        return PL_ERR_UNSUPPORTED;
    if (member == NULL || pl_task_current() == NULL)
        return PL_ERR_STATE;
    err = pl_presence_join(member, channel, name, &datum, &presence);
    if (err == 0) {
        err = pl_defer(leave, presence);
        if (err < 0)
            pl_presence_leave(presence);
    }
    return err;
}

struct looking {
    bool (*fn)(void *arg, const struct pl_channel_member *member);
    void *arg;
};

static bool show(void *arg, const struct pl_presence *there)
{
    const struct looking *looking = arg;
    const struct pl_channel_member member = {
        .id = there->id,
        .worker = (int)there->worker,
        .name = there->name,
        .info = there->info.type == PL_DATUM_STRING ? there->info.bytes
                                                    : pl_str(NULL, 0),
    };

    return looking->fn(looking->arg, &member);
}

int pl_channel_members(struct pl_app *app, struct pl_str name,
                       bool (*fn)(void *arg,
                                  const struct pl_channel_member *member),
                       void *arg)
{
    struct looking looking = {fn, arg};
    struct use use;
    int err = begin(app, name, NULL, &use);

    if (err < 0)
        return err;
    pl_presence_each(use.channel, use.guest.user.reader, show, &looking);
    end(&use);
    return 0;
}

/* ---- as events ---- */

static int forward(struct pl_event_stream *stream, struct pl_feed *feed,
                   bool numbered)
{
    struct pl_event event = {.retry_ms = 0};
    char id[24];
    int err;

    do {
        err = pl_feed_receive(stream->req, feed, -1, &event.data);
        if (err < 0)
            return err;
        event.id = pl_str(NULL, 0);
        if (numbered && pl_feed_number(feed) > 0)
            event.id = pl_str(id, pl_u64_format(id, pl_feed_number(feed)));
        err = pl_events_send(stream, &event);
    } while (err == 0);
    return err;
}

int pl_events_subscribe(struct pl_event_stream *stream, struct pl_str topic,
                        const struct pl_subscribe_options *options)
{
    bool numbered = !pl_is_pattern(topic);
    struct pl_subscribe_options made;
    struct pl_feed *feed;
    uint64_t since;
    int err;

    PL_OPTIONS_READ(&made, options);
    made.size = sizeof(made);
    if (pl_str_to_u64(pl_events_last_id(stream), &since)) {
        made.replay = true;
        made.since = since;
    }
    made.replay = made.replay && numbered;
    err = pl_subscribe(topic, &made, &feed);
    if (err < 0)
        return err;
    err = forward(stream, feed, numbered);
    pl_feed_close(feed);
    return err;
}
