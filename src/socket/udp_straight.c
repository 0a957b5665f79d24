/* udp_straight.c - datagrams in straight lines, for C programs (perilune.h). */
#include <string.h>

#include "base/options.h"
#include "socket/names.h"
#include "socket/udp.h"
#include "task/fiber.h"

static struct pl_sockets *may_wait(void)
{
    struct pl_sockets *sockets = pl_on_fiber() ? pl_sockets_current() : NULL;

    return sockets == NULL || sockets->sched->lua_depth > 0 ? NULL : sockets;
}

/* The best address of "host:port"; waits for a name. */
static int find(struct pl_sockets *sockets, const char *text,
                struct pl_addr *out)
{
    struct pl_lookup_op lookup;
    struct pl_target target;
    int err = pl_target_parse(pl_str_c(text), PL_TARGET_UDP, &target, NULL);

    if (err == 0 && target.kind != PL_TARGET_UDP)
        err = PL_ERR_INVALID;
    if (err < 0)
        return err;
    if (target.known) {
        *out = target.addr;
        return 0;
    }
    pl_lookup_begin(&lookup, sockets->sched, sockets->names, &target);
    err = pl_op_wait(&lookup.offload.op);
    if (err == 0)
        *out = pl_lookup_addrs(&lookup)->list[0];
    pl_lookup_end(&lookup);
    return err;
}

int pl_udp_open(struct pl_request *req, const char *address,
                const struct pl_udp_options *options, struct pl_udp **udp)
{
    struct pl_sockets *sockets = may_wait();
    struct pl_udp_options all;
    struct pl_udp_spec spec;
    struct pl_addr bind, peer;
    int err = sockets == NULL ? PL_ERR_STATE : 0;

    (void)req;
    PL_OPTIONS_READ(&all, options);
    if (err == 0 && address != NULL)
        err = find(sockets, address, &peer);
    if (err == 0 && all.bind != NULL)
        err = pl_addr_parse(pl_str_c(all.bind), false, &bind, NULL);
    if (err < 0)
        return err;
    spec = (struct pl_udp_spec){.bind = all.bind != NULL ? &bind : NULL,
                                .peer = address != NULL ? &peer : NULL,
                                .broadcast = all.broadcast,
                                .reuse_port = all.reuse_port};
    err = pl_udp_make(sockets, &spec, udp, NULL);
    if (err < 0)
        return err;
    if (all.timeout_ms != 0)
        (*udp)->timeout_ms = all.timeout_ms;
    pl_udp_set_owner(*udp, pl_task_current());
    return 0;
}

static int wait_for(struct pl_udp *udp, bool write)
{
    struct pl_udp_op op;

    if (may_wait() == NULL)
        return PL_ERR_STATE;
    pl_udp_wait_begin(&op, udp, write);
    return pl_op_wait(&op.op);
}

static int send_it(struct pl_udp *udp, struct pl_str bytes,
                   const struct pl_addr *peer)
{
    int err, waited;

    while ((err = pl_udp_put(udp, bytes, peer)) == PL_ERR_AGAIN)
        if ((waited = wait_for(udp, true)) < 0)
            return waited;
    return err;
}

int pl_udp_send(struct pl_request *req, struct pl_udp *udp, struct pl_str bytes)
{
    (void)req;
    return send_it(udp, bytes, NULL);
}

int pl_udp_send_to(struct pl_request *req, struct pl_udp *udp,
                   const char *address, struct pl_str bytes)
{
    struct pl_sockets *sockets = may_wait();
    struct pl_addr peer;
    int err = sockets == NULL ? PL_ERR_STATE : find(sockets, address, &peer);

    (void)req;
    return err < 0 ? err : send_it(udp, bytes, &peer);
}

ssize_t pl_udp_receive(struct pl_request *req, struct pl_udp *udp, char *to,
                       size_t size, char from[PL_ADDRESS_TEXT])
{
    struct pl_addr peer;
    ssize_t n;
    int waited;

    (void)req;
    while ((n = pl_udp_take(udp, to, size, &peer)) == PL_ERR_AGAIN)
        if ((waited = wait_for(udp, false)) < 0)
            return waited;
    if (n >= 0 && from != NULL)
        pl_addr_format(&peer, from);
    return n;
}

int pl_udp_local(const struct pl_udp *udp, char out[PL_ADDRESS_TEXT])
{
    struct pl_addr addr;

    if (!pl_udp_own_addr(udp, &addr))
        return PL_ERR_CLOSED;
    pl_addr_format(&addr, out);
    return 0;
}
