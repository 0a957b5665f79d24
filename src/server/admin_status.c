/* admin_status.c - what the main thread knows of the process. */
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/listener.h"
#include "server/admin_priv.h"
#include "server/sandbox.h"
#include "share/quota.h"
#include "share/share.h"

/* ---- the process ---- */

static const char *state_of(const struct pl_server *server)
{
    switch (server->stop & PL_STOP_STEPS) {
    case PL_STOP_NONE:
        break;
    case PL_STOP_DRAIN:
        return "draining";
    default:
        return "stopping";
    }
    for (unsigned i = 0; i < server->nworkers; i++)
        if (server->workers[i].stage < PL_WORKER_SERVING)
            return "loading";
    return "serving";
}

/* Bytes in memory now; 0 if the kernel does not say. */
static uint64_t resident(void)
{
    int fd = pl_sys_open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0);
    unsigned long size = 0, pages = 0;
    char text[128];
    ssize_t n;

    if (fd < 0)
        return 0;
    n = pl_sys_read(fd, text, sizeof(text) - 1);
    pl_sys_close(fd);
    text[PL_MAX(n, 0)] = '\0';
    if (sscanf(text, "%lu %lu", &size, &pages) != 2)
        return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- listeners ---- */

/* Connections that nobody has accepted yet, and how many there may be. TCP
 * says it in the fields of what a listening socket has none of. */
static bool queue_of(int fd, uint64_t *waiting, uint64_t *room)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t len = sizeof(info);

    if (pl_sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    *waiting += info.tcpi_unacked;
    *room += info.tcpi_sacked;
    return true;
}

static void tell_listener(const struct pl_listen_group *group,
                          struct pl_json_builder *json)
{
    char text[PL_ADDR_TEXT];
    uint64_t waiting = 0, room = 0;
    bool known = group->count > 0 && group->addr.sa.sa_family != AF_UNIX;

    for (unsigned i = 0; i < group->count && known; i++)
        known = queue_of(group->fds[i], &waiting, &room);
    pl_addr_format(&group->addr, text);
    pl_json_begin_object(json);
    pl_admin_str(json, "address", text);
    pl_admin_str(json, "protocol",
                 group->options.service != 0
                     ? "raw"
                     : pl_speak_name(group->options.speak));
    pl_admin_bool(json, "tls", group->tls != NULL);
    pl_admin_u64(json, "sockets", group->count);
    if (known) {
        pl_admin_u64(json, "queued", waiting);
        pl_admin_u64(json, "backlog", room);
    }
    pl_json_end(json);
}

/* ---- shared dictionaries ---- */

static void tell_dict(void *arg, struct pl_str name, struct pl_dict *dict)
{
    struct pl_json_builder *json = arg;
    struct pl_dict_stats stats = pl_dict_stats(dict);

    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("name"));
    pl_json_add_str(json, name);
    pl_admin_u64(json, "keys", stats.keys);
    pl_admin_u64(json, "bytes", stats.used);
    pl_admin_u64(json, "limit", stats.limit);
    pl_admin_u64(json, "hits", stats.hits);
    pl_admin_u64(json, "misses", stats.misses);
    pl_admin_u64(json, "evicted", stats.evicted);
    pl_admin_u64(json, "expired", stats.expired);
    pl_admin_u64(json, "refused", stats.refused);
    pl_json_end(json);
}

static void tell_shared(struct pl_share *share, struct pl_json_builder *json)
{
    pl_admin_array(json, "shared");
    if (PL_WITH_SHARE)
        pl_share_each_dict(share, tell_dict, json);
    pl_json_end(json);
}

/* ---- limits of clients ---- */

static void tell_quota(void *arg, const struct pl_quota *quota)
{
    struct pl_json_builder *json = arg;
    struct pl_quota_stats stats = pl_quota_stats(quota);

    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("name"));
    pl_json_add_str(json, pl_quota_name(quota));
    pl_admin_str(json, "of",
                 pl_quota_kind(quota) == PL_QUOTA_RATE ? "rate" : "concurrent");
    pl_admin_u64(json, "places", stats.places);
    pl_admin_u64(json, "taken", stats.taken);
    pl_admin_u64(json, "refused", stats.refused);
    pl_admin_u64(json, "delayed", stats.delayed);
    pl_admin_u64(json, "evicted", stats.evicted);
    pl_json_end(json);
}

static void tell_limits(struct pl_share *share, struct pl_json_builder *json)
{
    pl_admin_array(json, "limits");
    pl_share_each_quota(share, tell_quota, json);
    pl_json_end(json);
}

/* ---- all of it ---- */

static void tell_log(struct pl_json_builder *json)
{
    pl_admin_object(json, "log");
    pl_admin_str(json, "level", pl_log_level_name(pl_log_level));
    pl_admin_u64(json, "dropped", pl_log_dropped());
    pl_admin_u64(json, "suppressed", pl_log_suppressed());
    pl_json_end(json);
}

/* ---- the sandbox ---- */

static void tell_sandbox(const struct pl_sandbox *sandbox,
                         struct pl_json_builder *json)
{
    static const char *const states[] = {
        [PL_LAYER_OFF] = "off",
        [PL_LAYER_ON] = "on",
        [PL_LAYER_MISSING] = "missing",
    };

    pl_admin_object(json, "sandbox");
    pl_admin_bool(json, "on", sandbox != NULL);
    for (int i = 0; sandbox != NULL && i < PL_LAYERS; i++) {
        pl_admin_object(json, pl_layer_name((enum pl_layer)i));
        pl_admin_str(json, "state", states[sandbox->layers[i].state]);
        pl_admin_str(json, "note", sandbox->layers[i].note);
        pl_json_end(json);
    }
    if (sandbox != NULL)
        pl_admin_u64(json, "refused", sandbox->calls);
    pl_json_end(json);
}

void pl_admin_tell_process(struct pl_admin *admin, struct pl_json_builder *json)
{
    struct pl_server *server = admin->server;
    uint64_t age = pl_clock_monotonic() - admin->since;

    pl_admin_str(json, "version", PL_VERSION);
    pl_admin_str(json, "site", server->loader->name);
    pl_admin_str(json, "state", state_of(server));
    pl_admin_u64(json, "pid", (uint64_t)pl_server_pid(server));
    pl_admin_u64(json, "process", (uint64_t)getpid());
    pl_admin_bool(json, "supervised", pl_link_is(server->link));
    pl_admin_u64(json, "starts", server->link ? server->link->starts : 0);
    pl_admin_u64(json, "crashes", server->link ? server->link->crashes : 0);
    pl_admin_u64(json, "reports", server->link ? server->link->reports : 0);
    pl_admin_str(json, "report", server->link ? server->link->report.text : "");
    pl_admin_u64(json, "started", (pl_clock_wall() - age) / 1000000000);
    pl_admin_double(json, "uptime_s", (double)age / 1e9);
    pl_admin_u64(json, "resident_bytes", resident());
    pl_admin_str(json, "admin", admin->path);
    pl_admin_tell_reload(admin, json);
    pl_admin_array(json, "listeners");
    for (unsigned i = 0; i < server->listening.ngroups; i++)
        tell_listener(server->listening.groups[i], json);
    pl_json_end(json);
    pl_admin_tell_modules(json);
    tell_shared(server->share, json);
    if (PL_WITH_LIMITS)
        tell_limits(server->share, json);
    tell_log(json);
    if (PL_WITH_SANDBOX)
        tell_sandbox(server->sandbox, json);
}
