/* ws_deflate.h - messages packed by permessage-deflate (RFC 7692, 7.2).
 *
 * A packer is two streams of zlib, each made when it is first used. Sockets
 * that pack each message by itself share one packer of their worker; those that
 * take the context over have one of their own, in windows as small as was
 * agreed.
 *
 * A message is unpacked as it comes, in pieces between which others do the
 * same: from its beginning to its end it has a stream for itself. That is the
 * packer's, if nobody has it, or one more. */
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

struct pl_ws_unpacker;

/* For a message. NULL: no memory. */
struct pl_ws_unpacker *pl_ws_unpacker_get(struct pl_ws_packer *packer);
/* It is over, or nobody wants the rest of it. unpacker may be NULL. */
void pl_ws_unpacker_put(struct pl_ws_packer *packer,
                        struct pl_ws_unpacker *unpacker);

/* Appends to out, which has a limit, what is unpacked of *data, until that is
 * used up (but for a few bytes that are inside of the stream) or most bytes
 * have been made; *data becomes what is left. Returns 0, PL_ERR_PROTO (what was
 * packed is broken), PL_ERR_LIMIT or PL_ERR_NOMEM. */
int pl_ws_unpack(struct pl_ws_unpacker *unpacker, struct pl_str *data,
                 struct pl_buf *out, size_t most);

/* The message has ended: appends what is left of it, some kilobytes at most. */
int pl_ws_unpack_end(struct pl_ws_unpacker *unpacker, struct pl_buf *out);

#endif
