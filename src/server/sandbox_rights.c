/* sandbox_rights.c - the rights of root in pieces (capabilities(7)), and
 * no_new_privs. */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/str.h"
#include "base/sys.h"
#include "server/sandbox_priv.h"

static const uint64_t BIND = UINT64_C(1) << CAP_NET_BIND_SERVICE;
enum { RESERVED_PORTS = 1024, KINDS = 64 };

/* Addresses that a reload adds are opened by this process if there is no
 * supervisor: one that has reserved ports may want another. */
static uint64_t kept(const struct pl_sandbox *sandbox)
{
    const struct pl_listen_set *set = &sandbox->server->listening;

    for (unsigned i = 0; i < set->ngroups; i++) {
        const struct pl_addr *addr = &set->groups[i]->addr;

        if (addr->sa.sa_family != AF_UNIX &&
            pl_addr_port(addr) < RESERVED_PORTS)
            return pl_link_is(sandbox->server->link) ? 0 : BIND;
    }
    return 0;
}

static int failed(struct pl_error *error, const char *what)
{
    return pl_error_set(error, pl_err_from_errno(errno), "",
                        "sandbox: cannot %s: %s", what, strerror(errno));
}

int pl_sandbox_bound(struct pl_sandbox *sandbox, struct pl_error *error)
{
    uint64_t keep = kept(sandbox);

    if (!sandbox->wish.drop_capabilities)
        return 0;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        if (keep >> kind & 1)
            continue;
        if (pl_sys_forgo(PR_CAPBSET_DROP, kind, 0) == 0)
            continue;
        if (errno == EINVAL) /* the first that this kernel does not know */
            break;
        if (errno == EPERM) /* we are nobody, and have none to give up */
            break;
        return failed(error, "drop capabilities");
    }
    /* Becoming another user would take all of them. */
    if (keep != 0 && pl_sys_forgo(PR_SET_KEEPCAPS, 1, 0) < 0)
        return failed(error, "keep a capability");
    return 0;
}

int pl_sandbox_drop(struct pl_sandbox *sandbox, struct pl_error *error)
{
    uint64_t keep = kept(sandbox);

    if (!sandbox->wish.drop_capabilities)
        return 0;
    /* Who was not root had none that could be kept. */
    if (pl_sys_capset(keep, keep) < 0 &&
        (keep == 0 || errno != EPERM || pl_sys_capset(keep = 0, 0) < 0))
        return failed(error, "drop capabilities");
    (void)pl_sys_forgo(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
    pl_layer_is_on(sandbox, PL_LAYER_CAPABILITIES, "%s",
                   keep == 0 ? "none" : "net_bind_service");
    return 0;
}

int pl_sandbox_no_new_privs(struct pl_sandbox *sandbox, struct pl_error *error)
{
    if (!sandbox->wish.no_new_privs)
        return 0;
    if (pl_sys_forgo(PR_SET_NO_NEW_PRIVS, 1, 0) < 0)
        return pl_layer_is_missing(sandbox, PL_LAYER_NO_NEW_PRIVS,
                                   strerror(errno), error);
    pl_layer_is_on(sandbox, PL_LAYER_NO_NEW_PRIVS, "%s", "");
    return 0;
}
