/* ws_extension.h - what client and server agree on beside plain frames:
 * permessage-deflate and its four parameters (RFC 7692, 7.1). Pure. */
#ifndef PL_HTTP_WS_EXTENSION_H
#define PL_HTTP_WS_EXTENSION_H

#include <perilune.h>

/* What was agreed. */
struct pl_ws_deflate_params {
    bool server_fresh, client_fresh; /* ..._no_context_takeover */
    uint8_t server_bits, client_bits;
};

enum { PL_WS_EXTENSION_MAX = 160 };

/* Takes the first offer of the client (Sec-WebSocket-Extensions; may be absent)
 * that can be kept. bits: of the windows of PL_WS_CONTEXT. Writes the answer
 * and returns its length; 0: there is none. */
size_t pl_ws_extension_choose(struct pl_str offers, enum pl_ws_compress wish,
                              unsigned bits,
                              struct pl_ws_deflate_params *params,
                              char answer[PL_WS_EXTENSION_MAX]);

#endif
