/* limit.c - asking. Reading the options is in limit_options.c. */
#include "filters/limit.h"

#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/client.h"
#include "filters/limit_priv.h"

#define SECOND_NS ((uint64_t)1000000000)

/* ---- who it is ---- */

static void mask(uint8_t *bytes, size_t size, unsigned bits)
{
    for (size_t i = 0; i < size; i++, bits -= PL_MIN(bits, 8))
        if (bits < 8)
            bytes[i] &= (uint8_t)(0xff00 >> bits);
}

/* The part of addr that stands for a client, in out. */
static struct pl_str net_of(const struct pl_limit *limit,
                            const struct pl_addr *addr, uint8_t out[16])
{
    size_t size = 0;

    if (addr->sa.sa_family == AF_INET) {
        size = sizeof(addr->v4.sin_addr);
        memcpy(out, &addr->v4.sin_addr, size);
        mask(out, size, limit->ipv4_bits);
    } else if (addr->sa.sa_family == AF_INET6) {
        size = sizeof(addr->v6.sin6_addr);
        memcpy(out, &addr->v6.sin6_addr, size);
        mask(out, size, limit->ipv6_bits);
    }
    return pl_str((char *)out, size);
}

/* What the limit goes by, if the request has it. */
static struct pl_str said(const struct pl_limit *limit, struct pl_request *req)
{
    switch (limit->by) {
    case PL_LIMIT_USER:
        return req->user;
    case PL_LIMIT_HEADER:
        return pl_request_header(req, limit->header);
    case PL_LIMIT_ALL:
        return PL_STR("");
    default:
        return pl_str(NULL, 0);
    }
}

/* The client in both tables. False: it is not limited. */
static bool identify(struct pl_limit *limit, struct pl_request *req,
                     struct pl_limit_client *client)
{
    struct pl_str name = said(limit, req);
    uint8_t space = (uint8_t)limit->by, net[16];
    struct pl_addr addr;
    bool known;

    if (limit->key_of != NULL) {
        name = limit->key_of(req, limit->arg);
        if (name.data == NULL)
            return false;
    }
    if (name.data == NULL || limit->allowed != NULL) {
        known = pl_client_addr(req, &addr);
        if (known && pl_trust_has(limit->allowed, &addr))
            return false;
        if (name.data == NULL) {
            space = PL_LIMIT_ADDRESS;
            name = known ? net_of(limit, &addr, net)
                         : pl_request_remote(req, NULL);
        }
    }
    pl_limit_name(limit, space, name, client);
    return true;
}

void pl_limit_name(const struct pl_limit *limit, uint8_t space,
                   struct pl_str name, struct pl_limit_client *client)
{
    if (limit->rates != NULL)
        client->rate = pl_quota_key(limit->rates, space, name);
    if (limit->uses != NULL)
        client->use = pl_quota_key(limit->uses, space, name);
}

/* ---- asking ---- */

static int refuse(const struct pl_limit *limit, struct pl_request *req,
                  uint64_t wait)
{
    struct pl_response *res = &req->response;
    uint64_t seconds = PL_MAX((wait + SECOND_NS - 1) / SECOND_NS, 1);
    struct pl_str retry =
        pl_arena_printf(&req->arena, "%llu", (unsigned long long)seconds);
    int err = retry.data == NULL
                  ? PL_ERR_NOMEM
                  : pl_response_error(res, limit->status, limit->message);

    req->http->stats.limited++;
    if (err == 0)
        err = pl_response_set(res, PL_STR("Retry-After"), retry);
    return err;
}

static void leave(void *place)
{
    pl_quota_leave(place);
}

/* One more at a time, until the request is over. 0, PL_ERR_LIMIT or
 * PL_ERR_NOMEM. */
static int enter(struct pl_limit *limit, struct pl_request *req, uint64_t key)
{
    struct pl_quota_place *place = pl_arena_alloc(&req->arena, sizeof(*place));
    int err;

    if (place == NULL)
        return PL_ERR_NOMEM;
    err = pl_quota_enter(limit->uses, key, limit->concurrent, place);
    if (err < 0 || place->quota == NULL)
        return err;
    err = pl_request_defer(req, leave, place);
    if (err < 0)
        pl_quota_leave(place);
    return err;
}

static int ask(struct pl_limit *limit, struct pl_request *req,
               const struct pl_limit_client *client, uint64_t *wait)
{
    int err = 0;

    *wait = 0;
    if (limit->uses != NULL)
        err = enter(limit, req, client->use);
    if (err == 0 && limit->rates != NULL)
        err = pl_quota_take(limit->rates, client->rate, &limit->rate,
                            pl_now(req->http->net->loop), wait);
    if (err == PL_ERR_LIMIT)
        return refuse(limit, req, *wait);
    if (*wait > 0)
        req->http->stats.delayed++;
    return err < 0 ? err : 1;
}

int pl_limit_ask(struct pl_filter *filter, struct pl_request *req,
                 struct pl_str key, uint64_t *wait)
{
    struct pl_limit *limit = PL_CONTAINER_OF(filter, struct pl_limit, filter);
    struct pl_limit_client client;
    struct pl_addr addr;

    *wait = 0;
    if (limit->allowed != NULL && pl_client_addr(req, &addr) &&
        pl_trust_has(limit->allowed, &addr))
        return 1;
    pl_limit_name(limit, PL_LIMIT_KEY, key, &client);
    return ask(limit, req, &client, wait);
}

int pl_limit_take(struct pl_filter *filter, struct pl_str key, uint64_t now,
                  uint64_t *wait)
{
    struct pl_limit *limit = PL_CONTAINER_OF(filter, struct pl_limit, filter);
    struct pl_limit_client client;

    pl_limit_name(limit, PL_LIMIT_KEY, key, &client);
    return pl_quota_take(limit->rates, client.rate, &limit->rate, now, wait) ==
           0;
}

void pl_limit_forget(struct pl_filter *filter, struct pl_str key)
{
    struct pl_limit *limit = PL_CONTAINER_OF(filter, struct pl_limit, filter);
    struct pl_limit_client client;

    pl_limit_name(limit, PL_LIMIT_KEY, key, &client);
    pl_quota_forget(limit->rates, client.rate);
}

/* ---- waiting for a token ---- */

/* In the request's arena, with a hold of the request. */
struct stay {
    struct pl_sleep_op sleep;
    struct pl_request_gone gone;
    struct pl_request *req;
    const struct pl_next *next;
    struct pl_then *then;
};

static void on_gone(struct pl_request *req)
{
    pl_op_cancel(&PL_CONTAINER_OF(req->gone, struct stay, gone)->sleep.op);
}

static void on_token(struct pl_op *op)
{
    struct stay *stay = PL_CONTAINER_OF(op, struct stay, sleep.op);
    struct pl_request *req = stay->req;

    req->gone = NULL;
    if (op->result < 0 || req->wire == NULL)
        stay->then->done(stay->then, req, PL_ERR_CLOSED);
    else
        pl_next_start(stay->next, req, stay->then);
    pl_request_drop(req);
}

static void wait_for_token(struct pl_request *req, uint64_t wait,
                           const struct pl_next *next, struct pl_then *then)
{
    struct stay *stay = pl_arena_alloc(&req->arena, sizeof(*stay));

    if (stay == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    stay->gone.fn = on_gone;
    stay->req = req;
    stay->next = next;
    stay->then = then;
    req->gone = &stay->gone;
    pl_request_hold(req);
    pl_sleep_begin(&stay->sleep, req->http->sched,
                   pl_now(req->http->net->loop) + wait);
    pl_op_then(&stay->sleep.op, on_token);
}

void pl_limit_start(struct pl_filter *filter, struct pl_request *req,
                    const struct pl_next *next, struct pl_then *then)
{
    struct pl_limit *limit = PL_CONTAINER_OF(filter, struct pl_limit, filter);
    struct pl_limit_client client;
    uint64_t wait = 0;
    int result = 1;

    if (identify(limit, req, &client))
        result = ask(limit, req, &client, &wait);
    if (result != 1)
        then->done(then, req, result);
    else if (wait > 0)
        wait_for_token(req, wait, next, then);
    else
        pl_next_start(next, req, then);
}
