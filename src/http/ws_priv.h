/* ws_priv.h - what ws.c (life, closing, time), ws_in.c and ws_out.c share. */
#ifndef PL_HTTP_WS_PRIV_H
#define PL_HTTP_WS_PRIV_H

#include "http/http.h"
#include "http/ws.h"

PL_INLINE uint32_t pl_ws_now(const struct pl_ws *ws)
{
    return (uint32_t)pl_now_ms(ws->http->net->loop);
}

PL_INLINE struct pl_pool *pl_ws_pool(const struct pl_ws *ws)
{
    return ws->http->net->pool;
}

/* Payload of a frame is to come. */
PL_INLINE bool pl_ws_in_frame(const struct pl_ws *ws)
{
    return ws->work != NULL && ws->work->left > 0;
}

/* Something is under way: the buffers for it; NULL: no memory. put gives them
 * back when nothing is. */
struct pl_ws_work *pl_ws_work_get(struct pl_ws *ws);
void pl_ws_work_put(struct pl_ws *ws);

/* NULL: no memory. */
struct pl_ws_rare *pl_ws_rare_get(struct pl_ws *ws);

/* What it packs and unpacks by; NULL: no memory. */
struct pl_ws_packer *pl_ws_packer_of(struct pl_ws *ws);
/* The message is unpacked, or will not be. */
void pl_ws_unpacker_drop(struct pl_ws *ws);
void pl_ws_packer_drop(struct pl_ws *ws);

/* Sends a frame, as the transport's write(). */
int pl_ws_put(struct pl_ws *ws, enum pl_ws_opcode opcode, bool packed,
              struct pl_str data);

/* Sends a frame that is no message, if the peer reads. */
void pl_ws_control(struct pl_ws *ws, enum pl_ws_opcode opcode,
                   struct pl_str data);

/* The peer has done what it must not, or we cannot go on: says so, once, and
 * ends it. */
void pl_ws_fail(struct pl_ws *ws, unsigned code, const char *why);

/* The peer's close frame, which was valid. code 0: it had none. */
void pl_ws_closed_by_peer(struct pl_ws *ws, unsigned code,
                          struct pl_str reason);

/* The reader has something new to look at. */
void pl_ws_tell(struct pl_ws *ws);

#endif
