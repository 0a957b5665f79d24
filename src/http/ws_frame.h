/* ws_frame.h - frames of WebSocket (RFC 6455, 5): their heads, masking, and
 * which close codes there are. Pure: no connection, no memory of its own. */
#ifndef PL_HTTP_WS_FRAME_H
#define PL_HTTP_WS_FRAME_H

#include <perilune.h>

#include "base/compiler.h"

enum pl_ws_opcode {
    PL_WS_OP_CONTINUE = 0,
    PL_WS_OP_TEXT = 1,
    PL_WS_OP_BINARY = 2,
    PL_WS_OP_CLOSE = 8,
    PL_WS_OP_PING = 9,
    PL_WS_OP_PONG = 10,
};

enum {
    PL_WS_HEAD_MAX = 14,    /* with a mask */
    PL_WS_HEAD_OUT = 10,    /* without */
    PL_WS_CONTROL_MAX = 125 /* bytes of a control frame */
};

struct pl_ws_frame {
    uint64_t len;
    uint8_t key[4];   /* of the mask */
    uint8_t size;     /* of the head */
    uint8_t opcode;   /* enum pl_ws_opcode */
    bool fin, packed; /* packed: RSV1, by permessage-deflate */
};

/* The head of a frame from a client, at the front of bytes. packed: RSV1 may be
 * set. Returns 0, PL_ERR_AGAIN, or PL_ERR_PROTO with *why saying what is wrong:
 * as soon as the first two bytes say so. */
int pl_ws_frame_parse(struct pl_ws_frame *frame, struct pl_str bytes,
                      bool packed, const char **why);

/* The head of a frame to a client, unfragmented; returns its size. */
size_t pl_ws_frame_write(char out[PL_WS_HEAD_OUT], enum pl_ws_opcode opcode,
                         bool packed, uint64_t len);

/* Copies len bytes and masks them, or takes the mask off, beginning with byte
 * at % 4 of key. to may be from; else they do not overlap. */
void pl_ws_mask(char *to, const char *from, size_t len, const uint8_t key[4],
                uint64_t at);

/* May a close frame have this code (7.4)? */
bool pl_ws_code_valid(unsigned code);

PL_INLINE bool pl_ws_is_control(unsigned opcode)
{
    return opcode >= PL_WS_OP_CLOSE;
}

#endif
