/* ws_deflate.h - messages packed by permessage-deflate (RFC 7692, 7.2).
 *
 * A packer is two streams of zlib, each made when it is first used. Sockets
 * that pack each message by itself share one packer of their worker; those that
 * take the context over have one of their own, in windows as small as was
 * agreed. */
#ifndef PL_HTTP_WS_DEFLATE_H
#define PL_HTTP_WS_DEFLATE_H

#include "base/buf.h"
#include "http/ws_extension.h"

struct pl_ws_packer;

/* NULL: no memory. */
struct pl_ws_packer *
pl_ws_packer_new(const struct pl_ws_deflate_params *params);
void pl_ws_packer_free(struct pl_ws_packer *packer); /* may be NULL */

/* Appends data, packed, to out. Returns 0, or PL_ERR_NOMEM: where context is
 * taken over, the peer's and ours are not the same any more. */
int pl_ws_pack(struct pl_ws_packer *packer, struct pl_str data,
               struct pl_buf *out);

/* Appends data, unpacked, to out, which has a limit. Returns 0, PL_ERR_PROTO
 * (what was packed is broken), PL_ERR_LIMIT or PL_ERR_NOMEM. */
int pl_ws_unpack(struct pl_ws_packer *packer, struct pl_str data,
                 struct pl_buf *out);

#endif
