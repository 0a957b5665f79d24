/* dns.c - questions to name servers, by c-ares (client/dns_plugin.h).
 *
 * Of the system's files those are read that say where servers are and what
 * hosts are called (resolv.conf, hosts), not nsswitch.conf: what is asked is
 * the same everywhere. */
#include <ares.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/plugin.h"
#include "client/dns.h"
#include "loop/loop.h"

static _Atomic(const struct pl_dns_host *) host;

static const struct pl_dns_host *get_host(void)
{
    return atomic_load_explicit(&host, memory_order_relaxed);
}

struct channel {
    ares_channel ares;
    void *arg;
};

/* ---- answers ---- */

static int code_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
        return PL_ERR_NOT_FOUND;
    case ARES_ETIMEOUT:
        return PL_ERR_TIMEOUT;
    case ARES_ENOMEM:
        return PL_ERR_NOMEM;
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADSTR:
        return PL_ERR_INVALID;
    case ARES_EBADRESP:
    case ARES_EFORMERR:
        return PL_ERR_PROTO;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return PL_ERR_CANCELED;
    default:
        return PL_ERR_UNREACHABLE;
    }
}

static void answer(void *ask, int result, const void *data, size_t len,
                   uint32_t ttl)
{
    const struct pl_str bytes = {data == NULL ? "" : data, len};

    get_host()->answer(ask, result, bytes, ttl);
}

static void on_addresses(void *ask, int status, int timeouts,
                         struct ares_addrinfo *found)
{
    struct pl_addr list[PL_DNS_ADDRS_MAX];
    struct ares_addrinfo_node *node;
    uint32_t ttl = PL_DNS_TTL_MAX;
    size_t n = 0;

    memset(list, 0, sizeof(list)); /* they are kept as bytes */
    for (node = found == NULL ? NULL : found->nodes;
         node != NULL && n < PL_DNS_ADDRS_MAX; node = node->ai_next) {
        if (node->ai_addrlen > sizeof(list[n]) - sizeof(list[n].len))
            continue;
        memcpy(&list[n], node->ai_addr, node->ai_addrlen);
        list[n++].len = node->ai_addrlen;
        if (node->ai_ttl >= 0 && (uint32_t)node->ai_ttl < ttl)
            ttl = (uint32_t)node->ai_ttl;
    }
    if (found != NULL)
        ares_freeaddrinfo(found);
    if (status == ARES_SUCCESS && n == 0)
        status = ARES_ENODATA;
    answer(ask, code_of(status), list, n * sizeof(list[0]), ttl);
}

static void on_message(void *ask, int status, int timeouts,
                       unsigned char *bytes, int len)
{
    if (status == ARES_ENODATA) /* there is the name, without such records */
        answer(ask, 0, NULL, 0, 0);
    else if (status == ARES_SUCCESS)
        answer(ask, 0, bytes, (size_t)len, 0);
    else
        answer(ask, code_of(status), NULL, 0, 0);
}

/* ---- questions ---- */

static void lookup(void *arg, const char *name, void *ask)
{
    struct channel *channel = arg;
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                              .ai_socktype = SOCK_STREAM};

    ares_getaddrinfo(channel->ares, name, NULL, &hints, on_addresses, ask);
}

static void query(void *arg, const char *name, unsigned type, void *ask)
{
    enum { CLASS_IN = 1 };
    struct channel *channel = arg;

    ares_query(channel->ares, name, CLASS_IN, (int)type, on_message, ask);
}

/* ---- channels ---- */

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct channel *channel = arg;
    unsigned events = 0;

    if (readable)
        events |= PL_READABLE;
    if (writable)
        events |= PL_WRITABLE;
    get_host()->watch(channel->arg, fd, events);
}

static int open_ares(struct channel *channel,
                     const struct pl_dns_config *config)
{
    static char files_first[] = "fb";
    struct ares_options options = {
        .timeout = (int)config->timeout_ms,
        .tries = (int)config->tries,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = channel,
        .lookups = files_first,
        .resolvconf_path = (char *)config->file,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_LOOKUPS;
    int status;

    if (config->file != NULL)
        mask |= ARES_OPT_RESOLVCONF;
    status = ares_init_options(&channel->ares, &options, mask);
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? PL_ERR_NOMEM : PL_ERR_IO;
    if (config->servers == NULL)
        return 0;
    status = ares_set_servers_ports_csv(channel->ares, config->servers);
    if (status == ARES_SUCCESS)
        return 0;
    ares_destroy(channel->ares);
    return status == ARES_ENOMEM ? PL_ERR_NOMEM : PL_ERR_INVALID;
}

static int open_channel(const struct pl_dns_config *config, void *arg,
                        void **out)
{
    struct channel *channel = get_host()->malloc(sizeof(*channel));
    int err;

    if (channel == NULL)
        return PL_ERR_NOMEM;
    *channel = (struct channel){.arg = arg};
    err = open_ares(channel, config);
    if (err < 0) {
        get_host()->free(channel);
        return err;
    }
    *out = channel;
    return 0;
}

static void close_channel(void *arg)
{
    struct channel *channel = arg;

    ares_destroy(channel->ares);
    get_host()->free(channel);
}

static void ready(void *arg, int fd, unsigned events)
{
    struct channel *channel = arg;

    ares_process_fd(channel->ares,
                    (events & PL_READABLE) ? fd : ARES_SOCKET_BAD,
                    (events & PL_WRITABLE) ? fd : ARES_SOCKET_BAD);
}

static void due(void *arg)
{
    struct channel *channel = arg;

    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static int64_t next_ms(void *arg)
{
    struct channel *channel = arg;
    struct timeval left;

    if (ares_timeout(channel->ares, NULL, &left) == NULL)
        return -1;
    return left.tv_sec * 1000 + (left.tv_usec + 999) / 1000;
}

/* ---- what is offered ---- */

static const struct pl_dns_offer offer = {
    .open = open_channel,
    .close = close_channel,
    .ready = ready,
    .due = due,
    .next_ms = next_ms,
    .lookup = lookup,
    .query = query,
};

/* One at a time: base/plugin.c holds a lock. */
static void open_host(const void *table)
{
    const struct pl_dns_host *given = table;

    if (atomic_exchange(&host, given) == NULL)
        ares_library_init_mem(ARES_LIB_INIT_ALL, given->malloc, given->free,
                              given->realloc);
}

static void name_libraries(char *out, size_t size)
{
    snprintf(out, size, "c-ares %s", ares_version(NULL));
}

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = sizeof(struct pl_dns_host),
    .offer_size = sizeof(struct pl_dns_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
