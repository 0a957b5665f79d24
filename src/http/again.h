/* again.h - a request that is answered by two generations, one after the other:
 * what it has become (a WebSocket, a stream of events, a raw connection) goes
 * on, its handler does not.
 *
 *     answered --pl_request_again()--> LEAVING --its last holder lets go-->
 *     RESUMED: routed again, and no handler goes on with it yet
 *         --pl_ws_accept_request(), pl_events_begin(), pl_hijack()--> answered
 *
 * A handler that was resumed and does not go on ends what the request was: its
 * client comes again. */
#ifndef PL_HTTP_AGAIN_H
#define PL_HTTP_AGAIN_H

#include "base/features.h"
#include "http/request.h"

/* In the request's arena. */
struct pl_again {
    struct pl_op op;
    struct pl_request *req;
    struct pl_str state; /* of the handler that has left: see lua/move.h */
    char *bytes;         /* of that, with this */
    size_t room;
    struct pl_socket
        *socket; /* OWNED, on its way to the next handler; or NULL */
    bool leaving, resumed;
};

/* The handler is cancelled, and when it has ended, with all its filters, the
 * request is routed anew in the generation that serves then. COPIES state.
 * Returns 0 or PL_ERR_NOMEM. */
int pl_request_again(struct pl_request *req, struct pl_str state);

/* The request ends: nobody has gone on with what it was. */
void pl_request_again_end(struct pl_request *req);

/* Somebody lets go of a request that has been asked to leave. Returns true if
 * that was the last: the request begins anew, and is not to be freed. */
bool pl_request_leaves(struct pl_request *req);

PL_INLINE bool pl_request_is_leaving(const struct pl_request *req)
{
    return PL_WITH_RELOAD && PL_UNLIKELY(req->again != NULL) &&
           req->again->leaving;
}

PL_INLINE bool pl_request_is_resumed(const struct pl_request *req)
{
    return PL_WITH_RELOAD && PL_UNLIKELY(req->again != NULL) &&
           req->again->resumed;
}

/* The handler that was resumed goes on. */
PL_INLINE void pl_request_goes_on(struct pl_request *req)
{
    req->again->resumed = false;
}

#endif
