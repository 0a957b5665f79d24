#include "server/stats.h"

#include "base/check.h"
#include "base/features.h"
#include "net/tls.h"
#include "server/worker.h"

struct list {
    struct pl_stat *out;
    unsigned n;
    const char *group;
};

static void add(struct list *list, const char *name, uint64_t value)
{
    PL_ASSERT(list->n < PL_STATS_MAX);
    list->out[list->n++] = (struct pl_stat){list->group, name, value};
}

static void add_connections(struct list *list, const struct pl_net_stats *net)
{
    list->group = "connections";
    add(list, "open", net->open);
    add(list, "accepted", net->accepted);
    add(list, "refused", net->refused);
    add(list, "crowded", net->crowded);
    add(list, "limited", net->limited);
    add(list, "timed_out", net->timed_out);
    add(list, "outgoing", net->outgoing);
    add(list, "dialed", net->dialed);
}

static void add_requests(struct list *list, const struct pl_http_stats *http)
{
    static const char *const classes[] = {NULL,  "1xx", "2xx",
                                          "3xx", "4xx", "5xx"};

    list->group = "requests";
    add(list, "open", http->open);
    add(list, "total", http->requests);
    add(list, "refused", http->refused);
    for (size_t i = 1; i < PL_COUNT(classes); i++)
        add(list, classes[i], http->by_class[i]);
}

static void add_auth(struct list *list, const struct pl_http_stats *http)
{
    list->group = "auth";
    add(list, "denied", http->denied);
    add(list, "forged", http->forged);
}

static void add_limits(struct list *list, const struct pl_http_stats *http)
{
    list->group = "limits";
    add(list, "refused", http->limited);
    add(list, "delayed", http->delayed);
}

static void add_tls(struct list *list, const struct pl_net *net)
{
    struct pl_tls_stats tls = pl_net_tls_stats(net);

    list->group = "tls";
    add(list, "handshakes", tls.handshakes);
    add(list, "resumed", tls.resumed);
    add(list, "tls12", tls.v12);
    add(list, "tls13", tls.v13);
    add(list, "failed", tls.failed);
    add(list, "clear", tls.clear);
}

unsigned pl_worker_stats(const struct pl_worker *worker, struct pl_stat *out)
{
    struct list list = {.out = out};

    add_connections(&list, &worker->net.stats);
    add_requests(&list, &worker->http.stats);
    if (PL_WITH_AUTH)
        add_auth(&list, &worker->http.stats);
    if (PL_WITH_LIMITS)
        add_limits(&list, &worker->http.stats);
    if (PL_WITH_TLS)
        add_tls(&list, &worker->net);
    return list.n;
}
