#include "share/topics.h"

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/pattern.h"

/* A record of a pattern's key: the length of the pattern, the pattern, counts
 * of all workers. Not aligned. */
enum { LEN = sizeof(uint16_t), COUNT = sizeof(uint32_t) };

/* ---- keys ---- */

/* Of the patterns with that prefix; NULL data if it would be too long. */
static struct pl_str key_of(struct pl_str prefix, char out[PL_DICT_KEY_MAX])
{
    size_t len = prefix.len;

    if (len + 2 > PL_DICT_KEY_MAX)
        return pl_str(NULL, 0);
    if (len > 0) {
        memcpy(out, prefix.data, len);
        out[len++] = '.';
    }
    out[len++] = '>';
    return pl_str(out, len);
}

static struct pl_str pattern_key(struct pl_str pattern,
                                 char out[PL_DICT_KEY_MAX])
{
    unsigned literals = pl_pattern_literals(pattern);

    return key_of(pl_topic_prefix(pattern, literals), out);
}

int pl_topic_check(struct pl_str name)
{
    char key[PL_DICT_KEY_MAX];

    if (name.len > PL_DICT_KEY_MAX)
        return PL_ERR_TOO_LONG;
    if (name.len == 0)
        return PL_ERR_INVALID;
    if (!pl_is_pattern(name))
        return 0;
    if (pl_pattern_literals(name) > PL_PATTERN_PREFIX)
        return PL_ERR_INVALID;
    return pattern_key(name, key).data == NULL ? PL_ERR_TOO_LONG : 0;
}

/* ---- the process's: names ---- */

static struct pl_datum bytes_of(const void *bytes, size_t len)
{
    return (struct pl_datum){.type = PL_DATUM_STRING,
                             {.bytes = pl_str(bytes, len)}};
}

/* Adds by to the count of this worker. When all are 0 the name goes. */
static int count_name(struct pl_member *member, struct pl_dict *dict,
                      struct pl_str name, int by)
{
    struct pl_dict_user user = pl_member_user(member);
    unsigned n = pl_share_workers(member->share);
    uint32_t counts[PL_TOPICS_WORKERS], all;
    struct pl_datum there, to;
    int err;

    do {
        memset(counts, 0, n * COUNT);
        pl_dict_get(dict, &user, name, &there);
        if (there.type == PL_DATUM_STRING)
            memcpy(counts, there.bytes.data, there.bytes.len);
        pl_epoch_leave(user.reader);
        counts[member->id] += (uint32_t)by;
        all = 0;
        for (unsigned i = 0; i < n; i++)
            all |= counts[i];
        to = bytes_of(counts, n * COUNT);
        if (all == 0)
            to.type = PL_DATUM_NONE;
        err = pl_dict_swap(dict, &user, name, &there, &to);
    } while (err == PL_ERR_STATE);
    return err;
}

/* ---- the process's: patterns ---- */

/* Takes a record off bytes. False at the end. */
static bool next_record(struct pl_str *bytes, unsigned workers,
                        struct pl_str *pattern, const char **counts)
{
    uint16_t len;

    if (bytes->len == 0)
        return false;
    memcpy(&len, bytes->data, LEN);
    *pattern = pl_str(bytes->data + LEN, len);
    *counts = bytes->data + LEN + len;
    *bytes = pl_str_skip(*bytes, LEN + len + workers * COUNT);
    return true;
}

static uint32_t count_at(const char *counts, unsigned worker)
{
    uint32_t count;

    memcpy(&count, counts + worker * COUNT, COUNT);
    return count;
}

static bool all_zero(const char *counts, unsigned workers)
{
    for (unsigned i = 0; i < workers; i++)
        if (count_at(counts, i) != 0)
            return false;
    return true;
}

/* Writes the records that are there with this worker's count of pattern
 * changed; out has room for them and one more. Returns the length. */
static size_t change(const struct pl_member *member, struct pl_str records,
                     struct pl_str pattern, int by, char *out)
{
    unsigned n = pl_share_workers(member->share);
    struct pl_str name;
    const char *counts;
    bool found = false;
    size_t len = 0;

    while (!found || records.len > 0) {
        char *record = out + len, *at;
        bool old = next_record(&records, n, &name, &counts);
        bool mine = !old || pl_str_eq(name, pattern);
        uint16_t size = (uint16_t)(old ? name.len : pattern.len);
        uint32_t count;

        memcpy(record, &size, LEN);
        memcpy(record + LEN, old ? name.data : pattern.data, size);
        at = record + LEN + size;
        if (old)
            memcpy(at, counts, n * COUNT);
        else
            memset(at, 0, n * COUNT);
        if (mine) {
            count = count_at(at, member->id) + (uint32_t)by;
            memcpy(at + member->id * COUNT, &count, COUNT);
            found = true;
        }
        if (!mine || !all_zero(at, n))
            len += LEN + size + n * COUNT;
    }
    return len;
}

/* What is there under key, copied, with room for a record more: *records, to be
 * freed. */
static int copy_records(struct pl_dict *dict, const struct pl_dict_user *user,
                        struct pl_str key, size_t more, struct pl_datum *there,
                        char **copy, size_t *len)
{
    pl_dict_get(dict, user, key, there);
    *len = there->type == PL_DATUM_STRING ? there->bytes.len : 0;
    *copy = pl_malloc(2 * *len + more);
    if (*copy != NULL && *len > 0)
        memcpy(*copy, there->bytes.data, *len);
    pl_epoch_leave(user->reader);
    return *copy == NULL ? PL_ERR_NOMEM : 0;
}

static int count_pattern(struct pl_member *member, struct pl_dict *dict,
                         struct pl_str pattern, int by)
{
    struct pl_dict_user user = pl_member_user(member);
    size_t more = LEN + pattern.len + pl_share_workers(member->share) * COUNT;
    char text[PL_DICT_KEY_MAX], *copy;
    struct pl_str key = pattern_key(pattern, text);
    struct pl_datum there, to;
    size_t len;
    int err;

    do {
        err = copy_records(dict, &user, key, more, &there, &copy, &len);
        if (err < 0)
            return err;
        to = bytes_of(copy + len, change(member, pl_str(copy, len), pattern, by,
                                         copy + len));
        if (to.bytes.len == 0)
            to.type = PL_DATUM_NONE;
        err = pl_dict_swap(dict, &user, key, &there, &to);
        pl_free(copy);
    } while (err == PL_ERR_STATE);
    return err;
}

int pl_topic_count(struct pl_member *member, struct pl_str name, int by)
{
    struct pl_dict *dict = pl_share_topics(member->share);
    atomic_uint *patterns = pl_share_patterns(member->share);
    int err;

    if (dict == NULL)
        return PL_ERR_NOMEM;
    if (!pl_is_pattern(name))
        return count_name(member, dict, name, by);
    if (by > 0) /* first: publishers look when it is not 0 */
        atomic_fetch_add(patterns, 1);
    err = count_pattern(member, dict, name, by);
    if ((by > 0) == (err < 0))
        atomic_fetch_sub(patterns, 1);
    return err;
}

/* ---- the process's: who is to get it ---- */

static void add_names(struct pl_dict *dict, const struct pl_dict_user *user,
                      struct pl_str topic, uint32_t *counts)
{
    struct pl_datum there;

    pl_dict_get(dict, user, topic, &there);
    if (there.type == PL_DATUM_STRING)
        memcpy(counts, there.bytes.data, there.bytes.len);
    pl_epoch_leave(user->reader);
}

static void add_patterns(struct pl_dict *dict, const struct pl_dict_user *user,
                         struct pl_str key, struct pl_str topic,
                         unsigned workers, uint32_t *counts)
{
    struct pl_datum there;
    struct pl_str pattern;
    const char *more;

    pl_dict_get(dict, user, key, &there);
    while (there.type == PL_DATUM_STRING &&
           next_record(&there.bytes, workers, &pattern, &more)) {
        if (!pl_pattern_matches(pattern, topic))
            continue;
        for (unsigned i = 0; i < workers; i++)
            counts[i] += count_at(more, i);
    }
    pl_epoch_leave(user->reader);
}

unsigned pl_topic_receivers(struct pl_share *share,
                            const struct pl_dict_user *user,
                            struct pl_str topic, uint32_t *counts)
{
    struct pl_dict *dict = pl_share_topics(share);
    unsigned n = pl_share_workers(share), workers = 0, tokens;
    char text[PL_DICT_KEY_MAX];

    memset(counts, 0, n * COUNT);
    add_names(dict, user, topic, counts);
    if (atomic_load(pl_share_patterns(share)) > 0) {
        tokens = PL_MIN(pl_topic_tokens(topic), PL_PATTERN_PREFIX);
        for (unsigned i = 0; i <= tokens; i++) {
            struct pl_str key = key_of(pl_topic_prefix(topic, i), text);

            if (key.data != NULL)
                add_patterns(dict, user, key, topic, n, counts);
        }
    }
    for (unsigned i = 0; i < n; i++)
        workers += counts[i] > 0;
    return workers;
}

/* ---- the worker's ---- */

static size_t size_of(const struct pl_topic *topic)
{
    return sizeof(*topic) + topic->name.len + topic->key.len;
}

static struct pl_topic *new_topic(struct pl_pool *pool, struct pl_str name)
{
    bool pattern = pl_is_pattern(name);
    char text[PL_DICT_KEY_MAX];
    struct pl_str key = pattern ? pattern_key(name, text) : pl_str(NULL, 0);
    struct pl_topic *topic =
        pl_pool_get(pool, sizeof(*topic) + name.len + key.len);

    if (topic == NULL)
        return NULL;
    pl_list_init(&topic->subs);
    topic->next = NULL;
    memcpy(topic->text, name.data, name.len);
    topic->name = pl_str(topic->text, name.len);
    topic->key = pl_str(NULL, 0);
    if (pattern) {
        topic->key = pl_str(topic->text + name.len, key.len);
        memcpy(topic->text + name.len, key.data, key.len);
    }
    return topic;
}

/* Behind the first of its key: the table borrows that one's key. */
static int enter_pattern(struct pl_member *member, struct pl_topic *topic)
{
    struct pl_topic *first = pl_table_get(&member->patterns, topic->key);

    if (first == NULL)
        return pl_table_put(&member->patterns, topic->key, topic, NULL);
    topic->next = first->next;
    first->next = topic;
    return 0;
}

static void leave_pattern(struct pl_member *member, struct pl_topic *topic)
{
    struct pl_topic *at = pl_table_get(&member->patterns, topic->key);

    if (at == topic) {
        pl_table_remove(&member->patterns, topic->key);
        if (topic->next != NULL) /* into the place that is free now */
            PL_ASSERT(pl_table_put(&member->patterns, topic->next->key,
                                   topic->next, NULL) == 0);
        return;
    }
    while (at->next != topic)
        at = at->next;
    at->next = topic->next;
}

struct pl_topic *pl_topic_get(struct pl_member *member, struct pl_str name)
{
    struct pl_pool *pool = pl_loop_pool(member->loop);
    struct pl_topic *topic = pl_table_get(&member->topics, name);

    if (topic != NULL)
        return topic;
    topic = new_topic(pool, name);
    if (topic == NULL)
        return NULL;
    if (pl_table_put(&member->topics, topic->name, topic, NULL) == 0) {
        if (topic->key.data == NULL || enter_pattern(member, topic) == 0)
            return topic;
        pl_table_remove(&member->topics, topic->name);
    }
    pl_pool_put(pool, topic, size_of(topic));
    return NULL;
}

void pl_topic_put(struct pl_member *member, struct pl_topic *topic)
{
    if (!pl_list_empty(&topic->subs))
        return;
    if (topic->key.data != NULL)
        leave_pattern(member, topic);
    pl_table_remove(&member->topics, topic->name);
    pl_pool_put(pl_loop_pool(member->loop), topic, size_of(topic));
}

void pl_topic_each(struct pl_member *member, struct pl_str name,
                   bool (*see)(struct pl_topic *topic, void *arg), void *arg)
{
    struct pl_topic *topic = pl_table_get(&member->topics, name);
    char text[PL_DICT_KEY_MAX];
    unsigned tokens;

    if (topic != NULL && !see(topic, arg))
        return;
    if (member->patterns.count == 0)
        return;
    tokens = PL_MIN(pl_topic_tokens(name), PL_PATTERN_PREFIX);
    for (unsigned i = 0; i <= tokens; i++) {
        struct pl_str key = key_of(pl_topic_prefix(name, i), text);

        topic = key.data == NULL ? NULL : pl_table_get(&member->patterns, key);
        for (; topic != NULL; topic = topic->next)
            if (pl_pattern_matches(topic->name, name) && !see(topic, arg))
                return;
    }
}
