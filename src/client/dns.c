/* dns.c - questions, answers, and how long they are kept.
 *
 *     asked -> answered, kept in the table -> too old, or pushed out
 *
 * An entry has holders: the table, the question to c-ares, each operation. So
 * one who leaves early (a cancelled task) does not end the question for others,
 * and c-ares, which can cancel all questions or none, need not know. */
#include "client/dns.h"

#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/table.h"
#include "client/dns_answer.h"
#include "client/foreign.h"

/* resolv.conf is looked at again after so long. */
static const uint64_t LOOK_NS = 2 * (uint64_t)1000000000;
static const char CONFIG_FILE[] = "/etc/resolv.conf";

/* A channel of c-ares: it has read resolv.conf once. When that changes there is
 * another one, and this one goes with its last question. */
struct channel {
    struct pl_foreign foreign;
    struct pl_dns *dns;
    struct pl_list node;
    void *ares;
    unsigned open; /* questions */
};

struct pl_dns_entry {
    unsigned holders;
    bool asked, listed; /* no answer yet; in the table */
    int result;
    uint64_t expires;        /* monotonic ns */
    struct pl_dns *dns;      /* while it is asked or listed */
    struct channel *channel; /* while it is asked */
    struct pl_list age;
    struct pl_list waiting; /* pl_dns_op.node */
    char *data;
    size_t len;
    struct pl_str key;
    char text[]; /* the key: type (two bytes; 0: addresses), name, NUL */
};

struct pl_dns {
    const struct pl_dns_offer *offer;
    struct pl_sched *sched;
    struct pl_dns_config config;
    char *texts[2];          /* of config */
    struct pl_list channels; /* the first one is asked */
    struct pl_table entries;
    struct pl_list ages; /* pl_dns_entry.age, the oldest first */
    uint64_t looked;
    struct timespec changed; /* of resolv.conf */
    off_t size;
    ino_t inode;
};

/* ---- entries ---- */

static void drop(struct pl_dns_entry *entry)
{
    if (--entry->holders > 0)
        return;
    pl_free(entry->data);
    pl_free(entry);
}

static void unlist(struct pl_dns_entry *entry)
{
    if (!entry->listed)
        return;
    entry->listed = false;
    (void)pl_table_remove(&entry->dns->entries, entry->key);
    pl_list_remove(&entry->age);
    drop(entry);
}

/* Makes room for one more: the oldest answer goes. False: all are questions. */
static bool make_room(struct pl_dns *dns)
{
    struct pl_list *node, *tmp;

    if (dns->entries.count < PL_DNS_KEPT)
        return true;
    PL_LIST_FOREACH_SAFE (node, tmp, &dns->ages) {
        struct pl_dns_entry *entry =
            PL_LIST_ENTRY(node, struct pl_dns_entry, age);

        if (entry->asked)
            continue;
        unlist(entry);
        return true;
    }
    return false;
}

static int add_entry(struct pl_dns *dns, struct pl_str key,
                     struct pl_dns_entry **out)
{
    struct pl_dns_entry *entry;

    if (!make_room(dns))
        return PL_ERR_LIMIT;
    entry = pl_calloc(1, sizeof(*entry) + key.len + 1);
    if (entry == NULL)
        return PL_ERR_NOMEM;
    memcpy(entry->text, key.data, key.len);
    entry->key = pl_str(entry->text, key.len);
    entry->dns = dns;
    entry->holders = 1;
    pl_list_init(&entry->waiting);
    if (pl_table_put(&dns->entries, entry->key, entry, NULL) < 0) {
        pl_free(entry);
        return PL_ERR_NOMEM;
    }
    entry->listed = true;
    pl_list_push(&dns->ages, &entry->age);
    *out = entry;
    return 0;
}

/* ---- operations ---- */

static void settle(struct pl_dns_op *op, int result)
{
    pl_list_remove(&op->node);
    pl_timer_stop(pl_loop_wheel(op->op.sched->loop), &op->timer);
    pl_op_complete(&op->op, result);
}

static void cancel(struct pl_op *op)
{
    settle(PL_CONTAINER_OF(op, struct pl_dns_op, op), PL_ERR_CANCELED);
}

static void on_late(struct pl_timer *timer)
{
    settle(PL_CONTAINER_OF(timer, struct pl_dns_op, timer), PL_ERR_TIMEOUT);
}

void pl_dns_end(struct pl_dns_op *op)
{
    PL_ASSERT(op->op.state != PL_OP_PENDING);
    if (op->entry != NULL)
        drop(op->entry);
    op->entry = NULL;
}

const struct pl_addr *pl_dns_addrs(const struct pl_dns_op *op, unsigned *n)
{
    *n = (unsigned)(op->entry->len / sizeof(struct pl_addr));
    return (const void *)op->entry->data;
}

struct pl_str pl_dns_message(const struct pl_dns_op *op)
{
    return pl_str(op->entry->data == NULL ? "" : op->entry->data,
                  op->entry->len);
}

/* ---- channels ---- */

static void set_alarm(struct channel *channel)
{
    pl_foreign_alarm(&channel->foreign,
                     channel->dns->offer->next_ms(channel->ares));
}

static void close_channel(struct channel *channel)
{
    channel->dns->offer->close(channel->ares);
    pl_foreign_fini(&channel->foreign);
    pl_list_remove(&channel->node);
    pl_free(channel);
}

/* What c-ares has just done may have been the last of a channel. */
static void see_after(struct channel *channel)
{
    if (channel->open == 0 && channel->dns->channels.next != &channel->node)
        close_channel(channel);
    else
        set_alarm(channel);
}

static void on_ready(struct pl_foreign *foreign, int fd, unsigned events)
{
    struct channel *channel = PL_CONTAINER_OF(foreign, struct channel, foreign);

    channel->dns->offer->ready(channel->ares, fd, events);
    see_after(channel);
}

/* c-ares cannot be told that a descriptor cannot be watched: its questions run
 * into their time-outs, of which this is the earliest. */
static void on_due(struct pl_foreign *foreign)
{
    struct channel *channel = PL_CONTAINER_OF(foreign, struct channel, foreign);

    foreign->err = 0;
    channel->dns->offer->due(channel->ares);
    see_after(channel);
}

static void watch(void *arg, int fd, unsigned events)
{
    struct channel *channel = arg;

    (void)pl_foreign_watch(&channel->foreign, NULL, fd, events);
}

static int open_channel(struct pl_dns *dns)
{
    struct channel *channel = pl_calloc(1, sizeof(*channel));
    int err;

    if (channel == NULL)
        return PL_ERR_NOMEM;
    channel->dns = dns;
    pl_foreign_init(&channel->foreign, dns->sched->loop, on_ready, on_due);
    err = dns->offer->open(&dns->config, channel, &channel->ares);
    if (err < 0) {
        pl_free(channel);
        return err;
    }
    pl_list_push_front(&dns->channels, &channel->node);
    return 0;
}

/* ---- resolv.conf ---- */

/* True: it is another one than it was. */
static bool has_changed(struct pl_dns *dns)
{
    const char *file =
        dns->config.file == NULL ? CONFIG_FILE : dns->config.file;
    struct stat now;

    if (pl_sys_fstatat(AT_FDCWD, file, &now, 0) < 0)
        return false;
    if (now.st_mtim.tv_sec == dns->changed.tv_sec &&
        now.st_mtim.tv_nsec == dns->changed.tv_nsec &&
        now.st_size == dns->size && now.st_ino == dns->inode)
        return false;
    dns->changed = now.st_mtim;
    dns->size = now.st_size;
    dns->inode = now.st_ino;
    return true;
}

/* Answers of the servers of another network are worth nothing. */
static void forget_all(struct pl_dns *dns)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &dns->ages)
        unlist(PL_LIST_ENTRY(node, struct pl_dns_entry, age));
}

static void look_at_config(struct pl_dns *dns)
{
    struct pl_list *last = dns->channels.next;
    struct channel *old = PL_LIST_ENTRY(last, struct channel, node);
    uint64_t now = pl_now(dns->sched->loop);

    if (now - dns->looked < LOOK_NS)
        return;
    dns->looked = now;
    /* Without memory for another the old one goes on. */
    if (!has_changed(dns) || open_channel(dns) < 0)
        return;
    forget_all(dns);
    if (old->open == 0)
        close_channel(old);
}

/* ---- asking ---- */

static unsigned type_of(const struct pl_dns_entry *entry)
{
    return (unsigned)(unsigned char)entry->text[0] << 8 |
           (unsigned char)entry->text[1];
}

/* What an answer is worth: the seconds for which it is good; or PL_ERR_*, also
 * for a message that makes no sense. */
static int64_t worth_of(const struct pl_dns_entry *entry, int result,
                        struct pl_str data, int64_t ttl)
{
    if (result == 0 && type_of(entry) != 0)
        ttl = pl_dns_answer_ttl(data, type_of(entry));
    if (result < 0 || ttl == PL_ERR_PROTO)
        return result < 0 ? result : ttl;
    return ttl < 0 ? PL_DNS_TTL_NONE : PL_MIN(ttl, (int64_t)PL_DNS_TTL_MAX);
}

static int keep_data(struct pl_dns_entry *entry, struct pl_str data)
{
    if (data.len == 0)
        return 0;
    entry->data = pl_malloc(data.len);
    if (entry->data == NULL)
        return PL_ERR_NOMEM;
    memcpy(entry->data, data.data, data.len);
    entry->len = data.len;
    return 0;
}

static void on_answer(void *ask, int result, struct pl_str data, uint32_t ttl)
{
    struct pl_dns_entry *entry = ask;
    int64_t worth = worth_of(entry, result, data, ttl);
    struct pl_list *node;

    entry->asked = false;
    entry->channel->open--;
    entry->channel = NULL;
    entry->result = worth < 0 ? (int)worth : keep_data(entry, data);
    if (entry->result == PL_ERR_NOT_FOUND)
        worth = PL_DNS_TTL_NONE;
    if (worth <= 0 || entry->result == PL_ERR_NOMEM)
        unlist(entry);
    if (entry->listed)
        entry->expires =
            pl_now(entry->dns->sched->loop) + (uint64_t)worth * 1000000000;
    while ((node = pl_list_pop(&entry->waiting)) != NULL)
        settle(PL_LIST_ENTRY(node, struct pl_dns_op, node), entry->result);
    drop(entry);
}

/* The name stands in the key, behind its type. */
static void ask(struct pl_dns *dns, struct pl_dns_entry *entry)
{
    unsigned type = type_of(entry);
    struct channel *channel =
        PL_LIST_ENTRY(dns->channels.next, struct channel, node);

    entry->asked = true;
    entry->holders++;
    entry->channel = channel;
    channel->open++;
    if (type == 0)
        dns->offer->lookup(channel->ares, entry->text + 2, entry);
    else
        dns->offer->query(channel->ares, entry->text + 2, type, entry);
    set_alarm(channel);
}

/* An answer that is good still, or a question that is open. */
static struct pl_dns_entry *find(struct pl_dns *dns, struct pl_str key)
{
    struct pl_dns_entry *entry = pl_table_get(&dns->entries, key);

    if (entry == NULL || entry->asked ||
        entry->expires > pl_now(dns->sched->loop))
        return entry;
    unlist(entry);
    return NULL;
}

/* Type and name as a key, in lower case. False: it is no name. */
static bool make_key(struct pl_str name, unsigned type, char *out,
                     struct pl_str *key)
{
    if (name.len == 0 || name.len > PL_DNS_NAME_MAX ||
        memchr(name.data, '\0', name.len) != NULL)
        return false;
    out[0] = (char)(type >> 8);
    out[1] = (char)type;
    for (size_t i = 0; i < name.len; i++)
        out[2 + i] = (char)tolower((unsigned char)name.data[i]);
    *key = pl_str(out, 2 + name.len);
    return true;
}

static void begin(struct pl_dns_op *op, struct pl_dns *dns, struct pl_str name,
                  unsigned type, uint64_t due)
{
    char text[2 + PL_DNS_NAME_MAX];
    struct pl_dns_entry *entry = NULL;
    struct pl_str key;
    int err = PL_ERR_INVALID;

    pl_op_init(&op->op, dns->sched, cancel);
    pl_op_begin(&op->op);
    pl_timer_init(&op->timer, on_late);
    pl_list_init(&op->node);
    look_at_config(dns);
    if (make_key(name, type, text, &key)) {
        entry = find(dns, key);
        if (entry == NULL)
            err = add_entry(dns, key, &entry);
    }
    op->entry = entry;
    if (entry == NULL) {
        pl_op_complete(&op->op, err);
        return;
    }
    entry->holders++;
    if (!entry->asked && entry->expires == 0)
        ask(dns, entry);
    if (!entry->asked) {
        pl_op_complete(&op->op, entry->result);
        return;
    }
    pl_list_push(&entry->waiting, &op->node);
    if (due != 0)
        pl_timer_start(pl_loop_wheel(dns->sched->loop), &op->timer, due);
}

void pl_dns_lookup_begin(struct pl_dns_op *op, struct pl_dns *dns,
                         struct pl_str host, uint64_t due)
{
    begin(op, dns, host, 0, due);
}

void pl_dns_query_begin(struct pl_dns_op *op, struct pl_dns *dns,
                        struct pl_str name, unsigned type, uint64_t due)
{
    PL_ASSERT(type > 0 && type <= UINT16_MAX);
    begin(op, dns, name, type, due);
}

/* ---- life ---- */

unsigned pl_dns_kept(const struct pl_dns *dns)
{
    return (unsigned)dns->entries.count;
}

/* Inline functions have no addresses of their own. */
static void *allocate(size_t size)
{
    return pl_malloc(size);
}

static void *reallocate(void *ptr, size_t size)
{
    return pl_realloc(ptr, size);
}

static const struct pl_dns_host host = {
    .malloc = allocate,
    .realloc = reallocate,
    .free = pl_free,
    .watch = watch,
    .answer = on_answer,
};

static int load(const struct pl_dns_offer **offer, struct pl_error *error)
{
    const struct pl_plugin_want want = {
        .name = "dns",
        .host = &host,
        .host_size = sizeof(host),
        .offer_size = sizeof(struct pl_dns_offer),
    };
    const void *table;
    int err = pl_plugin_load(&want, &table, error);

    *offer = err < 0 ? NULL : table;
    return err;
}

/* The texts live as long as the resolver: its channels are opened anew. */
static int copy_config(struct pl_dns *dns, const struct pl_dns_config *config)
{
    const char **texts[] = {&dns->config.servers, &dns->config.file};

    dns->config = *config;
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        size_t size = *texts[i] == NULL ? 0 : strlen(*texts[i]) + 1;

        if (size == 0)
            continue;
        dns->texts[i] = pl_malloc(size);
        if (dns->texts[i] == NULL)
            return PL_ERR_NOMEM;
        memcpy(dns->texts[i], *texts[i], size);
        *texts[i] = dns->texts[i];
    }
    return 0;
}

int pl_dns_new(struct pl_sched *sched, const struct pl_dns_config *config,
               struct pl_dns **out, struct pl_error *error)
{
    const struct pl_dns_offer *offer;
    struct pl_dns *dns;
    int err = load(&offer, error);

    if (err < 0)
        return err;
    dns = pl_calloc(1, sizeof(*dns));
    if (dns == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    dns->offer = offer;
    dns->sched = sched;
    pl_list_init(&dns->channels);
    pl_list_init(&dns->ages);
    pl_table_init(&dns->entries, pl_loop_pool(sched->loop), NULL);
    err = copy_config(dns, config);
    if (err == 0) {
        dns->looked = pl_now(sched->loop);
        (void)has_changed(dns);
        err = open_channel(dns);
    }
    if (err == 0) {
        *out = dns;
        return 0;
    }
    pl_dns_free(dns);
    return pl_error_set(error, err, "", "%s",
                        err == PL_ERR_INVALID ? "the servers must be addresses"
                                              : pl_err_text(err));
}

void pl_dns_free(struct pl_dns *dns)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &dns->channels)
        close_channel(PL_LIST_ENTRY(node, struct channel, node));
    forget_all(dns);
    pl_table_fini(&dns->entries);
    pl_free(dns->texts[0]);
    pl_free(dns->texts[1]);
    pl_free(dns);
}
