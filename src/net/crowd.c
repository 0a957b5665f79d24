#include "net/crowd.h"

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/table.h"
#include "net/listener.h"
#include "net/trust.h"

enum { COMPLAIN_S = 60, KEY_MAX = 8, FIRST_SLOTS = 64 };

struct pl_crowd_entry {
    uint32_t served, refused; /* connections */
    uint8_t len, key[KEY_MAX];
};

/* Which entry the connection of a slot is counted with, and how. */
struct place {
    struct pl_crowd_entry *entry; /* NULL: with none */
    bool refused;
};

struct pl_crowd {
    struct pl_table entries;
    struct place *places; /* by slot */
    uint32_t nplaces;
    int64_t complained; /* when the log was last told */
};

static struct pl_str key_of(const struct pl_crowd_entry *entry)
{
    return pl_str((const char *)entry->key, entry->len);
}

/* The part of addr that is one client's; false for UNIX sockets. */
static bool read_key(const struct pl_addr *addr, struct pl_crowd_entry *entry)
{
    const uint8_t *v6 = addr->v6.sin6_addr.s6_addr;

    *entry = (struct pl_crowd_entry){.len = 4};
    if (addr->sa.sa_family == AF_INET) {
        memcpy(entry->key, &addr->v4.sin_addr, 4);
    } else if (addr->sa.sa_family != AF_INET6) {
        return false;
    } else if (IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr)) {
        memcpy(entry->key, v6 + 12, 4);
    } else {
        entry->len = KEY_MAX;
        memcpy(entry->key, v6, KEY_MAX);
    }
    return true;
}

/* ---- the entries ---- */

static struct pl_crowd *crowd_of(struct pl_net *net)
{
    struct pl_crowd *crowd = net->crowd;

    if (crowd != NULL)
        return crowd;
    crowd = pl_calloc(1, sizeof(*crowd));
    if (crowd != NULL)
        pl_table_init(&crowd->entries, net->pool, NULL);
    return net->crowd = crowd;
}

/* NULL: no memory. */
static struct pl_crowd_entry *find(struct pl_net *net,
                                   const struct pl_crowd_entry *key)
{
    struct pl_crowd *crowd = crowd_of(net);
    struct pl_crowd_entry *entry;

    if (crowd == NULL)
        return NULL;
    entry = pl_table_get(&crowd->entries, key_of(key));
    if (entry != NULL)
        return entry;
    entry = pl_pool_get(net->pool, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    *entry = *key;
    if (pl_table_put(&crowd->entries, key_of(entry), entry, NULL) == 0)
        return entry;
    pl_pool_put(net->pool, entry, sizeof(*entry));
    return NULL;
}

void pl_crowd_miss(struct pl_net *net, struct pl_crowd_entry *entry)
{
    if (entry == NULL || entry->served + entry->refused > 0)
        return;
    pl_table_remove(&net->crowd->entries, key_of(entry));
    pl_pool_put(net->pool, entry, sizeof(*entry));
}

/* NULL: no memory. */
static struct place *place_of(struct pl_crowd *crowd, uint32_t slot)
{
    uint32_t count = PL_MAX(crowd->nplaces, FIRST_SLOTS);
    struct place *grown;

    if (slot < crowd->nplaces)
        return &crowd->places[slot];
    while (count <= slot)
        count *= 2;
    grown = pl_realloc(crowd->places, count * sizeof(*grown));
    if (grown == NULL)
        return NULL;
    memset(grown + crowd->nplaces, 0,
           (count - crowd->nplaces) * sizeof(*grown));
    crowd->places = grown;
    crowd->nplaces = count;
    return &grown[slot];
}

/* ---- connections ---- */

static bool peer_of(int fd, struct pl_addr *addr)
{
    *addr = (struct pl_addr){.len = sizeof(addr->un)};
    return pl_sys_getpeername(fd, &addr->sa, &addr->len) == 0;
}

bool pl_crowd_admit(struct pl_listener *listener, int fd,
                    struct pl_crowd_entry **out)
{
    struct pl_net *net = listener->net;
    uint32_t limit = net->limits.max_per_address;
    struct pl_crowd_entry *entry, key;
    struct pl_addr addr;

    *out = NULL;
    if (!peer_of(fd, &addr) || pl_trust_has(listener->options->trusted, &addr))
        return true;
    if (!read_key(&addr, &key))
        return true;
    entry = find(net, &key);
    if (entry == NULL)
        return false;
    *out = entry;
    if (entry->served < limit)
        return true;
    net->stats.crowded++;
    return listener->door->busy != NULL && entry->refused < limit;
}

static void complain(struct pl_conn *conn, const struct pl_crowd_entry *entry)
{
    struct pl_net *net = pl_conn_net(conn);
    int64_t now = pl_loop_wall(net->loop);
    char host[PL_ADDR_TEXT] = "?";
    struct pl_addr addr;

    if (net->crowd->complained != 0 &&
        now - net->crowd->complained < COMPLAIN_S)
        return;
    net->crowd->complained = now;
    if (peer_of(conn->source.fd, &addr))
        pl_addr_format_host(&addr, host);
    pl_log(PL_LOG_WARN, "net",
           "an address has as many connections as it may (max_per_address), "
           "further ones are refused: peer=%s open connections=%u (this is "
           "said once a minute)",
           host, entry->served);
}

bool pl_crowd_join(struct pl_conn *conn, struct pl_crowd_entry *entry)
{
    struct pl_net *net = pl_conn_net(conn);
    bool refused =
        entry != NULL && entry->served >= net->limits.max_per_address;
    struct place *place;

    if (entry == NULL)
        return false;
    place = place_of(net->crowd, conn->source.slot);
    if (place == NULL) { /* no memory: it is not counted */
        pl_crowd_miss(net, entry);
        return refused;
    }
    *place = (struct place){entry, refused};
    if (refused)
        entry->refused++;
    else
        entry->served++;
    if (refused)
        complain(conn, entry);
    return refused;
}

void pl_crowd_leave(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    struct place *place;

    if (conn->source.slot >= net->crowd->nplaces)
        return;
    place = &net->crowd->places[conn->source.slot];
    if (place->entry == NULL)
        return;
    if (place->refused)
        place->entry->refused--;
    else
        place->entry->served--;
    pl_crowd_miss(net, place->entry);
    place->entry = NULL;
}

void pl_crowd_free(struct pl_crowd *crowd)
{
    if (crowd == NULL)
        return;
    PL_ASSERT(crowd->entries.count == 0);
    pl_table_fini(&crowd->entries);
    pl_free(crowd->places);
    pl_free(crowd);
}
