#include "share/channel.h"

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/pattern.h"

/* ---- messages in the ring ---- */

static struct pl_message *_Atomic *place_of(struct pl_channel *channel,
                                            uint64_t number)
{
    return &channel->ring[number & channel->mask];
}

static void free_message(struct pl_retired *retired)
{
    pl_message_release(PL_CONTAINER_OF(retired, struct pl_message, retired));
}

/* It was in the ring and is out of reach now. */
static void retire_message(struct pl_channel *channel, struct pl_reader *reader,
                           struct pl_message *message)
{
    atomic_fetch_sub(&channel->bytes, message->charge);
    pl_common_account_release(pl_share_kept(channel->share), message->charge);
    pl_epoch_retire(reader, &message->retired, free_message, message->charge);
}

/* In a section: takes the oldest message out. False if there is none. */
static bool drop_oldest(struct pl_channel *channel, struct pl_reader *reader)
{
    uint64_t number = atomic_load(&channel->first);
    struct pl_message *message;

    if (number > atomic_load(&channel->last))
        return false;
    if (!atomic_compare_exchange_strong(&channel->first, &number, number + 1))
        return true; /* somebody else has */
    message = atomic_load(place_of(channel, number));
    if (message != NULL && message->number == number &&
        atomic_compare_exchange_strong(place_of(channel, number), &message,
                                       NULL))
        retire_message(channel, reader, message);
    return true;
}

/* In a section: is the oldest message older than the rules allow? */
static bool is_outdated(struct pl_channel *channel, uint64_t number,
                        uint64_t now)
{
    const struct pl_message *message = atomic_load(place_of(channel, number));

    return channel->rules.age > 0 && message != NULL &&
           message->number == number &&
           message->time + channel->rules.age <= now;
}

static void trim(struct pl_channel *channel, const struct pl_dict_user *user)
{
    while (atomic_load(&channel->bytes) > channel->rules.bytes ||
           is_outdated(channel, atomic_load(&channel->first), user->now))
        if (!drop_oldest(channel, user->reader))
            return;
}

static void raise_first(struct pl_channel *channel, uint64_t number)
{
    uint64_t first = atomic_load(&channel->first);

    while (first < number &&
           !atomic_compare_exchange_weak(&channel->first, &first, number))
        ;
}

/* In a section. Who was so slow that the ring has come round, or that its
 * number is forgotten already, comes too late. */
static void put_in_ring(struct pl_channel *channel, struct pl_reader *reader,
                        struct pl_message *message)
{
    struct pl_message *_Atomic *place = place_of(channel, message->number);
    struct pl_message *there = atomic_load(place);
    uint64_t number = message->number;

    do {
        if (there != NULL && there->number > number) {
            retire_message(channel, reader, message);
            return;
        }
    } while (!atomic_compare_exchange_weak(place, &there, message));
    if (there != NULL)
        retire_message(channel, reader, there);
    if (number > channel->base + channel->mask)
        raise_first(channel, number - channel->mask);
    if (number < atomic_load(&channel->first) &&
        atomic_compare_exchange_strong(place, &message, NULL))
        retire_message(channel, reader, message);
}

/* Room in what all channels may keep: this one's oldest messages go for it. */
static int charge(struct pl_channel *channel, struct pl_reader *reader,
                  size_t size)
{
    struct pl_common_account *kept = pl_share_kept(channel->share);
    int err;

    if (size > channel->rules.bytes)
        return PL_ERR_LIMIT;
    pl_epoch_enter(reader);
    while ((err = pl_common_account_charge(kept, size)) < 0)
        if (!drop_oldest(channel, reader))
            break;
    pl_epoch_leave(reader);
    return err;
}

int pl_channel_put(struct pl_channel *channel, const struct pl_dict_user *user,
                   int from, const struct pl_datum *value, uint64_t *number)
{
    struct pl_message *message = pl_message_new(0, from, channel->name, value);
    int err = message == NULL ? PL_ERR_NOMEM
                              : charge(channel, user->reader, message->charge);

    if (err < 0) {
        if (message != NULL)
            pl_message_release(message);
        return err;
    }
    pl_epoch_enter(user->reader); /* nothing fails from here on */
    message->time = user->now;
    message->number = *number = atomic_fetch_add(&channel->last, 1) + 1;
    atomic_fetch_add(&channel->bytes, message->charge);
    put_in_ring(channel, user->reader, message);
    trim(channel, user);
    pl_epoch_leave(user->reader);
    pl_epoch_tidy(user->reader);
    return 0;
}

struct pl_message *pl_channel_read(struct pl_channel *channel,
                                   struct pl_reader *reader, uint64_t *number)
{
    struct pl_message *message;
    uint64_t want = *number, there;

    for (;;) {
        pl_epoch_enter(reader);
        want = PL_MAX(want, atomic_load(&channel->first));
        *number = want;
        message = want <= atomic_load(&channel->last)
                      ? atomic_load(place_of(channel, want))
                      : NULL;
        there = message == NULL ? 0 : message->number;
        if (there == want)
            pl_message_hold(message);
        pl_epoch_leave(reader);
        if (there == want)
            return message;
        if (there > want) /* the ring has come round */
            want = PL_MAX(want + 1, there - channel->mask);
        else if (want >= atomic_load(&channel->first))
            return NULL; /* on its way, or there is none */
    }
}

uint64_t pl_channel_remembered(struct pl_channel *channel,
                               const struct pl_dict_user *user)
{
    uint64_t end = atomic_load(&channel->last) + 1, number;

    number = end - channel->base - 1 > channel->rules.history
                 ? end - channel->rules.history
                 : channel->base + 1;
    number = PL_MAX(number, atomic_load(&channel->first));
    pl_epoch_enter(user->reader);
    while (number < end && is_outdated(channel, number, user->now))
        number++;
    pl_epoch_leave(user->reader);
    return number;
}

/* ---- bells ---- */

void pl_channel_ring(struct pl_channel *channel, struct pl_member *member)
{
    struct pl_bell *bell = &channel->bells[member->id];

    if (atomic_exchange(&bell->rung, true))
        return;
    pl_channel_hold(channel); /* the mail's */
    bell->to = member;
    pl_mailbox_send(pl_loop_mailbox(member->loop), &bell->mail);
}

/* ---- life ---- */

static void free_channel(struct pl_retired *retired)
{
    struct pl_channel *channel =
        PL_CONTAINER_OF(retired, struct pl_channel, retired);

    for (size_t i = 0; channel->ring != NULL && i <= channel->mask; i++) {
        struct pl_message *message = atomic_load(&channel->ring[i]);

        if (message == NULL)
            continue;
        pl_common_account_release(pl_share_kept(channel->share),
                                  message->charge);
        pl_message_release(message);
    }
    pl_free((void *)channel->ring);
    pl_free((void *)channel->rooms);
    pl_free(channel->bells);
    pl_free(channel);
}

static struct pl_channel *new_channel(struct pl_share *share,
                                      struct pl_str name,
                                      const struct pl_channel_rules *rules)
{
    unsigned workers = pl_share_workers(share);
    struct pl_channel *channel = pl_calloc(1, sizeof(*channel) + name.len);
    size_t places = PL_CHANNEL_SLACK;

    if (channel == NULL)
        return NULL;
    while (places < rules->history + PL_CHANNEL_SLACK)
        places *= 2;
    channel->share = share;
    channel->rules = *rules;
    channel->name =
        pl_str(memcpy((char *)(channel + 1), name.data, name.len), name.len);
    channel->mask = places - 1;
    channel->base = pl_clock_wall() / 1000;
    atomic_init(&channel->refs, 1);
    atomic_init(&channel->last, channel->base);
    atomic_init(&channel->first, channel->base + 1);
    channel->ring = pl_calloc(places, sizeof(channel->ring[0]));
    channel->rooms = pl_calloc(workers, sizeof(channel->rooms[0]));
    channel->bells = pl_calloc(workers, sizeof(channel->bells[0]));
    if (channel->ring == NULL || channel->rooms == NULL ||
        channel->bells == NULL) {
        free_channel(&channel->retired);
        return NULL;
    }
    for (unsigned i = 0; i < workers; i++) {
        channel->bells[i].channel = channel;
        channel->bells[i].mail.deliver = pl_door_on_bell;
    }
    return channel;
}

void pl_channel_hold(struct pl_channel *channel)
{
    atomic_fetch_add(&channel->refs, 1);
}

/* The dictionary's hold is the last one: see make_room(). */
void pl_channel_release(struct pl_channel *channel)
{
    PL_ASSERT(atomic_fetch_sub(&channel->refs, 1) > 1);
}

/* One of which only the dictionary knows goes out of it. */
static bool hold_alive(struct pl_channel *channel)
{
    unsigned refs = atomic_load(&channel->refs);

    while (refs > 0 &&
           !atomic_compare_exchange_weak(&channel->refs, &refs, refs + 1))
        ;
    return refs > 0;
}

/* ---- the dictionary ---- */

static struct pl_datum pointer_datum(struct pl_channel *channel)
{
    return (struct pl_datum){.type = channel == NULL ? PL_DATUM_NONE
                                                     : PL_DATUM_INTEGER,
                             {.integer = (int64_t)(uintptr_t)channel}};
}

/* HOLDS the channel of that name, or gives NULL; *there is what the dictionary
 * has: also one that is on its way out. */
static struct pl_channel *find(struct pl_dict *dict,
                               const struct pl_dict_user *user,
                               struct pl_str name, struct pl_datum *there)
{
    struct pl_channel *channel = NULL;

    pl_dict_get(dict, user, name, there);
    if (there->type == PL_DATUM_INTEGER) {
        channel = (struct pl_channel *)(uintptr_t)there->integer;
        if (!hold_alive(channel))
            channel = NULL;
    }
    pl_epoch_leave(user->reader);
    return channel;
}

/* Nobody listens, nobody is in it, and there is nothing to remember. */
static bool is_idle(struct pl_channel *channel, const struct pl_dict_user *user)
{
    return atomic_load(&channel->refs) == 2 && /* the dictionary's and ours */
           pl_channel_remembered(channel, user) > atomic_load(&channel->last);
}

struct sweep {
    struct pl_share *share;
    const struct pl_dict_user *user;
    char name[PL_DICT_KEY_MAX];
    size_t len;
};

static void note_name(void *arg, struct pl_str name)
{
    struct sweep *sweep = arg;

    memcpy(sweep->name, name.data, name.len);
    sweep->len = name.len;
}

static void drop_if_idle(struct pl_dict *dict, struct sweep *sweep)
{
    struct pl_str name = pl_str(sweep->name, sweep->len);
    struct pl_datum there, none = pointer_datum(NULL);
    struct pl_channel *channel = find(dict, sweep->user, name, &there);
    unsigned refs = 1;
    bool idle;

    if (channel == NULL)
        return;
    idle = is_idle(channel, sweep->user);
    pl_channel_release(channel);
    if (!idle || !atomic_compare_exchange_strong(&channel->refs, &refs, 0))
        return;
    (void)pl_dict_swap(dict, sweep->user, name, &there, &none);
    atomic_fetch_sub(pl_share_channel_count(sweep->share), 1);
    pl_epoch_retire(sweep->user->reader, &channel->retired, free_channel,
                    sizeof(*channel) +
                        (channel->mask + 1) * sizeof(channel->ring[0]));
}

/* Too many channels: those that nobody would miss go. */
static void make_room(struct pl_share *share, struct pl_dict *dict,
                      const struct pl_dict_user *user)
{
    struct sweep sweep = {.share = share, .user = user};
    size_t at = 0;
    bool more = true;

    while (more) {
        sweep.len = 0;
        more = pl_dict_walk(dict, user, &at, note_name, &sweep);
        if (sweep.len > 0)
            drop_if_idle(dict, &sweep);
    }
}

static int check(struct pl_share *share, struct pl_str name,
                 struct pl_channel_rules *rules)
{
    if (name.len > PL_DICT_KEY_MAX)
        return PL_ERR_TOO_LONG;
    if (name.len == 0 || pl_is_pattern(name) ||
        rules->history > PL_CHANNEL_HISTORY_MAX || pl_share_workers(share) == 0)
        return PL_ERR_INVALID;
    if (rules->bytes == 0)
        rules->bytes = PL_CHANNEL_BYTES;
    return 0;
}

static bool is_same(const struct pl_channel_rules *a,
                    const struct pl_channel_rules *b)
{
    return a->history == b->history && a->age == b->age &&
           a->bytes == b->bytes && a->presence == b->presence;
}

/* Puts a new channel where *there is, if that is still there: PL_ERR_STATE
 * else. */
static int add(struct pl_share *share, struct pl_dict *dict,
               const struct pl_dict_user *user, struct pl_str name,
               const struct pl_channel_rules *rules,
               const struct pl_datum *there, struct pl_channel **out)
{
    atomic_uint *count = pl_share_channel_count(share);
    struct pl_channel *channel;
    struct pl_datum datum;
    int err;

    if (atomic_load(count) >= PL_CHANNELS)
        make_room(share, dict, user);
    if (atomic_fetch_add(count, 1) >= PL_CHANNELS) {
        atomic_fetch_sub(count, 1);
        return PL_ERR_LIMIT;
    }
    channel = new_channel(share, name, rules);
    datum = pointer_datum(channel);
    err = channel == NULL ? PL_ERR_NOMEM
                          : pl_dict_swap(dict, user, name, there, &datum);
    if (err == 0) {
        *out = channel;
        return 0;
    }
    atomic_fetch_sub(count, 1);
    if (channel != NULL)
        free_channel(&channel->retired);
    return err;
}

int pl_channel_open(struct pl_share *share, const struct pl_dict_user *user,
                    struct pl_str name, const struct pl_channel_rules *given,
                    struct pl_channel **out)
{
    struct pl_dict *dict = pl_share_channels(share, given != NULL);
    struct pl_channel_rules rules;
    struct pl_datum there;
    int err = 0;

    if (dict == NULL)
        return given == NULL ? PL_ERR_NOT_FOUND : PL_ERR_NOMEM;
    if (given != NULL) {
        rules = *given;
        err = check(share, name, &rules);
    }
    while (err == 0 || err == PL_ERR_STATE) {
        *out = find(dict, user, name, &there);
        if (*out != NULL && (given == NULL || is_same(&(*out)->rules, &rules)))
            return 0;
        if (*out != NULL) {
            pl_channel_release(*out);
            return PL_ERR_EXISTS;
        }
        if (given == NULL)
            return PL_ERR_NOT_FOUND;
        err = add(share, dict, user, name, &rules, &there, out);
        if (err == 0) /* it holds itself; and again, for who asks */
            err = PL_ERR_STATE;
    }
    return err;
}

/* ---- all of them ---- */

struct each {
    struct pl_str pattern;
    void (*see)(void *arg, struct pl_str name);
    void *arg;
};

static void show_match(void *arg, struct pl_str name)
{
    const struct each *each = arg;

    if (pl_pattern_matches(each->pattern, name))
        each->see(each->arg, name);
}

void pl_channel_each(struct pl_share *share, const struct pl_dict_user *user,
                     struct pl_str pattern,
                     void (*see)(void *arg, struct pl_str name), void *arg)
{
    struct pl_dict *dict = pl_share_channels(share, false);
    struct each each = {pattern, see, arg};
    size_t at = 0;

    while (dict != NULL && pl_dict_walk(dict, user, &at, show_match, &each))
        ;
}

/* The epoch is still there; nobody else is. */
void pl_channels_free(struct pl_share *share)
{
    struct pl_dict *dict = pl_share_channels(share, false);
    struct sweep sweep = {.share = share};
    struct pl_dict_user user = {
        .reader = dict == NULL ? NULL : pl_epoch_join(pl_share_epoch(share))};
    size_t at = 0, next = 0;

    if (user.reader == NULL) /* who has made a channel was one */
        return;
    for (;;) {
        struct pl_datum there;
        struct pl_str name;

        sweep.len = 0;
        next = at;
        if (!pl_dict_walk(dict, &user, &next, note_name, &sweep))
            break;
        if (sweep.len == 0) {
            at = next;
            continue;
        }
        name = pl_str(sweep.name, sweep.len);
        pl_channel_release(find(dict, &user, name, &there));
        pl_dict_delete(dict, &user, name);
        free_channel(&((struct pl_channel *)(uintptr_t)there.integer)->retired);
    }
    pl_epoch_part(user.reader);
}
